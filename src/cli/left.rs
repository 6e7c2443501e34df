//! What a run leaves in the store: the run itself, and what goes to people.

use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use super::review::notify;
use super::run::display;
use super::stored::Opened;
use crate::eval::event::{Plan, SuitePlan};
use crate::ledger::Millis;
use crate::model::Status;
use crate::report::RunSummary;
use crate::report::replay::{self, Replayed};
use crate::review::enqueue::{self, SendError, Sending, Sent};
use crate::review::rulings::Decisions;
use crate::review::{rulings, stored};
use crate::store::db::StoreError;
use crate::suite::settings::{Origin, StoreAt};

/// What became of the verdicts of a run that go to people.
pub struct Queued {
    /// What was sent.
    pub sent: Sent,
    /// How many of them were not in the queue before.
    pub new: u64,
    /// How many people have decided already.
    pub decided: u64,
}

/// Puts the verdicts of a run that go to people into the queue; `baselines` are as in [`Sending::baselines`].
pub fn enqueue(
    record: &Path,
    baselines: &[Option<PathBuf>],
    context: &Context,
    opened: &Opened,
    now: Millis,
) -> Result<Queued, Failure> {
    let redactor = |suite: &SuitePlan| context.redactor(&suite.redact).ok();
    let sending = Sending { record, root: &context.cwd, baselines, now, redactor: &redactor };
    let mut new = 0;
    let sent = enqueue::send::<StoreError>(&sending, &mut |items| {
        new += opened.runtime().block_on(opened.store().enqueue(&items, now))?.new.len() as u64;
        Ok(())
    });
    let sent = sent.map_err(|why| match why {
        SendError::Taken(why) => Failure::store(&why),
        why => Failure::usage(why),
    })?;
    notify::soon(opened, context);
    let mut decided = 0;
    if new < sent.items {
        let plan = crate::store::record::plan(record).map_err(Failure::usage)?;
        let keys = rulings::keys(record, &plan).map_err(Failure::usage)?;
        let found = opened.wait(Decisions::fetch(opened.store(), &keys))?;
        decided = keys.iter().filter(|key| found.of(key).is_some_and(|r| r.status != Status::Held)).count() as u64;
    }
    Ok(Queued { sent, new, decided })
}

impl Queued {
    /// In words; `run` is how the run is named.
    pub fn told(&self, run: &str) -> String {
        let n = self.sent.items;
        let known = n.saturating_sub(self.new);
        let were = if known > 0 { format!(", {known} were there") } else { String::new() };
        let mut text = format!("{} for review, {} new in the queue{were}", counted(n), self.new);
        if self.decided > 0 {
            text.push_str(&format!("; {} decided already: `seatrial gate {run}` applies that", self.decided));
        }
        if self.sent.without_session > 0 {
            text.push_str(&format!("; the session of {} was not kept", self.sent.without_session));
        }
        text
    }
}

fn counted(n: u64) -> String {
    if n == 1 { "1 verdict".to_owned() } else { format!("{n} verdicts") }
}

/// What time it is.
pub fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// What a run leaves in the store.
enum Leaves {
    Nothing,
    /// The run alone: a later promotion may ask for it.
    Run {
        /// A store is named, so that it is to be there.
        named: bool,
    },
    /// The run, and what it sends to people.
    Review,
}

impl Leaves {
    fn of(plan: &Plan, summary: &RunSummary, context: &Context) -> Self {
        let store = &context.settings.store;
        let named = !matches!(store.origin, Origin::Default);
        let checks = plan.suites.iter().flat_map(|suite| &suite.checks);
        let review = checks.clone().any(|check| !check.inactive && check.review.is_some())
            || summary.suites.iter().any(|suite| suite.waiting.is_some());
        let subject = plan.suites.iter().any(|suite| suite.subject.is_some());
        match store.value != StoreAt::Off && plan.shard().is_none() {
            true if review => Self::Review,
            true if subject || named => Self::Run { named },
            _ => Self::Nothing,
        }
    }
}

/// Leaves a run that has ended in the store. What is to be said of it is returned; `Err` says why it could not be stored,
/// where it had to be.
pub fn leave(dir: &Path, plan: &Plan, summary: &RunSummary, context: &Context) -> Result<Option<String>, Failure> {
    let record = dir.join("run.jsonl");
    match Leaves::of(plan, summary, context) {
        Leaves::Nothing => Ok(None),
        Leaves::Run { named } => match store_run(&record, context) {
            Ok(_) => Ok(None),
            Err(why) if named => Err(why),
            // Nobody asked for it.
            Err(why) => Ok(Some(format!("the run is not in the store: {}", why.message.trim()))),
        },
        Leaves::Review => {
            let Some((opened, now)) = store_run(&record, context)? else { return Ok(None) };
            let baseline = |suite: &SuitePlan| suite.gate.baseline.as_ref().map(|bar| bar.path.clone());
            let baselines: Vec<_> =
                plan.suites.iter().map(|s| baseline(s).filter(|p| !p.as_os_str().is_empty())).collect();
            let queued = enqueue(&record, &baselines, context, &opened, now)?;
            Ok((queued.sent.items > 0).then(|| queued.told(&display(dir, &context.cwd))))
        }
    }
}

fn store_run(record: &Path, context: &Context) -> Result<Option<(Opened, Millis)>, Failure> {
    let (Some(opened), now) = (context.store()?, now()) else { return Ok(None) };
    let replayed = replay::fold(record).map_err(Failure::usage)?;
    keep(record, &replayed, true, (context, &opened), now)?;
    opened.wait(context.retain(opened.store()))?;
    Ok(Some((opened, now)))
}

/// Keeps a run's rows; `ends_now` says that it is the run itself that leaves them, at its end.
pub fn keep(
    record: &Path,
    replayed: &Replayed,
    ends_now: bool,
    (context, opened): (&Context, &Opened),
    now: Millis,
) -> Result<(), Failure> {
    let shown = display(record.parent().unwrap_or(record), &context.cwd);
    let run = stored::of(record, &shown, replayed, ends_now).map_err(Failure::usage)?;
    opened.wait(opened.store().add_run(&run, now))
}
