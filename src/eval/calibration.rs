//! What people said of the judge behind a pass rate, and nothing else of it: four counts, of the check as it is now. It is
//! read once, before the run, and embedded in the record, so that the same decision can be made again from it alone.

use serde::{Deserialize, Serialize};

use crate::model::digest::Digest;
use crate::stats::confusion::Confusion;

/// What labels are called among the things that a record embeds: no run has such a name.
pub const NAME: &str = "[labels]";

/// Labels of a check's verdicts, drawn at random from all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The check's id.
    pub check: String,
    /// The check as it was labelled: parameters, rubric, files and judge.
    pub digest: Digest,
    /// What the judge says against what people say.
    pub labels: Confusion,
    /// Drawn verdicts that are not decided, or not blind, which say nothing.
    #[serde(default)]
    pub undecided: u64,
    /// With which probability a verdict was drawn.
    pub rate: f64,
}
