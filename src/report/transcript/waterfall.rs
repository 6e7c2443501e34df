//! The waterfall: a bar for each operation, below the one that caused it, placed by its times.
//!
//! The time between turns, when the agent waited for its user, is left out of the axis: a session of minutes of which
//! the agent worked seconds would otherwise be a column of dots. Clocks of several machines differ: an operation that
//! starts before the one that caused it is drawn from that one's start, and marked.

use super::layout::{self, Paint, grouped};
use super::tree::{self, Node};
use super::{View, safe};
use crate::model::{Session, Span, SpanKind, SpanStatus};

/// Most operations that are drawn without `full`.
const SPAN_LIMIT: usize = 500;
/// Deepest indentation that is drawn.
const MAX_INDENT: usize = 8;
/// Fewest columns of the name, and most of them as a share of the width.
const NAME: (usize, f64) = (24, 0.45);
/// Columns of the duration.
const DURATION: usize = 8;
/// Fewest columns of the bars.
const BARS: usize = 8;
/// What marks a start that was moved.
const SKEWED: &str = " clock";

pub(super) fn draw(session: &Session<'_>, view: &View, paint: Paint, out: &mut String) {
    let groups: Vec<Vec<Node<'_, '_>>> =
        [&session.spans].into_iter().chain(session.turns.iter().map(|t| &t.spans)).map(|s| tree::ordered(s)).collect();
    out.push('\n');
    let Some(axis) = Axis::new(&groups) else {
        out.push_str("no waterfall: the recording has no times\n");
        return;
    };
    let all = || groups.iter().flatten();
    let limit = if view.full { usize::MAX } else { SPAN_LIMIT };
    let beside = all().take(limit).map(|n| layout::width(&suffix(n, Paint(false)))).max().unwrap_or(0);
    let names = all().take(limit).map(|n| layout::width(&name(n))).max().unwrap_or(0);
    let widest = (view.width as f64 * NAME.1) as usize;
    let names = names.clamp(NAME.0, widest.max(NAME.0));
    let bars = view.width.saturating_sub(names + DURATION + 2 + beside).max(BARS);
    line(out, &paint.bold(&title(&axis)));
    for node in all().take(limit) {
        line(out, &row(node, &axis, bars, names, paint));
    }
    let (count, drawn) = (all().count(), all().take(limit).count());
    if count > drawn {
        let note = format!("... {} more operations (--full shows them)", grouped((count - drawn) as u64));
        line(out, &paint.dim(&note));
    }
    for note in notes(all().take(limit)) {
        line(out, &paint.dim(note));
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn title(axis: &Axis) -> String {
    let waits = axis.waits();
    let waiting =
        if waits > 0 { format!(", without {} between turns", layout::duration(waits)) } else { String::new() };
    format!("waterfall  {}{waiting}", layout::duration(axis.length()))
}

/// What the marks mean, of those that are drawn.
fn notes<'n>(mut nodes: impl Iterator<Item = &'n Node<'n, 'n>> + Clone) -> Vec<&'static str> {
    let waits = nodes.clone().any(|n| n.span.ttft_ns.is_some_and(|ns| ns > 0) && n.span.start_ns.is_some());
    let skewed = nodes.any(|n| n.skewed);
    let waits = waits.then_some("░ until the first token");
    let skewed = skewed.then_some("clock: starts before what caused it, and is drawn from that one's start");
    waits.into_iter().chain(skewed).collect()
}

fn row(node: &Node<'_, '_>, axis: &Axis, bars: usize, names: usize, paint: Paint) -> String {
    let failed = node.span.status == SpanStatus::Error;
    let bar = axis.bar(node, bars);
    let drawn = format!("{}{}", "░".repeat(bar.waits), "█".repeat(bar.works));
    let name = fitted(&name(node), names);
    let quiet = node.span.kind == SpanKind::Other && !failed;
    format!(
        "{} {:>DURATION$} {}{}{}",
        if quiet { paint.dim(&name) } else { name },
        length(node.span),
        " ".repeat(bar.before),
        if quiet { paint.dim(&drawn) } else { paint.bar(&drawn, failed) },
        suffix(node, paint)
    )
}

