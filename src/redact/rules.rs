//! The rules of redaction: as they are written in a suite and in `seatrial.toml`, and ready to be applied.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::detect::{Detector, Detectors};
use crate::checks::path::Path;
use crate::checks::select::Glob;
use crate::net::scrub::{self, Secrets};

/// The name of what `keys` hide.
pub const KEY: &str = "key";
/// The name of what `paths` hide.
pub const PATH: &str = "path";

/// The name of what was filled in from the environment.
pub const ENV: &str = "env";

/// The variable that holds the key of pseudonyms.
pub const KEY_VARIABLE: &str = "SEATRIAL_REDACT_KEY";

/// The key where the variable is not set. Everyone knows it: whoever can guess an id can check the guess.
const DEFAULT_KEY: &str = "seatrial";

/// `[redact]` as it is written: what is taken out of everything that is written or sent. Checks see the session as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactTable {
    /// Detectors, as in `detect`: what they find becomes `[redacted:<detector>]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<String>,
    /// Globs over JSON keys and names of attributes, whatever their case: the values become `[redacted:key]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Paths into a session in seatrial's own format: the values become `[redacted:path]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Which ids are replaced by stable pseudonyms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pseudonyms: Vec<Pseudonym>,
    /// Whether judges are shown no more than may be written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub judge: bool,
}

/// An id that is replaced by a stable pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pseudonym {
    /// The session's id; also that of its case, where the case is named after it.
    Session,
    /// The user or user group.
    User,
}

impl Pseudonym {
    /// The name in suites.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
        }
    }
}

impl RedactTable {
    /// Whether it hides nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The rules of both, each once and in order.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        fn both<T: Ord + Clone>(a: &[T], b: &[T]) -> Vec<T> {
            a.iter().chain(b).cloned().collect::<BTreeSet<T>>().into_iter().collect()
        }
        Self {
            detectors: both(&self.detectors, &other.detectors),
            keys: both(&self.keys, &other.keys),
            paths: both(&self.paths, &other.paths),
            pseudonyms: both(&self.pseudonyms, &other.pseudonyms),
            judge: self.judge || other.judge,
        }
    }
}

/// What the record says of redaction: the rules in force, and which key pseudonyms were made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedactPlan {
    /// The rules of the suite and of the settings together.
    #[serde(flatten)]
    pub rules: RedactTable,
    /// What tells one key of pseudonyms from another, and nothing else of it.
    pub key: String,
}

/// Something wrong with the rules: where in the table, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// The key, and the position in its list.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The rules, compiled.
#[derive(Debug)]
pub struct Rules {
    pub(super) detectors: Vec<Detector>,
    keys: Vec<Glob>,
    pub(super) paths: Vec<Path>,
    pub(super) session: bool,
    pub(super) user: bool,
    key: [u8; 32],
    /// What was filled in from the environment.
    pub(super) secrets: Secrets,
    pub(super) plan: RedactPlan,
}

impl Default for Rules {
    /// Rules that hide nothing but what was filled in from the environment.
    fn default() -> Self {
        let (key, fingerprint) = keys_of(None);
        Self {
            detectors: Vec::new(),
            keys: Vec::new(),
            paths: Vec::new(),
            session: false,
            user: false,
            key,
            secrets: Secrets::of_process().clone(),
            plan: RedactPlan { rules: RedactTable::default(), key: fingerprint },
        }
    }
}

impl Rules {
    /// Compiles rules. `secret` is the key of pseudonyms, where one is given.
    ///
    /// # Errors
    /// Every detector that there is not, every glob and path that is none.
    pub fn compile(table: &RedactTable, detectors: &Detectors, secret: Option<&str>) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let mut problem = |list: &str, i: usize, message: String, help: Option<String>| {
            problems.push(RuleProblem { path: vec![list.to_owned(), i.to_string()], message, help });
        };
        let mut found = Vec::new();
        for (i, name) in table.detectors.iter().enumerate() {
            match detectors.get(name) {
                Some(detector) => found.push(detector),
                None => {
                    let known = || detectors.iter().map(|d| format!("`{}`", d.name())).collect::<Vec<_>>().join(", ");
                    let help = match detectors.nearest(name) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known detectors: {}; custom ones are declared in seatrial.toml", known()),
                    };
                    problem("detectors", i, format!("there is no detector `{name}`"), Some(help));
                }
            }
        }
        let mut keys = Vec::new();
        for (i, source) in table.keys.iter().enumerate() {
            match Glob::new(&source.to_lowercase()) {
                Ok(_) if source.trim().is_empty() => {
                    problem("keys", i, "an empty name hides nothing".to_owned(), None);
                }
                Ok(glob) => keys.push(glob),
                Err(why) => problem("keys", i, format!("`{source}` is {why}"), None),
            }
        }
        let mut paths = Vec::new();
        for (i, source) in table.paths.iter().enumerate() {
            match Path::parse(source) {
                Ok(path) => paths.push(path),
                Err(why) => {
                    let help = "a path into a session, such as `user` or `$.turns[*].spans[*].input.card`".to_owned();
                    problem("paths", i, why, Some(help));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (key, fingerprint) = keys_of(secret);
        Ok(Self {
            detectors: found,
            keys,
            paths,
            session: table.pseudonyms.contains(&Pseudonym::Session),
            user: table.pseudonyms.contains(&Pseudonym::User),
            key,
            secrets: Secrets::of_process().clone(),
            plan: RedactPlan { rules: table.clone(), key: fingerprint },
        })
    }

    /// Whether anything is to be hidden.
    pub(super) fn is_on(&self) -> bool {
        !self.plan.rules.is_empty() || !self.secrets.is_empty()
    }

    /// Whether there are keys whose values are hidden.
    pub(super) fn hides_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether the values under a key or attribute are hidden.
    pub(super) fn hides_key(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        self.keys.iter().any(|glob| glob.is_match(&key))
    }

    /// Whether something may be hidden for where it stands, which cannot be told of what could not be read.
    pub(super) fn hides_by_place(&self) -> bool {
        !self.keys.is_empty() || !self.paths.is_empty()
    }

    /// What keeps a name apart from others, once what is in it is hidden.
    pub(super) fn suffix(&self, name: &str) -> String {
        format!("~{}", self.hash(name))
    }

    /// The pseudonym of an id.
    pub(super) fn pseudonym(&self, kind: Pseudonym, id: &str) -> String {
        format!("{}~{}", kind.name(), self.hash(id))
    }

    fn hash(&self, text: &str) -> String {
        letters(blake3::keyed_hash(&self.key, text.as_bytes()).as_bytes())
    }
}

/// The key of pseudonyms, and what tells it from another.
fn keys_of(secret: Option<&str>) -> ([u8; 32], String) {
    let key = blake3::derive_key("seatrial pseudonyms 1", secret.unwrap_or(DEFAULT_KEY).as_bytes());
    let fingerprint = letters(&blake3::derive_key("seatrial pseudonyms 1: which key", &key));
    (key, fingerprint)
}

/// 64 bits of a hash in small letters: no detector takes them for a number or a token.
fn letters(hash: &[u8]) -> String {
    hash.iter().take(8).flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(b'a' + n)).collect()
}

/// What stands where a rule took something out.
pub fn marker(by: &str) -> String {
    if by == ENV { scrub::MARKER.to_owned() } else { format!("{}{by}]", super::text::OPEN) }
}
