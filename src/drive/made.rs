//! From a conversation to a session. What was not heard is not in it, and where each number came from is said.
//!
//! An agent that reports its calls of tools is a transcript: its spans have no ids, as those gathered from messages. An
//! agent that reports none leaves open whether it called any: then there is one span of our own for the turn, with an id,
//! by which checks that need to know what was called see that they do not ([`crate::model::ToolsTold`]).

use serde_json::json;

use super::talk::{Talk, Turn};
use crate::agents::conversation::{Call, Heard};
use crate::model::{
    Attributes, CLIENT_SPAN, Failure, NanoUsd, Payload, Session, Span, SpanKind, SpanStatus, TOOLS, Text,
};
use crate::receive::source;
use crate::suite::{Case, Suite};

/// The attribute of a session that holds its id at the agent.
pub const THEIRS: &str = "seatrial.agent.session";

/// The attribute of a session that says who played its user, and what came of it (JSON).
pub const PLAYED: &str = "seatrial.user";

/// The session of a conversation for a case.
pub fn session(suite: &Suite, case: &Case, trial: u32, talk: Talk) -> Session<'static> {
    let mut attributes = Attributes::default();
    if let Some(theirs) = talk.theirs {
        attributes.push(THEIRS, Payload::text(theirs));
    }
    if let Some(played) = &talk.played {
        attributes.push(PLAYED, Payload::from_value(&played.json()));
    }
    if !talk.tools.is_empty() {
        attributes.push(TOOLS, Payload::from_value(&json!(talk.tools)));
    }
    let subject = suite.subject.as_ref();
    let start_ns = Some(talk.start_ns);
    Session {
        id: talk.id.into(),
        case: Some(case.id.clone().into()),
        trial: Some(trial.to_string().into()),
        agent: subject.map(|s| s.agent.clone().into()),
        version: subject.and_then(|s| s.version.clone()).map(Text::from),
        start_ns,
        end_ns: start_ns.map(|start| after(start, talk.took)),
        turns: talk.turns.into_iter().map(turn).collect(),
        failure: talk.failure.map(|f| Failure { kind: f.kind.into(), message: Some(f.message.into()) }),
        attributes,
        ..Session::default()
    }
}

fn after(start_ns: u64, took: std::time::Duration) -> u64 {
    start_ns.saturating_add(nanos(took))
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn turn(turn: Turn) -> crate::model::Turn<'static> {
    let Turn { said, heard, start_ns, took, trace, span } = turn;
    let mut made = crate::model::Turn {
        user: said.user.map(Text::from),
        start_ns: Some(start_ns),
        trace_id: Some(trace.into()),
        ..crate::model::Turn::default()
    };
    let Some(heard) = heard else { return made };
    let end_ns = after(start_ns, took);
    made.end_ns = Some(end_ns);
    made.ttft_ns = heard.first.map(nanos);
    made.spans = spans(&heard, (start_ns, end_ns), span, said.call.is_some());
    for (name, known, by) in [
        (source::DURATION, true, source::CLIENT),
        (source::TTFT, heard.first.is_some(), source::CLIENT),
        (source::USAGE, heard.usage.is_some(), source::AGENT),
        (source::COST, heard.cost_usd.is_some(), source::AGENT),
        (source::CALLS, heard.calls.is_some(), source::AGENT),
    ] {
        if known {
            made.attributes.push(name, Payload::text(by));
        }
    }
    for (name, value) in heard.attributes {
        made.attributes.push(name, Payload::from_value(&value));
    }
    made.reply = heard.reply.map(Text::from);
    made
}

/// The spans of a turn, as far as the agent reports what it did.
fn spans(heard: &Heard, (start_ns, end_ns): (u64, u64), id: String, called: bool) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    match &heard.calls {
        Some(calls) => {
            let alone = called && calls.len() == 1;
            spans.extend(calls.iter().map(|call| tool(call, alone.then_some(start_ns))));
        }
        None => spans.push(Span {
            id: Some(id.into()),
            kind: SpanKind::Other,
            name: CLIENT_SPAN.into(),
            start_ns: Some(start_ns),
            end_ns: Some(end_ns),
            ..Span::default()
        }),
    }
    // Without a number there is nothing that a model call would tell.
    let cost_usd = heard.cost_usd.and_then(NanoUsd::from_usd);
    if heard.usage.is_some() || cost_usd.is_some() {
        let model = heard.model.as_deref().map(|m| Text::from(m.to_owned()));
        spans.push(Span {
            kind: SpanKind::Llm,
            name: "chat".into(),
            model,
            start_ns: Some(start_ns),
            end_ns: Some(end_ns),
            output: heard.reply.clone().map(Payload::text),
            usage: heard.usage,
            cost_usd,
            ..Span::default()
        });
    }
    spans
}

