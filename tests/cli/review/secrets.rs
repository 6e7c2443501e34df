//! What must not be written, in what people write: however it comes in, it goes out nowhere. And what is kept for how long.

use std::collections::BTreeMap;

use super::{queue, review, waiting};
use crate::judges::stub::{Stub, ok};
use crate::project::{GOOD, Project, Said, replies};
use crate::redact::plant::{found, leavings};

/// Hidden by the suite, and by the settings.
const SECRETS: [&str; 2] = ["eve@example.com", "DE89370400440532013000"];
const COMMENT: &str = "Ask eve@example.com, who has DE89370400440532013000.";
const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A project with three items for two people each, whose suite and settings hide something, if they do.
fn project(hides: bool, url: &str) -> Project {
    let rules = if hides { "[redact]\ndetectors = [\"email\"]\n" } else { "" };
    let suite = format!("{rules}{GOOD}review = {{ always = true, reviewers = 2 }}\n");
    let project = Project::with(&suite, &["a", "b", "c"].map(|id| replies(id, "good")).each_ref().map(String::as_str));
    let rules = if hides { "[redact]\ndetectors = [\"iban\"]\n" } else { "" };
    project.file(
        "seatrial.toml",
        format!(
            "{rules}[review]\nwebhooks = [{{ url = \"{url}\", secret = \"{{{{ env.HOOK }}}}\", content = true }}]\n"
        ),
    );
    project
}

