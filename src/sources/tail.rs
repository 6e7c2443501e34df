//! A file that grows, read on from a place: line by line where its format lies in lines, and not at all where it does not.
//!
//! Places are counted in bytes of the content, so that a file that is packed when it is rotated is read on where it was; so
//! is one that is renamed, for what tells files apart is how they begin ([`Grown::file`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::decompress::{Decompressed, unreadable};
use super::input::Input;
use super::reader::stem;
use super::{Element, ReadOptions};
use crate::formats::{Decode, FORMATS, Head, Layout};
use crate::model::{LeftOut, Problem};

/// Bytes of the first line by which a file is known again.
const KNOWN_BY: usize = 1024;

/// What was read of a file.
pub struct Grown {
    /// What the file is known by, whatever it is called.
    pub file: String,
    /// Decodes its elements.
    pub decoder: Decode,
    /// The file's name without folders and extensions.
    pub stem: Arc<str>,
    /// Holds the elements' bytes.
    pub buffer: Vec<u8>,
    /// Whole lines that were not read before.
    pub elements: Vec<Element>,
    /// How far it is read now.
    pub place: u64,
    /// Whether there is nothing more now, but for a line that has no end yet.
    pub at_end: bool,
}

/// How a file lies.
pub enum Looked {
    /// In lines: what it is known by, to be read with [`read_on`].
    Lines(String, Decode),
    /// Otherwise: it can only be read as a whole.
    Whole,
    /// Nobody can say yet: it has no whole line.
    Unknown,
}

/// Looks at how a file begins.
///
/// # Errors
/// It cannot be read, or no format recognises it.
pub fn look(path: &Path, options: &ReadOptions) -> Result<Looked, Problem> {
    let input = Input::open(path, options)?;
    let head = input.head();
    if head.trim_ascii().is_empty() {
        return Ok(Looked::Unknown);
    }
    let shown = Head { path, bytes: head, whole: input.is_whole() };
    let known = match options.format {
        Some(format) => Some((format, format.layout(&shown))),
        None => FORMATS.iter().find_map(|format| Some((*format, format.sniff(&shown)?))),
    };
    let Some((format, layout)) = known else {
        if !head.contains(&b'\n') && input.is_whole() {
            return Ok(Looked::Unknown);
        }
        return Err(Problem::new(LeftOut::UnknownFormat, "no format recognises it"));
    };
    // A value over several lines, that is being written, looks like a line at first.
    if !matches!(layout, Layout::Lines) || format.companion(path).is_some() {
        return Ok(Looked::Whole);
    }
    let line = memchr::memchr(b'\n', head);
    if line.is_none() && head.len() < KNOWN_BY {
        return Ok(Looked::Unknown);
    }
    let first = &head[..line.unwrap_or(head.len()).min(KNOWN_BY)];
    Ok(Looked::Lines(blake3::hash(first).to_hex()[..32].to_owned(), format.decoder(&[])?))
}

/// Reads a file that lies in lines on from `place`: about `most` bytes of whole lines. `settled` says that nobody writes to
/// it any more, so that its last line is whole without an end.
///
/// # Errors
/// It cannot be read.
pub fn read_on(
    path: &Path,
    (file, decoder): (String, Decode),
    place: u64,
    (most, settled): (usize, bool),
    options: &ReadOptions,
) -> Result<Grown, Problem> {
    let opened = File::open(path).map_err(|e| unreadable(&e))?;
    let (mut buffer, ended) = content(opened, place, most, options)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut grown = Grown {
        file,
        decoder,
        stem: stem(&name).into(),
        buffer: Vec::new(),
        elements: Vec::new(),
        place,
        at_end: ended,
    };
    let whole = memchr::memrchr(b'\n', &buffer).map(|end| end + 1);
    let cut = match whole {
        _ if ended && settled => buffer.len(),
        Some(end) => end,
        // One line that is larger than all that is read at once.
        None if buffer.len() > options.max_element => {
            let problem = Problem::new(LeftOut::TooLarge, format!("a line of more than {} bytes", options.max_element));
            grown.elements.push(Element { index: place, offset: Some(place), line: None, content: Err(problem) });
            grown.place = place + buffer.len() as u64;
            return Ok(grown);
        }
        None => 0,
    };
    buffer.truncate(cut);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', &buffer).chain((!buffer.ends_with(b"\n")).then_some(buffer.len())) {
        let line = &buffer[start..end];
        let offset = place + start as u64;
        if !line.trim_ascii().is_empty() {
            let content = if line.len() > options.max_element {
                Err(Problem::new(LeftOut::TooLarge, format!("a line of more than {} bytes", options.max_element)))
            } else {
                Ok(start..end)
            };
            // The place stands for the number: nobody has counted the lines before it.
            grown.elements.push(Element { index: offset, offset: Some(offset), line: None, content });
        }
        start = end + 1;
    }
    grown.place = place + cut as u64;
    grown.buffer = buffer;
    Ok(grown)
}

