//! Floor 4: judges held against people. From labelled verdicts to how far a judge agrees with people, from which
//! confidence on it can be left alone, and the change of the suite that says so.
//!
//! 1. [`labelled`] reads what people said of a judge's verdicts, from the store or from an export.
//! 2. [`sample`] takes the labels that are a sample of all verdicts: those drawn at random, thinned to one rate. What is
//!    no such sample shows nothing of the verdicts that nobody looked at, and is refused.
//! 3. [`figures`] counts them, [`recommend`] finds the threshold with its guarantee, [`judged`] is both for one check.
//! 4. [`patch`] changes `review.below` in the suite's file; [`text`] and [`page`] draw it all.

pub mod chart;
pub mod figures;
pub mod judged;
pub mod labelled;
pub mod page;
pub mod patch;
pub mod recommend;
pub mod sample;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;

pub use judged::{Judged, Wanted};
pub use labelled::LabelledVerdict;
