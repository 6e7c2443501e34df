//! `recovers`: what an agent does after a tool call that failed.

use regex::{RegexSet, RegexSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::{Scope, SpanSubject};
use crate::checks::text::quote;
use crate::checks::{Compiled, SpanCheck};
use crate::model::{Evidence, Field, Finding, Level, Span, SpanKind, SpanStatus};

/// After a tool call that ended in an error the agent recovers: one of its next calls in the same turn succeeds, of the
/// same tool (it calls again) or of another (it changes course); or else its reply tells the user.
///
/// It is about calls that ended in an error; to others, and to spans that are no tool call, it does not apply. Calls are
/// looked at in start order. Where the recording does not say how a call ended, or what the reply was, and the verdict
/// depends on it, it is an error. That a reply tells the user is seen by its words alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovers {
    /// How many of the next calls are looked at, at least 1.
    #[serde(default = "few")]
    within: u64,
    /// Regular expressions, one of which a reply that tells the user matches, in any case of letters. By default English
    /// words for it, such as "unable", "could not", "went wrong", "try again later". An empty list counts no reply.
    tells: Option<Vec<String>>,
}

fn few() -> u64 {
    3
}

/// How English replies say that something did not work. Narrow on purpose: "no problem" and "do not hesitate" tell
/// nothing, and a reply that is taken for an admission would be a pass.
const TELLS: &[&str] = &[
    r"\b(?:un|not )able to\b",
    r"\b(?:can|could)(?: ?not|n['\u2019]t)\b",
    r"\b(?:did|does|has|have|was|were|is|are)(?: not|n['\u2019]t) (?:work|succeed|go through|available|possible|found|respond)",
    r"\b(?:an error|a failure|a problem with|problems with|an issue with|issues with|(?:had|having|ran into) (?:an? )?(?:trouble|problem|issue|difficult))",
    r"\b(?:failed|fails|unavailable|unsuccessful|timed out|went wrong|try again|unfortunately)\b",
];

/// Compiled.
struct AfterError {
    within: usize,
    tells: RegexSet,
}

impl Params for Recovers {
    const NAME: &'static str = "recovers";
    const LEVELS: &'static [Level] = &[Level::Span];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[span]]
id    = "does-not-give-up"
on    = { kind = "tool", status = "error" }
check = "recovers"
within = 2
"#,
        passes: r#"{"id":"again","turns":[{"spans":[{"kind":"tool","name":"search","status":"error"},{"kind":"tool","name":"search","status":"ok"}],"reply":"Found it."}]}
{"id":"tells","turns":[{"spans":[{"kind":"tool","name":"search","status":"error"}],"reply":"I could not reach the catalogue."}]}"#,
        fails: r#"{"id":"pretends","turns":[{"spans":[{"kind":"tool","name":"refund","status":"error"}],"reply":"Your refund is on its way."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.within == 0 {
            build.problem(&["within"], "`within` is at least 1: the very next call", None);
        }
        let given = self.tells.is_some();
        let tells = self.tells.unwrap_or_else(|| TELLS.iter().map(|&t| t.to_owned()).collect());
        if given {
            for (i, pattern) in tells.iter().enumerate() {
                if let Err(why) = regex::Regex::new(pattern) {
                    build.problem(&["tells", &i.to_string()], format!("not a regular expression: {why}"), None);
                }
            }
        }
        if build.problems.iter().any(|p| !p.warning) {
            return None;
        }
        match RegexSetBuilder::new(&tells).case_insensitive(true).build() {
            Ok(tells) => {
                let within = usize::try_from(self.within).unwrap_or(usize::MAX);
                Some(Compiled::Span(Box::new(AfterError { within, tells })))
            }
            Err(why) => {
                build.problem(&["tells"], format!("cannot search for this: {why}"), None);
                None
            }
        }
    }
}

impl SpanCheck for AfterError {
    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let span = subject.span;
        if span.kind != SpanKind::Tool {
            return Finding::not_applicable(format!("`{}` is no tool call", span.name));
        }
        match span.status {
            SpanStatus::Ok => return Finding::not_applicable(format!("`{}` did not end in an error", span.name)),
            SpanStatus::Unset => {
                return Finding::error(format!("the recording does not say how `{}` ended", span.name));
            }
            SpanStatus::Error => {}
        }
        let scope = Scope { scene: subject.scene, turn: subject.turn };
        let calls: Vec<(usize, &Span<'_>)> = match subject.turn {
            Some(_) => scope.calls().collect(),
            // Before the first turn there is nobody to tell anything, and no turn to keep within.
            None => crate::model::tool_calls(subject.scene.session.spans.iter().enumerate()).collect(),
        };
        let after = calls.iter().skip_while(|(ordinal, _)| *ordinal != subject.ordinal).skip(1).take(self.within);
        let after: Vec<&(usize, &Span<'_>)> = after.collect();
        if after.iter().any(|(_, s)| s.status == SpanStatus::Ok) {
            return Finding::pass();
        }
        let reply = subject.turn.and_then(|i| subject.scene.session.turns.get(i)).map(|turn| turn.reply.as_ref());
        if let Some(Some(reply)) = reply
            && self.tells.is_match(reply)
        {
            return Finding::pass();
        }
        self.not_seen(subject, &scope, &after, reply.map(|r| r.map(|r| r.as_str())))
    }
}

