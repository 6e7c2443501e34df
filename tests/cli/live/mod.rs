//! Live agents, driven by the binary.

mod agent;
mod hooks;
mod run;
mod telemetry;
mod trouble;
mod user;
