//! `seatrial review show`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review show`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Show one item: the question, the session, what was expected.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review show` is not there yet"))
}
