//! Production, watched: what `[watch]` and `[[alert]]` say, the kinds of alerts and channels: for `seatrial explain watch`.

use std::fmt::Write;

use crate::alerts::KINDS;
use crate::suite::schema::docs::{struct_doc, table_docs};
use crate::suite::settings::notify;

/// The tables of a suite that are about watching.
const TABLES: [&str; 8] = [
    "[watch]",
    "[watch.quarantine]",
    "[watch.sample]",
    "keep of [watch.sample]",
    "[[watch.sample.stratum]]",
    "filters of [[watch.sample.stratum]]",
    "[[alert]]",
    "silence of [[alert]]",
];

/// All of it.
pub(super) fn watch() -> String {
    let mut out = TEXT.to_owned();
    for table in table_docs().iter().filter(|table| TABLES.contains(&table.name)) {
        super::topics::table(table, &mut out);
    }
    out.push_str("\nKinds of alerts (`kind` of [[alert]])\n");
    for kind in KINDS {
        let doc = struct_doc(kind.schema);
        let _ = write!(out, "\n{}\n{}\n", kind.name, super::wrapped(&doc.summary, 2, 0));
        for paragraph in doc.details.split("\n\n").filter(|text| !text.is_empty()) {
            let _ = writeln!(out, "{}", super::wrapped(paragraph, 2, 0));
        }
        super::params(&doc.params, &mut out);
        let _ = write!(out, "{}", super::indented(kind.example, 4));
    }
    out.push('\n');
    out.push_str(&notify::doc(&|text| super::wrapped(text, 4, 0)));
    out
}

const TEXT: &str = r#"The suites that gate a deployment watch production, too. Of each check `runs_in` says where it runs; one that
needs a reference is skipped in a session that has none, and `seatrial check` lists them. [[case]] and [gate] do not apply.
System checks are asked whenever a window is settled, over the time `over` before its end; what only all sessions together tell
(a total, the largest of all) is an `error` where not all of them were evaluated.

Which sessions are looked at
  A session is drawn by a hash of its id: 56 bits R, and a threshold T = (1 - share) 2^56 below which it is not drawn, as
  OpenTelemetry has it (`th`). So every watch draws the same sessions, and a larger share holds a smaller one. What `keep`
  names is looked at whatever its share. Limits for an hour or a day become chances before each window, from how many sessions
  the twelve windows before had: what is left, in equal parts for the windows that are left. Where that is too little, floors
  come first, then what is kept, then shares. If more sessions come than were expected, the limit holds all the same, and
  those after it are not looked at.

  Each session that is not looked at is counted: `not_drawn` (the share is what is wanted), `budget` (the limits did not
  allow for that share), `spent` (it was drawn, and the limit was reached before it came). Each that is carries the chance that
  it was drawn with, and counts as many times as it stands for others: rates and means are Hajek's, totals those of Horvitz and
  Thompson, and the interval of a rate is Wilson's over as many sessions as would have told it as well.

When an alert fires
  At a window's end, once no more of its sessions are expected (`late`; with `--drain` at once), every alert is judged by
  the windows as they are then. It fires when it was so for the time `for`, and is over when it was otherwise for the time
  `resolve_after`. A window that could not be measured, or has fewer than `min_count` sessions, changes nothing, and that is
  said. Groups of one alert are told together. While it is silenced nobody is told; afterwards they are, if it fires still.
  What can never fire is refused when the suite is read.
"#;
