//! `top_failures`: what fails most, for people to look at first.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bound, End, GroupFinding, Prospect, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, SystemCheck};
use crate::model::{Level, Status};

/// The checks, cases or tags with the most failures, the worst first. Without `max` it only reports.
///
/// A check fails in a trial when its roll-up over the trial does; a case, and each of its tags, when the trial fails.
/// Trials that could not be measured are neither.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopFailures {
    /// What failures are counted by. Default `check`.
    #[serde(default)]
    by: By,
    /// How many are listed, at least 1. Default 10.
    limit: Option<usize>,
    /// At most so many failures of any one of them.
    max: Option<u64>,
}

/// What failures are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    /// By check.
    #[default]
    Check,
    /// By case.
    Case,
    /// By tag of the case.
    Tag,
}

impl Params for TopFailures {
    const NAME: &'static str = "top_failures";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"solved\"\ncheck = \"reward\"\nseverity = \"info\"\n\n[[system]]\nid = \"worst\"\ncheck = \"top_failures\"\nmax = 1\n",
        passes: "{\"id\":\"a\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"1\",\"reward\":0,\"turns\":[]}",
        fails: "{\"id\":\"a\",\"case\":\"1\",\"reward\":0,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"1\",\"reward\":0,\"turns\":[]}",
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.limit == Some(0) {
            build.problem(&["limit"], "`limit` is at least 1", None);
            return None;
        }
        Some(Compiled::System(Box::new(self)))
    }
}

/// Failures, and how many trials could have failed.
#[derive(Default)]
struct Count {
    failed: u64,
    /// Those that people may still decide to have failed are among them.
    may_fail: u64,
    measured: u64,
    /// Some were not skipped.
    asked: bool,
    /// People may decide that something is measured; something is, whatever they decide.
    may_measure: bool,
    is_measured: bool,
}

impl Count {
    fn add(&mut self, trial: Prospect) {
        let measured = |status| matches!(status, Status::Fail | Status::Pass);
        let ends = [End::Worst, End::Best].map(|end| trial.at(end));
        self.failed += u64::from(trial.now == Status::Fail);
        self.may_fail += u64::from(ends[0] == Status::Fail);
        self.measured += u64::from(measured(trial.now));
        self.asked |= trial.now != Status::Skip;
        self.may_measure |= ends.into_iter().any(measured);
        self.is_measured |= trial.is_measured();
    }
}

impl SystemCheck for TopFailures {
    fn columns(&self) -> Vec<super::Column> {
        Vec::new()
    }

    fn needs_everybody(&self) -> bool {
        self.max.is_some()
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let bound = self.max.map(|max| Bound { max: Some(max as f64), ..Bound::default() });
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for case in window.cases.iter() {
            for trial in case.trials() {
                let whole = || trial.prospect(None).into_iter();
                match self.by {
                    By::Case => whole().for_each(|found| counts.entry(case.id()).or_default().add(found)),
                    By::Tag => case
                        .tags()
                        .iter()
                        .for_each(|tag| whole().for_each(|found| counts.entry(tag).or_default().add(found))),
                    By::Check => {
                        for (check, _) in &*trial.checks {
                            let found = window.around.check_id(*check).zip(trial.prospect(Some(*check)));
                            if let Some((id, found)) = found {
                                counts.entry(id).or_default().add(found);
                            }
                        }
                    }
                }
            }
        }
        // Trials of which none could be measured are something to look at all the same.
        let unexercised = !counts.values().any(|count| count.asked);
        counts.retain(|_, count| count.may_measure);
        if counts.is_empty() {
            let nothing = SystemFinding::error("no trial was measured that could have failed");
            return SystemFinding { bound, unexercised, ..nothing };
        }
        let most = counts.values().map(|c| c.failed).max().unwrap_or_default();
        let measured = counts.values().map(|c| c.measured).sum();
        // Where people may decide all of it away there may be nothing to count.
        let is_measured = counts.values().any(|c| c.is_measured);
        let may = counts.values().map(|c| c.may_fail).max().unwrap_or_default();
        let mut worst: Vec<(&str, Count)> = counts.into_iter().filter(|(_, c)| c.failed > 0).collect();
        worst.sort_by_key(|(name, count)| (std::cmp::Reverse(count.failed), *name));
        let status = match self.max {
            Some(max) if most > max => Status::Fail,
            Some(max) if may > max || !is_measured => Status::Held,
            _ => Status::Pass,
        };
        let waits = if status == Status::Held && !is_measured {
            "; as people may decide, nothing could be measured".to_owned()
        } else if status == Status::Held {
            format!("; as people may decide, up to {may} of one of them")
        } else {
            String::new()
        };
        let reason =
            if status == Status::Pass && self.max.is_some() { String::new() } else { self.reason(&worst) + &waits };
        let groups = worst.iter().take(self.limit.unwrap_or(10)).map(|(name, count)| GroupFinding {
            group: vec![(*name).to_owned()],
            status: if self.max.is_some_and(|max| count.failed > max) { Status::Fail } else { Status::Pass },
            value: Some(count.failed as f64),
            interval: None,
            doubt: None,
            count: count.measured,
            inconclusive: false,
            reason: String::new(),
        });
        let groups = groups.collect();
        SystemFinding {
            status,
            value: Some(most as f64),
            count: measured,
            groups,
            bound,
            ..SystemFinding::error(reason)
        }
    }
}

