//! Sessions that are over, held against a suite: who is looked at, what the checks say, and what is kept of it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::plan::Watching;
use super::row::{self, Body};
use crate::assemble::intake::Options;
use crate::checks::asking::Edge;
use crate::eval::keep::Keep;
use crate::eval::plan::Planned;
use crate::evidence::Outside;
use crate::evidence::asker::Over;
use crate::ledger::{Content, Millis, NewItem};
use crate::model::{Session, digest};
use crate::redact::Redacted;
use crate::review::enqueue::{self, Shown};
use crate::run::alone::{self, Judged};
use crate::run::engine::Job;
use crate::store::db::{Current, Watched};

/// Passes over sessions while questions to models are collected, as in a run.
const MOST_PASSES: usize = 10;

/// A session that is over.
pub struct Arrived<'a> {
    /// The session.
    pub session: Session<'a>,
    /// When it ended, or arrived where it does not say.
    pub at: Millis,
}

/// Whether a session is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// Why it is not; `None` where it is.
    pub reason: Option<String>,
    /// How likely it was.
    pub inclusion: f64,
}

/// Decides who is looked at, one session after the other.
pub trait Admitting: Send {
    /// Whether a session of a suite that is over now is looked at.
    fn admit(&mut self, watching: &Watching, session: &Session<'_>, now: Millis) -> Admission;

    /// Keeps what was spent for whoever comes next.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep(&mut self) -> std::io::Result<()>;
}

/// What sessions are judged with.
pub struct Bench<'b> {
    /// Threads.
    pub pool: &'b rayon::ThreadPool,
    /// Answers what checks ask for.
    pub outside: &'b Outside,
    /// What time it is.
    pub now: Millis,
    /// Set from outside to end early.
    pub stop: &'b AtomicBool,
}

/// What came of a session.
pub struct Looked {
    /// What is kept of it.
    pub row: Watched,
    /// The same, to be added up.
    pub body: Body,
}

/// What came of sessions.
#[derive(Default)]
pub struct Outcome {
    /// Those of which something is new, in their order.
    pub looked: Vec<Looked>,
    /// Verdicts that go to people.
    pub items: Vec<NewItem>,
    /// Sessions that were known, exactly so.
    pub known: u64,
    /// Sessions of which a check panicked.
    pub panicked: u64,
}

/// Questions to models could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unasked(pub String);

/// What is known of a session before it is judged.
struct Ahead {
    id: String,
    digest: String,
    replaces: Vec<String>,
    body: Body,
}

/// A session that is looked at, and how likely that was.
type Admitted<'m, 'a> = (&'m mut Arrived<'a>, Ahead, f64);

/// Finds the versions of sessions that count now, by their names.
pub type Known<'k, E> = dyn Fn(&[&str]) -> Result<BTreeMap<String, Current>, E> + 'k;

