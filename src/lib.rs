//! seatrial
pub mod checks;
pub mod formats;
pub mod model;
pub mod report;
pub mod sources;
pub mod stats;
pub mod suite;
