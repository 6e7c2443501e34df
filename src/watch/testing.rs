//! What the tests of this room share: production on a driven clock, with agents that export what they do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;

use super::admit::Sampling;
use super::alerting::Alerting;
use super::clock::{Clock, Driven};
use super::closing::Closing;
use super::plan::Plan;
use super::row::Body;
use super::sources::Source;
use super::system::Systems;
use super::watcher::{Keeping, Setup, Watcher};
use crate::eval::testing::suite;
use crate::evidence::Outside;
use crate::ledger::Millis;
use crate::receive::inbox::{Inbox, Limits};
use crate::receive::spool::Left;
use crate::redact::Redactor;
use crate::store::db::{Store, StoreUrl, WatchedRow};
use crate::suite::Suite;
use crate::suite::watch::Watch;

/// When it all begins: a multiple of five minutes.
pub const BEGIN: Millis = 1_700_000_100_000;

/// A suite of one check: the agent replies something with `ok` in it.
pub const SUITE: &str = "[[turn]]\nid = \"says\"\ncheck = \"contains\"\nvalue = \"ok\"\n";

static STOP: AtomicBool = AtomicBool::new(false);

/// Production.
pub struct Production {
    dir: tempfile::TempDir,
    pub clock: Arc<Driven>,
    runtime: tokio::runtime::Runtime,
    pub store: Store,
    pub closings: Vec<Closing>,
    pub spool: u64,
    pub keeping: Keeping,
    pub change: fn(&mut Suite),
}

/// Something that watches it.
pub struct Watching {
    pub watcher: Watcher,
    pub inbox: Arc<Inbox>,
}

impl Production {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let at = StoreUrl::File(dir.path().join("store.db"));
        let store = runtime.block_on(Store::open(&at)).unwrap();
        Self {
            dir,
            clock: Arc::new(Driven::at(BEGIN)),
            runtime,
            store,
            closings: vec![Closing::default()],
            spool: 64 << 20,
            keeping: Keeping::default(),
            change: |_| (),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    /// Begins to watch, where an earlier process may have been killed.
    pub fn watch(&self, sources: Vec<Box<dyn Source>>) -> Watching {
        let plan = self.closings.iter().enumerate().map(|(n, closing)| {
            let mut suite = suite(SUITE);
            (self.change)(&mut suite);
            if n > 0 {
                suite.name = format!("s{n}");
            }
            let Closing { idle, max_age, max_records, max_bytes, ends } = closing.clone();
            suite.watch = Watch { idle, max_age, max_spans: max_records, max_bytes, ends, ..suite.watch };
            suite
        });
        let plan = Plan::new(plan.collect()).unwrap();
        let limits = Limits { spool: self.spool, ends: plan.ends(), ..Limits::default() };
        let left = Left::open(&self.dir.path().join("spool")).unwrap();
        let (inbox, _) = Inbox::open(left, 0, limits, Redactor::default(), |_, _| ()).unwrap();
        let clock = self.clock.clone();
        let inbox = Arc::new(inbox.by(move || clock.instant()));
        let admitting = Box::new(Sampling::open(&plan, self.dir.path()).unwrap());
        let setup = Setup {
            plan,
            inbox: inbox.clone(),
            store: self.store.clone(),
            handle: self.runtime.handle().clone(),
            clock: self.clock.clone(),
            sources,
            outside: Outside::default(),
            away: None,
            admitting,
            alerting: Alerting::default(),
            systems: Systems::open(self.dir.path()).unwrap(),
            jobs: 2,
            keeping: self.keeping.clone(),
            stop: &STOP,
        };
        Watching { watcher: Watcher::open(setup).unwrap(), inbox }
    }

    pub fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// The rows of a suite that count.
    pub fn rows(&self, suite: &str) -> Vec<WatchedRow> {
        self.wait(self.store.watched_between(suite, (0, i64::MAX), (i64::MIN, 0), 100_000)).unwrap()
    }

    /// The rows that count, in short: session, version, verdict.
    pub fn told(&self) -> Vec<(String, u32, &'static str)> {
        let told = |row: WatchedRow| {
            let body: Body = serde_json::from_str(&row.watched.body).unwrap();
            (row.watched.session, row.version, body.worst().name())
        };
        let mut told: Vec<_> = self.rows("s").into_iter().map(told).collect();
        told.sort();
        told
    }

    /// Lets time pass.
    pub fn pass(&self, secs: u64) {
        self.clock.pass(Duration::from_secs(secs));
    }

    /// A turn of a conversation that ends now, as an agent exports it.
    pub fn turn(&self, session: &str, turn: u32, reply: &str) -> Vec<u8> {
        self.turn_at(session, turn, reply, self.clock.millis())
    }

    /// The same at another time.
    pub fn turn_at(&self, session: &str, turn: u32, reply: &str, at: Millis) -> Vec<u8> {
        exported(session, turn, reply, at, &[])
    }
}

/// A turn of a conversation, as an agent exports it.
pub fn exported(session: &str, turn: u32, reply: &str, at: Millis, more: &[(&str, bool)]) -> Vec<u8> {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let message =
        |role: &str, said: &str| json!([{ "role": role, "parts": [{ "type": "text", "content": said }] }]).to_string();
    let trace = blake3::hash(format!("{session} {turn}").as_bytes()).to_hex()[..32].to_owned();
    let nanos = |ms: Millis| (i128::from(ms) * 1_000_000).to_string();
    let mut attributes = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.name", "desk"),
        text("gen_ai.conversation.id", session),
        text("gen_ai.input.messages", &message("user", "please")),
        text("gen_ai.output.messages", &message("assistant", reply)),
    ];
    attributes.extend(more.iter().map(|(key, value)| json!({ "key": key, "value": { "boolValue": value } })));
    let span = json!({
        "traceId": trace, "spanId": &trace[..16], "name": "invoke_agent desk", "kind": 1,
        "startTimeUnixNano": nanos(at - 1_000), "endTimeUnixNano": nanos(at), "attributes": attributes,
    });
    let scope = json!({ "scope": { "name": "demo" }, "spans": [span] });
    json!({ "resourceSpans": [{ "resource": { "attributes": [] }, "scopeSpans": [scope] }] }).to_string().into_bytes()
}

impl Watching {
    /// Takes turns until there is nothing more to do.
    pub fn turns(&mut self) {
        while self.watcher.turn().unwrap() {}
    }

    pub fn send(&self, request: &[u8]) {
        self.inbox.put(request).unwrap();
    }

    /// Sessions by verdict of the check, over all windows of a suite, and how many windows there are.
    pub fn windows(&self, suite: &str) -> (u64, u64, u64, usize) {
        let shared = self.watcher.shared();
        let windows = super::watcher::lock(&shared.windows);
        let (mut pass, mut fail, mut error, mut n) = (0, 0, 0, 0);
        for (_, window) in windows.of(suite).filter(|(_, window)| window.total.sessions > 0) {
            n += 1;
            for check in window.total.checks.values() {
                pass += check.pass;
                fail += check.fail;
                error += check.error;
            }
        }
        (pass, fail, error, n)
    }
}
