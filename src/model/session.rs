//! What an agent did: a session of turns of spans, with what was expected of it, as far as the recording says.
//!
//! Every field that a recording may lack is an `Option`: absent is never turned into zero or empty. The serde form of
//! these types *is* seatrial's own trace format (`formats/seatrial.rs`): one session a line, lossless.

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::text::text_or_number;
use super::{Attributes, Payload, RedactedFields, Text};

/// One conversation or task, from start to end.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session<'a> {
    /// Version of seatrial's own format; on the wire only, no part of the digest.
    #[serde(rename = "seatrial", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// The session's id; unique within a run unless sessions are trials of one case.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The case that the recording says it belongs to.
    #[serde(borrow, default, deserialize_with = "text_or_number", skip_serializing_if = "Option::is_none")]
    pub case: Option<Text<'a>>,
    /// Which trial of the case the recording says it is.
    #[serde(borrow, default, deserialize_with = "text_or_number", skip_serializing_if = "Option::is_none")]
    pub trial: Option<Text<'a>>,
    /// Name of the agent under test (`gen_ai.agent.name`).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Text<'a>>,
    /// Version of the agent under test (`gen_ai.agent.version`).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text<'a>>,
    /// The user or user group (`user.id`).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text<'a>>,
    /// Free labels.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Text<'a>>,
    /// The system instructions the agent worked under (`gen_ai.system_instructions`).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Text<'a>>,
    /// Start, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// End, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
    /// Spans outside of any turn: what the agent did before the first user message.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span<'a>>,
    /// The turns, in order.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn<'a>>,
    /// What the recording expects of the session.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference<'a>>,
    /// The world before the session (JSON), where recorded.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub initial_state: Option<Payload<'a>>,
    /// The world after the session (JSON), where recorded.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Payload<'a>>,
    /// The reward that the recording's own harness gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// The user's rating of the session (CSAT), in the recording's own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// Whether the session was handed over to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<bool>,
    /// Things that happened at the session's level (feedback, hand-over, end).
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event<'a>>,
    /// Why the session says nothing about the agent: it broke for a reason that is not the agent's.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure<'a>>,
    /// Whether the recording stops before the session's end (a trace that never ended, a cut file).
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// What the decoder could not read, or had to mend, in words for people. Not part of what was recorded.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Text<'a>>,
    /// Everything else the recording says of the session.
    #[serde(borrow, default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
    /// The fields that something was taken out of when the session was written.
    #[serde(borrow, default, skip_serializing_if = "RedactedFields::is_empty")]
    pub redacted: RedactedFields<'a>,
}

fn is_false(b: &bool) -> bool {
    !*b
}

impl<'a> Session<'a> {
    /// All spans in order: those outside of turns first, then turn by turn. The position in this order is the
    /// *span ordinal* that [`super::Evidence`] points with.
    pub fn spans(&self) -> impl Iterator<Item = &Span<'a>> {
        self.spans.iter().chain(self.turns.iter().flat_map(|t| &t.spans))
    }

    /// The ordinal of the first span of turn `index`.
    pub fn first_span_of_turn(&self, index: usize) -> usize {
        self.spans.len() + self.turns.iter().take(index).map(|t| t.spans.len()).sum::<usize>()
    }

    /// The agent's tool calls with their span ordinals, in start order (recorded order where there are no times).
    pub fn tool_calls(&self) -> impl Iterator<Item = (usize, &Span<'a>)> {
        tool_calls(self.spans().enumerate())
    }

    /// The turns that the agent had to answer, with their indices: all but a closing one.
    pub fn answerable_turns(&self) -> impl Iterator<Item = (usize, &Turn<'a>)> {
        self.turns.iter().enumerate().filter(|(_, t)| !t.closing)
    }

    /// The reply of the last turn that has one: the session's final answer.
    pub fn final_reply(&self) -> Option<&Text<'a>> {
        self.turns.iter().rev().find_map(|t| t.reply.as_ref())
    }
}

/// The tool calls among spans, in start order. A recording may list spans as they ended; where one of the calls has no
/// start, the recorded order is all there is.
pub fn tool_calls<'s, 'a: 's>(
    spans: impl Iterator<Item = (usize, &'s Span<'a>)>,
) -> impl Iterator<Item = (usize, &'s Span<'a>)> {
    // Asked for again and again, of nearly always a few: they need no memory of their own.
    let mut calls: SmallVec<[(usize, &'s Span<'a>); 16]> = spans.filter(|(_, s)| s.kind == SpanKind::Tool).collect();
    if calls.iter().all(|(_, s)| s.start_ns.is_some()) {
        calls.sort_by_key(|(_, s)| s.start_ns);
    }
    calls.into_iter()
}

/// One user request up to the agent's reply.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn<'a> {
    /// What the user said; `None` when the agent works without a user or the content was not recorded.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text<'a>>,
    /// What happened, in start order.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span<'a>>,
    /// The agent's last text to the user in this turn; `None` when it gave none or the content was not recorded.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Text<'a>>,
    /// Start, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// End, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
    /// Time to the first token or chunk of the reply, nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ns: Option<u64>,
    /// The user ended the conversation with this message: no reply was due, so it is no subject of turn checks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closing: bool,
    /// The trace that recorded the turn.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Text<'a>>,
    /// What the recording expects of this turn.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference<'a>>,
    /// Everything else the recording says of the turn.
    #[serde(borrow, default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
}

/// What kind of operation a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// An agent, or an agent called by another.
    Agent,
    /// One call of a model.
    Llm,
    /// One call of a tool by the agent, also of a tool that does not exist.
    Tool,
    /// A search in documents.
    Retrieval,
    /// A read or write of the agent's memory.
    Memory,
    /// A guardrail.
    Guardrail,
    /// Anything else, a user's own tool call among it.
    #[default]
    Other,
}

