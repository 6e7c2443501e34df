//! What is left of a window that is no longer shown: all its sessions together, and of its groups what rules look back at.

use super::fold::{Check, Fold, Measure};
use super::{Group, Window};
use crate::alerts;
use crate::alerts::reach::Want;

/// What one measure came to among some sessions.
#[derive(Debug, Clone, Copy)]
pub enum Part<'w> {
    /// What a check said.
    Check(&'w Check),
    /// What a metric came to.
    Metric(&'w Measure),
    /// None of the sessions tells it.
    Untold,
}

/// The groups of one division, as one measure has them, by name.
#[derive(Debug, Clone)]
struct Column {
    measure: alerts::Measure,
    groups: Box<[(Box<str>, Cell)]>,
}

/// One group.
#[derive(Debug, Clone)]
struct Cell {
    sessions: u64,
    number: Option<Number>,
}

#[derive(Debug, Clone)]
enum Number {
    Check(Check),
    Metric(Measure),
}

/// What rules look back at, of the groups of a window.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    columns: Vec<Column>,
}

impl Past {
    /// Takes from groups what is wanted of them.
    pub(super) fn of(window: &Window, wants: &[Want]) -> Self {
        let column = |want: &Want| {
            let folds = window.groups.get(want.measure.by.as_ref()?)?;
            let cell = |(name, fold): (&String, &Fold)| {
                let number = match part(fold, &want.measure) {
                    Part::Check(check) => Some(Number::Check(check.clone())),
                    Part::Metric(measure) => Some(Number::Metric(measure.only(want.merged))),
                    Part::Untold => None,
                };
                (Box::from(name.as_str()), Cell { sessions: fold.sessions, number })
            };
            Some(Column { measure: want.measure.clone(), groups: folds.iter().map(cell).collect() })
        };
        Self { columns: wants.iter().filter_map(column).collect() }
    }

    /// How many sessions a group has, and what a measure came to there; `None` where there is no such group.
    pub(super) fn read(&self, measure: &alerts::Measure, group: &str) -> Option<(u64, Part<'_>)> {
        let column = self.columns.iter().find(|column| column.measure == *measure)?;
        let at = column.groups.binary_search_by(|(name, _)| (**name).cmp(group)).ok()?;
        let (_, cell) = column.groups.get(at)?;
        let part = match &cell.number {
            Some(Number::Check(check)) => Part::Check(check),
            Some(Number::Metric(measure)) => Part::Metric(measure),
            None => Part::Untold,
        };
        Some((cell.sessions, part))
    }

    /// The groups of a division.
    pub(super) fn groups<'p>(&'p self, by: &str) -> impl Iterator<Item = Group<'p>> + use<'p> {
        let column = self.columns.iter().find(|column| column.measure.by.as_deref() == Some(by));
        column.into_iter().flat_map(|column| column.groups.iter().map(|(name, _)| &**name))
    }
}

/// What a measure came to among the sessions of a fold.
pub(super) fn part<'f>(fold: &'f Fold, measure: &alerts::Measure) -> Part<'f> {
    let part = match &measure.of {
        Some(of) => fold.checks.get(of).map(Part::Check),
        None => fold.metrics.get(&measure.metric).map(Part::Metric),
    };
    part.unwrap_or(Part::Untold)
}
