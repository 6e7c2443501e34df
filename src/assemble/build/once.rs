//! What two spans recorded and happened once.
//!
//! Only spans of no kind may lie between the two: what stands below an agent, below a tool of another name or, for a
//! tool, below a model, is an operation of its own.

use super::load::Loaded;
use crate::formats::telemetry::dialect::Reading;
use crate::model::{NanoUsd, SpanKind, SpanStatus, Text, Usage};

/// Makes of every pair of spans that tell the same operation one that counts; the other stays as a span of no kind.
pub(super) fn count_once(loaded: &mut Loaded<'_>) {
    models(loaded);
    tools(loaded);
    totals(loaded);
}

/// For every span, its nearest ancestor of `kind` with nothing but spans of no kind between.
fn around(loaded: &Loaded<'_>, kind: SpanKind) -> Vec<Option<usize>> {
    loaded.forest.down(|up, above| match loaded.nodes[up].reading.kind {
        found if found == kind => Some(up),
        SpanKind::Other => above,
        _ => None,
    })
}

/// What the model spans within a model's span say together.
#[derive(Debug, Clone, Default)]
struct Within<'a> {
    /// How many there are that have none within themselves.
    calls: usize,
    /// What these used; `None` where one of them does not say.
    usage: Option<Usage>,
    cost: Option<NanoUsd>,
    /// Whether one of them says what it used, or cost.
    any_usage: bool,
    any_cost: bool,
    /// How many say what was said, and one of them.
    speakers: usize,
    speaker: usize,
    /// When the last one that says it gave its first token.
    first_token_ns: Option<u64>,
    model: Option<Text<'a>>,
}

impl<'a> Within<'a> {
    /// The span `i` alone.
    fn one(i: usize, reading: &Reading<'a>, start_ns: Option<u64>) -> Self {
        Self {
            calls: 1,
            usage: reading.usage,
            cost: reading.cost,
            any_usage: reading.usage.is_some(),
            any_cost: reading.cost.is_some(),
            speakers: usize::from(reading.output.is_some()),
            speaker: i,
            first_token_ns: start_ns.zip(reading.ttft_ns).and_then(|(start, ttft)| start.checked_add(ttft)),
            model: reading.model.clone(),
        }
    }

    /// What is within a span that tells of what is within it, or, where that says nothing, of the span itself.
    fn or(self, own: Self) -> Self {
        if self.calls == 0 {
            return own;
        }
        let (speakers, speaker) =
            if self.speakers > 0 { (self.speakers, self.speaker) } else { (own.speakers, own.speaker) };
        Self {
            usage: self.usage.or(own.usage),
            cost: self.cost.or(own.cost),
            any_usage: self.any_usage || own.any_usage,
            any_cost: self.any_cost || own.any_cost,
            speakers,
            speaker,
            first_token_ns: self.first_token_ns.or(own.first_token_ns),
            model: self.model.or(own.model),
            calls: self.calls,
        }
    }

    /// Adds what an earlier one says.
    fn add(&mut self, earlier: Self) {
        if self.calls == 0 {
            *self = earlier;
            return;
        }
        self.usage = self.usage.zip(earlier.usage).map(|(a, b)| add(a, b));
        self.cost = self.cost.zip(earlier.cost).and_then(|(a, b)| Some(NanoUsd(a.0.checked_add(b.0)?)));
        self.any_usage |= earlier.any_usage;
        self.any_cost |= earlier.any_cost;
        if self.speakers == 0 {
            self.speaker = earlier.speaker;
        }
        self.calls += earlier.calls;
        self.speakers += earlier.speakers;
        self.first_token_ns = self.first_token_ns.or(earlier.first_token_ns);
        self.model = self.model.take().or(earlier.model);
    }
}

