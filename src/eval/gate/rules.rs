//! The rules of the gate, one function each: what it holds against what, and in words why it did not pass. Those over a
//! number have files of their own: [`super::rates`], [`super::baseline`].
//!
//! Held verdicts are taken both ways: a rule that they cannot change is final, one that they can is held.

use std::borrow::Borrow;
use std::collections::HashSet;

use super::baseline;
use super::cases::{Cases, Judged};
use super::corrected;
use super::measured::{Tolerated, WAITS, between};
use super::rates::{pass_rate, reliable};
use super::summary::CheckSummary;
use super::{Decision, RuleOutcome, Stopped};
use crate::checks::nearest::nearest;
use crate::checks::select::Glob;
use crate::checks::system::{SystemFinding, words};
use crate::eval::event::{CheckPlan, SuitePlan};
use crate::eval::fold::{CheckFold, SuiteFold};
use crate::model::{LeftOut, Level, Severity, Status};
use crate::suite::PassRate;

/// Every rule of a suite's gate, decided. What makes a check itself an error is noted in `checks`.
pub(super) fn all(
    fold: &SuiteFold<'_>,
    cases: &Cases,
    checks: &mut [CheckSummary],
    system: &[(u32, SystemFinding)],
    stopped: Stopped,
) -> Vec<RuleOutcome> {
    let plan = fold.plan;
    // Which tools exist is known when all sessions were seen.
    let misnamed = if stopped == Stopped::No { named_tools(fold, checks) } else { Vec::new() };
    let mut rules = Vec::new();
    rules.extend(complete(fold, stopped));
    rules.push(left_out(fold, plan));
    rules.push(exercised(plan, checks, stopped));
    rules.extend(critical(fold));
    let limits = limits(fold, cases);
    // Tolerated errors count as not passed; errors that are not tolerated leave undecided what they would decide.
    let tolerated = Tolerated::by(limits.iter());
    rules.extend(limits);
    let judged = &cases.judged;
    if !only_system(plan, checks) {
        rules.push(passing("pass_rate", &plan.gate.pass_rate, judged, fold, tolerated));
    }
    rules.extend(plan.gate.reliability.iter().map(|r| reliable("reliability", r, judged, fold, tolerated)));
    for group in &plan.gate.groups {
        let members: Vec<&Judged> = judged.iter().filter(|c| c.of(fold).tags().contains(&group.tag)).collect();
        let name = |rule: &str| format!("{rule} of {}", group.tag);
        rules.extend(group.pass_rate.iter().map(|bar| passing(&name("pass_rate"), bar, &members, fold, tolerated)));
        rules.extend(group.reliability.iter().map(|r| reliable(&name("reliability"), r, &members, fold, tolerated)));
    }
    rules.extend(system_checks(plan, checks, system));
    // What is absent is known when all sessions were read.
    if stopped == Stopped::No {
        rules.extend(baseline::rules(fold, judged));
    }
    rules.extend(misnamed);
    rules
}

/// The share of cases that pass, corrected where the bar asks for it.
fn passing(
    name: &str,
    bar: &PassRate,
    cases: &[impl Borrow<Judged>],
    fold: &SuiteFold<'_>,
    tolerated: Tolerated,
) -> RuleOutcome {
    match bar.correct {
        Some(method) => corrected::pass_rate(name, bar, method, cases, fold),
        None => pass_rate(name, bar, cases, fold, tolerated),
    }
}

/// Whether system checks with a bound are all that can block, so that there is no case to count. A pass rate that the
/// suite itself asks for is wanted all the same.
fn only_system(plan: &SuitePlan, checks: &[CheckSummary]) -> bool {
    let blocking = |c: &&CheckPlan| c.severity.blocks() && !c.inactive;
    plan.gate.pass_rate.min >= 1.0
        && plan.gate.pass_rate.confidence.is_none()
        && plan.gate.pass_rate.correct.is_none()
        && plan.checks.iter().filter(blocking).all(|c| c.level == Level::System)
        && checks.iter().any(|c| c.severity.blocks() && c.bound.is_some() && c.exercised)
}

pub(super) fn rule(rule: impl Into<String>, decision: Decision, reason: impl Into<String>) -> RuleOutcome {
    RuleOutcome { rule: rule.into(), decision, reason: reason.into(), measured: None }
}

fn complete(fold: &SuiteFold<'_>, stopped: Stopped) -> Option<RuleOutcome> {
    match stopped {
        Stopped::No => None,
        Stopped::FailFast => Some(rule(
            "complete",
            Decision::Unmeasured,
            format!("stopped after {} sessions because the gate could no longer pass (--fail-fast)", fold.evaluated),
        )),
        Stopped::Interrupted => {
            let reason = format!("interrupted after {} sessions; run it again", fold.evaluated);
            Some(rule("complete", Decision::Unmeasured, reason))
        }
    }
}

