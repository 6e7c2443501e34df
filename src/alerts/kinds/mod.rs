//! The kinds of alerts, each with its keys, its documentation and its rule.

pub mod budget;
pub mod burn_rate;
pub mod canary;
pub mod drift;
pub mod evaluation_budget;
pub mod ratio;
pub mod threshold;
