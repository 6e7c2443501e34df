//! Floor 4: live agents, driven.
//!
//! A live run has two phases. First every trial of every case is *driven*: what its user says is said, what the agent
//! replies is heard, and each session is saved as it ends. Then the ordinary run goes over that recording, as over any
//! other. So a live run leaves a recording behind that can be scored again, and one that was interrupted goes on with the
//! sessions that are missing.
//!
//! - [`wants`]: which sessions are wanted, and in which order they stand in the recording.
//! - [`user`]: who speaks for the user, a script or a model.
//! - [`talk`]: one conversation, turn by turn, within its limits of time; what is said again and what is not.
//! - [`hooks`]: what is done before and after sessions, and what the world is like then.
//! - [`around`]: when it is done, and that it is undone.
//! - [`listening`]: the receivers of telemetry of a run; [`late`]: sessions that are put together again.
//! - [`made`]: from what was heard to a session; what was not heard is not in it.
//! - [`one`]: one session, from what is done before it to what came of it; [`spent`]: what it came to; [`tab`]: what it
//!   counts for as long as it is not saved.
//! - [`fleet`]: many conversations at once, until all have ended, the run is interrupted, or what may be spent is spent.
//! - [`saved`]: the sessions on disk, as they end and at last in order.

pub mod around;
pub mod fleet;
pub mod hooks;
pub mod late;
pub mod listening;
pub mod made;
pub mod one;
pub mod saved;
pub mod spent;
pub mod tab;
pub mod talk;
#[cfg(test)]
mod tests;
pub mod user;
pub mod wants;
