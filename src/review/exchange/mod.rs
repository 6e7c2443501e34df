//! Items and labels out of the ledger and into it: as lines of JSON ([`crate::ledger::line`]), and in the shape of Amazon
//! A2I.

pub mod a2i;
pub mod export;
pub mod import;
pub mod incoming;

#[cfg(test)]
mod tests;
