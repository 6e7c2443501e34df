//! What `seatrial run` says of real tau-bench and tau2-bench files, end to end: the binary runs over every file, and
//! what its `summary.json` and `run.jsonl` say is held against figures that independent programs counted in the same
//! files (`truth.json`), and against the action checks that tau2-bench recorded with each simulation.
//!
//! The files are not part of the project: `SEATRIAL_SHARED` names the folder that holds them, and without it the test
//! says that it was skipped. Every difference is listed below with its reason. One that is not listed fails the test,
//! and so does a listed one that is gone.
//!
//! ```text
//! SEATRIAL_SHARED=/path/to/shared cargo test --test conformance_run -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says what it compared")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const TAU: &str = "gpt-4o-airline.even-tasks.json";
const FT: &str = "ft-gpt-4.1_airline_1trial.json";
const AIRLINE: &str = "gpt-4.1_airline_1trial.json";
const TELECOM: &str = "gpt-4.1_telecom_1trial.json";
const SOLO: &str = "gpt-4.1_telecom_no-user_4trials_5tasks.json";
const QWEN: &str = "qwen2.5-7b_airline_1trial.json";
const VOICE: &str = "voice/experiment";

/// A fact in which we differ, and why ours stays as it is.
struct Difference {
    fact: &'static str,
    /// The files, and what we say of each.
    files: &'static [(&'static str, f64)],
    reason: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        fact: "turns (user messages with text)",
        files: &[(TAU, 617.0), (FT, 114.0), (AIRLINE, 116.0), (TELECOM, 416.0), (QWEN, 466.0)],
        reason: "the simulated user's closing ###STOP### asks for nothing, so it is no turn that could be answered: \
                 exactly one a session that ended so (69 of 100, 20, 20, 40, 40 of 50)",
    },
    Difference {
        fact: "turns (user messages with text)",
        files: &[(SOLO, 20.0)],
        reason: "an agent that works alone gets its ticket as the one request of a session; there is no user message",
    },
    Difference {
        fact: "session_ms mean",
        files: &[
            (FT, 34_505.385_05),
            (AIRLINE, 22_516.943_25),
            (TELECOM, 52_539.316_875),
            (SOLO, 11_139.997_95),
            (QWEN, 117_359.149_04),
        ],
        reason: "from the recorded start to the recorded end, which were stamped around the benchmark's own stop-watch: 0.1 to 11 ms longer, each session",
    },
    Difference {
        fact: "sessions held against a reference",
        files: &[(FT, 20.0), (AIRLINE, 20.0), (QWEN, 50.0)],
        reason: "2, 2 and 7 tasks expect no action, which is an expectation here (any_order meets it) and leaves no \
                 check there; the 10 qwen simulations that ended early are not checked there at all",
    },
];

/// One compared figure.
struct Fact {
    file: String,
    name: String,
    ours: Value,
    truth: Value,
    note: &'static str,
}

#[test]
fn seatrial_run_over_tau_bench_files_agrees_with_independent_figures() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder with the recorded files");
        return;
    };
    let (mut facts, mut covered) = (Vec::new(), BTreeSet::new());
    for folder in ["tau-bench", "tau2-bench"].map(|f| shared.join("data").join(f)) {
        let truth = read(&folder.join("truth.json"));
        for (file, truth) in truth.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_')) {
            covered.insert(folder.join(file));
            let tau2 = !truth["action_checks"].is_null();
            let run = Run::over(&folder.join(file), trials(truth), false);
            let mut table = Table { file, facts: &mut facts };
            common(&mut table, &run, truth);
            if tau2 {
                tau2_facts(&mut table, &run, truth, &read(&folder.join(file)));
            } else {
                tau_facts(&mut table, &run, truth, &read(&folder.join(file)));
            }
        }
    }
    let experiment = shared.join("data/tau2-bench").join(VOICE);
    voice(&mut Table { file: VOICE, facts: &mut facts }, &experiment, &mut covered);
    assert_eq!(covered, recordings(&shared.join("data")), "every recorded file is run over");
    conclude(&facts);
}

