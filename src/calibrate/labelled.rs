//! One verdict of a judge with what people said of it: how it was sent to them, and how likely that was.

use std::collections::{BTreeMap, HashSet};

use crate::ledger::line::ItemLine;
use crate::ledger::{ItemStatus, Label, Millis, Why, blind, counting};
use crate::model::Status;
use crate::model::digest::Digest;

/// What people said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It is decided by people who had not seen what the judge says: they pass it, or not.
    Said(bool),
    /// It is decided, and somebody who decided it had seen what the judge says: that holds it against nothing.
    Told,
    /// It is decided, and it is not known of all who decided it whether they had seen what the judge says.
    Unknown,
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
    /// What each person said who answered by themselves: before they were shown what the judge or others say.
    pub people: BTreeMap<String, bool>,
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
        let rows = line.rows()?;
        let answered = match (line.decision, line.status) {
            (Some(decision), _) => match (pass(decision)?, blind(&rows)) {
                (people, Some(true)) => Answered::Said(people),
                (_, Some(false)) => Answered::Told,
                (_, None) => Answered::Unknown,
            },
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
            people: people(&rows),
            at: line.created,
        })
    }

    /// Whether the judge says what people say; `None` where they have said nothing that it can be held against.
    pub fn is_right(&self) -> Option<bool> {
        match self.answered {
            Answered::Said(people) => Some(people == self.says),
            Answered::Told | Answered::Unknown | Answered::Open | Answered::GivenUp => None,
        }
    }
}

/// What each person said last and did not take back, as far as that is known to be their own; adjudicators knew of the
/// others' answers. Who skips says nothing of it.
fn people(rows: &[Label]) -> BTreeMap<String, bool> {
    let own = counting(rows).into_iter().filter(|row| !row.act.adjudicates() && row.shown_proposal == Some(false));
    own.filter_map(|row| Some((row.reviewer.clone(), row.act.answer()?.status()? == Status::Pass))).collect()
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
            "source": "web", "shown_proposal": false,
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
    fn a_decision_of_people_who_may_have_seen_what_the_judge_says_is_none_that_it_is_held_against() {
        let decided = |labels: serde_json::Value| {
            let keys = json!({ "decision": "pass", "status": "resolved", "labels": labels });
            read(&line(1, keys)).unwrap().remove(0)
        };
        let with = |shown: serde_json::Value| {
            let mut label = label("a", "ann", "pass", None);
            label["shown_proposal"] = shown;
            decided(json!([label]))
        };
        assert_eq!(with(json!(false)).answered, Answered::Said(true));
        let told = with(json!(true));
        assert_eq!((told.answered, told.is_right(), told.people.len()), (Answered::Told, None, 0));
        assert_eq!(with(json!(null)).answered, Answered::Unknown);
        // The first was told, and so was what followed from it.
        let (mut first, mut decides) = (label("a", "ann", "pass", None), label("b", "cat", "pass", None));
        (first["shown_proposal"], decides["act"]) = (json!(true), json!("adjudicate"));
        assert_eq!(decided(json!([first, decides])).answered, Answered::Told);
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
            line(6, json!({ "labels": [label("a", "ann", "maybe", None)] })),
            // Nobody's answer at all is in the line: who knows how that came about.
            line(7, json!({ "decision": "pass", "status": "resolved" })),
            line(8, json!({ "decision": "pass", "status": "resolved", "labels": [label("a", "ann", "fail", None)] })),
        ];
        let problems = read(&text.join("\n")).unwrap_err();
        let numbers: Vec<&str> = problems.iter().map(|p| p.split(':').next().unwrap()).collect();
        assert_eq!(
            numbers,
            ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10"],
            "{problems:?}"
        );
    }
}
