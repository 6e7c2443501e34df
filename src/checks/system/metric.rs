//! `metric`: a number over all sessions, with a bound.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::columns::{self, Shape};
use super::compare::{Compared, compare};
use super::decided;
use super::past::{Against, Past};
use super::statistic::Stat;
use super::{Bound, Column, Folded, GroupFinding, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::select::OneOrMany;
use crate::checks::{Compiled, SystemCheck, prices};
use crate::model::{Level, Status};
use crate::stats::samples::Samples;

/// A number over all sessions: a statistic of a metric, or a ratio of sums, held to a bound. Without `max` and `min`
/// it only reports, also what it could not measure.
///
/// Metrics with one value per turn are `ttft_ms` and `turn_ms`; per session `session_ms`, `tokens_in`, `tokens_out`,
/// `tokens`, `cost_usd`, `tool_calls`, `tool_errors`, `turns`, `memory_reads`, `memory_writes` (counted as by the check
/// `memory`), `csat` (the user's rating), and `attr:NAME` for a numeric session attribute; ratios are
/// `tool_error_rate`, `escalation_rate`, `first_contact_resolution` (of the boolean attribute of that name) and
/// `detection_rate` (how often the check `of` fails among the subjects it measured).
///
/// A session in which the value is missing makes the check an error, unless `min_coverage` allows it. Where verdicts of `of`
/// wait for a person, the rate is taken at both ends of what people may decide: the check is held where that makes a
/// difference. (With `max_ratio`, or `max` and `min` together, also where more than 256 ways of deciding are between two ends
/// that do not keep the bound: what is between them may.) Fewer samples than `min_count` are an error. When there is nothing to measure in any session, the check is unexercised. Percentiles
/// are by nearest rank, `stddev` is that of a sample (n - 1), sums are exact. `on` selects the sessions that count, as
/// for a session check.
///
/// The number itself is held to the bound; its 95% interval is shown beside it, with its method. A mean has Student's t
/// over cases (`clustered-t`): trials and turns of one case resemble each other and are not taken for independent. With
/// fewer than 20 cases, or where a few values are far from the others, such an interval may hold less often, and is said
/// to be of about 95%, with the reason (`doubt` in `summary.json`). A ratio whose numerator is a part of its denominator
/// has Clopper-Pearson's limits for the number of independent observations that the cases are worth (`korn-graubard`);
/// where fewer than ten whole cases' worth is of the rarer kind, each case counts once (`clopper-pearson`). A percentile has two of the samples, by their ranks
/// (`order-statistics`), whatever the distribution. Sums, counts, extremes and `stddev` have none; nor has anything
/// with too few cases for one. Beyond 65,536 samples of a group percentiles are known to within 0.5%; a bound nearer
/// than that is inconclusive. Of an earlier run that is beyond 4,096 samples of a group, since it is embedded in the record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The metric.
    metric: String,
    /// The statistic: `mean`, `min`, `max`, `sum`, `count`, `stddev`, or a percentile such as `p50`, `p95`, `p99.9`.
    /// Required, except for ratios, which have none.
    stat: Option<Stat>,
    /// At most this.
    max: Option<f64>,
    /// At least this.
    min: Option<f64>,
    /// At most so many times the number of the earlier run `against`, above 0. A ratio that is more fails only when it is
    /// also higher than chance explains (exact conditional test at 0.05, with as many events as the cases are worth
    /// independent ones) and has at least 5 events; else it is inconclusive.
    max_ratio: Option<f64>,
    /// The run that `max_ratio` is about: its folder or run.jsonl, relative to this file, or `baseline` for that of the
    /// gate.
    against: Option<String>,
    /// The check whose failures `detection_rate` counts, by id.
    of: Option<String>,
    /// One or several of `agent`, `model`, `user`, `tool`, `flow` (the sequence of tool names), `tag`, `day` (of the
    /// session's start, UTC), `attr:NAME`.
    /// Each group is held to the bound. Sessions without a value are the group `(none)`, which is held to it too.
    /// Sums over calls are split by the model or tool of each call; other values count in every group of their
    /// session or turn.
    by: Option<OneOrMany<String>>,
    /// Groups that must occur; with several `by`, each is a list with a value for each.
    groups: Option<Vec<OneOrMany<String>>>,
    /// Fewer samples (in a group) are an error. Default 1. The samples of a ratio are its denominator.
    min_count: Option<u64>,
    /// The share of sessions that must have the value, above 0 and up to 1. Default 1.
    min_coverage: Option<f64>,
}

