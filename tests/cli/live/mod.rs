//! Live agents, driven by the binary.

pub mod agent;
mod ends;
mod hooks;
mod many;
mod run;
mod telemetry;
mod trouble;
mod user;
