//! `--watch`: the run again whenever a suite, a recording, or anything else that it reads changes.
//!
//! The system tells of changes in the folders of what was read; whether something that matters did change, the sizes and
//! times of the files say, so that reading them, or the run's own reports, start nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use notify::{RecursiveMode, Watcher};
use walkdir::WalkDir;

use super::{Args, folder, interrupt, once};
use crate::checks::system::past::Against;
use crate::cli::context::{Context, Failure};
use crate::eval::{exit, plan};
use crate::sources::discover;
use crate::store::record;
use crate::suite::Suite;
use crate::suite::settings::FILE_NAME;

/// How long nothing may change before the run begins: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(40);

/// How often is looked whether the watch is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Where nothing tells of changes, it is looked for them this often.
const POLL: Duration = Duration::from_millis(500);

/// What a run reads, and so what is watched.
#[derive(Default)]
struct Inputs {
    /// Files by name: suites, what they refer to, settings.
    files: BTreeSet<PathBuf>,
    /// Records of earlier runs that suites are compared with.
    baselines: BTreeSet<PathBuf>,
    /// Folders in which every suite is taken.
    folders: BTreeSet<PathBuf>,
    /// Paths and globs of recordings, each with the folder that it starts from.
    recordings: Vec<(Vec<String>, PathBuf)>,
}

/// Sizes and times of everything that is watched.
type State = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

impl Inputs {
    fn of(args: &Args, context: &Context) -> Self {
        let mut inputs = Self::default();
        for path in &args.load.suites {
            let path = context.cwd.join(path);
            if path.is_dir() {
                inputs.folders.insert(path)
            } else {
                inputs.files.insert(path)
            };
        }
        inputs.files.insert(context.settings.file.clone().unwrap_or_else(|| context.cwd.join(FILE_NAME)));
        inputs
    }

    /// What the suites say beside their own files.
    fn suites(&mut self, suites: &[Suite], args: &Args, context: &Context) {
        self.recordings.clear();
        for suite in suites {
            self.files.insert(context.cwd.join(&suite.path));
            self.files.extend(suite.files.keys().map(|name| context.cwd.join(name)).filter(|p| p.is_file()));
            let patterns = suite.recorded.paths.iter().filter(|p| *p != "-").cloned().collect();
            // Whose labels correct the pass rate decides with it.
            self.files.extend(suite.gate.labels.iter().map(|labels| context.cwd.join(&labels.path)));
            self.recordings.push((patterns, args.load.base(suite, context)));
        }
        let named = args.baseline.path();
        let own = suites.iter().flat_map(earlier_runs).filter(|(is_gate, _)| named.is_none() || !is_gate);
        let runs = own.map(|(_, path)| path).chain(named.cloned());
        // The newest run changes with every run of this watch, which would never end.
        let out = context.cwd.join(&context.settings.out.value);
        let newest = folder::latest(&out).and_then(|latest| fs::canonicalize(latest.join("run.jsonl")).ok());
        let records = runs.map(|run| record::locate(&context.cwd.join(run)));
        let is_newest = |record: &PathBuf| {
            record.starts_with(out.join("latest")) || (newest.is_some() && fs::canonicalize(record).ok() == newest)
        };
        self.baselines = records.filter(|record| !is_newest(record)).collect();
    }

    fn state(&self, context: &Context) -> State {
        let stat =
            |path: &Path| fs::metadata(path).ok().map(|m| (m.modified().unwrap_or(SystemTime::UNIX_EPOCH), m.len()));
        let files = self.files.iter().chain(&self.baselines);
        let mut state: State = files.map(|path| (path.clone(), stat(path))).collect();
        for folder in &self.folders {
            let suites = WalkDir::new(folder).into_iter().filter_map(Result::ok);
            let suites = suites.filter(|e| e.path().extension().is_some_and(|x| x == "toml"));
            state.extend(suites.map(|e| (e.path().to_owned(), stat(e.path()))));
        }
        for (patterns, base) in &self.recordings {
            let found = discover::discover(patterns, base, &context.cwd);
            state.extend(found.files.into_iter().map(|f| (f.path.clone(), stat(&f.path))));
        }
        state
    }

