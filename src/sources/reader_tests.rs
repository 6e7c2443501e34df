//! The reader over real files, good and bad, with a format of its own: elements are JSON objects with a `n`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::formats::{Decode, Decoder, Head, Layout, json_layout};
use crate::model::Session;

/// Recognises files in which there is an `"n"`; an object with `rows` at its top is an envelope.
struct Numbers;

impl Format for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn doc(&self) -> &'static str {
        "Objects with a number."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let has = |what: &[u8]| head.bytes.windows(what.len()).any(|w| w == what);
        (has(b"\"n\"") || has(b"\"rows\"")).then(|| self.layout(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        let rows = head.bytes.windows(6).any(|w| w == b"\"rows\"");
        if rows { Layout::Envelope { stream: "rows", headers: &["info"] } } else { json_layout(head) }
    }

    fn companion(&self, path: &Path) -> Option<PathBuf> {
        path.parent()?.ends_with("single").then(|| path.with_file_name("../results.json"))
    }

    fn decoder(&self, headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        let info = match headers {
            [Some(info)] => String::from_utf8_lossy(info).into_owned(),
            _ => String::new(),
        };
        if info == "\"bad\"" {
            return Err(Problem::new(LeftOut::Malformed, "bad info"));
        }
        Ok(Decode::sessions(NumbersDecoder { info }))
    }
}

struct NumbersDecoder {
    info: String,
}

impl Decoder for NumbersDecoder {
    fn decode<'a>(&self, element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
        let value: serde_json::Value =
            serde_json::from_slice(element).map_err(|e| Problem::new(LeftOut::Malformed, e.to_string()))?;
        let n = value.get("n").ok_or_else(|| Problem::new(LeftOut::Malformed, "no n"))?;
        Ok(Session { id: format!("{source}#{index}:{n}{}", self.info).into(), ..Session::default() })
    }
}

static NUMBERS: &[&dyn Format] = &[&Numbers];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> RecordedFile {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        RecordedFile { path, name: name.to_owned() }
    }
}

/// What came of the elements, in order: a session's id, or a problem's name.
fn read(files: &[RecordedFile], options: ReadOptions) -> Vec<String> {
    let mut reader = Reader::with_formats(files.to_vec(), options, NUMBERS);
    let (mut all, mut buffer, mut seq) = (Vec::new(), Vec::new(), 0);
    let (mut whole, mut damaged, mut longest, mut bytes) = (0, 0, 0, 0);
    while let Some(batch) = reader.next(buffer) {
        assert_eq!(batch.seq, seq, "without gaps");
        seq += 1;
        for element in &batch.elements {
            let decoded = match &element.content {
                Ok(range) => {
                    whole += 1;
                    let bytes = &batch.buffer[range.clone()];
                    let decoder = batch.decoder.as_ref().unwrap();
                    decoder.decode(bytes, element.index, &batch.stem).map(|s| s.id.to_string())
                }
                Err(problem) => {
                    damaged += 1;
                    Err(problem.clone())
                }
            };
            all.push(decoded.unwrap_or_else(|p| p.kind.name().to_owned()));
        }
        longest = longest.max(batch.buffer.len());
        bytes += batch.read;
        buffer = batch.buffer;
    }
    let sum = |f: fn(&FileStats) -> u64| reader.files_read().iter().map(f).sum::<u64>();
    assert_eq!((sum(|s| s.elements), sum(|s| s.problems)), (whole, damaged));
    assert_eq!(reader.files_read().len(), files.len());
    let plain = |f: &RecordedFile| f.name.ends_with(".jsonl").then(|| f.path.metadata().map_or(0, |m| m.len()));
    let sizes: Option<u64> = files.iter().map(plain).sum();
    assert_eq!(sizes.unwrap_or(bytes), bytes, "every byte read is told of");
    let most = 2 * (options.max_element.min(8 << 20) + 2 * options.batch);
    assert!(longest <= most, "{longest} bytes held, {most} allowed");
    all
}

fn read_one(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new();
    read(&[folder.write("f.x.json", bytes)], SMALL)
}

