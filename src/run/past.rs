//! What a run that is continued has recorded already: sessions that need not be evaluated again, and the lines that
//! everything which comes first must agree with. Nothing is written before all of them did.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::element::is_kept;
use crate::eval::driven::DrivenEvent;
use crate::eval::event::{Plan, SessionEvent};
use crate::eval::keep::{Keep, KeptFor};
use crate::eval::spend::SpendEvent;
use crate::model::digest::Digest;
use crate::store::lines::{Kind, Lines, kind};

/// The sessions that are recorded, by their digests.
pub struct Known {
    /// By suite: whether a session is to be kept whole, and if so, why.
    suites: Vec<HashMap<[u8; 16], Option<KeptFor>>>,
    /// Bytes of the record's whole lines.
    pub whole: u64,
    /// What asking models took so far.
    pub spent: Vec<SpendEvent>,
    /// What was driven so far.
    pub driven: Vec<DrivenEvent>,
    /// Of suites that were driven: the sessions that are recorded, by where they stand in their file.
    places: Vec<HashMap<u64, (String, Digest)>>,
    /// What sessions were before something was taken out of them, by what they are now.
    originals: HashMap<[u8; 16], Digest>,
}

impl Known {
    /// Whether a session is recorded: `Some` says whether it is to be kept whole, and if so, why.
    pub fn session(&self, suite: u32, digest: &Digest) -> Option<Option<KeptFor>> {
        self.suites.get(suite as usize)?.get(&short(digest)).copied()
    }

    /// The id, as it was written, and the digest of the session that is recorded at a place of a driven suite.
    pub fn driven_at(&self, suite: usize, element: u64) -> Option<(&str, Digest)> {
        let (id, digest) = self.places.get(suite)?.get(&element)?;
        Some((id, *digest))
    }

    /// Says what a session was before something was taken out of it for writing.
    pub fn was(&mut self, now: &Digest, before: Digest) {
        self.originals.insert(short(now), before);
    }

    /// The digest of a session as it was when it was judged, where it is not that any more.
    pub fn original(&self, digest: Digest) -> Digest {
        if self.originals.is_empty() {
            return digest;
        }
        self.originals.get(&short(&digest)).copied().unwrap_or(digest)
    }

    /// How many sessions need not be evaluated again.
    pub fn sessions(&self) -> usize {
        self.suites.iter().map(HashMap::len).sum()
    }
}

fn short(digest: &Digest) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&digest.bytes[..16]);
    short
}

/// The lines that are recorded, in order.
pub struct Past {
    lines: Lines,
    left: u64,
    line: Option<Vec<u8>>,
}

/// Whether a line says something that the same recordings always give again.
fn is_told_again(line: &[u8]) -> bool {
    matches!(kind(line), Kind::Session | Kind::LeftOut | Kind::Elsewhere | Kind::SuiteEnd | Kind::System)
}

impl Past {
    /// Looks through the record of a run with this plan.
    pub fn open(path: &Path, plan: &Plan, keep: Keep) -> io::Result<(Self, Known)> {
        let mut known = Known {
            suites: vec![HashMap::new(); plan.suites.len()],
            whole: 0,
            spent: Vec::new(),
            driven: Vec::new(),
            places: vec![HashMap::new(); plan.suites.len()],
            originals: HashMap::new(),
        };
        let (mut lines, mut left) = (Lines::open(path)?, 0);
        while let Some(line) = lines.read()? {
            left += u64::from(is_told_again(line));
            if line.starts_with(b"{\"volatile\":\"spend\"") {
                known.spent.push(serde_json::from_slice(line)?);
            }
            if line.starts_with(b"{\"volatile\":\"driven\"") {
                known.driven.push(serde_json::from_slice(line)?);
            }
            if kind(line) != Kind::Session {
                continue;
            }
            let event: SessionEvent<'_> = serde_json::from_slice(line)?;
            let suite = event.suite as usize;
            if known.driven.iter().any(|driven| driven.suite == event.suite)
                && let Some(places) = known.places.get_mut(suite)
            {
                places.insert(event.at.1, (event.id.to_string(), event.digest));
            }
            let (Some(sessions), Some(suite)) = (known.suites.get_mut(suite), plan.suites.get(suite)) else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a session of a suite that is not in its plan"));
            };
            // One that could not be measured is looked at again: its own verdicts are not recorded.
            if event.error.is_none() {
                sessions.insert(short(&event.digest), is_kept(keep, suite, &event));
            }
        }
        known.whole = lines.whole();
        Ok((Self { lines: Lines::open(path)?, left, line: None }, known))
    }

    /// The line that must come next; `None` when there is none any more.
    pub fn peek(&mut self) -> io::Result<Option<&[u8]>> {
        while self.line.is_none() && self.left > 0 {
            match self.lines.read()? {
                Some(line) if is_told_again(line) => self.line = Some(line.to_vec()),
                Some(_) => {}
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(self.line.as_deref())
    }

    /// Goes past it.
    pub fn pass(&mut self) {
        if self.line.take().is_some() {
            self.left -= 1;
        }
    }
}

/// What is recorded and what is there now, for a message.
pub fn differ(recorded: &[u8], now: &str) -> String {
    format!("where the record holds {}, there is now {now}", describe(recorded))
}

/// A line in words.
pub fn describe(line: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(default)]
        id: Option<String>,
        #[serde(default)]
        at: Option<(u32, u64)>,
    }
    let told: Option<Told> = serde_json::from_slice(line).ok();
    let (id, at) = told.map_or((None, None), |t| (t.id, t.at));
    let id = id.map(|id| format!(" `{id}`")).unwrap_or_default();
    let at = at.map(|(file, n)| format!(" (file {}, element {n})", u64::from(file) + 1)).unwrap_or_default();
    match kind(line) {
        Kind::Session => format!("session{id}{at}"),
        Kind::LeftOut => format!("something{id} that is left out{at}"),
        Kind::Elsewhere => "sessions of other shards".to_owned(),
        Kind::SuiteEnd => "the end of a suite, with its files, tools and kept sessions".to_owned(),
        _ => "what a system check found".to_owned(),
    }
}
