//! Reading recorded sessions one by one, for commands that look at each once and keep none.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::context::{Context, Failure};
use crate::assemble::SpillError;
use crate::assemble::intake::Options;
use crate::eval::exit;
use crate::formats::{self, FORMATS};
use crate::model::{LeftOut, Problem, Session};
use crate::redact::Redactor;
use crate::report::safe;
use crate::sources::assembled::Recorded;
use crate::sources::discover::discover;
use crate::sources::reader::Reader;
use crate::sources::{Batch, ReadOptions, RecordedFile};
use crate::suite::nearest::nearest;
use crate::suite::settings::Settings;

/// Hands out the next batch, given the buffer of one that is done with: `Recorded::next`.
pub type NextBatch<'n> = &'n mut dyn FnMut(Vec<u8>) -> Result<Option<Batch>, SpillError>;

/// The recordings that a command line names.
pub struct Recordings {
    /// Reads them.
    pub recorded: Recorded,
    /// The files, in the order in which they are read.
    pub files: Vec<RecordedFile>,
    /// What was wrong before anything was read.
    pub unread: Unread,
}

/// Looks up files, globs and folders; `format` overrides what their content looks like, `attribute` is where else the
/// session's id of a span may stand.
pub fn open(
    paths: &[PathBuf],
    format: Option<&str>,
    attribute: Option<&str>,
    context: &Context,
    err: &mut dyn Write,
) -> Result<Recordings, Failure> {
    let format = format.filter(|name| *name != "auto").map(known_format).transpose()?;
    let patterns: Vec<String> = paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let found = discover(&patterns, &context.cwd, &context.cwd);
    if let Some((pattern, why)) = found.invalid.first() {
        return Err(Failure::usage(format_args!("`{}` is not a pattern: {why}", safe::line(pattern))));
    }
    if let Some(pattern) = found.unmatched.first() {
        return Err(Failure::usage(format_args!("no file matches `{}`", safe::line(pattern))));
    }
    let mut unread = Unread::default();
    unread.redact(context.redactor([])?);
    for (name, problem) in &found.problems {
        unread.add(name, None, problem, err);
    }
    let reader = Reader::new(found.files.clone(), read_options(&context.settings, format));
    let recorded = Recorded::new(reader, assemble_options(context, attribute));
    Ok(Recordings { recorded, files: found.files, unread })
}

/// How files are read.
pub fn read_options(settings: &Settings, format: Option<&'static dyn formats::Format>) -> ReadOptions {
    ReadOptions {
        format,
        max_element: settings.max_session_bytes.value,
        max_depth: settings.max_depth.value,
        max_expansion: settings.max_expansion.value,
        ..ReadOptions::default()
    }
}

/// How telemetry is put together.
pub fn assemble_options(context: &Context, attribute: Option<&str>) -> Options {
    let settings = &context.settings;
    Options {
        session_attribute: attribute.map(str::to_owned),
        max_session: settings.max_session_bytes.value,
        spill_dir: settings.spill_dir.value.as_ref().map_or_else(std::env::temp_dir, |dir| context.cwd.join(dir)),
        budget: settings.spill_after.value,
        ..Options::default()
    }
}

fn known_format(name: &str) -> Result<&'static dyn formats::Format, Failure> {
    formats::format(name).ok_or_else(|| {
        let names = || FORMATS.iter().map(|f| f.name());
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the formats are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Failure::usage(format_args!("no trace format is called `{}`\nhelp: {help}", safe::line(name)))
    })
}

/// The exit code of a command that wrote its result bit by bit. A reader that closed the pipe has seen enough: that is
/// no error, but it does not change `code` either.
pub fn written(result: io::Result<()>, what: &str, code: u8) -> Result<u8, Failure> {
    match result {
        Ok(()) => Ok(code),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(why) => Err(unwritten(what, &why)),
    }
}

