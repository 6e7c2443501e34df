//! `calls`: how often a tool is called.

use schemars::JsonSchema;
use serde::Deserialize;

use super::describe;
use crate::checks::build::{Build, Example, Params};
use crate::checks::matcher::Matcher;
use crate::checks::select::Glob;
use crate::checks::subject::Scope;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck};
use crate::model::{Evidence, Field, Finding, Level, Span};

/// How often a tool is called, in the turn or the whole session. Calls that ended in an error count.
///
/// `max = 0` says "never": `min` is then 0. When `args` is given, only calls whose arguments match count; arguments
/// that are not valid JSON never match, and when arguments were not recorded and the verdict depends on them it is an
/// error. The tool must be seen in some session of the run or be listed in `[suite] tools`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The tool's name, or a glob such as `delete_*`; `*` is any tool.
    tool: Glob,
    /// What the arguments must match to count; a plain table means equality, `{ "$partial" = {..} }` leaves other
    /// keys free.
    args: Option<Matcher>,
    /// At least this many. Default 1, and 0 with `max = 0`.
    min: Option<u64>,
    /// At most this many.
    max: Option<u64>,
}

impl Params for Calls {
    const NAME: &'static str = "calls";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"looks-first\"\ncheck = \"calls\"\ntool = \"look_up\"\nargs = { id = { \"$matches\" = \"^[A-Z]+$\" } }\nmax = 2\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"look_up","input":{"id":"ABC"}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"look_up","input":{"id":"abc"}}]}]}"#,
        },
        Example {
            check: "[[session]]\nid = \"never-deletes\"\ncheck = \"calls\"\ntool = \"delete_account\"\nmax = 0\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"look_up","input":{}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"delete_account","input":{}}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let min = self.min.unwrap_or(u64::from(self.max != Some(0)));
        if let Some(max) = self.max.filter(|max| min > *max) {
            build.problem(&["min"], format!("`min` ({min}) is larger than `max` ({max})"), None);
            return None;
        }
        if min == 0 && self.max.is_none() {
            let help = "give `max`, or a `min` of at least 1".to_owned();
            build.problem(&["min"], "`min = 0` without `max` decides nothing", help);
            return None;
        }
        Some(Compiled::scope(build.level, Counted { tool: self.tool, args: self.args, min, max: self.max }))
    }

    fn tool_names(&self) -> Vec<String> {
        // "Any tool" cannot be misspelled.
        if self.tool.as_str() == "*" { Vec::new() } else { vec![self.tool.as_str().to_owned()] }
    }
}

struct Counted {
    tool: Glob,
    args: Option<Matcher>,
    min: u64,
    max: Option<u64>,
}

impl Counted {
    /// Whether a call of the tool counts; `None` when its arguments were not recorded.
    fn counts(&self, span: &Span<'_>) -> Option<bool> {
        let Some(args) = &self.args else { return Some(true) };
        span.input.as_ref().map(|input| input.json().is_some_and(|value| args.matches(Some(value))))
    }

    fn allows(&self, n: usize) -> bool {
        n as u64 >= self.min && self.max.is_none_or(|max| n as u64 <= max)
    }

    fn wanted(&self) -> String {
        let times = match (self.min, self.max) {
            (_, Some(0)) => "no call".to_owned(),
            (min, Some(max)) if min == max => format!("exactly {min}"),
            (0, Some(max)) => format!("at most {max}"),
            (min, Some(max)) => format!("{min} to {max}"),
            (min, None) => format!("at least {min}"),
        };
        let args = self.args.as_ref().map(|a| format!(" with arguments {}", describe::short(a, 160)));
        format!("{times} of {}{}", self.tool.as_str(), args.unwrap_or_default())
    }
}

