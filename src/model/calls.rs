//! What turns and sessions say through the calls of models in them: when the reply began, and which calls count.

use std::collections::HashMap;

use super::session::{Session, Span, SpanKind, SpanStatus, Turn};

impl Turn<'_> {
    /// Time from the turn's start to the first token of its reply, in nanoseconds.
    ///
    /// As recorded for the turn; else from the turn's recorded start to the first token of the model call that gave
    /// the reply: the last one whose output is the reply, or the only call there is. An earlier call may have given its
    /// first token long before the user saw anything (it called a tool, or was another agent's), so it is no substitute.
    pub fn first_token_ns(&self) -> Option<u64> {
        if self.ttft_ns.is_some() {
            return self.ttft_ns;
        }
        let call = self.replying_call()?;
        call.start_ns?.checked_sub(self.start_ns?)?.checked_add(call.ttft_ns?)
    }

    /// The model call that gave the reply, as far as the recording tells.
    fn replying_call(&self) -> Option<&Span<'_>> {
        let calls = model_calls(self.spans.iter().enumerate());
        if let [(_, only)] = calls[..] {
            return Some(only);
        }
        let reply = self.reply.as_ref()?.trim();
        let said = |span: &Span<'_>| span.output.as_ref().is_some_and(|o| !o.is_null() && o.as_str().trim() == reply);
        calls.into_iter().map(|(_, span)| span).rfind(|span| !reply.is_empty() && said(span))
    }
}

/// The model calls among spans, with their ordinals, each counted once: a model span around another (a wrapper of a
/// framework around the provider's own) repeats what the inner one says, and is left out.
pub fn model_calls<'s, 'a: 's>(spans: impl Iterator<Item = (usize, &'s Span<'a>)>) -> Vec<(usize, &'s Span<'a>)> {
    let spans: Vec<(usize, &Span<'_>)> = spans.collect();
    let is_call = |span: &Span<'_>| span.kind == SpanKind::Llm;
    let nested = |span: &Span<'_>| is_call(span) && span.parent.is_some();
    let wraps = if spans.iter().any(|(_, span)| nested(span)) { wrappers(&spans) } else { Vec::new() };
    let counts = |at: usize, span: &Span<'_>| is_call(span) && !wraps.get(at).is_some_and(|wraps| *wraps);
    spans.iter().enumerate().filter(|(at, (_, span))| counts(*at, span)).map(|(_, found)| *found).collect()
}