fn left_out(fold: &SuiteFold<'_>, plan: &SuitePlan) -> RuleOutcome {
    // A filter says itself what it takes out, and a duplicate loses nothing.
    let counted = fold.left_out.iter().filter(|(k, _)| !matches!(k, LeftOut::Filtered | LeftOut::Duplicate));
    let n: u64 = counted.clone().map(|(_, n)| n).sum();
    let list: Vec<String> = counted.map(|(kind, n)| format!("{n} {}", kind.name())).collect();
    // Neither thins what is lost among what is read.
    let read = fold.evaluated + n;
    if n == 0 {
        return rule("left_out", Decision::Passed, format!("all {read} read could be used"));
    }
    let allowed = plan.gate.max_left_out.allows(n, read);
    let decision = if allowed { Decision::Passed } else { Decision::Unmeasured };
    let more = if allowed { "which `max_left_out` allows" } else { "more than `max_left_out` allows" };
    rule("left_out", decision, format!("{n} of {read} read were left out ({}), {more}", list.join(", ")))
}

fn exercised(plan: &SuitePlan, checks: &[CheckSummary], stopped: Stopped) -> RuleOutcome {
    let blocks = |c: &CheckPlan, s: &CheckSummary| c.severity.blocks() && !c.inactive && !s.only_reports();
    let blocking = || plan.checks.iter().zip(checks).filter(|(c, s)| blocks(c, s));
    let out: HashSet<&str> =
        plan.cases.iter().flatten().filter(|c| c.skip.is_some() || c.filtered).map(|c| c.id.as_str()).collect();
    let unexercised: Vec<&str> = blocking()
        .filter(|(c, s)| !c.optional && !s.exercised)
        // The checks of a skipped case have nothing to look at because the suite says so.
        .filter(|(c, _)| !c.case.as_deref().is_some_and(|id| out.contains(id)))
        .map(|(c, _)| c.id.as_str())
        .collect();
    if !blocking().any(|(_, s)| s.exercised) {
        return rule("exercised", Decision::Unmeasured, "no blocking check was applied to anything");
    }
    if unexercised.is_empty() || stopped != Stopped::No {
        return rule("exercised", Decision::Passed, "every blocking check was applied to something");
    }
    let (these, were) = if unexercised.len() == 1 { ("this check was", "its") } else { ("these checks were", "their") };
    rule(
        "exercised",
        Decision::Unmeasured,
        format!(
            "{these} applied to nothing in the whole run: {}; if absent subjects are fine, set `optional = true`, \
             otherwise look at {were} `on`",
            unexercised.join(", ")
        ),
    )
}

/// By roll-ups: a check that `require`s only some of a session's subjects has not failed where others did.
fn critical(fold: &SuiteFold<'_>) -> Option<RuleOutcome> {
    let of = |c: &CheckPlan| c.severity == Severity::Critical && c.level != Level::System && !c.inactive;
    let critical = || fold.plan.checks.iter().zip(&fold.checks).filter(|(c, _)| of(c));
    critical().next()?;
    let list = |count: fn(&CheckFold) -> u64, word: &str| -> Vec<String> {
        let some = critical().map(|(c, f)| (c, count(f))).filter(|(_, n)| *n > 0);
        some.map(|(c, n)| format!("{} ({n} {word})", c.id)).collect()
    };
    // One that fails at best fails whatever people decide; one that fails at worst may.
    let failed = list(|f| f.best.fail, "failed");
    let held = list(|f| f.worst.fail, "held");
    Some(if !failed.is_empty() {
        rule("critical", Decision::Failed, format!("critical checks failed: {}", failed.join(", ")))
    } else if !held.is_empty() {
        rule("critical", Decision::Held, format!("critical checks wait for a person: {}", held.join(", ")))
    } else {
        rule("critical", Decision::Passed, "no critical check failed")
    })
}

fn limits(fold: &SuiteFold<'_>, cases: &Cases) -> Vec<RuleOutcome> {
    let (plan, mut rules) = (fold.plan, Vec::new());
    let total = cases.counts.total;
    let gate = &plan.gate;
    if plan.cases.is_some() || plan.trials.is_some() {
        let n = cases.counts.missing;
        let decision = if gate.max_missing_cases.allows(n, total) { Decision::Passed } else { Decision::Unmeasured };
        let what = match plan.trials {
            Some(wanted) => format!("have fewer than the {wanted} trials wanted"),
            None => "have no recorded session".to_owned(),
        };
        let reason = if n == 0 {
            format!("all {total} cases were recorded")
        } else {
            format!("{n} of {total} cases {what}: {}", listed(&cases.missing))
        };
        rules.push(rule("missing_cases", decision, reason));
    }
    // Missing trials have their own limit; here count the cases whose recorded sessions could not be measured. One that
    // people decide to have failed is none of them: how many there are may fall with that, and rise.
    let errors = cases.judged.iter().filter(|c| c.may_err);
    let errors: Vec<String> = errors.map(|c| c.of(fold).id().to_owned()).collect();
    let (least, most) = (cases.judged.iter().filter(|c| c.must_err).count() as u64, errors.len() as u64);
    let allows = |n| if gate.max_error_rate.allows(n, total) { Decision::Passed } else { Decision::Unmeasured };
    let decision = between(allows(least), allows(most));
    let waits = if decision == Decision::Held { format!("; {WAITS}") } else { String::new() };
    let reason = match (least, most) {
        (_, 0) => "every case was measured".to_owned(),
        (least, most) if least < most => {
            format!("from {least} to {most} of {total} cases could not be measured: {}{waits}", listed(&errors))
        }
        (_, n) => format!("{n} of {total} cases could not be measured: {}", listed(&errors)),
    };
    rules.push(rule("error_rate", decision, reason));
    rules.extend(skip_rate(plan, cases));
    rules
}

