//! A session as it was driven and what its agent's telemetry told of it, made one.
//!
//! What we said and heard is ours: the user's words, the reply. What happened in between is the agent's: its spans take
//! the place of the calls that it only reported. Each number is the agent's where it tells it, else what was measured
//! here, and which of the two it is stands beside it.

use super::telemetry::Collected;
use crate::assemble::build::Builder;
use crate::formats::Decoder;
use crate::model::{CLIENT_SPAN, Payload, Session, Span, SpanKind, Turn, UNHEARD_SPAN};

/// Attributes of a turn that say where its number is from: `agent` or `client`.
pub mod source {
    /// Of its time to the first token.
    pub const TTFT: &str = "seatrial.source.ttft";
    /// Of its start and end.
    pub const DURATION: &str = "seatrial.source.duration";
    /// Of the tokens used.
    pub const USAGE: &str = "seatrial.source.usage";
    /// Of what it cost.
    pub const COST: &str = "seatrial.source.cost";
    /// Of its calls of tools.
    pub const CALLS: &str = "seatrial.source.calls";
    /// By the agent's own account: in its telemetry, or in its reply.
    pub const AGENT: &str = "agent";
    /// By our clock, or our count.
    pub const CLIENT: &str = "client";
}

/// Puts what was collected into a session that was driven, turn by turn. `turns` says for each turn of the session which
/// of those that began it is.
pub fn join<'a>(session: &mut Session<'a>, collected: &'a Collected, turns: &[Option<usize>]) {
    let (mut missing, mut there) = (0, 0);
    for (i, begun) in turns.iter().enumerate() {
        let Some(heard) = begun.and_then(|b| collected.turns.get(b)) else { continue };
        let Some(turn) = session.turns.get_mut(i) else { continue };
        let told = (!heard.records.is_empty()).then(|| Builder::default().decode(&heard.records, 0, "").ok()).flatten();
        let Some(told) = told else {
            missing += 1;
            continue;
        };
        there += 1;
        let whole = turn_of(turn, told);
        of_the_session(session, whole);
        if heard.lost {
            session.notes.push(format!("turn {}: records of it could not be read back from disk", i + 1).into());
        }
        session.incomplete |= !heard.complete;
        if !heard.complete {
            let note =
                format!("turn {}: its root span had not ended when the time was up; spans may be missing", i + 1);
            session.notes.push(note.into());
        }
    }
    if missing > 0 {
        let what = if missing == 1 { "1 turn".to_owned() } else { format!("{missing} turns") };
        let note = format!(
            "no span arrived for {what}: the agent exports none to this receiver, or does not take part in the trace \
             that it is given (`traceparent`) and names no session (`baggage`)"
        );
        session.notes.push(note.into());
        // What some turns tell says nothing of the others.
        session.incomplete |= there > 0;
    }
    if missing > 0 && there == 0 {
        unheard(session);
    }
}

/// An agent whose telemetry is awaited reports its calls there: where none of it arrives, that its replies name no call
/// does not say that there was none.
fn unheard(session: &mut Session<'_>) {
    if session.spans().any(|span| span.kind == SpanKind::Tool) {
        return;
    }
    for (i, turn) in session.turns.iter_mut().enumerate() {
        turn.spans.retain(|span| span.name != CLIENT_SPAN);
        turn.spans.push(Span {
            id: Some(format!("unheard-{}", i + 1).into()),
            kind: SpanKind::Other,
            name: UNHEARD_SPAN.into(),
            start_ns: turn.start_ns,
            end_ns: turn.end_ns,
            ..Span::default()
        });
        turn.attributes.0.retain(|(name, _)| name != source::CALLS);
    }
}

/// Puts what was told of a turn into it; what was told of more than the turn comes back.
fn turn_of<'a>(turn: &mut Turn<'a>, mut told: Session<'a>) -> Session<'a> {
    let mut spans = std::mem::take(&mut told.spans);
    let (mut ttft, mut reply) = (None, None);
    for heard in &mut told.turns {
        spans.append(&mut heard.spans);
        ttft = ttft.or(heard.ttft_ns);
        reply = heard.reply.take().or(reply);
    }
    spans.sort_by_key(|span| span.start_ns);
    let (start, end) = (told.start_ns, told.end_ns);
    let has = |which: &dyn Fn(&Span<'_>) -> bool| spans.iter().any(which);
    let (calls, usage) = (has(&|s| s.kind == SpanKind::Tool), has(&|s| s.usage.is_some()));
    // What only was reported says nothing more than what was recorded.
    let reported = std::mem::take(&mut turn.spans).into_iter().filter(|span| match span.kind {
        SpanKind::Tool => !calls,
        _ => span.usage.is_some() && !usage,
    });
    spans.splice(0..0, reported);
    turn.spans = spans;
    turn.reply = turn.reply.take().or(reply);
    if calls {
        set(turn, source::CALLS, source::AGENT);
    }
    if usage {
        set(turn, source::USAGE, source::AGENT);
    }
    if let Some(ttft) = ttft {
        turn.ttft_ns = Some(ttft);
        set(turn, source::TTFT, source::AGENT);
    }
    if let (Some(start), Some(end)) = (start, end) {
        (turn.start_ns, turn.end_ns) = (Some(start), Some(end));
        set(turn, source::DURATION, source::AGENT);
    }
    told
}

fn of_the_session<'a>(session: &mut Session<'a>, told: Session<'a>) {
    session.agent = session.agent.take().or(told.agent);
    session.version = session.version.take().or(told.version);
    session.user = session.user.take().or(told.user);
    session.instructions = session.instructions.take().or(told.instructions);
    session.events.extend(told.events);
    for note in told.notes {
        if !session.notes.contains(&note) {
            session.notes.push(note);
        }
    }
    for (name, value) in told.attributes.0 {
        if session.attributes.get(&name).is_none() {
            session.attributes.push(name, value);
        }
    }
}

fn set(turn: &mut Turn<'_>, name: &'static str, value: &'static str) {
    turn.attributes.0.retain(|(n, _)| n != name);
    turn.attributes.push(name, Payload::text(value));
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
