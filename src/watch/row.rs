//! What is kept of a session that was looked at: the groups that it counts in, its numbers, and what every check said. All
//! that windows say is added up from it, and nothing in it is what somebody said to an agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checks::prices::Prices;
use crate::checks::system::{Cell, Column, columns};
use crate::eval::event::{SessionEvent, SuitePlan};
use crate::ledger::Millis;
use crate::model::{Level, Session, Span, Status, SubjectRef};
use crate::redact::{Redact, With};

/// What windows are divided by, where nothing else is said.
pub const BY: [&str; 5] = ["agent", "version", "model", "tool", "flow"];

/// The metrics that every session is asked for.
pub const METRICS: [&str; 11] = [
    "ttft_ms",
    "turn_ms",
    "session_ms",
    "tokens",
    "cost_usd",
    "tool_calls",
    "tool_errors",
    "tool_error_rate",
    "escalation_rate",
    "first_contact_resolution",
    "csat",
];

/// Metrics that are a sum over operations, each with what such an operation is told apart by.
const SPLIT: [(&str, &str); 5] = [
    ("tokens", "model"),
    ("cost_usd", "model"),
    ("tool_calls", "tool"),
    ("tool_errors", "tool"),
    ("tool_error_rate", "tool"),
];

/// The most characters of a group's name, and of a reason.
const LONGEST: usize = 200;

/// Values of one metric: one a turn or session, or of a ratio its numerator and denominator.
type Values = Vec<f64>;

/// What is kept of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// The groups that it counts in, by what sessions are divided by.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Values by metric. One that the recording does not tell is not there.
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Values>,
    /// Sums over operations, by metric and the group of the operation.
    #[serde(rename = "s", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, BTreeMap<String, Values>>,
    /// What the checks said, by their ids.
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Said>,
    /// Why the session as a whole could not be measured.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What system checks look at, and which columns it is of ([`super::system::names`]).
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<(String, Vec<Cell>)>,
    /// Its tags, where system checks may look at them.
    #[serde(rename = "y", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The trace of its last turn, and the span that stands for it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(String, String)>,
}

/// What a check said of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The verdict.
    #[serde(rename = "v")]
    pub status: Status,
    /// The score, where it is neither 0 nor 1.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Why, where it is no pass.
    #[serde(rename = "r", default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The trace and span that it is about, where it is about one.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(String, String)>,
}

impl Redact for Body {
    fn redact(&mut self, with: &With<'_>) {
        for names in self.groups.values_mut() {
            names.iter_mut().for_each(|name| with.name(name));
        }
        for by_group in self.split.values_mut() {
            let all = std::mem::take(by_group);
            *by_group = all.into_iter().map(|(name, values)| (with.named(&name), values)).collect();
        }
    }
}

/// When a session ended, as it says: its end, or the last end of its spans.
pub fn ended(session: &Session<'_>) -> Option<Millis> {
    let spans = || session.spans().filter_map(|s| s.end_ns.or(s.start_ns)).max();
    let nanos = session.end_ns.or_else(spans).or(session.start_ns)?;
    i64::try_from(nanos / 1_000_000).ok()
}

/// The traces of a session that are not its name: as one of them it was known before anything named it.
pub fn traces(session: &Session<'_>) -> Vec<String> {
    let mut traces: Vec<String> =
        session.turns.iter().filter_map(|turn| turn.trace_id.as_deref()).map(Into::into).collect();
    traces.sort_unstable();
    traces.dedup();
    traces.retain(|trace| *trace != *session.id);
    traces
}

impl Body {
    /// What a session is, whatever was said of it; `by` is what sessions are divided by.
    pub fn of(session: &Session<'_>, by: &[String], prices: &Prices) -> Self {
        let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
        let project = |metric: &str, by: Option<&str>| {
            let by = by.map(str::to_owned).into_iter().collect();
            let column = Column { metric: metric.to_owned(), of: None, by };
            match columns::project(&column, session, &tags, prices, &|_| None) {
                Cell::Samples(samples) => samples,
                Cell::Missing(_) | Cell::Waiting(_) | Cell::Unselected => Vec::new(),
            }
        };
        let first = |group: &[String]| group.first().map(|g| short(g)).unwrap_or_default();
        // Every session has turns, so that the groups of that number are those of the session.
        let groups = by.iter().map(|by| {
            (by.clone(), project("turns", Some(by)).iter().map(|sample| first(&sample.group)).collect::<Vec<_>>())
        });
        let values = METRICS.iter().filter_map(|metric| {
            let values: Values = project(metric, None).into_iter().flat_map(|sample| sample.values).collect();
            (!values.is_empty()).then(|| ((*metric).to_owned(), values))
        });
        let split = SPLIT.iter().filter(|(_, own)| by.iter().any(|by| by == own)).filter_map(|(metric, own)| {
            let split = project(metric, Some(own));
            let split: BTreeMap<_, _> = split.into_iter().map(|sample| (first(&sample.group), sample.values)).collect();
            (!split.is_empty()).then(|| ((*metric).to_owned(), split))
        });
        Self {
            groups: groups.collect(),
            values: values.collect(),
            split: split.collect(),
            place: whole(session),
            ..Self::default()
        }
    }

