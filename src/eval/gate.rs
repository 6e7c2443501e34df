//! The decision over a suite, from its fold: every rule says pass, fail or why it could not be shown, in words with
//! the numbers; the suite's decision is the worst of them.

use std::collections::BTreeMap;

use super::event::{CasePlan, CheckPlan, SuitePlan};
use super::fold::SuiteFold;
use super::rollup;
use crate::checks::select::Glob;
use crate::checks::system::{Bound, CaseOutcome, GroupFinding, SystemFinding, TrialOutcome};
use crate::model::{LeftOut, Level, Severity, Status};
use crate::stats::{reliability, sum};
use crate::suite::{PassRate, Reliability};
use serde::{Deserialize, Serialize};

/// A suite's decision, also that of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The agent meets the suite.
    Passed,
    /// The decision depends on verdicts that wait for a person.
    Held,
    /// The agent may meet the suite; there are too few cases to say.
    Inconclusive,
    /// Something could not be measured that had to be.
    Unmeasured,
    /// The agent does not meet the suite.
    Failed,
}

impl Decision {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Passed => "passed",
            Decision::Held => "held",
            Decision::Inconclusive => "inconclusive",
            Decision::Unmeasured => "unmeasured",
            Decision::Failed => "failed",
        }
    }
}

/// One rule of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOutcome {
    /// Its name, unique in the suite.
    pub rule: String,
    /// What it says.
    pub decision: Decision,
    /// Why, with the numbers.
    pub reason: String,
}

/// What was read, and what became of it. The parts add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Sessions and files that were met.
    pub read: u64,
    /// Sessions evaluated.
    pub evaluated: u64,
    /// The others, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
}

/// How the cases went. `passed`, `failed`, `error`, `held`, `skipped` and `expected_fail` add up to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaseCounts {
    /// Cases of the run.
    pub total: u64,
    /// All trials passed.
    pub passed: u64,
    /// A trial failed.
    pub failed: u64,
    /// Could not be measured, missing ones among them.
    pub error: u64,
    /// Waits for a person.
    pub held: u64,
    /// Skipped by the suite.
    pub skipped: u64,
    /// Trials disagree.
    pub flaky: u64,
    /// Failed, as the suite expects for now.
    pub expected_fail: u64,
    /// Passed although the suite expects a failure.
    pub surprises: u64,
    /// Declared, without a session or with fewer trials than wanted.
    pub missing: u64,
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSummary {
    /// Its id.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// Its rule.
    pub check: String,
    /// What a failure does.
    pub severity: Severity,
    /// Whether anything in the run was a subject of it.
    pub exercised: bool,
    /// Absent subjects are excused.
    pub optional: bool,
    /// Subjects that passed.
    pub pass: u64,
    /// Subjects that failed.
    pub fail: u64,
    /// Subjects that could not be measured.
    pub error: u64,
    /// Subjects that wait for a person.
    pub held: u64,
    /// Subjects skipped by the suite.
    pub skip: u64,
    /// pass / (pass + fail), or the number a system check measured; null where nothing was measured.
    pub value: Option<f64>,
    /// Interval of the value; none in this version.
    pub interval: Option<[f64; 2]>,
    /// Method of the interval.
    pub method: Option<String>,
    /// The bound of a system check.
    pub bound: Option<Bound>,
    /// A system check's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupFinding>,
    /// Why a system check did not pass, or why the check as a whole is an error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A suite of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteSummary {
    /// Its name.
    pub name: String,
    /// The decision.
    pub decision: Decision,
    /// Every rule that did not pass, in words.
    pub reasons: Vec<String>,
    /// Sessions.
    pub sessions: SessionCounts,
    /// Cases.
    pub cases: CaseCounts,
    /// Checks, in order.
    pub checks: Vec<CheckSummary>,
    /// Money this run itself spent (judges, live agents), in US dollars; a run over recordings spends none.
    pub cost_usd: f64,
    /// Every rule of the gate.
    pub rules: Vec<RuleOutcome>,
    /// Cases whose trials disagree.
    pub flaky: Vec<String>,
    /// Cases that passed although the suite expects a failure.
    pub surprises: Vec<String>,
    /// Declared cases without a session, or with fewer trials than wanted.
    pub missing: Vec<String>,
}

/// How a case went, with what the plan says of it.
struct Judged<'c> {
    outcome: &'c CaseOutcome,
    weight: f64,
    status: Status,
    excused: bool,
}

