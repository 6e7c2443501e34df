//! `pass_rate` with `correct`: the share of cases that people would pass, from what a judge says of all of them and what
//! people said of some.
//!
//! What the judge says by itself counts, also where a person let the case pass: the error rates are those of the judge over
//! all its verdicts, and a mixture of both has others. A case that a person fails is failed: that never makes the sum larger.
//! What waits for a person is taken as people may decide, and what could not be measured both ways ([`super::prospects`]).

use std::borrow::Borrow;

use super::cases::Judged;
use super::measured::{Measured, WAITS};
use super::prospects::{Counts, May, Prospects};
use super::rates::{counted, percent, unequal};
use super::rules::rule;
use super::{Decision, RuleOutcome};
use crate::checks::system::{End, TrialOutcome, words};
use crate::eval::baseline::Found;
use crate::eval::calibration::{self, Calibration};
use crate::eval::fold::SuiteFold;
use crate::eval::rollup;
use crate::model::{Level, Status};
use crate::stats::corrected::{Cases, Corrected, Method, NotCorrectable, correct};
use crate::suite::PassRate;

/// The corrected share of cases that pass.
pub(super) fn pass_rate(
    name: &str,
    bar: &PassRate,
    method: Method,
    cases: &[impl Borrow<Judged>],
    fold: &SuiteFold<'_>,
) -> RuleOutcome {
    let unmeasured = |why: String| rule(name, Decision::Unmeasured, format!("{name}: {why}"));
    let (check, labels) = match labels(fold) {
        Ok(found) => found,
        Err(why) => return unmeasured(why),
    };
    if unequal(counted(cases), fold) {
        let why = "`correct` counts cases, and these have different weights";
        return match counted(cases).any(Judged::may_go) {
            true => rule(name, Decision::Held, format!("{name}: {why}; {WAITS}")),
            false => unmeasured(why.to_owned()),
        };
    }
    let (mut prospects, mut passed) = (Prospects::default(), 0);
    for case in counted(cases) {
        match options(case, (check, method), fold) {
            Ok(options) => prospects.add(options),
            Err(why) => return unmeasured(why),
        }
        passed += u64::from(passes(case, check, fold));
    }
    let confidence = bar.confidence.unwrap_or(crate::suite::correct::CONFIDENCE);
    let decides = |cases: Option<Cases>| {
        let found = cases.and_then(|cases| correct(method, cases, labels.labels).ok());
        found.map_or(Decision::Unmeasured, |found| decide(&found, bar.min, confidence))
    };
    let decision = prospects.settle(method, &decides).unwrap_or(Decision::Held);
    let why = match decision {
        Decision::Held => format!("; {WAITS}"),
        Decision::Unmeasured => "; it depends on cases that could not be measured".to_owned(),
        _ => String::new(),
    };
    let worst = prospects.extreme(method, false).ok_or(NotCorrectable::NoCases);
    let worst = match worst.and_then(|worst| correct(method, worst, labels.labels)) {
        Ok(worst) => worst,
        Err(refused) if decision == Decision::Held => {
            return rule(name, decision, format!("{name}: {}{why}", self::refused(&refused, labels)));
        }
        Err(refused) => return unmeasured(self::refused(&refused, labels)),
    };
    let n = prospects.len();
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
        measured.more_cases = worst.more_cases(bar.min, confidence);
        let labels = worst.more_labels(bar.min, confidence).map(|n| words::counted(n, "more label"));
        let cases = measured.more_cases.map(|n| words::counted(n, "more case"));
        text.push_str(&match (cases, labels) {
            (Some(cases), Some(labels)) => format!("; {cases} or {labels} like these would settle it"),
            (Some(one), None) | (None, Some(one)) => format!("; {one} like these would settle it"),
            (None, None) => "; more cases and more labels together would settle it".to_owned(),
        });
    }
    rule(name, decision, text + &why).with(measured)
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

