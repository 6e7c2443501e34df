//! Floor 3: what checks ask for, fetched from outside.
//!
//! A check says what it needs and decides by the answers ([`crate::checks::asking`]); this room fetches them. Nothing
//! here judges: what could not be fetched is an answer that says so, and the check makes an error of it.
//!
//! - [`programs`]: programs of the user's own, asked while a session is evaluated.
//! - [`asker`]: models, asked before ([`crate::run::asking`]): [`question`] is what is put to them and the key that the
//!   answer is kept under, [`work`] looks for it, [`ahead`] says which question waits for which, [`desk`] is one endpoint
//!   with its pace and its patience, [`answers`] what is known.
//! - [`lasting`]: asking that has no end, as that of whoever watches production.
//! - [`cache`]: answers for later runs; [`journal`]: those that this run's verdicts rest on, as [`answered`], and what they
//!   count for ([`charge`]); [`past`]: those of an earlier run.

pub mod ahead;
pub mod answered;
pub mod answers;
pub mod asker;
pub mod cache;
pub mod charge;
pub mod desk;
pub mod journal;
pub mod lasting;
pub mod past;
pub mod programs;
pub mod question;
pub mod work;

use crate::checks::asking::{Answer, Edge, Need, Reply};
use asker::Asker;
use programs::Programs;

/// Everything that can be asked in a run. What it started ends when it is dropped.
#[derive(Default)]
pub struct Outside {
    programs: Programs,
    /// Knows what models answered; none where no check asks one.
    pub asker: Option<Asker>,
}

impl Edge for Outside {
    fn answer(&self, need: &Need) -> Answer {
        match (need, &self.asker) {
            (Need::Line { program, line }, _) => self.programs.ask(program, line).map(Reply::Line),
            (_, Some(asker)) => asker.known(need),
            (_, None) => Err("no model was asked".to_owned()),
        }
    }
}
