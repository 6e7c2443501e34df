//! `seatrial review case`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review case`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Make an item a regression case of a suite.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review case` is not there yet"))
}
