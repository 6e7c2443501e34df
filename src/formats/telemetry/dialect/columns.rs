//! What platforms keep in a column (`input`, `output`) of a span: whatever the framework handed to their SDK. It may be
//! messages in any of the shapes in use, an answer of a model's API, a framework's state, plain text, or JSON text of any
//! of these.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::part::{self, Found};
use super::raw::{self, Fields};
use super::{Message, Role, facts, is_withheld, langchain, message};
use crate::formats::telemetry::Value;
use crate::model::{Payload, Text};

/// How many wrappers and codings may lie around messages.
const WRAPPERS: u8 = 8;

/// The messages in a column. `role` says whose words a bare text is: the user's in an input, the assistant's in an output,
/// where an object of no known shape is a structured reply, too. `None` when nothing was said, or it was withheld.
pub(super) fn messages<'a>(value: &Value<'a>, role: Role) -> Option<Vec<Message<'a>>> {
    let found = match value {
        Value::Null => None,
        Value::Text(Text(Cow::Borrowed(text))) => of_text(text, role, WRAPPERS),
        Value::Text(Text(Cow::Owned(text))) => of_text(text, role, WRAPPERS).map(owned),
        other => of_text(&other.json(), role, WRAPPERS).map(owned),
    };
    found.and_then(message::recorded)
}

/// A column as a payload: JSON that a text holds is JSON. What was cut off or stands for something else is `withheld`.
pub(super) fn payload<'a>(value: &Value<'a>, withheld: &mut bool) -> Option<Payload<'a>> {
    match value {
        Value::Null => None,
        Value::Text(text) if is_withheld(text) || facts::is_cut(text) => {
            *withheld = true;
            None
        }
        Value::Text(text) => Some(text_payload(text)),
        other => Some(other.payload()),
    }
}

fn text_payload<'a>(text: &Text<'a>) -> Payload<'a> {
    let is = |start: char| text.starts_with(start);
    if is('"')
        && let Ok(inner) = serde_json::from_str::<String>(text)
    {
        return Payload::text(inner);
    }
    // Python prints its own objects much like JSON.
    let is_json = (is('{') || is('[')) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json { Payload::raw_json(text.clone()) } else { Payload::text(text.clone()) }
}

fn owned(messages: Vec<Message<'_>>) -> Vec<Message<'static>> {
    messages.into_iter().map(Message::into_owned).collect()
}

fn of_text(text: &str, role: Role, wrappers: u8) -> Option<Vec<Message<'_>>> {
    let wrappers = wrappers.checked_sub(1)?;
    if !text.trim_ascii_start().starts_with(['{', '[', '"']) {
        return plain(Text::borrowed(text), role);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => found(raw, role, wrappers),
        Err(_) if facts::is_cut(text) => None,
        Err(_) => plain(Text::borrowed(text), role),
    }
}

/// A text that is nothing else. SDKs write `None` or `null` where a model said nothing.
fn plain(text: Text<'_>, role: Role) -> Option<Vec<Message<'_>>> {
    let says = !text.trim_ascii().is_empty() && text != "None" && text != "null";
    says.then(|| message::said(text, role)).flatten().map(|m| vec![m])
}

fn found(raw: &RawValue, role: Role, wrappers: u8) -> Option<Vec<Message<'_>>> {
    let known = known(raw, role, wrappers);
    let structured = || {
        let holds = raw.get().len() > 2 && raw.get().starts_with(['{', '[']);
        (role == Role::Assistant && holds).then(|| plain(Text::borrowed(raw.get()), role)).flatten()
    };
    known.or_else(structured)
}

/// The messages in a value of a known shape, be they none.
fn known(raw: &RawValue, role: Role, wrappers: u8) -> Option<Vec<Message<'_>>> {
    let wrappers = wrappers.checked_sub(1)?;
    if let Some(text) = raw::string(raw) {
        return match text.0 {
            Cow::Borrowed(text) => of_text(text, role, wrappers),
            Cow::Owned(text) => of_text(&text, role, wrappers).map(owned),
        };
    }
    match raw::list(raw) {
        Some(items) => listed(&items, role, wrappers),
        None => of_object(raw, &Fields::of(raw)?, role, wrappers),
    }
}

