//! Queues and tables of real servers: sessions spread over workers, and sessions of production that come from there.

mod cut;
mod killed;
mod production;
mod pulled;
mod sources;
mod spread;
mod wire;
pub mod workers;
