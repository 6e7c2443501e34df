//! From notices to channels, by the outbox.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::alerts::Notice;
use crate::alerts::channels::{Given, Letter, What};
use crate::evidence::programs::once;
use crate::ledger::Millis;
use crate::net::scrub::Secrets;
use crate::net::secret::Vars;
use crate::net::webhook::send::{Message, Sender, Target};
use crate::net::{Cause, Trouble};
use crate::store::db::{About, Outcome, Post, Store, StoreError};
use crate::suite::settings::notify::Channel;

/// What a notice is called in the outbox before it is addressed.
const NOTICE: &str = "alert.notice";
/// What a post for one channel is called there.
const SEND: &str = "alert.send";
/// How many posts are taken from the outbox at a time.
const BATCH: u32 = 50;
/// How many are under way at a time.
const AT_ONCE: usize = 8;
/// How long a post is ours, in milliseconds, beside what its channel may take.
const HOLD: Millis = 60_000;
/// For how long a notice is sent again, in milliseconds.
const PATIENCE: Millis = 24 * 3_600_000;
/// The longest that is kept of why something failed, in characters.
const TOLD: usize = 300;

/// A notice for one channel.
#[derive(Debug, Serialize, Deserialize)]
struct Sending {
    to: String,
    notice: Notice,
}

/// What became of notices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// They were taken.
    pub sent: u64,
    /// They were not, and are sent again.
    pub again: u64,
    /// They were not, and are not sent again.
    pub given_up: u64,
    /// The last trouble of each channel, without secrets.
    pub troubles: BTreeMap<String, String>,
}

/// How long after an attempt the next one is made: seconds, then every five minutes. `None` after a day.
pub fn pause_after(tries: u32, age: Millis) -> Option<Duration> {
    const SECONDS: [u64; 3] = [5, 15, 60];
    let index = usize::try_from(tries.saturating_sub(1)).ok()?;
    (age < PATIENCE).then(|| Duration::from_secs(SECONDS.get(index).copied().unwrap_or(300)))
}

/// Puts a notice down to be told, once under its key; whether it was not there before.
///
/// # Errors
/// The store cannot be written.
pub async fn put(store: &Store, notice: &Notice, now: Millis) -> Result<bool, StoreError> {
    let body = serde_json::to_value(notice).unwrap_or_default();
    store.post(&format!("alert:{}", notice.key), NOTICE, &body, now).await
}

/// Delivers notices.
pub struct Courier<'n> {
    /// Where the outbox is.
    pub store: &'n Store,
    /// The channels, by name.
    pub channels: &'n BTreeMap<String, Channel>,
    /// Sends.
    pub sender: &'n Sender,
    /// Where secrets are.
    pub vars: Vars<'n>,
    /// What time it is.
    pub clock: &'n (dyn Fn() -> Millis + Send + Sync),
    /// This program, for channels that start it.
    pub program: &'n str,
}

