//! What the inputs begin as: the project's own samples, fixtures and suites.

use std::io::Read;
use std::path::{Path, PathBuf};

use seatrial::formats::{Decode, FORMATS, Head};
use seatrial::sources::reader::Reader;
use seatrial::sources::{ReadOptions, RecordedFile};

/// Largest seed, in bytes: small ones are tried more often.
const LARGEST: usize = 24 << 10;
/// Most seeds of one format.
const MOST: usize = 60;

/// A path in the project.
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// All files below some folders, in order.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let walk = |folder: &&str| walkdir::WalkDir::new(here(folder)).sort_by_file_name();
    let found = folders.iter().flat_map(|f| walk(f).into_iter().filter_map(Result::ok));
    found.filter(|e| e.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// The texts of the files with this extension below some folders.
pub fn texts(folders: &[&str], extension: &str) -> Vec<Vec<u8>> {
    let of_kind = |path: &PathBuf| path.extension().is_some_and(|e| e == extension);
    let texts = files(folders).into_iter().filter(of_kind).filter_map(|p| std::fs::read(p).ok());
    texts.filter(|t| t.len() <= LARGEST).collect()
}

/// Recordings as they lie on disk.
pub fn recordings() -> Vec<Vec<u8>> {
    let small = |bytes: &Vec<u8>| bytes.len() <= LARGEST;
    let on_disk = files(&["tests/samples", "fixtures"]).into_iter().filter_map(|p| std::fs::read(p).ok()).filter(small);
    on_disk.chain(LITERAL.iter().map(|t| t.as_bytes().to_vec())).collect()
}

/// Elements of a format, with a decoder for them.
pub struct Elements {
    /// The format's name.
    pub format: &'static str,
    /// Decodes them.
    pub decoder: Decode,
    /// Each element, the small ones first.
    pub elements: Vec<Vec<u8>>,
}

/// What the recordings hold of every format.
pub fn elements() -> Vec<Elements> {
    let folder = tempfile::tempdir().unwrap();
    let literal = LITERAL.iter().enumerate().map(|(i, text)| {
        let path = folder.path().join(format!("{i}.json"));
        std::fs::write(&path, text).unwrap();
        path
    });
    let paths: Vec<PathBuf> = files(&["tests/samples", "fixtures"]).into_iter().chain(literal).collect();
    let mut all: Vec<Elements> = Vec::new();
    for path in paths {
        let Some(format) = format_of(&path) else { continue };
        let mut reader = Reader::new(vec![RecordedFile { path, name: "f".into() }], ReadOptions::default());
        while let Some(batch) = reader.next(Vec::new()) {
            let Some(decoder) = &batch.decoder else { continue };
            let known = all.iter().position(|e| e.format == format).unwrap_or_else(|| {
                all.push(Elements { format, decoder: decoder.clone(), elements: Vec::new() });
                all.len() - 1
            });
            let whole = batch.elements.iter().filter_map(|e| e.content.clone().ok());
            all[known].elements.extend(whole.map(|range| batch.buffer[range].to_vec()));
        }
    }
    for of_format in &mut all {
        of_format.elements.sort_by_key(Vec::len);
        of_format.elements.truncate(MOST);
        of_format.elements.iter_mut().for_each(|e| e.truncate(16 * LARGEST));
    }
    all
}

fn format_of(path: &Path) -> Option<&'static str> {
    let bytes = std::fs::read(path).ok()?;
    let mut text = Vec::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => drop(flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).ok()?),
        Some("zst") => text = zstd::decode_all(&bytes[..]).ok()?,
        _ => text = bytes,
    }
    let head = Head { path, bytes: &text[..text.len().min(64 << 10)], whole: text.len() <= 64 << 10 };
    FORMATS.iter().find(|f| f.sniff(&head).is_some()).map(|f| f.name())
}

/// Recordings of formats of which the project keeps none.
const LITERAL: &[&str] = &[
    r####"[{"task_id":3,"reward":1.0,"trial":0,"info":{"task":{"user_id":"u","actions":[{"name":"cancel","kwargs":{"id":"A1"}}],"instruction":"Cancel.","outputs":["done"]},"source":"user","user_cost":0.01,"reward_info":{"reward":1.0,"info":{"r_actions":1.0},"actions":[]}},"traj":[{"role":"system","content":"policy"},{"role":"user","content":"Cancel A1."},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"cancel","arguments":"{\"id\": \"A1\"}"}}]},{"role":"tool","tool_call_id":"c1","name":"cancel","content":"ok"},{"role":"assistant","content":"Done."},{"role":"user","content":"###STOP###"}]}]"####,
    r####"{"messages":[{"role":"user","content":[{"type":"text","text":"Weather?"}]},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"weather","input":{"city":"X"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"sunny","is_error":false}]},{"role":"assistant","content":"Sunny."}],"usage":{"input_tokens":5,"output_tokens":7}}"####,
    r####"{"object":"response","output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"1"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"One."}]}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"####,
    r####"{"seatrial":1,"id":"s","case":"c","trial":"0","agent":"desk","version":"1","user":"u","tags":["a"],"start_ns":1,"end_ns":900,"turns":[{"user":"q","reply":"a","start_ns":1,"end_ns":800,"ttft_ns":3,"spans":[{"id":"1","kind":"llm","name":"chat","model":"gpt-4o","usage":{"input":3,"output":4},"start_ns":2,"end_ns":9,"ttft_ns":1,"output":"a"},{"id":"2","parent":"1","kind":"tool","name":"f","call_id":"c","input":{"x":1},"output":"{\"ok\":true}","status":"error","status_message":"no"}],"reference":{"tools":[{"name":"f","args":{"x":1}}],"answer":"a","facts":["a"],"state":{"a.b":1}}}],"reference":{"tools":[{"name":"f"}]},"state":{"a":{"b":1}},"initial_state":{"a":{}},"reward":1.0,"rating":4.5,"escalated":false,"events":[{"name":"e","time_ns":5,"attributes":{"k":1}}],"attributes":{"n":1.5}}"####,
];
