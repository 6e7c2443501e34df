//! `seatrial review import`: labels that were made elsewhere.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use serde_json::json;

use super::opened::{Opened, now, reviewer};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::report::safe;
use crate::review::exchange::import::{self, Found, Imported};
use crate::review::words::count;
use crate::store::db::{Keep, Role};

/// Arguments of `seatrial review import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review import labels.jsonl --dry-run
  seatrial review import labels.jsonl
  cat */output.json | seatrial review import -        outputs of Amazon A2I, of loops that are called as the items are

A line is a label by itself, a line of `seatrial review export`, or an output of A2I on one line:
  {\"item\": \"sbgvszv7...\", \"reviewer\": \"ann\", \"answer\": \"fail\", \"comment\": \"...\", \"at\": \"2026-11-27T05:40:00Z\"}
`answer` is pass, fail or skip (with `skip_reason`). In the place of `item` may stand what its name follows from: `suite`, \
`check`, `check_digest`, `session`, `subject`, and `case_digest` where there is one. A label with the `id` of one that is there is the same label; one without \
gets an id that follows from what it says. So a file can be imported again. `shown_proposal` says whether what the check says \
was seen before: where a line does not say, that is not known, and `seatrial calibrate` holds no judge against the label.

A file is one transaction: where a line is wrong, nothing is written, unless --partial, which writes the others. Where the \
store has users, who imports must be one of them, and an adjudicator where a line has `act` adjudicate or overrule, or takes \
back what somebody else said (`act` undo). \
Exit codes: 0; 2 when a line is wrong; 5 when the store cannot be written, and then nothing was.")]
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
    let decides = found.labels.iter().any(|label| label.act.adjudicates());
    // Who imports vouches for it; nobody has to say who they are where that makes no difference.
    let who = reviewer(context);
    let name = who.as_ref().map_or("", String::as_str);
    let adjudicates = opened.may(name, Role::Adjudicator).is_ok();
    let may = opened.may(name, if decides { Role::Adjudicator } else { Role::Reviewer });
    may.map_err(|refused| who.err().unwrap_or(refused))?;
    let keep = match (args.dry_run, args.partial) {
        (true, _) => Keep::Nothing,
        (false, true) => Keep::Right,
        (false, false) => Keep::Whole,
    };
    let done = opened.wait(import::take_in(&opened.store, &mut found, keep, adjudicates, now()))?;
    tell(args, &found, done, context)
}

fn tell(args: &Args, found: &Found, done: Imported, context: &Context) -> Result<u8, Failure> {
    let wrong = found.wrong_in_all;
    let code = if wrong > 0 { exit::USAGE } else { exit::PASSED };
    let writes = done.written;
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
            "schema": 1, "exit_code": code, "dry_run": args.dry_run, "new": done.new, "written": writes,
            "known": done.known, "items": done.items, "resolved": done.resolved, "wrong": wrong,
            "problems": problems,
        });
        return context.print(format!("{line}\n").as_bytes(), code);
    }
    let known = if done.known > 0 { format!(", {} known already", done.known) } else { String::new() };
    let text = if writes {
        let new = count(done.new, "label", "labels");
        format!("took in {new} of {}{known}; {} decided now\n", count(done.items, "item", "items"), done.resolved)
    } else if args.dry_run {
        format!("would take in {}{known}; nothing was written\n", count(done.new, "label", "labels"))
    } else {
        let right = count(done.new, "other label is", "other labels are");
        format!(
            "nothing was written: {} wrong; {right} right{known} (--partial takes them)\n",
            count(wrong, "line is", "lines are")
        )
    };
    context.print(text.as_bytes(), code)
}
