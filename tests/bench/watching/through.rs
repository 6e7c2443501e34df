//! How many sessions a minute go through one process from the export of their spans to the row of their verdicts, and how
//! soon agents are answered meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Numbers;
use crate::agents::{SPANS, TURNS, request};
use crate::watcher::{Watcher, now};

/// Sessions of which a turn lies in one request.
const TOGETHER: u64 = 20;
/// Connections that agents export by.
const CONNECTIONS: usize = 8;

pub fn measure(numbers: &mut Numbers) {
    let (pace, minutes, percent) = (numbers.next(10_000), numbers.next(1), numbers.next(100));
    let sessions = if pace == 0 { 20_000 * minutes } else { pace * minutes };
    let dir = tempfile::tempdir().expect("a folder");
    let watcher = Watcher::start(dir.path(), &format!("[watch.sample]\nrate = {}\n", percent as f64 / 100.0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Turn by turn of some sessions, as they would come; made before the clock starts, all of which end about now.
    let begins = now();
    let blocks = (0..sessions).step_by(TOGETHER as usize);
    let requests: Vec<Vec<u8>> = blocks
        .flat_map(|from| {
            let block = from..(from + TOGETHER).min(sessions);
            (0..TURNS).map(move |turn| request(block.clone(), turn, 0..SPANS, |_| begins))
        })
        .collect();
    let each = if pace == 0 { Duration::ZERO } else { Duration::from_secs(60 * minutes) / requests.len() as u32 };
    let requests = Arc::new(requests);
    let (next, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let client = seatrial::net::client::client().expect("a client");
    let mut answered: Vec<Duration> = runtime.block_on(async {
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (client, url, requests) = (client.clone(), watcher.otlp.clone(), requests.clone());
            let (next, refused) = (next.clone(), refused.clone());
            senders.spawn(async move {
                let mut answered = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(body) = requests.get(at) else { return answered };
                    let due = began + each * at as u32;
                    tokio::time::sleep_until(due.into()).await;
                    loop {
                        let asked = Instant::now();
                        let request = client.post(&url).header("content-type", "application/x-protobuf");
                        let reply = request.body(body.clone()).send().await.expect("an answer");
                        answered.push(asked.elapsed());
                        if reply.status().is_success() {
                            break;
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            });
        }
        senders.join_all().await.into_iter().flatten().collect()
    });
    let sent = began.elapsed();
    let decided = "seatrial_watch_sessions_total{suite=\"bench\",";
    let (evaluated, known) = runtime.block_on(async {
        loop {
            let known = watcher.sum(&client, decided).await;
            if known >= sessions || began.elapsed() > Duration::from_secs(1800) {
                return (watcher.sum(&client, &format!("{decided}outcome=\"evaluated\"")).await, known);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let all = began.elapsed();
    assert_eq!(known, sessions, "every session once");
    if percent >= 100 {
        assert_eq!(evaluated, sessions, "every session is judged");
    }
    answered.sort_unstable();
    let at =
        |share: f64| answered[((answered.len() as f64 * share) as usize).min(answered.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{sessions} sessions, {} spans, six checks of {evaluated}: exported in {:.1} s, all judged after {:.1} s: {:.0} \
         sessions a minute\n\
         answers: p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms; {} refused; CPU {:.1} s; memory at most {:.0} MB\n\
         for a million such sessions: {:.2} hours of a core; {:.2} GB of store, a row each",
        sessions * TURNS * SPANS,
        sent.as_secs_f64(),
        all.as_secs_f64(),
        sessions as f64 * 60.0 / all.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        refused.load(Ordering::Relaxed),
        watcher.cpu(),
        watcher.memory("VmHWM"),
        watcher.cpu() / 3600.0 * 1e6 / sessions as f64,
        stored(dir.path()) / 1e9 * 1e6 / sessions as f64,
    );
}

/// Bytes of the store, with what is not yet in its place.
fn stored(dir: &std::path::Path) -> f64 {
    let files = std::fs::read_dir(dir.join(".seatrial")).expect("the store").filter_map(Result::ok);
    let of_store = files.filter(|file| file.file_name().to_string_lossy().starts_with("seatrial.db"));
    of_store.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum::<u64>() as f64
}
