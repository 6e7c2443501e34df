//! An item of the queue becomes a regression case of a suite: a `[[case]]` with what the user said, and the recording in a
//! file of its own, ready to be committed. Comments and order of the suite's file stay as they are.

mod expected;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item as Entry, Table, value};

use crate::ledger::{Item, Millis};
use crate::sources::discover;

/// The folder of recordings, beside the suite.
const FOLDER: &str = "regressions";

/// What is made.
pub struct Making<'m> {
    /// The item.
    pub item: &'m Item,
    /// The session to be replayed, as it may be written: one line of seatrial's own format.
    pub session: &'m [u8],
    /// The suite's file.
    pub suite: &'m Path,
    /// What the case is called; without it as the item's case, with the item's name behind it.
    pub id: Option<&'m str>,
    /// What time it is.
    pub now: Millis,
    /// For how long the case is expected to fail; nothing of it is excused unless somebody says so.
    pub expect_fail: Option<Duration>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The case's id.
    pub case: String,
    /// The file of the recording.
    pub recording: PathBuf,
    /// Whether the suite has a new `[[case]]`: one without cases takes every session for a case of its own.
    pub declared: bool,
    /// What else is to be known, in words.
    pub notes: Vec<String>,
}

/// Why no case was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RegressionError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The suite cannot be changed.
    #[error("{path}: {why}")]
    Suite {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The session cannot be used.
    #[error("the session of {item}: {why}")]
    Session {
        /// The item.
        item: String,
        /// Why.
        why: String,
    },
}

/// Makes a regression case of an item.
///
/// # Errors
/// Something cannot be read, written or used; then nothing was changed.
pub fn make(making: &Making<'_>) -> Result<Made, RegressionError> {
    let Making { item, suite, .. } = making;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| RegressionError::Io { path, source }
    };
    let wrong = |why: String| RegressionError::Suite { path: suite.to_path_buf(), why };
    let unusable = |why: String| RegressionError::Session { item: item.id.to_string(), why };
    let text = fs::read_to_string(suite).map_err(io(suite))?;
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| wrong(e.to_string()))?;
    if !document.contains_key("suite") {
        return Err(wrong("it has no [suite]: name the file of a suite".to_owned()));
    }
    let format = document.get("recorded").and_then(|r| r.get("format")).and_then(Entry::as_str).unwrap_or("auto");
    if !["auto", "seatrial"].contains(&format) {
        return Err(wrong(format!(
            "its recordings are of the format `{format}`, and this one is seatrial's own: leave `format` out, or name \
             another suite"
        )));
    }
    let mut session: Json = serde_json::from_slice(making.session).map_err(|e| unusable(e.to_string()))?;
    let id = making.id.map_or_else(|| usual_id(item), str::to_owned);
    if declared_ids(&document).any(|known| known == id) {
        return Err(wrong(format!("it has a case `{id}` already (another id makes another)")));
    }
    name_case(&mut session, &document, &id);
    let mut notes = Vec::new();
    if session.get("redacted").is_some_and(|r| r.as_object().is_none_or(|r| !r.is_empty())) {
        notes.push("something was taken out of the session by redaction: checks that read it are errors".to_owned());
    }
    let dir = suite.parent().unwrap_or(Path::new("."));
    let name = format!("{FOLDER}/{}.jsonl", file_name(&id));
    let recording = dir.join(&name);
    // One without cases takes every session for a case of its own; the first [[case]] would leave all others out.
    let declared = document.contains_key("case") || document.get("suite").is_some_and(|s| s.get("cases").is_some());
    if declared {
        notes.extend(declare(&mut document, making, &id, &session).map_err(wrong)?);
    }
    let versioned = document.get("subject").is_some_and(|subject| subject.get("version").is_some());
    if versioned {
        notes.push(format!(
            "the suite judges one version of the agent, so that `{name}` is not among its recordings: record the case anew"
        ));
    }
    let mut line = serde_json::to_vec(&session).map_err(|e| unusable(e.to_string()))?;
    line.push(b'\n');
    let folder = dir.join(FOLDER);
    fs::create_dir_all(&folder).map_err(io(&folder))?;
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&recording) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            return Err(wrong(format!("{} is there already: a case `{id}` was made before", recording.display())));
        }
        Err(why) => return Err(io(&recording)(why)),
    };
    let written = file.write_all(&line).and_then(|()| file.sync_all()).map_err(io(&recording));
    let changed = written.and_then(|()| {
        if !versioned && !is_read(&document, dir, &recording) {
            read(&mut document, &name).map_err(wrong)?;
        }
        // Whoever edits it, or makes another case of it, loses nothing.
        if fs::read_to_string(suite).map_err(io(suite))? != text {
            return Err(wrong("it was changed while the case was made: make it again".to_owned()));
        }
        replace(suite, document.to_string().as_bytes()).map_err(io(suite))
    });
    if let Err(why) = changed {
        // The suite is as it was: the recording alone is of no use.
        let _ = fs::remove_file(&recording);
        return Err(why);
    }
    Ok(Made { case: id, recording, declared, notes })
}

/// As the item's case, with the beginning of the item's name behind it.
fn usual_id(item: &Item) -> String {
    let short: String = item.id.as_str().chars().take(8).collect();
    format!("{}-{short}", item.case)
}

