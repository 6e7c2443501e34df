//! The comparison with an earlier run: paired by case, over the checks that are the same in both.
//!
//! A comparison passes when the run is shown to be no worse than the baseline by the margin (Tango's score of the paired
//! difference, so that at worst alpha of those that are worse by it pass), fails when it is shown to be worse (exact
//! McNemar test; Holm where there are several), and is inconclusive otherwise. All comparisons have to pass, so that each
//! is made at the level alpha itself; a failure of any fails the suite, so that the tests behind it share the level.

use std::collections::HashSet;

use super::cases::Judged;
use super::measured::{Measured, Reached, settle};
use super::rates::percent;
use super::rules::{listed, rule};
use super::{Decision, RuleOutcome};
use crate::checks::system::words;
use crate::eval::baseline::{Baseline, Found, PastCase};
use crate::eval::compare::{self, SameCheck};
use crate::eval::fold::SuiteFold;
use crate::model::{LeftOut, Status};
use crate::stats::{mcnemar, multiple, power, tango};
use crate::suite::{BaselineBar, IfMissing};

/// The rules of the comparison; none where the suite has no baseline.
pub(super) fn rules(fold: &SuiteFold<'_>, judged: &[Judged<'_>]) -> Vec<RuleOutcome> {
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

/// What is known of the cases of both runs.
#[derive(Default)]
struct Sides<'b> {
    /// Measured then, and now or possibly.
    pairs: Vec<Sided<'b>>,
    /// Why a case has no pair, and which.
    gone: Vec<String>,
    unmeasured_now: Vec<String>,
    unmeasured_then: Vec<String>,
    new: usize,
    /// Left out of the comparison because the suite expects it to fail.
    excused: usize,
    /// Cases with more trials in one run than in the other.
    uneven: usize,
}

struct Sided<'b> {
    case: &'b str,
    passed_then: bool,
    now: Status,
}

fn compared(fold: &SuiteFold<'_>, bar: &BaselineBar, before: &Baseline, judged: &[Judged<'_>]) -> Vec<RuleOutcome> {
    let after = Baseline::of(fold, "", &[]);
    let mut same = compare::same_checks(before, &after);
    same.retain(|c| after.checks.get(c.after).is_some_and(|check| check.blocks));
    let who = format!("baseline {}", before.run);
    if same.is_empty() {
        let reason = format!("{who}: no blocking check of this run is the same in it, so that nothing can be compared");
        return vec![rule("baseline", Decision::Unmeasured, reason)];
    }
    let sides = sides(fold, before, &after, &same, judged);
    let unpaired = unpaired(&who, bar, before, &sides);
    let tolerated = unpaired.decision == Decision::Passed;
    let mut wanted: Vec<(String, f64, Vec<&Sided<'_>>)> =
        vec![("baseline".to_owned(), bar.margin, sides.pairs.iter().collect())];
    for group in &fold.plan.gate.groups {
        let Some(margin) = group.margin else { continue };
        let members: HashSet<&str> =
            judged.iter().filter(|c| c.outcome.tags.contains(&group.tag)).map(|c| &*c.outcome.id).collect();
        let pairs = sides.pairs.iter().filter(|p| members.contains(p.case)).collect();
        wanted.push((format!("baseline of {}", group.tag), margin, pairs));
    }
    let notes = notes(before, &after, &same, &sides);
    let family: Vec<Comparison> = wanted.iter().map(|(_, margin, pairs)| Comparison::of(pairs, *margin)).collect();
    let mut rules = vec![unpaired];
    rules.extend(decided(&who, &wanted, &family, bar.alpha, tolerated));
    if let Some(first) = rules.iter_mut().find(|r| r.rule == "baseline") {
        first.reason.push_str(&notes);
    }
    rules
}

/// Sorts the cases of both runs.
fn sides<'b>(
    fold: &SuiteFold<'_>,
    before: &'b Baseline,
    after: &'b Baseline,
    same: &[SameCheck],
    judged: &[Judged<'_>],
) -> Sides<'b> {
    let excused: HashSet<&str> = judged.iter().filter(|c| c.excused).map(|c| &*c.outcome.id).collect();
    let paired = compare::pair(before, after);
    let mut sides = Sides { new: paired.new.len(), ..Sides::default() };
    for pair in &paired.pairs {
        let id = &*pair.after.id;
        let (then, now) = pair.statuses(same);
        sides.uneven += usize::from(pair.is_uneven());
        match (then, now) {
            _ if excused.contains(id) => sides.excused += 1,
            (Status::Skip, Status::Skip) => {}
            (Status::Skip, _) => sides.new += 1,
            (Status::Error | Status::Held, _) => sides.unmeasured_then.push(id.to_owned()),
            (_, Status::Skip) => sides.gone.push(id.to_owned()),
            (then, now) => {
                if now == Status::Error {
                    sides.unmeasured_now.push(id.to_owned());
                }
                sides.pairs.push(Sided { case: id, passed_then: then == Status::Pass, now });
            }
        }
    }
    let was = |case: &PastCase| compare::status_of(case, same.iter().map(|c| c.before));
    // What a filter took out is not gone; such a run is partial and says so.
    let filtered = fold.plan.cases.iter().flatten().any(|c| c.filtered)
        || fold.left_out.get(&LeftOut::Filtered).is_some_and(|n| *n > 0);
    if !filtered {
        let gone = paired.gone.iter().filter(|case| was(case) != Status::Skip);
        sides.gone.extend(gone.map(|case| case.id.clone()));
    }
    sides
}

