//! Element boundaries in JSON lines: every line is an element, and damage ends with its line.

use super::lex::{Bits, Lexer};
use super::scan::{Found, Limits, Pending};
use crate::model::{LeftOut, Problem};

/// Splits a stream into its lines that are not blank, fed block by block.
#[derive(Debug)]
pub(super) struct Lines {
    limits: Limits,
    /// Bytes fed so far.
    position: u64,
    /// Lines that have ended so far.
    ended: u64,
    /// First byte of the line in progress that is not white space.
    start: Option<u64>,
    lexer: Lexer,
    /// Opening less closing brackets in the line so far.
    depth: i64,
    /// Whether the line was deeper than the limit.
    deep: bool,
    /// Whether anything but white space was seen.
    seen: bool,
}

impl Lines {
    /// A splitter whose first byte lies at `position` of the stream.
    pub fn new(limits: Limits, position: u64) -> Self {
        Self { limits, position, ended: 0, start: None, lexer: Lexer::default(), depth: 0, deep: false, seen: false }
    }

    /// The line that has begun and not ended.
    pub fn pending(&self) -> Option<Pending> {
        self.start.map(|start| Pending { start, doomed: self.deep || self.position - start > self.limits.max_element })
    }

    /// Takes the next bytes of the stream and reports the lines that end in them.
    pub fn feed(&mut self, block: &[u8], found: &mut impl FnMut(Found)) {
        let mut rest = block;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.take(&rest[..end]);
            self.end(found);
            self.ended += 1;
            self.position += 1;
            rest = &rest[end + 1..];
        }
        self.take(rest);
    }

    /// Takes a part of a line.
    fn take(&mut self, part: &[u8]) {
        let solid = if self.start.is_some() { part } else { part.trim_ascii_start() };
        self.position += part.len() as u64;
        if solid.is_empty() {
            return;
        }
        self.seen = true;
        let start = *self.start.get_or_insert(self.position - solid.len() as u64);
        // A line that is already too large is left out whatever its depth.
        if !self.deep && self.position - start <= self.limits.max_element {
            self.measure(solid);
        }
    }

    /// Follows the depth of the line.
    fn measure(&mut self, mut part: &[u8]) {
        // Half the range is beyond any file, and leaves room to subtract.
        let max = i64::try_from(self.limits.max_depth).unwrap_or(i64::MAX).min(i64::MAX / 2);
        while !part.is_empty() {
            let (bits, len) = self.lexer.step(part);
            let (opens, closes) = (i64::from(bits.open.count_ones()), i64::from(bits.close.count_ones()));
            if opens > max - self.depth && deepest(bits) > max - self.depth {
                self.deep = true;
                return;
            }
            self.depth += opens - closes;
            part = &part[len..];
        }
    }

    fn end(&mut self, found: &mut impl FnMut(Found)) {
        if let Some(start) = self.start.take() {
            let end = self.position;
            let flaw = self.limits.flaw(start, end, self.deep);
            found(Found::AtLine(self.ended + 1));
            found(flaw.map_or(Found::Element { start, end }, Found::Damaged));
        }
        self.lexer = Lexer::default();
        self.depth = 0;
        self.deep = false;
    }

    /// Says that the stream has ended: the last line needs no newline, but it must be complete.
    pub fn finish(&mut self, found: &mut impl FnMut(Found)) {
        let Some(start) = self.start else {
            if !self.seen {
                found(Found::Damaged(Problem::new(LeftOut::Empty, "there is nothing in it").at(self.position)));
            }
            return;
        };
        let cut = self.depth > 0 || self.lexer.in_string();
        if cut && self.limits.flaw(start, self.position, self.deep).is_none() {
            self.start = None;
            let message = "the file ends within the line that begins here";
            found(Found::AtLine(self.ended + 1));
            return found(Found::Damaged(Problem::new(LeftOut::Truncated, message).at(start)));
        }
        self.end(found);
    }
}

