//! The way to people and back: a run holds verdicts, people decide in the store, and the gate is decided with that.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use seatrial::ledger::{Answer, Item, ItemStatus, Source, Submission};
use seatrial::store::db::{ItemFilter, Page, Store, StoreUrl};
use serde_json::json;

use crate::project::{Project, json, replies, trial};

const CHECK: &str = "[[session]]\nid = \"asks\"\ncheck = \"contains\"\nvalue = \"please\"\n";

const NOW: i64 = 1_800_000_000_000;

/// The store of a project, as another program has it open.
struct Desk {
    store: Store,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn of(project: &Project) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = StoreUrl::File(project.path(".seatrial/seatrial.db"));
        Self { store: runtime.block_on(Store::open(&url)).expect("the store"), runtime }
    }

    fn items(&self) -> Vec<Item> {
        self.runtime.block_on(self.store.items(&ItemFilter::default(), Page::ALL, NOW)).expect("items")
    }

    /// Decides over the verdict of a session.
    fn decide(&self, session: &str, answer: Answer) {
        self.decide_as("ann", session, answer);
    }

    fn decide_as(&self, who: &str, session: &str, answer: Answer) {
        let items = self.items();
        let item = items.iter().find(|i| i.session_id == session).unwrap_or_else(|| panic!("no {session}: {items:?}"));
        let said = Submission {
            id: format!("label of {session} {who} {answer:?}"),
            answer,
            comment: format!("as for {session}"),
            seconds: None,
            source: Source::Terminal,
            shown_proposal: Some(false),
        };
        let done = self.runtime.block_on(self.store.import(&item.id, who, &said, NOW)).expect("the store");
        done.expect("a label");
    }

    fn session(&self, item: &Item) -> String {
        let digest = item.content.as_deref().expect("a session");
        let line = self.runtime.block_on(self.store.content(digest)).expect("the store").expect("a session");
        String::from_utf8(line).expect("text")
    }
}

fn two(review: &str) -> Project {
    let suite = format!("{CHECK}review = {review}\n");
    Project::with(&suite, &[&replies("s0", "Wait, please."), &replies("s1", "Wait.")])
}

#[test]
fn a_run_is_held_until_people_have_decided_and_then_as_they_say() {
    let project = two("{ always = true }");
    let ran = project.run().code(3).says("2 verdicts wait for a person; the decision depends on asks in 2 sessions");
    ran.complains("2 verdicts for review, 2 new in the queue");
    project.seatrial(&["gate", "reports/latest"]).code(3).says("it depends on cases that wait for a person (s0, s1)");
    let desk = Desk::of(&project);
    let items = desk.items();
    assert_eq!((items.len(), items[0].routed.holds, items[0].status), (2, true, ItemStatus::Pending));
    assert!(items.iter().all(|i| i.question.starts_with("contains: value") && desk.session(i).contains(&i.session_id)));
    desk.decide("s0", Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(3);
    desk.decide("s1", Answer::Pass);
    let decided = project.seatrial(&["gate", "reports/latest"]).code(0);
    decided.says("2 verdicts decided by people (ann 2), 1 of them other than the check");
    // Drawn again, the reports say the same, and who decided.
    project.seatrial(&["report", "reports/latest"]).code(0);
    assert_eq!(project.summary()["labels"], json!({ "decided": 2, "overruled": 1, "waiting": 0, "by": { "ann": 2 } }));
    assert!(
        project.report("index.html").contains("</html>") && !project.report("junit.xml").contains("held for review")
    );
    project.seatrial(&["report", "reports/latest", "--no-labels"]).code(3);
}

#[test]
fn one_that_a_person_fails_fails_the_gate_with_what_they_said() {
    let project = two("{ always = true }");
    project.run().code(3);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Fail);
    project.seatrial(&["gate", "reports/latest"]).code(1);
    project
        .seatrial(&["report", "reports/latest"])
        .code(1)
        .says("decided by ann: as for s0 (the check says otherwise: every");
}

#[test]
fn nobody_is_waited_for_who_cannot_change_the_decision() {
    let suite = format!("{CHECK}review = {{ always = true }}\n[gate]\npass_rate = {{ min = 0.0 }}\n");
    let project = Project::with(&suite, &[&replies("s0", "Wait, please.")]);
    project.run().code(0).says("1 verdict waits for a person; it does not change the decision");
}

