//! A column over a window: the samples of every group, in memory that has a bound however many sessions there are.

use std::collections::BTreeMap;

use super::{Cell, Sample, Waiting};
use crate::model::{Status, Tally};
use crate::stats::samples::Samples;

/// The most groups of a column. What comes after them makes the check an error.
const MAX_GROUPS: usize = 100_000;

/// The most samples of a group that are kept one by one.
const LIMIT: u64 = 1 << 16;

/// The most samples of a column that are kept one by one; past it the groups with the most give theirs up.
const BUDGET: u64 = 1 << 20;

/// A group with so few samples takes less room than a summary of it.
const FEW: u64 = 1 << 10;

/// What a session will contribute once people have decided over the subjects of a verdict.
#[derive(Debug, Clone)]
struct Open {
    /// Which of the sessions that were asked, from 0: the same in every column over the same sessions.
    at: u64,
    case: u32,
    groups: Vec<Vec<String>>,
    subjects: Tally,
}

/// A column over a window.
#[derive(Debug, Clone)]
pub struct Folded {
    /// Samples by group, in ordinal order of the sessions.
    pub groups: BTreeMap<Vec<String>, Samples>,
    /// How many sessions were asked.
    pub sessions: u64,
    /// How many of them could not say.
    pub missing: u64,
    /// How many of these only wait for a person.
    pub waiting: u64,
    /// Those of the waiting ones of which is known what they wait for.
    open: Vec<Open>,
    /// Why the first of those could not.
    pub first_missing: Option<String>,
    /// There are more groups than can be told apart.
    pub crowded: bool,
    /// Samples kept one by one.
    kept: u64,
    /// Groups with more of them are summarised.
    limit: u64,
}

impl Default for Folded {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            sessions: 0,
            missing: 0,
            waiting: 0,
            open: Vec::new(),
            first_missing: None,
            crowded: false,
            kept: 0,
            limit: LIMIT,
        }
    }
}

impl Folded {
    /// Adds what one session of a case contributes. Called in ordinal order.
    pub fn add(&mut self, case: u32, cell: Cell) {
        match cell {
            Cell::Unselected => {}
            Cell::Missing(why) => self.miss(why),
            Cell::Waiting(Waiting { why, groups, subjects }) => {
                self.open.extend(subjects.map(|subjects| Open { at: self.sessions, case, groups, subjects }));
                self.waiting += 1;
                self.miss(why);
            }
            Cell::Samples(samples) => {
                self.sessions += 1;
                self.count(case, samples);
            }
        }
    }

    fn miss(&mut self, why: String) {
        self.sessions += 1;
        self.missing += 1;
        self.first_missing.get_or_insert(why);
    }

    fn count(&mut self, case: u32, samples: Vec<Sample>) {
        for sample in samples {
            if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&sample.group) {
                self.crowded = true;
                continue;
            }
            let group = self.groups.entry(sample.group).or_default();
            group.push(case, &sample.values);
            if !group.is_exact() {
                continue;
            }
            self.kept += 1;
            if group.len() > self.limit {
                self.kept -= group.len();
                group.summarise();
            }
        }
        self.make_room();
    }

    /// The sessions of which people decide over so many subjects each, by their positions; `None` where it is not known of
    /// some.
    pub fn open(&self) -> Option<Vec<(u64, u64)>> {
        let known = self.open.len() as u64 == self.waiting;
        known.then(|| self.open.iter().map(|open| (open.at, open.subjects.held)).collect())
    }

    /// The column once people have decided over all that is open: `fails` says of how many subjects of the session at a
    /// position they decide that they fail, given over how many they decide.
    #[must_use]
    pub fn settled(&self, fails: &dyn Fn(u64, u64) -> u64) -> Self {
        let mut settled = Self { open: Vec::new(), ..self.clone() };
        for Open { at, case, groups, subjects } in &self.open {
            let failed = (subjects.fail + fails(*at, subjects.held)) as f64;
            let values = vec![failed, (subjects.pass + subjects.fail + subjects.held) as f64];
            let sample = |group: &Vec<String>| Sample { group: group.clone(), values: values.clone() };
            settled.count(*case, groups.iter().map(sample).collect());
            (settled.waiting, settled.missing) = (settled.waiting - 1, settled.missing - 1);
        }
        if settled.missing == 0 {
            settled.first_missing = None;
        }
        settled
    }

    /// What a check ends with that needs what is missing: it is held where a person decides over all of that.
    pub fn unmeasured(&self) -> Status {
        if self.missing > 0 && self.missing == self.waiting { Status::Held } else { Status::Error }
    }

    /// How many sessions do not say, and will not when people have decided.
    pub fn unknown(&self) -> u64 {
        self.missing - self.waiting
    }

    /// Whether nothing was measured on any session.
    pub fn is_empty(&self) -> bool {
        self.groups.values().all(Samples::is_empty)
    }

    /// Lowers the limit until what is kept fits, which depends on the samples alone and not on when they came.
    fn make_room(&mut self) {
        while self.kept > BUDGET && self.limit > FEW {
            self.limit /= 2;
            for group in self.groups.values_mut().filter(|g| g.is_exact() && g.len() > self.limit) {
                self.kept -= group.len();
                group.summarise();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sample;
    use super::*;

    fn sample(group: u32) -> Cell {
        Cell::Samples(vec![Sample { group: vec![group.to_string()], values: vec![1.0] }])
    }

    #[test]
    fn few_samples_are_all_kept_and_many_are_summarised() {
        let mut folded = Folded::default();
        (0..LIMIT).for_each(|case| folded.add(case as u32, sample(0)));
        assert!(folded.groups.values().all(Samples::is_exact));
        folded.add(7, sample(0));
        assert!(!folded.groups.values().any(Samples::is_exact));
        assert_eq!((folded.kept, folded.groups[&vec!["0".to_owned()]].len()), (0, LIMIT + 1));
    }

    #[test]
    fn many_groups_share_one_budget() {
        let mut folded = Folded::default();
        for case in 0..BUDGET + 1 {
            folded.add(case as u32, sample((case % 40) as u32));
        }
        assert!(folded.kept <= BUDGET && folded.limit < LIMIT);
        assert_eq!(folded.groups.values().map(Samples::len).sum::<u64>(), BUDGET + 1);
    }

    #[test]
    fn groups_beyond_count_are_said_to_be_there() {
        let mut folded = Folded::default();
        (0..MAX_GROUPS as u32).for_each(|i| folded.add(i, sample(i)));
        assert!(!folded.crowded);
        folded.add(0, sample(0));
        assert!(!folded.crowded);
        folded.add(0, sample(u32::MAX));
        assert!(folded.crowded && folded.groups.len() == MAX_GROUPS);
    }
}
