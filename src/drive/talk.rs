//! One conversation with an agent, turn by turn.
//!
//! What goes wrong on the way to the agent is tried again; what the agent said, or may have said, never is: that would
//! hide what a user had met. What goes wrong for good ends the conversation, and says why.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::spent;
use super::user::{self, Desks, Played, Speaker};
use crate::agents::conversation::{Conversation, Exchange, Heard, Say, Start};
use crate::checks::prices::Prices;
use crate::net::budget::Amount;
use crate::net::client::Http;
use crate::net::pace::{Pace, backoff};
use crate::net::secret::Vars;
use crate::net::{Cause, Trouble};
use crate::receive::{Begun, Telemetry};
use crate::suite::Case;
use crate::suite::agent::{Line, Live};

/// How long to wait before the first try again.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How much more often somebody busy is asked again than somebody broken.
const MORE_WHEN_BUSY: u32 = 8;

/// What all conversations of a suite share.
pub struct Shared<'s> {
    /// The agent.
    pub live: &'s Live,
    /// Connections.
    pub http: &'s Http,
    /// The environment, for secrets.
    pub env: Vars<'s>,
    /// Lets in as many turns at once as are allowed.
    pub pace: &'s Pace,
    /// Takes what the agent's instrumentation tells.
    pub telemetry: &'s dyn Telemetry,
    /// The models that play users.
    pub users: &'s Desks,
    /// What tokens cost.
    pub prices: &'s Prices,
    /// How long to wait before the first try again.
    pub first_wait: Duration,
}

/// A conversation that is over.
#[derive(Debug, Default)]
pub struct Talk {
    /// The session's id.
    pub id: String,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// How long it took.
    pub took: Duration,
    /// Its turns.
    pub turns: Vec<Turn>,
    /// Why it ended before its end.
    pub failure: Option<Failure>,
    /// The session's id at the agent, where it has one of its own.
    pub theirs: Option<String>,
    /// How often something was tried again.
    pub retries: u32,
    /// How often the agent was busy.
    pub busy: u32,
    /// The names of the tools that there are, where the agent lists them.
    pub tools: Vec<String>,
    /// What the model came to that played the user; `None` where the case says what is said.
    pub played: Option<Played>,
}

/// Why a conversation says nothing about the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// By name, such as `timeout`.
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

/// A turn, as far as it came.
#[derive(Debug)]
pub struct Turn {
    /// What was said.
    pub said: Line,
    /// What was heard; `None` where it failed.
    pub heard: Option<Heard>,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// How long it took.
    pub took: Duration,
    /// Its trace id.
    pub trace: String,
    /// The id of our own span in that trace.
    pub span: String,
}

/// Nanoseconds since the Unix epoch, now.
pub fn now_ns() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}

/// An id of random bytes in lower-case hex; not all zero.
fn random_hex(bytes: usize) -> String {
    let mut out = String::with_capacity(2 * bytes);
    for _ in 0..bytes {
        out.push_str(&format!("{:02x}", fastrand::u8(1..)));
    }
    out
}

/// A random id in the form of a UUID (version 4): 36 characters, which is what some agents require.
pub fn session_id() -> String {
    let (high, low) = (fastrand::u64(..), fastrand::u64(..));
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(3 << 62)) | (1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Whether what failed may be tried again: nothing was heard of it, and it was not what was said that was wrong.
fn may_be_said_again(trouble: &Trouble) -> bool {
    matches!(trouble.cause, Cause::Unreachable | Cause::Busy | Cause::Server)
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self { kind: trouble.cause.name(), message: trouble.message }
    }
}

impl Talk {
    /// A conversation that has not begun.
    pub fn new() -> Self {
        Self { id: session_id(), start_ns: now_ns(), ..Self::default() }
    }

