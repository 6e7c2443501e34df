//! What checks say of these recordings: where a dialect does not carry a fact, the verdict is `error` and never `pass`;
//! and the eval sets that belong to two of them, as cases.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use super::{RECORDINGS, imported, shared};

/// Checks that pass whenever what they look at was recorded, but for `tools-end-well`, which says how tools ended.
const CHECKS: &str = r#"
[[span]]
id = "tools-end-well"
on = { kind = "tool" }
check = "status"
optional = true
[[span]]
id = "tools-have-arguments"
on = { kind = "tool" }
check = "schema"
schema = {}
optional = true
[[span]]
id = "tools-have-results"
on = { kind = "tool" }
check = "length"
min = 0
optional = true
[[turn]]
id = "user"
check = "length"
of = "user"
min = 1
[[turn]]
id = "reply"
check = "length"
min = 1
[[turn]]
id = "first-token"
check = "ttft"
max_ms = 1e9
[[turn]]
id = "turn-time"
check = "duration"
max_ms = 1e9
[[session]]
id = "session-time"
check = "duration"
max_ms = 1e9
[[session]]
id = "tokens"
check = "tokens"
max = 1_000_000_000
[[session]]
id = "cost"
check = "cost"
max_usd = 1_000_000
[[session]]
id = "never-deletes"
check = "calls"
tool = "delete_everything"
max = 0
"#;

/// Checks that are an error on a recording, and what it does not tell.
struct Untold {
    recordings: &'static [&'static str],
    checks: &'static [&'static str],
    why: &'static str,
}

const UNTOLD: &[Untold] = &[
    Untold {
        recordings: &[
            "strands_logs",
            "langchain_logs",
            "adk",
            "claude_adot",
            "openai_agents_genai",
            "openai_agents_adot",
            "pydantic_ai",
            "helm",
            "k8s",
            "tempo",
        ],
        checks: &["first-token"],
        why: "none of these SDKs records when the first token came; of those here only Strands does",
    },
    Untold {
        recordings: &["strands_spans"],
        checks: &["user", "reply", "never-deletes"],
        why: "words are in the runtime logs: the spans tell neither question nor answer, nor which calls a model asked for",
    },
    Untold {
        recordings: &["strands_both"],
        checks: &["user", "reply", "never-deletes"],
        why: "the runtime logs reach back to the last of the three turns; of the two before there are only spans",
    },
    Untold {
        recordings: &["strands_logs", "langchain_logs"],
        checks: &["turn-time", "session-time", "tokens", "cost"],
        why: "log records tell what was said; when an operation ended and what it used is in spans that are not there",
    },
    Untold {
        recordings: &["claude_adot"],
        checks: &["tokens", "cost"],
        why: "the SDK records no call of a model, only the agent's total over several models",
    },
    Untold { recordings: &["adk"], checks: &["cost"], why: "the table of prices does not know `gemini-3.5-flash`" },
    Untold {
        recordings: &["openai_agents_adot"],
        checks: &["tools-end-well"],
        why: "how the handoff ended that the framework refused is in no span and no status",
    },
];

/// Checks that fail on a recording, and why that is right.
const FAILS: &[(&str, &str, &str)] = &[(
    "openai_agents_adot",
    "tools-end-well",
    "the SDK marks the span of a handoff as an error where the model asked for two",
)];

