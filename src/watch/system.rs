//! What the system checks of a suite say of production: they are asked whenever a window is settled, over the time before
//! its end that `over` of `[watch]` says, from the rows of the sessions that ended in it. What they say is shown, and put
//! down in `system.jsonl` beside the other state, of limited length.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::Watching;
use super::row::Body;
use crate::checks::system::{Cell, SystemFinding};
use crate::eval::event::ColumnPlan;
use crate::eval::fold::SuiteFold;
use crate::eval::plan::Planned;
use crate::eval::row::Row;
use crate::ledger::Millis;
use crate::model::digest::Digest;
use crate::model::{Status, Tally};
use crate::run::system;

/// How long the file may become; one before it is kept beside it.
const LARGEST: u64 = 16 << 20;

/// Groups of one check that are put down.
const GROUPS: usize = 50;

/// What the system checks of a suite said at a window's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The suite.
    pub suite: String,
    /// When the time begins that they were asked about, in milliseconds since the epoch.
    pub from: Millis,
    /// When it ends.
    pub to: Millis,
    /// Sessions of it that were evaluated.
    pub sessions: u64,
    /// How often they were asked about it before: later sessions changed it.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub corrected: u64,
    /// What they said, by the check's id.
    pub checks: BTreeMap<String, SystemFinding>,
}

/// What system checks said so far, and where it is put down.
#[derive(Debug, Default)]
pub struct Systems {
    /// The newest of each suite.
    latest: BTreeMap<String, Asked>,
    file: Option<PathBuf>,
}

impl Systems {
    /// With what earlier processes put down in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let file = dir.join("system.jsonl");
        let mut latest: BTreeMap<String, Asked> = BTreeMap::new();
        for file in [before(&file), file.clone()] {
            let read = match File::open(&file) {
                Ok(read) => read,
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(why) => return Err(why),
            };
            for line in BufReader::new(read).lines() {
                // A line that was cut when a process was killed says nothing.
                let Ok(asked) = serde_json::from_str::<Asked>(&line?) else { continue };
                if latest.get(&asked.suite).is_none_or(|known| known.to <= asked.to) {
                    latest.insert(asked.suite.clone(), asked);
                }
            }
        }
        Ok(Self { latest, file: Some(file) })
    }

    /// Whether they were asked about the time up to a window's end, or a later one.
    pub fn knows(&self, suite: &str, to: Millis) -> bool {
        self.until(suite).is_some_and(|until| until >= to)
    }

    /// The newest window's end at which those of a suite were asked.
    pub fn until(&self, suite: &str) -> Option<Millis> {
        self.latest.get(suite).map(|asked| asked.to)
    }

    /// Puts down what they said.
    ///
    /// # Errors
    /// It cannot be written; it is known all the same.
    pub fn put(&mut self, asked: Asked) -> io::Result<()> {
        let known = self.latest.get(&asked.suite);
        if known.is_none_or(|known| known.to <= asked.to) {
            self.latest.insert(asked.suite.clone(), asked.clone());
        }
        let Some(path) = &self.file else { return Ok(()) };
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let mut line = serde_json::to_vec(&asked).map_err(io::Error::other)?;
        line.push(b'\n');
        file.write_all(&line)?;
        if file.metadata()?.len() > LARGEST {
            fs::rename(path, before(path))?;
        }
        Ok(())
    }

    /// The newest of each suite.
    pub fn latest(&self) -> &BTreeMap<String, Asked> {
        &self.latest
    }
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// What is known of a session, as it was entered: its name, how likely it was to be evaluated, why it was not, and its row.
pub struct Known<'k> {
    /// The session.
    pub session: &'k str,
    /// How likely it was.
    pub inclusion: f64,
    /// Why it was not evaluated.
    pub reason: Option<&'k str>,
    /// What is kept of it.
    pub body: Body,
}

/// Goes through what is known of sessions.
pub type Rows<'r, E> = dyn FnMut(&mut dyn FnMut(Known<'_>)) -> Result<(), E> + 'r;

