//! What seatrial reads from real files of Google's Agent Development Kit, against figures that an independent program
//! counted in them and against a plain walk over their JSON. The files are not part of the project: the folder that
//! holds them is named by `SEATRIAL_SHARED`, and without it the test says that it was skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test, outside of its functions too, may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use seatrial::checks::expect::Expected;
use seatrial::formats::{FORMATS, Format, Head, Layout, format};
use seatrial::model::{Session, SpanKind, SpanStatus, digest};
use seatrial::suite::load::{Env, load};
use seatrial::suite::{Case, Suite};
use serde_json::{Value, json};

/// What is compared, by name.
type Facts = BTreeMap<String, Value>;

/// Facts that differ from the truth, each with the reason: file, fact, reason. One that agrees again fails the test.
const KNOWN: &[(&str, &str, &str)] = &[];

#[test]
fn sessions_and_eval_sets_of_adk_agree_with_independent_counts() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder with the recorded files");
        return;
    };
    let folder = shared.join("data/adk");
    let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
    let mut rows = Vec::new();
    let (mut sessions, mut sets, mut others) = (0, 0, 0);
    for (file, truth) in truth.as_object().unwrap() {
        let path = folder.join(file);
        let raw: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (ours, theirs) = match truth["kind"].as_str().unwrap() {
            "session" => {
                sessions += 1;
                (session_facts(&path), session_truth(truth, &raw))
            }
            "test_config" => {
                others += 1;
                (
                    foreign(&path),
                    json!({"cases": "refused", "format": null}).as_object().unwrap().clone().into_iter().collect(),
                )
            }
            _ => {
                sets += 1;
                (set_facts(&path), set_truth(&path, Some(truth), &raw))
            }
        };
        compare(&mut rows, file, &ours, &theirs);
    }
    assert_eq!((sessions, sets, others), (2, 16, 8), "every file of the truth has its kind");
    // These have no truth of their own: only the walk over their JSON.
    let otel = shared.join("data/otel/agentevals-dev");
    for file in
        ["examples/dice_agent/eval_set.json", "samples/evalset_k8s_2026-02-20.json", "samples/eval_set_helm.json"]
    {
        let path = otel.join(file);
        let raw: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        compare(&mut rows, file, &set_facts(&path), &set_truth(&path, None, &raw));
    }
    let (table, unknown, gone) = report(&rows);
    println!("{table}");
    assert!(rows.len() > 150, "only {} facts were compared", rows.len());
    assert_eq!(unknown, 0, "{table}");
    assert!(gone.is_empty(), "these agree now, or are compared no more: {gone:?}");
}

struct Row {
    file: String,
    fact: String,
    ours: Value,
    theirs: Value,
}

fn compare(rows: &mut Vec<Row>, file: &str, ours: &Facts, theirs: &Facts) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{file}");
    for (fact, value) in ours {
        let (file, fact) = (file.to_owned(), fact.clone());
        rows.push(Row { theirs: theirs[&fact].clone(), ours: value.clone(), file, fact });
    }
}

/// The table, how many facts differ that are not known to, and the known ones that do not.
fn report(rows: &[Row]) -> (String, usize, Vec<(&'static str, &'static str)>) {
    let (mut table, mut unknown) = ("file | fact | seatrial | truth\n".to_owned(), 0);
    let mut known: Vec<_> = KNOWN.iter().collect();
    for row in rows {
        let reason = KNOWN.iter().find(|k| k.0 == row.file && k.1 == row.fact).map(|k| k.2);
        let mark = match (row.ours == row.theirs, reason) {
            (true, _) => String::new(),
            (false, Some(reason)) => {
                known.retain(|k| k.0 != row.file || k.1 != row.fact);
                format!("   <-- differs: {reason}")
            }
            (false, None) => {
                unknown += 1;
                "   <-- differs".to_owned()
            }
        };
        let short = |v: &Value| v.to_string().chars().take(160).collect::<String>();
        writeln!(table, "{} | {} | {} | {}{mark}", row.file, row.fact, short(&row.ours), short(&row.theirs)).unwrap();
    }
    writeln!(table, "{} compared, {unknown} differ", rows.len()).unwrap();
    (table, unknown, known.iter().map(|k| (k.0, k.1)).collect())
}

