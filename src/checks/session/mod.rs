//! Checks over a whole session, and those that mean the same over one turn: which tools were called, in which order,
//! with which outcome.

pub mod assign;
pub mod calls;
mod describe;
pub mod escalated;
pub mod facts;
pub mod memory;
pub mod order;
mod plain;
pub mod rating;
pub mod repeat;
pub mod reward;
pub mod state;
#[cfg(test)]
pub(super) mod testing;
pub mod trajectory;
pub mod turns;
