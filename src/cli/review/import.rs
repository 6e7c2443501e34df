//! `seatrial review import`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review import`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Take in labels that were made elsewhere.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review import` is not there yet"))
}
