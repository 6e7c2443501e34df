//! A suite as workers get it: its files and what the settings lend it, under the digest of all of it.
//!
//! A worker loads the suite anew from the files and plans it as whoever asks has planned it. Where the two plans differ,
//! by the digests of suites, checks and files, it refuses the work: verdicts of two versions never mix.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::frame::{self, Frame};
use crate::checks::build::Kit;
use crate::checks::detect::Detectors;
use crate::checks::jinja::Template;
use crate::checks::prices::{Price, Prices};
use crate::checks::select::Glob;
use crate::eval::event::{Plan, SuitePlan};
use crate::eval::plan::Planned;
use crate::eval::same;
use crate::model::digest::Digest;
use crate::redact::RedactTable;
use crate::suite::filter::Filter;
use crate::suite::load::{self, Env};
use crate::suite::redact::Given;
use crate::suite::watch::watched;
use crate::suite::{RunsIn, Subject, Suite};

/// The version of seatrial, which workers must share with those who ask.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the settings and the command line lend a suite.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lent {
    /// Detectors of the user's own: names and regular expressions.
    pub detectors: Vec<(String, String)>,
    /// Prices of the user's own, in their order.
    pub prices: Vec<(String, Price)>,
    /// `[redact]` of the settings.
    pub redact: RedactTable,
    /// `--subject`.
    pub subject: Option<Subject>,
    /// `--filter`.
    pub filter: Option<String>,
}

/// A bundle but for the contents of its files.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: String,
    /// It is for watching.
    watch: bool,
    /// The suite's own file, of those below.
    path: PathBuf,
    /// The files, by where they lie.
    files: Vec<PathBuf>,
    /// The environment variables that stand in their names.
    vars: BTreeMap<String, String>,
    lent: Lent,
    /// What came of it where it was packed.
    plan: SuitePlan,
}

/// Why a suite cannot be spread over workers, if so.
pub fn cannot(planned: &Planned<'_>) -> Option<String> {
    let mut active = planned.suite.checks.iter().zip(&planned.plan.checks).filter(|(_, plan)| !plan.inactive);
    let (check, _) = active.find(|(check, _)| !check.asks.is_empty())?;
    Some(format!(
        "suite `{}`: the check `{}` asks a model or an earlier run, and workers judge by what is in a session alone: run \
         it without --on, or leave such checks out with --filter",
        planned.plan.name, check.id
    ))
}

/// Packs a suite, and everything that was read for it.
///
/// # Errors
/// A file cannot be had any more, or is not what the suite was made of.
pub fn pack(
    planned: &Planned<'_>,
    cwd: &Path,
    lent: Lent,
    watch: bool,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, String> {
    let suite = planned.suite;
    let path = lexical(&cwd.join(&suite.path));
    let dir = path.parent().unwrap_or(Path::new("/"));
    let (mut files, mut contents, mut used) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (name, digest) in &suite.files {
        let at = lexical(&dir.join(filled(name, vars, &mut used)?));
        // What settings lend is called `[prices]` and the like.
        if name.starts_with('[') && !at.exists() {
            continue;
        }
        let why = |why: String| format!("suite `{}`: `{name}` cannot be sent to workers: {why}", suite.name);
        let bytes = std::fs::read(&at).map_err(|e| why(e.to_string()))?;
        if Digest::of(&bytes) != *digest {
            return Err(why("it has changed since it was read".to_owned()));
        }
        files.push(at);
        contents.push(bytes);
    }
    // Workers read no recordings, but the suite is only whole with the names of these.
    for written in &suite.recorded.written {
        filled(written, vars, &mut used)?;
    }
    let plan = planned.plan.clone();
    let head = Head { version: VERSION.to_owned(), watch, path, files, vars: used, lent, plan };
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    frame::pack(&head, &contents).map_err(|why| format!("suite `{}`: {why}", suite.name))
}

/// The name of a file with environment variables in place; which they are is added to `used`.
fn filled(
    name: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    used: &mut BTreeMap<String, String>,
) -> Result<String, String> {
    if !Template::is_in(name) {
        return Ok(name.to_owned());
    }
    let template = Template::parse(name).map_err(|why| format!("`{name}`: {}", why.message))?;
    let mut values = BTreeMap::new();
    for variable in template.names(true).iter().filter_map(|name| name.strip_prefix("env.")) {
        let value = vars(variable).ok_or_else(|| format!("`{name}`: {variable} is not set"))?;
        used.insert(variable.to_owned(), value.clone());
        values.insert(variable.to_owned(), minijinja::Value::from(value));
    }
    let env = minijinja::Value::from_pairs(values);
    match template.render(&minijinja::Value::from_pairs([("env", env)])) {
        Ok(serde_json::Value::String(path)) => Ok(path),
        Ok(other) => Err(format!("`{name}` is {other}, which is no name of a file")),
        Err(why) => Err(format!("`{name}`: {why}")),
    }
}

/// A path without `.` and `..`, by its text alone.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean
}