/// What stopped a run before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It did not stop early.
    No,
    /// The gate could no longer pass.
    FailFast,
    /// Interrupted, or the record could not be written.
    Interrupted,
}

/// Decides over a suite. `fold.end` must be there unless the run was stopped. `as_of` is the day for `expected_fail`.
pub fn decide(
    fold: &mut SuiteFold<'_>,
    system: &[(u32, SystemFinding)],
    as_of: Option<&str>,
    stopped: Stopped,
) -> SuiteSummary {
    let plan = fold.plan;
    let missing = if stopped == Stopped::No { add_missing_trials(fold) } else { Vec::new() };
    let fold = &*fold;
    let mut counts = CaseCounts { missing: missing.len() as u64, ..CaseCounts::default() };
    let (mut flaky, mut surprises) = (Vec::new(), Vec::new());
    let mut judged = Vec::new();
    for (index, outcome) in fold.cases.iter().enumerate() {
        let declared = plan.cases.as_ref().and_then(|c| c.get(index));
        if declared.is_some_and(|c| c.filtered)
            || (outcome.trials.is_empty() && declared.is_none_or(|c| c.skip.is_none()))
        {
            continue;
        }
        let case = judge(outcome, declared, as_of);
        counts.total += 1;
        match case.status {
            Status::Fail if case.excused => counts.expected_fail += 1,
            Status::Pass => counts.passed += 1,
            Status::Fail => counts.failed += 1,
            Status::Error => counts.error += 1,
            Status::Held => counts.held += 1,
            Status::Skip => counts.skipped += 1,
        }
        if case.status == Status::Pass && declared.is_some_and(|c| c.expected_fail.is_some()) {
            surprises.push(outcome.id.clone());
        }
        if is_flaky(outcome) {
            flaky.push(outcome.id.clone());
        }
        judged.push(case);
    }
    counts.flaky = flaky.len() as u64;
    counts.surprises = surprises.len() as u64;

    let mut checks: Vec<CheckSummary> = (0..plan.checks.len()).map(|i| summarise(fold, i, system)).collect();
    let misnamed = named_tools(fold, &mut checks);
    let mut rules = Vec::new();
    rules.extend(complete(fold, stopped));
    rules.push(left_out(fold, plan));
    rules.push(exercised(plan, &checks, stopped));
    rules.extend(critical(plan, &checks));
    let limits = limits(plan, &counts, &missing, &judged);
    // Tolerated errors count as not passed; errors that are not tolerated leave undecided what they would decide.
    let tolerated = limits.iter().all(|r| r.decision == Decision::Passed);
    rules.extend(limits);
    rules.push(pass_rate("pass_rate", &plan.gate.pass_rate, &judged, tolerated));
    rules.extend(plan.gate.reliability.iter().map(|r| reliable("reliability", r, &judged, tolerated)));
    for group in &plan.gate.groups {
        let members: Vec<&Judged<'_>> = judged.iter().filter(|c| c.outcome.tags.contains(&group.tag)).collect();
        let name = |rule: &str| format!("{rule} of {}", group.tag);
        rules.extend(group.pass_rate.iter().map(|bar| pass_rate(&name("pass_rate"), bar, &members, tolerated)));
        rules.extend(group.reliability.iter().map(|r| reliable(&name("reliability"), r, &members, tolerated)));
    }
    rules.extend(system_checks(plan, &checks, system));
    rules.extend(misnamed);

    let decision = rules.iter().map(|r| r.decision).max().unwrap_or(Decision::Unmeasured);
    let mut worst_first: Vec<&RuleOutcome> = rules.iter().filter(|r| r.decision != Decision::Passed).collect();
    worst_first.sort_by_key(|r| std::cmp::Reverse(r.decision));
    SuiteSummary {
        name: plan.name.clone(),
        decision,
        reasons: worst_first.iter().map(|r| r.reason.clone()).collect(),
        sessions: SessionCounts { read: fold.read(), evaluated: fold.evaluated, left_out: fold.left_out.clone() },
        cases: counts,
        checks,
        cost_usd: 0.0,
        rules,
        flaky,
        surprises,
        missing,
    }
}

