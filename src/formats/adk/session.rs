//! What surrounds the events of a session: ids, state, and all that is kept as attributes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::event::{Event, Reader, seconds_ns};
use super::{eval_set, malformed};
use crate::formats::wire;
use crate::model::{Attributes, Failure, Payload, Problem, Session, Text};

/// How many values of the state become attributes, and how long a text among them may be.
const MAX_STATE: usize = 64;
const MAX_VALUE: usize = 200;

/// Decodes an element.
pub(super) fn decode<'a>(element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
    if element.trim_ascii_start().first() == Some(&b'[') {
        wire::parse::<IgnoredAny>(element)?;
        return Err(eval_set());
    }
    let recorded: Recorded<'a> = wire::parse(element)?;
    if recorded.is_eval_set {
        return Err(eval_set());
    }
    let recorded = recorded.unwrap();
    let events = match recorded.events {
        Some(events) => events,
        None if recorded.case.is_some() => Vec::new(),
        None => return Err(malformed("a session without `events`")),
    };
    let mut session = Session {
        id: recorded.id.unwrap_or_default(),
        case: recorded.case,
        agent: recorded.app_name.filter(|name| !name.is_empty()),
        user: recorded.user_id.filter(|id| !id.is_empty()),
        state: recorded.state,
        attributes: recorded.rest,
        ..Session::default()
    };
    if session.id.is_empty() {
        let source = source.strip_suffix(".session").unwrap_or(source);
        session.id = wire::default_id(source, index).into();
    }
    if let Some(state) = session.state.clone() {
        describe_state(&state, &mut session);
    }
    session.start_ns = events.first().and_then(|e| e.timestamp.as_ref()).and_then(seconds_ns);
    session.failure = unreadable(&events);
    let mut reader = Reader::default();
    for event in events {
        reader.add(event)?;
    }
    reader.finish(&mut session);
    Ok(session)
}

/// A session without events was listed and not fetched, or lost them: an agent that did nothing is another thing.
fn unreadable<'a>(events: &[Event<'_>]) -> Option<Failure<'a>> {
    events.is_empty().then(|| Failure {
        kind: "no_transcript".into(),
        message: Some("the session was recorded without its events".into()),
    })
}

/// Single values of the state, as `state.NAME`.
fn describe_state<'a>(state: &Payload<'a>, session: &mut Session<'a>) {
    let Some(values) = state.json().and_then(|v| v.as_object()) else { return };
    let single = values.iter().filter(|(_, value)| match value {
        serde_json::Value::String(text) => text.len() <= MAX_VALUE,
        value => value.is_number() || value.is_boolean(),
    });
    for (name, value) in single.take(MAX_STATE) {
        session.attributes.push(format!("state.{name}"), Payload::from_value(value));
    }
}

/// The wire form of a session, or of an eval case's result with the session within.
#[derive(Default)]
struct Recorded<'a> {
    id: Option<Text<'a>>,
    /// The eval case that a result is of.
    case: Option<Text<'a>>,
    /// The session of a result.
    details: Option<Box<Recorded<'a>>>,
    app_name: Option<Text<'a>>,
    user_id: Option<Text<'a>>,
    state: Option<Payload<'a>>,
    events: Option<Vec<Event<'a>>>,
    /// It has the keys of an eval set.
    is_eval_set: bool,
    /// Every other key.
    rest: Attributes<'a>,
}

impl Recorded<'_> {
    /// The session; that of a result, with what the result says beside it. A result without one keeps its own id.
    fn unwrap(self) -> Self {
        let Some(details) = self.details else { return self };
        let mut session = *details;
        session.case = self.case;
        session.id = session.id.or(self.id);
        session.rest.0.extend(self.rest.0);
        session
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Recorded<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Recorded<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a session: an object with `events`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Recorded::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.as_str() {
                        "id" | "session_id" | "sessionId" => out.id = map.next_value()?,
                        "eval_id" | "evalId" => out.case = map.next_value()?,
                        "session_details" | "sessionDetails" => out.details = map.next_value()?,
                        // Each turn again, actual and expected.
                        "eval_metric_result_per_invocation" | "evalMetricResultPerInvocation" => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        "app_name" | "appName" => out.app_name = map.next_value()?,
                        "user_id" | "userId" => out.user_id = map.next_value()?,
                        "state" => out.state = map.next_value()?,
                        "events" => out.events = map.next_value()?,
                        "eval_cases" | "evalCases" => {
                            map.next_value::<IgnoredAny>()?;
                            out.is_eval_set = true;
                        }
                        _ => {
                            let value = map.next_value::<Payload<'de>>()?;
                            if !value.is_null() {
                                out.rest.push(key, value);
                            }
                        }
                    }
                }
                Ok(out)
            }
        }
        d.deserialize_map(V)
    }
}
