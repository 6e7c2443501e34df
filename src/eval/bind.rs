//! From a session to its case: which case and trial it is, and what is expected of it. Per key, the suite wins over
//! the recording (the suite has already been laid over its cases file).

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::checks::context;
use crate::checks::expect::Expected;
use crate::checks::subject::{EarlierReply, NO_EARLIER};
use crate::model::digest::{Builder, Digest};
use crate::model::json::canonical::canonical;
use crate::model::{LeftOut, Session, Text};
use crate::suite::{Case, Suite};

/// A session with its case.
pub struct Bound<'s> {
    /// The case's id.
    pub case_id: Text<'s>,
    /// Which trial, as the recording says.
    pub trial: Option<Text<'s>>,
    /// The declared case; `None` when every session is its own.
    pub case: Option<&'s Case>,
    /// Position of the declared case.
    pub case_index: Option<usize>,
    /// The case's tags together with the session's.
    pub tags: Cow<'s, [String]>,
    /// What is expected of the session.
    pub expected: Expected<'s>,
    /// What is expected of each turn; as long as the longer of the session's turns and the case's.
    pub turn_expected: Vec<Option<Expected<'s>>>,
    /// What an earlier run's session of the same case and trial replied; or why that is not known.
    pub earlier: Result<&'s [EarlierReply], &'s str>,
    /// Why the session as a whole cannot be measured.
    pub error: Option<String>,
}

/// Finds the session's case. `Err` says why it is left out.
pub fn bind<'s>(suite: &'s Suite, session: &'s Session<'s>) -> Result<Bound<'s>, (LeftOut, String)> {
    let mut error = whole_session_error(suite, session);
    let mut named = |attribute: &Option<String>, recorded: &'s Option<Text<'s>>| match attribute {
        None => recorded.as_ref().map(|t| Text::borrowed(t)),
        Some(name) => recorded_attribute(session, name).unwrap_or_else(|why| {
            error.get_or_insert_with(|| format!("{why}, which `[recorded]` names to find its case or trial"));
            None
        }),
    };
    let case = named(&suite.recorded.case, &session.case);
    let trial = named(&suite.recorded.trial, &session.trial);
    let unnamed = case.is_none();
    let case_id = case.unwrap_or_else(|| Text::borrowed(&session.id));

    let mut bound = Bound {
        case: None,
        case_index: None,
        tags: Cow::Owned(session.tags.iter().map(Text::to_string).collect()),
        expected: session.reference.as_ref().map(Expected::recorded).unwrap_or_default(),
        turn_expected: session.turns.iter().map(|t| t.reference.as_ref().map(Expected::recorded)).collect(),
        case_id,
        trial,
        earlier: Err(NO_EARLIER),
        error,
    };
    if let Some(cases) = &suite.cases {
        let Some(&index) = cases.by_id.get(bound.case_id.as_str()) else {
            let why = match bound.error.take_if(|_| unnamed && suite.recorded.case.is_some()) {
                Some(why) => why,
                None => format!("case `{}` is not declared in the suite", bound.case_id),
            };
            return Err((LeftOut::UnknownCase, why));
        };
        bound.declared(&cases.list[index], index);
    }
    Ok(bound)
}

/// An attribute of the session, or one that its operations carry and agree on: telemetry has no record of the session
/// itself, and SDKs write what belongs to it on every span. `Err` says that there is none, or that they differ.
fn recorded_attribute<'s>(session: &'s Session<'_>, name: &str) -> Result<Option<Text<'s>>, String> {
    if let Some(value) = session.attributes.get(name) {
        return Ok(Some(Text::borrowed(value.as_str())));
    }
    let mut values = session.spans().filter_map(|span| span.attributes.get(name));
    let first = values.next().ok_or_else(|| format!("the session has no attribute `{name}`"))?;
    match values.find(|other| other.as_str() != first.as_str()) {
        None => Ok(Some(Text::borrowed(first.as_str()))),
        Some(_) => Err(format!("operations of the session differ in the attribute `{name}`")),
    }
}

impl<'s> Bound<'s> {
    /// Lays a declared case over what the recording says.
    fn declared(&mut self, case: &'s Case, index: usize) {
        if self.tags.is_empty() {
            self.tags = Cow::Borrowed(&case.tags);
        } else {
            let tags = self.tags.to_mut();
            tags.extend(case.tags.iter().filter(|t| !tags.contains(t)).cloned().collect::<Vec<_>>());
        }
        self.case = Some(case);
        if case.skip.is_some() {
            // Nobody looks at it, so nobody minds what could not be measured.
            self.error = None;
        }
        self.case_index = Some(index);
        self.expected = std::mem::take(&mut self.expected).overlaid(&case.expected);
        if self.turn_expected.len() < case.turn_expected.len() {
            self.turn_expected.resize_with(case.turn_expected.len(), || None);
        }
        for (mine, over) in self.turn_expected.iter_mut().zip(&case.turn_expected) {
            if let Some(over) = over {
                *mine = Some(mine.take().unwrap_or_default().overlaid(over));
            }
        }
    }

