//! From the record of a run to the queue: every verdict that goes to a person, with all that the person is told.
//!
//! Only the record and the sessions kept beside it are read, so that a run that was killed after its record was whole loses
//! nothing: sending it again sends what is not there yet.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::eval::baseline::Found;
use crate::eval::event::{CheckPlan, Plan, RunEvent, SessionEvent, SuitePlan};
use crate::eval::overlay;
use crate::formats;
use crate::ledger::{Asked, Content, Millis, NewItem};
use crate::model::{Session, Severity, Status, SubjectFinding, Why};
use crate::redact::{Redacted, Redactor};
use crate::store::kept::{self, Place};
use crate::store::record::{self, RecordError};

/// Items that are sent at a time: each in one transaction.
const PORTION: usize = 64;

/// The largest session that is unpacked, in bytes.
const MAX_SESSION: u64 = 256 << 20;

/// What is sent.
pub struct Sending<'s> {
    /// The run's record.
    pub record: &'s Path,
    /// What the paths of baselines start from.
    pub root: &'s Path,
    /// Where the baseline of each suite is, for whoever ran it; a record does not say. Elsewhere it is looked for where it
    /// is named.
    pub baselines: &'s [Option<PathBuf>],
    /// What time it is.
    pub now: Millis,
    /// The rules of a suite: a session of an earlier run may have been written without them. `None` where they cannot be
    /// applied; then no such session is shown.
    pub redactor: &'s dyn Fn(&SuitePlan) -> Option<Redactor>,
}

/// Why items could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E: std::error::Error + 'static> {
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The sessions that were kept beside it cannot be read.
    #[error("the sessions beside {path} cannot be read: {source}")]
    Kept {
        /// The record.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// They were not taken.
    #[error(transparent)]
    Taken(E),
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Verdicts.
    pub items: u64,
    /// Those of them whose session was not kept.
    pub without_session: u64,
}

/// Hands every verdict of a run that goes to a person to `take`, portion by portion.
///
/// # Errors
/// Something cannot be read, or was not taken; what was taken before stays.
pub fn send<E: std::error::Error + 'static>(
    sending: &Sending<'_>,
    take: &mut dyn FnMut(Redacted<Vec<NewItem>>) -> Result<(), E>,
) -> Result<Sent, SendError<E>> {
    let plan = record::plan(sending.record)?;
    let dir = sending.record.parent().unwrap_or(Path::new("."));
    let unread = |source| SendError::Kept { path: sending.record.to_owned(), source };
    let mut beside = kept::Reader::open(dir).map_err(unread)?;
    let mut earlier: Vec<Option<Earlier>> = plan.suites.iter().map(|_| None).collect();
    for (index, wanted) in wanted(sending.record, &plan)?.iter().enumerate().filter(|(_, w)| !w.cases.is_empty()) {
        let known = sending.baselines.get(index).and_then(Option::as_deref);
        earlier[index] = Earlier::of(&plan.suites[index], sending, known, wanted);
    }
    let (mut run, mut portion, mut sent) = (String::new(), Vec::new(), Sent::default());
    let mut failed: Option<SendError<E>> = None;
    record::read(sending.record, |event| match event {
        RunEvent::Started(started) => run = started.run,
        RunEvent::Session(event) if failed.is_none() => {
            let Some(suite) = plan.suites.get(event.suite as usize) else { return };
            let before = earlier.get_mut(event.suite as usize).and_then(Option::as_mut);
            let mut whole = Whole { beside: beside.as_mut(), earlier: before };
            match of_session(&run, suite, &event, &mut whole, sending) {
                Err(why) => failed = Some(unread(why)),
                Ok(items) => {
                    sent.items += items.len() as u64;
                    sent.without_session += items.iter().filter(|i| i.content.is_none()).count() as u64;
                    portion.extend(items);
                }
            }
            if portion.len() >= PORTION
                && failed.is_none()
                && let Err(why) = take(Redacted::drawn(std::mem::take(&mut portion)))
            {
                failed = Some(SendError::Taken(why));
            }
        }
        _ => {}
    })?;
    match failed {
        Some(why) => Err(why),
        None if portion.is_empty() => Ok(sent),
        None => take(Redacted::drawn(portion)).map(|()| sent).map_err(SendError::Taken),
    }
}

/// What is wanted of the baseline of a suite.
#[derive(Debug, Clone, Default)]
struct Wanted {
    /// The cases of which something goes to a person.
    cases: BTreeSet<String>,
    /// The run that the suite was compared with; `None` where there was none.
    run: Option<String>,
}

/// By suite, what is wanted of its baseline.
fn wanted(path: &Path, plan: &Plan) -> Result<Vec<Wanted>, RecordError> {
    let mut wanted = vec![Wanted::default(); plan.suites.len()];
    if plan.suites.iter().all(|suite| suite.gate.baseline.is_none()) {
        return Ok(wanted);
    }
    record::read(path, |event| match event {
        RunEvent::Baseline(event) => {
            let bar = plan.suites.get(event.suite as usize).and_then(|suite| suite.gate.baseline.as_ref());
            if let (Found::Baseline(found), true) = (event.found, bar.is_some_and(|bar| bar.run == event.name)) {
                wanted[event.suite as usize].run = Some(found.run);
            }
        }
        RunEvent::Session(event) if routed(&event).next().is_some() => {
            if let Some(wanted) = wanted.get_mut(event.suite as usize) {
                wanted.cases.insert(event.case.to_string());
            }
        }
        _ => {}
    })?;
    Ok(wanted)
}

