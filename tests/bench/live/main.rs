//! What driving costs: 2,000 requests, 200 at once, against an agent in a process of its own that takes 500 ms each.
//!
//! `cargo bench --bench live`. The ideal is 5.0 s; the bars are 1.05 times that, 60 MB and 0.5 s of CPU.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use wait4::Wait4;

const REQUESTS: usize = 2_000;
const AT_ONCE: usize = 200;
const EACH: Duration = Duration::from_millis(500);
/// Says that this process is the agent.
const ROLE: &str = "SEATRIAL_BENCH_AGENT";

fn main() {
    if std::env::var_os(ROLE).is_some() {
        return agent();
    }
    // Built, not run, where benchmarks are only tried out.
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    let me = std::env::current_exe().expect("this program");
    let mut agent = Command::new(me).env(ROLE, "1").stdout(Stdio::piped()).spawn().expect("the agent");
    let mut port = String::new();
    let said = agent.stdout.take().expect("its output");
    BufReader::new(said).read_line(&mut port).expect("its port");
    let dir = tempfile::tempdir().expect("a folder");
    let cases: String = (0..REQUESTS).map(|i| format!("{{\"id\":\"c{i}\",\"user\":\"hello\"}}\n")).collect();
    std::fs::write(dir.path().join("cases.jsonl"), cases).expect("cases");
    let suite = format!(
        "[suite]\nname = \"load\"\ncases = \"cases.jsonl\"\n[agent]\nkind = \"http\"\nurl = \"http://127.0.0.1:{}/\"\n\
         reply = \"reply\"\nconcurrency = {AT_ONCE}\n[[session]]\nid = \"r\"\ncheck = \"contains\"\nvalue = \"hi\"\n",
        port.trim()
    );
    std::fs::write(dir.path().join("suite.toml"), suite).expect("the suite");
    let began = Instant::now();
    let mut run = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    run.args(["run", "suite.toml", "--quiet"]).current_dir(dir.path()).stdout(Stdio::null());
    let ended = run.spawn().expect("the run").wait4().expect("its end");
    let whole = began.elapsed();
    let _ = agent.kill();
    let _ = agent.wait();
    let record = std::fs::read_to_string(dir.path().join("reports/latest/run.jsonl")).expect("a record");
    let driven = record.lines().find(|line| line.starts_with("{\"volatile\":\"driven\"")).expect("what was driven");
    let driven: serde_json::Value = serde_json::from_str(driven).expect("JSON");
    let ideal = EACH.as_secs_f64() * (REQUESTS / AT_ONCE) as f64;
    let seconds = driven["seconds"].as_f64().unwrap_or(f64::NAN);
    let usage = &ended.rusage;
    let cpu = usage.utime.as_secs_f64() + usage.stime.as_secs_f64();
    let say = |what: &str, is: String, bar: String| println!("{what:<22}{is:>12}   bar {bar}");
    say("driving", format!("{seconds:.2} s"), format!("{:.2} s (1.05 x {ideal:.1} s)", 1.05 * ideal));
    say("whole run", format!("{:.2} s", whole.as_secs_f64()), "none".to_owned());
    say("CPU of the whole run", format!("{cpu:.2} s"), "0.50 s".to_owned());
    say("peak memory", format!("{:.1} MB", usage.maxrss as f64 / 1e6), "60 MB".to_owned());
    say("failures", driven["failures"].to_string(), "0".to_owned());
    assert!(ended.status.success(), "the run ended with {}", ended.status);
}

/// Answers everything after a while, until it is killed.
fn agent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        println!("{port}");
        let answer = || async {
            tokio::time::sleep(EACH).await;
            axum::Json(serde_json::json!({ "reply": "hi" }))
        };
        let _ = axum::serve(listener, Router::new().route("/", post(answer))).await;
    });
}
