//! Reading recorded sessions one by one, for commands that look at each once and keep none.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::model::{LeftOut, Problem, Session};
use crate::report::safe;
use crate::sources::{Batch, RecordedFile};

/// Hands out the next batch, given the buffer of one that is done with: `Reader::next`.
pub type NextBatch<'n> = &'n mut dyn FnMut(Vec<u8>) -> Option<Batch>;

/// Most problems that are printed; all are counted.
const MOST_PRINTED: u64 = 20;

/// What could not be read.
#[derive(Debug, Default)]
pub struct Unread {
    counts: BTreeMap<LeftOut, u64>,
}

impl Unread {
    /// Counts a problem and says where it is on `err`, unless there were many before.
    pub fn add(&mut self, file: &str, index: u64, problem: &Problem, err: &mut dyn Write) {
        *self.counts.entry(problem.kind).or_default() += 1;
        let printed = self.total();
        let offset = problem.offset.map_or_else(String::new, |o| format!(", byte {o}"));
        // Standard error may be closed; the exit code and the count say it too.
        let _ = match printed {
            0..=MOST_PRINTED => writeln!(
                err,
                "{}: element {}{offset}: {}: {}",
                safe::line(file),
                index + 1,
                problem.kind.name(),
                safe::line(&problem.message)
            ),
            _ if printed == MOST_PRINTED + 1 => writeln!(err, "further problems are only counted"),
            _ => Ok(()),
        };
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The counts by kind, such as `2 malformed, 1 truncated`.
    pub fn summary(&self) -> String {
        self.counts.iter().map(|(kind, n)| format!("{n} {}", kind.name())).collect::<Vec<_>>().join(", ")
    }

    /// The exit code of a command that is otherwise well: what is incomplete is never 0.
    pub fn code(&self) -> u8 {
        if self.total() == 0 { 0 } else { 4 }
    }
}

/// Visits every session in order, with the index of its file and of the element in it; what cannot be read is added
/// to `unread`. Ends early when the visitor cannot go on.
pub fn each(
    next: NextBatch<'_>,
    files: &[RecordedFile],
    unread: &mut Unread,
    err: &mut dyn Write,
    visit: &mut dyn FnMut(&Session<'_>) -> io::Result<Result<(), Problem>>,
) -> io::Result<()> {
    let mut recycled = Vec::new();
    while let Some(batch) = next(std::mem::take(&mut recycled)) {
        let file = files.get(batch.file as usize).map_or("?", |f| f.name.as_str());
        for element in &batch.elements {
            let outcome = match &element.content {
                Err(problem) => Err(problem.clone()),
                Ok(range) => match decode(&batch, range.clone(), element.index) {
                    Ok(session) => visit(&session)?,
                    Err(problem) => Err(problem),
                },
            };
            if let Err(mut problem) = outcome {
                problem.offset.get_or_insert(element.offset);
                unread.add(file, element.index, &problem, err);
            }
        }
        recycled = batch.buffer;
    }
    Ok(())
}

fn decode(batch: &Batch, range: std::ops::Range<usize>, index: u64) -> Result<Session<'_>, Problem> {
    let nothing = |what: &str| Problem::new(LeftOut::Unreadable, what);
    let decoder = batch.decoder.as_ref().ok_or_else(|| nothing("the file has no decoder"))?;
    let bytes = batch.buffer.get(range).ok_or_else(|| nothing("the element lies outside of what was read"))?;
    decoder.decode(bytes, index, &batch.stem)
}

#[cfg(test)]
pub(crate) mod tests {
    //! Batches made by hand, for the tests of the commands.

    use std::sync::Arc;

    use super::*;
    use crate::formats::Decoder;
    use crate::sources::Element;

    struct Json;

    impl Decoder for Json {
        fn decode<'a>(&self, element: &'a [u8], _: u64, _: &str) -> Result<Session<'a>, Problem> {
            serde_json::from_slice(element).map_err(|e| Problem::new(LeftOut::Malformed, e.to_string()))
        }
    }

    /// One file.
    pub(crate) fn file() -> Vec<RecordedFile> {
        vec![RecordedFile { path: "a.jsonl".into(), name: "a.jsonl".into() }]
    }

    /// Batches of one line each.
    pub(crate) fn lines(lines: &[&str]) -> impl FnMut(Vec<u8>) -> Option<Batch> + use<> {
        let mut left: Vec<(usize, String)> = lines.iter().map(|l| (*l).to_owned()).enumerate().rev().collect();
        move |_| {
            let (index, line) = left.pop()?;
            let content = Ok(0..line.len());
            let element = Element { index: index as u64, offset: 100 * index as u64, content };
            Some(Batch {
                seq: index as u64,
                file: 0,
                decoder: Some(Arc::new(Json)),
                stem: "a".into(),
                buffer: line.into_bytes(),
                elements: vec![element],
            })
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_said() {
        let (mut unread, mut err, mut seen) = (Unread::default(), Vec::new(), 0);
        let mut input = lines(&[r#"{"id":"a"}"#, "{", r#"{"id":"b"}"#]);
        each(&mut input, &file(), &mut unread, &mut err, &mut |_| {
            seen += 1;
            Ok(Ok(()))
        })
        .unwrap();
        assert_eq!((seen, unread.total(), unread.code()), (2, 1, 4));
        assert_eq!(unread.summary(), "1 malformed");
        assert!(String::from_utf8(err).unwrap().starts_with("a.jsonl: element 2, byte 100: malformed: EOF"));
    }

    #[test]
    fn many_problems_are_counted_and_few_are_printed() {
        let (mut unread, mut err) = (Unread::default(), Vec::new());
        let mut input = lines(&["{"; 500]);
        each(&mut input, &file(), &mut unread, &mut err, &mut |_| Ok(Ok(()))).unwrap();
        assert_eq!((unread.total(), String::from_utf8(err).unwrap().lines().count()), (500, 21));
    }
}