#[test]
fn what_a_recording_does_not_tell_is_an_error_and_never_a_pass() {
    let Some(shared) = shared() else { return };
    let (mut errors, mut fails) = (BTreeSet::new(), BTreeSet::new());
    for recording in RECORDINGS {
        let paths: Vec<_> = recording.paths(&shared).iter().map(|p| json!(p).to_string()).collect();
        let suite = format!(
            "[suite]\nname = \"s\"\ntools = [\"delete_everything\"]\n[recorded]\npaths = [{}]\n{CHECKS}",
            paths.join(", ")
        );
        let (code, summary) = run(&suite, &[]);
        let checks = summary["checks"].as_array().unwrap();
        let mut row = Vec::new();
        for check in checks {
            let id = check["id"].as_str().unwrap().to_owned();
            let of = |key: &str| check[key].as_u64().unwrap();
            if of("error") > 0 {
                errors.insert((recording.name, id.clone()));
            }
            if of("fail") > 0 {
                fails.insert((recording.name, id.clone()));
            }
            row.push(format!("{id} {}/{}/{}", of("pass"), of("fail"), of("error")));
        }
        println!("{} exit {code}: {}", recording.name, row.join(", "));
        let sound = !errors.iter().chain(&fails).any(|(name, _)| *name == recording.name);
        assert_eq!(code == 0, sound, "{}: only what was measured and held is 0", recording.name);
    }
    let listed: BTreeSet<_> = UNTOLD
        .iter()
        .flat_map(|u| u.recordings.iter().flat_map(|r| u.checks.iter().map(|c| (*r, (*c).to_owned()))))
        .collect();
    for untold in UNTOLD {
        println!("{:?}: {:?} are errors: {}", untold.recordings, untold.checks, untold.why);
    }
    assert_eq!(errors, listed, "left: found; right: listed");
    let listed: BTreeSet<_> = FAILS.iter().map(|(r, c, _)| (*r, (*c).to_owned())).collect();
    assert_eq!(fails, listed, "left: found; right: listed");
}

/// Runs a suite beside some files: the exit code, and what the summary says of the suite.
fn run(suite: &str, files: &[(&str, String)]) -> (i32, Value) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    for (name, content) in files.iter().map(|(n, c)| (*n, c.as_str())).chain([("suite.toml", suite)]) {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    let output = command.args(["run", "suite.toml"]).current_dir(dir.path()).output().unwrap();
    let summary = std::fs::read(dir.path().join("reports/latest/summary.json"));
    let summary = summary.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    (output.status.code().unwrap(), summary["suites"][0].clone())
}

/// The eval sets of two recordings, their cases, and how the recorded answer relates to that of the case.
const EVAL_SETS: &[(&str, &str, &str, &str)] = &[
    // The reference ends before the agent's offer of further help.
    ("helm", "eval_set_helm.json", "helm_list_releases", "contains"),
    ("k8s", "evalset_k8s_2026-02-20.json", "d497c9dd_case_1", "equals"),
];

#[test]
fn recordings_meet_the_eval_sets_that_were_made_for_them() {
    let Some(shared) = shared() else { return };
    for (name, set, case, relation) in EVAL_SETS {
        let recording = RECORDINGS.iter().find(|r| r.name == *name).unwrap();
        // An eval set knows nothing of sessions, so that the recording is told its case.
        let mut sessions = imported(&recording.paths(&shared));
        assert_eq!(sessions.len(), 1);
        sessions[0]["case"] = json!(case);
        let cases = shared.join("data/otel/agentevals-dev/samples").join(set);
        let verdicts = |session: &Value| {
            let suite = format!(
                "[suite]\nname = \"s\"\ncases = {}\n[recorded]\npaths = [\"s.jsonl\"]\n\
                 [[session]]\nid = \"calls\"\ncheck = \"trajectory\"\nmode = \"exact\"\n\
                 [[session]]\nid = \"answer\"\ncheck = \"{relation}\"\nvalue = \"{{{{ case.reference.answer }}}}\"\n",
                json!(cases)
            );
            let (code, summary) = run(&suite, &[("s.jsonl", session.to_string())]);
            let pass = |c: &Value| (c["id"].as_str().unwrap().to_owned(), c["pass"] == 1 && c["error"] == 0);
            (code, summary["checks"].as_array().unwrap().iter().map(pass).collect::<BTreeMap<_, _>>())
        };
        let (code, pass) = verdicts(&sessions[0]);
        println!("{name} against {set}: exit {code}, {pass:?}");
        assert_eq!((code, pass.values().all(|p| *p)), (0, true), "{name}: {pass:?}");
        // The same checks see an agent that did something else.
        let turn = &mut sessions[0]["turns"][0];
        turn["reply"] = json!("Done.");
        turn["spans"].as_array_mut().unwrap().push(json!({"kind": "tool", "name": "helm_uninstall", "input": {}}));
        let (code, pass) = verdicts(&sessions[0]);
        assert_eq!((code, pass.values().any(|p| *p)), (1, false), "{name}: {pass:?}");
    }
}
