//! Floor 2: sessions put together from telemetry. One room for files and for what arrives while agents work.
//!
//! Records of one session may lie anywhere in the input, in any order, more than once. [`session_id`] says which session
//! a record belongs to; [`intake`] takes records in, on any number of threads, and [`settled`] hands out the records of
//! one session after the other; [`build`] makes a session of all its records.
//! What is received goes on arriving: [`live`] keeps it until a session has been quiet.
//!
//! Behind them: `index` (traces and their sessions), `run` (records as they came), `store` and `spill` (records while they wait, in memory and on
//! disk), `gather` (those of a partition, sorted into sessions, one partition
//! `ahead` of those who use them), `resource` (bounds on what every record carries).

mod ahead;
pub mod build;
mod gather;
mod index;
pub mod intake;
pub mod live;
mod resource;
mod run;
pub mod session_id;
pub mod settled;
pub mod spill;
mod store;

pub use spill::SpillError;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod written_tests;
