//! Floor 3: what a run leaves behind and how it is read again: the run record, the sessions kept whole beside it, and
//! an earlier run as baseline.

pub mod against;
pub mod baseline;
pub mod driven;
pub mod earlier;
pub mod kept;
pub mod lines;
pub mod record;
pub mod unhappy;
pub mod writer;
