//! `trajectory`: the agent's tool calls against those of the reference.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::assign::{Classes, Grid};
use super::describe::{self, Difference};
use super::plain;
use crate::checks::build::{Build, Example, Params};
use crate::checks::expect::{ExpectedCall, Wanted};
use crate::checks::matcher::ArgsMode;
use crate::checks::subject::Scope;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck};
use crate::model::json::tape::Node;
use crate::model::{Evidence, Field, Finding, Level, Span, SpanStatus};

/// The agent's tool calls against those of the reference (of the turn's own reference at turn level).
///
/// Let R be the calls of the reference and A those of the agent, in start order; an attempt to call a tool that does
/// not exist is a call. Two calls match when their names are equal and their arguments match under the args mode. A
/// reference call without `args` says nothing about them and matches any. Arguments that are not valid JSON never
/// match, except under `ignore`.
///
/// No reference at all is an error; an empty one is an expectation: `any_order` and `in_order` then pass (extra calls
/// are free), the others pass only when the agent made no call. When arguments were not recorded and the verdict
/// depends on them, it is an error.
///
/// The score is matched / |R| for `in_order` and `any_order` (1 when R is empty), matched / |A| for `subset` (1 when A
/// is empty), and the F1 of the best alignment, 2 matched / (|A| + |R|), for `exact` and `unordered` (1 when both are
/// empty).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trajectory {
    /// How the sequence is compared.
    mode: Mode,
    /// How arguments are compared. Default `exact`.
    #[serde(default)]
    args: ArgsMode,
    /// The args mode of single tools, by name: `{ book_reservation = "partial" }`.
    #[serde(default)]
    args_for: BTreeMap<String, ArgsMode>,
    /// Pass when the score is at least this, above 0 and up to 1; the mode's own condition then does not decide.
    min_score: Option<f64>,
    /// Whether calls that ended in an error count. Default `count`.
    #[serde(default)]
    failed_calls: FailedCalls,
}

/// How the sequence of calls is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// As many calls, each matching the one at its position.
    Exact,
    /// The reference's calls in their order; others may come between.
    InOrder,
    /// Each of the reference's calls has a call of its own, in any order; others are free.
    AnyOrder,
    /// As `any_order`, and no others.
    Unordered,
    /// Each of the agent's calls has a call of the reference of its own, in any order; not all need be made.
    Subset,
}

impl Mode {
    const fn words(self) -> &'static str {
        match self {
            Mode::Exact => "exactly these calls",
            Mode::InOrder => "these calls in this order, others between",
            Mode::AnyOrder => "these calls in any order, others allowed",
            Mode::Unordered => "these calls in any order, no others",
            Mode::Subset => "no other calls than these",
        }
    }
}

/// Whether calls that ended in an error count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FailedCalls {
    /// They are calls like any other.
    #[default]
    Count,
    /// They are left out.
    Ignore,
}

