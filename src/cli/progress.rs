//! Progress on standard error: a bar on a terminal, plain lines in CI.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::{Context, eprint};
use crate::checks::system::words;
use crate::drive::fleet::Reached as Driven;
use crate::report::safe;
use crate::run::engine::Reached;
use crate::sources::RecordedFile;
use crate::suite::settings::When;

/// How often a plain line is printed.
const EVERY: Duration = Duration::from_secs(10);

/// Progress over one suite.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    /// When the last plain line was printed; `None` prints none.
    plain: Option<Mutex<Instant>>,
}

impl Progress {
    /// Progress of a suite over these files.
    pub fn new(context: &Context, suite: &str, files: &[RecordedFile]) -> Self {
        let name = safe::terminal(suite).into_owned();
        let shown = is_shown(context);
        let bar = (shown && std::io::stderr().is_terminal()).then(|| bar(&name, files));
        let plain = (shown && bar.is_none()).then(|| Mutex::new(Instant::now()));
        Self { name, bar, plain }
    }

    /// How far the suite has come.
    pub fn tell(&self, reached: Reached) {
        if let Some(bar) = &self.bar {
            bar.set_position(reached.bytes);
            bar.set_message(words(reached));
        } else if let Some(last) = self.plain.as_ref().and_then(|p| p.try_lock().ok()).as_mut()
            && last.elapsed() >= EVERY
        {
            **last = Instant::now();
            eprint(&format!("{}: {}\n", self.name, words(reached)));
        }
    }

    /// How many questions to models of how many are answered.
    pub fn asking(&self, done: u64, wanted: u64) {
        let words = format!("asking models: {done} of {wanted} answered");
        if let Some(bar) = &self.bar {
            bar.set_message(words);
        } else if let Some(last) = self.plain.as_ref().and_then(|p| p.try_lock().ok()).as_mut()
            && last.elapsed() >= EVERY
        {
            **last = Instant::now();
            eprint(&format!("{}: {words}\n", self.name));
        }
    }

    /// The suite is done.
    pub fn done(&self, sessions: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        } else if self.plain.is_some() {
            eprint(&format!("{}: {}, done\n", self.name, words::counted(sessions, "session")));
        }
    }
}

fn is_shown(context: &Context) -> bool {
    match context.settings.progress.value {
        When::Always => true,
        When::Never => false,
        When::Auto => !context.quiet,
    }
}

/// What is being done. Telemetry is read to its end before there is any session.
fn words(Reached { sessions, bytes, assembling }: Reached) -> String {
    match (assembling, sessions) {
        (true, _) => format!("{sessions} sessions put together"),
        (false, 0) => format!("{} MB read", bytes / 1_000_000),
        (false, _) => format!("{sessions} sessions"),
    }
}

fn bar(name: &str, files: &[RecordedFile]) -> ProgressBar {
    let compressed = |f: &RecordedFile| f.path.extension().is_some_and(|e| e == "gz" || e == "zst");
    let sizes: Option<u64> =
        files.iter().map(|f| if compressed(f) { None } else { std::fs::metadata(&f.path).ok().map(|m| m.len()) }).sum();
    let (bar, template) = match sizes {
        Some(total) if total > 0 => (ProgressBar::new(total), "{prefix} {wide_bar} {msg} {eta}"),
        // The size after decompression is not known before the end.
        _ => (ProgressBar::new_spinner(), "{prefix} {spinner} {msg} {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    bar.set_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Progress of driving a suite's live agent.
pub struct Driving {
    name: String,
    bar: Option<ProgressBar>,
    /// When the last plain line was printed; `None` prints none.
    plain: Option<Mutex<Instant>>,
}

impl Driving {
    /// Progress of a suite.
    pub fn new(context: &Context, suite: &str) -> Self {
        let name = safe::terminal(suite).into_owned();
        let shown = is_shown(context);
        let bar = (shown && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.set_prefix(name.clone());
            if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} driven, {msg} {eta}") {
                bar.set_style(style);
            }
            bar
        });
        let plain = (shown && bar.is_none()).then(|| Mutex::new(Instant::now()));
        Self { name, bar, plain }
    }

    /// How far it has come.
    pub fn tell(&self, Driven { ended, going, all }: Driven) {
        if let Some(bar) = &self.bar {
            bar.set_length(all as u64);
            bar.set_position(ended as u64);
            bar.set_message(format!("{going} in flight"));
        } else if let Some(last) = self.plain.as_ref().and_then(|p| p.try_lock().ok()).as_mut()
            && last.elapsed() >= EVERY
        {
            **last = Instant::now();
            eprint(&format!("{}: {ended} of {all} sessions driven, {going} in flight\n", self.name));
        }
    }

    /// All have ended.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_being_done() {
        let said = |sessions, bytes, assembling| words(Reached { sessions, bytes, assembling });
        assert_eq!(said(0, 12_345_678, false), "12 MB read");
        assert_eq!(said(3, 12_345_678, false), "3 sessions");
        assert_eq!(said(0, 12_345_678, true), "0 sessions put together");
    }
}