fn listed<'a>(items: &[&'a RawValue], role: Role, wrappers: u8) -> Option<Vec<Message<'a>>> {
    if let [only] = items[..]
        && only.get().starts_with('[')
    {
        // A batch of one.
        return known(only, role, wrappers);
    }
    if role == Role::Assistant && !items.is_empty() && items.iter().all(|item| is_call(item)) {
        let calls = items.iter().filter_map(|item| part::call(item)).collect();
        return Some(vec![Message { role, text: None, calls, results: Vec::new() }]);
    }
    answer(items.iter().filter_map(|item| element(item, role)).collect(), role)
}

/// Whether a value is a call outside of any message.
fn is_call(raw: &RawValue) -> bool {
    let Some(fields) = Fields::of(raw) else { return false };
    let named = fields.get(&["toolName", "toolCallId"]).is_some();
    let function =
        || fields.get(&["function"]).and_then(Fields::of).is_some_and(|f| f.present(&["arguments"]).is_some());
    fields.get(&["role"]).is_none() && (named || function())
}

/// What is new in messages: an output may hold all that went in as well. `None` when they are none.
fn answer(messages: Vec<Message<'_>>, role: Role) -> Option<Vec<Message<'_>>> {
    let messages = message::recorded(messages)?;
    match role {
        Role::Assistant => langchain::since_user(messages),
        _ => Some(messages),
    }
}

/// One message of a list; `None` for what is none.
fn element(raw: &RawValue, role: Role) -> Option<Message<'_>> {
    let Some(fields) = Fields::of(raw) else { return langchain::message(raw, role) };
    let by_type = fields.get(&["role"]).is_none() && fields.get(&["type"]).is_some();
    if (by_type || fields.get(&["lc", "additional_kwargs", "data"]).is_some())
        && let Some(message) = langchain::message(raw, role)
    {
        return Some(message);
    }
    if fields.present(&["role", "content", "parts", "message", "tool_calls", "toolCalls"]).is_some() {
        return message::element(raw, role, 1);
    }
    // Items of OpenAI's Responses, such as `function_call`.
    let mut item = Found::default();
    (by_type && item.part(raw)).then(|| item.message(role))
}

fn of_object<'a>(raw: &'a RawValue, fields: &Fields<'a>, role: Role, wrappers: u8) -> Option<Vec<Message<'a>>> {
    // An answer of OpenAI's or Gemini's API.
    if let Some(choices) = fields.get(&["choices", "candidates"]).and_then(raw::list) {
        return answer(choices.into_iter().filter_map(|choice| element(choice, role)).collect(), role);
    }
    let list = |names: &[&str]| fields.get(names).and_then(raw::list);
    if let Some(items) = list(&["messages"]).or_else(|| list(&["contents"])) {
        let mut all: Vec<_> = instructions(fields).into_iter().collect();
        all.extend(items.into_iter().filter_map(|item| element(item, role)));
        return answer(all, role);
    }
    if let Some(message) = langchain::message(raw, role) {
        return Some(vec![message]);
    }
    if let Some(text) = words(fields, role) {
        return Some(vec![text]);
    }
    let speaks = ["role", "content", "parts", "message", "tool_calls", "toolCalls"];
    if fields.present(&speaks).is_some() {
        return message::element(raw, role, 1).map(|m| vec![m]);
    }
    if fields.get(&["generations"]).is_some() {
        return langchain::messages(&Text::borrowed(raw.get()), role);
    }
    let inner = wrapped(fields, role)?;
    let mut all: Vec<_> = if role == Role::User { instructions(fields).into_iter().collect() } else { Vec::new() };
    all.extend(found(inner, role, wrappers)?);
    Some(all)
}

/// The instructions that stand beside messages.
fn instructions<'a>(fields: &Fields<'a>) -> Option<Message<'a>> {
    let within = || fields.get(&["config"]).and_then(Fields::of)?.get(&["system_instruction", "systemInstruction"]);
    let raw = fields.get(&["system", "instructions", "system_instruction", "systemInstruction"]).or_else(within)?;
    message::body(raw, Role::System)
}

