//! Programs of the user's own, each asked line by line: as many of one as there are workers, kept until the run ends; or
//! started [`once`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::checks::asking::Program;
use process::Running;

pub mod once;
mod process;

/// Failures in a row after which a program is not started again: it fails at everything, and every attempt may take
/// its whole limit of time.
const PATIENCE: u32 = 5;

/// The programs of a run.
#[derive(Default)]
pub struct Programs(Mutex<HashMap<Arc<Program>, Crew>>);

/// What is known of one program.
#[derive(Default)]
struct Crew {
    /// Those that wait for a line.
    idle: Vec<Running>,
    failed_in_a_row: u32,
}

impl Programs {
    /// The line that a program answers a line with. One that does not answer is stopped, and started anew for the next.
    pub fn ask(&self, program: &Arc<Program>, line: &str) -> Result<String, String> {
        let idle = {
            let mut crews = self.lock();
            let crew = crews.entry(program.clone()).or_default();
            if crew.failed_in_a_row >= PATIENCE {
                return Err(format!("it failed {PATIENCE} times in a row, and was not started again"));
            }
            crew.idle.pop()
        };
        let answered = idle.map_or_else(|| Running::start(program), Ok).and_then(|mut running| {
            let answer = running.ask(line)?;
            Ok((running, answer))
        });
        let mut crews = self.lock();
        let crew = crews.entry(program.clone()).or_default();
        match answered {
            Ok((running, answer)) => {
                crew.failed_in_a_row = 0;
                crew.idle.push(running);
                Ok(answer)
            }
            Err(why) => {
                crew.failed_in_a_row += 1;
                Err(why)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Program>, Crew>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests;