    /// Adds what was said of the session, as it may be written.
    pub fn said(&mut self, plan: &SuitePlan, event: &SessionEvent<'_>, session: &Session<'_>) {
        self.error = event.error.as_deref().map(short);
        if plan.checks.iter().any(|check| check.level == Level::System && !check.inactive) {
            self.cells = super::system::names(&plan.columns).map(|names| (names, event.row.clone()));
            self.tags = event.tags.clone();
        }
        for verdict in &event.verdicts {
            let Some(check) = plan.checks.get(verdict.check as usize) else { continue };
            let about = verdict.findings.iter().find(|f| f.status == verdict.status).or(verdict.findings.first());
            let why = about.map(|finding| finding.reason.as_str()).filter(|_| verdict.reason.is_empty());
            let why = why.unwrap_or(&verdict.reason);
            let said = Said {
                status: verdict.status,
                score: verdict.score.filter(|score| *score != 0.0 && *score != 1.0),
                reason: if verdict.status == Status::Pass { String::new() } else { short(why) },
                place: about.and_then(|finding| place(session, finding.subject)),
            };
            self.checks.insert(check.id.clone(), said);
        }
    }

    /// Whether a check failed, could not be measured, or waits for a person.
    pub fn worst(&self) -> Status {
        let has = |status| self.checks.values().any(|said| said.status == status);
        match self.error {
            Some(_) => Status::Error,
            None => [Status::Fail, Status::Error, Status::Held].into_iter().find(|s| has(*s)).unwrap_or(Status::Pass),
        }
    }
}

/// The trace and span that a finding is about.
fn place(session: &Session<'_>, subject: SubjectRef) -> Option<(String, String)> {
    match subject {
        SubjectRef::Span(ordinal) => {
            let mut before = session.spans.len();
            let ordinal = ordinal as usize;
            for turn in &session.turns {
                if ordinal >= before && ordinal < before + turn.spans.len() {
                    let span = turn.spans.get(ordinal - before)?;
                    return Some((turn.trace_id.as_deref()?.to_owned(), span.id.as_deref()?.to_owned()));
                }
                before += turn.spans.len();
            }
            None
        }
        SubjectRef::Turn(index) => top(session, index as usize),
        SubjectRef::Session => None,
    }
}

/// The span of a turn that no other span of the turn stands above.
fn top(session: &Session<'_>, index: usize) -> Option<(String, String)> {
    let turn = session.turns.get(index)?;
    let known = |id: &str| turn.spans.iter().any(|span| span.id.as_deref() == Some(id));
    let is_top = |span: &&Span<'_>| span.id.is_some() && span.parent.as_deref().is_none_or(|parent| !known(parent));
    let span = turn.spans.iter().find(is_top)?;
    Some((turn.trace_id.as_deref()?.to_owned(), span.id.as_deref()?.to_owned()))
}

/// The place that stands for the session as a whole.
fn whole(session: &Session<'_>) -> Option<(String, String)> {
    (0..session.turns.len()).rev().find_map(|index| top(session, index))
}

/// A text that is not too long.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(line: &str) -> Session<'_> {
        serde_json::from_str(line).unwrap()
    }

    const LINE: &str = r#"{"id":"s","agent":"a","version":"2","start_ns":1000000,"end_ns":9000000,"turns":[
        {"trace_id":"t1","spans":[{"id":"1","kind":"agent","name":"a"},
         {"id":"2","parent":"1","kind":"llm","name":"chat","model":"m","usage":{"input":3,"output":2}},
         {"id":"3","parent":"1","kind":"tool","name":"f","status":"error"},
         {"id":"4","parent":"1","kind":"tool","name":"g","status":"ok"}]}]}"#;

    #[test]
    fn a_session_counts_in_its_groups_and_what_it_does_not_tell_is_absent() {
        let session = session(LINE);
        let body = Body::of(&session, &BY.map(str::to_owned), &Prices::default());
        assert_eq!(body.groups["agent"], ["a"]);
        assert_eq!(
            (&body.groups["version"], &body.groups["tool"]),
            (&vec!["2".to_owned()], &vec!["f".into(), "g".into()])
        );
        assert_eq!(body.values["session_ms"], [8.0]);
        assert_eq!(body.values["tool_error_rate"], [1.0, 2.0]);
        assert_eq!(body.split["tool_error_rate"]["f"], [1.0, 1.0]);
        assert!(!body.values.contains_key("csat") && !body.values.contains_key("cost_usd"));
        assert_eq!(body.place, Some(("t1".to_owned(), "1".to_owned())));
        assert_eq!((ended(&session), traces(&session)), (Some(9), vec!["t1".to_owned()]));
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let mut body = Body::of(&session(LINE), &BY.map(str::to_owned), &Prices::default());
        let said = |status, reason: &str| Said { status, score: Some(0.25), reason: reason.to_owned(), place: None };
        body.checks.insert("c".to_owned(), said(Status::Held, "unsure"));
        body.checks.insert("d".to_owned(), said(Status::Fail, "no"));
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
        assert_eq!(body.worst(), Status::Fail);
    }

    #[test]
    fn a_finding_about_a_span_names_its_trace_and_span() {
        let session = session(LINE);
        assert_eq!(place(&session, SubjectRef::Span(2)), Some(("t1".to_owned(), "3".to_owned())));
        assert_eq!(place(&session, SubjectRef::Turn(0)), Some(("t1".to_owned(), "1".to_owned())));
        assert_eq!(place(&session, SubjectRef::Session), None);
    }
}
