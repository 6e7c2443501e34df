//! Queues and tables of real servers: sessions spread over workers, and sessions of production that come from there.

mod killed;
mod production;
mod sources;
mod spread;
pub mod workers;
