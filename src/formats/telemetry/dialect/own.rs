//! `seatrial`: what `seatrial import --as otlp` writes. It is OpenTelemetry's conventions, with the few things that they
//! have no name for; attributes that another dialect left behind mean nothing more.

use super::facts::{self, Facts};
use super::{At, Dialect, Message, Reading, by_attributes, genai};
use crate::formats::telemetry::{Value, find};
use crate::model::{NanoUsd, SpanKind};

/// The scope of spans that seatrial wrote.
pub const SCOPE: &str = "seatrial";
/// The attribute that says what kind of operation a span is, in the words of [`SpanKind`].
pub const KIND: &str = "seatrial.span.kind";
/// The attribute of a turn's root that says that the turn closes the conversation.
pub const CLOSING: &str = "seatrial.turn.closing";
/// The attribute with a recorded cost in US dollars: the conventions have none, this is OpenInference's.
pub const COST: &str = "llm.cost.total";
/// What goes into and comes out of an operation where it is none of the conventions' messages, by OpenInference's names.
pub const INPUT: &str = "input.value";
/// See [`INPUT`].
pub const OUTPUT: &str = "output.value";

/// Sessions that seatrial wrote as OTLP.
#[derive(Debug)]
pub(super) struct Own;

impl Dialect for Own {
    fn name(&self) -> &'static str {
        "seatrial"
    }

    fn doc(&self) -> &'static str {
        "what `seatrial import --as otlp` writes: OpenTelemetry's conventions, and OpenInference's name for the cost"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        at.origin.scope == SCOPE
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let attribute = |name| find(&at.span.attributes, name);
        let kind = attribute(KIND).and_then(Value::as_str).and_then(SpanKind::named);
        let kind = kind.unwrap_or_else(|| by_attributes(&at.span.attributes));
        let mut reading = genai::read(at, &Facts::of(at), kind);
        // How it ended was judged when it was written.
        reading.failed = None;
        reading.cost = attribute(COST).and_then(Value::number).and_then(NanoUsd::from_usd);
        if let SpanKind::Llm = kind {
            reading.input = attribute("gen_ai.input.messages").map(Value::payload);
        }
        reading.input = attribute(INPUT).map(Value::payload).or(reading.input);
        reading.output = attribute(OUTPUT).map(Value::payload).or(reading.output);
        if kind == SpanKind::Agent {
            reading.name = at.span.name.strip_prefix("invoke_agent ").map(|name| name.to_owned().into());
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        genai::asked(at, &Facts::of(at))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        genai::said(at, &Facts::of(at))
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute) || [KIND, CLOSING, COST, INPUT, OUTPUT].contains(&attribute)
    }
}
