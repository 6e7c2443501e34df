//! What the answers so far come to: how often people and checks agree, and how everybody is getting on.
//!
//! Agreement is counted over items that people decided blind, check by check; the interval is that of Clopper and Pearson
//! (`statistics.md`). Items that came for low confidence and those drawn at random are counted apart: only the latter
//! tell how good the verdicts are that nobody looks at.

use std::collections::BTreeMap;

use serde::Serialize;

use super::view::counting;
use crate::ledger::{Act, Label, Millis, blind};
use crate::model::Status;
use crate::stats::calibration::Said;
use crate::stats::fixed_sequence::Guarantee;
use crate::stats::proportion;
use crate::store::db::Line;

/// The confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// How often something was so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// Of how many.
    pub of: u64,
    /// How many.
    pub agree: u64,
    /// `agree / of`; `None` where there is nothing to divide.
    pub share: Option<f64>,
    /// Its interval, lower and upper end.
    pub interval: Option<(f64, f64)>,
}

impl Share {
    fn add(&mut self, agrees: bool) {
        self.of += 1;
        self.agree += u64::from(agrees);
    }

    fn closed(mut self) -> Self {
        self.share = (self.of > 0).then(|| self.agree as f64 / self.of as f64);
        self.interval = proportion::clopper_pearson(self.agree, self.of, CONFIDENCE).map(|i| (i.low, i.high));
        self
    }
}

/// A check, as people found it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// The suite.
    pub suite: String,
    /// Its id.
    pub check: String,
    /// Agreement on items that came for a reason.
    pub routed: Share,
    /// Agreement on items that were drawn at random.
    pub audit: Share,
    /// Items that wait for people.
    pub waiting: u64,
    /// Items that were decided by somebody who had seen what the check says, or may have: no agreement is counted of them.
    pub not_blind: u64,
    /// How far the labels that were drawn at random show that verdicts can be left to the check.
    pub shown: Shown,
}

/// What the labels that were drawn at random show of a check: [`Guarantee::scan`] over them. `seatrial calibrate` looks
/// closer, and says why when it will not recommend anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Shown {
    /// Verdicts with at least this confidence are shown to be right often enough.
    pub from: Option<f64>,
    /// How many more labels would do for more of them, if none was wrong.
    pub more: Option<u64>,
    /// The same, if as many were wrong as so far; `None` where no number would do.
    pub more_at_this_rate: Option<u64>,
}

/// What is to be shown: at most 5% of the verdicts that are left to a check are wrong, except with a probability of 5%.
const WANTED: Guarantee = Guarantee { alpha: 0.05, delta: 0.05 };

impl Shown {
    fn of(said: &[Said]) -> Self {
        let scan = WANTED.scan(said);
        Self {
            from: scan.threshold,
            more: scan.missing.map(|missing| missing.at_best),
            more_at_this_rate: scan.missing.and_then(|missing| missing.at_this_rate),
        }
    }
}

/// How somebody is getting on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Reviewer {
    /// Who.
    pub name: String,
    /// Answers: pass and fail.
    pub answered: u64,
    /// Skips.
    pub skipped: u64,
    /// Answers taken back.
    pub undone: u64,
    /// Agreement with what was decided, where others had a part in it.
    pub decided: Share,
    /// Agreement with the check, of blind answers.
    pub check: Share,
    /// Median seconds of an answer; `None` where no time is known.
    pub seconds: Option<u32>,
    /// Minutes in all, of answers with a time.
    pub minutes: f64,
    /// The last answer.
    pub last: Option<Millis>,
}

