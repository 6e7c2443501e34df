//! The records of one session to a session: trees of spans, turns, calls, and what each SDK meant.
//!
//! What may be recorded twice is counted once: a model's call inside of another's (a framework's span around a
//! client's), a tool inside of itself (an agent's, an MCP client's and server's), an agent's own sum of its models'
//! tokens, a call that both a model and a tool tell. History that every model span repeats is never put together.

mod calls;
mod forest;
mod load;
mod once;
mod turns;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod once_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verdict_tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::load::{Loaded, Node};
use super::session_id;
use crate::formats::Decoder;
use crate::formats::telemetry::dialect::{Message, own};
use crate::formats::telemetry::{LogRecord, Pairs, Value, find};
use crate::model::{Attributes, Event, LeftOut, Payload, Problem, Session, Span, SpanKind, SpanStatus, Text, Turn};

/// Builds sessions from stored records ([`crate::formats::telemetry::codec`]).
#[derive(Debug, Clone, Default)]
pub struct Builder {
    /// The attribute that names the session, where it is none of the usual ones.
    pub session_attribute: Option<String>,
}

impl Decoder for Builder {
    fn decode<'a>(&self, element: &'a [u8], _: u64, _: &str) -> Result<Session<'a>, Problem> {
        let loaded = load::load(element);
        if loaded.nodes.is_empty() {
            return Err(Problem::new(LeftOut::Malformed, "log records without any span, not even a missing one's"));
        }
        let id = self.id(&loaded);
        Ok(build(loaded, id))
    }
}

impl Builder {
    /// The id that the most reliable place tells, the first to arrive among equals; else the first span's trace.
    fn id<'a>(&self, loaded: &Loaded<'a>) -> Text<'a> {
        let attribute = self.session_attribute.as_deref();
        let told = |n: &Node<'a>| {
            let span = session_id::told(&n.span.attributes, &n.origin, attribute);
            let logs = n.logs.iter().filter_map(|l| session_id::told(&l.attributes, &n.origin, attribute));
            span.into_iter().chain(logs).map(|(rank, id)| (rank, n.place, id)).min_by_key(|t| (t.0, t.1))
        };
        let best = loaded.nodes.iter().filter_map(told).min_by_key(|t| (t.0, t.1));
        best.map_or_else(|| loaded.nodes[0].span.trace.clone(), |(.., id)| id)
    }
}

fn build<'a>(mut loaded: Loaded<'a>, id: Text<'a>) -> Session<'a> {
    once::count_once(&mut loaded);
    let turns = turns::split(&loaded);
    let agents = loaded.forest.nearest(|i| {
        let reading = &loaded.nodes[i].reading;
        (reading.kind == SpanKind::Agent && reading.agent.is_some()).then_some(i)
    });
    // Models whose answers go to the agent, not to the user: those of an agent that is called as a tool, of guardrails.
    let inner = loaded.forest.nearest(|i| {
        let kind = loaded.nodes[i].reading.kind;
        matches!(kind, SpanKind::Tool | SpanKind::Guardrail | SpanKind::Memory | SpanKind::Retrieval).then_some(())
    });
    let mut session = Session { id, ..Session::default() };
    whole(&mut session, &loaded, &turns);
    let mut spans: Vec<Vec<usize>> = vec![Vec::new(); turns.tops.len()];
    let mut outside = Vec::new();
    for (i, turn) in turns.of.iter().enumerate() {
        match turn {
            Some(t) => spans[*t].push(i),
            None => outside.push(i),
        }
    }
    let mut models_of = Vec::with_capacity(turns.tops.len());
    for (tops, members) in turns.tops.iter().zip(spans) {
        let mut turn = Turn::default();
        let models: Vec<usize> =
            members.iter().copied().filter(|i| loaded.nodes[*i].reading.kind == SpanKind::Llm).collect();
        let to_user: Vec<usize> = (0..models.len()).filter(|k| inner[models[*k]].is_none()).collect();
        asked(&mut session, &mut turn, &loaded, tops, to_user.first().map(|k| models[*k]));
        let to_user: Vec<_> = to_user.into_iter().map(|k| (models[k], loaded.nodes[models[k]].said())).collect();
        turn.reply = reply(&loaded, tops, &to_user);
        times(&mut turn, &loaded, tops);
        let closing = |i: &usize| find(&loaded.nodes[*i].span.attributes, own::CLOSING) == Some(&Value::Bool(true));
        turn.closing = tops.iter().any(closing);
        turn.spans = members.iter().map(|i| span(&loaded.nodes[*i], agents[*i].map(|a| &loaded.nodes[a]))).collect();
        let position = |i: &usize| members.binary_search(i).ok();
        let mut said = |i: &usize| loaded.nodes[*i].take_said();
        let spoken = models.iter().filter_map(|i| Some((position(i)?, said(i)?)));
        join_calls(&mut turn, spoken);
        models_of.push(models);
        session.turns.push(turn);
    }
    results(&mut session, &loaded, &models_of, &agents);
    session.spans = outside.iter().map(|i| span(&loaded.nodes[*i], None)).collect();
    session.events.extend(loaded.loose.iter().map(|log| event(log, |_| false)));
    notes(&mut session, &loaded);
    session
}

