//! `budget`: what sessions, agents or days may cost.

use schemars::JsonSchema;
use serde::Deserialize;

use super::columns::NONE;
use super::{Bound, Column, Folded, GroupFinding, SystemFinding, Window, words};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, SystemCheck, prices};
use crate::model::{Level, Status};

/// What each session, all sessions of an agent, or all sessions of a day may spend: US dollars or tokens.
///
/// A day is that of the session's start, UTC. The cost of a session is recorded or by price, as for `cost`. A session
/// whose spending is not recorded makes the check an error, unless what is recorded is too much already; so does one
/// without a start under `per = "day"`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What the budget is for.
    per: Per,
    /// At most so many US dollars.
    max_usd: Option<f64>,
    /// At most so many tokens, input and output together.
    max_tokens: Option<u64>,
}

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Per {
    /// Each session.
    Session,
    /// All sessions of an agent.
    Agent,
    /// All sessions that start on a day, UTC.
    Day,
}

impl Params for Budget {
    const NAME: &'static str = "budget";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[system]]\nid = \"daily-tokens\"\ncheck = \"budget\"\nper = \"day\"\nmax_tokens = 1000\n",
            passes: "{\"id\":\"a\",\"start_ns\":0,\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"usage\":{\"input\":700,\"output\":100}}]}]}\n{\"id\":\"b\",\"start_ns\":86400000000000,\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"usage\":{\"input\":900,\"output\":100}}]}]}",
            fails: "{\"id\":\"a\",\"start_ns\":0,\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"usage\":{\"input\":700,\"output\":100}}]}]}\n{\"id\":\"b\",\"start_ns\":3600000000000,\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"usage\":{\"input\":900,\"output\":100}}]}]}",
        },
        Example {
            check: "[[system]]\nid = \"cheap-sessions\"\ncheck = \"budget\"\nper = \"session\"\nmax_usd = 0.5\n",
            passes: "{\"id\":\"a\",\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"cost_usd\":0.5}]}]}",
            fails: "{\"id\":\"a\",\"turns\":[{\"spans\":[{\"kind\":\"llm\",\"name\":\"chat\",\"cost_usd\":0.4},{\"kind\":\"llm\",\"name\":\"chat\",\"cost_usd\":0.2}]}]}",
        },
    ];

    fn priced(parameters: &serde_json::Value) -> bool {
        parameters.get("max_usd").is_some()
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        match (self.max_usd, self.max_tokens) {
            (None, None) => build.problem(&["per"], "a budget needs `max_usd` or `max_tokens`", None),
            (Some(_), Some(_)) => {
                let help = "write a second check for the other".to_owned();
                build.problem(&["max_tokens"], "a budget is in `max_usd` or in `max_tokens`, not both", help);
            }
            (Some(usd), None) if !(usd >= 0.0 && usd.is_finite()) => {
                build.problem(&["max_usd"], "`max_usd` is a finite number from 0", None);
            }
            _ => {}
        }
        build.problems.iter().all(|p| p.warning).then(|| Compiled::System(Box::new(self)))
    }
}

impl SystemCheck for Budget {
    fn columns(&self) -> Vec<Column> {
        let metric = if self.max_usd.is_some() { prices::METRIC } else { "tokens" };
        let by = match self.per {
            Per::Session => Vec::new(),
            Per::Agent => vec!["agent".to_owned()],
            Per::Day => vec!["day".to_owned()],
        };
        vec![Column { metric: metric.to_owned(), of: None, by }]
    }

    fn needs_everybody(&self) -> bool {
        true
    }

    fn decide(&self, window: &Window<'_>) -> SystemFinding {
        let max = self.max();
        let blank = SystemFinding {
            bound: Some(Bound { max: Some(max), ..Bound::default() }),
            ..SystemFinding::error("the window carries no column for it")
        };
        let Some(column) = window.columns.first() else { return blank };
        if column.is_empty() && column.missing == 0 {
            let reason = "no session spends anything that could be measured".to_owned();
            return SystemFinding { reason, unexercised: true, ..blank };
        }
        let groups = self.groups(column, max);
        let value = groups.iter().filter_map(|g| g.value).reduce(f64::max);
        let count = column.groups.values().map(crate::stats::samples::Samples::len).sum();
        let (status, reason) = self.roll_up(column, &groups);
        let groups = if self.per == Per::Session { Vec::new() } else { groups };
        SystemFinding { status, value, count, groups, reason, ..blank }
    }
}

impl Budget {
    fn max(&self) -> f64 {
        self.max_usd.unwrap_or_else(|| self.max_tokens.map_or(f64::NAN, |tokens| tokens as f64))
    }

    fn groups(&self, column: &Folded, max: f64) -> Vec<GroupFinding> {
        let one = |(group, samples): (&Vec<String>, &crate::stats::samples::Samples)| {
            let value = if self.per == Per::Session { samples.largest() } else { samples.sum() };
            let over = value.is_some_and(|v| v > max);
            let dateless = self.per == Per::Day && group.iter().any(|g| g == NONE);
            let (status, reason) = match value {
                Some(value) if over => (Status::Fail, self.says(group, value)),
                Some(_) if dateless => {
                    let n = words::counted(samples.len(), "session");
                    (Status::Error, format!("{n} without a start cannot be told from the sessions of other days"))
                }
                Some(_) => (Status::Pass, String::new()),
                None => (Status::Error, "the sum is larger than any number can hold".to_owned()),
            };
            let (group, count) = (group.clone(), samples.len());
            GroupFinding { group, status, value, interval: None, doubt: None, count, inconclusive: false, reason }
        };
        column.groups.iter().map(one).collect()
    }

