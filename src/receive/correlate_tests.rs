//! Spans find their turn, a session is waited for as long as it has to be, and what belongs to nobody is counted.

use super::*;
use crate::formats::telemetry::codec::stored;
use crate::receive::spool::Encoding;

const PARENT: &str = "00000000000000ff";

fn trace(n: u8) -> String {
    format!("{n:032x}")
}

/// A span: trace, id, parent, attributes or links in JSON.
fn span(t: u8, id: u8, parent: &str, more: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{id:016x}","parentSpanId":"{parent}",
        "name":"x","startTimeUnixNano":"{}","endTimeUnixNano":"{}"{more}}}]}}]}}]}}"#,
        trace(t),
        now_ns(),
        now_ns() + 1
    )
}

const IN_S: &str = r#","attributes":[{"key":"session.id","value":{"stringValue":"s"}}]"#;

fn telemetry() -> Correlation {
    Correlation::new(Limits::default())
}

fn begin(c: &Correlation, session: &str, t: u8) {
    c.begin(&Begun { session, trace: &trace(t), parent: PARENT });
}

fn give(c: &Correlation, text: &str) {
    c.inbox.take(Encoding::Json, text.as_bytes()).unwrap();
}

/// A deadline that nobody lives to see: a test that comes back was not ended by it.
const AN_HOUR: u64 = 3_600_000;

fn collect(c: &Correlation, session: &str, within_ms: u64) -> Collected {
    collect_quiet(c, session, 1, within_ms)
}

fn collect_quiet(c: &Correlation, session: &str, quiet_ms: u64, within_ms: u64) -> Collected {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let deadline = Instant::now() + Duration::from_millis(within_ms);
    runtime.block_on(c.collect(session, Duration::from_millis(quiet_ms), deadline))
}

/// How many records each turn has, and whether it is complete.
fn told(collected: &Collected) -> Vec<(usize, bool)> {
    collected.turns.iter().map(|t| (stored(&t.records).count(), t.complete)).collect()
}

