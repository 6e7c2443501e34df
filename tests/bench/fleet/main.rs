//! How much faster two workers are than one: six deterministic checks of each of some thousand sessions of about 20 KB,
//! which wait in the queue when the workers begin, so that only they and the NATS server work. Then whole runs, in which
//! whoever reads works beside them.
//!
//! `cargo bench --bench fleet [-- SESSIONS [ROUNDS]]`

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seatrial::eval::keep::Keep;
use seatrial::eval::plan::Planned;
use seatrial::fleet::bundle::{self, Lent, VERSION};
use seatrial::fleet::queue::{Note, Queue};
use seatrial::fleet::task::{Task, pack_recipe};
use seatrial::run::apart::{Portion, Room};
use seatrial::sources::recipe::Recipe;
use seatrial::suite::RunsIn;
use seatrial::suite::load::{Env, load};
use seatrial::suite::redact::Given;

#[path = "../../cli/nats.rs"]
mod nats;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SUITE: &str = r#"
[suite]
name = "fleet"
[recorded]
paths = ["sessions.jsonl"]

[[session]]
id = "closing"
check = "matches"
value = '\b([Rr]eservation|[Ff]light|[Tt]ransfer(?:red|ring)?|[Bb]ook(?:ed|ing)?|assist(?:ance)?)\b'

[[session]]
id = "few-calls"
check = "calls"
tool = "*"
min = 0
max = 40

[[turn]]
id = "short"
check = "length"
max = 4000
unit = "chars"

[[turn]]
id = "forbidden"
check = "not_contains"
values = ["as an AI language model", "lorem ipsum", "password", "social security", "BEGIN PRIVATE KEY"]

[[span]]
id = "well"
on = { kind = "tool" }
check = "status"
is = "ok"

[[session]]
id = "private"
check = "not_matches"
value = '\b[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}\b'
"#;

/// Sessions of a portion.
const PORTION: usize = 8;

fn session(i: usize) -> String {
    let turn = |t: usize| {
        let words =
            format!("The flight of reservation {i}-{t} was booked; is there anything else that I may do? ").repeat(6);
        let call = |c: usize| {
            serde_json::json!({
                "kind": "tool", "name": "look_up", "status": "ok",
                "input": { "order": i, "turn": t, "call": c },
                "output": { "found": true, "text": format!("order {i} of turn {t}, call {c}: ").repeat(8) },
            })
        };
        serde_json::json!({ "user": "What of my flight?", "reply": words, "spans": [call(0), call(1), call(2)] })
    };
    serde_json::json!({ "seatrial": 1, "id": format!("s{i}"), "turns": (0..12).map(turn).collect::<Vec<_>>() })
        .to_string()
}

fn binary() -> std::ffi::OsString {
    std::env::var_os("SEATRIAL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_seatrial").into())
}

/// Workers with one hand each, ended when they are dropped.
struct Workers(Vec<Child>);