fn routed<'e>(event: &'e SessionEvent<'_>) -> impl Iterator<Item = (u32, &'e SubjectFinding)> {
    event.verdicts.iter().flat_map(|v| v.findings.iter().filter(|f| f.routed.is_some()).map(|f| (v.check, f)))
}

/// Where whole sessions are.
struct Whole<'w> {
    beside: Option<&'w mut kept::Reader>,
    earlier: Option<&'w mut Earlier>,
}

fn of_session(
    run: &str,
    suite: &SuitePlan,
    event: &SessionEvent<'_>,
    whole: &mut Whole<'_>,
    sending: &Sending<'_>,
) -> io::Result<Vec<NewItem>> {
    // Asked for each session: they are found in the order of the record only.
    let place = whole.beside.as_mut().map(|kept| kept.find(event.suite, event.at)).transpose()?.flatten();
    if routed(event).next().is_none() {
        return Ok(Vec::new());
    }
    let content = match (&place, &mut whole.beside) {
        (Some(place), Some(kept)) => Some(Content::pack(&unpack(&kept.packed(place)?)?)?),
        _ => None,
    };
    let baseline = whole.earlier.as_mut().and_then(|earlier| earlier.session(&event.case, event.trial.as_deref()));
    let against = place.filter(|place| !place.against.is_empty()).and_then(|p| serde_json::to_string(&p.against).ok());
    Ok(items(run, suite, event, &Shown { content, against, baseline }, sending.now))
}

/// What is shown of a session to those who decide over its verdicts.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The session itself.
    pub content: Option<Content>,
    /// How it differs from what was expected of it, as JSON.
    pub against: Option<String>,
    /// The session of the baseline's run.
    pub baseline: Option<Content>,
}

/// An item for every verdict of a session that goes to a person. `run` names what it was judged in.
pub fn items(run: &str, suite: &SuitePlan, event: &SessionEvent<'_>, shown: &Shown, now: Millis) -> Vec<NewItem> {
    let of_case = suite.cases.iter().flatten().find(|case| case.id == event.case.as_str()).map(|case| &case.tags);
    let tags: Vec<String> = of_case.unwrap_or(&event.tags).clone();
    let item = |(check, finding): (u32, &SubjectFinding)| {
        let check = suite.checks.get(check as usize)?;
        let asked = asked(run, suite, event, (check, finding), &tags, now)?;
        let asked = Asked { against: shown.against.clone(), ..asked };
        Some(NewItem { asked, content: shown.content.clone(), baseline: shown.baseline.clone() })
    };
    routed(event).filter_map(item).collect()
}

fn asked(
    run: &str,
    suite: &SuitePlan,
    event: &SessionEvent<'_>,
    (check, finding): (&CheckPlan, &SubjectFinding),
    tags: &[String],
    now: Millis,
) -> Option<Asked> {
    let routed = finding.routed.as_deref()?.clone();
    let proposal = finding.proposal.unwrap_or(finding.status);
    if !matches!(proposal, Status::Pass | Status::Fail) {
        return None;
    }
    let (question, review) = (check.question.as_ref(), check.review.as_ref());
    let mut tags = tags.to_vec();
    tags.extend(check.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
    Some(Asked {
        key: overlay::key(suite, check, event.digest, finding),
        run: run.to_owned(),
        session_id: event.id.to_string(),
        case: event.case.to_string(),
        trial: event.trial.as_ref().map(ToString::to_string),
        level: check.level,
        severity: check.severity,
        tags,
        priority: priority(check.severity, finding),
        routed,
        proposal,
        score: finding.score,
        confidence: finding.confidence,
        reason: finding.reason.clone(),
        evidence: finding.evidence.clone(),
        judge: question.and_then(|q| q.judge.clone()),
        judge_version: question.and_then(|q| q.version).map(|v| v.to_string()),
        rubric: question.and_then(|q| q.rubric.clone()),
        question: question.map_or_else(|| check.check.clone(), |q| q.text.clone()),
        against: None,
        reviewers: review.map_or(1, |review| review.reviewers()),
        due: review.and_then(|review| review.due_ms()).map(|due| now.saturating_add(due)),
        expires: review.is_some_and(|review| review.expire == Some(true)),
        redact: suite.redact.clone(),
    })
}

/// Risk times uncertainty, from 0 to 1: how much a wrong verdict would cost, and how likely it is wrong. What nobody waits
/// for comes after what somebody does.
fn priority(severity: Severity, finding: &SubjectFinding) -> f64 {
    let risk: f64 = match severity {
        Severity::Critical => 1.0,
        Severity::Block => 0.6,
        Severity::Warn => 0.3,
        Severity::Info => 0.1,
    };
    let why = finding.routed.iter().flat_map(|routed| &routed.why);
    let risky = why.clone().any(|why| matches!(why, Why::Tag { .. } | Why::Detector { .. } | Why::Quarantine));
    let holds = finding.routed.as_ref().is_some_and(|routed| routed.holds);
    // What is sure may be wrong all the same.
    let uncertainty = (1.0 - finding.confidence).clamp(0.1, 1.0);
    risk.max(if risky { 0.9 } else { 0.0 }) * uncertainty * if holds { 1.0 } else { 0.25 }
}

/// Unpacks a kept session to its line.
///
/// # Errors
/// It is damaged.
pub fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).take(MAX_SESSION).read_to_end(&mut line)?;
    Ok(line)
}

