//! `seatrial review label`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review label`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Answer an item.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review label` is not there yet"))
}
