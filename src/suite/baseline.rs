//! `baseline` in `[gate]`: the earlier run that this one must not be worse than, and by how much it may seem so.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limit;
use super::means::{self, MeanBar};
use super::paths::{PathText, Vars};
use super::raw::{Pos, Sink};

/// `margin` unless it is given.
pub const MARGIN: f64 = 0.05;

/// `alpha` unless it is given.
pub const ALPHA: f64 = 0.05;

/// What is said of a margin outside of its range.
pub(super) const WRONG_MARGIN: &str = "`margin` is a share above 0.0 and below 1.0";

/// `baseline` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineTable {
    /// The run: its folder or its run.jsonl, relative to this file.
    pub run: String,
    /// How much lower the share of passing cases may be; 0.05 unless given.
    pub margin: Option<f64>,
    /// The chance of taking a run that is worse by the margin for one that is not; 0.05 unless given.
    pub alpha: Option<f64>,
    /// What a missing or unreadable baseline makes of the suite.
    pub if_missing: Option<IfMissing>,
    /// Cases of the baseline that are absent now, or could not be measured in either run: an integer is a count, a float
    /// a share. 0 unless given.
    pub max_unpaired: Option<Limit>,
    /// Metrics whose mean must not become worse.
    pub means: Option<Vec<MeanBar>>,
}

/// What is decided where the baseline is missing or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfMissing {
    /// The suite is unmeasured.
    #[default]
    Unmeasured,
    /// The comparison is left out, which every report says; the other rules stand.
    Skip,
}

/// The run that this one must not be worse than.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BaselineBar {
    /// The run, as it is written in the suite or given by `--baseline`.
    pub run: String,
    /// How much lower the share of passing cases may be, in (0, 1).
    pub margin: f64,
    /// The chance of taking a run that is worse by the margin for one that is not, in (0, 0.5).
    pub alpha: f64,
    /// What a missing or unreadable baseline makes of the suite.
    #[serde(default)]
    pub if_missing: IfMissing,
    /// Cases of the baseline that are absent now, or could not be measured in either run.
    pub max_unpaired: Limit,
    /// Metrics whose mean must not become worse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<MeanBar>,
    /// Where the run is, with environment variables in place; these never enter a record.
    #[serde(skip)]
    pub path: PathBuf,
}

impl PartialEq for BaselineBar {
    /// By what a record says of it: where the run lies is not part of that.
    fn eq(&self, other: &Self) -> bool {
        (&self.run, self.margin, self.alpha, self.if_missing, self.max_unpaired, &self.means)
            == (&other.run, other.margin, other.alpha, other.if_missing, other.max_unpaired, &other.means)
    }
}

impl BaselineBar {
    /// The bar of a baseline that only `--baseline` names.
    pub fn named(run: &str, path: PathBuf) -> Self {
        Self {
            run: run.to_owned(),
            margin: MARGIN,
            alpha: ALPHA,
            if_missing: IfMissing::Unmeasured,
            max_unpaired: Limit::Count(0),
            means: Vec::new(),
            path,
        }
    }

    /// The same bar against another run.
    #[must_use]
    pub fn against(&self, run: &str, path: PathBuf) -> Self {
        Self { run: run.to_owned(), path, ..self.clone() }
    }
}

/// The bar of a table in a file of the folder `dir`; what is wrong with it is reported. `at` says where a key's value
/// stands.
pub(super) fn resolve(
    read: BaselineTable,
    dir: &Path,
    vars: Vars<'_>,
    at: &dyn Fn(&[&str]) -> Pos,
    sink: &mut Sink<'_>,
) -> Option<BaselineBar> {
    let (margin, alpha) = (read.margin.unwrap_or(MARGIN), read.alpha.unwrap_or(ALPHA));
    if !(margin > 0.0 && margin < 1.0) {
        let help = "0.05 lets the share of passing cases be lower by 5 of 100".to_owned();
        sink.error(&at(&["margin"]), WRONG_MARGIN, help);
    }
    if !(alpha > 0.0 && alpha < 0.5) {
        let help = "0.05 is usual: one run in twenty that is worse by the margin passes".to_owned();
        sink.error(&at(&["alpha"]), "`alpha` is a chance above 0.0 and below 0.5", help);
    }
    let means = read.means.unwrap_or_default();
    means::check(&means, &|i, key| at(&["means", &i.to_string(), key]), sink);
    let path = match PathText::new(&read.run).and_then(|text| text.fill(vars)) {
        Ok(path) if path.trim().is_empty() => {
            sink.error(&at(&["run"]), "an empty path", "name a run's folder or its run.jsonl".to_owned());
            return None;
        }
        Ok(path) => dir.join(path),
        Err((message, help)) => {
            sink.error(&at(&["run"]), message, help);
            return None;
        }
    };
    Some(BaselineBar {
        run: read.run,
        margin,
        alpha,
        if_missing: read.if_missing.unwrap_or_default(),
        max_unpaired: read.max_unpaired.unwrap_or(Limit::Count(0)),
        means,
        path,
    })
}
