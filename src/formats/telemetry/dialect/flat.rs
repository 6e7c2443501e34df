//! Messages that are flattened into attributes, as OpenInference (`llm.output_messages.0.message.role`) and OpenLLMetry
//! (`gen_ai.completion.0.role`) write them: collected in one pass, in the order of their numbers, whatever is missing.

use std::collections::{BTreeMap, HashSet};

use super::{Call, Message, Outcome, Role, is_withheld, message};
use crate::formats::telemetry::{Pairs, Value};
use crate::model::{Payload, Text};

/// How a dialect fills the places that the names leave open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Who speaks where no role is recorded.
    pub(super) role: Role,
    /// A content may be a list of typed parts that was encoded as JSON.
    pub(super) encoded_parts: bool,
    /// Arguments that are an empty object are left out, so that a call without any had none.
    pub(super) leaves_out_empty_arguments: bool,
}

impl Habits {
    /// What is written is all there is.
    pub(super) const fn plain(role: Role) -> Self {
        Self { role, encoded_parts: false, leaves_out_empty_arguments: false }
    }
}

/// The messages of a span, and whether a text or an argument of theirs was withheld.
#[derive(Debug, Default)]
pub(super) struct Flat<'a> {
    pub(super) messages: Vec<Message<'a>>,
    pub(super) withheld: bool,
}

impl<'a> Flat<'a> {
    /// The messages, as what came out of a model; `None` when they hold nothing at all: a call that failed leaves an
    /// empty message behind, and so does a recorder that keeps the words to itself.
    pub(super) fn spoken(self) -> Option<Vec<Message<'a>>> {
        let holds = |m: &Message<'_>| m.text.is_some() || !m.calls.is_empty() || !m.results.is_empty();
        self.messages.iter().any(holds).then_some(self.messages)
    }
}

/// Collects the messages whose attributes begin with `prefix`; `None` when there are none.
pub(super) fn messages<'a>(attributes: &Pairs<'a>, prefix: &str, habits: Habits) -> Option<Flat<'a>> {
    let mut drafts = Drafts::default();
    for (name, value) in attributes {
        if let Some(rest) = name.strip_prefix(prefix) {
            drafts.take(rest, value);
        }
    }
    drafts.finish(habits)
}

/// Messages while their attributes come in.
#[derive(Default)]
pub(super) struct Drafts<'s, 'a>(BTreeMap<u64, Draft<'s, 'a>>);

impl<'s, 'a> Drafts<'s, 'a> {
    /// Takes an attribute; `rest` is its name behind the prefix, beginning with the message's number.
    pub(super) fn take(&mut self, rest: &str, value: &'s Value<'a>) {
        if let Some((index, field)) = numbered(rest) {
            let field = field.strip_prefix("message.").unwrap_or(field);
            self.0.entry(index).or_default().take(field, value);
        }
    }

    /// The messages in the order of their numbers; `None` when no attribute was taken.
    pub(super) fn finish(self, habits: Habits) -> Option<Flat<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let mut flat = Flat::default();
        for draft in self.0.into_values() {
            let message = draft.finish(habits, &mut flat.withheld);
            flat.messages.push(message);
        }
        Some(flat)
    }
}

/// `7.rest` as 7 and the rest.
pub(super) fn numbered(name: &str) -> Option<(u64, &str)> {
    let (number, rest) = name.split_once('.')?;
    // `parse` alone would take a sign.
    (number.bytes().all(|b| b.is_ascii_digit())).then(|| Some((number.parse().ok()?, rest)))?
}

#[derive(Default)]
struct Draft<'s, 'a> {
    role: Option<&'s Value<'a>>,
    content: Option<&'s Value<'a>>,
    parts: BTreeMap<u64, Part<'s, 'a>>,
    calls: BTreeMap<u64, CallDraft<'s, 'a>>,
    /// The one call of the time before there were several.
    function: CallDraft<'s, 'a>,
    answers: Option<&'s Value<'a>>,
}

