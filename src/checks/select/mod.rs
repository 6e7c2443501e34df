//! `on`: which subjects a check is applied to.

mod pattern;

pub use pattern::{AttributePatterns, Glob, OneOrMany, Pattern};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subject::{Scene, SpanSubject, TurnSubject};
use super::withheld::Parts;
use crate::model::{Attributes, Level, Session, Span, SpanKind, SpanStatus, Text};

/// Selects subjects: every key given must match. A plain string is a glob in which `*` crosses `/`, a list matches
/// when any of its entries does, and argument matchers work too. Within `$not` and `$one_of` a plain string is a glob as
/// well: `{ "$not" = "long-*" }`.
///
/// At turn and session level `kind`, `name`, `model` and `status` select the subjects that contain an operation which
/// matches all of them together.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Kind of the operation, or a list of kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OneOrMany<SpanKind>>,
    /// Name of the operation: a tool's name for tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Pattern>,
    /// The agent: an operation's own where recorded, else the session's. A turn or session matches by its session's
    /// agent or that of any operation in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Pattern>,
    /// The model of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
    /// How the operation ended, or a list of ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OneOrMany<SpanStatus>>,
    /// Attributes of the subject itself, by name; one that is not there matches `{ "$absent" = true }` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributePatterns>,
    /// The case's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Pattern>,
    /// A tag of the case or session, or a list of tags that must all be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<OneOrMany<Glob>>,
    /// The user or user group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Pattern>,
    /// Turns only: which one, or a list; counts from 1, and -1 is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<OneOrMany<i64>>,
}

