//! The run record on disk: `run.jsonl`, one event a line, append-only.
//!
//! A line is written with one system call together with the others of its batch and nothing is buffered, so that a
//! killed run loses at most the line being written. A reader takes a cut last line for what it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use crate::eval::event::{Header, Plan, RunEvent, SCHEMA, SessionEvent};
use crate::model::{Tally, Text, Verdict, json};
use crate::redact::Redacted;

/// Appends a deterministic event as a line.
pub fn event<T: Serialize>(out: &mut Vec<u8>, name: &str, value: &Redacted<T>) -> io::Result<()> {
    write(out, "event", name, value.get())
}

/// Appends an event that says when, where or how long.
pub fn volatile<T: Serialize>(out: &mut Vec<u8>, name: &str, value: &Redacted<T>) -> io::Result<()> {
    write(out, "volatile", name, value.get())
}

/// Writes `{"event":"name",...fields}`: serde's own tagging would buffer the fields.
fn write<T: Serialize>(out: &mut Vec<u8>, key: &str, name: &str, value: &T) -> io::Result<()> {
    write!(out, "{{\"{key}\":\"{name}\"")?;
    let brace = out.len();
    json::write(value, out)?;
    // The fields' own opening brace becomes the comma after the tag.
    out[brace] = b',';
    out.push(b'\n');
    Ok(())
}

/// How an event without verdicts and without a row ends.
const NO_VERDICTS: &[u8] = b"\"verdicts\":[]}";

/// Appends the line of a session, as [`event`] does. What it says of the verdicts that did not plainly pass is returned, as
/// a JSON array: reports show the same, and it is written once.
///
/// # Errors
/// What cannot be JSON.
pub fn session(out: &mut Vec<u8>, event: &Redacted<SessionEvent<'_>>) -> io::Result<Vec<u8>> {
    let event = event.get();
    let shell = SessionEvent {
        suite: event.suite,
        at: event.at,
        id: Text::borrowed(&event.id),
        case: Text::borrowed(&event.case),
        trial: event.trial.as_deref().map(Text::borrowed),
        tags: event.tags.clone(),
        digest: event.digest,
        error: event.error.clone(),
        facts: event.facts,
        verdicts: Vec::new(),
        row: Vec::new(),
    };
    write(out, "event", "session", &shell)?;
    let open = out.len() - "]}\n".len();
    if !out[..open + 2].ends_with(NO_VERDICTS) {
        return Err(io::Error::other("a bug in seatrial: the verdicts of an event do not stand at its end"));
    }
    out.truncate(open);
    let mut details = Vec::with_capacity(2 + event.verdicts.iter().filter(|v| !v.is_plain()).count() * 512);
    details.push(b'[');
    for (i, verdict) in event.verdicts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let start = out.len();
        self::verdict(out, verdict)?;
        if !verdict.is_plain() {
            if details.len() > 1 {
                details.push(b',');
            }
            details.extend_from_slice(&out[start..]);
        }
    }
    out.push(b']');
    if !event.row.is_empty() {
        out.extend_from_slice(b",\"row\":");
        json::write(&event.row, out)?;
    }
    out.extend_from_slice(b"}\n");
    details.push(b']');
    Ok(details)
}

/// Writes a verdict as serde does. Nearly all are plain passes, of which only two numbers differ.
fn verdict(out: &mut Vec<u8>, verdict: &Verdict) -> io::Result<()> {
    let Tally { pass, fail: 0, error: 0, held: 0, skip: 0 } = verdict.subjects else {
        return Ok(json::write(verdict, out)?);
    };
    if !verdict.is_plain() || pass == 0 || verdict.score != Some(1.0) || verdict.confidence != 1.0 {
        return Ok(json::write(verdict, out)?);
    }
    out.extend_from_slice(b"{\"check\":");
    json::write(&verdict.check, out)?;
    out.extend_from_slice(b",\"status\":\"pass\",\"subjects\":{\"pass\":");
    json::write(&pass, out)?;
    out.extend_from_slice(b"},\"score\":1.0}");
    Ok(())
}