impl Params for Trajectory {
    const NAME: &'static str = "trajectory";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"did-what-was-asked\"\ncheck = \"trajectory\"\nmode = \"any_order\"\n",
            passes: r#"{"id":"a","reference":{"tools":[{"name":"cancel","args":{"id":"EHGLP3"}}]},"turns":[{"spans":[{"kind":"tool","name":"look_up","input":{"id":"EHGLP3"}},{"kind":"tool","name":"cancel","input":{"id":"EHGLP3"}}]}]}"#,
            fails: r#"{"id":"b","reference":{"tools":[{"name":"cancel","args":{"id":"EHGLP3"}}]},"turns":[{"spans":[{"kind":"tool","name":"cancel","input":{"id":"EHGLP4"}}]}]}"#,
        },
        Example {
            check: "[[turn]]\nid = \"books-last\"\ncheck = \"trajectory\"\nmode = \"in_order\"\nargs_for = { book = \"partial\" }\n",
            passes: r#"{"id":"a","turns":[{"reference":{"tools":[{"name":"search"},{"name":"book","args":{"flight":"HAT1"}}]},"spans":[{"kind":"tool","name":"search","input":{"to":"SEA"}},{"kind":"tool","name":"book","input":{"flight":"HAT1","bags":0}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"reference":{"tools":[{"name":"search"},{"name":"book","args":{"flight":"HAT1"}}]},"spans":[{"kind":"tool","name":"book","input":{"flight":"HAT1"}},{"kind":"tool","name":"search","input":{"to":"SEA"}}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if let Some(min) = self.min_score
            && !(min > 0.0 && min <= 1.0)
        {
            build.problem(
                &["min_score"],
                format!("`min_score` is above 0 and at most 1, not {min}"),
                Some(
                    "every sequence of calls has a score of at least 0, so such a check would decide nothing"
                        .to_owned(),
                ),
            );
            return None;
        }
        let help = || Some("`superset` or `partial` ask for every argument of the reference".to_owned());
        if self.args == ArgsMode::Subset {
            build.warn(&["args"], "under `subset` a call with an empty argument object passes", help());
        }
        for (tool, _) in self.args_for.iter().filter(|(_, mode)| **mode == ArgsMode::Subset) {
            build.warn(&["args_for", tool], "under `subset` a call with an empty argument object passes", help());
        }
        Some(Compiled::scope(build.level, self))
    }

    fn wants(_: &serde_json::Value) -> Option<Wanted> {
        Some(Wanted::Tools)
    }

    fn tool_names(&self) -> Vec<String> {
        self.args_for.keys().cloned().collect()
    }
}

impl ScopeCheck for Trajectory {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NAME | Parts::INPUT | Parts::REFERENCE)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let Some(reference) = scope.expected().and_then(|e| e.tools.as_deref()) else {
            return Finding::error(format!(
                "nothing says which tool calls {} should make: give the case `reference.tools` (in the suite or the \
                 cases file; `tools = []` expects none), or use recordings that carry them",
                scope.name()
            ));
        };
        if let Some(hidden) = scope.hidden_calls() {
            return hidden;
        }
        let counted = |s: &Span<'_>| self.failed_calls == FailedCalls::Count || s.status != SpanStatus::Error;
        let calls: Vec<(usize, &Span<'_>)> = scope.calls().filter(|(_, s)| counted(s)).collect();
        let pair = Pair { rule: self, reference, calls: &calls };
        pair.judge(scope)
    }
}

/// A reference and the calls that were made.
struct Pair<'p> {
    rule: &'p Trajectory,
    reference: &'p [ExpectedCall],
    calls: &'p [(usize, &'p Span<'p>)],
}

/// How a comparison came out, before it is put in words.
#[derive(Clone, Copy, PartialEq)]
struct Outcome {
    ok: bool,
    /// `None` when the alignment is too large to compute.
    score: Option<f64>,
}

/// Up to this many pairs, calls are not sorted into classes first.
const SMALL: usize = 4096;

impl<'p> Pair<'p> {
    fn mode_for(&self, name: &str) -> ArgsMode {
        self.rule.args_for.get(name).copied().unwrap_or(self.rule.args)
    }

    /// Whether a call that was made matches one that is expected. `unknown` is what is assumed of arguments that
    /// were not recorded.
    fn matches(&self, row: usize, made: usize, unknown: bool) -> bool {
        let (expected, (_, span)) = (&self.reference[row], self.calls[made]);
        if span.name != expected.name.as_str() {
            return false;
        }
        let mode = self.mode_for(&expected.name);
        let Some(args) = expected.args.as_ref().filter(|_| mode != ArgsMode::Ignore) else { return true };
        let Some(input) = &span.input else { return unknown };
        // What is equal matches in every mode.
        args.plainly(input)
            || match self.plain(row, made) {
                Some((wanted, made)) => plain::matches(wanted, made, mode),
                None => input.json().is_some_and(|value| args.matches_args(value, mode)),
            }
    }

