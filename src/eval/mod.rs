//! Floor 2: one session against one suite, and all sessions together.
//!
//! [`bind`] finds a session's case and lays the references over each other; [`evaluate`] applies every check and rolls
//! the findings up ([`rollup`]); what comes out is a [`event::SessionEvent`], which is also the record's line. The
//! [`fold`] takes their [`row::Row`]s in ordinal order, and the [`gate`] decides from the fold alone, so that a run, a
//! redrawn report and a merged one agree to the byte. What it needs of an earlier run is a [`baseline::Baseline`], which
//! [`compare`] holds beside the fold; of people's labels, a [`calibration::Calibration`]. What people decided over verdicts
//! that went to them is laid over the events first ([`overlay`]). A [`shard::Shard`] says which cases are recorded where.

pub mod baseline;
pub mod bind;
pub mod calibration;
pub mod compare;
pub mod driven;
pub mod earlier;
pub mod evaluate;
pub mod event;
pub mod exit;
pub mod facts;
pub mod fold;
pub mod gate;
pub mod keep;
pub mod keys;
pub mod overlay;
pub mod plan;
pub mod prints;
mod redact;
pub mod remembered;
pub mod rollup;
pub mod row;
pub mod same;
pub mod scratch;
pub mod seen;
pub mod shard;
pub mod spend;
#[cfg(test)]
pub(crate) mod testing;