/// Gives every declared case the trials it lacks, as errors. Returns the cases concerned.
fn add_missing_trials(fold: &mut SuiteFold<'_>) -> Vec<String> {
    let plan = fold.plan;
    let mut missing = Vec::new();
    for (index, outcome) in fold.cases.iter_mut().enumerate() {
        let declared = plan.cases.as_ref().and_then(|c| c.get(index));
        if declared.is_some_and(|c| c.filtered || c.skip.is_some()) {
            continue;
        }
        // An undeclared case is there because a session of it was read, possibly as a duplicate elsewhere.
        let wanted = plan.trials.map_or(usize::from(declared.is_some()), |t| t as usize);
        if outcome.trials.len() < wanted {
            missing.push(outcome.id.clone());
            outcome.trials.resize(wanted, TrialOutcome { status: Status::Error, checks: Vec::new() });
        }
    }
    missing
}

fn judge<'c>(outcome: &'c CaseOutcome, declared: Option<&CasePlan>, as_of: Option<&str>) -> Judged<'c> {
    let status =
        if outcome.trials.is_empty() { Status::Skip } else { rollup::all(outcome.trials.iter().map(|t| t.status)) };
    let excused = declared.and_then(|c| c.expected_fail.as_ref()).is_some_and(|x| {
        // ISO dates compare as text. Without a date to compare with, nothing is excused.
        as_of.is_some_and(|today| today <= x.until.as_str())
    });
    Judged { outcome, weight: declared.map_or(1.0, |c| c.weight), status, excused: excused && status == Status::Fail }
}

/// Whether trials of the case disagree.
fn is_flaky(outcome: &CaseOutcome) -> bool {
    let has = |status| outcome.trials.iter().any(|t| t.status == status);
    has(Status::Pass) && has(Status::Fail)
}

fn summarise(fold: &SuiteFold<'_>, index: usize, system: &[(u32, SystemFinding)]) -> CheckSummary {
    let plan = &fold.plan.checks[index];
    let tally = fold.checks[index].subjects;
    let mut summary = CheckSummary {
        id: plan.id.clone(),
        level: plan.level,
        check: plan.check.clone(),
        severity: plan.severity,
        exercised: tally.total() > 0,
        optional: plan.optional,
        pass: tally.pass,
        fail: tally.fail,
        error: tally.error,
        held: tally.held,
        skip: tally.skip,
        value: tally.rate(),
        interval: None,
        method: None,
        bound: None,
        groups: Vec::new(),
        reason: String::new(),
    };
    if let Some((_, finding)) = system.iter().find(|(check, _)| *check as usize == index) {
        let mut tally = crate::model::Tally::default();
        if !finding.unexercised {
            tally.add(finding.status);
        }
        summary.exercised = !finding.unexercised;
        (summary.pass, summary.fail, summary.error, summary.held) = (tally.pass, tally.fail, tally.error, tally.held);
        summary.value = finding.value;
        summary.bound = finding.bound;
        summary.groups.clone_from(&finding.groups);
        summary.reason.clone_from(&finding.reason);
    }
    summary
}

fn rule(rule: impl Into<String>, decision: Decision, reason: impl Into<String>) -> RuleOutcome {
    RuleOutcome { rule: rule.into(), decision, reason: reason.into() }
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
    let read = fold.read();
    if n == 0 {
        return rule("left_out", Decision::Passed, format!("all {read} read could be used"));
    }
    let allowed = plan.gate.max_left_out.allows(n, read);
    let decision = if allowed { Decision::Passed } else { Decision::Unmeasured };
    let more = if allowed { "which `max_left_out` allows" } else { "more than `max_left_out` allows" };
    rule("left_out", decision, format!("{n} of {read} read were left out ({}), {more}", list.join(", ")))
}

