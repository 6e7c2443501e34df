//! Non-inferiority: whether the candidate is worse by less than a margin, so that the chance of promoting what is worse
//! by the margin is at most the stated level, whatever the chances of a win and a loss are.
//!
//! The score at -margin is held against the normal quantile, as Tango does, and up to [`EXACT_UP_TO`] pairs also against
//! what keeps the level at worst, found by enumeration ([`super::worst`]). The limits that are shown take the same
//! reach, so that the lower one lies above -margin exactly when the rule passes.

use super::worst::Region;
use super::{Pairs, TANGO};
use crate::stats::needed::first;
use crate::stats::power;
use crate::stats::special::{normal_cdf, normal_quantile};

/// How the exact rule is called in reports.
pub const TANGO_EXACT: &str = "tango-exact";

/// Up to so many pairs the rule is exact. A decision with its limits takes 1.5 ms for 400 pairs, 20 ms for 5,000 and 0.14 s
/// for so many (release build, one core); beyond, the normal quantile alone decides.
pub const EXACT_UP_TO: u64 = 20_000;

/// Up to so many pairs the smallest margin that can be shown is that of the exact rule, which has to be tried out.
const PLANNED_UP_TO: u64 = 1_000;

/// What rounding may do to a score.
const ROUNDING: f64 = 1e-10;

/// What pairs of pass and fail say of "not worse by more than the margin".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonInferiority {
    /// The difference of the pass rates, candidate less baseline.
    pub difference: f64,
    /// The one-sided lower limit of the difference, at 1 - level; exact where it is -margin.
    pub lower: f64,
    /// The one-sided upper limit of the difference, at 1 - level, with the same reach.
    pub upper: f64,
    /// The score at -margin.
    pub z: f64,
    /// The one-sided p-value of the hypothesis that the candidate is worse by the margin or more.
    pub p: f64,
    /// What decides: [`TANGO_EXACT`], or [`TANGO`] for more pairs than that is for.
    pub method: &'static str,
}

impl NonInferiority {
    /// Whether it is shown: the lower limit lies above -margin.
    pub fn holds(&self, margin: f64) -> bool {
        self.lower > -margin
    }
}

/// The rule for a number of pairs, whatever their counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    n: u64,
    margin: f64,
    /// A score at -margin above this passes.
    reach: f64,
}

impl Rule {
    /// The rule at the one-sided level `level`.
    ///
    /// `None` when there is no pair, a margin outside 0 to 1, or a level outside 0 to 0.5.
    pub fn new(n: u64, margin: f64, level: f64) -> Option<Self> {
        let normal = normal_reach(n, margin, level)?;
        let reach = if n <= EXACT_UP_TO { exact_reach(n, margin, level, normal) } else { normal };
        Some(Self { n, margin, reach })
    }

    /// What it says of counts.
    ///
    /// `None` when there are more disagreements than pairs.
    pub fn judge(&self, wins: u64, losses: u64) -> Option<NonInferiority> {
        let pairs = Pairs::new(wins, losses, self.n)?;
        let z = pairs.score(-self.margin);
        Some(NonInferiority {
            difference: pairs.difference(),
            lower: pairs.limit(self.reach),
            upper: pairs.limit(-self.reach),
            z,
            p: p_value(z, self.n, self.margin, 1.0),
            method: if self.n <= EXACT_UP_TO { TANGO_EXACT } else { TANGO },
        })
    }

    /// Whether counts pass, without their limits.
    pub fn passes(&self, wins: u64, losses: u64) -> bool {
        Pairs::new(wins, losses, self.n).is_some_and(|pairs| pairs.score(-self.margin) > self.reach)
    }

    /// How often it passes, with these chances of a win and a loss for every pair.
    pub fn power(&self, win: f64, loss: f64) -> f64 {
        Region::above(self.reach, self.n, self.margin).chance(win, loss)
    }
}

/// What counts say at the one-sided level `level`.
///
/// `None` as for [`Rule::new`] and [`Rule::judge`].
pub fn non_inferiority(wins: u64, losses: u64, n: u64, margin: f64, level: f64) -> Option<NonInferiority> {
    Pairs::new(wins, losses, n)?;
    Rule::new(n, margin, level)?.judge(wins, losses)
}

