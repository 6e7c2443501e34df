//! Any byte that is another voids an approval; what is not at hand is said.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::promote::event::Version;
use crate::promote::keys::Secret;
use crate::promote::log::Entry;
use crate::promote::statement::Statement;
use crate::promote::testing::{at, gate, submission, version};

/// Files and suites as they lie there.
#[derive(Default, Clone)]
struct Hand {
    files: BTreeMap<PathBuf, Digest>,
    suites: BTreeMap<String, Vec<String>>,
    labels: Option<BTreeMap<String, Digest>>,
}

impl AtHand for Hand {
    fn file(&self, path: &Path) -> io::Result<Option<Digest>> {
        Ok(self.files.get(path).copied())
    }

    fn suite(&self, was: &SuiteEvidence) -> Result<Option<Vec<String>>, String> {
        Ok(self.suites.get(&was.name).cloned())
    }

    fn labels(&self, _: &Run) -> Result<Option<BTreeMap<String, Digest>>, String> {
        Ok(self.labels.clone())
    }
}

/// A submission with its evidence, and everything that it is bound to.
fn bound() -> (Submission, String, String, Hand) {
    let artifact = Some(Digest::of(b"image"));
    let gate = Gate { artifact, ..gate() };
    let text = gate.text().unwrap();
    let of = Digest::of(text.as_bytes());
    let envelope = Statement::new(&gate, &of).seal(Some(&key())).unwrap();
    let submission = Submission {
        version: version(),
        artifact,
        gate: of,
        statement: Digest::of(envelope.as_bytes()),
        ..submission(1, "1.4", Rules::default())
    };
    let run = &gate.runs[0];
    let hand = Hand {
        files: [(run.path.clone(), run.record), ("a.jsonl".into(), Digest::of(b"session"))]
            .map(|(path, digest)| (PathBuf::from(path), digest))
            .into(),
        suites: BTreeMap::from([("a".into(), Vec::new())]),
        labels: Some(BTreeMap::new()),
    };
    (submission, text, envelope, hand)
}

fn key() -> Secret {
    Secret::of_seed(&[3; 32])
}

fn look(submission: &Submission, gate: &str, envelope: &str, hand: &Hand, artifact: &[u8]) -> Vec<Looked> {
    let trusted = [key().public()];
    let artifact = (!artifact.is_empty()).then(|| Digest::of(artifact));
    let now = Now { rules: Some(&submission.rules), trusted: Some(&trusted), artifact, at_hand: hand };
    evidence(submission, Some(gate), Some(envelope), &now)
}

/// What is void, and what is absent.
fn wrong(looked: &[Looked]) -> (Vec<&str>, Vec<&str>) {
    let of = |wanted: fn(&Found) -> bool| looked.iter().filter(|l| wanted(&l.found)).map(|l| l.what.as_str()).collect();
    (of(|f| matches!(f, Found::Void(_))), of(|f| matches!(f, Found::Absent(_))))
}

#[test]
fn what_is_as_it_was_holds() {
    let (submission, gate, envelope, hand) = bound();
    let looked = look(&submission, &gate, &envelope, &hand, b"image");
    assert_eq!(wrong(&looked), (vec![], vec![]), "{looked:#?}");
    assert!(looked.len() >= 7);
}

#[test]
fn whatever_is_another_voids_it_and_is_named() {
    let (submission, gate, envelope, hand) = bound();
    let void = |looked: Vec<Looked>, what: &str| {
        let (void, _) = wrong(&looked);
        assert!(void.len() == 1 && void[0].contains(what), "{what}: {void:?}");
    };
    void(look(&submission, &gate, &envelope, &hand, b"other image"), "artifact");
    for file in ["reports/r1/run.jsonl", "a.jsonl"] {
        let mut changed = hand.clone();
        changed.files.insert(file.into(), Digest::of(b"changed"));
        void(look(&submission, &gate, &envelope, &changed, b"image"), file);
    }
    let mut changed = hand.clone();
    changed.suites.insert("a".into(), vec!["file policy.cedar differs".into()]);
    void(look(&submission, &gate, &envelope, &changed, b"image"), "suite `a`");
    let rules = Rules { approvals: 0, ..submission.rules.clone() };
    let now = Now { rules: Some(&rules), trusted: None, artifact: submission.artifact, at_hand: &hand };
    let looked = evidence(&submission, Some(&gate), Some(&envelope), &now);
    void(looked.clone(), "rules of `prod`");
    assert!(looked.iter().any(|l| l.found == Found::Void("`approvals` changed since".into())));
}