/// Prints the table, and holds the differences against the listed ones.
fn conclude(facts: &[Fact]) {
    let mut listed: BTreeSet<(&str, &str)> =
        DIFFERENCES.iter().flat_map(|d| d.files.iter().map(|f| (f.0, d.fact))).collect();
    let (mut table, mut wrong, mut differ) = (String::new(), Vec::new(), 0);
    for fact in facts {
        let same = agree(&fact.ours, &fact.truth);
        let expected = DIFFERENCES
            .iter()
            .filter(|d| d.fact == fact.name)
            .find_map(|d| d.files.iter().find(|f| f.0 == fact.file).map(|f| (f.1, d.reason)));
        let note = match (same, expected) {
            (true, _) => fact.note.to_owned(),
            (false, Some((ours, reason))) if agree(&fact.ours, &ours.into()) => {
                listed.remove(&(fact.file.as_str(), fact.name.as_str()));
                differ += 1;
                format!("differs: {reason}")
            }
            (false, _) => {
                wrong.push(format!("{} | {} | {} | {}", fact.file, fact.name, fact.ours, fact.truth));
                "DIFFERS, not listed".to_owned()
            }
        };
        writeln!(table, "{} | {} | {} | {} | {note}", fact.file, fact.name, fact.ours, fact.truth).unwrap();
    }
    println!("file | fact | seatrial | truth | note\n{table}{} compared, {differ} differ as listed", facts.len());
    assert!(wrong.is_empty(), "{} differ and are not listed:\n{}", wrong.len(), wrong.join("\n"));
    assert!(listed.is_empty(), "listed, but no longer different: {listed:?}");
}

/// Numbers agree within rounding; everything else exactly.
fn agree(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        _ => a == b,
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every recorded file below the two folders.
fn recordings(data: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![data.join("tau-bench"), data.join("tau2-bench")]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".json") && name != "truth.json" && name != "expected_metrics.json" {
                found.insert(path);
            }
        }
    }
    found
}

fn trials(truth: &Value) -> u64 {
    let per_task = truth["sessions_per_task"].as_object().unwrap();
    assert_eq!(per_task.len(), 1, "every task of these files has equally many trials");
    per_task.keys().next().unwrap().parse().unwrap()
}

// ---- the run

/// What the binary wrote about one file or folder.
struct Run {
    code: i32,
    suite: Value,
    sessions: Vec<Value>,
    trials: u64,
}

const CHECKS: &str = r#"
[[session]]
id    = "reward"
check = "reward"

[[session]]
id       = "args"
check    = "trajectory"
mode     = "any_order"
severity = "info"

[[session]]
id       = "names"
check    = "trajectory"
mode     = "any_order"
args     = "ignore"
severity = "info"

[[session]]
id       = "no-calls"
check    = "calls"
tool     = "*"
max      = 0
severity = "info"

[[span]]
id       = "tools-work"
on       = { kind = "tool" }
check    = "status"
severity = "info"
"#;

/// Metric, statistic and further parameters of each system check.
const METRICS: &[(&str, &str, &str)] = &[
    ("tool_calls", "sum", "by = \"tool\""),
    ("tool_errors", "sum", "by = \"tool\""),
    ("turns", "sum", ""),
    ("tokens_in", "sum", ""),
    ("tokens_out", "sum", ""),
    ("cost_usd", "sum", ""),
    ("session_ms", "mean", ""),
    ("attr:agent_cost", "sum", ""),
    ("attr:user_cost", "sum", "min_coverage = 0.5"),
    ("attr:duration", "mean", ""),
];

/// The suite over a path; a reward below 1 fails it, everything else only reports.
fn suite(path: &Path, trials: u64) -> String {
    let path = serde_json::to_string(path.to_str().unwrap()).unwrap();
    let mut toml =
        format!("[suite]\nname = \"conformance\"\ntrials = {trials}\n\n[recorded]\npaths = [{path}]\n{CHECKS}");
    for k in 1..=trials {
        for stat in ["pass_hat_k", "pass_at_k"] {
            let table =
                format!("check = \"reliability\"\nof = \"reward\"\nk = {k}\nstat = \"{stat}\"\nseverity = \"info\"");
            writeln!(toml, "\n[[system]]\nid = \"{stat}-{k}\"\n{table}").unwrap();
        }
    }
    for (metric, stat, more) in METRICS {
        let table =
            format!("check = \"metric\"\nmetric = \"{metric}\"\nstat = \"{stat}\"\nseverity = \"info\"\n{more}");
        writeln!(toml, "\n[[system]]\nid = \"{}\"\n{table}", metric.replace(':', "-")).unwrap();
    }
    toml
}

