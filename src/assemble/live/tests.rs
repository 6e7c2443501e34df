//! What arrives while agents work waits where it belongs, whatever the order it comes in.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::assemble::build::Builder;
use crate::formats::Decoder;
use crate::formats::otlp::Request;
use crate::formats::telemetry::codec::stored;

/// A span in short: trace, id, parent, session, linked trace.
#[derive(Debug, Clone, Copy, Default)]
struct Short {
    trace: u8,
    id: u8,
    parent: u8,
    session: u8,
    link: u8,
}

fn trace_id(n: u8) -> String {
    format!("{n:032x}")
}

fn span_id(n: u8) -> String {
    format!("{n:016x}")
}

fn request(spans: &[Short]) -> String {
    let span = |s: &Short| {
        let parent = if s.parent > 0 { span_id(s.parent) } else { String::new() };
        let session = if s.session > 0 {
            format!(r#"{{"key":"session.id","value":{{"stringValue":"s{}"}}}}"#, s.session)
        } else {
            String::new()
        };
        let link = if s.link > 0 {
            format!(r#"{{"traceId":"{}","spanId":"{}"}}"#, trace_id(s.link), span_id(1))
        } else {
            String::new()
        };
        format!(
            r#"{{"traceId":"{}","spanId":"{}","parentSpanId":"{parent}","name":"x","startTimeUnixNano":"5","endTimeUnixNano":"9","attributes":[{session}],"links":[{link}]}}"#,
            trace_id(s.trace),
            span_id(s.id)
        )
    };
    let spans: Vec<String> = spans.iter().map(span).collect();
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

fn live(budget: usize) -> Live {
    Live::new(std::env::temp_dir(), budget)
}

fn give(live: &mut Live, number: u64, spans: &[Short], now: Instant) -> Vec<Key> {
    let (mut draft, mut touched) = (Draft::default(), Vec::new());
    let text = request(spans);
    assert_eq!(draft.read(&Request, text.as_bytes(), number, None).1, 0);
    live.take(&mut draft, now, number, &mut |home| touched.push(home)).unwrap();
    touched
}

fn ids(taken: Taken) -> BTreeSet<(String, String)> {
    let bytes = taken.bring_back().unwrap();
    stored(&bytes).map(|(r, _)| (r.trace.to_owned(), r.span.to_owned())).collect()
}

fn short(trace: u8, id: u8, parent: u8, session: u8) -> Short {
    Short { trace, id, parent, session, link: 0 }
}

#[test]
fn a_trace_moves_to_the_session_that_one_of_its_spans_names() {
    let (mut live, now) = (live(1 << 20), Instant::now());
    give(&mut live, 1, &[short(1, 2, 1, 0)], now);
    assert!(live.home(Key::trace(&trace_id(1))).is_some_and(|h| !h.over && h.since == 1));
    give(&mut live, 2, &[short(1, 1, 0, 7), short(2, 1, 0, 7)], now);
    assert!(live.home(Key::trace(&trace_id(1))).is_none());
    let home = live.home(Key::session("s7")).unwrap();
    assert!(home.over && home.since == 1, "it waits since its first record came");
    let taken = live.remove(Key::session("s7"));
    assert_eq!((taken.traces.len(), taken.records()), (2, 3));
    assert_eq!(ids(taken).len(), 3);
    assert!(live.is_empty() && live.waiting().next().is_none());
}

#[test]
fn a_trace_is_over_when_its_root_has_ended_and_not_before() {
    let (mut live, now) = (live(1 << 20), Instant::now());
    give(&mut live, 1, &[short(1, 3, 2, 7), short(1, 2, 1, 7)], now);
    assert!(!live.home(Key::session("s7")).unwrap().over);
    let later = now + Duration::from_secs(1);
    give(&mut live, 2, &[short(1, 1, 0, 0)], later);
    let home = live.home(Key::session("s7")).unwrap();
    assert!(home.over && home.last == later);
}

#[test]
fn the_root_of_a_pinned_trace_is_the_child_of_the_span_that_the_caller_sent() {
    let (mut live, now) = (live(1 << 20), Instant::now());
    live.pin(&trace_id(1), &span_id(99), "mine", now, 0);
    give(&mut live, 1, &[short(1, 3, 2, 7)], now);
    assert!(
        !live.ended(Key::session("mine"), &[Key::trace(&trace_id(1))]),
        "that of another session is no reason to leave"
    );
    give(&mut live, 2, &[short(1, 2, 99, 7)], now);
    assert!(live.ended(Key::session("mine"), &[Key::trace(&trace_id(1))]));
    assert_eq!(live.remove(Key::session("mine")).records(), 2);
}

#[test]
fn what_links_to_a_pinned_trace_follows_it_and_what_links_elsewhere_does_not() {
    let (mut live, now) = (live(1 << 20), Instant::now());
    live.pin(&trace_id(1), &span_id(99), "mine", now, 0);
    let linked = |trace, link| Short { trace, id: 1, link, ..Short::default() };
    let touched = give(&mut live, 1, &[linked(2, 1), linked(3, 4)], now);
    assert_eq!(touched, [Key::session("mine"), Key::trace(&trace_id(3))]);
}

#[test]
fn what_comes_after_a_home_was_taken_goes_on_with_it() {
    let (mut live, now) = (live(1 << 20), Instant::now());
    give(&mut live, 1, &[short(1, 1, 0, 7)], now);
    let home = Key::session("s7");
    assert_eq!((live.remove(home).records(), live.times(home)), (1, 1));
    let touched = give(&mut live, 2, &[short(1, 2, 1, 0)], now);
    assert_eq!(touched, [home], "its trace is known, although it does not say so itself");
    assert_eq!((live.remove(home).records(), live.times(home)), (1, 2));
}

#[test]
fn what_comes_back_can_be_built() {
    let (mut live, now) = (live(0), Instant::now());
    give(&mut live, 1, &[short(1, 2, 1, 0)], now);
    give(&mut live, 2, &[short(1, 1, 0, 7)], now);
    let bytes = live.remove(Key::session("s7")).bring_back().unwrap();
    let session = Builder::default().decode(&bytes, 0, "").unwrap();
    assert_eq!((session.id.as_str(), session.spans().count()), ("s7", 2));
}

fn any_short() -> impl Strategy<Value = Short> {
    (1u8..5, 1u8..9, 0u8..4, 0u8..3).prop_map(|(trace, id, parent, session)| Short {
        trace,
        id,
        parent,
        session,
        link: 0,
    })
}

proptest! {
    /// Neither in how many requests records came, nor whether they had to wait on disk, makes a difference.
    #[test]
    fn homes_depend_on_what_came_and_not_on_how(
        spans in proptest::collection::vec(any_short(), 1..30),
        cut in 1usize..10,
        budget in prop_oneof![Just(0usize), Just(600), Just(1 << 20)],
    ) {
        let now = Instant::now();
        let (mut one, mut many) = (live(1 << 20), live(budget));
        give(&mut one, 0, &spans, now);
        for (i, piece) in spans.chunks(cut).enumerate() {
            give(&mut many, i as u64, piece, now);
        }
        let keys = |live: &Live| live.waiting().map(|w| (w.home, w.over)).collect::<BTreeSet<_>>();
        let homes = keys(&one);
        prop_assert_eq!(&homes, &keys(&many));
        let mut all = 0;
        for (home, _) in homes {
            let (a, b) = (one.remove(home), many.remove(home));
            all += a.records();
            prop_assert_eq!(a.records(), b.records());
            prop_assert_eq!(ids(a), ids(b));
        }
        prop_assert_eq!(all, spans.len() as u64);
        prop_assert_eq!(many.bytes, 0);
    }
}
