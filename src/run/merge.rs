//! Shards of a run, put together as if it had never been split.
//!
//! The record of a shard says, between its own events, how many things stood there that other shards record. So every
//! position of the recordings is held by exactly one shard, which is verified before anything is written; then the
//! lines are copied in the order of the whole run, sessions that contradict each other across shards are found, the
//! rows are folded and the system checks are asked.

use std::io;
use std::path::{Path, PathBuf};

use super::commit::{AskSystem, Commit, Desk};
use super::element::{Done, Item, Kept, is_kept};
use super::engine::{Outcome, Sinks};
use crate::eval::driven::DrivenEvent;
use crate::eval::event::{
    BaselineEvent, Elsewhere, Finished, LeftOutEvent, Plan, SessionEvent, ShardPlan, Started, SuiteEnd,
};
use crate::eval::fold::SuiteFold;
use crate::eval::keep::KeptFor;
use crate::eval::row::Row;
use crate::eval::spend::SpendEvent;
use crate::redact::Redacted;
use crate::store::kept;
use crate::store::lines::{Kind, Lines, kind};

/// The record of a shard.
pub struct ShardRecord {
    /// The record.
    pub path: PathBuf,
    /// What was to be done.
    pub plan: Plan,
    /// Which part of it.
    pub shard: ShardPlan,
    /// The id of the shard's run.
    pub run: String,
    /// The exit code; `None` when the shard has not ended, or not at its end.
    pub ended: Result<u8, String>,
    /// The end of each suite's sessions.
    pub ends: Vec<Option<SuiteEnd>>,
    /// The earlier runs that its suites are compared with.
    pub baselines: Vec<BaselineEvent>,
    /// What asking models took.
    pub spent: Vec<SpendEvent>,
    /// What driving agents took.
    pub driven: Vec<DrivenEvent>,
}

/// What went wrong while shards were put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A record could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}: a line that is not an event of a run record: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The shards do not hold one and the same run.
    #[error("{0}")]
    Apart(String),
}

impl ShardRecord {
    /// Looks through a record whose plan was read and is one of a shard.
    pub fn open(path: &Path, plan: Plan, shard: ShardPlan) -> Result<Self, MergeError> {
        let io = |source| MergeError::Io { path: path.to_owned(), source };
        let bad = |source| MergeError::Line { path: path.to_owned(), source };
        let mut lines = Lines::open(path).map_err(io)?;
        let (mut run, mut finished, mut ends) = (None, None::<Finished>, vec![None; plan.suites.len()]);
        let (mut baselines, mut spent, mut driven) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(line) = lines.read().map_err(io)? {
            match kind(line) {
                Kind::Baseline => baselines.push(serde_json::from_slice(line).map_err(bad)?),
                Kind::SuiteEnd => {
                    let end: SuiteEnd = serde_json::from_slice(line).map_err(bad)?;
                    if let Some(slot) = ends.get_mut(end.suite as usize) {
                        *slot = Some(end);
                    }
                }
                Kind::Volatile if line.starts_with(b"{\"volatile\":\"started\"") => {
                    run = Some(serde_json::from_slice::<Started>(line).map_err(bad)?.run);
                }
                Kind::Volatile if line.starts_with(b"{\"volatile\":\"finished\"") => {
                    finished = Some(serde_json::from_slice(line).map_err(bad)?);
                }
                Kind::Volatile if line.starts_with(b"{\"volatile\":\"spend\"") => {
                    spent.push(serde_json::from_slice(line).map_err(bad)?);
                }
                Kind::Volatile if line.starts_with(b"{\"volatile\":\"driven\"") => {
                    driven.push(serde_json::from_slice(line).map_err(bad)?);
                }
                _ => {}
            }
        }
        let ended = match finished {
            _ if lines.is_cut() => Err("it was killed while it was written".to_owned()),
            None => Err("it has not ended".to_owned()),
            Some(Finished { stopped: Some(why), .. }) => Err(format!("it ended early ({why})")),
            Some(Finished { exit_code, .. }) => Ok(exit_code),
        };
        Ok(Self {
            path: path.to_owned(),
            plan,
            shard,
            run: run.unwrap_or_default(),
            ended,
            ends,
            baselines,
            spent,
            driven,
        })
    }

