//! A record line by line, as bytes: for what copies or compares lines and looks into few of them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// What a line is about, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first line.
    Header,
    /// What the run set out to do.
    Plan,
    /// An earlier run that a suite is compared with.
    Baseline,
    /// A session.
    Session,
    /// Something left out.
    LeftOut,
    /// Sessions of other shards.
    Elsewhere,
    /// The end of a suite's sessions.
    SuiteEnd,
    /// A system check.
    System,
    /// Says when, where or how long.
    Volatile,
    /// Of a kind that this version does not know.
    Unknown,
}

/// The tag stands first in every line that seatrial writes.
const TAGS: [(&[u8], Kind); 9] = [
    (b"{\"event\":\"session\",", Kind::Session),
    (b"{\"event\":\"left_out\",", Kind::LeftOut),
    (b"{\"event\":\"elsewhere\",", Kind::Elsewhere),
    (b"{\"event\":\"suite_end\",", Kind::SuiteEnd),
    (b"{\"event\":\"system\",", Kind::System),
    (b"{\"event\":\"plan\",", Kind::Plan),
    (b"{\"event\":\"baseline\",", Kind::Baseline),
    (b"{\"event\":\"record\",", Kind::Header),
    (b"{\"volatile\":", Kind::Volatile),
];

/// What a line is about.
pub fn kind(line: &[u8]) -> Kind {
    TAGS.iter().find(|(tag, _)| line.starts_with(tag)).map_or(Kind::Unknown, |(_, kind)| *kind)
}

/// Hands out the lines of a record. A last line without its end was cut and is not handed out.
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Bytes of the whole lines handed out so far.
    whole: u64,
    cut: bool,
}

impl Lines {
    /// Opens a record.
    pub fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::with_capacity(1 << 18, File::open(path)?);
        Ok(Self { reader, line: Vec::new(), whole: 0, cut: false })
    }

    /// The next line with its end, or `None` after the last.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        if self.reader.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') {
            self.cut = true;
            return Ok(None);
        }
        self.whole += self.line.len() as u64;
        Ok(Some(&self.line))
    }

    /// Bytes of the whole lines handed out so far.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether a last line was met that was cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_last_line_is_told_and_not_handed_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        std::fs::write(&path, "{\"event\":\"session\",\"a\":1}\n{\"volatile\":\"x\"}\n{\"event\":\"sess").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut kinds = Vec::new();
        while let Some(line) = lines.read().unwrap() {
            kinds.push(kind(line));
        }
        assert_eq!(kinds, [Kind::Session, Kind::Volatile]);
        assert_eq!((lines.is_cut(), lines.whole()), (true, 43));
    }
}
