//! Floor 1: numbers about many sessions. Pure functions, each tested against an oracle, none of which makes up a value
//! where there is none: too little data is an `Err` or a `None`, never a zero.
//!
//! What to use for what. `wins` are pairs (cases) that only the candidate passes, `losses` those that only the baseline
//! passes; `confidence` is 0.95 and a `level` .05 or so.
//!
//! | question | function |
//! | --- | --- |
//! | a pass rate over cases, or a mean of shares such as pass^k, to decide | [`proportion::fractional_lower`], of a count [`proportion::lower`]; both limits [`proportion::clopper_pearson`] |
//! | how many cases it takes to pass at all; how many more at this rate | [`needed::to_pass_at_all`], [`needed::more_at_this_rate`], [`needed::more_passes`], [`needed::failures_allowed`] |
//! | pass^k, pass@k of a case | [`reliability::pass_hat_k`], [`reliability::pass_at_k`] |
//! | no worse than the baseline by the margin | [`tango::non_inferiority`], [`tango::more_pairs`], [`tango::detectable_margin`]; the interval to look at [`tango::interval`] |
//! | worse than, or different from, the baseline | [`mcnemar::worse`], [`mcnemar::exact`], [`mcnemar::mid_p`] |
//! | the mean of a metric against the baseline | [`paired::mean_difference`]; nothing where its `doubt` says so |
//! | several of these at once | [`multiple::holm`] to block, [`multiple::benjamini_hochberg`] to diagnose |
//! | what so many pairs can show; how many it takes | [`power`] |
//! | a mean or ratio of sums over sessions, or trials by case | [`cluster::ratio`] and its `interval`; of a rate its `rate_interval` |
//! | two rates of events | [`poisson::p_above`], [`poisson::ratio_interval`] |
//! | how far a judge and people agree; with the rates it errs at | [`agreement::Table`], [`confusion::Confusion`]; several people [`krippendorff::alpha`] |
//! | whether a confidence means what it says | [`calibration::brier`], [`calibration::reliability`]; what asking people gains [`risk_coverage::curve`] |
//! | from which confidence on a judge can be left alone; how many labels are missing | [`fixed_sequence::Guarantee::scan`] |
//! | a pass rate without the errors of its judge | [`corrected::correct`]; a mean, by the published method, [`ppi::mean`] |
//! | a rate, mean or total of sessions that were drawn with different chances | [`weighted::Sample`] |
//! | how fast the budget of an objective is used up | [`burn::rate`], [`burn::factor`] |
//! | whether a level has shifted | [`charts::Cusum`], [`charts::Ewma`] |
//! | candidate against champion, looked at again and again | [`anytime::TwoSample`], [`anytime::radius`]; pairs [`anytime::of_pairs`] |
//! | a percentile | [`quantile::nearest_rank`], its interval [`order::ranks`] |
//! | whether two sets of samples have one distribution | [`ks::distance`], [`ks::p_value`], [`ks::band`] |
//! | all of these over a window, in bounded memory | [`samples::Samples`], with [`sketch`] for percentiles |
//! | exact sums, so that a total does not depend on the order of its parts | [`sum`] |
//!
//! `statistics.md` beside this file says which method is behind each number of a run, and how often it keeps its promise.

pub mod agreement;
pub mod anytime;
pub mod burn;
pub mod calibration;
pub mod charts;
pub mod cluster;
pub mod confusion;
pub mod corrected;
pub mod fixed_sequence;
pub mod interval;
pub mod krippendorff;
pub mod ks;
pub mod mcnemar;
pub mod multiple;
pub mod needed;
pub mod order;
pub mod paired;
pub mod poisson;
pub mod power;
pub mod ppi;
pub mod proportion;
pub mod quantile;
pub mod reliability;
pub mod risk_coverage;
pub mod samples;
pub mod sketch;
pub mod skew;
pub mod special;
pub mod sum;
pub mod tango;
pub mod weighted;

pub use interval::Interval;
