//! Floor 4: alerts, delivered. A notice is put down in the store's outbox under its key, once; it becomes a post for each
//! channel of `seatrial.toml` that is to be told, and that is sent, and again where it failed, at least once. So a
//! channel that is down neither keeps others from being told nor has them told twice.

mod deliver;

pub use deliver::{Courier, Delivered, pause_after, put};

#[cfg(test)]
mod tests;
