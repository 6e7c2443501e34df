//! `pass_rate`: the share of cases that pass.

use schemars::JsonSchema;
use serde::Deserialize;

use super::trials::{self, Trials};
use super::{Bound, End, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, SystemCheck};
use crate::model::{Level, Status};

/// The share of cases that pass a check (`of`), or pass as a whole; with `tag`, among the cases that have it.
///
/// A case passes when all its trials do. Cases to which the check never applied, or that are skipped, do not count. A
/// case with a trial that could not be measured is unknown: the verdict is pass or fail only when it would be so whichever
/// way the unknown cases fell, and the value then counts them as not passed; otherwise it is an error. What waits for a
/// person is taken as people may decide, against the agent and for it: where that makes a difference the verdict is held.
///
/// The share is that of what the verdicts say. One that is corrected for the errors of a judge (`correct`) is a rule of
/// `[gate]` or of a `[[gate.group]]`, which know the labels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassRate {
    /// The id of the check; without it, all blocking checks together.
    of: Option<String>,
    /// Only cases with this tag.
    tag: Option<String>,
    /// At least this share, above 0 and up to 1.
    min: f64,
}

impl Params for PassRate {
    const NAME: &'static str = "pass_rate";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"solved\"\ncheck = \"reward\"\nseverity = \"info\"\n\n[[system]]\nid = \"half-are-solved\"\ncheck = \"pass_rate\"\nof = \"solved\"\nmin = 0.5\n",
        passes: "{\"id\":\"a\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"2\",\"reward\":0,\"turns\":[]}",
        fails: "{\"id\":\"a\",\"case\":\"1\",\"reward\":1,\"turns\":[]}\n{\"id\":\"b\",\"case\":\"2\",\"reward\":0,\"turns\":[]}\n{\"id\":\"c\",\"case\":\"3\",\"reward\":0,\"turns\":[]}",
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if !(self.min > 0.0 && self.min <= 1.0) {
            build.problem(&["min"], format!("`min` is a share above 0 and up to 1, not {}", self.min), None);
            return None;
        }
        Some(Compiled::System(Box::new(self)))
    }
}

/// How a case went, by how many of its trials have a verdict.
fn outcome(count: impl Fn(Status) -> u64) -> Status {
    let worst = [Status::Fail, Status::Error, Status::Held];
    worst.into_iter().find(|s| count(*s) > 0).unwrap_or(Status::Pass)
}

impl SystemCheck for PassRate {
    fn columns(&self) -> Vec<super::Column> {
        Vec::new()
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let bound = Some(Bound { min: Some(self.min), ..Bound::default() });
        let cases = match trials::select(window, self.of.as_deref(), self.tag.as_deref()) {
            Ok(cases) => cases,
            Err(reason) => return SystemFinding { bound, ..SystemFinding::error(reason) },
        };
        if cases.is_empty() {
            let blank = SystemFinding::error("no case was a subject of it");
            return SystemFinding { bound, unexercised: true, ..blank };
        }
        let with = |status| -> Vec<&str> {
            cases.iter().filter(|t| outcome(|s| t.count(s)) == status).map(|t| t.case.id()).collect()
        };
        let (failed, erred, held) = (with(Status::Fail), with(Status::Error), with(Status::Held));
        let count = cases.len();
        let passed = count - failed.len() - erred.len() - held.len();
        let low = passed as f64 / count as f64;
        // A case only rises with what people decide for the agent, from fail over error to pass, and the verdict with it.
        let (worst, best) = (self.at(&cases, End::Worst), self.at(&cases, End::Best));
        let status = if worst == best { worst } else { Status::Held };
        let decided = matches!(status, Status::Pass | Status::Fail);
        let reason =
            if status == Status::Pass { String::new() } else { self.reason(passed, count, &failed, &erred, &held) };
        let blank = SystemFinding::error(reason);
        SystemFinding { status, value: decided.then_some(low), count: count as u64, bound, ..blank }
    }
}

