//! What becomes of a session: verdicts, roll-ups, panics of a check.

use super::*;
use crate::checks::SessionCheck;
use crate::checks::asking::Nobody;
use crate::eval::{bind, testing};

struct Panics;

impl SessionCheck for Panics {
    fn check(&self, _: &SessionSubject<'_>) -> Finding {
        panic!("the mast broke")
    }
}

#[test]
fn a_panic_in_a_check_is_that_verdicts_error_and_the_other_checks_go_on() {
    let check = |id: &str| format!("[[session]]\nid = \"{id}\"\ncheck = \"contains\"\nvalue = \"good\"\n");
    let mut suite = testing::suite(&format!("{}{}", check("first"), check("second")));
    suite.checks[0].program = Program::Fixed(Compiled::Session(Box::new(Panics)));
    let session: Session<'_> = serde_json::from_str(r#"{"id":"a","turns":[{"reply":"good"}]}"#).unwrap();
    let bound = bind::bind(&suite, &session).unwrap();
    keep_panics_quiet();
    let evaluated = evaluate(&suite, &session, &bound, &|_| true, &Nobody, None, &Digest::of(b"s"));
    let _ = std::panic::take_hook();
    assert!(evaluated.panicked);
    let statuses: Vec<Status> = evaluated.verdicts.iter().map(|v| v.status).collect();
    assert_eq!(statuses, [Status::Error, Status::Pass]);
    let reason = &evaluated.verdicts[0].findings[0].reason;
    assert!(reason.contains("the check panicked: the mast broke at src/"), "{reason}");
}
/// Quotes what it finds in the prompt, and remembers it.
struct Quotes(&'static str, std::sync::Mutex<Vec<String>>);

impl Edge for Quotes {
    fn answer(&self, need: &crate::checks::asking::Need) -> crate::checks::asking::Answer {
        use crate::checks::asking::{Need, Reply, Said};
        let Need::Vote { prompt, .. } = need else { panic!() };
        self.1.lock().unwrap().push(prompt.message());
        let text = serde_json::json!({ "reason": "so", "quotes": [self.0], "verdict": "pass", "score": 1.0 });
        Ok(Reply::Said(Said { text: text.to_string(), ..Said::default() }))
    }
}

const WITH_EMAIL: &str = r#"{"id":"a","turns":[{"user":"Write to ann@example.com","reply":"Done, ann@example.com."}]}"#;

fn judged(redact: &str, check: &str, quote: &'static str) -> (Verdict, String) {
    let suite = testing::suite(&format!(
        "[redact]\ndetectors = [\"email\"]\n{redact}\n[[turn]]\nid = \"j\"\ncheck = \"judge\"\n{check}\n"
    ));
    let session: Session<'_> = serde_json::from_str(WITH_EMAIL).unwrap();
    let bound = bind::bind(&suite, &session).unwrap();
    let seen = suite.redactor.session(&session).unwrap();
    let shown = suite.redactor.hides_from_models().then(|| seen.session.get());
    let edge = Quotes(quote, std::sync::Mutex::default());
    let mut evaluated = evaluate(&suite, &session, &bound, &|_| true, &edge, shown, &Digest::of(b"s"));
    (evaluated.verdicts.remove(0), edge.1.into_inner().unwrap().concat())
}

#[test]
fn with_redact_judge_models_are_shown_what_may_be_written_and_nothing_else() {
    let rubric = "rubric = \"Answers {{ turn.user }} of {{ session.id }}\"";
    let (verdict, asked) = judged("judge = true", rubric, "Done, [redacted:email].");
    assert!(!asked.contains("ann@"), "{asked}");
    assert!(asked.contains("Answers Write to [redacted:email] of a"), "{asked}");
    assert_eq!(verdict.confidence, 2.0 / 3.0, "its quotes are looked up in what it was shown");
    assert_eq!(verdict.findings[0].evidence, [crate::model::Evidence::turn(0, crate::model::Field::Reply)]);
    let (_, asked) = judged("", rubric, "Done");
    assert!(asked.contains("ann@example.com"));
}

#[test]
fn a_template_of_a_check_that_asks_models_is_rendered_from_what_they_may_see() {
    let against = "rubric = \"r\"\nagainst = \"{{ turn.user }}\"";
    let (_, asked) = judged("judge = true", against, "Done");
    assert!(!asked.contains("ann@") && asked.contains("| Write to [redacted:email]"), "{asked}");
}

#[test]
fn a_verdict_that_review_asks_about_is_held_with_its_proposal() {
    let (verdict, _) = judged("", "rubric = \"r\"\nreview = { below = 0.6 }", "Nothing like that");
    assert_eq!((verdict.status, verdict.findings[0].proposal), (Status::Held, Some(Status::Pass)));
    let (verdict, _) = judged("", "rubric = \"r\"\nreview = { below = 0.6 }", "Done");
    assert_eq!(verdict.status, Status::Pass);
}
