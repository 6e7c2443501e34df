//! One test suite for both databases.

mod claims;
mod crowd;
mod opening;
mod people;
mod promotions;
mod queue;
mod runs;
