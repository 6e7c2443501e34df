//! What seatrial reads of telemetry that others recorded, and that was carried by AgentCore, by span lists of tools, by
//! Jaeger and by Tempo: against counts that an independent program made (`truth.json`) and against a plain walk over
//! the JSON ([`raw`]).
//!
//! The files are not part of the project: `SEATRIAL_SHARED` names the folder that holds them, and without it the tests
//! say that they were skipped. Every difference is listed below with its reason. One that is not listed fails the test,
//! and so does a listed one that is gone. What a recording does not tell is listed too, with the checks that are then an
//! error.
//!
//! ```text
//! SEATRIAL_SHARED=/path/to/shared cargo test --test conformance_otel -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may panic and says what it compared"
)]

mod raw;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A recording: its name, its folder, its files.
pub struct Recording {
    /// What it is called here.
    pub name: &'static str,
    folder: &'static str,
    files: &'static [&'static str],
}

const fn of(name: &'static str, folder: &'static str, files: &'static [&'static str]) -> Recording {
    Recording { name, folder, files }
}

const STRANDS_SPANS: &str = "raw_otel_strands_bedrock_spans.json";
const STRANDS_LOGS: &str = "raw_otel_strands_bedrock_runtime_logs.json";

/// All recordings of the three folders, and two files of one session together.
pub const RECORDINGS: &[Recording] = &[
    of("strands_spans", "agentcore", &[STRANDS_SPANS]),
    of("strands_logs", "agentcore", &[STRANDS_LOGS]),
    of("strands_both", "agentcore", &[STRANDS_SPANS, STRANDS_LOGS]),
    of("langchain_logs", "agentcore", &["raw_otel_langchain_tool_runtime_logs.json"]),
    of("adk", "strands-evals", &["adk_live_spans.json"]),
    of("claude_adot", "strands-evals", &["claude_adot_spans.json"]),
    of("openai_agents_genai", "strands-evals", &["openai_agents_genai_live_spans.json"]),
    of("openai_agents_adot", "strands-evals", &["openai_agents_openinference_adot_spans.json"]),
    of("pydantic_ai", "strands-evals", &["pydantic_ai_live_spans.json"]),
    of("helm", "agentevals-dev", &["helm.json"]),
    of("k8s", "agentevals-dev", &["k8s.json"]),
    of("tempo", "agentevals-dev", &["tempo_export_with_batches.json"]),
];

impl Recording {
    /// Its files, below the shared folder.
    pub fn paths(&self, shared: &Path) -> Vec<PathBuf> {
        let inner = match self.folder {
            "strands-evals" => "mappers",
            "agentevals-dev" => "samples",
            _ => "",
        };
        self.files.iter().map(|file| shared.join("data/otel").join(self.folder).join(inner).join(file)).collect()
    }

    /// What `truth.json` says of its file; `null` where it is of several.
    fn truth(&self, shared: &Path) -> Value {
        let [file] = self.files else { return Value::Null };
        let truth = std::fs::read(shared.join("data/otel").join(self.folder).join("truth.json")).unwrap();
        serde_json::from_slice::<Value>(&truth).unwrap()[*file].clone()
    }
}

/// The shared folder, where there is one.
pub fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from);
    if shared.is_none() {
        println!("skipped: SEATRIAL_SHARED does not name the folder of recordings");
    }
    shared
}

/// A fact that differs, what ours is, and why it stays so.
struct Difference {
    recording: &'static str,
    fact: &'static str,
    /// As JSON.
    ours: &'static str,
    reason: &'static str,
}

const fn differs(recording: &'static str, fact: &'static str, ours: &'static str, reason: &'static str) -> Difference {
    Difference { recording, fact, ours, reason }
}

const TWICE: &str = "a model's call is told by two spans, the framework's around the provider's: it is one call";
const SUMS: &str = "the truth adds up the attribute over all spans, those that repeat or sum up what others say among \
                    them; a call's tokens are counted once here, as the walk over the leaves does";
const AGENT_ONLY: &str = "only the agent's span says what was used, of all its models together (and the input without \
                          the 32,308 cached tokens); no call of a model is recorded, so that `tokens` is an error";
const HANDOFF: &str = "the span `handoff to math_specialist` names neither tool nor arguments: it is the model's call \
                       `transfer_to_math_specialist`. A second handoff that the model asked for and the framework \
                       refused has no span, and is a call still";

