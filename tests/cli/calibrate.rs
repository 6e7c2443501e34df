//! Judges held against people: the threshold and its patch, what is refused, and gates that are corrected by labels.

use std::process::Command;

use seatrial::ledger::{Answer, Asked, ItemKey, NewItem, Routed, Source, Submission, Why};
use seatrial::model::digest::Digest;
use seatrial::model::{Level, Severity, Status, SubjectRef};
use seatrial::redact::Redacted;
use seatrial::store::db::{Store, StoreUrl};
use serde_json::{Value, json};

use crate::judges::stub::{Stub, completion, verdict};
use crate::project::{Project, Said, replies};

const CHECK: &str = "[[session]] # what matters\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"The agent is polite.\"\n\
                     votes = 5\nreview = { below = 0.85, tags = [\"risk\"] } # tuned by hand\n";

/// A project of `n` sessions, of which the judge fails every tenth.
fn project(stub: &Stub, check: &str, n: usize) -> Project {
    let sessions: Vec<String> = (0..n)
        .map(|i| replies(&format!("s{i}"), if i.is_multiple_of(10) { "Go away." } else { "Please wait." }))
        .collect();
    let sessions: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(check, &sessions);
    let url = &stub.url;
    let judge = format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"{url}/v1\"\n");
    project.file("seatrial.toml", judge);
    project
}

fn stub() -> Stub {
    Stub::new(|asked| completion(&verdict(if asked.body.contains("Go away.") { 0.1 } else { 0.9 })))
}

/// The digest that the check has in the last run's record.
fn digest(project: &Project) -> String {
    let record = project.report("run.jsonl");
    let plan = record.lines().find(|l| l.starts_with("{\"event\":\"plan\"")).expect("a plan");
    let plan: Value = serde_json::from_str(plan).expect("JSON");
    plan["suites"][0]["checks"][0]["digest"].as_str().expect("a digest").to_owned()
}

/// A label of the check `polite`.
fn label(i: usize, digest: &str, keys: Value) -> Value {
    let mut line = json!({
        "schema": 1, "item": format!("item{i}"), "suite": "s", "check": "polite", "check_digest": digest,
        "session": format!("sha256:{i:064x}"), "session_id": format!("p{i}"), "case": format!("p{i}"), "trial": null,
        "subject": "session", "level": "session", "severity": "block", "tags": [], "run": "earlier",
        "why": [{ "why": "audit", "rate": 0.2 }], "inclusion": 0.2, "holds": false, "proposal": "pass", "score": 0.9,
        "confidence": 6.0 / 7.0, "judge": "default", "judge_version": "v1", "reviewers": 1,
        "created": "2026-11-01T00:00:00Z", "status": "resolved", "decision": "pass", "decided_by": null, "resolved": null,
        "labels": [],
    });
    let keys = keys.as_object().expect("keys").clone();
    line.as_object_mut().expect("a line").extend(keys);
    // Whoever decided it answered blind, unless the keys say otherwise.
    if line["labels"].as_array().is_some_and(Vec::is_empty) {
        line["labels"] = json!([{
            "id": format!("label{i}"), "reviewer": "ann", "act": "label", "answer": line["decision"], "source": "web",
            "at": "2026-11-02T00:00:00Z", "shown_proposal": false,
        }]);
    }
    line
}

#[test]
fn labels_that_are_not_known_to_be_blind_show_nothing_and_are_counted() {
    let shown = |value: Value| {
        labelled(move |digest| {
            let mut lines: Vec<Value> = (0..100).map(|i| label(i, digest, json!({}))).collect();
            lines.iter_mut().for_each(|line| line["labels"][0]["shown_proposal"] = value.clone());
            lines
        })
    };
    let (project, _stub) = shown(json!(false));
    calibrate(&project, &[]).code(0);
    for (value, what) in
        [(json!(true), "100 of those after seeing"), (json!(null), "100 of those by people who may have")]
    {
        let (project, _stub) = shown(value);
        let said = calibrate(&project, &[]).code(4);
        assert!(said.out.contains(what), "{}", said.out);
        assert!(said.out.contains("100 drawn verdicts were decided by people who had seen"), "{}", said.out);
    }
}

