//! The cases of both runs, sorted: which were measured then and now, and which have no pair and why.

use std::collections::HashSet;

use super::super::cases::Judged;
use super::super::measured::{WAITS, between};
use super::super::rules::{listed, rule};
use super::super::{Decision, RuleOutcome};
use crate::checks::system::{End, words};
use crate::eval::baseline::{Baseline, PastCase, View};
use crate::eval::compare::{self, Pair, SameCheck};
use crate::eval::fold::SuiteFold;
use crate::eval::prints;
use crate::model::{LeftOut, Status};
use crate::suite::BaselineBar;

/// What is known of the cases of both runs.
#[derive(Default)]
pub(super) struct Sides<'b> {
    /// Measured then, and now or possibly.
    pub pairs: Vec<Sided<'b>>,
    /// Every case that both runs are about, whatever its checks say.
    pub both: Vec<Pair<'b>>,
    /// Why a case has no pair, and which.
    gone: Vec<String>,
    /// Those that may turn out as not measured by what people decide.
    unmeasured_now: Vec<String>,
    unmeasured_then: Vec<String>,
    /// How many cases have no pair whatever people decide.
    unpaired_surely: u64,
    new: usize,
    /// Left out of the comparison because the suite expects it to fail.
    excused: usize,
    /// Left out because a recording is the same in both, which cannot show a difference.
    again: usize,
    /// Cases with more trials in one run than in the other.
    uneven: usize,
}

/// A case, then and now.
pub(super) struct Sided<'b> {
    pub case: &'b str,
    pub passed_then: bool,
    /// When people decide against the agent over all that waits for them.
    pub worst: Status,
    /// When they decide for it.
    pub best: Status,
}

/// The run as people may decide over what waits for them, at both ends and with all that may turn out as not measured;
/// `None` where nothing waits.
pub(super) struct Ends {
    worst: Baseline,
    best: Baseline,
    erring: Baseline,
}

impl Ends {
    /// Those of a run.
    pub(super) fn of(fold: &SuiteFold<'_>, judged: &[Judged]) -> Option<Self> {
        judged.iter().any(|case| case.of(fold).trials().any(|t| t.checks.open().is_some())).then(|| Self {
            worst: Baseline::at(fold, View::Decided(End::Worst), "", &[]),
            best: Baseline::at(fold, View::Decided(End::Best), "", &[]),
            erring: Baseline::at(fold, View::Erring, "", &[]),
        })
    }
}

impl<'b> Sides<'b> {
    /// Sorts the cases of both runs.
    pub(super) fn of(
        fold: &SuiteFold<'_>,
        before: &'b Baseline,
        after: &'b Baseline,
        ends: Option<&Ends>,
        same: &[SameCheck],
        judged: &[Judged],
    ) -> Self {
        let excused: HashSet<&str> = judged.iter().filter(|c| c.excused).map(|c| c.of(fold).id()).collect();
        let (paired, known) = (compare::pair(before, after), prints::known(before));
        let mut sides = Sides { new: paired.new.len(), ..Sides::default() };
        let at = |run: &Baseline| -> Vec<Status> {
            // The same cases in the same order: only their verdicts differ.
            compare::pair(before, run).pairs.iter().map(|pair| pair.statuses(same).1).collect()
        };
        let ends = ends.map(|ends| [at(&ends.worst), at(&ends.best), at(&ends.erring)]);
        let may_go: HashSet<&str> = judged.iter().filter(|c| c.may_go()).map(|c| c.of(fold).id()).collect();
        for (i, pair) in paired.pairs.iter().enumerate() {
            let id = &*pair.after.id;
            let (then, now) = pair.statuses(same);
            let [worst, best, erring] = match &ends {
                None => [now; 3],
                Some(ends) => ends.each_ref().map(|end| end.get(i).copied().unwrap_or(now)),
            };
            if excused.contains(id) {
                sides.excused += 1;
                continue;
            }
            if pair.after.sessions.0.iter().any(|print| known.contains(print)) {
                sides.again += 1;
                continue;
            }
            sides.uneven += usize::from(pair.is_uneven());
            let mut surely = false;
            match (then, now) {
                (Status::Skip, Status::Skip) => {}
                (Status::Skip, _) => sides.new += 1,
                (Status::Error | Status::Held, _) => {
                    sides.unmeasured_then.push(id.to_owned());
                    surely = true;
                }
                (_, Status::Skip) => {
                    sides.gone.push(id.to_owned());
                    surely = true;
                }
                (then, _) => {
                    if [worst, best, erring].contains(&Status::Error) {
                        sides.unmeasured_now.push(id.to_owned());
                    }
                    surely = worst == Status::Error && best == Status::Error;
                    sides.pairs.push(Sided { case: id, passed_then: then == Status::Pass, worst, best });
                }
            }
            // One that fails as is expected is not compared at all.
            sides.unpaired_surely += u64::from(surely && !may_go.contains(id));
            sides.both.push(*pair);
        }
        let was = |case: &PastCase| compare::status_of(case, same.iter().map(|c| c.before));
        // What a filter took out is not gone; such a run is partial and says so.
        let filtered = fold.plan.cases.iter().flatten().any(|c| c.filtered)
            || fold.left_out.get(&LeftOut::Filtered).is_some_and(|n| *n > 0);
        if !filtered {
            let gone = paired.gone.iter().filter(|case| was(case) != Status::Skip);
            let gone: Vec<String> = gone.map(|case| case.id.clone()).collect();
            sides.unpaired_surely += gone.len() as u64;
            sides.gone.extend(gone);
        }
        sides
    }

