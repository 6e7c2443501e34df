//! Telling others what happened in the queue: webhooks.
//!
//! What happens to items is put down in the store's outbox in the transaction that makes it happen; here it is turned into
//! a message for each address that wants to know ([`message`]) and sent ([`deliver`]), at least once.

pub mod deliver;
pub mod message;

#[cfg(test)]
mod tests;

pub use deliver::{Notifier, Told};
