//! The record while it is written: locked, so that no two processes write one, and continued only when there is
//! something to write.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// A record that is written.
pub struct Writer {
    file: File,
    /// What stands before the first line of a record that is continued: its length without a line that was cut, and a
    /// line that says so.
    first: Option<(u64, Vec<u8>)>,
}

/// Why a record cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("it is being written by another process")]
    Locked,
    /// It could not be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Writer {
    /// Begins a record.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        // The folder is this process's own; a file system that knows no locks takes nothing from that.
        let _ = file.try_lock();
        Ok(Self { file, first: None })
    }

    /// Continues a record after its whole lines, which take `whole` bytes. `line` comes first when anything does.
    pub fn resume(path: &Path) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { file, first: None }),
        }
    }

    /// Where to go on, and what to write first when anything is written.
    pub fn after(&mut self, whole: u64, line: Vec<u8>) {
        self.first = Some((whole, line));
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((whole, line)) = self.first.take() {
            self.file.set_len(whole)?;
            self.file.seek(SeekFrom::Start(whole))?;
            self.file.write_all(&line)?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_continued_after_its_whole_lines_and_only_when_something_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        std::fs::write(&path, "a\nb\ncut").unwrap();
        let mut writer = Writer::resume(&path).unwrap();
        writer.after(4, b"again\n".to_vec());
        assert!(matches!(Writer::resume(&path), Err(OpenError::Locked)));
        assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\ncut");
        writer.write_all(b"c\n").unwrap();
        writer.write_all(b"d\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\nagain\nc\nd\n");
        drop(writer);
        assert!(Writer::resume(&path).is_ok());
    }
}
