//! The topics that are no check and no format.

use std::fmt::Write;

use crate::checks::RULES;
use crate::checks::system::columns::{GROUPS, METRICS, NONE, Shape};
use crate::eval::exit;
use crate::formats::FORMATS;
use crate::suite::schema::docs::common_docs;
use crate::suite::settings::KEYS;

/// A topic.
pub(super) struct Topic {
    pub name: &'static str,
    pub summary: &'static str,
    pub text: fn() -> String,
}

/// Every topic, by name.
pub(super) static TOPICS: &[Topic] = &[
    Topic { name: "exit-codes", summary: "What the exit code of a run means.", text: exit_codes },
    Topic { name: "filter", summary: "The language of --filter.", text: || crate::suite::filter::DOC.to_owned() },
    Topic { name: "formats", summary: "The trace formats that are read.", text: formats },
    Topic { name: "keys", summary: "The keys that every check has.", text: keys },
    Topic { name: "metrics", summary: "What `metric` checks measure.", text: metrics },
    Topic { name: "settings", summary: "seatrial.toml, SEATRIAL_* variables and flags.", text: settings },
];

fn exit_codes() -> String {
    let mut out = String::new();
    for (code, meaning) in exit::TABLE {
        let _ = writeln!(out, "{code:>2}  {meaning}");
    }
    out.push_str("\nWhen several apply: 2, then 70, then 5, then 1, then 4, then 3.\n");
    out
}

fn metrics() -> String {
    let mut out = String::new();
    let titles = [
        (Shape::Turn, "One value per turn"),
        (Shape::Session, "One value per session"),
        (Shape::Ratio, "Ratios of sums over all sessions, for which no `stat` is given"),
    ];
    let width = METRICS.iter().map(|m| m.name.len()).max().unwrap_or(0);
    for (shape, title) in titles {
        let _ = writeln!(out, "{title}");
        for metric in METRICS.iter().filter(|m| m.shape == shape) {
            let _ = writeln!(out, "  {:width$}  {}", metric.name, metric.doc);
        }
        if shape == Shape::Session {
            let _ = writeln!(out, "  {:width$}  a numeric session attribute", "attr:NAME");
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "`by` groups by {}, or attr:NAME; a session without a value for the group counts in the group `{NONE}`.\n\
         A session that does not say what is measured makes the check an error, unless `min_coverage` allows it.\n\
         Stats, bounds and the other parameters: `seatrial explain metric`.\n",
        GROUPS.join(", ")
    );
    out
}

fn formats() -> String {
    let mut out = String::from(
        "The format of a file is recognised by its content; `format` in [recorded] or --format overrides that.\n",
    );
    for format in FORMATS {
        let _ = write!(out, "\n{}\n  {}\n", format.name(), format.doc().trim().replace('\n', "\n  "));
    }
    out
}

fn keys() -> String {
    let mut out =
        format!("Keys that every check has, beside its own parameters ({} checks: `seatrial explain`)\n", RULES.len());
    super::params(&common_docs(), &mut out);
    out
}

fn settings() -> String {
    let mut out = String::from(
        "Settings are taken, by rising strength, from defaults, seatrial.toml (found from the working directory upwards to\n\
         the repository root, or given by --config), its [profile.NAME] (--profile), variables, and flags.\n\
         `seatrial check` prints the value of each and where it came from.\n",
    );
    for key in KEYS {
        let names = format!("{} / {} / {}", key.name, key.variable(), key.flag());
        let _ = write!(out, "\n{names}\n  {} It is {}; default {}.\n", key.doc, key.takes, key.default);
    }
    out.push_str(
        "\n[detectors.NAME] with `pattern` (a regular expression) and `description` adds a detector that `detect` names\n\
         `custom.NAME`. [profile.NAME] holds any of the settings above.\n",
    );
    out
}
