//! `seatrial review export`: items with their labels, for other tools and for the record.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::opened::{Opened, looker, now, reviewer};
use super::which;
use crate::cli::context::{Context, Failure};
use crate::cli::sessions;
use crate::eval::exit;
use crate::net::scrub::Secrets;
use crate::report::safe;
use crate::review::exchange::a2i;
use crate::review::exchange::export::{self, Ended, Exported, How};
use crate::review::words::count;
use crate::store::db::ItemFilter;

/// Arguments of `seatrial review export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review export > labels.jsonl
  seatrial review export --suite support --status resolved --out labels.jsonl
  seatrial review export --content --blind --out to-label.jsonl      with sessions, to be labelled elsewhere
  seatrial review export --format a2i --out loops/           one output.json for each item that was answered

A line has the item, why it was sent and how likely that was, what the check says, and every row of the book. `seatrial \
review import` takes the labels of such lines. Who exports is written down as having seen what checks and people say of \
the items, so that an answer of theirs that comes afterwards is recorded as not blind; --blind leaves all that out.")]
pub struct Args {
    #[command(flatten)]
    which: which::Args,
    /// Those with these statuses (`seatrial review list --help`).
    #[arg(long, value_name = "STATUS,...", default_value = "all", help_heading = "Which items")]
    status: String,
    /// `jsonl`: a line for each item. `a2i`: as Amazon A2I writes the output of a human loop.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl", value_parser = ["jsonl", "a2i"])]
    format: String,
    /// Where it is written, instead of standard output: a file; of `a2i` a folder, with a folder for each loop.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// With what people are asked and shown, the redacted session included.
    #[arg(long)]
    content: bool,
    /// Without what checks and people say: for somebody who is still to answer.
    #[arg(long)]
    blind: bool,
    /// The flow definition that is named in the output, of `a2i`.
    #[arg(long, value_name = "ARN", default_value = "seatrial:flow-definition/review")]
    flow_definition: String,
}

/// Write items and labels, for other tools and for the record.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let status = which::statuses(&args.status)?;
    let opened = Opened::new(context)?;
    let who = if args.content { reviewer(context)? } else { looker(context) };
    if args.blind && args.format == "a2i" {
        return Err(Failure::usage("`--blind` does not go with `--format a2i`, which writes what people say"));
    }
    let how = How { who: Some(&who), content: args.content, blind: args.blind };
    let filter = ItemFilter { status, ..args.which.filter(context) };
    let is_a2i = args.format == "a2i";
    let out = args.out.as_ref().map(|out| context.cwd.join(out));
    let mut to: Box<dyn Write + Send> = match &out {
        Some(file) if !is_a2i => Box::new(BufWriter::new(create(file).map_err(|e| failed(file, &e))?)),
        _ => Box::new(BufWriter::new(io::stdout())),
    };
    let (mut written, mut unanswered, mut unanswered_by_them) = (0, 0, 0);
    let mut take = |one: Exported| -> io::Result<()> {
        let value = if is_a2i {
            match a2i::output(&one.line, &one.labels, &args.flow_definition) {
                Some(output) => output,
                None => {
                    unanswered += 1;
                    return Ok(());
                }
            }
        } else {
            unanswered_by_them += u64::from(!args.blind && one.line.decision.is_none() && !is_by(&one, &who));
            if args.blind { one.line.blind() } else { serde_json::to_value(&one.line)? }
        };
        written += 1;
        let text = format!("{value}\n");
        let text = Secrets::of_process().scrub(&text);
        match &out {
            Some(folder) if is_a2i => {
                let file = folder.join(a2i::folder(&one.line)).join("output.json");
                create(&file)?.write_all(text.as_bytes())
            }
            _ => to.write_all(text.as_bytes()),
        }
    };
    let ended = opened.runtime().block_on(export::each(&opened.store, &filter, how, now(), &mut take));
    let ended = match ended {
        Ok(_) => to.flush(),
        Err(Ended::Store(why)) => return Err(Failure::store(&why)),
        Err(Ended::Taker(why)) => Err(why),
    };
    let place = out.as_ref().map_or_else(|| "standard output".to_owned(), |out| out.display().to_string());
    let code = sessions::written(ended, &place, exit::PASSED)?;
    if unanswered > 0 {
        context.note(&format!("{} left out: nobody has answered\n", count(unanswered, "item is", "items are")));
    }
    if unanswered_by_them > 0 {
        context.note(&format!(
            "what the check says of {} is in it, as {} may not have seen: answers to them will be recorded as not blind \
             (--blind leaves it out)\n",
            count(unanswered_by_them, "open item", "open items"),
            safe::line(&who)
        ));
    }
    if out.is_some() {
        context.note(&format!("wrote {} to {place}\n", count(written, "item", "items")));
    }
    Ok(code)
}

/// Whether somebody has answered an item.
fn is_by(one: &Exported, who: &str) -> bool {
    one.labels.iter().any(|label| label.reviewer == who)
}

fn create(file: &Path) -> io::Result<File> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(file)
}

fn failed(file: &Path, why: &io::Error) -> Failure {
    Failure::write(&file.display().to_string(), why)
}
