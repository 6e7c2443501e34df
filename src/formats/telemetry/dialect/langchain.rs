//! LangChain's messages as JSON: what chains, graphs and tools log as their input and output, in any of the forms in
//! which LangChain writes a message (`{type, data}`, `{lc, id, kwargs}`, `{type, content}`, `[role, content]`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::raw::{self, Fields};
use super::{Call, Message, Outcome, Role, is_withheld};
use crate::formats::wire::{self, Content};
use crate::model::{Payload, Text};

/// How many wrappers (`outputs`, `messages`, a batch) may lie around messages.
const WRAPPERS: u8 = 8;

/// The messages that a chain or graph was given (`Role::User`) or gave back (`Role::Assistant`); `None` when the text
/// holds none.
pub(super) fn messages<'a>(text: &Text<'a>, role: Role) -> Option<Vec<Message<'a>>> {
    match &text.0 {
        Cow::Borrowed(text) => read(text, role),
        Cow::Owned(text) => Some(read(text, role)?.into_iter().map(Message::into_owned).collect()),
    }
}

/// What came after the last word of the user: a graph gives back all that it was given as well. `None` when nothing did.
pub(super) fn since_user(mut messages: Vec<Message<'_>>) -> Option<Vec<Message<'_>>> {
    let start = messages.iter().rposition(|m| m.role == Role::User).map_or(0, |at| at + 1);
    messages.drain(..start);
    (!messages.is_empty()).then_some(messages)
}

/// The text of the last message of the agent; `null` when that only calls tools, `None` when there is none.
pub(super) fn reply<'a>(messages: &[Message<'a>]) -> Option<Payload<'a>> {
    let last = messages.iter().rev().find(|m| m.role == Role::Assistant)?;
    match &last.text {
        Some(text) => Some(Payload::text(text.clone())),
        None => (!last.calls.is_empty()).then(Payload::null),
    }
}

/// The result that a tool's output holds when it is a message; `None` when it is anything else.
pub(super) fn tool_result<'a>(text: &Text<'a>) -> Option<Outcome<'a>> {
    let message = match &text.0 {
        Cow::Borrowed(text) => tool_message(text)?,
        Cow::Owned(text) => tool_message(text)?.into_owned(),
    };
    message.results.into_iter().next()
}

/// A single message in the role of a tool, perhaps under `output`.
fn tool_message(text: &str) -> Option<Message<'_>> {
    if !text.starts_with('{') {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let inner = Fields::of(raw)?.get(&["output"]).unwrap_or(raw);
    message(inner, Role::Other).filter(|m| m.role == Role::Tool)
}

fn read(text: &str, role: Role) -> Option<Vec<Message<'_>>> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let found = value(serde_json::from_str(text).ok()?, role, WRAPPERS)?;
    (!found.is_empty()).then_some(found)
}

fn value(raw: &RawValue, role: Role, wrappers: u8) -> Option<Vec<Message<'_>>> {
    let wrappers = wrappers.checked_sub(1)?;
    if let Some(items) = raw::list(raw) {
        // A batch of one list of messages, or of generations.
        if let [only] = items[..]
            && only.get().starts_with(['[', '{'])
            && pair(only).is_none()
            && message(only, role).is_none()
        {
            return value(only, role, wrappers);
        }
        return Some(items.into_iter().filter_map(|item| message(item, role)).collect());
    }
    let fields = Fields::of(raw)?;
    if let Some(message) = message(raw, role) {
        return Some(vec![message]);
    }
    let inner = fields.get(&["messages", "generations", "message", "outputs", "output", "inputs", "input"])?;
    match raw::string(inner) {
        Some(text) => super::message::said(text, role).map(|m| vec![m]),
        None => value(inner, role, wrappers),
    }
}

/// `["user", "hello"]`.
fn pair(raw: &RawValue) -> Option<Message<'_>> {
    let [role, content] = raw::list(raw)?[..] else { return None };
    let role = Role::named(&raw::string(role)?);
    super::message::said(raw::string(content)?, role)
}

