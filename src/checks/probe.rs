//! What the tests of rules share: a session as a scene, and an example run as the runner would run it.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::askable::{Askable, Judge};
use super::asking::{Answer, Edge, Need, Nobody, Reply, Said, Subject, settle};
use super::build::{Answered, Build, Example, Files, Kit, Params, rule};
use super::expect::Expected;
use super::select::Selector;
use super::subject::{NO_EARLIER, Scene, SessionSubject, SpanSubject, TurnSubject};
use super::{Compiled, context};
use crate::model::digest::Digest;
use crate::model::{Finding, Level, Session, Status};

/// Runs `f` on the scene of a session in seatrial's own format.
pub fn scene<T>(json: &str, tags: &[&str], f: impl FnOnce(&Scene<'_>) -> T) -> T {
    let session: Session<'_> = serde_json::from_str(json).unwrap();
    let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
    let expected = session.reference.as_ref().map(Expected::recorded).unwrap_or_default();
    let turn_expected: Vec<_> = session.turns.iter().map(|t| t.reference.as_ref().map(Expected::recorded)).collect();
    let make = || {
        minijinja::Value::from_pairs([
            ("session", context::session_value(&session)),
            ("case", context::json_value(&serde_json::json!({ "id": session.id.as_str() }))),
        ])
    };
    f(&Scene {
        session: &session,
        case_id: &session.id,
        tags: &tags,
        expected: &expected,
        turn_expected: &turn_expected,
        earlier: Err(NO_EARLIER),
        context: &OnceCell::new(),
        make_context: &make,
    })
}

/// The spans of a scene as subjects.
pub fn spans<'s>(scene: &'s Scene<'s>) -> impl Iterator<Item = SpanSubject<'s>> {
    let session = scene.session;
    let outside = session.spans.iter().map(|s| (None, s));
    let inside = session.turns.iter().enumerate().flat_map(|(i, t)| t.spans.iter().map(move |s| (Some(i), s)));
    outside.chain(inside).enumerate().map(move |(ordinal, (turn, span))| SpanSubject { scene, span, ordinal, turn })
}

/// The turns of a scene as subjects.
pub fn turns<'s>(scene: &'s Scene<'s>) -> impl Iterator<Item = TurnSubject<'s>> {
    scene.session.turns.iter().enumerate().map(move |(index, turn)| TurnSubject { scene, turn, index })
}

/// Files that a check under test may read.
pub struct Fixed(pub &'static [(&'static str, &'static str)]);

impl Files for Fixed {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let found = self.0.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().into()).ok_or_else(|| format!("cannot read `{}`", path.display()))
    }
}