/// What the spans say of the session as a whole.
fn whole<'a>(session: &mut Session<'a>, loaded: &Loaded<'a>, turns: &turns::Turns) {
    let nodes = &loaded.nodes;
    let tops = || turns.tops.iter().flatten().map(|i| &nodes[*i]);
    let first = tops().next().unwrap_or(&nodes[0]);
    let attribute = |n: &Node<'a>, names: &[&str]| names.iter().find_map(|name| find(&n.span.attributes, name)?.text());
    let resource = |name: &str| find(&first.origin.resource, name).and_then(Value::text);
    let agents = || nodes.iter().filter(|n| n.reading.kind == SpanKind::Agent);
    session.agent = tops()
        .find_map(|n| n.reading.agent.clone())
        .or_else(|| agents().find_map(|n| n.reading.agent.clone()))
        .or_else(|| resource("gen_ai.main_agent.name"))
        .or_else(|| resource("service.name").filter(|name| !name.starts_with("unknown_service")));
    session.version =
        nodes.iter().find_map(|n| attribute(n, &["gen_ai.agent.version"])).or_else(|| resource("service.version"));
    session.user = nodes.iter().find_map(|n| {
        let places = ["user.id", "enduser.id", "langfuse.user.id", "traceloop.association.properties.user_id"];
        n.reading.user.clone().or_else(|| attribute(n, &places))
    });
    let tags = ["tag.tags", "langfuse.trace.tags", "tags"].iter().find_map(|name| find(&first.span.attributes, name));
    session.tags = tags.map(texts).unwrap_or_default();
    for (name, value) in &first.origin.resource {
        session.attributes.push(name.clone(), value.payload());
    }
    session.start_ns = nodes.iter().filter_map(|n| n.span.start_ns).min();
    session.incomplete = tops().any(|n| n.span.end_ns.is_none() && !n.is_missing);
    // What never ended has no duration.
    let ended = tops().all(|n| n.span.end_ns.is_some());
    session.end_ns = nodes.iter().filter_map(|n| n.span.end_ns).max().filter(|_| ended);
}

/// The texts in a list. Carriers that have no lists (Jaeger) write one as its JSON.
fn texts<'a>(value: &Value<'a>) -> Vec<Text<'a>> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::text).collect(),
        Value::Text(json) => {
            serde_json::from_str::<Vec<String>>(json).unwrap_or_default().into_iter().map(Text::from).collect()
        }
        _ => Vec::new(),
    }
}

/// What the user said, from what the turn's first model was given, else what stands around it, else its agent. The
/// instructions stand there, too.
fn asked<'a>(
    session: &mut Session<'a>,
    turn: &mut Turn<'a>,
    loaded: &Loaded<'a>,
    tops: &[usize],
    first: Option<usize>,
) {
    let around = std::iter::successors(first, |i| loaded.forest.parent[*i]);
    for i in around.chain(tops.iter().copied()) {
        let Some(messages) = loaded.nodes[i].asked() else { continue };
        if session.instructions.is_none() {
            session.instructions = calls::instructions(&messages);
        }
        turn.user = calls::last_user(&messages);
        if turn.user.is_some() {
            return;
        }
    }
}

