//! One test suite for both databases.

mod blind;
mod claims;
mod crowd;
mod killed;
mod moving;
mod opening;
mod people;
mod promotions;
mod quarantine;
mod queue;
mod runs;
mod watched;
