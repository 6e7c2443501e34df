//! What lies at hand of what evidence is bound to: files by their digests, suites as they resolve now.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::decisions;
use crate::model::digest::Digest;
use crate::promote::gate::{Run, SuiteEvidence};
use crate::promote::record::file_digest;
use crate::promote::verify::AtHand;
use crate::suite::Suite;
use crate::suite::load::{self, Env};

/// The working directory and what it holds.
pub struct Here<'c> {
    /// Where it is.
    pub context: &'c Context,
    /// Whether the store may be asked, too.
    pub store: bool,
}

/// Names that are listed of each kind of difference.
const LISTED: usize = 10;

impl Here<'_> {
    /// A suite as it is now; `None` when its file is not there.
    pub fn load(&self, was: &SuiteEvidence) -> Result<Option<Suite>, String> {
        let context = self.context;
        let path = PathBuf::from(&was.path);
        if !context.cwd.join(&path).is_file() {
            return Ok(None);
        }
        let vars = |name: &str| std::env::var(name).ok();
        let subject = was.subject.clone();
        let env = Env {
            kit: &context.kit,
            vars: &vars,
            subject,
            redact: &context.redact,
            sessions: None,
            place: crate::suite::RunsIn::Gate,
            every: None,
        };
        let loaded = load::load(&[path], &env).map_err(|problems| problems.render(false).trim().to_owned())?;
        let found = loaded.suites.into_iter().find(|suite| suite.name == was.name);
        found.map(Some).ok_or_else(|| "there is another suite in its place".to_owned())
    }
}

impl AtHand for Here<'_> {
    fn file(&self, path: &Path) -> io::Result<Option<Digest>> {
        let path = self.context.cwd.join(path);
        match std::fs::metadata(&path) {
            // Whatever is no file has no bytes that stay.
            Ok(meta) if meta.is_file() => file_digest(&path).map(Some),
            Ok(_) => Ok(None),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn suite(&self, was: &SuiteEvidence) -> Result<Option<Vec<String>>, String> {
        Ok(self.load(was)?.map(|is| differences(was, &is)))
    }

    fn labels(&self, run: &Run) -> Result<Option<BTreeMap<String, Digest>>, String> {
        let path = self.context.cwd.join(&run.path);
        if !path.is_file() {
            return Ok(None);
        }
        decisions::applied(&path, self.store, self.context).map_err(|why| why.message.trim().to_owned())
    }
}

/// What differs between a suite as it was and as it is.
pub fn differences(was: &SuiteEvidence, is: &Suite) -> Vec<String> {
    let mut found = Vec::new();
    let checks = is.checks.iter().map(|check| (check.id.clone(), check.digest)).collect();
    for (what, was, is) in [("file", &was.files, &is.files), ("check", &was.checks, &checks)] {
        let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
        let changed: Vec<&str> = names.filter(|name| was.get(*name) != is.get(*name)).map(String::as_str).collect();
        if !changed.is_empty() {
            let more = changed.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let listed = changed.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
            let s = if changed.len() == 1 { "" } else { "s" };
            found.push(format!("{what}{s} {listed}{more} changed"));
        }
    }
    if found.is_empty() && was.digest != is.digest {
        found.push("the suite changed".to_owned());
    }
    found
}
