//! Where one turn ends and the next begins.
//!
//! A session of several traces has a turn a trace. A session of one trace is split at its top-level agents, or at the
//! runs of agents around which an application drew one span; an agent that another has handed over to goes on with that
//! one's run, and those that work at the same time work on one request, whatever tied them together. Spans that only
//! carry requests (HTTP servers, queues) are looked through; a trace in which neither agent, model nor tool did
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
    let top = tops(loaded, &[]);
    let traces = Traces::of(loaded, &top);
    if let [only] = traces.list.iter().filter(|t| t.works).collect::<Vec<_>>()[..] {
        let agents: Vec<usize> = only.tops.iter().copied().filter(|i| is_agent(loaded, *i)).collect();
        // What is drawn around several runs is looked through; around a single one it is that run.
        let around = Around::of(loaded, &agents);
        if around.starts.len() > 1 {
            let looked_through = (!around.groups.is_empty()).then(|| tops(loaded, &around.groups));
            return between(&around.starts, looked_through.as_ref().unwrap_or(&top));
        }
    }
    by_trace(&traces)
}

/// For every span, the topmost one above it, or itself, that means something, spans in `through` aside.
fn tops(loaded: &Loaded<'_>, through: &[usize]) -> Vec<Option<usize>> {
    let mut means: Vec<bool> =
        loaded.nodes.iter().map(|n| n.dialect.is_some() || n.reading.kind != SpanKind::Other).collect();
    through.iter().for_each(|i| means[*i] = false);
    let mut top: Vec<Option<usize>> = vec![None; loaded.nodes.len()];
    for &i in &loaded.forest.order {
        top[i] = loaded.forest.parent[i].and_then(|p| top[p]).or_else(|| means[i].then_some(i));
    }
    top
}

/// Where the turns of a trace begin.
struct Around {
    /// Agents, and runs of agents, in order.
    starts: Vec<usize>,
    /// Spans around several of them.
    groups: Vec<usize>,
}

impl Around {
    /// What `agents`, the top-level ones of a trace, are: each a run, or drawn around runs.
    fn of(loaded: &Loaded<'_>, agents: &[usize]) -> Self {
        let mut around = Self { starts: Vec::new(), groups: Vec::new() };
        let mut groups = vec![false; loaded.nodes.len()];
        agents.iter().for_each(|i| groups[*i] = loaded.nodes[*i].reading.groups_runs);
        let mut runs: HashMap<usize, Vec<usize>> = HashMap::new();
        if groups.contains(&true) {
            let agent_below = loaded.forest.any_below(|i| is_agent(loaded, i));
            let handed_over = loaded.forest.any_below(|i| loaded.nodes[i].reading.hands_over);
            // The agent that worked last below each group, whose run goes on where it hands over.
            let mut last: HashMap<usize, usize> = HashMap::new();
            for (i, group) in loaded.forest.parent.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))) {
                if !groups[group] || !(is_agent(loaded, i) || agent_below[i]) {
                    continue;
                }
                let before = last.insert(group, i);
                if !before.is_some_and(|b| is_agent(loaded, i) && is_agent(loaded, b) && handed_over[b]) {
                    runs.entry(group).or_default().push(i);
                }
            }
        }
        for &agent in agents {
            match runs.remove(&agent) {
                Some(runs) if runs.len() > 1 => {
                    around.groups.push(agent);
                    around.starts.extend(runs);
                }
                _ => around.starts.push(agent),
            }
        }
        around.starts.sort_unstable();
        around.starts = requests(loaded, around.starts);
        around
    }
}

/// One turn from each of `starts` to the next.
fn between(starts: &[usize], top: &[Option<usize>]) -> Turns {
    let mut turns = Turns { of: vec![None; top.len()], tops: starts.iter().map(|i| vec![*i]).collect() };
    // What carries the runs has no top, and is no part of any one of them.
    for (i, at) in top.iter().enumerate().filter_map(|(i, at)| Some((i, (*at)?))) {
        let turn = starts.partition_point(|s| *s <= at).saturating_sub(1);
        turns.of[i] = Some(turn);
        if at == i && starts.binary_search(&i).is_err() {
            turns.tops[turn].push(i);
        }
    }
    turns
}

/// One turn for each trace in which something was done.
fn by_trace(traces: &Traces) -> Turns {
    let mut tops = Vec::new();
    let mut turn_of_trace = vec![None; traces.list.len()];
    let mut order: Vec<usize> = (0..traces.list.len()).collect();
    order.sort_by_key(|t| traces.list[*t].start_ns);
    for t in order {
        if traces.list[t].works {
            tops.push(traces.list[t].tops.clone());
        }
        turn_of_trace[t] = tops.len().checked_sub(1);
    }
    Turns { of: traces.of.iter().map(|t| turn_of_trace[*t]).collect(), tops }
}

struct Trace {
    tops: Vec<usize>,
    works: bool,
    start_ns: Option<u64>,
}

/// The traces of a session.
struct Traces {
    list: Vec<Trace>,
    /// For every span, its trace.
    of: Vec<usize>,
}

impl Traces {
    fn of(loaded: &Loaded<'_>, top: &[Option<usize>]) -> Self {
        let works = |i: usize| matches!(loaded.nodes[i].reading.kind, SpanKind::Agent | SpanKind::Llm | SpanKind::Tool);
        let below = loaded.forest.any_below(works);
        let mut traces = Self { list: Vec::new(), of: Vec::with_capacity(top.len()) };
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (i, node) in loaded.nodes.iter().enumerate() {
            let t = *index.entry(&node.span.trace).or_insert(traces.list.len());
            if t == traces.list.len() {
                traces.list.push(Trace { tops: Vec::new(), works: false, start_ns: node.span.start_ns });
            }
            traces.of.push(t);
            if top[i] == Some(i) {
                traces.list[t].tops.push(i);
                traces.list[t].works |= works(i) || below[i];
            }
        }
        traces
    }
}

/// Of agents and runs in order of their start, those that begin when all before them have ended. One whose start nobody
/// knows begins a turn, and so does one after an agent that never ended.
fn requests(loaded: &Loaded<'_>, mut starts: Vec<usize>) -> Vec<usize> {
    let mut busy_until: Option<u64> = None;
    starts.retain(|i| {
        let span = &loaded.nodes[*i].span;
        let beside = span.start_ns.zip(busy_until).is_some_and(|(start, end)| start < end);
        busy_until = if beside { busy_until.max(span.end_ns) } else { span.end_ns };
        !beside
    });
    starts
}

fn is_agent(loaded: &Loaded<'_>, i: usize) -> bool {
    loaded.nodes[i].reading.kind == SpanKind::Agent
}