impl Run {
    /// Runs the binary in an empty folder.
    fn over(path: &Path, trials: u64, recursive: bool) -> Self {
        assert_eq!(path.is_dir(), recursive);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        std::fs::write(dir.path().join("suite.toml"), suite(path, trials)).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_seatrial"))
            .args(["run", "suite.toml", "--out", "out"])
            .current_dir(dir.path())
            .env_clear()
            .output()
            .unwrap();
        let said = || format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let code = out.status.code().unwrap();
        assert!(code == 0 || code == 1 || code == 4, "exit code {code}: {}", said());
        let summary = read(&dir.path().join("out/latest/summary.json"));
        assert_eq!((&summary["exit_code"], summary["suites"].as_array().unwrap().len()), (&json!(code), 1));
        let record = std::fs::read_to_string(dir.path().join("out/latest/run.jsonl")).unwrap();
        let events = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let sessions = events.filter(|e| e["event"] == "session").collect();
        Self { code, suite: summary["suites"][0].clone(), sessions, trials }
    }

    fn check(&self, id: &str) -> &Value {
        self.suite["checks"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()
    }

    /// The verdict of a check over a session.
    fn verdict<'s>(&self, session: &'s Value, id: &str) -> Option<&'s Value> {
        let index = self.suite["checks"].as_array().unwrap().iter().position(|c| c["id"] == id).unwrap();
        session["verdicts"].as_array().unwrap().iter().find(|v| v["check"] == index)
    }

    fn passes(&self, session: &Value, id: &str) -> bool {
        self.verdict(session, id).unwrap()["status"] == "pass"
    }

    /// How many of `of` expected calls the score of a trajectory check stands for.
    fn matched(&self, session: &Value, id: &str, of: usize) -> u64 {
        let matched = self.verdict(session, id).unwrap()["score"].as_f64().unwrap() * of as f64;
        assert!((matched - matched.round()).abs() < 1e-9, "a score is a share of the {of} expected calls");
        matched.round() as u64
    }

    /// Values of a system check by group.
    fn groups(&self, id: &str) -> BTreeMap<String, Value> {
        let groups = self.check(id)["groups"].as_array().cloned().unwrap_or_default();
        groups.into_iter().map(|g| (g["group"][0].as_str().unwrap().to_owned(), g["value"].clone())).collect()
    }

    fn count(&self, holds: impl Fn(&Value) -> bool) -> Value {
        self.sessions.iter().filter(|s| holds(s)).count().into()
    }
}

// ---- the facts

struct Table<'t> {
    file: &'t str,
    facts: &'t mut Vec<Fact>,
}

impl Table<'_> {
    fn put(&mut self, name: impl Into<String>, ours: impl Into<Value>, truth: impl Into<Value>) {
        self.noted(name, ours, truth, "");
    }

    fn noted(&mut self, name: impl Into<String>, ours: impl Into<Value>, truth: impl Into<Value>, note: &'static str) {
        let (file, name) = (self.file.to_owned(), name.into());
        self.facts.push(Fact { file, name, ours: ours.into(), truth: truth.into(), note });
    }
}

