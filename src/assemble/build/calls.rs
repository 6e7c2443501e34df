//! The agent's tool calls, from the spans of tools and from what models asked for, neither counted twice.
//!
//! A model that asks for a tool has made a call, whether or not a span shows that the tool ran: some SDKs write no tool
//! spans, and none of a tool that does not exist.

use std::collections::{HashMap, VecDeque};

use crate::formats::telemetry::dialect::{Call, Message, Outcome, Role};
use crate::model::{Payload, Span, SpanKind, SpanStatus, Text};

/// How many spans of one tool are compared by their arguments before the first is taken.
const COMPARED: usize = 32;

/// The tool spans of a turn, until each has met its call.
pub(super) struct Tools<'a> {
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<String, Named>,
    spans: Vec<ToolSpan<'a>>,
}

/// The spans of one tool, in order: a call that has an id is not carried out by a span that has another.
#[derive(Default)]
struct Named {
    with_id: VecDeque<usize>,
    without_id: VecDeque<usize>,
}

struct ToolSpan<'a> {
    position: usize,
    args: Option<Payload<'a>>,
    start_ns: Option<u64>,
    met: bool,
}

impl<'a> Tools<'a> {
    /// The tool spans among those of a turn, in their order.
    pub(super) fn new(spans: &[Span<'a>]) -> Self {
        let mut tools = Self { by_id: HashMap::new(), by_name: HashMap::new(), spans: Vec::new() };
        for (position, span) in spans.iter().enumerate().filter(|(_, s)| s.kind == SpanKind::Tool) {
            let i = tools.spans.len();
            let named = tools.by_name.entry(span.name.to_string()).or_default();
            if let Some(id) = &span.call_id {
                tools.by_id.entry(id.to_string()).or_default().push_back(i);
                named.with_id.push_back(i);
            } else {
                named.without_id.push_back(i);
            }
            tools.spans.push(ToolSpan { position, args: span.input.clone(), start_ns: span.start_ns, met: false });
        }
        tools
    }

    /// The position of the span that carried out `call`, which a model asked for at `asked_ns`: the one of its id, else
    /// of its name and arguments, else the next of its name. Later calls are asked for later.
    pub(super) fn meet(&mut self, call: &Call<'a>, asked_ns: Option<u64>) -> Option<usize> {
        let spans = &mut self.spans;
        if let Some(id) = &call.id
            && let Some(queue) = self.by_id.get_mut(id.as_str())
        {
            while let Some(i) = queue.pop_front() {
                if !spans[i].met {
                    spans[i].met = true;
                    return Some(spans[i].position);
                }
            }
        }
        let named = self.by_name.get_mut(call.name.as_str())?;
        let near = nearest(&mut named.without_id, spans, call, asked_ns);
        let near = near.or_else(|| match call.id {
            None => nearest(&mut named.with_id, spans, call, asked_ns),
            Some(_) => None,
        });
        spans[near?].met = true;
        Some(spans[near?].position)
    }
}

/// The span in the queue that fits a call best, among the first that are left. Takes those out that no call will meet
/// any more: each is passed once.
fn nearest(
    queue: &mut VecDeque<usize>,
    spans: &[ToolSpan<'_>],
    call: &Call<'_>,
    asked_ns: Option<u64>,
) -> Option<usize> {
    let gone = |i: usize| spans[i].met || spans[i].start_ns.zip(asked_ns).is_some_and(|(start, asked)| start < asked);
    let mut at = 0;
    while at < queue.len().min(COMPARED) {
        if gone(queue[at]) {
            queue.remove(at);
        } else {
            at += 1;
        }
    }
    let same = |i: &&usize| call.args.as_ref().zip(spans[**i].args.as_ref()).is_some_and(|(a, b)| equal(a, b));
    queue.iter().take(COMPARED).find(same).or_else(|| queue.front()).copied()
}

/// Whether two recordings of arguments say the same.
fn equal(a: &Payload<'_>, b: &Payload<'_>) -> bool {
    a.as_str() == b.as_str() || a.json().zip(b.json()).is_some_and(|(a, b)| a == b)
}

/// Completes the span of a tool with what the model said when it asked for it.
pub(super) fn complete<'a>(span: &mut Span<'a>, call: Call<'a>) {
    if span.call_id.is_none() {
        span.call_id = call.id;
    }
    // Some SDKs log a single argument as its bare value, without its name; the model's own words have both.
    let is_object = |p: &Payload<'_>| p.json().is_some_and(serde_json::Value::is_object);
    if let Some(args) = call.args
        && !span.input.as_ref().is_some_and(is_object)
        && (span.input.is_none() || is_object(&args))
    {
        span.input = Some(args);
    }
}

/// The span of a call that no span shows. `asked_by` is the model's span.
pub(super) fn shown_by_model<'a>(call: Call<'a>, asked_by: &Span<'a>) -> Span<'a> {
    Span {
        kind: SpanKind::Tool,
        name: call.name,
        parent: asked_by.parent.clone(),
        agent: asked_by.agent.clone(),
        call_id: call.id,
        start_ns: asked_by.end_ns.or(asked_by.start_ns),
        input: call.args,
        ..Span::default()
    }
}

/// The results of tools that messages tell, by the id of the call: of several of one id the last.
pub(super) fn outcomes<'a>(messages: Vec<Message<'a>>, into: &mut HashMap<String, Outcome<'a>>) {
    let told: Vec<Outcome<'a>> = messages.into_iter().flat_map(|m| m.results).collect();
    for mut outcome in told.into_iter().rev() {
        if let Some(id) = outcome.id.take() {
            into.entry(id.to_string()).or_insert(outcome);
        }
    }
}