/// A call as the agent reports it. When it began is known only where we made it ourselves.
fn tool(call: &Call, start_ns: Option<u64>) -> Span<'static> {
    let payload = |text: &String| match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(_) => Payload::raw_json(text.clone()),
        Err(_) => Payload::text(text.clone()),
    };
    let status = match (&call.error, call.ended) {
        (Some(_), _) => SpanStatus::Error,
        (None, true) => SpanStatus::Ok,
        (None, false) => SpanStatus::Unset,
    };
    let mut span = Span {
        kind: SpanKind::Tool,
        name: call.name.clone().into(),
        call_id: call.id.clone().map(Text::from),
        start_ns: start_ns.filter(|_| call.took.is_some()),
        status,
        status_message: call.error.clone().map(Text::from),
        input: call.input.as_ref().map(payload),
        output: call.output.as_ref().map(payload),
        ..Span::default()
    };
    span.end_ns = span.start_ns.zip(call.took).map(|(start, took)| after(start, took));
    if let Some(took) = call.took.filter(|_| span.start_ns.is_none()) {
        span.attributes.push("seatrial.took_ms", Payload::from_value(&json!(took.as_secs_f64() * 1e3)));
    }
    span
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Usage, hidden_calls};
    use crate::suite::agent::Line;

    fn made(heard: Option<Heard>) -> crate::model::Turn<'static> {
        turn(Turn {
            said: Line { user: Some("hi".into()), call: None },
            heard,
            start_ns: 1_000,
            took: Duration::from_nanos(500),
            trace: "t".into(),
            span: "s".into(),
        })
    }

    fn hides(turn: crate::model::Turn<'static>) -> bool {
        let session = Session { id: "x".into(), turns: vec![turn], ..Session::default() };
        hidden_calls(&session, session.spans().enumerate()).is_some()
    }

    #[test]
    fn an_agent_that_reports_no_calls_may_have_made_some() {
        let usage = Some(Usage { input: Some(1), output: Some(2), ..Usage::default() });
        assert!(hides(made(Some(Heard { reply: Some("a".into()), usage, ..Heard::default() }))));
        assert!(!hides(made(Some(Heard { calls: Some(Vec::new()), usage, ..Heard::default() }))));
        let call = Call { name: "f".into(), ended: true, ..Call::default() };
        assert!(!hides(made(Some(Heard { calls: Some(vec![call]), ..Heard::default() }))));
    }

    #[test]
    fn numbers_say_where_they_came_from_and_absent_ones_are_absent() {
        let plain = made(Some(Heard::default()));
        assert_eq!((plain.start_ns, plain.end_ns, plain.ttft_ns), (Some(1_000), Some(1_500), None));
        let told = |turn: &crate::model::Turn<'_>| -> Vec<(String, String)> {
            let told = turn.attributes.0.iter();
            told.map(|(n, v)| (n.trim_start_matches("seatrial.source.").to_owned(), v.as_str().to_owned())).collect()
        };
        let pair = |name: &str, by: &str| (name.to_owned(), by.to_owned());
        assert_eq!(told(&plain), [pair("duration", "client")]);
        assert!(plain.spans.iter().all(|span| span.kind == SpanKind::Other));
        let first = Some(Duration::from_nanos(100));
        let more = made(Some(Heard { first, cost_usd: Some(0.5), ..Heard::default() }));
        assert_eq!(more.ttft_ns, Some(100));
        assert_eq!(told(&more), [pair("duration", "client"), pair("ttft", "client"), pair("cost", "agent")]);
        assert_eq!(more.spans[1].cost_usd, Some(NanoUsd(500_000_000)));
    }

    #[test]
    fn a_turn_that_failed_has_no_end_and_no_reply() {
        let failed = made(None);
        assert_eq!((failed.user.as_deref(), failed.end_ns, failed.reply), (Some("hi"), None, None));
        assert!(failed.spans.is_empty());
    }

    #[test]
    fn calls_are_as_the_agent_reports_them() {
        let call = Call {
            name: "f".into(),
            input: Some("{\"a\": 1}".into()),
            output: Some("not json".into()),
            error: Some("boom".into()),
            ..Call::default()
        };
        let span = tool(&call, None);
        assert_eq!(span.input.unwrap().json().unwrap()["a"], 1);
        assert_eq!(span.output.unwrap().as_str(), "not json");
        assert_eq!((span.status, span.status_message.as_deref()), (SpanStatus::Error, Some("boom")));
        assert_eq!(tool(&Call::default(), None).status, SpanStatus::Unset);
        let timed = Call { took: Some(Duration::from_nanos(7)), ..Call::default() };
        assert_eq!((tool(&timed, Some(1)).start_ns, tool(&timed, Some(1)).end_ns), (Some(1), Some(8)));
        assert_eq!(tool(&timed, None).start_ns, None);
    }
}
