//! `review` of a check and `[review]` of a suite: which verdicts go to a person, which of them wait, and how the person's
//! answer is come by.
//!
//! It is no part of a check's digest: what a check says does not depend on who looks at it, and labels stay good when a
//! threshold is moved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::raw::{Missing, Pos, Sink, read_rest, span_at};
use super::resolve::Resolver;
use crate::checks::Compiled;
use crate::checks::asking::Subject;
use crate::checks::build::Rule;
use crate::checks::detect::{Detector, Detectors};
use crate::model::digest::{Builder, Digest};
use crate::model::{Finding, Level, Severity, Span, SubjectRef, Turn, Why, duration};

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

/// What may send a verdict to a person, beside the finding itself.
pub struct Around<'a> {
    /// The suite's name.
    pub suite: &'a str,
    /// Digest of the check.
    pub check: &'a Digest,
    /// What a failure of the check does.
    pub severity: Severity,
    /// Digest of the session, before redaction.
    pub session: &'a Digest,
    /// Tags of the case and the session.
    pub tags: &'a [String],
    /// Which subject the finding is about.
    pub at: SubjectRef,
    /// The subject.
    pub subject: &'a Subject<'a>,
}

/// `review` of a check, with that of its suite, ready to be asked.
#[derive(Debug, Clone)]
pub struct Routes {
    /// As it is in force.
    pub review: Review,
    detectors: Vec<Detector>,
}

impl Routes {
    /// Sends a finding to a person where that is asked for. What could not be measured stays an error: nobody could tell.
    pub fn of(&self, finding: &mut Finding, around: &Around<'_>) {
        let review = &self.review;
        if !finding.is_measured() && finding.routed.is_none() {
            return;
        }
        let mut why = Vec::new();
        if review.always == Some(true) {
            why.push(Why::Always);
        }
        if let Some(tag) = review.tags.iter().flatten().find(|tag| around.tags.contains(tag)) {
            why.push(Why::Tag { tag: tag.clone() });
        }
        if review.severities.as_ref().is_some_and(|list| list.contains(&around.severity)) {
            why.push(Why::Severity { severity: around.severity });
        }
        if let Some(threshold) = review.below.filter(|below| finding.confidence < below - 1e-9) {
            why.push(Why::Below { threshold });
        }
        if let (Some(true), Some(votes)) = (review.disagreement, &finding.dissent) {
            why.push(Why::Disagreement { votes: votes.to_string() });
        }
        if !self.detectors.is_empty() {
            let hit = |d: &&Detector| any_text(around.subject, &mut |text| d.is_match(text));
            let hits = self.detectors.iter().filter(hit);
            why.extend(hits.map(|d| Why::Detector { detector: d.name().to_owned() }));
        }
        if !why.is_empty() {
            finding.hold(why);
        } else if let Some(rate) = review.audit.filter(|rate| finding.is_measured() && draw(around) < *rate) {
            finding.audit(rate);
        }
    }
}

