//! What a stretch of operations shows of the agent's memory: which operations read it, which write it, and whether the
//! recording could have shown any at all.

use super::select::Glob;
use crate::model::{Span, SpanKind};

/// What an operation does to the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It looks something up.
    Read,
    /// It adds, changes or removes something; making or removing a whole store among it.
    Write,
}

/// The attribute that names an operation.
const OPERATION: &str = "gen_ai.operation.name";
/// The attribute that names the store.
const STORE: &str = "gen_ai.memory.store.id";

/// Words of operations that read: `search_memory` of the OpenTelemetry conventions, and what others call it.
const READS: &[&str] =
    &["search", "get", "read", "retrieve", "load", "recall", "query", "list", "fetch", "find", "lookup"];
/// Words of operations that write: `create_memory`, `update_memory`, `upsert_memory`, `delete_memory` and the
/// `*_memory_store` of the conventions, and what others call them.
const WRITES: &[&str] =
    &["create", "update", "upsert", "delete", "add", "write", "save", "put", "insert", "append", "remove", "clear"];

/// Longest name that is looked at for words, in bytes.
const LONGEST: usize = 256;

/// Why a recording without any memory operation does not say that there was none.
pub const UNSEEN: &str = "no memory operation is recorded, and the recording could not show one: it holds messages and \
                          the calls in them, not the operations of a trace (no span has an id, or a kind other than \
                          `llm`, `tool` and `other`)";

/// What a memory operation does, by `gen_ai.operation.name` or else its name; `None` when neither tells.
pub fn access(span: &Span<'_>) -> Option<Access> {
    let operation = span.attributes.get(OPERATION).and_then(|value| by_words(value.as_str()));
    operation.or_else(|| by_words(&span.name))
}

/// What the whole words of a name say; `None` where they say nothing or both.
fn by_words(name: &str) -> Option<Access> {
    if name.len() > LONGEST {
        return None;
    }
    let mut first = None;
    let (mut reads, mut writes) = (false, false);
    for word in words(name) {
        reads |= READS.contains(&word.as_str());
        writes |= WRITES.contains(&word.as_str());
        first.get_or_insert(word);
    }
    match (reads, writes) {
        (true, false) => Some(Access::Read),
        (false, true) => Some(Access::Write),
        // `store` is what is written into as often as it is the writing; only at the beginning it is surely a verb.
        (false, false) => (first.as_deref() == Some("store")).then_some(Access::Write),
        (true, true) => None,
    }
}

/// The words of a name in lower case: `search_memory`, `Memory.search` and `searchMemory` have two each.
fn words(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if (!c.is_alphanumeric() || (c.is_uppercase() && after_lower)) && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Whether an operation was recorded as such, in a trace, and not gathered from the messages of a transcript: it has an
/// id of its own, or is of a kind that no message tells of.
fn traced(span: &Span<'_>) -> bool {
    span.id.is_some()
        || matches!(span.kind, SpanKind::Agent | SpanKind::Retrieval | SpanKind::Memory | SpanKind::Guardrail)
}

/// A memory operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'s> {
    /// Its ordinal.
    pub ordinal: usize,
    /// Its span.
    pub span: &'s Span<'s>,
    /// What it does; `None` when the recording does not tell.
    pub access: Option<Access>,
}

impl Operation<'_> {
    /// Whether it is on a store; `None` when the recording does not tell which store it is on.
    pub fn is_on(&self, store: &Glob) -> Option<bool> {
        self.span.attributes.get(STORE).map(|id| store.is_match(id.as_str()))
    }
}

/// The memory operations among spans; failed ones count, as they were tried.
///
/// # Errors
/// [`UNSEEN`]: there is none, and the recording could not have shown any.
pub fn operations<'s>(spans: impl Iterator<Item = (usize, &'s Span<'s>)>) -> Result<Vec<Operation<'s>>, &'static str> {
    let (mut found, mut trace) = (Vec::new(), false);
    for (ordinal, span) in spans {
        trace |= traced(span);
        if span.kind == SpanKind::Memory {
            found.push(Operation { ordinal, span, access: access(span) });
        }
    }
    if trace { Ok(found) } else { Err(UNSEEN) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    fn named(name: &'static str) -> Option<Access> {
        access(&Span { kind: SpanKind::Memory, name: name.into(), ..Span::default() })
    }

    #[test]
    fn the_operations_of_the_conventions_are_known() {
        assert_eq!(named("search_memory"), Some(Access::Read));
        let writes = ["create_memory", "update_memory", "upsert_memory", "delete_memory"];
        for write in writes.iter().chain(&["create_memory_store", "delete_memory_store"]) {
            assert_eq!(named(write), Some(Access::Write), "{write}");
        }
    }

    #[test]
    fn a_whole_word_tells_and_part_of_one_does_not() {
        for read in ["Memory.get_all", "recallFacts", "memory list", "LOAD", "search_memory_store"] {
            assert_eq!(named(read), Some(Access::Read), "{read}");
        }
        for write in ["mem0.add", "saveMemory", "store_memory", "memory/clear", "put"] {
            assert_eq!(named(write), Some(Access::Write), "{write}");
        }
        for unknown in ["", "memory", "forgetting", "memory_store", "address", "get_or_create_memory", "widget"] {
            assert_eq!(named(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_operations_name_goes_before_the_spans() {
        let mut span = Span { kind: SpanKind::Memory, name: "get user".into(), ..Span::default() };
        span.attributes.push(OPERATION, Payload::text("update_memory"));
        assert_eq!(access(&span), Some(Access::Write));
        span.attributes.push(OPERATION, Payload::text("memory"));
        assert_eq!(access(&span), Some(Access::Read), "an operation that says nothing leaves it to the name");
    }

    #[test]
    fn a_name_of_any_length_is_looked_at_in_bounded_time() {
        let span = Span { name: "get ".repeat(1_000_000).into(), ..Span::default() };
        assert_eq!(access(&span), None);
    }

    #[test]
    fn a_transcript_does_not_show_that_memory_was_left_alone_and_a_trace_does() {
        let count = |json: &str| {
            let session: crate::model::Session<'_> = serde_json::from_str(json).unwrap();
            operations(session.spans().enumerate()).map(|found| found.len())
        };
        let transcript =
            r#"{"id":"s","turns":[{"spans":[{"kind":"llm","name":"chat"},{"kind":"tool","name":"f","call_id":"1"}]}]}"#;
        assert_eq!(count(transcript), Err(UNSEEN));
        assert_eq!(count(r#"{"id":"s"}"#), Err(UNSEEN));
        assert_eq!(count(r#"{"id":"s","spans":[{"id":"1","kind":"llm","name":"chat"}]}"#), Ok(0));
        assert_eq!(count(r#"{"id":"s","spans":[{"kind":"retrieval","name":"docs"}]}"#), Ok(0));
        assert_eq!(count(r#"{"id":"s","spans":[{"kind":"memory","name":"x"}]}"#), Ok(1));
    }
}
