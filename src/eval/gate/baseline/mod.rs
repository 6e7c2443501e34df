//! The comparison with an earlier run: paired by case, over the checks that are the same in both.
//!
//! A comparison passes when the run is shown to be no worse than the baseline by the margin, fails when it is shown to be
//! worse (Holm where there are several), and is inconclusive otherwise. All comparisons have to pass, so that each is
//! made at the level alpha itself; a failure of any fails the suite, so that the tests behind it share the level.
//!
//! [`sides`] sorts the cases of both runs; [`rates`] compares shares of passing cases, [`means`] means of metrics.

mod means;
mod rates;
mod sides;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::cases::Judged;
use super::measured::{Measured, Reached, Reading, Tolerated, WAITS, settle};
use super::rules::rule;
use super::{Decision, RuleOutcome};
use crate::checks::system::End;
use crate::eval::baseline::{Baseline, Found};
use crate::eval::compare;
use crate::eval::fold::SuiteFold;
use crate::eval::prints;
use crate::stats::multiple;
use crate::suite::{BaselineBar, IfMissing};
use means::{Means, Unfit};
use rates::Rates;
use sides::{Ends, Sided, Sides};

/// The rules of the comparison; none where the suite has no baseline.
pub(super) fn rules(fold: &SuiteFold<'_>, judged: &[Judged]) -> Vec<RuleOutcome> {
    let Some(bar) = &fold.plan.gate.baseline else { return Vec::new() };
    let of = &bar.run;
    let one = |decision, reason: String| vec![rule("baseline", decision, reason)];
    match fold.baselines.get(of) {
        Some(Found::Baseline(before)) => compared(fold, bar, before, judged),
        Some(Found::Refused(why)) => {
            let reason = format!("the baseline `{of}` cannot be one: {why}; name a run that is whole");
            one(Decision::Unmeasured, reason)
        }
        missing => {
            let why = match missing {
                Some(Found::Missing(why)) => why.as_str(),
                _ => "the record does not hold it",
            };
            match bar.if_missing {
                IfMissing::Unmeasured => one(
                    Decision::Unmeasured,
                    format!(
                        "the baseline `{of}` could not be read: {why}; name another by --baseline, or say \
                         `if_missing = \"skip\"`"
                    ),
                ),
                IfMissing::Skip => one(
                    Decision::Passed,
                    format!("not compared with the baseline `{of}` (`if_missing = \"skip\"`): {why}"),
                ),
            }
        }
    }
}

/// How what is not known is taken: what waits for a person at one end of what people may decide, and errors as passed or
/// not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    end: End,
    errors: bool,
}

/// What waits as decided against the agent, errors as not passed: the number that is said.
const SAID: Taken = Taken { end: End::Worst, errors: false };

/// A number of this run against the same of the baseline.
trait Comparison {
    /// How many pairs are behind it.
    fn pairs(&self) -> u64;
    /// Whether it is shown to be no worse than what is allowed.
    fn holds(&self, taken: Taken, alpha: f64) -> bool;
    /// How likely so bad a difference is when nothing became worse.
    fn p_worse(&self, taken: Taken) -> f64;
    /// In words, and its number; `several` comparisons share alpha.
    fn said(&self, decision: Decision, alpha: f64, p_worse: f64, several: usize) -> (String, Option<Measured>);
}

/// That a test shows it to be worse.
fn worse(p: f64, test: &str, several: usize, alpha: f64) -> String {
    let holm = if several > 1 { format!(", Holm over {several}") } else { String::new() };
    format!("; it is worse: p = {p:.2e} ({test}{holm}), at most {alpha} wanted")
}