    /// "the agent x spends 0.6 dollars, above max_usd 0.5".
    fn says(&self, group: &[String], value: f64) -> String {
        let name = group.first().map(|g| words::clip(g)).unwrap_or_default();
        let who = match self.per {
            Per::Session => "the dearest session spends".to_owned(),
            Per::Agent => format!("the agent {name} spends"),
            Per::Day => format!("the day {name} spends"),
        };
        let (unit, key) = if self.max_usd.is_some() { ("US dollars", "max_usd") } else { ("tokens", "max_tokens") };
        format!("{who} {} {unit}, above {key} {}", words::number(value), words::number(self.max()))
    }

    /// What is too much already stays so, whatever else was spent; anything else waits for what is missing.
    fn roll_up(&self, column: &Folded, groups: &[GroupFinding]) -> (Status, String) {
        let reasons = |status: Status| groups.iter().filter(move |g| g.status == status).map(|g| g.reason.clone());
        let over: Vec<String> = reasons(Status::Fail).collect();
        if !over.is_empty() {
            let more = if over.len() > 8 { format!("; and {} more", over.len() - 8) } else { String::new() };
            return (Status::Fail, format!("{}{more}", over[..over.len().min(8)].join("; ")));
        }
        if column.missing > 0 {
            let why = column.first_missing.as_deref().unwrap_or("no reason was given");
            let (missing, all) = (column.missing, column.sessions);
            return (
                Status::Error,
                format!("{missing} of {all} sessions do not say what they spend (the first: {why})"),
            );
        }
        if column.crowded {
            return (Status::Error, format!("there are more than {} groups", column.groups.len()));
        }
        match reasons(Status::Error).next() {
            Some(reason) => (Status::Error, reason),
            None => (Status::Pass, String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{examples_hold, problems, run};
    use super::*;

    /// A session of an agent that starts in an hour and spends so many tokens.
    fn session(id: u32, agent: &str, hour: Option<u64>, tokens: Option<u64>) -> String {
        let start = hour.map(|h| format!("\"start_ns\":{},", h * 3_600_000_000_000)).unwrap_or_default();
        let usage = tokens.map(|t| format!(",\"usage\":{{\"input\":{t},\"output\":0}}")).unwrap_or_default();
        format!(
            "{{\"id\":\"{id}\",\"agent\":\"{agent}\",{start}\"turns\":[{{\"spans\":[{{\"kind\":\"llm\",\"name\":\"c\"{usage}}}]}}]}}"
        )
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Budget>();
    }

    #[test]
    fn days_are_utc_and_each_has_its_own_budget() {
        let lines = [session(1, "a", Some(23), Some(600)), session(2, "a", Some(24), Some(600))].join("\n");
        let found = run::<Budget>("per = 'day'\nmax_tokens = 1000", &lines);
        assert_eq!((found.status, found.value), (Status::Pass, Some(600.0)));
        let days: Vec<String> = found.groups.iter().map(|g| g.group.join("")).collect();
        assert_eq!(days, ["1970-01-01", "1970-01-02"]);
        let lines = [session(1, "a", Some(23), Some(600)), session(2, "a", Some(22), Some(600))].join("\n");
        let found = run::<Budget>("per = 'day'\nmax_tokens = 1000", &lines);
        assert_eq!(found.reason, "the day 1970-01-01 spends 1200 tokens, above max_tokens 1000");
    }

    #[test]
    fn agents_do_not_share_a_budget() {
        let lines = [session(1, "a", None, Some(600)), session(2, "b", None, Some(600))].join("\n");
        assert_eq!(run::<Budget>("per = 'agent'\nmax_tokens = 600", &lines).status, Status::Pass);
        assert_eq!(run::<Budget>("per = 'agent'\nmax_tokens = 599", &lines).status, Status::Fail);
    }

    #[test]
    fn what_is_not_recorded_is_an_error_unless_it_is_too_much_already() {
        let lines = [session(1, "a", None, Some(600)), session(2, "a", None, None)].join("\n");
        let status = |max: u32| run::<Budget>(&format!("per = 'session'\nmax_tokens = {max}"), &lines).status;
        assert_eq!((status(1000), status(500)), (Status::Error, Status::Fail));
    }

    #[test]
    fn a_session_without_a_start_is_of_no_day() {
        let found = run::<Budget>("per = 'day'\nmax_tokens = 1000", &session(1, "a", None, Some(600)));
        assert_eq!(found.status, Status::Error);
    }

    #[test]
    fn nothing_at_all_is_unexercised() {
        assert!(run::<Budget>("per = 'day'\nmax_tokens = 1", "").unexercised);
    }

    #[test]
    fn a_budget_has_one_limit() {
        for bad in ["per = 'day'", "per = 'day'\nmax_usd = 1.0\nmax_tokens = 1", "per = 'day'\nmax_usd = -1.0"] {
            assert_eq!(problems::<Budget>(bad).len(), 1, "{bad}");
        }
    }
}