/// What a worker has of its own.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// The key of pseudonyms.
    pub key: Option<String>,
}

/// A suite that was loaded from a bundle.
pub struct Loaded {
    suite: Suite,
    filter: Option<Filter>,
    /// Where its files are; checks may start programs there.
    _dir: tempfile::TempDir,
}

impl Loaded {
    /// Loads a suite from a bundle.
    ///
    /// # Errors
    /// Why the work must be refused.
    pub fn load(bundle: &[u8], own: &Own) -> Result<Self, String> {
        let frame = Frame::unpack(bundle).map_err(|why| why.to_string())?;
        let head: Head = frame.head().map_err(|why| why.to_string())?;
        if head.version != VERSION {
            return Err(format!("it asks for seatrial {}, and this is {VERSION}", head.version));
        }
        let dir = tempfile::Builder::new().prefix("seatrial-suite-").tempdir();
        let dir = dir.map_err(|why| format!("no folder for its files: {why}"))?;
        let put = |why: std::io::Error| format!("its files could not be written: {why}");
        for (index, path) in head.files.iter().enumerate() {
            let at = below(dir.path(), path)?;
            let content = frame.part(index).map_err(|why| why.to_string())?;
            if let Some(folder) = at.parent() {
                std::fs::create_dir_all(folder).map_err(put)?;
            }
            std::fs::write(&at, content).map_err(put)?;
        }
        let path = below(dir.path(), &head.path)?;
        let suite = suite(dir.path(), path, &head, own)?;
        let filter = head.lent.filter.as_deref().map(Filter::parse).transpose().map_err(|why| why.to_string())?;
        let loaded = Self { suite, filter, _dir: dir };
        loaded.same_as(head.plan)?;
        Ok(loaded)
    }

    /// The suite with its plan.
    pub fn planned(&self) -> Option<Planned<'_>> {
        Planned::new(&self.suite, self.filter.as_ref())
    }

    /// Requires that what came of it here is what came of it there.
    fn same_as(&self, there: SuitePlan) -> Result<(), String> {
        let here = self.planned().ok_or("nothing of it is to be evaluated here")?;
        if let Some(why) = cannot(&here) {
            return Err(why);
        }
        let plan = |suite: SuitePlan| Plan {
            as_of: None,
            filter: None,
            rerun: None,
            shard: None,
            settings: BTreeMap::new(),
            suites: vec![suite],
        };
        let mine = here.plan.clone();
        let keys = (there.redact.as_ref().map(|r| &r.key), mine.redact.as_ref().map(|r| &r.key));
        if keys.0 != keys.1 {
            return Err("it makes pseudonyms with another key: give workers the same SEATRIAL_REDACT_KEY".to_owned());
        }
        if (there.digest, &there.columns) != (mine.digest, &mine.columns) {
            let found = same::differences(&plan(there), &plan(mine), "what is asked for", "what this worker has");
            let found = if found.is_empty() { "its digest is another one".to_owned() } else { found.join("; ") };
            return Err(format!("it is another version of the suite: {found}"));
        }
        Ok(())
    }
}

/// Loads the suite of a bundle whose files are in place.
fn suite(dir: &Path, path: PathBuf, head: &Head, own: &Own) -> Result<Suite, String> {
    let mut detectors = Detectors::builtin();
    for (name, pattern) in &head.lent.detectors {
        let pattern = Regex::new(pattern).map_err(|why| format!("the detector `{name}`: {why}"))?;
        detectors = detectors.with_custom(name, pattern);
    }
    let price = |(model, price): &(String, Price)| -> Result<_, String> { Ok((Glob::new(model)?, *price)) };
    let prices = head.lent.prices.iter().map(price).collect::<Result<Vec<_>, _>>()?;
    let kit = Arc::new(Kit { detectors, prices: Arc::new(Prices::new(prices)), ..Kit::default() });
    let vars = |name: &str| {
        let value = head.vars.get(name)?;
        // A folder, or a file, of those who asked is below this one here.
        match Path::new(value).is_absolute() {
            true => Some(below(dir, Path::new(value)).ok()?.to_string_lossy().into_owned()),
            false => Some(value.clone()),
        }
    };
    let env = Env {
        kit: &kit,
        vars: &vars,
        subject: head.lent.subject.clone(),
        redact: &Given { rules: head.lent.redact.clone(), key: own.key.clone() },
        // Where sessions are is the business of those who ask.
        sessions: Some(vec!["-".to_owned()]),
        place: if head.watch { RunsIn::Watch } else { RunsIn::Gate },
        every: None,
    };
    let loaded = load::load(&[path], &env).map_err(|problems| problems.render(false))?;
    let suite = loaded.suites.into_iter().next().ok_or_else(|| "there is no suite in it".to_owned())?;
    Ok(if head.watch { watched(suite) } else { suite })
}

