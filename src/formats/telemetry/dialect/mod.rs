//! What an SDK means by its spans: one file per dialect.
//!
//! A dialect reads one span with the log records that belong to it, and says what happened in the words of
//! [`crate::model`]. It sees nothing of the other spans: turns, sessions, and what is counted once although it was
//! recorded twice, are `assemble/`.

mod adk;
mod beeai;
mod columns;
mod confident;
mod event;
mod facts;
mod flat;
mod genai;
mod kind;
mod langchain;
mod langfuse;
#[cfg(test)]
mod laws;
mod mcp;
mod message;
mod openinference;
mod openllmetry;
pub mod own;
mod part;
mod platform;
mod pydantic_ai;
mod raw;
mod recorded;
mod strands;
mod stripped;
#[cfg(test)]
mod tests;
mod tokens;
mod vercel;

pub use kind::by_attributes;

use super::{LogRecord, Origin, SpanRecord};
use crate::model::{NanoUsd, Payload, SpanKind, Text, Usage};

/// Every dialect, in the order in which they are tried: the most particular first, the general conventions last. Adding
/// one is a file and a line here.
#[rustfmt::skip] // a line each
pub static DIALECTS: &[&dyn Dialect] = &[
    &own::Own,
    &langfuse::Langfuse,
    &confident::Confident,
    &strands::Strands,
    &adk::Adk,
    &pydantic_ai::PydanticAi,
    &mcp::Mcp,
    &vercel::Vercel,
    &beeai::BeeAi,
    &openinference::OpenInference,
    &openllmetry::OpenLlmetry,
    &genai::GenAi,
];

/// The dialect of a span; `None` when none is known.
pub fn dialect(at: &At<'_, '_>) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|d| d.speaks(at))
}

/// What a dialect reads: a span, what made it, and the log records that name it.
#[derive(Debug, Clone, Copy)]
pub struct At<'s, 'a> {
    /// The span.
    pub span: &'s SpanRecord<'a>,
    /// What made it.
    pub origin: &'s Origin<'a>,
    /// Log records with its trace and span id, in order of time, else of arrival.
    pub logs: &'s [LogRecord<'a>],
}

/// A way of writing what an agent does as spans.
pub trait Dialect: Sync {
    /// Its name, such as `openinference`.
    fn name(&self) -> &'static str;
    /// What it reads, in a sentence.
    fn doc(&self) -> &'static str;
    /// Whether the span is written in it.
    fn speaks(&self, at: &At<'_, '_>) -> bool;
    /// The facts of the span. Whatever is not recorded stays `None`.
    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a>;
    /// The messages that went into a model or agent, in order, the replayed history among them; `None` when they were
    /// not recorded. Asked only where they are needed: they are most of a recording.
    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>>;
    /// The messages that came out of a model or agent; `None` when they were not recorded.
    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>>;
    /// Whether an attribute is told by [`Dialect::read`], [`Dialect::asked`] or [`Dialect::said`], so that it need not
    /// be kept as an attribute as well.
    fn tells(&self, attribute: &str) -> bool;
}

/// What a span says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading<'a> {
    /// What kind of operation it is.
    pub kind: SpanKind,
    /// The tool's name for a tool span; for others a better name than the span's, if there is one.
    pub name: Option<Text<'a>>,
    /// The agent that the span is, or that did it where the span says so.
    pub agent: Option<Text<'a>>,
    /// The model that answered, else the one that was asked.
    pub model: Option<Text<'a>>,
    /// The id that pairs a tool call with its result.
    pub call_id: Option<Text<'a>>,
    /// A tool call's arguments, a retrieval's query, what an agent or model was given, as recorded. Values that stand
    /// for what was withheld (`__REDACTED__`, `<not serializable>`) are no input.
    pub input: Option<Payload<'a>>,
    /// A tool's result; a model's or agent's text, [`Payload::null`] when a model is known to have said nothing.
    pub output: Option<Payload<'a>>,
    /// Tokens, with input including cached and output including reasoning ones.
    pub usage: Option<Usage>,
    /// The usage sums up spans below this one (an agent's own total), so that it is counted only where they say none.
    pub is_total: bool,
    /// What it cost, as recorded.
    pub cost: Option<NanoUsd>,
    /// Time to the first token or chunk, nanoseconds.
    pub ttft_ns: Option<u64>,
    /// The operation failed although the span's status does not say so, with what is known of the error.
    pub failed: Option<Text<'a>>,
    /// What [`Dialect::said`] says, where reading came upon it anyway: it need not be parsed twice.
    pub said: Option<Vec<Message<'a>>>,
    /// Something was recorded and then withheld: redacted, truncated or dropped.
    pub withheld: bool,
    /// It is no run of an agent but what an application drew around one or several.
    pub groups_runs: bool,
    /// An agent hands the rest of its run over to another one.
    pub hands_over: bool,
    /// The session, where the dialect has a place of its own for its id.
    pub session: Option<Text<'a>>,
    /// The user, where the dialect has a place of its own for it.
    pub user: Option<Text<'a>>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The instructions.
    System,
    /// The user.
    User,
    /// The model or agent.
    Assistant,
    /// A tool.
    Tool,
    /// Anyone else.
    Other,
}

impl Role {
    /// The role of a name; `model` and `ai` are the assistant, `developer` is the system, `human` is the user.
    pub fn named(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "user" | "human" => Self::User,
            "assistant" | "model" | "ai" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            // Some write `AI` and `Human`.
            _ if name.bytes().any(|b| b.is_ascii_uppercase()) => Self::named(&name.to_ascii_lowercase()),
            _ => Self::Other,
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said, text parts joined by line breaks, without reasoning; `None` when nothing is, or it is withheld.
    pub text: Option<Text<'a>>,
    /// Tools that are called.
    pub calls: Vec<Call<'a>>,
    /// Results of tools. A tool's message has its content here, not in `text`.
    pub results: Vec<Outcome<'a>>,
}

/// A tool call in a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// The call's id.
    pub id: Option<Text<'a>>,
    /// The tool's name.
    pub name: Text<'a>,
    /// The arguments, as recorded.
    pub args: Option<Payload<'a>>,
}

/// A tool's result in a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'a> {
    /// The id of the call that it answers.
    pub id: Option<Text<'a>>,
    /// What the tool said.
    pub content: Option<Payload<'a>>,
    /// Whether the message says that it is an error.
    pub error: bool,
}

/// Whether a text stands for content that was withheld by the recorder.
pub fn is_withheld(text: &str) -> bool {
    matches!(
        text,
        "__REDACTED__" | "<replaced>" | "<not serializable>" | "[REDACTED]" | "<redacted>" | "REDACTED" | "<elided>"
    )
}
