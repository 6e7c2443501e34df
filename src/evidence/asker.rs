//! Asks what the checks of a run want to know, many questions at once, while sessions are read.
//!
//! Sessions are evaluated by threads that must not wait for a network. So a run first goes over its sessions with a
//! [`Collector`] for an edge: it answers what is known, hands on what is not, and says so to the check, whose finding is
//! thrown away. When all are answered it goes over them again, since an answer may raise another question; when nothing
//! is asked any more, everything is known ([`Asker::known`]), and the run evaluates for good.
//!
//! Questions wait in a channel of bounded length: whoever reads sessions waits when it is full. An answer is looked for in
//! the evidence that the run was given, then in the cache, then at the endpoint.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::answered::{Answered, Source};
use super::cache::Cache;
use super::desk::Desk;
use super::journal::{Journal, Written};
use super::question::{Key, Name, key};
use crate::checks::asking::{Answer, Edge, Need};
use crate::eval::spend::Spend;
use crate::net::budget::Budget;
use crate::net::{Cause, Trouble};
use crate::redact::Redactor;

/// Questions that wait for their turn.
const WAITING: usize = 256;
/// How often it is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What an asker stands on.
pub struct Sources {
    /// The endpoints that may be asked; without one its questions are errors.
    pub desks: HashMap<Name, Desk>,
    /// What is part of the keys of each model's questions.
    pub identities: HashMap<Name, String>,
    /// Answers of an earlier run, or of this one before it was continued.
    pub evidence: HashMap<Key, Written>,
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
    shared: Arc<Shared>,
    questions: mpsc::Sender<Wanted>,
    runtime: Option<Runtime>,
}

struct Shared {
    sources: Sources,
    answers: Mutex<HashMap<Key, Option<Answer>>>,
    journal: Mutex<Option<Journal>>,
    spends: Mutex<BTreeMap<(u32, u32), Spend>>,
    wanted: AtomicU64,
    done: AtomicU64,
    changed: Notify,
    /// Why nobody is asked any more.
    over: Mutex<Option<Over>>,
    /// Why nothing is kept for later runs any more.
    unkept: Mutex<Option<String>>,
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

/// A question on its way.
struct Wanted {
    key: Key,
    name: Name,
    need: Need,
    /// Which check of which suite asks first.
    by: (u32, u32),
    redactor: Redactor,
}

impl Asker {
    /// Begins to answer questions.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(sources: Sources, runtime: Runtime) -> Self {
        let places = sources.desks.values().map(Desk::concurrency).sum::<usize>();
        let shared = Arc::new(Shared {
            sources,
            answers: Mutex::default(),
            journal: Mutex::default(),
            spends: Mutex::default(),
            wanted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            changed: Notify::new(),
            over: Mutex::default(),
            unkept: Mutex::default(),
        });
        let (questions, asked) = mpsc::channel(WAITING);
        // Beside those that are asked, some wait for their turn at a slow endpoint.
        runtime.spawn(dispatch(shared.clone(), asked, 2 * places + 16));
        Self { shared, questions, runtime: Some(runtime) }
    }

    /// Writes the evidence of the run in its folder from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        *lock(&self.shared.journal) = Some(Journal::open(dir)?);
        Ok(())
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
                let changed = self.shared.changed.notified();
                if let Some(over) = lock(&self.shared.over).take() {
                    return Err(over);
                }
                if self.shared.sources.stop.load(Ordering::Relaxed) {
                    return Err(Over::Stopped);
                }
                let (done, wanted) = self.shared.counts();
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
        let Some((name, key)) = self.shared.key(need) else { return Err(not_a_model()) };
        match lock(&self.shared.answers).get(&key) {
            Some(Some(answer)) => answer.clone(),
            _ => Err(format!("`{name}` was not asked")),
        }
    }

    /// What the checks of a suite took, in order.
    pub fn spent(&self, suite: u32) -> Vec<Spend> {
        let spends = lock(&self.shared.spends);
        spends.range((suite, 0)..=(suite, u32::MAX)).map(|(_, spend)| spend.clone()).collect()
    }

    /// Why nothing is kept for later runs, if it could not be.
    pub fn unkept(&self) -> Option<String> {
        lock(&self.shared.unkept).clone()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            if let Some(cache) = &self.shared.sources.cache {
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
        let shared = &self.asker.shared;
        let Some((name, key)) = shared.key(need) else { return Err(not_a_model()) };
        match lock(&shared.answers).entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => {
                return known.get().clone().unwrap_or_else(|| Err("it is being asked".to_owned()));
            }
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(None);
            }
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        shared.wanted.fetch_add(1, Ordering::Relaxed);
        let (need, redactor) = (need.clone(), self.redactor.clone());
        let wanted = Wanted { key, name, need, by: (self.suite, check), redactor };
        // Whoever takes questions does so until the asker is dropped.
        let _ = self.asker.questions.blocking_send(wanted);
        Err("it is being asked".to_owned())
    }
}

