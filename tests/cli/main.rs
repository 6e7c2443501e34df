//! Drives the real binary: what users see. One integration binary, one module per concern.

mod bad_input;
mod examples;
mod gate;
mod invariant;
mod project;
mod record;
mod reports;
mod suites;
