//! The shapes that Traceloop's decorators and instrumentations record.

use super::*;
use crate::formats::telemetry::{EventRecord, Origin, SpanRecord};
use crate::model::Usage;

fn span(name: &'static str, pairs: &[(&'static str, &'static str)]) -> SpanRecord<'static> {
    let attributes = pairs.iter().map(|(k, v)| ((*k).into(), Value::Text((*v).into()))).collect();
    SpanRecord { name: name.into(), attributes, start_ns: Some(100), ..SpanRecord::default() }
}

fn with<T>(span: &SpanRecord<'static>, f: impl Fn(&At<'_, 'static>) -> T) -> T {
    let origin = Origin::default();
    let at = At { span, origin: &origin, logs: &[] };
    assert!(OpenLlmetry.speaks(&at));
    f(&at)
}

fn read(span: &SpanRecord<'static>) -> Reading<'static> {
    with(span, |at| OpenLlmetry.read(at))
}

fn tool(input: &'static str, output: &'static str) -> Reading<'static> {
    let pairs = [
        ("traceloop.span.kind", "tool"),
        ("traceloop.entity.name", "lookup_order"),
        ("traceloop.entity.input", input),
        ("traceloop.entity.output", output),
    ];
    read(&span("lookup_order.tool", &pairs))
}

#[test]
fn a_model_call_has_its_messages_tokens_and_first_chunk() {
    let mut span = span(
        "openai.chat",
        &[
            ("llm.request.type", "chat"),
            ("traceloop.association.properties.session_id", "s"),
            ("traceloop.association.properties.user_id", "u"),
            ("gen_ai.request.model", "gpt-4o-mini"),
            ("gen_ai.response.model", "gpt-4o-mini-2026"),
            ("gen_ai.prompt.0.role", "system"),
            ("gen_ai.prompt.0.content", "Be brief."),
            ("gen_ai.prompt.1.role", "user"),
            ("gen_ai.prompt.1.content", r#"[{"type": "text", "text": "Hi"}]"#),
            ("gen_ai.prompt.2.role", "tool"),
            ("gen_ai.prompt.2.content", "{\"a\": 1}"),
            ("gen_ai.prompt.2.tool_call_id", "c0"),
            ("gen_ai.usage.prompt_tokens", "176"),
            ("gen_ai.usage.completion_tokens", "13"),
            ("gen_ai.usage.cache_read_input_tokens", "64"),
            ("gen_ai.completion.0.role", "assistant"),
            ("gen_ai.completion.0.finish_reason", "tool_calls"),
            ("gen_ai.completion.0.tool_calls.0.id", "c1"),
            ("gen_ai.completion.0.tool_calls.0.name", "refund"),
            ("gen_ai.completion.0.tool_calls.0.arguments", "{\"order_id\": \"A1\"}"),
        ],
    );
    span.events =
        vec![EventRecord { name: "llm.content.completion.chunk".into(), time_ns: Some(130), ..EventRecord::default() }];
    let reading = read(&span);
    assert_eq!(reading.kind, SpanKind::Llm);
    assert_eq!(reading.model.as_deref(), Some("gpt-4o-mini-2026"));
    assert_eq!(reading.output, Some(Payload::null()));
    assert_eq!((reading.session.as_deref(), reading.user.as_deref()), (Some("s"), Some("u")));
    assert_eq!(reading.ttft_ns, Some(30));
    let usage = Usage { input: Some(176), output: Some(13), cache_read: Some(64), ..Usage::default() };
    assert_eq!((reading.usage, reading.is_total), (Some(usage), false));
    let asked = with(&span, |at| OpenLlmetry.asked(at)).unwrap();
    let texts: Vec<_> = asked.iter().map(|m| (m.role, m.text.as_deref())).collect();
    assert_eq!(texts, [(Role::System, Some("Be brief.")), (Role::User, Some("Hi")), (Role::Tool, None)]);
    assert_eq!(asked[2].results[0].id.as_deref(), Some("c0"));
    let said = with(&span, |at| OpenLlmetry.said(at)).unwrap();
    assert_eq!((said[0].calls[0].name.as_str(), said[0].calls[0].id.as_deref()), ("refund", Some("c1")));
}

#[test]
fn a_call_that_failed_says_nothing_rather_than_an_empty_text() {
    let reading = read(&span("openai.chat", &[("llm.request.type", "chat"), ("gen_ai.request.model", "m")]));
    assert_eq!((reading.output, reading.usage, reading.model.as_deref()), (None, None, Some("m")));
}

#[test]
fn named_arguments_of_a_decorated_tool_are_its_arguments() {
    let reading = tool(r#"{"args": [], "kwargs": {"order_id": "A1"}}"#, r#"{"total": 24.5}"#);
    assert_eq!((reading.kind, reading.name.as_deref()), (SpanKind::Tool, Some("lookup_order")));
    assert_eq!(reading.input, Some(Payload::raw_json(r#"{"order_id": "A1"}"#)));
    assert_eq!(reading.output, Some(Payload::raw_json(r#"{"total": 24.5}"#)));
    assert_eq!((reading.failed, reading.withheld), (None, false));
    let positional = r#"{"args": ["A1"], "kwargs": {}}"#;
    assert_eq!(tool(positional, "\"done\\n\"").input, Some(Payload::raw_json(positional)));
    assert_eq!(tool(positional, "\"done\\n\"").output, Some(Payload::text("done\n")));
}

#[test]
fn what_was_cut_off_is_withheld() {
    let reading = tool(r#"{"args": [], "kwargs": {"order_id": "A"#, r#"{"total""#);
    assert_eq!((reading.input, reading.output, reading.withheld), (None, None, true));
}

#[test]
fn a_tool_of_langchain_has_its_inputs_and_the_content_of_its_message() {
    let reading = tool(
        r#"{"input_str": "{'expression': '1'}", "tags": [], "inputs": {"expression": "1"}, "kwargs": {"color": "green"}}"#,
        r#"{"output": {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "ToolMessage"],
            "kwargs": {"content": "no", "type": "tool", "tool_call_id": "t", "status": "error"}}, "kwargs": {}}"#,
    );
    assert_eq!(reading.input, Some(Payload::raw_json(r#"{"expression": "1"}"#)));
    assert_eq!((reading.call_id.as_deref(), reading.output), (Some("t"), Some(Payload::text("no"))));
    assert_eq!(reading.failed.as_deref(), Some("no"));
}

#[test]
fn a_workflow_is_the_run_of_an_agent_and_a_task_is_nobody_s() {
    let of = |kind| {
        let pairs = [
            ("traceloop.span.kind", kind),
            ("traceloop.entity.name", "support"),
            ("traceloop.entity.input", r#"{"args": ["Hi", []], "kwargs": {}}"#),
            ("traceloop.entity.output", r#""Refunded.\n""#),
        ];
        let span = span("support", &pairs);
        (read(&span), with(&span, |at| (OpenLlmetry.asked(at), OpenLlmetry.said(at))))
    };
    let (workflow, (asked, said)) = of("workflow");
    assert_eq!((workflow.kind, workflow.agent), (SpanKind::Agent, None));
    assert_eq!(workflow.output, Some(Payload::text("Refunded.\n")));
    assert_eq!((asked, said.unwrap()[0].text.as_deref()), (None, Some("Refunded.\n")));
    assert_eq!(of("agent").0.agent.as_deref(), Some("support"));
    let (task, messages) = of("task");
    assert_eq!((task.kind, messages), (SpanKind::Other, (None, None)));
}

#[test]
fn a_graph_replies_with_its_last_message() {
    let pairs = [
        ("traceloop.span.kind", "workflow"),
        ("traceloop.entity.input", r#"{"inputs": {"messages": [{"role": "user", "content": "Hi"}]}, "kwargs": {}}"#),
        (
            "traceloop.entity.output",
            r#"{"outputs": {"messages": [{"lc": 1, "id": ["HumanMessage"], "kwargs": {"content": "Hi"}},
                {"lc": 1, "id": ["AIMessage"], "kwargs": {"content": [{"type": "text", "text": "Hello"}]}}]}, "kwargs": {}}"#,
        ),
    ];
    let span = span("LangGraph.workflow", &pairs);
    assert_eq!(read(&span).output, Some(Payload::text("Hello")));
    let (asked, said) = with(&span, |at| (OpenLlmetry.asked(at).unwrap(), OpenLlmetry.said(at).unwrap()));
    assert_eq!((asked[0].text.as_deref(), said.len()), (Some("Hi"), 1));
}

#[test]
fn the_newer_form_is_left_to_opentelemetry() {
    let newer = span("x.tool", &[("traceloop.span.kind", "tool"), ("gen_ai.tool.call.arguments", "{}")]);
    let origin = Origin::default();
    assert!(!OpenLlmetry.speaks(&At { span: &newer, origin: &origin, logs: &[] }));
    let plain = span("GET", &[("http.method", "GET")]);
    assert!(!OpenLlmetry.speaks(&At { span: &plain, origin: &origin, logs: &[] }));
}

#[test]
fn content_is_told_and_need_not_be_kept_twice() {
    for told in ["gen_ai.prompt.12.content", "gen_ai.completion.0.role", "traceloop.entity.input"] {
        assert!(OpenLlmetry.tells(told), "{told}");
    }
    for kept in ["llm.request.functions.0.name", "traceloop.workflow.name", "gen_ai.prompt"] {
        assert!(!OpenLlmetry.tells(kept), "{kept}");
    }
}
