//! What holds of any records, made up of pieces that nobody would put together.

use proptest::prelude::*;

use super::testing::{Given, log, records, span, stored, try_built};
use crate::assemble::build::Builder;
use crate::formats::Decoder;
use crate::formats::telemetry::{Origin, Record};
use crate::model::{Session, SpanStatus, digest};

type Records = Vec<(Origin<'static>, Record<'static>)>;

const OPERATIONS: &[&str] = &["", "chat", "invoke_agent", "execute_tool", "embeddings", "search_memory", "odd"];
const SAID: &[&str] = &["", "Hello", "!c1=f{}", "!c1=f =g{} c2=h", "__REDACTED__"];
const SCOPES: &[&str] = &["test", "strands.telemetry.tracer", "gcp.vertex.agent", "pydantic-ai", "ai"];

fn given() -> impl Strategy<Value = Given> {
    let tree = (0..3u8, proptest::option::of(0..12u8), 0..OPERATIONS.len(), 0..SCOPES.len());
    let times = (0..40u64, 0..40u64, 0..4u8);
    let words = (0..SAID.len(), 0..SAID.len(), 0..3usize, 0..3u8);
    (tree, times, words).prop_map(
        |((trace, parent, operation, scope), (start, end, status), (said, asked, call, used))| {
            let parent = parent.map_or(String::new(), |p| format!("<{p}"));
            // The id and a start of its own follow from where it stands.
            let mut it = span(&format!("t{trace}/0{parent}"), OPERATIONS[operation], start, end).of(SCOPES[scope]);
            it = it.with("session.id", "s").with("gen_ai.tool.name", ["f", "g", ""][call]);
            it = it.call(["", "c1", "c2"][call], ["{}", "", "[cut"][call], ["", "{\"a\":1}", "Error: no"][call]);
            if !SAID[said].is_empty() {
                it = it.says(SAID[said]);
            }
            if !SAID[asked].is_empty() {
                it = it.asked(&[("system", "Be."), ("user", SAID[asked]), ("tool", "c1=done")]);
            }
            match status {
                0 => it = it.status(SpanStatus::Error, "boom"),
                1 => it = it.status(SpanStatus::Ok, ""),
                _ => {}
            }
            if used > 0 { it.used(i64::from(used), 1) } else { it }
        },
    )
}

/// Records with ids, and starts that differ; those of spans without a start stay so where `timeless` is allowed.
fn some(timeless: bool) -> impl Strategy<Value = Records> {
    let logs = proptest::collection::vec((0..3u8, 0..14u8, 1..60u64), 0..5);
    (proptest::collection::vec(given(), 1..12), logs).prop_map(move |(mut spans, logs)| {
        for (i, given) in spans.iter_mut().enumerate() {
            given.span.id = i.to_string().into();
            let start = given.span.start_ns.map(|start| start * 100 + i as u64);
            given.span.start_ns = if timeless { start } else { Some(start.unwrap_or(i as u64 + 1)) };
            given.span.end_ns = given.span.end_ns.map(|end| end * 100 + 50);
        }
        let mut all = records(&spans);
        all.extend(logs.iter().enumerate().map(|(i, (trace, span, time))| {
            let span = if *span < 12 { span.to_string() } else { String::new() };
            log(&format!("t{trace}"), &span, "note", time * 100 + 60 + i as u64)
        }));
        all
    })
}

/// The session without what tells the order of arrival.
fn digest_of(session: &Session<'_>) -> String {
    digest::session(session).to_string()
}

proptest! {
    #[test]
    fn any_records_make_a_session_that_has_every_span(all in some(true)) {
        let session = try_built(&all).unwrap();
        let mut ids: Vec<(String, String)> = Vec::new();
        for (_, record) in &all {
            let (trace, id) = match record {
                Record::Span(s) => (s.trace.to_string(), s.id.to_string()),
                Record::Log(l) => (l.trace.as_deref().unwrap().to_owned(), l.span.as_deref().unwrap_or_default().to_owned()),
            };
            // Spans that only logs name are spans, too.
            if !id.is_empty() && !ids.contains(&(trace.clone(), id.clone())) {
                ids.push((trace, id));
            }
        }
        prop_assert_eq!(session.spans().filter(|s| s.id.is_some()).count(), ids.len());
        for turn in &session.turns {
            prop_assert!(turn.spans.is_sorted_by_key(|s| s.start_ns));
        }
        // What a tool did not say is nobody's success.
        for (_, call) in session.tool_calls().filter(|(_, s)| s.id.is_none()) {
            prop_assert!(call.output.is_some() || call.status == SpanStatus::Unset);
        }
    }

    #[test]
    fn the_session_is_the_same_in_whatever_order_its_records_arrive(
        (all, shuffled) in some(false).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let (one, other) = (try_built(&all).unwrap(), try_built(&shuffled).unwrap());
        prop_assert_eq!(digest_of(&one), digest_of(&other));
        prop_assert_eq!(one.notes, other.notes);
    }

    #[test]
    fn records_that_arrive_twice_change_nothing_but_a_note(all in some(false)) {
        let twice: Records = all.iter().chain(&all).cloned().collect();
        let (one, other) = (try_built(&all).unwrap(), try_built(&twice).unwrap());
        prop_assert_eq!(digest_of(&one), digest_of(&other));
    }

    #[test]
    fn bytes_that_are_cut_or_damaged_are_read_without_a_panic(all in some(true), cut in 0..2000usize, flip in 0..2000usize) {
        let mut bytes = stored(&all);
        bytes.truncate(bytes.len().min(cut * 4));
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= 0x55;
        }
        let _ = Builder::default().decode(&bytes, 0, "test");
    }
}
