//! A plain walk over the JSON of recordings: spans and log records as they stand in it, and what they say of sessions,
//! calls, words and tokens. Nothing here is shared with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

/// A span as it was written.
#[derive(Debug, Clone)]
pub struct Raw {
    pub trace: String,
    pub id: String,
    pub parent: Option<String>,
    pub start: u64,
    pub end: u64,
    pub error: bool,
    pub attributes: Map<String, Value>,
}

/// A log record that names a trace.
#[derive(Debug, Clone)]
pub struct Log {
    pub span: String,
    pub name: String,
    pub time: u64,
    pub body: Value,
    pub session: Option<String>,
}

/// What the files of a recording hold.
#[derive(Debug, Default)]
pub struct Files {
    pub spans: Vec<Raw>,
    pub logs: Vec<Log>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Reads files of any of the four carriers.
pub fn read(files: &[&Path]) -> Files {
    let mut all = Files::default();
    for file in files {
        let json: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        if json.get("data").is_some() {
            list(&json["data"]).iter().flat_map(|t| list(&t["spans"])).for_each(|s| all.spans.push(jaeger(s)));
        } else if json.get("batches").is_some() {
            let scopes = list(&json["batches"]).iter().flat_map(|b| list(&b["instrumentationLibrarySpans"]));
            scopes.flat_map(|s| list(&s["spans"])).for_each(|s| all.spans.push(tempo(s)));
        } else {
            let rows = json.get("spans").map_or_else(|| list(&json), list);
            for row in rows {
                let row = row.get("raw_otel_json").unwrap_or(row);
                let traced = row.get("traceId").or(row.get("trace_id")).is_some();
                match row.get("startTimeUnixNano").or(row.get("start_time")).is_some() {
                    true => all.spans.push(plain(row)),
                    false if traced => all.logs.push(log(row)),
                    false => {}
                }
            }
        }
    }
    all.spans.sort_by_key(|s| s.start);
    all.logs.sort_by_key(|l| l.time);
    all
}

/// A document with plain attributes, in either case.
fn plain(span: &Value) -> Raw {
    let get = |snake: &str, camel: &str| span.get(snake).or(span.get(camel)).cloned().unwrap_or_default();
    let parent = get("parent_span_id", "parentSpanId");
    Raw {
        trace: text(&get("trace_id", "traceId")),
        id: text(&get("span_id", "spanId")),
        parent: parent.as_str().filter(|p| !p.is_empty()).map(str::to_owned),
        start: get("start_time", "startTimeUnixNano").as_u64().unwrap(),
        end: get("end_time", "endTimeUnixNano").as_u64().unwrap(),
        error: span["status"]["code"] == "ERROR",
        attributes: span["attributes"].as_object().cloned().unwrap_or_default(),
    }
}

fn log(row: &Value) -> Log {
    Log {
        span: text(&row["spanId"]),
        name: text(&row["attributes"]["event.name"]),
        time: row["timeUnixNano"].as_u64().unwrap(),
        body: row["body"].clone(),
        session: row["attributes"]["session.id"].as_str().map(str::to_owned),
    }
}

fn jaeger(span: &Value) -> Raw {
    let mut attributes: Map<String, Value> =
        list(&span["tags"]).iter().map(|t| (text(&t["key"]), t["value"].clone())).collect();
    let mut take = |name: &str| attributes.remove(name).unwrap_or_default();
    let start = span["startTime"].as_u64().unwrap() * 1000;
    Raw {
        trace: text(&span["traceID"]),
        id: text(&span["spanID"]),
        parent: list(&span["references"]).first().map(|r| text(&r["spanID"])),
        start,
        end: start + span["duration"].as_u64().unwrap() * 1000,
        error: take("otel.status_code") == "ERROR",
        attributes,
    }
}

fn tempo(span: &Value) -> Raw {
    let value = |v: &Value| v.as_object().and_then(|o| o.values().next()).cloned().unwrap_or_default();
    Raw {
        trace: text(&span["traceId"]),
        id: text(&span["spanId"]),
        parent: span["parentSpanId"].as_str().filter(|p| !p.is_empty()).map(str::to_owned),
        start: span["startTimeUnixNano"].as_u64().unwrap(),
        end: span["endTimeUnixNano"].as_u64().unwrap(),
        error: span["status"]["code"] == 2,
        attributes: list(&span["attributes"]).iter().map(|a| (text(&a["key"]), value(&a["value"]))).collect(),
    }
}

impl Raw {
    fn get(&self, names: &[&str]) -> Value {
        names.iter().find_map(|n| self.attributes.get(*n)).cloned().unwrap_or_default()
    }

