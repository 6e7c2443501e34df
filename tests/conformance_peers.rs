//! Agreement with what other runners answered on the same trajectories, where their modes mean the same as ours.
//!
//! The recorded answers are not part of the repository: `SEATRIAL_SHARED` names the folder that holds
//! `data/peer-cases` and `data/tau-bench`; without it the tests say so and stop. Every divergence is listed below with
//! its reason. One that is not listed fails the test, and so does a listed one that no longer diverges.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatrial::checks::build::{Build, Files, Kit};
use seatrial::checks::expect::Expected;
use seatrial::checks::subject::{NO_EARLIER, Scene, SessionSubject};
use seatrial::checks::{Compiled, SessionCheck, rule};
use seatrial::model::{Finding, Level, Session, Status};
use serde_json::{Value, json};

/// Where a peer's answer differs, and why ours stays as it is.
struct Divergence {
    /// The peer and its setting, as [`Row::setting`] names them; a `*` at the end stands for anything.
    setting: &'static str,
    /// The pairs.
    pairs: &'static [&'static str],
    /// How many answers differ in all.
    answers: usize,
    /// Why.
    reason: &'static str,
}

const DIVERGENCES: &[Divergence] = &[
    Divergence {
        setting: "agentevals-js *",
        pairs: &["arg-bigint-float"],
        answers: 9,
        reason: "JavaScript reads 9007199254740993 as the double 9007199254740992; two different identifiers are not one",
    },
    Divergence {
        setting: "agentevals-py *",
        pairs: &["arg-huge-exp"],
        answers: 9,
        reason: "1e400 and 1e401 are no numbers that we can hold, and not equal because both overflow to infinity",
    },
    Divergence {
        setting: "agentevals-js *",
        pairs: &["arg-huge-exp"],
        answers: 9,
        reason: "1e400 and 1e401 both overflow to Infinity in JavaScript",
    },
    Divergence {
        setting: "agentevals-py *",
        pairs: &["arg-true-float"],
        answers: 9,
        reason: "Python's True == 1.0; true is not a number",
    },
    Divergence {
        setting: "agentevals-js *",
        pairs: &["arg-null-vs-obj"],
        answers: 2,
        reason: "null has no keys to compare there; here null is not an object",
    },
    Divergence {
        setting: "agentevals-py *",
        pairs: &["seq-greedy-b"],
        answers: 4,
        reason: "each reference call takes the first call that fits, which rejects a valid assignment; ours is the largest one",
    },
    Divergence {
        setting: "agentevals-js *",
        pairs: &["seq-greedy-b"],
        answers: 4,
        reason: "each reference call takes the first call that fits, as in its Python edition",
    },
    Divergence {
        setting: "adk *",
        pairs: &["arg-huge-exp"],
        answers: 3,
        reason: "1e400 and 1e401 both overflow to infinity in Python",
    },
    Divergence {
        setting: "adk *",
        pairs: &["arg-true-float"],
        answers: 3,
        reason: "Python's True == 1.0; true is not a number",
    },
    Divergence {
        setting: "deepeval exact+args",
        pairs: &["arg-huge-exp", "arg-true-float"],
        answers: 2,
        reason: "Python's equality: infinities are equal, and True == 1.0",
    },
    Divergence {
        setting: "deepeval *",
        pairs: &["empty-reference"],
        answers: 2,
        reason: "an empty reference is met by whatever was called, so it scores 1 where it passes",
    },
    Divergence {
        setting: "deepeval default",
        pairs: &["seq-thrice-vs-twice", "seq-in-order-repeat"],
        answers: 2,
        reason: "equal expected calls are counted once there, so a repeated call can never be met",
    },
    Divergence {
        setting: "promptfoo *",
        pairs: &["name-space"],
        answers: 2,
        reason: "names are trimmed, lowered and read as globs there; here they are equal or not",
    },
    Divergence {
        setting: "ragas *",
        pairs: &["arg-nested-key-order", "arg-exp"],
        answers: 2,
        reason: "arguments are compared as texts there; the order of keys and the spelling of a number mean nothing in JSON",
    },
    Divergence {
        setting: "ragas *",
        pairs: &["arg-int-string"],
        answers: 1,
        reason: "arguments are compared as texts there; 1 is not \"1\"",
    },
    Divergence {
        setting: "ragas *",
        pairs: &["arg-huge-exp"],
        answers: 1,
        reason: "both overflow to infinity in Python",
    },
    Divergence {
        setting: "ragas *",
        pairs: &["arg-null-missing", "seq-greedy-d"],
        answers: 2,
        reason: "only the reference's arguments are looked at there, which is our `superset`, not equality",
    },
    Divergence {
        setting: "strands-agents-evals in_order_match_scorer",
        pairs: &["seq-missing-middle", "seq-rotate3"],
        answers: 2,
        reason: "the scan stops at the first call it cannot place; ours is the longest common subsequence",
    },
    Divergence {
        setting: "strands-agents-evals any_order_match_scorer",
        pairs: &[
            "seq-thrice-vs-twice",
            "seq-same-name-swap",
            "seq-same-name-dup-rev",
            "seq-greedy-b",
            "seq-greedy-d",
            "seq-in-order-repeat",
        ],
        answers: 6,
        reason: "names are compared as sets there, and their number divided by the length of the list; repeated calls can never be met",
    },
    Divergence {
        setting: "airline deepeval default",
        pairs: &["12.0", "18.0", "24.0", "12.1", "18.1", "24.1", "12.2", "18.2", "24.2", "18.3", "24.3"],
        answers: 11,
        reason: "the task expects no call at all: met by whatever was called",
    },
    Divergence {
        setting: "airline deepeval ordering",
        pairs: &["12.0", "18.0", "24.0", "12.1", "18.1", "24.1", "12.2", "18.2", "24.2", "18.3", "24.3"],
        answers: 11,
        reason: "the task expects no call at all: met by whatever was called, in any order",
    },
];

