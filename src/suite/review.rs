//! `review` of a check and `[review]` of a suite: which verdicts go to a person, which of them wait, and how the person's
//! answer is come by. The keys are here; [`Routes`] sends a finding where they say.
//!
//! It is no part of a check's digest: what a check says does not depend on who looks at it, and labels stay good when a
//! threshold is moved.

mod routes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::raw::{Missing, Pos, Sink, read_rest, span_at};
use super::resolve::Resolver;
use crate::checks::Compiled;
use crate::checks::build::Rule;
use crate::checks::detect::{Detector, Detectors};
use crate::model::{Level, Severity, duration};

pub use routes::{Around, Routes};

/// Which verdicts go to a person: any reason is enough. All but those of `audit` wait for the person (`held`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// Those with less confidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// All of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<bool>,
    /// Those on cases or sessions with one of these tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Those of checks with one of these severities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severities: Option<Vec<Severity>>,
    /// Those whose votes, or the judges of a panel, differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<bool>,
    /// Those where one of these detectors finds something in what the check saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detect: Option<Vec<String>>,
    /// The share, above 0 and up to 1, of those that nothing else sends, drawn at random. They do not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<f64>,
    /// How many people have to agree, 1 to 15. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<u32>,
    /// How long a person has, such as `"2d"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// What is not decided by then is closed, and stays held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<bool>,
}

/// Most people that are asked over one verdict.
const MOST_REVIEWERS: u32 = 15;

impl Review {
    /// With what this one does not say as `other` says it.
    fn or(self, other: &Review) -> Review {
        let other = other.clone();
        Review {
            below: self.below.or(other.below),
            always: self.always.or(other.always),
            tags: self.tags.or(other.tags),
            severities: self.severities.or(other.severities),
            disagreement: self.disagreement.or(other.disagreement),
            detect: self.detect.or(other.detect),
            audit: self.audit.or(other.audit),
            reviewers: self.reviewers.or(other.reviewers),
            due: self.due.or(other.due),
            expire: self.expire.or(other.expire),
        }
    }

    /// Whether it may send any verdict to a person.
    fn sends(&self) -> bool {
        self.below.is_some()
            || self.always == Some(true)
            || self.disagreement == Some(true)
            || self.audit.is_some()
            || [&self.tags, &self.detect].into_iter().flatten().any(|list| !list.is_empty())
            || self.severities.as_ref().is_some_and(|list| !list.is_empty())
    }

    /// How many people have to agree.
    pub fn reviewers(&self) -> u32 {
        self.reviewers.unwrap_or(1)
    }

    /// How long a person has, in milliseconds; `None` is for ever.
    pub fn due_ms(&self) -> Option<i64> {
        let due = duration::parse(self.due.as_deref()?).ok()?;
        i64::try_from(due.as_millis()).ok()
    }

    /// What is wrong with it, wherever it is written: key, message and help.
    fn problems(&self, detectors: &Detectors) -> Vec<(&'static str, String, Option<String>)> {
        let mut found = Vec::new();
        if self.below.is_some_and(|below| !(below > 0.0 && below <= 1.0)) {
            found.push(("below", "`below` is a confidence, above 0 and at most 1".to_owned(), None));
        }
        if self.audit.is_some_and(|rate| !(rate > 0.0 && rate <= 1.0)) {
            let help = "such as `audit = 0.05`, one of twenty; leave it out for none".to_owned();
            found.push(("audit", "`audit` is a share, above 0 and at most 1".to_owned(), Some(help)));
        }
        if self.reviewers.is_some_and(|n| !(1..=MOST_REVIEWERS).contains(&n)) {
            found.push(("reviewers", format!("`reviewers` is from 1 to {MOST_REVIEWERS}"), None));
        }
        for name in self.detect.iter().flatten().filter(|name| detectors.get(name).is_none()) {
            let help = match detectors.nearest(name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", detectors.iter().map(Detector::name).collect::<Vec<_>>().join(", ")),
            };
            found.push(("detect", format!("there is no detector `{name}`"), Some(help)));
        }
        match (&self.due, self.expire) {
            (Some(due), _) if duration::parse(due).is_err() => {
                let help = "write it as `\"4h\"`, `\"2d\"` or `\"1w\"`".to_owned();
                found.push(("due", format!("`{due}` is not a duration"), Some(help)));
            }
            (None, Some(true)) => {
                found.push((
                    "expire",
                    "`expire` needs `due`: when it is".to_owned(),
                    Some("such as `due = \"2d\"`".into()),
                ));
            }
            _ => {}
        }
        found
    }
}