fn compared(fold: &SuiteFold<'_>, bar: &BaselineBar, before: &Baseline, judged: &[Judged]) -> Vec<RuleOutcome> {
    let after = Baseline::of(fold, "", &[]);
    let subject = before.subject.as_ref().map(|s| format!(" of {s}")).unwrap_or_default();
    let who = format!("baseline {}{subject}", before.run);
    if let Some(why) = prints::overlap(fold, before).is_itself() {
        return vec![rule("baseline", Decision::Unmeasured, format!("{who}: {why}"))];
    }
    let mut same = compare::same_checks(before, &after);
    same.retain(|c| after.checks.get(c.after).is_some_and(|check| check.blocks));
    let ends = Ends::of(fold, judged);
    let sides = Sides::of(fold, before, &after, ends.as_ref(), &same, judged);
    let mut rules = Vec::new();
    let mut wanted: Vec<(String, Box<dyn Comparison>)> = Vec::new();
    if same.is_empty() {
        let reason = format!("{who}: no blocking check of this run is the same in it, so that nothing can be compared");
        rules.push(rule("baseline", Decision::Unmeasured, reason));
    } else {
        rules.push(sides.unpaired(&who, bar, before));
        wanted.push(("baseline".to_owned(), Box::new(Rates::of(&sides.pairs.iter().collect::<Vec<_>>(), bar.margin))));
        for group in &fold.plan.gate.groups {
            let Some(margin) = group.margin else { continue };
            let members: HashSet<&str> =
                judged.iter().map(|c| c.of(fold)).filter(|c| c.tags().contains(&group.tag)).map(|c| c.id()).collect();
            let pairs: Vec<&Sided<'_>> = sides.pairs.iter().filter(|p| members.contains(p.case)).collect();
            wanted.push((format!("baseline of {}", group.tag), Box::new(Rates::of(&pairs, margin))));
        }
    }
    let tolerated = Tolerated::by(rules.iter());
    // A case that fails as is expected is left out: which pairs there are then depends on what people decide, and no order
    // of their decisions is shown.
    let shown = !judged.iter().any(Judged::may_go);
    let mut unmeasured = Vec::new();
    for mean in &bar.means {
        match Means::of(bar, mean, (before, &after), &sides.both) {
            Ok(comparison) => wanted.push((means::name(mean), Box::new(comparison))),
            Err(Unfit::OfCases(why)) if !shown => {
                unmeasured.push(rule(means::name(mean), Decision::Held, format!("{who}: {why}; {WAITS}")));
            }
            Err(Unfit::OfCases(why) | Unfit::Whole(why)) => {
                unmeasured.push(rule(means::name(mean), Decision::Unmeasured, format!("{who}: {why}")));
            }
        }
    }
    rules.extend(decided(&who, &wanted, bar.alpha, tolerated, shown));
    if let Some(first) = rules.iter_mut().find(|r| r.rule == "baseline") {
        first.reason.push_str(&sides.notes(before, &after, &same));
    }
    rules.extend(unmeasured);
    rules
}

/// Decides all comparisons together; they wait for people where it is not `shown` how their decisions tell.
fn decided(
    who: &str,
    wanted: &[(String, Box<dyn Comparison>)],
    alpha: f64,
    tolerated: Tolerated,
    shown: bool,
) -> Vec<RuleOutcome> {
    let at = |end| [false, true].map(|errors| reached(wanted, Taken { end, errors }, alpha));
    let (worst, best) = (at(End::Worst), at(End::Best));
    let said = reached(wanted, SAID, alpha);
    let rules = wanted.iter().enumerate().map(|(i, (name, comparison))| {
        if comparison.pairs() == 0 {
            return rule(name, Decision::Unmeasured, format!("{who}: no case to compare ({name})"));
        }
        let reading = |end: &[Vec<(Reached, f64)>; 2]| {
            let [passed, at_best] = end.each_ref().map(|all| all.get(i).map(|(reached, _)| *reached));
            Reading { passed, at_best }
        };
        let (decision, waits) = match settle(reading(&worst), reading(&best), tolerated) {
            settled if shown => settled,
            _ => (Decision::Held, Some(WAITS)),
        };
        let waits = waits.map(|why| format!("; {why}")).unwrap_or_default();
        let (text, measured) = comparison.said(decision, alpha, said[i].1, wanted.len());
        let of = name.strip_prefix("baseline of ").map(|tag| format!(" ({tag})")).unwrap_or_default();
        let built = rule(name, decision, format!("{who}{of}: {text}{waits}"));
        match measured {
            Some(measured) => built.with(measured),
            None => built,
        }
    });
    rules.collect()
}

/// Whether each comparison is shown to be no worse, or worse, and the p-value behind the latter, adjusted by Holm.
fn reached(wanted: &[(String, Box<dyn Comparison>)], taken: Taken, alpha: f64) -> Vec<(Reached, f64)> {
    let worse: Vec<f64> = wanted.iter().map(|(_, comparison)| comparison.p_worse(taken)).collect();
    // What is no chance between 0 and 1 shows nothing.
    let adjusted = multiple::holm(&worse).unwrap_or_else(|| vec![1.0; worse.len()]);
    let each = wanted.iter().zip(adjusted).map(|((_, comparison), p)| {
        let reached = match comparison.holds(taken, alpha) {
            true => Reached::Yes,
            false if p <= alpha => Reached::No,
            false => Reached::Unsure,
        };
        (reached, p)
    });
    each.collect()
}
