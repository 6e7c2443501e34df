//! Tests of the chat format, one spelling after another, on small recordings made for them.

use super::*;
use crate::model::{LeftOut, Span, SpanKind, SpanStatus, Usage};

fn decode(text: &str) -> Session<'_> {
    ChatDecoder.decode(text.as_bytes(), 0, "log").unwrap()
}

fn refuse(text: &str) -> Problem {
    ChatDecoder.decode(text.as_bytes(), 0, "log").unwrap_err()
}

/// Name, arguments, status and output of every tool call.
fn calls<'s>(session: &'s Session<'_>) -> Vec<(&'s str, &'s str, SpanStatus, &'s str)> {
    let text = |p: &'s Option<crate::model::Payload<'_>>| p.as_ref().map_or("-", |p| p.as_str());
    session.tool_calls().map(|(_, s)| (s.name.as_str(), text(&s.input), s.status, text(&s.output))).collect()
}

fn llm<'s>(session: &'s Session<'_>) -> Vec<&'s Span<'s>> {
    session.spans().filter(|s| s.kind == SpanKind::Llm).collect()
}

#[test]
fn openai_chat() {
    let s = decode(
        r#"{"id":"s1","model":"m","messages":[{"role":"developer","content":"Be kind."},
        {"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"u"}}]},
        {"role":"assistant","content":null,"tool_calls":[
          {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
          {"id":"b","type":"function","function":{"name":"g","arguments":""}},
          {"id":"c","type":"custom","custom":{"name":"h","input":"raw"}}],
         "usage":{"prompt_tokens":5,"completion_tokens":2}},
        {"role":"tool","tool_call_id":"b","content":"two"},
        {"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"one"}]},
        {"role":"assistant","content":null,"refusal":"I will not."}]}"#,
    );
    assert_eq!(s.id, "s1");
    assert_eq!(s.instructions.as_deref(), Some("Be kind."));
    assert_eq!(s.turns.len(), 1);
    assert_eq!(s.turns[0].user.as_deref(), Some("Look"));
    assert_eq!(s.turns[0].reply.as_deref(), Some("I will not."));
    assert_eq!(
        calls(&s),
        [
            ("f", r#"{"x":1}"#, SpanStatus::Ok, "one"),
            ("g", "", SpanStatus::Ok, "two"),
            ("h", "raw", SpanStatus::Unset, "-")
        ]
    );
    assert_eq!(llm(&s)[0].usage, Some(Usage { input: Some(5), output: Some(2), ..Usage::default() }));
    assert_eq!((llm(&s)[0].model.as_deref(), llm(&s)[1].usage), (Some("m"), None));
}

#[test]
fn openai_legacy_functions() {
    let s = decode(
        r#"[{"role":"user","content":"q"},
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"r"},{"role":"assistant","content":"a"}]"#,
    );
    assert_eq!(s.id, "log");
    assert_eq!(calls(&s), [("f", "{}", SpanStatus::Ok, "r")]);
}

#[test]
fn openai_responses() {
    let s = decode(
        r#"{"id":"r1","object":"response","instructions":"Policy","input":"What now?","output":[
        {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"r"}]},
        {"type":"web_search_call","id":"ws","status":"completed","action":{"query":"q"}},
        {"type":"mcp_call","id":"m","name":"g","arguments":"{}","error":"down","output":null},
        {"type":"message","id":"msg","role":"assistant","content":[{"type":"output_text","text":"Done."}]}],
        "usage":{"input_tokens":3,"output_tokens":4}}"#,
    );
    assert_eq!(s.instructions.as_deref(), Some("Policy"));
    assert_eq!(s.turns[0].user.as_deref(), Some("What now?"));
    assert_eq!(s.turns[0].reply.as_deref(), Some("Done."));
    assert_eq!(
        calls(&s),
        [
            ("f", "{}", SpanStatus::Ok, "r"),
            ("web_search", r#"{"query":"q"}"#, SpanStatus::Ok, "-"),
            ("g", "{}", SpanStatus::Error, "down")
        ]
    );
    // Two model calls: the output of the function went in between.
    assert_eq!(llm(&s).len(), 2);
    assert!(llm(&s).iter().all(|s| s.usage.is_none()), "usage of two calls cannot be divided");
    assert!(s.attributes.get("usage").is_some());
}