    /// The folder of the shard's run.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn name(&self) -> String {
        format!("shard {} ({})", self.shard.shard, self.path.display())
    }
}

/// A shard's record, read line by line.
struct Cursor<'s> {
    record: &'s ShardRecord,
    lines: Lines,
    /// The line at hand, when it is the shard's own event.
    line: Vec<u8>,
    at: Place,
    kept: Option<kept::Reader>,
}

/// What a shard holds at the current position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its own event.
    Own(Kind),
    /// So many events of others.
    Others(u64),
    /// The suite is over.
    End,
}

impl<'s> Cursor<'s> {
    fn open(record: &'s ShardRecord) -> Result<Self, MergeError> {
        let io = |source| MergeError::Io { path: record.path.clone(), source };
        let lines = Lines::open(&record.path).map_err(io)?;
        let kept = kept::Reader::open(record.dir()).map_err(io)?;
        Ok(Self { record, lines, line: Vec::new(), at: Place::Others(0), kept })
    }

    /// Goes to the next event of the current suite, or past one of other shards.
    fn advance(&mut self) -> Result<(), MergeError> {
        if let Place::Others(n) = &mut self.at
            && *n > 1
        {
            *n -= 1;
            return Ok(());
        }
        loop {
            let path = || self.record.path.clone();
            let Some(line) = self.lines.read().map_err(|source| MergeError::Io { path: path(), source })? else {
                return Err(MergeError::Apart(format!("{} ends before the end of its sessions", self.record.name())));
            };
            self.at = match kind(line) {
                own @ (Kind::Session | Kind::LeftOut) => {
                    self.line.clear();
                    self.line.extend_from_slice(line);
                    Place::Own(own)
                }
                Kind::Elsewhere => {
                    let others: Elsewhere =
                        serde_json::from_slice(line).map_err(|source| MergeError::Line { path: path(), source })?;
                    if others.sessions == 0 {
                        continue;
                    }
                    Place::Others(others.sessions)
                }
                Kind::SuiteEnd => Place::End,
                _ => continue,
            };
            return Ok(());
        }
    }

    /// The session at hand as it was kept whole: `None` when it was not to be, empty when there was no room.
    fn kept(&mut self, plan: &Plan, event: &SessionEvent<'_>) -> Result<Option<Kept>, MergeError> {
        let io = |source| MergeError::Io { path: self.record.dir().join(kept::SESSIONS), source };
        let why = plan.suites.get(event.suite as usize).and_then(|s| is_kept(self.record.shard.keep, s, event));
        let Some(why) = why else { return Ok(None) };
        let review = matches!(why, KeptFor::Review { .. });
        let mut entry = kept::Entry { packed: Vec::new(), passed: why.passed(), review, against: Vec::new() };
        if let Some(kept) = &mut self.kept
            && let Some(place) = kept.find(event.suite, event.at).map_err(io)?
        {
            entry.packed = kept.packed(&place).map_err(io)?;
            entry.against = place.against;
        }
        Ok(Some(Box::new(Redacted::drawn(entry))))
    }
}

/// The records of all shards, at the same position.
pub struct Shards<'s> {
    cursors: Vec<Cursor<'s>>,
    plan: &'s Plan,
}

impl<'s> Shards<'s> {
    /// Opens the shards of a run at their beginning.
    pub fn open(records: &'s [ShardRecord], plan: &'s Plan) -> Result<Self, MergeError> {
        Ok(Self { cursors: records.iter().map(Cursor::open).collect::<Result<_, _>>()?, plan })
    }

    /// Goes through one suite without looking into its events: whether every position is held by exactly one shard.
    pub fn verify(&mut self) -> Result<(), MergeError> {
        self.each(|_, _, _| Ok(()))
    }