impl Workers {
    fn start(dir: &Path, url: &str, count: usize) -> Self {
        let start = |_| {
            let mut worker = Command::new(binary());
            worker.args(["worker", url, "--jobs", "1"]).current_dir(dir).stderr(Stdio::piped());
            let mut child = worker.spawn().expect("a worker");
            let said = BufReader::new(child.stderr.take().expect("a pipe"));
            let mut lines = said.lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("working for")).expect("it works");
            std::thread::spawn(move || lines.for_each(drop));
            child
        };
        Self((0..count).map(start).collect())
    }

    /// What they used of the processors so far, in seconds.
    fn used(&self) -> f64 {
        let ticks = |child: &Child| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let of = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
            of(11) + of(12)
        };
        self.0.iter().map(ticks).sum::<f64>() / 100.0
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Puts all sessions into the queue; how many portions these are.
async fn fill(queue: &Queue, dir: &Path, run: &str, sessions: &[String]) -> u64 {
    let kit = Arc::default();
    let redact = Given::default();
    let env = Env {
        kit: &kit,
        vars: &|_| None,
        subject: None,
        redact: &redact,
        sessions: None,
        place: RunsIn::Gate,
        every: None,
    };
    let Ok(loaded) = load(&[dir.join("suite.toml")], &env) else { panic!("the suite does not load") };
    let planned = Planned::new(&loaded.suites[0], None).expect("a plan");
    let bundle = bundle::pack(&planned, dir, Lent::default(), false, &|_| None).expect("a bundle");
    let stop = || false;
    let recipe = Recipe::Format { name: "seatrial".to_owned(), headers: Vec::new() };
    let suite = queue.objects.keep(&bundle, &stop).await.expect("kept");
    let digest = queue.objects.keep(&pack_recipe(&recipe).expect("packed"), &stop).await.expect("kept");
    let room = Room { all: 0, passed: 0 };
    let mut count = 0;
    for (n, portion) in sessions.chunks(PORTION).enumerate() {
        let elements = portion.iter().enumerate().map(|(i, s)| ((n * PORTION + i) as u64, s.as_bytes())).collect();
        let portion = Portion { recipe: &recipe, stem: "s", file: 0, now_ns: 0, room, elements, given_up: None };
        let task = Task {
            run: run.to_owned(),
            key: n.to_string(),
            version: VERSION.to_owned(),
            suite,
            index: 0,
            now_ns: 0,
            keep: Keep { failed: false, passed: 0, limit: 0 },
            tries: 5,
            reply: queue.done(run, &n.to_string()),
            recipe: digest,
            stem: "s".to_owned(),
            file: 0,
            room,
            given_up: None,
            elements: portion.elements.iter().map(|(i, _)| *i).collect(),
        };
        let packed = task.pack(&portion).expect("packed");
        queue.put(&queue.work(run), &format!("{run}-{n}"), &packed, Note::default(), &stop).await.expect("put");
        count += 1;
    }
    count
}

/// How long workers take over a queue that is full when they begin, and what they used of the processors meanwhile.
async fn drain(queue: &Queue, dir: &Path, url: &str, portions: u64, workers: usize) -> (f64, f64) {
    let consumer = queue.workers(None).await.expect("a consumer");
    let workers = Workers::start(dir, url, workers);
    let left = || async {
        let info = consumer.get_info().await.expect("the queue");
        info.num_pending + info.num_ack_pending as u64
    };
    while left().await == portions {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (began, used, first) = (Instant::now(), workers.used(), left().await);
    while left().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = began.elapsed().as_secs_f64();
    (first as f64 * PORTION as f64 / took, (workers.used() - used) / took)
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse::<usize>().ok());
    let mut number = |usual| numbers.next().unwrap_or(usual);
    let (count, rounds) = (number(20_000), number(3));
    let Some(server) = nats::Nats::start() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let sessions: Vec<String> = (0..count).map(session).collect();
    let bytes: usize = sessions.iter().map(String::len).sum();
    std::fs::write(dir.path().join("suite.toml"), SUITE).expect("a suite");
    std::fs::write(dir.path().join("sessions.jsonl"), sessions.join("\n") + "\n").expect("sessions");
    println!("{count} sessions, {:.0} MB, six checks", bytes as f64 / 1e6);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let url = server.url("bench");
    let queue = runtime.block_on(async {
        let address = url.parse().expect("an address");
        Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue")
    });
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for workers in [1, 2] {
            let run = format!("r{round}w{workers}");
            let (rate, cores) = runtime.block_on(async {
                let portions = fill(&queue, dir.path(), &run, &sessions).await;
                let measured = drain(&queue, dir.path(), &url, portions, workers).await;
                queue.forget(&run).await;
                measured
            });
            println!("{workers} workers over a full queue: {rate:.0} sessions/s, {cores:.2} cores");
            rates[workers - 1].push(rate);
        }
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    println!("two workers to one: {:.2} (the best of {rounds} rounds each)", best(&rates[1]) / best(&rates[0]));
    for (name, more, workers) in [
        ("one machine, one thread", vec!["-j", "1"], 0),
        ("one machine, two threads", vec!["-j", "2"], 0),
        ("one worker", vec!["--on", &url], 1),
        ("two workers", vec!["--on", &url], 2),
    ] {
        let workers = Workers::start(dir.path(), &url, workers);
        let began = Instant::now();
        let mut command = Command::new(binary());
        command.args(["run", "suite.toml", "--reports", "none", "--keep", "none"]).args(&more).current_dir(dir.path());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a run");
        let took = began.elapsed().as_secs_f64();
        println!("a run on {name}: {took:.2} s, {:.0} sessions/s ({status})", count as f64 / took);
        drop(workers);
    }
}
