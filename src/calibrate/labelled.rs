//! One verdict of a judge with what people said of it: how it was sent to them, and how likely that was.

use std::collections::{BTreeMap, HashSet};

use crate::ledger::line::ItemLine;
use crate::ledger::{ItemStatus, Millis, Why};
use crate::model::Status;
use crate::model::digest::Digest;

/// What people said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It is decided: they pass it, or not.
    Said(bool),
    /// Nobody has decided yet.
    Open,
    /// Nobody could, or did in time.
    GivenUp,
}

/// A verdict that was sent to people.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledVerdict {
    /// The item's name, which follows from the verdict alone.
    pub item: String,
    /// The suite.
    pub suite: String,
    /// The check's id.
    pub check: String,
    /// The check as it was: parameters, rubric, files and the judge behind it.
    pub check_digest: Digest,
    /// Who judged, by name.
    pub judge: Option<String>,
    /// The judge's configuration, rubric included.
    pub judge_version: Option<String>,
    /// Whether the judge passes it.
    pub says: bool,
    /// How sure it is, from 0 to 1.
    pub confidence: f64,
    /// With which probability such a verdict was sent to people, above 0 and up to 1.
    pub inclusion: f64,
    /// At which rate all verdicts were drawn, where this one was drawn from all: 1 where every verdict goes to a person.
    /// `None` of one that was sent for what it is.
    pub drawn_at: Option<f64>,
    /// What people said.
    pub answered: Answered,
    /// What each person said who answered by themselves.
    pub people: BTreeMap<String, bool>,
    /// Whether somebody saw what the judge says before they answered.
    pub told: bool,
    /// When it was sent.
    pub at: Millis,
}

impl LabelledVerdict {
    /// The verdict of a line of an export.
    ///
    /// # Errors
    ///
    /// When the line contradicts itself.
    pub fn of(line: &ItemLine) -> Result<Self, String> {
        let pass = |status: Status| match status {
            Status::Pass => Ok(true),
            Status::Fail => Ok(false),
            other => Err(format!("`{}` is no verdict that people can be held against", other.name())),
        };
        if !(line.inclusion > 0.0 && line.inclusion <= 1.0) {
            return Err(format!("`inclusion` is a probability above 0 and up to 1, not {}", line.inclusion));
        }
        if !(0.0..=1.0).contains(&line.confidence) {
            return Err(format!("`confidence` is from 0 to 1, not {}", line.confidence));
        }
        let answered = match (line.decision, line.status) {
            (Some(decision), _) => Answered::Said(pass(decision)?),
            (None, ItemStatus::Skipped | ItemStatus::Expired | ItemStatus::Cancelled) => Answered::GivenUp,
            (None, ItemStatus::Resolved) => return Err("it is resolved, and no decision is given".to_owned()),
            (None, _) => Answered::Open,
        };
        let drawn = |why: &Why| match why {
            Why::Always => Some(1.0),
            Why::Audit { rate } if *rate > 0.0 && *rate <= 1.0 => Some(*rate),
            _ => None,
        };
        Ok(Self {
            item: line.item.to_string(),
            suite: line.suite.clone(),
            check: line.check.clone(),
            check_digest: line.check_digest,
            judge: line.judge.clone(),
            judge_version: line.judge_version.clone(),
            says: pass(line.proposal)?,
            confidence: line.confidence,
            inclusion: line.inclusion,
            drawn_at: line.why.iter().filter_map(drawn).reduce(f64::max),
            answered,
            people: people(line),
            told: line.labels.iter().any(|l| l.act == "label" && l.shown_proposal),
            at: line.created,
        })
    }

    /// Whether the judge says what people say; `None` while they have said nothing.
    pub fn is_right(&self) -> Option<bool> {
        match self.answered {
            Answered::Said(people) => Some(people == self.says),
            Answered::Open | Answered::GivenUp => None,
        }
    }
}

