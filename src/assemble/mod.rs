//! Floor 2: sessions put together from telemetry. One room for files, and later for what receives and watches.
//!
//! Records of one session may lie anywhere in the input, in any order, more than once. [`session_id`] says which session
//! a record belongs to; [`build`] makes a session of all its records.

pub mod build;
pub mod session_id;
