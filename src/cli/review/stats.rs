//! `seatrial review stats`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review stats`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// How far the reviewers are, and how far they agree.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review stats` is not there yet"))
}
