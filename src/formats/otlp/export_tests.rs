//! What is written is read back: the same spans, their tree, and everything that OpenTelemetry has a name for.

use super::super::testing::{Kept, kept};
use super::*;
use crate::formats::telemetry::{Record, SpanRecord, find};

const SESSION: &str = r#"{"id":"s","agent":"shop","version":"7","user":"u","instructions":"be kind","turns":[
    {"user":"hi","reply":"hello","ttft_ns":250000000,"trace_id":"0AF7651916CD43DD8448EB211C80319C","spans":[
      {"id":"00f067aa0ba902b7","kind":"llm","name":"chat","model":"m","start_ns":10,"end_ns":20,"output":"hello","cost_usd":0.5,
       "usage":{"input":12,"output":3,"cache_read":4,"reasoning":1},"attributes":{"n":[1,{"b":2.5,"a":null}],"t":"x"},
       "events":[{"name":"e","time_ns":15,"attributes":{"k":true}}]},
      {"id":"c1","parent":"00f067aa0ba902b7","kind":"tool","name":"refund","call_id":"c","status":"error","status_message":"no","input":{"b":1,"a":2},"output":"gone"}]},
    {"user":"bye","spans":[{"kind":"agent","name":"shop","id":"x","input":"bye","output":null},{"kind":"guardrail","name":"g","parent":"x"}]}],
    "events":[{"name":"feedback"}]}"#;

fn line(session: &str) -> Vec<u8> {
    let session: Session<'_> = serde_json::from_str(session).unwrap();
    let mut out = Vec::new();
    write(&session, &mut out).unwrap();
    out
}

fn spans<'k>(kept: &'k Kept<'_>) -> Vec<&'k SpanRecord<'k>> {
    kept.records.iter().map(|(_, r)| if let Record::Span(s) = r { s } else { panic!("a log") }).collect()
}

fn at<'s>(span: &'s SpanRecord<'_>, key: &str) -> &'s str {
    find(&span.attributes, key).and_then(Value::as_str).unwrap_or("(none)")
}

/// An attribute that holds JSON in a text.
fn json_at(span: &SpanRecord<'_>, key: &str) -> Json {
    serde_json::from_str(at(span, key)).unwrap()
}

#[test]
fn a_session_is_read_back_as_the_records_of_its_turns() {
    let line = line(SESSION);
    assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
    let kept = kept(&line);
    assert_eq!(kept.told(), [""; 0]);
    let spans = spans(&kept);
    let names: Vec<&str> = spans.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["invoke_agent shop", "chat", "execute_tool refund", "invoke_agent shop", "g"]);
    let [turn, chat, tool, second, guardrail] = spans[..] else { panic!() };
    assert!(spans.iter().all(|s| at(s, "session.id") == "s" && at(s, "user.id") == "u"));

    assert_eq!(turn.parent, None);
    assert_eq!(
        json_at(turn, "gen_ai.input.messages"),
        json!([{"parts":[{"content":"hi","type":"text"}],"role":"user"}])
    );
    assert_eq!(
        json_at(turn, "gen_ai.output.messages"),
        json!([{"parts":[{"content":"hello","type":"text"}],"role":"assistant"}])
    );
    assert_eq!(json_at(turn, "gen_ai.system_instructions"), json!([{"content":"be kind","type":"text"}]));
    assert_eq!(find(&turn.attributes, "gen_ai.response.time_to_first_chunk"), Some(&Value::Double(0.25)));

    assert_eq!((chat.trace.as_str(), chat.id.as_str()), ("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"));
    assert_eq!((&chat.parent, chat.start_ns, chat.end_ns), (&Some(turn.id.clone()), Some(10), Some(20)));
    assert_eq!((at(chat, "gen_ai.operation.name"), at(chat, "gen_ai.response.model")), ("chat", "m"));
    for (key, count) in
        [("input_tokens", 12), ("output_tokens", 3), ("cache_read.input_tokens", 4), ("reasoning.output_tokens", 1)]
    {
        assert_eq!(find(&chat.attributes, &format!("gen_ai.usage.{key}")), Some(&Value::Int(count)), "{key}");
    }
    assert_eq!(
        find(&chat.attributes, "gen_ai.usage.cache_write.input_tokens"),
        None,
        "what is not known is not written"
    );
    assert_eq!(find(&chat.attributes, "llm.cost.total"), Some(&Value::Double(0.5)));
    assert_eq!(find(&chat.attributes, "n").unwrap().json(), r#"[1,{"b":2.5,"a":null}]"#);
    assert_eq!((chat.events[0].name.as_str(), chat.events[0].time_ns), ("e", Some(15)));

    assert_eq!((&tool.parent, tool.start_ns), (&Some(chat.id.clone()), None));
    assert_eq!((at(tool, "gen_ai.tool.name"), at(tool, "gen_ai.tool.call.id")), ("refund", "c"));
    assert_eq!(
        (at(tool, "gen_ai.tool.call.arguments"), at(tool, "gen_ai.tool.call.result")),
        (r#"{"b":1,"a":2}"#, "gone")
    );
    assert_eq!((tool.status, tool.status_message.as_deref()), (SpanStatus::Error, Some("no")));

    assert_eq!((&second.parent, second.trace == turn.trace), (&None, false), "a turn that has a root keeps it");
    assert_eq!(find(&second.attributes, OUTPUT), Some(&Value::Null), "what is known to be nothing is no message");
    assert_eq!(second.events[0].name, "feedback");
    assert_eq!((&guardrail.parent, at(guardrail, "openinference.span.kind")), (&Some(second.id.clone()), "GUARDRAIL"));
}

#[test]
fn ids_are_always_the_same_and_never_twice() {
    assert_eq!(line(SESSION), line(SESSION));
    let line = line(
        r#"{"id":"s","spans":[{"kind":"other","name":"a","id":"00f067aa0ba902b7"}],
        "turns":[{"spans":[{"kind":"llm","name":"b","id":"00f067aa0ba902b7"},{"kind":"llm","name":"c"},{"kind":"llm","name":"d","id":"0000000000000000"}]}]}"#,
    );
    let kept = kept(&line);
    let spans = spans(&kept);
    let ids: std::collections::BTreeSet<&str> = spans.iter().map(|s| s.id.as_str()).collect();
    assert_eq!((spans.len(), ids.len(), kept.problems.len()), (5, 5, 0));
    assert_eq!(spans[0].parent, None);
    assert!(spans[2..].iter().all(|s| s.parent.as_ref() == Some(&spans[1].id)), "below the root that was made");
}

#[test]
fn any_attribute_value_is_written_so_that_it_is_read_back() {
    let mut deep = "1".to_owned();
    for _ in 0..60 {
        deep = format!("[{deep}]");
    }
    let session = format!(
        r#"{{"id":"s","turns":[{{"spans":[{{"kind":"agent","name":"a","attributes":{{"deep":{deep},"big":18446744073709551615,"e":1e300,"s":"{{}}"}}}}]}}]}}"#
    );
    let line = line(&session);
    let kept = kept(&line);
    assert_eq!(kept.told(), [""; 0]);
    let span = spans(&kept)[0];
    assert_eq!(find(&span.attributes, "e"), Some(&Value::Double(1e300)));
    assert_eq!((at(span, "big"), at(span, "s")), ("18446744073709551615", "{}"));
    let inner = find(&span.attributes, "deep").unwrap().json();
    assert!(inner.starts_with("[[[") && inner.contains("[1]"), "what is too deep for a structure is a text: {inner}");
}
