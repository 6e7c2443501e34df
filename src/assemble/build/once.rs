//! What two spans recorded and happened once.

use super::load::Loaded;
use crate::model::{SpanKind, Usage};

/// Makes of every pair of spans that tell the same operation one that counts; the other stays as a span of no kind.
pub(super) fn count_once(loaded: &mut Loaded<'_>) {
    models(loaded);
    tools(loaded);
    totals(loaded);
}

/// A model's span around another: the inner one counts, unless only the outer one says what was said.
fn models(loaded: &mut Loaded<'_>) {
    let is_model = |loaded: &Loaded<'_>, i: usize| loaded.nodes[i].reading.kind == SpanKind::Llm;
    let outer = loaded.forest.nearest(|i| is_model(loaded, i).then_some(i));
    if outer.iter().enumerate().all(|(i, o)| o.is_none() || !is_model(loaded, i)) {
        return;
    }
    let with_content = loaded.forest.any_below(|i| is_model(loaded, i) && loaded.nodes[i].reading.output.is_some());
    let with_usage = loaded.forest.any_below(|i| is_model(loaded, i) && loaded.nodes[i].reading.usage.is_some());
    let within = loaded.forest.any_below(|i| is_model(loaded, i));
    // From the outside in, so that what counts is settled for a span before it is asked of those below.
    for at in 0..loaded.forest.order.len() {
        let i = loaded.forest.order[at];
        if !is_model(loaded, i) {
            continue;
        }
        if let Some(o) = outer[i].filter(|o| is_model(loaded, *o)) {
            let inner = &mut loaded.nodes[i].reading;
            inner.kind = SpanKind::Other;
            let (usage, ttft, model) = (inner.usage.take(), inner.ttft_ns, inner.model.clone());
            let outer = &mut loaded.nodes[o].reading;
            outer.usage = sum(outer.usage, usage);
            outer.ttft_ns = outer.ttft_ns.or(ttft);
            outer.model = outer.model.take().or(model);
        } else if within[i] {
            let reading = &mut loaded.nodes[i].reading;
            let counts = !with_content[i] && (reading.output.is_some() || !with_usage[i]);
            if !counts {
                reading.kind = SpanKind::Other;
            }
            if !counts || with_usage[i] {
                reading.usage = None;
            }
        }
    }
}

fn sum(a: Option<Usage>, b: Option<Usage>) -> Option<Usage> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

/// A part that one of the two does not say is not known of the sum.
fn add(a: Usage, b: Usage) -> Usage {
    let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    Usage {
        input: both(a.input, b.input),
        output: both(a.output, b.output),
        cache_read: both(a.cache_read, b.cache_read),
        cache_write: both(a.cache_write, b.cache_write),
        reasoning: both(a.reasoning, b.reasoning),
    }
}

/// A tool's span within one of the same tool (an MCP client's and server's within the agent's): the outermost is the
/// agent's call, and takes over what only the inner one says.
fn tools(loaded: &mut Loaded<'_>) {
    let is_tool = |loaded: &Loaded<'_>, i: usize| loaded.nodes[i].reading.kind == SpanKind::Tool;
    let above = loaded.forest.nearest(|i| is_tool(loaded, i).then_some(i));
    for at in 0..loaded.forest.order.len() {
        let i = loaded.forest.order[at];
        let Some(o) = above[i].filter(|_| is_tool(loaded, i)) else { continue };
        // The tool above may itself have been taken for one of the same name: then its own is the one that counts.
        let o = if is_tool(loaded, o) { o } else { above[o].unwrap_or(o) };
        if name(loaded, o) != name(loaded, i) {
            continue;
        }
        let inner = &mut loaded.nodes[i].reading;
        inner.kind = SpanKind::Other;
        let (input, output, call_id) = (inner.input.clone(), inner.output.clone(), inner.call_id.clone());
        let failed = inner.failed.clone();
        let outer = &mut loaded.nodes[o].reading;
        outer.input = outer.input.take().or(input);
        outer.output = outer.output.take().or(output);
        outer.call_id = outer.call_id.take().or(call_id);
        outer.failed = outer.failed.take().or(failed);
    }
}

fn name<'l>(loaded: &'l Loaded<'_>, i: usize) -> &'l str {
    let node = &loaded.nodes[i];
    node.reading.name.as_deref().unwrap_or(&node.span.name)
}

/// An agent's sum of what its models used, where the models say it themselves.
fn totals(loaded: &mut Loaded<'_>) {
    let below =
        loaded.forest.any_below(|i| loaded.nodes[i].reading.usage.is_some() && !loaded.nodes[i].reading.is_total);
    for (node, below) in loaded.nodes.iter_mut().zip(below) {
        if below && node.reading.kind != SpanKind::Llm {
            node.reading.usage = None;
            node.reading.cost = None;
        }
    }
}
