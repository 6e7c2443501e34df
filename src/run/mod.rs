//! Floor 4: the engine. It pulls batches of elements, evaluates them on all cores and commits the results in ordinal
//! order, so that the record is the same whatever the scheduling. [`merge`] commits what shards have recorded.
//! [`alone`] judges one session by itself, in the very same way;
//! [`apart`] has sessions judged elsewhere, by those who do the same there.

pub mod alone;
pub mod apart;
pub mod asking;
mod changed;
pub mod commit;
mod element;
pub mod engine;
pub mod merge;
pub mod past;
pub mod system;

#[cfg(test)]
mod hold_tests;
