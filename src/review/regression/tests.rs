//! What becomes of the suite and of its folder when a case is made.

use super::*;
use crate::ledger::{DecidedBy, ItemStatus, testing};
use crate::model::Status;

const SESSION: &str = r#"{"seatrial":1,"id":"s1","case":"refund","trial":"2","turns":[{"user":"I want my money back.","reply":"Sure!"}]}"#;
const NOW: Millis = 1_700_000_000_000;

fn item(decision: Option<Status>) -> Item {
    let asked = crate::ledger::Asked { case: "refund".into(), tags: vec!["risky".into()], ..testing::item(1).asked };
    Item {
        id: asked.key.id(),
        asked,
        content: None,
        baseline: None,
        status: ItemStatus::Resolved,
        decision,
        decided: decision.map(|_| DecidedBy::Reviewers { who: vec!["ann".into()] }),
        open: 0,
        created: NOW,
        resolved: Some(NOW),
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(suite: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("suite.toml"), suite).unwrap();
        Self(dir)
    }

    fn make(&self, item: &Item) -> Result<Made, String> {
        self.excused(item, None)
    }

    fn excused(&self, item: &Item, expect_fail: Option<Duration>) -> Result<Made, String> {
        let (suite, id) = (self.0.path().join("suite.toml"), Some("refund-again"));
        let making = Making { item, session: SESSION.as_bytes(), suite: &suite, id, now: NOW, expect_fail };
        make(&making).map_err(|e| e.to_string())
    }

    fn suite(&self) -> String {
        fs::read_to_string(self.0.path().join("suite.toml")).unwrap()
    }
}

const WITH_CASES: &str =
    "# Ours.\n[suite]\nname = \"s\"\n\n[recorded]\npaths = [\"x.jsonl\"] # all\n\n[[case]]\nid = \"refund\"\n";

#[test]
fn a_case_with_its_recording_is_added_and_the_rest_of_the_suite_stays_as_it_is() {
    let folder = Folder::new(WITH_CASES);
    let made = folder.make(&item(Some(Status::Pass))).unwrap();
    assert_eq!((made.case.as_str(), made.declared, made.notes.len()), ("refund-again", true, 0));
    let expected = format!(
        "{}\n# from review item {}: pass by ann, check `{}`\n[[case]]\nid = \"refund-again\"\ntags = [\"risky\"]\nuser = [\"I want my money back.\"]\n",
        WITH_CASES.replace("[\"x.jsonl\"]", "[\"x.jsonl\", \"regressions/refund-again.jsonl\"]"),
        item(None).id,
        item(None).key.check
    );
    assert_eq!(folder.suite(), expected);
    let line = fs::read_to_string(made.recording).unwrap();
    let session: Json = serde_json::from_str(&line).unwrap();
    assert_eq!((session["case"].as_str(), session.get("trial")), (Some("refund-again"), None));
    assert_eq!(session["id"], "refund-again");
}

#[test]
fn a_failure_that_a_person_found_counts_unless_somebody_says_how_long_it_is_expected() {
    let folder = Folder::new(WITH_CASES);
    folder.make(&item(Some(Status::Fail))).unwrap();
    assert!(!folder.suite().contains("expected_fail"), "{}", folder.suite());
    let folder = Folder::new(WITH_CASES);
    folder.excused(&item(Some(Status::Fail)), Some(Duration::from_secs(30 * 86_400))).unwrap();
    assert!(folder.suite().contains("expected_fail = { until = \"2023-12-14\", reason = \"from review item "));
}

#[test]
fn what_is_expected_of_the_case_is_expected_of_the_new_one() {
    let expected = "[case.vars]\nn = 3 # three\n[case.reference]\n# Nothing is called.\ntools = [] # none\n\
                    [[case.turn]]\nuser = \"I want my money back.\"\n[case.turn.reference]\nreply = \"Sure!\"\n\
                    [[case]]\nid = \"last\"\n";
    let folder = Folder::new(&format!("{WITH_CASES}{expected}"));
    let made = folder.make(&item(Some(Status::Fail))).unwrap();
    assert_eq!(made.notes, [""; 0]);
    let suite: toml_edit::DocumentMut = folder.suite().parse().unwrap();
    let cases = suite["case"].as_array_of_tables().unwrap();
    let new = cases.iter().last().unwrap();
    assert_eq!((cases.len(), new["id"].as_str(), new.get("user").is_none()), (3, Some("refund-again"), true));
    assert_eq!((new["vars"]["n"].as_integer(), new["reference"]["tools"].as_array().unwrap().len()), (Some(3), 0));
    assert_eq!(new["turn"][0]["reference"]["reply"].as_str(), Some("Sure!"));
    assert!(folder.suite().contains("[case.reference]\n# Nothing is called.\ntools = [] # none"));
}

