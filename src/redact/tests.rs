//! Sessions without what the rules hide, and what is said of them.

use super::*;
use crate::checks::detect::Detectors;
use crate::model::Field;

fn redactor(toml: &str) -> Redactor {
    let table: RedactTable = toml::from_str(toml).unwrap();
    Redactor::new(Rules::compile(&table, &Detectors::builtin(), None).unwrap())
}

fn session(line: &str) -> Session<'_> {
    serde_json::from_str(line).unwrap()
}

fn written(redactor: &Redactor, line: &str) -> serde_json::Value {
    serde_json::to_value(redactor.written(&session(line))).unwrap()
}

const LINE: &str = r#"{"id":"sess-0042","user":"alice","attributes":{"session.id":"sess-0042","ssn":"078-05-1120"},
    "turns":[{"user":"I am a@example.com, pin 4711","spans":[
    {"kind":"tool","name":"f","input":"{\"card\":\"x\",\"n\":[1,{\"pin\":4711}]}","output":{"ok":true}}],
    "reply":"Hello"}]}"#;

#[test]
fn without_rules_everything_passes() {
    let off = redactor("");
    assert!(!off.is_on() && off.session(&session(LINE)).is_none());
    assert_eq!(written(&off, LINE), serde_json::to_value(session(LINE)).unwrap());
}

#[test]
fn every_field_that_changed_is_flagged() {
    let on = redactor("detectors = ['email']\nkeys = ['pin', 'ssn']\npaths = ['$.turns[*].spans[*].input.card']\n");
    let found = written(&on, LINE);
    assert_eq!(found["turns"][0]["user"], "I am [redacted:email], pin 4711");
    assert_eq!(
        found["turns"][0]["spans"][0]["input"],
        r#"{"card":"[redacted:path]","n":[1,{"pin":"[redacted:key]"}]}"#
    );
    assert_eq!(found["attributes"]["ssn"], "[redacted:key]");
    assert_eq!(
        found["redacted"],
        serde_json::json!({ "/attributes/ssn": ["key"], "/turns/0/spans/0/input": ["key", "path"], "/turns/0/user": ["email"] })
    );
}

#[test]
fn a_field_that_a_path_names_is_hidden_whole_with_all_that_is_in_it() {
    let on = redactor("detectors = ['email']\npaths = ['turns[0].user', '$.turns[0].spans']\n");
    let found = written(&on, LINE);
    assert_eq!(found["turns"][0]["user"], "[redacted:path][redacted:email]");
    let span = &found["turns"][0]["spans"][0];
    assert!(span["name"].as_str().unwrap().starts_with("[redacted:path]~"), "{span}");
    assert_eq!((&span["input"], &span["output"]), (&"[redacted:path]".into(), &"[redacted:path]".into()));
    assert_eq!(found["turns"][0]["reply"], "Hello");
}

#[test]
fn ids_become_stable_pseudonyms_wherever_they_stand() {
    let on = redactor("pseudonyms = ['session', 'user']\n");
    let found = written(&on, LINE);
    let id = found["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("session~") && id.len() == "session~".len() + 16, "{id}");
    assert_eq!(found["attributes"]["session.id"], id);
    assert!(found["user"].as_str().unwrap().starts_with("user~"));
    assert_eq!(written(&on, LINE), found);
    let again = written(&on, &found.to_string());
    assert_eq!(again["id"], found["id"], "a pseudonym keeps");
}

#[test]
fn names_that_are_hidden_keep_apart_and_are_the_same_everywhere() {
    let on = redactor("detectors = ['email']\n");
    let [a, b] = ["a@example.com", "b@example.com"].map(|id| {
        let line = format!(r#"{{"id":"{id}","spans":[{{"kind":"tool","name":"{id}"}}]}}"#);
        let found = written(&on, &line);
        assert_eq!(found["id"], found["spans"][0]["name"]);
        assert_eq!(found["id"], *on.name(id));
        found["id"].as_str().unwrap().to_owned()
    });
    assert!(a != b && a.starts_with("[redacted:email]~"), "{a} {b}");
}

#[test]
fn another_key_gives_other_pseudonyms() {
    let table: RedactTable = toml::from_str("pseudonyms = ['user']\n").unwrap();
    let with = |key| Rules::compile(&table, &Detectors::builtin(), key).unwrap();
    let (a, b) = (with(Some("a")), with(Some("b")));
    assert_ne!(a.pseudonym(Pseudonym::User, "x"), b.pseudonym(Pseudonym::User, "x"));
    assert_ne!(a.plan.key, b.plan.key);
}

#[test]
fn what_is_said_of_a_session_holds_nothing_of_it_and_points_at_the_same_place() {
    let on = redactor("detectors = ['email']\nkeys = ['pin']\npseudonyms = ['session']\n");
    let session = session(LINE);
    let seen = on.session(&session).unwrap();
    let said = "sess-0042: \"I am a@exam…\" and pin 4711".to_owned();
    let said = on.pass_of(&said, Some(&seen)).into_inner().into_owned();
    assert!(
        said.starts_with("session~") && said.ends_with(": \"I am [redacted:email]…\" and pin [redacted:key]"),
        "{said}"
    );
    let rules = &*on.0;
    let mut evidence = Evidence::turn(0, Field::User).within(5..18).at("/a@example.com/x");
    With { rules, seen: Some(&seen) }.evidence(&mut evidence);
    assert_eq!(evidence.range, Some((5, 21)));
    assert_eq!(evidence.pointer, Some(format!("/{}/x", on.name("a@example.com").replace('~', "~0"))));
}

#[test]
fn what_could_not_be_read_quotes_nothing_where_values_are_hidden_for_their_place() {
    let on = redactor("keys = ['pin']\n");
    let rules = &*on.0;
    let mut said = r#"`turns[0].pin`: invalid type: string "4711", expected a map"#.to_owned();
    With { rules, seen: None }.quoting(&mut said);
    assert_eq!(said, r#"`turns[0].pin`: invalid type: string "[redacted:key]", expected a map"#);
}
