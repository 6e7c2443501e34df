//! Means of metrics, pair by pair: the mean of the differences by case, held to how much it may be worse by Student's t.
//!
//! A bar in units is held against the mean of `now - then`; one in shares against that of `now - (1 + share) then`, so
//! that what is not known of the earlier mean counts, too. So few or so skewed differences that the limits may hold less
//! often than they say never pass ([`MeanDifference::doubt`]); so few pairs that chance alone could put all of them on one
//! side show nothing, however alike they are.

use super::super::Decision;
use super::super::measured::Measured;
use super::super::rates::percent;
use super::super::rules::listed;
use super::{Comparison, Taken};
use crate::checks::system::{Bound, words};
use crate::eval::baseline::Baseline;
use crate::eval::compare::Pair;
use crate::eval::remembered::{CaseMean, Without};
use crate::stats::paired::{self, MeanDifference};
use crate::stats::sum;
use crate::suite::BaselineBar;
use crate::suite::means::{Amount, MeanBar, Worse};

/// The name of the rule for a metric.
pub(super) fn name(bar: &MeanBar) -> String {
    format!("baseline mean {}", bar.metric)
}

/// The mean of a metric over the cases of both runs.
pub(super) struct Means {
    metric: String,
    worse: Worse,
    n: u64,
    then: f64,
    now: f64,
    /// Of how much each case became worse; `None` for fewer than two.
    loss: Option<MeanDifference>,
    /// Of that less what is allowed.
    excess: Option<MeanDifference>,
    /// What is said of cases without a value.
    notes: String,
}

/// Why the means cannot be compared.
pub(super) enum Unfit {
    /// By what is measured at all.
    Whole(String),
    /// By which cases there are to compare.
    OfCases(String),
}

impl Means {
    /// Pairs the values of a metric; else why they could not be.
    pub(super) fn of(
        bar: &BaselineBar,
        mean: &MeanBar,
        (before, after): (&Baseline, &Baseline),
        pairs: &[Pair<'_>],
    ) -> Result<Self, Unfit> {
        let metric = &mean.metric;
        let position = |side: &Baseline| side.means.iter().position(|m| m == metric);
        let (Some(then), Some(now)) = (position(before), position(after)) else {
            let which = if position(before).is_none() { "it" } else { "this run" };
            return Err(Unfit::Whole(format!(
                "{which} did not measure {metric} by case; run it again with this suite, then compare"
            )));
        };
        if let Some(why) = before.otherwise_priced(metric, after.prices) {
            return Err(Unfit::Whole(why));
        }
        let Some(worse) = mean.worse() else {
            return Err(Unfit::Whole(format!("the bar for the mean of {metric} does not say which way is worse")));
        };
        let (mut values, mut unknown, mut idle) = (Vec::new(), Vec::new(), 0);
        for pair in pairs {
            // A trial that was not recorded might have had any value.
            let of = |case: &crate::eval::baseline::PastCase, position: usize| match case.means.get(position) {
                Some(value) if case.missing == 0 => *value,
                _ => CaseMean::Without(Without::Missing),
            };
            match (of(pair.before, then), of(pair.after, now)) {
                (CaseMean::Value(then), CaseMean::Value(now)) => values.push((then, now)),
                (CaseMean::Without(Without::Nothing), CaseMean::Without(Without::Nothing)) => idle += 1,
                _ => unknown.push(pair.after.id.clone()),
            }
        }
        let (n, total) = (unknown.len() as u64, before.cases.len() as u64);
        if !bar.max_unpaired.allows(n, total) {
            return Err(Unfit::OfCases(format!(
                "{n} of its {total} cases have no {metric} in one of the runs ({}), more than `max_unpaired` allows",
                listed(&unknown)
            )));
        }
        let mut notes = String::new();
        if n > 0 {
            notes.push_str(&format!("; without {n} that have none in one of the runs ({})", listed(&unknown)));
        }
        if idle > 0 {
            notes.push_str(&format!("; without {idle} that have nothing to measure"));
        }
        Self::paired(metric, worse, &values, notes).map_err(Unfit::OfCases)
    }

    fn paired(metric: &str, worse: Worse, values: &[(f64, f64)], notes: String) -> Result<Self, String> {
        let mean = |of: fn(&(f64, f64)) -> f64| sum::mean(&values.iter().map(of).collect::<Vec<_>>());
        let (Some(then), Some(now)) = (mean(|v| v.0), mean(|v| v.1)) else {
            return Err(format!("no case to compare {metric} on"));
        };
        let (way, amount) = match worse {
            Worse::Up(amount) => (1.0, amount),
            Worse::Down(amount) => (-1.0, amount),
        };
        if matches!(amount, Amount::Share(_)) && then <= 0.0 {
            return Err(format!("its mean {metric} is {}, a share of which says nothing", words::number(then)));
        }
        let allowed = |then: f64| match amount {
            Amount::Units(units) => units,
            Amount::Share(share) => share * then,
        };
        let losses: Vec<f64> = values.iter().map(|(then, now)| way * (now - then)).collect();
        let excess: Vec<f64> = losses.iter().zip(values).map(|(loss, (then, _))| loss - allowed(*then)).collect();
        Ok(Self {
            metric: metric.to_owned(),
            worse,
            n: values.len() as u64,
            then,
            now,
            loss: paired::mean_difference(&losses),
            excess: paired::mean_difference(&excess),
            notes,
        })
    }

    /// 1 where more is worse, -1 where less is; and how much is allowed, in the unit of the metric.
    fn allowed(&self) -> (f64, f64) {
        let (way, amount) = match self.worse {
            Worse::Up(amount) => (1.0, amount),
            Worse::Down(amount) => (-1.0, amount),
        };
        match amount {
            Amount::Units(units) => (way, units),
            Amount::Share(share) => (way, share * self.then),
        }
    }
}

impl Comparison for Means {
    fn pairs(&self) -> u64 {
        self.n
    }

