//! What people say of an item: one row of the append-only book each.

use serde::{Deserialize, Serialize};

use super::{ItemId, Millis};
use crate::model::Status;

/// Why somebody cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The rubric does not say.
    Ambiguous,
    /// What would decide it is not shown.
    MissingContext,
    /// The person should not decide this one.
    ConflictOfInterest,
    /// The person does not know enough of it.
    NotMyField,
}

impl SkipReason {
    /// Every reason, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Ambiguous, Self::MissingContext, Self::ConflictOfInterest, Self::NotMyField];

    /// The name in exports and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::MissingContext => "missing_context",
            Self::ConflictOfInterest => "conflict_of_interest",
            Self::NotMyField => "not_my_field",
        }
    }

    /// The reason of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::MissingContext => "missing context",
            Self::ConflictOfInterest => "conflict of interest",
            Self::NotMyField => "not my field",
        }
    }
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The subject meets the check.
    Pass,
    /// It does not.
    Fail,
    /// The person cannot say.
    Skip {
        /// Why not.
        reason: SkipReason,
    },
}

impl Answer {
    /// The verdict that it stands for; `None` of a skip.
    pub const fn status(self) -> Option<Status> {
        match self {
            Self::Pass => Some(Status::Pass),
            Self::Fail => Some(Status::Fail),
            Self::Skip { .. } => None,
        }
    }

    /// Its name: `pass`, `fail` or `skip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip { .. } => "skip",
        }
    }

    /// Why it is a skip.
    pub const fn skip_reason(self) -> Option<SkipReason> {
        match self {
            Self::Skip { reason } => Some(reason),
            Self::Pass | Self::Fail => None,
        }
    }

    /// The answer of a name; a skip needs its reason, and nothing else has one.
    pub fn named(name: &str, skip_reason: Option<SkipReason>) -> Option<Self> {
        match (name, skip_reason) {
            ("pass", None) => Some(Self::Pass),
            ("fail", None) => Some(Self::Fail),
            ("skip", Some(reason)) => Some(Self::Skip { reason }),
            _ => None,
        }
    }
}

/// What a row of the book does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A reviewer answers.
    Label(Answer),
    /// An adjudicator decides where answers differ, nobody could answer, or time ran out.
    Adjudicate(Answer),
    /// An adjudicator decides where nobody had to: over what reviewers say, or without waiting for them.
    Overrule(Answer),
    /// An earlier row does not count any more.
    Undo {
        /// The id of that row.
        label: String,
    },
}

impl Act {
    /// Its name: `label`, `adjudicate`, `overrule` or `undo`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Label(_) => "label",
            Self::Adjudicate(_) => "adjudicate",
            Self::Overrule(_) => "overrule",
            Self::Undo { .. } => "undo",
        }
    }

    /// What was answered; `None` of an undo.
    pub const fn answer(&self) -> Option<Answer> {
        match self {
            Self::Label(answer) | Self::Adjudicate(answer) | Self::Overrule(answer) => Some(*answer),
            Self::Undo { .. } => None,
        }
    }

    /// Whether it is an adjudicator's, who decides alone.
    pub const fn adjudicates(&self) -> bool {
        matches!(self, Self::Adjudicate(_) | Self::Overrule(_))
    }

    /// The act of a name, with what goes along; `None` where they do not go together.
    pub fn named(name: &str, answer: Option<Answer>, undoes: Option<String>) -> Option<Self> {
        match (name, answer, undoes) {
            ("label", Some(answer), None) => Some(Self::Label(answer)),
            ("adjudicate", Some(answer), None) => Some(Self::Adjudicate(answer)),
            ("overrule", Some(answer), None) => Some(Self::Overrule(answer)),
            ("undo", None, Some(label)) => Some(Self::Undo { label }),
            _ => None,
        }
    }
}

/// Where an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// On the web page.
    Web,
    /// In the terminal.
    Terminal,
    /// Elsewhere, and brought in.
    Import,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Web, Self::Terminal, Self::Import];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Terminal => "terminal",
            Self::Import => "import",
        }
    }

    /// The source of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// One row of the book. Rows are added and never changed: a revision or an undo is a row that names the earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name, which whoever submits it makes up: to submit it twice submits it once.
    pub id: String,
    /// Its position among the rows of the item, from 1.
    pub seq: i64,
    /// The item.
    pub item: ItemId,
    /// Who says it.
    pub reviewer: String,
    /// What it does.
    pub act: Act,
    /// What else the person wants to say; may be empty.
    pub comment: String,
    /// When.
    pub at: Millis,
    /// How long the person looked at it, where that is known.
    pub seconds: Option<u32>,
    /// Where.
    pub source: Source,
    /// Whether the person saw what the check says before answering: such an answer is not blind. `None` where that is not
    /// known, which is not blind for sure either.
    pub shown_proposal: Option<bool>,
}

/// What a person submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// A name for it that nobody else has, such as a [`super::Token`].
    pub id: String,
    /// The answer.
    pub answer: Answer,
    /// What else the person wants to say; may be empty.
    pub comment: String,
    /// How long the person looked at it, where that is known.
    pub seconds: Option<u32>,
    /// Where it was given.
    pub source: Source,
    /// Whether the person saw what the check says before answering, as far as whoever submits it knows. Of an answer that is
    /// given here the store finds that out by itself; of one from elsewhere `None` is not known.
    pub shown_proposal: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_needs_a_reason_and_nothing_else_has_one() {
        let reason = SkipReason::Ambiguous;
        for answer in [Answer::Pass, Answer::Fail, Answer::Skip { reason }] {
            assert_eq!(Answer::named(answer.name(), answer.skip_reason()), Some(answer));
        }
        assert_eq!(Answer::named("skip", None), None);
        assert_eq!(Answer::named("pass", Some(reason)), None);
        assert_eq!(Answer::named("held", None), None);
    }

    #[test]
    fn an_act_is_found_by_its_name_and_what_goes_along() {
        let undo = Act::Undo { label: "l1".into() };
        for act in [Act::Label(Answer::Pass), Act::Adjudicate(Answer::Fail), Act::Overrule(Answer::Pass), undo] {
            let undoes = if let Act::Undo { label } = &act { Some(label.clone()) } else { None };
            assert_eq!(Act::named(act.name(), act.answer(), undoes), Some(act));
        }
        assert_eq!(Act::named("undo", Some(Answer::Pass), None), None);
        assert_eq!(Act::named("label", None, None), None);
        assert_eq!(Act::named("shout", Some(Answer::Pass), None), None);
    }

    #[test]
    fn names_are_found_again() {
        for reason in SkipReason::ALL {
            assert_eq!(SkipReason::named(reason.name()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
        for source in Source::ALL {
            assert_eq!(Source::named(source.name()), Some(source));
            assert_eq!(serde_json::to_value(source).unwrap(), source.name());
        }
    }
}
