//! Files to batches of whole elements, in order, in bounded memory.
//!
//! A reader holds one open file, one block of it and the beginning of the element that the block cuts off. Workers take
//! turns at [`Reader::next`] and give their buffers back with it.

use std::sync::Arc;

use super::open::{Opened, Opener};
use super::recipe::Recipe;
use super::scan::Found;
use super::{Batch, Element, ReadOptions, RecordedFile};
use crate::formats::{Decode, FORMATS, Format};
use crate::model::{LeftOut, Problem};

/// What was read of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Whole elements handed out to be decoded.
    pub elements: u64,
    /// Elements left out, and problems of the file as a whole.
    pub problems: u64,
}

/// Reads files one after the other.
pub struct Reader {
    files: Vec<RecordedFile>,
    opener: Opener,
    current: Option<Current>,
    stats: Vec<FileStats>,
    seq: u64,
}

/// The file being read.
struct Current {
    opened: Opened,
    stem: Arc<str>,
    /// The bytes of the element that the last batch cut off; the first lies at `base` of the stream.
    carry: Vec<u8>,
    base: u64,
    next: Next,
    /// Bytes read, and those of them that batches have accounted for.
    position: u64,
    told: u64,
    done: bool,
}

/// Where the next element stands.
#[derive(Default)]
struct Next {
    /// Its index in the file.
    index: u64,
    /// Its line, in JSON lines.
    line: Option<u64>,
}

impl Reader {
    /// A reader of `files`, in that order. Nothing is opened yet.
    pub fn new(files: Vec<RecordedFile>, options: ReadOptions) -> Self {
        Self::with_formats(files, options, FORMATS)
    }

    /// As [`Reader::new`], with other formats to choose from.
    pub fn with_formats(
        files: Vec<RecordedFile>,
        options: ReadOptions,
        formats: &'static [&'static dyn Format],
    ) -> Self {
        let options = ReadOptions { batch: options.batch.max(1), ..options };
        Self { files, opener: Opener::new(options, formats), current: None, stats: Vec::new(), seq: 0 }
    }

    /// The files, by the index that batches carry.
    pub fn files(&self) -> &[RecordedFile] {
        &self.files
    }

    /// How many batches were handed out.
    pub fn batches(&self) -> u64 {
        self.seq
    }

    /// What was read of each file so far opened; the last may not be finished. A file without elements and without
    /// problems (an array `[]`) appears here and in no batch.
    pub fn files_read(&self) -> &[FileStats] {
        &self.stats
    }

    /// The next elements, or `None` after the last. `recycled` is the buffer of a batch that is done with, or empty.
    pub fn next(&mut self, mut recycled: Vec<u8>) -> Option<Batch> {
        loop {
            let Some(current) = &mut self.current else {
                let file = self.files.get(self.stats.len())?;
                self.stats.push(FileStats::default());
                match self.opener.open(&file.path) {
                    Ok(opened) => self.current = opened.map(|o| Current::new(o, stem(&file.name).into())),
                    Err(problem) => {
                        let offset = problem.offset.or(Some(0));
                        let element = Element { index: 0, offset, line: None, content: Err(problem) };
                        let stem = stem(&file.name).into();
                        return Some(self.batch((None, None), stem, recycled, vec![element], 0));
                    }
                }
                continue;
            };
            let mut elements = Vec::new();
            recycled = current.read(recycled, self.opener.options.batch, &mut elements);
            let made = (Some(current.opened.decoder.clone()), current.opened.recipe.clone());
            let stem = current.stem.clone();
            let read = current.position - std::mem::replace(&mut current.told, current.position);
            if current.done {
                self.current = None;
            }
            if !elements.is_empty() {
                return Some(self.batch(made, stem, recycled, elements, read));
            }
        }
    }

    fn batch(
        &mut self,
        (decoder, recipe): (Option<Decode>, Option<Arc<Recipe>>),
        stem: Arc<str>,
        buffer: Vec<u8>,
        elements: Vec<Element>,
        read: u64,
    ) -> Batch {
        let file = self.stats.len() - 1;
        let whole = elements.iter().filter(|e| e.content.is_ok()).count();
        self.stats[file].elements += whole as u64;
        self.stats[file].problems += (elements.len() - whole) as u64;
        let seq = self.seq;
        self.seq += 1;
        Batch { seq, file: file as u32, decoder, recipe, stem, buffer, read, elements, pending: None }
    }
}

