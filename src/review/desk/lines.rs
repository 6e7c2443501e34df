//! The lines of which the body of the screen is made: texts behind their titles, and what was cited.

use super::cited::Cited;
use crate::report::safe;
use crate::report::transcript::layout::{Paint, wrapped};

/// Lines of the body.
pub(super) struct Lines {
    pub lines: Vec<String>,
    pub paint: Paint,
    pub columns: usize,
}

impl Lines {
    pub fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// A text behind its title.
    pub fn titled(&mut self, title: &str, text: &str) {
        const INDENT: usize = 10;
        for (i, line) in wrapped(&safe::terminal(text), self.columns.saturating_sub(INDENT)).iter().enumerate() {
            let head = if i == 0 { self.paint.label(&format!("{title:INDENT$}")) } else { " ".repeat(INDENT) };
            self.lines.push(format!("{head}{line}").trim_end().to_owned());
        }
    }

    /// What was cited; the words themselves in bold, and in brackets where there are no colours.
    pub fn cited(&mut self, cited: &Cited) {
        self.blank();
        let title = format!("cited: {}", safe::line(&cited.place));
        self.lines.push(self.paint.bold(&title));
        let Some([before, words, after]) = &cited.text else { return };
        let (open, close) = if self.paint.0 { ("", "") } else { ("[[", "]]") };
        let text = format!("{before}{open}{words}{close}{after}");
        let text = safe::terminal(&text);
        // The words are marked before the text is broken into lines, which is why they are found again here.
        let marked = safe::terminal(words).into_owned();
        for line in wrapped(&text, self.columns.saturating_sub(2)) {
            let line = if self.paint.0 { self.mark(&line, &marked) } else { line };
            self.lines.push(format!("  {line}"));
        }
    }

    /// A line with the cited words, or the part of them that it holds, in bold.
    fn mark(&self, line: &str, words: &str) -> String {
        let part = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if !part.is_empty() && line.contains(&part) {
            return line.replacen(&part, &self.paint.bold(&part), 1);
        }
        // A line from the middle of long words is all of them.
        if line.len() > 8 && words.contains(line.trim()) { self.paint.bold(line) } else { line.to_owned() }
    }
}
