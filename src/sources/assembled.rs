//! Sessions that were put together from telemetry, as batches like those of a file of sessions.
//!
//! Such a session is named after the file in which its first record stood, and numbered after that file's elements, so
//! that no two things of a run share an ordinal.

use std::sync::Arc;

use super::reader::{Reader, stem};
use super::recipe::Recipe;
use super::{Batch, Element};
use crate::assemble::SpillError;
use crate::assemble::build::Builder;
use crate::assemble::intake::{Draft, Intake, Options};
use crate::assemble::settled::{Portion, Sessions, Settled};
use crate::formats::Decode;

/// Hands out what was taken in.
pub struct Assembled {
    settled: Settled,
    decoder: Decode,
    recipe: Arc<Recipe>,
    files: Vec<File>,
    seq: u64,
}

/// A file in which first records stood.
struct File {
    stem: Arc<str>,
    /// Number of the next session.
    next: u64,
}

impl Assembled {
    /// The sessions of an intake that has taken in everything of a reader that has nothing more. `stopped` ends the work
    /// early, after which nothing that comes out may be used.
    pub fn new(
        intake: Intake,
        builder: Builder,
        reader: &Reader,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, SpillError> {
        let read = reader.files_read().iter().map(|stats| stats.elements + stats.problems);
        let files = reader.files().iter().zip(read);
        let files = files.map(|(file, next)| File { stem: stem(&file.name).into(), next }).collect();
        let settled = intake.settle(stopped)?;
        let recipe = Arc::new(Recipe::Assembled { session_attribute: builder.session_attribute.clone() });
        Ok(Self { settled, decoder: Decode::sessions(builder), recipe, files, seq: reader.batches() })
    }

    /// The next sessions, which are still to be brought together ([`Batch::whole`]), or `None` after the last. `recycled`
    /// is the buffer of a batch that is done with, or empty.
    pub fn next(&mut self, recycled: Vec<u8>) -> Result<Option<Batch>, SpillError> {
        let Some(portion) = self.settled.next_portion()? else { return Ok(None) };
        let file = portion.file;
        let Some(named) = self.files.get_mut(file as usize) else { return Ok(None) };
        let first = named.next;
        named.next += portion.len() as u64;
        let seq = self.seq;
        self.seq += 1;
        let (decoder, stem) = (Some(self.decoder.clone()), named.stem.clone());
        let pending = Some(Pending { portion, first });
        let recipe = Some(self.recipe.clone());
        Ok(Some(Batch { seq, file, decoder, recipe, stem, buffer: recycled, read: 0, elements: Vec::new(), pending }))
    }
}

/// Sessions that are still to be brought together, numbered from `first`.
pub struct Pending {
    portion: Portion,
    first: u64,
}

impl Pending {
    /// The sessions as elements, and the buffer that holds them. `recycled` is one that is done with, or empty.
    pub(super) fn elements(self, recycled: Vec<u8>) -> (Vec<u8>, Vec<Element>) {
        let Sessions { buffer, items } = self.portion.bring_together(recycled);
        let element = |(content, index)| Element { index, offset: None, line: None, content };
        (buffer, items.into_iter().zip(self.first..).map(element).collect())
    }
}

/// Everything that is recorded in some files, on one thread: sessions as they are read, and after them those that had to
/// be put together.
pub struct Recorded {
    reader: Reader,
    builder: Builder,
    /// What is taken in, while there is more to be read.
    intake: Option<(Intake, Draft)>,
    assembled: Option<Assembled>,
}

impl Recorded {
    /// Nothing read yet.
    pub fn new(reader: Reader, options: Options) -> Self {
        let builder = Builder { session_attribute: options.session_attribute.clone() };
        Self { reader, builder, intake: Some((Intake::new(options), Draft::default())), assembled: None }
    }

    /// The next sessions, or `None` after the last. `recycled` is the buffer of a batch that is done with, or empty.
    pub fn next(&mut self, mut recycled: Vec<u8>) -> Result<Option<Batch>, SpillError> {
        while let Some((intake, draft)) = &mut self.intake {
            let Some(mut batch) = self.reader.next(std::mem::take(&mut recycled)) else {
                let Some((intake, _)) = self.intake.take() else { break };
                self.assembled = Some(Assembled::new(intake, self.builder.clone(), &self.reader, &|| false)?);
                break;
            };
            let Some(Decode::Records(decoder)) = &batch.decoder else { return Ok(Some(batch)) };
            let mut left = Vec::new();
            for element in std::mem::take(&mut batch.elements) {
                let Element { index, offset, line, content } = element;
                let problems = match content {
                    Ok(range) => intake.read(draft, &**decoder, &batch.buffer[range], (batch.file, index)),
                    Err(problem) => vec![problem],
                };
                left.extend(problems.into_iter().map(|p| Element { index, offset, line, content: Err(p) }));
            }
            intake.take(draft)?;
            if !left.is_empty() {
                return Ok(Some(Batch { elements: left, ..batch }));
            }
            recycled = batch.buffer;
        }
        match &mut self.assembled {
            Some(assembled) => Ok(assembled.next(recycled)?.map(Batch::whole)),
            None => Ok(None),
        }
    }
}
