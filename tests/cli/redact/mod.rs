//! Redaction: what is planted in every field of every format is found in nothing that is written, and what was redacted is
//! never judged as if nothing were missing.

mod again;
mod env;
pub mod plant;

use std::collections::BTreeMap;

use crate::project::Project;
use plant::{FIXTURES, Fixture, found, leavings};
use seatrial::formats::FORMATS;

const SETTINGS: &str = r#"
[detectors.order]
pattern = 'ORD-\d{6}'
"#;

const REDACT: &str = r#"
[redact]
detectors = ["email", "credit_card", "custom.order", "secret", "iban", "phone"]
keys = ["*password*"]
"#;

/// Checks that quote what they saw, each in its own way.
const CHECKS: &str = r#"
[[span]]
id = "out"
check = "contains"
value = "not to be found"
[[span]]
id = "in"
check = "equals"
value = "not to be found"
of = "input"
[[span]]
id = "errors"
check = "status"
[[turn]]
id = "reply"
check = "similar"
to = "nothing like it"
min = 0.99
[[turn]]
id = "user"
check = "matches"
value = "^not to be found$"
of = "user"
[[turn]]
id = "leaks"
check = "not_contains"
detect = ["email", "credit_card", "custom.order"]
[[session]]
id = "calls"
check = "trajectory"
mode = "exact"
[[session]]
id = "facts"
check = "facts"
[[session]]
id = "state"
check = "state"
[[session]]
id = "said"
check = "expr"
expr = "session.turns[0].reply == session.id"
[[session]]
id = "tools"
check = "calls"
tool = "no_such_tool"
min = 1
[[system]]
id = "spent"
check = "metric"
metric = "tool_calls"
stat = "max"
max = 0
by = ["user", "tool"]
"#;

/// Everything that every command leaves behind or prints about a recording.
fn everything(fixture: &Fixture, text: &str, redact: bool) -> Vec<(String, Vec<u8>)> {
    let project = Project::new();
    let file = fixture.file;
    project.file("seatrial.toml", format!("{SETTINGS}{}", if redact { REDACT } else { "" }));
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"{file}\"]\n{CHECKS}"));
    project.file(file, text);
    // One that cannot be read: what is said of it quotes it.
    project.file(
        "broken.json",
        format!("{{\"messages\": [{{\"role\": {}}}]}}\n", text.lines().next().unwrap_or_default()),
    );
    let mut left: Vec<(String, Vec<u8>)> = Vec::new();
    let mut say = |args: &[&str]| {
        let said = project.seatrial(args);
        assert!(![2, 5, 70].contains(&said.code), "{args:?}: {}\n{}", said.err, said.out);
        left.push((format!("stdout of {args:?}"), said.out.clone().into_bytes()));
        left.push((format!("stderr of {args:?}"), said.err.into_bytes()));
        said.out
    };
    let github = [
        "run",
        "suite.toml",
        "--keep",
        "all",
        "--format",
        "github",
        "--verbose",
        "--junit",
        "j.xml",
        "--html",
        "h.html",
    ];
    say(&github);
    say(&["run", "suite.toml", "--keep", "all", "--json"]);
    say(&["run", "suite.toml", "--sessions", file, "broken.json", "--baseline", "reports/latest"]);
    say(&["run", "suite.toml", "--rerun", "errors"]);
    say(&["run", "suite.toml", "--out", "a", "--shard", "1/2", "--keep", "all"]);
    say(&["run", "suite.toml", "--out", "b", "--shard", "2/2", "--keep", "all"]);
    say(&["merge", "a/latest", "b/latest", "--out", "merged"]);
    say(&["report", "merged/latest", "--format", "github"]);
    say(&["gate", "merged/latest"]);
    say(&["gate", "merged/latest", "--json"]);
    say(&["diff", "merged/latest", "reports/latest", "--verbose"]);
    say(&["diff", "merged/latest", "reports/latest", "--json"]);
    say(&["show", file]);
    say(&["show", file, "#1", "--full"]);
    say(&["import", file]);
    say(&["import", file, "--as", "otlp"]);
    say(&["import", "broken.json"]);
    leavings(&project.path(""), &[file, "suite.toml", "seatrial.toml", "broken.json"], &mut left);
    left
}

#[test]
fn every_format_has_a_recording_with_secrets_planted_in_it() {
    let planted: Vec<&str> = FIXTURES.iter().map(|f| f.format).collect();
    let missing: Vec<&str> = FORMATS.iter().map(|f| f.name()).filter(|name| !planted.contains(name)).collect();
    assert!(missing.is_empty(), "plant secrets in a recording of {missing:?} (tests/cli/redact/plant.rs)");
}