impl Params for Metric {
    const NAME: &'static str = "metric";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[system]]\nid = \"ttft-p95\"\ncheck = \"metric\"\nmetric = \"ttft_ms\"\nstat = \"p95\"\nmax = 500\nby = \"agent\"\n",
            passes: "{\"id\":\"a\",\"agent\":\"x\",\"turns\":[{\"ttft_ns\":400000000},{\"ttft_ns\":300000000}]}\n{\"id\":\"b\",\"agent\":\"y\",\"turns\":[{\"ttft_ns\":500000000}]}",
            fails: "{\"id\":\"a\",\"agent\":\"x\",\"turns\":[{\"ttft_ns\":400000000}]}\n{\"id\":\"b\",\"agent\":\"y\",\"turns\":[{\"ttft_ns\":600000000}]}",
        },
        Example {
            check: "[[system]]\nid = \"tool-errors\"\ncheck = \"metric\"\nmetric = \"tool_error_rate\"\nmax = 0.5\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"f","status":"ok"},{"kind":"tool","name":"f","status":"error"}]}]}"#,
            fails: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"f","status":"error"}]}]}"#,
        },
    ];

    fn priced(parameters: &serde_json::Value) -> bool {
        parameters.get("metric").and_then(serde_json::Value::as_str) == Some(prices::METRIC)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let ratio = match columns::shape(&self.metric) {
            Ok(shape) => shape == Shape::Ratio,
            Err((message, help)) => {
                build.problem(&["metric"], message, help);
                return None;
            }
        };
        match (ratio, self.stat) {
            (true, Some(_)) => {
                build.problem(&["stat"], format!("`{}` is a ratio and has no `stat`", self.metric), None)
            }
            (false, None) => {
                let help = "such as `stat = \"p95\"` or `stat = \"mean\"`".to_owned();
                build.problem(&["metric"], format!("`{}` needs a `stat`", self.metric), help);
            }
            _ => {}
        }
        match (self.metric == "detection_rate", &self.of) {
            (true, None) => build.problem(&["metric"], "`detection_rate` needs `of`: the id of a check", None),
            (false, Some(_)) => build.problem(&["of"], "`of` belongs to `metric = \"detection_rate\"`", None),
            _ => {}
        }
        self.check_bounds(build);
        self.check_groups(build);
        let against = self.against.as_deref().and_then(|name| Against::named(name, build));
        let sound = build.problems.iter().all(|p| p.warning);
        sound.then(|| Compiled::System(Box::new(Measured { ratio, against, params: self })))
    }
}

impl Metric {
    fn check_bounds(&self, build: &mut Build<'_>) {
        for (key, bound) in [("min", self.min), ("max", self.max)] {
            if bound.is_some_and(|b| !b.is_finite()) {
                build.problem(&[key], format!("`{key}` is a finite number"), None);
            }
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            build.problem(&["min"], format!("`min` ({min}) is larger than `max` ({max})"), None);
        }
        match (self.max_ratio, &self.against) {
            (Some(ratio), _) if !(ratio > 0.0 && ratio.is_finite()) => {
                build.problem(&["max_ratio"], "`max_ratio` is a finite number above 0", None);
            }
            (Some(_), None) => {
                let help = "such as `against = \"baseline\"`".to_owned();
                build.problem(&["max_ratio"], "`max_ratio` needs `against`: an earlier run", help);
            }
            (None, Some(_)) => build.problem(&["against"], "`against` belongs to `max_ratio`", None),
            _ => {}
        }
        if self.min_coverage.is_some_and(|c| !(c > 0.0 && c <= 1.0)) {
            build.problem(&["min_coverage"], "`min_coverage` is a share above 0 and up to 1", None);
        }
        if self.min_count == Some(0) {
            build.problem(&["min_count"], "`min_count` is at least 1: no sample has no statistic", None);
        }
    }