#[test]
fn the_audit_sample_holds_nothing_and_counts_once_a_person_has_spoken() {
    let project = two("{ audit = 1.0 }");
    project.file("sessions.jsonl", format!("{}\n", replies("s0", "Wait, please.")));
    project.run_with(&["--keep", "none"]).code(0);
    let desk = Desk::of(&project);
    let items = desk.items();
    assert_eq!((items.len(), items[0].routed.inclusion, items[0].routed.holds), (1, 1.0, false));
    assert!(desk.session(&items[0]).contains("Wait, please."), "kept whatever else is");
    desk.decide("s0", Answer::Fail);
    project.seatrial(&["gate", "reports/latest"]).code(1);
    project.seatrial(&["gate", "reports/latest", "--no-labels"]).code(0);
}

#[test]
fn decisions_hold_for_another_run_of_the_same_and_for_another_threshold_and_not_for_another_check() {
    let project = two("{ always = true }");
    project.run().code(3);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Pass);
    desk.decide("s1", Answer::Pass);
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("always = true", "always = true, below = 0.5"));
    project.run().code(3).complains("0 new in the queue, 2 were there; 2 decided already: `seatrial gate reports/");
    project.seatrial(&["gate", "reports/latest"]).code(0);
    project.file("suite.toml", suite.replace("\"please\"", "\"Wait\""));
    project.run().code(3).complains("2 new in the queue");
    let gate = project.seatrial(&["gate", "reports/latest"]).code(3);
    gate.complains("2 decisions were made over another version of a check or of its case and are not applied");
}

#[test]
fn a_decision_does_not_outlive_what_was_expected_when_it_was_made() {
    let suite = |answer: &str| {
        format!(
            "[[session]]\nid = \"asks\"\ncheck = \"contains\"\nvalue = \"{{{{ case.reference.answer }}}}\"\n\
             review = {{ always = true }}\n[[case]]\nid = \"a\"\nreference = {{ answer = \"{answer}\" }}\n"
        )
    };
    let project = Project::with(&suite("please"), &[&trial("a", 1, "Wait, please.")]);
    project.run().code(3);
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    let desk = Desk::of(&project);
    desk.decide(&desk.items()[0].session_id, Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(0);
    project.file("suite.toml", text.replace("answer = \"please\"", "answer = \"sorry\""));
    project.run().code(3).complains("1 new in the queue");
    project.seatrial(&["gate", "reports/latest"]).code(3);
    // As it was, the decision is found again; and an export carries what it holds for.
    project.file("suite.toml", &text);
    project.run().code(3).complains("1 decided already");
    project.seatrial(&["gate", "reports/latest"]).code(0);
    let exported = project.seatrial(&["review", "export"]).code(0).out.clone();
    project.file("labels.jsonl", exported);
    project.seatrial(&["gate", "reports/latest", "--labels", "labels.jsonl"]).code(0);
}

#[test]
fn more_reviewers_than_have_answered_ask_again() {
    let project = two("{ always = true }");
    project.run().code(3);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Pass);
    desk.decide("s1", Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(0);
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("always = true", "always = true, reviewers = 2"));
    project.run().code(3).complains("0 new in the queue, 2 were there");
    assert!(desk.items().iter().all(|i| (i.status, i.reviewers, i.open) == (ItemStatus::NeedsMore, 2, 1)));
    project.seatrial(&["gate", "reports/latest"]).code(3);
}

#[test]
fn an_audit_item_that_people_contest_is_no_pass_of_the_machine() {
    let project = two("{ audit = 1.0 }");
    project.file("sessions.jsonl", format!("{}\n", replies("s0", "Wait, please.")));
    project.run().code(0);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Fail);
    project.seatrial(&["gate", "reports/latest"]).code(1);
    desk.decide_as("bob", "s0", Answer::Pass);
    assert_eq!(desk.items()[0].status, ItemStatus::Disputed);
    project.seatrial(&["gate", "reports/latest"]).code(3);
}

#[test]
fn what_people_contest_is_counted_again_by_system_checks_though_nothing_is_decided() {
    let counts = "severity = \"warn\"\n[[system]]\nid = \"all\"\ncheck = \"pass_rate\"\nof = \"asks\"\nmin = 1.0\n";
    let suite = format!("{CHECK}review = {{ audit = 1.0 }}\n{counts}");
    let project = Project::with(&suite, &[&replies("s0", "Wait, please.")]);
    project.run().code(0);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Fail);
    project.seatrial(&["gate", "reports/latest"]).code(1);
    desk.decide_as("bob", "s0", Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(3).says("waits for a person: s0");
}

