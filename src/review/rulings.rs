//! What people decided over the verdicts of a run: from the store, or from an export of it, so that a gate can be decided
//! where the store is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::eval::event::{Plan, RunEvent};
use crate::eval::overlay::{self, Ruling};
use crate::ledger::line::{self, LabelLine, SCHEMA};
use crate::ledger::{Answer, DecidedBy, ItemId, ItemKey, ItemStatus, Label, counting};
use crate::model::Status;
use crate::report::safe;
use crate::store::db::{Store, StoreError};
use crate::store::record::{self, RecordError};

/// The longest line of an export that is read, in bytes: with the session in it.
const MAX_LINE: u64 = 256 << 20;

/// Decisions of people, by what they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    rulings: BTreeMap<ItemId, Ruling>,
    /// What was decided of a check as it was before it was changed.
    others: BTreeSet<ItemId>,
}

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of an export.
    #[error("{path}:{line}: no line of `seatrial review export`: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
}

/// What is read of a line of an export.
#[derive(Deserialize)]
struct Line {
    schema: u32,
    item: ItemId,
    suite: String,
    check: String,
    check_digest: crate::model::digest::Digest,
    session: crate::model::digest::Digest,
    subject: crate::model::SubjectRef,
    #[serde(default)]
    case_digest: Option<crate::model::digest::Digest>,
    /// How many were to answer; what was exported by hand may not say so.
    #[serde(default = "one")]
    reviewers: u32,
    decision: Option<Status>,
    #[serde(default)]
    decided_by: Option<DecidedBy>,
    #[serde(default)]
    status: Option<ItemStatus>,
    /// Not there for somebody who is still to answer.
    #[serde(default)]
    labels: Vec<LabelLine>,
}

const fn one() -> u32 {
    1
}

impl Line {
    /// What the line is about; `Err` says why that is not sure.
    fn key(&self) -> Result<ItemKey, String> {
        if self.schema != SCHEMA {
            return Err(format!("its `schema` is {}, and {SCHEMA} is known here", self.schema));
        }
        let key = ItemKey {
            suite: self.suite.clone(),
            check: self.check.clone(),
            check_digest: self.check_digest,
            session: self.session,
            subject: self.subject,
            case_digest: self.case_digest,
        };
        let id = key.id();
        if self.item != id {
            return Err(format!(
                "`item` is `{}`, and what the line is about is called `{id}`: it was edited",
                safe::line(self.item.as_str())
            ));
        }
        Ok(key)
    }
}

impl Decisions {
    /// What was decided over a verdict.
    pub fn of(&self, key: &ItemKey) -> Option<Ruling> {
        self.rulings.get(&key.id()).cloned()
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.rulings.is_empty()
    }

    /// How many of these were decided when their check was another: such a decision is not applied.
    pub fn outdated(&self, keys: &[ItemKey]) -> usize {
        keys.iter()
            .filter(|key| !self.rulings.contains_key(&key.id()) && self.others.contains(&of_any_check(key)))
            .count()
    }

    /// Every comment as `pass` makes it: what people wrote goes through the rules of redaction, too.
    pub fn with_comments(mut self, pass: impl Fn(String) -> String) -> Self {
        for ruling in self.rulings.values_mut().filter(|r| !r.comment.is_empty()) {
            ruling.comment = pass(std::mem::take(&mut ruling.comment));
        }
        self
    }

    /// Reads an export, line by line.
    ///
    /// # Errors
    /// Which line is none, or why the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, LabelsError> {
        let io = |source| LabelsError::Io { path: path.to_owned(), source };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let (mut found, mut text, mut number) = (Self::default(), Vec::new(), 0u64);
        let mut seen = BTreeMap::new();
        loop {
            text.clear();
            number += 1;
            let wrong = |why: String| LabelsError::Line { path: path.to_owned(), line: number, why };
            let read = io::Read::take(&mut reader, MAX_LINE).read_until(b'\n', &mut text).map_err(io)?;
            if read == 0 {
                return Ok(found);
            }
            if read as u64 == MAX_LINE {
                return Err(wrong("it is too long".to_owned()));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
            let key = line.key().map_err(wrong)?;
            if let Some(first) = seen.insert(key.id(), number) {
                return Err(wrong(format!(
                    "line {first} is about the same verdict, and which of them holds is not known: `seatrial review \
                     import` brings several exports into one store"
                )));
            }
            found.add(&line, &key).map_err(wrong)?;
        }
    }

