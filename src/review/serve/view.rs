//! One item as a person sees it: what they may know yet, and what they can do with it.
//!
//! Blind first: what the check says, how sure it is, why, and what others answered is not sent to the browser before
//! somebody has answered. What a judge *quoted* is: it quotes whichever way it decides, so that its places tell where to
//! look and not what to find. The evidence of a check that is no judge is hidden too, because it points at something
//! only where it fails. An adjudicator sees the answers that differ, and not what the check says. Whoever undoes an
//! answer has seen it all: the next one is recorded as not blind.

use serde::Serialize;
use serde_json::{Value, json};

use crate::ledger::{Act, Answer, Item, ItemStatus, Label, Lease, Millis, SkipReason, Why};
use crate::model::{Severity, Status, SubjectRef};
use crate::report::html::difference::Difference;
use crate::store::against::Against;
use crate::store::db::{ANSWERS, REVEALED};

/// What somebody can do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Can {
    /// Answer: they have taken it.
    Answer,
    /// Take it.
    Take,
    /// Decide between answers that differ, or where nobody could answer.
    Adjudicate,
    /// Undo what they answered.
    Undo,
    /// Read it.
    Read,
}

/// Who looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'v> {
    /// Their name.
    pub name: &'v str,
    /// Whether they may decide between answers.
    pub adjudicates: bool,
}

/// An answer of somebody, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Given {
    /// The row's id.
    pub label: String,
    /// Who.
    pub who: String,
    /// `pass`, `fail` or `skip`.
    pub answer: &'static str,
    /// Why it was skipped.
    pub reason: Option<&'static str>,
    /// What they said beside.
    pub comment: String,
    /// Whether an adjudicator decided.
    pub adjudicated: bool,
    /// Whether an adjudicator decided where nobody had to.
    pub overrules: bool,
    /// When.
    pub at: String,
    /// Whether they had not seen what the check says; `None` where that is not known.
    pub blind: Option<bool>,
}

/// What the check said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// `pass` or `fail`.
    pub status: &'static str,
    /// Its score.
    pub score: Option<f64>,
    /// How sure it is.
    pub confidence: f64,
    /// Why.
    pub reason: String,
    /// The judge.
    pub judge: Option<String>,
    /// How likely such a verdict was to come here.
    pub inclusion: f64,
}

/// An item as a person sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// What they can do.
    pub can: Can,
    /// Why it came here, as far as that may be told.
    pub why: Vec<String>,
    /// What they answered.
    pub mine: Option<Given>,
    /// What others answered, where that may be seen.
    pub others: Vec<Given>,
    /// How many others have answered.
    pub answered: usize,
    /// What the check said, once that may be seen.
    pub proposal: Option<Proposal>,
    /// Whether their next answer is blind.
    pub blind: bool,
}

/// The rows that count: labels and adjudications that were not undone.
pub fn counting(labels: &[Label]) -> impl Iterator<Item = (&Label, Answer)> {
    let undone = |id: &str| labels.iter().any(|l| matches!(&l.act, Act::Undo { label } if label == id));
    labels.iter().filter(move |l| !undone(&l.id)).filter_map(|l| Some((l, l.act.answer()?)))
}

impl View {
    /// Of an item with all its rows. `was_told` says whether they were shown before what the check or others say.
    pub fn of(item: &Item, labels: &[Label], viewer: Viewer<'_>, lease: Option<&Lease>, was_told: bool) -> Self {
        let mine = counting(labels).filter(|(l, _)| l.reviewer == viewer.name).last();
        let over = matches!(item.status, ItemStatus::Resolved | ItemStatus::Cancelled);
        let stuck = matches!(item.status, ItemStatus::Disputed | ItemStatus::Skipped | ItemStatus::Expired);
        let adjudicates = viewer.adjudicates && stuck;
        let can = match (lease, &mine) {
            (Some(_), None) => Can::Answer,
            _ if adjudicates => Can::Adjudicate,
            (_, Some(_)) if item.status != ItemStatus::Cancelled => Can::Undo,
            (None, None) if matches!(item.status, ItemStatus::Pending | ItemStatus::NeedsMore | ItemStatus::Leased) => {
                Can::Take
            }
            _ => Can::Read,
        };
        let told = (mine.is_some() && !adjudicates) || over;
        // Whoever gave an answer was shown everything, also when the answer is undone.
        let saw = was_told || labels.iter().any(|l| l.reviewer == viewer.name && l.act.answer().is_some());
        let others = || counting(labels).filter(|(l, _)| l.reviewer != viewer.name);
        Self {
            can,
            why: item.routed.why.iter().filter_map(|why| words(why, told)).collect(),
            mine: mine.map(|(l, a)| given(l, a)),
            others: if told || adjudicates { others().map(|(l, a)| given(l, a)).collect() } else { Vec::new() },
            answered: others().count(),
            proposal: told.then(|| Proposal {
                status: item.proposal.name(),
                score: item.score,
                confidence: item.confidence,
                reason: item.reason.clone(),
                judge: item.judge.clone(),
                inclusion: item.routed.inclusion,
            }),
            blind: !saw,
        }
    }

