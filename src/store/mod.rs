//! Floor 3: what a run leaves behind and how it is read again: the run record, and the sessions kept whole beside it.

pub mod against;
pub mod kept;
pub mod record;
