//! JSON Schemas as rules use them: compiled once, without any network or file access of their own, and what is wrong
//! with a value in a few words.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use super::build::Build;
use super::light::Lights;
use super::text::quote;
use crate::model::json::tape::Node;
use crate::model::{Evidence, Finding};

/// How many errors a reason lists.
const MOST: usize = 5;

/// Where a schema comes from: written in the suite, or in a file of its own.
pub struct Source {
    /// The schema in the suite.
    pub schema: Option<Value>,
    /// The file.
    pub schema_file: Option<String>,
}

impl Source {
    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.schema.is_none() && self.schema_file.is_none()
    }

    /// Compiles it, or reports why not.
    pub fn compile(self, build: &mut Build<'_>) -> Option<Conform> {
        match (self.schema, self.schema_file) {
            (Some(_), Some(_)) => {
                build.problem(&["schema_file"], "`schema` and `schema_file` exclude each other", None);
                None
            }
            (Some(schema), None) => Conform::new(build, "schema", &schema),
            (None, Some(path)) => {
                let schema = read(build, "schema_file", &path)?;
                Conform::new(build, "schema_file", &schema)
            }
            (None, None) => {
                build.problem(&[], "there is no schema", "give `schema` or `schema_file`".to_owned());
                None
            }
        }
    }
}

/// The JSON of a file named by the parameter at `key`, or a problem there.
pub fn read(build: &mut Build<'_>, key: &str, path: &str) -> Option<Value> {
    let bytes = build.read(key, path)?;
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(e) => {
            build.problem(&[key], format!("`{path}` is not JSON: {e}"), None);
            None
        }
    }
}

/// A compiled JSON Schema.
pub struct Conform {
    schema: Value,
    /// Says whether a text conforms, and no more.
    light: Validator<Lights>,
    /// Says why a value does not. Compiled when the first one does not.
    full: OnceLock<Option<Validator>>,
}

impl Conform {
    /// Compiles a schema, or reports at `key` what is wrong with it. A `$ref` to anything outside of it is refused.
    pub fn new(build: &mut Build<'_>, key: &str, schema: &Value) -> Option<Self> {
        match jsonschema::options_for().offline().build(schema) {
            Ok(light) => Some(Self { schema: schema.clone(), light, full: OnceLock::new() }),
            Err(e) => {
                let at = e.instance_path().as_str();
                let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
                let help = "a schema stands alone: `$ref` may point into it, not elsewhere".to_owned();
                let why = e.to_string();
                let help = (why.contains("$ref") || why.contains("etriev")).then_some(help);
                build.problem(&[key], format!("not a JSON Schema{place}: {why}"), help);
                None
            }
        }
    }

    /// Whether a value plainly conforms. `false` says nothing: it may have to be looked at as a whole.
    ///
    /// Nearly all texts conform, and to say so takes a fraction of what it takes to build a value and to look for errors.
    pub fn plainly(&self, value: Node<'_>) -> bool {
        self.light.is_valid(value)
    }

    /// Passes when the value conforms; else lists the first errors, with a pointer to each under `place`.
    pub fn check(&self, value: &Value, place: &Evidence) -> Finding {
        let compiled = || jsonschema::options().offline().build(&self.schema).ok();
        let Some(full) = self.full.get_or_init(compiled) else {
            return Finding::error("a bug in seatrial: a schema that could be compiled cannot be compiled again");
        };
        if full.is_valid(value) {
            return Finding::pass();
        }
        let mut errors = full.iter_errors(value);
        let first: Vec<_> = errors.by_ref().take(MOST).collect();
        if first.is_empty() {
            return Finding::pass();
        }
        let more = errors.take(1000).count();
        let lines = first.iter().map(|e| {
            let at = e.instance_path().as_str();
            let place = if at.is_empty() { "the whole value" } else { at };
            format!("{place}: {}", shorten(&e.to_string()))
        });
        let mut reason = lines.collect::<Vec<_>>().join("; ");
        if more > 0 {
            reason.push_str(&format!("; and {more} more"));
        }
        let finding = Finding::fail(reason);
        first.iter().fold(finding, |finding, e| finding.with(place.clone().at(e.instance_path().as_str())))
    }
}

/// An error's message; it may hold the value, which may be of any size.
fn shorten(message: &str) -> String {
    match message.char_indices().nth(300) {
        None => message.to_owned(),
        Some((cut, _)) => format!("{}…", &message[..cut]),
    }
}

/// The JSON value of a text, or the finding that says why it is none. Nesting beyond the parser's limit is an error:
/// it is JSON, but could not be looked at.
pub fn parse(text: &str) -> Result<Value, Finding> {
    serde_json::from_str(text).map_err(|e| {
        let why = e.to_string();
        if why.contains("recursion limit") {
            Finding::error("nested too deeply to be looked at")
        } else {
            Finding::fail(format!("not valid JSON: {why}: {}", quote(text)))
        }
    })
}
