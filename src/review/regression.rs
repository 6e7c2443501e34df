//! An item of the queue becomes a regression case of a suite: a `[[case]]` with what the user said, and the recording in a
//! file of its own, ready to be committed. Comments and order of the suite's file stay as they are.

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

/// What is expected of a case, and what templates read of it: without it the same checks would ask less, or nothing.
const EXPECTED: [&str; 3] = ["turn", "reference", "vars"];

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
    let original = document.get("case").and_then(Entry::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter);
    let original = original.into_iter().find(|case| case.get("id").and_then(Entry::as_str) == Some(&*item.case));
    let copied =
        original.map(|original| EXPECTED.into_iter().filter_map(|key| Some((key, original.get(key)?.clone()))));
    let copied: Vec<(&str, Entry)> = copied.into_iter().flatten().collect();
    let elsewhere = original.is_none() || document.get("suite").is_some_and(|suite| suite.get("cases").is_some());
    let note = elsewhere.then(|| {
        format!(
            "what another file expects of `{}` (`reference`, `vars`) is not copied: add it to the new case",
            item.case
        )
    });
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
        // As values: a table that was read keeps its place in the file, which is within the other case.
        case.insert(key, Entry::Value(entry.into_value().map_err(|_| format!("`{key}` of the case is no value"))?));
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
mod tests {
    use super::*;
    use crate::ledger::{DecidedBy, ItemStatus, testing};
    use crate::model::Status;

    const SESSION: &str = r#"{"seatrial":1,"id":"s1","case":"refund","trial":"2","turns":[{"user":"I want my money back.","reply":"Sure!"}]}"#;
    const NOW: Millis = 1_700_000_000_000;

    fn item(decision: Option<Status>) -> Item {
        let asked =
            crate::ledger::Asked { case: "refund".into(), tags: vec!["risky".into()], ..testing::item(1).asked };
        Item {
            id: asked.key.id(),
            asked,
            content: None,
            baseline: None,
            status: ItemStatus::Resolved,
            decision,
            decided: decision.map(|_| DecidedBy::Reviewers { who: vec!["ann".into()] }),
            open: 0,
            created: NOW,
            resolved: Some(NOW),
        }
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(suite: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("suite.toml"), suite).unwrap();
            Self(dir)
        }

        fn make(&self, item: &Item) -> Result<Made, String> {
            self.excused(item, None)
        }

        fn excused(&self, item: &Item, expect_fail: Option<Duration>) -> Result<Made, String> {
            let (suite, id) = (self.0.path().join("suite.toml"), Some("refund-again"));
            let making = Making { item, session: SESSION.as_bytes(), suite: &suite, id, now: NOW, expect_fail };
            make(&making).map_err(|e| e.to_string())
        }

