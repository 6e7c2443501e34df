//! Sessions of a suite by the column, a few hundred at a time: what the list of the page is made of. A chunk is written
//! as soon as it is full, so that no drawing holds a run in memory.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::eval::event::{Ordinal, SessionEvent};
use crate::eval::facts::Facts;
use crate::model::Status;

/// Sessions in a chunk.
pub const CHUNK: usize = 256;

/// Longest id that is embedded, in characters.
const MAX_NAME: usize = 500;

/// A chunk of rows.
#[derive(Debug, Serialize)]
pub struct Rows {
    id: Vec<String>,
    case: Vec<String>,
    /// As the recording says; null where it does not.
    trial: Vec<Option<String>>,
    at: Vec<Ordinal>,
    /// By position in the chunk, for those that have any.
    tags: Vec<(usize, Vec<String>)>,
    /// Why the session as a whole could not be measured, by position in the chunk.
    errors: Vec<(usize, String)>,
    /// By position of a check that applied to any of them: one letter a session, see [`letter`].
    verdicts: BTreeMap<u32, String>,
    /// By fact, in the order of [`Facts::NAMES`]: null where the recording does not say.
    facts: Vec<Vec<Option<f64>>>,
    /// Positions in the chunk of those whose transcript is embedded.
    kept: Vec<usize>,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            id: Vec::new(),
            case: Vec::new(),
            trial: Vec::new(),
            at: Vec::new(),
            tags: Vec::new(),
            errors: Vec::new(),
            verdicts: BTreeMap::new(),
            facts: vec![Vec::new(); Facts::NAMES.len()],
            kept: Vec::new(),
        }
    }
}

impl Rows {
    /// Sessions in it.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// Adds a session.
    pub fn push(&mut self, event: &SessionEvent<'_>, kept: bool) {
        let n = self.len();
        self.id.push(name(&event.id));
        self.case.push(name(&event.case));
        self.trial.push(event.trial.as_ref().map(|t| name(t)));
        self.at.push(event.at);
        if !event.tags.is_empty() {
            self.tags.push((n, event.tags.iter().map(|t| name(t)).collect()));
        }
        if let Some(why) = &event.error {
            self.errors.push((n, why.clone()));
        }
        for verdict in &event.verdicts {
            // A column begins with the first session that its check applies to: most checks of a case never do.
            let column = self.verdicts.entry(verdict.check).or_default();
            column.extend(std::iter::repeat_n(NONE, n.saturating_sub(column.len())));
            if column.len() == n {
                column.push(letter(verdict.status));
            }
        }
        for (column, value) in self.facts.iter_mut().zip(event.facts.values()) {
            column.push(value);
        }
        if kept {
            self.kept.push(n);
        }
    }
}

/// Where a check did not apply; so it is with sessions past the end of a column.
const NONE: char = '.';

/// The letter of a verdict.
fn letter(status: Status) -> char {
    match status {
        Status::Pass => 'p',
        Status::Fail => 'f',
        Status::Error => 'e',
        Status::Held => 'h',
        Status::Skip => 's',
    }
}

fn name(text: &str) -> String {
    match text.char_indices().nth(MAX_NAME) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}