/// The formats that claim a file.
fn claims(path: &Path, bytes: &[u8]) -> Vec<(&'static dyn Format, Layout)> {
    let head = Head { path, bytes: &bytes[..bytes.len().min(64 << 10)], whole: bytes.len() <= 64 << 10 };
    FORMATS.iter().filter_map(|f| Some((*f, f.sniff(&head)?))).collect()
}

/// A file that is neither.
fn foreign(path: &Path) -> Facts {
    let bytes = std::fs::read(path).unwrap();
    let mut facts = Facts::new();
    facts.insert("format".into(), claims(path, &bytes).first().map_or(Value::Null, |c| c.0.name().into()));
    facts.insert("cases".into(), if suite(path).is_err() { "refused" } else { "read" }.into());
    facts
}

fn add(facts: &mut Facts, name: impl Into<String>, n: usize) {
    let value = facts.entry(name.into()).or_insert_with(|| 0.into());
    *value = (value.as_u64().unwrap() + n as u64).into();
}

/// A recorded session as seatrial sees it.
fn session_facts(path: &Path) -> Facts {
    let bytes = std::fs::read(path).unwrap();
    let claims = claims(path, &bytes);
    assert_eq!(claims.len(), 1, "{}", path.display());
    assert_eq!((claims[0].0.name(), claims[0].1), ("adk", Layout::Values));
    let session = claims[0].0.decoder(&[]).unwrap().decode(&bytes, 0, "file").unwrap();
    survives_import(&session);
    assert!(session.failure.is_none() && !session.incomplete);
    let mut facts = Facts::new();
    for (name, value) in [("id", Some(&session.id)), ("agent", session.agent.as_ref()), ("user", session.user.as_ref())]
    {
        facts.insert(name.into(), json!(value.map(|t| t.as_str())));
    }
    facts.insert("start".into(), json!(session.start_ns));
    facts.insert("state".into(), session.state.as_ref().map_or(Value::Null, |s| s.json().unwrap().clone()));
    add(&mut facts, "turns", session.turns.len());
    let turns = |f: fn(&seatrial::model::Turn<'_>) -> Value| session.turns.iter().map(f).collect::<Vec<_>>();
    facts.insert("users".into(), turns(|t| json!(t.user.as_deref())).into());
    facts.insert("replies".into(), turns(|t| json!(t.reply.as_deref())).into());
    facts.insert("turn starts".into(), turns(|t| json!(t.start_ns)).into());
    let mut calls = Vec::new();
    for (_, call) in session.tool_calls() {
        add(&mut facts, format!("call {}", call.name), 1);
        let input = call.input.as_ref().unwrap().json().unwrap();
        let output = call.output.as_ref().map(|o| o.json().unwrap());
        calls.push(json!([call.name.as_str(), input, output, call.agent.as_deref()]));
        add(&mut facts, "responses", usize::from(call.output.is_some()));
        add(&mut facts, "errors", usize::from(call.status == SpanStatus::Error));
        assert_ne!(call.status, SpanStatus::Unset, "every call of these files has a response");
        // In these files each response is an event of its own.
        add(&mut facts, format!("events of {}", call.agent.as_deref().unwrap()), 1);
    }
    facts.insert("calls".into(), calls.into());
    for span in session.spans().filter(|s| s.kind == SpanKind::Llm) {
        add(&mut facts, format!("events of {}", span.agent.as_deref().unwrap()), 1);
        assert!(span.usage.is_none(), "these files hold no token counts");
    }
    facts
}

/// A session written in seatrial's own format and read back is the same session.
fn survives_import(session: &Session<'_>) {
    let mut line = Vec::new();
    seatrial::formats::seatrial::write(session, &mut line).unwrap();
    let decoder = format("seatrial").unwrap().decoder(&[]).unwrap();
    let again = decoder.decode(&line, 0, "file").unwrap();
    assert_eq!(digest::session(session), digest::session(&again));
}

/// The same facts from a session's truth and from its JSON.
fn session_truth(truth: &Value, raw: &Value) -> Facts {
    let mut facts = Facts::new();
    for (ours, theirs) in [("id", "id"), ("agent", "app_name"), ("user", "user_id"), ("state", "state")] {
        facts.insert(ours.into(), raw[theirs].clone());
    }
    facts.insert("turns".into(), truth["authors"]["user"].clone());
    facts.insert("responses".into(), truth["function_responses"].clone());
    facts.insert("errors".into(), 0.into());
    for (name, n) in truth["function_calls"].as_object().unwrap() {
        facts.insert(format!("call {name}"), n.clone());
    }
    for (author, n) in truth["authors"].as_object().unwrap().iter().filter(|(a, _)| *a != "user") {
        facts.insert(format!("events of {author}"), n.clone());
    }
    let events = raw["events"].as_array().unwrap();
    assert_eq!(events.len() as u64, truth["events"].as_u64().unwrap());
    let ns =
        |e: &Value| json!((e["timestamp"].to_string().replace('.', "") + "000000000")[..19].parse::<u64>().unwrap());
    facts.insert("start".into(), ns(&events[0]));
    let (mut users, mut replies, mut starts, mut calls) = (vec![], vec![], vec![], vec![]);
    for event in events {
        let parts = event["content"]["parts"].as_array().unwrap();
        for part in parts {
            let text = &part["text"];
            if event["author"] == "user" {
                users.push(text.clone());
                replies.push(Value::Null);
                starts.push(ns(event));
            } else if text.is_string() {
                *replies.last_mut().unwrap() = text.clone();
            }
            if let Some(call) = part.get("function_call") {
                calls.push(json!([call["name"], call["args"], null, event["author"]]));
            }
            if let Some(response) = part.get("function_response") {
                let call = calls.iter_mut().find(|c| c[0] == response["name"] && c[2].is_null()).unwrap();
                call[2] = response["response"].clone();
            }
        }
    }
    for (name, list) in [("users", users), ("replies", replies), ("turn starts", starts), ("calls", calls)] {
        facts.insert(name.into(), list.into());
    }
    facts
}

/// A suite whose cases are the file's.
fn suite(path: &Path) -> Result<Suite, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.toml");
    let path = path.to_string_lossy();
    let toml = format!(
        "[suite]\nname = \"s\"\ncases = '{path}'\n[recorded]\npaths = [\"x.json\"]\n[[session]]\nid = \"t\"\n\
         check = \"turns\"\nmin = 1\n"
    );
    std::fs::write(&file, toml).unwrap();
    let env = Env {
        kit: &std::sync::Arc::default(),
        vars: &|_| None,
        subject: None,
        redact: &Default::default(),
        sessions: None,
        place: seatrial::suite::RunsIn::Gate,
        every: None,
    };
    let loaded = load(&[file], &env).map_err(|problems| problems.render(false))?;
    Ok(loaded.suites.into_iter().next().unwrap())
}

