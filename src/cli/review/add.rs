//! `seatrial review add`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review add`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Put the verdicts of a run that wait for people into the queue.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review add` is not there yet"))
}