/// Cases without a pair: they may be the ones that became worse.
fn unpaired(who: &str, bar: &BaselineBar, before: &Baseline, sides: &Sides<'_>) -> RuleOutcome {
    let (total, name) = (before.cases.len() as u64, "baseline cases");
    let kinds = [
        ("absent now", &sides.gone),
        ("not measured now", &sides.unmeasured_now),
        ("not measured then", &sides.unmeasured_then),
    ];
    let n: u64 = kinds.iter().map(|(_, ids)| ids.len() as u64).sum();
    if n == 0 {
        return rule(name, Decision::Passed, format!("{who}: every one of its {total} cases has its pair"));
    }
    let parts = kinds.iter().filter(|(_, ids)| !ids.is_empty());
    let parts: Vec<String> = parts.map(|(why, ids)| format!("{} {why} ({})", ids.len(), listed(ids))).collect();
    let allowed = bar.max_unpaired.allows(n, total);
    let decision = if allowed { Decision::Passed } else { Decision::Unmeasured };
    let more = if allowed { "which `max_unpaired` allows" } else { "more than `max_unpaired` allows" };
    rule(name, decision, format!("{who}: {n} of its {total} cases have no pair: {}; {more}", parts.join(", ")))
}

/// What was left out of the comparison, in words.
fn notes(before: &Baseline, after: &Baseline, same: &[SameCheck], sides: &Sides<'_>) -> String {
    let mut notes = Vec::new();
    let blocking = |side: &Baseline, position: fn(&SameCheck) -> usize| -> Vec<String> {
        let is_same = |i: usize| same.iter().any(|c| position(c) == i);
        let others = side.checks.iter().enumerate().filter(|(i, c)| c.blocks && !is_same(*i));
        others.map(|(_, c)| c.id.clone()).collect()
    };
    let (lost, fresh) = (blocking(before, |c| c.before), blocking(after, |c| c.after));
    let changed: Vec<String> = fresh.iter().filter(|id| lost.contains(id)).cloned().collect();
    let only = |ids: &[String]| ids.iter().filter(|id| !changed.contains(id)).cloned().collect::<Vec<_>>();
    for (ids, why) in [(changed.clone(), "changed since"), (only(&fresh), "new"), (only(&lost), "no longer blocking")] {
        if !ids.is_empty() {
            notes.push(format!("without {} ({why})", listed(&ids)));
        }
    }
    if sides.new > 0 {
        notes.push(format!("{} not in it", words::counted(sides.new as u64, "case")));
    }
    if sides.excused > 0 {
        notes.push(format!("without {} expected to fail", words::counted(sides.excused as u64, "case")));
    }
    if sides.uneven > 0 {
        let n = words::counted(sides.uneven as u64, "case");
        notes.push(format!("{n} over the first trials only, as many as both runs have"));
    }
    if notes.is_empty() { String::new() } else { format!("; {}", notes.join("; ")) }
}

/// Pairs, counted: what became worse and better, in all.
#[derive(Clone, Copy)]
struct Counts {
    n: u64,
    wins: u64,
    losses: u64,
    passed_then: u64,
}

/// One comparison with what is not known taken at worst, as people may review it, and at best.
struct Comparison {
    at_worst: Counts,
    reviewed: Counts,
    at_best: Counts,
    margin: f64,
}

