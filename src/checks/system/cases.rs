//! All cases of a window and how their trials went, kept small: there may be millions of them, and they are what a run
//! leaves in memory. Ids stand in one text; tags and outcomes, of which there are few kinds, are kept once each; trials are
//! numbers of outcomes, chained by case. A case with one trial takes 35 bytes and its id.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

use super::TrialOutcome;

/// The cases of a window, in order of first appearance (declared ones first).
#[derive(Default)]
pub struct Cases {
    /// All ids, one after another, and where each ends.
    ids: String,
    ends: Vec<usize>,
    entries: Vec<Entry>,
    trials: Vec<Link>,
    tags: Distinct<Box<[String]>>,
    outcomes: Distinct<TrialOutcome>,
    /// Their positions, by the hashes of their ids.
    positions: HashTable<u32>,
    hasher: RandomState,
}

/// What there is of a case beside its id.
struct Entry {
    /// Position of its tags.
    tags: u32,
    /// Positions of its first and last trial.
    first: u32,
    last: u32,
}

/// A trial.
struct Link {
    /// Position of its outcome.
    outcome: u32,
    /// Position of the next trial of the case.
    next: u32,
}

/// The position of a trial that is not there.
const NONE: u32 = u32::MAX;

/// One of the cases.
#[derive(Clone, Copy)]
pub struct Case<'c> {
    cases: &'c Cases,
    index: usize,
}

impl Cases {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Case<'_>> + Clone {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The case at a position below [`Cases::len`].
    pub fn at(&self, index: usize) -> Case<'_> {
        Case { cases: self, index }
    }

    /// The position of a case, which is put behind the others where it is new.
    pub fn position(&mut self, id: &str, tags: &[String]) -> usize {
        let hash = self.hasher.hash_one(id);
        if let Some(known) = self.positions.find(hash, |at| self.at(*at as usize).id() == id) {
            return *known as usize;
        }
        let position = self.len();
        let Self { ids, ends, entries, positions, hasher, .. } = self;
        let hashed = |at: &u32| hasher.hash_one(&ids[span(ends, *at as usize)]);
        positions.insert_unique(hash, position as u32, hashed);
        if ids.capacity() - ids.len() < id.len() {
            ids.reserve_exact((ids.len() / 4).max(id.len()).max(1 << 10));
        }
        ids.push_str(id);
        push(ends, ids.len());
        let tags = self.tags.position(tags, || tags.into());
        push(entries, Entry { tags, first: NONE, last: NONE });
        position
    }

    /// Adds a trial to the case at a position.
    pub fn add(&mut self, case: usize, outcome: TrialOutcome) {
        let position = self.trials.len() as u32;
        let outcome = self.outcomes.position(&outcome, || outcome.clone());
        push(&mut self.trials, Link { outcome, next: NONE });
        let entry = &mut self.entries[case];
        match self.trials.get_mut(entry.last as usize) {
            Some(last) => last.next = position,
            None => entry.first = position,
        }
        entry.last = position;
    }

    /// There will be no more of them: gives up what finds a case by its id.
    pub fn close(&mut self) {
        self.positions = HashTable::new();
        self.tags.known = HashTable::new();
        self.outcomes.known = HashTable::new();
    }
}

impl<'c> Case<'c> {
    /// Its position.
    pub fn index(self) -> usize {
        self.index
    }

    /// Its id.
    pub fn id(self) -> &'c str {
        &self.cases.ids[span(&self.cases.ends, self.index)]
    }

    /// Its tags.
    pub fn tags(self) -> &'c [String] {
        &self.cases.tags.all[self.cases.entries[self.index].tags as usize]
    }

    /// Its trials in ordinal order; most cases have one. A trial that is missing or could not be read is an `error`.
    pub fn trials(self) -> impl Iterator<Item = &'c TrialOutcome> + Clone {
        let Cases { entries, trials, outcomes, .. } = self.cases;
        let first = trials.get(entries[self.index].first as usize);
        std::iter::successors(first, |link| trials.get(link.next as usize))
            .map(|link| &outcomes.all[link.outcome as usize])
    }
}

/// Where a text lies among those that end where it is said.
fn span(ends: &[usize], index: usize) -> std::ops::Range<usize> {
    let begin = index.checked_sub(1).map_or(0, |before| ends[before]);
    begin..ends[index]
}

/// Doubling would hold twice of what is there while it is copied, and half of it in vain.
fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() == all.capacity() {
        all.reserve_exact((all.len() / 4).max(64));
    }
    all.push(one);
}

/// Values that are kept once, however often they occur.
struct Distinct<T> {
    all: Vec<T>,
    known: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { all: Vec::new(), known: HashTable::new(), hasher: RandomState::new() }
    }
}

impl<T> Distinct<T> {
    /// The position of a value, which is made where it is new.
    fn position<Q: Hash + Eq + ?Sized>(&mut self, wanted: &Q, make: impl FnOnce() -> T) -> u32
    where
        T: Borrow<Q>,
    {
        let Self { all, known, hasher } = self;
        let hash = hasher.hash_one(wanted);
        if let Some(at) = known.find(hash, |at| all[*at as usize].borrow() == wanted) {
            return *at;
        }
        let position = all.len() as u32;
        all.push(make());
        known.insert_unique(hash, position, |at| hasher.hash_one(all[*at as usize].borrow()));
        position
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Status::{Error, Fail, Held, Pass};

    proptest! {
        /// As if every case had its own id, tags and list of trials.
        #[test]
        fn every_case_has_its_trials_in_order(added in prop::collection::vec((0..20_u8, 0..4_usize), 0..200)) {
            let (mut cases, mut expected) = (Cases::default(), BTreeMap::<usize, (String, Vec<_>)>::new());
            for (case, status) in added {
                let id = "x".repeat(case as usize % 3) + &case.to_string();
                let outcome = TrialOutcome { status: [Pass, Fail, Error, Held][status], checks: vec![(1, Pass)].into() };
                let position = cases.position(&id, &[format!("t{}", case % 2)]);
                cases.add(position, outcome.clone());
                let (known, trials) = expected.entry(position).or_insert_with(|| (id.clone(), Vec::new()));
                prop_assert_eq!(&*known, &id);
                trials.push(outcome.status);
            }
            cases.close();
            prop_assert_eq!(cases.len(), expected.len());
            for (case, (id, trials)) in cases.iter().zip(expected.values()) {
                prop_assert_eq!(case.id(), id);
                prop_assert_eq!(case.trials().map(|t| t.status).collect::<Vec<_>>(), trials.clone());
                let even = id.trim_start_matches('x').parse::<u8>().unwrap() % 2;
                prop_assert_eq!(case.tags(), [format!("t{even}")]);
            }
            prop_assert!(cases.outcomes.all.len() <= 4 && cases.tags.all.len() <= 2);
        }
    }

    #[test]
    fn a_case_without_trials_has_none() {
        let mut cases = Cases::default();
        let (empty, one) = (cases.position("", &[]), cases.position("a", &[]));
        cases.add(one, TrialOutcome { status: Pass, checks: Vec::new().into() });
        assert_eq!((cases.at(empty).trials().count(), cases.at(one).trials().count()), (0, 1));
        assert_eq!(cases.at(empty).id(), "");
        assert_eq!(cases.position("", &[]), empty);
    }
}
