//! `max_ratio`: a number held to so many times what it was in an earlier run.

use super::statistic::Stat;
use super::words;
use crate::model::Status;
use crate::stats::poisson::{self, Rate};
use crate::stats::samples::Samples;

/// The level of the test that a rate is higher at all.
const LEVEL: f64 = 0.05;

/// So few events say nothing of a rate.
const EVENTS: u64 = 5;

/// What a comparison says.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Pass, fail, or error.
    pub status: Status,
    /// The data do not tell.
    pub inconclusive: bool,
    /// "3 times 0.4 in the earlier run, ...".
    pub reason: String,
}

/// Holds a statistic to `max_ratio` times the earlier one. What is not more passes. What is more fails; only a rate, a
/// share of few events, must also be higher than chance explains (exact conditional test of two Poisson rates, each with as
/// many events as its cases are worth independent ones) and have at least 5 events, else the comparison is inconclusive.
pub fn compare(stat: Stat, now: &Samples, before: &Samples, max_ratio: f64) -> Compared {
    let error = |reason: String| Compared { status: Status::Error, inconclusive: false, reason };
    let Some(then) = stat.of(before) else { return error("it is not defined in the earlier run".to_owned()) };
    let Some(value) = stat.of(now) else { return error("it is not defined".to_owned()) };
    if value < 0.0 || then < 0.0 {
        return error("a ratio of negative numbers says nothing".to_owned());
    }
    let times = if then > 0.0 { format!("{} times", words::number(value / then)) } else { "more than".to_owned() };
    let against = format!("{times} the {} of the earlier run", words::number(then));
    let over = value - max_ratio * then;
    let off = stat.error(now) * value + stat.error(before) * then * max_ratio;
    if over <= 0.0 && over <= -off {
        return Compared { status: Status::Pass, inconclusive: false, reason: against };
    }
    let unsure =
        |why: String| Compared { status: Status::Error, inconclusive: true, reason: format!("{against}, {why}") };
    if off > 0.0 && over.abs() < off {
        return unsure(format!("too near to max_ratio {} to tell over so many samples", words::number(max_ratio)));
    }
    let limit = format!("above max_ratio {}", words::number(max_ratio));
    if stat == Stat::Ratio {
        let (Some(seen), Some(_)) = (events(now), events(before)) else {
            return error("its events are no counts".to_owned());
        };
        let (Some(first), Some(second)) = (worth(now), worth(before)) else {
            return unsure(format!("{limit}, but a single case does not tell how far chance goes"));
        };
        let Some(p) = poisson::p_above(first, second, 1.0) else { return error("it has no exposure".to_owned()) };
        let events = words::counted(seen, "event");
        let p_words = format!("p = {p:.2e} that it is no higher ({})", poisson::EXACT_CONDITIONAL);
        if seen < EVENTS || p >= LEVEL {
            let known = now.ratio().map_or(0, |ratio| ratio.clusters).max(1);
            // As many as the events that are wanted take, and as the test does.
            let wanted = (EVENTS.saturating_sub(seen) as f64 * known as f64 / seen.max(1) as f64).ceil() as u64;
            let more = poisson::more_to_show_above(first, second, known, LEVEL).map(|more| more.max(wanted));
            let settles = match more {
                Some(more) => {
                    format!("more sessions would tell, such as {} like these", words::counted(more, "more case"))
                }
                None => "no number of sessions like these would tell: those of the earlier run are too few".to_owned(),
            };
            return unsure(format!("{limit}, but by {events}, {p_words}: {settles}"));
        }
        return Compared {
            status: Status::Fail,
            inconclusive: false,
            reason: format!("{against}, {limit}, {p_words}"),
        };
    }
    Compared { status: Status::Fail, inconclusive: false, reason: format!("{against}, {limit}") }
}

/// How many events, where they are counts.
fn events(samples: &Samples) -> Option<u64> {
    let events = samples.sum()?;
    (events >= 0.0 && events == events.trunc() && events < 1e15).then_some(events as u64)
}