const SMALL: ReadOptions = ReadOptions {
    format: None,
    max_element: 2000,
    max_depth: 10,
    max_expansion: 2,
    free_expansion: 300_000,
    batch: 100,
    recipes: false,
    stop: None,
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_layout_gives_the_same_elements() {
    for text in [
        "{\"n\":1}\n{\"n\":2}\n",
        "\u{feff}{\"n\":1}\r\n\r\n{\"n\":2}",
        "[{\"n\":1},{\"n\":2}]",
        " [\n{\"n\":1}\n,\n{\"n\":2}\n]\n",
        "{\n\"n\":1}\n{\n\"n\":2}\n",
        "{\"rows\":[{\"n\":1},{\"n\":2}]}",
    ] {
        let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        for stored in [text.as_bytes(), &packed, &gzip(text.as_bytes())] {
            assert_eq!(read_one(stored), ["f.x#0:1", "f.x#1:2"], "{text}");
        }
    }
}

#[test]
fn many_elements_cross_many_blocks_in_order() {
    let folder = Folder::new();
    let rows: Vec<String> = (0..5000).map(|n| format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(n % 300))).collect();
    let want: Vec<String> = (0..5000).map(|n| format!("f#{n}:{n}")).collect();
    for (name, text) in [("f.jsonl", rows.join("\n")), ("f.json", format!("[{}]", rows.join(",\n")))] {
        for batch in [1, 64, 1000, 1 << 20] {
            let options = ReadOptions { batch, max_element: 1000, ..ReadOptions::default() };
            assert!(read(&[folder.write(name, &text)], options) == want, "{name} {batch}");
        }
        let file = folder.write(&format!("{name}.gz"), gzip(text.as_bytes()));
        assert!(read(&[file], ReadOptions { max_element: 1000, ..ReadOptions::default() }) == want);
    }
}

#[test]
fn files_follow_each_other_and_a_bad_one_costs_only_itself() {
    let folder = Folder::new();
    let mut files = vec![
        folder.write("a.jsonl", "{\"n\":1}"),
        folder.write("b.json", ""),
        folder.write("c.json", "just words"),
        folder.write("d.json", "[ \n ]"),
        folder.write("e.json", "{\"n\":2}"),
    ];
    files.insert(2, RecordedFile { path: folder.0.path().to_owned(), name: "folder".into() });
    files.insert(2, RecordedFile { path: folder.0.path().join("gone"), name: "gone".into() });
    assert_eq!(read(&files, SMALL), ["a#0:1", "empty", "unreadable", "unreadable", "unknown_format", "e#0:2"]);
}

#[test]
fn an_array_without_elements_is_a_file_without_sessions() {
    let folder = Folder::new();
    let mut reader = Reader::with_formats(vec![folder.write("a.json", "[]")], SMALL, NUMBERS);
    assert!(reader.next(Vec::new()).is_none());
    assert_eq!(reader.files_read(), [FileStats { elements: 0, problems: 0 }]);
}

#[test]
fn an_unknown_format_says_which_are_known_and_what_to_do() {
    let folder = Folder::new();
    let mut reader = Reader::with_formats(vec![folder.write("a.json", "{\"x\":1}")], SMALL, NUMBERS);
    let batch = reader.next(Vec::new()).unwrap();
    assert!(batch.decoder.is_none());
    let problem = batch.elements[0].content.as_ref().unwrap_err();
    insta::assert_snapshot!(problem.message, @"no format recognises it (known: numbers); `format` says which one it is");
}

#[test]
fn a_format_that_is_set_is_not_guessed() {
    let folder = Folder::new();
    let file = folder.write("a.jsonl", "{\"m\":1}\n{\"m\":2}\n");
    let options = ReadOptions { format: Some(&Numbers), ..SMALL };
    assert_eq!(read(&[file], options), ["malformed", "malformed"], "the decoder's word, not the sniffer's");
}

#[test]
fn damaged_lines_are_counted_and_the_next_line_is_read() {
    let deep = "[".repeat(500);
    let wide = "x".repeat(50_000);
    let text = format!("{{\"n\":1}}\n{{\"n\":\"half\n{deep}\n{{\"n\":\"{wide}\"}}\n7\n\0\0\0\n{{\"n\":2}}\n{{\"n\":");
    assert_eq!(
        read_one(text),
        ["f.x#0:1", "malformed", "too_deep", "too_large", "malformed", "malformed", "f.x#6:2", "truncated"]
    );
}