/// Which spans are above a model call with nothing but spans of no kind between: what stands below a tool or an agent
/// is a call of its own. Every span is passed once, so parents that go in a circle end too.
fn wrappers(spans: &[(usize, &Span<'_>)]) -> Vec<bool> {
    let by_id: HashMap<&str, usize> =
        spans.iter().enumerate().filter_map(|(at, (_, span))| Some((span.id.as_ref()?.as_str(), at))).collect();
    let parent = |at: usize| spans[at].1.parent.as_ref().and_then(|id| by_id.get(id.as_str()).copied());
    let carries = |at: usize| matches!(spans[at].1.kind, SpanKind::Llm | SpanKind::Other);
    let mut above = vec![false; spans.len()];
    for (at, _) in spans.iter().enumerate().filter(|(_, (_, span))| span.kind == SpanKind::Llm) {
        let mut next = parent(at);
        while let Some(up) = next.filter(|&up| up != at && carries(up) && !above[up]) {
            above[up] = true;
            next = parent(up);
        }
    }
    above
}

/// The attribute of a session that names the tools that there were, called or not (JSON, a list of names).
pub const TOOLS: &str = "seatrial.tools";

/// The names of the tools that there were by the session's own account, beside those that were called.
pub fn listed_tools(session: &Session<'_>) -> Vec<String> {
    let told = session.attributes.get(TOOLS).map(|told| told.as_str());
    told.and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default()
}

/// The name of the span that stands for a turn of a live agent that tells nothing of what it did.
pub const CLIENT_SPAN: &str = "seatrial.turn";

/// The name of the span that stands for a turn of a live agent of which telemetry was awaited and none arrived.
pub const UNHEARD_SPAN: &str = "seatrial.turn.unheard";

/// What a recording as a whole tells of the tools that were called in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolsTold {
    /// All of them: it has spans of tools, or it is a transcript, whose spans have no ids.
    All,
    /// None: no span is known to be of an agent, a model or a tool.
    Nothing,
    /// Those that its models say they asked for.
    ByModels,
}

impl ToolsTold {
    /// What the recording of `session` tells.
    pub fn of(session: &Session<'_>) -> Self {
        let (mut any, mut known) = (false, false);
        for span in session.spans().filter(|s| s.id.is_some()) {
            any = true;
            known |= matches!(span.kind, SpanKind::Agent | SpanKind::Llm);
            if span.kind == SpanKind::Tool {
                // Who records tools at all records each of them.
                return Self::All;
            }
        }
        match (any, known) {
            (false, _) => Self::All,
            (true, true) => Self::ByModels,
            (true, false) => Self::Nothing,
        }
    }

    /// Why not all tools that were called among `spans`, part of the recording, may be shown, with the ordinal of the
    /// span that leaves it open; `None` when they are.
    pub fn hidden<'s, 'a: 's>(
        self,
        spans: impl Iterator<Item = (usize, &'s Span<'a>)>,
    ) -> Option<(Option<usize>, String)> {
        if self == Self::All {
            return None;
        }
        if self == Self::Nothing {
            let spans: Vec<_> = spans.collect();
            if spans.iter().any(|(_, span)| span.name == UNHEARD_SPAN) {
                let why = "telemetry was awaited and no span of the session arrived, so tools may have been called unseen: \
                           look at the address that the agent's exporter sends to (`listen` in [agent.telemetry])";
                return Some((None, why.to_owned()));
            }
            if spans.iter().any(|(_, span)| span.name == CLIENT_SPAN) {
                let why = "the live agent neither sent spans nor reported its tool calls, so tools may have been called \
                           unseen: let it export OpenTelemetry spans of its tools to `[agent] telemetry`, or say where its \
                           reply reports them";
                return Some((None, why.to_owned()));
            }
            let why =
                "no recorded span is known to be of an agent, a model or a tool, so tools may have been called unseen";
            return Some((None, why.to_owned()));
        }
        let silent = |span: &Span<'_>| span.id.is_some() && span.output.is_none() && span.status != SpanStatus::Error;
        let (ordinal, span) = model_calls(spans).into_iter().find(|(_, span)| silent(span))?;
        let name: String = span.name.chars().take(80).collect();
        let why =
            format!("the recording shows no tools and not what `{name}` said, so it may have called tools unseen");
        Some((Some(ordinal), why))
    }
}

/// Why the recording of `session` may not show all tools that were called among `spans`, part of it, with the ordinal
/// of the span that leaves it open; `None` when it shows them.
pub fn hidden_calls<'s, 'a: 's>(
    session: &Session<'_>,
    spans: impl Iterator<Item = (usize, &'s Span<'a>)>,
) -> Option<(Option<usize>, String)> {
    ToolsTold::of(session).hidden(spans)
}

