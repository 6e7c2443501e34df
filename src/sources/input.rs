//! A recorded file as a stream that can be read more than once: opened with care, spooled when it is a pipe, decompressed,
//! with its first bytes at hand.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::ReadOptions;
use super::decompress::{Decompressed, unreadable};
use crate::model::{LeftOut, Problem};

/// Bytes from which a format is guessed.
const HEAD: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An opened file.
pub(super) struct Input {
    file: File,
    options: ReadOptions,
    stream: Decompressed,
    /// The first bytes, and how many of them were handed out in this pass.
    head: Vec<u8>,
    served: usize,
    /// Bytes of a mark at the start that are not content.
    mark: usize,
    /// How the stream ended, when it did so within the head.
    end: Option<Result<(), Problem>>,
}

impl Input {
    /// Opens `path`; `-` is standard input. Standard input and pipes are copied to a temporary file first.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, Problem> {
        let file =
            if path == Path::new("-") { spool(|| Ok(io::stdin()), options.stop) } else { open_file(path, options) }?;
        Self::new(file, options)
    }

    fn new(file: File, options: &ReadOptions) -> Result<Self, Problem> {
        let stream = Decompressed::new(file.try_clone().map_err(|e| unreadable(&e))?, options)?;
        let mut input = Self { file, options: *options, stream, head: Vec::new(), served: 0, mark: 0, end: None };
        let mut head = vec![0; HEAD];
        let (read, end) = fill(&mut input.stream, &mut head);
        head.truncate(read);
        input.mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        input.served = input.mark;
        input.head = head;
        input.end = end;
        Ok(input)
    }

    /// Up to 64 KiB from the start, without a byte order mark.
    pub fn head(&self) -> &[u8] {
        &self.head[self.mark..]
    }

    /// Whether the head is all there is.
    pub fn is_whole(&self) -> bool {
        self.end == Some(Ok(()))
    }

    /// The problem that ended the stream within its head.
    pub fn head_problem(&self) -> Option<&Problem> {
        self.end.as_ref().and_then(|end| end.as_ref().err())
    }

    /// Offset of the first byte that [`Input::fill`] gives.
    pub fn start(&self) -> u64 {
        self.mark as u64
    }

    /// Fills as much of `buffer` as there is. The second part of the result is `None` while there may be more.
    pub fn fill(&mut self, buffer: &mut [u8]) -> (usize, Option<Result<(), Problem>>) {
        let ahead = &self.head[self.served..];
        if ahead.is_empty() && self.end.is_none() {
            return fill(&mut self.stream, buffer);
        }
        let take = ahead.len().min(buffer.len());
        buffer[..take].copy_from_slice(&ahead[..take]);
        self.served += take;
        (take, if self.served == self.head.len() { self.end.clone() } else { None })
    }

    /// Starts over.
    pub fn rewind(&mut self) -> Result<(), Problem> {
        self.served = self.mark;
        if self.end.is_none() {
            let file = self.file.try_clone().map_err(|e| unreadable(&e))?;
            self.stream = Decompressed::new(file, &self.options)?;
            let mut again = vec![0; self.head.len()];
            fill(&mut self.stream, &mut again);
            if again != self.head {
                return Err(Problem::new(LeftOut::Unreadable, "the file changed while it was read"));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(spool(move || Ok(io::Cursor::new(bytes)), None).unwrap(), &ReadOptions::default()).unwrap()
    }
}

/// Reads until `buffer` is full or the stream ends, well or badly.
fn fill(stream: &mut Decompressed, buffer: &mut [u8]) -> (usize, Option<Result<(), Problem>>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(read) => filled += read,
            Err(problem) => return (filled, Some(Err(problem))),
        }
    }
    (filled, None)
}

