//! A stream of NATS JetStream that holds a session, or a request of telemetry, a message.
//!
//! How far it was read, a number of the stream's own, is entered into the store together with what came of it: so each
//! message counts once, whoever is killed. Nothing is acknowledged, and nothing taken away: how long messages stay is the
//! stream's own affair.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::RetentionPolicy;
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{Intake, Source, message};
use crate::fleet::address::Address;
use crate::model::{LeftOut, Problem};
use crate::store::db::Place;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages that are read at a time.
const AT_ONCE: usize = 64;

/// How often it is entered where a stream was read to in which there is nothing new: places that nobody enters are
/// forgotten after a while.
const ENTERED: Duration = Duration::from_secs(3600);

/// A stream.
pub struct Nats {
    name: String,
    address: Address,
    handle: Handle,
    reading: Option<PullConsumer>,
    /// The last message that was handed over.
    place: u64,
    entered: Instant,
}

impl Nats {
    /// The stream that an address names, read on from `places`.
    pub fn new(handle: Handle, address: Address, places: &[Place]) -> Self {
        let place = places.first().and_then(|p| u64::try_from(p.place).ok()).unwrap_or_default();
        Self { name: Self::called(&address), address, handle, reading: None, place, entered: Instant::now() }
    }

    /// What a stream is called in the store.
    pub fn called(address: &Address) -> String {
        format!("stream:{address}")
    }

    /// Begins to read where it was.
    async fn begin(&mut self, intake: &mut Intake<'_>) -> Result<PullConsumer, String> {
        let client = self.address.options("seatrial watch").connect(self.address.url()).await;
        let js = jetstream::new(client.map_err(|why| why.to_string())?);
        let stream = js.get_stream(&self.address.name).await;
        let stream = stream.map_err(|why| format!("the stream `{}`: {why}", self.address.name))?;
        let info = stream.cached_info();
        if info.config.retention == RetentionPolicy::WorkQueue {
            return Err(format!(
                "the stream `{}` is a work queue, whose messages belong to one reader: take one with limits, or a copy of \
                 it (`sources`)",
                self.address.name
            ));
        }
        if info.state.last_sequence < self.place {
            // It was made anew. What is known is known by its content.
            self.place = 0;
        }
        let gone = info.state.first_sequence.saturating_sub(self.place + 1);
        if self.place > 0 && gone > 0 {
            let why = format!("{}: {gone} messages were gone before they were read", self.name);
            intake.left_out.push(Problem::new(LeftOut::Unreadable, why));
        }
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.place + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(300),
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.map_err(|why| why.to_string())
    }

    /// Reads what is there; how many messages that were.
    async fn read(&mut self, consumer: &PullConsumer, intake: &mut Intake<'_>) -> Result<usize, String> {
        let batch = consumer.fetch().max_messages(AT_ONCE).messages().await;
        let mut batch = batch.map_err(|why| why.to_string())?;
        let mut read = 0;
        while let Some(next) = batch.next().await {
            let next = next.map_err(|why| why.to_string())?;
            let sequence = next.info().map_err(|why| why.to_string())?.stream_sequence;
            if sequence <= self.place {
                continue;
            }
            let stem = format!("{}-{sequence}", self.address.name);
            message::take(next.payload.to_vec(), sequence, &stem, intake)?;
            self.place = sequence;
            read += 1;
        }
        Ok(read)
    }

    fn entered(&mut self, intake: &mut Intake<'_>) {
        self.entered = Instant::now();
        let place = i64::try_from(self.place).unwrap_or(i64::MAX);
        intake.places.push(Place { source: self.name.clone(), file: String::new(), place });
    }
}

impl Source for Nats {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<bool, String> {
        if intake.room == 0 {
            return Ok(true);
        }
        let before = self.place;
        let handle = self.handle.clone();
        let slow = |_| format!("it does not answer within {} s", PATIENCE.as_secs());
        let read = handle.block_on(async {
            let consumer = match self.reading.take() {
                Some(consumer) => consumer,
                None => tokio::time::timeout(PATIENCE, self.begin(intake)).await.map_err(slow)??,
            };
            let read = tokio::time::timeout(PATIENCE, self.read(&consumer, intake)).await.map_err(slow)?;
            if read.is_ok() {
                // Otherwise it is begun anew from where it was.
                self.reading = Some(consumer);
            }
            read
        });
        // What was handed over is handed over, whatever came behind it.
        if self.place != before || (self.place > 0 && self.entered.elapsed() >= ENTERED) {
            self.entered(intake);
        }
        read.map(|read| read == AT_ONCE)
    }
}