impl ScopeCheck for Counted {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NAME | Parts::INPUT)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let named: Vec<(usize, &Span<'_>)> = scope.calls().filter(|(_, s)| self.tool.is_match(&s.name)).collect();
        let hits: Vec<usize> = named.iter().filter(|(_, s)| self.counts(s) == Some(true)).map(|(i, _)| *i).collect();
        let unknown = named.iter().filter(|(_, s)| self.counts(s).is_none()).count();
        let too_many = self.max.is_some_and(|max| hits.len() as u64 > max);
        if let Some(hidden) = scope.hidden_calls().filter(|_| !too_many) {
            return hidden;
        }
        // Every count between the extremes is possible, so all of them must agree.
        let mut possible = (hits.len()..=hits.len() + unknown).map(|n| self.allows(n));
        if possible.clone().any(|ok| ok != self.allows(hits.len())) {
            let missing = named.iter().find(|(_, s)| self.counts(s).is_none()).map(|(i, _)| *i);
            let finding = Finding::error(format!(
                "the verdict depends on arguments of {} that were not recorded in {unknown} of its calls",
                self.tool.as_str()
            ));
            return missing.into_iter().fold(finding, |f, i| f.with(Evidence::span(i, Field::Input)));
        }
        if possible.next() == Some(true) {
            return Finding::pass();
        }
        self.failure(scope, &named, &hits)
    }
}

