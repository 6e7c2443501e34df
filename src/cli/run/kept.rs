//! The sessions that are kept whole beside the record.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file of kept sessions, made when the first is kept.
pub struct Kept {
    path: PathBuf,
    out: Option<zstd::Encoder<'static, File>>,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = match &mut self.out {
            Some(out) => out,
            None => self.out.insert(zstd::Encoder::new(File::create(&self.path)?, 1)?),
        };
        out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Kept {
    /// None yet, of the run in a folder.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("sessions.jsonl.zst"), out: None }
    }

    /// Ends the file.
    pub fn close(&mut self) -> io::Result<()> {
        self.out.take().map_or(Ok(()), |out| out.finish().map(drop))
    }
}