#[derive(Default)]
struct Part<'s, 'a> {
    kind: Option<&'s Value<'a>>,
    text: Option<&'s Value<'a>>,
    call: CallDraft<'s, 'a>,
}

#[derive(Default)]
struct CallDraft<'s, 'a> {
    id: Option<&'s Value<'a>>,
    name: Option<&'s Value<'a>>,
    args: Option<&'s Value<'a>>,
}

impl<'s, 'a> Draft<'s, 'a> {
    fn take(&mut self, field: &str, value: &'s Value<'a>) {
        match field {
            "role" => self.role = Some(value),
            "content" => self.content = Some(value),
            "tool_call_id" => self.answers = Some(value),
            "function_call_name" | "function_call.name" => self.function.name = Some(value),
            "function_call_arguments_json" | "function_call.arguments" => self.function.args = Some(value),
            _ => self.nested(field, value),
        }
    }

    fn nested(&mut self, field: &str, value: &'s Value<'a>) {
        if let Some((index, field)) = field.strip_prefix("tool_calls.").and_then(numbered) {
            self.calls.entry(index).or_default().take(field, value);
        } else if let Some((index, field)) = field.strip_prefix("contents.").and_then(numbered) {
            let part = self.parts.entry(index).or_default();
            match field.strip_prefix("message_content.").unwrap_or(field) {
                "type" => part.kind = Some(value),
                "text" => part.text = Some(value),
                field if field.starts_with("tool_call.") => part.call.take(field, value),
                _ => {}
            }
        } else if let Some(index) = field.strip_prefix("content.").and_then(|n| n.parse().ok()) {
            self.parts.entry(index).or_default().text = Some(value);
        }
    }

    fn finish(self, habits: Habits, withheld: &mut bool) -> Message<'a> {
        let role = self.role.and_then(Value::as_str).map_or(habits.role, Role::named);
        let mut known = Known { withheld };
        let text = self.text(&mut known);
        let mut message = Message { role, text: None, calls: Vec::new(), results: Vec::new() };
        if role == Role::Tool {
            let id = self.answers.and_then(Value::text);
            message.results.push(Outcome { id, content: text.map(|v| v.payload()), error: false });
        } else {
            match text {
                Some(value) if habits.encoded_parts => unpack(value, &mut message),
                Some(value) => message.text = value.into_text(),
                None => {}
            }
        }
        self.calls(habits, &mut known, &mut message.calls);
        message
    }

    /// What is said: the content, else the parts that are text for the reader.
    fn text(&self, known: &mut Known<'_>) -> Option<Said<'s, 'a>> {
        let content = self.content.filter(|v| !matches!(v, Value::Null));
        if let Some(content) = content
            && (content.as_str() != Some("") || self.parts.is_empty())
        {
            return known.value(content).map(Said::One);
        }
        let texts = self.parts.values().filter(|p| p.is_text()).filter_map(|p| p.text);
        // Half of a text is not what was said: one part that is withheld withholds all.
        let texts: Option<Vec<Text<'a>>> = texts.map(|v| Some(known.value(v)?.payload().into_text())).collect();
        message::join(texts?.into_iter()).map(Said::Joined)
    }

    fn calls(&self, habits: Habits, known: &mut Known<'_>, calls: &mut Vec<Call<'a>>) {
        for draft in self.calls.values() {
            calls.extend(draft.finish(habits, known));
        }
        // The same calls may stand among the parts once more.
        let seen: HashSet<_> = calls.iter().filter_map(|c| c.id.clone()).collect();
        let listed = !calls.is_empty();
        for draft in self.parts.values().map(|p| &p.call) {
            let call = draft.finish(habits, known);
            let is_new = |c: &Call<'a>| c.id.as_ref().map_or(!listed, |id| !seen.contains(id));
            calls.extend(call.filter(is_new));
        }
        if calls.is_empty() {
            calls.extend(self.function.finish(habits, known));
        }
    }
}

