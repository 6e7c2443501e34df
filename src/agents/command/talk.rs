//! A conversation with an agent of kind `command`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use minijinja::Value as Jinja;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use crate::agents::picks::{Picks, text};
use crate::agents::process::{Program, Running};
use crate::agents::template::{Env, Known};
use crate::agents::wire::{self, MOST};
use crate::agents::{Agent, Conversation, Heard, Say, Start};
use crate::net::{Cause, Trouble};

/// An agent of kind `command`.
pub struct CommandAgent(Arc<Inner>);

struct Inner {
    program: Program,
    picks: Picks,
    env: OnceLock<Result<(Arc<Env>, Jinja), Trouble>>,
    /// Those that wait for a turn, where they are shared.
    pool: Option<Mutex<Vec<Worker>>>,
}

impl CommandAgent {
    pub(super) fn new(program: Program, pool: bool) -> Self {
        let pool = pool.then(|| Mutex::new(Vec::new()));
        Self(Arc::new(Inner { program, picks: Picks::plain(), env: OnceLock::new(), pool }))
    }
}

impl Agent for CommandAgent {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        let open = || {
            let make = || {
                let env = Env::new(&self.0.program.variables(), start.env)?;
                let context = Known::new(&["env".to_owned()].into(), start, &env).fixed();
                Ok((Arc::new(env), context))
            };
            let (env, context) = self.0.env.get_or_init(make).as_ref().map_err(Clone::clone)?;
            let talk = Talk {
                agent: self.0.clone(),
                env: env.clone(),
                context: context.clone(),
                session: start.session.to_owned(),
                case: start.case.clone(),
                trial: start.trial,
                worker: None,
                lost: false,
            };
            Ok(Box::new(talk) as Box<dyn Conversation>)
        };
        Box::pin(std::future::ready(open()))
    }

    fn shut(&self) -> BoxFuture<'_, ()> {
        let idle =
            self.0.pool.as_ref().map(|pool| std::mem::take(&mut *pool.lock().unwrap_or_else(PoisonError::into_inner)));
        let ends = idle.into_iter().flatten().map(Worker::end);
        Box::pin(futures_util::future::join_all(ends).map(drop))
    }
}

struct Talk {
    agent: Arc<Inner>,
    env: Arc<Env>,
    context: Jinja,
    session: String,
    case: Value,
    trial: u32,
    /// The session's own; not there while it is asked, so that one that does not answer is ended.
    worker: Option<Worker>,
    /// The session's own was ended after it had answered before: what it knew is lost.
    lost: bool,
}

impl Conversation for Talk {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        Box::pin(async move {
            wire::no_tools(say, "command")?;
            let mut worker = self.worker(say)?;
            let line = json!({
                "message": say.text,
                "session": self.session,
                "turn": say.turn,
                "trial": self.trial,
                "case": self.case,
                "history": say.history.iter().map(|e| json!({"user": e.user, "reply": e.reply})).collect::<Vec<_>>(),
                "traceparent": say.traceparent,
                "baggage": say.baggage,
            });
            // Until it has answered.
            self.lost = self.agent.pool.is_none() && say.turn > 0;
            let heard = worker.ask(&line, &self.agent.picks, &self.env).await?;
            self.lost = false;
            match &self.agent.pool {
                Some(pool) => pool.lock().unwrap_or_else(PoisonError::into_inner).push(worker),
                None => self.worker = Some(worker),
            }
            Ok(heard)
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        match self.worker {
            Some(worker) => worker.end().boxed(),
            None => std::future::ready(()).boxed(),
        }
    }
}

impl Talk {
    fn worker(&mut self, say: &Say<'_>) -> Result<Worker, Trouble> {
        if self.lost {
            let message = "the agent's program ended, or was ended, in the middle of the session";
            return Err(Trouble::new(Cause::Died, message));
        }
        let pool = self.agent.pool.as_ref();
        let idle = pool.and_then(|pool| pool.lock().unwrap_or_else(PoisonError::into_inner).pop());
        if let Some(worker) = self.worker.take().or(idle) {
            return Ok(worker);
        }
        let told = [("TRACEPARENT", say.traceparent), ("BAGGAGE", say.baggage)];
        let (running, pipes) = self.agent.program.start(&self.context, &self.env, &told)?;
        let lines = FramedRead::new(pipes.stdout, LinesCodec::new_with_max_length(MOST));
        Ok(Worker { stdin: pipes.stdin, lines, running })
    }
}

/// A program that answers lines. The pipes are closed before the program is waited for.
struct Worker {
    stdin: ChildStdin,
    lines: FramedRead<ChildStdout, LinesCodec>,
    running: Running,
}

impl Worker {
    /// Sends a line and hears the answer. After an `Err` it must not be asked again.
    async fn ask(&mut self, line: &Value, picks: &Picks, env: &Env) -> Result<Heard, Trouble> {
        match self.lines.next().now_or_never() {
            None => {}
            Some(None) => return Err(self.running.ended().await),
            // Taken for the answer to this line, it would be that to another turn.
            Some(Some(_)) => {
                let message = "the agent's program answered more often than it was asked";
                return Err(self.running.told(Trouble::new(Cause::Malformed, message)));
            }
        }
        let since = Instant::now();
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        let sent = async {
            self.stdin.write_all(&bytes).await?;
            self.stdin.flush().await
        };
        if sent.await.is_err() {
            return Err(self.running.ended().await);
        }
        match self.hear(picks, env, since).await {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => Err(self.running.ended().await),
            Err(trouble) => Err(self.running.told(trouble)),
        }
    }

    /// Reads lines up to the answer; `None` where there is none.
    async fn hear(&mut self, picks: &Picks, env: &Env, since: Instant) -> Result<Option<Heard>, Trouble> {
        let mut heard = Heard::default();
        let mut size = 0;
        while let Some(line) = self.lines.next().await {
            let line = line.map_err(|why| unreadable(&why))?;
            size += line.len();
            if size > MOST {
                return Err(Trouble::new(Cause::TooLarge, format!("the answer is longer than {MOST} bytes")));
            }
            if line.trim().is_empty() {
                continue;
            }
            let value = wire::parse(line.as_bytes(), "a line of the answer", env)?;
            picks.apply(&value, &mut heard)?;
            if let Some(Value::Object(attributes)) = value.get("attributes") {
                heard.attributes.extend(attributes.clone());
            }
            match (value.get("reply"), value.get("text").and_then(Value::as_str)) {
                (Some(Value::Null), _) => return Ok(Some(heard)),
                (Some(reply), _) => {
                    heard.reply = Some(text(reply));
                    return Ok(Some(heard));
                }
                (None, Some(piece)) => wire::piece(&mut heard, piece, since),
                (None, None) => {
                    let message =
                        format!("a line of the answer has no `reply` and no `text`: {}", wire::clipped(&line));
                    return Err(Trouble::new(Cause::Malformed, message));
                }
            }
        }
        Ok(None)
    }

    /// Ends it orderly.
    async fn end(self) {
        let Self { stdin, lines, running } = self;
        drop((stdin, lines));
        running.end().await;
    }
}

fn unreadable(why: &LinesCodecError) -> Trouble {
    match why {
        LinesCodecError::MaxLineLengthExceeded => {
            Trouble::new(Cause::TooLarge, format!("a line of the answer is longer than {MOST} bytes"))
        }
        LinesCodecError::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
            Trouble::new(Cause::Malformed, "a line of the answer is not UTF-8")
        }
        LinesCodecError::Io(why) => Trouble::new(Cause::Reset, format!("the standard output could not be read: {why}")),
    }
}
