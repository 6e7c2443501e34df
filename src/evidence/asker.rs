//! Asks what the checks of a run want to know, many questions at once, while sessions are read.
//!
//! Sessions are evaluated by threads that must not wait for a network. So a run first goes over its sessions with a
//! [`Collector`] for an edge: it answers what is known, hands on what is not, and says so to the check, whose finding is
//! thrown away. When all are answered it goes over them again, since an answer may raise another question; when nothing
//! is asked any more, everything is known ([`Asker::known`]), and the run evaluates for good.
//!
//! Questions wait in a channel of bounded length: whoever reads sessions waits when it is full. An answer is looked for in
//! the evidence that the run was given, then in the cache, then at the endpoint.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::answers::Asked;
use super::cache::Cache;
use super::desk::Desk;
use super::journal::{FILE_NAME, Journal};
use super::past::Past;
use super::question::Name;
use super::work::{LOOK, Wanted, Work, dispatch, lock};
use crate::checks::asking::{Answer, Edge, Need};
use crate::eval::spend::Spend;
use crate::net::budget::Budget;
use crate::redact::Redactor;

/// Questions that wait for their turn.
const WAITING: usize = 256;

/// What an asker stands on.
pub struct Sources {
    /// The endpoints that may be asked; without one its questions are errors.
    pub desks: HashMap<Name, Desk>,
    /// What is part of the keys of each model's questions.
    pub identities: HashMap<Name, String>,
    /// Answers of an earlier run, or of this one before it was continued.
    pub evidence: Option<Past>,
    /// Nobody is asked: what is not in the evidence is not known.
    pub offline: bool,
    /// The evidence is that of the run itself: it need not be written again.
    pub continued: bool,
    /// Answers of earlier runs.
    pub cache: Option<Cache>,
    /// What may be spent.
    pub budget: Budget,
    /// Set when the run is to end.
    pub stop: &'static AtomicBool,
}

/// Asks what the checks of a run want to know. What is under way ends when it is dropped.
pub struct Asker {
    pub(super) work: Arc<Work>,
    questions: mpsc::Sender<Wanted>,
    runtime: Option<Runtime>,
}

/// Why nobody is asked any more.
#[derive(Debug)]
pub enum Over {
    /// The run is to end.
    Stopped,
    /// What may be spent is spent.
    Spent(String),
    /// What the verdicts rest on could not be written.
    Write(io::Error),
}

impl Asker {
    /// Begins to answer questions.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(sources: Sources, runtime: Runtime) -> Self {
        let places = at_once(&sources.desks);
        let work = Arc::new(Work::new(sources));
        let (questions, asked) = mpsc::channel(WAITING);
        // Beside those that are asked, some wait for their turn at a slow endpoint.
        runtime.spawn(dispatch(work.clone(), asked, 2 * places + 16));
        Self { work, questions, runtime: Some(runtime) }
    }

    /// How many questions are put at once at most, to all endpoints together.
    pub fn questions_at_once(&self) -> usize {
        at_once(&self.work.sources.desks)
    }

    /// Writes the evidence of the run in its folder from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        *lock(&self.work.journal) = Some(Journal::open(dir)?);
        self.work.answers.read_from(&dir.join(FILE_NAME))
    }

    /// The edge of a pass over the sessions of a suite in which questions are collected.
    pub fn collector<'a>(&'a self, suite: u32, redactor: &'a Redactor) -> Collector<'a> {
        Collector { asker: self, suite, redactor, asked: AtomicU64::new(0) }
    }

    /// Waits until everything is answered that was asked so far; `tell` hears how many of how many are.
    ///
    /// # Errors
    /// Why nobody is asked any more.
    pub fn settle(&self, tell: &dyn Fn(u64, u64)) -> Result<(), Over> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        runtime.block_on(async {
            loop {
                let changed = self.work.changed.notified();
                if let Some(over) = lock(&self.work.over).take() {
                    return Err(over);
                }
                if self.work.sources.stop.load(Ordering::Relaxed) {
                    return Err(Over::Stopped);
                }
                let (done, wanted) = self.work.counts();
                tell(done, wanted);
                if done == wanted {
                    return Ok(());
                }
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        })
    }

    /// The answer to a question, once everything is answered.
    pub fn known(&self, need: &Need) -> Answer {
        let Some((name, key)) = self.work.key(need) else { return Err(not_a_model()) };
        self.work.answers.get(&key).unwrap_or_else(|| Err(format!("`{name}` was not asked")))
    }

    /// What the checks of a suite took, in order.
    pub fn spent(&self, suite: u32) -> Vec<Spend> {
        let spends = lock(&self.work.spends);
        spends.range((suite, 0)..=(suite, u32::MAX)).map(|(_, spend)| spend.clone()).collect()
    }

    /// Whether a panic was caught while an answer was looked for.
    pub fn panicked(&self) -> bool {
        self.work.panicked.load(Ordering::Relaxed)
    }

    /// Why nothing is kept for later runs, if it could not be.
    pub fn unkept(&self) -> Option<String> {
        lock(&self.work.unkept).clone()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            if let Some(cache) = &self.work.sources.cache {
                // Another process may be reading it; then the file is let go of when this one ends.
                let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), cache.close()).await });
            }
            runtime.shutdown_background();
        }
    }
}