#[test]
fn a_damaged_first_line_costs_only_itself() {
    assert_eq!(read_one("{\"n\":\"half\n{\"n\":1}\n{\"n\":2}\n"), ["malformed", "f.x#1:1", "f.x#2:2"]);
}

#[test]
fn damaged_elements_of_an_array_are_counted_and_the_others_are_read() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let wide = "x".repeat(50_000);
    let text = format!("[{{\"n\":1}},{deep},{{\"n\":\"{wide}\"}},7,{{\"n\":2}} {{\"n\":3}},{{\"n\":[4");
    assert_eq!(
        read_one(text),
        ["f.x#0:1", "too_deep", "too_large", "malformed", "f.x#4:2", "malformed", "f.x#6:3", "truncated"]
    );
}

#[test]
fn a_huge_element_is_not_held_in_memory() {
    let huge = "x".repeat(4 << 20);
    // `read` asserts on the size of the buffer.
    assert_eq!(read_one(format!("{{\"n\":\"{huge}\"}}\n{{\"n\":2}}")), ["too_large", "f.x#1:2"]);
    assert_eq!(read_one(format!("[{{\"n\":\"{huge}\"}},{{\"n\":2}}]")), ["too_large", "f.x#1:2"]);
    assert_eq!(read_one(format!("{{\"n\":\"{huge}")), ["too_large"]);
}

#[test]
fn a_large_element_within_the_limit_is_whole() {
    let folder = Folder::new();
    let large = format!("{{\"n\":1,\"x\":\"{}\"}}", "y".repeat(3 << 20));
    let file = folder.write("a.jsonl", format!("{large}\n{{\"n\":2}}\n{large}\n"));
    let options = ReadOptions { batch: 10_000, max_element: 4 << 20, ..ReadOptions::default() };
    assert_eq!(read(&[file], options), ["a#0:1", "a#1:2", "a#2:1"]);
}

#[test]
fn cut_and_damaged_compression_delivers_what_was_whole() {
    let rows: String = (0..3000u32).map(|n| format!("{{\"n\":{}}}\n", n.wrapping_mul(2_654_435_761))).collect();
    let packed = gzip(rows.as_bytes());
    let cut = read_one(&packed[..packed.len() / 2]);
    assert!(cut.len() > 100 && cut[0] == "f.x#0:0");
    assert_eq!(cut.iter().filter(|e| !e.starts_with("f.x#")).collect::<Vec<_>>(), ["truncated"]);
    assert_eq!(cut.last().unwrap(), "truncated");
    let trailing = [gzip(b"{\"n\":1}\n"), b"rubbish rubbish".to_vec()].concat();
    assert_eq!(read_one(trailing), ["f.x#0:1", "malformed"]);
    assert_eq!(read_one(&packed[..5]), ["truncated"]);
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let blanks = [b"{\"n\":1}\n".to_vec(), vec![b' '; 5 << 20]].concat();
    assert_eq!(read_one(gzip(&blanks)), ["f.x#0:1", "bomb"]);
    let one = [b"{\"n\":\"".to_vec(), vec![b'x'; 5 << 20]].concat();
    assert_eq!(read_one(zstd::encode_all(&one[..], 3).unwrap()), ["bomb"]);
}

#[test]
fn what_is_not_text_is_named() {
    let utf16: Vec<u8> = "{\"n\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".to_vec(), utf16.clone()].concat();
    let folder = Folder::new();
    let message = |bytes: &[u8]| {
        let mut reader = Reader::with_formats(vec![folder.write("a", bytes)], SMALL, NUMBERS);
        let batch = reader.next(Vec::new()).unwrap();
        let problem = batch.elements[0].content.clone().unwrap_err();
        assert_eq!(problem.kind, LeftOut::Malformed);
        problem.message
    };
    assert_eq!(message(&utf16), "text in UTF-16, not JSON text in UTF-8");
    assert_eq!(message(&marked), "text in UTF-16, not JSON text in UTF-8");
    assert_eq!(message(b"PK\x03\x04rest"), "a zip archive, not JSON text in UTF-8");
    assert_eq!(message(&[0; 5000]), "binary data, not JSON text in UTF-8");
    assert_eq!(message(&gzip(&gzip(b"{}"))), "gzip data within compressed data, not JSON text in UTF-8");
}

