//! `seatrial review export`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review export`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Write items and labels, for other tools and for the record.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review export` is not there yet"))
}
