//! The topics that are no check and no format.

use std::fmt::Write;

use crate::checks::RULES;
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
    Topic { name: "metrics", summary: "What `metric` checks measure.", text: || METRICS.to_owned() },
    Topic { name: "settings", summary: "seatrial.toml, SEATRIAL_* variables and flags.", text: settings },
];

const METRICS: &str = "\
Per turn
  ttft_ms          time to the first token of the reply, milliseconds
  turn_ms          from the user's message to the end of the turn, milliseconds
Per session
  session_ms       from start to end, milliseconds
  tokens_in        input tokens, cached ones included
  tokens_out       output tokens, reasoning included
  tokens           both together
  cost_usd         what it cost, US dollars
  tool_calls       tool calls
  tool_errors      tool calls that ended in an error
  turns            turns
  memory_reads     reads of the agent's memory
  memory_writes    writes to it
  csat             the user's rating
  attr:NAME        a numeric session attribute
Ratios of sums, for which no `stat` is given
  tool_error_rate            tool errors by tool calls
  escalation_rate            sessions handed over to a person by sessions
  first_contact_resolution   sessions resolved at first contact by sessions
  detection_rate             the fail rate of the check named by `of`

Stats: mean, min, max, sum, p50 to p99.9, count, stddev. Bounds: min, max.
`by` groups: agent, model, user, tool, flow (the sequence of tool names), tag, attr:NAME. A session without a value
for the group counts in the group `(none)`. A session that does not say what is measured makes the check an error,
unless `min_coverage` allows it.
";

fn exit_codes() -> String {
    let mut out = String::new();
    for (code, meaning) in exit::TABLE {
        let _ = writeln!(out, "{code:>2}  {meaning}");
    }
    out.push_str("\nWhen several apply: 2, then 70, then 5, then 1, then 4, then 3.\n");
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