    /// What it is grouped by; nothing where it is not.
    fn by(&self) -> &[String] {
        self.by.as_ref().map_or(&[], |by| &by.0)
    }

    fn check_groups(&self, build: &mut Build<'_>) {
        let mut seen = BTreeSet::new();
        for by in self.by() {
            if let Err((message, help)) = columns::group(by) {
                build.problem(&["by"], message, help);
            } else if !seen.insert(by) {
                build.problem(&["by"], format!("`by` names `{by}` twice"), None);
            }
        }
        for (i, group) in self.groups.iter().flatten().enumerate() {
            let (given, wanted) = (group.0.len(), self.by().len());
            if wanted == 0 {
                build.problem(&["groups"], "`groups` needs `by`", None);
                return;
            } else if given != wanted {
                let message = format!("a group has {wanted} values here, one for each `by`, not {given}");
                build.problem(&["groups", &i.to_string()], message, None);
            }
        }
    }
}

/// The confidence of the intervals that are shown.
const CONFIDENCE: f64 = 0.95;

struct Measured {
    params: Metric,
    against: Option<Against>,
    ratio: bool,
}

impl SystemCheck for Measured {
    fn columns(&self) -> Vec<Column> {
        let column =
            |by: &[String]| Column { metric: self.params.metric.clone(), of: self.params.of.clone(), by: by.to_vec() };
        let whole = column(&[]);
        if self.params.by().is_empty() { vec![whole] } else { vec![whole, column(self.params.by())] }
    }

    fn against(&self) -> Option<&Against> {
        self.against.as_ref()
    }

    fn needs_everybody(&self) -> bool {
        matches!(self.params.stat, Some(Stat::Sum | Stat::Count | Stat::Min | Stat::Max))
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let bound = Bound { min: self.params.min, max: self.params.max, max_ratio: self.params.max_ratio };
        let bound = (bound != Bound::default()).then_some(bound);
        let blank = SystemFinding { bound, ..SystemFinding::error(String::new()) };
        if let Some(of) = self.params.of.as_deref().filter(|of| (window.check_index)(of).is_none()) {
            return SystemFinding { reason: format!("no check has the id `{of}`"), ..blank };
        }
        let Some(column) = window.columns.last() else {
            return SystemFinding { reason: "the window carries no column for it".to_owned(), ..blank };
        };
        // What only reports has nothing that people could change.
        if column.waiting > 0 && bound.is_some() && self.covers(column, column.unknown()) && !column.crowded {
            let one_way = self.params.max_ratio.is_none() && !(self.params.max.is_some() && self.params.min.is_some());
            return decided::as_people_may(window, one_way, blank.clone(), &|window| {
                self.measure(window, blank.clone())
            });
        }
        self.measure(window, blank)
    }
}

impl Measured {
    /// Holds what was measured to the bound; what waits for people is missing.
    fn measure(&self, window: &Window<'_>, blank: SystemFinding) -> SystemFinding {
        let (Some(whole), Some(column)) = (window.columns.first(), window.columns.last()) else { return blank };
        let unmeasured = column.unmeasured();
        if let Some(reason) = self.uncovered(column) {
            return SystemFinding { status: unmeasured, reason, ..blank };
        }
        if whole.is_empty() && column.is_empty() && self.params.groups.is_none() {
            let reason = if column.missing > 0 {
                format!("no session has {}", self.params.metric)
            } else {
                format!("no session has anything that {} could be measured on", self.params.metric)
            };
            return SystemFinding { status: unmeasured, reason, unexercised: column.missing == 0, ..blank };
        }
        let past = match self.past(window) {
            Ok(past) => past,
            Err(reason) => return SystemFinding { reason, ..blank },
        };
        let none = Samples::default();
        let samples = whole.groups.get(&[][..]).unwrap_or(&none);
        let total = self.compared(samples, past.map(|[whole, _]| whole), self.group(&[], samples));
        let blank = SystemFinding {
            value: total.value,
            interval: total.interval,
            doubt: total.doubt.clone(),
            method: Some(self.statistic().method(samples).to_owned()).filter(|m| !m.is_empty()),
            count: total.count,
            ..blank
        };
        if self.params.by().is_empty() {
            let (status, inconclusive) = (total.status, total.inconclusive);
            return SystemFinding { status, inconclusive, reason: total.reason, ..blank };
        }
        let groups = self.by_group(column, past.map(|[_, by]| by));
        let (status, reason) = self.roll_up(&groups, &total);
        let inconclusive = groups.iter().filter(|g| g.status == Status::Error).all(|g| g.inconclusive);
        SystemFinding { status, inconclusive: inconclusive && status == Status::Error, groups, reason, ..blank }
    }

