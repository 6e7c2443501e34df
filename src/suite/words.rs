//! The words of the suite language: which table a key belongs to, and serde's messages in plain words.

use super::nearest::nearest;
use super::problems::choice;

/// Tables of a suite, with the keys of each that have a fixed list.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    ("suite", &["name", "description", "tags", "extends", "tools", "cases", "trials"]),
    ("subject", &["agent", "version"]),
    ("recorded", &["paths", "format", "session", "case", "trial", "max_age"]),
    (
        "gate",
        &[
            "pass_rate",
            "reliability",
            "max_left_out",
            "max_missing_cases",
            "max_error_rate",
            "max_skip_rate",
            "group",
            "baseline",
            "labels",
        ],
    ),
    (
        "case",
        &["id", "user", "turn", "reference", "check", "skip", "trials", "expected_fail", "weight", "tags", "vars"],
    ),
    ("case.reference", &["tools", "answer", "facts", "state"]),
    ("redact", &["detectors", "judge", "keys", "paths", "pseudonyms"]),
    (
        "review",
        &["below", "always", "tags", "severities", "disagreement", "detect", "audit", "reviewers", "due", "expire"],
    ),
    (
        "watch",
        &[
            "idle",
            "max_age",
            "max_spans",
            "max_bytes",
            "end",
            "timezone",
            "every",
            "over",
            "late",
            "by",
            "max_groups",
            "sample",
            "quarantine",
        ],
    ),
    ("watch.quarantine", &["checks", "tags", "to"]),
    (
        "watch.sample",
        &[
            "rate",
            "floor",
            "max_sessions_per_hour",
            "max_sessions_per_day",
            "max_usd_per_hour",
            "max_usd_per_day",
            "keep",
            "stratum",
        ],
    ),
    (
        "agent",
        &[
            "kind",
            "concurrency",
            "rate_limit",
            "turn_timeout",
            "session_timeout",
            "retries",
            "setup",
            "teardown",
            "state",
            "user",
            "telemetry",
            "max_cost_usd",
            "max_tokens",
        ],
    ),
];

/// Tables that a suite file may have at its top.
pub(super) const TOP: &[&str] = &[
    "suite", "subject", "recorded", "agent", "defaults", "case", "span", "turn", "session", "system", "gate", "redact",
    "review", "watch", "alert",
];

/// Tables that a fragment may have at its top.
pub(super) const FRAGMENT: &[&str] =
    &["fragment", "defaults", "span", "turn", "session", "system", "gate", "redact", "review"];

/// Tables of `seatrial.toml`, which hold for all suites.
pub(super) const SETTINGS_TABLES: &[&str] =
    &["judge", "embedding", "detectors", "prices", "profile", "promote", "notify"];

/// The table that a key belongs to, as it is written.
pub(super) fn home_of(key: &str) -> Option<String> {
    let (table, _) = TABLES.iter().find(|(_, keys)| keys.contains(&key))?;
    Some(if *table == "case" { "[[case]]".to_owned() } else { format!("[{table}]") })
}

/// Help for an unknown key: the nearest key of its table, else the table where it belongs, else the whole choice.
pub(super) fn help_for_key(key: &str, known: &[String]) -> String {
    let names = known.iter().map(String::as_str);
    let belongs = home_of(key).map(|home| format!("`{key}` belongs in {home}"));
    match (nearest(key, names.clone()), belongs) {
        (Some(near), Some(belongs)) => format!("did you mean `{near}`? ({belongs})"),
        (None, Some(belongs)) => belongs,
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, None) if known.is_empty() => "it takes no keys".to_owned(),
        (None, None) => choice(key, names),
    }
}

