//! What people, models and agents say, from outside: labels, decisions over verdicts, opinions of judges, logs and
//! statements of promotions, cards of agents.

use seatrial::agents::a2a::card;
use seatrial::checks::asking::Said;
use seatrial::checks::judge::answer;
use seatrial::ledger::ItemKey;
use seatrial::model::SubjectRef;
use seatrial::model::digest::Digest;
use seatrial::promote::event::{Event, Id, Submission, Version};
use seatrial::promote::keys::Secret;
use seatrial::promote::log::{self, Entry, Sealed};
use seatrial::promote::moment::Moment;
use seatrial::promote::{dsse, statement};
use seatrial::review::exchange::import;
use seatrial::review::rulings::Decisions;
use serde_json::{Value, json};

use super::targets::{Target, target, written};
use super::tree::Syntax;

/// The targets.
pub fn all() -> Vec<Target> {
    let original = promotions();
    let (kept, exported) = (log::head(&original), log::export(&original).expect("a log can be written"));
    let (key, payload) = (Secret::of_seed(&[7; 32]), br#"{"predicate":{"result":"PASSED"}}"#);
    let envelope = dsse::Envelope::new(statement::PAYLOAD_TYPE, payload, Some(&key));
    let envelope = serde_json::to_vec(&envelope).expect("an envelope can be written");
    // The laws below say something only where what the inputs begin as is taken.
    assert!(log::open(&log::import(&exported).expect("a log")).is_ok());
    assert!(labels().iter().all(|seed| import::read(&mut &seed[..]).is_ok_and(|found| found.wrong.is_empty())));
    assert!(decisions().iter().all(|seed| Decisions::read(&written("decisions.jsonl", seed)).is_ok()));
    vec![
        target("labels", Syntax::Lines, labels(), read_labels),
        target("decisions", Syntax::Lines, decisions(), read_decisions),
        target("opinion", Syntax::Json, OPINIONS.iter().map(|t| t.as_bytes().to_vec()).collect(), opinion),
        target("card", Syntax::Json, CARDS.iter().map(|t| t.as_bytes().to_vec()).collect(), agents_card),
        target("promotions", Syntax::Lines, vec![exported.into_bytes()], move |input| {
            chained(input, &original, &kept);
        }),
        target("statement", Syntax::Json, vec![envelope], move |input| signed(input, &key, payload)),
    ]
}

/// Everything wrong is told with its line, and what is taken in is of a length that can be kept.
fn read_labels(mut input: &[u8]) {
    let Ok(found) = import::read(&mut input) else { return };
    assert!(
        found.wrong.iter().all(|wrong| wrong.line > 0 && !wrong.message.is_empty()),
        "something is wrong, not what"
    );
    for label in &found.labels {
        assert!(!label.reviewer.trim().is_empty(), "a label of nobody: {label:?}");
        assert!(label.reviewer.len() < 1000 && label.comment.len() < 100_000, "a label of any length");
    }
}

fn read_decisions(input: &[u8]) {
    if let Err(why) = Decisions::read(&written("decisions.jsonl", input)) {
        assert!(!why.to_string().is_empty());
    }
}

/// A reply that is taken says one thing, and a score that goes with it.
fn opinion(input: &[u8]) {
    let Ok(text) = String::from_utf8(input.to_vec()) else { return };
    match answer::read(&Said { text, ..Said::default() }) {
        Ok(opinion) => assert!((0.0..=1.0).contains(&opinion.score), "{opinion:?}"),
        Err(why) => assert!(!why.is_empty()),
    }
}

/// An endpoint that is taken from a card is where the card is: elsewhere nothing of the suite's is sent.
fn agents_card(input: &[u8]) {
    let Ok(card) = serde_json::from_slice::<Value>(input) else { return };
    let at = reqwest::Url::parse("https://agents.example:8443/.well-known/agent-card.json").expect("an address");
    match card::read(&card, &at) {
        Ok(endpoint) => assert_eq!(endpoint.url.map(|url| url.origin()), Some(at.origin())),
        Err(why) => assert!(!why.is_empty() && why.len() < 2000, "{why}"),
    }
}

/// A log that is believed says what was written.
fn chained(input: &[u8], original: &[Sealed], kept: &Digest) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(read) = log::import(text) else { return };
    if log::open(&read).is_ok() && log::check(&read, kept).is_ok() {
        let bodies = |log: &[Sealed]| log.iter().map(|entry| entry.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(&read), bodies(original), "another log is believed");
    }
}

/// A payload that is believed is the one that was signed.
fn signed(input: &[u8], key: &Secret, original: &[u8]) {
    let Ok(envelope) = serde_json::from_slice::<dsse::Envelope>(input) else { return };
    let Ok(payload) = envelope.open(statement::PAYLOAD_TYPE) else { return };
    if dsse::verify(statement::PAYLOAD_TYPE, &payload, &envelope.signatures, &[key.public()]).is_ok() {
        assert_eq!(payload, original, "another payload is believed");
    }
}

