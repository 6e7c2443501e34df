//! `drift`: whether a metric is distributed as it was in an earlier run.

use schemars::JsonSchema;
use serde::Deserialize;

use super::columns::{self, Shape};
use super::past::Against;
use super::{Bound, Column, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, SystemCheck, prices};
use crate::model::{Level, Status};
use crate::stats::ks::{self, Distance};
use crate::stats::samples::Samples;

/// How far the distribution of a metric has moved from that of an earlier run: the largest difference, over all values,
/// between the shares of samples that lie below it (the distance of Kolmogorov and Smirnov). 0 is no change, 1 is no
/// overlap. It needs no unit and no shape, and sees a longer tail as well as a higher mean.
///
/// With `max_shift` the distance itself is held to the bound; its 95% interval is shown (`dkw`: the band of Dvoretzky,
/// Kiefer and Wolfowitz on both sides). Few sessions are far apart by chance alone: the reason says how far. With
/// `alpha` the check fails when chance explains the distance too seldom (exact p-value where the sizes allow it), which
/// for many sessions happens at differences that do not matter: prefer `max_shift` there. It is inconclusive when there
/// are too few sessions for any distance to be significant. Turns and trials of one case are not taken for independent:
/// as many samples count as the cases are worth if their samples were all alike. Ratios are compared by `metric` with
/// `max_ratio`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The metric, one of those with a value per session or turn.
    metric: String,
    /// The run to compare with: its folder or run.jsonl, relative to this file, or `baseline` for that of the gate.
    against: String,
    /// At most this distance, above 0 and below 1.
    max_shift: Option<f64>,
    /// The chance of failing without any change, above 0 and up to 0.5.
    alpha: Option<f64>,
}

/// How the interval of a distance is called in reports.
const DKW: &str = "dkw";

impl Params for Drift {
    const NAME: &'static str = "drift";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[system]]\nid = \"same-effort\"\ncheck = \"drift\"\nmetric = \"turns\"\nagainst = \"main/latest\"\nmax_shift = 0.5\n",
        passes: "{\"id\":\"a\",\"turns\":[{},{}]}\n{\"id\":\"b\",\"turns\":[{},{},{}]}",
        fails: "{\"id\":\"a\",\"turns\":[{},{},{},{},{}]}\n{\"id\":\"b\",\"turns\":[{},{},{},{}]}",
    }];

    fn priced(parameters: &serde_json::Value) -> bool {
        parameters.get("metric").and_then(serde_json::Value::as_str) == Some(prices::METRIC)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        match columns::shape(&self.metric) {
            Ok(Shape::Ratio) => {
                let help = "use the check `metric` with `max_ratio`".to_owned();
                build.problem(
                    &["metric"],
                    format!("`{}` is a ratio, of which there is no distribution", self.metric),
                    help,
                );
            }
            Ok(_) => {}
            Err((message, help)) => build.problem(&["metric"], message, help),
        }
        match (self.max_shift, self.alpha) {
            (None, None) => build.problem(&["metric"], "drift needs `max_shift` or `alpha`", None),
            (Some(_), Some(_)) => build.problem(&["alpha"], "drift has `max_shift` or `alpha`, not both", None),
            (Some(shift), None) if !(shift > 0.0 && shift < 1.0) => {
                build.problem(&["max_shift"], "`max_shift` is a distance above 0.0 and below 1.0", None);
            }
            (None, Some(alpha)) if !(alpha > 0.0 && alpha <= 0.5) => {
                build.problem(&["alpha"], "`alpha` is a chance above 0.0 and up to 0.5", None);
            }
            _ => {}
        }
        let against = Against::named(&self.against, build);
        let sound = build.problems.iter().all(|p| p.warning);
        against.filter(|_| sound).map(|against| Compiled::System(Box::new(Moved { params: self, against })))
    }
}

struct Moved {
    params: Drift,
    against: Against,
}

impl SystemCheck for Moved {
    fn columns(&self) -> Vec<Column> {
        vec![Column { metric: self.params.metric.clone(), of: None, by: Vec::new() }]
    }