/// Everything that people may make of a case; `Err` says why it cannot be counted however they decide.
fn options(case: &Judged, (judge, method): (u32, Method), fold: &SuiteFold<'_>) -> Result<Vec<May>, String> {
    let outcome = case.of(fold);
    let id = outcome.id();
    let n = outcome.trials().count() as u64 + u64::from(case.missing);
    if n != 1 {
        return match case.may_go() {
            true => Ok(vec![May::of([Counts::Out]), May::of([Counts::Unfit])]),
            false => Err(format!("`correct` needs one trial of every case, and {id} has {n}")),
        };
    }
    // Nothing at all is known of one that is missing, or that could not be measured as a whole.
    let unknown = |trial: &&TrialOutcome| trial.checks.is_empty() && trial.status == Status::Error;
    let Some(trial) = outcome.trials().next().filter(|trial| !unknown(trial)) else {
        return Ok(vec![May::anything()]);
    };
    let others = others(trial, judge, fold);
    // A case that fails as is expected is not counted.
    let failing = |counts: Counts| if case.excusable { Counts::Out } else { counts };
    let Some(said) = fold.said.get(case.index as usize).copied().flatten() else {
        if others == [Status::Pass] {
            let judge = judge_name(judge, fold);
            return Err(format!("{judge} did not judge {id}, and only what it judges can be corrected"));
        }
        let unjudged = |other: &Status| match other {
            Status::Fail => May::of([failing(Counts::Anyway)]),
            Status::Error => May::anything(),
            _ => May::of([Counts::Unfit]),
        };
        return Ok(others.iter().map(unjudged).collect());
    };
    let failed_now = trial.checks.iter().any(|(check, status)| *check == judge && *status == Status::Fail);
    let says = match said.status {
        Status::Pass => Some(Counts::Passed),
        Status::Fail => Some(Counts::Failed),
        _ => None,
    };
    let mut options = Vec::new();
    for other in others {
        let with_errors = |counts: &[Counts]| {
            let anyway = (other == Status::Error).then_some(Counts::Anyway);
            May::of(counts.iter().copied().chain(anyway))
        };
        // Failed by a person, a case counts as failed anyway or as the judge fails it, whichever is less.
        let failed =
            if (method, says) == (Method::RoganGladen, Some(Counts::Failed)) { Counts::Failed } else { Counts::Anyway };
        let out = May::of([Counts::Out]);
        match (other, says) {
            (Status::Fail, _) => options.push(May::of([failing(Counts::Anyway)])),
            (_, Some(_)) if case.excusable && failed_now => options.push(out),
            (_, Some(says)) => {
                if said.waits || said.failed {
                    options.push(if case.excusable { out } else { with_errors(&[failed]) });
                }
                if said.waits || !said.failed {
                    options.push(with_errors(&[says]));
                }
            }
            // What the judge says by itself is not known, and people decide it.
            (_, None) if said.waits => {
                options.extend([Counts::Anyway, Counts::Failed, Counts::Passed].map(|counts| with_errors(&[counts])));
                options.extend(case.excusable.then_some(out));
            }
            (_, None) => options.push(May::anything()),
        }
    }
    Ok(options)
}

/// Every way in which the blocking checks beside the judge's may come out together, by what people decide: fail, error or
/// pass.
fn others(trial: &TrialOutcome, judge: u32, fold: &SuiteFold<'_>) -> Vec<Status> {
    let ends = [End::Worst, End::Best].map(|end| {
        let status = rollup::all(blocking(trial.checks.at(end), judge, fold));
        if status == Status::Skip { Status::Pass } else { status }
    });
    let erring = |check: &u32| blocks(*check, judge, fold);
    let may_err = ends[1] != Status::Fail && trial.checks.open().is_some_and(|open| open.erring.iter().any(erring));
    let mut all = Vec::with_capacity(3);
    for status in ends.into_iter().chain(may_err.then_some(Status::Error)) {
        if !all.contains(&status) {
            all.push(status);
        }
    }
    all
}

fn blocking(verdicts: &[(u32, Status)], judge: u32, fold: &SuiteFold<'_>) -> impl Iterator<Item = Status> {
    verdicts.iter().filter(move |(check, _)| blocks(*check, judge, fold)).map(|(_, status)| *status)
}

/// Whether a check beside the judge's blocks a case.
fn blocks(check: u32, judge: u32, fold: &SuiteFold<'_>) -> bool {
    let plan = fold.plan.checks.get(check as usize);
    check != judge && plan.is_some_and(|c| c.severity.blocks() && !c.inactive && c.level != Level::System)
}

/// Whether a case passes by what the judge says of it.
fn passes(case: &Judged, judge: u32, fold: &SuiteFold<'_>) -> bool {
    let said = fold.said.get(case.index as usize).copied().flatten();
    let mut trials = case.of(fold).trials();
    said.is_some_and(|said| said.status == Status::Pass && !said.failed)
        && trials.all(|t| matches!(rollup::all(blocking(&t.checks, judge, fold)), Status::Pass | Status::Skip))
}

fn judge_name<'f>(judge: u32, fold: &'f SuiteFold<'_>) -> &'f str {
    fold.plan.checks.get(judge as usize).map_or("the judge", |c| &c.id)
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
