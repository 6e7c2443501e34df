//! `[gate]`: what decides, read from a suite and its fragments and laid over each other key by key.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use toml::de::{DeArray, DeTable, DeValue};

use super::baseline::{self, BaselineTable};
use super::correct;
use super::paths::Vars;
use super::raw::{Missing, Pos, Sink, read_rest, span_at};
use super::{Gate, GateGroup, Limit, PassRate, Reliability, Require};

/// `[gate]` as it is written. A key that is absent keeps what a fragment says, or the default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateTable {
    /// The share of cases that must pass; `{ min = 1.0 }` unless given.
    pub pass_rate: Option<PassRate>,
    /// pass^k over the trials of each case.
    pub reliability: Option<Reliability>,
    /// Files and elements that could not be used: an integer is a count, a float a share. 0 unless given.
    pub max_left_out: Option<Limit>,
    /// Declared cases without a session: an integer is a count, a float a share. 0 unless given.
    pub max_missing_cases: Option<Limit>,
    /// Cases that could not be measured: an integer is a count, a float a share. 0 unless given.
    pub max_error_rate: Option<Limit>,
    /// Cases that the suite skips: an integer is a count, a float a share. 0 unless given.
    pub max_skip_rate: Option<Limit>,
    /// Stricter bars for tags.
    pub group: Option<Vec<GroupTable>>,
    /// The run that this one must not be worse than.
    pub baseline: Option<BaselineTable>,
    /// The export with the labels for `correct`, relative to this file; without it they are read from the store.
    pub labels: Option<String>,
}

/// `[[gate.group]]` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupTable {
    /// The tag.
    pub tag: String,
    /// The share of its cases that must pass.
    pub pass_rate: Option<PassRate>,
    /// pass^k over its cases.
    pub reliability: Option<Reliability>,
    /// With a baseline: how much lower the share of its passing cases may be.
    pub margin: Option<f64>,
}

/// Lays a `[gate]` table over what fragments said before. `dir` is the folder of its file.
pub(super) fn overlay(
    gate: &mut Gate,
    table: &DeTable<'_>,
    whole: &Pos,
    (dir, vars): (&Path, Vars<'_>),
    sink: &mut Sink<'_>,
) {
    check_numbers(table, whole, sink);
    let Some(read) = read_rest::<GateTable>(table, whole, Missing::Reported, sink) else { return };
    let keep = |over: Option<Limit>, under: Limit| over.unwrap_or(under);
    gate.pass_rate = read.pass_rate.unwrap_or(gate.pass_rate);
    gate.reliability = read.reliability.or(gate.reliability);
    gate.max_left_out = keep(read.max_left_out, gate.max_left_out);
    gate.max_missing_cases = keep(read.max_missing_cases, gate.max_missing_cases);
    gate.max_error_rate = keep(read.max_error_rate, gate.max_error_rate);
    gate.max_skip_rate = keep(read.max_skip_rate, gate.max_skip_rate);
    if let Some(read) = read.baseline {
        let at = |path: &[&str]| {
            let path: Vec<String> = ["baseline"].iter().chain(path).map(|step| (*step).to_owned()).collect();
            span_at(table, whole, &path)
        };
        gate.baseline = baseline::resolve(read, dir, vars, &at, sink);
    }
    if let Some(labels) = read.labels {
        let at = span_at(table, whole, &["labels".to_owned()]);
        gate.labels = correct::labels(labels, dir, vars, &at, sink).or(gate.labels.take());
    }
    let mut seen: Vec<String> = Vec::new();
    for (i, group) in read.group.into_iter().flatten().enumerate() {
        let at = span_at(table, whole, &["group".to_owned(), i.to_string(), "tag".to_owned()]);
        if group.pass_rate.is_none() && group.reliability.is_none() && group.margin.is_none() {
            sink.missing(&at, "a group needs a bar", Some("add `pass_rate`, `reliability` or `margin`".to_owned()));
        }
        if seen.contains(&group.tag) {
            sink.error(&at, format!("there is already a group for the tag `{}`", group.tag), None);
            continue;
        }
        seen.push(group.tag.clone());
        let GroupTable { tag, pass_rate, reliability, margin } = group;
        let group = GateGroup { tag, pass_rate, reliability, margin };
        match gate.groups.iter_mut().find(|g| g.tag == group.tag) {
            Some(inherited) => *inherited = group,
            None => gate.groups.push(group),
        }
    }
}

/// Shares lie in [0, 1], confidence in [0.5, 1), and k is at least 1.
fn check_numbers(table: &DeTable<'_>, whole: &Pos, sink: &mut Sink<'_>) {
    let mut places: Vec<Vec<String>> = vec![Vec::new()];
    if let Some(DeValue::Array(groups)) = table.get("group").map(|g| g.get_ref()) {
        places.extend((0..groups.len()).map(|i| vec!["group".to_owned(), i.to_string()]));
    }
    for place in places {
        let at = |bar: &str, key: &str| {
            let path: Vec<String> = place.iter().map(String::as_str).chain([bar, key]).map(str::to_owned).collect();
            (number_at(table, &path), span_at(table, whole, &path))
        };
        for bar in ["pass_rate", "reliability"] {
            if let (Some(min), pos) = at(bar, "min")
                && !(0.0..=1.0).contains(&min)
            {
                sink.error(&pos, "`min` is a share, from 0.0 to 1.0", None);
            }
            if let (Some(confidence), pos) = at(bar, "confidence")
                && !(0.5..1.0).contains(&confidence)
            {
                let help = "0.95 is usual: one gate in twenty passes an agent that is only just not good enough";
                sink.error(&pos, "`confidence` is a share from 0.5 to below 1.0", help.to_owned());
            }
        }
        let path: Vec<String> = place.iter().cloned().chain(["margin".to_owned()]).collect();
        if let Some(margin) = number_at(table, &path)
            && !(margin > 0.0 && margin < 1.0)
        {
            sink.error(&span_at(table, whole, &path), baseline::WRONG_MARGIN, None);
        }
        if let (Some(k), pos) = at("reliability", "k")
            && k == 0.0
        {
            sink.error(&pos, "`k` is at least 1", None);
        }
    }
}

fn number_at(table: &DeTable<'_>, path: &[String]) -> Option<f64> {
    let (last, parents) = path.split_last()?;
    let mut table = table;
    let mut list: Option<&DeArray<'_>> = None;
    for step in parents {
        let value = match list.take() {
            Some(items) => items.get(step.parse::<usize>().ok()?)?,
            None => table.get(step.as_str())?,
        };
        match value.get_ref() {
            DeValue::Table(t) => table = t,
            DeValue::Array(a) => list = Some(a),
            _ => return None,
        }
    }
    match table.get(last.as_str())?.get_ref() {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => None,
    }
}

/// `[gate]` accepts limits as an integer (a count) or a float (a share).
struct LimitVisitor;

impl de::Visitor<'_> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count (an integer from 0) or a share (a float from 0.0 to 1.0)")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Limit, E> {
        Ok(Limit::Count(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Limit, E> {
        u64::try_from(count).map(Limit::Count).map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))
    }

    fn visit_f64<E: de::Error>(self, share: f64) -> Result<Limit, E> {
        if (0.0..=1.0).contains(&share) {
            Ok(Limit::Share(share))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(share), &self))
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    /// As in a suite and in a record alike: an integer is a count, a float a share.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(LimitVisitor)
    }
}