/// What the agent answered: the text of the last model that speaks to the user, else of the agent itself. A turn that
/// ends in calls or in an error has none. Where the agent's own word is what an earlier model said, the later ones did
/// something else (found a title, wrote a memory).
fn reply<'a>(loaded: &Loaded<'a>, tops: &[usize], models: &[(usize, Option<&[Message<'a>]>)]) -> Option<Text<'a>> {
    let text = |messages: &[Message<'a>]| messages.iter().rev().find_map(|m| m.text.clone());
    let own = || {
        tops.iter().rev().find_map(|i| {
            let node = &loaded.nodes[*i];
            let well = node.span.status != SpanStatus::Error && node.reading.kind != SpanKind::Llm;
            node.said().filter(|_| well).and_then(text)
        })
    };
    let Some((last, Some(messages))) = models.last() else { return own() };
    let Some(reply) = text(messages) else {
        return if messages.iter().any(|m| !m.calls.is_empty()) { None } else { own() };
    };
    let earlier = || models.iter().rev().skip(1).filter_map(|(_, said)| text((*said)?));
    if models.len() == 1 || tops.contains(last) {
        return Some(reply);
    }
    match own() {
        Some(own) if own.trim() != reply.trim() => {
            Some(earlier().find(|text| text.trim() == own.trim()).unwrap_or(reply))
        }
        _ => Some(reply),
    }
}

fn times<'a>(turn: &mut Turn<'a>, loaded: &Loaded<'a>, tops: &[usize]) {
    let nodes = || tops.iter().map(|i| &loaded.nodes[*i]);
    turn.start_ns = nodes().filter_map(|n| n.span.start_ns).min();
    // One that never ended has no duration.
    turn.end_ns = nodes().map(|n| n.span.end_ns).try_fold(0, |max, end| Some(end?.max(max))).filter(|end| *end > 0);
    turn.ttft_ns = match tops {
        [only] if loaded.nodes[*only].reading.kind != SpanKind::Llm => loaded.nodes[*only].reading.ttft_ns,
        _ => None,
    };
    turn.trace_id = nodes().next().map(|n| n.span.trace.clone());
}

/// Brings together what models asked for and the spans of tools; adds a span where there is none. `spoken` holds the
/// positions of models among the turn's spans, and what they said.
fn join_calls<'a>(turn: &mut Turn<'a>, spoken: impl Iterator<Item = (usize, Vec<Message<'a>>)>) {
    let mut tools = calls::Tools::new(&turn.spans);
    let mut added: Vec<(usize, Span<'a>)> = Vec::new();
    for (position, said) in spoken {
        // Calls of one answer keep their order: one that is not shown comes behind the one that was asked for before.
        let mut behind = position;
        for call in said.into_iter().flat_map(|m| m.calls) {
            match tools.meet(&call, turn.spans[position].start_ns) {
                Some(at) => {
                    calls::complete(&mut turn.spans[at], call);
                    behind = behind.max(at);
                }
                None => {
                    let mut span = calls::shown_by_model(call, &turn.spans[position]);
                    if behind != position {
                        span.start_ns = span.start_ns.max(turn.spans[behind].start_ns);
                    }
                    added.push((behind, span));
                }
            }
        }
    }
    if added.is_empty() {
        return;
    }
    added.sort_by_key(|(behind, _)| *behind);
    let mut added = added.into_iter().peekable();
    let mut all = Vec::with_capacity(turn.spans.len() + added.len());
    for (at, span) in std::mem::take(&mut turn.spans).into_iter().enumerate() {
        all.push(span);
        while let Some((_, span)) = added.next_if(|(behind, _)| *behind == at) {
            all.push(span);
        }
    }
    all.sort_by_key(|s| s.start_ns);
    turn.spans = all;
}

/// What tools answered where their own spans do not say it: models are told in their next messages. `models_of` holds
/// for every turn its models, `agents` for every span the agent above it.
fn results<'a>(session: &mut Session<'a>, loaded: &Loaded<'a>, models_of: &[Vec<usize>], agents: &[Option<usize>]) {
    let lacks = |s: &Span<'_>| s.kind == SpanKind::Tool && s.output.is_none() && s.call_id.is_some();
    // Some agents give every turn's calls the same ids: then nobody knows whose result it is.
    let mut seen: HashMap<String, usize> = HashMap::new();
    for id in session.tool_calls().filter_map(|(_, s)| s.call_id.as_ref()) {
        *seen.entry(id.to_string()).or_default() += 1;
    }
    for t in 0..session.turns.len() {
        if session.turns[t].spans.iter().any(lacks) {
            let mut told = HashMap::new();
            // The last model of an agent was told all that the ones before it were.
            let mut last: BTreeMap<Option<usize>, usize> = BTreeMap::new();
            last.extend(models_of[t].iter().map(|i| (agents[*i], *i)));
            let next = models_of.get(t + 1).and_then(|models| models.first());
            for i in last.values().chain(next) {
                calls::outcomes(loaded.nodes[*i].asked().unwrap_or_default(), &mut told);
            }
            for span in session.turns[t].spans.iter_mut().filter(|s| lacks(s)) {
                let id = span.call_id.as_deref().filter(|id| seen.get(*id) == Some(&1));
                if let Some(outcome) = id.and_then(|id| told.get(id)) {
                    calls::answer(span, outcome);
                }
            }
        }
        // A result that nothing calls an error, as in the formats of messages. Where agents have spans, tools have, too:
        // a call without one was answered by the framework, and nothing ran.
        let by_agent = session.turns[t].spans.iter().any(|s| s.kind == SpanKind::Agent);
        let ran = |s: &Span<'_>| s.id.is_some() || !by_agent;
        let well = |s: &&mut Span<'_>| {
            s.kind == SpanKind::Tool && s.status == SpanStatus::Unset && s.output.is_some() && ran(s)
        };
        session.turns[t].spans.iter_mut().filter(well).for_each(calls::ended);
    }
}

/// A span as the model has it. `agent` is the nearest agent above it.
fn span<'a>(node: &Node<'a>, agent: Option<&Node<'a>>) -> Span<'a> {
    let (span, reading) = (&node.span, &node.reading);
    let tells = |name: &str| node.dialect.is_some_and(|d| d.tells(name));
    let kept = |pairs: &Pairs<'a>| {
        Attributes(pairs.iter().filter(|(k, _)| !tells(k)).map(|(k, v)| (k.clone(), v.payload())).collect())
    };
    let mut attributes = kept(&span.attributes);
    if !node.origin.scope.is_empty() {
        attributes.push("otel.scope.name", Payload::text(node.origin.scope.clone()));
    }
    let exception = span.events.iter().rev().find(|e| e.name == "exception");
    let raised = exception.and_then(|e| find(&e.attributes, "exception.message")?.text());
    let message = span.status_message.clone().or_else(|| reading.failed.clone().filter(|f| !f.is_empty())).or(raised);
    let mut events: Vec<Event<'a>> = span
        .events
        .iter()
        .filter(|e| !tells(&e.name))
        .map(|e| Event { name: e.name.clone(), time_ns: e.time_ns, attributes: kept(&e.attributes) })
        .collect();
    events.extend(node.logs.iter().filter(|l| !tells(&l.name)).map(|l| event(l, tells)));
    let own = (reading.kind == SpanKind::Agent).then(|| reading.agent.clone()).flatten();
    Span {
        id: Some(span.id.clone()),
        parent: span.parent.clone(),
        kind: reading.kind,
        name: reading.name.clone().unwrap_or_else(|| span.name.clone()),
        agent: own.or_else(|| reading.agent.clone()).or_else(|| agent.and_then(|a| a.reading.agent.clone())),
        model: reading.model.clone(),
        call_id: reading.call_id.clone(),
        start_ns: span.start_ns,
        end_ns: span.end_ns,
        status: if reading.failed.is_some() { SpanStatus::Error } else { span.status },
        status_message: message,
        input: reading.input.clone(),
        output: reading.output.clone(),
        usage: reading.usage,
        cost_usd: reading.cost,
        ttft_ns: reading.ttft_ns,
        events,
        attributes,
    }
}

/// A log record as an event.
fn event<'a>(log: &LogRecord<'a>, tells: impl Fn(&str) -> bool) -> Event<'a> {
    let kept = log.attributes.iter().filter(|(k, _)| !tells(k)).map(|(k, v)| (k.clone(), v.payload()));
    let mut attributes = Attributes(kept.collect());
    if let Some(body) = &log.body {
        attributes.push("body", body.payload());
    }
    Event { name: log.name.clone(), time_ns: log.time_ns, attributes }
}

