//! A session for the terminal: a header, the conversation with its tool calls, and a waterfall where there are times.

mod facts;
pub(crate) mod layout;
mod tree;
mod waterfall;

use std::collections::HashSet;
use std::fmt::Write;

pub use facts::{ROW_TITLES, Row, row};
use layout::{Paint, elide, grouped, wrapped};

use super::safe;
use crate::model::{Payload, Reference, Session, Span, SpanKind, SpanStatus, Text, Turn};

/// How a session is drawn.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns to wrap to; at least 40 are used.
    pub width: usize,
    /// Whether to use colours.
    pub color: bool,
    /// Whether long texts are shown whole.
    pub full: bool,
    /// Whether to draw the conversation.
    pub conversation: bool,
    /// Whether to draw the waterfall; `None` draws it where there are times.
    pub waterfall: Option<bool>,
    /// The first and the last turn of the conversation that are drawn, from 0; all of them without it.
    pub turns: Option<(usize, usize)>,
}

impl View {
    /// Conversation and, where there are times, waterfall.
    pub fn new(width: usize, color: bool) -> Self {
        Self { width, color, full: false, conversation: true, waterfall: None, turns: None }
    }
}

/// Longest text of a message that is shown without `full`, in bytes.
const TEXT_LIMIT: usize = 2000;
/// Longest argument list or result that is shown without `full`, in bytes.
const PAYLOAD_LIMIT: usize = 400;
/// Most spans of one turn that are shown without `full`.
const SPAN_LIMIT: usize = 200;

/// Draws a session. What it returns is harmless to a terminal whatever the session holds.
pub fn session(session: &Session<'_>, view: &View) -> String {
    let view = View { width: view.width.max(40), ..*view };
    let timed = session.spans().any(|s| s.start_ns.is_some() && s.end_ns.is_some());
    let waterfall = view.waterfall.unwrap_or(timed);
    let mut draw = Draw { out: String::new(), view, paint: Paint(view.color), waterfall };
    draw.header(session);
    if view.conversation {
        draw.conversation(session);
    }
    if waterfall {
        waterfall::draw(session, &draw.view, draw.paint, &mut draw.out);
    }
    draw.out
}

struct Draw {
    out: String,
    view: View,
    paint: Paint,
    /// Whether a waterfall follows.
    waterfall: bool,
}

/// What the conversation shows beside the operations, and need not show again as a part of them.
#[derive(Clone, Copy, Default)]
struct Beside<'t> {
    /// The agent of the session.
    agent: Option<&'t str>,
    user: Option<&'t str>,
    reply: Option<&'t str>,
}

impl Draw {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A text that may be long and hostile, wrapped behind a label.
    fn block(&mut self, indent: usize, label: &str, text: &str, limit: usize) {
        let (shown, hidden) = elide(text, if self.view.full { usize::MAX } else { limit });
        let shown = safe::terminal(shown);
        let label_width = layout::width(label);
        for (i, line) in wrapped(&shown, self.view.width.saturating_sub(indent + label_width)).iter().enumerate() {
            let head = if i == 0 { self.paint.label(label) } else { " ".repeat(label_width) };
            let text = format!("{}{head}{line}", " ".repeat(indent));
            self.line(&text);
        }
        if hidden > 0 {
            let note = format!("... {} more bytes (--full shows them)", grouped(hidden as u64));
            let text = format!("{}{}", " ".repeat(indent + label_width), self.paint.dim(&note));
            self.line(&text);
        }
    }

    fn fact(&mut self, name: &str, value: &str) {
        self.block(0, &format!("{name:<9} "), value, TEXT_LIMIT);
    }

    fn conversation(&mut self, s: &Session<'_>) {
        if let Some(instructions) = &s.instructions {
            self.out.push('\n');
            self.block(0, "system    ", instructions, PAYLOAD_LIMIT);
        }
        let (first, last) = self.view.turns.unwrap_or((0, usize::MAX));
        if first > 0 {
            self.left_out(first, "before");
        } else if !s.spans.is_empty() {
            self.out.push('\n');
            let title = self.paint.bold("before the first turn");
            self.line(&title);
            self.spans(&s.spans, Beside { agent: s.agent.as_deref(), ..Beside::default() });
        }
        for (i, turn) in s.turns.iter().enumerate().filter(|(i, _)| (first..=last).contains(i)) {
            self.turn(i, turn, s.agent.as_deref());
        }
        let after = s.turns.len().saturating_sub(last.saturating_add(1));
        if after > 0 {
            self.left_out(after, "after");
        }
        if let Some(reference) = &s.reference {
            self.out.push('\n');
            self.reference("expected of the session", reference);
        }
    }

