//! `openllmetry`: the spans of Traceloop's instrumentations and decorators, in their older form with numbered prompts.
//! Their newer form writes OpenTelemetry's own messages and is read as such.
//!
//! Agents are the spans of kind `agent` and the `workflow` around them, which is the whole run. Tasks are nobody's.

use super::flat::{self, Flat, Habits};
use super::raw::Fields;
use super::recorded::{self, Recorded};
use super::tokens::{self, Tokens};
use super::{At, Dialect, Message, Reading, Role, by_attributes, langchain, message};
use crate::formats::telemetry::Value;
use crate::model::{Payload, SpanKind, Text};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct OpenLlmetry;

impl Dialect for OpenLlmetry {
    fn name(&self) -> &'static str {
        "openllmetry"
    }

    fn doc(&self) -> &'static str {
        "OpenLLMetry, the attributes of Traceloop's instrumentations: `traceloop.*`, `gen_ai.prompt.N.*`, \
         `gen_ai.completion.N.*`."
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        let (mut own, mut newer) = (false, false);
        for (name, _) in &at.span.attributes {
            match name.as_str() {
                "traceloop.span.kind" | "traceloop.entity.input" | "traceloop.entity.output" | "llm.request.type" => {
                    own = true;
                }
                "gen_ai.input.messages"
                | "gen_ai.output.messages"
                | "gen_ai.tool.call.arguments"
                | "gen_ai.tool.call.result" => newer = true,
                name => own |= name.starts_with("gen_ai.prompt.0.") || name.starts_with("gen_ai.completion.0."),
            }
        }
        own && !newer
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let mut reading = Reading {
            kind: facts.kind,
            agent: facts.agent.and_then(Value::text),
            model: facts.response_model.or(facts.request_model).and_then(Value::text),
            usage: facts.tokens.usage(),
            ttft_ns: recorded::first_chunk(at.span, |e| e.name.ends_with("content.completion.chunk")),
            session: facts.session.and_then(Value::text),
            user: facts.user.and_then(Value::text),
            ..Reading::default()
        };
        reading.is_total = reading.usage.is_some() && matches!(facts.kind, SpanKind::Agent | SpanKind::Other);
        match facts.kind {
            SpanKind::Llm => {
                if let Some(flat) = said(at) {
                    reading.withheld |= flat.withheld;
                    let output = message::output(Some(&flat.messages));
                    // A text that was withheld is not a model that said nothing.
                    reading.output = output.filter(|o| !(flat.withheld && o.is_null()));
                }
            }
            SpanKind::Tool => facts.tool(at, &mut reading),
            _ => facts.other(&mut reading),
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        match facts.kind {
            SpanKind::Llm => {
                let habits = Habits { encoded_parts: true, ..Habits::plain(Role::User) };
                flat::messages(&at.span.attributes, "gen_ai.prompt.", habits).map(|f| f.messages)
            }
            // The arguments of a decorated function are the program's own: which of them the user said, nobody knows.
            SpanKind::Agent => langchain::messages(&facts.input?.text()?, Role::User),
            _ => None,
        }
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        match facts.kind {
            SpanKind::Llm => said(at).map(|f| f.messages),
            SpanKind::Agent => facts.said(),
            _ => None,
        }
    }

    fn tells(&self, attribute: &str) -> bool {
        let begins = |prefix| attribute.starts_with(prefix);
        begins("gen_ai.prompt.")
            || begins("gen_ai.completion.")
            || matches!(attribute, "traceloop.entity.input" | "traceloop.entity.output")
    }
}

fn said<'a>(at: &At<'_, 'a>) -> Option<Flat<'a>> {
    let habits = Habits { encoded_parts: true, ..Habits::plain(Role::Assistant) };
    flat::messages(&at.span.attributes, "gen_ai.completion.", habits)
}

/// What the attributes say, gathered in one pass.
#[derive(Default)]
struct Facts<'s, 'a> {
    kind: SpanKind,
    entity: Option<&'s Value<'a>>,
    input: Option<&'s Value<'a>>,
    output: Option<&'s Value<'a>>,
    agent: Option<&'s Value<'a>>,
    request_model: Option<&'s Value<'a>>,
    response_model: Option<&'s Value<'a>>,
    session: Option<&'s Value<'a>>,
    user: Option<&'s Value<'a>>,
    tokens: Tokens,
}

