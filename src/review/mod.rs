//! Floor 4: people in the loop. What a run leaves undecided goes to them, and what they say comes back.
//!
//! Here is what is done with the ledger of items and labels: asking people, telling others, exchanging what was said.

pub mod desk;
pub mod enqueue;
pub mod exchange;
pub mod notify;
pub mod regression;
pub mod rulings;
pub mod serve;
pub mod stored;
pub mod suites;
pub mod words;