    /// Talks until the user has no more to say, or to what ends it before; `tell` hears what is known of its cost as it
    /// grows.
    pub async fn hold(&mut self, shared: &Shared<'_>, case: &Case, trial: u32, tell: &(dyn Fn(Amount) + Sync)) {
        let began = Instant::now();
        let left = shared.live.load.session_timeout;
        let mut session = InSession { shared, talk: self, case: &case.vars, trial, left, tell };
        let user = shared.live.user_of(case);
        let ended = match Speaker::of(case, user, trial, shared.users) {
            Ok(speaker) => session.speak(speaker).await,
            Err(why) => Err(why),
        };
        self.failure = ended.err();
        self.took = began.elapsed();
    }
}

/// A conversation in progress.
struct InSession<'s, 't> {
    shared: &'s Shared<'s>,
    talk: &'t mut Talk,
    case: &'s Value,
    trial: u32,
    /// How much of the session's time is left. What is spent on waiting for one's turn does not count.
    left: Duration,
    /// Hears what the session is known to have come to.
    tell: &'s (dyn Fn(Amount) + Sync),
}

impl InSession<'_, '_> {
    async fn speak(&mut self, mut speaker: Speaker<'_>) -> Result<(), Failure> {
        self.talk.played = speaker.played();
        let mut conversation = self.open().await?;
        self.talk.tools = conversation.tools();
        let mut history: Vec<Exchange> = Vec::new();
        let mut ended = Ok(());
        loop {
            let line = match self.next(&mut speaker).await {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(why) => {
                    ended = Err(why);
                    break;
                }
            };
            if self.talk.played.is_some() {
                self.tell();
            }
            let said = line.user.clone().unwrap_or_default();
            match self.turn(&mut *conversation, line, &history).await {
                Ok((reply, over)) => {
                    self.tell();
                    history.push(Exchange { user: said, reply });
                    if over {
                        break;
                    }
                }
                Err(why) => {
                    ended = Err(why);
                    break;
                }
            }
        }
        // An agent that hangs while it is taken leave of has said all that was wanted of it.
        let _ = timeout(CLOSE_TIMEOUT, conversation.close()).await;
        ended
    }

    /// Tells what the session is known to have come to.
    fn tell(&self) {
        let Talk { turns, played, .. } = &*self.talk;
        (self.tell)(spent::so_far(turns, played.as_ref(), self.shared.prices));
    }

    /// What the user says next; `None` when it has no more to say.
    async fn next(&mut self, speaker: &mut Speaker<'_>) -> Result<Option<Line>, Failure> {
        match speaker {
            Speaker::Script(lines) => {
                let Some(line) = lines.next() else { return Ok(None) };
                let context = json!({ "case": self.case, "trial": self.trial, "turns": self.turns_so_far() });
                line.render(&context).map(Some).map_err(|why| {
                    let turn = self.talk.turns.len() + 1;
                    let message = format!("what the user says in turn {turn} cannot be rendered: {why}");
                    Failure { kind: Cause::Misconfigured.name(), message }
                })
            }
            Speaker::Model { user, desk, trial } => {
                let Talk { turns, played, .. } = &mut *self.talk;
                let played = played.get_or_insert_default();
                // On the heap: most sessions have a script, and a session in flight is small.
                let said = Box::pin(user::next(user, desk, *trial, turns, played)).await?;
                Ok(said.map(|said| Line { user: Some(said), call: None }))
            }
        }
    }

    /// The turns so far, as templates see them.
    fn turns_so_far(&self) -> Vec<Value> {
        let turn = |turn: &Turn| {
            let mut map = Map::new();
            if let Some(user) = &turn.said.user {
                map.insert("user".to_owned(), user.as_str().into());
            }
            if let Some(reply) = turn.heard.as_ref().and_then(|heard| heard.reply.as_deref()) {
                map.insert("reply".to_owned(), reply.into());
            }
            Value::Object(map)
        };
        self.talk.turns.iter().map(turn).collect()
    }

    async fn open(&mut self) -> Result<Box<dyn Conversation>, Failure> {
        let shared = self.shared;
        let (id, case, trial) = (self.talk.id.clone(), self.case, self.trial);
        let mut attempt = 0;
        loop {
            let start = Start { session: &id, case, trial, http: shared.http, env: shared.env };
            let (limit, what) = self.limit("the session could not be opened");
            let began = Instant::now();
            let opened = timeout(limit, shared.live.agent.open(&start)).await;
            self.left = self.left.saturating_sub(began.elapsed());
            match opened {
                Ok(Ok(conversation)) => return Ok(conversation),
                Ok(Err(trouble)) => {
                    attempt += 1;
                    self.wait_or_give_up(trouble, attempt).await?;
                }
                Err(_) => return Err(late(what)),
            }
        }
    }

