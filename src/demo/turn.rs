//! One turn of the agent: the model that is none, the tools, and a span for each, as OpenTelemetry's conventions for
//! generative AI name them.

use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::faults::{Fault, Faults};
use super::mind::{Next, Step, next};
use super::shop::Shop;
use super::telemetry::{NAME, Telemetry};

/// The model that is none.
pub const MODEL: &str = "demo-rules-1";

/// What a turn needs.
pub struct Asked<'a> {
    pub session: &'a str,
    pub words: &'a str,
    pub faults: Faults,
    pub version: &'a str,
    /// How long each word and each call takes.
    pub pace: Duration,
    /// How long a first word takes that is long in coming.
    pub slow: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Done {
    pub reply: String,
    pub steps: Vec<Step>,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

/// Works on a turn. The reply goes to `words` piece by piece.
pub async fn work(
    asked: &Asked<'_>,
    shop: &mut Shop,
    telemetry: &Telemetry,
    within: &Context,
    words: Option<&UnboundedSender<String>>,
) -> Done {
    let began = Instant::now();
    let session = asked.session.to_owned();
    let agent = telemetry.span(
        within,
        format!("invoke_agent {NAME}"),
        SpanKind::Internal,
        vec![
            KeyValue::new("gen_ai.operation.name", "invoke_agent"),
            KeyValue::new("gen_ai.provider.name", "demo"),
            KeyValue::new("gen_ai.agent.name", NAME),
            KeyValue::new("gen_ai.agent.version", asked.version.to_owned()),
            KeyValue::new("gen_ai.conversation.id", session.clone()),
            KeyValue::new("session.id", session.clone()),
        ],
    );
    shop.last = super::mind::order(asked.words).or(shop.last.take());
    let mut done = Done { reply: String::new(), steps: Vec::new(), input_tokens: 0, output_tokens: 0 };
    loop {
        let asked_for = messages(asked.words, &done.steps);
        let model = telemetry.span(
            &agent,
            format!("chat {MODEL}"),
            SpanKind::Client,
            vec![
                KeyValue::new("gen_ai.operation.name", "chat"),
                KeyValue::new("gen_ai.provider.name", "demo"),
                KeyValue::new("gen_ai.request.model", MODEL),
                KeyValue::new("gen_ai.response.model", MODEL),
                KeyValue::new("gen_ai.conversation.id", session.clone()),
                KeyValue::new("session.id", session.clone()),
                KeyValue::new("gen_ai.input.messages", asked_for.to_string()),
            ],
        );
        let thinking = Instant::now();
        tokio::time::sleep(asked.pace).await;
        let step = next(asked.words, shop.last.as_deref(), &done.steps, &asked.faults);
        let input = count(&asked_for.to_string());
        let (said, output) = match &step {
            Next::Call(tool, arguments) => {
                let id = format!("call_{}", done.steps.len() + 1);
                let part = json!({ "type": "tool_call", "id": id, "name": tool, "arguments": arguments });
                (part, count(&arguments.to_string()))
            }
            Next::Say(reply) => (json!({ "type": "text", "content": reply }), count(reply)),
        };
        let reason = if matches!(step, Next::Say(_)) { "stop" } else { "tool_call" };
        let answer = json!([{ "role": "assistant", "parts": [said], "finish_reason": reason }]);
        if let Next::Say(reply) = &step {
            if asked.faults.has(Fault::SlowFirstToken) {
                tokio::time::sleep(asked.slow).await;
            }
            let first =
                |since: Instant| KeyValue::new("gen_ai.response.time_to_first_chunk", since.elapsed().as_secs_f64());
            model.span().set_attribute(first(thinking));
            agent.span().set_attribute(first(began));
            speak(reply, words, asked.pace).await;
        }
        model.span().set_attributes([
            KeyValue::new("gen_ai.output.messages", answer.to_string()),
            KeyValue::new("gen_ai.usage.input_tokens", input),
            KeyValue::new("gen_ai.usage.output_tokens", output),
        ]);
        model.span().end();
        done.input_tokens += input;
        done.output_tokens += output;
        match step {
            Next::Call(tool, arguments) => {
                let id = format!("call_{}", done.steps.len() + 1);
                done.steps.push(use_tool(asked, shop, telemetry, &agent, id, tool, arguments).await);
            }
            Next::Say(reply) => {
                done.reply = reply;
                agent.span().end();
                return done;
            }
        }
    }
}

async fn use_tool(
    asked: &Asked<'_>,
    shop: &mut Shop,
    telemetry: &Telemetry,
    agent: &Context,
    id: String,
    tool: &'static str,
    arguments: Value,
) -> Step {
    let context = telemetry.span(
        agent,
        format!("execute_tool {tool}"),
        SpanKind::Internal,
        vec![
            KeyValue::new("gen_ai.operation.name", "execute_tool"),
            KeyValue::new("gen_ai.tool.name", tool),
            KeyValue::new("gen_ai.tool.type", "function"),
            KeyValue::new("gen_ai.tool.call.id", id.clone()),
            KeyValue::new("gen_ai.tool.call.arguments", arguments.to_string()),
            KeyValue::new("session.id", asked.session.to_owned()),
        ],
    );
    tokio::time::sleep(asked.pace).await;
    let result = if asked.faults.has(Fault::ToolError) {
        Err("the order service does not answer".to_owned())
    } else {
        shop.call(tool, &arguments)
    };
    match &result {
        Ok(value) => {
            context.span().set_attribute(KeyValue::new("gen_ai.tool.call.result", value.to_string()));
            context.span().set_status(Status::Ok);
        }
        Err(why) => {
            context.span().set_attribute(KeyValue::new("error.type", "tool_error"));
            context.span().set_status(Status::error(why.clone()));
        }
    }
    context.span().end();
    Step { id, tool, arguments, result }
}

/// What the model is given: the user's words, and what came of the calls.
fn messages(words: &str, steps: &[Step]) -> Value {
    let mut all = vec![json!({ "role": "user", "parts": [{ "type": "text", "content": words }] })];
    for step in steps {
        let call = json!({ "type": "tool_call", "id": step.id, "name": step.tool, "arguments": step.arguments });
        let result = match &step.result {
            Ok(value) => value.clone(),
            Err(why) => json!({ "error": why }),
        };
        all.push(json!({ "role": "assistant", "parts": [call] }));
        all.push(
            json!({ "role": "tool", "parts": [{ "type": "tool_call_response", "id": step.id, "response": result }] }),
        );
    }
    all.into()
}

async fn speak(reply: &str, words: Option<&UnboundedSender<String>>, pace: Duration) {
    let Some(words) = words else { return };
    for (i, piece) in reply.split_inclusive(' ').enumerate() {
        if i > 0 {
            tokio::time::sleep(pace / 10).await;
        }
        // Whoever asked may have left.
        let _ = words.send(piece.to_owned());
    }
}

/// Tokens, about: words.
fn count(text: &str) -> i64 {
    i64::try_from(text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).count()).unwrap_or(i64::MAX)
}
