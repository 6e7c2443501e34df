//! A report whose beginning is known last: totals stand above what they count, a decision above the sessions. A short one
//! waits in memory for it. A longer one leaves room in its file, which white space fills up, and is written once.

use std::io::{self, Write};

use super::late::Late;

/// Bytes up to which a report waits in memory.
const HELD: usize = 1 << 18;

/// A report without its beginning.
pub struct Above {
    out: Late,
    /// What waits in memory.
    held: Vec<u8>,
    /// How much room the beginning is given in the file, and whether it was left already.
    room: usize,
    left: bool,
}

impl Above {
    /// Nothing yet, to be written to `out`. Once it is long, its beginning has `room` bytes; one that does not fit takes
    /// another copy of the report.
    pub fn new(out: Late, room: usize) -> Self {
        Self { out, held: Vec::new(), room, left: false }
    }

    /// Puts the beginning, which ends with a line, above what was written so far; what comes from now on is written behind
    /// that.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn begin(&mut self, mut above: Vec<u8>) -> io::Result<()> {
        if !std::mem::replace(&mut self.left, true) {
            self.out.write_all(&above)?;
            self.out.write_all(&std::mem::take(&mut self.held))
        } else if above.len() <= self.room {
            above.pop();
            above.resize(self.room.saturating_sub(1), b' ');
            above.push(b'\n');
            self.out.write_at(0, &above)
        } else {
            self.out.replace(self.room as u64, &above)
        }
    }

    /// The file, of a report that has its beginning.
    pub fn file(&mut self) -> &mut Late {
        &mut self.out
    }
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left {
            return self.out.write(bytes);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > HELD {
            self.out.write_all(&vec![b' '; self.room])?;
            self.out.write_all(&std::mem::take(&mut self.held))?;
            self.left = true;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.left { self.out.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(room: usize, above: &str, body: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        let mut report = Above::new(Late::new(path.clone()), room);
        body.lines().for_each(|line| writeln!(report, "{line}").unwrap());
        report.begin(above.as_bytes().to_vec()).unwrap();
        report.write_all(b"end\n").unwrap();
        report.file().end().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_beginning_stands_above_a_report_of_any_length_whether_it_fits_or_not() {
        let long = "a line of the report\n".repeat(HELD / 10);
        for (room, above, body) in [
            (4, "total: 1\n", "short\n"),
            (9, "total: 1\n", &long),
            (8, "total: 1\n", &long),
            (40, "total: 1\n", &long),
            (9, "total: 1\n", ""),
        ] {
            let text = report(room, above, body);
            let (first, rest) = text.split_once('\n').unwrap();
            assert_eq!((first.trim_end(), rest), ("total: 1", &*format!("{body}end\n")), "{room}");
            assert_eq!(first.len() + 1, if body.len() > HELD { room.max(above.len()) } else { above.len() });
        }
    }
}
