//! From a stream of messages to turns of spans: what every transcript format does once it knows who said what.
//!
//! A turn starts at each user message and ends before the next. What the agent did before the first user message
//! belongs to the session; in a session without any user message, everything is one turn without a user.

use std::collections::VecDeque;

use crate::model::{Payload, Session, Span, SpanKind, SpanStatus, Text, Turn};

/// How many unanswered calls are remembered; the oldest are given up beyond it, so that pairing stays cheap on a
/// hostile recording. Real ones have a few dozen at most.
const MAX_OPEN: usize = 1024;

/// Where a span lies: in turn `turn - 1`, or before the first turn for 0.
#[derive(Clone, Copy)]
pub(super) struct At {
    turn: usize,
    span: usize,
}

/// The words by which the simulated users of tau-bench and tau2-bench end a conversation.
const STOP_WORDS: [&str; 3] = ["###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###"];

/// Whether a result is that of a failed call, by the word with which tools of tau-bench and tau2-bench say so.
pub(super) fn says_error(output: Option<&Payload<'_>>) -> bool {
    output.is_some_and(|o| o.as_str().starts_with("Error"))
}

/// Turns and spans in the making.
#[derive(Default)]
pub(super) struct Transcript<'a> {
    before: Vec<Span<'a>>,
    turns: Vec<Turn<'a>>,
    open: VecDeque<At>,
}

/// The result of a call, as a message carries it.
pub(super) struct ToolResult<'a> {
    /// The id of the call that it answers; empty counts as none.
    pub(super) id: Option<Text<'a>>,
    /// The name of the tool, where recorded.
    pub(super) name: Option<Text<'a>>,
    /// The kind of the calls it may answer.
    pub(super) kind: SpanKind,
    /// What the tool said.
    pub(super) output: Option<Payload<'a>>,
    /// Whether it is an error.
    pub(super) error: bool,
    /// When it came.
    pub(super) end_ns: Option<u64>,
}

impl<'a> Transcript<'a> {
    /// Starts a turn.
    pub(super) fn user(&mut self, text: Option<Text<'a>>) -> &mut Turn<'a> {
        let index = self.turns.len();
        self.turns.push(Turn { user: text, ..Turn::default() });
        &mut self.turns[index]
    }

    /// The turn that is going on.
    pub(super) fn turn(&mut self) -> Option<&mut Turn<'a>> {
        self.turns.last_mut()
    }

    /// Whether any turn has started.
    pub(super) fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Adds a span to the turn that is going on.
    pub(super) fn push(&mut self, span: Span<'a>) -> At {
        let turn = self.turns.len();
        let spans = self.turns.last_mut().map_or(&mut self.before, |t| &mut t.spans);
        spans.push(span);
        At { turn, span: spans.len() - 1 }
    }

    /// Adds a call that a later result may answer.
    pub(super) fn call(&mut self, mut span: Span<'a>) -> At {
        span.call_id = span.call_id.filter(|id| !id.is_empty());
        let at = self.push(span);
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(at);
        at
    }

    /// Adds a model's message: its span, and its text as the turn's reply. An empty text is a reply only when the
    /// agent did nothing else, and never replaces one. A message of nothing but calls has the output `null`.
    pub(super) fn assistant(&mut self, mut span: Span<'a>, text: Option<Text<'a>>, calls: bool) -> At {
        let text = text.filter(|t| !(calls && t.is_empty()));
        if let Some(text) = text {
            if let Some(turn) = self.turns.last_mut()
                && (turn.reply.is_none() || !text.is_empty())
            {
                turn.reply = Some(text.clone());
            }
            span.output = Some(Payload::text(text));
        } else if calls {
            span.output = Some(Payload::null());
        }
        self.push(span)
    }

