//! `seatrial review case`: an item becomes a regression case of a suite.

use std::path::PathBuf;
use std::time::Duration;

use super::opened::{self, Opened};
use crate::cli::context::{Context, Failure};
use crate::cli::run::display;
use crate::eval::exit;
use crate::report::safe;
use crate::review::regression::{self, Making};
use crate::store::db::{Role, Seen};

/// Arguments of `seatrial review case`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review case sbgvszv7 --suite suites/support.toml
  seatrial review case sbgvszv7 --suite suites/support.toml --id refund-without-receipt --expect-fail 30d

Adds a [[case]] with what the user said, and writes the session, as redacted, to regressions/ID.jsonl beside the suite, among \
its recordings. What the suite expects of the item's case (`turn`, `reference`, `vars`) is expected of the new one. Comments \
and order of the file stay as they are. The case fails the gate as any other, unless --expect-fail says for how long it is \
excused. A suite without cases gets the recording only: each of its sessions is a case.")]
pub struct Args {
    /// The item: its name, or the beginning of it.
    item: String,
    /// The suite's file.
    #[arg(long, value_name = "FILE")]
    suite: PathBuf,
    /// What the case is called; without it as the item's case, with the beginning of the item's name behind it.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Excuse the case for so long, such as `30d`: it is written as `expected_fail`, with its day and why.
    #[arg(long, value_name = "TIME", value_parser = crate::model::duration::parse)]
    expect_fail: Option<Duration>,
}

/// Makes an item a regression case of a suite.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let opened = Opened::new(context)?;
    let item = opened.item(&args.item)?;
    let content = match &item.content {
        Some(digest) => {
            // It leaves the store: who takes it is written down.
            let who = opened::looker(context);
            if opened.wait(opened.store.quarantined(&item.key.session))? {
                opened.may(&who, Role::Adjudicator)?;
            }
            let seen = Seen::at_terminal(&item, &who, "case", opened::now());
            opened.wait(opened.store.seen(&seen))?;
            opened.wait(opened.store.content(digest))?
        }
        None => None,
    };
    let Some(session) = content else {
        return Err(Failure::usage(format_args!(
            "the session of {} is not in the store: it was not kept, or is kept no longer",
            item.id
        )));
    };
    let suite = context.cwd.join(&args.suite);
    let (id, now, expect_fail) = (args.id.as_deref(), opened::now(), args.expect_fail);
    let making = Making { item: &item, session: &session, suite: &suite, id, now, expect_fail };
    let made = regression::make(&making).map_err(Failure::usage)?;
    let recording = display(&made.recording, &context.cwd);
    let what = if made.declared { "case" } else { "recording of a case" };
    let mut text = format!("{what} `{}` of {}: {recording}\n", made.case, display(&suite, &context.cwd));
    made.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
    context.print(safe::terminal(&text).as_bytes(), exit::PASSED)
}
