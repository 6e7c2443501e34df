//! How a check's parameters become a compiled check, and how what is wrong with them is reported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::Compiled;
use super::askable::{Askable, Asked};
use super::detect::Detectors;
use super::expect::Wanted;
use super::prices::Prices;
use crate::model::Level;

/// Reads the files that a suite names. Implementations record what was read, for the suite's digest.
pub trait Files {
    /// The content of `path`, which is relative to the file that names it.
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String>;
    /// Where `path` is, for what is read later.
    fn locate(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Something wrong with a check's parameters, at a path within its table (such as `["is", "$matches"]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProblem {
    /// Keys and array indices from the check's table down to the value; empty for the table as a whole.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// A warning does not stop the suite from loading.
    pub warning: bool,
}

/// What the settings lend to checks.
#[derive(Clone, Default)]
pub struct Kit {
    /// The detectors that `detect` may name.
    pub detectors: Detectors,
    /// What tokens cost.
    pub prices: Arc<Prices>,
    /// Whom a check may ask.
    pub askable: Askable,
    /// Whom alerts may tell, by name; `None` where nobody knows.
    pub channels: Option<Vec<String>>,
}

/// What a check may use while it is compiled, and where it reports problems.
pub struct Build<'b> {
    /// The level it is declared at.
    pub level: Level,
    /// Reads files named by parameters.
    pub files: &'b dyn Files,
    /// What the settings lend it.
    pub kit: &'b Kit,
    /// What is wrong so far.
    pub problems: Vec<BuildProblem>,
}

impl Build<'_> {
    /// Reports a problem at a path within the check's table.
    pub fn problem(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.add(path, message.into(), help.into(), false);
    }

    /// Reports something that is probably not meant, at a path within the check's table.
    pub fn warn(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.add(path, message.into(), help.into(), true);
    }

    fn add(&mut self, path: &[&str], message: String, help: Option<String>, warning: bool) {
        let path = path.iter().map(|s| (*s).to_owned()).collect();
        self.problems.push(BuildProblem { path, message, help, warning });
    }

    /// Reads a file named by the parameter at `key`; a problem there when it cannot be read.
    pub fn read(&mut self, key: &str, path: &str) -> Option<Arc<[u8]>> {
        match self.files.read(&PathBuf::from(path)) {
            Ok(bytes) => Some(bytes),
            Err(why) => {
                self.problem(&[key], why, None);
                None
            }
        }
    }
}

/// What a rule's parameter struct implements. Its doc comment is the rule's documentation, its fields' doc comments
/// are the documentation of the parameters.
pub trait Params: DeserializeOwned + JsonSchema + 'static {
    /// The name in `check = "..."`.
    const NAME: &'static str;
    /// The levels it works at.
    const LEVELS: &'static [Level];
    /// At least one example, shown by `seatrial explain` and run by the tests.
    const EXAMPLES: &'static [Example];
    /// What the examples are answered, of a rule that asks outside: the first that fits.
    const ANSWERS: &'static [Answered] = &[];
    /// Parameters whose templates the rule renders itself, subject by subject: what they render to is looked up and
    /// compiles nothing anew.
    const RENDERS: &'static [&'static str] = &[];
    /// Parameters that name files (one, or a list of them), beside those whose name ends in `_file`.
    const FILES: &'static [&'static str] = &[];
    /// Compiles the parameters; `None` after a problem was reported. Called once for literal parameters, once per
    /// distinct rendering for templated ones.
    fn build(self, build: &mut Build<'_>) -> Option<Compiled>;
    /// Whether a check with these parameters depends on the price table, which is then part of its digest.
    fn priced(_parameters: &serde_json::Value) -> bool {
        false
    }
    /// Whom a check with these parameters asks by name: what stands behind the names is part of its digest.
    fn asks(_parameters: &serde_json::Value) -> Vec<Asked> {
        Vec::new()
    }
    /// What of a reference a check with these parameters cannot do without, beside what its templates read.
    fn wants(_parameters: &serde_json::Value) -> Option<Wanted> {
        None
    }
    /// Names of tools that the check is about. One that is neither seen in any session of the run nor listed in
    /// `[suite] tools` makes the check an error: a misspelled "never called" must not pass for ever.
    fn tool_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A check with a session (or several, for system checks) that passes it and one that fails it.
pub struct Example {
    /// The check, as a TOML table such as `[[span]]`.
    pub check: &'static str,
    /// Sessions in seatrial's own format, one a line, that pass.
    pub passes: &'static str,
    /// Sessions that fail.
    pub fails: &'static str,
}

/// What an example is answered by whom its check asks: a made-up reply of a model, which the tests give.
pub struct Answered {
    /// What the question holds: a part of a prompt, or the whole of a text that is embedded.
    pub when: &'static str,
    /// The reply: of a judge its JSON, of embeddings a list of numbers.
    pub says: &'static str,
}

/// A compiled check, or `None` when problems were reported instead, with the tool names it is about.
pub type Built = Option<(Compiled, Vec<String>)>;

/// A rule: an entry of the registry. Plain data and function pointers.
pub struct Rule {
    /// The name in `check = "..."`.
    pub name: &'static str,
    /// The levels it works at.
    pub levels: &'static [Level],
    /// Its examples.
    pub examples: &'static [Example],
    /// What the examples are answered.
    pub answers: &'static [Answered],
    /// Parameters whose templates it renders itself.
    pub renders: &'static [&'static str],
    /// Parameters that name files, beside those whose name ends in `_file`.
    pub files: &'static [&'static str],
    /// Whether a check with these parameters depends on the price table.
    pub priced: fn(&serde_json::Value) -> bool,
    /// Whom a check with these parameters asks by name.
    pub asks: fn(&serde_json::Value) -> Vec<Asked>,
    /// What of a reference a check with these parameters cannot do without, beside what its templates read.
    pub wants: fn(&serde_json::Value) -> Option<Wanted>,
    /// JSON Schema of its own parameters; the `description`s in it are its documentation.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Compiles it from TOML, with exact positions in errors.
    pub from_toml: fn(toml::de::Deserializer<'_>, &mut Build<'_>) -> Result<Built, toml::de::Error>,
    /// Compiles it from JSON: a table whose templates have been rendered, or one kept in a run record.
    pub from_json: fn(serde_json::Value, &mut Build<'_>) -> Result<Built, serde_json::Error>,
}

/// The registry entry of a parameter struct.
pub const fn rule<P: Params>() -> Rule {
    Rule {
        name: P::NAME,
        levels: P::LEVELS,
        examples: P::EXAMPLES,
        answers: P::ANSWERS,
        renders: P::RENDERS,
        files: P::FILES,
        priced: P::priced,
        asks: P::asks,
        wants: P::wants,
        schema: |generator| P::json_schema(generator),
        from_toml: |table, build| P::deserialize(table).map(|params| compile(params, build)),
        from_json: |table, build| serde_json::from_value::<P>(table).map(|params| compile(params, build)),
    }
}

fn compile<P: Params>(params: P, build: &mut Build<'_>) -> Built {
    let names = params.tool_names();
    let compiled = params.build(build)?;
    build.problems.iter().all(|p| p.warning).then_some((compiled, names))
}