    fn against(&self) -> Option<&Against> {
        Some(&self.against)
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let bound = Bound { max: self.params.max_shift, min: self.params.alpha, ..Bound::default() };
        let blank = SystemFinding { bound: Some(bound), ..SystemFinding::error("the window carries no column for it") };
        let (Some(column), metric) = (window.columns.first(), &self.params.metric) else { return blank };
        let error = |reason: String| SystemFinding { reason, ..blank.clone() };
        if column.missing > 0 {
            let why = column.first_missing.as_deref().unwrap_or("no reason was given");
            return error(format!(
                "{} of {} sessions have no {metric} (the first: {why})",
                column.missing, column.sessions
            ));
        }
        let Some(now) = column.groups.get(&[][..]).filter(|s| !s.is_empty()) else {
            let reason = format!("no session has anything that {metric} could be measured on");
            return SystemFinding { unexercised: true, ..error(reason) };
        };
        let past = match window.around.past(&self.columns()[0]) {
            Ok(past) => past,
            Err(why) => return error(why),
        };
        if past.missing > 0 {
            return error(format!(
                "{} of {} sessions of the earlier run have no {metric}",
                past.missing, past.sessions
            ));
        }
        let Some(before) = past.group(&[]) else { return error(format!("the earlier run has no sample of {metric}")) };
        let binned = !(now.is_exact() && before.is_exact());
        let distance = now.steps(binned).zip(before.steps(binned)).and_then(|(a, b)| ks::distance(&a, &b, binned));
        match distance {
            Some(distance) => self.judge(now, &before, distance, blank),
            None => error(format!("the distribution of {metric} is not known")),
        }
    }
}

