//! A tool call as a chat message spells it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::malformed;
use crate::formats::wire::{Id, Part};
use crate::model::{Payload, Problem, Span, SpanKind, Text};

/// A tool call in any spelling: OpenAI's `function` with `arguments`, LangChain's `args`, a custom tool's `input`.
#[derive(Deserialize, Default)]
pub(super) struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Id<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<&'a RawValue>,
    #[serde(borrow, default)]
    custom: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "args", alias = "input")]
    arguments: Option<Payload<'a>>,
    #[serde(borrow, default)]
    error: Option<Payload<'a>>,
}

/// LangChain's raw copy of what the provider sent.
#[derive(Deserialize, Default)]
pub(super) struct AdditionalKwargs<'a> {
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    pub(super) function_call: Option<Call<'a>>,
}

impl<'a> Call<'a> {
    /// From an Anthropic `tool_use` part.
    pub(super) fn of_part(part: Part<'a>) -> Self {
        Self { id: part.id, name: part.name, arguments: part.input, ..Self::default() }
    }

    /// The span of the call, without its result.
    ///
    /// # Errors
    /// When it does not name a tool.
    pub(super) fn into_span(self) -> Result<Span<'a>, Problem> {
        let mut call = self;
        if let Some(raw) = call.function.or(call.custom) {
            if raw.get().starts_with('{') {
                let inner: Call<'a> =
                    serde_json::from_str(raw.get()).map_err(|e| malformed(format!("a tool call: {e}")))?;
                call.name = inner.name.or(call.name);
                call.arguments = inner.arguments.or(call.arguments);
            } else {
                let name = serde_json::from_str(raw.get()).map_err(|e| malformed(format!("a tool call: {e}")))?;
                call.name = call.name.or(Some(name));
            }
        }
        let name = call.name.ok_or_else(|| malformed("a tool call without a name".into()))?;
        let mut span = Span {
            kind: SpanKind::Tool,
            name,
            call_id: call.id.map(|i| i.0),
            input: call.arguments,
            ..Span::default()
        };
        if let Some(error) = call.error {
            span.attributes.push("call_error", error);
        }
        Ok(span)
    }
}
