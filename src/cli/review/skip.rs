//! `seatrial review skip`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review skip`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Give an item back, with the reason.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review skip` is not there yet"))
}
