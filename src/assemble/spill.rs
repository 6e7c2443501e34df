//! The temporary file for records that no longer fit in memory. It has no name, so that nothing is left of it however the
//! process ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why records could not be kept on disk, or not be read back.
#[derive(Debug, thiserror::Error)]
#[error(
    "records that wait for the rest of their session could not be kept in `{}`: {why} \
     (the setting `spill_dir` names another folder)",
    dir.display()
)]
pub struct SpillError {
    /// The folder.
    pub dir: PathBuf,
    /// What went wrong.
    #[source]
    pub why: io::Error,
}

/// A piece of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    offset: u64,
    len: usize,
}

impl Chunk {
    pub(super) fn len(self) -> usize {
        self.len
    }
}

/// The file: written at its end, read anywhere.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: File,
    dir: PathBuf,
    len: u64,
    /// Whether the file's position is its end.
    at_end: bool,
}

impl SpillFile {
    pub(super) fn new(dir: &Path) -> Result<Self, SpillError> {
        let file = tempfile::tempfile_in(dir).map_err(|why| SpillError { dir: dir.to_owned(), why })?;
        Ok(Self { file, dir: dir.to_owned(), len: 0, at_end: true })
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> SpillError + use<> {
        let dir = self.dir.clone();
        |why| SpillError { dir, why }
    }

    /// Writes a chunk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<Chunk, SpillError> {
        if !self.at_end {
            self.file.seek(SeekFrom::Start(self.len)).map_err(self.failed())?;
        }
        // After a failure the position is anywhere.
        self.at_end = false;
        self.file.write_all(bytes).map_err(self.failed())?;
        self.at_end = true;
        let chunk = Chunk { offset: self.len, len: bytes.len() };
        self.len += bytes.len() as u64;
        Ok(chunk)
    }

    /// Reads a chunk into `out`, in place of what is there.
    pub(super) fn read(&mut self, chunk: Chunk, out: &mut Vec<u8>) -> Result<(), SpillError> {
        self.at_end = false;
        out.resize(chunk.len, 0);
        let result = self.file.seek(SeekFrom::Start(chunk.offset)).and_then(|_| self.file.read_exact(out));
        result.map_err(self.failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_back_in_any_order_between_writes() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SpillFile::new(dir.path()).unwrap();
        let (a, mut out) = (file.append(b"one").unwrap(), Vec::new());
        let b = file.append(b"three").unwrap();
        file.read(a, &mut out).unwrap();
        assert_eq!(out, b"one");
        let c = file.append(b"").unwrap();
        file.read(b, &mut out).unwrap();
        assert_eq!(out, b"three");
        file.read(c, &mut out).unwrap();
        assert_eq!(out, b"");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_the_setting_that_changes_it() {
        let error = SpillFile::new(Path::new("no/such/folder")).unwrap_err().to_string();
        assert!(error.contains("`no/such/folder`") && error.contains("`spill_dir`"), "{error}");
    }
}