    fn is_tool(&self) -> bool {
        self.get(&["gen_ai.operation.name"]) == "execute_tool" || self.get(&["openinference.span.kind"]) == "TOOL"
    }

    fn input_tokens(&self) -> Option<u64> {
        self.get(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"]).as_u64()
    }

    fn output_tokens(&self) -> Option<u64> {
        self.get(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"])
            .as_u64()
    }
}

/// JSON in a text.
fn parsed(value: &Value) -> Value {
    value.as_str().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default()
}

/// The texts of parts, joined; `null` for none.
fn joined(parts: &Value, key: &str) -> Value {
    let texts: Vec<&str> = list(parts).iter().filter_map(|p| p[key].as_str()).collect();
    if texts.is_empty() { Value::Null } else { texts.join("\n").into() }
}

/// The last message of a role in messages that are written as attributes of their own, numbered.
fn numbered(span: &Raw, prefix: &str, infix: &str, role: &str) -> Value {
    let key = |i: usize, name: &str| format!("{prefix}.{i}.{infix}{name}");
    let spoken = (0..200).filter(|i| span.get(&[&key(*i, "role")]) == role);
    let mut texts = spoken.map(|i| span.get(&[&key(i, "content")])).filter(Value::is_string);
    texts.next_back().unwrap_or_default()
}

/// What a span says that a model or agent answered.
fn said(span: &Raw) -> Value {
    let messages = parsed(&span.get(&["gen_ai.output.messages"]));
    let gemini = parsed(&span.get(&["gcp.vertex.agent.llm_response"]));
    let by_agent = || match span.get(&["openinference.span.kind"]) == "AGENT" {
        true => span.get(&["output.value"]),
        false => Value::Null,
    };
    [
        list(&messages).last().map(|m| joined(&m["parts"], "content")).unwrap_or_default(),
        joined(&gemini["content"]["parts"], "text"),
        numbered(span, "gen_ai.completion", "", "assistant"),
        numbered(span, "llm.output_messages", "message.", "assistant"),
    ]
    .into_iter()
    .find(|v| !v.is_null())
    .unwrap_or_else(by_agent)
}

/// What a span says that the user asked last.
fn asked(span: &Raw) -> Value {
    let messages = parsed(&span.get(&["gen_ai.input.messages"]));
    let gemini = parsed(&span.get(&["gcp.vertex.agent.llm_request"]));
    let by_user = |messages: &Value, key: &str| {
        let users = list(messages).iter().rev().filter(|m| m["role"] == "user");
        users.map(|m| joined(&m["parts"], key)).find(|t| !t.is_null()).unwrap_or_default()
    };
    let by_agent = || match span.get(&["openinference.span.kind"]) == "AGENT" {
        true => span.get(&["input.value"]),
        false => Value::Null,
    };
    [
        by_user(&messages, "content"),
        by_user(&gemini["contents"], "text"),
        numbered(span, "gen_ai.prompt", "", "user"),
        numbered(span, "llm.input_messages", "message.", "user"),
    ]
    .into_iter()
    .find(|v| !v.is_null())
    .unwrap_or_else(by_agent)
}

impl Files {
    /// The ids of sessions: where spans and records name them, else their traces.
    pub fn sessions(&self) -> Value {
        let named = |s: &Raw| s.get(&["session.id", "gen_ai.conversation.id"]).as_str().map(str::to_owned);
        let of_spans = self.spans.iter().filter_map(named);
        let ids: BTreeSet<String> = of_spans.chain(self.logs.iter().filter_map(|l| l.session.clone())).collect();
        if ids.is_empty() { json!(self.traces()) } else { json!(ids) }
    }

    fn traces(&self) -> BTreeSet<&String> {
        self.spans.iter().map(|s| &s.trace).collect()
    }

    /// Every trace of these recordings is one request of a user.
    pub fn turns(&self) -> Value {
        json!(self.traces().len().max(1))
    }

    /// For every trace, in order of time, what `of` finds in its spans, else in the log records.
    fn each(&self, of: impl Fn(&[&Raw]) -> Value, in_logs: impl Fn(&[&Log]) -> Value) -> Value {
        let mut order: Vec<(u64, &String)> = Vec::new();
        for span in &self.spans {
            if !order.iter().any(|(_, trace)| *trace == &span.trace) {
                order.push((span.start, &span.trace));
            }
        }
        if order.is_empty() {
            return json!([in_logs(&self.logs.iter().collect::<Vec<_>>())]);
        }
        let of_trace = |trace: &String| {
            let spans: Vec<&Raw> = self.spans.iter().filter(|s| s.trace == *trace).collect();
            let found = of(&spans);
            let mine = |l: &&Log| spans.iter().any(|s| s.id == l.span);
            if found.is_null() { in_logs(&self.logs.iter().filter(mine).collect::<Vec<_>>()) } else { found }
        };
        order.iter().map(|(_, trace)| of_trace(trace)).collect()
    }

    /// What the user asked, turn by turn.
    pub fn users(&self) -> Value {
        let in_logs = |logs: &[&Log]| {
            let users = logs.iter().rev().filter(|l| l.name == "gen_ai.user.message");
            users.map(|l| joined(&l.body["content"], "text")).find(|t| !t.is_null()).unwrap_or_default()
        };
        self.each(|spans| spans.iter().map(|s| asked(s)).find(|t| !t.is_null()).unwrap_or_default(), in_logs)
    }

    /// What was answered, turn by turn: by the model or agent that ended last.
    pub fn replies(&self) -> Value {
        let in_spans = |spans: &[&Raw]| {
            let mut spans = spans.to_vec();
            // Of those that end at the same time the outer one, which began first.
            spans.sort_by_key(|s| (s.end, std::cmp::Reverse(s.start)));
            spans.iter().rev().map(|s| said(s)).find(|t| !t.is_null()).unwrap_or_default()
        };
        let in_logs = |logs: &[&Log]| {
            let choices = logs.iter().rev().filter(|l| l.name == "gen_ai.choice");
            choices.map(|l| joined(&l.body["message"]["content"], "text")).find(|t| !t.is_null()).unwrap_or_default()
        };
        self.each(in_spans, in_logs)
    }

    /// Calls of tools in order of their start: name, arguments, whether they failed. Where no span shows one, those that
    /// models asked for in log records.
    pub fn calls(&self) -> Value {
        let spans = self.spans.iter().filter(|s| s.is_tool()).map(|s| {
            let args = s.get(&["gcp.vertex.agent.tool_call_args", "gen_ai.tool.call.arguments", "input.value"]);
            let name = s.get(&["gen_ai.tool.name", "tool.name"]);
            let failed = s.error || parsed(&s.get(&["gcp.vertex.agent.tool_response"]))["isError"] == true;
            json!([name, if parsed(&args).is_null() { args } else { parsed(&args) }, failed])
        });
        let calls: Vec<Value> = spans.collect();
        if !calls.is_empty() {
            return calls.into();
        }
        let choices = self.logs.iter().filter(|l| l.name == "gen_ai.choice");
        let asked = choices.flat_map(|l| list(&l.body["message"]["tool_calls"]));
        asked.map(|c| json!([c["function"]["name"], c["function"]["arguments"], false])).collect()
    }

    /// The sum over spans that say what they used and have none such below.
    pub fn tokens(&self, input: bool) -> Value {
        let count = |s: &Raw| if input { s.input_tokens() } else { s.output_tokens() };
        let by_id: BTreeMap<&str, &Raw> = self.spans.iter().map(|s| (s.id.as_str(), s)).collect();
        let mut above = BTreeSet::new();
        for span in self.spans.iter().filter(|s| count(s).is_some()) {
            let mut up = span.parent.as_deref();
            while let Some(parent) = up.and_then(|id| by_id.get(id)) {
                above.insert(parent.id.as_str());
                up = parent.parent.as_deref();
            }
        }
        let leaves = self.spans.iter().filter(|s| !above.contains(s.id.as_str())).filter_map(count);
        leaves.fold(Value::Null, |sum, n| json!(sum.as_u64().unwrap_or(0) + n))
    }
}