/// What a check's review must know of it.
pub(super) struct Checked<'c> {
    pub rule: &'c Rule,
    pub level: Level,
    pub compiled: Option<&'c Compiled>,
    /// Whether it asks somebody, so that it may be unsure.
    pub asks: bool,
    /// Where `review` stands in the check's table, or the table itself.
    pub at: Pos,
}

/// The review of a check: its own, with what it does not say from `[review]` of the suite, which is for checks that ask
/// somebody. `None` where no verdict of it goes to a person.
pub(super) fn routes(
    own: Option<Review>,
    default: &Review,
    check: &Checked<'_>,
    detectors: &Detectors,
    sink: &mut Sink<'_>,
) -> Option<Routes> {
    let Checked { rule, level, compiled, asks, at } = check;
    let given = own.is_some();
    let (own, inherited) = match own {
        Some(own) => (own, *asks),
        None if *asks && *level != Level::System => (Review::default(), true),
        None => return None,
    };
    if *level == Level::System {
        let help = "put it on the checks that it is computed from".to_owned();
        sink.error(at, "no person decides what is computed over all sessions", help);
        return None;
    }
    let wrong = own.problems(detectors);
    for (_, message, help) in &wrong {
        sink.error(at, message.clone(), help.clone());
    }
    let review = if inherited { own.clone().or(default) } else { own.clone() };
    if !review.sends() {
        // To say that nothing of it goes to anybody makes sense only where the suite says otherwise.
        if given && wrong.is_empty() && !(inherited && default.sends()) {
            let help = "`below = 0.8`, `tags = [\"refund\"]`, `audit = 0.05` or `always = true`".to_owned();
            sink.error(at, "`review` does not say which verdicts wait for a person", help);
        }
        return None;
    }
    if let Some(below) = review.below.filter(|below| wrong.is_empty() && *below <= 1.0) {
        reach(below, rule, *compiled, at, sink);
    }
    let detectors = review.detect.iter().flatten().filter_map(|name| detectors.get(name)).collect();
    Some(Routes { review, detectors })
}

/// Whether a confidence can be reached at all.
fn reach(below: f64, rule: &Rule, compiled: Option<&Compiled>, at: &Pos, sink: &mut Sink<'_>) {
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

impl Resolver<'_, '_, '_> {
    /// `[review]` of the suite's files; of each key the last that says it.
    pub(super) fn review(&mut self) -> Review {
        let mut all = Review::default();
        for layer in self.layers {
            let Some(value) = layer.table.get("review") else { continue };
            let DeValue::Table(table) = value.get_ref() else { continue };
            let whole = value.span();
            let Some(read) = read_rest::<Review>(table, &whole, Missing::Reported, self.sink) else { continue };
            for (key, message, help) in read.problems(&self.env.kit.detectors) {
                self.sink.error(&span_at(table, &whole, &[key.to_owned()]), message, help);
            }
            all = read.or(&all);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_key_by_key_what_differs_from_its_suite() {
        let suite = Review { below: Some(0.8), audit: Some(0.1), ..Review::default() };
        let both = Review { below: Some(0.6), ..Review::default() }.or(&suite);
        assert_eq!((both.below, both.audit), (Some(0.6), Some(0.1)));
    }
}