impl AfterError {
    /// Neither a call that succeeded nor a reply that tells the user: a failure, unless the recording may hide one.
    fn not_seen(
        &self,
        subject: &SpanSubject<'_>,
        scope: &Scope<'_>,
        after: &[&(usize, &Span<'_>)],
        reply: Option<Option<&str>>,
    ) -> Finding {
        let name = &subject.span.name;
        if let Some((ordinal, unset)) = after.iter().find(|(_, s)| s.status == SpanStatus::Unset) {
            let why = format!("after `{name}` failed, the recording does not say how `{}` ended", unset.name);
            return Finding::error(why).with(Evidence::span(*ordinal, Field::Whole));
        }
        if after.len() < self.within
            && let Some(hidden) = scope.hidden_calls()
        {
            return hidden;
        }
        let said = match reply {
            Some(None) if !self.tells.is_empty() => {
                return Finding::error(format!(
                    "after `{name}` failed no call succeeded, and the recording has no reply that could tell the user"
                ));
            }
            Some(Some(reply)) => format!("the reply does not tell the user: {}", quote(reply)),
            Some(None) => "no reply counts as telling the user (`tells = []`)".to_owned(),
            None => "it was before the user's first message".to_owned(),
        };
        let tried = match after {
            [] => "no call follows".to_owned(),
            [(_, one)] => format!("the next call, `{}`, fails too", one.name),
            many => format!("the next {} calls fail too", many.len()),
        };
        let mut finding = Finding::fail(format!("`{name}` ended in an error; {tried}, and {said}"))
            .with(Evidence::span(subject.ordinal, Field::Whole));
        if let (Some(turn), Some(Some(_))) = (subject.turn, reply) {
            finding = finding.with(Evidence::turn(turn, Field::Reply));
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, findings};
    use crate::checks::select::Selector;
    use crate::model::Status::{self, Error, Fail, Pass};

    /// The findings of those calls that the check applies to, in a turn of calls such as `!search` (failed) or
    /// `?search` (not said).
    fn after(toml: &str, calls: &[&str], reply: Option<&str>) -> Vec<(Status, String)> {
        let spans: Vec<String> = calls
            .iter()
            .map(|call| {
                let (status, name) = match call.split_at(1) {
                    ("!", name) => ("error", name),
                    ("?", name) => ("unset", name),
                    _ => ("ok", *call),
                };
                format!(r#"{{"kind":"tool","name":"{name}","status":"{status}","input":{{}}}}"#)
            })
            .collect();
        let reply = reply.map(|r| format!(r#","reply":{}"#, serde_json::to_string(r).unwrap())).unwrap_or_default();
        let session = format!(r#"{{"id":"s","turns":[{{"spans":[{}]{reply}}}]}}"#, spans.join(","));
        let compiled = build::<Recovers>(Level::Span, toml).unwrap();
        let found = findings(&compiled, &Selector::default(), &session);
        found.into_iter().filter(|f| f.applies).map(|f| (f.status, f.reason)).collect()
    }

    fn statuses(toml: &str, calls: &[&str], reply: Option<&str>) -> Vec<Status> {
        after(toml, calls, reply).into_iter().map(|(status, _)| status).collect()
    }

    #[test]
    fn the_examples_hold() {
        examples::<Recovers>();
    }

    #[test]
    fn a_later_call_that_succeeds_is_a_recovery() {
        let done = Some("Done.");
        assert_eq!(statuses("", &["!a", "a"], done), [Pass]);
        assert_eq!(statuses("", &["!a", "b"], done), [Pass]);
        assert_eq!(statuses("", &["!a", "!a", "!b", "c"], done), [Pass, Pass, Pass]);
        assert_eq!(statuses("within = 1", &["!a", "!a", "b"], done), [Fail, Pass]);
    }

    #[test]
    fn a_call_before_the_error_is_none() {
        assert_eq!(statuses("", &["a", "!a"], Some("Done.")), [Fail]);
    }

    #[test]
    fn a_reply_that_tells_the_user_is_one_too() {
        for reply in [
            "I couldn\u{2019}t book it.",
            "UNFORTUNATELY not.",
            "The service timed out, try again later.",
            "That did not work.",
        ] {
            assert_eq!(statuses("", &["!a"], Some(reply)), [Pass], "{reply}");
        }
        for reply in
            ["Your flight is booked.", "No problem, done!", "Done. Do not hesitate to ask.", "I will issue it."]
        {
            assert_eq!(statuses("", &["!a"], Some(reply)), [Fail], "{reply}");
        }
        assert_eq!(statuses("tells = ['leider']", &["!a"], Some("Leider ging das nicht.")), [Pass]);
        assert_eq!(statuses("tells = []", &["!a"], Some("It failed.")), [Fail]);
    }

    #[test]
    fn what_the_recording_does_not_say_is_an_error_where_it_decides() {
        assert_eq!(statuses("", &["?a"], Some("Done.")), [Error]);
        assert_eq!(statuses("", &["!a", "?b"], Some("Done.")), [Error, Error]);
        assert_eq!(statuses("", &["!a", "?b", "b"], Some("Done.")), [Pass, Error]);
        assert_eq!(statuses("", &["!a"], None), [Error]);
        assert_eq!(statuses("tells = []", &["!a"], None), [Fail]);
    }

    #[test]
    fn a_call_that_succeeded_is_no_subject() {
        assert_eq!(statuses("", &["a", "b"], Some("Done.")), []);
    }

    #[test]
    fn the_reason_says_what_followed() {
        let (_, reason) = &after("within = 1", &["!refund", "!refund"], Some("Your refund is on its way."))[0];
        assert_eq!(
            reason,
            "`refund` ended in an error; the next call, `refund`, fails too, and the reply does not tell the user: \
             \"Your refund is on its way.\""
        );
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused() {
        assert!(build::<Recovers>(Level::Span, "within = 0").err().is_some_and(|e| e.starts_with("within:")));
        assert!(build::<Recovers>(Level::Span, "tells = ['(']").err().is_some_and(|e| e.starts_with("tells.0:")));
    }
}