/// An eval set as seatrial sees it: as cases, and as what is refused as a recording.
fn set_facts(path: &Path) -> Facts {
    let bytes = std::fs::read(path).unwrap();
    let claims = claims(path, &bytes);
    assert_eq!(claims.len(), 1, "{}", path.display());
    assert_eq!((claims[0].0.name(), claims[0].1), ("adk", Layout::Values));
    let refused = claims[0].0.decoder(&[]).unwrap().decode(&bytes, 0, "file").unwrap_err();
    assert!(refused.message.contains("eval set"), "{refused:?}");
    let suite = suite(path).unwrap();
    let cases = &suite.cases.as_ref().unwrap().list;
    let mut facts = Facts::new();
    for name in ["calls", "turns", "answers missing"] {
        add(&mut facts, name, 0);
    }
    add(&mut facts, "cases", cases.len());
    for case in cases {
        add(&mut facts, "turns", case.turn_expected.len());
        for turn in &case.turn_expected {
            let answer = turn.as_ref().and_then(|t| t.answer.as_ref());
            add(&mut facts, "answers missing", usize::from(answer.is_none()));
        }
        for call in case.turn_expected.iter().flatten().flat_map(|t| t.tools.iter().flat_map(|t| t.iter())) {
            add(&mut facts, "calls", 1);
            add(&mut facts, format!("call {}", call.name), 1);
        }
    }
    facts.insert("in order".into(), cases.iter().map(in_order).collect());
    facts
}

