//! Spans in short for the tests of this room, and what is built of them in short.

use std::fmt::Write;

use crate::assemble::build::Builder;
use crate::formats::Decoder;
use crate::formats::telemetry::codec::{Place, encode, encode_origin};
use crate::formats::telemetry::{LogRecord, Origin, Record, SpanRecord, Value};
use crate::model::{Payload, Problem, Session, Span, SpanKind, SpanStatus};

/// A span that is being described.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) span: SpanRecord<'static>,
    pub(super) scope: String,
}

/// A span by `trace/id` or `trace/id<parent`, its operation (`gen_ai.operation.name`; none when empty), its times.
pub(super) fn span(path: &str, operation: &str, start: u64, end: u64) -> Given {
    let (own, parent) = path.split_once('<').map_or((path, None), |(own, parent)| (own, Some(parent)));
    let (trace, id) = own.split_once('/').unwrap();
    let time = |t: u64| (t > 0).then_some(t);
    let given = Given {
        span: SpanRecord {
            trace: trace.to_owned().into(),
            id: id.to_owned().into(),
            parent: parent.map(|p| p.to_owned().into()),
            name: if operation.is_empty() { "step".into() } else { operation.to_owned().into() },
            start_ns: time(start),
            end_ns: time(end),
            ..SpanRecord::default()
        },
        scope: "test".to_owned(),
    };
    if operation.is_empty() { given } else { given.with("gen_ai.operation.name", operation) }
}

/// The span of an agent.
pub(super) fn agent(path: &str, name: &str, start: u64, end: u64) -> Given {
    span(path, "invoke_agent", start, end).with("gen_ai.agent.name", name)
}

/// The span of a model that is asked `user`, if anything, and says `said`: a text, or calls `id=name{args}` in a list
/// that is separated by blanks and begins with `!`.
pub(super) fn model(path: &str, user: &str, said: &str, start: u64, end: u64) -> Given {
    let chat = span(path, "chat", start, end);
    let chat = if user.is_empty() { chat } else { chat.asked(&[("user", user)]) };
    if said.is_empty() { chat } else { chat.says(said) }
}

/// The span of a tool.
pub(super) fn tool(path: &str, name: &str, start: u64, end: u64) -> Given {
    span(path, "execute_tool", start, end).with("gen_ai.tool.name", name)
}

impl Given {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.span.attributes.push((name.to_owned().into(), Value::Text(value.to_owned().into())));
        self
    }

    pub(super) fn of(mut self, scope: &str) -> Self {
        self.scope = scope.to_owned();
        self
    }

    pub(super) fn named(mut self, name: &'static str) -> Self {
        self.span.name = name.into();
        self
    }

    pub(super) fn status(mut self, status: SpanStatus, message: &'static str) -> Self {
        self.span.status = status;
        self.span.status_message = (!message.is_empty()).then(|| message.into());
        self
    }

    pub(super) fn used(mut self, input: i64, output: i64) -> Self {
        self.span.attributes.push(("gen_ai.usage.input_tokens".into(), Value::Int(input)));
        self.span.attributes.push(("gen_ai.usage.output_tokens".into(), Value::Int(output)));
        self
    }

    /// A tool's id, arguments and result; empty ones are not recorded.
    pub(super) fn call(mut self, id: &str, args: &str, result: &str) -> Self {
        for (name, value) in [("id", id), ("arguments", args), ("result", result)] {
            if !value.is_empty() {
                self = self.with(&format!("gen_ai.tool.call.{name}"), value);
            }
        }
        self
    }

    /// What a model was given: roles and texts, of a tool `id=result`.
    pub(super) fn asked(self, messages: &[(&str, &str)]) -> Self {
        let message = |(role, text): &(&str, &str)| match *role {
            "tool" => {
                let (id, response) = text.split_once('=').unwrap();
                serde_json::json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": id, "response": response}]})
            }
            role => serde_json::json!({"role": role, "parts": [{"type": "text", "content": text}]}),
        };
        let messages: Vec<_> = messages.iter().map(message).collect();
        self.with("gen_ai.input.messages", &serde_json::Value::Array(messages).to_string())
    }

    /// What a model or agent said, as in [`model`].
    pub(super) fn says(self, said: &str) -> Self {
        let parts = match said.strip_prefix('!') {
            None => vec![serde_json::json!({"type": "text", "content": said})],
            Some(calls) => calls.split(' ').map(call).collect(),
        };
        let message = serde_json::json!([{"role": "assistant", "parts": parts}]);
        self.with("gen_ai.output.messages", &message.to_string())
    }
}