    /// The arguments of both, where they can be compared as they were recorded.
    fn plain(&self, expected: usize, made: usize) -> Option<(Node<'p>, Node<'p>)> {
        let wanted = self.reference[expected].args.as_ref()?.light()?;
        Some((wanted, self.calls[made].1.input.as_ref()?.light()?))
    }

    fn grid(&self, unknown: bool) -> Option<Grid<'_>> {
        let (r, a) = (self.reference.len(), self.calls.len());
        let decide = move |expected, made| self.matches(expected, made, unknown);
        if r.saturating_mul(a) <= SMALL {
            return Grid::new(Classes::each(r), Classes::each(a), decide);
        }
        let rows = self.reference.iter().map(|c| (c.name.as_str(), c.args.as_ref().map(|args| args.to_string())));
        let cols = self.calls.iter().map(|(_, s)| (s.name.as_str(), s.input.as_ref().map(|p| p.as_str())));
        Grid::new(Classes::by_key(rows), Classes::by_key(cols), decide)
    }

    fn judge(&self, scope: &Scope<'_>) -> Finding {
        let Some(grid) = self.grid(false) else {
            return Finding::error(format!(
                "{} made {} calls and {} are expected: too many different ones to compare",
                scope.name(),
                self.calls.len(),
                self.reference.len()
            ));
        };
        let low = self.outcome(&grid);
        let mut finding = match self.passes(low) {
            Some(true) if low.ok => Finding::pass(),
            Some(true) => Finding { reason: self.reason(&grid).0, ..Finding::pass() },
            Some(false) => {
                let (reason, evidence) = self.reason(&grid);
                let finding = Finding { evidence, ..Finding::fail(reason) };
                if finding.evidence.is_empty() { finding.with(describe::scope_evidence(scope)) } else { finding }
            }
            None => return Finding::error("too many calls to compute the score that `min_score` asks for"),
        };
        finding.score = low.score;
        match self.unrecorded() {
            Some(missing) => self.under_doubt(finding, low, missing),
            None => finding,
        }
    }

    /// Some arguments were not recorded: the verdict stands when it is the same whether or not they would match.
    fn under_doubt(&self, finding: Finding, low: Outcome, missing: usize) -> Finding {
        let high = self.grid(true).map(|grid| self.outcome(&grid));
        if high == Some(low) {
            return finding;
        }
        if high.and_then(|h| self.passes(h)) == self.passes(low) {
            return Finding { score: None, ..finding };
        }
        let (ordinal, span) = self.calls[missing];
        Finding::error(format!(
            "the verdict depends on arguments that were not recorded: call {}, {}",
            missing + 1,
            span.name
        ))
        .with(Evidence::span(ordinal, Field::Input))
    }

    /// The first call whose arguments matter and were not recorded.
    fn unrecorded(&self) -> Option<usize> {
        let matters = |s: &Span<'_>| {
            s.input.is_none() && self.reference.iter().any(|c| s.name == c.name.as_str() && c.args.is_some())
        };
        self.calls.iter().position(|(_, s)| matters(s))
    }

    fn passes(&self, outcome: Outcome) -> Option<bool> {
        match self.rule.min_score {
            None => Some(outcome.ok),
            Some(min) => outcome.score.map(|score| score >= min - 1e-12),
        }
    }

    /// Whether the mode's condition holds, and the score.
    fn outcome(&self, grid: &Grid<'_>) -> Outcome {
        let (r, a) = (self.reference.len(), self.calls.len());
        let share = |matched: usize, of: usize| if of == 0 { 1.0 } else { matched as f64 / of as f64 };
        let f1 = |matched: usize| share(2 * matched, a + r);
        let assigned = || grid.assign().iter().flatten().count();
        match self.rule.mode {
            Mode::Exact if r == a && (0..r).all(|i| grid.matches(i, i)) => Outcome { ok: true, score: Some(1.0) },
            Mode::Exact => Outcome { ok: false, score: grid.longest_common().map(f1) },
            Mode::InOrder if grid.subsequence().len() == r => Outcome { ok: true, score: Some(1.0) },
            Mode::InOrder => Outcome { ok: false, score: grid.longest_common().map(|m| share(m, r)) },
            Mode::AnyOrder => {
                let matched = assigned();
                Outcome { ok: matched == r, score: Some(share(matched, r)) }
            }
            Mode::Unordered => {
                let matched = assigned();
                Outcome { ok: matched == r && r == a, score: Some(f1(matched)) }
            }
            Mode::Subset => {
                let matched = assigned();
                Outcome { ok: matched == a, score: Some(share(matched, a)) }
            }
        }
    }
}

