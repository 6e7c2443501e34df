//! Two rates of events, each a count over an exposure (sessions, calls, hours): the exact test given their sum. If the
//! first rate is r times the second, the first count is binomial among all events.

use super::interval::Interval;
use super::needed;
use super::proportion::{fractional, fractional_lower};
use super::special::beta_cdf;

/// How the method is called in reports.
pub const EXACT_CONDITIONAL: &str = "exact-conditional";

/// Events over an exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many events; as many as they are worth where they come in clusters, which need not be whole.
    pub events: f64,
    /// Over how much; above 0.
    pub exposure: f64,
}

impl Rate {
    fn is_sound(self) -> bool {
        self.exposure > 0.0 && self.exposure.is_finite() && self.events >= 0.0 && self.events.is_finite()
    }
}

/// How often the first rate is the second; infinite when the second has no event and the first does.
///
/// `None` when neither has an event, a count is below 0, or an exposure is not above 0.
pub fn rate_ratio(first: Rate, second: Rate) -> Option<f64> {
    if !(first.is_sound() && second.is_sound()) || first.events + second.events == 0.0 {
        return None;
    }
    Some((first.events / first.exposure) / (second.events / second.exposure))
}

/// The one-sided exact p-value against "the first rate is at most `times` the second".
///
/// `None` when an exposure or `times` is not above 0.
pub fn p_above(first: Rate, second: Rate, times: f64) -> Option<f64> {
    if !(first.is_sound() && second.is_sound() && times > 0.0 && times.is_finite()) {
        return None;
    }
    let share = times * first.exposure / (times * first.exposure + second.exposure);
    // The tail of the binomial distribution, which goes through counts that are not whole.
    Some(if first.events == 0.0 { 1.0 } else { beta_cdf(share, first.events, second.events + 1.0) })
}

/// How many more observations like the `n` behind the first rate would show, at the level, that it is above the second; 0
/// when they do.
///
/// `None` when no number would: it is not above, or the second says too little of itself.
pub fn more_to_show_above(first: Rate, second: Rate, n: u64, level: f64) -> Option<u64> {
    needed::first(0, |more| {
        let times = (n + more) as f64 / n as f64;
        let like = Rate { events: first.events * times, exposure: first.exposure * times };
        p_above(like, second, 1.0).is_some_and(|p| p < level)
    })
}

/// The exact two-sided interval of the ratio; its upper end is infinite when the second has no event.
///
/// `None` when neither has an event, an exposure is not above 0, or no such confidence.
pub fn ratio_interval(first: Rate, second: Rate, confidence: f64) -> Option<Interval> {
    rate_ratio(first, second)?;
    let share = fractional(first.events, first.events + second.events, confidence)?;
    let odds = |share: f64| share / (1.0 - share) * second.exposure / first.exposure;
    Some(Interval { low: odds(share.low), high: odds(share.high) })
}

/// The exact one-sided lower limit of the ratio.
///
/// `None` as for [`ratio_interval`].
pub fn ratio_lower(first: Rate, second: Rate, confidence: f64) -> Option<f64> {
    rate_ratio(first, second)?;
    let share = fractional_lower(first.events, first.events + second.events, confidence)?;
    Some(share / (1.0 - share) * second.exposure / first.exposure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Rate = Rate { events: 12.0, exposure: 1000.0 };
    const B: Rate = Rate { events: 20.0, exposure: 5000.0 };

    #[test]
    fn agrees_with_the_reference_numbers() {
        // statsmodels.stats.rates.test_poisson_2indep(method="exact-cond", alternative="larger"); the interval from
        // scipy.stats.binomtest(12, 32).proportion_ci.
        assert!((p_above(A, B, 1.0).unwrap() - 0.0038324600513309).abs() < 1e-12);
        assert!((rate_ratio(A, B).unwrap() - 3.0).abs() < 1e-12);
        let i = ratio_interval(A, B, 0.95).unwrap();
        assert!((i.low - 1.3371381561756).abs() < 1e-10 && (i.high - 6.4436782584013).abs() < 1e-10, "{i:?}");
    }

    #[test]
    fn the_limit_is_where_the_p_value_reaches_the_level() {
        let limit = ratio_lower(A, B, 0.95).unwrap();
        assert!((p_above(A, B, limit).unwrap() - 0.05).abs() < 1e-10);
    }

    #[test]
    fn no_event_on_either_side_has_no_ratio() {
        let none = Rate { events: 0.0, exposure: 10.0 };
        assert_eq!((rate_ratio(none, none), ratio_interval(none, none, 0.95)), (None, None));
        assert_eq!(rate_ratio(A, none), Some(f64::INFINITY));
        assert_eq!(p_above(none, B, 1.0), Some(1.0));
        assert_eq!(p_above(A, Rate { exposure: 0.0, ..B }, 1.0), None);
    }

    proptest! {
        #[test]
        fn more_events_make_a_higher_rate_likelier(x in 0u64..100, y in 0u64..100, t in 1.0..100.0f64) {
            let rate = |events: u64| Rate { events: events as f64, exposure: t };
            prop_assert!(p_above(rate(x + 1), B, 1.0) <= p_above(rate(x), B, 1.0));
            prop_assert!(p_above(rate(x), rate(y), 2.0) >= p_above(rate(x), rate(y), 1.0));
        }
    }
}
