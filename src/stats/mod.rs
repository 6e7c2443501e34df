//! Floor 1: numbers about many sessions. Pure functions, each tested against an oracle, none of which makes up a value
//! where there is none: too little data is an `Err` or a `None`, never a zero.
//!
//! - [`sum`]: exact sums, so that a total does not depend on the order of its parts.
//! - [`quantile`]: percentiles by nearest rank.
//! - [`reliability`]: pass^k and pass@k over repeated trials.

pub mod quantile;
pub mod reliability;
pub mod sum;
