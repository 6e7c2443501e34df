//! What is said where there is nothing to do: why there is nothing, and when there may be.

use crate::ledger::{ItemStatus, Millis};
use crate::review::words::count;
use crate::store::db::Counts;

/// Why there is nothing to answer.
pub fn nothing(counts: &Counts, is_partial: bool, now: Millis) -> String {
    let here = if is_partial { " among these" } else { "" };
    if counts.total() == 0 {
        let text = if is_partial { "nothing is in the queue that these flags choose" } else { "the queue is empty" };
        return format!("{text}; a run puts there what its checks' `review` says");
    }
    let mut said = Vec::new();
    if !counts.leased.is_empty() {
        // The first that comes back.
        let (who, until) = &counts.leased[0];
        let held = count(counts.leased.len() as u64, "is", "are");
        said.push(format!("{held} taken now ({who} has one for at most {})", span(until.saturating_sub(now).max(0))));
    }
    if counts.answered > 0 {
        said.push(format!("{} answered by you, and waiting for others", counts.answered));
    }
    for (status, what) in [
        (ItemStatus::Disputed, "disputed: an adjudicator decides (`seatrial review adjudicate`)"),
        (ItemStatus::Resolved, "decided"),
        (ItemStatus::Skipped, "skipped: an adjudicator can decide"),
        (ItemStatus::Expired, "expired: an adjudicator can decide"),
        (ItemStatus::Cancelled, "cancelled"),
    ] {
        if counts.of(status) > 0 {
            said.push(format!("{} {what}", counts.of(status)));
        }
    }
    if said.is_empty() {
        format!("nothing waits for you{here}")
    } else {
        format!("nothing waits for you{here}: {}", said.join(", "))
    }
}

/// A span of time in words, in the unit that reads best.
pub fn span(millis: Millis) -> String {
    let minutes = millis.max(0) / 60_000;
    match minutes {
        0 => "a minute".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_there_is_nothing() {
        assert!(nothing(&Counts::default(), false, 0).contains("the queue is empty"));
        assert!(nothing(&Counts::default(), true, 0).contains("these flags"));
        let mut counts = Counts { leased: vec![("ann".into(), 240_000)], answered: 1, ..Counts::default() };
        counts.by_status.insert(ItemStatus::Leased, 1);
        counts.by_status.insert(ItemStatus::Resolved, 7);
        let said = nothing(&counts, false, 0);
        assert!(said.contains("ann has one for at most 4 min") && said.contains("7 decided"), "{said}");
        assert!(said.contains("1 answered by you"), "{said}");
    }
}
