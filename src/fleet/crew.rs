//! The one who asks: puts portions into the queue and waits for their answers.
//!
//! As many portions are on their way as there are threads that read. A portion that nobody could do is asked for again,
//! session by session, so that only the one it is about is lost; that one becomes an error of its verdicts, made by a
//! worker that looks at no more of it than whose it is. One of which not even that can be said is left out, and counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::address::Address;
use super::bundle::VERSION;
use super::pull::Pull;
use super::queue::{Note, Queue, QueueError, Tell, Whose};
use super::task::{Became, Task, pack_recipe};
use crate::eval::keep::Keep;
use crate::model::digest::Digest;
use crate::model::{LeftOut, Problem};
use crate::run::apart::{Answer, Crew, Portion, Said};
use crate::run::engine::Early;
use crate::sources::recipe::Recipe;

/// How often it is looked whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// After how long without an answer it is looked whether anybody works.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited for the next answer at a time.
const NEXT: Duration = Duration::from_secs(5);

/// How often a portion is handed out before it is given up.
pub const TRIES: u32 = 5;

/// What is asked for and not answered yet, by key.
type Open = Mutex<HashMap<String, SyncSender<Became>>>;

/// How work is handed out.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long a message may take, unless its worker says that it still works; `None` leaves it as it is.
    pub ack_wait: Option<Duration>,
    /// How often a portion is handed out before it is given up.
    pub tries: u32,
}

/// A run that has its sessions judged by workers.
pub struct Fleet {
    queue: Queue,
    handle: Handle,
    run: String,
    open: Arc<Open>,
    work: PullConsumer,
    terms: Terms,
    stop: &'static AtomicBool,
    tell: Tell,
    /// It was told that nobody works.
    told: AtomicBool,
    hears: JoinHandle<()>,
    next: AtomicU64,
    /// Portions that nobody could do.
    dead: AtomicU64,
    /// Recipes that are there for workers.
    recipes: Mutex<Vec<(Arc<Recipe>, Digest)>>,
}

impl Fleet {
    /// Connects, as a run of its own.
    ///
    /// # Errors
    /// There is no queue.
    pub fn join(
        handle: Handle,
        address: &Address,
        terms: Terms,
        stop: &'static AtomicBool,
        tell: Tell,
    ) -> Result<Self, QueueError> {
        let run = format!("{:016x}", fastrand::u64(..));
        let (queue, work, answers) = handle.block_on(async {
            let queue = Queue::connect(address, tell.clone()).await?;
            let work = queue.workers(terms.ack_wait).await?;
            let answers = queue.answers(&run).await?;
            Ok::<_, QueueError>((queue, work, answers))
        })?;
        let open: Arc<Open> = Arc::default();
        let answers = Pull::new(queue.clone(), Whose::Run(run.clone()), answers, tell.clone());
        let hears = handle.spawn(hear(queue.clone(), answers, open.clone(), tell.clone()));
        let (told, next, dead) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let recipes = Mutex::default();
        Ok(Self { queue, handle, run, open, work, terms, stop, tell, told, hears, next, dead, recipes })
    }

    /// Has the sessions of a suite judged, which workers get as a bundle.
    ///
    /// # Errors
    /// It is to end.
    pub fn suite(self: &Arc<Self>, bundle: &[u8], index: u32, keep: Keep) -> Result<SuiteCrew, QueueError> {
        let suite = self.handle.block_on(self.queue.objects.keep(bundle, &|| self.stopped()))?;
        Ok(SuiteCrew { fleet: self.clone(), suite, index, keep })
    }

