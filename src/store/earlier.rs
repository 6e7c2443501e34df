//! The sessions of an earlier run, read for what they replied: those that a live run saved, which are all, else those that
//! were kept whole beside the record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{driven, kept, record};
use crate::eval::earlier::Earlier;
use crate::eval::event::RunEvent;
use crate::model::Session;

/// Longest session that is read, in bytes.
const LONGEST: u64 = 256 << 20;

/// Reads what the sessions of a suite replied in a run: its folder, or its record. Why there are none is said where one is
/// asked for.
pub fn read(run: &Path, suite: &str) -> Earlier {
    let record = record::locate(run);
    let dir = record.parent().unwrap_or(run);
    let saved = dir.join(driven::file_name(suite));
    let read = if saved.is_file() { saved_sessions(&saved) } else { kept_sessions(&record, dir, suite) };
    read.unwrap_or_else(|why| Earlier::missing(format!("the baseline run cannot be read: {why}")))
}

fn saved_sessions(path: &Path) -> Result<Earlier, String> {
    let wrong = |why: io::Error| why.to_string();
    let mut lines = BufReader::new(File::open(path).map_err(wrong)?);
    let (mut earlier, mut line) = (Earlier::default(), Vec::new());
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(wrong)? == 0 {
            return Ok(earlier);
        }
        let session: Session<'_> = serde_json::from_slice(&line).map_err(|why| why.to_string())?;
        if let Some(case) = &session.case {
            earlier.add(case, session.trial.as_deref(), &session);
        }
    }
}

fn kept_sessions(path: &Path, dir: &Path, suite: &str) -> Result<Earlier, String> {
    let wrong = |why: io::Error| why.to_string();
    let plan = record::plan(path).map_err(|_| "there is no record of a run at this place".to_owned())?;
    let index = plan.suites.iter().position(|plan| plan.name == suite);
    let index = index.ok_or_else(|| format!("it holds no suite `{suite}`"))?;
    let none = "it kept no sessions: run it with `--keep all`";
    let mut reader = kept::Reader::open(dir).map_err(wrong)?.ok_or(none)?;
    let (mut earlier, mut failed) = (Earlier::default(), None);
    let read = record::read(path, |event| {
        let RunEvent::Session(event) = event else { return };
        if failed.is_some() || event.suite as usize != index {
            return;
        }
        let mut add = || -> io::Result<()> {
            let Some(place) = reader.find(event.suite, event.at)? else { return Ok(()) };
            let mut line = Vec::new();
            MultiGzDecoder::new(reader.packed(&place)?.as_slice()).take(LONGEST).read_to_end(&mut line)?;
            let session: Session<'_> = serde_json::from_slice(&line)?;
            earlier.add(&event.case, event.trial.as_deref(), &session);
            Ok(())
        };
        failed = add().err();
    });
    read.map_err(|why| why.to_string())?;
    failed.map_or(Ok(earlier), |why| Err(why.to_string()))
}
