//! What the memory of a watcher does over a week with a million sessions: days pass in an instant, on a driven clock.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use seatrial::checks::build::Kit;
use seatrial::evidence::Outside;
use seatrial::receive::inbox::{Inbox, Limits};
use seatrial::receive::spool::Left;
use seatrial::redact::Redactor;
use seatrial::store::db::{Store, StoreUrl};
use seatrial::suite::RunsIn;
use seatrial::suite::load::{self, Env};
use seatrial::watch::admit::Sampling;
use seatrial::watch::alerting::Alerting;
use seatrial::watch::clock::{Clock, Driven};
use seatrial::watch::plan::Plan;
use seatrial::watch::system::Systems;
use seatrial::watch::watcher::{Keeping, Setup, Watcher};

use crate::Numbers;
use crate::agents::{END, SUITE, request};
use crate::watcher::memory_of;

static STOP: AtomicBool = AtomicBool::new(false);

/// A Monday, 2026-11-02T00:00:00Z.
const BEGIN: i64 = 1_793_577_600_000;
/// Time that passes between two turns of the watcher, and how often it does so in a week.
const STEP: Duration = Duration::from_secs(300);
const STEPS: u64 = 7 * 24 * 12;
/// Spans of a session here: one turn.
const SPANS: u64 = 3;

pub fn measure(numbers: &mut Numbers) {
    let sessions = numbers.next(1_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("suite.toml");
    std::fs::write(&file, SUITE).expect("the suite");
    let kit = Arc::new(Kit::default());
    let redact = Default::default();
    let env = Env {
        kit: &kit,
        vars: &|_| None,
        subject: None,
        redact: &redact,
        sessions: None,
        place: RunsIn::Watch,
        every: None,
    };
    let loaded = load::load(&[file], &env).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let mut suites = loaded.suites;
    suites.iter_mut().for_each(|suite| suite.watch.ends.push(END.to_owned()));
    let plan = Plan::new(suites).expect("a plan");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let at = StoreUrl::File(dir.path().join("store.db"));
    let clock = Arc::new(Driven::at(BEGIN));
    let limits = Limits { spool: 4 << 30, ends: plan.ends(), ..Limits::default() };
    let left = Left::open(&dir.path().join("spool")).expect("a spool");
    let (inbox, _) = Inbox::open(left, 0, limits, Redactor::default(), |_, _| ()).expect("an inbox");
    let instants = clock.clone();
    let inbox = Arc::new(inbox.by(move || instants.instant()));
    let setup = Setup {
        admitting: Box::new(Sampling::open(&plan, dir.path()).expect("sampling")),
        plan,
        inbox: inbox.clone(),
        store: runtime.block_on(Store::open(&at)).expect("a store"),
        handle: runtime.handle().clone(),
        clock: clock.clone(),
        sources: Vec::new(),
        outside: Outside::default(),
        away: None,
        alerting: Alerting::default(),
        systems: Systems::open(dir.path()).expect("system checks"),
        jobs: 2,
        keeping: Keeping::default(),
        stop: &STOP,
    };
    let mut watcher = Watcher::open(setup).expect("a watcher");
    let (began, mut sent) = (Instant::now(), 0);
    println!("| day | sessions | memory | store | spool |\n| --- | --- | --- | --- | --- |");
    for step in 1..=STEPS {
        let until = sessions * step / STEPS;
        let millis = u64::try_from(clock.millis()).expect("a time after 1970");
        while sent < until {
            let block = sent..(sent + 100).min(until);
            // The fourth turn alone: it says that its session has ended.
            inbox.put(&request(block.clone(), 3, 0..SPANS, |_| millis)).expect("taken");
            sent = block.end;
        }
        clock.pass(STEP);
        while watcher.turn().expect("a turn") {}
        if step % (STEPS / 28) == 0 {
            let size = |path: &str| std::fs::metadata(dir.path().join(path)).map_or(0.0, |m| m.len() as f64 / 1e6);
            let spool = std::fs::read_dir(dir.path().join("spool")).expect("the spool");
            let spool: u64 = spool.filter_map(|entry| entry.ok()?.metadata().ok()).map(|m| m.len()).sum();
            println!(
                "| {:.2} | {sent} | {:.0} MB | {:.0} MB | {:.0} MB |",
                step as f64 / (STEPS as f64 / 7.0),
                memory_of("self", "VmRSS"),
                size("store.db"),
                spool as f64 / 1e6,
            );
        }
    }
    let evaluated = watcher.shared().metrics.sessions_of("bench", "evaluated");
    println!(
        "{evaluated} of {sessions} sessions judged in {:.0} s; memory at most {:.0} MB",
        began.elapsed().as_secs_f64(),
        memory_of("self", "VmHWM"),
    );
}