#[test]
fn evidence_that_was_edited_is_void() {
    let (submission, gate, envelope, hand) = bound();
    let worse = gate.replace("\"passed\"", "\"failed\"");
    assert_ne!(worse, gate);
    let looked = look(&submission, &worse, &envelope, &hand, b"image");
    let (void, _) = wrong(&looked);
    assert_eq!(void, ["gate.json", "signed statement"]);
    let other = Secret::of_seed(&[4; 32]);
    let of = Digest::of(gate.as_bytes());
    let resigned = Statement::new(&serde_json::from_str(&gate).unwrap(), &of).seal(Some(&other)).unwrap();
    let looked = look(&submission, &gate, &resigned, &hand, b"image");
    assert_eq!(wrong(&looked).0, ["signed statement"]);
    // As if the log had been written so, too.
    let submission = Submission { statement: Digest::of(resigned.as_bytes()), ..submission };
    let looked = look(&submission, &gate, &resigned, &hand, b"image");
    assert_eq!(wrong(&looked).0, ["signed statement"]);
    assert!(format!("{looked:?}").contains("the key is not trusted"));
    let now = Now { rules: None, trusted: None, artifact: submission.artifact, at_hand: &hand };
    assert_eq!(wrong(&evidence(&submission, None, None, &now)).0, ["gate.json", "statement"]);
}

#[test]
fn what_is_not_at_hand_is_not_taken_for_the_same() {
    let (submission, gate, envelope, _) = bound();
    let looked = look(&submission, &gate, &envelope, &Hand::default(), b"");
    let (void, absent) = wrong(&looked);
    assert!(void.is_empty());
    let whats = ["artifact", "record reports/r1/run.jsonl", "recording a.jsonl of suite `a`"];
    assert_eq!(absent[..3], whats);
    assert_eq!(absent.len(), 5);
}

#[test]
fn a_log_is_believed_by_its_chain_its_head_and_its_signatures() {
    let mut log = Vec::new();
    let submission = submission(1, "1.4", Rules::default());
    let event = Event::Submitted { submission };
    log.push(Entry::after(&log, at(1), "maria", event).seal(Some(&key())).unwrap());
    let event =
        Event::Approved { promotion: Id::at(1), reason: String::new(), automatic: false, granted: true, expires: None };
    let unsigned = Entry::after(&log, at(2), "jan", event);
    let mut forged = log.clone();
    forged.push(unsigned.seal(None).unwrap());
    log.push(unsigned.seal(Some(&key())).unwrap());
    let (looked, state) = whole(&log, Some(&log[1].hash));
    assert_eq!(wrong(&looked), (vec![], vec![]));
    let state = state.unwrap();
    let target = Version { agent: "airline".into(), version: "1.4".into() };
    let promotion = which(&state, &target, "prod").unwrap();
    assert_eq!(approval(promotion, at(3)).found, Found::Same);
    assert_eq!(wrong(&signatures(&log, &|_| true, &[key().public()])), (vec![], vec![]));
    // Somebody with the database and without the key.
    let looked = signatures(&forged, &|_| true, &[key().public()]);
    assert_eq!(wrong(&looked).0, ["entry 2 (approved, by jan)"]);
    let (looked, _) = whole(&log[..1], Some(&log[1].hash));
    assert_eq!(wrong(&looked).0, ["head that was kept"]);
    let (_, pending) = whole(&log[..1], None);
    let pending = pending.unwrap();
    assert_eq!(approval(which(&pending, &target, "prod").unwrap(), at(3)).found, Found::Void("it is pending".into()));
}

#[test]
fn decisions_of_people_that_are_others_void_it_and_those_that_cannot_be_asked_are_said() {
    let (submission, text, envelope, hand) = bound();
    let found = |labels: Option<BTreeMap<String, Digest>>| {
        let hand = Hand { labels, ..hand.clone() };
        let looked = look(&submission, &text, &envelope, &hand, b"image");
        looked.into_iter().find(|l| l.what.starts_with("decisions of people")).map(|l| l.found)
    };
    assert_eq!(found(Some(BTreeMap::new())), None, "nobody decided anything, and nobody does");
    assert!(matches!(found(Some(BTreeMap::from([("a".into(), Digest::of(b"1 fail"))]))), Some(Found::Void(_))));
    assert!(matches!(found(None), Some(Found::Absent(_))));
}