/// A text with what came with it: `{text, toolCalls, files, ...}`, as SDKs in JavaScript answer.
fn words<'a>(fields: &Fields<'a>, role: Role) -> Option<Message<'a>> {
    let beside = ["toolCalls", "files", "reasoning", "sources", "warnings", "usage", "finishReason"];
    let text = fields.get(&["text"]).and_then(raw::string)?;
    fields.present(&beside)?;
    let calls = fields.get(&["toolCalls"]).and_then(raw::list).unwrap_or_default();
    let text = Some(text).filter(|t| !t.is_empty() && !is_withheld(t));
    Some(Message { role, text, calls: calls.into_iter().filter_map(part::call).collect(), results: Vec::new() })
}

/// What an object holds for the sake of which it is there. A reply of one's own making is not taken apart.
fn wrapped<'a>(fields: &Fields<'a>, role: Role) -> Option<&'a RawValue> {
    if role == Role::User {
        return fields.get(&["new_message", "prompt", "user_msg", "question", "query", "inputs", "input"]);
    }
    let output = fields.get(&["output", "outputs"]);
    // An executor of LangChain gives back what it was given as well.
    if output.is_some() && (fields.is_single() || fields.present(&["input", "inputs"]).is_some()) {
        return output;
    }
    // A task or crew of CrewAI.
    if fields.present(&["tasks_output", "expected_output"]).is_some() {
        return fields.get(&["raw"]);
    }
    if fields.is_single() { fields.get(&["answer", "response", "result", "reply", "final_output"]) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{map, short, text};

    fn given(column: &'static str) -> String {
        short(&messages(&text(column), Role::User).unwrap_or_default())
    }

    fn said(column: &'static str) -> String {
        short(&messages(&text(column), Role::Assistant).unwrap_or_default())
    }

    #[test]
    fn a_text_is_the_words_of_who_speaks_there() {
        assert_eq!(given("What is Langfuse?"), "User \"What is Langfuse?\"\n");
        assert_eq!(said(r#""\"A tool.\"""#), "Assistant \"A tool.\"\n");
        assert_eq!(said("{'role': 'assistant'}"), "Assistant \"{'role': 'assistant'}\"\n");
        for nothing in ["None", "", "null", "[]", "{}", "[REDACTED]", "[{\"role\": "] {
            assert_eq!(said(nothing), "", "{nothing}");
        }
    }

    #[test]
    fn messages_of_every_sdk_are_read() {
        let column = r#"[{"role":"human","content":"Add 3 apples"},{"role":"ai","content":""},{"role":"tool","content":"Added"},
            {"role":"Tool Input","content":"{'type': 'function'}"}]"#;
        insta::assert_snapshot!(given(column), @r#"
        User "Add 3 apples"
        Assistant ""
        Tool -->Some("Added")
        Other "{'type': 'function'}"
        "#);
        let column = r#"{"role":"AI","content":"","tool_calls":[{"name":"f","args":{"a":1},"id":"c"}]}"#;
        assert_eq!(said(column), "Assistant c=f(Some({\"a\":1}))\n");
        let column = r#"{"role":"assistant","content":"","additional_kwargs":{"tool_calls":[{"id":"c","function":{"arguments":"{\"q\":1}","name":"f"}}]}}"#;
        assert_eq!(said(column), "Assistant c=f(Some(\"{\\\"q\\\":1}\"))\n");
        let column = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"f","arguments":{"a":1}}]}]"#;
        assert_eq!(said(column), "Assistant c=f(Some({\"a\":1}))\n");
    }

    #[test]
    fn answers_of_apis_are_read() {
        let openai = r#"{"id":"x","choices":[{"finish_reason":"tool_calls","message":{"content":null,"role":"assistant",
            "tool_calls":[{"id":"c","function":{"arguments":"{}","name":"f"},"type":"function"}]}}],"object":"chat.completion"}"#;
        assert_eq!(said(openai), "Assistant c=f(Some(\"{}\"))\n");
        let gemini = r#"{"content":{"parts":[{"text":"Hello"}],"role":"model"},"finish_reason":"STOP"}"#;
        assert_eq!(said(gemini), "Assistant \"Hello\"\n");
        let asked = r#"{"model":"g","config":{"system_instruction":"Greet."},"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}"#;
        assert_eq!(given(asked), "System \"Greet.\"\nUser \"hi\"\n");
        let calls = r#"[{"toolCallId":"c","toolName":"getWeather","input":"{\"location\":\"SF\"}"}]"#;
        assert_eq!(said(calls), "Assistant c=getWeather(Some(\"{\\\"location\\\":\\\"SF\\\"}\"))\n");
        let mastra = r#"{"text":"","toolCalls":[{"toolCallId":"c","toolName":"f","args":{"a":1}}]}"#;
        assert_eq!(said(mastra), "Assistant c=f(Some({\"a\":1}))\n");
        assert_eq!(said(r#"{"text":"It rains.","files":[]}"#), "Assistant \"It rains.\"\n");
        let responses = r#"[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Done."}]}]"#;
        assert_eq!(said(responses), "Assistant c=f(Some(\"{}\"))\nAssistant \"Done.\"\n");
    }

    #[test]
    fn of_a_frameworks_state_only_the_words_are_taken() {
        let graph = r#"{"messages":[{"content":"Hi","type":"human"},{"content":"","type":"ai","tool_calls":[{"name":"f","args":{},"id":"c"}]},
            {"content":"ok","type":"tool","tool_call_id":"c"},{"content":"Done.","type":"ai"}]}"#;
        assert_eq!(said(graph), "Assistant c=f(Some({}))\nTool c->Some(\"ok\")\nAssistant \"Done.\"\n");
        assert_eq!(given(r#"{"user_msg": "Calculate", "chat_history": null}"#), "User \"Calculate\"\n");
        assert_eq!(
            given(r#"{"prompt":"What is it?","system":"Be brief."}"#),
            "System \"Be brief.\"\nUser \"What is it?\"\n"
        );
        assert_eq!(
            given(r#"{"args": ["programming"], "kwargs": {}}"#),
            "",
            "a function's arguments are nobody's words"
        );
        assert_eq!(said(r#"{"raw":"<html>","tasks_output":[]}"#), "Assistant \"<html>\"\n");
    }

    #[test]
    fn a_structured_reply_is_told_as_it_is() {
        assert_eq!(
            said(r#"{"quality":"good","output":1}"#),
            "Assistant \"{\\\"quality\\\":\\\"good\\\",\\\"output\\\":1}\"\n"
        );
        let structured = map(&[("joke", text("Why?")), ("n", Value::Int(2))]);
        assert_eq!(
            short(&messages(&structured, Role::Assistant).unwrap()),
            "Assistant \"{\\\"joke\\\":\\\"Why?\\\",\\\"n\\\":2}\"\n"
        );
        assert_eq!(messages(&structured, Role::User), None);
    }

    #[test]
    fn wrappers_without_end_hold_nothing_and_do_not_overflow() {
        let deep = format!("{}1{}", r#"{"output":"#.repeat(60), "}".repeat(60));
        let _ = messages(&Value::Text(deep.into()), Role::Assistant);
        let mut coded = "x".to_owned();
        for _ in 0..10 {
            coded = serde_json::to_string(&coded).unwrap();
        }
        assert_eq!(messages(&Value::Text(coded.into()), Role::User), None);
    }

    #[test]
    fn a_payload_is_json_where_the_text_holds_it() {
        let shown = |t: &'static str| format!("{:?}", payload(&text(t), &mut false));
        assert_eq!(shown(r#"{"a": 1}"#), r#"Some({"a": 1})"#);
        assert_eq!(shown(r#""\"x\"""#), r#"Some("\"x\"")"#);
        assert_eq!(shown("{'query': 'example'}"), r#"Some("{'query': 'example'}")"#);
        let mut withheld = false;
        assert_eq!(payload(&text("{\"a\": "), &mut withheld), None);
        assert!(withheld);
    }
}