    /// Why too few sessions have the value.
    fn uncovered(&self, column: &Folded) -> Option<String> {
        if column.crowded {
            return Some(format!("`by` makes more than {} groups, which cannot be told apart", column.groups.len()));
        }
        let sessions = column.sessions;
        if column.missing == 0 || self.covers(column, column.missing) {
            return None;
        }
        let why = column.first_missing.as_deref().unwrap_or("no reason was given");
        let metric = &self.params.metric;
        Some(format!("{} of {sessions} sessions have no {metric} (the first: {why})", column.missing))
    }

    /// Whether enough sessions have the value when so many do not.
    fn covers(&self, column: &Folded, missing: u64) -> bool {
        let present = (column.sessions - missing) as f64;
        present >= self.params.min_coverage.unwrap_or(1.0) * column.sessions as f64 - 1e-9
    }

    /// The columns of the earlier run, where there is one to compare with.
    fn past<'w>(&self, window: &Window<'w>) -> Result<Option<[&'w Past; 2]>, String> {
        if self.against.is_none() {
            return Ok(None);
        }
        let columns = self.columns();
        let (Some(whole), Some(by)) = (columns.first(), columns.last()) else { return Ok(None) };
        let found = [window.around.past(whole)?, window.around.past(by)?];
        let (missing, sessions) = (found[0].missing, found[0].sessions);
        let present = (sessions - missing.min(sessions)) as f64;
        if missing > 0 && present < self.params.min_coverage.unwrap_or(1.0) * sessions as f64 - 1e-9 {
            return Err(format!("{missing} of {sessions} sessions of the earlier run have no {}", self.params.metric));
        }
        Ok(Some(found))
    }

    /// Holds a group that keeps its other bounds to `max_ratio`.
    fn compared(&self, samples: &Samples, past: Option<&Past>, found: GroupFinding) -> GroupFinding {
        let (Some(max_ratio), Some(past), Status::Pass) = (self.params.max_ratio, past, found.status) else {
            return found;
        };
        let what = format!("{} is {}", self.what(&found.group), found.value.map(words::number).unwrap_or_default());
        let Some(before) = past.group(&found.group) else {
            let reason = format!("{what}; the earlier run has none to compare it with");
            return GroupFinding { status: Status::Error, reason, ..found };
        };
        let Compared { status, inconclusive, reason } = compare(self.statistic(), samples, &before, max_ratio);
        let reason = if status == Status::Pass { String::new() } else { format!("{what}, {reason}") };
        GroupFinding { status, inconclusive, reason, ..found }
    }

    fn by_group(&self, column: &Folded, past: Option<&Past>) -> Vec<GroupFinding> {
        let one = |(group, samples): (&Vec<String>, &Samples)| self.compared(samples, past, self.group(group, samples));
        let mut found: Vec<GroupFinding> = column.groups.iter().map(one).collect();
        for wanted in self.params.groups.iter().flatten().filter(|g| !column.groups.contains_key(&g.0)) {
            found.push(GroupFinding {
                group: wanted.0.clone(),
                status: Status::Error,
                value: None,
                interval: None,
                doubt: None,
                count: 0,
                inconclusive: false,
                reason: format!("the group {} does not occur in any session", self.label(&wanted.0)),
            });
        }
        found.sort_by(|a, b| a.group.cmp(&b.group));
        found.dedup_by(|a, b| a.group == b.group);
        found
    }

    /// Measures one group's samples and holds them to the bound.
    fn group(&self, group: &[String], samples: &Samples) -> GroupFinding {
        let statistic = self.statistic();
        let value = statistic.of(samples);
        let count = statistic.count(samples);
        let interval = statistic.interval(samples, CONFIDENCE).filter(|_| value.is_some());
        let doubt = interval.and_then(|_| statistic.doubt(samples));
        let finding = |status, reason| GroupFinding {
            group: group.to_vec(),
            status,
            value,
            interval: interval.map(|i| i.ends()),
            doubt: doubt.clone(),
            count,
            inconclusive: false,
            reason,
        };
        let least = self.params.min_count.unwrap_or(1);
        if count < least {
            let reason =
                format!("{} has {}, fewer than min_count {least}", self.what(group), words::counted(count, "sample"));
            return GroupFinding { value: None, interval: None, doubt: None, ..finding(Status::Error, reason) };
        }
        let Some(value) = value else {
            let reason = format!("{} is not defined over {}", self.what(group), words::counted(count, "sample"));
            return finding(Status::Error, reason);
        };
        let spread = match (interval, &doubt) {
            (Some(i), None) => format!(" (95% interval {})", words::range(i.ends())),
            (Some(i), Some(doubt)) => format!(" (interval {} of about 95%: {doubt})", words::range(i.ends())),
            (None, _) => String::new(),
        };
        let measured = format!(
            "{} is {}{spread} over {}",
            self.what(group),
            words::number(value),
            words::counted(count, "sample")
        );
        let off = statistic.error(samples) * value.abs();
        let bounds = [(self.params.max, 1.0, "above max"), (self.params.min, -1.0, "below min")];
        for (bound, side, words) in bounds.into_iter().filter_map(|(b, side, words)| Some((b?, side, words))) {
            let beyond = (value - bound) * side;
            if beyond > off || (off == 0.0 && beyond > 0.0) {
                return finding(Status::Fail, format!("{measured}, {words} {}", words::number(bound)));
            }
            if off > 0.0 && beyond > -off {
                let reason = format!(
                    "{measured}, too near to the bound {} to tell: over so many samples a percentile is known to within \
                     {}%",
                    words::number(bound),
                    words::number(statistic.error(samples) * 100.0)
                );
                return GroupFinding { inconclusive: true, ..finding(Status::Error, reason) };
            }
        }
        let reports = self.reports();
        finding(Status::Pass, if reports { measured } else { String::new() })
    }

    /// Whether it has no bound.
    fn reports(&self) -> bool {
        self.params.max.is_none() && self.params.min.is_none() && self.params.max_ratio.is_none()
    }

    /// The statistic; of a ratio, the ratio.
    fn statistic(&self) -> Stat {
        if self.ratio { Stat::Ratio } else { self.params.stat.unwrap_or(Stat::Mean) }
    }

    /// "p95 of ttft_ms for agent=x".
    fn what(&self, group: &[String]) -> String {
        let stat = self.params.stat.map(|s| format!("{} of ", s.name())).unwrap_or_default();
        let of = self.params.of.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
        let group = if group.is_empty() { String::new() } else { format!(" for {}", self.label(group)) };
        format!("{stat}{}{of}{group}", self.params.metric)
    }

    fn label(&self, group: &[String]) -> String {
        let pairs = self.params.by().iter().zip(group).map(|(by, value)| format!("{by}={}", words::clip(value)));
        pairs.collect::<Vec<_>>().join(", ")
    }

    /// One failing group fails the check; one that could not be measured makes it an error.
    fn roll_up(&self, groups: &[GroupFinding], total: &GroupFinding) -> (Status, String) {
        let reasons = |status: Status| -> Option<String> {
            let bad: Vec<&str> = groups.iter().filter(|g| g.status == status).map(|g| g.reason.as_str()).collect();
            let more = if bad.len() > 8 { format!("; and {} more groups", bad.len() - 8) } else { String::new() };
            (!bad.is_empty()).then(|| format!("{}{more}", bad[..bad.len().min(8)].join("; ")))
        };
        if let Some(reason) = reasons(Status::Fail) {
            return (Status::Fail, reason);
        }
        if let Some(reason) = reasons(Status::Error) {
            return (Status::Error, reason);
        }
        let reports = self.reports();
        (Status::Pass, if reports { total.reason.clone() } else { String::new() })
    }
}

#[cfg(test)]
#[path = "metric_tests.rs"]
mod tests;
