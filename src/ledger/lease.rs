//! Who works on an item now, and why somebody may not.

use super::{ItemId, ItemStatus, Millis};

/// Leave to work on an item for a while. A submission shows it; one that is not in force any more is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The item.
    pub item: ItemId,
    /// Who works on it.
    pub reviewer: String,
    /// Rises with every lease of the item, so that an old one is told from a new one of the same person.
    pub fence: i64,
    /// Until when it is in force.
    pub until: Millis,
}

/// Why something was not done. Nothing was changed, and nothing is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The lease ended, or a newer one took its place.
    #[error("your time for this item is over{}", by_now(*status, holders))]
    Stale {
        /// Where the item stands now.
        status: ItemStatus,
        /// Who works on it now, and until when.
        holders: Vec<(String, Millis)>,
    },
    /// The person, or an adjudicator, has answered already; that answer can be undone first.
    #[error("{who} has answered this item already")]
    Answered {
        /// Who.
        who: String,
        /// The row that stands.
        label: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    Unknown {
        /// What was named.
        what: String,
    },
    /// The person may not do this.
    #[error("{why}")]
    Forbidden {
        /// Why.
        why: String,
    },
    /// No more answers are wanted.
    #[error("this item is {}", status.name())]
    Closed {
        /// Where it stands.
        status: ItemStatus,
    },
    /// An adjudicator decides where answers differ, nobody could answer, or time ran out; here nobody has to.
    #[error("this item is {}: an adjudicator decides where answers differ, two could not answer, or time ran out", status.name())]
    Undisputed {
        /// Where it stands.
        status: ItemStatus,
    },
    /// What is asked about is not there to be read any more.
    #[error("the session of this item was taken out of the store {}, and nobody can read what is asked about: it can only be \
             skipped", since(*purged))]
    Purged {
        /// When.
        purged: Millis,
    },
    /// As many people work on it as are wanted.
    #[error("this item is taken by {}", names(holders))]
    Taken {
        /// By whom, and until when.
        holders: Vec<(String, Millis)>,
    },
}

fn by_now(status: ItemStatus, holders: &[(String, Millis)]) -> String {
    match status {
        _ if !holders.is_empty() => format!(", and {} has it now", names(holders)),
        ItemStatus::Pending | ItemStatus::NeedsMore | ItemStatus::Leased => "; take it again to answer it".to_owned(),
        other => format!(", and it is {} now", other.name()),
    }
}

fn since(purged: Millis) -> String {
    jiff::Timestamp::from_millisecond(purged).map_or_else(|_| "earlier".to_owned(), |at| format!("at {at:.0}"))
}

fn names(holders: &[(String, Millis)]) -> String {
    holders.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>().join(" and ")
}
