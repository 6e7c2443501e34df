//! What seatrial's own format takes, and what it refuses.

use std::path::Path;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::model::{
    Attributes, Event, Failure, NanoUsd, Payload, RedactedFields, RefCall, Reference, Span, SpanKind, SpanStatus, Text,
    Turn, Usage, digest,
};

fn decode(line: &[u8]) -> Result<Session<'_>, Problem> {
    SessionDecoder.decode(line, 0, "s")
}

fn encode(session: &Session<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(session, &mut out).unwrap();
    out
}

#[test]
fn a_session_written_by_hand_is_read() {
    let line = br#"{"id":"s1","turns":[{"user":"hi","spans":[{"kind":"tool","name":"f","input":{"a":1},"output":"ok","status":"ok"}],"reply":"done"}]}"#;
    let session = decode(line).unwrap();
    assert_eq!(session.turns[0].spans[0].kind, SpanKind::Tool);
    assert_eq!(session.final_reply().unwrap(), "done");
    assert_eq!(session.schema, None);
    let written = encode(&session);
    assert!(written.starts_with(br#"{"seatrial":1,"id":"s1","#), "{}", String::from_utf8_lossy(&written));
    assert_eq!(written.iter().filter(|b| **b == b'\n').count(), 1);
}

#[test]
fn a_newer_version_is_named_even_when_it_has_unknown_fields() {
    for line in [r#"{"seatrial":2,"id":"s"}"#, r#"{"seatrial":2,"id":"s","novelty":true}"#] {
        let problem = decode(line.as_bytes()).unwrap_err();
        assert_eq!(problem.kind, LeftOut::Malformed);
        assert!(problem.message.contains("written by a newer seatrial"), "{}", problem.message);
    }
    assert!(decode(br#"{"seatrial":0,"id":"s"}"#).is_err());
}

#[test]
fn a_misspelled_field_is_a_problem_and_not_ignored() {
    let problem = decode(br#"{"id":"s","trun":[]}"#).unwrap_err();
    assert!(problem.message.contains("unknown field `trun`"), "{}", problem.message);
    assert_eq!(decode(br#"{"id":"s","turns":["#).unwrap_err().kind, LeftOut::Truncated);
}

#[test]
fn a_payload_over_several_lines_stays_on_one() {
    let session = decode(b"{\"id\":\"s\",\"state\":{\n \"a\":\r\n 1}}").unwrap();
    let line = encode(&session);
    assert_eq!(line.iter().filter(|b| matches!(b, b'\n' | b'\r')).count(), 1);
    let again = decode(&line).unwrap();
    assert_eq!(digest::session(&session), digest::session(&again));
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_key() {
    let problem = decode(br#"{"id":"s","trial":true}"#).unwrap_err();
    assert!(problem.message.starts_with("`trial`: invalid type: boolean `true`"), "{}", problem.message);
    let problem = decode(br#"{"id":"s","turns":[{},{"spans":[{"kind":"tol","name":"f"}]}]}"#).unwrap_err();
    assert!(problem.message.starts_with("`turns[1].spans[0].kind`: unknown variant"), "{}", problem.message);
}

#[test]
fn every_key_is_documented() {
    let unknown = |line: &str| decode(line.as_bytes()).unwrap_err().message;
    let known = [r#"{"id":"s","?":1}"#, r#"{"turns":[{"?":1}]}"#, r#"{"spans":[{"?":1}]}"#].map(unknown).join(" ");
    let keys: Vec<&str> = known.split('`').skip(1).step_by(2).filter(|key| !key.contains('?')).collect();
    assert!(keys.len() > 40, "{known}");
    for key in keys {
        assert!(Seatrial.doc().contains(&format!("`{key}`")) || key == "seatrial", "{key}");
    }
    assert!(KEYS.iter().all(|key| *key == "seatrial" || Seatrial.doc().contains(&format!("`{key}`"))));
}

#[test]
fn sniffs_its_own_lines_and_nothing_else() {
    let sniff =
        |bytes: &str| Seatrial.sniff(&Head { path: Path::new("f.jsonl"), bytes: bytes.as_bytes(), whole: true });
    assert_eq!(sniff("{\"seatrial\":1,\"id\":\"a\"}\n{\"seatrial\":1,\"id\":\"b\"}\n"), Some(Layout::Lines));
    assert_eq!(sniff("{\"id\":\"a\",\"turns\":[]}\n"), Some(Layout::Lines));
    assert_eq!(sniff("{\n \"id\":\"a\",\n \"turns\":[]\n}\n"), Some(Layout::Values));
    assert_eq!(sniff("{\"id\":\"a\",\"messages\":[]}"), None);
    assert_eq!(sniff("{\"id\":\"a\",\"spans\":[],\"resource\":{}}"), None);
    assert_eq!(sniff("{\"name\":\"pkg\",\"version\":\"1.0.0\"}"), None);
}

fn text() -> impl Strategy<Value = Text<'static>> {
    "\\PC{0,12}|[\\x00-\\x7f]{0,6}".prop_map(Text::from)
}

fn payload() -> impl Strategy<Value = Payload<'static>> {
    let json = prop_oneof![
        Just("{\n  \"a\": [1, 2.50, \"x \\n y\"]\r\n}".to_owned()),
        Just("null".to_owned()),
        Just("[ ]".to_owned()),
        Just("1e400".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{{\"f\": {f:?}}}")),
    ];
    prop_oneof![text().prop_map(Payload::text), json.prop_map(Payload::raw_json)]
}

/// A payload that is JSON and no `null`, which an optional field cannot tell from absent.
fn some_payload() -> impl Strategy<Value = Option<Payload<'static>>> {
    of(payload().prop_filter("null is absent", |p| !(p.is_json() && p.as_str() == "null")))
}

fn attributes() -> impl Strategy<Value = Attributes<'static>> {
    vec((text(), payload()), 0..3).prop_map(Attributes)
}

fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let event = (text(), of(any::<u64>()), attributes());
    vec(event.prop_map(|(name, time_ns, attributes)| Event { name, time_ns, attributes }), 0..2)
}

fn usage() -> impl Strategy<Value = Usage> {
    let n = || of(any::<u64>());
    (n(), n(), n(), n(), n()).prop_map(|(input, output, cache_read, cache_write, reasoning)| Usage {
        input,
        output,
        cache_read,
        cache_write,
        reasoning,
    })
}

fn span() -> impl Strategy<Value = Span<'static>> {
    let kind = prop_oneof![
        Just(SpanKind::Agent),
        Just(SpanKind::Llm),
        Just(SpanKind::Tool),
        Just(SpanKind::Retrieval),
        Just(SpanKind::Memory),
        Just(SpanKind::Guardrail),
        Just(SpanKind::Other)
    ];
    let status = prop_oneof![Just(SpanStatus::Ok), Just(SpanStatus::Error), Just(SpanStatus::Unset)];
    let names = (of(text()), of(text()), text(), of(text()), of(text()), of(text()));
    let times = (of(any::<u64>()), of(any::<u64>()), of(any::<u64>()));
    let money = of((0..1_000_000_000_000_i64).prop_map(NanoUsd));
    let content = (of(text()), some_payload(), some_payload(), of(usage()), money);
    (kind, status, names, times, content, events(), attributes()).prop_map(
        |(kind, status, (id, parent, name, agent, model, call_id), (start_ns, end_ns, ttft_ns), content, ev, at)| {
            let (status_message, input, output, usage, cost_usd) = content;
            Span {
                id,
                parent,
                kind,
                name,
                agent,
                model,
                call_id,
                start_ns,
                end_ns,
                status,
                status_message,
                input,
                output,
                usage,
                cost_usd,
                ttft_ns,
                events: ev,
                attributes: at,
            }
        },
    )
}

fn reference() -> impl Strategy<Value = Reference<'static>> {
    let call = (text(), some_payload()).prop_map(|(name, args)| RefCall { name, args });
    let state = of(Just(Payload::raw_json("{\"a.b\":\n 1}")));
    (of(vec(call, 0..3)), of(text()), of(vec(text(), 0..3)), state)
        .prop_map(|(tools, answer, facts, state)| Reference { tools, answer, facts, state })
}

fn turn() -> impl Strategy<Value = Turn<'static>> {
    let times = (of(any::<u64>()), of(any::<u64>()), of(any::<u64>()), any::<bool>());
    (of(text()), vec(span(), 0..3), of(text()), times, of(text()), of(reference()), attributes()).prop_map(
        |(user, spans, reply, (start_ns, end_ns, ttft_ns, closing), trace_id, reference, attributes)| Turn {
            user,
            spans,
            reply,
            start_ns,
            end_ns,
            ttft_ns,
            closing,
            trace_id,
            reference,
            attributes,
        },
    )
}

fn redacted() -> impl Strategy<Value = Vec<(Text<'static>, Vec<Text<'static>>)>> {
    vec((text(), vec(text(), 0..2)), 0..2)
}

fn session() -> impl Strategy<Value = Session<'static>> {
    let names = (text(), of(text()), of(text()), of(text()), of(text()), of(text()), vec(text(), 0..2), of(text()));
    let numbers = (of(any::<u64>()), of(any::<u64>()), of(-1e9..1e9_f64), of(0.0..5.0_f64));
    let body = (vec(span(), 0..2), vec(turn(), 0..3), of(reference()), some_payload(), some_payload());
    let failure = of((text(), of(text())).prop_map(|(kind, message)| Failure { kind, message }));
    let end = (of(any::<bool>()), events(), failure, any::<bool>(), vec(text(), 0..2), attributes(), redacted());
    (names, numbers, body, end).prop_map(|(names, numbers, body, end)| {
        let (id, case, trial, agent, version, user, tags, instructions) = names;
        let (start_ns, end_ns, reward, rating) = numbers;
        let (spans, turns, reference, initial_state, state) = body;
        let (escalated, events, failure, incomplete, notes, attributes, redacted) = end;
        Session {
            schema: None,
            id,
            case,
            trial,
            agent,
            version,
            user,
            tags,
            instructions,
            start_ns,
            end_ns,
            spans,
            turns,
            reference,
            initial_state,
            state,
            reward,
            rating,
            escalated,
            events,
            failure,
            incomplete,
            notes,
            attributes,
            redacted: RedactedFields(redacted),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read_back_whole(session in session()) {
        let line = encode(&session);
        let again = decode(&line[..line.len() - 1]).unwrap();
        prop_assert_eq!(digest::session(&session), digest::session(&again));
        prop_assert_eq!(String::from_utf8(encode(&again)).unwrap(), String::from_utf8(line.clone()).unwrap());
    }

    #[test]
    fn arbitrary_bytes_are_a_problem_and_never_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
    }
}
