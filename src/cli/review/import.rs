//! `seatrial review import`: labels that were made elsewhere.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use serde_json::json;

use super::opened::{Opened, now};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::report::safe;
use crate::review::exchange::import::{self, Found, Imported};
use crate::review::words::count;

/// Arguments of `seatrial review import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review import labels.jsonl --dry-run
  seatrial review import labels.jsonl
  cat */output.json | seatrial review import -        outputs of Amazon A2I, of loops that are called as the items are

A line is a label by itself, a line of `seatrial review export`, or an output of A2I on one line:
  {\"item\": \"sbgvszv7...\", \"reviewer\": \"ann\", \"answer\": \"fail\", \"comment\": \"...\", \"at\": \"2026-11-27T05:40:00Z\"}
`answer` is pass, fail or skip (with `skip_reason`). In the place of `item` may stand what its name follows from: `suite`,
`check`, `check_digest`, `session`, `subject`, and `case_digest` where there is one. A label with the `id` of one that is there is the same label; one without
gets an id that follows from what it says. So a file can be imported again.

All lines are looked at before anything is written; where one is wrong, nothing is, unless --partial. Exit codes: 0; 2 when
a line is wrong, 5 when the store cannot be written (import it again: it goes on where it ended).")]
pub struct Args {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write what is right although something is wrong; the exit code is 2 nevertheless.
    #[arg(long)]
    partial: bool,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Take in labels that were made elsewhere.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let name = args.file.display().to_string();
    let unreadable = |why: io::Error| Failure::usage(format_args!("`{}` cannot be read: {why}", safe::line(&name)));
    let mut found = if args.file.as_os_str() == "-" {
        import::read(&mut io::stdin().lock()).map_err(unreadable)?
    } else {
        let file = File::open(context.cwd.join(&args.file)).map_err(unreadable)?;
        import::read(&mut BufReader::new(file)).map_err(unreadable)?
    };
    let opened = Opened::new(context)?;
    let now = now();
    let known = opened.wait(import::check(&opened.store, &mut found, now))?;
    let writes = !args.dry_run && (args.partial || found.wrong_in_all == 0);
    let done = if writes {
        let written = opened
            .runtime()
            .block_on(import::write(&opened.store, &mut found, now))
            .map_err(|why| Failure::store(&why))?;
        Imported { known, ..written }
    } else {
        Imported { known, new: 0, ..Imported::default() }
    };
    tell(args, &found, done, writes, context)
}

fn tell(args: &Args, found: &Found, done: Imported, writes: bool, context: &Context) -> Result<u8, Failure> {
    let wrong = found.wrong_in_all;
    let code = if wrong > 0 { exit::USAGE } else { exit::PASSED };
    let would = found.labels.len() as u64;
    let name = safe::line(&args.file.to_string_lossy()).into_owned();
    let mut told: String =
        found.wrong.iter().map(|w| format!("{name}:{}: {}\n", w.line, safe::line(&w.message))).collect();
    if wrong > found.wrong.len() as u64 {
        told.push_str(&format!("... and {} more\n", wrong - found.wrong.len() as u64));
    }
    crate::cli::context::eprint(&told);
    if args.json {
        let problems: Vec<_> =
            found.wrong.iter().map(|w| json!({ "severity": "error", "line": w.line, "message": w.message })).collect();
        let line = json!({
            "schema": 1, "exit_code": code, "dry_run": args.dry_run, "new": if writes { done.new } else { would },
            "written": writes, "known": done.known, "items": done.items, "resolved": done.resolved, "wrong": wrong,
            "problems": problems,
        });
        return context.print(format!("{line}\n").as_bytes(), code);
    }
    let known = if done.known > 0 { format!(", {} known already", done.known) } else { String::new() };
    let text = if writes {
        let new = count(done.new, "label", "labels");
        format!("took in {new} of {}{known}; {} decided now\n", count(done.items, "item", "items"), done.resolved)
    } else if args.dry_run {
        format!("would take in {}{known}; nothing was written\n", count(would, "label", "labels"))
    } else {
        let right = count(would, "other label is", "other labels are");
        format!(
            "nothing was written: {} wrong; {right} right{known} (--partial takes them)\n",
            count(wrong, "line is", "lines are")
        )
    };
    context.print(text.as_bytes(), code)
}
