//! `seatrial review notify`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review notify`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Send the webhooks that are due.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review notify` is not there yet"))
}
