//! What is told of a row that was written to the book.

use serde_json::json;

use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::line::LabelLine;
use crate::ledger::{DecidedBy, ItemStatus, Label, Standing};
use crate::review::exchange::incoming::LONGEST_COMMENT;
use crate::review::words::count;

/// That a comment is too long to be taken.
pub fn check_comment(comment: &str) -> Result<(), Failure> {
    if comment.len() <= LONGEST_COMMENT {
        return Ok(());
    }
    Err(Failure::usage(format_args!(
        "the comment has {} bytes, and at most {LONGEST_COMMENT} are taken",
        comment.len()
    )))
}

/// Tells of a row, and of where the item stands with it.
pub fn written(label: &Label, standing: &Standing, json: bool, context: &Context) -> Result<u8, Failure> {
    let text = if json {
        let line = json!({
            "schema": 1, "exit_code": 0, "item": label.item, "label": LabelLine::of(label), "status": standing.status,
            "decision": standing.decision, "decided_by": standing.by, "open": standing.open,
        });
        line.to_string()
    } else {
        format!("{}: {}", label.item, stands(standing))
    };
    context.print(format!("{text}\n").as_bytes(), exit::PASSED)
}

/// Where an item stands, in words.
pub fn stands(standing: &Standing) -> String {
    match (standing.status, standing.decision) {
        (ItemStatus::Resolved, Some(decision)) => {
            let by = standing.by.as_ref().map(|by| by.names().join(" and ")).unwrap_or_default();
            let overrules = standing.by.as_ref().is_some_and(DecidedBy::overrules);
            let over = if overrules { ", overruling the reviewers" } else { "" };
            format!("decided: {} (by {by}{over})", decision.name())
        }
        (ItemStatus::NeedsMore, _) => {
            format!("{} more wanted", count(u64::from(standing.open), "answer is", "answers are"))
        }
        (ItemStatus::Disputed, _) => "the answers differ: an adjudicator decides".to_owned(),
        (ItemStatus::Skipped, _) => "skipped: it stays held until an adjudicator decides".to_owned(),
        (ItemStatus::Pending, _) => "it waits for somebody".to_owned(),
        (other, _) => other.name().to_owned(),
    }
}
