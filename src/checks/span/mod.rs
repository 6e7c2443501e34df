//! Checks of one operation: its arguments, its result, how it ended, what it took. `duration` and `tokens` mean the
//! same over a turn and a session.

pub mod cedar;
pub mod cost;
pub mod duration;
pub mod recovers;
pub mod schema;
pub mod status;
pub mod tokens;
pub mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subject::SpanSubject;
use crate::checks::withheld::Parts;
use crate::model::{Evidence, Field, Finding, Payload};

/// Which side of an operation is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What went in, such as a tool call's arguments.
    Input,
    /// What came out, such as a tool's result.
    Output,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Side::Input => "input",
            Side::Output => "output",
        }
    }

    const fn part(self) -> Parts {
        match self {
            Side::Input => Parts::INPUT,
            Side::Output => Parts::OUTPUT,
        }
    }

    /// The payload and where it is, or the finding that says it was not recorded.
    fn of<'s>(self, subject: &SpanSubject<'s>) -> Result<(&'s Payload<'s>, Evidence), Finding> {
        let span = subject.span;
        let (payload, field) = match self {
            Side::Input => (&span.input, Field::Input),
            Side::Output => (&span.output, Field::Output),
        };
        let missing = || Finding::error(format!("the recording holds no {} of `{}`", self.name(), span.name));
        payload.as_ref().map(|p| (p, Evidence::span(subject.ordinal, field))).ok_or_else(missing)
    }
}
