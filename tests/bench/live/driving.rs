//! 2,000 requests, 200 at once, against an agent that takes 500 ms each. The ideal is 5.0 s; the bars are 1.05 times that,
//! 60 MB and 0.5 s of CPU.

use std::time::Duration;

use axum::Router;
use axum::routing::post;

use super::{Server, recorded, run, say};

const REQUESTS: usize = 2_000;
const AT_ONCE: usize = 200;
const EACH: Duration = Duration::from_millis(500);

pub fn measure() {
    let agent = Server::start("agent");
    let dir = tempfile::tempdir().expect("a folder");
    let cases: String = (0..REQUESTS).map(|i| format!("{{\"id\":\"c{i}\",\"user\":\"hello\"}}\n")).collect();
    std::fs::write(dir.path().join("cases.jsonl"), cases).expect("cases");
    let suite = format!(
        "[suite]\nname = \"load\"\ncases = \"cases.jsonl\"\n[agent]\nkind = \"http\"\nurl = \"http://127.0.0.1:{}/\"\n\
         reply = \"reply\"\nconcurrency = {AT_ONCE}\n[[session]]\nid = \"r\"\ncheck = \"contains\"\nvalue = \"hi\"\n",
        agent.port
    );
    std::fs::write(dir.path().join("suite.toml"), suite).expect("the suite");
    let took = run(dir.path());
    let driven = recorded(dir.path(), "driven");
    let ideal = EACH.as_secs_f64() * (REQUESTS / AT_ONCE) as f64;
    let seconds = driven["seconds"].as_f64().unwrap_or(f64::NAN);
    say("driving", &format!("{seconds:.2} s"), &format!("{:.2} s (1.05 x {ideal:.1} s)", 1.05 * ideal));
    say("whole run", &format!("{:.2} s", took.wall.as_secs_f64()), "none");
    say("CPU of the whole run", &format!("{:.2} s", took.cpu), "0.50 s");
    say("peak memory", &format!("{:.1} MB", took.peak as f64 / 1e6), "60 MB");
    say("failures", &driven["failures"].to_string(), "0");
}

/// Answers everything after a while.
pub fn agent() -> Router {
    let answer = || async {
        tokio::time::sleep(EACH).await;
        axum::Json(serde_json::json!({ "reply": "hi" }))
    };
    Router::new().route("/", post(answer))
}