/// The case, turn by turn, and its session's calls.
fn in_order(case: &Case) -> Value {
    let tools = |e: &Expected<'_>| -> Option<Vec<Value>> {
        let args = |c: &seatrial::checks::expect::ExpectedCall| json!([c.name, c.args.as_ref().map(|a| a.to_value())]);
        e.tools.as_ref().map(|t| t.iter().map(args).collect())
    };
    let users = case.vars["turns"].as_array().unwrap();
    let turns = users.iter().zip(&case.turn_expected).map(|(turn, expected)| {
        let expected = expected.clone().unwrap_or_default();
        json!([turn["user"], tools(&expected), expected.answer.as_deref()])
    });
    json!([case.id, turns.collect::<Vec<_>>(), tools(&case.expected), case.vars.get("session_input")])
}

/// The same facts from an eval set's truth, where there is one, and from its JSON.
fn set_truth(path: &Path, truth: Option<&Value>, raw: &Value) -> Facts {
    let name = path.file_name().unwrap().to_string_lossy();
    let walked = walk(name.split('.').next().unwrap(), raw);
    let mut facts = Facts::new();
    for name in ["calls", "turns", "answers missing"] {
        add(&mut facts, name, 0);
    }
    add(&mut facts, "cases", walked.len());
    for case in &walked {
        let turns = case[1].as_array().unwrap();
        add(&mut facts, "turns", turns.len());
        for turn in turns {
            add(&mut facts, "answers missing", usize::from(turn[2].is_null()));
            for call in turn[1].as_array().into_iter().flatten() {
                add(&mut facts, "calls", 1);
                add(&mut facts, format!("call {}", call[0].as_str().unwrap()), 1);
            }
        }
    }
    facts.insert("in order".into(), walked.into());
    if let Some(truth) = truth {
        let mut put = |ours: &str, theirs: &[&str]| {
            let found = theirs.iter().find_map(|key| truth.get(*key));
            found.map(|value| facts.insert(ours.to_owned(), value.clone())).is_some()
        };
        assert!(put("turns", &["turns", "invocations"]) && put("calls", &["expected_tool_use", "tool_uses"]));
        put("cases", &["cases"]);
        put("answers missing", &["final_response_missing"]);
        for (name, n) in truth.get("tools").and_then(Value::as_object).into_iter().flatten() {
            facts.insert(format!("call {name}"), n.clone());
        }
    }
    facts
}

/// The cases of an eval set, found by a plain walk: id, turns of user, calls and answer, the session's calls, input.
fn walk(name: &str, raw: &Value) -> Vec<Value> {
    let none = Value::Null;
    let of = |id: Value, turns: Vec<Value>, input: &Value| {
        let every = turns.iter().all(|t| t[1].is_array());
        let all = turns.iter().filter_map(|t| t[1].as_array()).flatten().cloned().collect::<Vec<_>>();
        json!([id, turns, every.then_some(all), input])
    };
    let text = |content: &Value| -> Value {
        let parts = content["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().map(|p| p["text"].clone()).find(Value::is_string).unwrap_or(Value::Null)
    };
    let old = |turn: &Value| {
        let calls = turn["expected_tool_use"].as_array().unwrap().iter();
        let calls = calls.map(|c| json!([c["tool_name"], c["tool_input"]]));
        json!([turn["query"], calls.collect::<Vec<_>>(), turn["reference"]])
    };
    let new = |turn: &Value| {
        let data = &turn["intermediate_data"];
        let uses = data["tool_uses"].as_array().cloned().unwrap_or_default();
        let parts = data["parts"].as_array().into_iter().flatten().map(|p| p["function_call"].clone());
        let calls = uses.into_iter().chain(parts).map(|c| json!([c["name"], c["args"]]));
        let calls = (!data.is_null()).then(|| calls.collect::<Vec<_>>());
        let answer = turn.get("final_response").or(turn.get("agent_content")).unwrap_or(&none);
        json!([text(&turn["user_content"]), calls, text(answer)])
    };
    match raw.as_array() {
        Some(items) if items[0].get("data").is_some() => items
            .iter()
            .map(|c| of(c["name"].clone(), c["data"].as_array().unwrap().iter().map(old).collect(), &none))
            .collect(),
        Some(items) => vec![of(name.into(), items.iter().map(old).collect(), &none)],
        None => {
            let cases = raw["eval_cases"].as_array().unwrap().iter();
            let id = |c: &Value| c.get("eval_id").or(c.get("case_id")).unwrap().clone();
            let turns = |c: &Value| c["conversation"].as_array().unwrap().iter().map(new).collect();
            cases.map(|c| of(id(c), turns(c), &c["session_input"])).collect()
        }
    }
}