        fn suite(&self) -> String {
            fs::read_to_string(self.0.path().join("suite.toml")).unwrap()
        }
    }

    const WITH_CASES: &str =
        "# Ours.\n[suite]\nname = \"s\"\n\n[recorded]\npaths = [\"x.jsonl\"] # all\n\n[[case]]\nid = \"refund\"\n";

    #[test]
    fn a_case_with_its_recording_is_added_and_the_rest_of_the_suite_stays_as_it_is() {
        let folder = Folder::new(WITH_CASES);
        let made = folder.make(&item(Some(Status::Pass))).unwrap();
        assert_eq!((made.case.as_str(), made.declared, made.notes.len()), ("refund-again", true, 0));
        let expected = format!(
            "{}\n# from review item {}: pass by ann, check `{}`\n[[case]]\nid = \"refund-again\"\ntags = [\"risky\"]\nuser = [\"I want my money back.\"]\n",
            WITH_CASES.replace("[\"x.jsonl\"]", "[\"x.jsonl\", \"regressions/refund-again.jsonl\"]"),
            item(None).id,
            item(None).key.check
        );
        assert_eq!(folder.suite(), expected);
        let line = fs::read_to_string(made.recording).unwrap();
        let session: Json = serde_json::from_str(&line).unwrap();
        assert_eq!((session["case"].as_str(), session.get("trial")), (Some("refund-again"), None));
        assert_eq!(session["id"], "refund-again");
    }

    #[test]
    fn a_failure_that_a_person_found_counts_unless_somebody_says_how_long_it_is_expected() {
        let folder = Folder::new(WITH_CASES);
        folder.make(&item(Some(Status::Fail))).unwrap();
        assert!(!folder.suite().contains("expected_fail"), "{}", folder.suite());
        let folder = Folder::new(WITH_CASES);
        folder.excused(&item(Some(Status::Fail)), Some(Duration::from_secs(30 * 86_400))).unwrap();
        assert!(folder.suite().contains("expected_fail = { until = \"2023-12-14\", reason = \"from review item "));
    }

    #[test]
    fn what_is_expected_of_the_case_is_expected_of_the_new_one() {
        let expected = "[case.vars]\nn = 3 # three\n[case.reference]\n# Nothing is called.\ntools = [] # none\n\
                        [[case.turn]]\nuser = \"I want my money back.\"\n[case.turn.reference]\nreply = \"Sure!\"\n\
                        [[case]]\nid = \"last\"\n";
        let folder = Folder::new(&format!("{WITH_CASES}{expected}"));
        let made = folder.make(&item(Some(Status::Fail))).unwrap();
        assert_eq!(made.notes, [""; 0]);
        let suite: toml_edit::DocumentMut = folder.suite().parse().unwrap();
        let cases = suite["case"].as_array_of_tables().unwrap();
        let new = cases.iter().last().unwrap();
        assert_eq!((cases.len(), new["id"].as_str(), new.get("user").is_none()), (3, Some("refund-again"), true));
        assert_eq!((new["vars"]["n"].as_integer(), new["reference"]["tools"].as_array().unwrap().len()), (Some(3), 0));
        assert_eq!(new["turn"][0]["reference"]["reply"].as_str(), Some("Sure!"));
        assert!(folder.suite().contains("[case.reference]\n# Nothing is called.\ntools = [] # none"));
    }

    #[test]
    fn what_is_expected_of_the_case_in_another_file_is_named() {
        let folder = Folder::new("[suite]\nname = \"s\"\ncases = \"cases.jsonl\"\n");
        let made = folder.make(&item(Some(Status::Fail))).unwrap();
        assert!(made.notes[0].contains("what another file expects of `refund`"), "{:?}", made.notes);
    }

    #[test]
    fn a_suite_without_cases_gets_the_recording_only() {
        let folder = Folder::new("[suite]\nname = \"s\"\n[recorded]\npaths = [\"regressions/*.jsonl\"]\n");
        let before = folder.suite();
        let made = folder.make(&item(None)).unwrap();
        assert!(!made.declared && made.recording.is_file());
        assert_eq!(folder.suite(), before, "the recording is among those that are read");
    }

    #[test]
    fn a_suite_of_one_version_is_told_that_the_case_has_to_be_recorded_anew() {
        let folder = Folder::new(&format!("{WITH_CASES}[subject]\nagent = \"a\"\nversion = \"1\"\n"));
        let made = folder.make(&item(None)).unwrap();
        assert!(made.notes[0].contains("record the case anew"), "{:?}", made.notes);
        assert!(folder.suite().contains("paths = [\"x.jsonl\"]"));
    }

    #[test]
    fn what_cannot_be_made_changes_nothing() {
        for (suite, why) in [
            ("[fragment]\n", "it has no [suite]"),
            ("[suite\n", "TOML"),
            ("[suite]\nname = \"s\"\n[recorded]\nformat = \"otlp\"\n", "of the format `otlp`"),
            ("[suite]\nname = \"s\"\n[[case]]\nid = \"refund-again\"\n", "a case `refund-again` already"),
            ("[suite]\nname = \"s\"\n[recorded]\npaths = \"x\"\n", "`paths` is not a list"),
        ] {
            let folder = Folder::new(suite);
            let found = folder.make(&item(None)).unwrap_err();
            assert!(found.contains(why), "{suite}: {found}");
            assert_eq!(folder.suite(), suite);
            assert_eq!(fs::read_dir(folder.0.path().join(FOLDER)).map_or(0, Iterator::count), 0, "{suite}");
        }
    }

    #[test]
    fn an_id_is_a_name_of_a_file_whatever_stands_in_it() {
        assert_eq!(file_name("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(file_name("\u{202e}a b"), "-a-b");
    }
}