/// A message in any form; `None` for what is none.
pub(super) fn message(raw: &RawValue, role: Role) -> Option<Message<'_>> {
    if raw.get().starts_with('[') {
        return pair(raw);
    }
    if let Some(text) = raw::string(raw) {
        return super::message::said(text, role);
    }
    let outer = Fields::of(raw)?;
    let inner = match outer.get(&["lc"]) {
        Some(_) => outer.get(&["kwargs"]),
        None => outer.get(&["data"]),
    };
    let inner = inner.and_then(Fields::of);
    let fields = inner.as_ref().unwrap_or(&outer);
    let role = named(fields).or_else(|| named(&outer)).or_else(|| class(&outer))?;
    Some(built(fields, role))
}

/// The role that `role` or `type` names. Anything else that has a type is no message.
fn named(fields: &Fields<'_>) -> Option<Role> {
    let name = fields.string(&["role", "type"])?;
    let name = name.strip_suffix("MessageChunk").or_else(|| name.strip_suffix("Message")).unwrap_or(&name);
    match Role::named(&name.to_ascii_lowercase()) {
        Role::Other => None,
        role => Some(role),
    }
}

/// The role that the last part of a constructor's id names: `AIMessage`.
fn class(fields: &Fields<'_>) -> Option<Role> {
    let path = raw::list(fields.get(&["id"])?)?;
    let name = raw::string(path.last()?)?;
    let name = name.strip_suffix("Chunk").unwrap_or(&name).strip_suffix("Message")?.to_ascii_lowercase();
    Some(Role::named(&name)).filter(|r| *r != Role::Other)
}

fn built<'a>(fields: &Fields<'a>, role: Role) -> Message<'a> {
    let mut message = Message { role, text: None, calls: Vec::new(), results: Vec::new() };
    let content = fields.get(&["content"]);
    if role == Role::Tool {
        let content = content.map(|raw| wire::flatten(raw::payload(raw)));
        message.results.push(Outcome {
            id: fields.string(&["tool_call_id"]),
            content: content.filter(|c| c.is_json() || !is_withheld(c.as_str())),
            error: fields.string(&["status"]).is_some_and(|s| s == "error"),
        });
        return message;
    }
    let text = content.and_then(|raw| match raw::string(raw) {
        Some(text) => Some(text),
        None => serde_json::from_str::<Content<'a>>(raw.get()).ok()?.text(),
    });
    message.text = text.filter(|t| !t.is_empty() && !is_withheld(t));
    for list in ["tool_calls", "invalid_tool_calls"] {
        message.calls.extend(calls(fields.get(&[list])));
    }
    if message.calls.is_empty()
        && let Some(more) = fields.get(&["additional_kwargs"]).and_then(Fields::of)
    {
        message.calls.extend(calls(more.get(&["tool_calls"])));
    }
    message
}

