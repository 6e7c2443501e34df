//! What the rows of one item add up to: the one place that knows when an item is decided.
//!
//! A row that was undone does not count, and of a person the last one counts. An adjudication decides alone. Answers that
//! differ are a dispute, whoever else was to answer; as many equal ones as there are to be reviewers decide. Whoever skips
//! gives the item back to the others; when two have skipped it, it rests.

use serde::{Deserialize, Serialize};

use super::{Act, Answer, ItemStatus, Label};
use crate::model::Status;

/// Skips by different people after which an item rests.
pub const SKIPS: usize = 2;

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum DecidedBy {
    /// All reviewers answered the same.
    Reviewers {
        /// Who, in the order of their answers.
        who: Vec<String>,
    },
    /// An adjudicator.
    Adjudicator {
        /// Who.
        who: String,
        /// Whether nobody had to: reviewers did not differ, or had not all answered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        overrules: bool,
    },
}

impl DecidedBy {
    /// Who decided, by name.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Reviewers { who } => who.iter().map(String::as_str).collect(),
            Self::Adjudicator { who, .. } => vec![who],
        }
    }

    /// Whether an adjudicator decided where nobody had to.
    pub const fn overrules(&self) -> bool {
        matches!(self, Self::Adjudicator { overrules: true, .. })
    }
}

/// What the rows of an item add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where the item stands by its rows alone: pending, needs more, disputed, resolved or skipped. Whether it is leased,
    /// expired or cancelled is not for rows to say.
    pub status: ItemStatus,
    /// What was decided, pass or fail; only of a resolved item.
    pub decision: Option<Status>,
    /// By whom; only of a resolved item.
    pub by: Option<DecidedBy>,
    /// How many answers of reviewers are still wanted.
    pub open: u32,
    /// Who skipped it, as of now, in order.
    pub skipped_by: Vec<String>,
}

/// The rows that count, in their order: not undone, no undo, and each person's last label.
pub fn counting(labels: &[Label]) -> Vec<&Label> {
    // Only what was there by then can be undone.
    let undone = |at: usize, row: &Label| {
        labels[at + 1..].iter().any(|later| matches!(&later.act, Act::Undo { label } if *label == row.id))
    };
    let stands = |(at, row): &(usize, &Label)| row.act.answer().is_some() && !undone(*at, row);
    let standing: Vec<&Label> = labels.iter().enumerate().filter(stands).map(|(_, row)| row).collect();
    let last = |at: usize, row: &Label| {
        let same = |later: &&Label| later.reviewer == row.reviewer && later.act.adjudicates() == row.act.adjudicates();
        !standing[at + 1..].iter().any(same)
    };
    standing.iter().enumerate().filter(|(at, row)| last(*at, row)).map(|(_, row)| *row).collect()
}

/// Whether a decision of these rows is blind: nobody whose answer counts had seen what the check says. `Some(false)` where
/// somebody had; `None` where that is not known of all of them, or nobody has answered.
pub fn blind(labels: &[Label]) -> Option<bool> {
    let answers = |row: &&Label| row.act.answer().and_then(Answer::status).is_some();
    let shown: Vec<Option<bool>> = counting(labels).into_iter().filter(answers).map(|row| row.shown_proposal).collect();
    if shown.contains(&Some(true)) {
        return Some(false);
    }
    (!shown.is_empty() && !shown.contains(&None)).then_some(true)
}

