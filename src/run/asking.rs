//! Asking models before a suite is evaluated: pass by pass over its sessions, until nothing is asked any more.

use std::io;

use super::engine::{self, Early, Job, Keep, Sinks};
use crate::eval::fold::SuiteFold;
use crate::evidence::asker::{Asker, Over};
use crate::sources::reader::Reader;

/// Passes over the sessions of a suite. A check asks a few rounds at most ([`crate::checks::asking::settle`]).
const MOST_PASSES: usize = 10;

/// Has everything answered that the checks of a suite ask of models. `reader` begins to read the sessions anew; `tell`
/// hears how many questions of how many are answered.
///
/// # Errors
/// Why the run ends here.
pub fn ask<'p>(
    job: &Job<'_>,
    reader: &dyn Fn() -> Reader,
    fold: &dyn Fn() -> SuiteFold<'p>,
    asker: &Asker,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), Early> {
    for _ in 0..MOST_PASSES {
        let collector = asker.collector(job.index, job.redactor);
        let collecting = Job {
            collecting: true,
            crew: None,
            live: false,
            ignored: Vec::new(),
            problems: Vec::new(),
            fail_fast: false,
            keep: Keep { failed: false, passed: 0, limit: 0 },
            progress: &|_| (),
            edge: &collector,
            ..*job
        };
        let sinks = Sinks { record: &mut io::sink(), kept: &mut io::sink(), past: None, live: None };
        if let Some(early) = engine::run(&collecting, reader(), &mut fold(), sinks).stopped {
            return Err(early);
        }
        asker.settle(tell).map_err(|over| match over {
            Over::Stopped => Early::Interrupted,
            Over::Spent(why) => Early::Capped(why),
            Over::Write(why) => Early::Write(why),
        })?;
        if collector.asked() == 0 {
            break;
        }
    }
    Ok(())
}
