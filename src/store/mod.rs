//! Floor 3: what a run leaves behind and how it is read again. Today the run record, a file.

pub mod baseline;
pub mod lines;
pub mod record;