/// What the rows of one item, in their order, add up to, where `reviewers` answers are wanted.
pub fn standing(reviewers: u32, labels: &[Label]) -> Standing {
    let reviewers = reviewers.max(1);
    let rows = counting(labels);
    let mut answers: Vec<(&str, Status)> = Vec::new();
    let mut skipped_by = Vec::new();
    let mut adjudicated: Option<(&str, Answer, bool)> = None;
    for row in rows {
        match row.act {
            Act::Adjudicate(answer) => adjudicated = Some((&row.reviewer, answer, false)),
            Act::Overrule(answer) => adjudicated = Some((&row.reviewer, answer, true)),
            Act::Label(answer) => match answer.status() {
                Some(status) => answers.push((&row.reviewer, status)),
                None => skipped_by.push(row.reviewer.clone()),
            },
            Act::Undo { .. } => {}
        }
    }
    let rests = |status, skipped_by| Standing { status, decision: None, by: None, open: 0, skipped_by };
    if let Some((who, answer, overrules)) = adjudicated {
        return match answer.status() {
            Some(decision) => Standing {
                decision: Some(decision),
                by: Some(DecidedBy::Adjudicator { who: who.to_owned(), overrules }),
                ..rests(ItemStatus::Resolved, skipped_by)
            },
            None => rests(ItemStatus::Skipped, skipped_by),
        };
    }
    let given = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    match answers.first() {
        Some((_, first)) if answers.iter().any(|(_, status)| status != first) => {
            rests(ItemStatus::Disputed, skipped_by)
        }
        Some((_, first)) if given >= reviewers => Standing {
            decision: Some(*first),
            by: Some(DecidedBy::Reviewers { who: answers.iter().map(|(who, _)| (*who).to_owned()).collect() }),
            ..rests(ItemStatus::Resolved, skipped_by)
        },
        _ if skipped_by.len() >= SKIPS => rests(ItemStatus::Skipped, skipped_by),
        first => {
            let status = if first.is_some() { ItemStatus::NeedsMore } else { ItemStatus::Pending };
            Standing { open: reviewers - given, ..rests(status, skipped_by) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::testing::{adjudicate, row, undo};
    use super::super::{SkipReason, testing};
    use super::*;

    const SKIP: Answer = Answer::Skip { reason: SkipReason::Ambiguous };
    use Answer::{Fail, Pass};

    fn of(reviewers: u32, rows: &[Label]) -> (ItemStatus, Option<Status>, u32) {
        let found = standing(reviewers, rows);
        (found.status, found.decision, found.open)
    }

    #[test]
    fn as_many_equal_answers_as_reviewers_decide() {
        assert_eq!(of(1, &[]), (ItemStatus::Pending, None, 1));
        assert_eq!(of(1, &[row(1, "ann", Pass)]), (ItemStatus::Resolved, Some(Status::Pass), 0));
        assert_eq!(of(2, &[row(1, "ann", Fail)]), (ItemStatus::NeedsMore, None, 1));
        let both = [row(1, "ann", Fail), row(2, "bob", Fail)];
        assert_eq!(of(2, &both), (ItemStatus::Resolved, Some(Status::Fail), 0));
        let who = vec!["ann".to_owned(), "bob".to_owned()];
        assert_eq!(standing(2, &both).by, Some(DecidedBy::Reviewers { who }));
    }

    #[test]
    fn answers_that_differ_wait_for_an_adjudicator_who_decides_alone() {
        let mut rows = vec![row(1, "ann", Pass), row(2, "bob", Fail)];
        assert_eq!(of(3, &rows), (ItemStatus::Disputed, None, 0));
        rows.push(adjudicate(3, "cat", Fail));
        assert_eq!(of(3, &rows), (ItemStatus::Resolved, Some(Status::Fail), 0));
        assert_eq!(standing(3, &rows).by, Some(DecidedBy::Adjudicator { who: "cat".into(), overrules: false }));
        rows.push(undo(4, "cat", 3));
        assert_eq!(of(3, &rows), (ItemStatus::Disputed, None, 0));
        rows.push(adjudicate(5, "cat", SKIP));
        assert_eq!(of(3, &rows), (ItemStatus::Skipped, None, 0));
    }

    #[test]
    fn a_skip_gives_the_item_back_and_the_second_lets_it_rest() {
        let mut rows = vec![row(1, "ann", SKIP)];
        assert_eq!(of(1, &rows), (ItemStatus::Pending, None, 1));
        assert_eq!(standing(1, &rows).skipped_by, ["ann"]);
        rows.push(row(2, "bob", SKIP));
        assert_eq!(of(1, &rows), (ItemStatus::Skipped, None, 0));
        rows.push(adjudicate(3, "cat", Pass));
        assert_eq!(of(1, &rows), (ItemStatus::Resolved, Some(Status::Pass), 0));
    }

    #[test]
    fn what_was_undone_does_not_count_and_of_a_person_the_last_does() {
        let mut rows = vec![row(1, "ann", Pass), undo(2, "ann", 1)];
        assert_eq!(of(1, &rows), (ItemStatus::Pending, None, 1));
        rows.push(row(3, "ann", Fail));
        assert_eq!(of(1, &rows), (ItemStatus::Resolved, Some(Status::Fail), 0));
        assert_eq!(of(1, &[row(1, "ann", Pass), row(2, "ann", Fail)]), (ItemStatus::Resolved, Some(Status::Fail), 0));
    }

    #[test]
    fn one_more_answer_that_differs_opens_what_was_decided() {
        // Labels made elsewhere may come in late.
        let rows = [row(1, "ann", Pass), row(2, "bob", Fail)];
        assert_eq!(of(1, &rows), (ItemStatus::Disputed, None, 0));
    }

    #[test]
    fn an_adjudicator_who_decides_where_nobody_had_to_is_named_as_one() {
        let mut rows = vec![row(1, "ann", Pass)];
        rows.push(Label { act: Act::Overrule(Fail), ..adjudicate(2, "cat", Fail) });
        assert_eq!(of(1, &rows), (ItemStatus::Resolved, Some(Status::Fail), 0));
        let by = standing(1, &rows).by.unwrap();
        assert!(by.overrules() && by.names() == ["cat"]);
        assert_eq!(serde_json::to_value(&by).unwrap()["overrules"], true);
        let without = serde_json::json!({ "how": "adjudicator", "who": "cat" });
        assert!(!serde_json::from_value::<DecidedBy>(without).unwrap().overrules());
        rows.push(undo(3, "cat", 2));
        assert_eq!(of(1, &rows), (ItemStatus::Resolved, Some(Status::Pass), 0));
    }

    #[test]
    fn a_decision_is_blind_when_all_who_made_it_are_known_to_be() {
        let with = |shown: &[Option<bool>]| -> Vec<Label> {
            let row = |(n, shown_proposal): (i64, &Option<bool>)| Label {
                shown_proposal: *shown_proposal,
                ..row(n, &format!("r{n}"), Pass)
            };
            (1..).zip(shown).map(row).collect()
        };
        let (no, yes) = (Some(false), Some(true));
        assert_eq!(blind(&[]), None);
        assert_eq!(blind(&with(&[no, no])), Some(true));
        assert_eq!(blind(&with(&[no, None])), None);
        assert_eq!(blind(&with(&[None, yes, no])), Some(false));
        // What was taken back, and who only skipped, made no decision.
        let mut rows = with(&[yes, no]);
        rows.push(undo(3, "r1", 1));
        rows.push(Label { shown_proposal: yes, ..row(4, "eve", SKIP) });
        assert_eq!(blind(&rows), Some(true));
        rows.push(Label { shown_proposal: yes, ..adjudicate(5, "cat", Fail) });
        assert_eq!(blind(&rows), Some(false));
    }

    proptest! {
        #[test]
        fn only_a_resolved_item_has_a_decision_and_only_an_undecided_one_wants_answers(
            reviewers in 0u32..4, rows in testing::rows(),
        ) {
            let found = standing(reviewers, &rows);
            prop_assert_eq!(found.decision.is_some(), found.status == ItemStatus::Resolved);
            prop_assert_eq!(found.by.is_some(), found.decision.is_some());
            prop_assert!(matches!(found.decision, None | Some(Status::Pass | Status::Fail)));
            let wants = matches!(found.status, ItemStatus::Pending | ItemStatus::NeedsMore);
            prop_assert_eq!(found.open > 0, wants);
            prop_assert!(found.open <= reviewers.max(1));
        }

        #[test]
        fn a_decision_is_what_those_who_made_it_said(reviewers in 1u32..4, rows in testing::rows()) {
            let found = standing(reviewers, &rows);
            let Some(by) = &found.by else { return Ok(()) };
            if let DecidedBy::Reviewers { who } = by {
                prop_assert!(who.len() >= reviewers as usize);
                prop_assert_eq!(who.iter().collect::<BTreeSet<_>>().len(), who.len());
            }
            for name in by.names() {
                let adjudicates = matches!(by, DecidedBy::Adjudicator { .. });
                let said = counting(&rows).into_iter().find(|row| {
                    row.reviewer == name && row.act.adjudicates() == adjudicates
                });
                prop_assert_eq!(said.and_then(|row| row.act.answer()).and_then(Answer::status), found.decision);
            }
        }

        #[test]
        fn an_undo_of_the_last_row_takes_back_what_it_did(
            reviewers in 1u32..4, rows in testing::rows(), answer in testing::answer(), adjudicates: bool,
        ) {
            // Of somebody who has said nothing yet: one's own earlier answer is what comes back otherwise.
            let at = rows.len() as i64 + 1;
            let last = if adjudicates { adjudicate(at, "new", answer) } else { row(at, "new", answer) };
            let mut longer = rows.clone();
            longer.extend([last, undo(at + 1, "new", at)]);
            prop_assert_eq!(standing(reviewers, &longer), standing(reviewers, &rows));
        }

        #[test]
        fn who_answered_first_decides_nothing(reviewers in 1u32..4, answers in proptest::collection::vec(testing::answer(), 0..5)) {
            let rows: Vec<Label> =
                answers.iter().zip(1..).map(|(answer, n)| row(n, &format!("r{n}"), *answer)).collect();
            let turned: Vec<Label> = rows.iter().rev().cloned().collect();
            let (one, other) = (standing(reviewers, &rows), standing(reviewers, &turned));
            prop_assert_eq!((one.status, one.decision, one.open), (other.status, other.decision, other.open));
        }

        #[test]
        fn an_adjudication_decides_whatever_was_said_before(rows in testing::rows(), pass: bool) {
            let answer = if pass { Pass } else { Fail };
            let mut longer = rows.clone();
            longer.push(adjudicate(rows.len() as i64 + 1, "judge", answer));
            prop_assert_eq!(standing(2, &longer).decision, answer.status());
        }
    }
}