/// A model's span around others (a framework's around a client's, with retries): the inner ones count, unless only the
/// outer one says what was said, or none says it and only the outer one what was used.
fn models(loaded: &mut Loaded<'_>) {
    let is_model = |loaded: &Loaded<'_>, i: usize| loaded.nodes[i].reading.kind == SpanKind::Llm;
    let outer = around(loaded, SpanKind::Llm);
    let nested: Vec<bool> = (0..outer.len()).map(|i| outer[i].is_some() && is_model(loaded, i)).collect();
    if !nested.contains(&true) {
        return;
    }
    let mut within: Vec<Within<'_>> = vec![Within::default(); outer.len()];
    for at in (0..loaded.forest.order.len()).rev() {
        let i = loaded.forest.order[at];
        if let Some(o) = outer[i].filter(|_| nested[i]) {
            let node = &loaded.nodes[i];
            let own = Within::one(i, &node.reading, node.span.start_ns);
            let both = within[i].clone().or(own);
            within[o].add(both);
        }
    }
    // From the outside in: what is within a span that counts is told by that.
    let mut told = vec![false; outer.len()];
    for at in 0..loaded.forest.order.len() {
        let i = loaded.forest.order[at];
        if let Some(o) = outer[i].filter(|o| nested[i] && told[*o]) {
            told[i] = told[o];
            silence(&mut loaded.nodes[i].reading);
        } else if is_model(loaded, i) && within[i].calls > 0 {
            let inner = std::mem::take(&mut within[i]);
            let start_ns = loaded.nodes[i].span.start_ns;
            let reading = &mut loaded.nodes[i].reading;
            let counts = inner.speakers == 0 && (reading.output.is_some() || !inner.any_usage);
            if counts {
                told[i] = true;
                reading.usage = inner.usage.or(reading.usage);
                reading.cost = inner.cost.or(reading.cost);
                let first = inner.first_token_ns.zip(start_ns).and_then(|(first, start)| first.checked_sub(start));
                reading.ttft_ns = reading.ttft_ns.or(first);
                reading.model = reading.model.take().or(inner.model);
                continue;
            }
            let (usage, cost, ttft_ns) = (reading.usage, reading.cost, reading.ttft_ns);
            silence(reading);
            // A sum that nothing within says is that of the one call there is; of several nobody knows the shares.
            if inner.calls == 1 || inner.speakers == 1 {
                let begun = loaded.nodes[inner.speaker].span.start_ns;
                let speaker = &mut loaded.nodes[inner.speaker].reading;
                speaker.usage = speaker.usage.or(usage.filter(|_| !inner.any_usage));
                speaker.cost = speaker.cost.or(cost.filter(|_| !inner.any_cost));
                // The same moment, from another start. With several calls nobody knows whose first token it was.
                let first = start_ns.zip(ttft_ns).and_then(|(start, ttft)| start.checked_add(ttft));
                let since = first.zip(begun).and_then(|(first, begun)| first.checked_sub(begun));
                speaker.ttft_ns = speaker.ttft_ns.or(since.filter(|_| inner.calls == 1));
            }
        }
    }
}

fn silence(reading: &mut Reading<'_>) {
    reading.kind = SpanKind::Other;
    (reading.usage, reading.cost) = (None, None);
}

/// A part that one of the two does not say is not known of the sum.
fn add(a: Usage, b: Usage) -> Usage {
    let both = |a: Option<u64>, b: Option<u64>| a?.checked_add(b?);
    Usage {
        input: both(a.input, b.input),
        output: both(a.output, b.output),
        cache_read: both(a.cache_read, b.cache_read),
        cache_write: both(a.cache_write, b.cache_write),
        reasoning: both(a.reasoning, b.reasoning),
    }
}

/// A tool's span within one of the same tool (an MCP client's and server's within the agent's): the outermost is the
/// agent's call, and takes over what only the inner ones say.
fn tools(loaded: &mut Loaded<'_>) {
    let above = around(loaded, SpanKind::Tool);
    let mut tried = vec![false; above.len()];
    // Backwards: from the inside out, and of several tries the last one is told.
    for at in (0..loaded.forest.order.len()).rev() {
        let i = loaded.forest.order[at];
        let is_tool = loaded.nodes[i].reading.kind == SpanKind::Tool;
        let Some(o) = above[i].filter(|o| is_tool && name(loaded, *o) == name(loaded, i)) else { continue };
        let failure = failure(loaded, i);
        let inner = &mut loaded.nodes[i].reading;
        inner.kind = SpanKind::Other;
        let (input, output, call_id) = (inner.input.clone(), inner.output.clone(), inner.call_id.clone());
        let withheld = inner.withheld;
        let outer = &mut loaded.nodes[o];
        let reading = &mut outer.reading;
        reading.withheld |= withheld && reading.output.is_none();
        reading.input = reading.input.take().or(input);
        reading.output = reading.output.take().or(output);
        reading.call_id = reading.call_id.take().or(call_id);
        // A tool that says that it did well has dealt with what went wrong within.
        if outer.span.status == SpanStatus::Unset && !tried[o] {
            reading.failed = reading.failed.take().or(failure);
        }
        tried[o] = true;
    }
}

/// Why a span failed, if it did.
fn failure<'a>(loaded: &Loaded<'a>, i: usize) -> Option<Text<'a>> {
    let node = &loaded.nodes[i];
    let by_status = || node.span.status_message.clone().unwrap_or_default();
    node.reading.failed.clone().or_else(|| (node.span.status == SpanStatus::Error).then(by_status))
}

fn name<'l>(loaded: &'l Loaded<'_>, i: usize) -> &'l str {
    let node = &loaded.nodes[i];
    node.reading.name.as_deref().unwrap_or(&node.span.name)
}

/// An agent's sum of what its models used, where the models say it themselves.
fn totals(loaded: &mut Loaded<'_>) {
    let said = |i: usize| {
        let reading = &loaded.nodes[i].reading;
        reading.kind == SpanKind::Llm && reading.usage.is_some()
    };
    let below = loaded.forest.any_below(said);
    for (node, _) in loaded.nodes.iter_mut().zip(below).filter(|(_, below)| *below) {
        let reading = &mut node.reading;
        if matches!(reading.kind, SpanKind::Agent | SpanKind::Other)
            || (reading.is_total && reading.kind != SpanKind::Llm)
        {
            (reading.usage, reading.cost) = (None, None);
        }
    }
}
