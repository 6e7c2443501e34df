//! Laws that hold for every format: sniffing is unambiguous, and hostile bytes are a problem and never a panic.

use proptest::prelude::*;

use super::*;
use crate::formats::telemetry::Sink;

/// The format that claims a file, and how it lies.
fn sniff(bytes: &str) -> Vec<(&'static str, Layout)> {
    let head = Head { path: Path::new("f.json"), bytes: bytes.as_bytes(), whole: true };
    FORMATS.iter().filter_map(|f| Some((f.name(), f.sniff(&head)?))).collect()
}

#[test]
fn sniffs_how_sessions_lie_in_the_file() {
    let m = r#"{"role":"user","content":"q"}"#;
    let session = format!(r#"{{"messages":[{m}]}}"#);
    assert_eq!(sniff(&session), [("chat", Layout::Lines)]);
    assert_eq!(sniff(&format!("{session}\n{session}\n")), [("chat", Layout::Lines)]);
    assert_eq!(sniff(&format!("{{\n \"messages\":[{m}]\n}}")), [("chat", Layout::Values)]);
    assert_eq!(sniff(&format!("[{session}]")), [("chat", Layout::Array)]);
    assert_eq!(sniff(&format!("[{m}]")), [("chat", Layout::Values)]);
    assert_eq!(sniff(&format!("[\n{m}\n]")), [("chat", Layout::Values)]);
    assert_eq!(sniff(&format!("[{m}]\n[{m}]\n")), [("chat", Layout::Lines)]);
    assert_eq!(sniff(&format!("[[{m}],[{m}]]")), [("chat", Layout::Array)]);
    assert_eq!(sniff(r#"{"object":"response","output":[]}"#), [("chat", Layout::Lines)]);
}

/// How a file lies that holds this text.
fn layout(text: &str, whole: bool) -> Layout {
    json_layout(&Head { path: Path::new("f.json"), bytes: text.as_bytes(), whole })
}

#[test]
fn the_first_line_tells_lines_from_values() {
    assert_eq!(layout("{\"a\":1}\n{\"a\":2}", true), Layout::Lines);
    assert_eq!(layout("{\"a\":1", false), Layout::Lines);
    assert_eq!(layout("{\n\"a\":1\n}\n{}", true), Layout::Values);
    assert_eq!(layout("{\n\"a\":[1,\n", false), Layout::Values);
    assert_eq!(layout("{\n\"a\":[1,\n", true), Layout::Values);
    assert_eq!(layout("{\"rows\":[\n{\"a\":1}\n]}", true), Layout::Values, "a line within a value is not an element");
    assert_eq!(layout("\u{feff} [\n", true), Layout::Array);
}

#[test]
fn a_damaged_first_line_does_not_hide_that_lines_follow() {
    for damaged in ["{\"a\":\"half", "{\"a\":1,\"b\":", "{\"a\":[1,2", "{\"a\" 1}", "# not JSON"] {
        assert_eq!(layout(&format!("{damaged}\n{{\"a\":2}}\n{{\"a\":3}}\n"), true), Layout::Lines, "{damaged}");
    }
}

#[test]
fn no_file_is_claimed_by_two_formats_and_foreign_ones_by_none() {
    let m = r#"[{"role":"user","content":"q"}]"#;
    for (text, name) in [
        (r#"{"seatrial":1,"id":"a","turns":[]}"#.to_owned(), "seatrial"),
        (format!(r#"{{"task_id":1,"reward":0,"info":{{}},"traj":{m}}}"#), "tau-bench"),
        (
            format!(r#"{{"id":"a","task_id":"1","start_time":"x","termination_reason":"y","messages":{m}}}"#),
            "tau2-bench",
        ),
        (r#"{"info":{"num_trials":1},"tasks":[],"simulations":[]}"#.to_owned(), "tau2-bench"),
        (format!(r#"{{"task_id":"1","messages":{m}}}"#), "chat"),
        (r#"{"id":"a","appName":"h","userId":"u","events":[]}"#.to_owned(), "adk"),
        (r#"{"id":"a","events":[{"author":"user","content":{"parts":[{"text":"q"}]}}]}"#.to_owned(), "adk"),
        (r#"{"eval_set_id":"a","eval_cases":[]}"#.to_owned(), "adk"),
        (r#"{"data":[{"traceID":"1","spans":[]}]}"#.to_owned(), "jaeger"),
        (r#"{"data":[{"processes":{},"spans":[{"operationName":"x"}]}]}"#.to_owned(), "jaeger"),
        (r#"{"trace":{"id":"t","sessionId":null},"observations":[]}"#.to_owned(), "langfuse"),
        (r#"{"id":"o","traceId":"t","type":"SPAN","startTime":"x","level":"DEFAULT"}"#.to_owned(), "langfuse"),
        (r#"{"uuid":"t","baseSpans":[],"agentSpans":[{"uuid":"a"}]}"#.to_owned(), "deepeval"),
    ] {
        assert_eq!(sniff(&text).into_iter().map(|s| s.0).collect::<Vec<_>>(), [name], "{text}");
    }
    for text in [
        r#"{"name":"pkg","version":"1.0.0","scripts":{"test":"x"}}"#,
        r#"{"messages":{"hello":"Hallo"}}"#,
        r#"{"input":"q","output":"a"}"#,
        r#"[{"name":"a","type":"object"}]"#,
        r#"{"data":[{"id":"1","spans":[]}],"object":"list"}"#,
        r#"{"type":"user","message":{"role":"user","content":"q"},"sessionId":"x"}"#,
        "[]",
        "",
        "not JSON",
    ] {
        assert_eq!(sniff(text), [], "{text}");
    }
}

#[test]
fn the_registry_has_one_format_of_each_name() {
    let mut names: Vec<_> = FORMATS.iter().map(|f| f.name()).collect();
    assert!(names.iter().all(|n| format(n).is_some_and(|f| !f.doc().is_empty())));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
}

/// One element of each format, to be damaged.
const ELEMENTS: &[(&str, &str)] = &[
    ("seatrial", r#"{"id":"a","turns":[{"user":"q","spans":[{"kind":"tool","name":"f","input":{"a":[1]}}]}]}"#),
    (
        "tau-bench",
        r#"{"task_id":1,"info":{"task":{"actions":[{"name":"f","kwargs":{}}]}},"traj":[{"role":"assistant","content":"a\\n",
        "tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"Error"}]}"#,
    ),
    (
        "tau2-bench",
        r#"{"task_id":"1","messages":[{"role":"user","tool_calls":[{"id":"c","name":"f","arguments":{}}]},
        {"role":"tool","id":"c","requestor":"user","content":"r","error":true,"timestamp":"2025-01-01T00:00:00"}]}"#,
    ),
    (
        "adk",
        r#"{"id":"a","appName":"h","user_id":"u","state":{"n":1},"last_update_time":2.5,"events":[
        {"author":"user","invocation_id":"i","content":{"role":"user","parts":[{"text":"q"}]},"timestamp":1.25},
        {"author":"desk","content":{"parts":[{"text":"a"},{"functionCall":{"name":"f","args":{"a":[1]}}}]},"errorCode":null,
         "usageMetadata":{"promptTokenCount":3,"totalTokenCount":5},"actions":{"stateDelta":{"n":1}}},
        {"author":"desk","content":{"parts":[{"function_response":{"name":"f","response":{"error":"x"}}}]},"partial":false}]}"#,
    ),
    (
        "otlp",
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"intValue":"1"}}]},"scopeSpans":[{"scope":{"name":"s"},
        "spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7","kind":3,"startTimeUnixNano":"1",
        "attributes":[{"key":"k","value":{"arrayValue":{"values":[{"doubleValue":1.5},{"bytesValue":"AQ=="}]}}}]}]}]}]}"#,
    ),
    (
        "agentcore",
        r#"{"events":[{"message":"{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\",\"kind\":\"CLIENT\"}"}],
        "raw_otel_json":{"resource":{"attributes":{"a":1}},"timeUnixNano":1,"body":{"input":[1.5,null]}},"results":[[{"field":"x"}]]}"#,
    ),
    (
        "jaeger",
        r#"{"data":[{"traceID":"1","spans":[{"traceID":"1","spanID":"2","operationName":"f","startTime":1,"duration":2,
        "references":[{"refType":"CHILD_OF","traceID":"1","spanID":"3"}],"tags":[{"key":"a","type":"int64","value":"7"}],
        "logs":[{"timestamp":1,"fields":[{"key":"event","type":"string","value":"e"}]}],"processID":"p1"}],
        "processes":{"p1":{"serviceName":"s","tags":[{"key":"b","type":"binary","value":"AQ=="}]}}}],"total":0}"#,
    ),
    (
        "langfuse",
        r#"{"trace":{"id":"t","sessionId":"s","tags":["a"],"input":"\"q\"","metadata":"{\"k\":1}"},"observations":[{"id":"o","type":"GENERATION",
        "startTime":"2025-01-01T00:00:00Z","input":"[{\"role\":\"user\"}]","usageDetails":{"input":1},"metadata":{"scope":{"name":"s"}}}]}"#,
    ),
    (
        "deepeval",
        r#"{"uuid":"t","threadId":"s","metadata":{"a":1},"endTime":"2025-01-01T00:00:01Z","llmSpans":[{"uuid":"a","type":"llm",
        "startTime":"2025-01-01T00:00:00Z","input":[{"role":"human","content":"q"}],"inputTokenCount":1.5,"status":"ERRORED"}],"toolSpans":[]}"#,
    ),
    (
        "chat",
        r#"{"id":"a","metadata":{"a":1},"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[]}]},
        {"type":"ai","content":"","tool_calls":[{"name":"f","args":{},"id":"t"}],"usage":{"input_tokens":1}},
        {"type":"function_call_output","call_id":"t","output":"r"},{"lc":1,"id":["AIMessage"],"kwargs":{"content":"x"}}]}"#,
    ),
];

