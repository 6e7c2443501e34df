//! The waterfall: a bar for each operation, placed by its times.

use std::collections::HashMap;

use super::layout::{self, Paint, grouped};
use super::{View, safe};
use crate::model::{Session, Span, SpanStatus};

/// Most operations that are drawn without `full`.
const SPAN_LIMIT: usize = 500;
/// Deepest indentation that is drawn.
const MAX_INDENT: usize = 8;
/// Columns of the name.
const NAME: usize = 30;
/// Columns of the duration.
const DURATION: usize = 8;

pub(super) fn draw(session: &Session<'_>, view: &View, paint: Paint, out: &mut String) {
    let spans: Vec<&Span<'_>> = session.spans().collect();
    let start = spans.iter().filter_map(|s| s.start_ns).min();
    let end = spans.iter().filter_map(|s| s.end_ns.or(s.start_ns)).max();
    out.push('\n');
    let (Some(start), Some(end)) = (start, end) else {
        out.push_str("no waterfall: the recording has no times\n");
        return;
    };
    let limit = if view.full { usize::MAX } else { SPAN_LIMIT };
    let beside = spans.iter().take(limit).map(|s| layout::width(&suffix(s, Paint(false)))).max().unwrap_or(0);
    let bars = view.width.saturating_sub(NAME + DURATION + 2 + beside).max(8);
    let chart = Chart { start, length: end.saturating_sub(start), bars };
    let title = paint.bold(&format!("waterfall  {}", layout::duration(chart.length)));
    out.push_str(&title);
    out.push('\n');
    for (span, depth) in spans.iter().zip(depths(&spans)).take(limit) {
        let name = format!("{}{} {}", "  ".repeat(depth), layout::kind(span.kind), safe::line(&span.name));
        let (before, bar) = chart.bar(span);
        let bar = paint.bar(&"█".repeat(bar), span.status == SpanStatus::Error);
        let row = format!(
            "{} {:>DURATION$} {}{bar}{}",
            fitted(&name, NAME),
            length(span),
            " ".repeat(before),
            suffix(span, paint)
        );
        out.push_str(row.trim_end());
        out.push('\n');
    }
    if spans.len() > limit {
        let note = format!("... {} more operations (--full shows them)", grouped((spans.len() - limit) as u64));
        out.push_str(&paint.dim(&note));
        out.push('\n');
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

/// What stands behind the bar: tokens and error.
fn suffix(span: &Span<'_>, paint: Paint) -> String {
    let mut text = String::new();
    if let Some((input, output)) = span.usage.and_then(|u| u.input.zip(u.output)) {
        text.push(' ');
        text.push_str(&paint.dim(&format!("{}+{} tok", grouped(input), grouped(output))));
    }
    if span.status == SpanStatus::Error {
        text.push_str(&paint.error(" error"));
    }
    text
}

struct Chart {
    start: u64,
    length: u64,
    bars: usize,
}

impl Chart {
    /// A column from 0 to `bars` for a time.
    fn column(&self, ns: u64) -> usize {
        let offset = u128::from(ns.saturating_sub(self.start)) * self.bars as u128;
        let column = offset.checked_div(u128::from(self.length)).unwrap_or(0);
        usize::try_from(column).unwrap_or(self.bars).min(self.bars)
    }

    /// The columns before a span's bar and of the bar: at least one, none where its start is not known.
    fn bar(&self, span: &Span<'_>) -> (usize, usize) {
        let Some(start) = span.start_ns else { return (0, 0) };
        let from = self.column(start).min(self.bars - 1);
        let to = span.end_ns.map_or(from + 1, |end| self.column(end)).max(from + 1);
        (from, to - from)
    }
}

/// A name cut or filled to a number of columns.
fn fitted(name: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in name.chars() {
        let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + width > columns {
            break;
        }
        used += width;
        out.push(c);
    }
    out.push_str(&" ".repeat(columns - used));
    out
}

/// How deep each span lies below others, by the parents that are recorded. Cycles and unknown parents end a chain.
fn depths(spans: &[&Span<'_>]) -> Vec<usize> {
    let by_id: HashMap<&str, &Span<'_>> =
        spans.iter().filter_map(|s| s.id.as_ref().map(|id| (id.as_str(), *s))).collect();
    let depth = |span: &&Span<'_>| {
        let mut depth = 0;
        let mut parent = span.parent.as_ref();
        while let Some(found) = parent.and_then(|p| by_id.get(p.as_str())).filter(|_| depth < MAX_INDENT) {
            depth += 1;
            parent = found.parent.as_ref();
        }
        depth
    };
    spans.iter().map(depth).collect()
}