impl Current {
    fn new(opened: Opened, stem: Arc<str>) -> Self {
        let base = opened.input.start();
        Self { opened, stem, carry: Vec::new(), base, next: Next::default(), position: base, told: 0, done: false }
    }

    /// Reads blocks until an element ends or the file does; returns the buffer into which the elements point.
    fn read(&mut self, recycled: Vec<u8>, block: usize, elements: &mut Vec<Element>) -> Vec<u8> {
        // The buffer's length is what was ever written to, not what is in use: clearing it again and again costs as much
        // as reading. One that grew for a huge element is not kept.
        let mut buffer = recycled;
        let mut filled = self.carry.len();
        if buffer.len() > 4 * (block + filled) {
            buffer = Vec::new();
        }
        make_room(&mut buffer, filled + block);
        buffer[..filled].copy_from_slice(&self.carry);
        let mut base = self.base;
        loop {
            make_room(&mut buffer, filled + block);
            let (read, end) = self.opened.input.fill(&mut buffer[filled..filled + block]);
            self.split(&buffer[filled..filled + read], base, elements);
            filled += read;
            let position = base + filled as u64;
            self.position = position;
            if let Some(end) = end {
                self.finish(end, position, base, elements);
            }
            self.done |= self.opened.splitter.is_lost();
            let kept = self.opened.splitter.pending().filter(|p| !p.doomed).map_or(position, |p| p.start);
            let tail = (kept - base) as usize..filled;
            if self.done {
                return buffer;
            }
            if !elements.is_empty() {
                self.base = kept;
                self.carry.clear();
                self.carry.extend_from_slice(&buffer[tail]);
                return buffer;
            }
            filled = tail.len();
            if tail.start > 0 {
                buffer.copy_within(tail, 0);
            }
            base = kept;
        }
    }

    fn split(&mut self, block: &[u8], base: u64, elements: &mut Vec<Element>) {
        let next = &mut self.next;
        self.opened.splitter.feed(block, &mut |found| push(found, base, next, elements));
    }

    /// The stream has ended at `position`, well or badly.
    fn finish(&mut self, end: Result<(), Problem>, position: u64, base: u64, elements: &mut Vec<Element>) {
        self.done = true;
        let next = &mut self.next;
        if let Err(problem) = end {
            // What had begun is part of that damage, not another.
            return push(Found::Damaged(problem.at(position)), base, next, elements);
        }
        let lost = self.opened.splitter.is_lost();
        self.opened.splitter.finish(&mut |found| push(found, base, next, elements));
        if let Some(key) = self.opened.must_stream
            && !lost
            && !self.opened.splitter.is_lost()
            && !self.opened.splitter.streamed()
        {
            let problem = Problem::new(LeftOut::Malformed, format!("it has no `{key}`")).at(position);
            push(Found::Damaged(problem), base, next, elements);
        }
    }
}

/// Adds what was found to the elements of a batch whose buffer begins at `base` of the stream.
fn push(found: Found, base: u64, next: &mut Next, elements: &mut Vec<Element>) {
    let (offset, content) = match found {
        Found::Element { start, end } => (start, Ok((start - base) as usize..(end - base) as usize)),
        Found::Damaged(problem) => (problem.offset.unwrap_or(base), Err(problem)),
        Found::AtLine(line) => {
            next.line = Some(line);
            return;
        }
        // Only reported where headers are read.
        Found::Member { .. } => return,
    };
    elements.push(Element { index: next.index, offset: Some(offset), line: next.line.take(), content });
    next.index += 1;
}

/// Makes the buffer at least `wanted` bytes long, growing by a quarter so that a huge element is not copied too often.
fn make_room(buffer: &mut Vec<u8>, wanted: usize) {
    if buffer.len() < wanted {
        let target = if buffer.is_empty() { wanted } else { wanted.max(buffer.len() + buffer.len() / 4) };
        buffer.reserve_exact(target - buffer.len());
        buffer.resize(target, 0);
    }
}

/// A file's name without folders, compression and extension.
pub(super) fn stem(name: &str) -> &str {
    let name = if name == "-" { "stdin" } else { name.rsplit('/').next().unwrap_or(name) };
    let name = [".gz", ".zst"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(name);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