    /// That turns are not drawn.
    fn left_out(&mut self, turns: usize, where_: &str) {
        self.out.push('\n');
        let note = format!("... {} {} {where_} this", grouped(turns as u64), if turns == 1 { "turn" } else { "turns" });
        let note = self.paint.dim(&note);
        self.line(&note);
    }

    fn turn(&mut self, index: usize, turn: &Turn<'_>, agent: Option<&str>) {
        self.out.push('\n');
        // The user's last word is no turn that the agent had to answer, and is not counted as one.
        let mut title = if turn.closing { "closing message".to_owned() } else { format!("turn {}", index + 1) };
        if let Some(ns) = turn.end_ns.zip(turn.start_ns).and_then(|(end, start)| end.checked_sub(start)) {
            let _ = write!(title, "  {}", layout::duration(ns));
        }
        if let Some(ns) = turn.first_token_ns() {
            let _ = write!(title, "  first token after {}", layout::duration(ns));
        }
        let title = self.paint.bold(&title);
        self.line(&title);
        if let Some(user) = &turn.user {
            self.block(2, "user   ", user, TEXT_LIMIT);
        }
        self.spans(&turn.spans, Beside { agent, user: turn.user.as_deref(), reply: turn.reply.as_deref() });
        match &turn.reply {
            Some(reply) => self.block(2, "reply  ", reply, TEXT_LIMIT),
            None => {
                let note = if turn.closing { "  the user ended the conversation" } else { "  no reply recorded" };
                let note = self.paint.dim(note);
                self.line(&note);
            }
        }
        if let Some(reference) = &turn.reference {
            self.reference("expected", reference);
        }
    }

    fn spans(&mut self, spans: &[Span<'_>], beside: Beside<'_>) {
        let caused_failure: HashSet<&str> = spans
            .iter()
            .filter(|s| s.status == SpanStatus::Error)
            .filter_map(|s| s.parent.as_ref().map(Text::as_str))
            .collect();
        let told = |s: &&Span<'_>| {
            let below = s.id.as_ref().is_some_and(|id| caused_failure.contains(id.as_str()));
            self.view.full || is_told(s, beside, below)
        };
        let shown: Vec<&Span<'_>> = tree::ordered(spans).into_iter().map(|n| n.span).filter(told).collect();
        let limit = if self.view.full { usize::MAX } else { SPAN_LIMIT };
        for span in shown.iter().take(limit) {
            self.span(span, beside);
        }
        let drawn = shown.len().min(limit);
        let rest = if self.waterfall { shown.len() - drawn } else { spans.len() - drawn };
        if rest > 0 {
            let note = format!("  ... {} more operations (--full shows them)", grouped(rest as u64));
            let note = self.paint.dim(&note);
            self.line(&note);
        }
    }

