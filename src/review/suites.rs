//! The folder of suites in which people make regression cases while they review: which file is the suite of an item, and
//! one case after the other.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml_edit::DocumentMut;

use super::regression::{self, Made, Making, RegressionError};
use crate::ledger::{Item, Millis};
use crate::suite::load;

/// A folder of suites.
#[derive(Debug)]
pub struct Suites {
    folder: PathBuf,
    /// Two cases of one suite are written one after the other: each is made of the file as the other left it.
    turn: Mutex<()>,
}

/// A case that was made, with the suite's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeIn {
    /// The suite's file.
    pub suite: PathBuf,
    /// What was made.
    pub made: Made,
}

/// Why no case was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// No file, or more than one, is the item's suite.
    #[error("{0}")]
    Suite(String),
    /// The case cannot be made of it.
    #[error(transparent)]
    Regression(#[from] RegressionError),
}

impl Suites {
    /// Those of a folder.
    ///
    /// # Errors
    /// That it is none.
    pub fn of(folder: PathBuf) -> Result<Self, String> {
        if folder.is_dir() {
            return Ok(Self { folder, turn: Mutex::default() });
        }
        Err(format!("`--suites {}`: there is no such folder", folder.display()))
    }

    /// The file of a suite, by the suite's name.
    ///
    /// # Errors
    /// That there is none, or more than one, in words.
    pub fn file(&self, name: &str) -> Result<PathBuf, String> {
        let (mut found, mut unread) = (Vec::new(), Vec::new());
        for file in load::files_in(&self.folder) {
            match file.map_err(|why| why.to_string()).and_then(|path| Ok((name_in(&path)?, path))) {
                Ok((Some(known), path)) if known == name => found.push(path),
                Ok(_) => {}
                Err(why) => unread.push(why),
            }
        }
        let shown: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
        match <[PathBuf; 1]>::try_from(found) {
            Ok([path]) => Ok(path),
            Err(found) if found.is_empty() => {
                let but = if unread.is_empty() { String::new() } else { format!(" (not read: {})", unread.join("; ")) };
                Err(format!("no suite in {} is called `{name}`{but}", self.folder.display()))
            }
            Err(_) => Err(format!("more than one suite is called `{name}`: {}", shown.join(", "))),
        }
    }

    /// Makes a regression case of an item in its suite: `session` is its line, as it may be written.
    ///
    /// # Errors
    /// Why not; then nothing was written.
    pub fn make(&self, item: &Item, session: &[u8], now: Millis) -> Result<MadeIn, CaseError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let suite = self.file(&item.key.suite).map_err(CaseError::Suite)?;
        let making = Making { item, session, suite: &suite, id: None, now, expect_fail: None };
        Ok(MadeIn { made: regression::make(&making)?, suite })
    }
}

/// The name of the suite in a file; `None` where it is a fragment.
fn name_in(path: &Path) -> Result<Option<String>, String> {
    let told = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|why| told(why.to_string()))?;
    let document: DocumentMut = text.parse().map_err(|_| told("it is no TOML".to_owned()))?;
    Ok(document.get("suite").and_then(|suite| suite.get("name")?.as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Suites) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let suites = Suites::of(dir.path().to_owned()).unwrap();
        (dir, suites)
    }

    #[test]
    fn a_suite_is_found_by_its_name_wherever_it_is_in_the_folder() {
        let (dir, suites) = folder(&[
            ("a.toml", "[suite]\nname = \"a\"\n"),
            ("deep/b.toml", "[suite]\nname = \"b\"\n"),
            ("fragment.toml", "[[session]]\nid = \"x\"\n"),
            ("seatrial.toml", "[suite]\nname = \"b\"\n"),
            (".hidden/b.toml", "[suite]\nname = \"b\"\n"),
            ("broken.toml", "[suite\n"),
        ]);
        assert_eq!(suites.file("b"), Ok(dir.path().join("deep/b.toml")));
        let why = suites.file("c").unwrap_err();
        assert!(why.contains("is called `c`") && why.contains("broken.toml: it is no TOML"), "{why}");
    }

    #[test]
    fn two_suites_of_one_name_are_none() {
        let (_dir, suites) = folder(&[("a.toml", "[suite]\nname = \"a\"\n"), ("b.toml", "[suite]\nname = \"a\"\n")]);
        let why = suites.file("a").unwrap_err();
        assert!(why.contains("more than one suite") && why.contains("a.toml") && why.contains("b.toml"), "{why}");
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let (dir, _) = folder(&[("a.toml", "")]);
        assert!(Suites::of(dir.path().join("a.toml")).is_err() && Suites::of(dir.path().join("b")).is_err());
    }
}
