//! The queue, on NATS JetStream: what is to be done, what was done, and what nobody could do.
//!
//! - `NAME.work.VERSION.RUN`, in a work-queue stream: portions. A message is handed to one worker at a time and gone when
//!   that acknowledges it. Workers of another version have another subject, and never see it.
//! - `NAME.done.RUN.KEY`, in a work-queue stream: answers, for the one who asked.
//! - `NAME.dead.RUN`: portions that were handed out as often as they may be, with the reason, for people to look at.
//!
//! Every message has an id by which the server drops a second one. What is larger than the server takes goes to its object
//! store, and the message refers to it; so do bundles and recipes, under their digests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{self, AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::{Event, jetstream};

use super::address::Address;
use super::bundle::VERSION;
use super::objects::Objects;

/// How long a message may take to be worked on before another worker gets it, unless its worker says that it still works.
pub const ACK_WAIT: Duration = Duration::from_secs(30);

/// For how long the server knows ids again.
const DUPLICATES: Duration = Duration::from_secs(600);

/// For how long answers wait for whoever asked, and what was asked for workers.
const DONE_FOR: Duration = Duration::from_secs(24 * 3600);

/// For how long what nobody could do is kept.
const DEAD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Messages that all workers together may have in their hands.
pub(super) const IN_HANDS: i64 = 10_000;

/// Bytes of a message that are left for its headers.
const HEADERS: usize = 8 << 10;

/// How long is waited before something is tried again.
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// The header that names what a message refers to.
const BLOB: &str = "Seatrial-Blob";

/// What is said beside a message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note<'n> {
    /// Why it is a dead letter.
    pub reason: Option<&'n str>,
    /// How long it may take before another worker gets it.
    pub ack_wait: Option<Duration>,
}

/// The header that says why a message is a dead letter.
const REASON: &str = "Seatrial-Reason";

/// The header that says how long a message may take, in milliseconds.
const WAIT: &str = "Seatrial-Ack-Wait";

/// What went wrong with the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is no server, or it does not let us in.
    #[error("{at} cannot be reached: {why}")]
    Unreachable {
        /// Where it was looked for.
        at: String,
        /// Why.
        why: String,
    },
    /// The server does not do what is asked of it.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// It is to end.
    #[error("it is to end")]
    Stopped,
}

pub(super) fn refused<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> QueueError {
    move |why| QueueError::Refused { what, why: why.to_string() }
}

/// Is told what happens to the connection.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// How long a server is waited for that is not there.
const STARTS: Duration = Duration::from_secs(5);

/// A connection to a fleet's queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: async_nats::Client,
    js: Context,
    /// What is too large for a message, and what is kept under its digest.
    pub objects: Objects,
    name: String,
    version: String,
}

/// The streams of a fleet.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Work,
    Done,
    Dead,
}

/// Whose messages they are.
#[derive(Debug, Clone)]
pub enum Whose {
    /// The portions that wait for workers of this version.
    Workers,
    /// The answers to a run.
    Run(String),
}

/// A message from the queue.
pub struct Message(jetstream::Message);

impl Queue {
    /// Connects, and makes the streams of the fleet where they are not there. A server that is not there is waited for, a
    /// little: it may just be starting.
    ///
    /// # Errors
    /// There is no such server, or it has no JetStream.
    pub async fn connect(address: &Address, tell: Tell) -> Result<Self, QueueError> {
        let began = Instant::now();
        loop {
            match Self::connect_once(address, tell.clone()).await {
                Err(_) if began.elapsed() < STARTS => tokio::time::sleep(STARTS / 20).await,
                connected => return connected,
            }
        }
    }

    async fn connect_once(address: &Address, tell: Tell) -> Result<Self, QueueError> {
        let at = || address.to_string();
        let told = at();
        let lost = AtomicBool::new(false);
        let events = move |event: Event| {
            match event {
                Event::Disconnected if !lost.swap(true, Ordering::Relaxed) => {
                    tell(&format!("the connection to {told} is lost; it is tried again"));
                }
                Event::Connected if lost.swap(false, Ordering::Relaxed) => tell(&format!("connected to {told} again")),
                _ => {}
            }
            std::future::ready(())
        };
        let options = address.options("seatrial").event_callback(events);
        let client = options.connect(address.url()).await;
        let client = client.map_err(|why| QueueError::Unreachable { at: at(), why: why.to_string() })?;
        let js = jetstream::new(client.clone());
        let name = address.name.clone();
        let objects = Objects::of(&js, &name).await?;
        let queue = Self { client, js, objects, name, version: token(VERSION) };
        for kind in [Kind::Work, Kind::Done, Kind::Dead] {
            queue.get(kind).await?;
        }
        Ok(queue)
    }

