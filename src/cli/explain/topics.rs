//! The topics that are no check and no format.

use std::fmt::Write;

use crate::checks::RULES;
use crate::checks::system::columns::{GROUPS, METRICS, NONE, Shape};
use crate::eval::exit;
use crate::formats::FORMATS;
use crate::suite::schema::docs::{TableDoc, common_docs, table_docs};
use crate::suite::settings::{KEYS, PRICES_DOC, REVIEW_DOC, models_doc, promote};

/// A topic.
pub(super) struct Topic {
    pub name: &'static str,
    pub summary: &'static str,
    pub text: fn() -> String,
}

/// Every topic, by name.
pub(super) static TOPICS: &[Topic] = &[
    Topic { name: "agent", summary: "The live agents that cases can be driven against.", text: super::agents::agents },
    Topic { name: "cases", summary: "What a file of cases holds.", text: crate::suite::case_files::doc },
    Topic { name: "exit-codes", summary: "What the exit code of a run means.", text: exit_codes },
    Topic { name: "filter", summary: "The language of --filter.", text: || crate::suite::filter::DOC.to_owned() },
    Topic {
        name: "fleet",
        summary: "Sessions spread over workers, and what happens when something goes wrong.",
        text: super::fleet::fleet,
    },
    Topic { name: "formats", summary: "The trace formats that are read.", text: formats },
    Topic { name: "gate", summary: "What decides over a suite, and by which statistics.", text: super::gate::gate },
    Topic { name: "keys", summary: "The keys that every check has.", text: keys },
    Topic {
        name: "matchers",
        summary: "What may be written where an argument or a value is expected.",
        text: || MATCHERS.to_owned(),
    },
    Topic { name: "metrics", summary: "What `metric` checks measure.", text: metrics },
    Topic {
        name: "promote",
        summary: "How a version goes to a target, and what is kept of it.",
        text: super::promote::promote,
    },
    Topic {
        name: "promote-hooks",
        summary: "What moves an endpoint, a tag or a deployment then.",
        text: super::promote::hooks,
    },
    Topic {
        name: "redaction",
        summary: "What is taken out of everything that is written, and what that does to checks.",
        text: super::redaction::redaction,
    },
    Topic {
        name: "review",
        summary: "What people decide: the queue, the terminal, labels in and out, webhooks.",
        text: super::review::review,
    },
    Topic {
        name: "routing",
        summary: "Which verdicts go to people, and how what they decide comes back into the gate.",
        text: super::routing::routing,
    },
    Topic { name: "settings", summary: "seatrial.toml, SEATRIAL_* variables and flags.", text: settings },
    Topic { name: "suite", summary: "The tables of a suite and their keys.", text: suite },
    Topic {
        name: "watch",
        summary: "Production, watched: which sessions are looked at, alerts, and where they go.",
        text: super::watch::watch,
    },
    Topic {
        name: "watching",
        summary: "What watching production does, and what it does when something goes wrong.",
        text: super::watching::watching,
    },
];

fn exit_codes() -> String {
    let mut out = String::new();
    for (code, meaning) in exit::TABLE {
        let _ = writeln!(out, "{code:>2}{}", &super::wrapped(meaning, 4, 0)[2..]);
    }
    out.push_str("\nWhen several apply: 2, then 70, then 5, then 1, then 4, then 3.\n");
    out.push_str("\nThose of `seatrial promote` say the same of a promotion: `seatrial explain promote`.\n");
    out
}

const MATCHERS: &str = r#"Wherever a tool argument or a JSON value is expected, a plain value means equality: numbers compare as numbers (1 equals
1.0, never "1", never true), a table has exactly these keys, a list these items. Or it is a table with one of:

  { "$matches" = "^R-[0-9]+$" }            a text in which the regular expression is found
  { "$approx" = 12.5, tol = 0.01 }         a number within the tolerance
  { "$gte" = 1 }   { "$lte" = 100 }        a number within the bound
  { "$one_of" = ["card", "voucher"] }      one of these (values or matchers)
  { "$contains" = "Port" }                 a text with this part, or a list with an item that matches
  { "$partial" = { city = "Oban" } }       a table with at least these keys, at any depth
  { "$not" = "cash" }                      anything that does not match
  { "$any" = true }                        anything, but it must be there
  { "$absent" = true }                     nothing: the key must not be there
  { "$eq" = { "$any" = true } }            this very value, although it looks like a matcher

They nest: items = { "$contains" = { "$partial" = { title = { "$matches" = "(?i)moby" } } } }

Texts of a suite may be templates: "{{ case.NAME }}" is a variable of the case, and {{ case.reference.answer }} what is
expected of it. A text that is one expression keeps the value's type. {% raw %}{{ }}{% endraw %} writes braces as they are.
"#;

pub(super) fn suite() -> String {
    let mut out =
        String::from("The tables of a suite, beside its checks ([[span]], [[turn]], [[session]], [[system]]).\n");
    table_docs().iter().for_each(|t| table(t, &mut out));
    out
}

/// A table of a suite and its keys.
pub(super) fn table(table: &TableDoc, out: &mut String) {
    let _ = write!(out, "\n{}\n{}\n", table.name, super::wrapped(&table.summary, 2, 0));
    let width = table.keys.iter().map(|k| k.name.len()).max().unwrap_or(0);
    for key in &table.keys {
        let kind = if key.kind == "any value" { String::new() } else { format!(" ({})", key.kind) };
        let required = if key.required { " Required." } else { "" };
        let lines = super::wrapped(&format!("{}{required}{kind}", key.doc), width + 4, 0);
        let _ = writeln!(out, "  {:width$}{}", key.name, &lines[width + 2..]);
    }
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
        let _ = write!(out, "\n{}\n{}\n", format.name(), super::wrapped(format.doc(), 2, 0));
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
        let text = format!("{} It is {}; default {}.", key.doc, key.takes, key.default);
        let _ = write!(out, "\n{names}\n{}\n", super::wrapped(&text, 2, 0));
    }
    out.push_str(
        "\n[detectors.NAME] with `pattern` (a regular expression) and `description` adds a detector that `detect` names\n\
         `custom.NAME`. [profile.NAME] holds any of the settings above; with\n\
         `inherits = \"OTHER\"` it begins with those of another profile. [redact] holds for every suite\n\
         (`seatrial explain redaction`).\n\n",
    );
    out.push_str(PRICES_DOC);
    out.push('\n');
    out.push_str(REVIEW_DOC);
    out.push('\n');
    out.push_str(&models_doc(&|text| super::wrapped(text, 4, 0)));
    out.push('\n');
    out.push_str(&promote::doc(&|text| super::wrapped(text, 4, 0)));
    out.push_str("\n[notify.NAME] says where alerts of the watch go: `seatrial explain watch`.\n");
    out
}
