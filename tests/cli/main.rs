//! Drives the real binary: what users see. One integration binary, one module per concern.

#![allow(clippy::expect_used, reason = "a test, outside of its functions too, may panic")]

mod adk;
mod against;
mod bad_input;
mod baseline;
mod browser;
mod calibrate;
mod ci;
mod command;
mod diff;
mod endings;
mod enqueued;
mod examples;
mod exports;
#[cfg(unix)]
mod fleet;
mod gate;
mod hostile_telemetry;
mod html;
mod init;
mod invariant;
mod judges;
mod live;
mod look;
mod means;
mod model;
#[cfg(unix)]
mod nats;
mod opinions;
mod policy_and_price;
#[allow(dead_code, reason = "the other half is used by tests of the library")]
mod postgres;
mod project;
mod promote;
mod promotion;
mod readme;
mod receive;
mod record;
mod redact;
mod reports;
mod rerun;
mod resume;
mod review;
mod review_loop;
mod review_pages;
mod sample;
mod selected;
mod shards;
mod store;
mod suites;
mod telemetry;
mod telemetry_traps;
#[cfg(unix)]
mod venv;
mod watch;
mod watching;
mod which_reports;