/// Indented by depth. What kind of operation it is, where that is known; a model's and an agent's own name without
/// the operation that OpenTelemetry puts in front.
fn name(node: &Node<'_, '_>) -> String {
    let span = node.span;
    let name = safe::line(&span.name);
    let indent = "  ".repeat(node.depth.min(MAX_INDENT));
    match span.kind {
        SpanKind::Other => format!("{indent}{name}"),
        SpanKind::Agent => format!("{indent}agent {}", name.strip_prefix("invoke_agent ").unwrap_or(&name)),
        kind => format!("{indent}{} {name}", kind.name()),
    }
}

/// How long a span took; `-` where that is not recorded.
fn length(span: &Span<'_>) -> String {
    match (span.start_ns, span.end_ns) {
        (Some(s), Some(e)) if e >= s => layout::duration(e - s),
        (Some(_), Some(_)) => "end<start".to_owned(),
        _ => "-".to_owned(),
    }
}

/// What stands behind the bar: tokens, error, and whether it was moved.
fn suffix(node: &Node<'_, '_>, paint: Paint) -> String {
    let mut text = String::new();
    if let Some((input, output)) = node.span.usage.and_then(|u| u.input.zip(u.output)) {
        text.push(' ');
        text.push_str(&paint.dim(&format!("{}+{} tok", grouped(input), grouped(output))));
    }
    if node.span.status == SpanStatus::Error {
        text.push_str(&paint.error(" error"));
    }
    if node.skewed {
        text.push_str(&paint.dim(SKEWED));
    }
    text
}

/// Columns of a bar.
struct Bar {
    before: usize,
    /// Until the first token.
    waits: usize,
    works: usize,
}

/// The stretches of time in which turns were going on, one after the other.
struct Axis {
    /// Start, end, and how much of the axis lies before it.
    stretches: Vec<(u64, u64, u64)>,
}

impl Axis {
    fn new(groups: &[Vec<Node<'_, '_>>]) -> Option<Self> {
        let mut turns: Vec<(u64, u64)> = groups
            .iter()
            .filter_map(|nodes| {
                let start = nodes.iter().filter_map(|n| n.start_ns).min()?;
                let end = nodes.iter().filter_map(Node::end_ns).max().unwrap_or(start);
                Some((start, end.max(start)))
            })
            .collect();
        turns.sort_unstable();
        let mut stretches: Vec<(u64, u64, u64)> = Vec::with_capacity(turns.len());
        for (start, end) in turns {
            match stretches.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                last => {
                    let before = last.map_or(0, |l| l.2.saturating_add(l.1 - l.0));
                    stretches.push((start, end, before));
                }
            }
        }
        (!stretches.is_empty()).then_some(Self { stretches })
    }

    fn length(&self) -> u64 {
        self.stretches.last().map_or(0, |(start, end, before)| before.saturating_add(end - start))
    }

    /// The time that is left out.
    fn waits(&self) -> u64 {
        self.stretches.windows(2).map(|w| w[1].0 - w[0].1).fold(0, u64::saturating_add)
    }

    /// A column from 0 to `bars` for a time.
    fn column(&self, ns: u64, bars: usize) -> usize {
        let index = self.stretches.partition_point(|s| s.0 <= ns).saturating_sub(1);
        let (start, end, before) = self.stretches[index];
        let at = before.saturating_add(ns.clamp(start, end) - start);
        let column = (u128::from(at) * bars as u128).checked_div(u128::from(self.length())).unwrap_or(0);
        usize::try_from(column).unwrap_or(bars).min(bars)
    }

    /// The columns before a span's bar and of the bar: at least one, none where its start is not known.
    fn bar(&self, node: &Node<'_, '_>, bars: usize) -> Bar {
        let Some(start) = node.start_ns else { return Bar { before: 0, waits: 0, works: 0 } };
        let from = self.column(start, bars).min(bars - 1);
        let to = node.end_ns().map_or(from + 1, |end| self.column(end, bars)).max(from + 1);
        let first = node.span.ttft_ns.map_or(from, |ns| self.column(start.saturating_add(ns), bars));
        // The last column is work, so that something is.
        let waits = first.clamp(from, to - 1) - from;
        Bar { before: from, waits, works: to - from - waits }
    }
}

/// A name cut or filled to a number of columns.
fn fitted(name: &str, columns: usize) -> String {
    if layout::width(name) <= columns {
        return format!("{name}{}", " ".repeat(columns - layout::width(name)));
    }
    let (mut out, mut used) = (String::new(), 1);
    for c in name.chars() {
        let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + width > columns {
            break;
        }
        used += width;
        out.push(c);
    }
    format!("{out}…{}", " ".repeat(columns - used))
}
