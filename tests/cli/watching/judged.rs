//! Judges of production: asked as in a run, within what they may cost, and what is kept of it stays small.

use serde_json::Value;

use super::process::rows;
use crate::judges::stub::{Stub, completion, verdict};
use crate::project::{Project, Said, replies};

/// A check of every session by one judge.
const CHECK: &str = "[[session]]\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"The agent is polite.\"\n";

/// What a question costs with it: a cent.
const PRICES: &str = "[prices]\n\"gpt-4o-mini\" = { input = 0, output = 100 }\n";

/// A project of `n` sessions in a folder, with a judge at a server.
fn project(stub: &Stub, n: usize, more: &str, settings: &str) -> Project {
    let project = Project::with(&format!("{CHECK}{more}"), &["{}"]);
    let sessions: Vec<String> =
        (0..n).map(|i| replies(&format!("s{i:02}"), &format!("Please wait, customer {i}."))).collect();
    project.file("there/sessions.jsonl", sessions.join("\n") + "\n");
    let url = &stub.url;
    let judge = format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"{url}/v1\"\n");
    project.file("seatrial.toml", format!("{settings}{judge}"));
    project
}

fn watch(project: &Project) -> Said {
    project.seatrial(&[
        "watch",
        "suite.toml",
        "--listen",
        "off",
        "--grpc",
        "off",
        "--from",
        "there",
        "--drain",
        "--json",
    ])
}

/// Sessions by what became of them.
fn outcomes(project: &Project) -> [usize; 3] {
    let rows = rows(project, "s");
    let of = |reason: Option<&str>| rows.iter().filter(|(row, _)| row.watched.reason.as_deref() == reason).count();
    [of(None), of(Some("spent")), of(Some("budget"))]
}

/// An answer of a hundred tokens.
fn polite(stub: &crate::judges::stub::Asked) -> crate::judges::stub::Response {
    completion(&verdict(if stub.body.contains("customer 1.") { 0.1 } else { 0.9 }))
}

#[test]
fn a_judge_says_of_production_what_it_says_in_a_run() {
    let stub = Stub::new(polite);
    let project = project(&stub, 3, "", "");
    let line: Value = serde_json::from_str(watch(&project).code(0).out.trim()).expect("one line");
    let check = &line["suites"][0]["checks"][0];
    assert_eq!((&check["pass"], &check["fail"], stub.count()), (&Value::from(2), &Value::from(1), 3));
    let evidence = std::fs::read_to_string(project.path("watch/evidence.jsonl")).expect("evidence");
    assert_eq!(evidence.matches("\"source\":\"asked\"").count(), 3);
    // What is known is not asked again, and nothing is kept but what may be read.
    watch(&project).code(0);
    assert_eq!(stub.count(), 3);
    assert!(!project.path(".seatrial/cache.db").exists());
}

#[test]
fn what_judges_may_cost_is_kept_to_also_by_the_next_process() {
    let stub = Stub::new(polite);
    let project = project(&stub, 20, "[watch.sample]\nmax_usd_per_day = 0.035\n", PRICES);
    watch(&project).code(0);
    assert_eq!((stub.count(), outcomes(&project)), (3, [3, 17, 0]), "a fourth might exceed it");
    project.file("there/more.jsonl", replies("later", "Please wait.") + "\n");
    watch(&project).code(0);
    assert_eq!(stub.count(), 3, "the day goes on");
    assert_eq!(outcomes(&project)[0], 3);
}

#[test]
fn what_cannot_be_kept_to_is_refused() {
    let stub = Stub::new(polite);
    let unpriced = project(&stub, 1, "[watch.sample]\nmax_usd_per_hour = 1\n", "");
    let settings = std::fs::read_to_string(unpriced.path("seatrial.toml")).expect("settings");
    unpriced.file("seatrial.toml", settings.replace("gpt-4o-mini", "a-model-of-our-own"));
    watch(&unpriced).code(2).complains("no price is known of the model `a-model-of-our-own`");
    let of_a_run = project(&stub, 1, "", "max_cost_usd = 5\n");
    watch(&of_a_run).code(2).complains("are limits of a run");
    // Where no check asks anybody, there is nothing to limit.
    let nobody = Project::with(super::SUITE, &["{}"]);
    nobody.file("there/sessions.jsonl", replies("a", "it is ok") + "\n");
    nobody.file("seatrial.toml", "max_cost_usd = 5\n");
    watch(&nobody).code(0);
    assert_eq!(stub.count(), 0);
}

#[test]
fn a_judge_that_is_down_is_an_error_of_each_verdict_and_watching_goes_on() {
    let stub = Stub::new(|_| crate::judges::stub::refuse(400, "{}"));
    let project = project(&stub, 2, "", "");
    watch(&project).code(0);
    let rows = rows(&project, "s");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|(_, body)| body.checks["polite"].status.name() == "error"));
}
