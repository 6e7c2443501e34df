//! Turns, one after the other, until it is told to end; suites and settings are read again in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::beside::Told;
use super::{Args, Heard, failure, reload, standing};
use crate::cli::context::{Context, Failure, eprint};
use crate::cli::run::fleet;
use crate::report::safe;
use crate::watch::sources::Otlp;
use crate::watch::status::TURN;
use crate::watch::watcher::{Shared, Watcher, lock};

/// How often it is looked whether there is something to do.
const TICK: Duration = Duration::from_millis(200);

/// How long a turn that failed waits to be taken again.
const AGAIN: Duration = Duration::from_secs(2);

/// What is there while it runs.
pub(super) struct Running<'r> {
    pub(super) args: &'r Args,
    pub(super) context: &'r Context,
    pub(super) state: &'r Path,
    pub(super) heard: &'r Receiver<Heard>,
    pub(super) channels: Told,
    pub(super) joined: Option<&'r fleet::Joined>,
}

impl Running<'_> {
    /// Takes turns until it is told to end.
    pub(super) fn run(&self, mut watcher: Watcher, otlp: Otlp, runtime: &Runtime) -> Result<Arc<Shared>, Failure> {
        let shared = watcher.shared();
        if self.args.drain {
            runtime.block_on(otlp.close());
            watcher.drain().map_err(failure)?;
            return Ok(shared);
        }
        loop {
            let pause = match watcher.turn() {
                Ok(more) => {
                    shared.trouble(TURN, None);
                    if more { Duration::ZERO } else { TICK }
                }
                Err(why) => {
                    shared.metrics.turn_errors.inc();
                    let said = why.to_string();
                    if lock_trouble(&shared).as_deref() != Some(&said) {
                        eprint(&format!("seatrial: {}; it is tried again\n", safe::line(&said)));
                    }
                    shared.trouble(TURN, Some(said));
                    AGAIN
                }
            };
            match self.heard.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Heard::Reload) => self.reload(&mut watcher),
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        runtime.block_on(otlp.close());
        // What is over is judged; what is going on stays on disk.
        if let Err(why) = watcher.turn() {
            eprint(&format!("seatrial: {}; it stays on disk\n", safe::line(&why.to_string())));
        }
        Ok(shared)
    }

    /// Reads suites and settings again; what is wrong with them is told, and the old ones go on.
    fn reload(&self, watcher: &mut Watcher) {
        let shared = watcher.shared();
        let mut again = || -> Result<_, Failure> {
            let context = self.context.again().map_err(|code| Failure { code, message: String::new(), told: true })?;
            let plan = reload::plan(self.args, &context)?;
            let plan = plan.after(&lock(&shared.plan).clone());
            reload::fits(&shared, &plan)?;
            let outside = reload::outside(&plan, &context, self.state)?;
            let away = self.joined.map(|joined| joined.away(&plan, &context)).transpose()?;
            let sampling = reload::sampling(&plan, self.state)?;
            let (suites, hidden) = (plan.suites.len(), standing::hidden(&context, &plan)?);
            watcher.reload(plan, (outside, away), Box::new(sampling)).map_err(failure)?;
            shared.inbox.hide(hidden);
            *lock(&self.channels) = Arc::new(context.settings.channels.clone());
            Ok(suites)
        };
        match again() {
            Ok(suites) => {
                shared.metrics.reloaded("taken");
                shared.trouble("reload", None);
                eprint(&format!("seatrial: {suites} suites are watched from now on\n"));
            }
            Err(why) => {
                shared.metrics.reloaded("refused");
                shared.trouble("reload", Some("suites or settings were refused; the old ones go on".to_owned()));
                eprint(&format!("{}seatrial: refused; the old suites and settings go on\n", why.message));
            }
        }
    }
}

fn lock_trouble(shared: &Shared) -> Option<String> {
    lock(&shared.troubles).get(TURN).cloned()
}
