//! What agents send while they work: `seatrial record` as a real process, spoken to as exporters do.

mod bad;
pub mod demo;
mod driven;
mod killed;
mod record;
pub mod recorder;