/// Rust's names of types, as a reader of TOML knows them.
const TYPES: &[(&str, &str)] = &[
    ("u8", "a whole number"),
    ("u16", "a whole number"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("usize", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a sequence", "a list"),
    ("a map", "a table"),
];

/// A message of serde's in plain words: `invalid type: string "x", expected u64` is "expected a whole number, found
/// string "x"".
pub(super) fn in_plain_words(message: &str) -> String {
    // What TOML could write a choice as; in the suite language it is always a word.
    if message == "wanted string or table" {
        return "expected a string".to_owned();
    }
    let Some((kind, rest)) = message.split_once(": ") else { return message.to_owned() };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else { return message.to_owned() };
    if kind != "invalid type" && kind != "invalid value" {
        return message.to_owned();
    }
    let expected = match TYPES.iter().find(|(name, _)| *name == expected) {
        Some((_, plain)) => plain,
        None if expected.starts_with("struct ") => "a table",
        None => expected,
    };
    let found = match found {
        "map" => "a table",
        "sequence" => "a list",
        other => other,
    };
    format!("expected {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_a_reader_knows_them() {
        assert_eq!(
            in_plain_words("invalid type: string \"x, expected y\", expected u64"),
            "expected a whole number, found string \"x, expected y\""
        );
        assert_eq!(in_plain_words("invalid type: map, expected a sequence"), "expected a list, found a table");
        assert_eq!(
            in_plain_words("invalid value: integer `-1`, expected u32"),
            "expected a whole number, found integer `-1`"
        );
        assert_eq!(in_plain_words("anything else"), "anything else");
    }

    /// The keys of a table's struct.
    fn keys<T: schemars::JsonSchema>() -> Vec<String> {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
        let properties = schema.get("properties").and_then(|p| p.as_object());
        properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn the_tables_here_are_the_tables_there() {
        let there = |table: &str| match table {
            "suite" => keys::<crate::suite::resolve::SuiteTable>(),
            "subject" => keys::<crate::suite::Subject>(),
            "recorded" => keys::<crate::suite::resolve::RecordedTable>(),
            "gate" => keys::<crate::suite::gate::GateTable>(),
            "case" => keys::<crate::suite::cases::CaseTable>(),
            "redact" => keys::<crate::redact::RedactTable>(),
            "review" => keys::<crate::suite::review::Review>(),
            "agent" => keys::<crate::suite::agent::AgentTable>(),
            "watch" => keys::<crate::suite::watch::WatchTable>(),
            "watch.quarantine" => keys::<crate::suite::watch::quarantine::QuarantineTable>(),
            "watch.sample" => keys::<crate::suite::watch::SampleTable>(),
            _ => keys::<crate::suite::reference::ReferenceTable>(),
        };
        for (table, here) in TABLES {
            // The checks of a case are read apart from it.
            let here: std::collections::BTreeSet<&str> = here.iter().copied().filter(|k| *k != "check").collect();
            let there = there(table);
            assert_eq!(here, there.iter().map(String::as_str).collect(), "[{table}]");
        }
        let common = keys::<crate::suite::common::CommonKeys>();
        let apart = ["on"];
        let here: std::collections::BTreeSet<&str> =
            crate::suite::common::COMMON.iter().copied().filter(|k| !apart.contains(k)).collect();
        assert_eq!(here, common.iter().map(String::as_str).collect(), "checks");
    }

    #[test]
    fn no_rule_has_a_parameter_that_every_check_has() {
        for rule in crate::checks::RULES {
            let own = crate::suite::own::own_keys(rule);
            let taken: Vec<_> = own.iter().filter(|k| crate::suite::common::COMMON.contains(&k.as_str())).collect();
            assert!(taken.is_empty(), "{}: {taken:?}", rule.name);
        }
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_home() {
        let keys = ["name".to_owned(), "tags".to_owned()];
        assert_eq!(help_for_key("pass_rate", &keys), "`pass_rate` belongs in [gate]");
        assert_eq!(help_for_key("nmae", &keys), "did you mean `name`?");
        assert_eq!(help_for_key("xyz", &keys), "one of: name, tags");
    }
}
