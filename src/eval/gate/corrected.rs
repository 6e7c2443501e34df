//! `pass_rate` with `correct`: the share of cases that people would pass, from what a judge says of all of them and what
//! people said of some.
//!
//! What the judge says by itself counts, also where a person let the case pass: the error rates are those of the judge over
//! all its verdicts, and a mixture of both has others. A case that a person fails is failed: that never makes the sum larger.
//! What is not known of a case (a person is asked for another reason than that the judge is unsure, another blocking check
//! waits or could not be measured, or the judge could not) is taken both ways.

use super::cases::Judged;
use super::measured::Measured;
use super::rates::{counted, percent, unequal};
use super::rules::rule;
use super::{Decision, RuleOutcome};
use crate::eval::baseline::Found;
use crate::eval::calibration::{self, Calibration};
use crate::eval::fold::SuiteFold;
use crate::eval::rollup;
use crate::model::{Level, Status};
use crate::stats::corrected::{Cases, Corrected, Method, NotCorrectable, correct};
use crate::suite::PassRate;

/// What is known of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Another check fails it.
    Fails,
    /// A person fails it, and the judge says so.
    Failed(bool),
    /// Only the judge decides, and says so.
    Judged(bool),
    /// The judge says so, and a person is to decide whatever it says.
    Asked(bool),
    /// Whether only the judge decides is not known, or what it says; whether a person can tell.
    Unknown { says: Option<bool>, waits: bool },
}

/// The corrected share of cases that pass.
pub(super) fn pass_rate(
    name: &str,
    bar: &PassRate,
    method: Method,
    cases: &[&Judged<'_>],
    fold: &SuiteFold<'_>,
) -> RuleOutcome {
    let unmeasured = |why: String| rule(name, Decision::Unmeasured, format!("{name}: {why}"));
    let (check, labels) = match labels(fold) {
        Ok(found) => found,
        Err(why) => return unmeasured(why),
    };
    if unequal(counted(cases)) {
        return unmeasured("`correct` counts cases, and these have different weights".to_owned());
    }
    let mut kinds = Vec::new();
    for case in counted(cases) {
        match kind(case, check, fold) {
            Ok(kind) => kinds.push(kind),
            Err(why) => return unmeasured(why),
        }
    }
    let read = |best: bool| correct(method, count(&kinds, method, best), labels.labels);
    let (worst, best) = match (read(false), read(true)) {
        (Ok(worst), Ok(best)) => (worst, best),
        (Err(why), _) | (_, Err(why)) => return unmeasured(refused(&why, labels)),
    };
    let confidence = bar.confidence.unwrap_or(crate::suite::correct::CONFIDENCE);
    let (at_worst, at_best) = (decide(&worst, bar.min, confidence), decide(&best, bar.min, confidence));
    let waits = kinds.iter().all(|k| !matches!(k, Kind::Unknown { waits: false, .. }));
    let (decision, why) = match at_worst == at_best {
        true => (at_worst, ""),
        false if waits => (Decision::Held, "; it depends on cases that wait for a person"),
        false => (Decision::Unmeasured, "; it depends on cases that could not be measured"),
    };
    let n = kinds.len() as u64;
    let passed = kinds.iter().filter(|k| matches!(k, Kind::Judged(true) | Kind::Asked(true))).count();
    let mut measured = Measured::new(worst.value, Some(bar.min), n);
    measured.method = Some(method.name().to_owned());
    measured.confidence = Some(confidence);
    let mut text = format!(
        "{name} {:.4}, corrected for the errors of {} ({}, {}); judged {:.4} ({passed} of {n} cases), at least {} wanted",
        worst.value,
        labels.check,
        method.name(),
        told(labels),
        passed as f64 / n.max(1) as f64,
        bar.min
    );
    match worst.interval(2.0 * confidence - 1.0) {
        Some(limits) => {
            measured.interval = Some(limits.ends());
            text.push_str(&format!("; {} sure that it is at least {:.4}", percent(confidence), limits.low));
        }
        None => text.push_str("; its interval could not be computed"),
    }
    if decision == Decision::Inconclusive {
        text.push_str("; more cases or more labels would settle it");
    }
    rule(name, decision, text + why).with(measured)
}

/// The labels that the record embeds, with the position of their check.
fn labels<'f>(fold: &'f SuiteFold<'_>) -> Result<(u32, &'f Calibration), String> {
    let what = "the labels to correct it by";
    let labels = match fold.baselines.get(calibration::NAME) {
        Some(Found::Labels(labels)) => labels,
        Some(Found::Missing(why)) => return Err(format!("{what} could not be read: {why}")),
        Some(Found::Refused(why)) => return Err(format!("{what} cannot be used: {why}")),
        Some(Found::Baseline(_)) | None => return Err(format!("the record does not hold {what}")),
    };
    let check = fold.corrects.and_then(|at| Some((at, fold.plan.checks.get(at as usize)?)));
    match check {
        Some((at, check)) if check.id == labels.check && check.digest == labels.digest => Ok((at, labels)),
        _ => Err(format!("{what} are of another version of {}", labels.check)),
    }
}