/// Holds sessions against a suite. `known` finds the versions that count now.
///
/// # Errors
/// What `known` says, or that models could not be asked.
pub fn judge<E: From<Unasked>>(
    watching: &Watching,
    sessions: &mut [&mut Arrived<'_>],
    bench: &Bench<'_>,
    known: &Known<'_, E>,
    admit: &mut dyn Admitting,
) -> Result<Outcome, E> {
    let mut outcome = Outcome::default();
    // What is borrowed alone may be worked on by any thread: a session keeps some of what was asked of it.
    let is_mine = |arrived: &&mut Arrived<'_>| !watching.is_of_another(arrived.session.agent.as_deref());
    let mut mine: Vec<_> = sessions.iter_mut().map(|arrived| &mut **arrived).filter(is_mine).collect();
    let Some(planned) = Planned::new(&watching.suite, None).filter(|_| !mine.is_empty()) else { return Ok(outcome) };
    let ahead: Vec<Ahead> = bench.pool.install(|| mine.par_iter_mut().map(|a| ahead(watching, &a.session)).collect());
    let names: Vec<&str> = ahead.iter().map(|a| a.id.as_str()).collect();
    let current = known(&names)?;
    let mut admitted: Vec<Admitted<'_, '_>> = Vec::new();
    for (arrived, ahead) in mine.into_iter().zip(ahead) {
        if current.get(&ahead.id).is_some_and(|current| current.digest == ahead.digest) {
            outcome.known += 1;
            continue;
        }
        let Admission { reason, inclusion } = admit.admit(watching, &arrived.session, bench.now);
        match reason {
            None => admitted.push((arrived, ahead, inclusion)),
            Some(reason) => outcome.looked.push(looked(watching, arrived.at, ahead, inclusion, Some(reason))),
        }
    }
    ask(watching, &planned, &mut admitted, bench)?;
    let assemble = Options::default();
    let job = job(watching, &planned, bench, &assemble, bench.outside, false);
    let judged: Vec<_> = bench.pool.install(|| {
        let each = admitted.par_iter_mut().enumerate();
        each.map(|(i, (arrived, ..))| alone::judge(&job, &arrived.session, (0, i as u64))).collect()
    });
    for ((arrived, mut ahead, inclusion), judged) in admitted.into_iter().zip(judged) {
        let mut reason = None;
        match judged {
            Err(problem) => reason = Some(problem.kind.name().to_owned()),
            Ok(Judged { written, kept, panicked }) => {
                outcome.panicked += u64::from(panicked);
                if let Some(written) = written {
                    let event = &written.get().event;
                    ahead.body.said(&planned.plan, event, &arrived.session);
                    let content = kept.and_then(|kept| {
                        let line = enqueue::unpack(&kept.get().packed).ok()?;
                        Some((Content::pack(&line).ok()?, serde_json::to_string(&kept.get().against).ok()))
                    });
                    let (content, against) = content.unzip();
                    let shown = Shown { content, against: against.flatten(), baseline: None };
                    outcome.items.extend(enqueue::items(RUN, &planned.plan, event, &shown, bench.now));
                }
            }
        }
        outcome.looked.push(looked(watching, arrived.at, ahead, inclusion, reason));
    }
    Ok(outcome)
}

/// What verdicts of watching are a part of, where a run stands otherwise.
pub const RUN: &str = "watch";

fn ahead(watching: &Watching, session: &Session<'_>) -> Ahead {
    let suite = &watching.suite;
    let seen = suite.redactor.session(session);
    let named = |name: &str| suite.redactor.name_of(name, seen.as_ref()).into_owned();
    let body = Body::of(session, &watching.suite.watch.by, &suite.prices);
    Ahead {
        id: named(&session.id),
        digest: digest::session(session).to_string(),
        replaces: row::traces(session).iter().map(|trace| named(trace)).collect(),
        body: suite.redactor.take_of(body, seen.as_ref()).into_inner(),
    }
}

fn looked(watching: &Watching, at: Millis, ahead: Ahead, inclusion: f64, reason: Option<String>) -> Looked {
    let Ahead { id, digest, replaces, body } = ahead;
    // Numbers and texts are always JSON.
    let written = serde_json::to_string(&body).unwrap_or_default();
    let suite = watching.suite.name.clone();
    let row = Watched { suite, session: id, replaces, at, digest, reason, inclusion, body: written };
    Looked { row, body }
}

/// Rows as they may be written: every part of them went through the rules of their suite.
pub fn rows(looked: &[Looked]) -> Redacted<Vec<Watched>> {
    Redacted::drawn(looked.iter().map(|looked| looked.row.clone()).collect())
}

fn job<'j>(
    watching: &'j Watching,
    planned: &'j Planned<'j>,
    bench: &'j Bench<'_>,
    assemble: &'j Options,
    edge: &'j dyn Edge,
    collecting: bool,
) -> Job<'j> {
    Job {
        planned,
        index: 0,
        files: &[],
        ignored: Vec::new(),
        problems: Vec::new(),
        now_ns: u64::try_from(bench.now).unwrap_or_default().saturating_mul(1_000_000),
        jobs: 1,
        fail_fast: false,
        keep: Keep { failed: false, passed: 0, limit: 0 },
        shard: None,
        known: None,
        stop: bench.stop,
        progress: &|_| (),
        redactor: &watching.suite.redactor,
        live: true,
        assemble,
        edge,
        collecting,
    }
}

/// Has everything answered that the checks ask of models.
fn ask(
    watching: &Watching,
    planned: &Planned<'_>,
    admitted: &mut [Admitted<'_, '_>],
    bench: &Bench<'_>,
) -> Result<(), Unasked> {
    let asks = watching.suite.checks.iter().any(|check| !check.asks.is_empty());
    let Some(asker) = bench.outside.asker.as_ref().filter(|_| asks && !admitted.is_empty()) else { return Ok(()) };
    let assemble = Options::default();
    for _ in 0..MOST_PASSES {
        let collector = asker.collector(0, &watching.suite.redactor);
        let job = job(watching, planned, bench, &assemble, &collector, true);
        // Its findings are thrown away.
        bench.pool.install(|| {
            admitted.par_iter_mut().for_each(|(arrived, ..)| drop(alone::judge(&job, &arrived.session, (0, 0))));
        });
        asker.settle(&|_, _| ()).map_err(|over| match over {
            Over::Stopped => Unasked("it is to end".to_owned()),
            Over::Spent(why) => Unasked(why),
            Over::Write(why) => Unasked(format!("the answers of models could not be written: {why}")),
        })?;
        if collector.asked() == 0 {
            break;
        }
    }
    Ok(())
}