/// Opens a regular file, or copies a pipe.
fn open_file(path: &Path, options: &ReadOptions) -> Result<File, Problem> {
    // Asked before opening, because opening a device may do something.
    let metadata = fs::metadata(path).map_err(|e| unreadable(&e))?;
    refuse(&metadata)?;
    if is_pipe(&metadata) {
        // Opening one waits for its writer.
        let path = path.to_owned();
        return spool(move || File::open(path), options.stop);
    }
    let file = File::open(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    refuse(&metadata)?;
    if metadata.is_file() { Ok(file) } else { spool(move || Ok(file), options.stop) }
}

/// Refuses what is neither a regular file nor a pipe.
fn refuse(metadata: &Metadata) -> Result<(), Problem> {
    if metadata.is_file() || is_pipe(metadata) {
        return Ok(());
    }
    let what = if metadata.is_dir() { "a folder" } else { "a device or socket" };
    Err(Problem::new(LeftOut::Unreadable, format!("it is {what}, not a file")))
}

#[cfg(unix)]
fn is_pipe(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

/// How often a copy in progress looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Copies a stream to a temporary file that has no name, so that it can be read twice. The stream may be silent for any
/// time, so that a thread of its own waits for it; when `stop` is set, that thread is left behind.
fn spool<R: Read>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
    stop: Option<&'static AtomicBool>,
) -> Result<File, Problem> {
    let copy = move || {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut open()?, &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    };
    let (done, copied) = mpsc::channel();
    let failed =
        |e: io::Error| Problem::new(LeftOut::Unreadable, format!("it could not be copied to a temporary file: {e}"));
    let thread = thread::Builder::new().name("spool".to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = done.send(copy());
    });
    thread.map_err(failed)?;
    loop {
        match copied.recv_timeout(LOOK) {
            Ok(file) => return file.map_err(failed),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Problem::new(LeftOut::Unreadable, "a bug in seatrial: copying it panicked"));
            }
            Err(RecvTimeoutError::Timeout) if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) => {
                return Err(Problem::new(LeftOut::Unreadable, "interrupted while it was copied"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &mut Input) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 50_000]);
        loop {
            let (read, end) = input.fill(&mut buffer);
            all.extend(&buffer[..read]);
            if let Some(end) = end {
                end.unwrap();
                return all;
            }
        }
    }

    #[test]
    fn the_same_bytes_come_in_every_pass() {
        for size in [0, 10, HEAD - 1, HEAD, HEAD + 1, 3 * HEAD] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let packed = zstd::encode_all(&bytes[..], 1).unwrap();
            for stored in [&bytes, &packed] {
                let mut input = Input::from_bytes(stored);
                assert_eq!(input.is_whole(), size < HEAD);
                assert!(all(&mut input) == bytes);
                input.rewind().unwrap();
                assert!(all(&mut input) == bytes, "{size}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_content() {
        let mut input = Input::from_bytes(b"\xef\xbb\xbf{}");
        assert_eq!((input.head(), input.start()), (&b"{}"[..], 3));
        assert_eq!(all(&mut input), b"{}");
    }

    #[test]
    fn folders_devices_and_absent_files_are_unreadable() {
        for path in ["/", "/dev/null", "/nowhere/at/all"] {
            assert_eq!(Input::open(Path::new(path), &ReadOptions::default()).err().unwrap().kind, LeftOut::Unreadable);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up_when_told_to() {
        static STOP: AtomicBool = AtomicBool::new(true);
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let options = ReadOptions { stop: Some(&STOP), ..ReadOptions::default() };
        let problem = Input::open(&pipe, &options).err().unwrap();
        assert_eq!(problem.message, "interrupted while it was copied");
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_read_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, vec![b'x'; 2 * HEAD]).unwrap()
        });
        let mut input = Input::open(&pipe, &ReadOptions::default()).unwrap();
        writer.join().unwrap();
        assert_eq!(all(&mut input).len(), 2 * HEAD);
        input.rewind().unwrap();
        assert_eq!(all(&mut input).len(), 2 * HEAD);
    }
}
