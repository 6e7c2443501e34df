//! Floor 2: which sessions of production are looked at. Pure: ids, moments and counts come in, there is no random number.
//!
//! - [`threshold`]: a session is drawn by a hash of its id, against a threshold as OpenTelemetry writes it.
//! - [`facts`]: the stratum of a session, and whether it is kept whatever its share.
//! - [`plan`]: shares, floors and budgets, turned into chances before each window.
//! - [`Sampler`]: all of it, window after window, with what was spent.
//!
//! Rules that draw more than one share take the union: with one hash for all, the chance of being drawn is the largest of
//! theirs. It is written down with each session, so that rates can be weighted by it ([`crate::stats::weighted`]).

pub mod facts;
pub mod plan;
mod sampler;
pub mod threshold;

pub use facts::{Facts, Kept};
pub use sampler::{Decision, Reason, Sampler, Spending, State};
pub use threshold::Threshold;
