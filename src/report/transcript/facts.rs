//! What is said of a session before its conversation, and in a list of sessions: who, when, how much, and how it ended.

use super::layout::{self, grouped};
use super::{Draw, safe};
use crate::model::{Session, Span, SpanKind, SpanStatus, Text};

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Id, case, trial, turns (as the `turns` check counts them: without a closing message), tool calls, how many of
    /// those and of the model calls failed, tokens of all model calls, how long it took, reward; `-` where the
    /// recording does not say.
    pub cells: [String; 9],
}

/// The titles of the cells of a [`Row`].
pub const ROW_TITLES: [&str; 9] = ["session", "case", "trial", "turns", "calls", "errors", "tokens", "took", "reward"];

/// What a list says of a session.
pub fn row(session: &Session<'_>) -> Row {
    let text = |t: Option<&Text<'_>>| t.map_or_else(|| "-".to_owned(), |t| safe::line(t).into_owned());
    let failed = |s: &&Span<'_>| s.status == SpanStatus::Error && matches!(s.kind, SpanKind::Tool | SpanKind::Llm);
    let took = session.end_ns.zip(session.start_ns).and_then(|(end, start)| end.checked_sub(start));
    // Of some of the calls is not of the session.
    let tokens = usage(session).filter(|u| u.known == u.calls).map(|u| grouped(u.input.saturating_add(u.output)));
    Row {
        cells: [
            safe::line(&session.id).into_owned(),
            text(session.case.as_ref()),
            text(session.trial.as_ref()),
            session.answerable_turns().count().to_string(),
            session.tool_calls().count().to_string(),
            session.spans().filter(failed).count().to_string(),
            tokens.unwrap_or_else(|| "-".to_owned()),
            took.map_or_else(|| "-".to_owned(), layout::duration),
            session.reward.map_or_else(|| "-".to_owned(), |r| r.to_string()),
        ],
    }
}

impl Draw {
    pub(super) fn header(&mut self, s: &Session<'_>) {
        let title = self.paint.bold(&safe::line(&s.id));
        self.line(&title);
        let optional = |t: &Option<Text<'_>>| t.as_ref().map(|t| safe::line(t).into_owned());
        if let Some(case) = optional(&s.case) {
            let trial = optional(&s.trial).map_or_else(String::new, |t| format!(", trial {t}"));
            self.fact("case", &format!("{case}{trial}"));
        } else if let Some(trial) = optional(&s.trial) {
            self.fact("trial", &trial);
        }
        if let Some(agent) = optional(&s.agent) {
            let version = optional(&s.version).map_or_else(String::new, |v| format!(" {v}"));
            self.fact("agent", &format!("{agent}{version}"));
        }
        if let Some(user) = optional(&s.user) {
            self.fact("user", &user);
        }
        if !s.tags.is_empty() {
            let tags: Vec<_> = s.tags.iter().map(|t| safe::line(t)).collect();
            self.fact("tags", &tags.join(", "));
        }
        if let Some(times) = layout::times(s.start_ns, s.end_ns) {
            self.fact("time", &times);
        }
        self.fact("size", &size(s));
        if let Some(usage) = tokens(s) {
            self.fact("tokens", &usage);
        }
        self.outcome(s);
    }

    fn outcome(&mut self, s: &Session<'_>) {
        if let Some(reward) = s.reward {
            self.fact("reward", &reward.to_string());
        }
        if let Some(rating) = s.rating {
            self.fact("rating", &rating.to_string());
        }
        if let Some(escalated) = s.escalated {
            self.fact("escalated", if escalated { "yes" } else { "no" });
        }
        if let Some(failure) = &s.failure {
            let message = failure.message.as_ref().map_or_else(String::new, |m| format!(": {m}"));
            self.fact("failure", &format!("{}{message}", failure.kind));
        }
        if s.incomplete {
            self.fact("note", "the recording stops before the session's end");
        }
        for note in &s.notes {
            self.fact("note", note);
        }
    }
}

fn size(s: &Session<'_>) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{} {}", grouped(n as u64), if n == 1 { one } else { many });
    let errors = s.tool_calls().filter(|(_, c)| c.status == SpanStatus::Error).count();
    let calls = count(s.tool_calls().count(), "tool call", "tool calls");
    let failed = if errors > 0 { format!(" ({errors} failed)") } else { String::new() };
    let turns = s.answerable_turns().count();
    let closing = if turns < s.turns.len() { " and a closing message" } else { "" };
    format!("{}{closing}, {calls}{failed}", count(turns, "turn", "turns"))
}

/// Tokens of model calls, as far as they are recorded.
struct Recorded {
    calls: u64,
    known: u64,
    input: u64,
    output: u64,
}

/// The tokens of all model calls; `None` where none says. Of a model span around another only the inner one counts.
fn usage(s: &Session<'_>) -> Option<Recorded> {
    let mut all = Recorded { calls: 0, known: 0, input: 0, output: 0 };
    for (_, span) in crate::model::model_calls(s.spans().enumerate()) {
        all.calls += 1;
        if let Some((input, output)) = span.usage.and_then(|u| u.input.zip(u.output)) {
            all.known += 1;
            all.input = all.input.saturating_add(input);
            all.output = all.output.saturating_add(output);
        }
    }
    (all.known > 0).then_some(all)
}

/// When some of the model calls do not say, that is said.
pub(super) fn tokens(s: &Session<'_>) -> Option<String> {
    let Recorded { calls, known, input, output } = usage(s)?;
    let partly = if known < calls { format!(" (of {known} of {calls} model calls)") } else { String::new() };
    Some(format!("{} in, {} out{partly}", grouped(input), grouped(output)))
}
