//! From the record of a run to evidence: what it decides is decided again from its events, and what it was decided over is
//! bound by digests. A record that is no evidence says why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::gate::{Data, Labels, Refusal, Run, SuiteEvidence};
use super::moment::Moment;
use crate::eval::event::{Plan, RunEvent, SuiteEnd};
use crate::eval::gate::SuiteSummary;
use crate::model::digest::{Algorithm, Digest};
use crate::model::json::canonical::canonical;
use crate::report::replay::{self, Replayed};
use crate::store::record::{self, RecordError};

/// What a record shows.
#[derive(Debug)]
pub struct Taken {
    /// The evidence.
    pub run: Run,
    /// Of each suite, the digests of the sessions that were judged.
    pub sessions: Vec<Vec<Digest>>,
}

/// The decisions of people over a record.
pub struct Overlaid {
    /// The record, decided with them.
    pub replayed: Replayed,
    /// By suite, in the order of the plan: what was laid over; `None` where nothing was.
    pub labels: Vec<Option<Labels>>,
}

/// Lays the decisions of people over a record and decides again; `None` where there are none.
pub type Overlay<'o> = &'o dyn Fn(&Path) -> Result<Option<Overlaid>, String>;

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It is none.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It could not be read.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The decisions of people could not be laid over it.
    #[error("{0}: {1}")]
    Overlay(String, String),
    /// It cannot be told whether it was edited.
    #[error("{0}: {1}")]
    Store(String, String),
    /// It is a record, and no evidence; all that is wrong with it.
    #[error("{}", .0.iter().map(|r| r.reason.as_str()).collect::<Vec<_>>().join("\n"))]
    NoEvidence(Vec<Refusal>),
}

/// The SHA-256 of a file.
///
/// # Errors
/// Those of reading it.
pub fn file_digest(path: &Path) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hashing(&mut hash))?;
    Ok(Digest { algorithm: Algorithm::Sha256, bytes: hash.finalize().into() })
}

struct Hashing<'h>(&'h mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the evidence of a record. `shown` is how it is named, `known` the digest that the record had when its run ended,
/// where the store has it, `recorded` says what a recorded file's bytes are, by its name in the record: `None` when it is
/// not at hand.
///
/// # Errors
/// That it cannot be read, or is no evidence.
pub fn take(
    path: &Path,
    shown: &str,
    known: &dyn Fn(&str) -> Result<Option<Digest>, String>,
    overlay: Overlay<'_>,
    recorded: &dyn Fn(&str) -> io::Result<Option<Digest>>,
) -> Result<Taken, TakeError> {
    let io = |why| TakeError::Io(shown.to_owned(), why);
    let before = file_digest(path).map_err(io)?;
    let plain = replay::fold(path)?;
    let mut faults = Vec::new();
    let mut fault = |why: String| faults.push(Refusal::fast(format!("{shown}: {why}")));
    whole(&plain, &mut fault);
    let known = known(&plain.summary.run).map_err(|why| TakeError::Store(shown.to_owned(), why))?;
    let attested = known == Some(before);
    if known.is_some() && !attested {
        fault(format!("the record is not what run {} left: it was edited", plain.summary.run));
    }
    let finished = plain.finished.as_ref().and_then(|f| Moment::parse(&f.at));
    agrees(&plain, &mut fault);
    let overlaid = overlay(path).map_err(|why| TakeError::Overlay(shown.to_owned(), why))?;
    let (replayed, labels) = match overlaid {
        Some(overlaid) => (overlaid.replayed, overlaid.labels),
        None => (plain, Vec::new()),
    };
    let mut sessions: Vec<Vec<Digest>> = vec![Vec::new(); replayed.plan.suites.len()];
    record::read(path, |event| {
        if let RunEvent::Session(event) = event
            && let Some(of) = sessions.get_mut(event.suite as usize)
        {
            of.push(event.digest);
        }
    })?;
    let mut suites = Vec::new();
    for (index, (digests, summary)) in sessions.iter_mut().zip(replayed.summary.suites).enumerate() {
        let end = replayed.ends.get(index).and_then(Option::as_ref);
        let data = data(digests, end, recorded).map_err(io)?;
        let labels = labels.get(index).cloned().flatten();
        suites.push(suite(&replayed.plan, index, summary, data, labels));
    }
    if file_digest(path).map_err(io)? != before {
        fault("the record changed while it was read".to_owned());
    }
    let Some(finished) = finished.filter(|_| faults.is_empty()) else { return Err(TakeError::NoEvidence(faults)) };
    let settings = replayed.plan.settings.clone();
    let (run, path) = (replayed.summary.run, shown.to_owned());
    let run = Run { run, path, record: before, attested, finished, settings, suites };
    Ok(Taken { run, sessions })
}

/// The record is one of a whole run that ended.
fn whole(replayed: &Replayed, fault: &mut dyn FnMut(String)) {
    if let Some(part) = replayed.plan.partial() {
        fault(format!("it is partial ({part}), and no evidence of the whole"));
    }
    if let Some(why) = &replayed.summary.stopped {
        fault(format!("the run did not end ({why})"));
    } else if replayed.finished.as_ref().and_then(|f| Moment::parse(&f.at)).is_none() {
        fault("it does not say when the run ended".to_owned());
    }
    if replayed.summary.exit_code == crate::eval::exit::BUG {
        fault("the run met a bug in seatrial (exit code 70)".to_owned());
    }
}

/// The record decides what it says of itself. What was drawn from it, such as summary.json, is not asked: it is drawn again
/// whenever people decide, and the record is bound by its digest.
fn agrees(replayed: &Replayed, fault: &mut dyn FnMut(String)) {
    let (said, decided) = (replayed.finished.as_ref().map(|f| f.exit_code), replayed.summary.exit_code);
    if let Some(said) = said.filter(|said| *said != decided) {
        fault(format!("the record says exit code {said}, and decides {decided}: it was edited"));
    }
}

/// What was judged.
fn data(
    digests: &mut [Digest],
    end: Option<&SuiteEnd>,
    recorded: &dyn Fn(&str) -> io::Result<Option<Digest>>,
) -> io::Result<Data> {
    let mut files = BTreeMap::new();
    for name in end.iter().flat_map(|end| &end.files) {
        files.insert(name.clone(), recorded(name)?);
    }
    // Without one of them it cannot be told whether the others are those that were read.
    if files.values().any(Option::is_none) {
        files.values_mut().for_each(|digest| *digest = None);
    }
    Ok(Data { sessions: digests.len() as u64, digest: Data::digest(digests), files })
}

fn suite(plan: &Plan, index: usize, summary: SuiteSummary, data: Data, labels: Option<Labels>) -> SuiteEvidence {
    let suite = &plan.suites[index];
    SuiteEvidence {
        name: suite.name.clone(),
        path: suite.path.clone(),
        subject: suite.subject.clone(),
        digest: suite.digest,
        files: suite.files.clone(),
        checks: suite.checks.iter().map(|check| (check.id.clone(), check.digest)).collect(),
        policy: policy(&suite.gate),
        gate: suite.gate.clone(),
        redact: suite.redact.clone(),
        data,
        labels,
        summary,
    }
}

/// The digest of what decides.
pub fn policy(gate: &crate::suite::Gate) -> Digest {
    let value = serde_json::to_value(gate).unwrap_or(Value::Null);
    // A gate holds no integer so large that it has no canonical form; if it did, this would be another digest, not none.
    Digest::of(canonical(&value).unwrap_or_else(|_| value.to_string()).as_bytes())
}
