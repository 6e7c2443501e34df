//! What seatrial reads of OTLP that real SDKs sent, held against what the scripted model of the recording really did
//! (`truth.json`: sessions, turns, replies, calls in order with arguments and errors, usage).
//!
//! The files are not part of the project: `SEATRIAL_SHARED` names the folder that holds them, and without it the test
//! says that it was skipped. Every difference is listed below with its reason. One that is not listed fails the test,
//! and so does a listed one that is gone.
//!
//! ```text
//! SEATRIAL_SHARED=/path/to/shared cargo test --test conformance_otlp -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says what it compared")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const RECORDINGS: &[&str] = &[
    "strands_legacy",
    "strands_latest",
    "openai_v2_latest",
    "openai_v2_legacy",
    "traceloop_old",
    "openai_agents_oi",
    "langgraph_oi",
    "vercel_ai",
    "http_langgraph_concurrent",
];

/// Sessions in which a fact differs, and why ours stays as it is.
struct Difference {
    recording: &'static str,
    fact: &'static str,
    /// The beginnings of the sessions' ids.
    sessions: &'static [&'static str],
    reason: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        recording: "openai_agents_oi",
        fact: "call errors",
        sessions: &["unknown-tool"],
        reason: "the SDK ends the run at a tool that does not exist: no span and no message says what became of the \
                 call, so its status is unset and a `status` check of it is an error",
    },
    Difference {
        recording: "openai_agents_oi",
        fact: "user",
        sessions: &["llm-error"],
        reason: "the instrumentor records what a model was asked when it has answered, and this one never did: the \
                 text is not recorded, and a check of it is an error",
    },
    Difference {
        recording: "traceloop_old",
        fact: "tokens in",
        sessions: &["parallel-tools", "slow-first-token"],
        reason: "streaming spans of this instrumentor carry no usage: not recorded, so `tokens` and `cost` are errors",
    },
    Difference {
        recording: "traceloop_old",
        fact: "tokens out",
        sessions: &["parallel-tools", "slow-first-token"],
        reason: "as for the tokens that went in",
    },
];

#[test]
fn what_sdks_recorded_is_what_the_scripted_model_did() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder of recordings");
        return;
    };
    let mut table: BTreeMap<(usize, &str), (usize, usize)> = BTreeMap::new();
    let mut differing: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut said = Vec::new();
    for (r, recording) in RECORDINGS.iter().enumerate() {
        let folder = shared.join("data/otlp-sdk").join(recording);
        let ours = sessions(&folder);
        let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
        let mut compare = |session: &str, fact: &'static str, ours: Value, truth: Value| {
            let cell = table.entry((r, fact)).or_default();
            cell.0 += 1;
            if same(&ours, &truth) {
                cell.1 += 1;
            } else {
                said.push(format!("{recording} {session} {fact}\n   ours {ours}\n  truth {truth}"));
                differing.entry((recording, fact)).or_default().insert(session.to_owned());
            }
        };
        let truth: BTreeMap<String, &Value> =
            truth["sessions"].as_array().unwrap().iter().map(|s| (text(&s["session_id"]), s)).collect();
        let ours: BTreeMap<String, &Value> = ours.iter().map(|s| (text(&s["id"]), s)).collect();
        for id in truth.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            compare(id, "sessions", json!(ours.contains_key(id)), json!(truth.contains_key(id)));
            let (Some(ours), Some(truth)) = (ours.get(id), truth.get(id)) else { continue };
            for (fact, of_ours, of_truth) in FACTS {
                compare(id, fact, of_ours(ours), of_truth(truth));
            }
        }
    }
    println!("{}", said.join("\n"));
    print_table(&table);
    for difference in DIFFERENCES {
        let found = differing.remove(&(difference.recording, difference.fact)).unwrap_or_default();
        let listed = |id: &String| difference.sessions.iter().any(|s| id.starts_with(s));
        assert!(
            found.len() == difference.sessions.len() && found.iter().all(listed),
            "{} {}: listed {:?} ({}), found {found:?}",
            difference.recording,
            difference.fact,
            difference.sessions,
            difference.reason
        );
        println!("{} {}: {} differ: {}", difference.recording, difference.fact, found.len(), difference.reason);
    }
    assert!(differing.is_empty(), "not listed: {differing:#?}");
}

type Of = fn(&Value) -> Value;

