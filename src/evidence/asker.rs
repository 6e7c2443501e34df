//! Asks what the checks of a run want to know, many questions at once, while sessions are read.
//!
//! Sessions are evaluated by threads that must not wait for a network. So a run first goes over its sessions with a
//! [`Collector`] for an edge: it answers what is known, hands on what is not, and says so to the check, whose finding is
//! thrown away. When all are answered it goes over them again, since an answer may raise another question; when nothing
//! is asked any more, everything is known ([`Asker::known`]), and the run evaluates for good.
//!
//! Questions wait in a channel of bounded length: whoever reads sessions waits when it is full. An answer is looked for in
//! the evidence that the run was given, then in the cache, then at the endpoint.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::answers::Asked;
use super::cache::Cache;
use super::desk::Desk;
use super::journal::{FILE_NAME, Journal};
use super::past::Past;
use super::question::Name;
use super::work::{LOOK, Wanted, Work, dispatch, lock};
use crate::checks::asking::{Answer, Edge, Need};
use crate::eval::spend::Spend;
use crate::net::budget::Budget;
use crate::redact::Redactor;

/// Questions that wait for their turn.
const WAITING: usize = 256;

/// What an asker stands on.
pub struct Sources {
    /// The endpoints that may be asked; without one its questions are errors.
    pub desks: HashMap<Name, Desk>,
    /// What is part of the keys of each model's questions.
    pub identities: HashMap<Name, String>,
    /// Answers of an earlier run, or of this one before it was continued.
    pub evidence: Option<Past>,
    /// Nobody is asked: what is not in the evidence is not known.
    pub offline: bool,
    /// The evidence is that of the run itself: it need not be written again.
    pub continued: bool,
    /// Answers of earlier runs.
    pub cache: Option<Cache>,
    /// What may be spent.
    pub budget: Budget,
    /// Set when the run is to end.
    pub stop: &'static AtomicBool,
}

/// Asks what the checks of a run want to know. What is under way ends when it is dropped.
pub struct Asker {
    work: Arc<Work>,
    questions: mpsc::Sender<Wanted>,
    runtime: Option<Runtime>,
}

/// Why nobody is asked any more.
#[derive(Debug)]
pub enum Over {
    /// The run is to end.
    Stopped,
    /// What may be spent is spent.
    Spent(String),
    /// What the verdicts rest on could not be written.
    Write(io::Error),
}

impl Asker {
    /// Begins to answer questions.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(sources: Sources, runtime: Runtime) -> Self {
        let places = sources.desks.values().map(Desk::concurrency).sum::<usize>();
        let work = Arc::new(Work::new(sources));
        let (questions, asked) = mpsc::channel(WAITING);
        // Beside those that are asked, some wait for their turn at a slow endpoint.
        runtime.spawn(dispatch(work.clone(), asked, 2 * places + 16));
        Self { work, questions, runtime: Some(runtime) }
    }

    /// Writes the evidence of the run in its folder from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        *lock(&self.work.journal) = Some(Journal::open(dir)?);
        self.work.answers.read_from(&dir.join(FILE_NAME))
    }

    /// The edge of a pass over the sessions of a suite in which questions are collected.
    pub fn collector<'a>(&'a self, suite: u32, redactor: &'a Redactor) -> Collector<'a> {
        Collector { asker: self, suite, redactor, asked: AtomicU64::new(0) }
    }

    /// Waits until everything is answered that was asked so far; `tell` hears how many of how many are.
    ///
    /// # Errors
    /// Why nobody is asked any more.
    pub fn settle(&self, tell: &dyn Fn(u64, u64)) -> Result<(), Over> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        runtime.block_on(async {
            loop {
                let changed = self.work.changed.notified();
                if let Some(over) = lock(&self.work.over).take() {
                    return Err(over);
                }
                if self.work.sources.stop.load(Ordering::Relaxed) {
                    return Err(Over::Stopped);
                }
                let (done, wanted) = self.work.counts();
                tell(done, wanted);
                if done == wanted {
                    return Ok(());
                }
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        })
    }

    /// The answer to a question, once everything is answered.
    pub fn known(&self, need: &Need) -> Answer {
        let Some((name, key)) = self.work.key(need) else { return Err(not_a_model()) };
        self.work.answers.get(&key).unwrap_or_else(|| Err(format!("`{name}` was not asked")))
    }

    /// What the checks of a suite took, in order.
    pub fn spent(&self, suite: u32) -> Vec<Spend> {
        let spends = lock(&self.work.spends);
        spends.range((suite, 0)..=(suite, u32::MAX)).map(|(_, spend)| spend.clone()).collect()
    }

    /// Whether a panic was caught while an answer was looked for.
    pub fn panicked(&self) -> bool {
        self.work.panicked.load(Ordering::Relaxed)
    }

    /// Why nothing is kept for later runs, if it could not be.
    pub fn unkept(&self) -> Option<String> {
        lock(&self.work.unkept).clone()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            if let Some(cache) = &self.work.sources.cache {
                // Another process may be reading it; then the file is let go of when this one ends.
                let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), cache.close()).await });
            }
            runtime.shutdown_background();
        }
    }
}

/// Collects questions.
pub struct Collector<'a> {
    asker: &'a Asker,
    suite: u32,
    redactor: &'a Redactor,
    asked: AtomicU64,
}

impl Collector<'_> {
    /// How many questions were new.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Edge for Collector<'_> {
    fn answer(&self, need: &Need) -> Answer {
        self.answer_for(need, u32::MAX)
    }

    fn answer_for(&self, need: &Need, check: u32) -> Answer {
        let work = &self.asker.work;
        let Some((name, key)) = work.key(need) else { return Err(not_a_model()) };
        let awaited = Err("it is being asked".to_owned());
        match work.answers.ask(&key) {
            Asked::Answered(answer) => return answer,
            Asked::Awaited => return awaited,
            Asked::New => {}
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        work.wanted.fetch_add(1, Ordering::Relaxed);
        let (need, beginning, redactor) = (need.clone(), work.beginning(&name, need), self.redactor.clone());
        let wanted = Wanted { key, name, need, beginning, by: (self.suite, check), redactor };
        // Whoever takes questions does so until the asker is dropped.
        let _ = self.asker.questions.blocking_send(wanted);
        awaited
    }
}

fn not_a_model() -> String {
    "no program is asked while questions are collected".to_owned()
}
