//! Whether recorded files still hold the sessions that a run was over: only then are their bytes what was judged.

use std::io;
use std::path::PathBuf;

use super::super::context::{Context, Failure};
use super::super::sessions;
use crate::model::digest::{self, Digest};
use crate::promote::gate::{Run, SuiteEvidence};
use crate::suite::Suite;

/// The digests of all sessions in some files.
fn sessions_of(run: &Run, was: &SuiteEvidence, suite: &Suite, context: &Context) -> Result<Vec<Digest>, Failure> {
    let paths: Vec<PathBuf> = was.data.files.keys().map(PathBuf::from).collect();
    let flag = run.settings.get("--session-attribute");
    let attribute = flag.or(suite.recorded.session.as_ref()).map(String::as_str);
    let mut err = io::sink();
    let mut found = sessions::open(&paths, suite.recorded.format, attribute, context, &mut err)?;
    let mut digests = Vec::new();
    let next = &mut |buffer| found.recorded.next(buffer);
    let read = sessions::each(next, &found.files, &mut found.unread, &mut err, &mut |session| {
        digests.push(digest::session(session));
        Ok(Ok(()))
    });
    read.map_err(|why| sessions::unwritten("the recordings", &why))?;
    Ok(digests)
}

/// Why the files at hand are not those of a run; `None` when they are, or when one of them is not at hand. `judged` are the
/// digests of the record.
pub fn differs(
    run: &Run,
    was: &SuiteEvidence,
    suite: &Suite,
    judged: &[Digest],
    context: &Context,
) -> Result<Option<String>, Failure> {
    if was.data.files.is_empty() || was.data.files.values().any(Option::is_none) {
        return Ok(None);
    }
    let mut there = sessions_of(run, was, suite, context)?;
    there.sort_unstable();
    let mut judged = judged.to_vec();
    judged.sort_unstable();
    let missing = missing(&judged, &there);
    let read = was.summary.sessions.read;
    Ok(if missing > 0 {
        Some(format!(
            "suite `{}`: {missing} of the {} sessions that were judged are not in the recordings any more",
            was.name,
            judged.len()
        ))
    } else if there.len() as u64 > read {
        Some(format!(
            "suite `{}`: the recordings hold {} sessions, and the run met {read}: some were added since",
            was.name,
            there.len()
        ))
    } else {
        None
    })
}

/// How many of `wanted` are not in `there`; both sorted, each counts as often as it is there.
fn missing(wanted: &[Digest], there: &[Digest]) -> usize {
    let (mut at, mut missing) = (0, 0);
    for digest in wanted {
        while there.get(at).is_some_and(|other| other < digest) {
            at += 1;
        }
        if there.get(at) == Some(digest) { at += 1 } else { missing += 1 }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_counts_as_often_as_it_is_there() {
        let mut all = ["a", "b", "c"].map(|text| Digest::of(text.as_bytes()));
        all.sort_unstable();
        let [a, b, c] = all;
        assert_eq!(missing(&[a, b, c], &[a, b, c]), 0);
        assert_eq!(missing(&[a, a], &[a, b]), 1);
        assert_eq!(missing(&[b], &[a, c]), 1);
        assert_eq!(missing(&[a], &[]), 1);
        assert_eq!(missing(&[], &[a]), 0);
    }
}