    /// What is shown of it that somebody who is still to answer must not know, as the trail calls it.
    pub fn tells(&self) -> Option<&'static str> {
        match (&self.proposal, self.others.is_empty()) {
            (Some(_), _) => Some(REVEALED),
            (None, false) => Some(ANSWERS),
            (None, true) => None,
        }
    }

    /// What the page's program draws beside the session: the finding with its places, as far as they may be shown.
    pub fn finding(&self, item: &Item) -> Value {
        let evidence = if self.proposal.is_some() || item.judge.is_some() { item.evidence.as_slice() } else { &[] };
        let (status, reason) = match &self.proposal {
            Some(p) => (p.status, p.reason.as_str()),
            None => (Status::Held.name(), ""),
        };
        json!({ "subject": item.key.subject, "status": status, "reason": reason, "evidence": evidence })
    }
}

fn given(label: &Label, answer: Answer) -> Given {
    Given {
        label: label.id.clone(),
        who: label.reviewer.clone(),
        answer: answer.name(),
        reason: answer.skip_reason().map(SkipReason::words),
        comment: label.comment.clone(),
        adjudicated: label.act.adjudicates(),
        overrules: matches!(label.act, Act::Overrule(_)),
        at: when(label.at),
        blind: label.shown_proposal.map(|shown| !shown),
    }
}

/// Why an item came, in words. What tells how sure the check was waits until that may be known.
fn words(why: &Why, told: bool) -> Option<String> {
    Some(match why {
        Why::Always => "every verdict of this check is reviewed".to_owned(),
        Why::Tag { tag } => format!("tag {tag}"),
        Why::Severity { severity } => format!("severity {}", severity_name(*severity)),
        Why::Quarantine => "a check of high risk failed in production".to_owned(),
        Why::Detector { detector } => format!("the detector {detector} found something"),
        Why::Below { threshold } if told => format!("the check was less sure than {threshold}"),
        Why::Disagreement { votes } if told => format!("the judges did not agree: {votes}"),
        Why::Audit { rate } if told => format!("drawn at random, {:.1}% of those nobody would look at", rate * 100.0),
        Why::Below { .. } | Why::Disagreement { .. } | Why::Audit { .. } => return None,
    })
}