fn write(project: &Project, labels: &[Value]) {
    let text: String = labels.iter().map(|l| format!("{l}\n")).collect();
    project.file("labels.jsonl", text);
}

/// 64 sure and right, 60 less so and right, 40 unsure of which half are wrong.
fn good(digest: &str) -> Vec<Value> {
    let one = |i: usize| {
        let confidence = [6.0, 5.0, 4.0][usize::from(i >= 64) + usize::from(i >= 124)] / 7.0;
        let decision = if i >= 124 && i.is_multiple_of(2) { "fail" } else { "pass" };
        label(i, digest, json!({ "confidence": confidence, "decision": decision }))
    };
    (0..164).map(one).collect()
}

/// A project that ran once, with such labels.
fn labelled(labels: impl Fn(&str) -> Vec<Value>) -> (Project, Stub) {
    let stub = stub();
    let project = project(&stub, CHECK, 3);
    project.run().code(1);
    write(&project, &labels(&digest(&project)));
    (project, stub)
}

fn calibrate(project: &Project, more: &[&str]) -> Said {
    project.seatrial(&[&["calibrate", "suite.toml", "--labels", "labels.jsonl"], more].concat())
}

#[test]
fn the_threshold_that_people_bear_out_is_printed_as_a_patch_that_git_applies() {
    let (project, _stub) = labelled(good);
    let before = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    let said = calibrate(&project, &[]).code(0);
    assert!(said.err.contains("review.below = 0.71 instead of 0.85"), "{}", said.err);
    assert!(said.err.contains("0 of 124 labelled wrong"), "{}", said.err);
    assert_eq!(std::fs::read_to_string(project.path("suite.toml")).expect("the suite"), before, "nothing is written");
    project.file("t.patch", &said.out);
    let applied = Command::new("git").args(["apply", "t.patch"]).current_dir(project.path("")).status().expect("git");
    assert!(applied.success(), "{}", said.out);
    let after = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    assert_eq!(after, before.replace("below = 0.85,", "below = 0.71,"));
}

#[test]
fn the_suite_is_changed_when_that_is_asked_for() {
    let (project, _stub) = labelled(good);
    calibrate(&project, &["--write"]).code(0).says("changed suite.toml");
    let after = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    assert!(after.contains("review = { below = 0.71, tags = [\"risk\"] } # tuned by hand\n"), "{after}");
    project.seatrial(&["check", "suite.toml"]).code(0);
}

#[test]
fn a_line_of_json_tells_the_same() {
    let (project, _stub) = labelled(good);
    let line: Value = serde_json::from_str(&calibrate(&project, &["--json"]).code(0).out).expect("one line");
    let check = &line["checks"][0];
    assert_eq!(
        (&line["exit_code"], &check["check"], &check["drawn"]["size"]),
        (&json!(0), &json!("polite"), &json!(164))
    );
    assert_eq!(
        check["figures"]["confusion"],
        json!({ "true_pass": 144, "false_pass": 20, "false_fail": 0, "true_fail": 0 })
    );
    assert_eq!(check["recommendation"]["below"], 0.71);
    assert!(line["patch"].as_str().expect("a patch").contains("+review = { below = 0.71"));
}

#[test]
fn labels_that_were_not_drawn_at_random_show_nothing() {
    let chosen = json!({ "why": [{ "why": "below", "threshold": 0.9 }], "inclusion": 1.0, "holds": true });
    let (project, _stub) = labelled(|digest| (0..200).map(|i| label(i, digest, chosen.clone())).collect());
    let said = calibrate(&project, &[]).code(4);
    assert!(said.out.contains("none of the 200 labelled verdicts was drawn at random"), "{}", said.out);
}

