//! A PostgreSQL server of this test process's own: a private data directory, a private socket and no port, gone with the
//! process. One server for all tests, a database for each.
//!
//! Debian's package is installed where it is missing and can be. Where it cannot, the tests say so and stop; under CI
//! they fail. Included by the tests of the library, too.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start; only one that does not takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server. What watches over it ends it when this process, and with it the pipe, is gone.
struct Server {
    bin: PathBuf,
    dir: PathBuf,
    _watch: Child,
}

/// A script that runs the server until its input ends, whatever became of the one who started it.
const WATCH: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$dir"
"#;

fn bin() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|e| e.path()).collect();
    found.sort();
    found.into_iter().rev().map(|version| version.join("bin")).find(|bin| bin.join("initdb").is_file())
}

fn installed() -> Option<PathBuf> {
    bin().or_else(|| {
        let apt = |args: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
            // The package would start a server for everybody otherwise.
            apt.env("RUNLEVEL", "1").output().is_ok_and(|o| o.status.success())
        };
        let done = apt(&["update", "-qq"]) && apt(&["install", "-y", "-qq", "--no-install-recommends", "postgresql"]);
        if done { bin() } else { None }
    })
}

/// A command that is not run as root, which the server refuses.
fn as_nobody(program: &Path) -> Command {
    let id = Command::new("id").arg("-u").output();
    if id.is_ok_and(|o| o.stdout.starts_with(b"0\n")) {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
        return command;
    }
    Command::new(program)
}

fn start() -> Option<Server> {
    let bin = installed()?;
    let dir = tempfile::Builder::new().prefix("seatrial-pg-").tempdir().ok()?.keep();
    let owned = Command::new("chown").arg("nobody:nogroup").arg(&dir).status().is_ok_and(|s| s.success());
    let data = dir.join("data");
    let mut init = as_nobody(&bin.join("initdb"));
    init.args(["--no-sync", "--auth=trust", "--username=seatrial", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data);
    let made = init.current_dir(&dir).output().ok()?;
    assert!(made.status.success(), "initdb (owned: {owned}): {}", String::from_utf8_lossy(&made.stderr));
    let mut server = as_nobody(&bin.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(&dir);
    for setting in ["listen_addresses=", "max_connections=400", "shared_buffers=64MB"] {
        server.args(["-c", setting]);
    }
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "watch"]).arg(&dir).arg(server.get_program()).args(server.get_args());
    let watch = watch.current_dir(&dir).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server { bin, dir, _watch: watch.spawn().ok()? };
    let since = Instant::now();
    while server.sql("postgres", "SELECT 1").is_none() {
        let log = || std::fs::read_to_string(server.dir.join("log")).unwrap_or_default();
        assert!(since.elapsed() < PATIENCE, "PostgreSQL does not start: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

impl Server {
    /// What `psql` answers; `None` when it fails.
    fn sql(&self, database: &str, sql: &str) -> Option<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "seatrial", "-d", database, "-f", "-", "-h"]);
        let mut psql =
            psql.arg(&self.dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        psql.stdin.take()?.write_all(sql.as_bytes()).ok()?;
        let done = psql.wait_with_output().ok()?;
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref()
}

/// A server of one test's own, to be stopped and started.
pub struct Own(Server);

/// Starts one; `None` where none is to be had.
pub fn own() -> Option<Own> {
    start().map(Own)
}

impl Own {
    /// The address of its database.
    pub fn address(&self) -> String {
        format!("postgres:///postgres?host={}&user=seatrial", self.0.dir.display())
    }

    fn control(&self, args: &[&str]) -> bool {
        let mut control = as_nobody(&self.0.bin.join("pg_ctl"));
        control.arg("-D").arg(self.0.dir.join("data")).arg("-w").args(args).current_dir(&self.0.dir);
        control.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    /// Stops it at once, as a power cut would.
    pub fn stop(&self) {
        assert!(self.control(&["stop", "-m", "immediate"]), "the server does not stop");
    }

    /// Starts it again over the same data.
    pub fn start_again(&self) {
        let options = format!("-k {} -c listen_addresses=", self.0.dir.display());
        let log = self.0.dir.join("log-2");
        assert!(self.control(&["start", "-o", &options, "-l", &log.to_string_lossy()]), "the server does not start");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.control(&["stop", "-m", "immediate"]);
    }
}

/// The address of a new and empty database. `None` where no server is to be had, which is said; under CI that fails.
pub fn database() -> Option<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = server() else {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL, and none could be installed");
        #[allow(clippy::print_stderr, reason = "a test that is not run says so")]
        {
            eprintln!("not tested with PostgreSQL: there is none, and none could be installed");
        }
        return None;
    };
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    assert!(server.sql("postgres", &format!("CREATE DATABASE {name}")).is_some(), "no database could be made");
    Some(format!("postgres:///{name}?host={}&user=seatrial", server.dir.display()))
}

/// What a database answers to a statement, as `psql` prints it without decoration.
pub fn sql(address: &str, statement: &str) -> String {
    let name = address.trim_start_matches("postgres:///").split('?').next().unwrap_or_default();
    let answer = server().and_then(|server| server.sql(name, statement));
    answer.unwrap_or_else(|| panic!("{statement} failed"))
}