    /// Hands over every event of the next suite in the order of the whole run.
    fn each(
        &mut self,
        mut take: impl FnMut(&mut Cursor<'s>, &Plan, Kind) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        for cursor in &mut self.cursors {
            cursor.at = Place::Others(0);
            cursor.advance()?;
        }
        loop {
            let mut own = None;
            let over = self.cursors.iter().filter(|c| c.at == Place::End).count();
            for (index, cursor) in self.cursors.iter().enumerate() {
                if let Place::Own(kind) = cursor.at {
                    if let Some((other, _)) = own {
                        let other: usize = other;
                        return Err(apart(&self.cursors[other], cursor, "both hold the same session"));
                    }
                    own = Some((index, kind));
                }
            }
            match own {
                _ if over == self.cursors.len() => return Ok(()),
                _ if over > 0 => {
                    let done = self.cursors.iter().find(|c| c.at == Place::End);
                    let more = self.cursors.iter().find(|c| c.at != Place::End);
                    return Err(match (done, more) {
                        (Some(a), Some(b)) => apart(a, b, "did not read the same number of sessions"),
                        _ => MergeError::Apart("the shards did not read the same sessions".to_owned()),
                    });
                }
                None => {
                    return Err(MergeError::Apart("a session is held by none of the shards".to_owned()));
                }
                Some((index, kind)) => take(&mut self.cursors[index], self.plan, kind)?,
            }
            for cursor in &mut self.cursors {
                cursor.advance()?;
            }
        }
    }

    /// Folds the next suite, and writes the events of the whole run.
    pub(super) fn commit(&mut self, mut commit: Commit<'_, '_, '_>, ask: AskSystem<'_>) -> Result<Outcome, MergeError> {
        let (mut seq, mut done) = (0, Done::default());
        self.each(|cursor, plan, kind| {
            let bad = |source| MergeError::Line { path: cursor.record.path.clone(), source };
            let start = done.lines.len();
            done.lines.extend_from_slice(&cursor.line);
            let line = start..done.lines.len();
            if kind == Kind::LeftOut {
                let event: LeftOutEvent = serde_json::from_slice(&cursor.line).map_err(bad)?;
                done.items.push(Item::LeftOut { kind: event.kind, line });
            } else {
                let bytes = std::mem::take(&mut cursor.line);
                let event: SessionEvent<'_> = serde_json::from_slice(&bytes).map_err(bad)?;
                let kept = cursor.kept(plan, &event)?;
                done.items.push(Item::Session { row: Box::new(Row::of(&event)), line, kept, event: None });
                drop(event);
                cursor.line = bytes;
            }
            if done.items.len() == PORTION {
                commit.take(seq, std::mem::take(&mut done));
                seq += 1;
            }
            Ok(())
        })?;
        done.tools = self.tools(commit.suite());
        commit.take(seq, done);
        if self.ends(commit.suite()).any(|end| end.put_together) {
            commit.put_together();
        }
        Ok(commit.finish(ask))
    }

    fn ends(&self, suite: u32) -> impl Iterator<Item = &SuiteEnd> {
        self.cursors.iter().filter_map(move |c| c.record.ends.get(suite as usize)?.as_ref())
    }

    fn tools(&self, suite: u32) -> Vec<String> {
        self.ends(suite).flat_map(|end| end.tools_seen.iter().cloned()).collect()
    }
}

/// Events that are committed at a time.
const PORTION: usize = 256;

fn apart(a: &Cursor<'_>, b: &Cursor<'_>, what: &str) -> MergeError {
    MergeError::Apart(format!(
        "{} and {} {what}: they were recorded from different recordings",
        a.record.name(),
        b.record.name()
    ))
}

/// Puts the next suite together.
pub fn suite(
    shards: &mut Shards<'_>,
    desk: Desk<'_>,
    fold: &mut SuiteFold<'_>,
    sinks: Sinks<'_>,
    ask: AskSystem<'_>,
) -> Result<Outcome, MergeError> {
    shards.commit(Commit::new(desk, fold, sinks), ask)
}
