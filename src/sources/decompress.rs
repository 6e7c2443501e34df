//! A file's bytes as they were before compression: gzip and Zstandard, told by their first bytes and not by the name,
//! with a limit on how far they expand.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;

use super::ReadOptions;
use crate::model::{LeftOut, Problem};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Compressed bytes read at once.
const BUFFER: usize = 64 << 10;

enum Stream {
    Plain(File),
    /// One gzip member after another.
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    /// One Zstandard frame after another.
    Zstd(Box<zstd::Decoder<'static, BufReader<File>>>),
}

/// The decompressed bytes of a file, from its start.
pub(super) struct Decompressed {
    stream: Stream,
    /// Bytes that may still come before the file is called a bomb.
    allowed: u64,
    compressed: u64,
}

impl Decompressed {
    /// Reads `file`, which must be seekable, from its start.
    pub fn new(mut file: File, options: &ReadOptions) -> Result<Self, Problem> {
        let compressed = file.metadata().map_err(|e| unreadable(&e))?.len();
        let magic = first_bytes(&mut file).map_err(|e| unreadable(&e))?;
        let expands = compressed.saturating_mul(options.max_expansion).saturating_add(options.free_expansion);
        let (stream, allowed) = if magic.starts_with(GZIP) {
            (Stream::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)))), expands)
        } else if magic.starts_with(ZSTD) {
            let decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER, file));
            (Stream::Zstd(Box::new(decoder.map_err(|e| unreadable(&e))?)), expands)
        } else {
            (Stream::Plain(file), u64::MAX)
        };
        Ok(Self { stream, allowed, compressed })
    }

    /// Whether the file is not packed.
    pub fn is_plain(&self) -> bool {
        matches!(self.stream, Stream::Plain(_))
    }

    /// Reads some bytes; 0 at the end. After a problem nothing more may be read.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Problem> {
        // With nothing left of the allowance, one more byte tells whether the file ends here.
        let most = usize::try_from(self.allowed.max(1)).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..most];
        let read = loop {
            let result = match &mut self.stream {
                Stream::Plain(file) => file.read(buffer),
                Stream::Gzip(decoder) => decoder.read(buffer),
                Stream::Zstd(decoder) => decoder.read(buffer),
            };
            match result {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.problem(&e)),
                Ok(read) => break read,
            }
        };
        self.allowed = self.allowed.checked_sub(read as u64).ok_or_else(|| {
            Problem::new(LeftOut::Bomb, format!("{} compressed bytes expand beyond the limit", self.compressed))
        })?;
        Ok(read)
    }

    fn problem(&self, error: &io::Error) -> Problem {
        let what = match self.stream {
            Stream::Gzip(_) => "gzip",
            Stream::Zstd(_) => "Zstandard",
            Stream::Plain(_) => return unreadable(error),
        };
        match error.kind() {
            // The operating system's errors are about the file, not about what is in it.
            _ if error.raw_os_error().is_some() => unreadable(error),
            ErrorKind::UnexpectedEof => Problem::new(LeftOut::Truncated, format!("the {what} data is cut off")),
            _ => Problem::new(LeftOut::Malformed, format!("the {what} data is damaged: {error}")),
        }
    }
}

/// The first four bytes, or fewer when there are fewer; leaves the file at its start.
fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut magic = Vec::with_capacity(4);
    Read::take(&mut *file, 4).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(magic)
}

/// An error of the operating system as a problem.
pub(super) fn unreadable(error: &io::Error) -> Problem {
    Problem::new(LeftOut::Unreadable, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn read_with(bytes: &[u8], options: &ReadOptions) -> (Vec<u8>, Option<Problem>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut source = Decompressed::new(file, options).unwrap();
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return (all, None),
                Ok(n) => all.extend(&buffer[..n]),
                Err(problem) => return (all, Some(problem)),
            }
        }
    }

    fn read(bytes: &[u8]) -> (Vec<u8>, Option<LeftOut>) {
        let (all, problem) = read_with(bytes, &ReadOptions::default());
        (all, problem.map(|p| p.kind))
    }

    /// Text that does not compress to nothing.
    fn text() -> Vec<u8> {
        (0u32..5000).flat_map(|i| format!("{} ", i.wrapping_mul(2_654_435_761)).into_bytes()).collect()
    }

    #[test]
    fn plain_gzip_and_zstandard_read_alike() {
        for stored in [text(), gzip(&text()), zstd(&text())] {
            assert_eq!(read(&stored), (text(), None));
        }
        assert_eq!(read(b""), (vec![], None));
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        for pack in [gzip, zstd] {
            let stored = [pack(b"one "), pack(b""), pack(b"two")].concat();
            assert_eq!(read(&stored), (b"one two".to_vec(), None));
        }
    }

    #[test]
    fn what_stands_before_a_cut_is_delivered() {
        for pack in [gzip, zstd] {
            let stored = [pack(b"first member "), pack(&text())].concat();
            let (got, problem) = read(&stored[..stored.len() - 9]);
            assert!(got.starts_with(b"first member "));
            assert_eq!(problem, Some(LeftOut::Truncated));
        }
    }

    #[test]
    fn damage_is_named() {
        let mut stored = gzip(&text());
        let checksum = stored.len() - 6;
        stored[checksum] ^= 1;
        assert_eq!(read(&stored), (text(), Some(LeftOut::Malformed)));
        let trailing = [gzip(b"good"), b"and then something else".to_vec()].concat();
        assert_eq!(read(&trailing), (b"good".to_vec(), Some(LeftOut::Malformed)));
        let mut stored = zstd(&text());
        stored[4] |= 0x08; // a bit of the frame header that must be 0
        assert_eq!(read(&stored).1, Some(LeftOut::Malformed));
    }

    #[test]
    fn expansion_ends_at_the_limit() {
        for pack in [gzip, zstd] {
            let stored = pack(&vec![b' '; 100_000]);
            let limit = 2 * stored.len() as u64 + 5000;
            let options = ReadOptions { max_expansion: 2, free_expansion: 5000, ..ReadOptions::default() };
            let (got, problem) = read_with(&stored, &options);
            assert_eq!(got.len() as u64, limit);
            assert_eq!(problem.unwrap().kind, LeftOut::Bomb);
            let exact = ReadOptions { max_expansion: 0, free_expansion: 100_000, ..options };
            assert_eq!(read_with(&stored, &exact).1, None, "what just fits is no bomb");
        }
    }
}
