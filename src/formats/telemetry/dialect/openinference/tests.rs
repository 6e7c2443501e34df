//! The shapes that LangGraph, OpenAI Agents and the Claude Agent SDK are recorded in.

use super::*;
use crate::formats::telemetry::{EventRecord, Origin, SpanRecord};
use crate::model::Usage;

type Given = [(&'static str, &'static str)];

const LANGCHAIN: &str = "langchain";
const AGENTS: &str = "openai_agents";
const CLAUDE: &str = "claude_agent_sdk";

fn span(name: &'static str, kind: &'static str, pairs: &Given) -> SpanRecord<'static> {
    let all = [("openinference.span.kind", kind)];
    let attributes = all.iter().chain(pairs).map(|(k, v)| ((*k).into(), Value::Text((*v).into()))).collect();
    let parent = Some("p".into());
    SpanRecord { name: name.into(), parent, attributes, start_ns: Some(100), ..SpanRecord::default() }
}

fn with<T>(scope: &str, span: &SpanRecord<'static>, f: impl Fn(&At<'_, 'static>) -> T) -> T {
    let scope = format!("openinference.instrumentation.{scope}").into();
    let origin = Origin { scope, ..Origin::default() };
    let at = At { span, origin: &origin, logs: &[] };
    assert!(OpenInference.speaks(&at));
    f(&at)
}