/// A key of a selector that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorProblem {
    /// The key within `on`.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Selector {
    /// Whether it selects a span.
    pub fn span(&self, subject: &SpanSubject<'_>) -> bool {
        let span = subject.span;
        let agent = span.agent.as_ref().or(subject.scene.session.agent.as_ref());
        self.index.is_none()
            && self.operation(span)
            && matches_text(self.agent.as_ref(), agent)
            && self.attributes(&span.attributes)
            && self.scene(subject.scene)
    }

    /// Whether it selects a turn.
    pub fn turn(&self, subject: &TurnSubject<'_>) -> bool {
        let turn = subject.turn;
        self.index.as_ref().is_none_or(|i| at_index(i, subject.index, subject.scene.session.turns.len()))
            && self.attributes(&turn.attributes)
            && self.scene(subject.scene)
            && self.among(subject.scene.session, || turn.spans.iter())
    }

    /// Whether it may select a turn that the case declares and the session does not have. Only the session, the case
    /// and the index can say no; what a recorded turn would have answered counts as a match.
    pub fn missing_turn(&self, scene: &Scene<'_>, index: usize) -> bool {
        let declared = scene.turn_expected.len().max(scene.session.turns.len());
        self.index.as_ref().is_none_or(|i| at_index(i, index, declared)) && self.scene(scene)
    }

    /// Whether it may select a span of tools that the recording does not show. Only the session, the case and the kind
    /// can say no.
    pub fn unseen_call(&self, scene: &Scene<'_>) -> bool {
        self.index.is_none() && self.kind.as_ref().is_none_or(|k| k.0.contains(&SpanKind::Tool)) && self.scene(scene)
    }

    /// Whether it selects a session.
    pub fn session(&self, scene: &Scene<'_>) -> bool {
        self.index.is_none()
            && self.attributes(&scene.session.attributes)
            && self.scene(scene)
            && self.among(scene.session, || scene.session.spans())
    }

    /// Whether it has no keys, and so selects everything.
    pub fn is_empty(&self) -> bool {
        let Self { kind, name, agent, model, status, attributes, case, tags, user, index } = self;
        let session = agent.is_none() && attributes.is_none() && case.is_none() && tags.is_none() && user.is_none();
        session && kind.is_none() && name.is_none() && model.is_none() && status.is_none() && index.is_none()
    }

    /// What it reads of a session.
    pub fn reads(&self) -> Parts {
        let keys = [
            (self.name.is_some(), Parts::NAME),
            (self.agent.is_some(), Parts::AGENT),
            (self.model.is_some(), Parts::MODEL),
            (self.attributes.is_some(), Parts::ATTRIBUTES),
            (self.case.is_some(), Parts::CASE),
            (self.tags.is_some(), Parts::TAGS),
            (self.user.is_some(), Parts::USER),
        ];
        keys.into_iter().filter(|(given, _)| *given).fold(Parts::NONE, |all, (_, part)| all | part)
    }

    /// Keys that cannot be meant at a level.
    pub fn problems(&self, level: Level) -> Vec<SelectorProblem> {
        let mut problems = Vec::new();
        let Some(index) = &self.index else { return problems };
        if level != Level::Turn {
            let message = format!("`index` selects turns; this is a {} check", level.name());
            let help = "leave `index` out, or declare the check as `[[turn]]`".to_owned();
            problems.push(SelectorProblem { key: "index", message, help });
        }
        if index.0.contains(&0) {
            let message = "there is no turn 0".to_owned();
            let help = "turns count from 1; -1 is the last".to_owned();
            problems.push(SelectorProblem { key: "index", message, help });
        }
        problems
    }

    /// The tools it names literally (no glob), when it selects tool calls and nothing else.
    pub fn tool_names(&self) -> Vec<String> {
        let tools_only = self.kind.as_ref().is_some_and(|k| k.0.iter().all(|k| *k == SpanKind::Tool));
        let names = self.name.as_ref().filter(|_| tools_only);
        names.map(|p| p.literals().into_iter().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// The keys that an operation itself answers.
    fn operation(&self, span: &Span<'_>) -> bool {
        self.kind.as_ref().is_none_or(|k| k.0.contains(&span.kind))
            && self.status.as_ref().is_none_or(|s| s.0.contains(&span.status))
            && matches_text(self.name.as_ref(), Some(&span.name))
            && matches_text(self.model.as_ref(), span.model.as_ref())
    }

    fn asks_for_operation(&self) -> bool {
        self.kind.is_some() || self.status.is_some() || self.name.is_some() || self.model.is_some()
    }

    /// The keys that some operation of a turn or session must answer.
    fn among<'i, 's: 'i, I: Iterator<Item = &'i Span<'s>>>(
        &self,
        session: &Session<'_>,
        spans: impl Fn() -> I,
    ) -> bool {
        (!self.asks_for_operation() || spans().any(|s| self.operation(s)))
            && self.agent.as_ref().is_none_or(|pattern| {
                pattern.text(session.agent.as_deref())
                    || spans().filter_map(|s| s.agent.as_deref()).any(|a| pattern.text(Some(a)))
            })
    }

    /// The keys that the session and its case answer.
    fn scene(&self, scene: &Scene<'_>) -> bool {
        self.case.as_ref().is_none_or(|p| p.text(Some(scene.case_id)))
            && matches_text(self.user.as_ref(), scene.session.user.as_ref())
            && self.tags.as_ref().is_none_or(|want| want.0.iter().all(|w| scene.tags.iter().any(|t| w.is_match(t))))
    }

    fn attributes(&self, attributes: &Attributes<'_>) -> bool {
        self.attributes.as_ref().is_none_or(|patterns| {
            patterns.0.iter().all(|(name, pattern)| match attributes.get(name) {
                Some(payload) => pattern.value(Some(&payload.to_value())),
                None => pattern.value(None),
            })
        })
    }
}

fn matches_text(pattern: Option<&Pattern>, text: Option<&Text<'_>>) -> bool {
    pattern.is_none_or(|p| p.text(text.map(Text::as_str)))
}