    fn span(&mut self, span: &Span<'_>, beside: Beside<'_>) {
        let failed = span.status == SpanStatus::Error;
        if span.kind == SpanKind::Llm && !failed {
            // Of a model call the conversation shows what it said; its cost and time are the waterfall's.
            if let Some(text) = said(span).filter(|t| !beside.reply.is_some_and(|r| same(r, t))) {
                self.block(2, "model  ", text, TEXT_LIMIT);
            }
            return;
        }
        let name = safe::line(&span.name);
        let name =
            if span.kind == SpanKind::Agent { name.strip_prefix("invoke_agent ").unwrap_or(&name) } else { &name };
        let mut title = format!("{} {name}", span.kind.name());
        let by = span.agent.as_deref().filter(|a| beside.agent != Some(*a) && *a != name);
        if let Some(agent) = by {
            let _ = write!(title, " by {}", safe::line(agent));
        }
        if let Some(ns) = span.duration_ns() {
            let _ = write!(title, "  {}", layout::duration(ns));
        }
        let (title, _) = elide(&title, TEXT_LIMIT);
        let title =
            format!("  {}{}", self.paint.call(title), if failed { self.paint.error("  error") } else { String::new() });
        self.line(&title);
        // What a model or an agent is given is the conversation so far, over again.
        let repeats = matches!(span.kind, SpanKind::Llm | SpanKind::Agent) && beside.user.is_some();
        if let Some(input) = span.input.as_ref().filter(|_| self.view.full || !repeats) {
            self.payload("-> ", input);
        }
        let reply =
            |o: &&Payload<'_>| span.kind == SpanKind::Agent && beside.reply.is_some_and(|r| same(r, o.as_str()));
        if let Some(output) = span.output.as_ref().filter(|o| self.view.full || !reply(o)) {
            self.payload("<- ", output);
        }
        // Often the message is the output over again.
        let said = span.output.as_ref().map(Payload::as_str);
        if let Some(message) = span.status_message.as_ref().filter(|m| said != Some(m.as_str())) {
            let label = if failed { "error: " } else { "status: " };
            self.block(4, label, message, PAYLOAD_LIMIT);
        }
    }

    fn payload(&mut self, label: &str, payload: &Payload<'_>) {
        // Whole payloads are laid out; JSON over several lines is put on one, and what is to be wrapped gets spaces to
        // wrap at; others stay as they are.
        let raw = payload.as_str();
        let (wide, tall) = (raw.len() > self.view.width.saturating_sub(4 + label.len()), raw.contains('\n'));
        let long = self.view.full && wide;
        let json = if wide || tall { payload.json().filter(|v| v.is_object() || v.is_array()) } else { None };
        let shown = match json {
            Some(value) if long => serde_json::to_string_pretty(value).ok(),
            Some(_) => Some(on_one_line(raw)),
            None => None,
        };
        self.block(4, label, shown.as_deref().unwrap_or(raw), PAYLOAD_LIMIT);
    }

    fn reference(&mut self, title: &str, reference: &Reference<'_>) {
        let title = self.paint.bold(&format!("  {title}"));
        self.line(&title);
        if let Some(tools) = &reference.tools {
            if tools.is_empty() {
                self.line("    no tool calls");
            }
            for call in tools {
                let args = call.args.as_ref().map_or("(any arguments)", Payload::as_str);
                self.block(4, "call ", &format!("{} {args}", call.name), PAYLOAD_LIMIT);
            }
        }
        if let Some(answer) = &reference.answer {
            self.block(4, "answer ", answer, TEXT_LIMIT);
        }
        for fact in reference.facts.iter().flatten() {
            self.block(4, "fact ", fact, PAYLOAD_LIMIT);
        }
        if let Some(state) = &reference.state {
            self.block(4, "state ", state.as_str(), PAYLOAD_LIMIT);
        }
    }
}

/// Whether an operation belongs to the conversation. A trace holds others too: what carries a request (servers, steps
/// of a framework), and the agent around it all. Those are left to the waterfall, unless they tell something: a failure
/// that is not that of an operation below, another agent, an answer that is nowhere else.
fn is_told(span: &Span<'_>, beside: Beside<'_>, failed_below: bool) -> bool {
    let news = span.status == SpanStatus::Error && !failed_below;
    match span.kind {
        SpanKind::Other => span.id.is_none() || (news && span.status_message.is_some()),
        SpanKind::Agent => {
            let another = span.agent.as_deref().is_some_and(|a| beside.agent != Some(a));
            news || (another && !failed_below) || (beside.reply.is_none() && said(span).is_some())
        }
        _ => true,
    }
}

/// What a model or an agent said, unless it is nothing.
fn said<'s>(span: &'s Span<'_>) -> Option<&'s str> {
    span.output.as_ref().filter(|o| !o.is_null()).map(Payload::as_str).filter(|t| !t.trim().is_empty())
}

/// Whether two texts are one but for the space around them, which some SDKs trim.
fn same(a: &str, b: &str) -> bool {
    a.trim() == b.trim()
}

/// Valid JSON without its line breaks and indentation. Keys and numbers stay as they were written.
fn on_one_line(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            ',' | ':' => out.extend([c, ' ']),
            _ => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