    /// Cases without a pair: they may be the ones that became worse.
    pub(super) fn unpaired(&self, who: &str, bar: &BaselineBar, before: &Baseline) -> RuleOutcome {
        let (total, name) = (before.cases.len() as u64, "baseline cases");
        let kinds = [
            ("absent now", &self.gone),
            ("not measured now", &self.unmeasured_now),
            ("not measured then", &self.unmeasured_then),
        ];
        let n: u64 = kinds.iter().map(|(_, ids)| ids.len() as u64).sum();
        if n == 0 {
            return rule(name, Decision::Passed, format!("{who}: every one of its {total} cases has its pair"));
        }
        let parts = kinds.iter().filter(|(_, ids)| !ids.is_empty());
        let parts: Vec<String> = parts.map(|(why, ids)| format!("{} {why} ({})", ids.len(), listed(ids))).collect();
        let allows = |n| if bar.max_unpaired.allows(n, total) { Decision::Passed } else { Decision::Unmeasured };
        let decision = between(allows(self.unpaired_surely), allows(n));
        let more = match decision {
            Decision::Passed => "which `max_unpaired` allows".to_owned(),
            Decision::Held => format!("more than `max_unpaired` allows; {WAITS}"),
            _ => "more than `max_unpaired` allows".to_owned(),
        };
        rule(name, decision, format!("{who}: {n} of its {total} cases have no pair: {}; {more}", parts.join(", ")))
    }

    /// What was left out of the comparison, in words.
    pub(super) fn notes(&self, before: &Baseline, after: &Baseline, same: &[SameCheck]) -> String {
        let mut notes = Vec::new();
        let blocking = |side: &Baseline, position: fn(&SameCheck) -> usize| -> Vec<String> {
            let is_same = |i: usize| same.iter().any(|c| position(c) == i);
            let others = side.checks.iter().enumerate().filter(|(i, c)| c.blocks && !is_same(*i));
            others.map(|(_, c)| c.id.clone()).collect()
        };
        let (lost, fresh) = (blocking(before, |c| c.before), blocking(after, |c| c.after));
        let changed: Vec<String> = fresh.iter().filter(|id| lost.contains(id)).cloned().collect();
        let only = |ids: &[String]| ids.iter().filter(|id| !changed.contains(id)).cloned().collect::<Vec<_>>();
        for (ids, why) in
            [(changed.clone(), "changed since"), (only(&fresh), "new"), (only(&lost), "no longer blocking")]
        {
            if !ids.is_empty() {
                notes.push(format!("without {} ({why})", listed(&ids)));
            }
        }
        if self.new > 0 {
            notes.push(format!("{} not in it", words::counted(self.new as u64, "case")));
        }
        if self.excused > 0 {
            notes.push(format!("without {} expected to fail", words::counted(self.excused as u64, "case")));
        }
        if self.again > 0 {
            let n = words::counted(self.again as u64, "case");
            notes.push(format!("without {n} whose recordings are the same in both, which show nothing"));
        }
        if self.uneven > 0 {
            let n = words::counted(self.uneven as u64, "case");
            notes.push(format!("{n} over the first trials only, as many as both runs have"));
        }
        if notes.is_empty() { String::new() } else { format!("; {}", notes.join("; ")) }
    }
}
