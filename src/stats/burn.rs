//! Burn rates: how many times faster than allowed the budget of a service level objective is used up (Google, The Site
//! Reliability Workbook, 2018, chapter 5).

/// The burn rate that uses up the share `budget` of what a period allows within `window`: 2% of 30 days in an hour is
/// 14.4. Both in one unit.
///
/// `None` unless all are above 0 and the window is within the period.
pub fn factor(budget: f64, window: f64, period: f64) -> Option<f64> {
    let sound = budget > 0.0 && budget <= 1.0 && window > 0.0 && window <= period && period.is_finite();
    sound.then(|| budget * period / window)
}

/// The burn rate of a share of bad events, under an objective for the share of good ones.
///
/// `None` unless the objective is from 0 to below 1 and the share is one.
pub fn rate(bad: f64, objective: f64) -> Option<f64> {
    let sound = (0.0..1.0).contains(&objective) && (0.0..=1.0).contains(&bad);
    sound.then(|| bad / (1.0 - objective))
}

/// The largest burn rate there can be under an objective: everything is bad. A rule that asks for as much or more never
/// fires.
pub fn largest(objective: f64) -> Option<f64> {
    rate(1.0, objective)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3600.0;
    const MONTH: f64 = 30.0 * 24.0 * HOUR;

    #[test]
    fn the_factors_are_those_of_the_workbook() {
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
        close(factor(0.02, HOUR, MONTH), 14.4);
        close(factor(0.05, 6.0 * HOUR, MONTH), 6.0);
        close(factor(0.10, 72.0 * HOUR, MONTH), 1.0);
        close(rate(0.0144, 0.999), 14.4);
    }

    #[test]
    fn no_more_than_everything_can_be_bad() {
        assert!((largest(0.9).unwrap() - 10.0).abs() < 1e-9, "14.4 never comes about");
        assert_eq!((largest(1.0), rate(1.1, 0.9), factor(0.02, MONTH, HOUR)), (None, None, None));
    }
}
