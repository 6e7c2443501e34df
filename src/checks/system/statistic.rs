//! The statistics that a suite can ask of samples, each with its interval and the method of it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use crate::stats::interval::Interval;
use crate::stats::quantile::Percentile;
use crate::stats::samples::Samples;
use crate::stats::{cluster, order};

/// A statistic over samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// The mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// How many.
    Count,
    /// The standard deviation of a sample.
    Stddev,
    /// A percentile by nearest rank.
    Percentile(Percentile),
    /// The ratio of two sums, for metrics that are one; it has no name of its own.
    Ratio,
}

const STATS: &[&str] = &["mean", "min", "max", "sum", "count", "stddev", "p50", "p95", "p99", "p99.9"];

impl<'de> Deserialize<'de> for Stat {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Ok(match name.as_str() {
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "count" => Self::Count,
            "stddev" => Self::Stddev,
            other => match other.parse() {
                Ok(percentile) => Self::Percentile(percentile),
                Err(_) => return Err(de::Error::unknown_variant(other, STATS)),
            },
        })
    }
}

impl JsonSchema for Stat {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [
            { "enum": ["mean", "min", "max", "sum", "count", "stddev"] },
            { "type": "string", "pattern": "^p[0-9]{1,2}(\\.[0-9]{1,3})?$" }
        ] })
    }
}

impl Stat {
    /// What it is called in a sentence; nothing for a ratio, whose metric says it.
    pub fn name(self) -> String {
        match self {
            Self::Mean => "mean".to_owned(),
            Self::Min => "smallest".to_owned(),
            Self::Max => "largest".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Stddev => "standard deviation".to_owned(),
            Self::Percentile(p) => p.to_string(),
            Self::Ratio => String::new(),
        }
    }

    /// The statistic; `None` where it is not defined.
    pub fn of(self, samples: &Samples) -> Option<f64> {
        if samples.is_empty() {
            return None;
        }
        match self {
            Self::Mean | Self::Ratio => samples.mean(),
            Self::Min => samples.smallest(),
            Self::Max => samples.largest(),
            Self::Sum => samples.sum(),
            Self::Count => Some(samples.len() as f64),
            Self::Stddev => samples.stddev(),
            Self::Percentile(p) => samples.percentile(p),
        }
    }

    /// How many samples are behind it; of a ratio, its denominator.
    pub fn count(self, samples: &Samples) -> u64 {
        if self == Self::Ratio { samples.bottom().map_or(0, |b| b as u64) } else { samples.len() }
    }

    /// How far it may be off, relative to itself.
    pub fn error(self, samples: &Samples) -> f64 {
        if matches!(self, Self::Percentile(_)) { samples.error() } else { 0.0 }
    }

    /// Its two-sided interval. `None` where there is no method for it, too few cases or samples, or no spread to judge
    /// by.
    pub fn interval(self, samples: &Samples, confidence: f64) -> Option<Interval> {
        match self {
            Self::Mean => {
                let ratio = samples.ratio().filter(|r| r.se_cr0 > 0.0)?;
                let interval = ratio.interval(confidence)?;
                // What is never negative has no negative mean.
                let floor = if samples.smallest()? >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
                Some(Interval { low: interval.low.max(floor), ..interval })
            }
            Self::Ratio => samples.ratio()?.rate_interval(confidence),
            Self::Percentile(p) => match samples.percentile_interval(p, confidence)? {
                (Some(low), Some(high)) => Some(Interval { low, high }),
                _ => None,
            },
            Self::Min | Self::Max | Self::Sum | Self::Count | Self::Stddev => None,
        }
    }

    /// Why its interval may cover less often than it says; `None` when nothing speaks against it.
    pub fn doubt(self, samples: &Samples) -> Option<String> {
        let doubted = (self == Self::Mean).then(|| samples.ratio()?.doubt()).flatten();
        doubted.map(|doubt| doubt.to_string())
    }

    /// The method of its interval; nothing where it has none.
    pub fn method(self, samples: &Samples) -> &'static str {
        match self {
            Self::Mean => cluster::CLUSTERED_T,
            Self::Ratio => samples.ratio().map_or(cluster::KORN_GRAUBARD, |ratio| ratio.rate_method()),
            Self::Percentile(_) => order::ORDER_STATISTICS,
            Self::Min | Self::Max | Self::Sum | Self::Count | Self::Stddev => "",
        }
    }
}