impl TopFailures {
    /// "a fails in 12 of 40 trials; b in 3 of 40; and 2 more, max 5".
    fn reason(&self, worst: &[(&str, Count)]) -> String {
        let shown = worst.iter().take(self.limit.unwrap_or(10).min(10));
        let shown: Vec<String> = shown
            .map(|(name, c)| {
                format!("{} fails in {} of {}", words::clip(name), c.failed, words::counted(c.measured, "trial"))
            })
            .collect();
        if shown.is_empty() {
            return "nothing failed".to_owned();
        }
        let rest = worst.len() - shown.len();
        let more = if rest > 0 { format!("; and {rest} more fail") } else { String::new() };
        let max = self.max.map(|max| format!(", max {max}")).unwrap_or_default();
        format!("{}{more}{max}", shown.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{examples_hold, over_cases, problems};
    use super::*;

    fn groups(found: &SystemFinding) -> Vec<(String, f64, u64)> {
        found.groups.iter().map(|g| (g.group.join(","), g.value.unwrap(), g.count)).collect()
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<TopFailures>();
    }

    #[test]
    fn the_worst_comes_first_and_names_break_ties() {
        let found = over_cases::<TopFailures>("by = 'case'", &["b:fp", "a:fp", "c:ffp", "d:pp"]);
        assert_eq!(groups(&found), [("c".into(), 2.0, 3), ("a".into(), 1.0, 2), ("b".into(), 1.0, 2)]);
        assert_eq!((found.status, found.bound), (Status::Pass, None));
        assert_eq!(found.reason, "c fails in 2 of 3 trials; a fails in 1 of 2 trials; b fails in 1 of 2 trials");
    }

    #[test]
    fn checks_are_counted_by_their_ids() {
        let found = over_cases::<TopFailures>("", &["a:fp", "b:fe"]);
        assert_eq!(groups(&found), [("c".into(), 2.0, 3)]);
    }

    #[test]
    fn the_limit_cuts_the_list_and_says_so() {
        let found = over_cases::<TopFailures>("by = 'case'\nlimit = 1", &["a:f", "b:ff"]);
        assert_eq!(groups(&found), [("b".into(), 2.0, 2)]);
        assert_eq!(found.reason, "b fails in 2 of 2 trials; and 1 more fail");
        assert_eq!(problems::<TopFailures>("limit = 0").len(), 1);
    }

    #[test]
    fn what_was_not_measured_is_no_failure_and_no_pass() {
        let found = over_cases::<TopFailures>("by = 'case'\nmax = 0", &["a:e", "b:p"]);
        assert_eq!((found.status, found.count), (Status::Pass, 1));
        let nothing = over_cases::<TopFailures>("by = 'case'\nmax = 0", &["a:e"]);
        assert_eq!((nothing.status, nothing.unexercised), (Status::Error, false));
        for nobody in [over_cases::<TopFailures>("by = 'tag'", &["a:f"]), over_cases::<TopFailures>("", &["a:s"])] {
            assert!(nobody.unexercised && nobody.status == Status::Error);
        }
    }

    #[test]
    fn what_people_may_decide_to_have_failed_holds_a_bound_that_it_could_break() {
        let with =
            |max: u32| over_cases::<TopFailures>(&format!("by = 'check'\nmax = {max}"), &["a:fhh", "b:p"]).status;
        assert_eq!([0, 1, 2, 3].map(with), [Status::Fail, Status::Held, Status::Held, Status::Pass]);
        assert_eq!(over_cases::<TopFailures>("by = 'case'\nmax = 0", &["a:h"]).status, Status::Held);
    }
}