#[test]
fn labels_of_another_version_show_nothing() {
    let other = format!("sha256:{:064x}", 7);
    let (project, _stub) = labelled(|_| good(&other));
    let said = calibrate(&project, &[]).code(4);
    assert!(said.out.contains("all 164 labelled verdicts are of another version of the check"), "{}", said.out);
}

#[test]
fn too_few_labels_say_how_many_are_missing() {
    let (project, _stub) = labelled(|digest| (0..40).map(|i| label(i, digest, json!({}))).collect());
    let said = calibrate(&project, &[]).code(4);
    assert!(said.out.contains("19 more labels would show a threshold if none of them is wrong"), "{}", said.out);
    // Less is asked for.
    calibrate(&project, &["--alpha", "0.1"]).code(0);
}

#[test]
fn a_page_with_diagrams_is_written_and_runs_nothing() {
    let hostile = json!({ "judge": "<script>alert(1)</script>" });
    let (project, _stub) = labelled(|digest| (0..80).map(|i| label(i, digest, hostile.clone())).collect());
    calibrate(&project, &["--html", "c.html"]).code(0);
    let page = std::fs::read_to_string(project.path("c.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    assert_eq!(calibrate(&project, &["--html", "no/such/folder.html"]).code(5).out, "");
}

#[test]
fn what_cannot_be_calibrated_is_said() {
    let (project, _stub) = labelled(good);
    calibrate(&project, &["--check", "other"]).code(2).complains("no check `other` of these suites asks a judge");
    calibrate(&project, &["--alpha", "1.5"]).code(2).complains("above 0 and below 1");
    let digest = digest(&project);
    let wrong =
        [label(1, &digest, json!({ "inclusion": 0 })), label(2, &digest, json!({ "confidence": 7 })), json!({})];
    write(&project, &wrong);
    let said = calibrate(&project, &[]).code(2).complains("labels.jsonl: line 1: `inclusion`");
    assert!(said.err.contains("line 2: `confidence`") && said.err.contains("line 3: "), "{}", said.err);
    project
        .seatrial(&["calibrate", "suite.toml", "--labels", "nowhere.jsonl"])
        .code(2)
        .complains("nowhere.jsonl: it cannot be read");
}

/// A verdict that is always sent to people.
fn item(i: usize, digest: &str) -> NewItem {
    let key = ItemKey {
        suite: "s".to_owned(),
        check: "polite".to_owned(),
        check_digest: serde_json::from_value(json!(digest)).expect("a digest"),
        session: Digest::of(&i.to_le_bytes()),
        subject: SubjectRef::Session,
        case_digest: None,
    };
    let asked = Asked {
        key,
        run: "earlier".to_owned(),
        session_id: format!("p{i}"),
        case: format!("p{i}"),
        trial: None,
        level: Level::Session,
        severity: Severity::Block,
        tags: Vec::new(),
        routed: Routed { why: vec![Why::Always], inclusion: 1.0, holds: true, case_digest: None },
        proposal: Status::Pass,
        score: Some(0.9),
        confidence: 6.0 / 7.0,
        reason: String::new(),
        evidence: Vec::new(),
        judge: Some("default".to_owned()),
        judge_version: None,
        rubric: None,
        question: "Is it polite?".to_owned(),
        against: None,
        reviewers: 1,
        due: None,
        expires: false,
        priority: 0.5,
        redact: None,
    };
    NewItem { asked, content: None, baseline: None }
}

#[test]
fn labels_are_read_from_the_store() {
    let stub = stub();
    let project = project(&stub, CHECK, 3);
    project.seatrial(&["calibrate", "suite.toml"]).code(2).complains("there is no store to read labels from yet");
    project.run().code(1);
    let items: Vec<NewItem> = (0..70).map(|i| item(i, &digest(&project))).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&StoreUrl::File(project.path(".seatrial/seatrial.db"))).await.expect("a store");
        store.enqueue(&Redacted::drawn(items.clone()), 1).await.expect("sent");
        for (i, item) in items.iter().enumerate().take(65) {
            let said = Submission {
                id: format!("label{i}"),
                answer: Answer::Pass,
                comment: String::new(),
                seconds: None,
                source: Source::Import,
                shown_proposal: Some(false),
            };
            store.import(&item.asked.key.id(), "ann", &said, 2).await.expect("asked").expect("taken");
        }
        store.close().await;
    });
    // Five of seventy wait, and count against the judge.
    let said = project.seatrial(&["calibrate", "suite.toml"]).code(4);
    assert!(said.out.contains("5 drawn verdicts wait for an answer"), "{}", said.out);
    project.seatrial(&["calibrate", "suite.toml", "--alpha", "0.2"]).code(0);
}

