//! `reliability`: pass^k and pass@k over the trials of each case.

use schemars::JsonSchema;
use serde::Deserialize;

use super::trials::{self, Trials};
use super::{Bound, End, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, SystemCheck};
use crate::model::{Level, Status};
use crate::stats::{reliability, sum};

/// How reliably cases pass when they are tried again: the mean over the cases of pass^k (the chance that k trials all
/// pass) or pass@k (that at least one of k does), of one check (`of`) or of the whole case. Without `min` it only
/// reports, also what it could not measure.
///
/// With c of a case's n trials passed, pass^k is C(c,k) / C(n,k) and pass@k is 1 - C(n-c,k) / C(n,k). A case with
/// fewer trials than k is an error of that case. Such a case, and trials that could not be measured, leave a range of
/// possible values: the verdict is pass or fail only when it would be so anywhere in it, else an error. What waits for a
/// person is taken as people may decide, against the agent and for it: where that makes a difference the verdict is held.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// The id of the check; without it, all blocking checks together.
    of: Option<String>,
    /// How many trials, at least 1.
    k: u64,
    /// Whether all of k must pass, or one. Default `pass_hat_k`.
    #[serde(default)]
    stat: ReliabilityStat,
    /// At least this mean, above 0 and up to 1.
    min: Option<f64>,
}

/// What is asked of k trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReliabilityStat {
    /// All of them pass.
    #[default]
    PassHatK,
    /// At least one passes.
    PassAtK,
}

impl Params for Reliability {
    const NAME: &'static str = "reliability";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"solved\"\ncheck = \"reward\"\nseverity = \"info\"\n\n[[system]]\nid = \"twice-in-a-row\"\ncheck = \"reliability\"\nof = \"solved\"\nk = 2\nmin = 0.3\n",
        passes: "{\"id\":\"a\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"c\",\"case\":\"1\",\"reward\":0,\"turns\":[]}",
        fails: "{\"id\":\"a\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"1\",\"reward\":0,\"turns\":[]}\n{\"id\":\"c\",\"case\":\"1\",\"reward\":0,\"turns\":[]}",
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.k == 0 {
            build.problem(&["k"], "`k` is at least 1", None);
        }
        if let Some(min) = self.min.filter(|min| !(*min > 0.0 && *min <= 1.0)) {
            build.problem(&["min"], format!("`min` is a share above 0 and up to 1, not {min}"), None);
        }
        build.problems.iter().all(|p| p.warning).then(|| Compiled::System(Box::new(self)))
    }
}

/// What a case's value lies between.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

/// A case, by what is known of its trials.
struct Case {
    /// As people may decide: against the agent, and for it.
    ends: [Range; 2],
    /// Fewer trials than k.
    few: bool,
}

impl SystemCheck for Reliability {
    fn columns(&self) -> Vec<super::Column> {
        Vec::new()
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let bound = self.min.map(|min| Bound { min: Some(min), ..Bound::default() });
        let cases = match trials::select(window, self.of.as_deref(), None) {
            Ok(cases) => cases,
            Err(reason) => return SystemFinding { bound, ..SystemFinding::error(reason) },
        };
        if cases.is_empty() {
            let blank = SystemFinding::error("no case was a subject of it");
            return SystemFinding { bound, unexercised: true, ..blank };
        }
        let ranges: Vec<Case> = cases.iter().map(|case| self.case(case)).collect();
        let mean = |of: fn(&Case) -> f64| sum::mean(&ranges.iter().map(of).collect::<Vec<_>>());
        let lows = (mean(|c| c.ends[0].low), mean(|c| c.ends[1].low));
        let highs = (mean(|c| c.ends[0].high), mean(|c| c.ends[1].high));
        let ((Some(low), Some(low_best)), (Some(high_worst), Some(high))) = (lows, highs) else {
            return SystemFinding { bound, ..SystemFinding::error("the mean over the cases is not a number") };
        };
        let few = ranges.iter().any(|c| c.few);
        let known = low == high && !few;
        let at = |low: f64, high: f64| match self.min {
            Some(min) if low >= min => Status::Pass,
            Some(min) if high < min => Status::Fail,
            // Nothing to hold it against, and one number.
            None if low == high && !few => Status::Pass,
            _ => Status::Error,
        };
        let status = match (at(low, high_worst), at(low_best, high)) {
            (worst, best) if worst != best => Status::Held,
            (Status::Pass, _) if self.min.is_none() && !known => Status::Held,
            (same, _) => same,
        };
        let quiet = status == Status::Pass && self.min.is_some() && known;
        let reason = if quiet { String::new() } else { self.reason(&cases, &ranges, low, high) };
        let value = known.then_some(low);
        SystemFinding { status, value, count: cases.len() as u64, bound, ..SystemFinding::error(reason) }
    }
}

impl Reliability {
    fn case(&self, trials: &Trials<'_>) -> Case {
        let n = trials.each.len() as u64;
        let range = |end: End, unknown: u64| {
            let passed = trials.count_at(end, Status::Pass);
            let value = |c| match self.stat {
                ReliabilityStat::PassHatK => reliability::pass_hat_k(n, c, self.k),
                ReliabilityStat::PassAtK => reliability::pass_at_k(n, c, self.k),
            };
            value(passed).ok().zip(value(passed + unknown).ok()).map(|(low, high)| Range { low, high })
        };
        let ends = [End::Worst, End::Best].map(|end| range(end, trials.count_at(end, Status::Error)));
        match ends {
            [Some(worst), Some(best)] => Case { ends: [worst, best], few: false },
            _ => Case { ends: [Range { low: 0.0, high: 1.0 }; 2], few: true },
        }
    }

