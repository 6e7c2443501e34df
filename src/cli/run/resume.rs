//! `--resume`: which run is continued, and whether it may be.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::display as display_of;
use crate::cli::context::{Context, Failure};
use crate::eval::event::{BaselineEvent, Finished, Header, Plan, Started};
use crate::eval::exit;
use crate::eval::keep::Keep;
use crate::eval::same;
use crate::report::safe;
use crate::run::past::{Known, Past};
use crate::store::lines::{Kind, Lines, kind};
use crate::store::record;
use crate::store::writer::{OpenError, Writer};

/// A run that is continued.
pub struct Resumed {
    /// Its folder.
    pub dir: PathBuf,
    /// When it began.
    pub started: Started,
    /// What it set out to do.
    pub plan: Plan,
    /// The earlier runs that its suites are compared with.
    pub baselines: Vec<BaselineEvent>,
    /// Its record.
    pub record: Writer,
    /// What is recorded.
    pub past: Past,
    /// The sessions among it.
    pub known: Known,
}

/// The first lines of a record.
struct Head {
    header: Header,
    started: Started,
    plan: Plan,
    baselines: Vec<BaselineEvent>,
}

/// Opens the run that is to be continued with `plan`: the one that `which` names, or the newest in `out` that has not
/// ended. `None` when there is none.
pub fn open(
    which: Option<&Path>,
    out: &Path,
    plan: &Plan,
    keep: Keep,
    context: &Context,
) -> Result<Option<Resumed>, Failure> {
    let path = match which {
        Some(run) => Some(record::locate(&context.cwd.join(run))),
        None => newest_unfinished(out, plan, context),
    };
    let Some(path) = path else { return Ok(None) };
    let name = safe::line(&display_of(&path, &context.cwd)).into_owned();
    let refused = |why: &dyn std::fmt::Display| Failure::usage(format_args!("{name} cannot be resumed: {why}"));
    // Locked first: what is read from here on does not change.
    let record = Writer::resume(&path).map_err(|why| refused(&why))?;
    let head = head(&path).ok_or_else(|| refused(&"it is not the record of a run that has read its suites"))?;
    let mut differs = same::differences(&head.plan, plan, "the run", "this one");
    if head.plan.shard() != plan.shard() {
        let said = |p: &Plan| p.shard().map_or("no shard".to_owned(), |s| format!("shard {s}"));
        differs.push(format!("the run records {}, this one {}", said(&head.plan), said(plan)));
    }
    if head.header.seatrial != env!("CARGO_PKG_VERSION") {
        differs.push(format!("the run was recorded by seatrial {}", head.header.seatrial));
    }
    if !differs.is_empty() {
        let list: String = differs.iter().map(|d| format!("  {}\n", safe::terminal(d))).collect();
        let help = "help: what was recorded of other suites is no part of this run; run without `--resume`\n";
        let message = format!("seatrial: {name} cannot be resumed, it is not the same run:\n{list}{help}");
        return Err(Failure { code: exit::USAGE, message, told: false });
    }
    let (past, known) = Past::open(&path, &head.plan, keep).map_err(|why| refused(&why))?;
    let dir = path.parent().unwrap_or(&context.cwd).to_owned();
    Ok(Some(Resumed { dir, started: head.started, plan: head.plan, baselines: head.baselines, record, past, known }))
}

/// The newest run that has not ended and that nobody writes, of the same shard.
fn newest_unfinished(out: &Path, plan: &Plan, context: &Context) -> Option<PathBuf> {
    let folders = fs::read_dir(out).into_iter().flatten().filter_map(Result::ok);
    let folders = folders.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    let paths = folders.map(|e| e.path().join("run.jsonl")).filter(|p| p.is_file());
    let mut runs: Vec<(Option<jiff::Timestamp>, PathBuf)> = paths
        .filter_map(|path| {
            head(&path).filter(|h| h.plan.shard() == plan.shard()).map(|h| (h.started.at.parse().ok(), path))
        })
        .collect();
    runs.sort();
    for (_, path) in runs.into_iter().rev() {
        if has_ended(&path) {
            continue;
        }
        match Writer::resume(&path) {
            Err(OpenError::Locked) => {
                let name = display_of(&path, &context.cwd);
                context.note(&format!("seatrial: {} is being written by another process\n", safe::terminal(&name)));
            }
            _ => return Some(path),
        }
    }
    None
}

fn head(path: &Path) -> Option<Head> {
    let mut lines = Lines::open(path).ok()?;
    let (mut header, mut started, mut baselines) = (None, None, Vec::new());
    loop {
        let line = lines.read().ok()??;
        match kind(line) {
            Kind::Session => return None,
            Kind::Baseline => baselines.push(serde_json::from_slice(line).ok()?),
            Kind::Header => header = serde_json::from_slice(line).ok(),
            Kind::Volatile if line.starts_with(b"{\"volatile\":\"started\"") => {
                started = serde_json::from_slice(line).ok()
            }
            Kind::Plan => {
                let plan = serde_json::from_slice(line).ok()?;
                return Some(Head { header: header?, started: started?, plan, baselines });
            }
            _ => {}
        }
    }
}

/// Whether the last line says that the run came to its end.
fn has_ended(path: &Path) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    let tail = || {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let Ok(bytes) = tail() else { return false };
    let Some(line) = bytes.strip_suffix(b"\n").and_then(|b| b.rsplit(|c| *c == b'\n').next()) else { return false };
    line.starts_with(b"{\"volatile\":\"finished\"")
        && serde_json::from_slice::<Finished>(line).is_ok_and(|f| f.stopped.is_none_or(|why| why == exit::FAIL_FAST))
}

/// The last line of a record that has ended is shorter.
const TAIL: u64 = 1 << 16;
