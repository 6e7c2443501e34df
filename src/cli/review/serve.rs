//! `seatrial review serve`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review serve`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Serve the pages on which people review.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review serve` is not there yet"))
}
