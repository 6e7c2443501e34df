//! What waiting for others costs: for agents that are driven, and for models that judge.
//!
//! `cargo bench --bench live [-- driving | judges]` measures both, or one of them. The others are servers in a process of
//! their own, so that what is measured is the run alone.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod driving;
mod judges;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use wait4::Wait4;

/// Says that this process is a server, and which.
const ROLE: &str = "SEATRIAL_BENCH_ROLE";

/// What is measured, by its name.
const GROUPS: &[(&str, fn())] = &[("driving", driving::measure), ("judges", judges::measure)];

fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok("agent") => return serve(driving::agent()),
        Ok("judge") => return serve(judges::judge()),
        _ => {}
    }
    // Built, not run, where benchmarks are only tried out.
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (name, measure) in GROUPS.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|n| n == name)) {
        println!("{name}");
        measure();
    }
}

/// A server in a process of its own, which ends with this.
struct Server {
    process: Child,
    /// Where it listens on this machine.
    port: u16,
}

impl Server {
    fn start(role: &str) -> Self {
        let me = std::env::current_exe().expect("this program");
        let mut process = Command::new(me).env(ROLE, role).stdout(Stdio::piped()).spawn().expect("the server");
        let mut port = String::new();
        let said = process.stdout.take().expect("its output");
        BufReader::new(said).read_line(&mut port).expect("its port");
        Self { process, port: port.trim().parse().expect("a port") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers requests and says on which port, until it is killed.
fn serve(router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        println!("{port}");
        let _ = axum::serve(listener, router).await;
    });
}

/// What a run took.
struct Took {
    wall: Duration,
    /// Of the process, user and system, in seconds.
    cpu: f64,
    /// Its peak memory, in bytes.
    peak: u64,
}

/// Runs `suite.toml` of a folder, which must pass.
fn run(dir: &Path) -> Took {
    let began = Instant::now();
    let mut run = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    run.args(["run", "suite.toml", "--quiet"]).current_dir(dir).stdout(Stdio::null());
    let ended = run.spawn().expect("the run").wait4().expect("its end");
    assert!(ended.status.success(), "the run ended with {}", ended.status);
    let usage = &ended.rusage;
    let cpu = usage.utime.as_secs_f64() + usage.stime.as_secs_f64();
    Took { wall: began.elapsed(), cpu, peak: usage.maxrss }
}

/// What the newest run's record says of it under a name.
fn recorded(dir: &Path, name: &str) -> serde_json::Value {
    let record = std::fs::read_to_string(dir.join("reports/latest/run.jsonl")).expect("a record");
    let start = format!("{{\"volatile\":\"{name}\"");
    let line = record.lines().find(|line| line.starts_with(&start)).expect("a line of that name");
    serde_json::from_str(line).expect("JSON")
}

fn say(what: &str, is: &str, bar: &str) {
    println!("  {what:<24}{is:>12}   bar {bar}");
}
