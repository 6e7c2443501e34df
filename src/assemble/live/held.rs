//! The records of one trace while they wait: in memory, and packed on disk where there are too many for that.
//!
//! What is packed goes to the end of a file of a *generation*. A generation ends when its file is large, and its file
//! goes when nobody holds anything of it any more, so that the disk is given back while others still wait.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::assemble::spill::{Chunk, Packed, Spill, SpillError};
use crate::formats::telemetry::codec::{Place, put};

/// A file that nothing more is put into once it has this many bytes.
const GENERATION: u64 = 256 << 20;

/// Records of a trace.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// Those in memory, and where in them the origin of the last one stands.
    buffer: Vec<u8>,
    origin: Range<usize>,
    /// Those on disk, which came before.
    packed: Vec<(Arc<Mutex<Spill>>, Arc<Chunk>)>,
}

impl Held {
    /// Appends a record.
    pub(super) fn push(&mut self, place: Place, origin: &[u8], tail: &[u8]) {
        let same = !self.buffer.is_empty() && self.buffer[self.origin.clone()] == *origin;
        let written = put(place, if same { &[] } else { origin }, tail, &mut self.buffer);
        if !same {
            self.origin = written;
        }
    }

    /// Bytes in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Appends all records to `out`.
    pub(super) fn bring_back(self, out: &mut Vec<u8>) -> Result<(), SpillError> {
        let mut bytes = Vec::new();
        for (spill, chunk) in self.packed {
            spill.lock().unwrap_or_else(PoisonError::into_inner).read(&chunk, &mut bytes)?;
            out.extend_from_slice(&bytes);
        }
        out.extend_from_slice(&self.buffer);
        Ok(())
    }
}

/// Where records go that memory has no room for.
pub(super) struct Shelf {
    dir: PathBuf,
    current: Option<(Arc<Mutex<Spill>>, u64)>,
}

impl Shelf {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, current: None }
    }

    /// Puts what is in memory on disk. After a failure it is still in memory.
    pub(super) fn pack(&mut self, held: &mut Held) -> Result<(), SpillError> {
        if held.buffer.is_empty() {
            return Ok(());
        }
        let (spill, written) = match &mut self.current {
            Some(current) if current.1 < GENERATION => current,
            other => other.insert((Arc::new(Mutex::new(Spill::new(&self.dir, 0))), 0)),
        };
        let chunk = spill.lock().unwrap_or_else(PoisonError::into_inner).keep(Packed::new(&held.buffer))?;
        *written += held.buffer.len() as u64;
        held.packed.push((spill.clone(), Arc::new(chunk)));
        (held.buffer, held.origin) = (Vec::new(), 0..0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order_from_disk_and_from_memory() {
        let dir = tempfile::tempdir().unwrap();
        let (mut shelf, mut held, mut flat) = (Shelf::new(dir.path().to_owned()), Held::default(), Held::default());
        for i in 0..10u64 {
            let place = Place { file: 0, element: i, position: 0 };
            let origin = [7, (i / 4) as u8];
            held.push(place, &origin, &[i as u8; 20]);
            flat.push(place, &origin, &[i as u8; 20]);
            if i % 3 == 2 {
                shelf.pack(&mut held).unwrap();
                assert_eq!(held.in_memory(), 0);
            }
        }
        let (mut back, mut all) = (Vec::new(), Vec::new());
        held.bring_back(&mut back).unwrap();
        flat.bring_back(&mut all).unwrap();
        let origins = |bytes: &[u8]| {
            crate::formats::telemetry::codec::stored(bytes)
                .map(|(r, _)| (r.place, r.origin.to_vec()))
                .collect::<Vec<_>>()
        };
        assert!(back.len() > all.len(), "each run has its own origins");
        assert_eq!(origins(&back), origins(&all));
    }
}
