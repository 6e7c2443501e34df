//! Sessions that are over, held against a suite: who is looked at, what the checks say, and what is kept of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::away::Away;
use super::plan::Watching;
use super::row::{self, Body};
use super::{asking, quarantine};
use crate::alerts::Notice;
use crate::assemble::intake::Options;
use crate::checks::asking::Edge;
use crate::eval::event::SessionEvent;
use crate::eval::keep::Keep;
use crate::eval::plan::Planned;
use crate::evidence::Outside;
use crate::ledger::{Content, Millis, NewItem};
use crate::model::{Session, digest};
use crate::redact::Redacted;
use crate::review::enqueue::{self, Shown};
use crate::run::alone::{self, Judged};
use crate::run::engine::{Early, Job};
use crate::sampling::{Facts, Spending};
use crate::store::db::{Current, Watched};

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
    /// By what it was decided.
    pub facts: Option<Facts>,
}

/// Decides who is looked at, one session after the other.
pub trait Admitting: Send {
    /// Whether a session of a suite that is over now is looked at.
    fn admit(&mut self, watching: &Watching, session: &Session<'_>, now: Millis) -> Admission;

    /// How many sessions of a suite may be under way at once, so that what they cost is known before the next are let in.
    fn at_once(&self, _: &Watching) -> usize {
        usize::MAX
    }

    /// Says what it cost to look at a session that was let in, in US dollars.
    fn spent(&mut self, _: &Watching, _: Facts, _usd: f64) {}

    /// What was spent of the budgets of a suite, and what may be.
    fn spending(&self, _: &str) -> Vec<Spending> {
        Vec::new()
    }

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
    /// Those who judge elsewhere.
    pub away: Option<&'b Away>,
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
    /// What models cost, in US dollars.
    pub usd: f64,
    /// What is told of sessions that are under quarantine.
    pub notices: Vec<Notice>,
    /// The checks that put them there.
    pub quarantined: Vec<String>,
}

/// Models, or workers, could not be asked.
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

/// A session that is looked at.
pub(super) struct Admitted<'m, 'a> {
    pub(super) arrived: &'m mut Arrived<'a>,
    ahead: Ahead,
    /// How likely it was.
    inclusion: f64,
    facts: Option<Facts>,
}

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
    let mut rest = mine.into_iter().zip(ahead).peekable();
    while rest.peek().is_some() {
        let most = admit.at_once(watching).max(1);
        let mut admitted: Vec<Admitted<'_, '_>> = Vec::new();
        while admitted.len() < most
            && let Some((arrived, ahead)) = rest.next()
        {
            if current.get(&ahead.id).is_some_and(|current| current.digest == ahead.digest) {
                outcome.known += 1;
                continue;
            }
            let Admission { reason, inclusion, facts } = admit.admit(watching, &arrived.session, bench.now);
            match reason {
                None => admitted.push(Admitted { arrived, ahead, inclusion, facts }),
                Some(reason) => outcome.looked.push(looked(watching, arrived.at, ahead, inclusion, Some(reason))),
            }
        }
        let (costs, asked) = asking::ask(watching, &planned, &mut admitted, bench);
        for (admitted, usd) in admitted.iter().zip(costs) {
            if let Some(facts) = admitted.facts {
                admit.spent(watching, facts, usd);
            }
            outcome.usd += usd;
        }
        asked?;
        say(watching, &planned, admitted, bench, &mut outcome)?;
    }
    Ok(outcome)
}

/// What the checks say of sessions, now that everything is answered.
fn say(
    watching: &Watching,
    planned: &Planned<'_>,
    mut admitted: Vec<Admitted<'_, '_>>,
    bench: &Bench<'_>,
    outcome: &mut Outcome,
) -> Result<(), Unasked> {
    let assemble = Options::default();
    let job = job(watching, planned, bench, &assemble, bench.outside, false);
    let away = bench.away.and_then(|away| away.crew(&watching.suite.name));
    let judged: Result<Vec<_>, Early> = away.map_or(bench.pool, |(_, pool)| pool).install(|| {
        let each = admitted.par_iter_mut().enumerate();
        each.map(|(i, admitted)| match away {
            None => Ok(alone::judge(&job, &admitted.arrived.session, (0, i as u64))),
            Some((crew, _)) => alone::judge_apart(&job, &admitted.arrived.session, (0, i as u64), crew),
        })
        .collect()
    });
    let judged = judged.map_err(|early| Unasked(format!("workers could not be asked: {early}")))?;
    for (admitted, judged) in admitted.into_iter().zip(judged) {
        let Admitted { arrived, mut ahead, inclusion, .. } = admitted;
        let mut reason = None;
        match judged {
            Err(problem) => reason = Some(problem.kind.name().to_owned()),
            Ok(Judged { written, kept, panicked }) => {
                outcome.panicked += u64::from(panicked);
                if let Some(written) = written {
                    let event = &written.get().event;
                    ahead.body.said(&planned.plan, event, &arrived.session);
                    let (event, risky) = quarantined(watching, planned, event);
                    if !risky.is_empty() {
                        let quarantine = &watching.suite.watch.quarantine;
                        let suite = &watching.suite.name;
                        outcome.notices.push(quarantine::notice(quarantine, &event, suite, &risky, bench.now));
                        outcome.quarantined.extend(risky);
                    }
                    let content = kept.and_then(|kept| {
                        let line = enqueue::unpack(&kept.get().packed).ok()?;
                        Some((Content::pack(&line).ok()?, serde_json::to_string(&kept.get().against).ok()))
                    });
                    let (content, against) = content.unzip();
                    let shown = Shown { content, against: against.flatten(), baseline: None };
                    outcome.items.extend(enqueue::items(RUN, &planned.plan, &event, &shown, bench.now));
                }
            }
        }
        outcome.looked.push(looked(watching, arrived.at, ahead, inclusion, reason));
    }
    Ok(())
}

/// What is said of a session with the failures of high risk sent to people, and the checks that these are of.
fn quarantined<'e>(
    watching: &Watching,
    planned: &Planned<'_>,
    event: &'e SessionEvent<'e>,
) -> (Cow<'e, SessionEvent<'e>>, Vec<String>) {
    let quarantine = &watching.suite.watch.quarantine;
    if !quarantine.is_any() {
        return (Cow::Borrowed(event), Vec::new());
    }
    let mut event = event.clone();
    let risky = quarantine::route(quarantine, &planned.plan, &mut event);
    (Cow::Owned(event), risky)
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

pub(super) fn job<'j>(
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
        // What people have to look at is kept in any case.
        keep: Keep { failed: watching.suite.watch.quarantine.is_any(), passed: 0, limit: 1 },
        shard: None,
        known: None,
        stop: bench.stop,
        progress: &|_| (),
        redactor: &watching.suite.redactor,
        live: true,
        assemble,
        edge,
        collecting,
        crew: None,
        given_up: None,
    }
}
