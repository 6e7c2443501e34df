//! Floor 4: production, watched: the suites that gate a deployment, applied to what really happens, for weeks.
//!
//! [`sources`] hand over telemetry and whole sessions. Telemetry waits in the inbox of the receiver
//! ([`crate::receive::homes`]), on disk before it is acknowledged, until [`closing`] says that its session is over; it
//! stays there for as long as more of it may come. [`admit`] says whether it is looked at, [`judge`] evaluates a session
//! exactly as a run does ([`crate::run::alone`], or [`away`] from here; what it asks of models is in `asking`) and makes a [`row`] of it; the store
//! keeps a row for each version of a session and knows which one counts. [`window`]s add rows up; when nothing more of them is
//! expected, system checks are asked about them ([`system`]) and [`alerting`] judges them. Sessions of high risk are in
//! [`quarantine`]. [`watcher`] is the turn that all of this takes, again and again, by a [`clock`] that comes in from outside.
//!
//! What is known of it can be seen from outside: [`metrics`] for Prometheus, a page and the answers to those who ask
//! whether it is well ([`status`]), verdicts as events in the backend of the user ([`export`]).
//!
//! Everything that counts is added up from rows, so that it does not matter who was killed when: a session that is looked
//! at again is the same row, and one of which more has come is one version more, which supersedes the one before.

pub mod admit;
pub mod alerting;
mod asking;
pub mod away;
pub mod clock;
pub mod closing;
pub mod export;
pub mod judge;
pub mod metrics;
pub mod plan;
pub mod quarantine;
pub mod row;
pub mod sources;
pub mod status;
pub mod system;
pub mod watcher;
pub mod window;

#[cfg(test)]
mod testing;
