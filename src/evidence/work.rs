//! The work of an asker: takes questions, looks for their answers, counts and writes them.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::ahead::{Ahead, Beginning, Came, beginning};
use super::answered::{Answered, Source};
use super::answers::Answers;
use super::asker::{Over, Sources};
use super::charge::{Charge, Note};
use super::journal::{Journal, Place};
use super::question::{Key, Name, key};
use crate::checks::asking::{Need, Reply};
use crate::eval::evaluate::last_panic;
use crate::eval::spend::Spend;
use crate::net::budget::{Amount, Limits};
use crate::net::{Cause, Trouble};
use crate::redact::Redactor;

/// How often it is looked whether the run is to end.
pub const LOOK: Duration = Duration::from_millis(50);

/// A question on its way.
pub struct Wanted {
    /// What its answer is kept under.
    pub key: Key,
    /// Who is asked.
    pub name: Name,
    /// What is asked.
    pub need: Need,
    /// What it has in common with others, where that is worth a wait.
    pub beginning: Option<Beginning>,
    /// Which check of which suite asks first.
    pub by: (u32, u32),
    /// What must not be written.
    pub redactor: Redactor,
}

/// An answer, and where it was written as it is; nowhere where something was taken out of it.
type Found = Result<(Reply, Option<Place>), String>;

/// What those who ask and those who answer share.
pub struct Work {
    /// Where answers come from.
    pub sources: Sources,
    /// Those that are there.
    pub answers: Answers,
    /// The evidence of the run.
    pub journal: Mutex<Option<Journal>>,
    /// What each check of each suite took.
    pub spends: Mutex<BTreeMap<(u32, u32), Spend>>,
    /// How many questions there are.
    pub wanted: AtomicU64,
    /// How many of them are answered.
    done: AtomicU64,
    /// Told when something changes.
    pub changed: Notify,
    /// Why nobody is asked any more.
    pub over: Mutex<Option<Over>>,
    /// Why nothing is kept for later runs any more.
    pub unkept: Mutex<Option<String>>,
    /// A panic was caught while an answer was looked for.
    pub panicked: AtomicBool,
    ahead: Ahead,
}

