//! One tau2-bench simulation to a session.

use serde::Deserialize;

use super::task::{Shared, Task};
use crate::formats::transcript::{ToolResult, Transcript, says_error};
use crate::formats::wire::{Content, Id, iso_ns, unknown_role};
use crate::model::{Failure, LeftOut, NanoUsd, Payload, Problem, Session, Span, SpanKind, Text, Usage};

/// Ends of a simulation that say nothing about the agent: the harness or the simulated user broke.
const NOT_THE_AGENT: &[&str] = &["infrastructure_error", "user_error", "unexpected_error"];

/// The wire form of a simulation.
#[derive(Deserialize)]
pub(super) struct Simulation<'a> {
    #[serde(borrow, default)]
    id: Option<Id<'a>>,
    #[serde(borrow)]
    task_id: Id<'a>,
    #[serde(borrow, default)]
    trial: Option<Id<'a>>,
    #[serde(borrow, default)]
    start_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    end_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    duration: Option<Payload<'a>>,
    #[serde(borrow, default)]
    termination_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    agent_cost: Option<Payload<'a>>,
    #[serde(borrow, default)]
    user_cost: Option<Payload<'a>>,
    #[serde(borrow, default)]
    reward_info: Option<Payload<'a>>,
    #[serde(borrow, default)]
    seed: Option<Payload<'a>>,
    #[serde(borrow, default)]
    mode: Option<Payload<'a>>,
    #[serde(borrow, default)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(default)]
    ticks: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    tool_messages: Option<Vec<Message<'a>>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    requestor: Option<Text<'a>>,
    #[serde(default)]
    error: Option<bool>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    #[serde(default)]
    cost: Option<f64>,
    #[serde(default)]
    usage: Option<Tokens>,
    #[serde(default)]
    generation_time_seconds: Option<f64>,
    #[serde(borrow, default)]
    errors: Option<Payload<'a>>,
    #[serde(borrow, default)]
    chunk_id: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Option<Payload<'a>>,
    #[serde(borrow, default)]
    requestor: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct RewardInfo {
    #[serde(default)]
    reward: Option<f64>,
}

impl<'a> Simulation<'a> {
    /// The session that the simulation recorded.
    pub(super) fn into_session(mut self, shared: &Shared) -> Result<Session<'a>, Problem> {
        let task = shared.task(self.task_id.0.as_str());
        let messages = self.messages.take();
        let mut session = self.describe(shared)?;
        session.reference = task.and_then(Task::reference);
        if session.failure.is_none() {
            let ticks = self.ticks.as_ref().is_some_and(|t| !t.is_empty());
            session.failure = unreadable(messages.as_deref(), ticks);
        }
        let mut transcript = Transcript::default();
        for message in messages.into_iter().flatten() {
            add(&mut transcript, message, shared)?;
        }
        transcript.close();
        if shared.is_solo().unwrap_or(true) {
            transcript.finish_whole(&mut session, task.and_then(|t| t.ticket.clone()).map(Text::from));
        } else {
            transcript.finish(&mut session);
        }
        Ok(session)
    }

    /// Everything but the messages.
    fn describe(&mut self, shared: &Shared) -> Result<Session<'a>, Problem> {
        let task_id = self.task_id.0.clone();
        let trial = self.trial.take().map(|t| t.0);
        let id = match self.id.take() {
            Some(id) => id.0,
            None => format!("{task_id}/{}", trial.as_deref().unwrap_or("")).into(),
        };
        let time = |t: &Option<Text<'a>>| t.as_deref().and_then(iso_ns);
        let mut session = Session {
            id,
            trial,
            agent: shared.agent.clone().map(Text::from),
            start_ns: time(&self.start_time),
            end_ns: time(&self.end_time),
            ..Session::default()
        };
        if let Some(info) = &self.reward_info {
            let info: RewardInfo = serde_json::from_str(info.as_str())
                .map_err(|e| Problem::new(LeftOut::Malformed, format!("`reward_info`: {e}")))?;
            session.reward = info.reward;
        }
        if let Some(reason) = &self.termination_reason
            && NOT_THE_AGENT.contains(&reason.as_str())
        {
            session.failure = Some(Failure { kind: reason.clone(), message: None });
        }
        let owned = |v: &Option<String>| v.clone().map(Payload::text);
        session.attributes.push_some([
            ("task_id", Some(Payload::text(task_id.clone()))),
            ("trial", session.trial.clone().map(Payload::text)),
            ("termination_reason", self.termination_reason.take().map(Payload::text)),
            ("agent_cost", self.agent_cost.take()),
            ("user_cost", self.user_cost.take()),
            ("duration", self.duration.take()),
            ("seed", self.seed.take()),
            ("mode", self.mode.take()),
            ("reward_info", self.reward_info.take()),
            ("agent_llm", owned(&shared.llm)),
            ("domain", owned(&shared.domain)),
        ]);
        session.case = Some(task_id);
        Ok(session)
    }
}