/// Comments on every way in; everything that goes out after it.
fn everything(hides: bool) -> Vec<(String, Vec<u8>)> {
    let stub = Stub::new(|_| ok(""));
    let project = project(hides, &stub.url);
    let mut left: Vec<(String, Vec<u8>)> = Vec::new();
    let mut said = |who: &str, args: &[&str], code: i32| -> Said {
        let mut command = project.command(args);
        command.env("HOOK", HOOK).env("SEATRIAL_REVIEWER", who);
        let said = Said::of(command).code(code);
        left.push((format!("what {args:?} says"), format!("{}{}", said.out, said.err).into_bytes()));
        said
    };
    said("ann", &["run", "suite.toml", "--keep", "all"], 3);
    let listed = said("ann", &["review", "list", "--json"], 0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let items: Vec<&str> = (0..3).map(|i| listed["items"][i]["item"].as_str().expect("an item")).collect();
    let comment = ["--comment", COMMENT];
    said("ann", &[&["review", "label", items[0], "fail"][..], &comment].concat(), 0);
    said("bob", &[&["review", "label", items[0], "pass"][..], &comment].concat(), 0);
    said("cat", &[&["review", "adjudicate", items[0], "fail"][..], &comment].concat(), 0);
    said("ann", &["review", "label", items[1], "fail"], 0);
    said("ann", &[&["review", "undo", items[1]][..], &comment].concat(), 0);
    said("ann", &[&["review", "skip", items[1], "not-my-field"][..], &comment].concat(), 0);
    let label = |who: &str| {
        let label = serde_json::json!({ "item": items[2], "reviewer": who, "answer": "fail", "comment": COMMENT });
        format!("{label}\n")
    };
    project.file("given.jsonl", label("ann") + &label("bob"));
    said("x", &["review", "import", "given.jsonl"], 0);
    // The same again is the same, although another comment was kept.
    let again = said("x", &["review", "import", "given.jsonl"], 0).out;
    assert!(again.contains("2 known already"), "{again}");
    for item in &items {
        said("x", &["review", "show", item, "--reveal"], 0);
    }
    said("x", &["review", "list", "--status", "all"], 0);
    said("x", &["review", "export", "--out", "labels.jsonl"], 0);
    said("x", &["review", "export", "--format", "a2i"], 0);
    said("x", &["review", "stats"], 0);
    said("x", &["review", "notify"], 0);
    said("x", &["gate", "reports/latest"], 1);
    said("x", &["gate", "reports/latest", "--labels", "labels.jsonl", "--json"], 1);
    said("x", &["report", "reports/latest"], 1);
    said("x", &["diff", "reports/latest", "reports/latest", "--verbose"], 0);
    said("x", &["store", "export", "store.jsonl"], 0);
    let asked: Vec<String> = stub.asked().iter().map(|asked| asked.body.clone()).collect();
    assert!(asked.iter().any(|body| body.contains("review.resolved")), "{asked:?}");
    left.push(("webhooks".to_owned(), asked.concat().into_bytes()));
    leavings(&project.path(""), &["given.jsonl"], &mut left);
    left
}

#[test]
fn what_must_not_be_written_is_found_nowhere_when_it_comes_in_a_comment() {
    let secrets: BTreeMap<String, String> = SECRETS.map(|secret| (secret.to_owned(), secret.to_owned())).into();
    let carried = found(&secrets, &everything(false));
    assert_eq!(carried.len(), SECRETS.len(), "without rules it goes through: {carried:?}");
    assert_eq!(found(&secrets, &everything(true)), BTreeMap::new());
}

#[test]
fn where_the_rules_of_the_suite_are_not_known_no_comment_is_taken() {
    let (project, ids) = queue(vec![{
        let mut item = waiting(1);
        let rules = serde_json::json!({ "detectors": ["custom.order"], "key": "" });
        item.asked.redact = Some(serde_json::from_value(rules).expect("rules"));
        item
    }]);
    let label = |more: &[&str]| review(&project, "ann", &[&["label", ids[0].as_str(), "pass"][..], more].concat());
    label(&["--comment", "ORD-123456"]).code(2).complains("the comment is not taken").complains("`custom.order`");
    project.file("seatrial.toml", "[detectors.order]\npattern = 'ORD-\\d{6}'\n");
    label(&["--comment", "ORD-123456"]).code(0);
    review(&project, "ann", &["show", ids[0].as_str(), "--reveal"]).code(0).says("[redacted:custom.order]");
}

#[test]
fn sessions_are_kept_until_somebody_has_answered_and_whoever_looks_takes_none() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    let ids = [ids[0].as_str(), ids[1].as_str()];
    review(&project, "ann", &["label", ids[0], "fail"]).code(0);
    // They were sent two minutes ago.
    project.file("seatrial.toml", "keep_content = \"1m\"\n");
    let reads = |item: &str| review(&project, "x", &["show", item]).code(0).out.contains("Where is order 17?");
    review(&project, "ann", &["list"]).code(0);
    assert!(reads(ids[0]) && reads(ids[1]));
    project.file(
        "suite.toml",
        format!(
            "[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}review = {{ always = true }}\n"
        ),
    );
    project.file("sessions.jsonl", replies("new", "good"));
    project.run().code(3);
    assert!(!reads(ids[0]), "a run takes out what is old and answered");
    assert!(reads(ids[1]), "and nothing that somebody has yet to read");
    project.seatrial(&["store", "purge", "--older-than", "1m"]).code(0).says("somebody has yet to read");
    project.seatrial(&["store", "purge", "--older-than", "1m", "--all"]).code(0).says("1 session was taken out");
    assert!(!reads(ids[1]));
    review(&project, "ann", &["label", ids[1], "pass"])
        .code(2)
        .complains("can only be skipped")
        .complains("missing-context");
    let label = |more: serde_json::Value| {
        let mut label = serde_json::json!({ "item": ids[1], "reviewer": "bob", "answer": "fail" });
        label.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        project.file("labels.jsonl", label.to_string());
        review(&project, "x", &["import", "labels.jsonl"])
    };
    label(serde_json::json!({})).code(2).complains("can only be skipped").complains("`at` says when");
    review(&project, "ann", &["skip", ids[1], "missing-context"]).code(0);
    // Who had read it while it was there may say so later.
    let then = jiff::Timestamp::now() - std::time::Duration::from_secs(60);
    label(serde_json::json!({ "at": then.to_string() })).code(0);
}
