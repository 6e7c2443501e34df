//! `seatrial review adjudicate`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review adjudicate`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Decide an item on which reviewers disagree.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review adjudicate` is not there yet"))
}