fn kind(case: &Judged<'_>, judge: u32, fold: &SuiteFold<'_>) -> Result<Kind, String> {
    let id = &case.outcome.id;
    let trials = &case.outcome.trials;
    let n = trials.len() as u64 + case.missing;
    if n != 1 {
        return Err(format!("`correct` needs one trial of every case, and {id} has {n}"));
    }
    let Some(trial) = trials.first() else {
        return Ok(Kind::Unknown { says: None, waits: false });
    };
    let blocks = |check: &u32| {
        let plan = fold.plan.checks.get(*check as usize);
        plan.is_some_and(|c| c.severity.blocks() && !c.inactive && c.level != Level::System)
    };
    let others = trial.checks.iter().filter(|(check, _)| *check != judge && blocks(check));
    let others = rollup::all(others.map(|(_, status)| *status));
    let said = fold.said.get(case.index).copied().flatten();
    let says = match said.map(|said| said.status) {
        Some(Status::Pass) => Some(true),
        Some(Status::Fail) => Some(false),
        _ => None,
    };
    Ok(match (others, says) {
        (Status::Fail, _) => Kind::Fails,
        (_, Some(says)) if said.is_some_and(|said| said.failed) => Kind::Failed(says),
        (Status::Pass | Status::Skip, Some(says)) if said.is_some_and(|said| said.asked) => Kind::Asked(says),
        (Status::Pass | Status::Skip, Some(says)) => Kind::Judged(says),
        (Status::Held, Some(_)) => Kind::Unknown { says, waits: true },
        _ if said.is_none() && trial.status != Status::Error => {
            return Err(format!(
                "{} did not judge {id}, and only what it judges can be corrected",
                judge_name(judge, fold)
            ));
        }
        _ => Kind::Unknown {
            says,
            waits: said.is_some_and(|said| said.status == Status::Held) && others != Status::Error,
        },
    })
}

fn judge_name<'f>(judge: u32, fold: &'f SuiteFold<'_>) -> &'f str {
    fold.plan.checks.get(judge as usize).map_or("the judge", |c| &c.id)
}

/// The counts, with what is not known taken against the agent or for it.
fn count(kinds: &[Kind], method: Method, best: bool) -> Cases {
    let mut cases = Cases { all: kinds.len() as f64, open: 0.0, passed: 0.0 };
    for kind in kinds {
        let judged = match *kind {
            Kind::Fails => None,
            Kind::Judged(says) => Some(says),
            // As what follows: one that the judge fails, too, counts for less than one that fails anyway, or for more.
            Kind::Failed(says) => (method == Method::RoganGladen && !says).then_some(false),
            Kind::Asked(true) => best.then_some(true),
            Kind::Asked(false) => (best || method == Method::RoganGladen).then_some(false),
            // The sum of a case that the judge fails is below that of one that fails anyway by sensitivity and specificity,
            // and not below it by shares.
            Kind::Unknown { says: Some(false), .. } => ((method == Method::Ppi) == best).then_some(false),
            Kind::Unknown { says: Some(true), .. } => best.then_some(true),
            Kind::Unknown { says: None, .. } if best => Some(true),
            Kind::Unknown { says: None, .. } => (method == Method::RoganGladen).then_some(false),
        };
        cases.open += f64::from(u8::from(judged.is_some()));
        cases.passed += f64::from(u8::from(judged == Some(true)));
    }
    cases
}

fn decide(found: &Corrected, min: f64, confidence: f64) -> Decision {
    match found.lower(confidence) {
        _ if found.value < min => Decision::Failed,
        Some(low) if low >= min => Decision::Passed,
        _ => Decision::Inconclusive,
    }
}

fn refused(why: &NotCorrectable, labels: &Calibration) -> String {
    let waiting = match labels.undecided {
        0 => String::new(),
        n => format!("; {n} drawn verdicts are not decided"),
    };
    format!("it cannot be corrected for the errors of {}: {why}{waiting}", labels.check)
}

/// What the labels say of the judge, in words.
fn told(labels: &Calibration) -> String {
    let counts = labels.labels;
    let rate = |name: &str, rate: Option<crate::stats::confusion::Rate>| match rate {
        Some(rate) => format!(", {name} {:.3}", rate.value()),
        None => format!(", {name} not known"),
    };
    let undecided = match labels.undecided {
        0 => String::new(),
        n => format!(" and {n} not decided"),
    };
    format!(
        "{} labels{undecided}{}{}",
        counts.total(),
        rate("sensitivity", counts.sensitivity()),
        rate("specificity", counts.specificity())
    )
}
