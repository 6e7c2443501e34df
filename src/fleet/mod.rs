//! Floor 4: sessions spread over workers, any number of them, through NATS JetStream.
//!
//! Whoever runs a suite reads the recordings, cuts them into portions and puts each into a work queue ([`queue`]); workers
//! ([`worker`]) take one after the other, judge it exactly as a run does ([`crate::run::apart`]) and answer under the
//! portion's own name; the one who asked ([`crew`]) takes the answers in the order of the run. So the record is the same
//! as that of one machine, whoever did what, and whoever was killed meanwhile: a portion that is handed out again gives
//! the same answer, and of two answers of one name one is dropped.
//!
//! [`task`] is what is asked and answered, as messages ([`frame`]). Suites reach workers as a [`bundle`] under its digest
//! ([`objects`]).

pub mod address;
pub mod bundle;
pub mod crew;
pub mod frame;
pub mod metrics;
pub mod objects;
pub mod pull;
pub mod queue;
pub mod status;
pub mod task;
pub mod worker;