    /// The same for another view of the session: what the recording expects is what that view says.
    pub fn of<'v>(&'v self, session: &'v Session<'v>) -> Bound<'v> {
        let mut bound = Bound {
            case_id: Text::borrowed(&self.case_id),
            trial: None,
            case: None,
            case_index: None,
            tags: Cow::Borrowed(&self.tags),
            expected: session.reference.as_ref().map(Expected::recorded).unwrap_or_default(),
            turn_expected: session.turns.iter().map(|t| t.reference.as_ref().map(Expected::recorded)).collect(),
            earlier: self.earlier,
            error: None,
        };
        if let (Some(case), Some(index)) = (self.case, self.case_index) {
            bound.declared(case, index);
        }
        bound
    }

    /// Digest of what the suite says of the case: its variables as templates see them, and what is expected. What the
    /// recording says itself is in the digest of the session. `None` where no case is declared.
    pub fn case_digest(&self) -> Option<Digest> {
        let case = self.case?;
        let of_turn = |expected: &Option<Expected<'_>>| expected.as_ref().map(reference_value);
        let said = json!({
            "id": self.case_id.as_str(),
            "vars": case.vars,
            "reference": reference_value(&case.expected),
            "turns": case.turn_expected.iter().map(of_turn).collect::<Vec<_>>(),
        });
        let text = canonical(&said).unwrap_or_else(|_| said.to_string());
        let mut digest = Builder::new("seatrial case 1");
        digest.part("case", text.as_bytes());
        Some(digest.finish())
    }

    /// `case` and `session` as templates and expressions see them.
    pub fn context(&self, session: &Session<'_>) -> minijinja::Value {
        let mut case = match self.case.map(|c| &c.vars) {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        case.insert("id".into(), self.case_id.as_str().into());
        case.insert("tags".into(), json!(self.tags));
        case.insert("reference".into(), reference_value(&self.expected));
        minijinja::context! {
            case => minijinja::Value::from(minijinja::value::Serde(&case)),
            session => context::session_value(session),
        }
    }
}

/// What is expected, as templates see it: only the keys that are.
fn reference_value(expected: &Expected<'_>) -> Value {
    let mut map = Map::new();
    if let Some(tools) = &expected.tools {
        let call = |c: &crate::checks::expect::ExpectedCall| match &c.args {
            Some(args) => json!({ "name": c.name, "args": args.shown() }),
            None => json!({ "name": c.name }),
        };
        map.insert("tools".into(), tools.iter().map(call).collect::<Vec<_>>().into());
    }
    if let Some(answer) = &expected.answer {
        map.insert("answer".into(), answer.as_str().into());
    }
    if let Some(facts) = &expected.facts {
        let fact = |f: &crate::checks::expect::Fact| match &f.0[..] {
            [one] => one.shown(),
            many => many.iter().map(|m| m.shown()).collect::<Vec<_>>().into(),
        };
        map.insert("facts".into(), facts.iter().map(fact).collect::<Vec<_>>().into());
    }
    if let Some(state) = &expected.state {
        let state: Map<_, _> = state.iter().map(|(path, m)| (path.clone(), m.shown())).collect();
        map.insert("state".into(), state.into());
    }
    map.into()
}

/// Why nothing of the session can be measured, if so.
fn whole_session_error(suite: &Suite, session: &Session<'_>) -> Option<String> {
    if let Some(failure) = &session.failure {
        let said = failure.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
        return Some(format!("the session broke for a reason that is not the agent's: {}{said}", failure.kind));
    }
    if session.incomplete {
        return Some("the recording stops before the end of the session".into());
    }
    let subject = suite.subject.as_ref()?;
    match session.agent.as_deref() {
        Some(agent) if agent != subject.agent => {
            return Some(format!("the session is of agent `{agent}`, the suite judges `{}`", subject.agent));
        }
        None => {
            return Some(format!("the session does not say its agent, the suite judges `{}`", subject.agent));
        }
        _ => {}
    }
    let wanted = subject.version.as_ref()?;
    match session.version.as_deref() {
        Some(version) if version == wanted => None,
        Some(version) => Some(format!("the session is of version `{version}`, the suite judges `{wanted}`")),
        None => Some(format!("the session does not say its agent's version, the suite judges `{wanted}`")),
    }
}
