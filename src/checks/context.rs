//! Sessions, turns and spans as templates and expressions see them.
//!
//! What a recording does not say is not there (it is neither null nor zero), and asking for it is noticed: MiniJinja's
//! own undefined values compare without an error, so that `span.output.total < 100` would hold where there is no total.
//! [`watch_misses`] collects every look-up that found nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use serde_json::Value as Json;

use crate::model::{Attributes, Payload, Session, Span, SpanStatus, Text, ToolsTold, Turn, tool_calls};

thread_local! {
    static MISSES: RefCell<Option<Vec<Miss>>> = const { RefCell::new(None) };
}

/// A look-up that found nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The key or index asked for.
    pub key: String,
    /// It was asked for as `x["key"]` or `"key" in x`, which cannot be told apart, and not as `x.key`.
    pub by_item: bool,
}

/// Runs `f` and collects the look-ups in session values that found nothing meanwhile, on this thread.
pub fn watch_misses<T>(f: impl FnOnce() -> T) -> (T, Vec<Miss>) {
    let before = MISSES.replace(Some(Vec::new()));
    let result = f();
    (result, MISSES.replace(before).unwrap_or_default())
}

/// Takes back the last miss: whoever asked was prepared for it (`is defined`, `default`).
pub fn forgive_miss() {
    MISSES.with_borrow_mut(|misses| {
        if let Some(misses) = misses {
            misses.pop();
        }
    });
}

fn miss(key: &impl fmt::Display, by_item: bool) {
    MISSES.with_borrow_mut(|misses| {
        if let Some(misses) = misses {
            misses.push(Miss { key: key.to_string(), by_item });
        }
    });
}

/// A table whose misses are noticed.
#[derive(Debug)]
struct Table(BTreeMap<Arc<str>, Value>);

impl Object for Table {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = key.as_str().and_then(|k| self.0.get(k)).cloned();
        if found.is_none() {
            miss(key, true);
        }
        found
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let found = self.0.get(key).cloned();
        if found.is_none() {
            miss(&key, false);
        }
        found
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|k| Value::from(k.clone())).collect())
    }
}

/// A list whose misses are noticed.
#[derive(Debug)]
struct List(Vec<Value>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = key.as_usize().and_then(|i| self.0.get(i)).cloned();
        if found.is_none() {
            // `in` walks the elements of a list, so this can only be an index.
            miss(key, false);
        }
        found
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        miss(&key, false);
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

/// Collects the fields of a table, leaving out what is not recorded.
#[derive(Default)]
struct Fields(BTreeMap<Arc<str>, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    fn text(&mut self, name: &str, value: Option<&Text<'_>>) {
        if let Some(text) = value {
            self.put(name, text.as_str());
        }
    }

    fn some<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn done(self) -> Value {
        Value::from_object(Table(self.0))
    }
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::from_object(List(items.collect()))
}

/// A JSON value, with misses noticed. Numbers stay numbers: integers are integers, floats floats.
pub fn json_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => n
            .as_i64()
            .map(Value::from)
            .or_else(|| n.as_u64().map(Value::from))
            .or_else(|| n.as_f64().map(Value::from))
            .unwrap_or_else(|| Value::from(n.to_string())),
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => list(items.iter().map(json_value)),
        Json::Object(map) => {
            Value::from_object(Table(map.iter().map(|(k, v)| (k.as_str().into(), json_value(v))).collect()))
        }
    }
}

/// A value from elsewhere, with misses noticed in all its tables and lists.
pub fn noticing(value: Value) -> Value {
    match value.kind() {
        ValueKind::Map if value.downcast_object_ref::<Table>().is_none() => {
            let keys: Vec<Value> = value.try_iter().map(Iterator::collect).unwrap_or_default();
            let entry = |key: Value| Some((key.as_str()?.into(), noticing(value.get_item(&key).ok()?)));
            Value::from_object(Table(keys.into_iter().filter_map(entry).collect()))
        }
        ValueKind::Seq if value.downcast_object_ref::<List>().is_none() => match value.try_iter() {
            Ok(items) => list(items.map(noticing)),
            Err(_) => value,
        },
        _ => value,
    }
}

/// A payload: its JSON where it is a JSON object or array (also one that was recorded as a string, as tool arguments
/// often are) or was recorded as JSON, else its text.
fn payload(payload: &Payload<'_>) -> Value {
    match payload.json() {
        Some(json) if payload.is_json() || json.is_object() || json.is_array() => json_value(json),
        _ => Value::from(payload.as_str()),
    }
}