const FACTS: &[(&str, Of, Of)] = &[
    ("turns", |s| json!(list(&s["turns"]).len()), |t| t["n_turns"].clone()),
    ("user", |s| each(&s["turns"], |t| t["user"].clone()), |t| each(&t["turns"], |t| t["user"].clone())),
    ("replies", |s| each(&s["turns"], |t| reply(&t["reply"])), |t| each(&t["turns"], |t| reply(&t["reply"]))),
    (
        "calls",
        |s| Value::Array(calls(s).map(|c| c["name"].clone()).collect()),
        |t| each(&t["tool_calls"], |c| c["name"].clone()),
    ),
    (
        "arguments",
        |s| Value::Array(calls(s).map(|c| arguments(&c["input"])).collect()),
        |t| each(&t["tool_calls"], |c| c["arguments"].clone()),
    ),
    (
        "call errors",
        |s| Value::Array(calls(s).map(|c| json!(c["status"] == "error")).collect()),
        |t| {
            // The model was told that a tool which does not exist is an error.
            each(&t["tool_calls"], |c| json!(c["is_error"] == true || c["executed"] == false))
        },
    ),
    ("tokens in", |s| usage(s, "input"), |t| t["usage"]["input_tokens"].clone()),
    ("tokens out", |s| usage(s, "output"), |t| t["usage"]["output_tokens"].clone()),
];

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn each(values: &Value, of: impl Fn(&Value) -> Value) -> Value {
    Value::Array(list(values).iter().map(of).collect())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn spans(session: &Value) -> impl Iterator<Item = &Value> {
    list(&session["turns"]).iter().flat_map(|t| list(&t["spans"]))
}

fn calls(session: &Value) -> impl Iterator<Item = &Value> {
    spans(session).filter(|s| s["kind"] == "tool")
}

/// Arguments as JSON: SDKs record them as such or as a text that holds it.
fn arguments(input: &Value) -> Value {
    match input {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| input.clone()),
        other => other.clone(),
    }
}

/// Numbers are equal as numbers: a JavaScript SDK writes 60.0 as 60.
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

/// A reply, a long one by its length and ends.
fn reply(reply: &Value) -> Value {
    match reply {
        Value::String(text) if text.len() > 20_000 => {
            json!([text.len(), text.chars().take(40).collect::<String>()])
        }
        Value::Object(digest) => {
            json!([digest["bytes"], digest["head"].as_str().unwrap().chars().take(40).collect::<String>()])
        }
        other => other.clone(),
    }
}

/// The sum over models, `null` where one that answered does not say.
fn usage(session: &Value, part: &str) -> Value {
    let models = spans(session).filter(|s| s["kind"] == "llm" && s["status"] != "error");
    models
        .map(|m| m["usage"][part].as_u64())
        .try_fold(0, |sum, tokens| Some(sum + tokens?))
        .map_or(Value::Null, Value::from)
}

/// Runs `seatrial import` over a recording's traces and logs.
fn sessions(folder: &Path) -> Vec<Value> {
    imported(&lines_of(folder)).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The files of a recording as the collector wrote them: JSON lines.
fn lines_of(folder: &Path) -> Vec<PathBuf> {
    ["traces.jsonl", "logs.jsonl"].iter().map(|f| folder.join(f)).filter(|f| f.exists()).collect()
}

/// The sessions of some files, one a line.
fn imported(files: &[PathBuf]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial")).arg("import").args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn json_and_the_requests_as_they_were_sent_give_the_same_session_digests() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder of recordings");
        return;
    };
    let digests = |files: &[PathBuf]| -> BTreeMap<String, String> {
        let digest = |line: &str| {
            let session: seatrial::model::Session<'_> = serde_json::from_str(line).unwrap();
            (session.id.to_string(), seatrial::model::digest::session(&session).to_string())
        };
        imported(files).lines().map(digest).collect()
    };
    for recording in RECORDINGS {
        let folder = shared.join("data/otlp-sdk").join(recording);
        let mut requests: Vec<PathBuf> = std::fs::read_dir(folder.join("requests"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.contains(".traces.") || name.contains(".logs.")
            })
            .collect();
        // Whatever order they come in.
        requests.sort();
        requests.reverse();
        let (lines, sent) = (digests(&lines_of(&folder)), digests(&requests));
        assert_eq!(lines, sent, "{recording}");
        println!("{recording}: {} sessions of JSON lines and of {} requests are the same", lines.len(), requests.len());
    }
}

fn print_table(table: &BTreeMap<(usize, &str), (usize, usize)>) {
    let facts: Vec<&str> = std::iter::once("sessions").chain(FACTS.iter().map(|f| f.0)).collect();
    println!("| recording | {} |", facts.join(" | "));
    for (r, recording) in RECORDINGS.iter().enumerate() {
        let cells = facts.iter().map(|f| match table.get(&(r, *f)) {
            Some((compared, equal)) => format!("{equal}/{compared}"),
            None => "-".to_owned(),
        });
        println!("| {recording} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
