//! `review` of a check: which of its verdicts wait for a person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::{Pos, Sink};
use crate::checks::Compiled;
use crate::checks::build::Rule;
use crate::model::{Finding, Level};

/// Which verdicts wait for a person; any reason is enough.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Those with less confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// All of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// Those on cases or sessions with one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Review {
    /// Lets a person decide where that is asked for. What could not be measured stays an error: nobody could tell.
    pub fn of(&self, finding: &mut Finding, tags: &[String]) {
        let unsure = self.below.filter(|below| finding.confidence < below - 1e-9);
        if self.always {
            finding.hold("every verdict waits for a person");
        } else if let Some(tag) = self.tags.iter().find(|tag| tags.contains(tag)) {
            finding.hold(&format!("a person decides where the tag `{tag}` is"));
        } else if let Some(below) = unsure {
            finding.hold(&format!("less sure than {below}"));
        }
    }

    /// What is wrong with it, at the check that it is written in: says nothing, or what can never come true.
    pub(super) fn check(&self, rule: &Rule, level: Level, compiled: Option<&Compiled>, at: &Pos, sink: &mut Sink<'_>) {
        if level == Level::System {
            let help = "put it on the checks that it is computed from".to_owned();
            return sink.error(at, "no person decides what is computed over all sessions", help);
        }
        if *self == Self::default() {
            let help = "`below = 0.8`, `tags = [\"refund\"]` or `always = true`".to_owned();
            return sink.error(at, "`review` does not say which verdicts wait for a person", help);
        }
        let Some(below) = self.below else { return };
        if !(below > 0.0 && below <= 1.0) {
            return sink.error(at, "`below` is a confidence, above 0 and at most 1", None);
        }
        match compiled {
            Some(Compiled::Asking(check)) => {
                let reach = check.reach();
                if below > reach.confidence + 1e-9 {
                    let message = format!(
                        "{} at most {:.2}: every verdict would be less sure than {below}",
                        reach.why, reach.confidence
                    );
                    let help = "ask for more votes, or a lower confidence, or write `always = true`".to_owned();
                    sink.error(at, message, help);
                }
            }
            Some(_) => {
                let help = "leave out `below`, or write `always = true`".to_owned();
                sink.warn(at, format!("`{}` is always sure: `below` never holds a verdict", rule.name), help);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    fn held(review: &Review, confidence: f64, finding: Finding, tags: &[&str]) -> (Status, Option<Status>) {
        let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
        let mut finding = Finding { confidence, ..finding };
        review.of(&mut finding, &tags);
        (finding.status, finding.proposal)
    }

    #[test]
    fn a_verdict_waits_when_it_is_not_sure_enough_and_what_it_would_be_is_its_proposal() {
        let below = Review { below: Some(0.8), ..Review::default() };
        assert_eq!(held(&below, 0.6, Finding::pass(), &[]), (Status::Held, Some(Status::Pass)));
        assert_eq!(held(&below, 0.6, Finding::fail("no"), &[]), (Status::Held, Some(Status::Fail)));
        assert_eq!(held(&below, 0.8, Finding::pass(), &[]), (Status::Pass, None), "the threshold itself is enough");
    }

    #[test]
    fn a_tag_or_always_holds_whatever_the_confidence() {
        let risky = Review { tags: vec!["refund".to_owned()], ..Review::default() };
        assert_eq!(held(&risky, 1.0, Finding::pass(), &["refund"]).0, Status::Held);
        assert_eq!(held(&risky, 1.0, Finding::pass(), &["other"]).0, Status::Pass);
        let always = Review { always: true, ..Review::default() };
        assert_eq!(held(&always, 1.0, Finding::pass(), &[]).0, Status::Held);
    }

    #[test]
    fn what_was_not_measured_is_never_held() {
        let always = Review { always: true, ..Review::default() };
        assert_eq!(held(&always, 1.0, Finding::error("judge down"), &[]), (Status::Error, None));
    }
}