    /// Portions that nobody could do.
    pub fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// Ends, and takes away what is left.
    pub fn leave(&self) {
        self.hears.abort();
        self.handle.block_on(async {
            // A server that is gone has nothing that could be taken away.
            let _ = tokio::time::timeout(NEXT, self.queue.forget(&self.run)).await;
        });
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The digest of a recipe, which workers find under it.
    fn recipe(&self, recipe: &Recipe) -> Result<Digest, Early> {
        // Held while it is put there: all of those who ask at first want the same one.
        let mut recipes = lock(&self.recipes);
        if let Some((_, digest)) = recipes.iter().find(|(known, _)| **known == *recipe) {
            return Ok(*digest);
        }
        let packed = pack_recipe(recipe).map_err(|why| Early::Crew(why.to_string()))?;
        let digest = self.handle.block_on(self.queue.objects.keep(&packed, &|| self.stopped())).map_err(early)?;
        recipes.push((Arc::new(recipe.clone()), digest));
        // Files are read one after the other, and each may have its own.
        let many = recipes.len().saturating_sub(4);
        recipes.drain(..many);
        Ok(digest)
    }

    /// Says once that nobody works, if so; whether what was asked for, under this id and at this place, is nowhere any more.
    fn look(&self, place: u64, id: &str) -> bool {
        let info = self.handle.block_on(async { tokio::time::timeout(NEXT, self.work.get_info()).await });
        let Ok(Ok(info)) = info else { return false };
        if self.terms.ack_wait.is_some_and(|wanted| wanted != info.config.ack_wait) {
            // A worker that began at the same time put its own there.
            let _ = self
                .handle
                .block_on(async { tokio::time::timeout(NEXT, self.queue.workers(self.terms.ack_wait)).await });
        }
        if info.num_waiting == 0 && info.num_ack_pending == 0 && !self.told.swap(true, Ordering::Relaxed) {
            (self.tell)(&format!(
                "nobody works: {} portions wait for workers of seatrial {VERSION} (`seatrial worker ADDRESS`)",
                info.num_pending
            ));
        }
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            // Wherever it lies, nobody will be given it.
            return true;
        }
        let there = async { tokio::time::timeout(NEXT, self.queue.has_work(place, id)).await };
        matches!(self.handle.block_on(there), Ok(Ok(false)))
    }
}