/// What could not be read, and what had to be mended.
fn notes(session: &mut Session<'_>, loaded: &Loaded<'_>) {
    let mut unknown: Vec<&str> = loaded
        .nodes
        .iter()
        .filter(|n| n.dialect.is_none() && n.reading.kind != SpanKind::Other)
        .map(|n| n.origin.scope.as_str())
        .collect();
    unknown.sort_unstable();
    let mut note = |count: usize, what: &str| {
        if count > 0 {
            session.notes.push(format!("{count} {what}").into());
        }
    };
    for same in unknown.chunk_by(|a, b| a == b) {
        note(same.len(), &format!("spans of `{}`, whose content is of no known dialect", same[0]));
    }
    note(loaded.nodes.iter().filter(|n| n.reading.withheld).count(), "spans whose content was withheld");
    note(loaded.nodes.iter().filter(|n| n.span.dropped > 0).count(), "spans of which the SDK dropped something");
    if loaded.nodes.iter().all(|n| n.dialect.is_none()) {
        note(loaded.nodes.len(), "spans, none of them of a known dialect: only names, times and statuses are known");
    }
    let how_many = |which: &dyn Fn(&Node<'_>) -> bool| loaded.nodes.iter().filter(|n| which(n)).count();
    note(how_many(&|n| n.is_missing), "spans that only log records tell of");
    note(how_many(&|n| n.span.end_ns.is_none() && !n.is_missing), "spans without an end");
    note(
        how_many(&|n| n.span.start_ns.zip(n.span.end_ns).is_some_and(|(s, e)| e < s)),
        "spans that end before they start",
    );
    note(loaded.forest.cycles, "spans that were their own ancestors");
    // A trace that another process began has one, which is nothing to say.
    let traces = loaded.nodes.iter().map(|n| n.span.trace.as_str()).collect::<HashSet<_>>().len();
    let dangling = Some(loaded.forest.dangling).filter(|n| *n > traces).unwrap_or(0);
    note(dangling, "spans whose parent is not in the recording");
    note(loaded.repeated, "records that arrived again");
}