/// Collects questions.
pub struct Collector<'a> {
    asker: &'a Asker,
    suite: u32,
    redactor: &'a Redactor,
    asked: AtomicU64,
}

impl Collector<'_> {
    /// How many questions were new.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Edge for Collector<'_> {
    fn answer(&self, need: &Need) -> Answer {
        self.answer_for(need, u32::MAX)
    }

    fn answer_for(&self, need: &Need, check: u32) -> Answer {
        let work = &self.asker.work;
        let Some((name, key)) = work.key(need) else { return Err(not_a_model()) };
        let awaited = Err("it is being asked".to_owned());
        match work.answers.ask(&key) {
            Asked::Answered(answer) => return answer,
            Asked::Awaited => return awaited,
            Asked::New => {}
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        work.wanted.fetch_add(1, Ordering::Relaxed);
        let (need, beginning, redactor) = (need.clone(), work.beginning(&name, need), self.redactor.clone());
        let wanted = Wanted { key, name, need, beginning, by: (self.suite, check), redactor };
        // Whoever takes questions does so until the asker is dropped.
        let _ = self.asker.questions.blocking_send(wanted);
        awaited
    }
}

/// How many questions these endpoints are put at once at most.
pub fn at_once(desks: &HashMap<Name, Desk>) -> usize {
    desks.values().map(Desk::concurrency).sum()
}

fn not_a_model() -> String {
    "no program is asked while questions are collected".to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::checks::asking::{Prompt, Reply, Shape};
    use crate::checks::prices::Prices;
    use crate::endpoints::{self, Ask, Endpoint, Heard, Opened, Protocol};
    use crate::eval::evaluate::keep_panics_quiet;
    use crate::evidence::question::Kind;
    use crate::net::budget::Limits;
    use crate::net::client::client;
    use crate::net::secret::Secretive;

    /// A protocol that has a bug: it panics at what is answered to some questions.
    struct Broken;

    impl Protocol for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn doc(&self) -> &'static str {
            ""
        }
        fn url(&self) -> &'static str {
            ""
        }
        fn key(&self) -> endpoints::Key {
            endpoints::Key { variable: "NONE", header: "authorization", prefix: "" }
        }
        fn path(&self, _: &Endpoint) -> String {
            "/".to_owned()
        }
        fn body(&self, _: &Endpoint, ask: &Ask<'_>) -> serde_json::Value {
            serde_json::json!({ "bad": ask.turns.iter().flat_map(|turn| &turn.parts).any(|part| part.contains("bad")) })
        }
        fn read(&self, _: &Endpoint, reply: &[u8]) -> Result<Heard, String> {
            assert!(!reply.ends_with(b"true}"), "the protocol broke");
            Ok(Heard { text: "fine".to_owned(), ..Heard::default() })
        }
    }

    /// A server that answers with what it was asked.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                while !request.ends_with(b"}") {
                    match stream.read(&mut piece) {
                        Ok(n @ 1..) => request.extend_from_slice(&piece[..n]),
                        _ => break,
                    }
                }
                let begin = request.iter().position(|byte| *byte == b'{').unwrap_or(request.len());
                let body = &request[begin..];
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
            }
        });
        url
    }

    static SHAPE: Shape = Shape { name: "s", schema: || serde_json::json!({}), label: None };
    static STOP: AtomicBool = AtomicBool::new(false);

    fn need(question: &str) -> Need {
        let (system, material) = ("".into(), "m".to_owned());
        let prompt = Prompt { system, material, question: question.to_owned(), shape: &SHAPE };
        Need::Vote { judge: "j".into(), prompt: Arc::new(prompt), vote: 0, wrong: None }
    }

    #[test]
    fn a_panic_while_an_answer_is_looked_for_is_an_error_of_that_question_alone() {
        keep_panics_quiet();
        let mut endpoint = Endpoint::new(&Broken, "m");
        endpoint.url = Secretive::parse(&server()).ok();
        let opened = Opened::new(Arc::new(endpoint), client().unwrap(), &|_| None).unwrap();
        let name = Name { kind: Kind::Judge, name: "j".into() };
        let budget = Budget::new(Limits { tokens: Some(1_000_000), cost: None });
        let sources = Sources {
            desks: [(name, Desk::new(opened, Arc::new(Prices::default())))].into(),
            identities: HashMap::new(),
            evidence: None,
            offline: false,
            continued: false,
            cache: None,
            budget: budget.clone(),
            stop: &STOP,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asker = Asker::new(sources, runtime);
        let redactor = Redactor::default();
        let collector = asker.collector(0, &redactor);
        for question in ["bad", "good", "also good"] {
            assert_eq!(collector.answer_for(&need(question), 3), Err("it is being asked".to_owned()));
        }
        asker.settle(&|_, _| ()).unwrap();
        let why = asker.known(&need("bad")).unwrap_err();
        assert!(why.contains("a bug in seatrial") && why.contains("the protocol broke"), "{why}");
        for question in ["good", "also good"] {
            let known = asker.known(&need(question));
            assert!(matches!(&known, Ok(Reply::Said(said)) if said.text == "fine"), "{known:?}");
        }
        assert!(asker.panicked());
        let spent = &asker.spent(0)[0];
        assert_eq!((spent.check, spent.failed), (3, 1));
        // None of the three said how many tokens it took, that which broke included: each counts for what was held.
        assert!(budget.spent().tokens > 3 * 1024, "{:?}", budget.spent());
    }
}
