//! Floor 3: one file per output.

pub mod safe;
pub mod transcript;