    /// One turn: what was replied, and whether the agent ended the conversation.
    async fn turn(
        &mut self,
        conversation: &mut dyn Conversation,
        said: Line,
        history: &[Exchange],
    ) -> Result<(Option<String>, bool), Failure> {
        let shared = self.shared;
        let index = self.talk.turns.len();
        let (trace, span) = (random_hex(16), random_hex(8));
        let traceparent = format!("00-{trace}-{span}-01");
        let baggage = format!("session.id={}", self.talk.id);
        shared.telemetry.begin(&Begun { session: &self.talk.id, trace: &trace, parent: &span });
        let mut attempt = 0;
        loop {
            let say = Say {
                text: said.user.as_deref().unwrap_or_default(),
                call: said.call.as_ref().map(|(name, args)| (name.as_str(), args)),
                turn: index,
                history,
                traceparent: &traceparent,
                baggage: &baggage,
            };
            let inside = shared.pace.enter().await;
            let (limit, what) = self.limit(&format!("no complete reply in turn {}", index + 1));
            let (start_ns, began) = (now_ns(), Instant::now());
            let answer = timeout(limit, conversation.say(&say)).await;
            let took = began.elapsed();
            self.left = self.left.saturating_sub(took);
            let trouble = match answer {
                Ok(Ok(heard)) => {
                    inside.well();
                    let told = (heard.reply.clone(), heard.ended);
                    self.talk.theirs = heard.session.clone().or(self.talk.theirs.take());
                    self.talk.turns.push(Turn { said, heard: Some(heard), start_ns, took, trace, span });
                    return Ok(told);
                }
                Ok(Err(trouble)) => {
                    if trouble.cause == Cause::Busy {
                        self.talk.busy += 1;
                        inside.busy(backoff(attempt + 1, shared.first_wait, trouble.retry_after));
                    }
                    Ok(trouble)
                }
                Err(_) => Err(late(what)),
            };
            drop(inside);
            attempt += 1;
            let given_up = match trouble {
                Ok(trouble) => self.wait_or_give_up(trouble, attempt).await,
                Err(late) => Err(late),
            };
            if let Err(mut why) = given_up {
                why.message = format!("turn {}: {}", index + 1, why.message);
                self.talk.turns.push(Turn { said, heard: None, start_ns, took, trace, span });
                return Err(why);
            }
        }
    }

    /// How long the next step may take, and what to say when it takes longer.
    fn limit(&self, what: &str) -> (Duration, String) {
        let load = &self.shared.live.load;
        if self.left < load.turn_timeout {
            (self.left, format!("{what}: the session took longer than {:?} (`session_timeout`)", load.session_timeout))
        } else {
            (load.turn_timeout, format!("{what} within {:?} (`turn_timeout`)", load.turn_timeout))
        }
    }

    /// Waits before the next try, the `attempt`th; gives up where another makes no sense.
    async fn wait_or_give_up(&mut self, trouble: Trouble, attempt: u32) -> Result<(), Failure> {
        let retries = self.shared.live.load.retries;
        let most = if trouble.cause == Cause::Busy && retries > 0 { retries + MORE_WHEN_BUSY } else { retries };
        if !may_be_said_again(&trouble) || attempt > most {
            let tried = if attempt > 1 { format!(" (tried {attempt} times)") } else { String::new() };
            return Err(Failure { message: format!("{}{tried}", trouble.message), kind: trouble.cause.name() });
        }
        self.talk.retries += 1;
        tokio::time::sleep(backoff(attempt, self.shared.first_wait, trouble.retry_after)).await;
        Ok(())
    }
}

/// How long taking leave may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

fn late(message: String) -> Failure {
    Failure { kind: Cause::Timeout.name(), message }
}
