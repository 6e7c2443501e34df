//! Spans whose facts stand in the columns of a platform: what its dialects (`langfuse`, `confident`) share.
//!
//! The SDK beneath wrote attributes of its own, of which the platform kept some. Its dialect reads what is left, and the
//! columns tell the rest.

use super::{At, DIALECTS, Dialect, Message, Reading, Role, columns, facts, langchain, message, pydantic_ai};
use crate::formats::telemetry::Value;
use crate::model::{NanoUsd, Payload, SpanKind, Text, Usage};

/// What the columns of a span say.
#[derive(Debug, Default)]
pub(super) struct Columns<'s, 'a> {
    pub(super) kind: SpanKind,
    pub(super) input: Option<&'s Value<'a>>,
    pub(super) output: Option<&'s Value<'a>>,
    /// What the whole trace was given, and gave back; of its root only.
    pub(super) asked: Option<&'s Value<'a>>,
    pub(super) said: Option<&'s Value<'a>>,
    pub(super) agent: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) usage: Option<Usage>,
    pub(super) cost: Option<NanoUsd>,
    pub(super) ttft_ns: Option<u64>,
    pub(super) failed: Option<Text<'a>>,
    /// A tool's arguments, where the platform tells them apart from what the framework logged.
    pub(super) arguments: Option<Payload<'a>>,
}

/// The platforms' own dialects, in the order in which they stand in the registry.
const PLATFORMS: [&str; 2] = ["langfuse", "confident"];

/// The dialect of what the SDK beneath wrote.
fn beneath(at: &At<'_, '_>) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|d| !PLATFORMS.contains(&d.name()) && d.speaks(at))
}

/// Whether an attribute is told by one of the dialects beneath.
pub(super) fn tells(attribute: &str) -> bool {
    DIALECTS.iter().any(|d| !PLATFORMS.contains(&d.name()) && d.tells(attribute))
}

impl<'a> Columns<'_, 'a> {
    /// The facts of the span.
    pub(super) fn read(&self, at: &At<'_, 'a>) -> Reading<'a> {
        // A dialect beneath knows the platform's type as well, so that its word on the kind is the last.
        let told = beneath(at).map(|d| d.read(at));
        let mut reading = told.unwrap_or_else(|| Reading { kind: self.kind, ..Reading::default() });
        let mut withheld = false;
        let input = self.input.and_then(|v| columns::payload(v, &mut withheld));
        let output = self.output.and_then(|v| columns::payload(v, &mut withheld));
        let result = self.output.and_then(|v| langchain::tool_result(&as_text(v)?));
        if reading.kind == SpanKind::Other && result.is_some() {
            // LangChain's tools are told by what they answer, where the platform has no type for them.
            reading.kind = SpanKind::Tool;
        }
        if reading.kind == SpanKind::Other && self.is_run(at) {
            // What is given to a run and comes out of it is an agent's, by whatever name.
            reading.kind = SpanKind::Agent;
            (reading.input, reading.output) = (None, None);
        }
        reading.input = reading.input.take().or(input);
        match reading.kind {
            SpanKind::Tool => {
                reading.input = self.arguments.clone().or(reading.input.take());
                self.result(result, output, &mut reading);
            }
            SpanKind::Llm | SpanKind::Agent => {
                // The dialect beneath may have left what came out as the object that it is.
                let words = reading.output.take_if(|output| !output.is_json() || output.is_null());
                let said = words.or_else(|| message::output(self.said(at).as_deref()));
                reading.output = said.or(reading.output.take());
            }
            _ => reading.output = reading.output.take().or(output),
        }
        reading.withheld |= withheld && (reading.input.is_none() || reading.output.is_none());
        if reading.kind == SpanKind::Agent {
            reading.agent = reading.agent.take().or_else(|| self.agent.clone());
        }
        reading.model = reading.model.take().or_else(|| self.model.clone());
        if reading.usage.is_none() {
            reading.usage = self.usage;
            reading.is_total = self.usage.is_some() && !matches!(reading.kind, SpanKind::Llm | SpanKind::Retrieval);
        }
        reading.cost = reading.cost.or(self.cost);
        reading.ttft_ns = reading.ttft_ns.or(self.ttft_ns);
        reading.failed = reading.failed.take().or_else(|| self.failed.clone());
        reading
    }

    /// What a tool said.
    fn result(&self, told: Option<super::Outcome<'a>>, output: Option<Payload<'a>>, reading: &mut Reading<'a>) {
        let Some(told) = told else {
            reading.output = reading.output.take().or(output);
            reading.failed = reading.failed.take().or_else(|| reading.output.as_ref().and_then(facts::error_in));
            return;
        };
        reading.call_id = reading.call_id.take().or(told.id);
        if told.error && reading.failed.is_none() {
            reading.failed = Some(told.content.clone().map(Payload::into_text).unwrap_or_default());
        }
        reading.withheld |= told.content.is_none();
        reading.output = told.content;
    }

    /// Whether the span is a whole run: it stands on top, and something went in or came out.
    fn is_run(&self, at: &At<'_, '_>) -> bool {
        at.span.parent.is_none() && [self.input, self.output, self.asked, self.said].iter().any(Option::is_some)
    }

    /// Whether anybody speaks in the span.
    fn speaks(&self, at: &At<'_, '_>) -> bool {
        matches!(self.kind, SpanKind::Llm | SpanKind::Agent) || at.span.parent.is_none()
    }

    /// The messages that went in.
    pub(super) fn asked(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let read = |value: Option<&Value<'a>>| self.of(at, columns::messages(value?, Role::User));
        let beneath = beneath(at).and_then(|d| d.asked(at));
        let spoken = beneath.filter(|messages| messages.iter().any(|m| m.role != Role::System));
        spoken.or_else(|| if self.speaks(at) { read(self.input).or_else(|| read(self.asked)) } else { None })
    }

    /// The messages that came out. What the whole trace gave back may have been set by hand, and then says more than what
    /// came out of its root.
    pub(super) fn said(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let read = |value: Option<&Value<'a>>| self.of(at, columns::messages(value?, Role::Assistant));
        if self.kind != SpanKind::Llm
            && let Some(said) = self.said.filter(|s| !is_structured(s)).and_then(|s| read(Some(s)))
        {
            return Some(said);
        }
        let beneath = beneath(at).and_then(|d| d.said(at));
        beneath.or_else(|| if self.speaks(at) { read(self.output).or_else(|| read(self.said)) } else { None })
    }

    fn of(&self, at: &At<'_, 'a>, messages: Option<Vec<Message<'a>>>) -> Option<Vec<Message<'a>>> {
        match messages {
            Some(messages) if at.origin.scope == pydantic_ai::SCOPE => Some(pydantic_ai::answers(messages)),
            messages => messages,
        }
    }
}

/// A value as text, an object as its JSON.
fn as_text<'a>(value: &Value<'a>) -> Option<Text<'a>> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Map(_) => Some(value.json().into()),
        _ => None,
    }
}

/// Whether a column holds an object or list, also as a text.
fn is_structured(value: &Value<'_>) -> bool {
    match value {
        Value::Map(_) | Value::Array(_) => true,
        Value::Text(text) => text.trim_start_matches(['"', '\\', ' ']).starts_with(['{', '[']),
        _ => false,
    }
}
