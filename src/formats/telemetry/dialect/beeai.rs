//! `beeai`: OpenInference's first instrumentation of BeeAI, which made a span of every event of the framework's emitter
//! (`tool.search.wikipedia.start`, `.success`, `.finish`), so that one call is told by many of them.
//!
//! Of a call the last event counts that tells of all of it. Of a model only the start tells what went in; what came out
//! was streamed, and is not recorded.

use super::openinference::OpenInference;
use super::{At, Dialect, Message, Reading, recorded};
use crate::formats::telemetry::{Value, find};
use crate::model::SpanKind;

/// Events of BeeAI.
#[derive(Debug)]
pub(super) struct BeeAi;

const SCOPE: &str = "openinference.instrumentation.beeai";

impl Dialect for BeeAi {
    fn name(&self) -> &'static str {
        "beeai"
    }

    fn doc(&self) -> &'static str {
        "OpenInference's spans for the events of BeeAI's emitter, of which several tell one call"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        at.origin.scope == SCOPE
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let mut reading = OpenInference.read(at);
        let attribute = |name| find(&at.span.attributes, name);
        match event(at) {
            Event::None => {}
            Event::Call => {
                let value =
                    |name, withheld: &mut bool| attribute(name).and_then(|v| recorded::maybe_json(v).known(withheld));
                let (input, output) =
                    (value("tool.parameters", &mut reading.withheld), value("output.value", &mut reading.withheld));
                let name = attribute("tool.name").and_then(Value::text);
                reading = Reading {
                    kind: SpanKind::Tool,
                    name,
                    input,
                    output,
                    withheld: reading.withheld,
                    ..Reading::default()
                };
            }
            Event::Asked => reading.output = None,
            Event::Other => reading = Reading { input: reading.input, output: reading.output, ..Reading::default() },
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        matches!(event(at), Event::None | Event::Asked).then(|| OpenInference.asked(at)).flatten()
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        matches!(event(at), Event::None).then(|| OpenInference.said(at)).flatten()
    }

    fn tells(&self, attribute: &str) -> bool {
        OpenInference.tells(attribute)
    }
}

/// What an event tells.
enum Event {
    /// The span is no event.
    None,
    /// A call of a tool, with what it was given and said.
    Call,
    /// What a model was asked.
    Asked,
    /// Part of something that another event tells.
    Other,
}

fn event(at: &At<'_, '_>) -> Event {
    let text = |name| find(&at.span.attributes, name).and_then(Value::as_str);
    // An event's attributes may be so many that its own name is dropped; the span's has it, with a number.
    let is_numbered = || {
        let number = at.span.name.rsplit_once('-').map(|(_, number)| number);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) && at.span.name.contains('.')
    };
    let Some(target) = text("target").or_else(|| is_numbered().then_some("")) else { return Event::None };
    let given = || text("tool.parameters").is_some_and(|p| p != "null") && text("tool.name").is_some();
    if target == "agent.react.update" && given() && text("output.value").is_some() {
        return Event::Call;
    }
    if target.starts_with("backend.") && target.ends_with(".start") { Event::Asked } else { Event::Other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{read_all, span_of, text};

    #[test]
    fn one_of_the_events_of_a_call_is_the_call() {
        let call = [
            ("target", text("agent.react.update")),
            ("openinference.span.kind", text("AGENT")),
            ("tool.name", text("Wikipedia")),
            ("tool.parameters", text(r#"{"query": "Barcelona"}"#)),
        ];
        assert_eq!(read_all(&BeeAi, &span_of("agent.react.update-13", &call), &[]), "Other", "it is being decided");
        let done = [&call[..], &[("output.value", text("A city."))]].concat();
        insta::assert_snapshot!(read_all(&BeeAi, &span_of("agent.react.update-14", &done), &[]), @r#"
        Tool name=Wikipedia
        input: {"query": "Barcelona"}
        output: "A city."
        "#);
        let event = [("target", text("tool.search.start")), ("openinference.span.kind", text("TOOL"))];
        assert_eq!(read_all(&BeeAi, &span_of("tool.search.start-12", &event), &[]), "Other");
    }

    #[test]
    fn a_model_has_no_answer_and_its_later_events_are_none() {
        let start = [
            ("target", text("backend.openai.chat.start")),
            ("openinference.span.kind", text("LLM")),
            ("llm.model_name", text("gpt-4o-mini")),
            ("llm.input_messages.0.message.role", text("user")),
            ("llm.input_messages.0.message.content", text("Hi")),
        ];
        insta::assert_snapshot!(read_all(&BeeAi, &span_of("backend.openai.chat.start-14", &start), &[]), @r#"
        Llm model=gpt-4o-mini
        asked: User "Hi"
        "#);
        let rest = [
            ("openinference.span.kind", text("LLM")),
            ("llm.output_messages.233.message.role", text("assistant")),
            ("llm.output_messages.233.message.content", text(".")),
        ];
        assert!(read_all(&BeeAi, &span_of("backend.openai.chat.success-16", &rest), &[]).starts_with("Other"));
    }
}
