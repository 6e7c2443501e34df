//! `order`: one tool before, right after, or never after another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::describe;
use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::Scope;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck};
use crate::model::{Evidence, Field, Finding, Level, Span};

/// The order in which two tools are called, in the turn or the whole session. Calls that ended in an error count.
///
/// Where `first` is not called the check does not apply. Where `then` is not called it fails, except under
/// `never_after`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The tool that comes first.
    first: String,
    /// The tool that follows, or must not.
    then: String,
    /// What must hold. Default `before`.
    #[serde(default)]
    rule: OrderRule,
    /// For `rule = "within"`: how many calls later `then` may come at most; 1 is the very next call.
    within: Option<u64>,
}

/// What must hold of two tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OrderRule {
    /// `then` is called, and not before the first call of `first`.
    #[default]
    Before,
    /// The call right after each `first` is `then`.
    Immediately,
    /// `then` is not called after any `first`.
    NeverAfter,
    /// After each `first`, `then` comes within that many calls.
    Within,
}

impl Params for Order {
    const NAME: &'static str = "order";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"looks-before-it-cancels\"\ncheck = \"order\"\nfirst = \"look_up\"\nthen = \"cancel\"\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"look_up"},{"kind":"tool","name":"cancel"}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"cancel"},{"kind":"tool","name":"look_up"}]}]}"#,
        },
        Example {
            check: "[[session]]\nid = \"no-booking-after-hand-over\"\ncheck = \"order\"\nfirst = \"hand_over\"\nthen = \"book\"\nrule = \"never_after\"\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"book"},{"kind":"tool","name":"hand_over"}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"hand_over"},{"kind":"tool","name":"book"}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.first == self.then && self.rule != OrderRule::NeverAfter {
            build.problem(&["then"], "`first` and `then` are the same tool, which can never hold", None);
        }
        match (self.rule, self.within) {
            (OrderRule::Within, None) => {
                build.problem(
                    &["rule"],
                    "`rule = \"within\"` needs `within`",
                    "such as `within = 3`: at most three calls later".to_owned(),
                );
            }
            (OrderRule::Within, Some(0)) => {
                build.problem(&["within"], "`within` is at least 1: the very next call", None);
            }
            (OrderRule::Within, _) | (_, None) => {}
            _ => build.problem(&["within"], "`within` belongs to `rule = \"within\"`", None),
        }
        build.problems.iter().all(|p| p.warning).then(|| Compiled::scope(build.level, self))
    }

    fn tool_names(&self) -> Vec<String> {
        vec![self.first.clone(), self.then.clone()]
    }
}

impl ScopeCheck for Order {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NAME | Parts::INPUT)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        if let Some(hidden) = scope.hidden_calls() {
            return hidden;
        }
        let calls: Vec<(usize, &Span<'_>)> = scope.calls().collect();
        let at = |name: &str| -> Vec<usize> {
            calls.iter().enumerate().filter(|(_, (_, s))| s.name == name).map(|(i, _)| i).collect()
        };
        let (firsts, thens) = (at(&self.first), at(&self.then));
        let Some(&start) = firsts.first() else {
            return Finding::not_applicable(format!("{} is not called in {}", self.first, scope.name()));
        };
        if thens.is_empty() && self.rule != OrderRule::NeverAfter {
            return self.failure(&calls, format!("{} is not called", self.then), &[start]);
        }
        match self.rule {
            OrderRule::Before => match thens.first().filter(|&&t| t < start) {
                None => Finding::pass(),
                Some(&early) => {
                    let what = format!("call {} is {}, before the first {}", early + 1, self.then, self.first);
                    self.failure(&calls, what, &[early, start])
                }
            },
            OrderRule::NeverAfter => {
                let late: Vec<usize> = thens.into_iter().filter(|&t| t > start).collect();
                let Some(&first) = late.first() else { return Finding::pass() };
                let what = format!("call {} is {}, after {} at call {}", first + 1, self.then, self.first, start + 1);
                self.failure(&calls, what, &late)
            }
            OrderRule::Immediately => self.follows(&calls, &firsts, &thens, 1),
            OrderRule::Within => self.follows(&calls, &firsts, &thens, self.within.unwrap_or(1)),
        }
    }
}

