//! A run as the store keeps it: what was decided, and every verdict behind it, read from its record.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::eval::event::RunEvent;
use crate::ledger::Millis;
use crate::model::digest::{Algorithm, Digest};
use crate::redact::Redacted;
use crate::report::replay::Replayed;
use crate::store::db::{CheckRow, NewRun, RunRow, SessionRow, SuiteRow, VerdictRow};
use crate::store::record::{self, RecordError};

/// The rows of a run. `shown` is how its record is named. Only where `ends_now` says that the run itself ends here do they
/// have the digest of the record: nobody else can say that this is what it left.
///
/// # Errors
/// The record cannot be read.
pub fn of(path: &Path, shown: &str, replayed: &Replayed, ends_now: bool) -> Result<Redacted<NewRun>, RecordError> {
    let (plan, summary) = (&replayed.plan, &replayed.summary);
    let mut suites: Vec<SuiteRow> = plan
        .suites
        .iter()
        .zip(&summary.suites)
        .map(|(plan, summary)| SuiteRow {
            name: plan.name.clone(),
            digest: plan.digest,
            decision: summary.decision.name().to_owned(),
            reasons: summary.reasons.clone(),
            summary: serde_json::to_string(summary).ok(),
            checks: plan
                .checks
                .iter()
                .map(|c| CheckRow { id: c.id.clone(), digest: c.digest, level: c.level, severity: c.severity })
                .collect(),
            sessions: Vec::new(),
        })
        .collect();
    record::read(path, |event| {
        let RunEvent::Session(event) = event else { return };
        let Some(suite) = suites.get_mut(event.suite as usize) else { return };
        let verdicts = event.verdicts.into_iter().map(|v| VerdictRow {
            check: v.check,
            status: v.status,
            score: v.score,
            confidence: v.confidence,
            reason: v.reason,
        });
        suite.sessions.push(SessionRow {
            digest: event.digest,
            session_id: event.id.to_string(),
            case: event.case.to_string(),
            trial: event.trial.as_ref().map(ToString::to_string),
            verdicts: verdicts.collect(),
        });
    })?;
    let subject = plan.suites.iter().find_map(|suite| suite.subject.as_ref());
    let time = |text: &str| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).ok();
    let started: Option<Millis> = replayed.started.as_ref().and_then(|s| time(&s.at));
    let started = started.ok_or_else(|| RecordError::NotARecord {
        path: path.to_owned(),
        why: "it does not say when the run began".to_owned(),
    })?;
    let run = RunRow {
        id: summary.run.clone(),
        agent: subject.map(|s| s.agent.clone()),
        version: subject.and_then(|s| s.version.clone()),
        started,
        finished: replayed.finished.as_ref().and_then(|f| time(&f.at)),
        exit_code: Some(summary.exit_code),
        partial: plan.partial(),
        seatrial: summary.seatrial.clone(),
        record: shown.to_owned(),
        record_digest: ends_now.then(|| digest(path)).transpose()?,
    };
    Ok(Redacted::drawn(NewRun { run, suites }))
}

/// The digest of a record.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<Digest, RecordError> {
    let io = |source| RecordError::Io { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(Digest { algorithm: Algorithm::Sha256, bytes: hash.finalize().into() }),
            n => hash.update(&buffer[..n]),
        }
    }
}
