//! `seatrial review list`.

use super::super::context::{Context, Failure};

/// Arguments of `seatrial review list`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// List the items that wait for people, or those of another state.
pub fn run(_: &Args, _: &Context) -> Result<u8, Failure> {
    Err(Failure::usage("`seatrial review list` is not there yet"))
}