/// About `most` bytes of the content of a file from `place` on, more where a line needs it, and whether it ends there.
fn content(mut file: File, place: u64, most: usize, options: &ReadOptions) -> Result<(Vec<u8>, bool), Problem> {
    let mut stream = Decompressed::new(file.try_clone().map_err(|e| unreadable(&e))?, options)?;
    let mut skipped = 0;
    if stream.is_plain() {
        let len = file.metadata().map_err(|e| unreadable(&e))?.len();
        if len < place {
            return Ok((Vec::new(), true));
        }
        file.seek(SeekFrom::Start(place)).map_err(|e| unreadable(&e))?;
        skipped = place;
    }
    let mut block = vec![0; 64 << 10];
    while skipped < place {
        let want = usize::try_from(place - skipped).unwrap_or(usize::MAX).min(block.len());
        let read = stream.read(&mut block[..want])?;
        if read == 0 {
            return Ok((Vec::new(), true));
        }
        skipped += read as u64;
    }
    let plain = stream.is_plain();
    let mut out = Vec::new();
    loop {
        let enough = out.len() >= most && (memchr::memchr(b'\n', &out).is_some() || out.len() > options.max_element);
        if enough {
            return Ok((out, false));
        }
        let read = if plain { file.read(&mut block).map_err(|e| unreadable(&e))? } else { stream.read(&mut block)? };
        if read == 0 {
            return Ok((out, true));
        }
        out.extend_from_slice(&block[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn known(path: &Path) -> (String, Decode) {
        match look(path, &ReadOptions::default()).unwrap() {
            Looked::Lines(file, decoder) => (file, decoder),
            Looked::Whole => panic!("it lies in lines"),
            Looked::Unknown => panic!("it has a line"),
        }
    }

    fn line(id: &str) -> String {
        format!("{{\"seatrial\":1,\"id\":\"{id}\",\"turns\":[]}}\n")
    }

    /// The ids of the lines that were read, and where that ends.
    fn read(path: &Path, place: u64, settled: bool) -> (Vec<String>, u64) {
        let grown = read_on(path, known(path), place, (1 << 20, settled), &ReadOptions::default()).unwrap();
        let id = |e: &Element| {
            let bytes = &grown.buffer[e.content.clone().unwrap()];
            grown.decoder.decode(bytes, 0, "").map(|s| s.id.to_string()).unwrap_or_else(|_| "broken".to_owned())
        };
        (grown.elements.iter().map(id).collect(), grown.place)
    }

    #[test]
    fn a_file_that_grows_is_read_on_by_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (one, two) = (line("1"), line("2"));
        fs::write(&path, format!("{one}{}", &two[..10])).unwrap();
        let (ids, place) = read(&path, 0, false);
        assert_eq!((ids, place), (vec!["1".to_owned()], one.len() as u64));
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(two[10..].trim_end().as_bytes()).unwrap();
        assert_eq!(read(&path, place, false).0.len(), 0, "a line without an end may go on");
        assert_eq!(read(&path, place, true).0, ["2"], "unless nobody writes to it any more");
    }

    #[test]
    fn a_file_that_was_renamed_and_packed_is_the_same_and_read_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, line("1") + &line("2")).unwrap();
        let (before, (_, place)) = (known(&path).0, read(&path, 0, false));
        for (name, packed) in [("a.jsonl.1.gz", gzip(&path)), ("a.jsonl.1.zst", zstd(&path))] {
            let moved = dir.path().join(name);
            fs::write(&moved, packed).unwrap();
            assert_eq!(known(&moved).0, before, "{name}");
            assert_eq!(read(&moved, place, true).0, ["3"], "{name}");
        }
    }

    fn grown(path: &Path) -> Vec<u8> {
        let mut all = fs::read(path).unwrap();
        all.extend_from_slice(line("3").as_bytes());
        all
    }

    fn gzip(path: &Path) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(&grown(path)).unwrap();
        out.finish().unwrap()
    }

    fn zstd(path: &Path) -> Vec<u8> {
        zstd::bulk::compress(&grown(path), 1).unwrap()
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_what_comes_behind_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, format!("{}{}\n{}", line("1"), "x".repeat(200_000), line("2"))).unwrap();
        let options = ReadOptions { max_element: 1000, ..ReadOptions::default() };
        let (mut place, mut told) = (0, Vec::new());
        loop {
            let grown = read_on(&path, known(&path), place, (10, false), &options).unwrap();
            told.extend(grown.elements.iter().map(|e| e.content.is_ok()));
            if grown.place == place {
                break;
            }
            place = grown.place;
        }
        assert_eq!((told.first(), told.last()), (Some(&true), Some(&true)));
        assert!(told.contains(&false));
    }

    #[test]
    fn what_does_not_lie_in_lines_is_read_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "[{\"seatrial\":1,\"id\":\"1\",\"turns\":[]}]").unwrap();
        assert!(matches!(look(&path, &ReadOptions::default()), Ok(Looked::Whole)));
        fs::write(&path, "").unwrap();
        assert!(
            look(&path, &ReadOptions::default()).is_err()
                || matches!(look(&path, &ReadOptions::default()), Ok(Looked::Unknown))
        );
    }
}