impl Counted {
    fn failure(&self, scope: &Scope<'_>, named: &[(usize, &Span<'_>)], hits: &[usize]) -> Finding {
        let got = describe::list(named.iter().map(|(_, s)| describe::made(s)));
        let counted =
            if hits.len() == named.len() { String::new() } else { format!(", of which {} count", hits.len()) };
        let reason = format!("expected {}; actual: {got}{counted}", self.wanted());
        let broken =
            self.args.is_some() && named.iter().any(|(_, s)| s.input.as_ref().is_some_and(|p| p.json().is_none()));
        let note = if broken { "; some arguments are not valid JSON" } else { "" };
        let finding = Finding::fail(format!("{reason}{note}"));
        // Too many: those past the limit. Too few: those that almost counted.
        let too_many = self.max.filter(|max| hits.len() as u64 > *max);
        let pointed: Vec<Evidence> = match too_many {
            Some(max) => hits.iter().skip(max as usize).map(|i| Evidence::span(*i, Field::Whole)).collect(),
            None => {
                named.iter().filter(|(i, _)| !hits.contains(i)).map(|(i, _)| Evidence::span(*i, Field::Input)).collect()
            }
        };
        if pointed.is_empty() {
            return finding.with(describe::scope_evidence(scope));
        }
        Finding { evidence: pointed.into_iter().take(20).collect(), ..finding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{calling, examples_hold, problems, run, run_turn};
    use crate::model::Status;

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Calls>();
    }

    #[test]
    fn at_least_one_call_is_asked_for_by_default() {
        assert_eq!(run::<Calls>("tool = 'f'", &calling(&["g", "f"])).status, Status::Pass);
        let failed = run::<Calls>("tool = 'f'", &calling(&["g"]));
        assert_eq!(failed.status, Status::Fail);
        assert_eq!(failed.reason, "expected at least 1 of f; actual: no calls");
        assert_eq!(failed.evidence, [Evidence::session(Field::Whole)]);
    }

    #[test]
    fn max_zero_says_never() {
        assert_eq!(run::<Calls>("tool = 'f'\nmax = 0", &calling(&["g"])).status, Status::Pass);
        let failed = run::<Calls>("tool = 'f'\nmax = 0", &calling(&["g", "!f"]));
        assert_eq!((failed.status, failed.evidence), (Status::Fail, vec![Evidence::span(1, Field::Whole)]));
    }

    #[test]
    fn both_bounds_include_their_ends() {
        let status = |n: usize| run::<Calls>("tool = 'f'\nmin = 2\nmax = 3", &calling(&vec!["f"; n])).status;
        assert_eq!([1, 2, 3, 4].map(status), [Status::Fail, Status::Pass, Status::Pass, Status::Fail]);
    }

    #[test]
    fn only_calls_whose_arguments_match_count() {
        let parameters = "tool = 'f'\nargs = { x = 1 }\nmax = 1";
        assert_eq!(run::<Calls>(parameters, &calling(&["f {\"x\":1.0}", "f {\"x\":2}"])).status, Status::Pass);
        let failed = run::<Calls>(parameters, &calling(&["f {\"x\":2}", "f {\"x\":1,\"y\":0}", "f {"]));
        assert_eq!(failed.status, Status::Fail);
        assert!(failed.reason.contains("of which 0 count") && failed.reason.contains("not valid JSON"));
        assert_eq!(failed.evidence.len(), 3);
    }

    #[test]
    fn arguments_that_were_not_recorded_are_an_error_where_they_would_decide() {
        let line = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f"}]}]}"#;
        assert_eq!(run::<Calls>("tool = 'f'\nargs = { x = 1 }", line).status, Status::Error);
        assert_eq!(run::<Calls>("tool = 'f'\nargs = { x = 1 }\nmax = 0", line).status, Status::Error);
        assert_eq!(run::<Calls>("tool = 'f'\nargs = { x = 1 }\nmax = 1\nmin = 0", line).status, Status::Pass);
        assert_eq!(run::<Calls>("tool = 'f'\nargs = { x = 1 }\nmin = 2", line).status, Status::Fail);
        assert_eq!(run::<Calls>("tool = 'f'", line).status, Status::Pass);
        // Neither end passes, but a count between them would.
        let two = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f"},{"kind":"tool","name":"f"}]}]}"#;
        assert_eq!(run::<Calls>("tool = 'f'\nargs = { x = 1 }\nmax = 1", two).status, Status::Error);
    }

    #[test]
    fn a_turn_counts_its_own_calls() {
        let line = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f"}]},{"spans":[]}]}"#;
        assert_eq!(run_turn::<Calls>("tool = 'f'", line, 0).status, Status::Pass);
        assert_eq!(run_turn::<Calls>("tool = 'f'", line, 1).status, Status::Fail);
    }

    #[test]
    fn bounds_that_contradict_or_decide_nothing_are_refused() {
        assert_eq!(
            problems::<Calls>(Level::Session, "tool = 'f'\nmin = 3\nmax = 2"),
            ["min: `min` (3) is larger than `max` (2)"]
        );
        assert_eq!(problems::<Calls>(Level::Session, "tool = 'f'\nmin = 1\nmax = 0").len(), 1);
        assert_eq!(problems::<Calls>(Level::Session, "tool = 'f'\nmin = 0").len(), 1);
    }

    #[test]
    fn the_tool_must_exist_somewhere() {
        assert_eq!(toml::from_str::<Calls>("tool = 'f'").unwrap().tool_names(), ["f"]);
        // A glob too must match some tool; any tool at all cannot be misspelled.
        assert_eq!(toml::from_str::<Calls>("tool = 'delete_*'").unwrap().tool_names(), ["delete_*"]);
        assert_eq!(toml::from_str::<Calls>("tool = '*'").unwrap().tool_names(), [""; 0]);
    }

    #[test]
    fn a_glob_counts_the_calls_of_every_tool_it_matches() {
        let status = |tool: &str, calls: &[&str]| {
            run::<Calls>(&format!("tool = '{tool}'\nmin = 2\nmax = 2"), &calling(calls)).status
        };
        let calls = ["delete_a", "db/delete_b", "delete_c"];
        assert_eq!(status("delete_*", &calls), Status::Pass);
        assert_eq!(status("*delete_*", &calls), Status::Fail);
        assert_eq!(status("*delete_[bc]", &calls), Status::Pass);
        assert_eq!(status("{delete_a,delete_c}", &calls), Status::Pass);
        assert_eq!(status("delete", &calls), Status::Fail);
        assert!(toml::from_str::<Calls>("tool = 'delete_['").is_err());
    }
}