/// The sessions of the baseline's run, by case, as far as it kept them.
struct Earlier {
    kept: kept::Reader,
    places: BTreeMap<String, Vec<(Option<String>, Place)>>,
    redactor: Redactor,
}

impl Earlier {
    /// Those of a suite; `None` where there are none to be read: nothing depends on them. `known` is where the baseline is,
    /// if that is known. What is there by now has to be the run that the suite was compared with.
    fn of(suite: &SuitePlan, sending: &Sending<'_>, known: Option<&Path>, wanted: &Wanted) -> Option<Self> {
        let (bar, run) = (suite.gate.baseline.as_ref()?, wanted.run.as_deref()?);
        let beside = Path::new(&suite.path).parent().unwrap_or(Path::new(""));
        let named = [known.map(Path::to_owned), Some(beside.join(&bar.run)), Some(bar.run.as_str().into())];
        // Where it was named by a link to the newest run, that is another by now, and it lies beside.
        let places = named.into_iter().flatten().flat_map(|place| [place.with_file_name(run), place]);
        let mut places = places.map(|place| record::locate(&sending.root.join(place)));
        places.find_map(|path| Self::read(&path, run, suite, (sending.redactor)(suite)?, &wanted.cases))
    }

    /// Those of a record; `None` where it is not that of the run, or does not say.
    fn read(path: &Path, run: &str, suite: &SuitePlan, redactor: Redactor, wanted: &BTreeSet<String>) -> Option<Self> {
        let plan = record::plan(path).ok()?;
        let index = plan.suites.iter().position(|s| s.name == suite.name)? as u32;
        let mut kept = kept::Reader::open(path.parent()?).ok()??;
        let (mut places, mut is_it) = (BTreeMap::<String, Vec<_>>::new(), false);
        record::read(path, |event| match event {
            RunEvent::Started(started) => is_it |= started.run == run,
            RunEvent::Session(event) => {
                // Asked for each session: they are found in the order of the record only.
                let Ok(Some(place)) = kept.find(event.suite, event.at) else { return };
                if event.suite == index && wanted.contains(event.case.as_str()) {
                    let trial = event.trial.as_ref().map(ToString::to_string);
                    let trials = places.entry(event.case.to_string()).or_default();
                    if !trials.iter().any(|(known, _)| *known == trial) {
                        trials.push((trial, place));
                    }
                }
            }
            _ => {}
        })
        .ok()?;
        is_it.then_some(Self { kept, places, redactor })
    }

    /// The session of a trial of a case, which is what the reply is compared with, or where there is none the first of the
    /// case, as it may be written by now.
    fn session(&mut self, case: &str, trial: Option<&str>) -> Option<Content> {
        let trials = self.places.get(case)?;
        let same = trials.iter().find(|(known, _)| known.as_deref() == trial);
        let packed = self.kept.packed(&same.or_else(|| trials.first())?.1).ok()?;
        let line = unpack(&packed).ok()?;
        let session: Session<'_> = serde_json::from_slice(&line).ok()?;
        let seen = self.redactor.session(&session);
        let mut written = Vec::new();
        formats::seatrial::write(seen.as_ref().map_or(&session, |seen| seen.session.get()), &mut written).ok()?;
        Content::pack(&written).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Routed, SubjectRef};

    fn finding(confidence: f64, routed: Routed) -> SubjectFinding {
        SubjectFinding {
            subject: SubjectRef::Session,
            status: Status::Held,
            proposal: Some(Status::Pass),
            routed: Some(Box::new(routed)),
            score: None,
            confidence,
            reason: String::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn what_would_cost_most_and_is_least_sure_comes_first() {
        let below = || Routed::held(vec![Why::Below { threshold: 0.8 }]);
        let block = |confidence| priority(Severity::Block, &finding(confidence, below()));
        assert!(block(0.3) > block(0.7) && block(1.0) > 0.0);
        assert!(priority(Severity::Critical, &finding(0.7, below())) > block(0.7));
        let tag = Routed::held(vec![Why::Tag { tag: "refund".into() }]);
        assert!(priority(Severity::Info, &finding(0.7, tag)) > block(0.7));
        assert!(priority(Severity::Block, &finding(0.7, Routed::audited(0.1))) < block(0.7));
        let all = [block(0.0), priority(Severity::Critical, &finding(0.0, below()))];
        assert!(all.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
