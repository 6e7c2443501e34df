//! `openinference`: the spans of Arize's instrumentations (LangChain and LangGraph, OpenAI Agents, smolagents, Agno,
//! Claude Agent SDK), with messages flattened into attributes.
//!
//! Agents are the spans of kind `AGENT`, and the chain that is the whole run: one without a parent, or a LangGraph graph
//! whose parent belongs to a server. The chains within (`assistant`, `tools`, `tools_condition`, `turn`) are nobody's.

mod documents;

use self::documents::Documents;
use super::flat::{self, Drafts, Flat, Habits};
use super::raw::Fields;
use super::recorded::{self, Recorded};
use super::stripped::{self, Side};
use super::tokens::Tokens;
use super::{At, Dialect, Message, Reading, Role, by_attributes, is_withheld, langchain, message};
use crate::formats::telemetry::{Value, find};
use crate::model::{NanoUsd, Payload, SpanKind, Text};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct OpenInference;

impl Dialect for OpenInference {
    fn name(&self) -> &'static str {
        "openinference"
    }

    fn doc(&self) -> &'static str {
        "OpenInference, the attributes of Arize's instrumentations: `openinference.span.kind`, `llm.input_messages.*`, \
         `input.value`."
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        find(&at.span.attributes, "openinference.span.kind").is_some()
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let mut reading = Reading {
            kind: facts.kind,
            agent: facts.agent(at),
            model: facts.model.and_then(Value::text),
            session: facts.session(),
            user: facts.user(),
            usage: facts.tokens.usage(),
            cost: facts.cost.and_then(Value::number).filter(|usd| *usd >= 0.0).and_then(NanoUsd::from_usd),
            ttft_ns: recorded::first_chunk(at.span, |e| e.name == "First Token Stream Event"),
            ..Reading::default()
        };
        // The span of `trace()`; that of an agent has its name.
        let of_application = in_scope(at, "openai_agents") && at.span.parent.is_none();
        reading.groups_runs = of_application && facts.kind == SpanKind::Agent && reading.agent.is_none();
        reading.is_total = reading.usage.is_some() && matches!(facts.kind, SpanKind::Agent | SpanKind::Other);
        match facts.kind {
            SpanKind::Tool => facts.tool(at, &mut reading),
            SpanKind::Retrieval => facts.retrieval(&mut reading),
            SpanKind::Llm => facts.llm(at, &mut reading),
            _ => facts.other(&mut reading),
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        if !matches!(facts.kind, SpanKind::Llm | SpanKind::Agent) {
            return None;
        }
        let attributes = &at.span.attributes;
        let flat = flat::messages(attributes, "llm.input_messages.", habits(at, Role::User));
        let flat = flat.or_else(|| texts(at, "llm.prompts.", ".prompt.text", Role::User));
        let flat = stripped::words(at, Side::Input, flat, true);
        let mut messages = flat.map(|f| f.messages);
        // OpenAI Agents flattens the instructions but not an input that is one text.
        if messages.as_ref().is_none_or(|m| m.iter().all(|m| m.role == Role::System)) {
            let more = facts.words(facts.input, facts.input_is_json, Role::User);
            messages = match (messages, more) {
                (Some(mut messages), Some(more)) => {
                    messages.extend(more.into_iter().filter(|m| m.role != Role::System));
                    Some(messages)
                }
                (messages, more) => messages.or(more),
            };
        }
        messages
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        if !matches!(facts.kind, SpanKind::Llm | SpanKind::Agent) {
            return None;
        }
        match facts.said(at) {
            Some(flat) => flat.spoken(),
            None => {
                let said = facts.words(facts.output, facts.output_is_json, Role::Assistant)?;
                if facts.kind == SpanKind::Agent { langchain::since_user(said) } else { Some(said) }
            }
        }
    }

    fn tells(&self, attribute: &str) -> bool {
        let begins = |prefix| attribute.starts_with(prefix);
        begins("llm.input_messages.")
            || begins("llm.output_messages.")
            || begins("llm.prompts.")
            || begins("llm.choices.")
            || begins("retrieval.documents.")
            || begins("reranker.output_documents.")
            || matches!(attribute, "input.value" | "input.mime_type" | "output.value" | "output.mime_type")
    }
}

fn in_scope(at: &At<'_, '_>, library: &str) -> bool {
    at.origin.scope.strip_prefix("openinference.instrumentation.").is_some_and(|s| s == library)
}

fn habits(at: &At<'_, '_>, role: Role) -> Habits {
    Habits { leaves_out_empty_arguments: in_scope(at, "openai_agents"), ..Habits::plain(role) }
}

/// What the attributes say, gathered in one pass.
#[derive(Default)]
struct Facts<'s, 'a> {
    kind: SpanKind,
    chain: bool,
    input: Option<&'s Value<'a>>,
    input_is_json: bool,
    output: Option<&'s Value<'a>>,
    output_is_json: bool,
    tool: Option<&'s Value<'a>>,
    call_id: Option<&'s Value<'a>>,
    parameters: Option<&'s Value<'a>>,
    agent: Option<&'s Value<'a>>,
    model: Option<&'s Value<'a>>,
    cost: Option<&'s Value<'a>>,
    session: Option<&'s Value<'a>>,
    user: Option<&'s Value<'a>>,
    metadata: Option<&'s Value<'a>>,
    query: Option<&'s Value<'a>>,
    tokens: Tokens,
    documents: Documents<'s, 'a>,
}

