//! Floor 3: where sessions come from. Today recorded files; each later source is a file here.
//!
//! - [`discover`]: from the paths of a suite to files.
//! - [`scan`]: element boundaries in a stream of bytes, with depth and size capped.
//! - [`reader`]: files to [`Batch`]es of whole elements, in order, in bounded memory.
//! - [`tail`]: a file that grows, read on from a place.
//! - [`recipe`]: how the elements of a file are decoded, told to another process.
//! - [`assembled`]: batches of sessions that were put together from the telemetry in files.
//!
//! Behind them: `lex`, `lines` and `frames` (the scanner's parts), `decompress` and `input` (a file as a stream that can be read
//! twice), `envelope` (what the elements of a file share), `open` (from a file to its format).

pub mod assembled;
mod decompress;
pub mod discover;
mod envelope;
mod frames;
mod input;
mod lex;
mod lines;
mod open;
pub mod reader;
pub mod recipe;
pub mod scan;
pub mod tail;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::formats::{Decode, Format};
use crate::model::Problem;

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// How it is named in records and reports: relative to where the run was started, with `/`.
    pub name: String,
}

/// How files are read.
#[derive(Clone, Copy)]
pub struct ReadOptions {
    /// The format, when it is not to be guessed.
    pub format: Option<&'static dyn Format>,
    /// Largest element in bytes; larger ones are left out as `too_large`.
    pub max_element: usize,
    /// Deepest nesting; deeper elements are left out as `too_deep`.
    pub max_depth: usize,
    /// Largest size of a file after decompression, as a multiple of its compressed size, beyond `free_expansion`;
    /// larger ones end as `bomb`.
    pub max_expansion: u64,
    /// Bytes that any compressed file may expand to, whatever its size.
    pub free_expansion: u64,
    /// Bytes of a batch, about.
    pub batch: usize,
    /// Whether batches carry the [`recipe::Recipe`] of their decoder: their elements are decoded elsewhere.
    pub recipes: bool,
    /// Set from outside to end reading early; looked at while a pipe is copied, which may take any time.
    pub stop: Option<&'static AtomicBool>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            max_element: 64 << 20,
            max_depth: 100,
            max_expansion: 1000,
            free_expansion: 64 << 20,
            batch: 512 << 10,
            recipes: false,
            stop: None,
        }
    }
}

/// One element of a file within a batch.
#[derive(Debug)]
pub struct Element {
    /// Its position in the file, from 0, damaged elements counted.
    pub index: u64,
    /// Byte offset in the (decompressed) file; `None` for a session whose records lie anywhere.
    pub offset: Option<u64>,
    /// Its line, from 1, where every line is an element.
    pub line: Option<u64>,
    /// Its bytes in the batch's buffer, or why there are none.
    pub content: Result<Range<usize>, Problem>,
}

/// Whole elements of one file, in order.
pub struct Batch {
    /// Position of the batch in the run, from 0, without gaps.
    pub seq: u64,
    /// Index of the file in the list given to the reader.
    pub file: u32,
    /// Decodes the elements; `None` when the file as a whole could not be used, which the one element then says.
    pub decoder: Option<Decode>,
    /// The same for another process; `None` where nobody wants it.
    pub recipe: Option<Arc<recipe::Recipe>>,
    /// The file's name without folders and extensions, for sessions without an id.
    pub stem: Arc<str>,
    /// Holds the elements' bytes; what lies between and behind them means nothing, and the length is that of the
    /// allocation in use. Give it back with [`reader::Reader::next`].
    pub buffer: Vec<u8>,
    /// Decompressed bytes of the file that were read for this batch.
    pub read: u64,
    /// The elements.
    pub elements: Vec<Element>,
    /// Elements that are still to be brought together: many can be, at the same time.
    pub pending: Option<assembled::Pending>,
}

impl Batch {
    /// The batch with all its elements there.
    pub fn whole(mut self) -> Self {
        if let Some(pending) = self.pending.take() {
            (self.buffer, self.elements) = pending.elements(std::mem::take(&mut self.buffer));
        }
        self
    }
}