/// The question whose answer could not be used, where this is that question once more.
fn first_of(need: &Need) -> Option<Need> {
    match need {
        Need::Vote { judge, prompt, vote, wrong: Some(_) } => {
            Some(Need::Vote { judge: judge.clone(), prompt: prompt.clone(), vote: *vote, wrong: None })
        }
        _ => None,
    }
}

fn not_a_model() -> String {
    "no program is asked while questions are collected".to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes questions and has them answered, so many at once.
async fn dispatch(shared: Arc<Shared>, mut questions: mpsc::Receiver<Wanted>, room: usize) {
    let room = Arc::new(Semaphore::new(room));
    while let Some(wanted) = questions.recv().await {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.ok(),
            () = shared.stopped() => None,
        };
        let Some(permit) = permit.filter(|_| !shared.is_over()) else {
            shared.finish(&wanted, Err("it was not asked: the run was to end".to_owned()));
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let answer = shared.find(&wanted).await;
            shared.finish(&wanted, answer);
            drop(permit);
        });
    }
}

impl Shared {
    fn key(&self, need: &Need) -> Option<(Name, Key)> {
        let name = Name::of(need)?;
        let identity = self.sources.identities.get(&name).map_or("", String::as_str);
        let key = key(need, identity)?;
        Some((name, key))
    }

    fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Acquire), self.wanted.load(Ordering::Acquire))
    }

    fn is_over(&self) -> bool {
        lock(&self.over).is_some() || self.sources.stop.load(Ordering::Relaxed)
    }

    async fn stopped(&self) {
        while !self.is_over() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn end(&self, why: Over) {
        lock(&self.over).get_or_insert(why);
        self.changed.notify_waiters();
    }

    /// Looks for an answer wherever there may be one.
    async fn find(&self, wanted: &Wanted) -> Answer {
        let Sources { evidence, offline, continued, cache, desks, budget, .. } = &self.sources;
        match evidence.get(&wanted.key) {
            Some(Written::Whole(answered, _)) => {
                return self.found(wanted, answered.clone(), Source::Evidence, !continued);
            }
            Some(Written::Redacted) if *offline => {
                return Err(format!("the evidence holds the answer of `{}` without what was redacted", wanted.name));
            }
            None if *offline => return Err(format!("the evidence holds no answer of `{}`", wanted.name)),
            _ => {}
        }
        let first = first_of(&wanted.need);
        // An answer that has to be given once more was of no use, and the next may be of none: neither is kept.
        let cache = match (cache, &first) {
            (Some(cache), Some(first)) => {
                if let Some((_, key)) = self.key(first) {
                    self.keeps(cache.forget(&key).await);
                }
                None
            }
            (cache, _) => cache.as_ref(),
        };
        if let Some(cache) = cache
            && let Some(answered) = cache.get(&wanted.key).await
        {
            return self.found(wanted, answered, Source::Cache, true);
        }
        let Some(desk) = desks.get(&wanted.name) else { return Err(format!("`{}` cannot be asked", wanted.name)) };
        match desk.answer(&wanted.need, budget).await {
            Ok(answered) => {
                if let Some(cache) = cache
                    && !self.hides(wanted, &answered)
                {
                    self.keeps(cache.put(&wanted.key, &answered).await);
                }
                self.found(wanted, answered, Source::Asked, true)
            }
            Err(Trouble { cause: Cause::Budget, message, .. }) => {
                self.end(Over::Spent(message.clone()));
                Err(message)
            }
            Err(trouble) => Err(trouble.message),
        }
    }

    /// Remembers why answers are not kept for later runs; the run itself does without.
    fn keeps(&self, kept: Result<(), String>) {
        if let Err(why) = kept {
            lock(&self.unkept).get_or_insert(why);
        }
    }

    /// Whether the rules take something out of an answer.
    fn hides(&self, wanted: &Wanted, answered: &Answered) -> bool {
        wanted.redactor.is_on() && **wanted.redactor.pass(answered).get() != *answered
    }

    /// Counts an answer and writes it to the evidence.
    fn found(&self, wanted: &Wanted, answered: Answered, source: Source, write: bool) -> Answer {
        let (suite, check) = wanted.by;
        let mut spends = lock(&self.spends);
        let spend = spends.entry((suite, check)).or_insert_with(|| Spend { check, ..Spend::default() });
        answered.count(source, spend);
        drop(spends);
        if write && let Some(journal) = lock(&self.journal).as_mut() {
            let (name, hidden) = (wanted.name.to_string(), self.hides(wanted, &answered));
            let written = wanted.redactor.pass(&answered);
            if let Err(why) = journal.put(&wanted.key, &name, source, hidden, &written) {
                self.end(Over::Write(why));
            }
        }
        Ok(answered.reply)
    }

    /// Tells an answer to all who wait for it.
    fn finish(&self, wanted: &Wanted, answer: Answer) {
        if answer.is_err() {
            let (suite, check) = wanted.by;
            let mut spends = lock(&self.spends);
            spends.entry((suite, check)).or_insert_with(|| Spend { check, ..Spend::default() }).failed += 1;
        }
        lock(&self.answers).insert(wanted.key, Some(answer));
        self.done.fetch_add(1, Ordering::Release);
        self.changed.notify_waiters();
    }
}
