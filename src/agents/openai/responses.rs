//! Responses.

use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use reqwest::Response;
use serde_json::{Map, Value, json};

use super::talk::{Asked, Dialect, Round, failed, malformed};
use crate::agents::template::Env;
use crate::agents::wire::{self, MOST};
use crate::agents::{Call, Heard};
use crate::formats::chat::usage;
use crate::net::{Cause, Trouble, stream};

/// Responses.
pub struct Responses;

impl Dialect for Responses {
    fn conversation(&self) -> &'static str {
        "input"
    }

    fn tool(&self, mut described: Map<String, Value>) -> Value {
        described.insert("type".to_owned(), "function".into());
        Value::Object(described)
    }

    fn system(&self, text: &str) -> Result<String, (&'static str, String)> {
        Err(("instructions", text.to_owned()))
    }

    fn answered(&self, id: &str, text: &str) -> String {
        json!({"type": "function_call_output", "call_id": id, "output": text}).to_string()
    }

    fn whole(&self, reply: &Value) -> Result<Round, Trouble> {
        if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
            return Err(failed(error));
        }
        let output = reply.get("output").and_then(Value::as_array);
        let output = output.ok_or_else(|| malformed("the reply has no output", reply))?;
        let mut round = Round {
            usage: reply.get("usage").and_then(usage::of_value),
            model: text_of(reply, "model").map(str::to_owned),
            finish: text_of(reply, "status").map(str::to_owned),
            ..Round::default()
        };
        for item in output {
            round.items.push(item.to_string());
            match text_of(item, "type") {
                Some("message") => {
                    for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
                        if let Some(text) = text_of(part, "text").or_else(|| text_of(part, "refusal")) {
                            round.text.get_or_insert_default().push_str(text);
                        }
                    }
                }
                Some("function_call") => {
                    let named = (text_of(item, "name"), text_of(item, "call_id"), text_of(item, "arguments"));
                    let (Some(name), Some(id), Some(arguments)) = named else {
                        return Err(malformed("a call of a function without a name, an id or arguments", item));
                    };
                    round.asked.push(Asked { id: id.into(), name: name.into(), arguments: arguments.into() });
                }
                Some(kind) => round.done.extend(kind.strip_suffix("_call").map(|kind| done(kind, item))),
                None => {}
            }
        }
        Ok(round)
    }

    fn pieces<'a>(
        &'a self,
        reply: Response,
        env: &'a Env,
        heard: &'a mut Heard,
        since: Instant,
    ) -> BoxFuture<'a, Result<Round, Trouble>> {
        Box::pin(async move {
            let mut events = stream::events(reply, MOST);
            while let Some(event) = events.next().await {
                let event = event?;
                if event.data.trim() == "[DONE]" {
                    break;
                }
                let piece = wire::parse(event.data.as_bytes(), "an event of the stream", env)?;
                match text_of(&piece, "type") {
                    Some("response.output_text.delta") => {
                        wire::piece(heard, text_of(&piece, "delta").unwrap_or_default(), since);
                    }
                    Some("response.completed" | "response.incomplete") => {
                        let whole =
                            piece.get("response").ok_or_else(|| malformed("no response in the event", &piece))?;
                        return self.whole(whole);
                    }
                    Some("response.failed") => {
                        return Err(failed(piece.pointer("/response/error").unwrap_or(&piece)));
                    }
                    Some("error") => return Err(failed(&piece)),
                    _ => {}
                }
            }
            Err(Trouble::new(Cause::Reset, "the stream ended in the middle of the reply"))
        })
    }
}

/// A call that the other side answered itself.
fn done(kind: &str, item: &Value) -> Call {
    let json = |key: &str| match item.get(key)? {
        Value::Null => None,
        Value::String(text) if serde_json::from_str::<Map<String, Value>>(text).is_ok() => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let error = item.get("error").filter(|error| !error.is_null());
    let error = error.map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned));
    let status = text_of(item, "status");
    let unsaid = || (status == Some("failed")).then(|| "failed".to_owned());
    let output = ["output", "results", "outputs"].iter().find_map(|key| json(key));
    let error = error.or_else(unsaid);
    Call {
        name: text_of(item, "name").unwrap_or(kind).to_owned(),
        id: text_of(item, "id").map(str::to_owned),
        input: ["arguments", "action", "queries", "code", "input"].iter().find_map(|key| json(key)),
        ended: output.is_some() || error.is_some() || status == Some("completed"),
        output,
        error,
        took: None,
    }
}

fn text_of<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}