/// Holds a mutex, whoever panicked with it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes questions and has them answered, so many at once.
pub async fn dispatch(work: Arc<Work>, mut questions: mpsc::Receiver<Wanted>, room: usize) {
    let room = Arc::new(Semaphore::new(room));
    // Those that waited for another.
    let (followers, mut following) = mpsc::unbounded_channel();
    loop {
        let wanted = tokio::select! {
            biased;
            Some(wanted) = following.recv() => Some(wanted),
            wanted = questions.recv() => match wanted {
                Some(wanted) => work.ahead.go(wanted),
                None => break,
            },
        };
        let Some(wanted) = wanted else { continue };
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.ok(),
            () = work.stopped() => None,
        };
        let (work, followers) = (work.clone(), followers.clone());
        let Some(permit) = permit.filter(|_| !work.is_over()) else {
            work.finish(&wanted, Err("it was not asked: the run was to end".to_owned()), Came::Over, &followers);
            continue;
        };
        tokio::spawn(async move {
            let found = AssertUnwindSafe(work.find(&wanted)).catch_unwind().await;
            let (came, found) = found.unwrap_or_else(|_| {
                work.panicked.store(true, Ordering::Relaxed);
                (Came::Over, Err(format!("a bug in seatrial: {}", last_panic())))
            });
            drop(permit);
            work.finish(&wanted, found, came, &followers);
        });
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

impl Work {
    /// Nothing asked yet.
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            answers: Answers::default(),
            journal: Mutex::default(),
            spends: Mutex::default(),
            wanted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            changed: Notify::new(),
            over: Mutex::default(),
            unkept: Mutex::default(),
            panicked: AtomicBool::default(),
            ahead: Ahead::default(),
        }
    }

    /// The name and the key of what is needed of a model; `None` where none is.
    pub fn key(&self, need: &Need) -> Option<(Name, Key)> {
        let name = Name::of(need)?;
        let identity = self.sources.identities.get(&name).map_or("", String::as_str);
        let key = key(need, identity)?;
        Some((name, key))
    }

    /// What a question has in common with others, where its endpoint remembers that.
    pub fn beginning(&self, name: &Name, need: &Need) -> Option<Beginning> {
        let desk = self.sources.desks.get(name)?;
        desk.remembers().then(|| beginning(need)).flatten()
    }

    /// How many questions are answered, and how many there are.
    pub fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Acquire), self.wanted.load(Ordering::Acquire))
    }

    /// Forgets which beginnings were read, and why nobody was asked.
    pub fn forget(&self) {
        self.ahead.forget();
        *lock(&self.over) = None;
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
    async fn find(&self, wanted: &Wanted) -> (Came, Found) {
        match self.past(wanted) {
            Some(found) => (Came::Known, found),
            None => self.find_outside(wanted).await,
        }
    }

    /// The answer in the evidence that the run was given; `None` where it is to be looked for elsewhere.
    fn past(&self, wanted: &Wanted) -> Option<Found> {
        let Sources { evidence, offline, continued, .. } = &self.sources;
        let name = &wanted.name;
        match evidence.as_ref().map_or(Ok(None), |past| past.find(&wanted.key)) {
            Ok(Some((line, place))) if !line.redacted => {
                let place = continued.then_some(place);
                Some(self.found(wanted, line.answered, Source::Evidence, None, place))
            }
            Ok(Some(_)) if *offline => {
                Some(Err(format!("the evidence holds the answer of `{name}` without what was redacted")))
            }
            Ok(None) if *offline => Some(Err(format!("the evidence holds no answer of `{name}`"))),
            Err(why) if *offline => Some(Err(why)),
            _ => None,
        }
    }

    async fn find_outside(&self, wanted: &Wanted) -> (Came, Found) {
        let Sources { cache, desks, budget, .. } = &self.sources;
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
            return (Came::Known, self.found(wanted, answered, Source::Cache, None, None));
        }
        let Some(desk) = desks.get(&wanted.name) else {
            return (Came::Over, Err(format!("`{}` cannot be asked", wanted.name)));
        };
        let limits = budget.limits();
        let held = |most| self.note(&wanted.key, limits, Note::Held, most);
        let (answered, counts) = desk.answer(&wanted.need, budget, &held).await;
        if answered.is_err() {
            self.note(&wanted.key, limits, Note::Settled, counts);
        }
        let found = match answered {
            Ok(answered) => {
                if let Some(cache) = cache
                    && !self.hides(wanted, &answered)
                {
                    self.keeps(cache.put(&wanted.key, &answered).await);
                }
                let charge = is_limited(limits).then(|| Charge::of(counts, limits));
                self.found(wanted, answered, Source::Asked, charge, None)
            }
            Err(Trouble { cause: Cause::Budget, message, .. }) => {
                self.end(Over::Spent(message.clone()));
                Err(message)
            }
            Err(trouble) => Err(trouble.message),
        };
        (Came::Over, found)
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

    /// Notes in the evidence what a question counts for, where there are limits.
    fn note(&self, key: &Key, limits: Limits, note: fn(Charge) -> Note, amount: Amount) {
        if is_limited(limits)
            && let Some(journal) = lock(&self.journal).as_mut()
            && let Err(why) = journal.note(key, note(Charge::of(amount, limits)))
        {
            self.end(Over::Write(why));
        }
    }

    /// Counts an answer and writes it to the evidence, unless it stands there already.
    fn found(
        &self,
        wanted: &Wanted,
        answered: Answered,
        source: Source,
        charge: Option<Charge>,
        stands: Option<Place>,
    ) -> Found {
        answered.count(source, lock(&self.spends).entry(wanted.by).or_insert_with(|| none(wanted)));
        let mut place = stands;
        if stands.is_none()
            && let Some(journal) = lock(&self.journal).as_mut()
        {
            let (name, hidden) = (wanted.name.to_string(), self.hides(wanted, &answered));
            let written = wanted.redactor.pass(&answered);
            match journal.put(&wanted.key, &name, source, hidden, charge, &written) {
                Ok(written) => place = (!hidden).then_some(written),
                Err(why) => self.end(Over::Write(why)),
            }
        }
        Ok((answered.reply, place))
    }

    /// Tells an answer to all who wait for it, and lets those go that waited for its question.
    fn finish(&self, wanted: &Wanted, found: Found, came: Came, followers: &mpsc::UnboundedSender<Wanted>) {
        if found.is_err() {
            lock(&self.spends).entry(wanted.by).or_insert_with(|| none(wanted)).failed += 1;
        }
        self.answers.put(wanted.key, found);
        for follower in self.ahead.came(wanted.beginning, came) {
            // Whoever takes them does so until the asker is dropped.
            let _ = followers.send(follower);
        }
        self.done.fetch_add(1, Ordering::Release);
        self.changed.notify_waiters();
    }
}

fn is_limited(limits: Limits) -> bool {
    limits.cost.is_some() || limits.tokens.is_some()
}

fn none(wanted: &Wanted) -> Spend {
    Spend { check: wanted.by.1, ..Spend::default() }
}
