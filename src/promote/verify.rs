//! Whether an approval still holds: everything that it is bound to is held against what lies at hand now. Nothing is asked
//! of any network.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::event::{Event, Id, Submission};
use super::gate::{Gate, Run, SuiteEvidence, all};
use super::keys::Public;
use super::log::{self, ENTRY_TYPE, Sealed};
use super::moment::Moment;
use super::state::{Promotion, State, standing};
use super::{dsse, statement};
use crate::model::digest::Digest;
use crate::suite::settings::promote::Rules;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What.
    pub what: String,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is as it was.
    Same,
    /// It is not, or not to be believed: the approval is void.
    Void(String),
    /// It is not at hand, so that nothing can be said.
    Absent(String),
}

impl Looked {
    fn same(what: impl Into<String>) -> Self {
        Self { what: what.into(), found: Found::Same }
    }

    fn void(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), found: Found::Void(why.into()) }
    }

    fn absent(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), found: Found::Absent(why.into()) }
    }

    fn of(what: impl Into<String>, checked: Result<(), String>) -> Self {
        match checked {
            Ok(()) => Self::same(what),
            Err(why) => Self::void(what, why),
        }
    }
}

/// What lies at hand.
pub trait AtHand {
    /// The digest of a file's bytes; `None` when it is not there.
    ///
    /// # Errors
    /// That it is there and cannot be read.
    fn file(&self, path: &Path) -> io::Result<Option<Digest>>;

    /// What differs between a suite as it was and as it is now; `None` when its file is not there.
    ///
    /// # Errors
    /// That it cannot be read as a suite any more.
    fn suite(&self, was: &SuiteEvidence) -> Result<Option<Vec<String>>, String>;

    /// By suite, the digests of what people decide over a run by now, as `Labels::digest`; `None` when its record is not
    /// there, or nobody can be asked what was decided.
    ///
    /// # Errors
    /// That they are there and cannot be read.
    fn labels(&self, run: &Run) -> Result<Option<BTreeMap<String, Digest>>, String>;
}

/// What is held against a promotion's evidence.
pub struct Now<'n> {
    /// The rules of the target now; `None` when no settings are at hand.
    pub rules: Option<&'n Rules>,
    /// The keys that are trusted for it; `None` when nothing has to be signed.
    pub trusted: Option<&'n [Public]>,
    /// The digest of what is deployed, where it was given.
    pub artifact: Option<Digest>,
    /// What lies at hand.
    pub at_hand: &'n dyn AtHand,
}

/// The log: its chain, the head that was kept elsewhere, and that its entries obey the rules; what it adds up to.
pub fn whole(log: &[Sealed], kept: Option<&Digest>) -> (Vec<Looked>, Option<State>) {
    let mut looked = Vec::new();
    let state = State::of(log);
    let what = format!("log of {} entries, head {}", log.len(), log::head(log));
    looked.push(Looked::of(what, state.as_ref().map(drop).map_err(ToString::to_string)));
    looked.extend(kept.map(|kept| Looked::of("head that was kept", log::check(log, kept))));
    (looked, state.ok())
}

/// That a trusted key signed every entry of some promotions.
pub fn signatures(log: &[Sealed], of: &dyn Fn(&Id) -> bool, trusted: &[Public]) -> Vec<Looked> {
    let Ok(entries) = log::open(log) else { return Vec::new() };
    let mut looked = Vec::new();
    let mut signed = 0u64;
    for (entry, sealed) in entries.iter().zip(log).filter(|(entry, _)| of(entry.event.promotion())) {
        match dsse::verify(ENTRY_TYPE, sealed.body.as_bytes(), &sealed.signatures, trusted) {
            Ok(_) => signed += 1,
            Err(why) => {
                let what = format!("entry {} ({}, by {})", entry.seq, entry.event.name(), entry.by);
                looked.push(Looked::void(what, why.to_string()));
            }
        }
    }
    if signed > 0 {
        looked.push(Looked::same(format!("signatures of {signed} entries")));
    }
    looked
}

