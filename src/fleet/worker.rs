//! A worker: takes one portion after the other from the queue, judges it and answers. It keeps nothing, and any number of
//! them may work side by side.
//!
//! The answer is in its stream before the work is acknowledged: a worker that is killed in between has its work done by
//! another, whose answer is the same and is dropped. A portion that was handed out before may be what ended the one who
//! had it: it is worked on alone, so that nothing else is lost with it, and after so many tries it becomes a dead letter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use tokio::sync::{Semaphore, watch};

use super::bundle::{Loaded, Own, VERSION};
use super::crew::TRIES;
use super::frame::Frame;
use super::metrics::Metrics;
use super::pull::Pull;
use super::queue::{Message, Note, Queue, QueueError, Tell, Whose};
use super::task::{Became, Task, unpack_recipe};
use crate::assemble::intake::Options;
use crate::evidence::Outside;
use crate::formats::Decode;
use crate::model::digest::Digest;
use crate::run::apart;
use crate::run::engine::Job;
use crate::sources::recipe::Recipe;

/// How long a worker waits for work before it looks whether it is to end.
const NEXT: Duration = Duration::from_secs(2);

/// How long is waited after the queue could not be had.
const AGAIN: Duration = Duration::from_millis(500);

/// How often the queue's lag is looked at.
const LAG: Duration = Duration::from_secs(5);

/// How often at most the server is told that a message is being worked on.
const SOONEST: Duration = Duration::from_millis(25);

/// Suites, and recipes, that are kept loaded.
const LOADED: usize = 16;

/// The most of a message that nobody can read which is kept as a dead letter.
const UNREAD: usize = 64 << 10;

/// What is kept loaded, by digest, the oldest first.
type Held<T> = Mutex<Vec<(Digest, Arc<T>)>>;

/// What a worker works with.
pub struct Worker {
    queue: Queue,
    consumer: PullConsumer,
    /// How long the server waits before another worker gets a message, in milliseconds.
    ack_wait: AtomicU64,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    own: Own,
    outside: Outside,
    suites: Held<Result<Loaded, String>>,
    recipes: Held<(Recipe, Decode)>,
    tell: Tell,
}

/// A message with the assurance that the server knows it is being worked on.
struct InHand {
    message: Arc<Message>,
    says_so: tokio::task::JoinHandle<()>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.says_so.abort();
    }
}

impl InHand {
    fn new(message: Message, ack_wait: Duration) -> Self {
        let message = Arc::new(message);
        let mine = message.clone();
        let says_so = tokio::spawn(async move {
            loop {
                tokio::time::sleep((ack_wait / 3).max(SOONEST)).await;
                mine.in_progress().await;
            }
        });
        Self { message, says_so }
    }
}

impl Worker {
    /// A worker of a queue.
    ///
    /// # Errors
    /// The queue cannot be had.
    pub async fn new(queue: Queue, own: Own, tell: Tell) -> Result<Self, QueueError> {
        let consumer = queue.workers(None).await?;
        let ack_wait = AtomicU64::new(millis(consumer.cached_info().config.ack_wait));
        Ok(Self {
            queue,
            consumer,
            ack_wait,
            metrics: Arc::default(),
            own,
            outside: Outside::default(),
            suites: Mutex::default(),
            recipes: Mutex::default(),
            tell,
        })
    }

