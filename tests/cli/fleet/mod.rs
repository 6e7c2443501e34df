//! Sessions spread over workers, with real servers: the same record as on one machine, whoever is killed.

mod killed;
mod spread;
pub mod workers;
