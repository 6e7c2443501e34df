//! Recordings that are not those of the run that is continued. Nothing is written from the first difference on; what is
//! left is looked through all the same, so that every recording that changed is named at once.

use std::collections::BTreeMap;
use std::io;

use super::element::Item;
use super::past::Past;
use crate::eval::event::Ordinal;
use crate::model::digest::Digest;
use crate::sources::RecordedFile;
use crate::store::lines::{Kind, kind};

/// Files that are named.
const FILES: usize = 10;

/// Sessions that are named of each.
const SESSIONS: usize = 3;

/// What the record holds from the first difference on, and what is otherwise there.
pub(super) struct Changed {
    first: String,
    /// By place, what was recorded and was not met yet.
    recorded: BTreeMap<Ordinal, Recorded>,
    last: Option<Ordinal>,
    /// By file, sessions that differ: the first ones by name, and how many.
    files: BTreeMap<u32, (Vec<String>, u64)>,
}

/// Something that is there now.
pub(super) struct Here {
    at: Ordinal,
    id: String,
    /// That of a session; none of something that is left out.
    digest: Option<Digest>,
}

impl Here {
    /// What an item is; `None` where another shard records it.
    pub(super) fn of(item: &Item, lines: &[u8]) -> Option<Self> {
        match item {
            Item::Session { row, .. } | Item::Known { row, .. } => {
                Some(Self { at: row.at, id: row.id.to_string(), digest: Some(row.digest) })
            }
            Item::LeftOut { line, .. } => {
                let about: About = serde_json::from_slice(lines.get(line.clone())?).ok()?;
                Some(Self { at: about.at, id: about.id.unwrap_or_default(), digest: None })
            }
            Item::Elsewhere => None,
        }
    }
}

/// An event of the record.
struct Recorded {
    id: String,
    /// That of a session; none of something that was left out.
    digest: Option<Digest>,
}

/// The part of a line that says what it is about.
#[derive(serde::Deserialize)]
struct About {
    suite: u32,
    at: Ordinal,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    digest: Option<Digest>,
}

impl Changed {
    /// With the first difference in words, and the rest of what is recorded of a suite.
    pub(super) fn begin(first: String, suite: u32, past: Option<&mut Past>) -> io::Result<Self> {
        let mut changed = Self { first, recorded: BTreeMap::new(), last: None, files: BTreeMap::new() };
        let Some(past) = past else { return Ok(changed) };
        while let Some(line) = past.peek()? {
            if matches!(kind(line), Kind::Session | Kind::LeftOut) {
                let about: About = serde_json::from_slice(line)?;
                if about.suite != suite {
                    break;
                }
                changed.last = changed.last.max(Some(about.at));
                let id = about.id.unwrap_or_default();
                changed.recorded.insert(about.at, Recorded { id, digest: about.digest });
            }
            past.pass();
        }
        Ok(changed)
    }

    /// Holds something that is there now against what was recorded at its place.
    pub(super) fn look(&mut self, here: Option<Here>) {
        let Some(Here { at, id, digest }) = here else { return };
        match self.recorded.remove(&at) {
            // What was left out may have been a session that was there before; its digest is not recorded.
            Some(Recorded { digest: None, .. }) => {}
            Some(recorded) if recorded.digest == digest => {}
            Some(_) => self.differs(at.0, id),
            // What comes behind the end of the record is no difference.
            None if self.last.is_some_and(|last| at <= last) => self.differs(at.0, id),
            None => {}
        }
    }

    fn differs(&mut self, file: u32, id: String) {
        let (named, count) = self.files.entry(file).or_default();
        *count += 1;
        if named.len() < SESSIONS {
            named.push(id);
        }
    }

    /// What differs, in words.
    pub(super) fn told(mut self, files: &[RecordedFile]) -> String {
        for (at, recorded) in std::mem::take(&mut self.recorded) {
            if recorded.digest.is_some() {
                self.differs(at.0, recorded.id);
            }
        }
        let all: u64 = self.files.values().map(|(_, count)| count).sum();
        if all < 2 {
            return self.first;
        }
        let told = self.files.iter().take(FILES).map(|(file, (named, count))| {
            let name =
                files.get(*file as usize).map_or_else(|| format!("file {}", u64::from(*file) + 1), |f| f.name.clone());
            let ids: Vec<String> = named.iter().map(|id| format!("`{id}`")).collect();
            let more = count - named.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} of {name} ({}{more})", *count, ids.join(", "))
        });
        let told: Vec<String> = told.collect();
        let rest = self.files.len().saturating_sub(FILES);
        let rest = if rest > 0 { format!(" and those of {rest} more files") } else { String::new() };
        format!("{}; {all} sessions changed, are new or gone: {}{rest}", self.first, told.join(", "))
    }
}