/// What [`session`] returns, of an event that stands in a record already.
///
/// # Errors
/// What cannot be JSON.
pub fn details(event: &SessionEvent<'_>) -> io::Result<Vec<u8>> {
    let verdicts: Vec<_> = event.verdicts.iter().filter(|v| !v.is_plain()).collect();
    Ok(json::to_vec(&verdicts)?)
}

/// What went wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not an event.
    #[error("{path}:{line}: not an event of a run record: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// It is none, or one of a newer version.
    #[error("{path}: {why}")]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    event: Option<Text<'a>>,
    #[serde(borrow, default)]
    volatile: Option<Text<'a>>,
}

/// A record's file: `RUN` is the record itself or the folder that holds it.
pub fn locate(run: &Path) -> PathBuf {
    if run.is_dir() { run.join("run.jsonl") } else { run.to_owned() }
}

/// Events handed over at a time.
const PORTION: usize = 64;

/// Reads a record, event by event. Lines of kinds that this version does not know are passed over, as the header's
/// `min_reader` promises that they may be. Returns whether the last line was cut.
///
/// Lines are parsed on a thread of their own, a few portions ahead of `each`.
pub fn read(path: &Path, mut each: impl FnMut(RunEvent<'static>)) -> Result<bool, RecordError> {
    let (sender, receiver) = mpsc::sync_channel::<Vec<RunEvent<'static>>>(8);
    std::thread::scope(|scope| {
        let parser = scope.spawn(move || {
            let mut portion = Vec::with_capacity(PORTION);
            let result = parse_all(path, |event| {
                portion.push(event);
                // A receiver that is gone has panicked; that panic is what will be told.
                portion.len() < PORTION
                    || sender.send(std::mem::replace(&mut portion, Vec::with_capacity(PORTION))).is_ok()
            });
            let _ = sender.send(portion);
            result
        });
        receiver.into_iter().flatten().for_each(&mut each);
        match parser.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Parses every line; `each` says whether to go on.
fn parse_all(path: &Path, mut each: impl FnMut(RunEvent<'static>) -> bool) -> Result<bool, RecordError> {
    let io = |source| RecordError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
    let (mut buffer, mut number) = (Vec::new(), 0u64);
    loop {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(io)? == 0 {
            return if number == 0 { Err(not_a_record(path, "it is empty")) } else { Ok(false) };
        }
        number += 1;
        let cut = buffer.last() != Some(&b'\n');
        match parse(&buffer) {
            Ok(Some(RunEvent::Header(header))) => {
                if header.min_reader > SCHEMA {
                    let why = format!("written by seatrial {}, which this version cannot read", header.seatrial);
                    return Err(not_a_record(path, &why));
                }
            }
            Ok(_) if number == 1 => return Err(not_a_record(path, "its first line is not a record's header")),
            Ok(Some(event)) => {
                if !each(event) {
                    return Ok(false);
                }
            }
            Ok(None) => {}
            Err(_) if cut && number > 1 => return Ok(true),
            Err(_) if number == 1 => return Err(not_a_record(path, "its first line is not a record's header")),
            Err(source) => return Err(RecordError::Line { path: path.to_owned(), line: number, source }),
        }
    }
}

/// Reads only as far as the plan, which stands near the top.
pub fn plan(path: &Path) -> Result<Plan, RecordError> {
    let io = |source| RecordError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut buffer = Vec::new();
    while reader.read_until(b'\n', &mut buffer).map_err(io)? > 0 {
        match parse(&buffer) {
            Ok(Some(RunEvent::Plan(plan))) => return Ok(*plan),
            Ok(Some(RunEvent::Session(_))) | Err(_) => break,
            _ => buffer.clear(),
        }
    }
    Err(not_a_record(path, "it holds no plan (was the run killed before it had read its suites?)"))
}

fn not_a_record(path: &Path, why: &str) -> RecordError {
    RecordError::NotARecord { path: path.to_owned(), why: format!("not a run record: {why}") }
}

/// How the line of a session begins.
const SESSION: &[u8] = b"{\"event\":\"session\",";

fn parse(line: &[u8]) -> Result<Option<RunEvent<'static>>, serde_json::Error> {
    let session = || {
        let text = std::str::from_utf8(line).map_err(serde::de::Error::custom)?;
        json::read::<SessionEvent<'_>>(text).map(|e| Some(RunEvent::Session(e.into_owned())))
    };
    // Nearly every line is one of these; looking for the tag would go through all of it once more.
    if line.starts_with(SESSION) {
        return session();
    }
    let tag: Tag<'_> = serde_json::from_slice(line)?;
    let (event, volatile) = (tag.event.as_deref(), tag.volatile.as_deref());
    Ok(Some(match (event, volatile) {
        (Some("session"), _) => return session(),
        (Some("left_out"), _) => RunEvent::LeftOut(serde_json::from_slice(line)?),
        (Some("elsewhere"), _) => RunEvent::Elsewhere(serde_json::from_slice(line)?),
        (Some("system"), _) => RunEvent::System(serde_json::from_slice(line)?),
        (Some("suite_end"), _) => RunEvent::SuiteEnd(serde_json::from_slice(line)?),
        (Some("baseline"), _) => RunEvent::Baseline(serde_json::from_slice(line)?),
        (Some("plan"), _) => RunEvent::Plan(serde_json::from_slice(line)?),
        (Some("record"), _) => RunEvent::Header(serde_json::from_slice::<Header>(line)?),
        (_, Some("started")) => RunEvent::Started(serde_json::from_slice(line)?),
        (_, Some("driven")) => RunEvent::Driven(serde_json::from_slice(line)?),
        (_, Some("spend")) => RunEvent::Spend(serde_json::from_slice(line)?),
        (_, Some("finished")) => RunEvent::Finished(serde_json::from_slice(line)?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::event::Finished;
    use crate::model::digest::Digest;
    use crate::redact::Redactor;

    fn record(lines: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        std::fs::write(&path, lines).unwrap();
        (dir, path)
    }

    const HEADER: &str = "{\"event\":\"record\",\"schema\":1,\"min_reader\":1,\"seatrial\":\"0.1.0\"}\n";

    #[test]
    fn a_line_carries_its_tag_first() {
        let finished = Finished { at: "2026-01-01T00:00:00Z".into(), seconds: 1.5, exit_code: 0, stopped: None };
        let mut out = Vec::new();
        volatile(&mut out, "finished", &Redactor::default().pass(&finished)).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line,
            "{\"volatile\":\"finished\",\"at\":\"2026-01-01T00:00:00Z\",\"seconds\":1.5,\"exit_code\":0}\n"
        );
        let (_dir, path) = record(&format!("{HEADER}{line}"));
        let mut seen = Vec::new();
        let cut = read(&path, |e| seen.push(matches!(e, RunEvent::Finished(f) if f == finished))).unwrap();
        assert_eq!((cut, seen), (false, vec![true]));
    }

    #[test]
    fn the_line_of_a_session_is_that_of_its_event_and_its_details_are_what_did_not_plainly_pass() {
        let plain = r#"{"check":0,"status":"pass","subjects":{"pass":1}}"#;
        let failed = r#"{"check":1,"status":"fail","subjects":{"fail":1},"findings":[{"subject":"session","status":"fail","reason":"\"verdicts\":[]}"}]}"#;
        let row = r#","row":[{"missing":"no"},{"samples":[{"values":[1.5]}]}]"#;
        for (verdicts, wanted) in [
            (String::new(), "[]".to_owned()),
            (plain.to_owned(), "[]".to_owned()),
            (format!("{failed},{plain},{failed}"), format!("[{failed},{failed}]")),
        ] {
            for (error, row) in [("", ""), (r#","error":"broken","facts":{"turns":2.0}"#, row)] {
                let text = format!(
                    r#"{{"suite":1,"at":[0,1],"id":"a","case":"b","trial":"2","tags":["t"],"digest":"{}"{error},"verdicts":[{verdicts}]{row}}}"#,
                    Digest::of(b"")
                );
                let event = Redacted::drawn(serde_json::from_str::<SessionEvent<'_>>(&text).unwrap());
                let (mut line, mut same) = (b"before\n".to_vec(), b"before\n".to_vec());
                let details = session(&mut line, &event).unwrap();
                self::event(&mut same, "session", &event).unwrap();
                assert_eq!(String::from_utf8(line).unwrap(), String::from_utf8(same).unwrap());
                let read: serde_json::Value = serde_json::from_slice(&details).unwrap();
                assert_eq!(
                    read,
                    serde_json::from_slice::<serde_json::Value>(&super::details(event.get()).unwrap()).unwrap()
                );
                assert_eq!(
                    read.as_array().unwrap().len(),
                    serde_json::from_str::<Vec<serde_json::Value>>(&wanted).unwrap().len()
                );
                assert_eq!(details, super::details(event.get()).unwrap());
            }
        }
    }

    #[test]
    fn a_verdict_is_written_as_serde_writes_it() {
        for rest in [
            r#""subjects":{"pass":1},"score":1.0"#,
            r#""subjects":{"pass":18446744073709551615},"score":1.0"#,
            r#""subjects":{"pass":2,"skip":1},"score":1.0"#,
            r#""subjects":{"pass":2},"score":0.5"#,
            r#""subjects":{"pass":2},"score":1.0,"confidence":0.5"#,
            r#""subjects":{"pass":2},"score":1.0,"reason":"why""#,
            r#""subjects":{},"score":1.0"#,
            r#""subjects":{"pass":2}"#,
        ] {
            for status in ["pass", "fail", "skip"] {
                let text = format!("{{\"check\":4294967295,\"status\":\"{status}\",{rest}}}");
                let read: Verdict = serde_json::from_str(&text).unwrap();
                let mut written = Vec::new();
                verdict(&mut written, &read).unwrap();
                assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&read).unwrap());
            }
        }
    }

    #[test]
    fn a_session_is_read_wherever_its_tag_stands() {
        let digest = Digest::of(b"");
        let fields = format!(r#""suite":0,"at":[0,1],"id":"a","case":"b","digest":"{digest}","verdicts":[]"#);
        let written = format!("{{\"event\":\"session\",{fields}}}\n");
        assert!(written.as_bytes().starts_with(SESSION));
        let (_dir, path) = record(&format!("{HEADER}{written}{{{fields},\"event\":\"session\"}}\n"));
        let mut seen = Vec::new();
        read(&path, |e| seen.push(e)).unwrap();
        assert!(matches!(&seen[..], [RunEvent::Session(a), RunEvent::Session(b)] if a == b && a.id == "a"));
    }

    #[test]
    fn a_cut_last_line_is_told_and_the_rest_is_read() {
        let (_dir, path) = record(&format!("{HEADER}{{\"volatile\":\"unknown\"}}\n{{\"event\":\"sess"));
        assert!(read(&path, |_| ()).unwrap());
    }

    #[test]
    fn damage_in_the_middle_is_an_error_that_names_the_line() {
        let (_dir, path) = record(&format!("{HEADER}{{\"event\":\"sess\n{{}}\n"));
        assert!(read(&path, |_| ()).unwrap_err().to_string().contains("run.jsonl:2: not an event"));
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused() {
        let newer = "{\"event\":\"record\",\"schema\":9,\"min_reader\":9,\"seatrial\":\"7.0.0\"}\n";
        let (_dir, path) = record(newer);
        assert!(read(&path, |_| ()).unwrap_err().to_string().contains("written by seatrial 7.0.0"));
        let (_dir, path) = record("{\"hello\":1}\n");
        assert!(read(&path, |_| ()).unwrap_err().to_string().contains("not a run record"));
    }
}
