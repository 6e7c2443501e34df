//! Checks that only a turn can answer.

pub mod ttft;
