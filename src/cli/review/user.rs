//! `seatrial review user`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review user`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Add, change and list the people who may review.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review user` is not there yet"))
}
