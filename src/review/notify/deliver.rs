//! From the outbox to the addresses. An event becomes a post of its own for each address that wants to know, so that one
//! that is down neither keeps others from being told nor has them told twice; such a post is sent, and again later where
//! that failed.

use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message;
use crate::ledger::{Event, Item, ItemId, Label, Millis};
use crate::net::Trouble;
use crate::net::secret::Vars;
use crate::net::webhook::send::{Message, Sender, pause_after};
use crate::store::db::{About, ItemFilter, Outcome, Page, Post, Store, StoreError};
use crate::suite::settings::Webhook;

/// What a post for one address is called in the outbox.
const SEND: &str = "review.send";
/// How many posts are taken from the outbox at a time.
const BATCH: u32 = 50;
/// How many messages are under way at a time.
const AT_ONCE: usize = 8;
/// How long a post is ours before somebody else may send it, in milliseconds: longer than an attempt takes.
const HOLD: Millis = 60_000;
/// The most troubles that are told one by one.
const MOST_TROUBLES: usize = 20;

/// What is to be told to one address.
#[derive(Debug, Serialize, Deserialize)]
struct Sending {
    /// Which address ([`address`]).
    to: String,
    /// The post that it is of.
    of: String,
    event: Event,
    at: Millis,
    data: Value,
}

/// What became of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// They arrived.
    pub sent: u64,
    /// They did not, and are sent again.
    pub again: u64,
    /// They did not, and are not sent again.
    pub given_up: u64,
    /// Why, the first of them.
    pub troubles: Vec<String>,
}

impl Told {
    fn trouble(&mut self, webhook: &Webhook, why: &Trouble) {
        let text = format!("{}: {why}", webhook.target.url.written());
        if self.troubles.len() < MOST_TROUBLES && !self.troubles.contains(&text) {
            self.troubles.push(text);
        }
    }
}

/// Sends what is due.
pub struct Notifier<'n> {
    /// Where the outbox is.
    pub store: &'n Store,
    /// Who is told.
    pub webhooks: &'n [Webhook],
    /// Sends.
    pub sender: &'n Sender,
    /// Where secrets are.
    pub vars: Vars<'n>,
    /// What time it is.
    pub clock: &'n (dyn Fn() -> Millis + Send + Sync),
}

impl Notifier<'_> {
    /// Puts down that items are overdue, each once. How many are so since the last time.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn find_overdue(&self) -> Result<u64, StoreError> {
        let now = (self.clock)();
        let (mut found, mut page) = (0, Page { offset: 0, limit: 500 });
        let filter = ItemFilter { overdue: true, ..ItemFilter::default() };
        loop {
            let items = self.store.items(&filter, page, now).await?;
            for item in &items {
                let name = format!("overdue:{}", item.id);
                let event = message::in_outbox(Event::Overdue);
                found += u64::from(self.store.post(&name, &event, &message::overdue(item), now).await?);
            }
            if items.len() < page.limit as usize {
                return Ok(found);
            }
            page.offset += page.limit;
        }
    }

    /// Sends everything that is due, until nothing is.
    ///
    /// # Errors
    /// The store cannot be read or written; what was not told by then is told later.
    pub async fn send_all(&self) -> Result<Told, StoreError> {
        let mut told = Told::default();
        loop {
            let posts = self.store.due_posts(About::Items, (self.clock)(), BATCH, HOLD).await?;
            if posts.is_empty() {
                return Ok(told);
            }
            let (sends, events): (Vec<Post>, Vec<Post>) = posts.into_iter().partition(|post| post.event == SEND);
            for post in &events {
                self.address_all(post).await?;
            }
            let mut ended = futures_util::stream::iter(&sends).map(|post| self.send(post)).buffer_unordered(AT_ONCE);
            while let Some(ended) = ended.next().await {
                match ended? {
                    (Outcome::Done, _) => told.sent += 1,
                    (Outcome::Again { .. }, why) => {
                        told.again += 1;
                        why.iter().for_each(|(webhook, why)| told.trouble(webhook, why));
                    }
                    (Outcome::GivenUp { .. }, why) => {
                        told.given_up += 1;
                        why.iter().for_each(|(webhook, why)| told.trouble(webhook, why));
                    }
                }
            }
        }
    }

    /// Makes a post for each address that wants to know.
    async fn address_all(&self, post: &Post) -> Result<(), StoreError> {
        let Some(event) = message::event(&post.event) else {
            let why = format!("nothing is known of `{}`", post.event);
            return self.store.posted(post.n, &Outcome::GivenUp { why }).await;
        };
        let data: Value = serde_json::from_str(&post.body).unwrap_or_default();
        for webhook in self.webhooks.iter().filter(|w| w.events.contains(&event)) {
            let to = address(webhook);
            let name = format!("{}@{to}", post.name);
            let sending = Sending { to, of: post.name.clone(), event, at: post.created, data: data.clone() };
            let body = serde_json::to_value(&sending).unwrap_or_default();
            self.store.post(&name, SEND, &body, (self.clock)()).await?;
        }
        // Only now: whoever stops before makes the same posts again, under the same names.
        self.store.posted(post.n, &Outcome::Done).await
    }

    /// Sends one post.
    async fn send(&self, post: &Post) -> Result<(Outcome, Option<(&Webhook, Trouble)>), StoreError> {
        let sending = serde_json::from_str::<Sending>(&post.body).ok();
        let webhook = sending.as_ref().and_then(|s| self.webhooks.iter().find(|w| address(w) == s.to));
        let (Some(sending), Some(webhook)) = (sending, webhook) else {
            let outcome = Outcome::GivenUp { why: "this address is not in the settings any more".to_owned() };
            self.store.posted(post.n, &outcome).await?;
            return Ok((outcome, None));
        };
        let more = if webhook.content { self.more(&sending).await? } else { None };
        let more = more.as_ref().map(|(item, labels)| (item, labels.as_slice()));
        let body = message::body(sending.event, sending.at, sending.data, more).to_string();
        let id = message::id(&sending.of);
        let message = Message { id: &id, body: body.as_bytes() };
        let now = (self.clock)();
        let ended = self.sender.send(&webhook.target, message, now / 1000, self.vars).await;
        let trouble = ended.err();
        let outcome = match &trouble {
            None => Outcome::Done,
            Some(why) => match pause_after(post.tries + 1) {
                Some(pause) => {
                    let pause = pause.max(why.retry_after.unwrap_or(Duration::ZERO));
                    let at = now.saturating_add(Millis::try_from(pause.as_millis()).unwrap_or(Millis::MAX));
                    Outcome::Again { at, why: why.to_string() }
                }
                None => Outcome::GivenUp { why: why.to_string() },
            },
        };
        self.store.posted(post.n, &outcome).await?;
        Ok((outcome, trouble.map(|why| (webhook, why))))
    }

    /// What is asked, and what people wrote, of the item of a message.
    async fn more(&self, sending: &Sending) -> Result<Option<(Item, Vec<Label>)>, StoreError> {
        let Some(id) = sending.data["item"].as_str().map(|id| ItemId(id.to_owned())) else { return Ok(None) };
        let Some(item) = self.store.item(&id, (self.clock)()).await? else { return Ok(None) };
        let labels = self.store.labels(std::slice::from_ref(&id)).await?;
        Ok(Some((item, labels)))
    }
}

/// What tells an address from others: its digest, as it is written, so that the outbox holds no address.
fn address(webhook: &Webhook) -> String {
    blake3::hash(webhook.target.url.written().as_bytes()).to_hex()[..16].to_owned()
}