impl PassRate {
    /// The verdict as people may decide.
    fn at(&self, cases: &[Trials<'_>], end: End) -> Status {
        let with = |status| cases.iter().filter(|t| outcome(|s| t.count_at(end, s)) == status).count() as f64;
        let all = cases.len() as f64;
        match (with(Status::Pass) / all >= self.min, (all - with(Status::Fail)) / all < self.min) {
            (true, _) => Status::Pass,
            (_, true) => Status::Fail,
            _ => Status::Error,
        }
    }

    fn reason(&self, passed: usize, count: usize, failed: &[&str], erred: &[&str], held: &[&str]) -> String {
        let what = self.of.as_deref().map(|of| format!(" {of}")).unwrap_or_default();
        let tag = self.tag.as_deref().map(|tag| format!(" with the tag {tag}")).unwrap_or_default();
        let share = words::number(passed as f64 / count as f64);
        let mut text = format!(
            "{passed} of {} pass{what} ({share}), min {}",
            words::counted(count as u64, "case") + &tag,
            words::number(self.min)
        );
        let lists = [("failed", failed), ("could not be measured", erred), ("waits for a person", held)];
        for (label, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            text.push_str(&format!("; {label}: {}", words::listed(names)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{examples_hold, over_cases, problems};
    use super::*;

    fn status(toml: &str, cases: &[&str]) -> (Status, Option<f64>) {
        let finding = over_cases::<PassRate>(toml, cases);
        (finding.status, finding.value)
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<PassRate>();
    }

    #[test]
    fn a_case_passes_when_all_its_trials_do() {
        let cases = ["a:pppp", "b:pppf", "c:p"];
        assert_eq!(status("of = 'c'\nmin = 0.66", &cases), (Status::Pass, Some(2.0 / 3.0)));
        let failed = over_cases::<PassRate>("of = 'c'\nmin = 0.67", &cases);
        assert_eq!(failed.status, Status::Fail);
        assert_eq!(failed.reason, "2 of 3 cases pass c (0.666667), min 0.67; failed: b");
    }

    #[test]
    fn the_bound_itself_is_enough() {
        let cases: Vec<String> = (0..10).map(|i| format!("{i}:{}", if i == 0 { "f" } else { "p" })).collect();
        let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
        assert_eq!(status("min = 0.9", &cases).0, Status::Pass);
    }

    #[test]
    fn unknown_cases_leave_it_open_unless_it_is_decided_either_way() {
        assert_eq!(status("of = 'c'\nmin = 0.5", &["a:p", "b:e"]), (Status::Pass, Some(0.5)));
        assert_eq!(status("of = 'c'\nmin = 0.6", &["a:p", "b:e"]), (Status::Error, None));
        assert_eq!(status("of = 'c'\nmin = 0.6", &["a:p", "b:h"]), (Status::Held, None));
        // Two of three pass where people let the second pass, whatever the third would have been.
        assert_eq!(status("of = 'c'\nmin = 0.6", &["a:p", "b:h", "d:e"]), (Status::Held, None));
        assert_eq!(status("of = 'c'\nmin = 0.7", &["a:p", "b:p", "d:eh"]), (Status::Held, None));
        assert_eq!(status("of = 'c'\nmin = 0.9", &["a:p", "b:h", "d:f"]), (Status::Fail, Some(1.0 / 3.0)));
        assert_eq!(status("of = 'c'\nmin = 0.9", &["a:f", "b:e"]), (Status::Fail, Some(0.0)));
        // A failed trial decides its case, whatever the others would have said.
        assert_eq!(status("of = 'c'\nmin = 0.6", &["a:p", "b:ef"]), (Status::Fail, Some(0.5)));
    }

    #[test]
    fn a_trial_that_could_not_be_read_is_unknown_for_every_check() {
        assert_eq!(status("of = 'c'\nmin = 1.0", &["a:p?"]).0, Status::Error);
        assert_eq!(status("min = 1.0", &["a:p?"]).0, Status::Error);
    }

    #[test]
    fn cases_to_which_the_check_never_applied_do_not_count() {
        assert_eq!(status("of = 'c'\nmin = 1.0", &["a:p", "b:--", "d:s"]), (Status::Pass, Some(1.0)));
        let nobody = over_cases::<PassRate>("of = 'c'\nmin = 1.0", &["b:--"]);
        assert!(nobody.unexercised && nobody.status != Status::Pass && nobody.value.is_none());
        assert!(over_cases::<PassRate>("min = 1.0", &[]).unexercised);
    }

    #[test]
    fn a_tag_narrows_it_and_one_that_no_case_has_is_an_error() {
        let cases = ["a refund:p", "b:f"];
        assert_eq!(status("tag = 'refund'\nmin = 1.0", &cases), (Status::Pass, Some(1.0)));
        let unknown = over_cases::<PassRate>("tag = 'refnud'\nmin = 1.0", &cases);
        assert_eq!((unknown.status, unknown.unexercised), (Status::Error, false));
    }

    #[test]
    fn a_check_that_does_not_exist_is_an_error() {
        assert_eq!(status("of = 'gone'\nmin = 0.1", &["a:p"]).0, Status::Error);
    }

    #[test]
    fn a_bound_that_decides_nothing_is_refused() {
        for bad in ["0.0", "1.1", "nan"] {
            assert_eq!(problems::<PassRate>(&format!("min = {bad}")).len(), 1);
        }
    }
}