/// Cases that the suite skips, and declared ones that no blocking check applied to: neither shows anything of the
/// agent. A session that is its own case, and that no check has a subject in, is reported and does not count.
fn skip_rate(plan: &SuitePlan, cases: &Cases) -> Option<RuleOutcome> {
    let blocks = |c: &CheckPlan| c.severity.blocks() && !c.inactive && c.level != Level::System;
    let (total, skipped) = (cases.counts.total, cases.counts.skipped);
    // Without checks of cases there is no case to show anything of.
    let idle = if plan.cases.is_some() && plan.checks.iter().any(blocks) { cases.counts.idle } else { 0 };
    if skipped + idle == 0 {
        return None;
    }
    let allowed = plan.gate.max_skip_rate.allows(skipped + idle, total);
    let decision = if allowed { Decision::Passed } else { Decision::Unmeasured };
    let reason = match (skipped, idle) {
        (_, 0) => format!("{skipped} of {total} cases are skipped by the suite"),
        (0, _) => format!("no blocking check applied to {idle} of {total} cases (`max_skip_rate`)"),
        _ => format!(
            "{skipped} of {total} cases are skipped by the suite, and no blocking check applied to {idle} others"
        ),
    };
    Some(rule("skip_rate", decision, reason))
}

/// The first names of a list, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

fn system_checks(plan: &SuitePlan, checks: &[CheckSummary], system: &[(u32, SystemFinding)]) -> Vec<RuleOutcome> {
    let mut rules = Vec::new();
    for (index, finding) in system {
        let (Some(check), Some(summary)) = (plan.checks.get(*index as usize), checks.get(*index as usize)) else {
            continue;
        };
        // Without a bound a system check only reports, whatever it could not measure; without severity to block it never
        // decides.
        if !check.severity.blocks() || finding.unexercised || finding.bound.is_none() {
            continue;
        }
        let decision = match finding.status {
            Status::Fail => Decision::Failed,
            Status::Error if finding.inconclusive => Decision::Inconclusive,
            Status::Error => Decision::Unmeasured,
            Status::Held => Decision::Held,
            _ => Decision::Passed,
        };
        let reason = if summary.reason.is_empty() { "kept".to_owned() } else { summary.reason.clone() };
        rules.push(rule(format!("system {}", check.id), decision, format!("{}: {reason}", check.id)));
    }
    rules
}

/// Rule 7 of the invariant: a tool name that can never match is an error of the check that names it, whatever became
/// of the check's subjects.
fn named_tools(fold: &SuiteFold<'_>, checks: &mut [CheckSummary]) -> Vec<RuleOutcome> {
    let plan = fold.plan;
    let tools = || plan.tools.iter().chain(&fold.tools_seen);
    // A name may be a glob, which one tool must match.
    let known = |name: &String| {
        fold.tools_seen.contains(name) || Glob::new(name).is_ok_and(|g| tools().any(|tool| g.is_match(tool)))
    };
    let suggested = |name: &String| match nearest(name, tools().map(String::as_str)) {
        Some(near) => format!("`{name}` (did you mean `{}`?)", words::clip(near)),
        None => format!("`{name}`"),
    };
    let mut rules = Vec::new();
    for (check, summary) in plan.checks.iter().zip(checks).filter(|(c, _)| !c.inactive) {
        let unknown: Vec<String> = check.tool_names.iter().filter(|n| !known(n)).map(suggested).collect();
        // `optional` excuses absent subjects, never a name that could not have any.
        if unknown.is_empty() || fold.evaluated == 0 {
            continue;
        }
        let why = format!(
            "no session calls {}, and a misspelled name would never match; a tool that exists although no recording \
             shows it is declared by `tools = [...]` in [suite]",
            unknown.join(", ")
        );
        let decision = if check.severity.blocks() { Decision::Unmeasured } else { Decision::Passed };
        rules.push(rule(format!("tool names of {}", check.id), decision, format!("{}: {why}", check.id)));
        summary.invalid = Some(why);
    }
    rules
}
