//! `seatrial promote show`: one promotion with its evidence and its history.

use serde_json::{Value, json};

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::{desk, words};
use crate::eval::exit;
use crate::promote::event::Event;
use crate::promote::gate::Gate;
use crate::promote::log;

/// Arguments of `seatrial promote show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The promotion, such as `p3` (`seatrial promote list`).
    #[arg(value_name = "PROMOTION")]
    id: String,
    /// Print its gate.json, all of the evidence, instead.
    #[arg(long, conflicts_with_all = ["statement", "json"])]
    gate: bool,
    /// Print its signed statement instead (in-toto in DSSE).
    #[arg(long, conflicts_with = "json")]
    statement: bool,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Shows.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let book = desk.read()?;
    let promotion = desk::promotion(&book.state, &args.id)?;
    let now = desk::now();
    let submission = &promotion.submission;
    if args.gate || args.statement {
        let (what, digest) = match args.gate {
            true => ("gate.json", &submission.gate),
            false => ("the statement", &submission.statement),
        };
        let text = desk.evidence(digest)?;
        let text = text.ok_or_else(|| Failure::new(exit::NOT_SHOWN, format_args!("{what} is not there any more")))?;
        return context.print(text.as_bytes(), exit::PASSED);
    }
    let entries = log::open(&book.log).map_err(|why| Failure::new(exit::FAILED, why))?;
    let history: Vec<_> = entries.iter().filter(|e| *e.event.promotion() == submission.promotion).collect();
    if args.json {
        let history: Vec<Value> = history.iter().map(|entry| json!(entry)).collect();
        let more = json!({ "history": history, "head": log::head(&book.log) });
        let line = words::line(exit::PASSED, Some((promotion, now)), &more);
        return context.print(line.as_bytes(), exit::PASSED);
    }
    let mut out = String::new();
    words::promotion(promotion, now, &mut out);
    match desk.evidence(&submission.gate)?.map(|text| serde_json::from_str::<Gate>(&text)) {
        Some(Ok(gate)) => {
            words::row(&mut out, "result", gate.result.name());
            words::evidence(&gate, &mut out);
        }
        Some(Err(why)) => words::row(&mut out, "evidence", &format!("it cannot be read: {why}")),
        None => words::row(&mut out, "evidence", "it is not there any more"),
    }
    words::row(&mut out, "gate.json", &submission.gate.to_string());
    words::row(&mut out, "statement", &submission.statement.to_string());
    out.push('\n');
    for entry in history {
        let told = match &entry.event {
            Event::Hooked { told, occasion, .. } => {
                format!(" ({}{}{told})", occasion.name(), if told.is_empty() { "" } else { ": " })
            }
            Event::RolledBack { to, reason, alert, .. } => {
                let alert = alert.as_ref().map(|alert| format!(", alert {alert}")).unwrap_or_default();
                format!(" to {to}: {reason}{alert}")
            }
            Event::Aliased { alias, .. } => format!(" as {alias}"),
            _ => String::new(),
        };
        words::row(
            &mut out,
            &format!("entry {}", entry.seq),
            &format!("{} {} by {}{told}", entry.at, entry.event.name(), entry.by),
        );
    }
    context.print(out.as_bytes(), exit::PASSED)
}