impl Courier<'_> {
    /// Sends everything that is due, until nothing is.
    ///
    /// # Errors
    /// The store cannot be read or written; what was not told by then is told later.
    pub async fn send_all(&self) -> Result<Delivered, StoreError> {
        let mut delivered = Delivered::default();
        let longest = self.channels.values().map(|channel| channel.timeout).max().unwrap_or_default();
        let hold = HOLD.saturating_add(Millis::try_from(longest.as_millis()).unwrap_or(Millis::MAX));
        loop {
            let posts = self.store.due_posts(About::Alerts, (self.clock)(), BATCH, hold).await?;
            if posts.is_empty() {
                return Ok(delivered);
            }
            let (sends, notices): (Vec<Post>, Vec<Post>) = posts.into_iter().partition(|post| post.event == SEND);
            for post in &notices {
                self.address(post).await?;
            }
            for some in sends.chunks(AT_ONCE) {
                let mut under_way = FuturesUnordered::new();
                for post in some {
                    under_way.push(self.send(post));
                }
                while let Some(ended) = under_way.next().await {
                    let (to, outcome) = ended?;
                    match outcome {
                        Outcome::Done => delivered.sent += 1,
                        Outcome::Again { why, .. } => {
                            delivered.again += 1;
                            delivered.troubles.insert(to, why);
                        }
                        Outcome::GivenUp { why } => {
                            delivered.given_up += 1;
                            delivered.troubles.insert(to, why);
                        }
                    }
                }
            }
        }
    }

    /// Makes a post for each channel that is to be told.
    async fn address(&self, post: &Post) -> Result<(), StoreError> {
        let Ok(notice) = serde_json::from_str::<Notice>(&post.body) else {
            let why = "the notice cannot be read".to_owned();
            return self.store.posted(post.n, &Outcome::GivenUp { why }).await;
        };
        let wanted = |name: &String| notice.to.as_ref().is_none_or(|to| to.contains(name));
        for to in self.channels.keys().filter(|name| wanted(name)) {
            let name = format!("{}@{to}", post.name);
            let sending = Sending { to: to.clone(), notice: notice.clone() };
            let body = serde_json::to_value(&sending).unwrap_or_default();
            self.store.post(&name, SEND, &body, (self.clock)()).await?;
        }
        // Only now: whoever stops before makes the same posts again, under the same names.
        self.store.posted(post.n, &Outcome::Done).await
    }

    /// Sends one post.
    async fn send(&self, post: &Post) -> Result<(String, Outcome), StoreError> {
        let sending = serde_json::from_str::<Sending>(&post.body).ok();
        let to = sending.as_ref().map(|sending| sending.to.clone()).unwrap_or_default();
        let channel = self.channels.get(&to);
        let outcome = match sending.zip(channel) {
            None => Outcome::GivenUp { why: "this channel is not in the settings any more".to_owned() },
            Some((sending, channel)) => match self.deliver(channel, &sending.notice).await {
                Ok(()) => Outcome::Done,
                Err(trouble) => self.failed(post, &trouble),
            },
        };
        self.store.posted(post.n, &outcome).await?;
        Ok((to, outcome))
    }

    fn failed(&self, post: &Post, trouble: &Trouble) -> Outcome {
        let now = (self.clock)();
        let why: String = Secrets::of_process().scrub(&trouble.to_string()).chars().take(TOLD).collect();
        match pause_after(post.tries + 1, now.saturating_sub(post.created)) {
            Some(pause) => {
                let pause = pause.max(trouble.retry_after.unwrap_or_default());
                Outcome::Again {
                    at: now.saturating_add(Millis::try_from(pause.as_millis()).unwrap_or(Millis::MAX)),
                    why,
                }
            }
            None => Outcome::GivenUp { why },
        }
    }

    async fn deliver(&self, channel: &Channel, notice: &Notice) -> Result<(), Trouble> {
        let misconfigured = |why: String| Trouble::new(Cause::Misconfigured, why);
        let key = channel.routing_key.as_ref().map(|key| key.fill(self.vars)).transpose().map_err(misconfigured)?;
        let given = Given {
            routing_key: key.as_ref().map_or("", |key| key.expose_secret()),
            run: &channel.run,
            promotion: (&channel.agent, &channel.target),
            program: self.program,
        };
        for letter in (channel.kind.letters)(notice, &given) {
            self.post(channel, letter).await?;
        }
        Ok(())
    }

    async fn post(&self, channel: &Channel, letter: Letter) -> Result<(), Trouble> {
        match letter.what {
            What::Json(body) => {
                let Some(url) = &channel.url else {
                    return Err(Trouble::new(Cause::Misconfigured, "there is no `url`".to_owned()));
                };
                let body = body.to_string();
                let message = Message { id: &letter.id, body: body.as_bytes() };
                match &channel.secret {
                    None => self.sender.send_unsigned(url, message, self.vars).await,
                    Some(secret) => {
                        let target = Target { url: url.clone(), secret: secret.clone() };
                        self.sender.send(&target, message, (self.clock)() / 1000, self.vars).await
                    }
                }
            }
            What::Run(args, variables) => {
                let ran = once::run(args, channel.dir.clone(), variables, channel.timeout).await;
                ran.map(|_| ()).map_err(|why| Trouble::new(Cause::Refused, why))
            }
        }
    }
}