    /// Takes what a line says of a verdict.
    fn add(&mut self, line: &Line, key: &ItemKey) -> Result<(), String> {
        let rows = line::rows(&line.item, &line.labels)?;
        // Whatever the line says, what people said decides.
        line::follows(line.status, (line.decision, line.decided_by.as_ref()), line.reviewers, &rows)?;
        let Some(status) = line.decision else {
            let who = fails(&rows);
            if !who.is_empty() {
                self.rulings.insert(key.id(), contested(who));
            }
            return Ok(());
        };
        let by = line.decided_by.as_ref().ok_or("it is decided, and does not say by whom")?;
        let adjudicated = matches!(by, DecidedBy::Adjudicator { .. });
        let overrules = by.overrules();
        let by = by.names().into_iter().map(str::to_owned).collect();
        let comment = said(&rows, status);
        self.others.insert(of_any_check(key));
        self.rulings.insert(key.id(), Ruling { status, by, adjudicated, overrules, comment });
        Ok(())
    }

    /// Asks the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn fetch(store: &Store, keys: &[ItemKey]) -> Result<Self, StoreError> {
        let decided = store.decisions(keys).await?;
        let open: Vec<&ItemKey> = keys.iter().filter(|key| !decided.contains_key(&key.id())).collect();
        let others = store.decided_otherwise(&open).await?.iter().map(of_any_check).collect();
        let ids: Vec<ItemId> = decided.keys().cloned().collect();
        let mut rows: BTreeMap<ItemId, Vec<Label>> = BTreeMap::new();
        for label in store.labels(&ids).await? {
            rows.entry(label.item.clone()).or_default().push(label);
        }
        let rulings = decided.into_iter().map(|(id, decided)| {
            let rows = rows.remove(&id).unwrap_or_default();
            let comment = said(&rows, decided.status);
            let by = decided.by.names().into_iter().map(str::to_owned).collect();
            let adjudicated = matches!(decided.by, DecidedBy::Adjudicator { .. });
            let overrules = decided.by.overrules();
            (id, Ruling { status: decided.status, by, adjudicated, overrules, comment })
        });
        let undecided = store.contested(keys).await?.into_iter().map(|(id, who)| (id, contested(who)));
        Ok(Self { rulings: undecided.chain(rulings).collect(), others })
    }
}

/// What somebody whose answer counts, and is the decision, said besides.
fn said(rows: &[Label], status: Status) -> String {
    let agrees = |row: &&Label| row.act.answer().and_then(|a| a.status()) == Some(status) && !row.comment.is_empty();
    counting(rows).into_iter().rev().find(agrees).map(|row| row.comment.clone()).unwrap_or_default()
}

/// That it is not decided, although these people say fail.
fn contested(by: Vec<String>) -> Ruling {
    Ruling { status: Status::Held, by, adjudicated: false, overrules: false, comment: String::new() }
}

/// Who says fail: what was not taken back, and of each person the last.
fn fails(rows: &[Label]) -> Vec<String> {
    let fails = |row: &&Label| row.act.answer().and_then(Answer::status) == Some(Status::Fail);
    counting(rows).into_iter().filter(fails).map(|row| row.reviewer.clone()).collect()
}

/// The same for every version of the check and of its case.
fn of_any_check(key: &ItemKey) -> ItemId {
    ItemKey { check_digest: crate::model::digest::Digest::of(b""), case_digest: None, ..key.clone() }.id()
}