/// Hears answers until it is ended.
async fn hear(queue: Queue, mut answers: Pull, open: Arc<Open>, tell: Tell) {
    loop {
        if hear_next(&queue, &mut answers, &open, &tell).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn hear_next(queue: &Queue, answers: &mut Pull, open: &Open, tell: &Tell) -> Result<(), QueueError> {
    let Some(message) = answers.next(NEXT).await? else { return Ok(()) };
    let key = message.subject().rsplit('.').next().unwrap_or_default().to_owned();
    let waits = lock(open).contains_key(&key);
    if waits {
        let read = match queue.content(&message).await {
            Err(why) if message.delivered() <= TRIES => return Err(why),
            content => content.map_err(|why| why.to_string()),
        };
        let became = read.and_then(|content| Became::unpack(&content).map_err(|why| why.to_string()));
        let became = became.unwrap_or_else(|why| {
            tell(&format!("an answer cannot be read: {why}"));
            Became::Dead(format!("its answer cannot be read: {why}"))
        });
        if let Some(asked) = lock(open).remove(&key) {
            // Who asked may have ended.
            let _ = asked.send(became);
        }
    }
    queue.done_with(&message).await
}

/// The sessions of a suite, judged by workers.
pub struct SuiteCrew {
    fleet: Arc<Fleet>,
    suite: Digest,
    index: u32,
    keep: Keep,
}

impl Crew for SuiteCrew {
    fn judge(&self, portion: &Portion<'_>) -> Result<Answer, Early> {
        let why = match self.ask(portion)? {
            Ok(answer) => return Ok(answer),
            Err(why) => why,
        };
        let (mut whole, mut tools) = (Answer::default(), BTreeSet::new());
        for element in &portion.elements {
            let one = Portion { elements: vec![*element], ..portion.clone() };
            let answer = match portion.elements.len() {
                // It was asked for alone.
                1 => self.give_up(&one, &why)?,
                _ => match self.ask(&one)? {
                    Ok(answer) => answer,
                    Err(why) => self.give_up(&one, &why)?,
                },
            };
            whole.said.extend(answer.said);
            whole.panicked |= answer.panicked;
            tools.extend(answer.tools);
        }
        whole.tools = tools.into_iter().collect();
        Ok(whole)
    }
}

impl SuiteCrew {
    /// Has an error made of a session that nobody could judge.
    fn give_up(&self, one: &Portion<'_>, why: &str) -> Result<Answer, Early> {
        self.fleet.dead.fetch_add(1, Ordering::Relaxed);
        let why = format!("no worker could judge it: {why}");
        let given_up = Portion { given_up: Some(why.clone()), ..one.clone() };
        Ok(self.ask(&given_up)?.unwrap_or_else(|_| {
            let said = vec![Said::LeftOut { id: None, problem: Problem::new(LeftOut::Malformed, why) }];
            Answer { said, ..Answer::default() }
        }))
    }

    /// Asks for a portion, and waits for the answer. The inner error says why nobody could do it.
    fn ask(&self, portion: &Portion<'_>) -> Result<Result<Answer, String>, Early> {
        let fleet = &self.fleet;
        let key = format!("{}-{}", self.index, fleet.next.fetch_add(1, Ordering::Relaxed));
        let task = Task {
            run: fleet.run.clone(),
            key: key.clone(),
            version: VERSION.to_owned(),
            suite: self.suite,
            index: self.index,
            now_ns: portion.now_ns,
            keep: self.keep,
            tries: fleet.terms.tries,
            reply: fleet.queue.done(&fleet.run, &key),
            recipe: fleet.recipe(portion.recipe)?,
            stem: portion.stem.to_owned(),
            file: portion.file,
            room: portion.room,
            given_up: portion.given_up.clone(),
            elements: portion.elements.iter().map(|(index, _)| *index).collect(),
        };
        let packed = task.pack(portion).map_err(|why| Early::Crew(why.to_string()))?;
        let (answered, answer) = sync_channel(1);
        lock(&fleet.open).insert(key.clone(), answered);
        let became = self.wait(&key, &packed, &answer);
        lock(&fleet.open).remove(&key);
        match became? {
            Became::Done(answer) => Ok(Ok(answer)),
            Became::Dead(why) => Ok(Err(why)),
            Became::Refused(why) => Err(Early::Crew(format!("a worker refuses the work: {why}"))),
        }
    }

    fn wait(&self, key: &str, packed: &[u8], answer: &Receiver<Became>) -> Result<Became, Early> {
        let fleet = &self.fleet;
        let note = Note { ack_wait: Some(fleet.work.cached_info().config.ack_wait), ..Note::default() };
        let id = |again: u32| format!("{}-{key}-{again}", fleet.run);
        let put = |again: u32| {
            let (id, subject) = (id(again), fleet.queue.work(&fleet.run));
            fleet.handle.block_on(fleet.queue.put(&subject, &id, packed, note, &|| fleet.stopped())).map_err(early)
        };
        let (mut place, mut since, mut again) = (put(0)?, Instant::now(), 0);
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(became) => return Ok(became),
                Err(RecvTimeoutError::Disconnected) => return Err(Early::Crew("the answer was lost".to_owned())),
                Err(RecvTimeoutError::Timeout) if fleet.stopped() => return Err(Early::Interrupted),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if since.elapsed() >= PATIENCE {
                since = Instant::now();
                // A server that has lost what it had is asked anew. Of two equal answers one is dropped.
                if fleet.look(place, &id(again)) {
                    again += 1;
                    place = put(again)?;
                }
            }
        }
    }
}

fn early(error: QueueError) -> Early {
    match error {
        QueueError::Stopped => Early::Interrupted,
        other => Early::Crew(other.to_string()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
