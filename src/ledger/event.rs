//! What happens to items that others may want to be told.

use serde::{Deserialize, Serialize};

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was sent to the queue.
    New,
    /// It was decided.
    Resolved,
    /// It was due, and nobody had decided it.
    Overdue,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 3] = [Self::New, Self::Resolved, Self::Overdue];

    /// The name in settings and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Overdue => "overdue",
        }
    }

    /// The event of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}