/// The last end of some spans; `None` where the recording does not say when one of them ended.
pub fn last_end<'s, 'a: 's>(spans: impl Iterator<Item = &'s Span<'a>>) -> Option<u64> {
    let mut last = None;
    for span in spans {
        if span.id.is_some() && span.start_ns.is_some() && span.end_ns.is_none() {
            return None;
        }
        last = last.max(span.end_ns);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_token(turn: &str) -> Option<u64> {
        let line = format!(r#"{{"id":"s","turns":[{turn}]}}"#);
        let session: Session<'_> = serde_json::from_str(&line).unwrap();
        session.turns[0].first_token_ns()
    }

    #[test]
    fn the_turns_own_time_wins() {
        let turn = r#"{"ttft_ns":7,"start_ns":100,"spans":[{"kind":"llm","name":"c","start_ns":110,"ttft_ns":5}]}"#;
        assert_eq!(first_token(turn), Some(7));
    }

    #[test]
    fn the_only_model_call_stands_in_from_the_turns_start() {
        let only = |call: &str, start: &str| {
            first_token(&format!(r#"{{{start}"spans":[{{"kind":"llm","name":"c"{call}}}]}}"#))
        };
        assert_eq!(only(r#","start_ns":110,"ttft_ns":5"#, r#""start_ns":100,"#), Some(15));
        for (call, start) in [
            (r#","start_ns":110,"ttft_ns":5"#, ""),
            (r#","start_ns":90,"ttft_ns":5"#, r#""start_ns":100,"#),
            (r#","start_ns":110"#, r#""start_ns":100,"#),
            (r#","ttft_ns":5"#, r#""start_ns":100,"#),
        ] {
            assert_eq!(only(call, start), None, "{call} {start}");
        }
    }

    #[test]
    fn of_several_model_calls_the_one_that_gave_the_reply_counts() {
        let turn = |reply: &str| {
            first_token(&format!(
                r#"{{"start_ns":0,{reply}"spans":[
                {{"kind":"llm","name":"c","start_ns":10,"ttft_ns":1,"output":null}},
                {{"kind":"tool","name":"f","start_ns":20}},
                {{"kind":"llm","name":"c","start_ns":50,"ttft_ns":2,"output":"Done.\n"}}]}}"#
            ))
        };
        assert_eq!(turn(r#""reply":"Done.","#), Some(52));
        assert_eq!(turn(r#""reply":"Something else.","#), None);
        assert_eq!(turn(r#""reply":"","#), None);
        assert_eq!(turn(""), None);
    }

    fn counted(spans: &str) -> Vec<usize> {
        let line = format!(r#"{{"id":"s","spans":[{spans}]}}"#);
        let session: Session<'_> = serde_json::from_str(&line).unwrap();
        model_calls(session.spans().enumerate()).into_iter().map(|(ordinal, _)| ordinal).collect()
    }

    #[test]
    fn a_model_span_around_another_is_not_counted() {
        let spans = r#"{"id":"a","kind":"llm","name":"outer"},{"id":"b","parent":"a","kind":"other","name":"http"},
            {"id":"c","parent":"b","kind":"llm","name":"inner"},{"id":"d","parent":"a","kind":"llm","name":"second"},
            {"kind":"llm","name":"apart"},{"id":"e","parent":"gone","kind":"llm","name":"orphan"}"#;
        assert_eq!(counted(spans), [2, 3, 4, 5]);
    }

    #[test]
    fn a_model_call_that_had_an_agent_or_a_tool_called_below_it_is_counted() {
        let spans = r#"{"id":"a","kind":"llm","name":"call_llm"},{"id":"b","parent":"a","kind":"tool","name":"ask"},
            {"id":"c","parent":"b","kind":"agent","name":"sub"},{"id":"d","parent":"c","kind":"llm","name":"call_llm"}"#;
        assert_eq!(counted(spans), [0, 3]);
    }

    fn hidden(spans: &str) -> Option<Option<usize>> {
        let line = format!(r#"{{"id":"s","spans":[{spans}]}}"#);
        let session: Session<'_> = serde_json::from_str(&line).unwrap();
        hidden_calls(&session, session.spans().enumerate()).map(|(ordinal, _)| ordinal)
    }

    #[test]
    fn calls_are_hidden_where_neither_tools_nor_the_words_of_a_model_are_recorded() {
        let silent = r#"{"id":"a","kind":"llm","name":"chat"}"#;
        assert_eq!(hidden(silent), Some(Some(0)));
        assert_eq!(hidden(r#"{"id":"a","kind":"llm","name":"chat","output":null}"#), None);
        assert_eq!(hidden(r#"{"id":"a","kind":"llm","name":"chat","status":"error"}"#), None);
        assert_eq!(hidden(&format!(r#"{silent},{{"id":"b","kind":"tool","name":"f"}}"#)), None);
        assert_eq!(hidden(&format!(r#"{silent},{{"kind":"tool","name":"f"}}"#)), Some(Some(0)));
        assert_eq!(hidden(r#"{"kind":"llm","name":"a transcript"}"#), None);
        assert_eq!(hidden(r#"{"id":"a","kind":"other","name":"POST /chat"}"#), Some(None));
        assert_eq!(hidden(""), None);
    }

    #[test]
    fn the_last_end_is_unknown_where_one_never_ended() {
        let last = |spans: &str| {
            let line = format!(r#"{{"id":"s","spans":[{spans}]}}"#);
            let session: Session<'_> = serde_json::from_str(&line).unwrap();
            last_end(session.spans())
        };
        let ended = r#"{"id":"a","kind":"llm","name":"c","start_ns":1,"end_ns":5}"#;
        assert_eq!(last(ended), Some(5));
        assert_eq!(last(&format!(r#"{ended},{{"kind":"tool","name":"f","start_ns":4}}"#)), Some(5));
        assert_eq!(last(&format!(r#"{ended},{{"id":"b","kind":"tool","name":"f","start_ns":4}}"#)), None);
        assert_eq!(last(""), None);
    }

    #[test]
    fn parents_in_a_circle_leave_no_call_out_but_wrappers() {
        assert_eq!(counted(r#"{"id":"a","parent":"a","kind":"llm","name":"self"}"#), [0]);
        let circle = r#"{"id":"a","parent":"b","kind":"agent","name":"x"},{"id":"b","parent":"a","kind":"agent","name":"y"},
            {"id":"c","parent":"a","kind":"llm","name":"z"}"#;
        assert_eq!(counted(circle), [2]);
    }
}