impl Part<'_, '_> {
    fn is_text(&self) -> bool {
        matches!(
            self.kind.and_then(Value::as_str),
            None | Some("text" | "input_text" | "output_text" | "refusal" | "summary_text")
        )
    }
}

impl<'s, 'a> CallDraft<'s, 'a> {
    fn take(&mut self, field: &str, value: &'s Value<'a>) {
        let field = field.strip_prefix("tool_call.").unwrap_or(field);
        match field.strip_prefix("function.").unwrap_or(field) {
            "id" => self.id = Some(value),
            "name" => self.name = Some(value),
            "arguments" => self.args = Some(value),
            _ => {}
        }
    }

    /// The call; `None` when it names no tool.
    fn finish(&self, habits: Habits, known: &mut Known<'_>) -> Option<Call<'a>> {
        let name = self.name?.text()?;
        let args = match self.args {
            Some(args) => known.value(args).map(Value::payload),
            None => habits.leaves_out_empty_arguments.then(|| Payload::text("{}")),
        };
        Some(Call { id: self.id.and_then(Value::text).filter(|id| !id.is_empty()), name, args })
    }
}

/// Tells what is recorded from what stands for something that was withheld.
struct Known<'w> {
    withheld: &'w mut bool,
}

impl Known<'_> {
    fn value<'s, 'a>(&mut self, value: &'s Value<'a>) -> Option<&'s Value<'a>> {
        if value.as_str().is_some_and(is_withheld) {
            *self.withheld = true;
            return None;
        }
        Some(value)
    }
}

/// What a message says.
enum Said<'s, 'a> {
    One(&'s Value<'a>),
    Joined(Text<'a>),
}

impl<'a> Said<'_, 'a> {
    fn payload(&self) -> Payload<'a> {
        match self {
            Self::One(value) => value.payload(),
            Self::Joined(text) => Payload::text(text.clone()),
        }
    }

    /// An empty text is none.
    fn into_text(self) -> Option<Text<'a>> {
        let text = match self {
            Self::One(value) => value.payload().into_text(),
            Self::Joined(text) => text,
        };
        (!text.is_empty()).then_some(text)
    }
}