fn attributes(attributes: &Attributes<'_>) -> Value {
    let entries = attributes.0.iter().map(|(name, value)| (name.as_str().into(), json_value(&value.to_value())));
    Value::from_object(Table(entries.collect()))
}

fn milliseconds(start: Option<u64>, end: Option<u64>) -> Option<f64> {
    Some(end?.checked_sub(start?)? as f64 / 1e6)
}

/// The name of a span's status, as suites write it.
pub fn status_name(status: SpanStatus) -> &'static str {
    match status {
        SpanStatus::Ok => "ok",
        SpanStatus::Error => "error",
        SpanStatus::Unset => "unset",
    }
}

/// A span: `kind`, `name`, `agent`, `model`, `status`, `status_message`, `input`, `output` (as JSON where they are),
/// `duration_ms`, `ttft_ms`, `tokens` (`input`, `output`, `total`), `cost_usd`, `attributes`.
pub fn span_value(span: &Span<'_>) -> Value {
    let mut fields = Fields::default();
    fields.put("kind", span.kind.name());
    fields.put("name", span.name.as_str());
    fields.text("agent", span.agent.as_ref());
    fields.text("model", span.model.as_ref());
    fields.put("status", status_name(span.status));
    fields.text("status_message", span.status_message.as_ref());
    fields.some("input", span.input.as_ref().map(payload));
    fields.some("output", span.output.as_ref().map(payload));
    fields.some("duration_ms", milliseconds(span.start_ns, span.end_ns));
    fields.some("ttft_ms", span.ttft_ns.map(|ns| ns as f64 / 1e6));
    if let Some(usage) = &span.usage {
        let mut tokens = Fields::default();
        tokens.some("input", usage.input);
        tokens.some("output", usage.output);
        tokens.some("total", usage.input.zip(usage.output).and_then(|(i, o)| i.checked_add(o)));
        fields.put("tokens", tokens.done());
    }
    fields.some("cost_usd", span.cost_usd.map(|c| c.usd()));
    fields.put("attributes", attributes(&span.attributes));
    fields.done()
}

/// The turn at `index` (from 0) of a session: `index` (from 1), `user`, `reply`, `tools` (the tool calls as spans),
/// `spans`, `duration_ms`, `ttft_ms`, `attributes`. `tools` is not there where the recording may not show all of them.
pub fn turn_value(session: &Session<'_>, index: usize) -> Value {
    session.turns.get(index).map_or_else(Value::default, |turn| turn_told(turn, index, ToolsTold::of(session)))
}

fn turn_told(turn: &Turn<'_>, index: usize, told: ToolsTold) -> Value {
    let mut fields = Fields::default();
    fields.put("index", index + 1);
    fields.text("user", turn.user.as_ref());
    fields.text("reply", turn.reply.as_ref());
    let spans: Vec<Value> = turn.spans.iter().map(span_value).collect();
    if told.hidden(turn.spans.iter().enumerate()).is_none() {
        let tools = tool_calls(turn.spans.iter().enumerate()).filter_map(|(i, _)| spans.get(i).cloned());
        fields.put("tools", list(tools));
    }
    fields.put("spans", list(spans.into_iter()));
    fields.some("duration_ms", milliseconds(turn.start_ns, turn.end_ns));
    fields.some("ttft_ms", turn.first_token_ns().map(|ns| ns as f64 / 1e6));
    fields.put("attributes", attributes(&turn.attributes));
    fields.done()
}