impl SpanKind {
    /// The name in recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Llm => "llm",
            Self::Tool => "tool",
            Self::Retrieval => "retrieval",
            Self::Memory => "memory",
            Self::Guardrail => "guardrail",
            Self::Other => "other",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Agent, Self::Llm, Self::Tool, Self::Retrieval, Self::Memory, Self::Guardrail, Self::Other];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// How an operation ended. `Unset` is not success: the recording does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpanStatus {
    /// Ended well, as far as the recording's format can say (a tool result that is not an error).
    Ok,
    /// Ended in an error.
    Error,
    /// Not said.
    #[default]
    Unset,
}

/// One timed operation inside a turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span<'a> {
    /// The span's own id, where it was recorded as an operation. A span gathered from a message has none: by that,
    /// checks tell a trace, which shows every operation, from a transcript, which does not.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// The id of the span that caused it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Text<'a>>,
    /// What kind of operation it is.
    pub kind: SpanKind,
    /// The tool's name for a tool span (`gen_ai.tool.name`), else the operation's.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The agent that did it, where there are several.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Text<'a>>,
    /// The model, for a model span (`gen_ai.response.model`, else `gen_ai.request.model`).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<'a>>,
    /// The id that pairs a call with its result (`gen_ai.tool.call.id`). Not unique: some agents repeat it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<Text<'a>>,
    /// Start, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// End, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub status: SpanStatus,
    /// The error's text, where there is one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<Text<'a>>,
    /// What went in: a tool call's arguments, a retrieval's query. JSON `null` is a value, not an absence.
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload<'a>>,
    /// What came out: a tool's result, a model's text. JSON `null` says that nothing did (a model that only called
    /// tools); `None` says that the recording does not say.
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload<'a>>,
    /// Tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, as recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<NanoUsd>,
    /// Time to the first token or chunk, nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ns: Option<u64>,
    /// Things that happened during the span.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event<'a>>,
    /// Everything else the recording says of the span.
    #[serde(borrow, default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
}

/// A key that is there, whatever its value: serde alone takes `null` for an absent one.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<Payload<'a>>, D::Error> {
    Payload::deserialize(d).map(Some)
}

fn is_unset(s: &SpanStatus) -> bool {
    *s == SpanStatus::Unset
}

impl Span<'_> {
    /// Duration in nanoseconds; `None` unless both times are recorded and in order.
    pub fn duration_ns(&self) -> Option<u64> {
        self.end_ns?.checked_sub(self.start_ns?)
    }
}

/// Tokens used by one operation. Input includes cached tokens and output includes reasoning tokens, as in the
/// OpenTelemetry conventions; importers convert formats that count otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// `gen_ai.usage.input_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// `gen_ai.usage.output_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Part of `input` read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Part of `input` written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Part of `output` spent on reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

/// Money in billionths of a US dollar, so that sums are exact. Written as a number of dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Rounds an amount of dollars to the nearest billionth; `None` when it is not a finite amount in range.
    pub fn from_usd(usd: f64) -> Option<Self> {
        let nanos = (usd * 1e9).round();
        (nanos.is_finite() && nanos.abs() < 9e18).then_some(Self(nanos as i64))
    }

    /// The amount in dollars.
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.usd())
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let usd = f64::deserialize(d)?;
        Self::from_usd(usd).ok_or_else(|| de::Error::custom("not an amount of money"))
    }
}

/// Something that happened at a point in time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event<'a> {
    /// The event's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// When, nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// What it says.
    #[serde(borrow, default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
}

/// Why a session says nothing about the agent (the harness, the network or the simulated user broke). Every check of
/// such a session is an `error`, never a fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure<'a> {
    /// A short code, such as `infrastructure_error`.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// The recording's own words.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<'a>>,
}

/// What a recording expects of a session or turn. Absent is not empty: `tools: []` is an expectation, no `tools` is
/// none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference<'a> {
    /// The tool calls expected, in order.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<RefCall<'a>>>,
    /// The answer expected.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Text<'a>>,
    /// Facts that the answers must state.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Vec<Text<'a>>>,
    /// Paths into the final state and the values expected there (a JSON object).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Payload<'a>>,
}

/// One expected tool call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefCall<'a> {
    /// The tool's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Its arguments; `None` says nothing about them.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Payload<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_keeps_json_as_json_and_text_as_text() {
        let line =
            r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f","input":{"a": 1},"output":"{\"b\":2}"}]}]}"#;
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        let span = session.spans().next().unwrap();
        assert_eq!(span.input.as_ref().unwrap().as_str(), r#"{"a": 1}"#);
        assert_eq!(span.output.as_ref().unwrap().json().unwrap()["b"], 2);
        assert_eq!(serde_json::to_string(&session).unwrap(), line);
    }

    #[test]
    fn a_null_output_is_not_an_absent_one() {
        let line = r#"{"id":"s","spans":[{"kind":"llm","name":"chat","output":null},{"kind":"llm","name":"chat"}]}"#;
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        assert!(session.spans[0].output.as_ref().unwrap().is_null());
        assert!(session.spans[1].output.is_none());
        assert_eq!(serde_json::to_string(&session).unwrap(), line);
    }

    #[test]
    fn money_survives_a_round_trip_through_dollars() {
        for nanos in [0, 1, 3_476_000, 999_999_999_999] {
            let text = serde_json::to_string(&NanoUsd(nanos)).unwrap();
            assert_eq!(serde_json::from_str::<NanoUsd>(&text).unwrap(), NanoUsd(nanos));
        }
    }
}
