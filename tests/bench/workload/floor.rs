//! The floor under a run: read, split and decode every session of a file on all cores, and nothing else.
//!
//! `cargo bench --bench parse_only -- FILE [JOBS]`

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use seatrial::sources::reader::Reader;
use seatrial::sources::{ReadOptions, RecordedFile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let Some(path) = args.next() else { return };
    let jobs = args.next().and_then(|j| j.parse().ok()).unwrap_or(2);
    let file = RecordedFile { path: PathBuf::from(&path), name: path };
    let began = Instant::now();
    let source = Mutex::new((Reader::new(vec![file], ReadOptions::default()), Vec::<Vec<u8>>::new()));
    let (sessions, spans) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let batch = {
                        let mut source = source.lock().expect("no panic");
                        let buffer = source.1.pop().unwrap_or_default();
                        match source.0.next(buffer) {
                            Some(batch) => batch,
                            None => break,
                        }
                    };
                    let decoder = batch.decoder.as_ref().expect("a known format");
                    for element in &batch.elements {
                        let range = element.content.clone().expect("a whole element");
                        let session =
                            decoder.decode(&batch.buffer[range], element.index, &batch.stem).expect("a session");
                        sessions.fetch_add(1, Ordering::Relaxed);
                        spans.fetch_add(session.spans().count() as u64, Ordering::Relaxed);
                    }
                    source.lock().expect("no panic").1.push(batch.buffer);
                }
            });
        }
    });
    println!(
        "parse-only: {} sessions, {} spans in {:.3} s",
        sessions.into_inner(),
        spans.into_inner(),
        began.elapsed().as_secs_f64()
    );
}