    fn stream(&self, kind: Kind) -> stream::Config {
        let (token, retention, max_age) = match kind {
            Kind::Work => ("work", RetentionPolicy::WorkQueue, DONE_FOR),
            Kind::Done => ("done", RetentionPolicy::WorkQueue, DONE_FOR),
            Kind::Dead => ("dead", RetentionPolicy::Limits, DEAD_FOR),
        };
        stream::Config {
            name: format!("{}_{}", self.name, token.to_ascii_uppercase()),
            subjects: vec![format!("{}.{token}.>", self.name)],
            retention,
            max_age,
            // What does not fit is refused, and tried again: nothing is pushed out.
            discard: DiscardPolicy::New,
            duplicate_window: DUPLICATES,
            num_replicas: 1,
            ..stream::Config::default()
        }
    }

    /// Where portions of a run wait.
    pub fn work(&self, run: &str) -> String {
        format!("{}.work.{}.{run}", self.name, self.version)
    }

    /// Where the answer to a portion of a run waits.
    pub fn done(&self, run: &str, key: &str) -> String {
        format!("{}.done.{run}.{key}", self.name)
    }

    /// Where what nobody could do is kept.
    pub fn dead(&self, run: &str) -> String {
        format!("{}.dead.{run}", self.name)
    }

    /// The work of this version. `ack_wait` is set where it is given, and else as it is, or [`ACK_WAIT`].
    ///
    /// # Errors
    /// The server refuses.
    pub async fn workers(&self, ack_wait: Option<Duration>) -> Result<PullConsumer, QueueError> {
        let stream = self.get(Kind::Work).await?;
        let name = format!("workers-{}", self.version);
        let config = pull::Config {
            durable_name: Some(name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ack_wait.unwrap_or(ACK_WAIT),
            // Workers count, and say why they give up.
            max_deliver: -1,
            max_ack_pending: IN_HANDS,
            max_waiting: IN_HANDS,
            filter_subject: format!("{}.work.{}.>", self.name, self.version),
            ..pull::Config::default()
        };
        let consumer = match ack_wait {
            None => stream.get_or_create_consumer(&name, config).await.map_err(|why| why.to_string()),
            Some(_) => stream.create_consumer(config).await.map_err(|why| why.to_string()),
        };
        consumer.map_err(refused("the consumer of workers"))
    }

    /// The answers to a run.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn answers(&self, run: &str) -> Result<PullConsumer, QueueError> {
        let stream = self.get(Kind::Done).await?;
        let config = pull::Config {
            durable_name: Some(answers_name(run)),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            max_deliver: -1,
            max_ack_pending: IN_HANDS,
            inactive_threshold: Duration::from_secs(3600),
            filter_subject: self.done(run, ">"),
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.map_err(refused("the consumer of answers"))
    }

    /// What the server says of a consumer.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn info(&self, consumer: &PullConsumer) -> Result<consumer::Info, QueueError> {
        consumer.get_info().await.map_err(refused("the state of a consumer"))
    }

