//! The evidence behind changes, found in a record in one reading: for each, the first trial with the verdict in
//! question.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;

use crate::eval::event::{Ordinal, Plan, RunEvent, SessionEvent, SuiteEnd};
use crate::eval::overlay::{self, Laid, Rulings};
use crate::model::Status;
use crate::report::reasons::message;
use crate::report::terminal;
use crate::store::record::{self, RecordError};

/// What a trial said of a check, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The session's id.
    pub session: String,
    /// Which trial, as the recording says.
    pub trial: Option<String>,
    /// The file or folder in which it lies, as the run named it.
    pub file: Option<String>,
    /// Why; empty for a plain pass.
    pub message: String,
    #[serde(skip)]
    at: Ordinal,
}

/// Suite of the comparison, and the change in it.
type Place = (usize, usize);

/// A check, the verdict looked for, and the change that it is evidence of.
type Sought = (u32, Status, Place);

/// Changes by where their evidence is: the suite's position in the run's plan, and the case.
#[derive(Default)]
pub(super) struct Wanted {
    suites: usize,
    by_case: HashMap<(u32, String), Vec<Sought>>,
}

impl Wanted {
    /// How many suites were compared so far.
    pub(super) fn suites(&self) -> usize {
        self.suites
    }

    /// The changes of a suite are all there.
    pub(super) fn next_suite(&mut self) {
        self.suites += 1;
    }

    /// Looks for a trial of a case with a verdict of a check. `suite` and `change` are positions in the comparison,
    /// `index` and `check` those in the run's plan.
    pub(super) fn add(&mut self, suite: usize, change: usize, index: usize, case: &str, check: usize, status: Status) {
        let key = (index as u32, case.to_owned());
        self.by_case.entry(key).or_default().push((check as u32, status, (suite, change)));
    }
}

/// Finds the evidence in a record.
pub(super) fn collect(
    path: &Path,
    plan: &Plan,
    wanted: Wanted,
    rulings: Rulings<'_>,
) -> Result<BTreeMap<Place, Evidence>, RecordError> {
    let mut found: BTreeMap<Place, (u32, Evidence)> = BTreeMap::new();
    let mut ends: HashMap<u32, SuiteEnd> = HashMap::new();
    record::read(path, |event| match event {
        RunEvent::Session(mut event) => {
            let Some(changes) = wanted.by_case.get(&(event.suite, event.case.to_string())) else { return };
            if let Some(plan) = plan.suites.get(event.suite as usize) {
                overlay::lay(plan, &mut event, rulings, &mut Laid::default());
            }
            for (check, status, place) in changes {
                let Some(evidence) = of(&event, *check, *status) else { continue };
                found.entry(*place).or_insert((event.suite, evidence));
            }
        }
        RunEvent::SuiteEnd(end) => drop(ends.insert(end.suite, end)),
        _ => {}
    })?;
    let named = found.into_iter().map(|(place, (suite, mut evidence))| {
        evidence.file = ends.get(&suite).and_then(|end| terminal::place(end, evidence.at.0)).map(str::to_owned);
        (place, evidence)
    });
    Ok(named.collect())
}

fn of(event: &SessionEvent<'_>, check: u32, status: Status) -> Option<Evidence> {
    let verdict = event.verdicts.iter().find(|v| v.check == check);
    let message = match (verdict, &event.error) {
        (Some(verdict), _) if verdict.status == status => message(verdict),
        (None, Some(error)) if status == Status::Error => error.clone(),
        _ => return None,
    };
    Some(Evidence {
        session: event.id.to_string(),
        trial: event.trial.as_ref().map(ToString::to_string),
        file: None,
        message,
        at: event.at,
    })
}