impl<'s, 'a> Facts<'s, 'a> {
    fn of(at: &At<'s, 'a>) -> Self {
        let mut facts = Self::default();
        let (mut answered, mut named, mut requested) = (None, None, None);
        let is_json = |value: &Value<'a>| value.as_str() == Some("application/json");
        for (name, value) in &at.span.attributes {
            match name.as_str() {
                "openinference.span.kind" => facts.chain = value.as_str() == Some("CHAIN"),
                "input.value" => facts.input = Some(value),
                "input.mime_type" => facts.input_is_json = is_json(value),
                "output.value" => facts.output = Some(value),
                "output.mime_type" => facts.output_is_json = is_json(value),
                "tool.name" => facts.tool = Some(value),
                "tool.id" | "tool_call.id" => facts.call_id = Some(value),
                "tool.parameters" => facts.parameters = Some(value),
                "agent.name" => facts.agent = Some(value),
                "llm.response.model_name" => answered = Some(value),
                "llm.model_name" | "embedding.model_name" | "reranker.model_name" => named = Some(value),
                "llm.request.model_name" => requested = Some(value),
                "llm.token_count.prompt" => facts.tokens.input = value.count(),
                "llm.token_count.completion" => facts.tokens.output = value.count(),
                "llm.token_count.prompt_details.cache_read" => facts.tokens.cache_read = value.count(),
                "llm.token_count.prompt_details.cache_write" => facts.tokens.cache_write = value.count(),
                "llm.token_count.completion_details.reasoning" => facts.tokens.reasoning = value.count(),
                "llm.cost.total" => facts.cost = Some(value),
                "session.id" => facts.session = Some(value),
                "user.id" => facts.user = Some(value),
                "metadata" => facts.metadata = Some(value),
                "reranker.query" => facts.query = Some(value),
                name => facts.documents.take(name, value),
            }
        }
        facts.model = answered.or(named).or(requested);
        // It hands on Anthropic's own count.
        facts.tokens.input_excludes_cache = in_scope(at, "claude_agent_sdk");
        facts.kind = match by_attributes(&at.span.attributes) {
            SpanKind::Other if facts.is_run(at) => SpanKind::Agent,
            kind => kind,
        };
        if facts.kind != SpanKind::Llm {
            facts.input = facts.input.or_else(|| stripped::value(at, Side::Input));
            facts.output = facts.output.or_else(|| stripped::value(at, Side::Output));
        }
        facts
    }

    /// Whether a chain is the whole run of an agent. LangGraph names the node that a span belongs to; a graph within a
    /// node is part of another's run.
    fn is_run(&self, at: &At<'_, 'a>) -> bool {
        if !self.chain {
            return false;
        }
        let metadata = self.metadata.and_then(Value::as_str).and_then(Fields::parse);
        let of_node = metadata.as_ref().is_some_and(|m| m.get(&["langgraph_node"]).is_some());
        let is_graph = at.span.name == "LangGraph"
            || metadata.is_some_and(|m| m.string(&["ls_integration"]).is_some_and(|i| i == "langgraph"));
        !of_node && (at.span.parent.is_none() || is_graph)
    }