/// Asks the system checks of a suite about the sessions of a time; `None` where it has none. Whether one panicked.
///
/// # Errors
/// What `rows` says.
pub fn ask<E>(
    watching: &Watching,
    (from, to): (Millis, Millis),
    rows: &mut Rows<'_, E>,
) -> Result<Option<(Asked, bool)>, E> {
    let Some(planned) = Planned::new(&watching.suite, None) else { return Ok(None) };
    if planned.system_checks().next().is_none() {
        return Ok(None);
    }
    let columns = names(&planned.plan.columns);
    let index: BTreeMap<&str, u32> = planned
        .plan
        .checks
        .iter()
        .enumerate()
        .filter_map(|(i, c)| Some((c.id.as_str(), u32::try_from(i).ok()?)))
        .collect();
    let mut fold = SuiteFold::new(&planned.plan, planned.columns.len());
    let (mut least, mut most, mut left) = (1.0_f64, 0.0_f64, 0_u64);
    rows(&mut |known| {
        if known.reason.is_some() {
            left += 1;
            return;
        }
        (least, most) = (least.min(known.inclusion), most.max(known.inclusion));
        fold.add(row(known.session, known.body, &index, (columns.as_deref(), planned.columns.len())));
    })?;
    fold.close();
    let (mut found, panicked) = system::decide(&planned, &fold);
    for (check, finding) in &mut found {
        let whole = planned.system_checks().any(|(i, c)| u32::try_from(i) == Ok(*check) && c.needs_everybody());
        if let Some(why) = sampled(whole, (least, most), left) {
            let bound = finding.bound;
            *finding = SystemFinding { bound, ..SystemFinding::error(why) };
        }
        finding.groups.truncate(GROUPS);
    }
    let name = |check: u32| planned.plan.checks.get(check as usize).map(|check| check.id.clone());
    let checks = found.into_iter().filter_map(|(check, finding)| Some((name(check)?, finding))).collect();
    let asked = Asked { suite: watching.suite.name.clone(), from, to, sessions: fold.evaluated, corrected: 0, checks };
    Ok(Some((asked, panicked)))
}

/// Why nothing can be said of all sessions from those that were evaluated: each counts once here.
fn sampled(whole: bool, (least, most): (f64, f64), left: u64) -> Option<String> {
    if most == 0.0 {
        return None;
    }
    if whole && (least < 1.0 || left > 0) {
        return Some(format!(
            "it is about all sessions together, and {left} of them were not evaluated: an alert estimates totals (`budget`, \
             `threshold`)"
        ));
    }
    (most - least > 1e-9).then(|| {
        format!("sessions were evaluated with different chances ({least:.4} to {most:.4}), and each would count once")
    })
}

/// A session as the fold sees it; each is a case of its own.
fn row(session: &str, body: Body, index: &BTreeMap<&str, u32>, (columns, n): (Option<&str>, usize)) -> Row {
    let verdict = |(id, said): (&String, &super::row::Said)| {
        let mut subjects = Tally::default();
        subjects.add(said.status);
        Some((*index.get(id.as_str())?, said.status, subjects))
    };
    let mut verdicts: Vec<(u32, Status, Tally)> = body.checks.iter().filter_map(verdict).collect();
    verdicts.sort_by_key(|(check, ..)| *check);
    let cells = match body.cells {
        Some((asked, cells)) if columns == Some(&asked) && cells.len() == n => cells,
        _ => vec![Cell::Missing("it was evaluated when the suite asked for something else".to_owned()); n],
    };
    Row {
        at: (0, 0),
        id: session.into(),
        case: session.into(),
        trial: None,
        tags: body.tags,
        digest: Digest::of(session.as_bytes()),
        error: body.error.is_some(),
        verdicts,
        said: Vec::new(),
        cells,
    }
}