/// Adds what a message said of a call's result. A model is told of an error in words: SDKs begin them with `Error`, and
/// most messages have no other place to say so.
pub(super) fn answer<'a>(span: &mut Span<'a>, outcome: &Outcome<'a>) {
    if span.output.is_none() {
        span.output.clone_from(&outcome.content);
    }
    let in_words = outcome.content.as_ref().is_some_and(|c| c.as_str().starts_with("Error"));
    if outcome.error || (in_words && span.status == SpanStatus::Unset) {
        fail(span, outcome.content.as_ref());
    }
}

/// Settles how a tool ended that has a result and no status: well, unless the result is an object that says it is an
/// error by its `status`.
pub(super) fn ended(span: &mut Span<'_>) {
    let says = |p: &Payload<'_>| {
        // Most results are large and say nothing of the kind.
        p.as_str().contains("error") && p.json().is_some_and(|json| json.get("status").is_some_and(|s| s == "error"))
    };
    match span.output.clone().filter(says) {
        Some(output) => fail(span, Some(&output)),
        None => span.status = SpanStatus::Ok,
    }
}

fn fail<'a>(span: &mut Span<'a>, why: Option<&Payload<'a>>) {
    span.status = SpanStatus::Error;
    if span.status_message.is_none() {
        span.status_message = why.cloned().map(Payload::into_text);
    }
}

/// The last thing that a user said in these messages.
pub(super) fn last_user<'a>(messages: &[Message<'a>]) -> Option<Text<'a>> {
    messages.iter().rev().filter(|m| m.role == Role::User).find_map(|m| m.text.clone())
}

/// The instructions in these messages.
pub(super) fn instructions<'a>(messages: &[Message<'a>]) -> Option<Text<'a>> {
    messages.iter().filter(|m| m.role == Role::System).find_map(|m| m.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &'static str, id: Option<&'static str>, args: &'static str) -> Span<'static> {
        Span {
            kind: SpanKind::Tool,
            name: name.into(),
            call_id: id.map(Text::borrowed),
            input: Some(Payload::text(args)),
            ..Span::default()
        }
    }

    fn call(name: &'static str, id: Option<&'static str>, args: &'static str) -> Call<'static> {
        Call { id: id.map(Text::borrowed), name: name.into(), args: Some(Payload::text(args)) }
    }

    #[test]
    fn a_call_meets_its_span_by_id_then_arguments_then_name() {
        let spans = [tool("f", None, r#"{"a":1}"#), tool("f", None, r#"{"a": 2}"#), tool("f", Some("x"), "{}")];
        let mut tools = Tools::new(&spans);
        assert_eq!(tools.meet(&call("f", Some("x"), "{}"), None), Some(2));
        assert_eq!(tools.meet(&call("f", Some("y"), r#"{"a":2}"#), None), Some(1));
        assert_eq!(tools.meet(&call("f", Some("z"), r#"{"a":9}"#), None), Some(0));
        assert_eq!(tools.meet(&call("f", Some("z"), "{}"), None), None);
        assert_eq!(tools.meet(&call("g", None, "{}"), None), None);
    }

    #[test]
    fn two_ids_that_differ_are_two_calls() {
        let mut tools = Tools::new(&[tool("f", Some("x"), "{}")]);
        assert_eq!(tools.meet(&call("f", Some("y"), "{}"), None), None);
    }

    #[test]
    fn a_bare_argument_gives_way_to_the_models_words() {
        let mut span = tool("f", None, "A1001");
        complete(&mut span, call("f", Some("x"), r#"{"order_id":"A1001"}"#));
        assert_eq!(span.input.unwrap().as_str(), r#"{"order_id":"A1001"}"#);
        assert_eq!(span.call_id.unwrap(), "x");
        let mut span = tool("f", None, r#"{"a":1}"#);
        complete(&mut span, call("f", None, r#"{"a":2}"#));
        assert_eq!(span.input.unwrap().as_str(), r#"{"a":1}"#, "what the tool was really given");
    }
}
