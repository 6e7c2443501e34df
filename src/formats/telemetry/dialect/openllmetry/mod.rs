//! `openllmetry`: the spans of Traceloop's instrumentations and decorators, in their older form with numbered prompts.
//! Their newer form writes OpenTelemetry's own messages and is read as such.
//!
//! Agents are the spans of kind `agent` and the `workflow` around them, which is the whole run. Tasks are nobody's.

use super::flat::{self, Flat, Habits};
use super::raw::Fields;
use super::recorded::{self, Recorded};
use super::stripped::{self, Side};
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
                    reading.said = flat.spoken();
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
                let flat = flat::messages(&at.span.attributes, "gen_ai.prompt.", habits);
                stripped::words(at, Side::Input, flat, false).map(|f| f.messages)
            }
            // The arguments of a decorated function are the program's own: which of them the user said, nobody knows.
            SpanKind::Agent => langchain::messages(&facts.input?.text()?, Role::User),
            _ => None,
        }
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        match facts.kind {
            SpanKind::Llm => said(at)?.spoken(),
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
    let flat = flat::messages(&at.span.attributes, "gen_ai.completion.", habits);
    stripped::words(at, Side::Output, flat, false)
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
        if facts.kind != SpanKind::Llm {
            facts.input = facts.input.or_else(|| stripped::value(at, Side::Input));
            facts.output = facts.output.or_else(|| stripped::value(at, Side::Output));
        }
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
        reading.failed = reading.output.as_ref().and_then(super::facts::error_in);
    }

    fn other(&self, reading: &mut Reading<'a>) {
        let input = self.input.map(recorded::as_is);
        reading.input = input.and_then(|r| r.known(&mut reading.withheld));
        let Some(output) = self.output else { return };
        let said = if self.kind == SpanKind::Agent { self.said() } else { None };
        reading.output = match said {
            Some(said) => langchain::reply(&said),
            None if self.kind == SpanKind::Agent => recorded::maybe_json(output).known(&mut reading.withheld),
            None => recorded::as_is(output).known(&mut reading.withheld),
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
mod tests;