    fn agent(&self, at: &At<'_, 'a>) -> Option<Text<'a>> {
        let named = self.agent.and_then(Value::text);
        named.or_else(|| find(&at.span.attributes, "gen_ai.agent.name").and_then(Value::text))
    }

    /// The session, where only the metadata names it.
    fn session(&self) -> Option<Text<'a>> {
        let names = ["session_id", "thread_id", "conversation_id"];
        self.session.and_then(Value::text).or_else(|| self.in_metadata(&names))
    }

    fn user(&self) -> Option<Text<'a>> {
        self.user.and_then(Value::text).or_else(|| self.in_metadata(&["user_id"]))
    }

    fn in_metadata(&self, names: &[&str]) -> Option<Text<'a>> {
        let found = recorded::member(&self.metadata?.text()?, names)?;
        (!found.is_json() && !found.as_str().is_empty()).then(|| found.into_text())
    }

    fn tool(&self, at: &At<'_, 'a>, reading: &mut Reading<'a>) {
        reading.name = self.tool.and_then(Value::text).or_else(|| Some(at.span.name.clone()));
        reading.call_id = self.call_id.and_then(Value::text).filter(|id| !id.is_empty());
        if let Some(agent) = self.handoff(at) {
            // The input is the agent that hands over, and no argument.
            reading.name = Some(agent);
            reading.hands_over = true;
        } else {
            let input = self.input.map(|v| payload(v, self.input_is_json)).or_else(|| self.parameters());
            reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        }
        let Some(output) = self.output else { return };
        if let Some(result) =
            output.text().filter(|_| in_scope(at, "langchain")).and_then(|t| langchain::tool_result(&t))
        {
            reading.call_id = reading.call_id.take().or(result.id);
            reading.withheld |= result.content.is_none();
            reading.output = result.content;
            reading.failed = if result.error { Some(words_of(reading.output.as_ref())) } else { None };
            return;
        }
        reading.output = payload(output, self.output_is_json).known(&mut reading.withheld);
        reading.failed = reading.output.as_ref().and_then(super::facts::error_in);
    }

    /// OpenAI Agents records a handoff as `handoff to NAME`; the model called it by the name that the SDK makes of it.
    fn handoff(&self, at: &At<'_, 'a>) -> Option<Text<'a>> {
        if self.tool.is_some() || !in_scope(at, "openai_agents") {
            return None;
        }
        let to = at.span.name.strip_prefix("handoff to ")?;
        let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        Some(format!("transfer_to_{}", to.chars().map(plain).collect::<String>()).into())
    }

    /// Arguments that are written where the tool's definition should be.
    fn parameters(&self) -> Option<Recorded<'a>> {
        let value = self.parameters?;
        let fields = Fields::parse(value.as_str()?)?;
        let is_schema = fields.present(&["properties", "$schema", "$ref"]).is_some();
        (!is_schema).then(|| recorded::declared_json(value))
    }

    fn retrieval(&self, reading: &mut Reading<'a>) {
        let input = self.query.or(self.input).map(recorded::as_is);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        let documents = self.documents.json(&mut reading.withheld);
        reading.output = documents.or_else(|| recorded::as_is(self.output?).known(&mut reading.withheld));
    }

    fn llm(&self, at: &At<'_, 'a>, reading: &mut Reading<'a>) {
        let input = self.input.map(recorded::as_is);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        if let Some(flat) = self.said(at) {
            reading.withheld |= flat.withheld;
            let output = message::output(Some(&flat.messages));
            // A text that was withheld is not a model that said nothing.
            reading.output = output.filter(|o| !(flat.withheld && o.is_null()));
            reading.said = flat.spoken();
            return;
        }
        reading.withheld |= self.output.and_then(Value::as_str).is_some_and(is_withheld);
        reading.said = self.words(self.output, self.output_is_json, Role::Assistant);
        reading.output = message::output(reading.said.as_deref());
    }

    fn other(&self, reading: &mut Reading<'a>) {
        let input = self.input.map(recorded::as_is);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        let Some(output) = self.output else { return };
        if self.kind != SpanKind::Agent || !self.output_is_json {
            // A chain within a run replays the whole history: it is kept as it is, unread.
            reading.output = recorded::as_is(output).known(&mut reading.withheld);
            return;
        }
        let said = output.text().and_then(|text| langchain::messages(&text, Role::Assistant));
        reading.output = match said.and_then(langchain::since_user) {
            Some(said) => langchain::reply(&said),
            None => recorded::declared_json(output).known(&mut reading.withheld),
        };
    }

    /// What the model said in messages of its own.
    fn said(&self, at: &At<'_, 'a>) -> Option<Flat<'a>> {
        let attributes = &at.span.attributes;
        let said = flat::messages(attributes, "llm.output_messages.", habits(at, Role::Assistant));
        let said = said.or_else(|| texts(at, "llm.choices.", ".completion.text", Role::Assistant));
        stripped::words(at, Side::Output, said, true)
    }

    /// The messages in an input or output value: in its JSON, or the text itself.
    fn words(&self, value: Option<&'s Value<'a>>, is_json: bool, role: Role) -> Option<Vec<Message<'a>>> {
        let text = value?.text()?;
        if !is_json {
            return message::said(text, role).map(|m| vec![m]);
        }
        match recorded::declared_json(value?) {
            Recorded::This(payload) if !payload.is_json() => message::said(payload.into_text(), role).map(|m| vec![m]),
            Recorded::This(_) => langchain::messages(&text, role),
            Recorded::Withheld => None,
        }
    }
}

/// What a tool or agent was given or gave back.
fn payload<'a>(value: &Value<'a>, is_json: bool) -> Recorded<'a> {
    if is_json { recorded::declared_json(value) } else { recorded::as_is(value) }
}

fn words_of<'a>(result: Option<&Payload<'a>>) -> Text<'a> {
    result.map_or_else(|| "the result is an error".into(), |r| r.clone().into_text())
}

/// `llm.prompts.0.prompt.text` and `llm.choices.0.completion.text`, of models that complete a text.
fn texts<'a>(at: &At<'_, 'a>, prefix: &str, suffix: &str, role: Role) -> Option<Flat<'a>> {
    let mut drafts = Drafts::default();
    for (name, value) in &at.span.attributes {
        if let Some(number) = name.strip_prefix(prefix).and_then(|n| n.strip_suffix(suffix)) {
            drafts.take(&format!("{number}.content"), value);
        }
    }
    drafts.finish(Habits::plain(role))
}

#[cfg(test)]
mod tests;