impl Order {
    /// Whether each `first` has a `then` no more than `distance` calls later.
    fn follows(&self, calls: &[(usize, &Span<'_>)], firsts: &[usize], thens: &[usize], distance: u64) -> Finding {
        let alone = firsts.iter().copied().find(|&first| {
            let next = thens.partition_point(|&t| t <= first);
            thens.get(next).is_none_or(|&t| (t - first) as u64 > distance)
        });
        let Some(first) = alone else { return Finding::pass() };
        let next = thens.get(thens.partition_point(|&t| t <= first));
        let after = match (next, calls.get(first + 1)) {
            (Some(&t), _) => format!("the next {} is call {}", self.then, t + 1),
            (None, Some((_, span))) => {
                format!("the next call is {}, and no {} follows", describe::clip(&span.name, 80), self.then)
            }
            (None, None) => "no call follows".to_owned(),
        };
        let pointed: Vec<usize> = std::iter::once(first).chain(next.copied()).collect();
        self.failure(calls, format!("call {} is {}; {after}", first + 1, self.first), &pointed)
    }

    fn failure(&self, calls: &[(usize, &Span<'_>)], what: String, pointed: &[usize]) -> Finding {
        let expected = match self.rule {
            OrderRule::Before => format!("{} before {}", self.first, self.then),
            OrderRule::Immediately => format!("{} right after each {}", self.then, self.first),
            OrderRule::NeverAfter => format!("no {} after {}", self.then, self.first),
            OrderRule::Within => {
                format!("{} at most {} calls after each {}", self.then, self.within.unwrap_or(1), self.first)
            }
        };
        let actual = describe::list(calls.iter().map(|(_, s)| describe::clip(&s.name, 80)));
        let evidence = pointed.iter().take(20).map(|&i| Evidence::span(calls[i].0, Field::Whole)).collect();
        Finding { evidence, ..Finding::fail(format!("expected {expected}; actual: {actual}; {what}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{calling, examples_hold, problems, run};
    use crate::model::Status;

    fn status(rule: &str, calls: &[&str]) -> Status {
        run::<Order>(&format!("first = 'f'\nthen = 'g'\n{rule}"), &calling(calls)).status
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Order>();
    }

    #[test]
    fn does_not_apply_where_first_is_not_called() {
        for rule in ["before", "immediately", "never_after"] {
            let finding = run::<Order>(&format!("first = 'f'\nthen = 'g'\nrule = '{rule}'"), &calling(&["g"]));
            assert!(!finding.applies && finding.status != Status::Pass, "{rule}");
        }
    }

    #[test]
    fn then_that_is_not_called_fails_except_under_never_after() {
        assert_eq!(status("rule = 'before'", &["f"]), Status::Fail);
        assert_eq!(status("rule = 'immediately'", &["f"]), Status::Fail);
        assert_eq!(status("rule = 'within'\nwithin = 9", &["f"]), Status::Fail);
        assert_eq!(status("rule = 'never_after'", &["f"]), Status::Pass);
    }

    #[test]
    fn before_is_the_default_and_looks_at_the_first_of_each() {
        assert_eq!(status("", &["h", "f", "h", "g"]), Status::Pass);
        assert_eq!(status("", &["f", "g", "f"]), Status::Pass);
        assert_eq!(status("", &["g", "f", "g"]), Status::Fail);
    }

    #[test]
    fn immediately_holds_for_each_first() {
        assert_eq!(status("rule = 'immediately'", &["f", "g", "h", "f", "g"]), Status::Pass);
        assert_eq!(status("rule = 'immediately'", &["f", "g", "f", "h", "g"]), Status::Fail);
        assert_eq!(status("rule = 'immediately'", &["f", "f", "g"]), Status::Fail);
    }

    #[test]
    fn never_after_looks_behind_the_first_first() {
        assert_eq!(status("rule = 'never_after'", &["g", "f"]), Status::Pass);
        assert_eq!(status("rule = 'never_after'", &["f", "h", "g"]), Status::Fail);
        let once = "first = 'f'\nthen = 'f'\nrule = 'never_after'";
        assert_eq!(run::<Order>(once, &calling(&["f"])).status, Status::Pass);
        assert_eq!(run::<Order>(once, &calling(&["f", "f"])).status, Status::Fail);
    }

    #[test]
    fn within_counts_calls() {
        assert_eq!(status("rule = 'within'\nwithin = 2", &["f", "h", "g"]), Status::Pass);
        assert_eq!(status("rule = 'within'\nwithin = 2", &["f", "h", "h", "g"]), Status::Fail);
        assert_eq!(status("rule = 'within'\nwithin = 1", &["f", "g"]), Status::Pass);
    }

    #[test]
    fn the_reason_names_the_calls_and_evidence_points_at_them() {
        let failed = run::<Order>("first = 'f'\nthen = 'g'", &calling(&["g", "f"]));
        assert_eq!(failed.reason, "expected f before g; actual: 1. g, 2. f; call 1 is g, before the first f");
        assert_eq!(failed.evidence, [Evidence::span(0, Field::Whole), Evidence::span(1, Field::Whole)]);
    }

    #[test]
    fn parameters_that_cannot_hold_are_refused() {
        let found = |toml: &str| problems::<Order>(Level::Session, toml).join("; ");
        assert!(found("first = 'f'\nthen = 'f'").starts_with("then:"));
        assert!(found("first = 'f'\nthen = 'g'\nrule = 'within'").starts_with("rule:"));
        assert!(found("first = 'f'\nthen = 'g'\nrule = 'within'\nwithin = 0").starts_with("within:"));
        assert!(found("first = 'f'\nthen = 'g'\nwithin = 2").starts_with("within:"));
    }
}