impl Comparison {
    fn of(pairs: &[&Sided<'_>], margin: f64) -> Self {
        let counts = |passes: &[Status]| {
            let mut counts = Counts { n: pairs.len() as u64, wins: 0, losses: 0, passed_then: 0 };
            for pair in pairs {
                let now = passes.contains(&pair.now);
                counts.passed_then += u64::from(pair.passed_then);
                counts.wins += u64::from(now && !pair.passed_then);
                counts.losses += u64::from(!now && pair.passed_then);
            }
            counts
        };
        Self {
            at_worst: counts(&[Status::Pass]),
            reviewed: counts(&[Status::Pass, Status::Held]),
            at_best: counts(&[Status::Pass, Status::Held, Status::Error]),
            margin,
        }
    }
}

/// Decides all comparisons together.
fn decided<P>(
    who: &str,
    wanted: &[(String, f64, P)],
    family: &[Comparison],
    alpha: f64,
    tolerated: bool,
) -> Vec<RuleOutcome> {
    let at_worst = reached(family, |c| c.at_worst, alpha);
    let reviewed = reached(family, |c| c.reviewed, alpha);
    let at_best = reached(family, |c| c.at_best, alpha);
    let rules = wanted.iter().zip(family).enumerate().map(|(i, ((name, ..), comparison))| {
        let counts = comparison.at_worst;
        if counts.n == 0 {
            return rule(name, Decision::Unmeasured, format!("{who}: no case to compare ({name})"));
        }
        let (decision, waits) = settle(at_worst[i].0, reviewed[i].0, at_best[i].0, tolerated);
        let waits = waits.map(|why| format!("; {why}")).unwrap_or_default();
        let (text, measured) = said(decision, counts, comparison.margin, alpha, at_worst[i].1, family.len());
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
fn reached(family: &[Comparison], counts: fn(&Comparison) -> Counts, alpha: f64) -> Vec<(Reached, f64)> {
    let worse: Vec<f64> = family.iter().map(counts).map(|c| mcnemar::worse(c.wins, c.losses)).collect();
    // What is no chance between 0 and 1 shows nothing.
    let adjusted = multiple::holm(&worse).unwrap_or_else(|| vec![1.0; worse.len()]);
    let each = family.iter().zip(adjusted).map(|(comparison, p)| {
        let c = counts(comparison);
        let margin = comparison.margin;
        let reached = match tango::shows(c.wins, c.losses, c.n, margin, alpha) {
            true => Reached::Yes,
            false if p <= alpha => Reached::No,
            false => Reached::Unsure,
        };
        (reached, p)
    });
    each.collect()
}

/// A comparison in words, and its number.
fn said(
    decision: Decision,
    counts: Counts,
    margin: f64,
    alpha: f64,
    p_worse: f64,
    several: usize,
) -> (String, Option<Measured>) {
    let Counts { n, wins, losses, passed_then } = counts;
    let now = passed_then + wins - losses;
    let mut text = format!("{now} of {n} paired cases pass, {passed_then} did; {losses} newly fail, {wins} newly pass");
    let Some(shown) = tango::non_inferiority(wins, losses, n, margin, alpha) else {
        text.push_str("; its interval could not be computed");
        return (text, None);
    };
    text.push_str(&format!(
        "; difference {:+.4}, {} sure that it is at least {:+.4} ({}), {:+} wanted",
        shown.difference,
        percent(1.0 - alpha),
        shown.lower,
        shown.method,
        -margin
    ));
    let more =
        if decision == Decision::Inconclusive { tango::more_pairs(wins, losses, n, margin, alpha) } else { None };
    match decision {
        Decision::Failed => {
            let holm = if several > 1 { format!(", Holm over {several}") } else { String::new() };
            text.push_str(&format!("; it is worse: p = {p_worse:.2e} (exact McNemar{holm}), at most {alpha} wanted"));
        }
        Decision::Inconclusive => text.push_str(&underpowered(counts, margin, alpha, more)),
        _ => {}
    }
    let measured = Measured {
        interval: Some([shown.lower, shown.upper]),
        confidence: Some(1.0 - alpha),
        method: Some(shown.method.to_owned()),
        p_worse: Some(p_worse),
        more_cases: more,
        ..Measured::new(shown.difference, Some(-margin), n)
    };
    (text, Some(measured))
}

/// What so many pairs could have shown, and how many would do.
fn underpowered(counts: Counts, margin: f64, alpha: f64, more: Option<u64>) -> String {
    let Counts { n, wins, losses, .. } = counts;
    let discordant = (wins + losses) as f64 / n as f64;
    let detectable = tango::detectable_margin(n, discordant, alpha, power::POWER);
    let detectable = detectable
        .map(|least| {
            let power = percent(power::POWER);
            format!("; underpowered: {n} pairs like these show a margin of {least:.3} at best ({power} of the time)")
        })
        .unwrap_or_else(|| "; underpowered".to_owned());
    let settles = match more {
        Some(more) => format!("; {} like these would settle it", words::counted(more, "more case")),
        None => format!("; the difference itself does not keep {:+}, so that only better results would pass", -margin),
    };
    detectable + &settles
}