/// What could not be written: `what`, or records in the temporary folder.
pub fn unwritten(what: &str, why: &io::Error) -> Failure {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<SpillError>()) {
        Some(spill) => Failure::new(exit::INCOMPLETE, spill),
        None => Failure::write(what, why),
    }
}

/// Most problems that are printed; all are counted.
const MOST_PRINTED: u64 = 20;

/// What could not be read.
#[derive(Debug, Default)]
pub struct Unread {
    counts: BTreeMap<LeftOut, u64>,
    /// What is said goes through it.
    redactor: Redactor,
}

impl Unread {
    /// Says what it says through these rules.
    pub fn redact(&mut self, redactor: Redactor) {
        self.redactor = redactor;
    }

    /// Counts a problem and says where it is on `err`, unless there were many before. `index` is the element's, from 0.
    pub fn add(&mut self, file: &str, index: Option<u64>, problem: &Problem, err: &mut dyn Write) {
        *self.counts.entry(problem.kind).or_default() += 1;
        let printed = self.total();
        let place = match (problem.line, index, problem.offset) {
            (Some(line), ..) => format!(": line {line}"),
            (None, Some(i), Some(byte)) => format!(": element {}, byte {byte}", i + 1),
            (None, Some(i), None) => format!(": element {}", i + 1),
            (None, None, Some(byte)) => format!(", byte {byte}"),
            (None, None, None) => String::new(),
        };
        // Standard error may be closed; the exit code and the count say it too.
        let _ = match printed {
            0..=MOST_PRINTED => {
                let problem = self.redactor.pass(problem);
                let (file, problem) = (self.redactor.name(file), problem.get());
                writeln!(err, "{}{place}: {}: {}", safe::line(&file), problem.kind.name(), safe::line(&problem.message))
            }
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
        if self.total() == 0 { exit::PASSED } else { exit::NOT_SHOWN }
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
    while let Some(batch) = next(std::mem::take(&mut recycled)).map_err(io::Error::other)? {
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
                problem.offset = problem.offset.or(element.offset);
                problem.line = problem.line.or(element.line);
                unread.add(file, batch.decoder.is_some().then_some(element.index), &problem, err);
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

    use super::*;
    use crate::formats::{Decode, Decoder};
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
    pub(crate) fn lines(lines: &[&str]) -> impl FnMut(Vec<u8>) -> Result<Option<Batch>, SpillError> + use<> {
        let mut left: Vec<(usize, String)> = lines.iter().map(|l| (*l).to_owned()).enumerate().rev().collect();
        move |_| {
            let Some((index, line)) = left.pop() else { return Ok(None) };
            let content = Ok(0..line.len());
            let element = Element { index: index as u64, offset: Some(100 * index as u64), line: None, content };
            Ok(Some(Batch {
                seq: index as u64,
                file: 0,
                decoder: Some(Decode::sessions(Json)),
                recipe: None,
                stem: "a".into(),
                read: line.len() as u64,
                buffer: line.into_bytes(),
                elements: vec![element],
                pending: None,
            }))
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
    fn a_closed_pipe_ends_quietly_and_keeps_the_code() {
        let closed = || Err(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(written(closed(), "it", 0).unwrap(), 0);
        assert_eq!(written(closed(), "it", 4).unwrap(), 4);
        assert_eq!(written(Err(io::ErrorKind::StorageFull.into()), "it", 0).unwrap_err().code, exit::INCOMPLETE);
    }

    #[test]
    fn an_unknown_format_is_a_usage_error() {
        assert_eq!(known_format("no-such-format").err().map(|f| f.code), Some(exit::USAGE));
    }

    #[test]
    fn many_problems_are_counted_and_few_are_printed() {
        let (mut unread, mut err) = (Unread::default(), Vec::new());
        let mut input = lines(&["{"; 500]);
        each(&mut input, &file(), &mut unread, &mut err, &mut |_| Ok(Ok(()))).unwrap();
        assert_eq!((unread.total(), String::from_utf8(err).unwrap().lines().count()), (500, 21));
    }
}