fn exercised(plan: &SuitePlan, checks: &[CheckSummary], stopped: Stopped) -> RuleOutcome {
    let blocking = |c: &&CheckPlan| c.severity.blocks() && !c.inactive;
    let is_exercised = |c: &CheckPlan| checks.iter().any(|s| s.id == c.id && s.exercised);
    let unexercised: Vec<&str> = plan
        .checks
        .iter()
        .filter(blocking)
        .filter(|c| !c.optional && !is_exercised(c))
        // The checks of a skipped case have nothing to look at because the suite says so.
        .filter(|c| !c.case.as_ref().is_some_and(|id| case_is_out(plan, id)))
        .map(|c| c.id.as_str())
        .collect();
    if !plan.checks.iter().filter(blocking).any(is_exercised) {
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

fn case_is_out(plan: &SuitePlan, id: &str) -> bool {
    plan.cases.iter().flatten().any(|c| c.id == id && (c.skip.is_some() || c.filtered))
}

fn critical(plan: &SuitePlan, checks: &[CheckSummary]) -> Option<RuleOutcome> {
    let of = |c: &&CheckSummary| c.severity == Severity::Critical && c.level != Level::System;
    if !plan.checks.iter().any(|c| c.severity == Severity::Critical && c.level != Level::System && !c.inactive) {
        return None;
    }
    let failed: Vec<String> =
        checks.iter().filter(of).filter(|c| c.fail > 0).map(|c| format!("{} ({} failed)", c.id, c.fail)).collect();
    Some(if failed.is_empty() {
        rule("critical", Decision::Passed, "no critical check failed")
    } else {
        rule("critical", Decision::Failed, format!("critical checks failed: {}", failed.join(", ")))
    })
}

fn limits(plan: &SuitePlan, counts: &CaseCounts, missing: &[String], judged: &[Judged<'_>]) -> Vec<RuleOutcome> {
    let mut rules = Vec::new();
    let total = counts.total;
    let gate = &plan.gate;
    if plan.cases.is_some() || plan.trials.is_some() {
        let n = missing.len() as u64;
        let decision = if gate.max_missing_cases.allows(n, total) { Decision::Passed } else { Decision::Unmeasured };
        let what = if plan.trials.is_some() { "have fewer trials than wanted" } else { "have no recorded session" };
        let reason = if n == 0 {
            format!("all {total} cases were recorded")
        } else {
            format!("{n} of {total} cases {what}: {}", listed(missing))
        };
        rules.push(rule("missing_cases", decision, reason));
    }
    // Missing trials have their own limit; here count the cases whose sessions could not be measured.
    let errors: Vec<String> = judged
        .iter()
        .filter(|c| c.status == Status::Error && !missing.contains(&c.outcome.id))
        .map(|c| c.outcome.id.clone())
        .collect();
    let n = errors.len() as u64;
    let decision = if gate.max_error_rate.allows(n, total) { Decision::Passed } else { Decision::Unmeasured };
    let reason = if n == 0 {
        "every case was measured".to_owned()
    } else {
        format!("{n} of {total} cases could not be measured: {}", listed(&errors))
    };
    rules.push(rule("error_rate", decision, reason));
    if counts.skipped > 0 {
        let decision =
            if gate.max_skip_rate.allows(counts.skipped, total) { Decision::Passed } else { Decision::Unmeasured };
        let reason = format!("{} of {total} cases are skipped by the suite", counts.skipped);
        rules.push(rule("skip_rate", decision, reason));
    }
    rules
}

/// The first names of a list, and how many more there are.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

fn pass_rate<'c>(
    name: &str,
    bar: &PassRate,
    cases: &[impl std::borrow::Borrow<Judged<'c>>],
    tolerated: bool,
) -> RuleOutcome {
    let counted = || cases.iter().map(std::borrow::Borrow::borrow).filter(|c| c.status != Status::Skip && !c.excused);
    // An empty sum of floats is -0.
    let weight = |status: Status| counted().filter(|c| c.status == status).map(|c| c.weight).sum::<f64>() + 0.0;
    let total: f64 = counted().map(|c| c.weight).sum();
    if counted().next().is_none() || total <= 0.0 {
        return rule(name, Decision::Unmeasured, format!("{name}: no case to measure it on"));
    }
    let (passed, error, held) = (weight(Status::Pass), weight(Status::Error), weight(Status::Held));
    let needed = bar.min * total - 1e-9;
    let n = counted().filter(|c| c.status == Status::Pass).count();
    let number =
        format!("{name} {:.4} ({n} of {} cases), at least {} wanted", passed / total, counted().count(), bar.min);
    let possible = if tolerated { passed + held } else { passed + held + error };
    if passed >= needed {
        rule(name, Decision::Passed, number)
    } else if possible < needed {
        rule(name, Decision::Failed, number)
    } else if passed + held >= needed {
        rule(name, Decision::Held, format!("{number}; it depends on cases that wait for a person"))
    } else {
        rule(name, Decision::Unmeasured, format!("{number}; it depends on cases that could not be measured"))
    }
}

fn reliable<'c>(
    name: &str,
    bar: &Reliability,
    cases: &[impl std::borrow::Borrow<Judged<'c>>],
    tolerated: bool,
) -> RuleOutcome {
    let k = u64::from(bar.k);
    let (mut low, mut high, mut n) = (Vec::new(), Vec::new(), 0u64);
    let mut short = Vec::new();
    for case in cases.iter().map(std::borrow::Borrow::borrow).filter(|c| c.status != Status::Skip && !c.excused) {
        let trials = &case.outcome.trials;
        let count = |status| trials.iter().filter(|t| t.status == status).count() as u64;
        let (total, passed) = (trials.len() as u64, count(Status::Pass));
        let unknown = count(Status::Held) + if tolerated { 0 } else { count(Status::Error) };
        match (reliability::pass_hat_k(total, passed, k), reliability::pass_hat_k(total, passed + unknown, k)) {
            (Ok(a), Ok(b)) => {
                low.push(a);
                high.push(b);
                n += 1;
            }
            _ => short.push(case.outcome.id.clone()),
        }
    }
    if !short.is_empty() {
        let reason = format!("{name}: pass^{k} needs {k} trials; fewer in {}", listed(&short));
        return rule(name, Decision::Unmeasured, reason);
    }
    let (Some(low), Some(high)) = (sum::mean(&low), sum::mean(&high)) else {
        return rule(name, Decision::Unmeasured, format!("{name}: no case to measure it on"));
    };
    let Some(min) = bar.min else {
        return rule(name, Decision::Passed, format!("{name}: pass^{k} is {low:.4} over {n} cases"));
    };
    let number = format!("{name}: pass^{k} is {low:.4} over {n} cases, at least {min} wanted");
    if low >= min - 1e-12 {
        rule(name, Decision::Passed, number)
    } else if high < min - 1e-12 {
        rule(name, Decision::Failed, number)
    } else {
        rule(name, Decision::Unmeasured, format!("{number}; it depends on trials that could not be measured"))
    }
}

fn system_checks(plan: &SuitePlan, checks: &[CheckSummary], system: &[(u32, SystemFinding)]) -> Vec<RuleOutcome> {
    let mut rules = Vec::new();
    for (index, finding) in system {
        let (Some(check), Some(summary)) = (plan.checks.get(*index as usize), checks.get(*index as usize)) else {
            continue;
        };
        // Without a bound a system check only reports; without severity to block it never decides.
        if !check.severity.blocks() || finding.unexercised {
            continue;
        }
        let decision = match finding.status {
            Status::Fail if finding.bound.is_some() => Decision::Failed,
            Status::Error => Decision::Unmeasured,
            Status::Held => Decision::Held,
            _ => Decision::Passed,
        };
        if finding.bound.is_none() && decision == Decision::Passed {
            continue;
        }
        let reason = if summary.reason.is_empty() { "kept".to_owned() } else { summary.reason.clone() };
        rules.push(rule(format!("system {}", check.id), decision, format!("{}: {reason}", check.id)));
    }
    rules
}

/// Rule 7 of the invariant: a tool name that can never match is an error of the check that names it.
fn named_tools(fold: &SuiteFold<'_>, checks: &mut [CheckSummary]) -> Vec<RuleOutcome> {
    let plan = fold.plan;
    // A name may be a glob, which one tool must match.
    let known = |name: &String| {
        fold.tools_seen.contains(name)
            || Glob::new(name).is_ok_and(|g| plan.tools.iter().chain(&fold.tools_seen).any(|tool| g.is_match(tool)))
    };
    let mut rules = Vec::new();
    for (check, summary) in plan.checks.iter().zip(checks).filter(|(c, _)| !c.inactive) {
        let unknown: Vec<String> = check.tool_names.iter().filter(|n| !known(n)).map(|n| format!("`{n}`")).collect();
        // An optional check may find nothing to look at; one that looked must be able to match.
        if unknown.is_empty() || (check.optional && !summary.exercised) || fold.evaluated == 0 {
            continue;
        }
        summary.error += 1;
        summary.reason = format!(
            "no session calls {}, and `[suite] tools` does not list it; a misspelled name would never match",
            unknown.join(", ")
        );
        let decision = if check.severity.blocks() { Decision::Unmeasured } else { Decision::Passed };
        rules.push(rule(format!("tool names of {}", check.id), decision, format!("{}: {}", check.id, summary.reason)));
    }
    rules
}