/// Why the messages cannot be evaluated: there are none at all, or a voice simulation recorded overlapping chunks of
/// speech, often without their text. An evaluation would find no calls and no words where there may have been some.
fn unreadable<'a>(messages: Option<&[Message<'_>]>, ticks: bool) -> Option<Failure<'a>> {
    let why = match messages {
        Some(messages) if messages.iter().any(|m| m.chunk_id.is_some()) || (ticks && messages.is_empty()) => {
            "a voice simulation, recorded as ticks and not as messages"
        }
        None if ticks => "a voice simulation, recorded as ticks and not as messages",
        None => "the simulation was recorded without its messages",
        Some(_) => return None,
    };
    Some(Failure { kind: "no_transcript".into(), message: Some(why.into()) })
}

fn add<'a>(transcript: &mut Transcript<'a>, message: Message<'a>, shared: &Shared) -> Result<(), Problem> {
    let time_ns = message.timestamp.as_deref().and_then(iso_ns);
    match message.role.as_str() {
        "user" => add_user(transcript, message, time_ns),
        "assistant" => add_agent(transcript, message, time_ns, shared),
        "tool" if message.tool_messages.is_some() => {
            for inner in message.tool_messages.into_iter().flatten() {
                let time_ns = inner.timestamp.as_deref().and_then(iso_ns);
                add_result(transcript, inner, time_ns);
            }
        }
        "tool" => add_result(transcript, message, time_ns),
        "system" => {}
        other => return Err(unknown_role(other)),
    }
    Ok(())
}

fn add_agent<'a>(transcript: &mut Transcript<'a>, message: Message<'a>, time_ns: Option<u64>, shared: &Shared) {
    let calls = message.tool_calls.unwrap_or_default();
    // The orchestrator opens the conversation with a fixed sentence that no model made: it has no usage, and
    // counting it as a model call would make the usage of every session incomplete.
    let solo = shared.is_solo() == Some(true);
    let greeting = !solo && !transcript.has_turns() && message.usage.is_none() && calls.is_empty();
    let mut span = Span {
        kind: if greeting { SpanKind::Other } else { SpanKind::Llm },
        name: if greeting { "greeting".into() } else { "chat".into() },
        model: shared.llm.clone().filter(|_| !greeting).map(Text::from),
        start_ns: started(time_ns, message.generation_time_seconds),
        end_ns: time_ns,
        cost_usd: message.cost.and_then(NanoUsd::from_usd),
        usage: message.usage.map(|u| Usage { input: u.prompt_tokens, output: u.completion_tokens, ..Usage::default() }),
        ..Span::default()
    };
    if let Some(errors) = message.errors {
        span.attributes.push("errors", errors);
    }
    transcript.assistant(span, message.content.text(), !calls.is_empty());
    for call in calls {
        transcript.call(call.into_span("assistant", time_ns));
    }
    if let Some(turn) = transcript.turn() {
        turn.end_ns = time_ns.or(turn.end_ns);
    }
}

/// When a message that took `seconds` to make was begun.
fn started(end_ns: Option<u64>, seconds: Option<f64>) -> Option<u64> {
    let nanos = seconds.map(|s| (s * 1e9).round()).filter(|n| (0.0..1e18).contains(n))?;
    end_ns?.checked_sub(nanos as u64)
}

/// A user message: a turn, unless it holds nothing but the user's own tool calls.
fn add_user<'a>(transcript: &mut Transcript<'a>, message: Message<'a>, time_ns: Option<u64>) {
    let calls = message.tool_calls.unwrap_or_default();
    let text = message.content.text();
    if calls.is_empty() || text.as_ref().is_some_and(|t| !t.trim().is_empty()) {
        transcript.user(text).start_ns = time_ns;
    }
    for call in calls {
        transcript.call(call.into_span("user", time_ns));
    }
}

fn add_result<'a>(transcript: &mut Transcript<'a>, message: Message<'a>, time_ns: Option<u64>) {
    let output = message.content.text().map(Payload::text);
    let by_user = message.requestor.as_deref() == Some("user");
    transcript.result(ToolResult {
        id: message.id,
        name: None,
        kind: if by_user { SpanKind::Other } else { SpanKind::Tool },
        error: says_error(output.as_ref()) || message.error == Some(true),
        output,
        end_ns: time_ns,
    });
    if let Some(turn) = transcript.turn().filter(|_| !by_user) {
        turn.end_ns = time_ns.or(turn.end_ns);
    }
}

impl<'a> Call<'a> {
    /// The span of the call; `by` is who sent the message, for a call that does not say.
    fn into_span(self, by: &str, time_ns: Option<u64>) -> Span<'a> {
        let by_user = self.requestor.as_deref().unwrap_or(by) == "user";
        let mut span = Span {
            kind: if by_user { SpanKind::Other } else { SpanKind::Tool },
            name: self.name,
            call_id: self.id,
            start_ns: time_ns,
            input: self.arguments,
            ..Span::default()
        };
        if by_user {
            span.attributes.push("requestor", Payload::text("user"));
        }
        span
    }
}