/// Of 170 passed and 30 failed by the judge, a few are wrong.
fn balanced(digest: &str) -> Vec<Value> {
    let one = |i: usize| {
        let judge = if i < 170 { "pass" } else { "fail" };
        let people = if !(166..197).contains(&i) { "pass" } else { "fail" };
        label(i, digest, json!({ "proposal": judge, "decision": people }))
    };
    (0..200).map(one).collect()
}

#[test]
fn a_pass_rate_is_corrected_by_labels_and_the_record_alone_decides_so_again() {
    for method in ["ppi", "rogan_gladen"] {
        let stub = stub();
        let gate = format!("[gate]\nlabels = \"labels.jsonl\"\npass_rate = {{ min = 0.8, correct = \"{method}\" }}\n");
        let check = CHECK.replace("review = { below = 0.85, tags = [\"risk\"] } # tuned by hand\n", "") + &gate;
        let project = project(&stub, &check, 100);
        // There are no labels yet: nothing is known of the judge, and nothing passes.
        let said = project.run().code(4);
        assert!(said.out.contains("the labels to correct it by could not be read"), "{}", said.out);
        let digest = digest(&project);
        write(&project, &balanced(&digest));
        let said = project.run().code(0);
        assert!(
            said.out.contains(&format!("corrected for the errors of polite ({method}, 200 labels")),
            "{}",
            said.out
        );
        std::fs::remove_file(project.path("labels.jsonl")).expect("removed");
        project.seatrial(&["gate", "reports/latest"]).code(0).says("corrected for the errors of polite");
        // What is known of another version of the judge is not known of this one.
        write(&project, &balanced(&format!("sha256:{:064x}", 7)));
        assert!(project.run().code(4).out.contains("no verdict was sent to people yet"));
        write(&project, &balanced(&digest)[..40]);
        assert!(project.run().code(4).out.contains("50 are the least to correct by"));
    }
}

#[test]
fn what_cannot_be_corrected_is_an_error_of_the_suite() {
    let stub = stub();
    for (gate, why) in [
        ("pass_rate = { min = 0.8, correct = \"bayes\" }", "rogan_gladen"),
        ("pass_rate = { min = 1.0, correct = \"ppi\" }", "this can never pass"),
        ("labels = \"\"\npass_rate = { min = 0.8, correct = \"ppi\" }", "an empty path"),
        ("labels = \"x.jsonl\"", "no pass rate is corrected by these labels"),
    ] {
        let project = project(&stub, &format!("{CHECK}[gate]\n{gate}\n"), 1);
        project.seatrial(&["check", "suite.toml"]).complains(why);
    }
    let with =
        |more: &str, gate: &str| project(&stub, &format!("{more}{gate}"), 1).seatrial(&["check", "suite.toml"]).code(2);
    let gate = "[gate]\npass_rate = { min = 0.8, correct = \"ppi\" }\n";
    with("[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n", gate)
        .complains("no blocking check asks a judge");
    with(&format!("{CHECK}{}", CHECK.replace("polite\"\n", "kind\"\n")), gate)
        .complains("2 blocking checks ask judges");
    with(&CHECK.replace("[[session]]", "[[turn]]"), gate).complains("judges every turn of a session");
}
