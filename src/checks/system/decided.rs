//! What a check over a column says of sessions whose verdicts wait for people: decided as they may decide.
//!
//! A share of subjects that fail only rises with every one that people decide to fail. Held to one bound it is therefore the
//! same however they decide when it is the same at both ends; held to two, or to a test that also asks how the failures are
//! spread, only when it keeps the bound at both. Other ways between the ends are gone through one by one where they are few;
//! where they are many, the check waits for people although it need not.

use super::{Folded, GroupFinding, SystemFinding, Window, words};
use crate::model::Status;

/// The most ways of deciding that are gone through one by one.
const FEW: u64 = 256;

/// What a check says however people decide, else that it waits for them. `says` is the check over columns of which nothing
/// waits; `one_way`, whether more failures can only make it better or only worse; `blank` what is known of it anyway.
pub(super) fn as_people_may(
    window: &Window<'_>,
    one_way: bool,
    blank: SystemFinding,
    says: &dyn Fn(&Window<'_>) -> SystemFinding,
) -> SystemFinding {
    let Some(column) = window.columns.last() else { return blank };
    let (waiting, sessions) = (column.waiting, column.sessions);
    let wait = if waiting == 1 { "waits" } else { "wait" };
    let waits = |between: String| {
        let why = column.first_missing.as_deref().unwrap_or_default();
        let reason = format!("{waiting} of {sessions} sessions {wait} for a person{between} (the first: {why})");
        SystemFinding { status: Status::Held, reason, ..blank.clone() }
    };
    // An older record does not say what its sessions wait for.
    let Some(open) = window.columns.iter().map(|c| c.open()).collect::<Option<Vec<_>>>() else {
        return waits(String::new());
    };
    let at = |fails: &dyn Fn(u64, u64) -> u64| {
        let columns: Vec<Folded> = window.columns.iter().map(|column| column.settled(fails)).collect();
        says(&Window { columns: columns.iter().collect(), ..*window })
    };
    let (none, all) = (at(&|_, _| 0), at(&|_, held| held));
    let between = match (none.value, all.value) {
        (Some(least), Some(most)) => {
            format!("; as people may decide it is from {} to {}", words::number(least), words::number(most))
        }
        _ => String::new(),
    };
    let is_same = |found: &SystemFinding| (found.status, found.inconclusive) == (none.status, none.inconclusive);
    let settled = is_same(&all) && {
        one_way
            || none.status == Status::Pass
            || ways(&open[0]).is_some_and(|ways| ways.iter().all(|way| is_same(&at(way))))
    };
    if settled { together(none, all, &between) } else { waits(between) }
}

/// Every way in which people may decide over so many subjects each of the sessions at these positions; `None` where there are
/// too many.
fn ways(open: &[(u64, u64)]) -> Option<Vec<impl Fn(u64, u64) -> u64>> {
    let count = open.iter().try_fold(1u64, |n, (_, held)| n.checked_mul(held + 1).filter(|n| *n <= FEW))?;
    let way = |n: u64| {
        let mut rest = n;
        let chosen = open.iter().map(|(at, held)| {
            let fails = rest % (held + 1);
            rest /= held + 1;
            (*at, fails)
        });
        let chosen: Vec<(u64, u64)> = chosen.collect();
        move |at: u64, _: u64| chosen.iter().find(|(a, _)| *a == at).map_or(0, |(_, fails)| *fails)
    };
    Some((0..count).map(way).collect())
}

/// What is so at both ends: of numbers that differ nothing is said but what they lie between.
fn together(least: SystemFinding, most: SystemFinding, between: &str) -> SystemFinding {
    let same = |a: Option<f64>, b: Option<f64>| a.filter(|a| Some(*a) == b);
    let group = |(a, b): (GroupFinding, GroupFinding)| {
        let value = same(a.value, b.value);
        let status = if a.status == b.status { a.status } else { Status::Held };
        let interval = a.interval.filter(|_| value.is_some());
        GroupFinding { value, interval, status, doubt: a.doubt.filter(|_| interval.is_some()), ..a }
    };
    let value = same(least.value, most.value);
    let interval = least.interval.filter(|_| value.is_some());
    let groups = least.groups.into_iter().zip(most.groups).map(group).collect();
    let doubt = least.doubt.filter(|_| interval.is_some());
    let reason = match (least.reason.is_empty(), between) {
        (_, "") => least.reason,
        (true, between) => between.trim_start_matches("; ").to_owned(),
        (false, between) => format!("{}{between}", least.reason),
    };
    SystemFinding { value, interval, doubt, groups, reason, ..least }
}

#[cfg(test)]
mod tests {
    use super::super::{Around, Cases, Cell, Column, Sample, Waiting, past::Past};
    use super::*;
    use crate::model::Tally;

    struct Nothing;

    impl Around for Nothing {
        fn check_id(&self, _: u32) -> Option<&str> {
            None
        }

        fn past(&self, _: &Column) -> Result<&Past, String> {
            Err("there is no earlier run".to_owned())
        }
    }

    /// So many sessions with a failure among two subjects, and others that wait with a pass and so many open subjects.
    fn column(known: u32, open: &[u64], told: bool) -> Folded {
        let mut folded = Folded::default();
        let sample = || Sample { group: Vec::new(), values: vec![1.0, 2.0] };
        (0..known).for_each(|case| folded.add(case, Cell::Samples(vec![sample()])));
        for (case, held) in (known..).zip(open) {
            let subjects = told.then_some(Tally { pass: 1, held: *held, ..Tally::default() });
            let waiting = Waiting { why: "x".to_owned(), groups: vec![Vec::new()], subjects };
            folded.add(case, Cell::Waiting(waiting));
        }
        folded
    }

    /// A check that passes where the share of failures is within a range.
    fn within(column: &Folded, [low, high]: [f64; 2], one_way: bool) -> SystemFinding {
        let window =
            Window { columns: vec![column], cases: &Cases::default(), check_index: &|_| None, around: &Nothing };
        as_people_may(&window, one_way, SystemFinding::error("blank"), &|window| {
            assert_eq!((window.columns[0].missing, window.columns[0].waiting), (0, 0));
            let samples = &window.columns[0].groups[&Vec::new()];
            let value = samples.mean().unwrap();
            let kept = (low..=high).contains(&value);
            SystemFinding {
                status: if kept { Status::Pass } else { Status::Fail },
                value: Some(value),
                ..SystemFinding::error("")
            }
        })
    }

    #[test]
    fn what_is_the_same_at_both_ends_is_final_and_says_between_what_it_lies() {
        // 2 of 4 fail, and people decide over 2 more of 7: from 2/7 to 4/7.
        let column = column(2, &[2], true);
        let kept = within(&column, [0.0, 0.6], true);
        assert_eq!((kept.status, kept.value), (Status::Pass, None));
        assert_eq!(kept.reason, "as people may decide it is from 0.285714 to 0.571429");
        assert_eq!(within(&column, [0.0, 0.2], true).status, Status::Fail);
        let held = within(&column, [0.0, 0.5], true);
        assert_eq!((held.status, held.value), (Status::Held, None));
        assert!(held.reason.contains("1 of 3 sessions waits for a person"), "{}", held.reason);
    }

    #[test]
    fn between_two_bounds_every_way_is_looked_at_and_where_they_are_too_many_people_are_waited_for() {
        // 3/7 lies between, so that one of the ways keeps both bounds.
        assert_eq!(within(&column(2, &[2], true), [0.4, 0.45], false).status, Status::Held);
        assert_eq!(within(&column(2, &[2], true), [0.44, 0.45], false).status, Status::Fail);
        let many = column(2, &[1; 9], true);
        assert_eq!(within(&many, [2.0, 3.0], false).status, Status::Held, "it need not wait, and does");
        assert_eq!(within(&many, [0.0, 1.0], false).status, Status::Pass);
    }

    #[test]
    fn a_record_that_does_not_say_what_is_waited_for_waits() {
        assert_eq!(within(&column(2, &[2], false), [0.0, 1.0], true).status, Status::Held);
    }
}