fn calls<'a>(list: Option<&'a RawValue>) -> impl Iterator<Item = Call<'a>> {
    let items = list.and_then(raw::list).unwrap_or_default();
    items.into_iter().filter_map(|raw| {
        let outer = Fields::of(raw)?;
        let inner = outer.get(&["function"]).and_then(Fields::of);
        let fields = inner.as_ref().unwrap_or(&outer);
        let args = fields.present(&["args", "arguments"]).map(raw::payload);
        Some(Call {
            id: outer.string(&["id"]),
            name: fields.string(&["name"])?,
            args: args.filter(|a| a.is_json() || !is_withheld(a.as_str())),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &'static str) -> Option<Vec<Message<'static>>> {
        messages(&text.into(), Role::User)
    }

    fn said(text: &'static str) -> Option<Vec<Message<'static>>> {
        messages(&text.into(), Role::Assistant)
    }

    #[test]
    fn messages_are_read_in_every_form_that_langchain_writes() {
        let user = |m: Option<Vec<Message<'_>>>| {
            let m = m.unwrap();
            assert_eq!((m.len(), m[0].role, m[0].text.as_deref()), (1, Role::User, Some("hi")));
        };
        user(asked(r#"{"messages": [["user", "hi"]]}"#));
        user(asked(r#"{"messages": [{"type": "human", "data": {"content": "hi", "type": "human"}}]}"#));
        user(asked(r#"{"messages": [{"type": "human", "content": [{"type": "text", "text": "hi"}]}]}"#));
        user(asked(
            r#"{"messages": [[{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "HumanMessage"],
            "kwargs": {"content": "hi"}}]]}"#,
        ));
        user(asked(r#"{"inputs": {"messages": [{"role": "user", "content": "hi"}]}, "kwargs": {}}"#));
        user(asked(r#"{"input": "hi"}"#));
        for none in ["hi", "7", "{}", r#"{"messages": []}"#, r#"{"messages": "#, r#"{"question": "hi"}"#] {
            assert_eq!(asked(none), None, "{none}");
        }
    }

    #[test]
    fn a_graph_says_what_came_after_the_last_word_of_the_user() {
        let text = r#"{"messages": [
            {"type": "human", "data": {"content": "one", "type": "human"}},
            {"type": "ai", "data": {"content": "old", "type": "ai"}},
            {"type": "human", "data": {"content": "two", "type": "human"}},
            {"type": "ai", "data": {"content": "", "type": "ai", "tool_calls": [{"name": "f", "args": {"a": 1}, "id": "c"}]}},
            {"type": "tool", "data": {"content": "{\"b\": 2}", "type": "tool", "tool_call_id": "c", "status": "success"}},
            {"type": "ai", "data": {"content": "new\n", "type": "ai", "tool_calls": []}}]}"#;
        let said = since_user(said(text).unwrap()).unwrap();
        assert_eq!(said.len(), 3);
        assert_eq!(said[0].text, None);
        assert_eq!(said[0].calls[0].args.as_ref().unwrap().as_str(), r#"{"a": 1}"#);
        assert_eq!(said[1].results[0].content, Some(Payload::text(r#"{"b": 2}"#)));
        assert_eq!(reply(&said), Some(Payload::text("new\n")));
        assert_eq!(reply(&said[..2]), Some(Payload::null()));
        assert_eq!(reply(&[]), None);
    }

    #[test]
    fn generations_hold_the_message_of_a_model() {
        let text = r#"{"generations": [[{"text": "x", "type": "ChatGeneration", "message": {"lc": 1, "type": "constructor",
            "id": ["AIMessage"], "kwargs": {"content": "x", "additional_kwargs": {"tool_calls":
            [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}}}}]]}"#;
        let said = said(text).unwrap();
        assert_eq!((said[0].text.as_deref(), said[0].calls[0].name.as_str()), (Some("x"), "f"));
    }

    #[test]
    fn a_tool_message_is_a_result_with_its_error() {
        let of = |text: &'static str| tool_result(&text.into());
        let ok = of(
            r#"{"type": "tool", "data": {"content": "1", "type": "tool", "tool_call_id": "c", "status": "success"}}"#,
        );
        assert_eq!(ok, Some(Outcome { id: Some("c".into()), content: Some(Payload::text("1")), error: false }));
        let failed =
            of(r#"{"output": {"lc": 1, "id": ["x", "ToolMessage"], "kwargs": {"content": "no", "status": "error"}}}"#);
        assert_eq!(failed, Some(Outcome { id: None, content: Some(Payload::text("no")), error: true }));
        for other in ["A1001", r#"{"type": "lamp", "data": {}}"#, r#"{"order": 1}"#, r#"{"type": "too"#] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn wrappers_without_end_hold_nothing() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(messages(&deep.as_str().into(), Role::User), None);
        let deep = r#"{"output": "#.repeat(50) + "1" + &"}".repeat(50);
        assert_eq!(messages(&deep.as_str().into(), Role::User), None);
    }
}