/// That a promotion is approved and its approval has not ended.
pub fn approval(promotion: &Promotion, now: Moment) -> Looked {
    let submission = &promotion.submission;
    let what = format!("{} of {} to `{}`", submission.promotion, submission.version, submission.target);
    if promotion.holds(now) {
        return Looked::same(format!("approval {what}"));
    }
    let until = promotion.expires.map(|end| format!(" since {end}")).unwrap_or_default();
    let why = match standing(promotion, now) {
        "expired" => format!("it is expired{until}"),
        other => format!("it is {other}"),
    };
    Looked::void(format!("approval {what}"), why)
}

/// Holds everything that a submission is bound to against what is there now. `gate` and `envelope` are the texts by the
/// digests of the submission.
pub fn evidence(submission: &Submission, gate: Option<&str>, envelope: Option<&str>, now: &Now<'_>) -> Vec<Looked> {
    let mut looked = Vec::new();
    let read = stored(submission, gate, envelope, now, &mut looked);
    match now.rules {
        Some(rules) if *rules != submission.rules => looked.push(Looked::void(
            format!("rules of `{}`", submission.target),
            format!("{} changed since", differences(&submission.rules, rules)),
        )),
        Some(_) => looked.push(Looked::same(format!("rules of `{}`", submission.target))),
        None => looked.push(Looked::absent(format!("rules of `{}`", submission.target), "there are no settings here")),
    }
    match (submission.artifact, now.artifact) {
        (Some(was), Some(is)) if was == is => looked.push(Looked::same("artifact")),
        (Some(was), Some(is)) => looked.push(Looked::void("artifact", format!("it was {was}, and is {is}"))),
        (Some(was), None) => looked.push(Looked::absent("artifact", format!("it was {was}; give it by --artifact"))),
        (None, Some(_)) => {
            looked.push(Looked::void("artifact", "the approval was given without any artifact's digest"));
        }
        (None, None) => {}
    }
    if let Some(gate) = read {
        files(&gate, now.at_hand, &mut looked);
        people(&gate, now.at_hand, &mut looked);
    }
    looked
}

/// The evidence as it is stored: it has its digests, and the statement says what `gate.json` says.
fn stored(
    submission: &Submission,
    gate: Option<&str>,
    envelope: Option<&str>,
    now: &Now<'_>,
    looked: &mut Vec<Looked>,
) -> Option<Gate> {
    let digested = |text: Option<&str>, digest: &Digest| match text {
        None => Err("it is not there any more".to_owned()),
        Some(text) if Digest::of(text.as_bytes()) != *digest => Err("it was edited: its digest is another".to_owned()),
        Some(text) => Ok(text.to_owned()),
    };
    let gate = digested(gate, &submission.gate)
        .and_then(|text| serde_json::from_str::<Gate>(&text).map_err(|why| format!("it cannot be read: {why}")));
    let sealed = digested(envelope, &submission.statement);
    let gate = match gate {
        Err(why) => {
            looked.push(Looked::void(statement::GATE, why));
            None
        }
        Ok(gate) => {
            let fits = gate.version == submission.version
                && gate.target == submission.target
                && gate.artifact == submission.artifact
                && gate.rules == submission.rules;
            looked.push(Looked::of(
                statement::GATE,
                if fits { Ok(()) } else { Err("it is of another promotion".to_owned()) },
            ));
            Some(gate)
        }
    };
    let signed = if now.trusted.is_some() { "signed statement" } else { "statement" };
    let said = sealed.and_then(|text| match &gate {
        Some(gate) => statement::check(&text, gate, &submission.gate, now.trusted),
        None => Err("there is no gate.json to hold it against".to_owned()),
    });
    looked.push(Looked::of(signed, said));
    gate
}