/// Where a file of a bundle is put: below a folder, whatever it is called.
fn below(dir: &Path, path: &Path) -> Result<PathBuf, String> {
    let mut at = dir.to_owned();
    for part in path.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => {}
            Component::Normal(name) => at.push(name),
            Component::CurDir | Component::ParentDir => {
                return Err(format!("`{}` is no place for a file", path.display()));
            }
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "[suite]\nname = \"s\"\n[recorded]\npaths = [\"x.jsonl\"]\n[[session]]\nid = \"a\"\ncheck = \"contains\"\n\
                         value = \"good\"\n[[turn]]\nid = \"j\"\ncheck = \"json\"\nschema_file = \"{{ env.MORE }}/s.json\"\n";

    fn bundle(dir: &Path) -> Result<Vec<u8>, String> {
        std::fs::create_dir_all(dir.join("suites")).unwrap();
        std::fs::create_dir_all(dir.join("more")).unwrap();
        std::fs::write(dir.join("suites/s.toml"), SUITE).unwrap();
        std::fs::write(dir.join("more/s.json"), "{}").unwrap();
        let kit = Arc::default();
        let more = dir.join("more").display().to_string();
        let vars = |name: &str| (name == "MORE").then(|| more.clone());
        let env = Env {
            kit: &kit,
            vars: &vars,
            subject: None,
            redact: &Given::default(),
            sessions: None,
            place: RunsIn::Gate,
            every: None,
        };
        let suite = load::load(&[dir.join("suites/s.toml")], &env).map_err(|p| p.render(false))?.suites.remove(0);
        let planned = Planned::new(&suite, None).ok_or("nothing planned")?;
        pack(&planned, Path::new("/"), Lent::default(), false, &vars)
    }

    #[test]
    fn a_suite_that_was_packed_is_the_same_where_none_of_its_files_are() {
        let dir = tempfile::tempdir().unwrap();
        let packed = bundle(dir.path()).unwrap();
        drop(dir);
        let loaded = Loaded::load(&packed, &Own::default()).unwrap();
        assert_eq!(loaded.planned().unwrap().plan.checks.len(), 2);
    }

    #[test]
    fn a_bundle_of_another_version_or_of_another_suite_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let packed = bundle(dir.path()).unwrap();
        let frame = Frame::unpack(&packed).unwrap();
        let parts: Vec<&[u8]> = (0..frame.len()).map(|i| frame.part(i).unwrap()).collect();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut head: serde_json::Value = frame.head().unwrap();
            change(&mut head);
            Loaded::load(&frame::pack(&head, &parts).unwrap(), &Own::default()).err().unwrap()
        };
        let why = refused(&|head| head["version"] = "0.0.9".into());
        assert!(why.contains("it asks for seatrial 0.0.9"), "{why}");
        let zeros = format!("sha256:{}", "0".repeat(64));
        let why = refused(&|head| head["plan"]["digest"] = zeros.clone().into());
        assert!(why.contains("another version of the suite"), "{why}");
        let why = refused(&|head| head["path"] = "/../etc/x.toml".into());
        assert!(why.contains("no place for a file"), "{why}");
    }

    #[test]
    fn a_file_that_changed_since_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        bundle(dir.path()).unwrap();
        let kit = Arc::default();
        let redact = Given::default();
        let vars = |name: &str| (name == "MORE").then(|| "../more".to_owned());
        let env = Env {
            kit: &kit,
            vars: &vars,
            subject: None,
            redact: &redact,
            sessions: None,
            place: RunsIn::Gate,
            every: None,
        };
        let suite = load::load(&[dir.path().join("suites/s.toml")], &env).map_err(|p| p.render(false)).unwrap();
        let planned = Planned::new(&suite.suites[0], None).unwrap();
        std::fs::write(dir.path().join("more/s.json"), "{ }").unwrap();
        let why = pack(&planned, Path::new("/"), Lent::default(), false, &vars).unwrap_err();
        assert!(why.contains("`{{ env.MORE }}/s.json` cannot be sent to workers: it has changed"), "{why}");
    }
}