/// What both formats have: sessions, cases, rewards, reliability.
fn common(table: &mut Table<'_>, run: &Run, truth: &Value) {
    let counts = truth["success_count_per_task"].as_object().unwrap();
    let successes = |holds: &dyn Fn(u64) -> bool| counts.values().filter(|c| holds(c.as_u64().unwrap())).count();
    let (n, sessions) = (run.trials, truth["sessions"].clone());
    table.noted("exit code", run.code, 1, "some reward is below 1");
    table.put("decision", run.suite["decision"].clone(), "failed");
    table.put("sessions read", run.suite["sessions"]["read"].clone(), sessions.clone());
    table.put("sessions evaluated", run.suite["sessions"]["evaluated"].clone(), sessions.clone());
    table.put("sessions in run.jsonl", run.sessions.len(), sessions);
    table.put("cases", run.suite["cases"]["total"].clone(), counts.len());
    table.put("cases passed", run.suite["cases"]["passed"].clone(), successes(&|c| c == n));
    table.put("cases failed", run.suite["cases"]["failed"].clone(), successes(&|c| c < n));
    table.put("cases flaky", run.suite["cases"]["flaky"].clone(), successes(&|c| 0 < c && c < n));
    table.put("successes", run.check("reward")["pass"].clone(), truth["successes"].clone());
    table.put("failures", run.check("reward")["fail"].clone(), truth["reward_histogram"]["0.0"].clone());
    table.put("mean reward", run.check("reward")["value"].clone(), truth["mean_reward"].clone());
    let mut per_case: BTreeMap<&str, u64> = counts.keys().map(|case| (case.as_str(), 0)).collect();
    for session in &run.sessions {
        *per_case.get_mut(session["case"].as_str().unwrap()).unwrap() += u64::from(run.passes(session, "reward"));
    }
    let alike = per_case.iter().filter(|(case, count)| counts[**case] == **count).count();
    table.put("cases with equally many successes", alike, counts.len());
    for k in 1..=n {
        let value = |stat: &str| run.check(&format!("{stat}-{k}"))["value"].clone();
        table.put(format!("pass^{k}"), value("pass_hat_k"), truth["pass_hat_k"][k.to_string()].clone());
        match truth.get("pass_at_k") {
            Some(at) => table.put(format!("pass@{k}"), value("pass_at_k"), at[k.to_string()].clone()),
            None => {
                let note = "truth by every choice of k trials from its success counts";
                table.noted(format!("pass@{k}"), value("pass_at_k"), pass_at(counts.values(), n, k), note);
            }
        }
    }
}

/// The mean share of the choices of k out of n trials in which at least one passed, by going through all of them.
fn pass_at<'c>(counts: impl Iterator<Item = &'c Value>, n: u64, k: u64) -> f64 {
    let shares: Vec<f64> = counts
        .map(|c| {
            let passed = (1u32 << c.as_u64().unwrap()) - 1;
            let choices: Vec<u32> = (0u32..1 << n).filter(|set| u64::from(set.count_ones()) == k).collect();
            choices.iter().filter(|set| **set & passed != 0).count() as f64 / choices.len() as f64
        })
        .collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}

/// Calls and errors by tool.
fn tools(table: &mut Table<'_>, run: &Run, calls: &Value, errors: Option<&Value>) {
    let calls = calls.as_object().unwrap();
    let (ours, failed) = (run.groups("tool_calls"), run.groups("tool_errors"));
    for name in ours.keys().chain(calls.keys()).collect::<BTreeSet<_>>() {
        let of = |map: &BTreeMap<String, Value>| map.get(name).cloned().unwrap_or_default();
        table.put(format!("calls of {name}"), of(&ours), calls.get(name).cloned().unwrap_or_default());
        if let Some(errors) = errors {
            table.put(format!("errors of {name}"), of(&failed), errors.get(name).cloned().unwrap_or_else(|| 0.into()));
        }
    }
    let subjects = run.check("tools-work");
    let all = subjects["pass"].as_u64().unwrap() + subjects["fail"].as_u64().unwrap();
    let total: u64 = calls.values().map(|c| c.as_u64().unwrap()).sum();
    table.put("tool calls", run.check("tool_calls")["value"].clone(), total);
    table.put("tool calls that the span check saw", all, total);
}

fn errors(table: &mut Table<'_>, run: &Run, total: &Value, sessions: &Value) {
    table.put("tool errors", run.check("tool_errors")["value"].clone(), total.clone());
    table.put("tool errors that the span check saw", run.check("tools-work")["fail"].clone(), total.clone());
    let failed = run.count(|s| run.verdict(s, "tools-work").is_some_and(|v| v["status"] == "fail"));
    table.put("sessions with a tool error", failed, sessions.clone());
}