fn promotions() -> Vec<Sealed> {
    let key = Secret::of_seed(&[7; 32]);
    let mut log = Vec::new();
    for seq in 1..=3 {
        let submission = Submission {
            promotion: Id::at(seq),
            version: Version { agent: "desk".into(), version: format!("1.{seq}") },
            target: "prod".into(),
            artifact: Some(Digest::of(b"image")),
            gate: Digest::of(b"gate"),
            statement: Digest::of(b"statement"),
            rules: Default::default(),
            overrides: None,
        };
        let event = Event::Submitted { submission };
        let entry = Entry::after(&log, Moment(1_795_755_600_000 + seq as i64 * 1000), "ann", event);
        log.push(entry.seal(Some(&key)).expect("an entry can be sealed"));
    }
    log
}

fn labels() -> Vec<Vec<u8>> {
    LABELS.iter().map(|t| t.as_bytes().to_vec()).chain(decisions()).collect()
}

/// Lines of an export: decided by two people, by an adjudicator, and not at all.
fn decisions() -> Vec<Vec<u8>> {
    let line = |subject: SubjectRef, decision: serde_json::Value, by: serde_json::Value, labels: serde_json::Value| {
        let digest = Digest::of(b"x");
        let key = ItemKey {
            suite: "s".into(),
            check: "polite".into(),
            check_digest: digest,
            session: digest,
            subject,
            case_digest: None,
        };
        let line = json!({
            "schema": 1, "item": key.id(), "suite": "s", "check": "polite", "check_digest": digest, "session": digest,
            "subject": subject, "decision": decision, "decided_by": by, "labels": labels, "reviewers": 2,
            "status": if decision.is_null() { "needs_more" } else { "resolved" },
        });
        line.to_string() + "\n"
    };
    let row = |id: &str, who: &str, answer: &str| {
        json!({ "id": id, "reviewer": who, "act": "label", "answer": answer, "comment": "why", "seconds": 12,
                "at": "2026-11-01T10:00:00Z", "source": "web", "shown_proposal": false })
    };
    let overrules = |mut row: serde_json::Value| {
        row["act"] = json!("overrule");
        row
    };
    let adjudicated = json!({ "how": "adjudicator", "who": "eve", "overrules": true });
    let both = line(
        SubjectRef::Session,
        json!("pass"),
        json!({ "how": "reviewers", "who": ["ann", "bob"] }),
        json!([row("1", "ann", "pass"), row("2", "bob", "pass")]),
    );
    let one = line(SubjectRef::Turn(1), json!("fail"), adjudicated, json!([overrules(row("3", "eve", "fail"))]));
    let open = line(SubjectRef::Span(4), json!(null), json!(null), json!([row("4", "ann", "fail")]));
    vec![[both.clone(), one.clone(), open].concat().into_bytes(), both.into_bytes(), one.into_bytes()]
}

const LABELS: &[&str] = &[
    "{\"item\":\"0123456789abcdefghijklmnop\",\"reviewer\":\"ann\",\"answer\":\"pass\",\"comment\":\"fine\",\"at\":\"2026-11-01T10:00:00Z\",\"seconds\":3.5}\n\
     {\"item\":\"0123456789abcdefghijklmnop\",\"reviewer\":\"bob\",\"answer\":\"skip\",\"skip_reason\":\"missing_context\",\"id\":\"7\"}\n\
     {\"item\":\"0123456789abcdefghijklmnop\",\"reviewer\":\"ann\",\"act\":\"undo\",\"undoes\":\"7\"}\n",
    "{\"humanLoopName\":\"0123456789abcdefghijklmnop\",\"inputContent\":{\"item\":\"0123456789abcdefghijklmnop\"},\"humanAnswers\":[{\"workerId\":\"w1\",\"submissionTime\":\"2026-11-01T10:00:00.000Z\",\"timeSpentInSeconds\":41.2,\"answerContent\":{\"verdict\":{\"fail\":true,\"pass\":false},\"comment\":\"no\"}}]}\n",
];

const CARDS: &[&str] = &[
    r#"{"protocolVersion":"0.3.0","name":"a","url":"https://agents.example:8443/rpc","preferredTransport":"JSONRPC","capabilities":{"streaming":true}}"#,
    r#"{"url":"/grpc","preferredTransport":"GRPC","additionalInterfaces":[{"url":"//agents.example:8443/rpc","transport":"jsonrpc"}]}"#,
    r#"{"supportedInterfaces":[{"url":"../rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"capabilities":{"streaming":false}}"#,
];

const OPINIONS: &[&str] = &[
    r#"{"reason":"so it is","quotes":["a \"word\""],"verdict":"pass","score":0.9}"#,
    "```json\n{\"reason\":\"\",\"quotes\":[],\"verdict\":\"fail\",\"score\":0}\n```",
    r#"{"verdict":"pass","score":1e-1,"reason":"contradicts","quotes":[""]}"#,
];