    /// The folders in which something may change.
    fn places(&self, state: &State) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut places = BTreeMap::new();
        // Of an earlier run its folder may be made, or a link to it turned, in the one above.
        let above = self.baselines.iter().filter_map(|record| record.parent()?.parent());
        for folder in state.keys().filter_map(|p| p.parent()).chain(above) {
            places.insert(folder.to_owned(), RecursiveMode::NonRecursive);
        }
        let roots = self.recordings.iter().flat_map(|(patterns, base)| {
            patterns.iter().map(move |pattern| {
                let fixed = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}']);
                let root: PathBuf = pattern.split('/').take_while(fixed).collect();
                base.join(if pattern.starts_with('/') { Path::new("/").join(root) } else { root })
            })
        });
        for root in self.folders.iter().cloned().chain(roots).filter(|p| p.is_dir()) {
            places.insert(root, RecursiveMode::Recursive);
        }
        places
    }
}

/// The earlier runs that a suite is compared with, and whether each is that of the gate.
fn earlier_runs(suite: &Suite) -> Vec<(bool, PathBuf)> {
    let gate = suite.gate.baseline.iter().map(|bar| (true, bar.path.clone()));
    let of_checks = suite.checks.iter().filter_map(|check| match plan::against(check)? {
        Against::Run { path, .. } => Some((false, path.clone())),
        Against::Gate => None,
    });
    gate.chain(of_checks).collect()
}

/// Runs again and again, until interrupted. Ends with the last run's exit code.
pub fn watch(args: &Args, context: &Context) -> Result<u8, Failure> {
    let stop = interrupt::stop_on_interrupt()?;
    let (sender, changes) = mpsc::channel();
    let cannot = |e: notify::Error| Failure::new(exit::BUG, format_args!("changes cannot be watched: {e}"));
    let mut watcher = notify::recommended_watcher(sender).map_err(cannot)?;
    let mut watched: BTreeSet<PathBuf> = BTreeSet::new();
    let mut inputs = Inputs::of(args, context);
    let mut mine: Option<PathBuf> = None;
    loop {
        let fresh = context.again();
        clear(args);
        let mut before = inputs.state(context);
        let code = match &fresh {
            Ok(fresh) => {
                let mut seen = |suites: &[Suite]| {
                    inputs = Inputs::of(args, fresh);
                    inputs.suites(suites, args, fresh);
                    before = inputs.state(fresh);
                };
                once(args, fresh, &mut seen).unwrap_or_else(|failure| failure.print(args.json))
            }
            // Told already.
            Err(code) => *code,
        };
        let context = fresh.as_ref().unwrap_or(context);
        replace(&mut mine, &context.cwd.join(&context.settings.out.value));
        let mut blind = false;
        for (place, mode) in inputs.places(&before) {
            if !watched.contains(&place) {
                match watcher.watch(&place, mode) {
                    Ok(()) => drop(watched.insert(place)),
                    Err(_) => blind = true,
                }
            }
        }
        context.note(&format!("seatrial: exit code {code}; watching {} files, ^C ends\n", before.len()));
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(code);
            }
            match changes.recv_timeout(if blind { POLL } else { LOOK }) {
                Ok(_) => while changes.recv_timeout(QUIET).is_ok() {},
                Err(RecvTimeoutError::Timeout) if blind => {}
                Err(_) => continue,
            }
            if inputs.state(context) != before {
                break;
            }
        }
    }
}

/// Clears a terminal: what is shown is the newest run.
fn clear(args: &Args) {
    use io::Write;
    let mut out = io::stdout();
    if out.is_terminal() && !args.json {
        // What cannot be cleared stays.
        let _ = out.write_all(b"\x1b[2J\x1b[3J\x1b[H").and_then(|()| out.flush());
    }
}

/// Takes away the run before this one, if it was one of this watch: nobody wants the report of every keystroke.
fn replace(mine: &mut Option<PathBuf>, out: &Path) {
    let newest = folder::latest(out).and_then(|latest| fs::canonicalize(latest).ok());
    if newest == *mine {
        return;
    }
    if let Some(old) = std::mem::replace(mine, newest) {
        // One that cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(old);
    }
}
