//! Production, watched by a real process: what it knows is what a run knows, whoever is killed, and can be seen from outside.

mod control;
mod drained;
#[cfg(unix)]
mod examples;
mod faults;
mod judged;
mod killed;
mod outside;
mod planned;
pub mod process;
mod quarantined;
mod same;
#[cfg(unix)]
mod sdk;

/// A suite whose agent has to say that it is ok.
const SUITE: &str = "[[turn]]\nid = \"says\"\ncheck = \"contains\"\nvalue = \"ok\"\n";

/// A turn of a conversation that has just ended, as an agent exports it.
pub fn turn(session: &str, turn: u32, reply: &str) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).expect("a time");
    let nanos = now.as_nanos();
    let text = |key: &str, value: &str| serde_json::json!({ "key": key, "value": { "stringValue": value } });
    let message = |role: &str, said: &str| {
        serde_json::json!([{ "role": role, "parts": [{ "type": "text", "content": said }] }]).to_string()
    };
    let number: u32 = session.bytes().fold(7, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(b)));
    let span = serde_json::json!({
        "traceId": format!("{number:016x}{turn:016x}"), "spanId": format!("{:016x}", u64::from(turn) + 1),
        "name": "invoke_agent desk", "kind": 1,
        "startTimeUnixNano": (nanos - 1_000_000).to_string(), "endTimeUnixNano": nanos.to_string(),
        "attributes": [
            text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "desk"),
            text("gen_ai.conversation.id", session),
            text("gen_ai.input.messages", &message("user", "please")),
            text("gen_ai.output.messages", &message("assistant", reply)),
        ],
    });
    let scope = serde_json::json!({ "scope": { "name": "demo" }, "spans": [span] });
    let resource = serde_json::json!({ "resource": { "attributes": [] }, "scopeSpans": [scope] });
    serde_json::json!({ "resourceSpans": [resource] }).to_string().into_bytes()
}
