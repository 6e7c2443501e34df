//! `on`: which subjects a check is applied to.

/// Selects subjects.
#[derive(Debug, Clone, Default, serde::Deserialize, schemars::JsonSchema)]
pub struct Selector {}
