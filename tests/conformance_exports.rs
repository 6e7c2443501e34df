//! What seatrial reads of traces that Langfuse and DeepEval exported, held against the exports themselves and against what
//! is known of them (`truth.json`; Langfuse's own reading of the messages, `*.chatml.json`).
//!
//! The files are not part of the project: `SEATRIAL_SHARED` names the folder that holds them, and without it the tests say
//! that they were skipped. Every difference is listed below with its reason. One that is not listed fails the test, and so
//! does a listed one that is gone.
//!
//! ```text
//! SEATRIAL_SHARED=/path/to/shared cargo test --test conformance_exports -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says what it compared")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A recording and a fact that differ, and why ours stays as it is.
type Difference = (&'static str, &'static str, &'static str);

const BEEAI: &str = "beeai-2025-08-01.trace.json";
const DIFFERENCES: &[Difference] = &[
    (
        "agno-2025-06-11.trace.json",
        "users",
        "Langfuse's own reading loses the roles of what this SDK flattens; ours is what its user asked",
    ),
    (
        BEEAI,
        "calls",
        "the SDK makes a span of every event: three of one search and none of the second tool; ours are the two calls that \
         its agent tells of",
    ),
    (BEEAI, "arguments", "as for the calls"),
    (BEEAI, "call errors", "as for the calls"),
    (BEEAI, "models", "of a streamed answer the SDK makes two spans more; ours are the three calls of the model"),
    (BEEAI, "tokens in", "as for the models: the two more carry none, so that a sum over all five is not known"),
    (
        "llama_index_async_agent_math.json",
        "replies",
        "the model's words hold its thought and its answer; LlamaIndex parts them in a step that no span of an agent or \
         model tells of",
    ),
];

/// Facts of a recording, by name.
type Facts = BTreeMap<&'static str, Value>;

#[test]
fn what_is_read_of_langfuses_exports_is_what_they_hold() {
    let Some(folder) = folder("langfuse") else { return };
    let truth = json_of(&folder.join("truth.json"));
    let recordings: Vec<String> =
        truth.as_object().unwrap().keys().filter(|k| k.contains(".trace.")).cloned().collect();
    assert!(recordings.len() >= 11);
    compare("langfuse", &recordings, |recording| {
        let path = folder.join(recording);
        let chatml = json_of(&folder.join(recording.replace(".trace.", ".chatml.")));
        (ours(&path), langfuse::facts(&json_of(&path), &chatml, &truth[recording]))
    });
}

#[test]
fn what_is_read_of_deepevals_traces_is_what_they_hold() {
    let Some(folder) = folder("deepeval-traces") else { return };
    let truth = json_of(&folder.join("truth.json"));
    let recordings: Vec<String> = truth.as_object().unwrap().keys().cloned().collect();
    assert!(recordings.len() >= 5);
    compare("deepeval", &recordings, |recording| {
        let path = folder.join(recording);
        (ours(&path), deepeval::facts(&json_of(&path), &truth[recording]))
    });
}

/// Compares every recording, prints the table, and holds the differences against those that are listed.
fn compare(format: &str, recordings: &[String], read: impl Fn(&str) -> (Facts, Facts)) {
    let mut differing = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut rows = Vec::new();
    for recording in recordings {
        let (ours, truth) = read(recording);
        names.extend(truth.keys().copied());
        let mut cells = BTreeMap::new();
        for (fact, truth) in &truth {
            let ours = ours.get(fact).unwrap_or(&Value::Null);
            let equal = same(ours, truth);
            cells.insert(*fact, equal);
            if !equal {
                println!("{recording} {fact}\n   ours {}\n  truth {}", short(ours), short(truth));
                differing.insert((recording.clone(), (*fact).to_owned()));
            }
        }
        rows.push((recording, cells));
    }
    println!("| {format} | {} |", names.iter().copied().collect::<Vec<_>>().join(" | "));
    for (recording, cells) in &rows {
        let cell = |name: &&str| match cells.get(*name) {
            Some(true) => "equal",
            Some(false) => "differs",
            None => "-",
        };
        println!("| {recording} | {} |", names.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    for (recording, fact, reason) in DIFFERENCES.iter().filter(|d| recordings.iter().any(|r| r == d.0)) {
        let found = differing.remove(&((*recording).to_owned(), (*fact).to_owned()));
        assert!(found, "{recording} {fact} is listed and does not differ ({reason})");
        println!("{recording} {fact}: {reason}");
    }
    assert!(differing.is_empty(), "not listed: {differing:#?}");
}

/// The facts that seatrial's sessions hold.
fn ours(path: &Path) -> Facts {
    let sessions: Vec<Value> = imported(path).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let turns = || sessions.iter().flat_map(|s| list(&s["turns"]));
    let spans = || turns().flat_map(|t| list(&t["spans"]));
    let recorded = || spans().chain(sessions.iter().flat_map(|s| list(&s["spans"]))).filter(|s| s["id"].is_string());
    let ids: BTreeSet<&str> = recorded().filter_map(|s| s["id"].as_str()).collect();
    let of_kind = |kind: &'static str| spans().filter(move |s| s["kind"] == kind);
    let tokens = |part: &str| {
        let told = of_kind("llm").map(|s| s["usage"][part].as_u64());
        told.collect::<Option<Vec<u64>>>().map_or(Value::Null, |all| json!(all.iter().sum::<u64>()))
    };
    let models: Vec<&Value> = of_kind("llm").map(|s| &s["model"]).collect();
    Facts::from([
        ("sessions", json!(sessions.iter().map(|s| &s["id"]).collect::<Vec<_>>())),
        ("turns", json!(turns().count())),
        ("users", json!(turns().map(|t| &t["user"]).collect::<Vec<_>>())),
        ("replies", json!(turns().map(|t| &t["reply"]).collect::<Vec<_>>())),
        ("calls", json!(of_kind("tool").map(|s| &s["name"]).collect::<Vec<_>>())),
        ("arguments", json!(of_kind("tool").map(|s| decoded(&s["input"])).collect::<Vec<_>>())),
        ("call errors", json!(of_kind("tool").map(|s| s["status"] == "error").collect::<Vec<_>>())),
        ("models", json!(models)),
        ("tokens in", tokens("input")),
        ("tokens out", tokens("output")),
        ("spans", json!(recorded().count())),
        ("roots", json!(recorded().filter(|s| s["parent"].is_null()).count())),
        (
            "dangling parents",
            json!(recorded().filter(|s| s["parent"].as_str().is_some_and(|p| !ids.contains(p))).count()),
        ),
        ("error spans", json!(recorded().filter(|s| s["status"] == "error").count())),
    ])
}

/// What Langfuse's export says.
mod langfuse {
    use super::*;

    pub(super) fn facts(export: &Value, chatml: &Value, truth: &Value) -> Facts {
        let mut observations: Vec<&Value> = list(&export["observations"]).iter().collect();
        // In order of time; of several at one time as the model asked for them is not known here.
        observations.sort_by_key(|o| o["startTime"].as_str().unwrap());
        let parents: BTreeSet<&str> = observations
            .iter()
            .filter(|o| o["type"] == "GENERATION")
            .filter_map(|o| o["parentObservationId"].as_str())
            .collect();
        // A generation around another tells the same call of the model.
        let models: Vec<&Value> = observations
            .iter()
            .copied()
            .filter(|o| o["type"] == "GENERATION" && !parents.contains(o["id"].as_str().unwrap()))
            .collect();
        // Of the two Langfuse may be able to read only one.
        let generations = || observations.iter().copied().filter(|o| o["type"] == "GENERATION");
        let read = |o: &Value, side: &str| chatml[o["id"].as_str().unwrap()][side]["data"].clone();
        let user = generations().find_map(|o| {
            let asked = read(o, "input");
            list(&asked).iter().rev().find(|m| m["role"] == "user").map(words)
        });
        let said: Vec<Value> = generations().flat_map(|o| list(&read(o, "output")).to_vec()).collect();
        // What the trace gave back where that is a text, else what the last model said; a text is no message to Langfuse.
        let plain = |o: &Value| decoded(&o["output"]).as_str().filter(|t| *t != "None").map(|t| json!(t));
        let last = generations().next_back().map(|o| plain(o).or_else(|| list(&read(o, "output")).last().map(words)));
        let reply = decoded(&decoded(&export["trace"]["output"]));
        let reply = Some(reply).filter(Value::is_string).or(last.flatten()).filter(|reply| reply != "");
        // A structured answer goes through a tool that nobody runs.
        let answers: Vec<Value> = generations()
            .flat_map(|o| list(&attributes(o)["model_request_parameters"]["output_tools"]).to_vec())
            .map(|tool| tool["name"].clone())
            .collect();
        let mut calls: Vec<(Value, Value)> = Vec::new();
        let mut seen = BTreeSet::new();
        for call in said.iter().flat_map(|m| list(&m["tool_calls"])) {
            if seen.insert(call["id"].to_string()) && !answers.contains(&call["name"]) {
                calls.push((call["name"].clone(), decoded(&call["arguments"])));
            }
        }
        if said.iter().all(|m| m["tool_calls"].is_null()) {
            // Langfuse read none in what the models said: then the tools themselves tell.
            let tools = observations.iter().filter(|o| {
                let own = attributes(o);
                o["type"] == "TOOL" || own["gen_ai.tool.name"].is_string() || own["openinference.span.kind"] == "TOOL"
            });
            let name = |o: &Value| match &attributes(o)["gen_ai.tool.name"] {
                Value::Null => o["name"].clone(),
                name => name.clone(),
            };
            calls.extend(tools.map(|o| (name(o), decoded(&o["input"]))));
        }
        let tokens = |part: &str| {
            let told = models.iter().map(|o| o["usageDetails"][part].as_u64());
            told.collect::<Option<Vec<u64>>>().map_or(Value::Null, |all| json!(all.iter().sum::<u64>()))
        };
        let by = |name: &str| observations.iter().map(|o| attributes(o)[name].clone()).find(Value::is_string);
        let of_trace = |column: &str| Some(export["trace"][column].clone()).filter(Value::is_string);
        let session = by("session.id").or_else(|| by("gen_ai.conversation.id"));
        let session = session.or_else(|| of_trace("sessionId")).or_else(|| of_trace("id"));
        Facts::from([
            ("sessions", json!([session])),
            ("turns", truth["traces"].clone()),
            ("users", json!([user])),
            ("replies", json!([reply])),
            ("calls", json!(calls.iter().map(|c| &c.0).collect::<Vec<_>>())),
            ("arguments", json!(calls.iter().map(|c| &c.1).collect::<Vec<_>>())),
            ("call errors", json!(calls.iter().map(|_| truth["error_spans"] != 0).collect::<Vec<_>>())),
            ("models", json!(models.iter().map(|o| answered(o)).collect::<Vec<_>>())),
            ("tokens in", tokens("input")),
            ("tokens out", tokens("output")),
            ("spans", truth["spans"].clone()),
            ("roots", truth["roots"].clone()),
            ("dangling parents", truth["dangling_parents"].clone()),
            ("error spans", truth["error_spans"].clone()),
        ])
    }

    /// The model that answered, which the SDK's own attribute may say more exactly than the column.
    fn answered(observation: &Value) -> Value {
        let own = attributes(observation)["gen_ai.response.model"].clone();
        if own.is_string() { own } else { observation["model"].clone() }
    }

    /// What Langfuse keeps of the SDK's own attributes, those that hold JSON decoded.
    fn attributes(observation: &Value) -> Value {
        let metadata = decoded(&observation["metadata"]);
        let own = metadata["attributes"].as_object().cloned().unwrap_or_default();
        let decode = |(name, value): (String, Value)| match name.as_str() {
            "model_request_parameters" => (name, decoded(&value)),
            _ => (name, value),
        };
        own.into_iter().map(decode).collect()
    }

    /// The text of a message as Langfuse reads it.
    fn words(message: &Value) -> Value {
        let content = match &message["content"] {
            Value::Null => &message["json"]["message"]["content"],
            content => content,
        };
        match content {
            Value::Array(parts) => {
                json!(parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n"))
            }
            other => other.clone(),
        }
    }
}

/// What DeepEval's trace says.
mod deepeval {
    use super::*;

    pub(super) fn facts(trace: &Value, truth: &Value) -> Facts {
        let of = |list_of: &str| {
            let mut spans = list(&trace[list_of]).to_vec();
            spans.sort_by_key(|s| s["startTime"].as_str().unwrap().to_owned());
            spans
        };
        let (models, tools) = (of("llmSpans"), of("toolSpans"));
        let name_of = |id: &Value| tools.iter().find(|t| t["uuid"] == *id).map(|t| t["name"].clone());
        // A tool within itself is one call.
        let calls: Vec<&Value> =
            tools.iter().filter(|t| name_of(&t["parentUuid"]).is_none_or(|n| n != t["name"])).collect();
        let arguments = |call: &Value| match list(&call["toolsCalled"]) {
            [only] => only["inputParameters"].clone(),
            _ => call["input"].clone(),
        };
        let asked = models.first().map(|m| if m["input"].is_array() { &m["input"] } else { &m["input"]["messages"] });
        let user = list(asked.unwrap()).iter().rev().find(|m| m["role"] == "human" || m["role"] == "user");
        let user = user.map(|m| match &m["content"] {
            Value::Array(parts) => parts[0]["text"].clone(),
            text => text.clone(),
        });
        let said = |output: &Value| match output {
            Value::Array(messages) => messages.last().unwrap()["content"].clone(),
            message => if message["text"].is_string() { &message["text"] } else { &message["content"] }.clone(),
        };
        // What LlamaIndex made of the model's last words is the answer.
        let parsed = of("baseSpans")
            .iter()
            .filter(|s| s["name"] == "parse")
            .filter_map(|s| Some(s["output"]["response"].clone()).filter(Value::is_string))
            .next_back();
        let reply = parsed.or_else(|| models.last().map(|m| said(&m["output"])));
        let tokens = |part: &str| {
            let told = models.iter().map(|m| m[part].as_f64());
            told.collect::<Option<Vec<f64>>>().map_or(Value::Null, |all| json!(all.iter().sum::<f64>()))
        };
        let session = if trace["threadId"].is_string() { &trace["threadId"] } else { &trace["uuid"] };
        let failed = truth["status"].as_object().unwrap().iter().filter(|(s, _)| *s != "SUCCESS");
        Facts::from([
            ("sessions", json!([session])),
            ("turns", json!(1)),
            ("users", json!([user])),
            ("replies", json!([reply])),
            ("calls", json!(calls.iter().map(|c| &c["name"]).collect::<Vec<_>>())),
            ("arguments", json!(calls.iter().map(|c| arguments(c)).collect::<Vec<_>>())),
            ("call errors", json!(calls.iter().map(|c| c["status"] != "SUCCESS").collect::<Vec<_>>())),
            ("models", json!(models.iter().map(|m| &m["model"]).collect::<Vec<_>>())),
            ("tokens in", tokens("inputTokenCount")),
            ("tokens out", tokens("outputTokenCount")),
            ("spans", truth["spans"].clone()),
            ("roots", truth["roots"].clone()),
            ("dangling parents", truth["dangling_parents"].clone()),
            ("error spans", json!(failed.filter_map(|(_, n)| n.as_u64()).sum::<u64>())),
        ])
    }
}

/// Facts that no export carries. A check of one is an error, never a pass.
#[test]
fn a_check_of_what_an_export_does_not_carry_is_an_error() {
    for (of, recording) in
        [("langfuse", "microsoft-agent-2025-12-17.trace.json"), ("deepeval-traces", "langgraph_multi_turn.json")]
    {
        let Some(folder) = folder(of) else { return };
        let scratch = tempfile::tempdir().unwrap();
        let recorded = folder.join(recording);
        let checks = [
            ("turn", "ttft", "max_ms = 60000"),
            ("session", "rating", "min = 0"),
            ("session", "escalated", "is = false"),
            ("session", "reward", "min = 0.0"),
            ("session", "trajectory", "mode = \"any_order\""),
        ];
        for (level, check, parameters) in checks {
            let suite = format!(
                "[suite]\nname = \"s\"\n[recorded]\npaths = [{recorded:?}]\n[[{level}]]\nid = \"x\"\ncheck = \"{check}\"\n{parameters}\n"
            );
            std::fs::write(scratch.path().join("suite.toml"), suite).unwrap();
            let run = |args: &[&str]| {
                Command::new(env!("CARGO_BIN_EXE_seatrial")).args(args).current_dir(scratch.path()).output().unwrap()
            };
            let output = run(&["run", "suite.toml", "--json"]);
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            let found = &said["suites"][0]["checks"][0];
            assert_eq!(output.status.code(), Some(4), "{recording} {check}: {said}");
            assert_eq!((&found["error"], &found["pass"]), (&json!(1), &json!(0)), "{recording} {check}: {found}");
        }
    }
}

/// The folder of recordings; says so when it is not there.
fn folder(of: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from);
    if shared.is_none() {
        println!("skipped: SEATRIAL_SHARED does not name the folder of recordings");
    }
    Some(shared?.join("data/otel").join(of))
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What `seatrial import` makes of a file.
fn imported(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial")).arg("import").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// JSON that a text holds.
fn decoded(value: &Value) -> Value {
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

/// Numbers are equal as numbers.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