/// One question that both sides answered.
#[derive(Debug)]
struct Row {
    setting: String,
    pair: String,
    ours: f64,
    theirs: f64,
}

impl Row {
    fn diverges(&self) -> bool {
        (self.ours - self.theirs).abs() > 1e-9
    }
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: SEATRIAL_SHARED names no folder with recorded answers of other runners");
    }
    folder
}

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("data").join(name)).unwrap()).unwrap()
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        Err(format!("no file {}", path.display()))
    }
}

fn compile(parameters: Value) -> Box<dyn SessionCheck> {
    let mut build = Build { level: Level::Session, files: &NoFiles, kit: &Kit::default(), problems: Vec::new() };
    match (rule("trajectory").unwrap().from_json)(parameters, &mut build).unwrap().unwrap() {
        (Compiled::Session(check), _) => check,
        _ => panic!("a session check"),
    }
}

/// A call: its name and its arguments as the text they were recorded as.
type Call = (String, String);

/// Lets `trajectory` judge calls against a reference.
fn judge(parameters: Value, reference: &[Call], calls: &[Call]) -> Finding {
    let tools: Vec<Value> = reference.iter().map(|(name, args)| json!({"name": name, "args": args})).collect();
    let spans: Vec<Value> = calls.iter().map(|(n, args)| json!({"kind": "tool", "name": n, "input": args})).collect();
    let line = json!({"id": "s", "reference": {"tools": tools}, "turns": [{"spans": spans}]}).to_string();
    let session: Session<'_> = serde_json::from_str(&line).unwrap();
    let expected = Expected::recorded(session.reference.as_ref().unwrap());
    let (context, make) = (OnceCell::new(), || minijinja::Value::UNDEFINED);
    let scene = Scene {
        session: &session,
        case_id: "case",
        tags: &[],
        expected: &expected,
        turn_expected: &[],
        earlier: Err(NO_EARLIER),
        context: &context,
        make_context: &make,
    };
    compile(parameters).check(&SessionSubject { scene: &scene })
}

fn passes(parameters: Value, reference: &[Call], calls: &[Call]) -> f64 {
    let finding = judge(parameters, reference, calls);
    assert!(matches!(finding.status, Status::Pass | Status::Fail), "{}", finding.reason);
    f64::from(u8::from(finding.status == Status::Pass))
}

fn score(parameters: Value, reference: &[Call], calls: &[Call]) -> f64 {
    judge(parameters, reference, calls).score.unwrap()
}

/// The calls of OpenAI messages, arguments as raw text.
fn calls(messages: &Value) -> Vec<Call> {
    let calls = messages.as_array().into_iter().flatten().filter_map(|m| m["tool_calls"].as_array()).flatten();
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    calls.map(|c| (text(&c["function"]["name"]), text(&c["function"]["arguments"]))).collect()
}

/// The reference and the calls of every pair.
fn pairs(folder: &Path) -> BTreeMap<String, (Vec<Call>, Vec<Call>)> {
    let file = read(folder, "peer-cases/agentevals.json");
    let pairs = file["pairs"].as_object().unwrap();
    pairs.iter().map(|(name, p)| (name.clone(), (calls(&p["reference"]), calls(&p["outputs"])))).collect()
}