/// Counts records.
#[derive(Default)]
struct Count(usize);

impl<'a> Sink<'a> for Count {
    fn origin(&mut self, _: &telemetry::Origin<'a>) {}
    fn record(&mut self, _: &telemetry::Record<'a>) {
        self.0 += 1;
    }
    fn problem(&mut self, _: Problem) {}
}

#[test]
fn every_format_decodes_its_own_element() {
    for (name, element) in ELEMENTS {
        let decoder = format(name).unwrap().decoder(&[]).unwrap();
        let found = match decoder {
            Decode::Sessions(decoder) => decoder.decode(element.as_bytes(), 0, "f").unwrap().spans().count(),
            Decode::Records(decoder) => {
                let mut count = Count::default();
                decoder.records(element.as_bytes(), &mut count).unwrap();
                count.0
            }
        };
        assert!(found > 0, "{name}");
    }
    assert_eq!(ELEMENTS.len(), FORMATS.len(), "a format without an element here");
}

#[test]
fn what_is_gathered_from_messages_has_no_id_of_an_operation() {
    let transcripts = ["tau-bench", "tau2-bench", "chat"];
    for (name, element) in ELEMENTS.iter().filter(|(name, _)| transcripts.contains(name)) {
        let decoder = format(name).unwrap().decoder(&[]).unwrap();
        let session = decoder.decode(element.as_bytes(), 0, "f").unwrap();
        assert!(session.spans().all(|span| span.id.is_none()), "{name}: checks would take it for a trace");
    }
}

proptest! {
    #[test]
    fn damaged_elements_are_a_problem_or_a_session_and_never_a_panic(
        which in 0..ELEMENTS.len(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let (name, element) = ELEMENTS[which];
        let mut bytes = element.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cut = &bytes[..end.index(bytes.len() + 1)];
        let head = Head { path: Path::new("f"), bytes: cut, whole: true };
        for format in FORMATS {
            let _ = (format.sniff(&head), format.layout(&head));
        }
        match format(name).unwrap().decoder(&[]).unwrap() {
            Decode::Sessions(decoder) => {
                if let Ok(session) = decoder.decode(cut, 0, "f") {
                    let mut line = Vec::new();
                    seatrial::write(&session, &mut line).unwrap();
                }
            }
            Decode::Records(decoder) => {
                let _ = decoder.records(cut, &mut Count::default());
            }
        }
    }
}
