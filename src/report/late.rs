//! A report's file while it is drawn: it has its name when it is whole, and one that is given up leaves none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::eval::scratch;

/// What the name of an unfinished report ends with.
const UNFINISHED: &str = ".unfinished";

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

    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(UNFINISHED);
        name.into()
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        let path = self.unfinished();
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
                Ok(none.insert(BufWriter::with_capacity(1 << 18, file)))
            }
        }
    }

    /// Writes over what was written at a place, and goes on at the end.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file()?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    /// Replaces the first `length` bytes by others, which may be more, and goes on at the end.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn replace(&mut self, length: u64, bytes: &[u8]) -> io::Result<()> {
        let out = self.file()?;
        out.flush()?;
        let (file, mut rest) = (out.get_mut(), scratch::file()?);
        file.seek(SeekFrom::Start(length))?;
        io::copy(file, &mut rest)?;
        rest.rewind()?;
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        io::copy(&mut rest, file)?;
        Ok(())
    }

    /// Copies a file from its present place to its end.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn append(&mut self, from: &mut impl Read) -> io::Result<u64> {
        io::copy(from, self.file()?)
    }

    /// It is whole: from now on it has its name.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn end(&mut self) -> io::Result<()> {
        self.file()?.flush()?;
        self.file = None;
        fs::rename(self.unfinished(), &self.path)
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // It was given up; what cannot be removed has no name that anybody reads.
            let _ = fs::remove_file(self.unfinished());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_its_name_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        let mut late = Late::new(path.clone());
        late.write_all(b"..., then all").unwrap();
        assert!(!path.exists());
        late.write_at(0, b"now").unwrap();
        late.append(&mut &b" of it"[..]).unwrap();
        late.end().unwrap();
        drop(late);
        assert_eq!(fs::read(&path).unwrap(), b"now, then all of it");
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut late = Late::new(dir.path().join("report"));
        late.write_all(b"begun").unwrap();
        drop(late);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
