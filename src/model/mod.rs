//! Floor 0: the nouns everything else speaks of. No I/O, no clock, no environment.
//!
//! - [`Session`], [`Turn`], [`Span`]: what an agent did, whatever recorded it.
//! - [`Reference`]: what was expected, as a recording carries it.
//! - [`Verdict`], [`Finding`], [`Evidence`]: what a check said, and what it points at.
//! - [`Problem`]: what could not be read or measured, and where.

mod calls;
pub mod digest;
pub mod duration;
pub mod json;
mod payload;
mod problem;
mod redacted;
mod routed;
mod session;
mod text;
mod verdict;

pub use calls::{CLIENT_SPAN, TOOLS, ToolsTold, UNHEARD_SPAN, hidden_calls, last_end, listed_tools, model_calls};
pub use payload::{Attributes, Payload};
pub use problem::{LeftOut, Problem};
pub use redacted::RedactedFields;
pub use routed::{Routed, Why};
pub use session::{
    Event, Failure, NanoUsd, RefCall, Reference, Session, Span, SpanKind, SpanStatus, Turn, Usage, tool_calls,
};
pub use text::Text;
pub(crate) use verdict::is_zero;
pub use verdict::{Evidence, Field, Finding, Level, Severity, Status, SubjectFinding, SubjectRef, Tally, Verdict};