impl Moved {
    fn judge(&self, now: &Samples, before: &Samples, distance: Distance, blank: SystemFinding) -> SystemFinding {
        let (n, m) = (now.effective() as u64, before.effective() as u64);
        let blank = SystemFinding { count: now.len(), ..blank };
        let measured = format!(
            "{} is {} away from the earlier run, over {} against {}",
            self.params.metric,
            words::number(distance.least),
            words::counted(now.len(), "sample"),
            words::counted(before.len(), "sample")
        );
        let said =
            |status, inconclusive, reason: String| SystemFinding { status, inconclusive, reason, ..blank.clone() };
        if let Some(max) = self.params.max_shift {
            let chance = || match ks::critical(n, m, 0.05) {
                Some(by_chance) => format!(
                    "; chance alone reaches {} in one of 20",
                    words::range([by_chance; 2]).split(' ').next().unwrap_or_default()
                ),
                None => "; so few are any distance apart by chance".to_owned(),
            };
            let above = || format!("{measured}, above max_shift {}{}", words::number(max), chance());
            let found = match (distance.least > max, distance.most > max) {
                (true, _) => said(Status::Fail, false, above()),
                (false, false) => said(Status::Pass, false, String::new()),
                (false, true) => said(
                    Status::Error,
                    true,
                    format!("{measured} or more, too near to max_shift {} to tell", words::number(max)),
                ),
            };
            let interval = ks::band(n, m, 0.95).map(|b| [(distance.least - b).max(0.0), (distance.most + b).min(1.0)]);
            return SystemFinding { value: Some(distance.least), interval, method: Some(DKW.to_owned()), ..found };
        }
        // The suite's reader asks for one of the two.
        let Some(alpha) = self.params.alpha else {
            return said(Status::Error, false, "neither `max_shift` nor `alpha` is given".to_owned());
        };
        let ((p, method), (p_most, _)) = (ks::p_value(distance.least, n, m), ks::p_value(distance.most, n, m));
        let never = ks::p_value(1.0, n, m).0 >= alpha;
        let chance = format!("{measured}: p = {p:.2e} ({method}), alpha {}", words::number(alpha));
        let found = match (p < alpha, p_most < alpha, never) {
            (true, ..) => said(Status::Fail, false, chance),
            (_, _, true) => {
                let more = ks::more_to_show(n, m, alpha).map(|n| words::counted(n, "more case"));
                let settles = more.map(|more| format!(": {more} could")).unwrap_or_default();
                said(Status::Error, true, format!("{chance}; so few can never show a change{settles}"))
            }
            (false, true, false) => {
                said(Status::Error, true, format!("{chance}; too near to tell over so many samples"))
            }
            (false, false, _) => said(Status::Pass, false, String::new()),
        };
        SystemFinding { value: Some(p), method: Some(method.to_owned()), ..found }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{examples_hold, problems, run_against};
    use super::*;

    fn lines(ratings: impl Iterator<Item = u32>) -> String {
        ratings.enumerate().map(|(i, r)| format!("{{\"id\":\"{i}\",\"rating\":{r}}}\n")).collect()
    }

    fn over(toml: &str, now: impl Iterator<Item = u32>, before: impl Iterator<Item = u32>) -> SystemFinding {
        let toml = format!("metric = 'csat'\nagainst = 'baseline'\n{toml}");
        run_against::<Drift>(&toml, &lines(now), &lines(before))
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Drift>();
    }

    #[test]
    fn the_same_distribution_has_not_moved() {
        let same = over("max_shift = 0.1", (0..50).map(|i| i % 5), (0..50).map(|i| i % 5));
        assert_eq!((same.status, same.value), (Status::Pass, Some(0.0)));
        assert_eq!(same.method.as_deref(), Some("dkw"));
    }

    #[test]
    fn a_shift_beyond_the_bound_fails_and_says_what_chance_would_do() {
        let moved = over("max_shift = 0.3", (0..50).map(|i| i % 5 + 2), (0..50).map(|i| i % 5));
        assert_eq!((moved.status, moved.value), (Status::Fail, Some(0.4)));
        assert!(moved.reason.starts_with("csat is 0.4 away from the earlier run, over 50 samples against 50 samples, above max_shift 0.3; chance alone reaches 0.2"), "{}", moved.reason);
    }

    #[test]
    fn alpha_fails_on_what_chance_seldom_does() {
        let moved = over("alpha = 0.05", (0..50).map(|i| i % 5 + 2), (0..50).map(|i| i % 5));
        assert_eq!((moved.status, moved.method.as_deref()), (Status::Fail, Some("kolmogorov-smirnov-exact")));
        let same = over("alpha = 0.05", (0..50).map(|i| i % 5), (0..50).map(|i| (i + 1) % 5));
        assert_eq!((same.status, same.value), (Status::Pass, Some(1.0)));
    }

    #[test]
    fn three_sessions_can_never_show_a_change() {
        let few = over("alpha = 0.05", [1, 1, 1].into_iter(), [5, 5, 5].into_iter());
        assert_eq!((few.status, few.inconclusive), (Status::Error, true));
    }

    #[test]
    fn without_an_earlier_run_or_a_value_it_is_an_error() {
        let toml = "metric = 'csat'\nagainst = 'baseline'\nmax_shift = 0.1";
        let alone = super::super::testing::run::<Drift>(toml, &lines([1].into_iter()));
        assert_eq!((alone.status, alone.reason.is_empty()), (Status::Error, false));
        let missing = run_against::<Drift>(toml, "{\"id\":\"a\"}", &lines([1].into_iter()));
        assert_eq!(missing.status, Status::Error);
        let before = run_against::<Drift>(toml, &lines([1].into_iter()), "{\"id\":\"a\"}");
        assert_eq!(before.status, Status::Error);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "metric = 'csat'\nagainst = 'x'",
            "metric = 'csat'\nagainst = 'x'\nmax_shift = 0.1\nalpha = 0.1",
            "metric = 'csat'\nagainst = 'x'\nmax_shift = 1.0",
            "metric = 'csat'\nagainst = 'x'\nalpha = 0.9",
            "metric = 'csat'\nagainst = ' '\nalpha = 0.1",
            "metric = 'tool_error_rate'\nagainst = 'x'\nalpha = 0.1",
        ] {
            assert_eq!(problems::<Drift>(bad).len(), 1, "{bad}");
        }
    }
}