/// Agreement by check, in order of suite and id.
pub fn checks(items: &[Line], labels: &[Label]) -> Vec<Check> {
    let rows = by_item(labels);
    let mut found: BTreeMap<(&str, &str), Check> = BTreeMap::new();
    let mut drawn: BTreeMap<(&str, &str), Vec<Said>> = BTreeMap::new();
    for item in items {
        let key = (item.suite.as_str(), item.check.as_str());
        let check = found.entry(key).or_insert_with(|| Check {
            suite: key.0.to_owned(),
            check: key.1.to_owned(),
            ..Check::default()
        });
        let is_blind = rows.get(item.id.as_str()).and_then(|rows| blind(rows)) == Some(true);
        match item.decision {
            Some(_) if !is_blind => {
                check.not_blind += 1;
                if !item.holds {
                    // It may be one that would have gone against the check.
                    drawn.entry(key).or_default().push(Said { confidence: item.confidence, right: false });
                }
            }
            Some(decision) => {
                let share = if item.holds { &mut check.routed } else { &mut check.audit };
                share.add(decision == item.proposal);
                if !item.holds {
                    let said = Said { confidence: item.confidence, right: decision == item.proposal };
                    drawn.entry(key).or_default().push(said);
                }
            }
            None => check.waiting += u64::from(item.open > 0),
        }
    }
    let close = |(key, check): ((&str, &str), Check)| Check {
        routed: check.routed.closed(),
        audit: check.audit.closed(),
        shown: Shown::of(drawn.get(&key).map_or(&[], Vec::as_slice)),
        ..check
    };
    found.into_iter().map(close).collect()
}

fn by_item(labels: &[Label]) -> BTreeMap<&str, Vec<Label>> {
    let mut by_item: BTreeMap<&str, Vec<Label>> = BTreeMap::new();
    for label in labels {
        by_item.entry(label.item.as_str()).or_default().push(label.clone());
    }
    by_item
}