fn call(text: &str) -> serde_json::Value {
    let (id, rest) = text.split_once('=').unwrap();
    let (name, args) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
    let mut call = serde_json::json!({"type": "tool_call", "name": name});
    if !id.is_empty() {
        call["id"] = id.into();
    }
    if !args.is_empty() {
        call["arguments"] = serde_json::from_str(args).unwrap();
    }
    call
}

/// The records as they wait for their session, in this order.
pub(super) fn stored(records: &[(Origin<'static>, Record<'static>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, (origin, record)) in records.iter().enumerate() {
        let mut encoded = Vec::new();
        encode_origin(origin, &mut encoded);
        encode(record, &encoded, Place { file: 0, element: i as u64, position: 0 }, &mut bytes);
    }
    bytes
}

pub(super) fn records(spans: &[Given]) -> Vec<(Origin<'static>, Record<'static>)> {
    let origin = |s: &Given| Origin { scope: s.scope.clone().into(), ..Origin::default() };
    spans.iter().map(|s| (origin(s), Record::Span(s.span.clone()))).collect()
}

/// A log record of a span.
pub(super) fn log(trace: &str, span: &str, name: &'static str, time: u64) -> (Origin<'static>, Record<'static>) {
    let id = |text: &str| (!text.is_empty()).then(|| text.to_owned().into());
    let (trace, span, time_ns) = (id(trace), id(span), Some(time));
    let record = LogRecord { trace, span, time_ns, name: name.into(), ..LogRecord::default() };
    (Origin::default(), Record::Log(record))
}

/// Builds a session of records.
pub(super) fn try_built(records: &[(Origin<'static>, Record<'static>)]) -> Result<Session<'static>, Problem> {
    // A test may leak what its session borrows.
    Builder::default().decode(stored(records).leak(), 0, "test")
}

/// Builds a session of spans, in their order of arrival.
pub(super) fn built(spans: &[Given]) -> Session<'static> {
    try_built(&records(spans)).unwrap()
}

/// The session in short: a line for every turn and for every span that means something.
pub(super) fn short(session: &Session<'_>) -> String {
    let mut out = String::new();
    session.spans.iter().for_each(|s| line(s, &mut out));
    for turn in &session.turns {
        let text = |t: &Option<crate::model::Text<'_>>| t.as_ref().map_or("-".to_owned(), |t| format!("{:?}", &**t));
        let _ = writeln!(out, "turn {} -> {}", text(&turn.user), text(&turn.reply));
        turn.spans.iter().for_each(|s| line(s, &mut out));
    }
    out
}

fn line(span: &Span<'_>, out: &mut String) {
    if span.kind == SpanKind::Other {
        return;
    }
    let _ = write!(out, "  {:?} {}", span.kind, span.name);
    if span.id.is_none() {
        out.push_str(" (told)");
    }
    if let Some(id) = &span.call_id {
        let _ = write!(out, " #{id}");
    }
    if let Some(usage) = span.usage {
        let _ = write!(out, " {:?}/{:?}", usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    }
    if span.kind == SpanKind::Tool {
        let payload = |p: &Option<Payload<'_>>| p.as_ref().map_or("-".to_owned(), |p| format!("{p:?}"));
        let _ = write!(out, " {} -> {} {:?}", payload(&span.input), payload(&span.output), span.status);
    }
    if let Some(message) = &span.status_message {
        let _ = write!(out, " ({message})");
    }
    out.push('\n');
}