/// The rate of as many independent observations as the samples are worth: events of one case resemble each other.
/// `None` for a single case.
fn worth(samples: &Samples) -> Option<Rate> {
    let (events, exposure, worth) = (samples.sum()?, samples.bottom()?, samples.worth(1.0 - LEVEL)?);
    (exposure > 0.0).then(|| Rate { events: events * (worth / exposure), exposure: worth })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Samples {
        let mut samples = Samples::default();
        values.iter().zip(0..).for_each(|(v, i)| samples.push(i, &[*v]));
        samples
    }

    /// So many calls of as many cases, of which the first are events.
    fn calls(events: u32, calls: u32) -> Samples {
        let mut samples = Samples::default();
        (0..calls).for_each(|i| samples.push(i, &[f64::from(u8::from(i < events)), 1.0]));
        samples
    }

    fn said(found: &Compared) -> (Status, bool) {
        (found.status, found.inconclusive)
    }

    #[test]
    fn a_mean_is_held_to_so_many_times_the_earlier_one() {
        let mean = |now: f64, max: f64| compare(Stat::Mean, &of(&[now]), &of(&[2.0]), max);
        assert_eq!(said(&mean(6.0, 3.0)), (Status::Pass, false));
        let failed = mean(7.0, 3.0);
        assert_eq!(said(&failed), (Status::Fail, false));
        assert_eq!(failed.reason, "3.5 times the 2 of the earlier run, above max_ratio 3");
    }

    #[test]
    fn nothing_spent_before_allows_nothing_now() {
        assert_eq!(said(&compare(Stat::Sum, &of(&[0.0]), &of(&[0.0]), 3.0)), (Status::Pass, false));
        assert_eq!(said(&compare(Stat::Sum, &of(&[0.1]), &of(&[0.0]), 3.0)), (Status::Fail, false));
    }

    #[test]
    fn a_rate_fails_only_when_it_is_more_than_chance() {
        let rate = |k: u32, max: f64| compare(Stat::Ratio, &calls(k, 1000), &calls(20, 5000), max);
        // 12 of 1000 against 20 of 5000 is three times as many, p = .0038.
        assert_eq!(said(&rate(12, 3.0)), (Status::Pass, false));
        assert_eq!(said(&rate(12, 2.9)), (Status::Fail, false));
        let few = compare(Stat::Ratio, &calls(4, 100), &calls(20, 5000), 3.0);
        assert_eq!(said(&few), (Status::Error, true));
        let chance = compare(Stat::Ratio, &calls(6, 1000), &calls(20, 5000), 1.2);
        assert_eq!(said(&chance), (Status::Error, true));
        // So many as it says would tell.
        let more: u32 = chance.reason.split("such as ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let n = 1000 + more;
        assert_eq!(
            said(&compare(Stat::Ratio, &calls((0.006 * f64::from(n)).ceil() as u32, n), &calls(20, 5000), 1.2)).0,
            Status::Fail
        );
        let before = compare(Stat::Ratio, &calls(600, 1000), &calls(1, 3), 1.2);
        assert!(before.reason.contains("those of the earlier run are too few"), "{}", before.reason);
    }

    #[test]
    fn events_of_one_session_count_as_what_the_sessions_are_worth() {
        // Twelve errors of 1,000 calls are three times the earlier rate; all in one of fifty sessions they tell nothing.
        let mut now = Samples::default();
        (0..50).for_each(|i| now.push(i, &[if i == 7 { 12.0 } else { 0.0 }, 20.0]));
        let found = compare(Stat::Ratio, &now, &calls(20, 5000), 2.0);
        assert_eq!(said(&found), (Status::Error, true), "{}", found.reason);
        assert!(found.reason.contains("12 events"), "{}", found.reason);
        let mut single = Samples::default();
        single.push(0, &[12.0, 1000.0]);
        assert_eq!(said(&compare(Stat::Ratio, &single, &calls(20, 5000), 2.0)), (Status::Error, true));
    }

    #[test]
    fn what_the_earlier_run_does_not_have_is_an_error() {
        assert_eq!(said(&compare(Stat::Mean, &of(&[1.0]), &Samples::default(), 3.0)), (Status::Error, false));
        assert_eq!(said(&compare(Stat::Mean, &of(&[1.0]), &of(&[-1.0]), 3.0)), (Status::Error, false));
    }
}
