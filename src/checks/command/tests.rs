//! What `command` sends and what it makes of answers, without any program.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::Command;
use crate::checks::Compiled;
use crate::checks::asking::{Answer, Edge, Need, Reply, Subject, settle};
use crate::checks::probe::{build, scene, spans, turns};
use crate::checks::subject::SessionSubject;
use crate::model::Status::{Error, Fail, Pass};
use crate::model::{Evidence, Field, Finding, Level};

const SESSION: &str = r#"{"id":"s","agent":"a","tags":["t"],"turns":[
    {"user":"one","reply":"first"},
    {"user":"two","reply":"second","spans":[{"kind":"tool","name":"f","input":{"n":1}}]}]}"#;

/// Answers the same to everything, and remembers what was asked.
struct Fixed(Answer, Mutex<Vec<Value>>);

impl Edge for Fixed {
    fn answer(&self, need: &Need) -> Answer {
        let Need::Line { line, .. } = need else { panic!() };
        self.1.lock().unwrap().push(serde_json::from_str(line).unwrap());
        self.0.clone()
    }
}

/// The finding about the last subject of a level, and what was asked.
fn told(level: Level, answer: Result<&str, &str>) -> (Finding, Value) {
    let Compiled::Asking(check) = build::<Command>(level, "run = ['judge']").unwrap() else { panic!() };
    let edge = Fixed(answer.map(|line| Reply::Line(line.to_owned())).map_err(str::to_owned), Mutex::default());
    let finding = scene(SESSION, &[], |scene| {
        let subject = match level {
            Level::Span => Subject::Span(spans(scene).last().unwrap()),
            Level::Turn => Subject::Turn(turns(scene).last().unwrap()),
            _ => Subject::Session(SessionSubject { scene }),
        };
        settle(&*check, &subject, &edge)
    });
    let mut asked = edge.1.into_inner().unwrap();
    assert_eq!(asked.len(), 1);
    (finding, asked.remove(0))
}

fn finding(answer: &str) -> Finding {
    told(Level::Turn, Ok(answer)).0
}

#[test]
fn each_level_sees_as_much_as_it_may() {
    let pass = Ok(r#"{"status":"pass"}"#);
    let head = json!({ "id": "s", "agent": "a", "tags": ["t"] });
    let (_, session) = told(Level::Session, pass);
    assert_eq!(session["session"]["turns"][1]["spans"][0]["input"], json!({ "n": 1 }));
    let (_, turn) = told(Level::Turn, pass);
    assert_eq!((&turn["level"], &turn["turn_index"], &turn["session"]), (&json!("turn"), &json!(1), &head));
    assert_eq!(turn["turn"]["reply"], json!("second"));
    let (_, span) = told(Level::Span, pass);
    assert_eq!((&span["span_index"], &span["turn_index"], &span["session"]), (&json!(0), &json!(1), &head));
    assert_eq!((&span["span"]["name"], span.get("turn")), (&json!("f"), None));
    assert_eq!(span["case"], json!({ "id": "s" }));
}

#[test]
fn a_verdict_is_taken_with_all_that_it_says() {
    let said = finding(
        r#"{"status":"fail","score":0.25,"confidence":0.5,"reason":"rude","evidence":[{"field":"reply","range":[0,3]}]}"#,
    );
    assert_eq!((said.status, said.score, said.confidence, said.reason.as_str()), (Fail, Some(0.25), 0.5, "rude"));
    assert_eq!(said.evidence, [Evidence::turn(1, Field::Reply).within(0..3)]);
    assert_eq!(finding(r#"{"status":"pass"}"#), Finding::pass());
    assert_eq!(finding(r#"{"status":"fail"}"#).score, Some(0.0));
    let error = finding(r#"{"status":"error","score":1,"reason":"no dictionary"}"#);
    assert_eq!((error.status, error.score, error.reason.as_str()), (Error, None, "no dictionary"));
}

#[test]
fn what_is_no_verdict_is_an_error_and_never_a_pass() {
    for answer in [
        "",
        "ok",
        "true",
        "{}",
        r#"{"status":"PASS"}"#,
        r#"{"status":"held"}"#,
        r#"{"status":"pass","score":7}"#,
        r#"{"status":"pass","score":-0.1}"#,
        r#"{"status":"pass","confidence":2}"#,
        r#"{"status":"pass","status":"fail"}"#,
        r#"{"status":"pass","verdict":"fail"}"#,
        r#"{"status":"pass"} {"status":"fail"}"#,
        r#"{"status":"pass","evidence":[{"turn":2,"field":"reply"}]}"#,
        r#"{"status":"pass","evidence":[{"span":1,"field":"input"}]}"#,
        r#"{"status":"pass","evidence":[{"field":"reply","range":[3,1]}]}"#,
    ] {
        let finding = finding(answer);
        assert_eq!(finding.status, Error, "{answer}");
        assert!(finding.reason.starts_with("`judge` did not answer with a verdict: "), "{}", finding.reason);
    }
    let many = format!(r#"{{"status":"pass","evidence":[{}]}}"#, vec![r#"{"field":"reply"}"#; 51].join(","));
    assert_eq!(finding(&many).status, Error);
}

#[test]
fn no_answer_is_an_error_that_says_why() {
    let (finding, _) = told(Level::Session, Err("no answer within 10s"));
    assert_eq!((finding.status, finding.reason.as_str()), (Error, "`judge`: no answer within 10s"));
    assert_ne!(finding.status, Pass);
}

#[test]
fn parameters_that_mean_nothing_are_refused() {
    let problem = |toml: &str| build::<Command>(Level::Turn, toml).err().unwrap();
    assert!(problem("run = []").starts_with("run: no program is named"));
    assert!(problem("run = ['']").starts_with("run: no program is named"));
    assert!(problem("run = ['./absent']").starts_with("run: cannot read"));
    assert!(problem("run = ['a']\ntimeout = 'soon'").starts_with("timeout:"));
    assert!(problem("run = ['a']\ntimeout = '0s'").starts_with("timeout:"));
    let Compiled::Asking(_) = build::<Command>(Level::Turn, "run = ['a', 'tools.json']").unwrap() else { panic!() };
}