/// A session: `id`, `case`, `trial`, `agent`, `version`, `user`, `tags`, `turns`, `reply` (the final one), `tools`
/// (the names of the tools called, in order), `duration_ms`, `reward`, `rating`, `escalated`, `state`, `attributes`.
/// `tools` is not there where the recording may not show all of them.
pub fn session_value(session: &Session<'_>) -> Value {
    let told = ToolsTold::of(session);
    let mut fields = Fields::default();
    fields.put("id", session.id.as_str());
    for (name, value) in [
        ("case", &session.case),
        ("trial", &session.trial),
        ("agent", &session.agent),
        ("version", &session.version),
        ("user", &session.user),
    ] {
        fields.text(name, value.as_ref());
    }
    fields.put("tags", list(session.tags.iter().map(|t| Value::from(t.as_str()))));
    fields.put("turns", list(session.turns.iter().enumerate().map(|(i, t)| turn_told(t, i, told))));
    fields.text("reply", session.final_reply());
    if told.hidden(session.spans().enumerate()).is_none() {
        fields.put("tools", list(session.tool_calls().map(|(_, s)| Value::from(s.name.as_str()))));
    }
    fields.some("duration_ms", milliseconds(session.start_ns, session.end_ns));
    fields.some("reward", session.reward);
    fields.some("rating", session.rating);
    fields.some("escalated", session.escalated);
    fields.some("state", session.state.as_ref().map(payload));
    fields.put("attributes", attributes(&session.attributes));
    fields.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::Environment;

    const SESSION: &str = r#"{"id":"s","tags":["a"],"turns":[{"user":"hi","reply":"yo","spans":[
        {"kind":"tool","name":"f","input":{"n":3,"x":1.5},"output":"{\"ok\":true}","status":"ok","start_ns":1000000,"end_ns":3500000},
        {"kind":"llm","name":"chat","output":"42","usage":{"input":1,"output":2}}]}],"attributes":{"k":[1,"2"]}}"#;

    fn eval(expression: &str) -> (String, Vec<Miss>) {
        let session: Session<'_> = serde_json::from_str(SESSION).unwrap();
        let context = Value::from_pairs([("session", session_value(&session))]);
        let env = Environment::new();
        let (value, misses) = watch_misses(|| env.compile_expression(expression).unwrap().eval(context).unwrap());
        (value.to_string(), misses)
    }

    #[test]
    fn a_session_is_seen_with_its_types() {
        for (expression, expected) in [
            ("session.turns[0].tools[0].input.n + 1", "4"),
            ("session.turns[-1].tools[0].input.x", "1.5"),
            ("session.turns[0].spans[0].output.ok", "True"),
            ("session.turns[0].spans[1].output", "42"),
            ("session.turns[0].spans[1].output is string", "True"),
            ("session.turns[0].spans[1].tokens.total", "3"),
            ("session.turns[0].spans[0].duration_ms", "2.5"),
            ("session.tools == ['f']", "True"),
            ("session.tags|join(',')", "a"),
            ("session.turns|length", "1"),
            ("session.attributes.k", "[1, '2']"),
            ("session.turns[0].tools[0].input == {'n': 3, 'x': 1.5}", "True"),
            ("'a' in session.tags and 'b' not in session.tags", "True"),
            ("session.reply", "yo"),
        ] {
            let (value, misses) = eval(expression);
            assert_eq!((value.as_str(), misses.len()), (expected, 0), "{expression}");
        }
    }

    #[test]
    fn values_from_elsewhere_notice_misses_too() {
        let foreign = Value::from_pairs([("n", Value::from(1)), ("l", Value::from(vec![Value::from("x")]))]);
        let context = Value::from_pairs([("case", noticing(foreign))]);
        let env = Environment::new();
        let eval = |e: &str| {
            let (value, misses) = watch_misses(|| env.compile_expression(e).unwrap().eval(context.clone()).unwrap());
            (value.to_string(), misses.len())
        };
        assert_eq!(eval("case.n"), ("1".to_owned(), 0));
        assert_eq!(eval("case.l[0]"), ("x".to_owned(), 0));
        assert_eq!(eval("case.m != 2").1, 1);
        assert_eq!(eval("case.l[1] != 2").1, 1);
    }

    #[test]
    fn tools_are_not_there_where_the_recording_may_hide_some() {
        let tools = |turns: &str| {
            let line = format!(r#"{{"id":"s","turns":[{turns}]}}"#);
            let session: Session<'_> = serde_json::from_str(&line).unwrap();
            let told = |value: Value| !value.get_attr("tools").unwrap().is_undefined();
            (told(session_value(&session)), (0..session.turns.len()).map(|i| told(turn_value(&session, i))).collect())
        };
        let silent = r#"{"spans":[{"id":"a","kind":"llm","name":"chat"}]}"#;
        let said = r#"{"spans":[{"id":"b","kind":"llm","name":"chat","output":"Hi."}]}"#;
        let tool = r#"{"spans":[{"id":"c","kind":"tool","name":"f"}]}"#;
        assert_eq!(tools(silent), (false, vec![false]));
        assert_eq!(tools(&format!("{said},{silent}")), (false, vec![true, false]));
        assert_eq!(tools(&format!("{silent},{tool}")), (true, vec![true, true]));
        assert_eq!(tools(said), (true, vec![true]));
    }

    #[test]
    fn what_is_not_recorded_is_noticed() {
        for (expression, key, by_item) in [
            ("session.reward == 1", "reward", false),
            ("session['reward'] == 1", "reward", true),
            ("'reward' in session", "reward", true),
            ("session.turns[3] == 1", "3", false),
            ("session.turns[-3] == 1", "-3", false),
            ("session.turns.reply == 1", "reply", false),
        ] {
            let (_, misses) = eval(expression);
            let missed = misses.first().map(|m| (m.key.as_str(), m.by_item));
            assert_eq!(missed, Some((key, by_item)), "{expression}");
        }
    }
}