impl<'s, 'a> Facts<'s, 'a> {
    fn of(at: &At<'s, 'a>) -> Self {
        let mut facts = Self::default();
        let mut workflow = false;
        for (name, value) in &at.span.attributes {
            match name.as_str() {
                "traceloop.span.kind" => workflow = value.as_str() == Some("workflow"),
                "traceloop.entity.name" => facts.entity = Some(value),
                "traceloop.entity.input" => facts.input = Some(value),
                "traceloop.entity.output" => facts.output = Some(value),
                "traceloop.association.properties.session_id" => facts.session = Some(value),
                "traceloop.association.properties.user_id" => facts.user = Some(value),
                "gen_ai.agent.name" => facts.agent = Some(value),
                "gen_ai.request.model" => facts.request_model = Some(value),
                "gen_ai.response.model" => facts.response_model = Some(value),
                name => facts.count(name, value),
            }
        }
        facts.kind = match by_attributes(&at.span.attributes) {
            SpanKind::Other if workflow => SpanKind::Agent,
            kind => kind,
        };
        if facts.kind == SpanKind::Agent && !workflow {
            facts.agent = facts.agent.or(facts.entity);
        }
        facts
    }

    fn count(&mut self, name: &str, value: &Value<'a>) {
        let tokens = &mut self.tokens;
        let slot = match name.strip_prefix("gen_ai.usage.") {
            Some("input_tokens" | "prompt_tokens") => &mut tokens.input,
            Some("output_tokens" | "completion_tokens") => &mut tokens.output,
            Some("cache_read_input_tokens" | "cache_read.input_tokens") => &mut tokens.cache_read,
            Some(
                "cache_creation_input_tokens"
                | "cache_creation.input_tokens"
                | "cache_write_input_tokens"
                | "cache_write.input_tokens",
            ) => &mut tokens.cache_write,
            Some("reasoning_tokens" | "reasoning.output_tokens") => &mut tokens.reasoning,
            _ => return,
        };
        tokens::count(slot, value);
    }

    fn tool(&self, at: &At<'_, 'a>, reading: &mut Reading<'a>) {
        let name = self.entity.and_then(Value::text);
        let plain = at.span.name.strip_suffix(".tool").map(|n| n.to_owned().into());
        reading.name = name.or(plain).or_else(|| Some(at.span.name.clone()));
        let input = self.input.map(arguments);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        let Some(output) = self.output else { return };
        if let Some(result) = output.text().and_then(|t| langchain::tool_result(&t)) {
            reading.call_id = result.id;
            reading.withheld |= result.content.is_none();
            reading.output = result.content;
            if result.error {
                let words = reading.output.clone().map(Payload::into_text);
                reading.failed = words.or_else(|| Some("the result is an error".into()));
            }
            return;
        }
        reading.output = recorded::maybe_json(output).known(&mut reading.withheld);
        reading.failed = reading.output.as_ref().and_then(recorded::error_in);
    }

    fn other(&self, reading: &mut Reading<'a>) {
        let input = self.input.map(recorded::as_is);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        let Some(output) = self.output else { return };
        let said = if self.kind == SpanKind::Agent { self.said() } else { None };
        reading.output = match said {
            Some(said) => langchain::reply(&said),
            None => recorded::maybe_json(output).known(&mut reading.withheld),
        };
    }

    /// What an agent or workflow returned: a text, or LangChain's messages.
    fn said(&self) -> Option<Vec<Message<'a>>> {
        let value = self.output?;
        match recorded::maybe_json(value) {
            Recorded::This(text) if !text.is_json() => {
                message::said(text.into_text(), Role::Assistant).map(|m| vec![m])
            }
            Recorded::This(_) => langchain::messages(&value.text()?, Role::Assistant).and_then(langchain::since_user),
            Recorded::Withheld => None,
        }
    }
}

/// The arguments of a tool: a decorated function's named ones, where it has no others; LangChain's `inputs`.
fn arguments<'a>(value: &Value<'a>) -> Recorded<'a> {
    let whole = recorded::maybe_json(value);
    let (Recorded::This(payload), Some(text)) = (&whole, value.text()) else { return whole };
    if !payload.is_json() {
        return whole;
    }
    match named(&text) {
        Some(names) => recorded::member(&text, names).map_or(whole, Recorded::This),
        None => whole,
    }
}

/// The member of a recorded call that holds the arguments by name.
fn named(text: &Text<'_>) -> Option<&'static [&'static str]> {
    let fields = Fields::parse(text)?;
    let is_empty = |name| fields.get(&[name]).is_none_or(|raw| matches!(raw.get(), "[]" | "[ ]"));
    if fields.get(&["kwargs"]).is_some() && fields.present(&["args"]).is_some() {
        return is_empty("args").then_some(&["kwargs"]);
    }
    if fields.present(&["input_str"]).is_some() {
        return fields.get(&["inputs"]).map(|_| &["inputs"][..]);
    }
    None
}

#[cfg(test)]
mod tests {
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
        span.events = vec![EventRecord {
            name: "llm.content.completion.chunk".into(),
            time_ns: Some(130),
            ..EventRecord::default()
        }];
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
            (
                "traceloop.entity.input",
                r#"{"inputs": {"messages": [{"role": "user", "content": "Hi"}]}, "kwargs": {}}"#,
            ),
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
}
