//! A consumer that is pulled from, and made anew when it hands out nothing though there is something.
//!
//! A server that was killed can come back with a consumer whose state is older or newer than its stream's. One that is to
//! hand out again what is not there any more hands out nothing at all from then on (nats-server 2.9 does so): whoever waits
//! would wait for ever. Made anew, it begins at the first message that is there. What was done before is then done again,
//! and of two equal answers one is dropped.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;

use super::queue::{IN_HANDS, Message, Queue, QueueError, Tell, Whose};

/// A consumer that is pulled from.
pub struct Pull {
    queue: Queue,
    whose: Whose,
    consumer: PullConsumer,
    tell: Tell,
    /// How much was handed out when nothing came though something was there.
    stands_at: Option<u64>,
}

impl Pull {
    /// Pulls from a consumer.
    pub fn new(queue: Queue, whose: Whose, consumer: PullConsumer, tell: Tell) -> Self {
        Self { queue, whose, consumer, tell, stands_at: None }
    }

    /// The next message, or `None` when there was none for a while.
    ///
    /// # Errors
    /// The server does not answer. The next time it is asked anew.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Message>, QueueError> {
        match self.queue.next(&self.consumer, patience).await {
            Ok(Some(message)) => {
                self.stands_at = None;
                Ok(Some(message))
            }
            Ok(None) => self.look().await.map(|()| None),
            Err(why) => {
                if let Ok(again) = self.queue.consumer(&self.whose).await {
                    self.consumer = again;
                }
                Err(why)
            }
        }
    }

    /// Looks whether the server hands out what it has.
    async fn look(&mut self) -> Result<(), QueueError> {
        let info = self.queue.info(&self.consumer).await?;
        let is_there = info.num_pending > 0 && i64::try_from(info.num_ack_pending).unwrap_or(i64::MAX) < IN_HANDS;
        let at = info.delivered.consumer_sequence;
        if is_there && self.stands_at == Some(at) {
            (self.tell)(&format!("{} messages are not handed out: their consumer is made anew", info.num_pending));
            self.consumer = self.queue.remake(&self.whose, &info).await?;
            self.stands_at = None;
        } else {
            self.stands_at = is_there.then_some(at);
        }
        Ok(())
    }
}