/// The greatest excess of opening over closing brackets within a step.
fn deepest(bits: Bits) -> i64 {
    let (mut depth, mut most, mut ahead) = (0i64, 0i64, bits.open | bits.close);
    while ahead != 0 {
        depth += if bits.open >> ahead.trailing_zeros() & 1 == 1 { 1 } else { -1 };
        most = most.max(depth);
        ahead &= ahead - 1;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_element: 60, max_depth: 3 };

    fn found(bytes: &[u8], block: usize) -> Vec<Found> {
        let mut all = Vec::new();
        let mut lines = Lines::new(LIMITS, 0);
        for part in bytes.chunks(block) {
            lines.feed(part, &mut |f| all.push(f));
        }
        lines.finish(&mut |f| all.push(f));
        all
    }

    /// What each find is, in a word or as its text.
    fn told(bytes: &[u8]) -> Vec<String> {
        let tell = |f: &Found| match f {
            Found::Element { start, end } => {
                String::from_utf8_lossy(&bytes[*start as usize..*end as usize]).trim_end().to_owned()
            }
            Found::Damaged(p) => format!("{} at {}", p.kind.name(), p.offset.unwrap()),
            Found::Member { .. } | Found::AtLine(_) => unreachable!(),
        };
        found(bytes, 1000).iter().filter(|f| !matches!(f, Found::AtLine(_))).map(tell).collect()
    }

    #[test]
    fn every_element_is_told_with_its_line() {
        let lines = |bytes: &[u8]| -> Vec<u64> {
            found(bytes, 3).iter().filter_map(|f| if let Found::AtLine(n) = f { Some(*n) } else { None }).collect()
        };
        assert_eq!(lines(b"{\"a\":1}\r\n\n  \n 7\nnot json\n{}"), [1, 4, 5, 6]);
        assert_eq!(lines(b"\n{\"a\":"), [2]);
        assert_eq!(lines(b"\n\n"), [0; 0]);
    }

    #[test]
    fn every_line_that_is_not_blank_is_an_element() {
        assert_eq!(told(b"{\"a\":1}\r\n\n  \n 7\nnot json\n{}"), ["{\"a\":1}", "7", "not json", "{}"]);
    }

    #[test]
    fn a_damaged_line_ends_with_its_newline() {
        assert_eq!(told(b"{\"a\":\"[[[\n{\"b\":2}\n"), ["{\"a\":\"[[[", "{\"b\":2}"]);
    }

    #[test]
    fn a_half_written_last_line_is_truncated() {
        assert_eq!(told(b"{}\n{\"a\": [1,"), ["{}", "truncated at 3"]);
        assert_eq!(told(b"{}\n\"abc"), ["{}", "truncated at 3"]);
    }

    #[test]
    fn limits_apply_to_each_line_alone() {
        let wide = "x".repeat(61);
        let text = format!("{{}}\n{wide}\n[[[[1]]]]\n[[[1],[1]]]\n[[[[");
        assert_eq!(told(text.as_bytes()), ["{}", "too_large at 3", "too_deep at 65", "[[[1],[1]]]", "too_deep at 87"]);
    }

    #[test]
    fn a_limit_beyond_any_file_does_not_overflow() {
        let mut lines = Lines::new(Limits { max_element: u64::MAX, max_depth: u64::MAX }, 0);
        let mut count = 0;
        lines.feed(b"]]]]]]\n[[[\n", &mut |f| count += u32::from(matches!(f, Found::Element { .. })));
        assert_eq!(count, 2);
    }

    #[test]
    fn white_space_alone_is_empty() {
        assert_eq!(told(b" \n\n"), ["empty at 3"]);
        assert_eq!(told(b""), ["empty at 0"]);
    }

    proptest! {
        #[test]
        fn any_block_size_finds_the_same(
            bytes in prop::collection::vec(prop::sample::select(b"[]{}\"\\ \n\nx".to_vec()), 0..400),
            block in 1usize..100,
        ) {
            prop_assert_eq!(found(&bytes, block), found(&bytes, usize::MAX));
        }

        #[test]
        fn elements_are_the_lines(lines in prop::collection::vec("[ -~]{0,50}", 0..20)) {
            let text = lines.join("\n");
            let want: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
            let got = found(text.as_bytes(), 7);
            for f in &got {
                if let Found::Element { start, end } = f {
                    prop_assert!(want.contains(&text[*start as usize..*end as usize].trim_end()));
                }
            }
            let told = got.iter().filter(|f| !matches!(f, Found::AtLine(_))).count();
            prop_assert_eq!(told, want.len().max(1));
        }
    }
}