const TRANSFERS: &str = r#"["transfer_to_math_specialist","transfer_to_research_specialist","multiply_numbers"]"#;

const DIFFERENCES: &[Difference] = &[
    differs("strands_spans", "model spans", "3", TWICE),
    differs("strands_spans", "tokens in, all spans", "63568", SUMS),
    differs("strands_spans", "tokens out, all spans", "179", SUMS),
    differs("adk", "tokens in, all spans", "379", SUMS),
    differs("adk", "tokens out, all spans", "84", SUMS),
    differs("tempo", "model spans", "2", TWICE),
    differs("tempo", "tokens in, all spans", "4648", SUMS),
    differs("tempo", "tokens out, all spans", "129", SUMS),
    differs("claude_adot", "tokens in, all spans", "null", AGENT_ONLY),
    differs("claude_adot", "tokens out, all spans", "null", AGENT_ONLY),
    differs("claude_adot", "tokens in", "null", AGENT_ONLY),
    differs("claude_adot", "tokens out", "null", AGENT_ONLY),
    differs("openai_agents_adot", "tool spans", r#"{"multiply_numbers":1,"transfer_to_math_specialist":1}"#, HANDOFF),
    differs("openai_agents_adot", "calls", TRANSFERS, HANDOFF),
    differs("openai_agents_adot", "arguments", r#"[{},{},{"a":42,"b":7}]"#, HANDOFF),
    differs("openai_agents_adot", "call errors", "[true,false,false]", HANDOFF),
];

/// A fact as we have it, and as it is.
type Fact = (&'static str, Value, Value);

#[test]
fn what_was_recorded_is_what_was_counted_and_walked_over() {
    let Some(shared) = shared() else { return };
    let mut table: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    let (mut facts_in_order, mut found, mut said) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (r, recording) in RECORDINGS.iter().enumerate() {
        let paths = recording.paths(&shared);
        let sessions = imported(&paths);
        let raw = raw::read(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        let facts = counted(&sessions, &recording.truth(&shared)).into_iter().chain(walked(&sessions, &raw));
        for (fact, ours, theirs) in facts {
            if !facts_in_order.contains(&fact) {
                facts_in_order.push(fact);
            }
            table.insert((r, fact), ours == theirs);
            if ours != theirs {
                let same = |d: &&Difference| d.recording == recording.name && d.fact == fact;
                let reason = DIFFERENCES.iter().find(same).map_or("NOT LISTED", |d| d.reason);
                said.push(format!("{} {fact}: {reason}\n   ours {ours}\n  truth {theirs}", recording.name));
                found.insert((recording.name, fact, ours.to_string()));
            }
        }
    }
    println!("{}\n", said.join("\n"));
    print_table(&table, &facts_in_order);
    let listed: BTreeSet<_> = DIFFERENCES.iter().map(|d| (d.recording, d.fact, d.ours.to_owned())).collect();
    assert_eq!(found, listed, "left: found; right: listed");
    assert!(table.len() > 150, "only {} facts were compared", table.len());
}

/// The facts that `truth.json` has of the recording.
fn counted(sessions: &[Value], truth: &Value) -> Vec<Fact> {
    let real = || sessions.iter().flat_map(spans).filter(|s| s["id"].is_string());
    if truth.get("records_with_traceId").is_some() {
        let events = || real().flat_map(|s| list(&s["events"]));
        let name = |e: &Value| if e["name"] == "" { "None".to_owned() } else { text(&e["name"]) };
        let in_truth: BTreeMap<String, Value> = serde_json::from_value(truth["event_names"].clone()).unwrap();
        // Names of those that belong to no trace are counted in the truth, too.
        let none = truth["records"].as_u64().unwrap() - truth["records_with_traceId"].as_u64().unwrap();
        let mut in_truth: BTreeMap<String, u64> = in_truth.into_iter().map(|(k, v)| (k, v.as_u64().unwrap())).collect();
        in_truth.entry("None".to_owned()).and_modify(|n| *n -= none);
        in_truth.retain(|_, n| *n > 0);
        return vec![
            ("log records", json!(events().count()), truth["records_with_traceId"].clone()),
            ("log records by name", count(events().map(name)), json!(in_truth)),
        ];
    }
    if truth.is_null() {
        return Vec::new();
    }
    let ids: BTreeSet<String> = real().map(|s| text(&s["id"])).collect();
    let parent = |s: &Value| s["parent"].as_str().map(str::to_owned);
    let tools = || real().filter(|s| s["kind"] == "tool").map(|s| text(&s["name"]));
    let sums = &truth["token_attribute_sums"];
    vec![
        ("spans", json!(real().count()), truth["spans"].clone()),
        ("roots", json!(real().filter(|s| parent(s).is_none()).count()), truth["roots"].clone()),
        (
            "dangling parents",
            json!(real().filter(|s| parent(s).is_some_and(|p| !ids.contains(&p))).count()),
            truth["dangling_parents"].clone(),
        ),
        ("spans by scope", count(real().map(|s| text(&s["attributes"]["otel.scope.name"]))), truth["by_scope"].clone()),
        ("error spans", json!(real().filter(|s| s["status"] == "error").count()), truth["error_spans"].clone()),
        ("tool spans", count(tools()), truth["tool_spans_by_name"].clone()),
        ("model spans", json!(real().filter(|s| s["kind"] == "llm").count()), truth["llm_spans"].clone()),
        ("tokens in, all spans", usage(sessions, "input"), sums["gen_ai.usage.input_tokens"].clone()),
        ("tokens out, all spans", usage(sessions, "output"), sums["gen_ai.usage.output_tokens"].clone()),
    ]
}

/// The facts that a walk over the JSON finds.
fn walked(sessions: &[Value], raw: &raw::Files) -> Vec<Fact> {
    let ids: BTreeSet<String> = sessions.iter().map(|s| text(&s["id"])).collect();
    let turns = || sessions.iter().flat_map(|s| list(&s["turns"]));
    let call = |s: &Value| json!([s["name"], arguments(&s["input"]), s["status"] == "error"]);
    let calls: Vec<Value> = sessions.iter().flat_map(spans).filter(|s| s["kind"] == "tool").map(call).collect();
    let part = |calls: &[Value], i: usize| calls.iter().map(|c| c[i].clone()).collect::<Value>();
    let theirs = raw.calls();
    let theirs = list(&theirs);
    vec![
        ("sessions", json!(ids), raw.sessions()),
        ("turns", json!(turns().count()), raw.turns()),
        (
            "user",
            turns().map(|t| trimmed(&t["user"])).collect(),
            raw.users().as_array().unwrap().iter().map(trimmed).collect(),
        ),
        (
            "replies",
            turns().map(|t| trimmed(&t["reply"])).collect(),
            raw.replies().as_array().unwrap().iter().map(trimmed).collect(),
        ),
        ("calls", part(&calls, 0), part(theirs, 0)),
        ("arguments", part(&calls, 1), part(theirs, 1)),
        ("call errors", part(&calls, 2), part(theirs, 2)),
        ("tokens in", usage(sessions, "input"), raw.tokens(true)),
        ("tokens out", usage(sessions, "output"), raw.tokens(false)),
    ]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn trimmed(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |t| t.trim().into())
}

fn count(names: impl Iterator<Item = String>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    json!(counts)
}

/// All spans of a session, in turns in order and outside of them.
fn spans(session: &Value) -> impl Iterator<Item = &Value> {
    list(&session["turns"]).iter().flat_map(|t| list(&t["spans"])).chain(list(&session["spans"]))
}

/// Arguments as JSON: SDKs record them as such or as a text that holds it.
fn arguments(input: &Value) -> Value {
    match input {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| input.clone()),
        other => other.clone(),
    }
}

/// The sum over models; `null` where there is none, or one does not say.
fn usage(sessions: &[Value], part: &str) -> Value {
    let models: Vec<&Value> = sessions.iter().flat_map(spans).filter(|s| s["kind"] == "llm").collect();
    let sum = models.iter().map(|m| m["usage"][part].as_u64()).try_fold(0, |sum, n| Some(sum + n?));
    if models.is_empty() { Value::Null } else { json!(sum) }
}

/// Runs `seatrial import`.
pub fn imported(files: &[PathBuf]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial")).arg("import").args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn print_table(table: &BTreeMap<(usize, &str), bool>, facts: &[&str]) {
    println!("| recording | {} |", facts.join(" | "));
    for (r, recording) in RECORDINGS.iter().enumerate() {
        let cells = facts.iter().map(|f| match table.get(&(r, *f)) {
            Some(true) => "=",
            Some(false) => "differs",
            None => "-",
        });
        println!("| {} | {} |", recording.name, cells.collect::<Vec<_>>().join(" | "));
    }
}
