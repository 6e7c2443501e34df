//! Live agents, driven by the binary.

pub mod agent;
mod ends;
mod hooks;
mod kinds;
mod many;
mod programs;
mod run;
mod telemetry;
mod third;
mod trouble;
mod user;
