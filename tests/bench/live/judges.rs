//! 500 sessions of about 18 KB, each judged by a model that takes 200 ms, 32 asked at once. The ideal is 3.2 s; the bar is
//! 20% of what the two cores of the machine could do meanwhile. Then once more, when all is known.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use serde_json::json;

use super::{Server, Took, recorded, run, say};

const SESSIONS: usize = 500;
const AT_ONCE: usize = 32;
const EACH: Duration = Duration::from_millis(200);
/// Cores of the machine that the bar is about.
const CORES: f64 = 2.0;

pub fn measure() {
    let judge = Server::start("judge");
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).expect(name);
    write("sessions.jsonl", (0..SESSIONS).map(|i| format!("{}\n", session(i))).collect());
    write(
        "suite.toml",
        "[suite]\nname = \"judged\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n[[session]]\nid = \"polite\"\n\
         check = \"judge\"\nrubric = \"The agent is polite.\"\n"
            .to_owned(),
    );
    write(
        "seatrial.toml",
        format!(
            "[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"http://127.0.0.1:{}/v1\"\n\
             concurrency = {AT_ONCE}\n",
            judge.port
        ),
    );
    let took = run(dir.path());
    let spent = recorded(dir.path(), "spend");
    let ideal = EACH.as_secs_f64() * SESSIONS.div_ceil(AT_ONCE) as f64;
    let wall = took.wall.as_secs_f64();
    say("whole run", &format!("{wall:.2} s"), &format!("none (ideal {ideal:.1} s, {:.2} times)", wall / ideal));
    say("CPU of the whole run", &format!("{:.2} s", took.cpu), "none");
    say("share of both cores", &format!("{:.1}%", 100.0 * took.cpu / (CORES * wall)), "20%");
    say("peak memory", &megabytes(&took), "none");
    say(
        "asked, without an answer",
        &format!("{}, {}", spent["checks"][0]["asked"], spent["checks"][0]["failed"]),
        "500, 0",
    );
    let again = run(dir.path());
    say("again, all known", &format!("{:.2} s", again.wall.as_secs_f64()), "none");
    say("peak memory", &megabytes(&again), "none");
}

fn megabytes(took: &Took) -> String {
    format!("{:.1} MB", took.peak as f64 / 1e6)
}

/// A conversation with calls of tools.
fn session(i: usize) -> serde_json::Value {
    let words = |n: usize| "The order is on its way and will be there on Tuesday. ".repeat(n);
    let turn = |t: usize| {
        let call = json!({ "kind": "tool", "name": "find", "status": "ok", "input": { "order": i, "turn": t },
            "output": words(8) });
        json!({ "user": words(2), "reply": words(8), "spans": [call] })
    };
    json!({ "id": format!("s{i}"), "turns": (0..18).map(turn).collect::<Vec<_>>() })
}

/// A model that always says the same, after a while.
pub fn judge() -> Router {
    let verdict = json!({ "reason": "As the rubric says.", "quotes": [], "verdict": "pass", "score": 1.0 }).to_string();
    let message = json!({ "role": "assistant", "content": verdict });
    let reply = json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 4500, "completion_tokens": 60, "total_tokens": 4560 } });
    let answer = move || {
        let reply = reply.clone();
        async move {
            tokio::time::sleep(EACH).await;
            axum::Json(reply)
        }
    };
    Router::new().route("/v1/chat/completions", post(answer))
}