/// Everybody's answers, by name.
pub fn reviewers(items: &[Line], labels: &[Label]) -> Vec<Reviewer> {
    let items: BTreeMap<&str, &Line> = items.iter().map(|item| (item.id.as_str(), item)).collect();
    let mut found: BTreeMap<String, (Reviewer, Vec<u32>)> = BTreeMap::new();
    for (id, labels) in &by_item(labels) {
        for label in labels.iter().filter(|l| matches!(l.act, Act::Undo { .. })) {
            found.entry(label.reviewer.clone()).or_default().0.undone += 1;
        }
        let several = counting(labels).filter(|(_, answer)| answer.status().is_some()).count() > 1;
        for (label, answer) in counting(labels) {
            let (one, times) = found.entry(label.reviewer.clone()).or_default();
            one.last = one.last.max(Some(label.at));
            times.extend(label.seconds);
            let Some(status) = answer.status() else {
                one.skipped += 1;
                continue;
            };
            one.answered += 1;
            let Some(item) = items.get(id) else { continue };
            // One's own answer alone always agrees with what it decides.
            if let (Some(decision), true, Act::Label(_)) = (item.decision, several, &label.act) {
                one.decided.add(status == decision);
            }
            if label.shown_proposal == Some(false) && matches!(item.proposal, Status::Pass | Status::Fail) {
                one.check.add(status == item.proposal);
            }
        }
    }
    let close = |(name, (one, mut times)): (String, (Reviewer, Vec<u32>))| {
        times.sort_unstable();
        Reviewer {
            name,
            decided: one.decided.closed(),
            check: one.check.closed(),
            seconds: times.get(times.len().saturating_sub(1) / 2).copied(),
            minutes: times.iter().map(|s| f64::from(*s)).sum::<f64>() / 60.0,
            ..one
        }
    };
    found.into_iter().map(close).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{row, undo};
    use crate::ledger::{Answer, ItemId, SkipReason, standing};

    fn item(id: &str, proposal: Status, audit: bool, labels: &[Label], reviewers: u32) -> Line {
        let now = standing(reviewers, labels);
        Line {
            id: ItemId(id.into()),
            suite: "support".into(),
            check: "goal".into(),
            proposal,
            confidence: 0.5,
            holds: !audit,
            decision: now.decision,
            open: now.open,
        }
    }

    fn of(id: &str, labels: Vec<Label>) -> Vec<Label> {
        labels.into_iter().map(|l| Label { item: ItemId(id.into()), ..l }).collect()
    }

    #[test]
    fn agreement_is_counted_apart_for_what_was_drawn_at_random() {
        let (pass, fail) = ([row(1, "ann", Answer::Pass)], [row(1, "ann", Answer::Fail)]);
        let items = [
            item("a", Status::Pass, false, &pass, 1),
            item("b", Status::Pass, false, &fail, 1),
            item("c", Status::Pass, true, &pass, 1),
            item("d", Status::Pass, true, &[], 1),
        ];
        let rows = [of("a", pass.to_vec()), of("b", fail.to_vec()), of("c", pass.to_vec())].concat();
        let found = checks(&items, &rows);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].routed.agree, found[0].routed.of, found[0].routed.share), (1, 2, Some(0.5)));
        assert_eq!((found[0].audit.agree, found[0].audit.of, found[0].waiting), (1, 1, 1));
        // The exact interval of 1 of 2: 0.0126 to 0.9874.
        let (lower, upper) = found[0].routed.interval.unwrap();
        assert!((lower - 0.01258).abs() < 1e-4 && (upper - 0.98742).abs() < 1e-4, "{lower} {upper}");
    }

    #[test]
    fn nothing_decided_is_no_share_and_no_zero() {
        let found = checks(&[item("a", Status::Pass, false, &[], 1)], &[]);
        assert_eq!((found[0].routed.share, found[0].routed.interval), (None, None));
    }

    #[test]
    fn a_decision_that_is_not_known_to_be_blind_is_no_agreement_and_shows_nothing() {
        for shown in [Some(true), None] {
            let told = [Label { shown_proposal: shown, ..row(1, "ann", Answer::Pass) }];
            let items = vec![item("a", Status::Pass, true, &told, 1); 100];
            let found = checks(&items, &of("a", told.to_vec())).remove(0);
            assert_eq!((found.audit.of, found.not_blind, found.shown.from), (0, 100, None), "{shown:?}");
        }
    }

    #[test]
    fn only_labels_drawn_at_random_show_what_can_be_left_to_a_check() {
        let right = [row(1, "ann", Answer::Pass)];
        let many = |n: usize, audit: bool| vec![item("a", Status::Pass, audit, &right, 1); n];
        let rows = of("a", right.to_vec());
        let checks = |items: &[Line]| super::checks(items, &rows);
        assert_eq!(checks(&many(500, false))[0].shown, Shown { from: None, more: Some(59), more_at_this_rate: None });
        // 59 labels without an error show it for the first time; with 40 there are 19 missing.
        let few = checks(&many(40, true))[0].shown;
        assert_eq!((few.from, few.more, few.more_at_this_rate), (None, Some(19), Some(19)));
        assert!(checks(&many(59, true))[0].shown.from.is_some());
    }

    #[test]
    fn everybody_is_measured_by_answers_that_count() {
        let mut labels = of("a", vec![row(1, "ann", Answer::Pass), row(2, "bob", Answer::Pass)]);
        labels[0].seconds = Some(30);
        let mut more = of("b", vec![row(1, "ann", Answer::Fail), undo(2, "ann", 1), row(3, "ann", Answer::Pass)]);
        more[0].id = "b1".into();
        more[1].act = Act::Undo { label: "b1".into() };
        more[2].id = "b3".into();
        more[2].shown_proposal = Some(true);
        let skip = of("c", vec![row(1, "ann", Answer::Skip { reason: SkipReason::Ambiguous })]);
        let items = [
            item("a", Status::Fail, false, &labels, 2),
            item("b", Status::Pass, false, &more, 1),
            item("c", Status::Pass, false, &skip, 1),
        ];
        let all: Vec<Label> = [labels, more, skip].concat();
        let found = reviewers(&items, &all);
        let ann = found.iter().find(|r| r.name == "ann").unwrap();
        assert_eq!((ann.answered, ann.skipped, ann.undone), (2, 1, 1));
        assert_eq!((ann.decided.agree, ann.decided.of), (1, 1), "an answer that decides alone proves nothing");
        assert_eq!((ann.check.agree, ann.check.of), (0, 1), "only blind answers tell of the check");
        assert_eq!((ann.seconds, ann.minutes), (Some(30), 0.5));
        assert_eq!(found.len(), 2);
    }
}
