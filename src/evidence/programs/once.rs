//! A program that is started once, and has to end: what it prints, within a limit of time and of bytes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process;

/// Longest output that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// How much of what went wrong is told, in bytes.
const TOLD: usize = 500;

/// How often is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Starts a program in the folder `dir` with more variables, and waits for its end; what it prints. A name with a `/`
/// is relative to `dir`. It, and all that it started, ends when it takes longer than `timeout` or when the future is
/// dropped.
///
/// # Errors
/// That it could not be started, took too long, printed too much, or ended with another status than 0, in words.
pub async fn run(
    args: Vec<String>,
    dir: PathBuf,
    variables: Vec<(&'static str, String)>,
    timeout: Duration,
) -> Result<Vec<u8>, String> {
    let given_up = GivenUp(Arc::default());
    let stop = given_up.0.clone();
    let ran = tokio::task::spawn_blocking(move || program(&args, &dir, &variables, timeout, &stop)).await;
    ran.unwrap_or_else(|why| Err(format!("a bug in seatrial: {why}")))
}

/// Tells a program's thread that nobody waits for it any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn program(
    args: &[String],
    dir: &Path,
    told: &[(&str, String)],
    timeout: Duration,
    given_up: &AtomicBool,
) -> Result<Vec<u8>, String> {
    let name = args.first().map_or("", String::as_str);
    let failed = |why: std::io::Error| format!("`{name}` could not be started: {why}");
    let started = process::start(args, dir, |command| {
        command.envs(told.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let (mut child, _group) = started.map_err(failed)?;
    let out = child.stdout().take().map(|out| thread::spawn(move || read(out, LONGEST)));
    let err = child.stderr().take().map(|err| thread::spawn(move || read(err, TOLD)));
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < deadline && !given_up.load(Ordering::Relaxed) => thread::sleep(LOOK),
            Ok(None) => break Err(format!("`{name}` did not end within {timeout:?} (`timeout`)")),
            Err(why) => break Err(format!("`{name}` cannot be waited for: {why}")),
        }
    };
    // What it left running would hold its output open.
    let _ = child.kill();
    let heard =
        |reader: Option<thread::JoinHandle<(Vec<u8>, bool)>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
    let ((out, more), (err, _)) = (heard(out), heard(err));
    let status = status?;
    if !status.success() {
        let said = String::from_utf8_lossy(&err);
        let said = if said.trim().is_empty() { String::new() } else { format!(": {}", said.trim()) };
        return Err(format!("`{name}` ended with {status}{said}"));
    }
    if more { Err(format!("`{name}` printed more than {LONGEST} bytes")) } else { Ok(out) }
}

/// Reads to the end; keeps so much, and says whether there was more.
fn read(mut from: impl Read, most: usize) -> (Vec<u8>, bool) {
    let (mut kept, mut more, mut buffer) = (Vec::new(), false, [0; 8192]);
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let room = most.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(&buffer[..room]);
        more |= room < n;
    }
    (kept, more)
}