const FILES: Fixed = Fixed(&[
    ("order.schema.json", r#"{"type":"object","required":["id"]}"#),
    ("tools.json", r#"{"book":{"type":"object","required":["id"]},"list":true}"#),
    (
        "tools.cedar",
        "permit(principal == Agent::\"refunds\", action == Action::\"issue_refund\", resource) when { context.input.amount <= 100 };",
    ),
    ("broken.json", "{"),
    ("not-a-schema.json", r#"{"type":"objekt"}"#),
]);

/// What settings would lend: a judge `default`, a panel `panel` of two, and embeddings `default`.
pub fn kit() -> Kit {
    let mut askable = Askable::default();
    askable.add_judge("default", Judge::one("default", Digest::of(b"")));
    let members = ["first", "second"].map(Arc::from);
    askable.add_judge("panel", Judge { members: members.to_vec(), digest: Digest::of(b"") });
    askable.add_embedding("default", Digest::of(b""));
    Kit { askable, ..Kit::default() }
}

/// A check built from its own parameters as TOML, or what is wrong with it.
pub fn build<P: Params>(level: Level, toml: &str) -> Result<Compiled, String> {
    let mut build = Build { level, files: &FILES, kit: &kit(), problems: Vec::new() };
    let table = toml::de::Deserializer::parse(toml).map_err(|e| e.to_string())?;
    let built = (rule::<P>().from_toml)(table, &mut build).map_err(|e| e.to_string())?;
    let problems: Vec<String> = build
        .problems
        .iter()
        .map(|p| {
            format!(
                "{}: {}{}",
                p.path.join("."),
                p.message,
                p.help.as_ref().map_or(String::new(), |h| format!(" ({h})"))
            )
        })
        .collect();
    built.map(|(compiled, _)| compiled).ok_or_else(|| problems.join("; "))
}

/// Answers as the examples of a rule say.
pub struct Scripted(pub &'static [Answered]);

impl Edge for Scripted {
    fn answer(&self, need: &Need) -> Answer {
        let says = |fits: &dyn Fn(&str) -> bool| {
            let found = self.0.iter().find(|answered| fits(answered.when));
            found.map(|answered| answered.says).ok_or_else(|| format!("no answer to {need:?}"))
        };
        match need {
            Need::Line { .. } => Err("no program".to_owned()),
            Need::Vote { prompt, .. } => {
                let message = prompt.message();
                let text = says(&|when| message.contains(when))?.to_owned();
                Ok(Reply::Said(Said { text, ..Said::default() }))
            }
            Need::Embedding { text, .. } => {
                Ok(Reply::Vector(serde_json::from_str(says(&|when| &**text == when)?).unwrap()))
            }
        }
    }
}

/// The findings of a check over every subject of a session that `on` selects.
pub fn findings(compiled: &Compiled, on: &Selector, session: &str) -> Vec<Finding> {
    findings_at(Level::Session, compiled, on, session, &Nobody)
}

/// The same of a check that asks, at a level.
fn findings_at(level: Level, compiled: &Compiled, on: &Selector, session: &str, edge: &dyn Edge) -> Vec<Finding> {
    scene(session, &[], |scene| match compiled {
        Compiled::Span(check) => spans(scene).filter(|s| on.span(s)).map(|s| check.check(&s)).collect(),
        Compiled::Turn(check) => turns(scene).filter(|t| on.turn(t)).map(|t| check.check(&t)).collect(),
        Compiled::Session(check) if on.session(scene) => vec![check.check(&SessionSubject { scene })],
        Compiled::Asking(check) => {
            let subjects: Vec<Subject<'_>> = match level {
                Level::Span => spans(scene).filter(|s| on.span(s)).map(Subject::Span).collect(),
                Level::Turn => turns(scene).filter(|t| on.turn(t)).map(Subject::Turn).collect(),
                _ => {
                    vec![Subject::Session(SessionSubject { scene })].into_iter().filter(|_| on.session(scene)).collect()
                }
            };
            subjects.iter().map(|subject| settle(&**check, subject, edge)).collect()
        }
        _ => Vec::new(),
    })
}

/// The finding of a check over the only subject of a session.
pub fn finding<P: Params>(level: Level, toml: &str, session: &str) -> Finding {
    let compiled = build::<P>(level, toml).unwrap();
    let mut all = findings(&compiled, &Selector::default(), session);
    assert_eq!(all.len(), 1, "{session} should hold one subject");
    all.remove(0)
}

/// The verdict of a check over the only subject of a session.
pub fn status<P: Params>(level: Level, toml: &str, session: &str) -> Status {
    finding::<P>(level, toml, session).status
}

/// Asserts that the examples of a rule pass and fail as they say.
pub fn examples<P: Params>() {
    assert!(!P::EXAMPLES.is_empty(), "{} has no example", P::NAME);
    for example in P::EXAMPLES {
        example_holds::<P>(example);
    }
}

fn example_holds<P: Params>(example: &Example) {
    let suite: toml::Table = toml::from_str(example.check).unwrap();
    let (level, checks) = suite.iter().next().unwrap();
    let level = Level::ALL.into_iter().find(|l| l.name() == level).unwrap();
    assert!(P::LEVELS.contains(&level), "{} does not work at {}", P::NAME, level.name());
    let mut table = checks[0].as_table().unwrap().clone();
    assert_eq!(table.remove("check").unwrap().as_str(), Some(P::NAME));
    let on: Selector = table.remove("on").map_or_else(Selector::default, |on| on.try_into().unwrap());
    for common in ["id", "severity", "description", "require", "optional", "tags"] {
        table.remove(common);
    }
    let compiled = build::<P>(level, &toml::to_string(&table).unwrap()).unwrap();
    from_json_too::<P>(level, &table);
    for (sessions, passes) in [(example.passes, true), (example.fails, false)] {
        assert!(!sessions.trim().is_empty());
        for session in sessions.lines().filter(|l| !l.trim().is_empty()) {
            let all = findings_at(level, &compiled, &on, session, &Scripted(P::ANSWERS));
            assert!(!all.is_empty(), "no subject in {session}");
            assert!(all.iter().all(|f| matches!(f.status, Status::Pass | Status::Fail)), "{all:?} of {session}");
            assert_eq!(all.iter().all(|f| f.status == Status::Pass), passes, "{all:?} of {session}");
        }
    }
}

fn from_json_too<P: Params>(level: Level, table: &toml::Table) {
    let json: Map<String, Value> = serde_json::from_value(serde_json::to_value(table).unwrap()).unwrap();
    let mut build = Build { level, files: &FILES, kit: &kit(), problems: Vec::new() };
    assert!((rule::<P>().from_json)(json.into(), &mut build).unwrap().is_some(), "{:?}", build.problems);
}