#[test]
fn usage_of_a_single_model_call_is_its_own() {
    let s = decode(
        r#"{"input":[{"role":"user","content":"q"}],"output":[{"type":"message","role":"assistant",
        "content":[{"type":"output_text","text":"a"}]}],"usage":{"input_tokens":3,"output_tokens":4}}"#,
    );
    assert_eq!(llm(&s)[0].usage.unwrap().input, Some(3));
}

#[test]
fn anthropic() {
    let s = decode(
        r#"{"session_id":"s","system":[{"type":"text","text":"Policy"}],"messages":[
        {"role":"user","content":"q"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"secret"},{"type":"text","text":"Let me see."},
          {"type":"tool_use","id":"t1","name":"f","input":{"x":1}},{"type":"tool_use","id":"t2","name":"g","input":{}}],
          "stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":10,"cache_creation_input_tokens":0}},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"ok"}]},
          {"type":"tool_result","tool_use_id":"t2","content":"bad","is_error":true}]},
        {"role":"assistant","content":"Done."}]}"#,
    );
    assert_eq!(s.instructions.as_deref(), Some("Policy"));
    assert_eq!(s.turns.len(), 1, "results inside of a user message are no turn");
    assert_eq!(calls(&s), [("f", r#"{"x":1}"#, SpanStatus::Ok, "ok"), ("g", "{}", SpanStatus::Error, "bad")]);
    assert_eq!(llm(&s)[0].output.as_ref().unwrap().as_str(), "Let me see.");
    assert_eq!(llm(&s)[0].usage.unwrap().input, Some(11));
    assert_eq!(llm(&s)[0].attributes.get("finish_reason").unwrap().as_str(), "tool_use");
    assert_eq!(s.final_reply().unwrap(), "Done.");
}

#[test]
fn langchain_in_its_three_spellings() {
    let plain = r#"[{"type":"human","content":"q"},
        {"type":"ai","content":[{"type":"tool_use","id":"t","name":"f","input":{"x":1}}],"id":"run-1",
         "tool_calls":[{"name":"f","args":{"x":1},"id":"t","type":"tool_call"}],
         "invalid_tool_calls":[{"name":"g","args":"{oops","id":"u","error":"not JSON","type":"invalid_tool_call"}],
         "additional_kwargs":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{\"x\":1}"},"type":"function"}]},
         "usage_metadata":{"input_tokens":4,"output_tokens":2,"total_tokens":6},"response_metadata":{"model_name":"m-2"}},
        {"type":"tool","content":"broken","tool_call_id":"t","status":"error"},
        {"type":"ai","content":"a"}]"#;
    let s = decode(plain);
    assert_eq!(calls(&s), [("f", r#"{"x":1}"#, SpanStatus::Error, "broken"), ("g", "{oops", SpanStatus::Unset, "-")]);
    assert_eq!((llm(&s)[0].model.as_deref(), llm(&s)[0].usage.unwrap().output), (Some("m-2"), Some(2)));

    let dicts = r#"{"messages":[{"type":"human","data":{"content":"q","type":"human"}},
        {"type":"ai","data":{"content":"","tool_calls":[{"name":"f","args":{"x":1},"id":"t"}]}},
        {"type":"tool","data":{"content":"broken","tool_call_id":"t","status":"error"}},
        {"type":"ai","data":{"content":"a"}}]}"#;
    let constructors = r#"{"messages":[
        {"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"q","type":"human"}},
        {"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"",
          "additional_kwargs":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{\"x\":1}"}}]}}},
        {"lc":1,"type":"constructor","id":["langchain","schema","messages","ToolMessage"],"kwargs":{"content":"broken","tool_call_id":"t","status":"error"}},
        {"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"a"}}]}"#;
    for text in [dicts, constructors] {
        let s = decode(text);
        assert_eq!(calls(&s), [("f", r#"{"x":1}"#, SpanStatus::Error, "broken")], "{text}");
        assert_eq!((s.turns.len(), s.final_reply().map(|r| r.as_str())), (1, Some("a")), "{text}");
    }
}

#[test]
fn what_surrounds_the_messages_is_kept() {
    let s = decode(
        r#"{"conversation_id":12,"case":"c","trial":1,"metadata":{"user_id":"u","region":"eu","version":"m"},"agent":"bot",
        "version":"1.2","tags":["x"],"rating":4,"escalated":false,"tools":[{"type":"function"}],"region":"us","nothing":null,
        "start_time":"1970-01-01T00:00:01Z","reference":{"tools":[]},"messages":[{"role":"user","content":"q"}]}"#,
    );
    assert_eq!((s.id.as_str(), s.case.as_deref(), s.trial.as_deref()), ("12", Some("c"), Some("1")));
    assert_eq!((s.agent.as_deref(), s.version.as_deref(), s.user.as_deref()), (Some("bot"), Some("1.2"), Some("u")));
    assert_eq!((s.rating, s.escalated, s.start_ns), (Some(4.0), Some(false), Some(1_000_000_000)));
    assert_eq!(s.tags, ["x"]);
    assert_eq!(s.reference.unwrap().tools.unwrap().len(), 0);
    assert_eq!(s.attributes.get("region").unwrap().as_str(), "us");
    assert_eq!(s.attributes.get("tools").unwrap().as_str(), r#"[{"type":"function"}]"#);
    assert!(s.attributes.get("nothing").is_none());
    assert!(s.attributes.get("messages").is_none());
}

#[test]
fn keys_of_another_shape_than_ours_stay_attributes() {
    let text =
        r#"{"messages":[],"reference":{"gold":1},"system":{"version":2},"tags":[1],"reward":"high","user":{"a":1}}"#;
    let s = decode(text);
    assert!(s.reference.is_none() && s.instructions.is_none() && s.tags.is_empty());
    assert!(s.reward.is_none() && s.user.is_none());
    for key in ["reference", "system", "tags", "reward", "user"] {
        assert!(s.attributes.get(key).is_some(), "{key}");
    }
    let answer = decode(r#"{"messages":[],"reference":"42"}"#).reference.unwrap();
    assert_eq!(answer.answer.as_deref(), Some("42"));
}

#[test]
fn a_session_without_a_user_is_one_turn() {
    let s = decode(r#"[{"role":"system","content":"Do it."},{"role":"assistant","content":"Done."}]"#);
    assert_eq!((s.spans.len(), s.turns.len()), (0, 1));
    assert_eq!((s.turns[0].user.as_deref(), s.turns[0].reply.as_deref()), (None, Some("Done.")));
}

#[test]
fn an_empty_text_beside_calls_is_no_reply_and_an_empty_answer_is_one() {
    let call = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}]"#;
    assert_eq!(decode(call).turns[0].reply, None);
    let empty = r#"[{"role":"user","content":"q"},{"role":"assistant","content":""}]"#;
    assert_eq!(decode(empty).turns[0].reply.as_deref(), Some(""));
}

#[test]
fn sessions_without_an_id_are_named_after_their_place() {
    let text = br#"[{"role":"user","content":"q"}]"#;
    let id = |index| ChatDecoder.decode(text, index, "logs").unwrap().id.to_string();
    assert_eq!((id(0), id(1)), ("logs".to_owned(), "logs#2".to_owned()));
}

#[test]
fn damage_is_a_problem_of_its_kind() {
    assert_eq!(refuse(r#"{"messages":[{"role":"us"#).kind, LeftOut::Truncated);
    for text in [
        r#"{"id":"s"}"#,
        r#"{"input":"q","output":"a"}"#,
        r#"{"messages":"none"}"#,
        r#"{"messages":[{"content":"who?"}]}"#,
        r#"{"messages":[{"role":"robot","content":"x"}]}"#,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"1"}]}]}"#,
        r#"{"messages":[{"role":"user","content":7}]}"#,
        r#"{"messages":[],"reference":{"tools":[],"fact":["typo"]}}"#,
        "7",
    ] {
        assert_eq!(refuse(text).kind, LeftOut::Malformed, "{text}");
    }
}