#[test]
fn rubbish_behind_the_first_line_costs_only_its_line() {
    assert_eq!(read_one(b"{\"n\":1}\n\xff\xfe\0\0\x01\n{\"n\":2}\n"), ["f.x#0:1", "malformed", "f.x#2:2"]);
}

#[test]
fn white_space_alone_is_empty_whatever_its_length() {
    assert_eq!(read_one(" \n"), ["empty"]);
    let folder = Folder::new();
    let file = folder.write("a", vec![b' '; 200_000]);
    assert_eq!(read(&[file], ReadOptions { format: Some(&Numbers), ..SMALL }), ["empty"]);
}

#[test]
fn headers_reach_the_decoder_wherever_they_stand() {
    assert_eq!(read_one("{\"rows\":[{\"n\":1}],\"info\":\"!\"}"), ["f.x#0:1\"!\""]);
    assert_eq!(read_one("{\"info\":\"!\",\"rows\":[{\"n\":1}]}"), ["f.x#0:1\"!\""]);
    let far = format!("{{\"rows\":[{}{{\"n\":1}}],\"info\":7}}", "{\"n\":0},".repeat(20_000));
    let all = read_one(far);
    assert_eq!((all.len(), all[20_000].as_str()), (20_001, "f.x#20000:17"));
}

#[test]
fn an_envelope_without_its_array_needs_a_header() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{\"info\":{\"rows\":1}}");
    assert_eq!(read(&[file], SMALL), Vec::<String>::new());
    assert_eq!(read_one("{\"x\":{\"rows\":1}}"), ["malformed"]);
}

#[test]
fn an_error_of_the_decoder_is_one_of_the_file() {
    assert_eq!(read_one("{\"info\":\"bad\",\"rows\":[{\"n\":1},{\"n\":2}]}"), ["malformed"]);
}

#[test]
fn a_truncated_envelope_gives_its_elements() {
    assert_eq!(read_one("{\"info\":1,\"rows\":[{\"n\":1},{\"n\":2"), ["f.x#0:11", "truncated"]);
    assert_eq!(read_one("{\"rows\":[{\"n\":1},{\"n\":2"), ["f.x#0:1", "truncated"]);
}

#[test]
fn a_companion_lends_its_headers() {
    let folder = Folder::new();
    let files = [folder.write("single/a.json", "{\"n\":1}"), folder.write("single/b.json", "{\"n\":2}")];
    assert_eq!(read(&files, SMALL), ["unreadable", "unreadable"], "without it the elements would be incomplete");
    folder.write("results.json", "{\"info\":\"!\",\"rows\":[]}");
    assert_eq!(read(&files, SMALL), ["a#0:1\"!\"", "b#0:2\"!\""]);
}

#[test]
fn a_file_cut_while_it_is_read_ends_as_truncated() {
    let folder = Folder::new();
    let row = format!("{{\"n\":1,\"x\":\"{}\"}}\n", "y".repeat(1000));
    let file = folder.write("a.jsonl", row.repeat(1000));
    let mut reader = Reader::with_formats(vec![file.clone()], SMALL, NUMBERS);
    let mut buffer = reader.next(Vec::new()).unwrap().buffer;
    std::fs::OpenOptions::new().write(true).open(&file.path).unwrap().set_len(100_500).unwrap();
    let mut last = None;
    while let Some(batch) = reader.next(buffer) {
        last = batch.elements.last().map(|e| e.content.clone().map_err(|p| p.kind));
        buffer = batch.buffer;
    }
    assert_eq!(last, Some(Err(LeftOut::Truncated)));
}

#[test]
fn a_reader_can_be_shared_under_a_lock() {
    fn is_sync<T: Sync>() {}
    is_sync::<std::sync::Mutex<Reader>>();
}

#[test]
fn stems_have_no_folder_compression_or_extension() {
    let names = ["a/b/run.jsonl.gz", "x.even-tasks.json", ".hidden", "-", "plain", "a.zst"];
    assert_eq!(names.map(stem), ["run", "x.even-tasks", ".hidden", "stdin", "plain", "a"]);
}