fn read(scope: &str, span: &SpanRecord<'static>) -> Reading<'static> {
    with(scope, span, |at| OpenInference.read(at))
}

fn asked(scope: &str, span: &SpanRecord<'static>) -> Option<Vec<Message<'static>>> {
    with(scope, span, |at| OpenInference.asked(at))
}

fn said(scope: &str, span: &SpanRecord<'static>) -> Option<Vec<Message<'static>>> {
    with(scope, span, |at| OpenInference.said(at))
}

#[test]
fn a_model_call_has_its_messages_tokens_cost_and_first_token() {
    let mut span = span(
        "ChatOpenAI",
        "LLM",
        &[
            ("input.value", r#"{"messages": []}"#),
            ("llm.input_messages.1.message.role", "user"),
            ("llm.input_messages.1.message.content", "Hi"),
            ("llm.input_messages.0.message.role", "system"),
            ("llm.input_messages.0.message.content", "Be brief."),
            ("llm.output_messages.0.message.role", "assistant"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.id", "c"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "lookup"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", "{\"id\": \"A1\"}"),
            ("llm.model_name", "gpt-4o-mini"),
            ("llm.token_count.prompt", "176"),
            ("llm.token_count.completion", "13"),
            ("llm.token_count.prompt_details.cache_read", "64"),
            ("llm.token_count.completion_details.reasoning", "0"),
            ("llm.cost.total", "0.0012"),
            ("metadata", r#"{"session_id": "s", "user_id": "u", "langgraph_node": "assistant"}"#),
        ],
    );
    let event = |time_ns| EventRecord { name: "First Token Stream Event".into(), time_ns, ..EventRecord::default() };
    span.events = vec![event(Some(170))];
    let reading = read(LANGCHAIN, &span);
    assert_eq!((reading.kind, reading.model.as_deref()), (SpanKind::Llm, Some("gpt-4o-mini")));
    assert_eq!(reading.output, Some(Payload::null()));
    let usage =
        Usage { input: Some(176), output: Some(13), cache_read: Some(64), cache_write: None, reasoning: Some(0) };
    assert_eq!((reading.usage, reading.is_total), (Some(usage), false));
    assert_eq!((reading.cost, reading.ttft_ns), (Some(NanoUsd(1_200_000)), Some(70)));
    assert_eq!((reading.session.as_deref(), reading.user.as_deref()), (Some("s"), Some("u")));
    let asked = asked(LANGCHAIN, &span).unwrap();
    let asked: Vec<_> = asked.iter().map(|m| (m.role, m.text.as_deref())).collect();
    assert_eq!(asked, [(Role::System, Some("Be brief.")), (Role::User, Some("Hi"))]);
    assert_eq!(said(LANGCHAIN, &span).unwrap()[0].calls[0].name, "lookup");
}

#[test]
fn a_model_call_that_failed_says_nothing_rather_than_an_empty_text() {
    let failed = span("ChatOpenAI", "LLM", &[("llm.output_messages.0.message.role", "assistant")]);
    assert_eq!((read(LANGCHAIN, &failed).output, read(LANGCHAIN, &failed).usage), (None, None));
    assert_eq!(said(LANGCHAIN, &failed), None);
    let bare = span("response", "LLM", &[]);
    assert_eq!((read(AGENTS, &bare).output, said(AGENTS, &bare), asked(AGENTS, &bare)), (None, None, None));
    let dump = r#"{"id":"resp_1","instructions":"Never say refund.","output":[]}"#;
    let dump = span("response", "LLM", &[("output.mime_type", "application/json"), ("output.value", dump)]);
    assert_eq!(read(AGENTS, &dump).output, None);
}

#[test]
fn redacted_words_are_withheld_and_never_an_empty_answer() {
    let redacted = span(
        "response",
        "LLM",
        &[
            ("input.value", "__REDACTED__"),
            ("llm.output_messages.0.message.role", "assistant"),
            ("llm.output_messages.0.message.content", "__REDACTED__"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "f"),
        ],
    );
    let reading = read(AGENTS, &redacted);
    assert_eq!((reading.input, reading.output, reading.withheld), (None, None, true));
    let tool = span("f", "TOOL", &[("input.value", "__REDACTED__"), ("output.value", "__REDACTED__")]);
    let reading = read(AGENTS, &tool);
    assert_eq!((reading.input, reading.output, reading.withheld), (None, None, true));
}

#[test]
fn openai_agents_leaves_out_empty_arguments_and_does_not_flatten_a_plain_input() {
    let pairs = [
        ("llm.input_messages.0.message.role", "system"),
        ("llm.input_messages.0.message.content", "Be brief."),
        ("input.value", "Hi"),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "transfer_to_math"),
    ];
    let span = span("response", "LLM", &pairs);
    assert_eq!(said(AGENTS, &span).unwrap()[0].calls[0].args, Some(Payload::text("{}")));
    assert_eq!(said(LANGCHAIN, &span).unwrap()[0].calls[0].args, None);
    let asked = asked(AGENTS, &span).unwrap();
    let asked: Vec<_> = asked.iter().map(|m| (m.role, m.text.as_deref())).collect();
    assert_eq!(asked, [(Role::System, Some("Be brief.")), (Role::User, Some("Hi"))]);
}

#[test]
fn a_tool_of_langgraph_has_the_content_of_its_message_and_the_id_of_its_call() {
    let output = r#"{"type": "tool", "data": {"content": "{\"total\": 24.5}", "type": "tool", "name": "lookup",
        "tool_call_id": "c", "status": "success"}}"#;
    let tool = |input, output| {
        let pairs = [
            ("input.value", input),
            ("output.value", output),
            ("output.mime_type", "application/json"),
            ("tool.name", "lookup"),
        ];
        read(LANGCHAIN, &span("lookup", "TOOL", &pairs))
    };
    let reading = tool("A1001", output);
    assert_eq!((reading.kind, reading.name.as_deref()), (SpanKind::Tool, Some("lookup")));
    assert_eq!(reading.input, Some(Payload::text("A1001")));
    assert_eq!((reading.output, reading.call_id.as_deref()), (Some(Payload::text("{\"total\": 24.5}")), Some("c")));
    assert_eq!((reading.failed, reading.withheld), (None, false));
    let failed = tool("A1001", r#"{"type": "tool", "data": {"content": "no", "type": "tool", "status": "error"}}"#);
    assert_eq!(failed.failed.as_deref(), Some("no"));
    assert!(tool("A1001", r#"{"type": "tool", "data": {"#).withheld);
}

#[test]
fn a_tool_prefers_its_input_and_takes_parameters_that_are_no_schema() {
    let tool = |pairs: &Given| read(CLAUDE, &span("Bash", "TOOL", pairs)).input;
    let (json, schema) = (r#"{"command": "ls"}"#, r#"{"properties": {"command": {}}, "type": "object"}"#);
    let mime = ("input.mime_type", "application/json");
    let both = [("tool.parameters", schema), ("input.value", json), mime];
    assert_eq!(tool(&both), Some(Payload::raw_json(json)));
    assert_eq!(tool(&[("tool.parameters", json)]), Some(Payload::raw_json(json)));
    assert_eq!(tool(&[("tool.parameters", schema)]), None);
    assert_eq!(tool(&[("tool.parameters", "[1]")]), None);
}

#[test]
fn a_handoff_has_the_name_by_which_the_model_called_it() {
    let pairs = [("input.value", "coordinator"), ("output.value", "Math specialist")];
    let reading = read(AGENTS, &span("handoff to Math specialist", "TOOL", &pairs));
    assert_eq!(reading.name.as_deref(), Some("transfer_to_math_specialist"));
    assert!(reading.hands_over);
    assert_eq!((reading.input, reading.output), (None, Some(Payload::text("Math specialist"))));
}

#[test]
fn what_an_application_draws_around_runs_is_told_from_an_agent() {
    let groups = |scope, parent: Option<&'static str>, pairs| {
        let mut span = span("Support chat", "AGENT", pairs);
        span.parent = parent.map(Into::into);
        read(scope, &span).groups_runs
    };
    assert!(groups(AGENTS, None, &[]));
    assert!(!groups(AGENTS, None, &[("agent.name", "Support")]));
    assert!(!groups(AGENTS, Some("p"), &[]));
    assert!(!groups(LANGCHAIN, None, &[]));
}

#[test]
fn a_graph_is_the_agent_and_its_nodes_are_nobody_s() {
    let kind = |name, metadata, is_root| {
        let mut span = span(name, "CHAIN", &[("metadata", metadata)]);
        if is_root {
            span.parent = None;
        }
        read(LANGCHAIN, &span).kind
    };
    let graph = r#"{"thread_id": "t", "ls_integration": "langgraph"}"#;
    let node = r#"{"ls_integration": "langgraph", "langgraph_node": "assistant"}"#;
    assert_eq!(kind("support_graph", graph, true), SpanKind::Agent);
    // Behind a server the graph has a parent.
    assert_eq!(kind("support_graph", graph, false), SpanKind::Agent);
    assert_eq!(kind("LangGraph", "{}", false), SpanKind::Agent);
    assert_eq!(kind("RunnableSequence", "{}", true), SpanKind::Agent);
    for (name, metadata) in [("assistant", node), ("tools_condition", node), ("RunnableSequence", "{}")] {
        assert_eq!(kind(name, metadata, false), SpanKind::Other, "{name}");
    }
    assert_eq!(read(AGENTS, &span("turn", "CHAIN", &[])).kind, SpanKind::Other);
    let agent = read(AGENTS, &span("Support agent", "AGENT", &[("agent.name", "Support agent")]));
    assert_eq!((agent.kind, agent.agent.as_deref()), (SpanKind::Agent, Some("Support agent")));
}

#[test]
fn a_graph_says_what_came_after_the_user_and_replies_with_the_last_of_it() {
    let output = r#"{"messages": [{"type": "human", "data": {"content": "Hi", "type": "human"}},
        {"type": "ai", "data": {"content": "", "type": "ai", "tool_calls": [{"name": "f", "args": {}, "id": "c"}]}},
        {"type": "tool", "data": {"content": "1", "type": "tool", "tool_call_id": "c"}},
        {"type": "ai", "data": {"content": "Done.", "type": "ai"}}]}"#;
    let pairs = [
        ("input.value", r#"{"messages": [["user", "Hi"]]}"#),
        ("input.mime_type", "application/json"),
        ("output.value", output),
        ("output.mime_type", "application/json"),
        ("metadata", r#"{"ls_integration": "langgraph"}"#),
    ];
    let span = span("support_graph", "CHAIN", &pairs);
    assert_eq!(read(LANGCHAIN, &span).output, Some(Payload::text("Done.")));
    assert_eq!(asked(LANGCHAIN, &span).unwrap()[0].text.as_deref(), Some("Hi"));
    let said = said(LANGCHAIN, &span).unwrap();
    assert_eq!(said.len(), 3);
    assert_eq!(said[1].results[0].id.as_deref(), Some("c"));
}

#[test]
fn an_agent_of_claude_has_a_total_that_leaves_out_the_cache() {
    let pairs = [
        ("input.value", "What is 42 * 7?"),
        ("input.mime_type", "text/plain"),
        ("output.value", "294\n"),
        ("output.mime_type", "text/plain"),
        ("llm.token_count.prompt", "4"),
        ("llm.token_count.completion", "767"),
        ("llm.token_count.prompt_details.cache_read", "29447"),
        ("llm.token_count.prompt_details.cache_write", "2861"),
        ("llm.cost.total", "0.0712653"),
        ("llm.output_messages.0.message.role", "assistant"),
        ("llm.output_messages.0.message.contents.0.message_content.type", "reasoning"),
        ("llm.output_messages.0.message.contents.0.message_content.text", "Hm."),
        ("llm.output_messages.1.message.role", "assistant"),
        ("llm.output_messages.1.message.content.0", "294\n"),
    ];
    let span = span("ClaudeAgentSDK.query", "AGENT", &pairs);
    let reading = read(CLAUDE, &span);
    assert_eq!(reading.usage.map(|u| (u.input, u.output)), Some((Some(32312), Some(767))));
    assert!(reading.is_total);
    assert_eq!((reading.output, reading.cost), (Some(Payload::text("294\n")), Some(NanoUsd(71_265_300))));
    assert_eq!(asked(CLAUDE, &span).unwrap()[0].text.as_deref(), Some("What is 42 * 7?"));
    let said: Vec<_> = said(CLAUDE, &span).unwrap().into_iter().map(|m| m.text).collect();
    assert_eq!(said, [None, Some("294\n".into())]);
}

#[test]
fn a_retrieval_brings_its_documents_in_order() {
    let pairs = [
        ("input.value", "opening hours"),
        ("retrieval.documents.10.document.content", "b"),
        ("retrieval.documents.2.document.id", "1"),
        ("retrieval.documents.2.document.content", "a"),
        ("retrieval.documents.2.document.vector", "[0]"),
    ];
    let reading = read(LANGCHAIN, &span("Retriever", "RETRIEVER", &pairs));
    assert_eq!((reading.kind, reading.input), (SpanKind::Retrieval, Some(Payload::text("opening hours"))));
    assert_eq!(reading.output, Some(Payload::raw_json(r#"[{"id":"1","content":"a"},{"content":"b"}]"#)));
    let redacted = span("Retriever", "RETRIEVER", &[("retrieval.documents.0.document.content", "__REDACTED__")]);
    assert!(read(LANGCHAIN, &redacted).withheld);
}

#[test]
fn text_completions_are_read() {
    let pairs = [("llm.prompts.0.prompt.text", "Once"), ("llm.choices.0.completion.text", " upon a time")];
    let span = span("completion", "LLM", &pairs);
    assert_eq!(read("llama_index", &span).output, Some(Payload::text(" upon a time")));
    let asked = asked("llama_index", &span).unwrap();
    assert_eq!((asked[0].role, asked[0].text.as_deref()), (Role::User, Some("Once")));
}

#[test]
fn content_is_told_and_need_not_be_kept_twice() {
    for told in ["llm.input_messages.3.message.content", "input.value", "retrieval.documents.0.document.content"] {
        assert!(OpenInference.tells(told), "{told}");
    }
    for kept in ["llm.tools.0.tool.json_schema", "metadata", "openinference.span.kind", "llm.finish_reason"] {
        assert!(!OpenInference.tells(kept), "{kept}");
    }
}