/// What is planted in a format is found in nothing that is written; and all of it that is read is, without the rules.
fn nothing_is_found(format: &str) {
    let fixture = FIXTURES.iter().find(|f| f.format == format).expect("a fixture");
    let planted = fixture.plant();
    let carried = found(&planted.secrets, &everything(fixture, &planted.text, false));
    let least = if format == "seatrial" { planted.secrets.len() } else { planted.secrets.len() / 3 };
    assert!(carried.len() >= least.max(5), "of {:#?} only {carried:#?}", planted.secrets);
    let leaked: BTreeMap<_, _> = found(&planted.secrets, &everything(fixture, &planted.text, true));
    assert!(leaked.is_empty(), "{format}: {leaked:#?}");
}

macro_rules! formats {
    ($($test:ident: $format:literal,)*) => { $(
        #[test]
        fn $test() {
            nothing_is_found($format);
        }
    )* };
}

formats! {
    nothing_planted_in_seatrials_own_format_is_written: "seatrial",
    nothing_planted_in_chat_is_written: "chat",
    nothing_planted_in_tau_bench_is_written: "tau-bench",
    nothing_planted_in_tau2_bench_is_written: "tau2-bench",
    nothing_planted_in_adk_is_written: "adk",
    nothing_planted_in_otlp_is_written: "otlp",
    nothing_planted_in_agentcore_is_written: "agentcore",
    nothing_planted_in_jaeger_is_written: "jaeger",
    nothing_planted_in_langfuse_is_written: "langfuse",
    nothing_planted_in_deepeval_is_written: "deepeval",
}

#[test]
fn ids_are_pseudonyms_and_runs_still_fit_together() {
    let project = Project::with(
        "[redact]\npseudonyms = [\"session\", \"user\"]\n[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\n",
        &[
            r#"{"id":"sess-0001","user":"alice-w","turns":[{"user":"I am alice-w","reply":"good"}]}"#,
            r#"{"id":"sess-0002","user":"bob-w","turns":[{"reply":"bad, said bob-w in sess-0002"}]}"#,
        ],
    );
    project.run_with(&["--keep", "all", "--out", "a"]).code(1);
    let fixed = std::fs::read_to_string(project.path("sessions.jsonl")).expect("sessions").replace("bad,", "good");
    project.file("sessions.jsonl", fixed);
    project.run_with(&["--keep", "all", "--out", "b"]).code(0);
    let said = project.seatrial(&["diff", "a/latest", "b/latest"]).code(0).says("newly pass");
    assert!(said.out.contains("session~") && !said.out.contains("sess-000"), "{}", said.out);
    project.run_with(&["--baseline", "a/latest"]).code(4).says("every one of its 2 cases has its pair");
    project.run_with(&["--rerun", "failed:a/latest"]).code(0);
    assert_eq!(project.suite()["sessions"]["evaluated"], 1, "the case that failed is found by its pseudonym");
    let mut left = Vec::new();
    leavings(&project.path(""), &["suite.toml", "sessions.jsonl"], &mut left);
    let secrets = ["sess-0001", "sess-0002", "alice-w", "bob-w"].map(|s| (s.to_owned(), s.to_owned())).into();
    assert_eq!(found(&secrets, &left), BTreeMap::new());
    // Another key gives other names, and that is said.
    let mut command = project.command(&["run", "suite.toml", "--resume=a/latest"]);
    command.env("SEATRIAL_REDACT_KEY", "of our own");
    crate::project::Said::of(command).code(2).complains("the key of its pseudonyms");
}

#[test]
fn what_is_wrong_with_the_rules_is_said_with_its_place() {
    let project = Project::with(
        "[redact]\ndetectors = [\"emial\"]\nkeys = [\"[a\"]\npaths = [\"$.[\"]\npseudonyms = [\"trial\"]\njudges = true\n",
        &[],
    );
    let said = project.run().code(2);
    for text in [
        "there is no detector `emial`",
        "did you mean `email`?",
        "is not a glob",
        "not a JSONPath",
        "`trial`",
        "unknown key `judges`",
    ] {
        assert!(said.err.contains(text), "no {text:?} in {}", said.err);
    }
    let project = Project::with("", &[]);
    project.file(
        "seatrial.toml",
        "[redact]\ndetectors = [\"custom.odrer\"]\nkey = [\"x\"]\n[detectors.order]\npattern = 'x'\n",
    );
    let said = project.run().code(2).complains("did you mean `custom.order`?");
    said.complains("unknown key `key` in [redact]");
}
