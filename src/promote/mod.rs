//! Floor 4: promotions. A version of an agent goes to a target by a recorded decision, which can be verified later from
//! what was recorded alone.
//!
//! 1. [`record`] takes the evidence: what the records of runs decide is decided again from their events, and [`gate`] binds
//!    it to the digests of suites, files, policies, data and artifact (`gate.json`). What the rules of the target
//!    ([`crate::suite::settings::promote`]) say against it, it says, too.
//! 2. [`statement`] says the same in the words of in-toto, in an envelope ([`dsse`]) signed by a key ([`keys`]).
//! 3. [`event`] is what can be done to a promotion; [`log`] keeps it, each entry chained to the one before; [`state`] is
//!    what the log adds up to, by the same rules for whoever writes an entry and whoever reads the log.
//! 4. [`book`] is where the log lies, and how an entry is added to it by one of several who want to.
//! 5. [`hooks`] tell others: a program or a webhook moves an endpoint, a tag or a deployment.
//! 6. [`verify`] holds an approval against what is there now: any digest that is another voids it.

pub mod book;
pub mod dsse;
pub mod event;
pub mod gate;
pub mod hooks;
pub mod keys;
pub mod log;
pub mod moment;
pub mod promotion;
pub mod record;
pub mod state;
#[cfg(test)]
mod state_tests;
pub mod statement;
#[cfg(test)]
pub(crate) mod testing;
pub mod verify;