/// Whether [`non_inferiority`] holds, in a fraction of its time. What makes no sense shows nothing.
pub fn shows(wins: u64, losses: u64, n: u64, margin: f64, level: f64) -> bool {
    let Some(pairs) = Pairs::new(wins, losses, n) else { return false };
    normal_reach(n, margin, level).is_some_and(|normal| pairs.passes(n, margin, level, normal))
}

/// How many more pairs would show non-inferiority if they went as these did. 0 when it is shown already.
///
/// `None` when the difference itself is at or below -margin, or as for [`non_inferiority`].
pub fn more_pairs(wins: u64, losses: u64, n: u64, margin: f64, level: f64) -> Option<u64> {
    let (pairs, normal) = (Pairs::new(wins, losses, n)?, normal_reach(n, margin, level)?);
    if pairs.difference() <= -margin {
        return None;
    }
    // The exact rule asks for no less than the normal one.
    let least = first(0, |more| pairs.with_more(more).score(-margin) > normal)?;
    first(least, |more| pairs.with_more(more).passes(n + more, margin, level, normal))
}

/// The smallest margin for which `n` pairs show non-inferiority with this power when neither side is better and so many
/// pairs disagree.
///
/// `None` when there is no pair, no margin would do, or a level makes no sense.
pub fn detectable_margin(n: u64, discordant: f64, level: f64, power: f64) -> Option<f64> {
    if n > PLANNED_UP_TO {
        return power::detectable_margin(n, discordant, level, power);
    }
    if !((0.0..=1.0).contains(&discordant) && power > 0.0 && power < 1.0) {
        return None;
    }
    let enough = |margin: f64| {
        Rule::new(n, margin, level).is_some_and(|rule| rule.power(discordant / 2.0, discordant / 2.0) >= power)
    };
    let (mut low, mut high) = (0.0, 0.999);
    if !enough(high) {
        return None;
    }
    while high - low > 0.001 {
        let middle = f64::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

impl Pairs {
    /// Whether the score of these passes for `n` pairs.
    fn passes(self, n: u64, margin: f64, level: f64, normal: f64) -> bool {
        let z = self.score(-margin);
        z > normal && (n > EXACT_UP_TO || p_value(z, n, margin, level) <= level)
    }
}

/// The reach under the normal distribution; `None` as for [`Rule::new`].
fn normal_reach(n: u64, margin: f64, level: f64) -> Option<f64> {
    let sound = n > 0 && (0.0..1.0).contains(&margin) && level > 0.0 && level < 0.5;
    sound.then(|| normal_quantile(1.0 - level))
}

/// The chance of such a score or a larger one, at worst; when it is larger than `enough`, no more than that is known.
fn p_value(z: f64, n: u64, margin: f64, enough: f64) -> f64 {
    let normal = normal_cdf(-z);
    if n > EXACT_UP_TO || normal > enough {
        return normal;
    }
    normal.max(Region::above(z - ROUNDING, n, margin).worst(margin, enough))
}

/// The smallest reach from `normal` on that keeps the level at worst: the largest score that must not pass.
fn exact_reach(n: u64, margin: f64, level: f64, normal: f64) -> f64 {
    let region = |reach: f64| Region::above(reach, n, margin);
    let keeps = |region: &Region| region.worst(margin, level) <= level;
    let mut wide = region(normal);
    if keeps(&wide) {
        return normal;
    }
    let (mut low, mut high) = (normal, normal + 0.25);
    let mut narrow = region(high);
    while !keeps(&narrow) {
        (low, wide) = (high, narrow);
        high += high - normal;
        narrow = region(high);
    }
    while high - low > ROUNDING {
        let middle = f64::midpoint(low, high);
        let between = region(middle);
        if between == narrow || (between != wide && keeps(&between)) {
            (high, narrow) = (middle, between);
        } else {
            (low, wide) = (middle, between);
        }
    }
    high
}

#[cfg(test)]
#[path = "margin_tests.rs"]
mod tests;
