//! From a recorded file to what is needed to read its elements: its format, its layout and a decoder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frames::Frames;
use super::input::Input;
use super::lines::Lines;
use super::recipe::Recipe;
use super::scan::{Found, Limits, Pending, Scanner, Shape};
use super::{ReadOptions, envelope};
use crate::formats::{Decode, Format, Head, Layout};
use crate::model::{LeftOut, Problem};

/// Finds the elements of a file, however they lie.
pub(super) enum Splitter {
    Lines(Lines),
    Json(Scanner),
    Frames(Frames),
}

impl Splitter {
    pub fn feed(&mut self, block: &[u8], found: &mut impl FnMut(Found)) {
        match self {
            Splitter::Lines(lines) => lines.feed(block, found),
            Splitter::Json(scanner) => scanner.feed(block, found),
            Splitter::Frames(frames) => frames.feed(block, found),
        }
    }

    pub fn finish(&mut self, found: &mut impl FnMut(Found)) {
        match self {
            Splitter::Lines(lines) => lines.finish(found),
            Splitter::Json(scanner) => scanner.finish(found),
            Splitter::Frames(frames) => frames.finish(found),
        }
    }

    pub fn pending(&self) -> Option<Pending> {
        match self {
            Splitter::Lines(lines) => lines.pending(),
            Splitter::Json(scanner) => scanner.pending(),
            Splitter::Frames(frames) => frames.pending(),
        }
    }

    /// Whether reading on is of no use.
    pub fn is_lost(&self) -> bool {
        match self {
            Splitter::Lines(_) => false,
            Splitter::Json(scanner) => scanner.is_lost(),
            Splitter::Frames(frames) => frames.is_lost(),
        }
    }

    /// Whether an envelope's array was seen.
    pub fn streamed(&self) -> bool {
        matches!(self, Splitter::Json(scanner) if scanner.streamed())
    }
}

/// A file whose elements can be read.
pub(super) struct Opened {
    pub input: Input,
    pub splitter: Splitter,
    pub decoder: Decode,
    /// The decoder for another process, where it is wanted.
    pub recipe: Option<Arc<Recipe>>,
    /// Set when the file is only of its format if it holds this key: none of the others was there.
    pub must_stream: Option<&'static str>,
}

/// A decoder, and the same for another process.
type Made = (Decode, Option<Arc<Recipe>>);

/// Opens files, and remembers the decoder of the last companion file: a folder of single-value files shares one.
pub(super) struct Opener {
    pub options: ReadOptions,
    pub formats: &'static [&'static dyn Format],
    companion: Option<(PathBuf, &'static str, Made)>,
}