/// Where a verdict lies among all verdicts, as a number from 0 and below 1 that is the same wherever and whenever it is
/// evaluated: shards and continued runs draw the same audit sample, and a larger share holds the smaller one.
fn draw(around: &Around<'_>) -> f64 {
    let mut key = Builder::new("seatrial audit 1");
    key.part("suite", around.suite.as_bytes());
    key.part("check", &around.check.bytes);
    key.part("session", &around.session.bytes);
    let (kind, n) = match around.at {
        SubjectRef::Span(n) => ("span", n),
        SubjectRef::Turn(n) => ("turn", n),
        SubjectRef::Session => ("session", 0),
    };
    key.part(kind, &n.to_le_bytes());
    let digest = key.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes[..8]);
    // The upper 53 bits: what a float holds exactly.
    (u64::from_be_bytes(first) >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether any text of a subject is one that `is` holds of.
fn any_text(subject: &Subject<'_>, is: &mut dyn FnMut(&str) -> bool) -> bool {
    fn of_span(span: &Span<'_>, is: &mut dyn FnMut(&str) -> bool) -> bool {
        [&span.input, &span.output].into_iter().flatten().any(|payload| is(payload.as_str()))
    }
    fn of_turn(turn: &Turn<'_>, is: &mut dyn FnMut(&str) -> bool) -> bool {
        [&turn.user, &turn.reply].into_iter().flatten().any(|text| is(text))
            || turn.spans.iter().any(|s| of_span(s, is))
    }
    match subject {
        Subject::Span(subject) => of_span(subject.span, is),
        Subject::Turn(subject) => of_turn(subject.turn, is),
        Subject::Session(subject) => {
            let session = subject.scene.session;
            session.spans.iter().any(|s| of_span(s, is)) || session.turns.iter().any(|turn| of_turn(turn, is))
        }
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
    use crate::checks::probe::scene;
    use crate::checks::subject::SessionSubject;
    use crate::model::Status;

    const SESSION: &str = r#"{"id":"s","turns":[{"user":"Write to ann@example.com","reply":"Done.","spans":[{"kind":"tool","name":"f","input":{"card":"4111 1111 1111 1111"}}]}]}"#;

    fn routed(review: Review, finding: Finding, tags: &[&str], session: u32) -> Finding {
        let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
        let all = Detectors::builtin();
        let detectors = review.detect.iter().flatten().filter_map(|name| all.get(name)).collect();
        let mut finding = finding;
        let (check, session) = (Digest::of(b"c"), Digest::of(&session.to_le_bytes()));
        scene(SESSION, &[], |scene| {
            let around = Around {
                suite: "s",
                check: &check,
                severity: Severity::Critical,
                session: &session,
                tags: &tags,
                at: SubjectRef::Session,
                subject: &Subject::Session(SessionSubject { scene }),
            };
            Routes { review, detectors }.of(&mut finding, &around);
        });
        finding
    }

    fn sure(confidence: f64) -> Finding {
        Finding { confidence, ..Finding::pass() }
    }

    fn why(finding: &Finding) -> Vec<Why> {
        finding.routed.as_ref().map(|r| r.why.clone()).unwrap_or_default()
    }

    #[test]
    fn a_verdict_waits_when_it_is_not_sure_enough_and_what_it_would_be_is_its_proposal() {
        let below = Review { below: Some(0.8), ..Review::default() };
        let held = routed(below.clone(), sure(0.6), &[], 0);
        assert_eq!((held.status, held.proposal), (Status::Held, Some(Status::Pass)));
        assert_eq!(why(&held), [Why::Below { threshold: 0.8 }]);
        let held = routed(below.clone(), Finding { confidence: 0.6, ..Finding::fail("no") }, &[], 0);
        assert_eq!((held.status, held.proposal), (Status::Held, Some(Status::Fail)));
        let enough = routed(below, sure(0.8), &[], 0);
        assert_eq!((enough.status, enough.routed), (Status::Pass, None), "the threshold itself is enough");
    }

    #[test]
    fn a_tag_a_severity_or_always_holds_whatever_the_confidence() {
        let risky = Review { tags: Some(vec!["refund".to_owned()]), ..Review::default() };
        assert_eq!(why(&routed(risky.clone(), sure(1.0), &["refund"], 0)), [Why::Tag { tag: "refund".into() }]);
        assert_eq!(routed(risky, sure(1.0), &["other"], 0).status, Status::Pass);
        let critical = Review { severities: Some(vec![Severity::Critical]), ..Review::default() };
        assert_eq!(why(&routed(critical, sure(1.0), &[], 0)), [Why::Severity { severity: Severity::Critical }]);
        let block = Review { severities: Some(vec![Severity::Block]), ..Review::default() };
        assert_eq!(routed(block, sure(1.0), &[], 0).status, Status::Pass);
        let always = Review { always: Some(true), ..Review::default() };
        assert_eq!(routed(always, sure(1.0), &[], 0).status, Status::Held);
    }

    #[test]
    fn opinions_that_differ_and_what_a_detector_finds_hold_a_verdict_and_all_reasons_are_kept() {
        let review = Review {
            disagreement: Some(true),
            detect: Some(vec!["email".into(), "credit_card".into(), "iban".into()]),
            ..Review::default()
        };
        let split = Finding { dissent: Some("2 of 3 votes agree".into()), ..sure(0.6) };
        let found = why(&routed(review.clone(), split, &[], 0));
        let detector = |name: &str| Why::Detector { detector: name.to_owned() };
        let votes = "2 of 3 votes agree".to_owned();
        assert_eq!(found, [Why::Disagreement { votes }, detector("email"), detector("credit_card")]);
        assert_eq!(why(&routed(Review { detect: None, ..review }, sure(0.8), &[], 0)), []);
    }

    #[test]
    fn what_was_not_measured_goes_to_nobody() {
        let all = Review { always: Some(true), audit: Some(1.0), ..Review::default() };
        let finding = routed(all, Finding::error("judge down"), &[], 0);
        assert_eq!((finding.status, finding.proposal, finding.routed), (Status::Error, None, None));
    }

    #[test]
    fn the_audit_sample_stands_as_it_is_has_its_rate_and_a_larger_one_holds_it() {
        let drawn = |rate: f64| -> Vec<u32> {
            let review = Review { audit: Some(rate), ..Review::default() };
            let all = (0..2000).filter(|i| {
                let finding = routed(review.clone(), sure(1.0), &[], *i);
                assert_eq!(finding.status, Status::Pass);
                finding.routed.is_some_and(|r| !r.holds && r.inclusion == rate)
            });
            all.collect()
        };
        let (few, many) = (drawn(0.05), drawn(0.2));
        // 2,000 draws at 0.05 and 0.2: within five standard deviations.
        assert!((51..=149).contains(&few.len()) && (310..=490).contains(&many.len()), "{} {}", few.len(), many.len());
        assert!(few.iter().all(|i| many.contains(i)));
        assert_eq!(drawn(1.0).len(), 2000);
    }

    #[test]
    fn what_is_held_is_not_drawn_besides() {
        let review = Review { below: Some(0.8), audit: Some(1.0), ..Review::default() };
        let held = routed(review, sure(0.6), &[], 0);
        let routed = held.routed.unwrap();
        assert_eq!((routed.why.len(), routed.inclusion, routed.holds), (1, 1.0, true));
    }

    #[test]
    fn a_check_says_key_by_key_what_differs_from_its_suite() {
        let suite = Review { below: Some(0.8), audit: Some(0.1), ..Review::default() };
        let both = Review { below: Some(0.6), ..Review::default() }.or(&suite);
        assert_eq!((both.below, both.audit), (Some(0.6), Some(0.1)));
    }
}
