//! The cases of both runs, sorted: which were measured then and now, and which have no pair and why.

use std::collections::HashSet;

use super::super::cases::Judged;
use super::super::rules::{listed, rule};
use super::super::{Decision, RuleOutcome};
use crate::checks::system::words;
use crate::eval::baseline::{Baseline, PastCase};
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
    unmeasured_now: Vec<String>,
    unmeasured_then: Vec<String>,
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
    pub now: Status,
}

impl<'b> Sides<'b> {
    /// Sorts the cases of both runs.
    pub(super) fn of(
        fold: &SuiteFold<'_>,
        before: &'b Baseline,
        after: &'b Baseline,
        same: &[SameCheck],
        judged: &[Judged<'_>],
    ) -> Self {
        let excused: HashSet<&str> = judged.iter().filter(|c| c.excused).map(|c| &*c.outcome.id).collect();
        let (paired, known) = (compare::pair(before, after), prints::known(before));
        let mut sides = Sides { new: paired.new.len(), ..Sides::default() };
        for pair in &paired.pairs {
            let id = &*pair.after.id;
            let (then, now) = pair.statuses(same);
            if excused.contains(id) {
                sides.excused += 1;
                continue;
            }
            if pair.after.sessions.0.iter().any(|print| known.contains(print)) {
                sides.again += 1;
                continue;
            }
            sides.uneven += usize::from(pair.is_uneven());
            match (then, now) {
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
            sides.both.push(*pair);
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
        let allowed = bar.max_unpaired.allows(n, total);
        let decision = if allowed { Decision::Passed } else { Decision::Unmeasured };
        let more = if allowed { "which `max_unpaired` allows" } else { "more than `max_unpaired` allows" };
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