impl serde::Serialize for Limit {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Limit::Count(count) => s.serialize_u64(*count),
            Limit::Share(share) => s.serialize_f64(*share),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A count (an integer) or a share (a float from 0.0 to 1.0).",
            "type": "number",
            "minimum": 0
        })
    }
}

/// `require` as it is written: `"all"`, `"any"`, or `{ at_least = 3 }` or `{ at_least = 0.9 }`.
#[derive(Debug, Clone, Copy)]
pub struct RequireKey(pub Require);

struct RequireVisitor;

impl<'de> de::Visitor<'de> for RequireVisitor {
    type Value = RequireKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\", \"any\" or { at_least = 0.9 } (a float is a share, an integer a count)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RequireKey, E> {
        match text {
            "all" => Ok(RequireKey(Require::All)),
            "any" => Ok(RequireKey(Require::Any)),
            other => Err(E::unknown_variant(other, &["all", "any"])),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<RequireKey, A::Error> {
        let mut require = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "at_least" {
                return Err(de::Error::unknown_field(&key, &["at_least"]));
            }
            require = Some(map.next_value::<AtLeast>()?.0);
        }
        require.map(RequireKey).ok_or_else(|| de::Error::missing_field("at_least"))
    }
}

struct AtLeast(Require);

impl<'de> Deserialize<'de> for AtLeast {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // A limit's reading fits, but nothing is not something that can be required.
        match Limit::deserialize(d)? {
            Limit::Count(0) | Limit::Share(0.0) => Err(de::Error::custom("`at_least` is more than 0")),
            Limit::Count(count) => Ok(Self(Require::Count(count))),
            Limit::Share(share) => Ok(Self(Require::Share(share))),
        }
    }
}

impl<'de> Deserialize<'de> for RequireKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RequireVisitor)
    }
}

impl JsonSchema for RequireKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Require".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "How many of a session's subjects must pass: all of them, any, or at least a share (float) or count (integer).",
            "oneOf": [
                { "enum": ["all", "any"] },
                {
                    "type": "object",
                    "properties": { "at_least": { "type": "number", "exclusiveMinimum": 0 } },
                    "required": ["at_least"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn an_integer_is_a_count_and_a_float_a_share() {
        assert_eq!(from_value::<Limit>(json!(1)).unwrap(), Limit::Count(1));
        assert_eq!(from_value::<Limit>(json!(1.0)).unwrap(), Limit::Share(1.0));
        assert!(from_value::<Limit>(json!(-1)).is_err());
        assert!(from_value::<Limit>(json!(1.5)).is_err());
        assert!(from_value::<Limit>(json!("1")).is_err());
    }

    #[test]
    fn a_limit_keeps_its_kind_in_a_record() {
        for limit in [Limit::Count(1), Limit::Share(1.0), Limit::Share(0.0)] {
            let text = serde_json::to_string(&limit).unwrap();
            assert_eq!(serde_json::from_str::<Limit>(&text).unwrap(), limit, "{text}");
        }
    }

    #[test]
    fn require_reads_words_and_tables() {
        let read = |value| from_value::<RequireKey>(value).map(|r| r.0);
        assert_eq!(read(json!("any")).unwrap(), Require::Any);
        assert_eq!(read(json!({"at_least": 3})).unwrap(), Require::Count(3));
        assert_eq!(read(json!({"at_least": 0.9})).unwrap(), Require::Share(0.9));
        for bad in [json!({"at_least": 0}), json!({"at_least": 1.1}), json!({}), json!("some"), json!(3)] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
