//! `seatrial promote log`: the log in words, its head, or all of it for elsewhere.

use std::path::PathBuf;

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::{desk, words};
use crate::eval::exit;
use crate::promote::book::Exported;
use crate::promote::log;

/// Arguments of `seatrial promote log`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial promote log                       every entry
  seatrial promote log --head                the hash of the last one: keep it elsewhere
  seatrial promote log --export evidence/    log.jsonl with all evidence: `promote verify --from` reads it anywhere

Hashes: h(i) = SHA-256(h(i-1) || canonical JSON of entry i, RFC 8785), with 32 zero bytes as h(0).")]
pub struct Args {
    /// Print the hash of the last entry alone.
    #[arg(long, conflicts_with = "export")]
    head: bool,
    /// Write the log and all evidence to a folder.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

/// Prints or exports.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let book = desk.read()?;
    if args.head {
        return context.print(format!("{}\n", log::head(&book.log)).as_bytes(), exit::PASSED);
    }
    let mut out = String::new();
    if let Some(dir) = &args.export {
        let written = desk.wait(Exported::write(&context.cwd.join(dir), &book.log, desk.store()));
        written.map_err(desk::failure)?;
        words::row(&mut out, "exported", &dir.display().to_string());
    } else {
        for entry in log::open(&book.log).map_err(|why| Failure::new(exit::FAILED, why))? {
            let id = entry.event.promotion();
            let of = book.state.promotion(id).map(|p| format!("{} to {}", p.submission.version, p.submission.target));
            let text = format!("{} {} {id} by {}: {}", entry.at, entry.event.name(), entry.by, of.unwrap_or_default());
            words::row(&mut out, &entry.seq.to_string(), &text);
        }
    }
    words::head(&book.log, &mut out);
    context.print(out.as_bytes(), exit::PASSED)
}