fn at_index(wanted: &OneOrMany<i64>, index: usize, count: usize) -> bool {
    let (index, count) = (index as i64, count as i64);
    wanted.0.iter().any(|&w| if w < 0 { index == count + w } else { index == w - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::scene;

    const SESSION: &str = r#"{"id":"s","agent":"airline","user":"u1","attributes":{"tier":"gold","n":3},"turns":[
        {"spans":[{"kind":"llm","name":"chat","model":"gpt-4o","agent":"triage"},
                  {"kind":"tool","name":"db/book","status":"error","attributes":{"http.status":500}}]},
        {"spans":[{"kind":"tool","name":"db/cancel","status":"ok"}],"attributes":{"lang":"de"}},
        {}]}"#;

    fn selector(toml: &str) -> Selector {
        toml::from_str(toml).unwrap()
    }

    /// The ordinals of the spans, the indices of the turns, and whether the session is selected.
    fn selected(toml: &str) -> (Vec<usize>, Vec<usize>, bool) {
        let on = selector(toml);
        scene(SESSION, &["refund", "vip"], |scene| {
            let spans = crate::checks::probe::spans(scene).filter(|s| on.span(s)).map(|s| s.ordinal).collect();
            let turns = crate::checks::probe::turns(scene).filter(|t| on.turn(t)).map(|t| t.index).collect();
            (spans, turns, on.session(scene))
        })
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert_eq!(selected(""), (vec![0, 1, 2], vec![0, 1, 2], true));
    }

    #[test]
    fn every_key_must_match() {
        assert_eq!(selected(r#"kind = "tool""#), (vec![1, 2], vec![0, 1], true));
        assert_eq!(selected(r#"name = "db*""#), (vec![1, 2], vec![0, 1], true));
        assert_eq!(selected("kind = \"tool\"\nstatus = \"error\""), (vec![1], vec![0], true));
        assert_eq!(selected("kind = \"llm\"\nstatus = \"error\""), (vec![], vec![], false));
        assert_eq!(selected(r#"kind = ["llm", "tool"]"#), (vec![0, 1, 2], vec![0, 1], true));
        assert_eq!(selected(r#"name = { "$matches" = "cel$" }"#), (vec![2], vec![1], true));
        assert_eq!(selected(r#"name = ["chat", "*cancel"]"#), (vec![0, 2], vec![0, 1], true));
        assert_eq!(selected(r#"model = "gpt-*""#), (vec![0], vec![0], true));
        assert_eq!(selected(r#"model = { "$absent" = true }"#), (vec![1, 2], vec![0, 1], true));
    }

    #[test]
    fn a_plain_string_is_a_glob_within_not_and_one_of_too() {
        assert_eq!(selected(r#"name = { "$not" = "db*" }"#).0, [0]);
        assert_eq!(selected(r#"name = { "$not" = ["*book", "chat"] }"#).0, [2]);
        assert_eq!(selected(r#"name = { "$one_of" = ["*book", "chat"] }"#).0, [0, 1]);
        assert_eq!(selected(r#"name = { "$not" = { "$one_of" = ["db*"] } }"#).0, [0]);
        assert_eq!(selected(r#"name = { "$not" = { "$eq" = "db*" } }"#).0, [0, 1, 2]);
        assert_eq!(selected(r#"model = { "$not" = "gpt*" }"#).0, [0; 0], "what has no model is not another one");
        assert!(selected(r#"attributes = { tier = { "$not" = "s*" } }"#).2);
        assert!(!selected(r#"attributes = { tier = { "$not" = "g*" } }"#).2);
    }

    #[test]
    fn an_agent_is_the_operations_own_or_the_sessions() {
        assert_eq!(selected(r#"agent = "triage""#), (vec![0], vec![0], true));
        assert_eq!(selected(r#"agent = "airline""#), (vec![1, 2], vec![0, 1, 2], true));
        assert_eq!(selected(r#"agent = "other""#), (vec![], vec![], false));
    }

    #[test]
    fn attributes_are_those_of_the_subject() {
        assert_eq!(selected(r#"attributes = { tier = "gold", n = 3 }"#), (vec![], vec![], true));
        assert_eq!(selected(r#"attributes = { lang = "d?" }"#), (vec![], vec![1], false));
        assert_eq!(selected(r#"attributes = { "http.status" = { "$gte" = 500 } }"#), (vec![1], vec![], false));
        assert_eq!(selected(r#"attributes = { tier = { "$absent" = true } }"#), (vec![0, 1, 2], vec![0, 1, 2], false));
    }

    #[test]
    fn all_tags_listed_must_be_there() {
        assert!(selected(r#"tags = "ref*""#).2);
        assert!(selected(r#"tags = ["refund", "vip"]"#).2);
        assert!(!selected(r#"tags = ["refund", "new"]"#).2);
        assert!(selected(r#"case = "s""#).2);
        assert!(!selected(r#"user = "u2""#).2);
    }

    #[test]
    fn turns_count_from_one_and_from_the_end() {
        assert_eq!(selected("index = 1").1, [0]);
        assert_eq!(selected("index = -1").1, [2]);
        assert_eq!(selected("index = [2, -1]").1, [1, 2]);
        assert_eq!(selected("index = 4").1, [0; 0]);
        assert_eq!(selected("index = -4").1, [0; 0]);
    }

    #[test]
    fn a_missing_turn_is_selected_unless_index_case_or_session_say_no() {
        for (on, expected) in
            [("", true), ("index = 4", true), ("index = 2", false), ("kind = 'tool'", true), ("user = 'u2'", false)]
        {
            let on = selector(on);
            assert_eq!(scene(SESSION, &[], |scene| on.missing_turn(scene, 3)), expected, "{on:?}");
        }
    }

    #[test]
    fn an_unseen_call_is_selected_unless_kind_case_or_session_say_no() {
        for (on, expected) in
            [("", true), ("kind = 'tool'\nname = 'refund'", true), ("kind = 'llm'", false), ("case = 'x'", false)]
        {
            let on = selector(on);
            assert_eq!(scene(SESSION, &[], |scene| on.unseen_call(scene)), expected, "{on:?}");
        }
    }

    #[test]
    fn an_index_that_cannot_be_meant_is_a_problem() {
        assert_eq!(selector("index = 1").problems(Level::Turn), []);
        assert_eq!(selector("index = 0").problems(Level::Turn).len(), 1);
        assert_eq!(selector("index = 1").problems(Level::Span).len(), 1);
        assert_eq!(selector(r#"kind = "tool""#).problems(Level::Session), []);
    }

    #[test]
    fn only_literal_tool_names_are_known_names() {
        assert_eq!(selector("kind = \"tool\"\nname = \"book\"").tool_names(), ["book"]);
        assert_eq!(selector("kind = \"tool\"\nname = [\"a\", \"b*\"]").tool_names(), ["a"]);
        assert_eq!(selector("name = \"book\"").tool_names(), [""; 0]);
        assert_eq!(selector("kind = \"tool\"\nname = { \"$eq\" = \"b*\" }").tool_names(), ["b*"]);
    }

    #[test]
    fn unknown_keys_and_bad_globs_are_refused_where_they_stand() {
        for bad in [
            "knid = \"tool\"",
            "kind = \"tol\"",
            "name = \"a[\"",
            "name = []",
            "index = \"last\"",
            "name = { \"$not\" = \"a[\" }",
            "name = { \"$not\" = \"a\", \"$eq\" = \"b\" }",
            "name = { \"$nott\" = \"a\" }",
            "name = { \"$one_of\" = [] }",
            "name = { \"$one_of\" = \"a\" }",
        ] {
            let error = toml::from_str::<Selector>(bad).unwrap_err();
            assert!(error.span().is_some_and(|s| !s.is_empty()), "{bad}: {error}");
        }
    }

    #[test]
    fn a_selector_survives_being_written_out() {
        let text = "kind = \"tool\"\nname = [\"a*\", { \"$eq\" = \"b*\" }, { \"$not\" = \"c*\" }, { \"$eq\" = [] }]\nindex = [1, -1]\n\
            attributes = { x = { \"$gte\" = 1 } }";
        let json = serde_json::to_value(selector(text)).unwrap();
        let again: Selector = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), json);
        assert_eq!(json["name"][1]["$eq"], "b*");
        assert_eq!(json["name"][2]["$not"], "c*");
    }
}