    /// By which messages are pulled, as it is, or as it is usual.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn consumer(&self, whose: &Whose) -> Result<PullConsumer, QueueError> {
        match whose {
            Whose::Workers => self.workers(None).await,
            Whose::Run(run) => self.answers(run).await,
        }
    }

    /// Makes a consumer anew, which then begins with the first message that is there. Of what it was, it takes over how long
    /// a message may take.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn remake(&self, whose: &Whose, was: &consumer::Info) -> Result<PullConsumer, QueueError> {
        let kind = match whose {
            Whose::Workers => Kind::Work,
            Whose::Run(_) => Kind::Done,
        };
        self.get(kind).await?.delete_consumer(&was.name).await.map_err(refused("a consumer"))?;
        match whose {
            Whose::Workers => self.workers(Some(was.config.ack_wait)).await,
            Whose::Run(run) => self.answers(run).await,
        }
    }

    /// Whether a portion is still there, which was put there under an id and got this place.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn has_work(&self, place: u64, id: &str) -> Result<bool, QueueError> {
        match self.get(Kind::Work).await?.get_raw_message(place).await {
            // A server that has lost what was last may have given its place to another.
            Ok(message) => Ok(message.headers.get(NATS_MESSAGE_ID).is_some_and(|there| there.as_str() == id)),
            Err(why) if matches!(why.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(false),
            Err(why) => Err(refused("a message")(why)),
        }
    }

    /// Takes away what is left of a run.
    pub async fn forget(&self, run: &str) {
        // What cannot be taken away now goes by its age.
        if let Ok(work) = self.get(Kind::Work).await {
            let _ = work.purge().filter(self.work(run)).await;
        }
        if let Ok(done) = self.get(Kind::Done).await {
            let _ = done.purge().filter(self.done(run, ">")).await;
            let _ = done.delete_consumer(&answers_name(run)).await;
        }
    }

    /// A stream, which is made where it is not there: a server may have lost what it had.
    async fn get(&self, kind: Kind) -> Result<Stream, QueueError> {
        self.js.get_or_create_stream(self.stream(kind)).await.map_err(refused("the streams of the fleet"))
    }

    /// Puts a message into a stream under an id: a second one of the same id is dropped. Tried again until `stop` says
    /// that it is to end. The place that it has in the stream.
    ///
    /// # Errors
    /// It is to end.
    pub async fn put(
        &self,
        subject: &str,
        id: &str,
        bytes: &[u8],
        note: Note<'_>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<u64, QueueError> {
        loop {
            if let Ok(place) = self.put_once(subject, id, bytes, note).await {
                return Ok(place);
            }
            if stop() {
                return Err(QueueError::Stopped);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn put_once(&self, subject: &str, id: &str, bytes: &[u8], note: Note<'_>) -> Result<u64, QueueError> {
        let mut headers = HeaderMap::new();
        if let Some(wait) = note.ack_wait {
            headers.insert(WAIT, wait.as_millis().to_string());
        }
        if let Some(reason) = note.reason {
            // A header is one line.
            let line: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
            headers.insert(REASON, line);
        }
        let most = self.client.server_info().max_payload.saturating_sub(HEADERS);
        let payload = if bytes.len() > most {
            let name = format!("message-{id}");
            self.objects.put(&name, bytes).await?;
            headers.insert(BLOB, name);
            bytes::Bytes::new()
        } else {
            bytes::Bytes::copy_from_slice(bytes)
        };
        let message = PublishMessage::build().headers(headers).message_id(id).payload(payload);
        let sent = self.js.send_publish(subject.to_owned(), message).await.map_err(refused("a message"))?;
        sent.await.map(|put| put.sequence).map_err(refused("a message"))
    }

    /// The next message, or `None` when there was none for a while.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn next(&self, consumer: &PullConsumer, patience: Duration) -> Result<Option<Message>, QueueError> {
        use futures_util::StreamExt;
        let batch = consumer.batch().max_messages(1).expires(patience).messages().await;
        let mut batch = batch.map_err(refused("the next message"))?;
        let message = batch.next().await.transpose().map_err(refused("the next message"))?;
        Ok(message.map(Message))
    }

    /// The content of a message, wherever it lies.
    ///
    /// # Errors
    /// What it refers to cannot be had.
    pub async fn content(&self, message: &Message) -> Result<bytes::Bytes, QueueError> {
        match message.header(BLOB) {
            None => Ok(message.0.payload.clone()),
            Some(name) => self.objects.get(&name).await.map(bytes::Bytes::from),
        }
    }

    /// Says that a message is done with, and takes away what it refers to.
    ///
    /// # Errors
    /// The server does not know; it will hand it out again.
    pub async fn done_with(&self, message: &Message) -> Result<(), QueueError> {
        message.0.double_ack().await.map_err(refused("an acknowledgement"))?;
        if let Some(name) = message.header(BLOB) {
            self.objects.delete(&name).await;
        }
        Ok(())
    }
}

impl Message {
    fn header(&self, name: &str) -> Option<String> {
        Some(self.0.headers.as_ref()?.get(name)?.as_str().to_owned())
    }

    /// The id it was put there with.
    pub fn id(&self) -> Option<String> {
        self.header(NATS_MESSAGE_ID.as_ref())
    }

    /// How often it was handed out, this time included.
    pub fn delivered(&self) -> u32 {
        self.0.info().ok().and_then(|info| u32::try_from(info.delivered).ok()).unwrap_or(1)
    }

    /// How long it may take before another worker gets it, as the one who put it there knows.
    pub fn ack_wait(&self) -> Option<Duration> {
        self.header(WAIT)?.parse().ok().map(Duration::from_millis)
    }

    /// Where it was put.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Says that it is still being worked on.
    pub async fn in_progress(&self) {
        // If it is not heard, another worker does the same work, and one of two equal answers is dropped.
        let _ = self.0.ack_with(jetstream::AckKind::Progress).await;
    }

    /// Gives it back.
    pub async fn give_back(&self, after: Duration) {
        let _ = self.0.ack_with(jetstream::AckKind::Nak(Some(after))).await;
    }
}

fn answers_name(run: &str) -> String {
    format!("run-{run}")
}

/// A text as a token of a subject.
pub fn token(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