/// Adds a content that may be a list of parts in JSON.
fn unpack<'a>(said: Said<'_, 'a>, to: &mut Message<'a>) {
    if let Said::One(value) = &said
        && value.as_str().is_some_and(|t| t.starts_with("[{"))
        && let Some(inner) = message::content(value, to.role)
    {
        (to.text, to.calls, to.results) = (inner.text, inner.calls, inner.results);
        return;
    }
    to.text = said.into_text();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(pairs: &[(&str, &'static str)], habits: Habits) -> Flat<'static> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned().into(), Value::Text((*v).into()))).collect();
        messages(&pairs, "m.", habits).unwrap()
    }

    fn plain(pairs: &[(&str, &'static str)]) -> Flat<'static> {
        flat(pairs, Habits::plain(Role::Assistant))
    }

    #[test]
    fn messages_and_calls_are_in_the_order_of_their_numbers_with_gaps() {
        let got = plain(&[
            ("m.10.message.content", "late"),
            ("m.10.message.role", "assistant"),
            ("m.2.message.tool_calls.11.tool_call.function.name", "second"),
            ("m.2.message.tool_calls.3.tool_call.function.name", "first"),
            ("m.2.message.tool_calls.3.tool_call.function.arguments", "{\"a\":1}"),
            ("m.2.message.tool_calls.3.tool_call.id", "c"),
            ("m.x.message.content", "no number"),
            ("m.+7.message.content", "no number"),
            ("m.99999999999999999999999.message.content", "no number"),
        ]);
        assert_eq!(got.messages.len(), 2);
        let [first, second] = &got.messages[0].calls[..] else { panic!() };
        assert_eq!((first.name.as_str(), first.id.as_deref()), ("first", Some("c")));
        assert_eq!(first.args, Some(Payload::text("{\"a\":1}")));
        assert_eq!((second.name.as_str(), &second.args), ("second", &None));
        assert_eq!(got.messages[1].text.as_deref(), Some("late"));
        assert!(!got.withheld);
    }

    #[test]
    fn content_and_parts_say_the_same_once_and_reasoning_is_left_out() {
        let got = plain(&[
            ("m.0.message.contents.0.message_content.type", "text"),
            ("m.0.message.contents.0.message_content.text", "hello"),
            ("m.0.message.content", "hello"),
            ("m.1.message.contents.1.message_content.text", "b"),
            ("m.1.message.contents.0.message_content.text", "a"),
            ("m.1.message.contents.2.message_content.type", "reasoning"),
            ("m.1.message.contents.2.message_content.text", "hm"),
            ("m.2.message.content.0", "extra number"),
            ("m.3.message.content", ""),
        ]);
        let texts: Vec<_> = got.messages.iter().map(|m| m.text.as_deref()).collect();
        assert_eq!(texts, [Some("hello"), Some("a\nb"), Some("extra number"), None]);
    }

    #[test]
    fn a_call_that_is_listed_and_a_part_is_one_call() {
        let got = plain(&[
            ("m.0.message.tool_calls.0.tool_call.id", "x"),
            ("m.0.message.tool_calls.0.tool_call.function.name", "f"),
            ("m.0.message.contents.0.message_content.type", "tool_use"),
            ("m.0.message.contents.0.tool_call.id", "x"),
            ("m.0.message.contents.0.tool_call.function.name", "f"),
            ("m.0.message.contents.1.message_content.tool_call.id", "y"),
            ("m.0.message.contents.1.message_content.tool_call.function.name", "g"),
            ("m.1.message.function_call_name", "old"),
            ("m.1.message.function_call_arguments_json", "{}"),
        ]);
        let names: Vec<_> = got.messages[0].calls.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["f", "g"]);
        assert_eq!(got.messages[1].calls[0].name, "old");
    }

    #[test]
    fn what_was_withheld_is_no_text_and_no_argument() {
        let got = plain(&[
            ("m.0.message.content", "__REDACTED__"),
            ("m.0.message.tool_calls.0.tool_call.function.name", "f"),
            ("m.0.message.tool_calls.0.tool_call.function.arguments", "__REDACTED__"),
        ]);
        assert!(got.withheld);
        assert_eq!(got.messages[0].text, None);
        assert_eq!(got.messages[0].calls[0].args, None);
    }

    #[test]
    fn results_of_tools_keep_the_id_of_their_call() {
        let got = plain(&[("m.0.role", "tool"), ("m.0.content", "{\"a\":1}"), ("m.0.tool_call_id", "c")]);
        let outcome = Outcome { id: Some("c".into()), content: Some(Payload::text("{\"a\":1}")), error: false };
        assert_eq!(got.messages[0].results, [outcome]);
        assert_eq!(got.messages[0].text, None);
    }

    #[test]
    fn parts_in_json_are_unpacked_only_where_a_dialect_writes_them() {
        let parts = r#"[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"x"}}]"#;
        let pairs = [("m.0.role", "user"), ("m.0.content", parts)];
        assert_eq!(plain(&pairs).messages[0].text.as_deref(), Some(parts));
        let habits = Habits { encoded_parts: true, ..Habits::plain(Role::User) };
        assert_eq!(flat(&pairs, habits).messages[0].text.as_deref(), Some("hi"));
        let json = r#"[{"order":1}]"#;
        assert_eq!(flat(&[("m.0.content", json)], habits).messages[0].text.as_deref(), Some(json));
    }

    #[test]
    fn arguments_are_made_up_only_where_a_dialect_leaves_out_empty_ones() {
        let pairs = [("m.0.tool_calls.0.name", "f")];
        assert_eq!(plain(&pairs).messages[0].calls[0].args, None);
        let habits = Habits { leaves_out_empty_arguments: true, ..Habits::plain(Role::Assistant) };
        assert_eq!(flat(&pairs, habits).messages[0].calls[0].args, Some(Payload::text("{}")));
    }
}