#[test]
fn what_a_file_of_cases_expects_is_expected_of_the_new_one_and_the_suite_wins() {
    let row = r#"{"id":"refund","n":3,"m":4,"reference":{"tools":[{"name":"f","args":{"x":{"$gte":1}}}],"answer":"no","facts":["a",["b",{"$matches":"c"}]],"state":{"a.b":1.5}}}"#;
    let own = "[[case]]\nid = \"refund\"\nreference = { answer = \"yes\" }\nvars = { m = 5 }\n";
    for (own, answer, m) in [("", "no", 4), (own, "yes", 5)] {
        let folder = Folder::new(&format!("[suite]\nname = \"s\"\ncases = \"cases.jsonl\"\n{own}"));
        fs::write(folder.0.path().join("cases.jsonl"), format!("{row}\n")).unwrap();
        let made = folder.make(&item(Some(Status::Fail))).unwrap();
        assert_eq!(made.notes, [""; 0]);
        let suite: DocumentMut = folder.suite().parse().unwrap();
        let new = suite["case"].as_array_of_tables().unwrap().iter().last().unwrap();
        assert_eq!((new["vars"]["n"].as_integer(), new["vars"]["m"].as_integer()), (Some(3), Some(m)));
        let reference = &new["reference"];
        assert_eq!(reference["answer"].as_str(), Some(answer));
        assert_eq!(reference["tools"][0]["args"]["x"]["$gte"].as_integer(), Some(1));
        assert_eq!(reference["facts"][1][1]["$matches"].as_str(), Some("c"));
        assert_eq!(reference["state"]["a.b"].as_float(), Some(1.5));
        assert_eq!(new["user"][0].as_str(), Some("I want my money back."));
    }
}

#[test]
fn what_a_file_of_cases_expects_and_cannot_be_copied_is_named() {
    let folder = Folder::new("[suite]\nname = \"s\"\ncases = \"cases.jsonl\"\n");
    let note = |text: Option<&str>| {
        text.inspect(|text| fs::write(folder.0.path().join("cases.jsonl"), text).unwrap());
        let document: DocumentMut = folder.suite().parse().unwrap();
        expected::of(&document, &folder.0.path().join("suite.toml"), "refund").1.unwrap()
    };
    assert!(note(None).contains("cases.jsonl expects of `refund` is not copied (No such file"));
    assert!(note(Some("{\"id\":\"refund\",\"n\":null}\n")).contains("TOML has no null"));
    assert!(note(Some("{\"id\":\"refund\",\"weight\":\"much\"}\n")).contains("is not copied ("));
    assert!(note(Some("{\"id\":\"other\"}\n")).contains("the suite has no case `refund`"));
}

#[test]
fn a_suite_without_cases_gets_the_recording_only() {
    let folder = Folder::new("[suite]\nname = \"s\"\n[recorded]\npaths = [\"regressions/*.jsonl\"]\n");
    let before = folder.suite();
    let made = folder.make(&item(None)).unwrap();
    assert!(!made.declared && made.recording.is_file());
    assert_eq!(folder.suite(), before, "the recording is among those that are read");
}

#[test]
fn a_suite_of_one_version_is_told_that_the_case_has_to_be_recorded_anew() {
    let folder = Folder::new(&format!("{WITH_CASES}[subject]\nagent = \"a\"\nversion = \"1\"\n"));
    let made = folder.make(&item(None)).unwrap();
    assert!(made.notes[0].contains("record the case anew"), "{:?}", made.notes);
    assert!(folder.suite().contains("paths = [\"x.jsonl\"]"));
}

#[test]
fn what_cannot_be_made_changes_nothing() {
    for (suite, why) in [
        ("[fragment]\n", "it has no [suite]"),
        ("[suite\n", "TOML"),
        ("[suite]\nname = \"s\"\n[recorded]\nformat = \"otlp\"\n", "of the format `otlp`"),
        ("[suite]\nname = \"s\"\n[[case]]\nid = \"refund-again\"\n", "a case `refund-again` already"),
        ("[suite]\nname = \"s\"\n[recorded]\npaths = \"x\"\n", "`paths` is not a list"),
    ] {
        let folder = Folder::new(suite);
        let found = folder.make(&item(None)).unwrap_err();
        assert!(found.contains(why), "{suite}: {found}");
        assert_eq!(folder.suite(), suite);
        assert_eq!(fs::read_dir(folder.0.path().join(FOLDER)).map_or(0, Iterator::count), 0, "{suite}");
    }
}

#[test]
fn an_id_is_a_name_of_a_file_whatever_stands_in_it() {
    assert_eq!(file_name("../../etc/passwd"), "-..-etc-passwd");
    assert_eq!(file_name("\u{202e}a b"), "-a-b");
}