    /// Works with so many hands until it is told to end; what is in hand then is done.
    pub async fn work(self, jobs: usize, stop: watch::Receiver<bool>) {
        let mut waits = Pull::new(self.queue.clone(), Whose::Workers, self.consumer.clone(), self.tell.clone());
        let jobs = u32::try_from(jobs.max(1)).unwrap_or(u32::MAX);
        let hands = Arc::new(Semaphore::new(jobs as usize));
        let this = Arc::new(self);
        let lag = tokio::spawn(this.clone().look());
        while !*stop.borrow() {
            let Ok(hand) = hands.clone().acquire_owned().await else { break };
            let message = match waits.next(NEXT).await {
                Ok(message) => message,
                Err(_) => {
                    this.metrics.queue_errors.inc();
                    this.metrics.ready.store(false, Ordering::Relaxed);
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            this.metrics.ready.store(true, Ordering::Relaxed);
            let Some(message) = message else { continue };
            let again = message.delivered() > 1;
            let known = Duration::from_millis(this.ack_wait.load(Ordering::Relaxed));
            let wait = message.ack_wait().map_or(known, |wait| wait.min(known));
            let message = InHand::new(message, wait);
            if again {
                this.metrics.redelivered.inc();
                // With the others done, and none of them begun.
                let others = hands.acquire_many(jobs - 1).await;
                this.take(&message).await;
                drop((others, hand));
            } else {
                let this = this.clone();
                tokio::spawn(async move {
                    this.take(&message).await;
                    drop(hand);
                });
            }
        }
        let _all = hands.acquire_many(jobs).await;
        lag.abort();
    }

    /// Looks at the queue's lag, again and again.
    async fn look(self: Arc<Self>) {
        loop {
            if let Ok(info) = self.consumer.get_info().await {
                self.ack_wait.store(millis(info.config.ack_wait), Ordering::Relaxed);
                self.metrics.waiting.set(i64::try_from(info.num_pending).unwrap_or(i64::MAX));
                self.metrics.in_hands.set(i64::try_from(info.num_ack_pending).unwrap_or(i64::MAX));
            }
            tokio::time::sleep(LAG).await;
        }
    }

    /// Does a portion. What fails for the queue's sake is handed out again by the queue.
    async fn take(self: &Arc<Self>, in_hand: &InHand) {
        self.metrics.in_hand.inc();
        if let Err(why) = self.take_one(&in_hand.message).await {
            self.metrics.queue_errors.inc();
            self.metrics.portion("given_back");
            (self.tell)(&format!("a portion is given back: {why}"));
            in_hand.message.give_back(AGAIN).await;
        }
        self.metrics.in_hand.dec();
    }

    async fn take_one(self: &Arc<Self>, message: &Arc<Message>) -> Result<(), QueueError> {
        let content = match self.queue.content(message).await {
            Ok(content) => content,
            // What it refers to is gone. Whoever asked, and still waits, finds that it is nowhere, and asks anew.
            Err(why) if message.delivered() > TRIES => {
                let id = format!("gone-{}", message.id().unwrap_or_default());
                return self.bury(message, "unreadable", &id, &[], &why.to_string()).await;
            }
            Err(why) => return Err(why),
        };
        let read = Frame::unpack(&content).and_then(|frame| Ok((frame.head::<Task>()?, frame)));
        let (task, frame) = match read {
            Ok(read) => read,
            Err(why) => {
                // Nobody can be told but people.
                let id = format!("unreadable-{}", blake3::hash(&content).to_hex());
                let kept = &content[..content.len().min(UNREAD)];
                return self.bury(message, "unreadable", &id, kept, &why.to_string()).await;
            }
        };
        let why = format!("it was handed out {} times, and nobody answered", task.tries);
        let (became, outcome) = if message.delivered() > task.tries {
            let id = format!("{}-{}", task.run, task.key);
            let subject = self.queue.dead(&task.run);
            self.queue.put(&subject, &id, &content, dead(&why), &never).await?;
            (Became::Dead(why), "dead")
        } else {
            match self.ready(&task).await? {
                Err(why) => {
                    (self.tell)(&format!("work is refused: {why}"));
                    (Became::Refused(why), "refused")
                }
                Ok((suite, recipe)) => {
                    let this = self.clone();
                    let asked = task.clone();
                    let judged = tokio::task::spawn_blocking(move || this.judge(&asked, &frame, &suite, &recipe)).await;
                    match judged {
                        Ok(Ok(answer)) => (Became::Done(answer), "done"),
                        Ok(Err(why)) => (Became::Refused(why), "refused"),
                        // A panic that was not one of a check.
                        Err(why) => (Became::Refused(format!("a bug in seatrial: {why}")), "refused"),
                    }
                }
            }
        };
        let (packed, outcome) = match became.pack() {
            Ok(packed) => (Ok(packed), outcome),
            // More than a message may hold: of each session by itself it may be less.
            Err(why) => (Became::Dead(why.to_string()).pack(), "dead"),
        };
        let packed = packed.map_err(|why| QueueError::Refused { what: "an answer", why: why.to_string() })?;
        // An answer to what was asked anew is another one: the first may be lost. Of two the asker drops one.
        let asked = message.id().unwrap_or_else(|| format!("{}-{}", task.run, task.key));
        let id = format!("{asked}-done");
        self.queue.put(&task.reply, &id, &packed, Note::default(), &never).await?;
        self.queue.done_with(message).await?;
        self.metrics.portion(outcome);
        Ok(())
    }

    /// Makes a dead letter of a message.
    async fn bury(&self, message: &Message, run: &str, id: &str, content: &[u8], why: &str) -> Result<(), QueueError> {
        (self.tell)(&format!("a message becomes a dead letter: {why}"));
        self.queue.put(&self.queue.dead(run), id, content, dead(why), &never).await?;
        self.queue.done_with(message).await?;
        self.metrics.portion("unreadable");
        Ok(())
    }

    /// What a task needs, from the queue unless it is known. The inner error says why the work is refused.
    async fn ready(
        &self,
        task: &Task,
    ) -> Result<Result<(Arc<Result<Loaded, String>>, Arc<(Recipe, Decode)>), String>, QueueError> {
        if task.version != VERSION {
            return Ok(Err(format!("it asks for seatrial {}, and this is {VERSION}", task.version)));
        }
        if !task.reply.starts_with(&self.queue.done(&task.run, "")) {
            return Ok(Err("its answer would go to another place than answers go to".to_owned()));
        }
        let suite = match known(&self.suites, &task.suite) {
            Some(suite) => suite,
            None => {
                let bundle = self.queue.objects.kept(&task.suite).await?;
                let loaded = tokio::task::block_in_place(|| Loaded::load(&bundle, &self.own));
                remember(&self.suites, task.suite, Arc::new(loaded))
            }
        };
        if let Err(why) = &*suite {
            return Ok(Err(why.clone()));
        }
        let recipe = match known(&self.recipes, &task.recipe) {
            Some(recipe) => recipe,
            None => {
                let packed = self.queue.objects.kept(&task.recipe).await?;
                let recipe = match unpack_recipe(&packed) {
                    Ok(recipe) => recipe,
                    Err(why) => return Ok(Err(why.to_string())),
                };
                match recipe.decoder() {
                    Ok(decoder) => remember(&self.recipes, task.recipe, Arc::new((recipe, decoder))),
                    Err(problem) => return Ok(Err(problem.message)),
                }
            }
        };
        Ok(Ok((suite, recipe)))
    }

    /// Judges the sessions of a task.
    fn judge(
        &self,
        task: &Task,
        frame: &Frame,
        suite: &Result<Loaded, String>,
        recipe: &(Recipe, Decode),
    ) -> Result<apart::Answer, String> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        let loaded = suite.as_ref().map_err(String::clone)?;
        let planned = loaded.planned().ok_or("nothing of the suite is to be evaluated")?;
        let portion = task.portion(frame, &recipe.0, &task.stem).map_err(|why| why.to_string())?;
        let job = Job {
            planned: &planned,
            index: task.index,
            files: &[],
            ignored: Vec::new(),
            problems: Vec::new(),
            now_ns: task.now_ns,
            jobs: 1,
            fail_fast: false,
            keep: task.keep,
            shard: None,
            known: None,
            stop: &NEVER,
            progress: &|_| (),
            redactor: &planned.suite.redactor,
            live: false,
            assemble: &Options::default(),
            edge: &self.outside,
            collecting: false,
            crew: None,
            given_up: task.given_up.as_deref(),
        };
        let answer = apart::answer(&job, &portion, &recipe.1);
        self.metrics.sessions.inc_by(answer.said.len() as u64);
        self.metrics.panics.inc_by(u64::from(answer.panicked));
        Ok(answer)
    }
}

fn dead(reason: &str) -> Note<'_> {
    Note { reason: Some(reason), ..Note::default() }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An answer that is there goes out, even when the worker is to end.
fn never() -> bool {
    false
}

/// What is known under a digest.
fn known<T>(all: &Held<T>, digest: &Digest) -> Option<Arc<T>> {
    lock(all).iter().find(|(known, _)| known == digest).map(|(_, value)| value.clone())
}

/// Keeps something under its digest; the oldest goes when there is too much.
fn remember<T>(all: &Held<T>, digest: Digest, value: Arc<T>) -> Arc<T> {
    let mut all = lock(all);
    all.push((digest, value.clone()));
    let many = all.len().saturating_sub(LOADED);
    all.drain(..many);
    value
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
