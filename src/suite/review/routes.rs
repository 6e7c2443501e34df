//! A finding is sent to a person, or drawn into the audit sample, as `review` of its check says.

use super::Review;
use crate::checks::asking::Subject;
use crate::checks::detect::Detector;
use crate::model::digest::{Builder, Digest};
use crate::model::{Finding, Severity, Span, SubjectRef, Turn, Why};
use crate::redact::levels;

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
    pub(super) detectors: Vec<Detector>,
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
        // JSON may write any character as an escape, and says the same.
        let mut says = |text: &str| is(text) || levels(text).any(|text| is(&text));
        [&span.input, &span.output].into_iter().flatten().any(|payload| says(payload.as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::detect::Detectors;
    use crate::checks::probe::scene;
    use crate::checks::subject::SessionSubject;
    use crate::model::Status;

    /// With a card number whose first digit is written as an escape, as JSON may.
    const SESSION: &str = r#"{"id":"s","turns":[{"user":"Write to ann@example.com","reply":"Done.","spans":[{"kind":"tool","name":"f","input":{"card":"\u0034111 1111 1111 1111"}}]}]}"#;

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
}