    /// What waits for a person changes no measured number.
    fn holds(&self, _: Taken, alpha: f64) -> bool {
        let Some(excess) = self.excess.filter(|excess| excess.doubt().is_none()) else { return false };
        paired::least_p(self.n) <= alpha && excess.upper(1.0 - alpha).is_some_and(|upper| upper < 0.0)
    }

    /// Where what was measured keeps the bar and is only in doubt, nothing is shown.
    fn p_worse(&self, _: Taken) -> f64 {
        let within = self.excess.is_some_and(|excess| excess.mean < 0.0 && excess.doubt().is_some());
        let shown = self.loss.filter(|_| !within);
        shown.map_or(1.0, |loss| loss.p_above(0.0).max(paired::least_p(self.n)))
    }

    fn said(&self, decision: Decision, alpha: f64, p_worse: f64, several: usize) -> (String, Option<Measured>) {
        let ((way, allowed), difference) = (self.allowed(), self.now - self.then);
        let signed = |x: f64| if x < 0.0 { words::number(x) } else { format!("+{}", words::number(x)) };
        let mut text = format!(
            "mean {} {} over {}, {} then: {}",
            self.metric,
            words::number(self.now),
            words::counted(self.n, "paired case"),
            words::number(self.then),
            signed(difference)
        );
        let wanted = match self.worse {
            Worse::Up(Amount::Share(_)) | Worse::Down(Amount::Share(_)) => {
                let (Worse::Up(share) | Worse::Down(share)) = self.worse;
                format!("less than {} ({share}) wanted", words::number(allowed))
            }
            _ => format!("less than {} wanted", words::number(allowed)),
        };
        let limit = |of: fn(&MeanDifference, f64) -> Option<f64>| {
            self.excess.as_ref().and_then(|excess| of(excess, 1.0 - alpha)).map(|limit| limit + allowed)
        };
        let (Some(most), Some(least)) = (limit(MeanDifference::upper), limit(MeanDifference::lower)) else {
            text.push_str(&format!("; {wanted}; one pair has no spread, more cases would tell{}", self.notes));
            return (text, None);
        };
        let rises = if way > 0.0 { "rises" } else { "falls" };
        text.push_str(&format!(
            ", {} sure that it {rises} by at most {} ({}), {wanted}",
            percent(1.0 - alpha),
            words::number(most),
            paired::PAIRED_T
        ));
        let more = if decision == Decision::Inconclusive {
            self.excess.and_then(|excess| excess.more_below(0.0, alpha))
        } else {
            None
        };
        match decision {
            Decision::Failed => text.push_str(&super::worse(p_worse, "paired t", several, alpha)),
            Decision::Inconclusive => text.push_str(&match more {
                Some(more) => {
                    let doubt = self.excess.and_then(|excess| excess.doubt());
                    let why = doubt.map_or_else(|| "underpowered".to_owned(), |doubt| doubt.to_string());
                    format!("; {why}: {} like these would settle it", words::counted(more, "more case"))
                }
                None => "; the difference itself is not less, so that only better results would pass".to_owned(),
            }),
            _ => {}
        }
        text.push_str(&self.notes);
        // As the difference is: from the baseline to this run, whichever way is worse.
        let interval = if way > 0.0 { [least, most] } else { [-most, -least] };
        let bound = if way > 0.0 {
            Bound { max: Some(allowed), ..Bound::default() }
        } else {
            Bound { min: Some(-allowed), ..Bound::default() }
        };
        let measured = Measured {
            bound: Some(bound),
            interval: Some(interval),
            confidence: Some(1.0 - alpha),
            method: Some(paired::PAIRED_T.to_owned()),
            p_worse: Some(p_worse),
            more_cases: more,
            ..Measured::new(difference, None, self.n)
        };
        (text, Some(measured))
    }
}

#[cfg(test)]
mod tests {
    use super::super::SAID;
    use super::*;

    #[test]
    fn holds_as_the_simulation_counts_over_a_grid_of_means() {
        const MARGIN: f64 = 1.0;
        let of = |values: &[(f64, f64)]| {
            Means::paired("turns", Worse::Up(Amount::Units(MARGIN)), values, String::new()).unwrap()
        };
        let mut seen = [false; 2];
        for n in [3, 5, 20, 60] {
            for (mean, skew) in (0..12).flat_map(|mean| [0.0, 1.0, 40.0].map(|skew| (f64::from(mean) / 10.0, skew))) {
                // Evenly about the mean, but for the first.
                let away = |i: u64| if i == 0 { skew } else { (i as f64 / n as f64 - 0.5) / 2.0 };
                let values: Vec<(f64, f64)> = (0..n).map(|i| (10.0, 10.0 + mean + away(i))).collect();
                let excess: Vec<f64> = values.iter().map(|(then, now)| now - then - MARGIN).collect();
                let found = paired::mean_difference(&excess).unwrap();
                let below = found.upper(0.95).is_some_and(|upper| upper < 0.0);
                let counted = below && paired::least_p(n) <= 0.05 && found.doubt().is_none();
                assert_eq!(of(&values).holds(SAID, 0.05), counted, "{n} of {mean}, {skew}");
                seen[usize::from(counted)] = true;
            }
        }
        assert_eq!(seen, [true; 2]);
    }
}