/// A severity's name.
pub fn severity_name(severity: Severity) -> String {
    serde_json::to_value(severity).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The part of the session that is asked about, in words.
pub fn subject(subject: SubjectRef) -> String {
    match subject {
        SubjectRef::Session => "the session as a whole".to_owned(),
        SubjectRef::Turn(index) => format!("turn {}", index + 1),
        SubjectRef::Span(ordinal) => format!("the marked operation (number {})", ordinal + 1),
    }
}

/// A time, as RFC 3339 without fractions.
pub fn when(at: Millis) -> String {
    jiff::Timestamp::from_second(at.div_euclid(1000)).map_or_else(|_| format!("{at} ms"), |t| t.to_string())
}

/// Expected against actual, ready to be drawn. `Err` where what was kept cannot be read.
pub fn differences(against: Option<&str>) -> Result<Value, String> {
    let Some(text) = against else { return Ok(json!([])) };
    let kept: Vec<Against> = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let drawn: Vec<Difference<'_>> = kept.iter().map(Difference::of).collect();
    serde_json::to_value(drawn).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{self, adjudicate, row, undo};
    use crate::ledger::{ItemId, standing};
    use crate::model::{Evidence, Field};

    fn item(labels: &[Label], reviewers: u32) -> Item {
        let mut new = testing::item(1);
        new.asked.reviewers = reviewers;
        new.asked.reason = "SECRET REASON".into();
        new.asked.evidence = vec![Evidence::turn(0, Field::Reply).within(0..4)];
        new.asked.routed.why.push(Why::Tag { tag: "refund".into() });
        let now = standing(reviewers, labels);
        Item {
            id: ItemId("item".into()),
            asked: new.asked,
            content: None,
            baseline: None,
            status: now.status,
            decision: now.decision,
            decided: now.by,
            open: now.open,
            created: 0,
            resolved: None,
        }
    }

    fn lease() -> Lease {
        Lease { item: ItemId("item".into()), reviewer: "ann".into(), fence: 1, until: 1 }
    }

    const ANN: Viewer<'static> = Viewer { name: "ann", adjudicates: false };

    /// Everything that is sent to the browser of an item.
    fn sent(view: &View, item: &Item) -> String {
        format!("{} {}", serde_json::to_string(view).unwrap(), view.finding(item))
    }

    #[test]
    fn before_somebody_answers_nothing_that_the_check_or_others_said_is_sent() {
        let labels = [row(1, "bob", Answer::Fail)];
        let item = item(&labels, 3);
        let view = View::of(&item, &labels, ANN, Some(&lease()), false);
        assert_eq!(view.can, Can::Answer);
        let sent = sent(&view, &item);
        for hidden in ["SECRET", "bob", "\"pass\"", "\"fail\"", "less sure", "0.5", "0.75"] {
            assert!(!sent.contains(hidden), "{hidden}: {sent}");
        }
        assert_eq!((view.answered, view.why.as_slice()), (1, ["tag refund".to_owned()].as_slice()));
        // Where the judge looked is shown, in the same way whatever it found.
        assert_eq!(view.finding(&item)["status"], "held");
        assert_eq!(view.finding(&item)["evidence"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_a_check_points_at_that_is_no_judge_is_hidden_until_somebody_answered() {
        let mut item = item(&[], 1);
        item.asked.judge = None;
        let view = View::of(&item, &[], ANN, Some(&lease()), false);
        assert_eq!(view.finding(&item)["evidence"], json!([]));
    }

    #[test]
    fn who_has_answered_sees_everything_and_can_undo() {
        let labels = [row(1, "bob", Answer::Fail), row(2, "ann", Answer::Fail)];
        let item = item(&labels, 2);
        let view = View::of(&item, &labels, ANN, None, false);
        assert_eq!(view.can, Can::Undo);
        assert_eq!(view.proposal.as_ref().map(|p| p.reason.as_str()), Some("SECRET REASON"));
        assert_eq!(view.others[0].who, "bob");
        assert_eq!(view.why.len(), 2);
        assert!(!view.blind);
    }

    #[test]
    fn who_undoes_is_blind_no_more() {
        let labels = [row(1, "ann", Answer::Fail), undo(2, "ann", 1)];
        let item = item(&labels, 1);
        let view = View::of(&item, &labels, ANN, Some(&lease()), false);
        assert_eq!((view.can, view.blind), (Can::Answer, false));
        assert!(view.proposal.is_none() && view.mine.is_none());
        assert!(View::of(&item, &labels, Viewer { name: "bob", adjudicates: false }, None, false).blind);
    }

    #[test]
    fn who_was_told_before_is_blind_no_more_and_is_told_nothing_again() {
        let item = item(&[], 1);
        let view = View::of(&item, &[], ANN, Some(&lease()), true);
        assert_eq!((view.can, view.blind, view.tells()), (Can::Answer, false, None));
    }

    #[test]
    fn what_is_shown_is_called_as_the_trail_calls_it() {
        let labels = [row(1, "bob", Answer::Fail), row(2, "cat", Answer::Pass)];
        let item = item(&labels, 2);
        let tells = |name, adjudicates| View::of(&item, &labels, Viewer { name, adjudicates }, None, false).tells();
        assert_eq!(tells("bob", false), Some(REVEALED));
        assert_eq!(tells("eve", true), Some(ANSWERS));
        assert_eq!(tells("dan", false), None);
    }

    #[test]
    fn an_adjudicator_sees_the_answers_that_differ_and_not_the_checks_own() {
        let labels = [row(1, "ann", Answer::Fail), row(2, "bob", Answer::Pass)];
        let item = item(&labels, 2);
        let judge = Viewer { name: "eve", adjudicates: true };
        let view = View::of(&item, &labels, judge, None, false);
        assert_eq!((view.can, view.others.len(), view.proposal.is_some()), (Can::Adjudicate, 2, false));
        let reviewer = View::of(&item, &labels, Viewer { name: "dan", adjudicates: false }, None, false);
        assert_eq!((reviewer.can, reviewer.others.len()), (Can::Read, 0));
    }

    #[test]
    fn what_is_decided_is_open_to_all() {
        let mut labels = vec![row(1, "ann", Answer::Fail), row(2, "bob", Answer::Pass)];
        labels.push(adjudicate(3, "eve", Answer::Pass));
        let item = item(&labels, 2);
        let view = View::of(&item, &labels, Viewer { name: "dan", adjudicates: false }, None, false);
        assert_eq!((view.can, view.others.len(), view.proposal.is_some()), (Can::Read, 3, true));
        assert!(view.others[2].adjudicated);
    }

    #[test]
    fn a_difference_that_cannot_be_read_is_told() {
        assert!(differences(Some("{")).is_err());
        assert_eq!(differences(None), Ok(json!([])));
        let drawn = differences(Some(r#"[{"what":"reply","lines":[["-","a b"],["+","a c"]]}]"#)).unwrap();
        assert_eq!(drawn, json!([{"what": "reply", "lines": [["-", ["a ", "b"]], ["+", ["a ", "c"]]]}]));
    }

    #[test]
    fn times_and_subjects_read_as_people_write_them() {
        assert_eq!(when(1_732_665_600_999), "2024-11-27T00:00:00Z");
        assert_eq!(subject(SubjectRef::Turn(0)), "turn 1");
    }
}