/// The files that the decision was made over.
fn files(gate: &Gate, at_hand: &dyn AtHand, looked: &mut Vec<Looked>) {
    let mut of_file = |what: String, path: &str, was: &Digest| match at_hand.file(Path::new(path)) {
        Ok(Some(is)) if is == *was => looked.push(Looked::same(what)),
        Ok(Some(_)) => looked.push(Looked::void(what, "its bytes are others now")),
        Ok(None) => looked.push(Looked::absent(what, "it is not there")),
        Err(why) => looked.push(Looked::absent(what, why.to_string())),
    };
    for run in &gate.runs {
        if all(&gate.runs).any(|(counts, _)| counts.record == run.record) {
            of_file(format!("record {}", run.path), &run.path, &run.record);
        }
    }
    let mut unbound = Vec::new();
    for (_, suite) in all(&gate.runs) {
        for (file, digest) in &suite.data.files {
            let what = format!("recording {file} of suite `{}`", suite.name);
            match digest {
                Some(digest) => of_file(what, file, digest),
                None => unbound.push(what),
            }
        }
    }
    // Its sessions are bound by the record, whose bytes were looked at.
    looked.extend(unbound.into_iter().map(|what| Looked::same(format!("{what}, by its sessions in the record"))));
    for (_, suite) in all(&gate.runs) {
        let what = format!("suite `{}` ({}), its files and policies", suite.name, suite.path);
        looked.push(match at_hand.suite(suite) {
            Ok(Some(differs)) if differs.is_empty() => Looked::same(what),
            Ok(Some(differs)) => Looked::void(what, differs.join("; ")),
            Ok(None) => Looked::absent(what, "it is not there"),
            Err(why) => Looked::void(what, format!("it cannot be read any more: {why}")),
        });
    }
}

/// What people decided over the verdicts: who takes an answer back takes it out of the evidence.
fn people(gate: &Gate, at_hand: &dyn AtHand, looked: &mut Vec<Looked>) {
    for run in &gate.runs {
        let counts: Vec<_> =
            all(&gate.runs).filter(|(of, _)| of.record == run.record).map(|(_, suite)| suite).collect();
        let now = if counts.is_empty() { Ok(None) } else { at_hand.labels(run) };
        for suite in counts {
            let what = format!("decisions of people over suite `{}` (run {})", suite.name, run.run);
            let was = suite.labels.as_ref().map(|labels| labels.digest);
            match &now {
                Ok(Some(now)) if now.get(&suite.name).copied() != was => {
                    looked.push(Looked::void(what, "they are others now"));
                }
                Ok(Some(_)) if was.is_none() => {}
                Ok(Some(_)) => looked.push(Looked::same(what)),
                Ok(None) => {
                    looked.push(Looked::absent(what, "the record, or the store that it was sent to, is not there"))
                }
                Err(why) => looked.push(Looked::absent(what, why.clone())),
            }
        }
    }
}

/// The names of the rules that differ.
pub fn differences(was: &Rules, is: &Rules) -> String {
    let value = |rules: &Rules| serde_json::to_value(rules).unwrap_or_default();
    let (was, is) = (value(was), value(is));
    let keys = |v: &serde_json::Value| v.as_object().map(|m| m.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut all: Vec<String> =
        keys(&was).into_iter().chain(keys(&is)).filter(|key| was.get(key) != is.get(key)).collect();
    all.sort();
    all.dedup();
    // Durations are seconds there, and keys of the settings here.
    let named: Vec<String> = all.iter().map(|key| format!("`{}`", key.trim_end_matches("_s"))).collect();
    named.join(", ")
}

/// The promotion by which a version was approved at a target, whatever became of it: the newest that was granted, else the
/// newest.
pub fn which<'s>(state: &'s State, version: &super::event::Version, target: &str) -> Option<&'s Promotion> {
    let of = |p: &&Promotion| p.submission.version == *version && p.submission.target == target;
    let granted = state.promotions.iter().rev().filter(of).find(|p| p.granted.is_some());
    granted.or_else(|| state.newest(version, target))
}

/// The targets and promotions of a log's entries.
pub fn target_of<'s>(state: &'s State, event: &Event) -> Option<&'s str> {
    state.promotion(event.promotion()).map(|p| p.submission.target.as_str())
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