/// What tells the columns that cells are of from others; `None` where they cannot be told, and nothing is of them.
pub fn names(columns: &[ColumnPlan]) -> Option<String> {
    let text = serde_json::to_vec(columns).ok()?;
    Some(blake3::hash(&text).to_hex()[..8].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testing::suite;
    use crate::watch::closing::Closing;
    use crate::watch::row::Said;

    const CHECKS: &str = "[[session]]\nid = \"good\"\ncheck = \"turns\"\nmin = 1\n\
                          [[system]]\nid = \"rate\"\ncheck = \"pass_rate\"\nof = \"good\"\nmin = 0.9\n\
                          [[system]]\nid = \"worst\"\ncheck = \"metric\"\nmetric = \"turn_ms\"\nstat = \"max\"\nmax = 100\n\
                          [[system]]\nid = \"usual\"\ncheck = \"metric\"\nmetric = \"turn_ms\"\nstat = \"p50\"\nmax = 100\n";

    fn watching() -> Watching {
        Watching { suite: suite(CHECKS), closing: Closing::default(), bit: 1 }
    }

    fn body(watching: &Watching, status: Status, ms: f64) -> Body {
        let planned = Planned::new(&watching.suite, None).unwrap();
        let cell =
            |_: &ColumnPlan| Cell::Samples(vec![crate::checks::system::Sample { group: Vec::new(), values: vec![ms] }]);
        let cells = planned.plan.columns.iter().map(cell).collect();
        let said = Said { status, score: None, reason: String::new(), place: None };
        Body {
            checks: [("good".to_owned(), said)].into(),
            cells: names(&planned.plan.columns).map(|names| (names, cells)),
            ..Body::default()
        }
    }

    fn asked(sessions: &[(Status, f64, f64)], left: usize) -> BTreeMap<String, (Status, Option<f64>)> {
        let watching = watching();
        let mut rows = |each: &mut dyn FnMut(Known<'_>)| {
            for (i, (status, ms, inclusion)) in sessions.iter().enumerate() {
                let body = body(&watching, *status, *ms);
                each(Known { session: &format!("s{i}"), inclusion: *inclusion, reason: None, body });
            }
            (0..left).for_each(|i| {
                each(Known {
                    session: &format!("l{i}"),
                    inclusion: 0.5,
                    reason: Some("not_drawn"),
                    body: Body::default(),
                });
            });
            Ok::<_, ()>(())
        };
        let (asked, panicked) = ask(&watching, (0, 100), &mut rows).unwrap().unwrap();
        assert!(!panicked);
        asked.checks.into_iter().map(|(id, found)| (id, (found.status, found.value))).collect()
    }

    #[test]
    fn they_say_of_a_window_what_they_say_of_a_run() {
        let sessions: Vec<_> =
            (0..20).map(|i| (if i < 3 { Status::Fail } else { Status::Pass }, 10.0 + f64::from(i), 1.0)).collect();
        let told = asked(&sessions, 0);
        assert_eq!(told["rate"], (Status::Fail, Some(0.85)));
        assert_eq!(told["worst"], (Status::Pass, Some(29.0)));
        assert_eq!(told["usual"].0, Status::Pass);
    }

    #[test]
    fn of_a_sample_nothing_is_said_that_only_all_sessions_tell() {
        let half: Vec<_> = (0..20).map(|_| (Status::Pass, 10.0, 0.5)).collect();
        let told = asked(&half, 20);
        assert_eq!((told["worst"].0, told["usual"].0, told["rate"].0), (Status::Error, Status::Pass, Status::Pass));
        let mixed: Vec<_> = (0..20).map(|i| (Status::Pass, 10.0, if i < 10 { 0.5 } else { 1.0 })).collect();
        assert!(asked(&mixed, 0).values().all(|(status, _)| *status == Status::Error));
    }

    #[test]
    fn without_sessions_and_of_those_evaluated_otherwise_nothing_is_measured() {
        assert!(asked(&[], 0).values().all(|(status, _)| *status == Status::Error));
        let watching = watching();
        let mut rows = |each: &mut dyn FnMut(Known<'_>)| {
            let body = Body { cells: None, ..body(&watching, Status::Pass, 1.0) };
            each(Known { session: "s", inclusion: 1.0, reason: None, body });
            Ok::<_, ()>(())
        };
        let (asked, _) = ask(&watching, (0, 100), &mut rows).unwrap().unwrap();
        assert_eq!((asked.checks["usual"].status, asked.checks["rate"].status), (Status::Error, Status::Pass));
    }

    #[test]
    fn what_was_put_down_is_known_to_the_next_process_and_takes_limited_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut systems = Systems::open(dir.path()).unwrap();
        let asked = |to: Millis| Asked {
            suite: "s".to_owned(),
            from: 0,
            to,
            sessions: 1,
            corrected: 0,
            checks: [("c".to_owned(), SystemFinding::error("x".repeat(100_000)))].into(),
        };
        for to in 1..=400 {
            systems.put(asked(to)).unwrap();
        }
        let all: u64 = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(all < 3 * LARGEST, "{all}");
        let mut file = OpenOptions::new().append(true).open(dir.path().join("system.jsonl")).unwrap();
        file.write_all(b"{\"suite\":\"s\",\"fr").unwrap();
        let again = Systems::open(dir.path()).unwrap();
        assert!(again.knows("s", 400) && !again.knows("s", 401) && !again.knows("t", 1));
        assert_eq!(again.latest(), systems.latest());
    }
}
