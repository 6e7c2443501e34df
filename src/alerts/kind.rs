//! How the keys of an alert become a rule, and how what is wrong with them is reported.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::de::Deserializer;

use super::Rule;
use crate::checks::build::BuildProblem;
use crate::model::duration;

/// What a rule is set up with, and where it reports problems.
pub struct Setup<'s> {
    /// The length of a window.
    pub every: Duration,
    /// The ids of the suite's checks that an alert can be about.
    pub checks: &'s [String],
    /// Where days begin at midnight.
    pub zone: TimeZone,
    /// Whether `[watch.sample]` limits what is looked at.
    pub budgeted: bool,
    /// What is wrong so far; paths are within the alert's table.
    pub problems: Vec<BuildProblem>,
}

impl Setup<'_> {
    /// Reports a problem at a path within the alert's table.
    pub fn problem(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        let path = path.iter().map(|s| (*s).to_owned()).collect();
        self.problems.push(BuildProblem { path, message: message.into(), help: help.into(), warning: false });
    }

    /// A duration that is written, or `default`; it covers whole windows. `None` after a problem was reported.
    pub fn span(&mut self, key: &str, written: Option<&str>, default: Duration) -> Option<Duration> {
        let Some(text) = written else { return Some(default.max(self.every)) };
        let read = match duration::parse(text) {
            Ok(read) => read,
            Err(message) => {
                self.problem(&[key], message, "write it as `\"5m\"`, `\"1h\"` or `\"7d\"`".to_owned());
                return None;
            }
        };
        if read < self.every || read.as_millis() % self.every.as_millis().max(1) != 0 {
            let every = words(self.every);
            let message = format!("`{key}` is not a whole number of windows, which are {every} long");
            self.problem(&[key], message, "`every` of [watch] says how long windows are".to_owned());
            return None;
        }
        Some(read)
    }

    /// Reports a number that is not within `from..to`.
    pub fn within(&mut self, key: &str, value: f64, range: std::ops::Range<f64>, help: &str) -> bool {
        let sound = value.is_finite() && range.contains(&value);
        if !sound {
            let message = format!("`{key}` is a number from {} to below {}", range.start, range.end);
            self.problem(&[key], message, help.to_owned());
        }
        sound
    }
}

/// A duration as it is written: `5m`, `1h30m`.
pub fn words(duration: Duration) -> String {
    let mut left = duration.as_millis();
    let mut out = String::new();
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= ms {
            out.push_str(&format!("{}{unit}", left / ms));
            left %= ms;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// What a kind's parameter struct implements. Its doc comment is the documentation of the kind, its fields' doc comments
/// are those of the keys.
pub trait AlertParams: DeserializeOwned + JsonSchema + 'static {
    /// The name in `kind = "..."`.
    const NAME: &'static str;
    /// An `[[alert]]`, shown by `seatrial explain watch`.
    const EXAMPLE: &'static str;
    /// Makes the rule, and reports everything that can be known to be wrong: one that can never fire among it. `None`
    /// after a problem was reported.
    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>>;
}

/// A kind: an entry of the registry.
pub struct Kind {
    /// The name in `kind = "..."`.
    pub name: &'static str,
    /// An `[[alert]]`.
    pub example: &'static str,
    /// The JSON Schema of its keys besides those of every alert.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// The rule that a table (without what is common to all) describes.
    pub from_toml: fn(Deserializer<'_>, &mut Setup<'_>) -> Result<Made, toml::de::Error>,
}

/// A rule, or `None` when problems were reported instead.
pub type Made = Option<Arc<dyn Rule>>;

/// The entry of a kind.
pub const fn entry<P: AlertParams>() -> Kind {
    Kind {
        name: P::NAME,
        example: P::EXAMPLE,
        schema: |generator| P::json_schema(generator),
        from_toml: |table, setup| Ok(P::deserialize(table)?.build(setup)),
    }
}

/// The kind with this name.
pub fn named(name: &str) -> Option<&'static Kind> {
    super::KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["5m", "1h30m", "7d", "250ms", "1d1s"] {
            assert_eq!(words(duration::parse(text).unwrap()), text);
        }
        assert_eq!(words(Duration::ZERO), "0s");
    }
}