/// Our parameters for a mode of agentevals, where there are any. Under `subset` it swaps the roles of the arguments;
/// under `unordered` its args modes must hold both ways, which is equality. `strict` compares messages.
fn agentevals_parameters(mode: &str, args: &str, overrides: &Value) -> Option<Value> {
    let swapped = |args: &str| match (mode, args) {
        (_, "exact" | "ignore") => Some(args.to_owned()),
        ("unordered", "subset" | "superset") => Some("exact".to_owned()),
        ("subset", "subset") => Some("superset".to_owned()),
        ("subset", "superset") => Some("subset".to_owned()),
        ("superset", "subset" | "superset") => Some(args.to_owned()),
        _ => None,
    };
    let ours = match mode {
        "superset" => "any_order",
        "subset" | "unordered" => mode,
        _ => return None,
    };
    let mut by_tool = serde_json::Map::new();
    for (tool, args) in overrides.as_object().into_iter().flatten() {
        by_tool.insert(tool.clone(), swapped(args.as_str()?)?.into());
    }
    Some(json!({"mode": ours, "args": swapped(args)?, "args_for": by_tool}))
}

fn agentevals(folder: &Path, rows: &mut Vec<Row>) {
    let pairs = pairs(folder);
    let file = read(folder, "peer-cases/agentevals.json");
    for v in file["verdicts"].as_array().unwrap() {
        let [pair, mode, args] = ["pair", "mode", "args_mode"].map(|k| v[k].as_str().unwrap());
        let Some(parameters) = agentevals_parameters(mode, args, &v["overrides"]) else { continue };
        let (reference, calls) = &pairs[pair];
        let ours = passes(parameters, reference, calls);
        for language in ["py", "js"] {
            // Where the peer raised an exception there is no verdict to agree with.
            let Some(theirs) = v[language].as_bool() else { continue };
            let by_tool = if v["overrides"].is_null() { String::new() } else { format!(" {}", v["overrides"]) };
            let setting = format!("agentevals-{language} {mode}/{args}{by_tool}");
            rows.push(Row { setting, pair: pair.to_owned(), ours, theirs: f64::from(u8::from(theirs)) });
        }
    }
    for (i, v) in file["suite"].as_array().unwrap().iter().enumerate() {
        let [mode, args] = ["mode", "args_mode"].map(|k| v[k].as_str().unwrap());
        let Some(parameters) = agentevals_parameters(mode, args, &v["overrides"]) else { continue };
        let ours = passes(parameters, &calls(&v["reference"]), &calls(&v["outputs"]));
        let theirs = f64::from(u8::from(v["verdict"].as_bool().unwrap()));
        rows.push(Row { setting: format!("agentevals-suite {mode}/{args}"), pair: i.to_string(), ours, theirs });
    }
}

fn adk_parameters(match_type: &str, ignore_args: bool) -> Value {
    json!({"mode": match_type.to_lowercase(), "args": if ignore_args { "ignore" } else { "exact" }})
}

/// The calls of one ADK invocation.
fn invocation(calls: &Value) -> Vec<Call> {
    calls.as_array().unwrap().iter().map(|c| (c["name"].as_str().unwrap().to_owned(), c["args"].to_string())).collect()
}

fn adk(folder: &Path, rows: &mut Vec<Row>) {
    let pairs = pairs(folder);
    let file = read(folder, "peer-cases/adk.json");
    for v in file["verdicts"].as_array().unwrap() {
        let [pair, kind] = ["pair", "match_type"].map(|k| v[k].as_str().unwrap());
        let ignore = v["ignore_args"].as_bool().unwrap();
        let Some(theirs) = v["overall_score"].as_f64() else { continue };
        let (reference, calls) = &pairs[pair];
        let ours = passes(adk_parameters(kind, ignore), reference, calls);
        let setting = format!("adk {kind}{}", if ignore { "/ignore_args" } else { "" });
        rows.push(Row { setting, pair: pair.to_owned(), ours, theirs });
    }
    for (i, v) in file["cases"].as_array().unwrap().iter().enumerate() {
        let kind = v["match_type"].as_str().unwrap();
        let ignore = v["ignore_args"].as_bool().unwrap();
        // A different number of invocations raises an exception there; the verdicts compared are those of each turn.
        let Some(each) = v["per_invocation"].as_array() else { continue };
        for (k, theirs) in each.iter().enumerate() {
            let (reference, calls) = (invocation(&v["expected"][k]), invocation(&v["actual"][k]));
            let ours = passes(adk_parameters(kind, ignore), &reference, &calls);
            let theirs = theirs.as_f64().unwrap();
            rows.push(Row { setting: format!("adk-cases {kind}"), pair: format!("{i}.{k}"), ours, theirs });
        }
    }
}