/// The most calls that evidence points at.
const EVIDENCE: usize = 20;

/// Putting a difference in words.
impl Pair<'_> {
    /// Expected, actual and first difference, and the calls that differ.
    fn reason(&self, grid: &Grid<'_>) -> (String, Vec<Evidence>) {
        let (difference, evidence) = match self.rule.mode {
            Mode::Exact => self.exact_difference(grid),
            Mode::InOrder => self.in_order_difference(grid),
            Mode::AnyOrder | Mode::Unordered | Mode::Subset => self.assigned_difference(grid),
        };
        let expected = self.reference.iter().map(|c| describe::wanted(c, self.mode_for(&c.name)));
        let actual = self.calls.iter().map(|(_, s)| describe::made(s).under(self.mode_for(&s.name)));
        // One of the longest reasons there are, in one piece.
        let listed = self.reference.len().min(describe::CALLS) + self.calls.len().min(describe::CALLS);
        let mut reason = String::with_capacity(128 + listed * 112 + difference.len());
        reason.push_str("expected ");
        reason.push_str(self.rule.mode.words());
        reason.push_str(": ");
        describe::add_list(&mut reason, expected);
        reason.push_str("; actual: ");
        describe::add_list(&mut reason, actual);
        reason.push_str("; first difference: ");
        reason.push_str(&difference);
        (reason, evidence)
    }

    fn exact_difference(&self, grid: &Grid<'_>) -> (String, Vec<Evidence>) {
        let (r, a) = (self.reference.len(), self.calls.len());
        let differs = |i: &usize| *i >= r || !grid.matches(*i, *i);
        let evidence = (0..a).filter(differs).take(EVIDENCE).map(|i| self.evidence(Some(i), i)).collect();
        let first = (0..r.min(a)).find(differs).unwrap_or(r.min(a));
        let text = match (first < r, first < a) {
            (true, true) => format!("call {}: {}", first + 1, self.between(first, first)),
            (true, false) => self.missing(first),
            (false, _) => self.unexpected(first),
        };
        (text, evidence)
    }

    fn in_order_difference(&self, grid: &Grid<'_>) -> (String, Vec<Evidence>) {
        let taken = grid.subsequence();
        let (row, after) = (taken.len(), taken.last().map_or(0, |c| c + 1));
        let Some(expected) = self.reference.get(row) else { return (String::new(), Vec::new()) };
        let same_name = |c: &usize| self.calls[*c].1.name == expected.name.as_str();
        let place = if after == 0 { String::new() } else { format!(" after call {after}") };
        match ((after..self.calls.len()).find(same_name), (0..after).rev().find(|&c| grid.matches(row, c))) {
            (Some(near), _) => (
                format!("{}{place}; call {}: {}", self.missing(row), near + 1, self.between(row, near)),
                vec![self.evidence(Some(row), near)],
            ),
            (None, Some(early)) => {
                (format!("{}{place}; call {} comes too early", self.missing(row), early + 1), vec![self.whole(early)])
            }
            (None, None) => (format!("{}{place}", self.missing(row)), Vec::new()),
        }
    }

    fn assigned_difference(&self, grid: &Grid<'_>) -> (String, Vec<Evidence>) {
        let assigned = grid.assign();
        let mut free = vec![true; self.calls.len()];
        assigned.iter().flatten().for_each(|&c| free[c] = false);
        let spare: Vec<usize> = (0..self.calls.len()).filter(|&c| free[c]).collect();
        let counterpart = |call: usize| {
            let same_name = |r: &usize| self.calls[call].1.name == self.reference[*r].name.as_str();
            (0..self.reference.len()).filter(|&r| assigned[r].is_none()).find(same_name)
        };
        let missing = (0..assigned.len()).find(|&r| assigned[r].is_none() && self.rule.mode != Mode::Subset);
        let text = match missing {
            Some(row) => {
                let expected = &self.reference[row];
                let near = spare.iter().find(|&&c| self.calls[c].1.name == expected.name.as_str());
                let near = near.map(|&c| format!("; call {}: {}", c + 1, self.between(row, c)));
                format!("{}{}", self.missing(row), near.unwrap_or_default())
            }
            None => match spare.first() {
                Some(&call) => match counterpart(call) {
                    Some(row) => format!("call {}: {}", call + 1, self.between(row, call)),
                    None => self.unexpected(call),
                },
                None => String::new(),
            },
        };
        // Where other calls are free, only those that could have been a missing one are worth a look.
        let pointed = spare.into_iter().map(|c| (c, counterpart(c)));
        let pointed = pointed.filter(|(_, near)| self.rule.mode != Mode::AnyOrder || near.is_some());
        (text, pointed.take(EVIDENCE).map(|(c, near)| self.evidence(near, c)).collect())
    }

    fn wanted(&self, row: usize) -> describe::Call<'_> {
        let call = &self.reference[row];
        describe::wanted(call, self.mode_for(&call.name))
    }

    fn missing(&self, row: usize) -> String {
        format!("expected call {}, {}, was not made", row + 1, self.wanted(row))
    }

    fn unexpected(&self, call: usize) -> String {
        format!("call {}, {}, is not expected", call + 1, describe::made(self.calls[call].1))
    }

    /// In what a call differs from an expected one.
    fn between(&self, row: usize, call: usize) -> String {
        let (expected, span) = (&self.reference[row], self.calls[call].1);
        let plain = || format!("expected {}, got {}", self.wanted(row), describe::made(span));
        let (Some(_), Some(input)) = (&expected.args, &span.input) else { return plain() };
        if span.name != expected.name.as_str() {
            return plain();
        }
        if self.plain(row, call).is_none() && input.json().is_none() {
            return format!("the arguments of {} are not valid JSON", describe::made(span));
        }
        let difference = self.difference(row, call);
        difference.map_or_else(plain, |difference| format!("{}: {difference}", describe::clip(&span.name, 80)))
    }

    /// The first argument in which a call differs from an expected one of its name.
    fn difference(&self, row: usize, call: usize) -> Option<Difference<'_>> {
        let expected = &self.reference[row];
        let mode = self.mode_for(&expected.name);
        if let Some((wanted, made)) = self.plain(row, call) {
            return Difference::between(wanted, made, mode);
        }
        Difference::find(expected.args.as_ref()?, self.calls[call].1.input.as_ref()?.json()?, mode)
    }

    fn evidence(&self, row: Option<usize>, call: usize) -> Evidence {
        let (ordinal, span) = self.calls[call];
        let same_name = |row: &usize| self.reference.get(*row).is_some_and(|e| span.name == e.name.as_str());
        let Some(row) = row.filter(same_name) else { return self.whole(call) };
        let evidence = Evidence::span(ordinal, Field::Input);
        match self.difference(row, call).and_then(|d| d.pointer()) {
            Some(pointer) => evidence.at(pointer),
            None => evidence,
        }
    }

    fn whole(&self, call: usize) -> Evidence {
        Evidence::span(self.calls[call].0, Field::Whole)
    }
}

#[cfg(test)]
#[path = "trajectory_tests.rs"]
mod tests;
