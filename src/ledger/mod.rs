//! Floor 1: the nouns of review, and what people's answers add up to. No I/O, no clock, no randomness: times and random
//! bytes come in as values.
//!
//! - [`ItemKey`], [`NewItem`], [`Item`]: one verdict that goes to a person, with everything the person is told.
//! - [`Label`], [`Act`], [`Answer`]: one row of the append-only book. Nothing in it is ever changed; an undo is a row.
//! - [`mod@standing`]: what the rows of one item add up to. The one place that knows when an item is decided.
//! - [`Lease`], [`Refused`]: who works on an item now, and why somebody may not.
//!
//! The database that keeps them is [`crate::store::db`].

mod event;
mod item;
mod label;
mod lease;
pub mod line;
mod standing;
mod token;

pub use crate::model::{Routed, Why};
pub use event::Event;
pub use item::{Asked, Content, Item, ItemId, ItemKey, ItemStatus, NewItem};
pub use label::{Act, Answer, Label, SkipReason, Source, Submission};
pub use lease::{Lease, Refused};
pub use standing::{DecidedBy, Standing, blind, counting, standing};
pub use token::Token;

/// The longest name of a person, in characters.
pub const LONGEST_NAME: usize = 100;

/// A time: milliseconds since the epoch, UTC.
pub type Millis = i64;

#[cfg(test)]
pub(crate) mod testing;
