//! Where one turn ends and the next begins.
//!
//! A session of several traces has a turn a trace. A session of one trace is split at its top-level agents. Spans that
//! only carry requests (HTTP servers, queues) are looked through; a trace in which neither agent, model nor tool did
//! anything (an embedding on its own) belongs to the turn that it happened in or after.

use std::collections::HashMap;

use super::load::Loaded;
use crate::model::SpanKind;

/// The turns of a session.
pub(super) struct Turns {
    /// For every span, its turn; `None` for those outside of any.
    pub(super) of: Vec<Option<usize>>,
    /// For every turn, its top-level spans, in order.
    pub(super) tops: Vec<Vec<usize>>,
}

/// Splits a session into turns.
pub(super) fn split(loaded: &Loaded<'_>) -> Turns {
    let n = loaded.nodes.len();
    let means = |i: usize| loaded.nodes[i].dialect.is_some() || loaded.nodes[i].reading.kind != SpanKind::Other;
    // The topmost span that means something, for every span that has one.
    let above = loaded.forest.nearest(|i| means(i).then_some(()));
    let mut top: Vec<Option<usize>> = vec![None; n];
    for &i in &loaded.forest.order {
        let parent = loaded.forest.parent[i];
        top[i] = match above[i] {
            Some(()) => parent.and_then(|p| top[p]),
            None => means(i).then_some(i),
        };
    }
    let works = |i: usize| matches!(loaded.nodes[i].reading.kind, SpanKind::Agent | SpanKind::Llm | SpanKind::Tool);
    let below = loaded.forest.any_below(works);
    let is_work = |i: usize| works(i) || below[i];

    let mut traces: Vec<Trace> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut trace_of = Vec::with_capacity(n);
    for (i, node) in loaded.nodes.iter().enumerate() {
        let t = *index.entry(&node.span.trace).or_insert(traces.len());
        if t == traces.len() {
            traces.push(Trace { tops: Vec::new(), works: false, start_ns: node.span.start_ns });
        }
        trace_of.push(t);
        if top[i] == Some(i) {
            traces[t].tops.push(i);
            traces[t].works |= is_work(i);
        }
    }

    let mut turns = Turns { of: vec![None; n], tops: Vec::new() };
    let working = traces.iter().filter(|t| t.works).count();
    let agents = |t: &Trace| t.tops.iter().copied().filter(|i| is_agent(loaded, *i)).collect::<Vec<_>>();
    if let [only] = &traces.iter().filter(|t| t.works).collect::<Vec<_>>()[..]
        && working == 1
        && let starts = agents(only)
        && starts.len() > 1
    {
        turns.tops = starts.iter().map(|i| vec![*i]).collect();
        // What carries the agents has no top, and is no part of any one of them.
        for (i, at) in top.iter().enumerate().filter_map(|(i, at)| Some((i, (*at)?))) {
            let turn = starts.partition_point(|s| *s <= at).saturating_sub(1);
            turns.of[i] = Some(turn);
            if at == i && !is_agent(loaded, i) {
                turns.tops[turn].push(i);
            }
        }
        return turns;
    }
    let mut turn_of_trace = vec![None; traces.len()];
    let mut last = None;
    let mut order: Vec<usize> = (0..traces.len()).collect();
    order.sort_by_key(|t| traces[*t].start_ns);
    for t in order {
        if traces[t].works {
            last = Some(turns.tops.len());
            turns.tops.push(traces[t].tops.clone());
        }
        turn_of_trace[t] = last;
    }
    for i in 0..n {
        turns.of[i] = turn_of_trace[trace_of[i]];
    }
    turns
}

struct Trace {
    tops: Vec<usize>,
    works: bool,
    start_ns: Option<u64>,
}

fn is_agent(loaded: &Loaded<'_>, i: usize) -> bool {
    loaded.nodes[i].reading.kind == SpanKind::Agent
}