/// Outcome by whether every expected call was made, for the sessions of `which`.
fn outcomes(table: &mut Table<'_>, run: &Run, truth: &Value, all: &str, which: impl Fn(&Value) -> bool) {
    for (word, made) in [(all, true), ("not_all", false)] {
        for (outcome, won) in [("success", true), ("failure", false)] {
            let key = format!("{word}|{outcome}");
            let holds = |s: &Value| which(s) && run.passes(s, "args") == made && run.passes(s, "reward") == won;
            let truth = truth.get(&key).cloned().unwrap_or_else(|| 0.into());
            table.put(format!("sessions {key}"), run.count(holds), truth);
        }
    }
}

fn tau_facts(table: &mut Table<'_>, run: &Run, truth: &Value, raw: &Value) {
    tools(table, run, &truth["tool_calls_by_name"], Some(&truth["error_results_by_name"]));
    errors(table, run, &truth["error_results_total"], &truth["sessions_with_error_result"]);
    table.put(
        "sessions without a call",
        run.check("no-calls")["pass"].clone(),
        truth["sessions_without_tool_calls"].clone(),
    );
    for (trial, of_trial) in truth["per_trial"].as_object().unwrap() {
        let won = run.count(|s| s["trial"] == **trial && run.passes(s, "reward"));
        table.put(format!("successes of trial {trial}"), won, of_trial["successes"].clone());
    }
    table.put(TURNS, run.check("turns")["value"].clone(), truth["messages_by_role"]["user"].clone());
    table.put("user_cost sum", run.check("attr-user_cost")["value"].clone(), truth["user_cost"]["total"].clone());
    for id in ["cost_usd", "attr-agent_cost", "tokens_in", "tokens_out", "session_ms", "attr-duration"] {
        table.noted(id, run.check(id)["value"].clone(), Value::Null, "not recorded: an error, never a zero");
    }
    let expected: BTreeMap<String, usize> = raw
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let actions = t["info"]["task"]["actions"].as_array().unwrap();
            (format!("{}/{}", t["task_id"], t["trial"]), actions.len())
        })
        .collect();
    let of = |s: &Value| expected[s["id"].as_str().unwrap()];
    let gold = &truth["gold_actions"];
    let matched = |id: &str| run.sessions.iter().map(|s| run.matched(s, id, of(s))).sum::<u64>();
    table.put("expected calls", run.sessions.iter().map(of).sum::<usize>(), gold["total"].clone());
    table.put(
        "expected calls matched by name and arguments",
        matched("args"),
        gold["matched_by_name_and_args"].clone(),
    );
    table.put("expected calls matched by name", matched("names"), gold["matched_by_name"].clone());
    let all = |id: &str| run.check(id)["pass"].clone();
    table.put(
        "sessions all matched by name and arguments",
        all("args"),
        gold["sessions_all_matched_by_name_and_args"].clone(),
    );
    table.put("sessions all matched by name", all("names"), gold["sessions_all_matched_by_name"].clone());
    outcomes(table, run, &gold["all_matched_x_outcome"], "all_gold_actions_called", |_| true);
}

const TURNS: &str = "turns (user messages with text)";

fn tau2_facts(table: &mut Table<'_>, run: &Run, truth: &Value, raw: &Value) {
    tools(table, run, &truth["tool_calls_by_name"]["assistant"], None);
    errors(table, run, &truth["tool_results_error_flag"], &truth["sessions_with_error_flag"]);
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    let users = number(&truth["messages_by_role"]["user"]) - number(&truth["traps"]["content_types"]["user:NoneType"]);
    table.put(TURNS, run.check("turns")["value"].clone(), users);
    let value = |id: &str| run.check(id)["value"].clone();
    table.put("tokens_in sum", value("tokens_in"), truth["token_usage"]["assistant.prompt_tokens"].clone());
    table.put("tokens_out sum", value("tokens_out"), truth["token_usage"]["assistant.completion_tokens"].clone());
    table.put("cost_usd sum", value("cost_usd"), truth["agent_cost"]["total"].clone());
    table.put("agent_cost sum", value("attr-agent_cost"), truth["agent_cost"]["total"].clone());
    table.put("user_cost sum", value("attr-user_cost"), truth["user_cost"]["total"].clone());
    let seconds = truth["duration_s"]["mean_over_present"].as_f64().unwrap();
    table.put("duration mean", value("attr-duration"), seconds);
    table.put("session_ms mean", value("session_ms"), seconds * 1e3);
    action_checks(table, run, truth, raw);
}