    fn reason(&self, cases: &[Trials<'_>], ranges: &[Case], low: f64, high: f64) -> String {
        let stat = match self.stat {
            ReliabilityStat::PassHatK => format!("pass^{}", self.k),
            ReliabilityStat::PassAtK => format!("pass@{}", self.k),
        };
        let of = self.of.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
        let number = if low == high {
            words::number(low)
        } else {
            format!("between {} and {}", words::number(low), words::number(high))
        };
        let mut text = format!("{stat}{of} is {number} over {}", words::counted(cases.len() as u64, "case"));
        if let Some(min) = self.min {
            text.push_str(&format!(", min {}", words::number(min)));
        }
        let named = |with: fn(&Case) -> bool| -> Vec<&str> {
            cases.iter().zip(ranges).filter(|(_, r)| with(r)).map(|(c, _)| c.case.id()).collect()
        };
        let few = format!("fewer than {} trials", self.k);
        let open = named(|c| !c.few && c.ends[0].low != c.ends[1].high);
        let lists = [(few.as_str(), named(|c| c.few)), ("not measured or held", open)];
        for (label, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            text.push_str(&format!("; {label}: {}", words::listed(&names)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{examples_hold, over_cases, problems};
    use super::*;

    fn status(toml: &str, cases: &[&str]) -> (Status, Option<f64>) {
        let finding = over_cases::<Reliability>(toml, cases);
        (finding.status, finding.value)
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Reliability>();
    }

    #[test]
    fn is_the_mean_over_cases_of_every_choice_of_k_trials() {
        // C(3,2)/C(4,2) = 1/2, and 1.
        let cases = ["a:pppf", "b:pppp"];
        assert_eq!(status("k = 2", &cases), (Status::Pass, Some(0.75)));
        assert_eq!(status("k = 4", &cases), (Status::Pass, Some(0.5)));
        assert_eq!(status("k = 2\nstat = 'pass_at_k'", &["a:pfff", "b:ffff"]), (Status::Pass, Some(0.25)));
    }

    #[test]
    fn a_bound_gates_it_and_without_one_it_only_reports() {
        let cases = ["a:pppf", "b:pppp"];
        assert_eq!(status("k = 2\nmin = 0.75", &cases).0, Status::Pass);
        let failed = over_cases::<Reliability>("of = 'c'\nk = 2\nmin = 0.76", &cases);
        assert_eq!((failed.status, failed.bound.unwrap().min), (Status::Fail, Some(0.76)));
        assert_eq!(failed.reason, "pass^2 of c is 0.75 over 2 cases, min 0.76");
        let report = over_cases::<Reliability>("k = 2", &cases);
        assert_eq!((report.bound, report.reason.as_str()), (None, "pass^2 is 0.75 over 2 cases"));
    }

    #[test]
    fn a_case_with_fewer_trials_than_k_is_an_error_that_names_it() {
        let finding = over_cases::<Reliability>("k = 4\nmin = 0.6", &["a:pppp", "b:ppp"]);
        assert_eq!((finding.status, finding.value), (Status::Error, None));
        assert_eq!(finding.reason, "pass^4 is between 0.5 and 1 over 2 cases, min 0.6; fewer than 4 trials: b");
        assert_eq!(status("k = 4", &["a:pppp", "b:ppp"]), (Status::Error, None));
        assert_eq!(status("k = 4", &["b:ppp"]), (Status::Error, None));
        // It fails whatever that case would have been.
        assert_eq!(status("k = 4\nmin = 0.6", &["a:pppf", "b:ppp"]).0, Status::Fail);
    }

    #[test]
    fn unknown_trials_leave_it_open_unless_it_is_decided_either_way() {
        assert_eq!(status("k = 2\nmin = 0.9", &["a:pppe"]), (Status::Error, None));
        assert_eq!(status("k = 2\nmin = 0.9", &["a:ppph"]), (Status::Held, None));
        // People may settle it against the agent whatever the trial would have said that was not measured.
        assert_eq!(status("k = 2\nmin = 0.4", &["a:pehh"]), (Status::Held, None));
        assert_eq!(status("k = 2\nmin = 0.5", &["a:pppe"]).0, Status::Pass);
        assert_eq!(status("k = 2\nmin = 0.9", &["a:pffe"]).0, Status::Fail);
        assert_eq!(status("k = 2", &["a:pppe"]), (Status::Error, None));
        assert_eq!(status("of = 'c'\nk = 2\nmin = 0.9", &["a:pp?"]).0, Status::Error);
    }

    #[test]
    fn trials_to_which_the_check_did_not_apply_do_not_count() {
        assert_eq!(status("of = 'c'\nk = 2", &["a:pp--", "b:----"]), (Status::Pass, Some(1.0)));
        assert_eq!(status("of = 'c'\nk = 3", &["a:pp--"]).0, Status::Error);
        assert!(over_cases::<Reliability>("of = 'c'\nk = 1", &["b:--"]).unexercised);
    }

    #[test]
    fn a_check_that_does_not_exist_is_an_error() {
        assert_eq!(status("of = 'gone'\nk = 1", &["a:p"]).0, Status::Error);
    }

    #[test]
    fn parameters_that_make_no_sense_are_refused() {
        assert_eq!(problems::<Reliability>("k = 0").len(), 1);
        assert_eq!(problems::<Reliability>("k = 1\nmin = 1.5").len(), 1);
    }
}