#[test]
fn system_checks_that_count_verdicts_are_asked_again_from_the_record_alone() {
    let more = "severity = \"warn\"\n[[system]]\nid = \"caught\"\ncheck = \"metric\"\nmetric = \"detection_rate\"\n\
                of = \"asks\"\nmax = 0.4\n[[system]]\nid = \"most\"\ncheck = \"pass_rate\"\nof = \"asks\"\nmin = 0.6\n";
    let project = Project::with(
        &format!("{CHECK}review = {{ always = true }}\n{more}"),
        &[&replies("s0", "Wait, please."), &replies("s1", "Wait."), &replies("s2", "Please, please.")],
    );
    project.run().code(3);
    std::fs::remove_file(project.path("suite.toml")).expect("the suite");
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Pass);
    desk.decide("s1", Answer::Fail);
    let held = project.seatrial(&["gate", "reports/latest"]).code(3);
    held.says("1 of the verdicts of `asks` wait for a person");
    desk.decide("s2", Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(0).says("passed");
}

#[test]
fn a_gate_waits_for_people_as_long_as_it_is_told_and_no_longer_than_it_must() {
    let project = two("{ always = true }");
    project.run().code(3);
    project.seatrial(&["gate", "reports/latest", "--wait", "200ms", "--poll", "200ms"]).code(3);
    let spins = project.seatrial(&["gate", "reports/latest", "--wait", "10m", "--poll", "0s"]);
    spins.code(2).complains("the least is 200ms");
    let desk = Desk::of(&project);
    let mut waits = project.command(&["gate", "reports/latest", "--wait", "10m", "--poll", "200ms"]);
    let mut waits = waits.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary");
    let mut said = BufReader::new(waits.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("wait for a person; waiting up to 10 min") {
        line.clear();
        assert!(said.read_line(&mut line).expect("text") > 0, "it ended before it waited");
    }
    desk.decide("s0", Answer::Fail);
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(waits.wait().expect("it ends").code(), Some(1), "final as soon as one fails: {rest}");
}

#[test]
fn an_export_decides_where_there_is_no_store() {
    let project = two("{ always = true }");
    project.run().code(3);
    let lines: Vec<String> = Desk::of(&project)
        .items()
        .iter()
        .map(|item| {
            let line = json!({
                "schema": 1, "item": item.id, "suite": item.key.suite, "check": item.key.check,
                "check_digest": item.key.check_digest, "session": item.key.session, "subject": item.key.subject,
                "decision": "pass", "decided_by": { "how": "adjudicator", "who": "eve" }, "labels": [{
                    "id": item.id, "reviewer": "eve", "act": "adjudicate", "answer": "pass", "source": "web",
                    "at": "2026-11-27T05:40:00Z",
                }],
            });
            format!("{line}\n")
        })
        .collect();
    project.file("labels.jsonl", lines.concat());
    std::fs::remove_dir_all(project.path(".seatrial")).expect("the store");
    let gate = project.seatrial(&["gate", "reports/latest"]).code(3);
    gate.complains(
        "there is no store at `.seatrial/seatrial.db`: nothing that people decided over 2 verdicts is known",
    );
    assert!(!project.path(".seatrial").exists(), "to look for a store makes none");
    let gate = project.seatrial(&["gate", "reports/latest", "--labels", "labels.jsonl"]).code(0);
    gate.says("decided by people (eve 2)");
    // What people said decides, and not what somebody writes beside it.
    let edited = lines.concat().replace("\"answer\":\"pass\"", "\"answer\":\"fail\"");
    project.file("labels.jsonl", edited);
    let gate = project.seatrial(&["gate", "reports/latest", "--labels", "labels.jsonl"]).code(2);
    gate.complains("labels.jsonl:1: no line of `seatrial review export`: it says pass, and by its labels it is fail");
    project.file("labels.jsonl", "{}\n");
    let gate = project.seatrial(&["gate", "reports/latest", "--labels", "labels.jsonl"]).code(2);
    gate.complains("labels.jsonl:1: no line of `seatrial review export`");
}

#[test]
fn shards_send_when_they_are_merged_as_if_never_split() {
    let suite = format!("{CHECK}review = {{ audit = 0.5, tags = [\"x\"] }}\n[gate]\npass_rate = {{ min = 0.0 }}\n");
    let sessions: Vec<String> = (0..20).map(|i| replies(&format!("s{i}"), "Wait, please.")).collect();
    let sessions: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let (whole, split) = (Project::with(&suite, &sessions), Project::with(&suite, &sessions));
    whole.run().code(0);
    for shard in ["1/2", "2/2"] {
        split.run_with(&["--shard", shard, "--out", "shards"]).code(0);
        assert!(!split.path(".seatrial").exists(), "a shard alone sends nothing");
    }
    split.seatrial(&["merge", "shards"]).code(0);
    let ids = |project: &Project| -> Vec<String> {
        let mut ids: Vec<String> = Desk::of(project).items().iter().map(|i| i.id.to_string()).collect();
        ids.sort();
        ids
    };
    let drawn = ids(&whole);
    assert!((1..20).contains(&drawn.len()), "{drawn:?}");
    assert_eq!(drawn, ids(&split));
    let shard = std::fs::read_dir(split.path("shards")).expect("shards").flatten().find(|e| e.path().is_dir());
    let shard = shard.expect("a shard").path().display().to_string();
    split.seatrial(&["review", "add", &shard]).code(2).complains("this is shard");
}

#[test]
fn nothing_unredacted_goes_to_people() {
    let suite = format!("{CHECK}review = {{ always = true }}\n[redact]\ndetectors = [\"email\"]\n");
    let project = Project::with(&suite, &[&replies("s0", "Write to ann@example.com, please.")]);
    project.run().code(3);
    let desk = Desk::of(&project);
    let item = &desk.items()[0];
    assert!(!desk.session(item).contains("ann@example.com") && desk.session(item).contains("[redacted:email]"));
    let database = std::fs::read(project.path(".seatrial/seatrial.db")).expect("the database");
    assert!(!database.windows(15).any(|w| w == b"ann@example.com"));
    desk.decide("s0", Answer::Pass);
    project.seatrial(&["gate", "reports/latest"]).code(0);
}

#[test]
fn a_store_that_fails_loses_nothing_else_and_the_run_is_sent_again() {
    let project = two("{ always = true }");
    project.file(".seatrial/seatrial.db", "this is no database, whatever it is called");
    let ran = project.run().code(5).says("the run is not in the store");
    ran.says("`seatrial review add reports/");
    assert_eq!(
        (project.summary()["exit_code"].clone(), project.suite()["decision"].clone()),
        (json!(5), json!("held"))
    );
    std::fs::remove_dir_all(project.path(".seatrial")).expect("what is in the way");
    project.seatrial(&["gate", "reports/latest"]).code(3);
    project.seatrial(&["review", "add", "reports/latest"]).code(0).says("2 verdicts for review, 2 new in the queue");
    project.seatrial(&["review", "add", "reports/latest"]).code(0).says("0 new in the queue, 2 were there");
    assert_eq!(Desk::of(&project).items().len(), 2);
}

#[test]
fn a_named_store_that_is_not_there_is_no_store_in_which_nobody_decided() {
    let project = two("{ audit = 1.0 }");
    project.file("sessions.jsonl", format!("{}\n", replies("s0", "Wait, please.")));
    project.run().code(0);
    Desk::of(&project).decide("s0", Answer::Fail);
    project.seatrial(&["gate", "reports/latest"]).code(1);
    project.file("seatrial.toml", "store = \"gone.db\"\n");
    for command in
        [&["gate", "reports/latest"][..], &["report", "reports/latest"], &["diff", "reports/latest", "reports/latest"]]
    {
        let ended = project.seatrial(command).code(2);
        ended.complains("there is no store at `gone.db` (seatrial.toml:1), and 1 verdict went to people");
    }
    assert!(!project.path("gone.db").exists());
    project.seatrial(&["gate", "reports/latest", "--no-labels"]).code(0);
}

#[test]
fn an_export_is_read_also_where_nothing_went_to_people() {
    let project = Project::with(CHECK, &[&replies("s0", "Wait, please.")]);
    project.run().code(0);
    let gate = project.seatrial(&["gate", "reports/latest", "--labels", "nowhere.jsonl"]).code(2);
    gate.complains("nowhere.jsonl");
}

#[test]
fn with_the_store_off_a_run_holds_and_leaves_nothing() {
    let project = two("{ always = true }");
    project.file("seatrial.toml", "store = \"off\"\n");
    project.run().code(3);
    assert!(!project.path(".seatrial").exists());
    project.seatrial(&["gate", "reports/latest"]).code(3);
}

#[test]
fn what_a_continued_run_sends_is_what_it_would_have_sent() {
    let project = two("{ always = true }");
    project.run().code(3);
    let sent = Desk::of(&project).items().len();
    let run = std::fs::canonicalize(project.path("reports/latest")).expect("a run");
    let record = std::fs::read_to_string(run.join("run.jsonl")).expect("a record");
    let cut = record.find("{\"event\":\"suite_end\"").expect("the end of the suite");
    std::fs::write(run.join("run.jsonl"), &record[..cut]).expect("a record that was cut");
    std::fs::remove_dir_all(project.path(".seatrial")).expect("the store");
    project.run_with(&["--resume"]).code(3);
    assert_eq!(Desk::of(&project).items().len(), sent);
}

#[test]
fn an_item_becomes_a_case_of_the_suite_that_is_run_with_it() {
    let suite = format!("{CHECK}review = {{ always = true }}\n[[case]]\nid = \"a\" # the first\n");
    let project = Project::with(&suite, &[&trial("a", 1, "Wait, please.")]);
    project.run().code(3);
    let desk = Desk::of(&project);
    let id = desk.items()[0].id.to_string();
    let made = project.seatrial(&["review", "case", &id, "--suite", "suite.toml", "--id", "a-again"]).code(0);
    made.says("case `a-again` of suite.toml: regressions/a-again.jsonl");
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    assert!(text.contains("id = \"a\" # the first") && text.contains("id = \"a-again\""), "{text}");
    assert!(!text.contains("expected_fail"), "{text}");
    project.run().code(3);
    assert_eq!(json(&project.path("reports/latest/summary.json"))["suites"][0]["cases"]["total"], 2);
    let excused = ["review", "case", &id, "--suite", "suite.toml", "--id", "excused", "--expect-fail", "30d"];
    project.seatrial(&excused).code(0);
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    assert!(text.contains("expected_fail = { until = "), "{text}");
}

#[test]
fn reasons_are_in_the_record_and_with_the_item() {
    let sessions = [trial("a", 1, "Wait, please."), replies("s1", "Write to ann@example.com, please.")];
    let suite = format!(
        "{CHECK}review = {{ tags = [\"risky\"], detect = [\"email\"] }}\n[gate]\npass_rate = {{ min = 0.0 }}\n"
    );
    let tagged = sessions[0].replacen('{', "{\"tags\":[\"risky\"],", 1);
    let project = Project::with(&suite, &[&tagged, &sessions[1]]);
    project.run().code(0);
    let why: Vec<String> = Desk::of(&project)
        .items()
        .iter()
        .flat_map(|i| i.routed.why.iter().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    assert!(why.contains(&"a person decides where the tag `risky` is".to_owned()), "{why:?}");
    assert!(why.contains(&"a person decides where `email` finds something".to_owned()), "{why:?}");
    assert!(project.events().contains(r#""routed":{"why":[{"why":"tag","tag":"risky"}],"holds":true}"#));
}

#[test]
fn what_people_decided_holds_in_a_baseline_and_in_a_comparison_of_two_runs() {
    let project = two("{ always = true }");
    project.run_with(&["--out", "then"]).code(3);
    let desk = Desk::of(&project);
    desk.decide("s0", Answer::Pass);
    desk.decide("s1", Answer::Fail);
    project.file("sessions.jsonl", format!("{}\n{}\n", replies("s0", "Sorry, please."), replies("s1", "please")));
    project.run_with(&["--baseline", "then/latest"]).code(4).says("1 did");
    let compared = project.seatrial(&["gate", "reports/latest", "--baseline", "then/latest"]);
    assert!(!compared.out.contains("not measured then"), "{}", compared.out);
    assert!(compared.out.contains("1 did"), "s0 passed then, as a person decided: {}", compared.out);
    project.seatrial(&["diff", "then/latest", "reports/latest"]).code(0);
}

#[test]
fn a_store_that_cannot_be_read_makes_another_baseline_of_no_run() {
    let project = two("{ audit = 1.0 }");
    let sessions = format!("{}\n{}\n", replies("s0", "Wait, please."), replies("s1", "please"));
    project.file("sessions.jsonl", &sessions);
    project.run_with(&["--out", "then"]).code(0);
    let desk = Desk::of(&project);
    desk.decide("s1", Answer::Fail);
    drop(desk);
    // Recorded anew: nothing is compared with itself.
    project.file("sessions.jsonl", sessions.replace("please", "pretty please"));
    project.run().code(0);
    let compared = ["gate", "reports/latest", "--no-labels", "--baseline", "then/latest"];
    let known = project.seatrial(&compared);
    assert!(known.out.contains("1 newly pass"), "{}", known.out);
    project.file(".seatrial/seatrial.db", "this is no database, whatever it is called");
    let unknown = project.seatrial(&compared).code(4).says("what people decided over its verdicts could not be read");
    unknown.complains("baseline `then/latest`: ");
    project.seatrial(&["diff", "then/latest", "reports/latest"]).code(2);
}