    /// The span at a position.
    pub(super) fn at(&mut self, at: At) -> Option<&mut Span<'a>> {
        match at.turn {
            0 => self.before.get_mut(at.span),
            n => self.turns.get_mut(n - 1)?.spans.get_mut(at.span),
        }
    }

    fn peek(&self, at: At) -> Option<&Span<'a>> {
        match at.turn {
            0 => self.before.get(at.span),
            n => self.turns.get(n - 1)?.spans.get(at.span),
        }
    }

    /// The first unanswered call that `wanted` accepts; it is answered from now on.
    fn take_open(&mut self, wanted: impl Fn(&Span<'a>) -> bool) -> Option<At> {
        let index = self.open.iter().position(|&at| self.peek(at).is_some_and(&wanted))?;
        self.open.remove(index)
    }

    /// Pairs a result with the earliest call that is still unanswered and has the result's id; without an id, with
    /// the earliest of its name, else with the earliest. Ids repeat in real recordings. A result that answers no
    /// call is kept as a span of its own, marked `unpaired_result`.
    pub(super) fn result(&mut self, result: ToolResult<'a>) {
        let ToolResult { id, name, kind, output, error, end_ns } = result;
        let id = id.filter(|id| !id.is_empty());
        let named = |s: &Span<'a>| name.as_ref().is_none_or(|n| s.name == **n);
        let found = match &id {
            Some(id) => self
                .take_open(|s| s.kind == kind && s.call_id.as_ref() == Some(id))
                .or_else(|| self.take_open(|s| s.kind == kind && s.call_id.is_none() && named(s))),
            None => self.take_open(|s| s.kind == kind && named(s)),
        };
        let at = found.unwrap_or_else(|| {
            let mut span = Span { name: name.unwrap_or(Text::borrowed("tool_result")), call_id: id, ..Span::default() };
            span.attributes.push("unpaired_result", Payload::raw_json("true"));
            self.push(span)
        });
        let Some(span) = self.at(at) else { return };
        span.status = if error { SpanStatus::Error } else { SpanStatus::Ok };
        if error {
            span.status_message = output.as_ref().map(|o| o.as_str().to_owned().into());
        }
        span.output = output;
        span.end_ns = end_ns;
    }

    /// Marks the last turn as the end of the conversation when all there is to it is a user's message with one of the
    /// words by which a simulated user ends it.
    pub(super) fn close(&mut self) {
        if let Some(turn) = self.turns.last_mut() {
            let said = turn.user.as_deref().is_some_and(|text| STOP_WORDS.iter().any(|word| text.contains(word)));
            turn.closing = said && turn.reply.is_none() && turn.spans.is_empty();
        }
    }

    /// Puts turns and spans into the session.
    pub(super) fn finish(self, session: &mut Session<'a>) {
        session.spans = self.before;
        session.turns = self.turns;
    }

    /// Puts turns and spans into the session; without any user message they are one turn that `user` asked for.
    pub(super) fn finish_whole(mut self, session: &mut Session<'a>, user: Option<Text<'a>>) {
        if self.turns.is_empty() && !self.before.is_empty() {
            let spans = std::mem::take(&mut self.before);
            let reply = spans
                .iter()
                .rev()
                .filter(|s| s.kind == SpanKind::Llm)
                .find_map(|s| s.output.as_ref().filter(|o| !o.is_null()));
            let reply = reply.map(|o| o.clone().into_text());
            self.turns.push(Turn { user, reply, spans, ..Turn::default() });
        }
        self.finish(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &'static str, name: &'static str) -> Span<'static> {
        Span { kind: SpanKind::Tool, name: name.into(), call_id: Some(id.into()), ..Span::default() }
    }

    fn result(id: Option<&'static str>, name: Option<&'static str>, text: &'static str) -> ToolResult<'static> {
        ToolResult {
            id: id.map(Text::from),
            name: name.map(Text::from),
            kind: SpanKind::Tool,
            output: Some(Payload::text(text)),
            error: text.starts_with("Error"),
            end_ns: None,
        }
    }

    fn outputs(t: Transcript<'static>) -> Vec<(String, Option<String>, SpanStatus)> {
        let mut s = Session::default();
        t.finish(&mut s);
        s.spans().map(|s| (s.name.to_string(), s.output.as_ref().map(|o| o.as_str().to_owned()), s.status)).collect()
    }

    #[test]
    fn a_repeated_id_answers_the_earliest_open_call() {
        let mut t = Transcript::default();
        t.call(call("1", "a"));
        t.call(call("1", "b"));
        t.result(result(Some("1"), None, "first"));
        t.result(result(Some("1"), None, "Error: second"));
        assert_eq!(
            outputs(t),
            [
                ("a".into(), Some("first".into()), SpanStatus::Ok),
                ("b".into(), Some("Error: second".into()), SpanStatus::Error)
            ]
        );
    }

    #[test]
    fn a_result_without_an_id_answers_by_name_then_by_order() {
        let mut t = Transcript::default();
        t.call(call("", "a"));
        t.call(call("", "b"));
        t.result(result(None, Some("b"), "of b"));
        t.result(result(Some("unknown"), None, "of a"));
        let out = outputs(t);
        assert_eq!(out[0].1.as_deref(), Some("of a"));
        assert_eq!(out[1].1.as_deref(), Some("of b"));
    }

    #[test]
    fn a_result_that_answers_nothing_is_kept_and_is_no_call() {
        let mut t = Transcript::default();
        t.call(call("1", "a"));
        t.result(result(Some("2"), Some("a"), "stray"));
        let mut s = Session::default();
        t.finish(&mut s);
        assert_eq!(s.tool_calls().count(), 1);
        assert_eq!(s.spans[0].status, SpanStatus::Unset);
        assert_eq!(s.spans[1].kind, SpanKind::Other);
        assert!(s.spans[1].attributes.get("unpaired_result").is_some());
    }

    #[test]
    fn many_open_calls_give_up_the_oldest() {
        let mut t = Transcript::default();
        for _ in 0..MAX_OPEN + 1 {
            t.call(call("x", "a"));
        }
        t.result(result(Some("x"), None, "r"));
        let mut s = Session::default();
        t.finish(&mut s);
        assert!(s.spans[0].output.is_none());
        assert!(s.spans[1].output.is_some());
    }
}
