//! Chat completions.

use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use reqwest::Response;
use serde_json::{Map, Value, json};

use super::talk::{Asked, Dialect, Round, failed, malformed};
use crate::agents::Heard;
use crate::agents::template::Env;
use crate::agents::wire::{self, MOST};
use crate::formats::chat::usage;
use crate::net::{Cause, Trouble, stream};

/// Most calls in one reply: an index beyond it is nonsense.
const MOST_CALLS: usize = 1000;

/// Chat completions.
pub struct Chat;

impl Dialect for Chat {
    fn conversation(&self) -> &'static str {
        "messages"
    }

    fn tool(&self, described: Map<String, Value>) -> Value {
        json!({"type": "function", "function": described})
    }

    fn system(&self, text: &str) -> Result<String, (&'static str, String)> {
        Ok(json!({"role": "system", "content": text}).to_string())
    }

    fn answered(&self, id: &str, text: &str) -> String {
        json!({"role": "tool", "tool_call_id": id, "content": text}).to_string()
    }

    fn whole(&self, reply: &Value) -> Result<Round, Trouble> {
        if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
            return Err(failed(error));
        }
        let choice = reply.pointer("/choices/0").ok_or_else(|| malformed("the reply has no choice", reply))?;
        let message = choice.get("message").ok_or_else(|| malformed("the choice has no message", reply))?;
        let mut asked = Vec::new();
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let mut one = Asked::default();
            add(&mut one, call);
            if one.name.is_empty() {
                return Err(malformed("a call of a tool without a name", call));
            }
            asked.push(one);
        }
        let text = content(message);
        let items = vec![item(text.as_deref(), &asked)];
        Ok(Round {
            text,
            asked,
            usage: reply.get("usage").and_then(usage::of_value),
            model: text_of(reply, "model"),
            finish: text_of(choice, "finish_reason"),
            items,
            ..Round::default()
        })
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
            let (mut round, mut done) = (Round::default(), false);
            while let Some(event) = events.next().await {
                let event = event?;
                if event.data.trim() == "[DONE]" {
                    done = true;
                    break;
                }
                let piece = wire::parse(event.data.as_bytes(), "an event of the stream", env)?;
                read_piece(&piece, &mut round, heard, since)?;
            }
            if !done && round.finish.is_none() {
                return Err(Trouble::new(Cause::Reset, "the stream ended in the middle of the reply"));
            }
            if let Some(call) = round.asked.iter().find(|call| call.name.is_empty()) {
                return Err(malformed("a call of a tool without a name", &json!(call.arguments)));
            }
            round.text = heard.reply.take();
            round.items = vec![item(round.text.as_deref(), &round.asked)];
            Ok(round)
        })
    }
}

fn read_piece(piece: &Value, round: &mut Round, heard: &mut Heard, since: Instant) -> Result<(), Trouble> {
    if let Some(error) = piece.get("error").filter(|error| !error.is_null()) {
        return Err(failed(error));
    }
    if let Some(model) = text_of(piece, "model") {
        round.model = Some(model);
    }
    round.usage = piece.get("usage").and_then(usage::of_value).or(round.usage);
    // The last event has the usage and no choice.
    let Some(choice) = piece.pointer("/choices/0") else { return Ok(()) };
    round.finish = text_of(choice, "finish_reason").or(round.finish.take());
    let Some(delta) = choice.get("delta") else { return Ok(()) };
    if let Some(text) = content(delta) {
        wire::piece(heard, &text, since);
    }
    for (i, call) in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let index = call.get("index").and_then(Value::as_u64).map_or(Some(i), |index| usize::try_from(index).ok());
        let index = index.filter(|index| *index < MOST_CALLS);
        let index = index.ok_or_else(|| malformed("a call of a tool with an index beyond reason", call))?;
        if round.asked.len() <= index {
            round.asked.resize_with(index + 1, Asked::default);
        }
        add(&mut round.asked[index], call);
    }
    Ok(())
}

/// Adds what a call, or a piece of one, says.
fn add(call: &mut Asked, said: &Value) {
    if let Some(id) = text_of(said, "id") {
        call.id = id;
    }
    let Some(function) = said.get("function") else { return };
    if let Some(name) = text_of(function, "name") {
        call.name.push_str(&name);
    }
    match function.get("arguments") {
        Some(Value::String(text)) => call.arguments.push_str(text),
        None | Some(Value::Null) => {}
        // Some servers do not write it as a text.
        Some(other) => call.arguments = other.to_string(),
    }
}

/// The text of a message: a text, or parts of which some have text; a refusal is what is said then.
fn content(message: &Value) -> Option<String> {
    let said = match message.get("content") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    };
    said.or_else(|| text_of(message, "refusal"))
}

/// What the model said, as it is sent back.
fn item(text: Option<&str>, asked: &[Asked]) -> String {
    let mut message = json!({"role": "assistant", "content": text});
    if !asked.is_empty() {
        let call = |call: &Asked| {
            let function = json!({"name": call.name, "arguments": call.arguments});
            json!({"id": call.id, "type": "function", "function": function})
        };
        message["tool_calls"] = asked.iter().map(call).collect();
    }
    message.to_string()
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
