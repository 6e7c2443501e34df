//! Floor 1: speaking HTTP with what is outside: agents, judges, embeddings, hooks.
//!
//! Whatever answers is not to be trusted: a reply is read up to a number of bytes and until a moment, and what goes
//! wrong has one of a few names ([`Trouble`]), so that a caller can say it, count it, and tell whether asking again may
//! help.

pub mod aws;
pub mod body;
pub mod budget;
pub mod client;
pub mod pace;
pub mod percent;
pub mod scrub;
pub mod secret;
pub mod stream;
pub mod trouble;
pub mod webhook;

pub use trouble::{Cause, Trouble};
