//! `on`: which subjects a check is applied to.

/// Selects subjects.
#[derive(Debug, Clone, Default)]
pub struct Selector {}
