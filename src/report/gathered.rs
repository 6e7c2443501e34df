//! What short reports (terminal, markdown, annotations) show of the sessions: the first few of each check, and what was
//! left out.

use std::collections::BTreeMap;
use std::io;

use super::reasons::message;
use super::{Drawn, Kept, Line, Sink};
use crate::eval::event::{LeftOutEvent, Ordinal, SuiteEnd};
use crate::model::{LeftOut, Status};
use crate::suite::settings::Reports;

/// Sessions shown per check.
pub const EXAMPLES: usize = 3;
/// Things left out that are shown per suite.
const LEFT_OUT: usize = 5;

/// What is shown, suite by suite.
#[derive(Debug)]
pub struct Gathered {
    suites: Vec<OfSuite>,
    /// The reports that hold the rest.
    pub reports: Reports,
}

impl Default for Gathered {
    fn default() -> Self {
        Self { suites: Vec::new(), reports: Reports::ALL }
    }
}

/// What is shown of one suite.
#[derive(Debug, Default)]
pub struct OfSuite {
    /// Examples by the position of their check.
    pub examples: BTreeMap<u32, Vec<Example>>,
    /// Sessions that could not be measured as a whole.
    pub whole: Vec<Example>,
    /// How many more of these there are.
    pub whole_more: u64,
    /// The first things that were left out.
    pub left_out: Vec<LeftOutEvent>,
    /// How many more of these there are.
    pub left_out_more: u64,
}

/// A session that did not pass.
#[derive(Debug)]
pub struct Example {
    /// How the check ended on it.
    pub status: Status,
    /// Its case and trial.
    pub title: String,
    /// The session's id.
    pub id: String,
    /// Where it lies.
    pub at: Ordinal,
    /// Why.
    pub message: String,
}

impl Gathered {
    /// The files that hold every session which did not pass, in words.
    pub fn files(&self) -> &'static str {
        if self.reports.junit { "run.jsonl and junit.xml" } else { "run.jsonl" }
    }

    /// The file that shows all of a run best.
    pub fn whole(&self) -> &'static str {
        match self.reports {
            Reports { html: true, .. } => "index.html",
            Reports { junit: true, .. } => "junit.xml",
            _ => "run.jsonl",
        }
    }

    /// What is shown of the suite at `index`.
    pub fn suite(&self, index: usize) -> Option<&OfSuite> {
        self.suites.get(index)
    }
}

impl Sink for Gathered {
    fn suite(&mut self, _index: usize) -> io::Result<()> {
        self.suites.push(OfSuite::default());
        Ok(())
    }

    fn session(&mut self, line: &Line<'_>, _: Option<&mut Kept<'_>>) -> io::Result<()> {
        let event = line.event;
        let Some(seen) = self.suites.last_mut() else { return Ok(()) };
        let trial = event.trial.as_ref().map(|t| format!(", trial {t}")).unwrap_or_default();
        let example = |status, message| Example {
            status,
            title: format!("case {}{trial}", event.case),
            id: event.id.to_string(),
            at: event.at,
            message,
        };
        if let Some(why) = &event.error {
            match seen.whole.len() < EXAMPLES {
                true => seen.whole.push(example(Status::Error, why.clone())),
                false => seen.whole_more += 1,
            }
            return Ok(());
        }
        for verdict in event.verdicts.iter().filter(|v| !matches!(v.status, Status::Pass | Status::Skip)) {
            let examples = seen.examples.entry(verdict.check).or_default();
            if examples.len() < EXAMPLES {
                examples.push(example(verdict.status, message(verdict)));
            }
        }
        Ok(())
    }

    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()> {
        if let Some(seen) = self.suites.last_mut().filter(|_| event.kind != LeftOut::Filtered) {
            if seen.left_out.len() < LEFT_OUT { seen.left_out.push(event.clone()) } else { seen.left_out_more += 1 }
        }
        Ok(())
    }

    fn end(&mut self, _: Drawn<'_>, _: &[Option<&SuiteEnd>]) -> io::Result<()> {
        Ok(())
    }
}