/// DeepEval scores: exact is ours; with names only, ordering is the score of `in_order` and the default that of
/// `any_order`. With arguments it gives partial credit, which is no mode of ours.
fn deepeval_score(exact: bool, ordering: bool, with_args: bool, reference: &[Call], calls: &[Call]) -> Option<f64> {
    let args = if with_args { "exact" } else { "ignore" };
    match (exact, ordering, with_args) {
        (true, ..) => Some(passes(json!({"mode": "exact", "args": args}), reference, calls)),
        (false, _, true) => None,
        (false, true, false) => Some(score(json!({"mode": "in_order", "args": args}), reference, calls)),
        (false, false, false) => Some(score(json!({"mode": "any_order", "args": args}), reference, calls)),
    }
}

fn deepeval(folder: &Path, rows: &mut Vec<Row>) {
    let pairs = pairs(folder);
    let file = read(folder, "peer-cases/deepeval.json");
    for v in file["verdicts"].as_array().unwrap() {
        let pair = v["pair"].as_str().unwrap();
        let [exact, ordering] = ["should_exact_match", "should_consider_ordering"].map(|k| v[k].as_bool().unwrap());
        let with_args = !v["evaluation_params"].as_array().unwrap().is_empty();
        let (reference, calls) = &pairs[pair];
        let Some(theirs) = v["score"].as_f64() else { continue };
        let Some(ours) = deepeval_score(exact, ordering, with_args, reference, calls) else { continue };
        let kind = if exact {
            "exact"
        } else if ordering {
            "ordering"
        } else {
            "default"
        };
        let setting = format!("deepeval {kind}{}", if with_args { "+args" } else { "" });
        rows.push(Row { setting, pair: pair.to_owned(), ours, theirs });
    }
}

fn ragas_and_strands(folder: &Path, rows: &mut Vec<Row>) {
    let pairs = pairs(folder);
    let file = read(folder, "peer-cases/ragas_strands.json");
    for v in file["verdicts"].as_array().unwrap() {
        let [pair, metric] = ["pair", "metric"].map(|k| v[k].as_str().unwrap());
        let Some(theirs) = v["score"].as_f64() else { continue };
        let (r, a) = &pairs[pair];
        let (ours, theirs) = match metric {
            // Full marks and nothing less is our pass; what is less than full marks it weighs differently.
            "ToolCallAccuracy(strict_order=True)" => (passes(json!({"mode": "exact"}), r, a), f64::from(theirs == 1.0)),
            "in_order_match_scorer" => (score(json!({"mode": "in_order", "args": "ignore"}), r, a), theirs),
            "any_order_match_scorer" => (score(json!({"mode": "any_order", "args": "ignore"}), r, a), theirs),
            _ => continue,
        };
        let peer = v["peer"].as_str().unwrap();
        rows.push(Row { setting: format!("{peer} {metric}"), pair: pair.to_owned(), ours, theirs });
    }
}

fn promptfoo(folder: &Path, rows: &mut Vec<Row>) {
    let pairs = pairs(folder);
    let file = read(folder, "peer-cases/promptfoo.json");
    for v in file["verdicts"].as_array().unwrap() {
        if v["assertion"] != "trajectory:tool-sequence" || v["inverse"].as_bool().unwrap() {
            continue;
        }
        // An empty expectation raises an exception there.
        let Some(theirs) = v["pass"].as_bool() else { continue };
        let [pair, mode] = ["pair", "mode"].map(|k| v[k].as_str().unwrap());
        let (r, a) = &pairs[pair];
        let ours = passes(json!({"mode": mode, "args": "ignore"}), r, a);
        let theirs = f64::from(u8::from(theirs));
        rows.push(Row { setting: format!("promptfoo tool-sequence {mode}"), pair: pair.to_owned(), ours, theirs });
    }
}

