//! What the documentation shows is run as a user would run it: every example of every check, a sample of every format.

use std::collections::BTreeSet;
use std::path::Path;

use seatrial::checks::RULES;
use seatrial::checks::build::{Example, Rule};
use seatrial::formats::FORMATS;
use seatrial::model::Session;

use crate::model::Model;
use crate::project::{Project, Said, again};

/// The last check that an example declares: the one it is about.
fn subject(example: &Example, rule: &str) -> String {
    let suite: toml::Table = toml::from_str(example.check).expect("TOML");
    let checks = suite.values().flat_map(|level| level.as_array().expect("[[level]]"));
    let mut of_rule = checks.filter(|check| check["check"].as_str() == Some(rule));
    of_rule.next_back().expect("a check of its own rule")["id"].as_str().expect("an id").to_owned()
}

/// The tools that any session of an example calls: a suite lists them, so that "never called" can be told from a
/// misspelling.
fn tools(example: &Example) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in lines(example.passes).into_iter().chain(lines(example.fails)) {
        let session: Session<'_> = serde_json::from_str(line).expect("a session");
        names.extend(session.tool_calls().map(|(_, call)| call.name.as_str().to_owned()));
    }
    names
}

fn lines(sessions: &str) -> Vec<&str> {
    sessions.lines().filter(|line| !line.trim().is_empty()).collect()
}

/// Whether an example asks a model.
fn asks(example: &Example, rule: &Rule) -> bool {
    let suite: toml::Table = toml::from_str(example.check).expect("TOML");
    let check = suite.values().next_back().and_then(|level| level.as_array()?.last()).expect("a check");
    !(rule.asks)(&serde_json::to_value(check).expect("JSON")).is_empty()
}

/// Runs an example over sessions, with the files that examples name.
fn run(example: &Example, rule: &'static Rule, sessions: &str) -> (Project, Said) {
    let head = format!("[suite]\nname = \"example\"\ntools = {:?}\n", Vec::from_iter(tools(example)));
    let recorded = "[recorded]\npaths = [\"sessions.jsonl\"]\n";
    let project = Project::with(&format!("{head}{recorded}{}", example.check), &lines(sessions));
    if asks(example, rule) {
        let says = |question: &str| {
            let fits = rule.answers.iter().find(|answered| question.contains(answered.when));
            fits.map(|answered| answered.says.to_owned()).unwrap_or_default()
        };
        project.file("seatrial.toml", Model::new(says).settings());
    }
    project.file("order.schema.json", r#"{"type":"object","required":["id"]}"#);
    project.file(
        "tools.cedar",
        "permit(principal == Agent::\"refunds\", action == Action::\"issue_refund\", resource)\n\
         when { context.input.amount <= 100 };\n",
    );
    if example.check.contains("against = \"main/latest\"") {
        // What it is compared with went as the sessions that pass; there was no earlier run then.
        let earlier: Vec<String> = lines(example.passes).into_iter().map(again).collect();
        project.file("sessions.jsonl", earlier.join("\n") + "\n");
        project.run_with(&["--out", "main"]).code(4);
        project.file("sessions.jsonl", lines(sessions).join("\n") + "\n");
    }
    let said = project.run();
    (project, said)
}

#[test]
fn every_example_of_every_check_loads_passes_and_fails_as_it_says() {
    for rule in RULES {
        assert!(!rule.examples.is_empty(), "{} has no example", rule.name);
        for example in rule.examples {
            let id = subject(example, rule.name);
            for (sessions, passes) in [(example.passes, true), (example.fails, false)] {
                let (project, said) = run(example, rule, sessions);
                let what = format!("{} of {}, {}\n{}\n{}", id, rule.name, sessions, said.out, said.err);
                assert!(said.code == 0 || said.code == 1, "exit {}: {what}", said.code);
                let check = project.check(&id);
                assert_eq!(check["exercised"], true, "{what}");
                assert_eq!(check["error"], 0, "{what}");
                assert_eq!(check["fail"].as_u64() == Some(0), passes, "{what}");
                let blocks = ["block", "critical"].contains(&check["severity"].as_str().expect("a severity"));
                if passes || blocks {
                    assert_eq!(said.code, i32::from(!passes), "{what}");
                }
            }
        }
    }
}

/// A recording of each format in this repository.
const SAMPLES: &[(&str, &str)] = &[
    ("seatrial", "fixtures/support/sessions.jsonl"),
    ("otlp", "tests/samples/otlp.jsonl"),
    ("agentcore", "tests/samples/agentcore.jsonl"),
    ("jaeger", "tests/samples/jaeger.json"),
    ("langfuse", "tests/samples/langfuse.json"),
    ("deepeval", "tests/samples/deepeval.json"),
    ("tau-bench", "fixtures/ferry/results.json"),
    ("tau2-bench", "tests/samples/tau2-bench.json"),
    ("adk", "tests/samples/adk.session.json"),
    ("chat", "fixtures/coding/fix-off-by-one.json"),
];

#[test]
fn every_format_recognises_and_reads_its_sample() {
    let project = Project::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for format in FORMATS {
        let name = format.name();
        let (_, sample) = SAMPLES.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no sample of {name}"));
        let sample = root.join(sample);
        let sample = sample.to_str().expect("a path");
        let sniffed = project.seatrial(&["import", sample]).code(0).out;
        let named = project.seatrial(&["import", "--format", name, sample]).code(0).out;
        assert_eq!(sniffed, named, "{name}");
        assert!(!sniffed.is_empty(), "{name}");
        for line in sniffed.lines() {
            let session: serde_json::Value = serde_json::from_str(line).expect("a session a line");
            let turns = session["turns"].as_array().expect("turns");
            assert!(turns.iter().any(|t| t["reply"].is_string()), "{name}: no reply in {line}");
        }
        assert!(sniffed.contains(r#""kind":"tool""#), "{name}: no tool call in its sample");
    }
}