/// What each person said last and did not take back; adjudicators knew of the others' answers.
fn people(line: &ItemLine) -> BTreeMap<String, bool> {
    let undone: HashSet<&str> = line.labels.iter().filter_map(|l| l.undoes.as_deref()).collect();
    let mut people = BTreeMap::new();
    for label in line.labels.iter().filter(|l| l.act == "label" && !undone.contains(l.id.as_str())) {
        match label.answer.as_deref() {
            Some("pass") => people.insert(label.reviewer.clone(), true),
            Some("fail") => people.insert(label.reviewer.clone(), false),
            // Who skips says nothing of it.
            _ => people.remove(&label.reviewer),
        };
    }
    people
}

/// Reads the lines of an export.
///
/// # Errors
///
/// Every line that is none, with its number.
pub fn read(text: &str) -> Result<Vec<LabelledVerdict>, Vec<String>> {
    let (mut verdicts, mut problems) = (Vec::new(), Vec::new());
    let mut seen: HashSet<String> = HashSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = serde_json::from_str::<ItemLine>(line).map_err(|why| why.to_string());
        match read.and_then(|line| LabelledVerdict::of(&line)) {
            Ok(verdict) if !seen.insert(verdict.item.clone()) => {
                problems.push(format!("line {}: item {} stands here a second time", number + 1, verdict.item));
            }
            Ok(verdict) => verdicts.push(verdict),
            Err(why) => problems.push(format!("line {}: {why}", number + 1)),
        }
    }
    if problems.is_empty() { Ok(verdicts) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::line;
    use super::*;
    use serde_json::json;

    #[test]
    fn an_exported_line_is_a_verdict_with_what_people_say() {
        let text = line(
            1,
            json!({
                "proposal": "pass", "confidence": 0.9, "inclusion": 0.05, "decision": "fail", "status": "resolved",
                "why": [{ "why": "audit", "rate": 0.05 }],
                "labels": [label("a", "ann", "pass", None), label("b", "bob", "fail", None), label("c", "ann", "fail", None)],
            }),
        );
        let read = &read(&text).unwrap()[0];
        assert_eq!((read.says, read.is_right(), read.drawn_at), (true, Some(false), Some(0.05)));
        assert_eq!(read.people, BTreeMap::from([("ann".to_owned(), false), ("bob".to_owned(), false)]));
    }

    fn label(id: &str, who: &str, answer: &str, undoes: Option<&str>) -> serde_json::Value {
        json!({
            "id": id, "reviewer": who, "act": "label", "answer": answer, "undoes": undoes, "at": "2026-11-02T00:00:00Z",
            "source": "web",
        })
    }

    #[test]
    fn what_was_taken_back_does_not_count() {
        let mut undo = label("b", "ann", "pass", Some("a"));
        (undo["act"], undo["answer"]) = (json!("undo"), json!(null));
        let text = line(1, json!({ "status": "pending", "labels": [label("a", "ann", "pass", None), undo] }));
        let read = &read(&text).unwrap()[0];
        assert_eq!((read.answered, read.people.len()), (Answered::Open, 0));
    }

    #[test]
    fn what_nobody_could_decide_is_given_up_and_never_right() {
        for status in ["skipped", "expired", "cancelled"] {
            let read = &read(&line(1, json!({ "status": status }))).unwrap()[0];
            assert_eq!((read.answered, read.is_right()), (Answered::GivenUp, None), "{status}");
        }
    }

    #[test]
    fn every_line_that_is_wrong_is_reported() {
        let text = [
            line(1, json!({})),
            line(1, json!({})),
            line(2, json!({ "inclusion": 0.0 })),
            line(3, json!({ "confidence": 1.5 })),
            line(4, json!({ "proposal": "error" })),
            line(5, json!({ "status": "resolved" })),
            "not json".to_owned(),
        ];
        let problems = read(&text.join("\n")).unwrap_err();
        let numbers: Vec<&str> = problems.iter().map(|p| p.split(':').next().unwrap()).collect();
        assert_eq!(numbers, ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7"], "{problems:?}");
    }
}
