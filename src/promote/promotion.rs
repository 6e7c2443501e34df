//! One promotion: what is asked for, and how it stands.

use super::event::Submission;
use super::moment::Moment;

/// The state of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Evidence is recorded, an approval is not asked for.
    Draft,
    /// It waits for people.
    Pending,
    /// It is approved.
    Approved,
    /// It is rejected.
    Rejected,
    /// Another with other evidence took its place before it was decided.
    Superseded,
    /// It was approved, and taken back.
    RolledBack,
}

impl Status {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled back",
        }
    }
}

/// One promotion.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// What is asked for.
    pub submission: Submission,
    /// How it stands.
    pub status: Status,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Who approved, when, and why.
    pub approvals: Vec<Said>,
    /// Who rejected it or took it back.
    pub against: Option<Said>,
    /// When the approval ends; `None` while there is none, and where it has no end.
    pub expires: Option<Moment>,
    /// The entry by which it was approved.
    pub granted: Option<u64>,
    /// What the rules say against a draft.
    pub refusals: Vec<String>,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
}

impl Promotion {
    /// How many people have to approve: nobody overrides the rules alone.
    pub fn wanted(&self) -> u32 {
        let least = u32::from(self.submission.overrides.is_some());
        self.submission.rules.approvals.max(least)
    }

    /// How many more.
    pub fn missing(&self) -> u32 {
        self.wanted().saturating_sub(u32::try_from(self.approvals.len()).unwrap_or(u32::MAX))
    }

    /// Whether it is approved, and that has not ended.
    pub fn holds(&self, now: Moment) -> bool {
        self.status == Status::Approved && self.expires.is_none_or(|end| now < end)
    }
}

/// How a promotion stands at a time, in a word.
pub fn standing(promotion: &Promotion, now: Moment) -> &'static str {
    if promotion.status == Status::Approved && !promotion.holds(now) { "expired" } else { promotion.status.name() }
}