/// Every answer on recorded sessions of an airline agent.
fn airline(folder: &Path, rows: &mut Vec<Row>) {
    let recorded = read(folder, "tau-bench/gpt-4o-airline.even-tasks.json");
    let answers = read(folder, "peer-cases/on_tau-bench_airline.json");
    for s in answers["sessions"].as_array().unwrap() {
        let mut found = recorded.as_array().unwrap().iter();
        let session = found.find(|r| r["task_id"] == s["task_id"] && r["trial"] == s["trial"]).unwrap();
        let gold = session["info"]["task"]["actions"].as_array().unwrap();
        let reference: Vec<Call> =
            gold.iter().map(|a| (a["name"].as_str().unwrap().to_owned(), a["kwargs"].to_string())).collect();
        assert_eq!(reference.len() as u64, s["n_gold"].as_u64().unwrap());
        let calls = calls(&session["traj"]);
        let pair = format!("{}.{}", s["task_id"], s["trial"]);
        let mut add =
            |setting: String, ours: f64, theirs: f64| rows.push(Row { setting, pair: pair.clone(), ours, theirs });
        for (key, theirs) in s["agentevals"].as_object().unwrap() {
            let (mode, args) = key.split_once('/').unwrap();
            let Some(parameters) = agentevals_parameters(mode, args, &Value::Null) else { continue };
            let theirs = f64::from(u8::from(theirs.as_bool().unwrap()));
            add(format!("airline agentevals {key}"), passes(parameters, &reference, &calls), theirs);
        }
        for (key, theirs) in s["adk"].as_object().unwrap() {
            let (kind, ignore) = key.split_once('/').map_or((key.as_str(), false), |(kind, _)| (kind, true));
            let ours = passes(adk_parameters(kind, ignore), &reference, &calls);
            add(format!("airline adk {key}"), ours, theirs.as_f64().unwrap());
        }
        for (key, theirs) in s["deepeval"].as_object().unwrap() {
            let (kind, with_args) = key.split_once('+').map_or((key.as_str(), false), |(kind, _)| (kind, true));
            let ours = deepeval_score(kind == "exact", kind == "ordering", with_args, &reference, &calls);
            let Some(ours) = ours else { continue };
            add(format!("airline deepeval {key}"), ours, theirs.as_f64().unwrap());
        }
    }
}

/// Holds the answers of some peers against the list: no divergence that is not listed, none listed that is not there.
fn settle(rows: &[Row], peers: &[&str]) {
    let listed = |row: &Row, d: &Divergence| {
        let exact = row.setting == d.setting;
        let setting = d.setting.strip_suffix('*').map_or(exact, |start| row.setting.starts_with(start));
        setting && d.pairs.contains(&row.pair.as_str())
    };
    let differ: Vec<&Row> = rows.iter().filter(|r| r.diverges()).collect();
    let mut problems = Vec::new();
    for row in differ.iter().filter(|row| !DIVERGENCES.iter().any(|d| listed(row, d))) {
        problems.push(format!("not listed: {} on {}: ours {}, theirs {}", row.setting, row.pair, row.ours, row.theirs));
    }
    for d in DIVERGENCES.iter().filter(|d| peers.iter().any(|peer| d.setting.starts_with(peer))) {
        let found = differ.iter().filter(|row| listed(row, d)).count();
        let every = d.pairs.iter().all(|pair| differ.iter().any(|row| row.pair == *pair && listed(row, d)));
        if found != d.answers || !every {
            problems.push(format!("{} answers differ, not {}: {} ({})", found, d.answers, d.setting, d.reason));
        }
    }
    println!("{peers:?}: {} answers compared, {} differ as listed", rows.len(), differ.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Collects the answers of some peers, of which there are at least `least`, and settles them.
fn compare(peers: &[&str], least: usize, collect: fn(&Path, &mut Vec<Row>)) {
    let Some(folder) = shared() else { return };
    let mut rows = Vec::new();
    collect(&folder, &mut rows);
    assert!(rows.len() >= least, "only {} answers were found", rows.len());
    settle(&rows, peers);
}

/// Every listed divergence belongs to a peer that one of the tests below settles.
#[test]
fn no_divergence_is_listed_that_is_never_looked_at() {
    for d in DIVERGENCES {
        assert!(PEERS.iter().flat_map(|p| p.iter()).any(|peer| d.setting.starts_with(peer)), "{}", d.setting);
        assert!(!d.reason.is_empty() && d.answers >= d.pairs.len());
    }
}

/// The peers of each test.
const PEERS: [&[&str]; 6] =
    [&["agentevals-"], &["adk"], &["deepeval"], &["ragas", "strands"], &["promptfoo"], &["airline"]];

#[test]
fn agrees_with_agentevals() {
    compare(PEERS[0], 1400, agentevals);
}

#[test]
fn agrees_with_adk() {
    compare(PEERS[1], 400, adk);
}

#[test]
fn agrees_with_deepeval() {
    compare(PEERS[2], 200, deepeval);
}

#[test]
fn agrees_with_ragas_and_strands() {
    compare(PEERS[3], 180, ragas_and_strands);
}

#[test]
fn agrees_with_promptfoo() {
    compare(PEERS[4], 120, promptfoo);
}

#[test]
fn agrees_on_recorded_sessions_of_an_airline_agent() {
    compare(PEERS[5], 2000, airline);
}