/// The action checks that tau2-bench recorded: for each action of the task, whether some call is like it. The agent's
/// own actions are what we expect of it; those of a simulated user are not, and an agent that works alone takes both.
fn action_checks(table: &mut Table<'_>, run: &Run, truth: &Value, raw: &Value) {
    let checks = &truth["action_checks"];
    let alone = truth["agent_implementation"] == "llm_agent_solo";
    let agents = |c: &&Value| alone || c["action"]["requestor"] == "assistant";
    let simulations = raw["simulations"].as_array().unwrap().iter();
    let recorded: BTreeMap<&str, Vec<bool>> = simulations
        .filter_map(|s| {
            let checks = s["reward_info"]["action_checks"].as_array()?;
            let matches = checks.iter().filter(agents).map(|c| c["action_match"].as_bool().unwrap()).collect();
            Some((s["id"].as_str().unwrap(), matches))
        })
        .collect();
    let of = |s: &Value| recorded.get(s["id"].as_str().unwrap());
    let (mut expected, mut matched, mut same) = (0, 0, 0);
    for session in &run.sessions {
        let Some(recorded) = of(session) else { continue };
        let ours = run.matched(session, "args", recorded.len());
        let all = recorded.iter().all(|m| *m);
        expected += recorded.len();
        matched += ours;
        same += u64::from(run.passes(session, "args") == all && ours == recorded.iter().filter(|m| **m).count() as u64);
    }
    let compared = run.check("args");
    let compared = compared["pass"].as_u64().unwrap() + compared["fail"].as_u64().unwrap();
    table.put("sessions held against a reference", compared, checks["sessions_with_checks"].clone());
    let users = checks["by_requestor"].get("user").is_some() && !alone;
    let part = match (alone, users) {
        (true, _) => "the user's actions too: the agent has the user's tools",
        (_, true) => "the agent's actions only: 121 of the user are not the agent's to take",
        _ => "",
    };
    let [met, total] = if alone {
        ["matched", "total"].map(|k| checks[k].clone())
    } else {
        [0, 1].map(|i| checks["by_requestor"]["assistant"][i].clone())
    };
    table.noted("expected calls in recorded action checks", expected, total, part);
    table.noted("expected calls matched by name and arguments", matched, met, part);
    let note = "session by session, verdict and number of matched calls";
    table.noted("sessions that agree with their recorded action checks", same, recorded.len(), note);
    if !users {
        let all = run.count(|s| of(s).is_some() && run.passes(s, "args"));
        table.put("sessions all matched by name and arguments", all, checks["sessions_all_matched"].clone());
        outcomes(table, run, &checks["all_matched_x_outcome"], "all_matched", |s| of(s).is_some());
    }
}

/// The folder form; its simulations are speech without its text, and nothing in them can be evaluated.
fn voice(table: &mut Table<'_>, experiment: &Path, covered: &mut BTreeSet<PathBuf>) {
    let run = Run::over(experiment, 1, true);
    let counts = read(&experiment.join("../expected_metrics.json"))["counts"]["n_simulations"].clone();
    covered.insert(experiment.join("results.json"));
    covered.extend(std::fs::read_dir(experiment.join("simulations")).unwrap().map(|e| e.unwrap().path()));
    table.noted("exit code", run.code, 4, "nothing could be measured");
    table.put("decision", run.suite["decision"].clone(), "unmeasured");
    table.put("sessions read", run.suite["sessions"]["read"].clone(), counts.clone());
    table.put("sessions evaluated", run.suite["sessions"]["evaluated"].clone(), counts.clone());
    table.noted("cases in error", run.suite["cases"]["error"].clone(), counts.clone(), "no transcript");
    let errors = run.count(|s| s["error"].as_str().is_some_and(|e| e.contains("no_transcript")));
    table.noted("sessions in error", errors, counts, "run.jsonl says `no_transcript`");
    for check in run.suite["checks"].as_array().unwrap() {
        let name = format!("value of {}", check["id"].as_str().unwrap());
        table.noted(name, check["value"].clone(), Value::Null, "not measured: an error, never a zero");
    }
}