/// Every verdict of a record that went to a person: what decisions over them are keyed by.
///
/// # Errors
/// The record cannot be read.
pub fn keys(path: &Path, plan: &Plan) -> Result<Vec<ItemKey>, RecordError> {
    let mut keys = Vec::new();
    record::read(path, |event| {
        if let RunEvent::Session(event) = event
            && let Some(plan) = plan.suites.get(event.suite as usize)
        {
            keys.extend(overlay::keys(plan, &event));
        }
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SubjectRef;
    use crate::model::digest::Digest;

    fn key(check: &[u8]) -> ItemKey {
        ItemKey {
            suite: "s".into(),
            check: "a".into(),
            check_digest: Digest::of(check),
            session: Digest::of(b"session"),
            subject: SubjectRef::Turn(2),
            case_digest: None,
        }
    }

    fn line(decision: &str) -> String {
        let (check, session, item) = (Digest::of(b"check"), Digest::of(b"session"), key(b"check").id());
        format!(
            r#"{{"schema":1,"item":"{item}","suite":"s","check":"a","check_digest":"{check}","session":"{session}","subject":{{"turn":2}},"more":1,{decision}}}"#
        )
    }

    fn read(lines: &str) -> Result<Decisions, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.jsonl");
        std::fs::write(&path, lines).unwrap();
        Decisions::read(&path).map_err(|e| e.to_string().rsplit_once("labels.jsonl").unwrap().1.to_owned())
    }

    fn row(id: u32, who: &str, answer: &str, comment: &str) -> String {
        let at = "2026-11-01T10:00:00Z";
        format!(
            r#"{{"id":"{id}","reviewer":"{who}","act":"label","answer":"{answer}","comment":"{comment}","at":"{at}","source":"web"}}"#
        )
    }

    fn decided() -> String {
        let rows = [row(1, "ann", "fail", "No refund."), row(2, "eve", "pass", "yes!"), row(3, "bob", "fail", "")];
        let undo = r#"{"id":"4","reviewer":"eve","act":"undo","answer":null,"undoes":"2","at":"2026-11-01T11:00:00Z","source":"web"}"#;
        let by = r#""decision":"fail","decided_by":{"how":"reviewers","who":["ann","bob"]}"#;
        line(&format!(r#"{by},"reviewers":2,"labels":[{},{undo}]"#, rows.join(",")))
    }

    #[test]
    fn a_decision_of_an_export_is_found_by_what_it_is_about() {
        let found = read(&format!("\n{}\n", decided())).unwrap();
        let ruling = found.of(&key(b"check")).unwrap();
        assert_eq!(
            (ruling.status, ruling.by, ruling.comment.as_str()),
            (Status::Fail, vec!["ann".into(), "bob".into()], "No refund.")
        );
    }

    #[test]
    fn a_decision_over_another_version_of_the_check_is_not_applied_and_counted() {
        let found = read(&decided()).unwrap();
        assert_eq!((found.of(&key(b"changed")), found.outdated(&[key(b"changed"), key(b"check")])), (None, 1));
    }

    #[test]
    fn a_fail_that_stands_is_told_where_nothing_is_decided() {
        let rows = |answer: &str, more: &str| {
            line(&format!(r#""decision":null,"reviewers":2,"labels":[{}{more}]"#, row(1, "ann", answer, "")))
        };
        let undo = r#",{"id":"2","reviewer":"ann","act":"undo","answer":null,"undoes":"1","at":"2026-11-01T11:00:00Z","source":"web"}"#;
        let ruling = |text: &str| read(text).unwrap().of(&key(b"check")).map(|r| (r.status, r.by));
        assert_eq!(ruling(&rows("fail", "")), Some((Status::Held, vec!["ann".to_owned()])));
        assert_eq!(ruling(&rows("pass", "")), None);
        assert_eq!(ruling(&rows("fail", undo)), None);
    }

    #[test]
    fn a_decision_that_does_not_follow_from_the_labels_beside_it_is_none() {
        let wrong = |from: &str, to: &str| read(&decided().replace(from, to)).unwrap_err();
        let pass = wrong(r#""decision":"fail""#, r#""decision":"pass""#);
        assert!(pass.contains(":1: ") && pass.contains("it says pass, and by its labels it is fail"), "{pass}");
        let none = wrong(r#""decision":"fail""#, r#""decision":null"#);
        assert!(none.contains("it says not decided, and by its labels it is fail"), "{none}");
        let who = wrong(r#""who":["ann","bob"]"#, r#""who":["maria"]"#);
        assert!(who.contains("it says that maria decided, and by its labels ann and bob did"), "{who}");
        let more = wrong(r#""reviewers":2"#, r#""reviewers":3"#);
        assert!(more.contains("by its labels it is not decided"), "{more}");
        let forged = line(r#""decision":"pass","decided_by":{"how":"adjudicator","who":"eve"},"labels":[]"#);
        assert!(read(&forged).unwrap_err().contains("it says pass, and by its labels it is not decided"));
    }

    #[test]
    fn what_nobody_needs_any_more_is_decided_by_nobody() {
        for decision in ["pass", "fail", "held"] {
            let by = r#""decided_by":{"how":"adjudicator","who":"eve"}"#;
            let forged = line(&format!(r#""status":"cancelled","decision":"{decision}",{by},"labels":[]"#));
            let why = read(&forged).map(|_| decision).unwrap_err();
            assert!(why.contains(&format!("it says {decision}, and it is cancelled")), "{why}");
        }
        // What was said of it before stands.
        let rows = format!(r#""status":"cancelled","decision":null,"labels":[{}]"#, row(1, "ann", "fail", ""));
        assert_eq!(read(&line(&rows)).unwrap().of(&key(b"check")).map(|r| r.status), Some(Status::Held));
    }

    #[test]
    fn a_line_that_decides_nothing_is_no_mistake() {
        assert!(read(&line(r#""decision":null,"labels":[]"#)).unwrap().is_empty());
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (lines, why) in [
            (format!("{}\n{{\n", decided()), ":2: no line of `seatrial review export`: "),
            (
                line(r#""decision":"held","decided_by":{"how":"adjudicator","who":"a"}"#),
                "it says held, and by its labels",
            ),
            (decided().replace(r#""decided_by":{"how":"reviewers","who":["ann","bob"]},"#, ""), "does not say by whom"),
            (
                format!("{}\n\n{}\n", decided(), line(r#""decision":null"#)),
                ":3: no line of `seatrial review export`: line 1",
            ),
            (decided().replace("\"schema\":1", "\"schema\":2"), "its `schema` is 2, and 1 is known here"),
            (decided().replace("\"turn\":2", "\"turn\":3"), "it was edited"),
        ] {
            let found = read(&lines).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}