/// A file's name for a case: letters, digits and a few signs.
fn file_name(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = id.chars().map(plain).take(100).collect();
    name.trim_start_matches('.').to_owned()
}

fn declared_ids(document: &DocumentMut) -> impl Iterator<Item = &str> {
    let cases = document.get("case").and_then(Entry::as_array_of_tables);
    cases.into_iter().flat_map(ArrayOfTables::iter).filter_map(|case| case.get("id")?.as_str())
}

/// Writes the case's name where the suite looks for it.
fn name_case(session: &mut Json, document: &DocumentMut, id: &str) {
    let attribute = document.get("recorded").and_then(|r| r.get("case")).and_then(Entry::as_str);
    let Some(session) = session.as_object_mut() else { return };
    session.insert("case".to_owned(), id.into());
    // A session of its own, too: one of the same id with other content would contradict it.
    session.insert("id".to_owned(), id.into());
    // A trial of its own.
    session.remove("trial");
    if let Some(attribute) = attribute {
        let attributes = session.entry("attributes").or_insert_with(|| Json::Object(Default::default()));
        if let Some(attributes) = attributes.as_object_mut() {
            attributes.insert(attribute.to_owned(), id.into());
        }
    }
}

/// Adds the `[[case]]`. What is to be known of it, in words.
fn declare(
    document: &mut DocumentMut,
    making: &Making<'_>,
    id: &str,
    session: &Json,
) -> Result<Option<String>, String> {
    let item = making.item;
    let mut case = Table::new();
    case.insert("id", value(id));
    if !item.tags.is_empty() {
        case.insert("tags", value(item.tags.iter().map(String::as_str).collect::<Array>()));
    }
    let turns = session.get("turns").and_then(Json::as_array).into_iter().flatten();
    let user: Option<Vec<&str>> = turns.map(|turn| turn.get("user").and_then(Json::as_str)).collect();
    let (copied, note) = expected::of(document, making.suite, &item.case);
    let has_turns = copied.iter().any(|(key, _)| *key == "turn");
    if let Some(user) = user.filter(|user| !user.is_empty() && !has_turns) {
        case.insert("user", value(user.into_iter().collect::<Array>()));
    }
    let by = item.decided.as_ref().map(|by| by.names().join(" and ")).unwrap_or_default();
    let mut why = format!("from review item {}", item.id);
    if let Some(decision) = item.decision {
        why.push_str(&format!(": {} by {by}, check `{}`", decision.name(), item.key.check));
    }
    for (key, entry) in copied {
        case.insert(key, Entry::Value(entry));
    }
    if let Some(excused) = making.expect_fail {
        let excused = i64::try_from(excused.as_millis()).ok().and_then(|ms| making.now.checked_add(ms));
        let day = excused.ok_or("it is expected to fail for too long")?;
        let day = jiff::Timestamp::from_millisecond(day).map_err(|e| e.to_string())?;
        let mut expected = InlineTable::new();
        expected.insert("until", day.strftime("%Y-%m-%d").to_string().into());
        expected.insert("reason", why.as_str().into());
        case.insert("expected_fail", value(expected));
    }
    // A comment is one line, whatever stands in it.
    let comment: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    case.decor_mut().set_prefix(format!("\n# {comment}\n"));
    let cases = document.entry("case").or_insert_with(|| Entry::ArrayOfTables(ArrayOfTables::new()));
    cases.as_array_of_tables_mut().ok_or("`case` is not written [[case]]")?.push(case);
    Ok(note)
}

/// Whether the suite's recordings hold a file already.
fn is_read(document: &DocumentMut, dir: &Path, recording: &Path) -> bool {
    let paths = document.get("recorded").and_then(|r| r.get("paths")).and_then(Entry::as_array);
    let patterns: Vec<String> = paths.into_iter().flatten().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    let (found, wanted) = (discover::discover(&patterns, dir, dir), fs::canonicalize(recording).ok());
    wanted.is_some() && found.files.iter().any(|file| fs::canonicalize(&file.path).ok() == wanted)
}

/// Adds a file to the suite's recordings.
fn read(document: &mut DocumentMut, name: &str) -> Result<(), String> {
    let recorded = document.entry("recorded").or_insert_with(|| Entry::Table(Table::new()));
    let table = recorded.as_table_like_mut().ok_or("`recorded` is not written [recorded]")?;
    let paths = table.entry("paths").or_insert_with(|| value(Array::new()));
    let paths = paths.as_array_mut().ok_or("`paths` is not a list")?;
    let multiline = paths.iter().any(|p| p.decor().prefix().and_then(|p| p.as_str()).is_some_and(|p| p.contains('\n')));
    let before = paths.iter().last().and_then(|p| p.decor().prefix().cloned()).filter(|_| multiline);
    paths.push(name);
    if let (Some(prefix), Some(last)) = (before, paths.len().checked_sub(1).and_then(|last| paths.get_mut(last))) {
        last.decor_mut().set_prefix(prefix);
    }
    Ok(())
}

/// Puts a file in the place of another, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path).map(|_| ()).map_err(|e| e.error)
}

#[cfg(test)]
mod tests;
