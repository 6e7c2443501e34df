//! The shapes that versions 4 to 6 of the SDK record.

use super::*;
use crate::formats::telemetry::{Origin, SpanRecord};
use crate::model::Usage;

fn span(pairs: &[(&'static str, Value<'static>)]) -> SpanRecord<'static> {
    let attributes = pairs.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
    SpanRecord { attributes, ..SpanRecord::default() }
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

fn with<T>(span: &SpanRecord<'static>, f: impl Fn(&At<'_, 'static>) -> T) -> T {
    let origin = Origin::default();
    let at = At { span, origin: &origin, logs: &[] };
    assert!(Vercel.speaks(&at));
    f(&at)
}

fn read(pairs: &[(&'static str, Value<'static>)]) -> Reading<'static> {
    with(&span(pairs), |at| Vercel.read(at))
}

#[test]
fn a_step_is_a_model_call_with_its_first_chunk() {
    let reading = read(&[
        ("ai.operationId", text("ai.streamText.doStream")),
        ("ai.model.id", text("gpt-4o-mini")),
        ("ai.response.model", text("gpt-4o-mini-2026")),
        ("ai.telemetry.metadata.sessionId", text("s")),
        ("ai.telemetry.metadata.userId", text("u")),
        ("ai.response.msToFirstChunk", Value::Double(13.249_019_999_999_973)),
        ("ai.usage.inputTokens", Value::Int(174)),
        ("ai.usage.inputTokenDetails.noCacheTokens", Value::Int(110)),
        ("ai.usage.inputTokenDetails.cacheReadTokens", Value::Int(64)),
        ("ai.usage.outputTokens", Value::Int(13)),
        ("ai.usage.reasoningTokens", Value::Int(0)),
        ("ai.usage.cachedInputTokens", Value::Int(64)),
        ("gen_ai.usage.input_tokens", Value::Int(174)),
        ("ai.response.text", text("")),
        (
            "ai.response.toolCalls",
            text(r#"[{"type":"tool-call","toolCallId":"c","toolName":"refund","input":{"amount":24.5}}]"#),
        ),
    ]);
    assert_eq!((reading.kind, reading.is_total), (SpanKind::Llm, false));
    assert_eq!(reading.ttft_ns, Some(13_249_020));
    assert_eq!(reading.model.as_deref(), Some("gpt-4o-mini-2026"));
    assert_eq!((reading.session.as_deref(), reading.user.as_deref()), (Some("s"), Some("u")));
    assert_eq!(reading.output, Some(Payload::null()));
    let usage =
        Usage { input: Some(174), output: Some(13), cache_read: Some(64), cache_write: None, reasoning: Some(0) };
    assert_eq!(reading.usage, Some(usage));
}

#[test]
fn the_call_around_the_steps_is_the_agent_and_its_tokens_are_a_total() {
    let outer = span(&[
        ("ai.operationId", text("ai.generateText")),
        ("ai.telemetry.functionId", text("support-chat")),
        ("ai.prompt", text(r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#)),
        ("ai.response.text", text("Refunded.\n")),
        ("ai.usage.promptTokens", Value::Int(521)),
        ("ai.usage.completionTokens", Value::Double(f64::NAN)),
    ]);
    let reading = with(&outer, |at| Vercel.read(at));
    assert_eq!((reading.kind, reading.is_total), (SpanKind::Agent, true));
    assert_eq!(reading.agent.as_deref(), Some("support-chat"));
    assert_eq!(reading.output, Some(Payload::text("Refunded.\n")));
    assert_eq!(reading.usage.map(|u| (u.input, u.output)), Some((Some(521), None)));
    let (asked, said) = with(&outer, |at| (Vercel.asked(at).unwrap(), Vercel.said(at).unwrap()));
    let asked: Vec<_> = asked.iter().map(|m| (m.role, m.text.as_deref())).collect();
    assert_eq!(asked, [(Role::System, Some("Be brief.")), (Role::User, Some("Hi"))]);
    assert_eq!(said[0].text.as_deref(), Some("Refunded.\n"));
    let simple = span(&[("ai.operationId", text("ai.streamText")), ("ai.prompt", text(r#"{"prompt":"Hi"}"#))]);
    assert_eq!(with(&simple, |at| Vercel.asked(at)).unwrap()[0].text.as_deref(), Some("Hi"));
    assert_eq!(with(&simple, |at| Vercel.said(at)), None);
}

#[test]
fn arguments_are_json_or_json_in_a_string() {
    let step =
        |calls| span(&[("ai.operationId", text("ai.generateText.doGenerate")), ("ai.response.toolCalls", text(calls))]);
    let args = |calls| {
        let said = with(&step(calls), |at| Vercel.said(at)).unwrap();
        said[0].calls[0].args.as_ref().unwrap().as_str().to_owned()
    };
    assert_eq!(args(r#"[{"toolCallId":"c","toolName":"f","input":"{\"a\": 1}"}]"#), r#"{"a": 1}"#);
    assert_eq!(args(r#"[{"toolCallId":"c","toolName":"f","args":{"a":1}}]"#), r#"{"a":1}"#);
    let cut = step(r#"[{"toolCallId":"c","#);
    assert_eq!(with(&cut, |at| Vercel.said(at)), None);
    assert!(with(&cut, |at| Vercel.read(at)).withheld);
}

#[test]
fn a_prompt_replays_calls_and_results_with_their_errors() {
    let step = span(&[
        ("ai.operationId", text("ai.generateText.doGenerate")),
        (
            "ai.prompt.messages",
            text(
                r#"[{"role":"user","content":[{"type":"text","text":"Cancel."}]},
            {"role":"assistant","content":[{"type":"tool-call","toolCallId":"c","toolName":"cancel","input":{"id":"A1"}}]},
            {"role":"tool","content":[{"type":"tool-result","toolCallId":"c","toolName":"cancel",
              "output":{"type":"error-text","value":"no such tool"}}]},
            {"role":"tool","content":[{"type":"tool-result","toolCallId":"d","output":{"type":"json","value":{"a":1}}}]},
            {"role":"tool","content":[{"type":"tool-result","toolCallId":"e","result":"x","isError":true}]}]"#,
            ),
        ),
    ]);
    let asked = with(&step, |at| Vercel.asked(at)).unwrap();
    assert_eq!(asked[0].text.as_deref(), Some("Cancel."));
    assert_eq!(asked[1].calls[0].args, Some(Payload::raw_json(r#"{"id":"A1"}"#)));
    let outcome = |id: &'static str, content, error| Outcome { id: Some(id.into()), content: Some(content), error };
    assert_eq!(asked[2].results, [outcome("c", Payload::text("no such tool"), true)]);
    assert_eq!(asked[3].results, [outcome("d", Payload::raw_json(r#"{"a":1}"#), false)]);
    assert_eq!(asked[4].results, [outcome("e", Payload::text("x"), true)]);
}

#[test]
fn a_tool_call_has_its_name_id_arguments_and_result() {
    let tool = |args, result| {
        read(&[
            ("ai.operationId", text("ai.toolCall")),
            ("ai.toolCall.name", text("lookup")),
            ("ai.toolCall.id", text("c")),
            ("ai.toolCall.args", text(args)),
            ("ai.toolCall.result", text(result)),
        ])
    };
    let reading = tool(r#"{"id":"A1"}"#, r#""done""#);
    assert_eq!(
        (reading.kind, reading.name.as_deref(), reading.call_id.as_deref()),
        (SpanKind::Tool, Some("lookup"), Some("c"))
    );
    assert_eq!(reading.input, Some(Payload::raw_json(r#"{"id":"A1"}"#)));
    assert_eq!(reading.output, Some(Payload::text("done")));
    let cut = tool(r#"{"id":"#, r#"{"content":[],"isError":true}"#);
    assert_eq!((cut.input, cut.withheld), (None, true));
    assert!(cut.failed.is_some());
}

#[test]
fn embeddings_are_retrieval_and_what_sums_them_up_is_not() {
    let kind = |operation| read(&[("ai.operationId", text(operation)), ("ai.usage.tokens", Value::Int(9))]);
    let inner = kind("ai.embed.doEmbed");
    assert_eq!((inner.kind, inner.is_total, inner.usage.unwrap().input), (SpanKind::Retrieval, false, Some(9)));
    let outer = kind("ai.embedMany");
    assert_eq!((outer.kind, outer.is_total), (SpanKind::Other, true));
}

#[test]
fn times_that_are_none_say_nothing() {
    assert_eq!(nanoseconds(0.5), Some(500_000));
    for none in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(nanoseconds(none), None, "{none}");
    }
}
