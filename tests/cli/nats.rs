//! A NATS server of a test's own: a private data directory and a free port, gone with the test.
//!
//! Debian's package is installed where it is missing and can be. Where it cannot, the tests say so and stop; under CI
//! they fail.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a server may take to start; only one that does not takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server until its input ends, whatever became of the one who started it. Its process id is its first line.
const GUARD: &str = r#"
"$@" >/dev/null 2>&1 </dev/null &
echo $!
cat >/dev/null
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
"#;

/// A running server.
pub struct Nats {
    dir: tempfile::TempDir,
    port: u16,
    running: Option<(Child, u32)>,
}

fn bin() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    folders.map(|folder| folder.join("nats-server")).find(|bin| bin.is_file())
}

fn installed() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let apt = |args: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
            // The package would start a server for everybody otherwise.
            apt.env("RUNLEVEL", "1").output().is_ok_and(|o| o.status.success())
        };
        let done = apt(&["update", "-qq"]) && apt(&["install", "-y", "-qq", "--no-install-recommends", "nats-server"]);
        if done { bin() } else { None }
    };
    FOUND.get_or_init(|| bin().or_else(install)).clone()
}

impl Nats {
    /// Starts one; `None`, which is told, where there is none to be had.
    pub fn start() -> Option<Self> {
        if installed().is_none() {
            assert!(std::env::var_os("CI").is_none(), "there is no nats-server, and it could not be installed");
            #[allow(clippy::print_stderr, reason = "a test that is not run says so")]
            {
                eprintln!("skipped: there is no nats-server, and it could not be installed");
            }
            return None;
        }
        let dir = tempfile::Builder::new().prefix("seatrial-nats-").tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let mut server = Self { dir, port, running: None };
        server.begin();
        Some(server)
    }

    /// Starts it again, with what it had on disk.
    pub fn begin(&mut self) {
        let bin = installed().expect("a server");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(bin).args(["-js", "-a", "127.0.0.1", "-p"]).arg(self.port.to_string());
        guard.arg("-sd").arg(self.dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = guard.spawn().expect("a shell");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        self.running = Some((child, line.trim().parse().expect("a process id")));
        let began = Instant::now();
        loop {
            let answers = TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|stream| {
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("INFO ")
            });
            if answers {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the NATS server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some((mut guard, server)) = self.running.take() {
            let _ = Command::new("kill").args(["-9", &server.to_string()]).status();
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }

    /// Where it is, for a fleet of this name.
    pub fn url(&self, fleet: &str) -> String {
        format!("nats://127.0.0.1:{}/{fleet}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
