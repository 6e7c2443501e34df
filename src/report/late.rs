//! A report's file that is made when the first of it is written: one that is given up while it is drawn leaves none.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// The file.
pub struct Late {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Late {
    /// Nothing yet, to be at a path.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(BufWriter::with_capacity(1 << 18, File::create(&self.path)?))),
        }
    }
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}
