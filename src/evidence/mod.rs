//! Floor 3: what checks ask for, fetched from outside.
//!
//! A check says what it needs and decides by the answers ([`crate::checks::asking`]); this room fetches them. Nothing
//! here judges: what could not be fetched is an answer that says so, and the check makes an error of it.

pub mod programs;

use crate::checks::asking::{Answer, Edge, Need, Reply};
use programs::Programs;

/// Everything that can be asked in a run. What it started ends when it is dropped.
#[derive(Default)]
pub struct Outside {
    programs: Programs,
}

impl Edge for Outside {
    fn answer(&self, need: &Need) -> Answer {
        match need {
            Need::Line { program, line } => self.programs.ask(program, line).map(Reply::Line),
            Need::Vote { judge, .. } => Err(format!("no judge `{judge}` can be asked in this version")),
            Need::Embedding { endpoint, .. } => Err(format!("no `{endpoint}` can be asked in this version")),
        }
    }
}
