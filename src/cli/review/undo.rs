//! `seatrial review undo`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review undo`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Take an answer back.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review undo` is not there yet"))
}