#[test]
fn spans_join_their_turn_by_trace_by_session_and_by_link() {
    let c = telemetry();
    begin(&c, "s", 1);
    give(&c, &span(1, 1, PARENT, ""));
    give(&c, &span(1, 2, "0000000000000001", ""));
    begin(&c, "s", 2);
    give(&c, &span(9, 1, "", IN_S));
    give(&c, &span(2, 1, PARENT, ""));
    let link = format!(r#","links":[{{"traceId":"{}","spanId":"0000000000000001"}}]"#, trace(1));
    give(&c, &span(8, 1, "", &link));
    give(&c, &span(7, 1, "", ""));
    let collected = collect(&c, "s", AN_HOUR);
    assert_eq!(told(&collected), [(3, true), (2, true)]);
    assert!(collected.listening);
    assert_eq!(c.counts().foreign, 1, "{:?}", c.counts());
}

#[test]
fn a_turn_whose_root_has_not_ended_is_waited_for_until_the_deadline() {
    let c = telemetry();
    begin(&c, "s", 1);
    give(&c, &span(1, 2, "0000000000000001", ""));
    let collected = collect(&c, "s", 60);
    assert_eq!(told(&collected), [(1, false)]);
    assert!(collected.waited >= Duration::from_millis(60));
}

#[test]
fn what_arrives_after_a_session_was_handed_out_is_handed_out_again() {
    let c = telemetry();
    begin(&c, "s", 1);
    begin(&c, "s", 2);
    give(&c, &span(1, 2, "0000000000000001", ""));
    give(&c, &span(2, 1, PARENT, ""));
    assert_eq!(told(&collect(&c, "s", 60)), [(1, false), (1, true)]);
    assert!(c.again(&|_| true, Duration::ZERO).is_empty());
    give(&c, &span(1, 1, PARENT, ""));
    let link = format!(r#","links":[{{"traceId":"{}","spanId":"0000000000000001"}}]"#, trace(2));
    give(&c, &span(8, 1, "", &link));
    assert_eq!((c.late("s"), c.late("t"), c.counts().foreign), (2, 0, 0));
    assert!(c.again(&|id| id != "s", Duration::ZERO).is_empty(), "it is another's");
    assert!(c.again(&|_| true, Duration::from_secs(60)).is_empty(), "more of it may come");
    let again = c.again(&|id| id == "s", Duration::ZERO);
    assert_eq!((again.len(), again[0].0.as_str()), (1, "s"));
    // The root of the first has ended now, and of each only what is new is there.
    assert_eq!(told(&again[0].1), [(1, true), (1, true)]);
    assert_eq!((c.late("s"), c.counts().joined), (0, 2));
    give(&c, &span(2, 7, "0000000000000001", ""));
    assert_eq!(told(&c.again(&|_| true, Duration::ZERO)[0].1), [(0, true), (1, true)]);
}

#[test]
fn a_session_that_had_to_be_forgotten_is_known_to_be_late() {
    let c = telemetry();
    begin(&c, "s", 1);
    give(&c, &span(1, 1, PARENT, ""));
    collect(&c, "s", 1000);
    for n in 0..MOST_HANDED {
        let (session, trace) = (format!("other {n}"), format!("{:032x}", 1000 + n));
        c.begin(&Begun { session: &session, trace: &trace, parent: PARENT });
        c.take(Key::session(&session));
    }
    give(&c, &span(1, 2, "0000000000000001", ""));
    assert!(c.again(&|_| true, Duration::ZERO).is_empty());
    assert_eq!((c.late("s"), c.late("other 0"), c.counts().foreign), (1, 0, 0));
}

#[test]
fn a_turn_of_which_nothing_arrives_is_empty_and_not_complete() {
    let c = telemetry();
    begin(&c, "s", 1);
    begin(&c, "s", 1);
    assert_eq!(told(&collect(&c, "s", 30)), [(0, false)], "a trace that begins again is the same turn");
    assert!(collect(&c, "unknown", 30).turns.is_empty());
}

#[test]
fn an_agent_that_takes_no_part_in_the_trace_is_known_by_the_session_that_it_names() {
    let c = telemetry();
    begin(&c, "s", 1);
    give(&c, &span(9, 1, "", IN_S));
    let collected = collect(&c, "s", AN_HOUR);
    assert_eq!(told(&collected), [(1, true)]);
}

#[test]
fn what_arrives_while_it_is_waited_for_ends_the_waiting() {
    let c = telemetry();
    begin(&c, "s", 1);
    let c = Arc::new(c);
    let other = c.clone();
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        give(&other, &span(1, 1, PARENT, ""));
    });
    assert_eq!(told(&collect_quiet(&c, "s", 20, AN_HOUR)), [(1, true)]);
    sender.join().unwrap();
}

#[test]
fn sessions_do_not_see_each_other() {
    let c = telemetry();
    begin(&c, "s", 1);
    begin(&c, "t", 2);
    give(&c, &span(1, 1, PARENT, ""));
    give(&c, &span(2, 1, PARENT, IN_S));
    assert_eq!(told(&collect(&c, "s", 1000)), [(1, true)]);
    assert_eq!(told(&collect(&c, "t", 1000)), [(1, true)], "its own trace says more than the name of another session");
}

#[test]
fn a_foreign_trace_that_names_the_session_does_not_end_a_turn_of_its_own() {
    let c = telemetry();
    begin(&c, "s", 1);
    give(&c, &span(1, 2, "0000000000000001", ""));
    give(&c, &span(9, 1, "", IN_S));
    assert_eq!(told(&collect(&c, "s", 60)), [(2, false)], "the root of the turn's own trace has not ended");
    begin(&c, "t", 2);
    begin(&c, "t", 3);
    give(&c, &span(2, 1, PARENT, ""));
    give(&c, &span(8, 1, "", &IN_S.replace("\"s\"", "\"t\"")));
    assert_eq!(told(&collect(&c, "t", 60)), [(1, true), (1, false)], "of the second nothing of its own arrived");
}