impl Opener {
    pub fn new(options: ReadOptions, formats: &'static [&'static dyn Format]) -> Self {
        Self { options, formats, companion: None }
    }

    /// Opens `path`; `None` for an array without elements, which is of every format. An error is about the file as a
    /// whole.
    pub fn open(&mut self, path: &Path) -> Result<Option<Opened>, Problem> {
        let mut input = Input::open(path, &self.options)?;
        if input.head().is_empty()
            && let Some(problem) = input.head_problem()
        {
            return Err(problem.clone());
        }
        if input.is_whole() && input.head().trim_ascii().is_empty() {
            return Err(Problem::new(LeftOut::Empty, "there is nothing in it"));
        }
        if input.is_whole() && is_empty_array(input.head()) {
            return Ok(None);
        }
        let recognised = self.recognise(path, &input);
        let binary = matches!(recognised, Ok((_, Layout::Messages { .. })));
        if let (false, Some(what)) = (binary, not_text(input.head())) {
            return Err(Problem::new(LeftOut::Malformed, format!("{what}, not JSON text in UTF-8")));
        }
        let (format, layout) = recognised?;
        let limits = self.limits();
        let json = |shape, start| Splitter::Json(Scanner::new(shape, limits, start));
        let start = input.start();
        let mut must_stream = None;
        let (splitter, (decoder, recipe)) = match layout {
            Layout::Envelope { stream, headers } => {
                let values = self.headers(&mut input, headers)?;
                input.rewind()?;
                must_stream = values.iter().all(Option::is_none).then_some(stream);
                (json(Shape::Stream(stream), start), self.made(format, values)?)
            }
            Layout::Lists(keys) => {
                must_stream = keys.first().copied();
                (json(Shape::Streams(keys), start), self.decoder(format, path)?)
            }
            Layout::Messages { prefix, tag } => {
                (Splitter::Frames(Frames::new(prefix, tag, limits, start)), self.decoder(format, path)?)
            }
            Layout::Lines => (Splitter::Lines(Lines::new(limits, start)), self.decoder(format, path)?),
            Layout::Array => (json(Shape::Array, start), self.decoder(format, path)?),
            Layout::Values => (json(Shape::Values, start), self.decoder(format, path)?),
        };
        Ok(Some(Opened { input, splitter, decoder, recipe, must_stream }))
    }

    fn limits(&self) -> Limits {
        Limits { max_element: self.options.max_element as u64, max_depth: self.options.max_depth as u64 }
    }

    fn headers(&self, input: &mut Input, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Problem> {
        envelope::headers(input, keys, Limits { max_element: envelope::MAX_HEADER, ..self.limits() })
    }

    fn recognise(&self, path: &Path, input: &Input) -> Result<(&'static dyn Format, Layout), Problem> {
        let head = Head { path, bytes: input.head(), whole: input.is_whole() };
        if let Some(format) = self.options.format {
            return Ok((format, format.layout(&head)));
        }
        let mut known = self.formats.iter().copied();
        known.find_map(|format| Some((format, format.sniff(&head)?))).ok_or_else(|| {
            let names: Vec<&str> = self.formats.iter().map(|f| f.name()).collect();
            let names = names.join(", ");
            let message = format!("no format recognises it (known: {names}); `format` says which one it is");
            Problem::new(LeftOut::UnknownFormat, message)
        })
    }

    /// The decoder of a file that is not an envelope, with the headers of its companion when its format has one.
    fn decoder(&mut self, format: &'static dyn Format, path: &Path) -> Result<Made, Problem> {
        let Some(companion) = format.companion(path) else { return self.made(format, Vec::new()) };
        if let Some((last, name, decoder)) = &self.companion
            && *last == companion
            && *name == format.name()
        {
            return Ok(decoder.clone());
        }
        let decoder = self.companion_decoder(format, &companion).map_err(|problem| Problem {
            message: format!("`{}`, which it needs: {}", companion.display(), problem.message),
            offset: None,
            ..problem
        })?;
        self.companion = Some((companion, format.name(), decoder.clone()));
        Ok(decoder)
    }

    /// The decoder of a format with its headers.
    fn made(&self, format: &dyn Format, headers: Vec<Option<Vec<u8>>>) -> Result<Made, Problem> {
        let decoder = format.decoder(&headers)?;
        let recipe = || Arc::new(Recipe::Format { name: format.name().to_owned(), headers });
        Ok((decoder, self.options.recipes.then(recipe)))
    }

    fn companion_decoder(&self, format: &dyn Format, companion: &Path) -> Result<Made, Problem> {
        let mut input = Input::open(companion, &self.options)?;
        let head = Head { path: companion, bytes: input.head(), whole: input.is_whole() };
        let Layout::Envelope { headers, .. } = format.layout(&head) else {
            return Err(Problem::new(LeftOut::Malformed, format!("not a result file of {}", format.name())));
        };
        let values = self.headers(&mut input, headers)?;
        self.made(format, values)
    }
}

/// What a file is that does not begin like text in UTF-8; `None` when it does.
fn not_text(head: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xfe\xff", "text in UTF-16"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ\x00", "xz data"),
        (b"BZh", "bzip2 data"),
        (b"\x1f\x8b", "gzip data within compressed data"),
        (b"\x28\xb5\x2f\xfd", "Zstandard data within compressed data"),
        (b"PAR1", "a Parquet file"),
        (b"SQLite format 3\x00", "a SQLite database"),
        (b"%PDF-", "a PDF document"),
    ];
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(what);
    }
    // Only the first line is judged: binary rubbish further on is an element's problem, and the others are still read.
    let line = head.split(|&b| b == b'\n').next().unwrap_or(head);
    let line = &line[..line.len().min(1024)];
    if let [0, b, ..] | [b, 0, ..] = line
        && *b != 0
        && line.iter().filter(|b| **b == 0).count() * 3 > line.len()
    {
        return Some("text in UTF-16");
    }
    let binary = |b: &u8| b.is_ascii_control() && !b.is_ascii_whitespace();
    line.iter().any(binary).then_some("binary data")
}

/// Whether the text is an array without elements.
fn is_empty_array(text: &[u8]) -> bool {
    let inner = text.trim_ascii().strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]"));
    inner.is_some_and(|t| t.trim_ascii().is_empty())
}
