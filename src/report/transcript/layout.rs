//! Wrapping, eliding, numbers, times and colours of a transcript.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(pub bool);

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub fn label(self, text: &str) -> String {
        self.with(AnsiColor::Cyan.on_default(), text)
    }

    pub fn call(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub fn error(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    pub fn bar(self, text: &str, failed: bool) -> String {
        self.with(if failed { AnsiColor::Red } else { AnsiColor::Green }.on_default(), text)
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The first `limit` bytes or so of a text, at a character boundary, and how many bytes are left out. What is barely
/// longer is shown whole: a note about it would take as much room.
pub(crate) fn elide(text: &str, limit: usize) -> (&str, usize) {
    if text.len() <= limit.saturating_add(limit / 10) {
        return (text, 0);
    }
    let end = (0..=limit).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    (&text[..end], text.len() - end)
}

/// Lines of at most `columns`, broken at spaces where there are some. Tabs become spaces.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(10);
    let mut lines = Vec::new();
    for line in text.trim_end_matches('\n').split('\n') {
        wrap_line(&line.replace('\t', "    "), columns, &mut lines);
    }
    lines
}

fn wrap_line(line: &str, columns: usize, lines: &mut Vec<String>) {
    let mut rest = line;
    loop {
        let (mut used, mut space, mut end) = (0, None, rest.len());
        for (i, c) in rest.char_indices() {
            let next = used + c.width().unwrap_or(0);
            if next > columns {
                end = i;
                break;
            }
            if c == ' ' && used > 0 {
                space = Some(i);
            }
            used = next;
        }
        if end == rest.len() {
            lines.push(rest.to_owned());
            return;
        }
        // A break within the first third would leave a ragged stump.
        let cut = space.filter(|s| *s > end / 3).unwrap_or(end);
        lines.push(rest[..cut].trim_end().to_owned());
        rest = if cut == end { &rest[cut..] } else { rest[cut..].trim_start_matches(' ') };
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A duration in the unit that reads best.
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{}us", ns / 1_000),
        1_000_000..10_000_000 => format!("{}.{}ms", ns / 1_000_000, ns / 100_000 % 10),
        10_000_000..1_000_000_000 => format!("{}ms", ns / 1_000_000),
        1_000_000_000..60_000_000_000 => format!("{:.2}s", ns as f64 / 1e9),
        _ => {
            let seconds = ns / 1_000_000_000;
            if seconds < 3600 {
                format!("{}m{:02}s", seconds / 60, seconds % 60)
            } else {
                format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60)
            }
        }
    }
}

/// A point in time as RFC 3339 in UTC; as a number where it is outside the calendar.
fn instant(ns: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| format!("{ns}ns"), |t| format!("{t:.3}"))
}

/// Start, and how long it took.
pub(crate) fn times(start: Option<u64>, end: Option<u64>) -> Option<String> {
    match (start, end) {
        (Some(s), Some(e)) if e >= s => Some(format!("{}, took {}", instant(s), duration(e - s))),
        (Some(s), Some(e)) => Some(format!("{}, ends before it starts ({})", instant(s), instant(e))),
        (Some(s), None) => Some(format!("{}, end not recorded", instant(s))),
        (None, Some(e)) => Some(format!("start not recorded, ended {}", instant(e))),
        (None, None) => None,
    }
}
