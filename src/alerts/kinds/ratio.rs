//! `ratio`: a number is several times what it was.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup, words};
use crate::alerts::reading::About;
use crate::alerts::{Ask, Judgement, Measure, Number, Reading, Rule, few, millis};
use crate::ledger::Millis;
use crate::stats::poisson::{self, Rate};
use crate::stats::special::normal_cdf;

/// A number is `times` what it was before.
///
/// It fires when the number itself is at least so many times the earlier one, when this is no chance (`alpha`: the exact test
/// of two rates, of means and sums the normal one), and, of a share, when it happened at least `min_events` times.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// What is measured, such as `tokens`: `seatrial explain metrics`.
    metric: Option<String>,
    /// The id of a check: how often it fails.
    of: Option<String>,
    /// What of the values: `mean` or `sum`; none for a ratio.
    stat: Option<String>,
    /// How many times, above 1; 3 unless given.
    times: Option<f64>,
    /// Over how long; `"1h"` unless given.
    over: Option<String>,
    /// What it is held against; `before` unless given.
    against: Option<Against>,
    /// How long before counts; `"24h"` unless given. For `against = "before"`.
    baseline: Option<String>,
    /// The chance of firing where nothing has changed, above 0 and below 0.5; 0.01 unless given.
    alpha: Option<f64>,
    /// How often it must have happened, of a share; 5 unless given.
    min_events: Option<f64>,
    /// What sessions are divided by: each group has an alert of its own.
    by: Option<String>,
}

/// What a number is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The time before, as long as `baseline` says.
    #[default]
    Before,
    /// The same time a week ago.
    LastWeek,
}

#[derive(Debug)]
struct Times {
    measure: Measure,
    times: f64,
    over: Duration,
    against: Against,
    baseline: Duration,
    alpha: f64,
    min_events: f64,
}

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl AlertParams for Ratio {
    const NAME: &'static str = "ratio";
    const EXAMPLE: &'static str = "[[alert]]\nname = \"token-spend\"\nkind = \"ratio\"\nmetric = \"tokens\"\nstat = \"mean\"\n\
                                   times = 3\nagainst = \"last_week\"\nby = \"agent\"\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { metric, of, stat, times, over, against, baseline, alpha, min_events, by } = self;
        let before = setup.problems.len();
        let measure = About { metric, of, stat, by }.measure(false, setup);
        if let Some(stat) = measure.as_ref().and_then(|m| m.stat.as_deref())
            && stat != "mean"
            && stat != "sum"
        {
            setup.problem(&["stat"], format!("how far {stat} may be off is not known"), "`mean` or `sum`".to_owned());
        }
        let times = times.unwrap_or(3.0);
        if !(times > 1.0 && times.is_finite()) {
            setup.problem(&["times"], "`times` is a number above 1", "such as 3".to_owned());
        }
        let alpha = alpha.unwrap_or(0.01);
        if !(alpha > 0.0 && alpha < 0.5) {
            setup.problem(&["alpha"], "`alpha` is above 0.0 and below 0.5", "0.01 is usual".to_owned());
        }
        let min_events = min_events.unwrap_or(5.0);
        if !(min_events >= 1.0 && min_events.is_finite()) {
            setup.problem(&["min_events"], "`min_events` is at least 1", None);
        }
        let against = against.unwrap_or_default();
        if baseline.is_some() && against == Against::LastWeek {
            setup.problem(&["baseline"], "`baseline` is for `against = \"before\"`", None);
        }
        let over = setup.span("over", over.as_deref(), HOUR)?;
        let baseline = setup.span("baseline", baseline.as_deref(), 24 * HOUR)?;
        if against == Against::LastWeek && over > WEEK {
            setup.problem(&["over"], "a time that is longer than a week overlaps with that of last week", None);
        }
        let sound = setup.problems.len() == before;
        let measure = measure.filter(|_| sound)?;
        Some(Arc::new(Times { measure, times, over, against, baseline, alpha, min_events }))
    }
}

impl Times {
    /// When the time begins that the number is held against.
    fn begin(&self, at: Millis) -> Millis {
        let back = match self.against {
            Against::Before => self.over + self.baseline,
            Against::LastWeek => self.over + WEEK,
        };
        at.saturating_sub(millis(back))
    }

    fn earlier(&self, ask: &Ask<'_>) -> Reading {
        match self.against {
            Against::Before => {
                let to = ask.at.saturating_sub(millis(self.over));
                ask.between(&self.measure, to.saturating_sub(millis(self.baseline)), to)
            }
            Against::LastWeek => {
                let to = ask.at.saturating_sub(millis(WEEK));
                ask.between(&self.measure, to.saturating_sub(millis(self.over)), to)
            }
        }
    }

    /// The earlier number as it would be over as long a time: only a sum grows with the time.
    fn alike(&self, earlier: Number) -> Number {
        let longer = match (self.against, self.measure.stat.as_deref()) {
            (Against::Before, Some("sum")) => self.baseline.as_secs_f64() / self.over.as_secs_f64(),
            _ => 1.0,
        };
        Number { value: earlier.value / longer, se: earlier.se.map(|se| se / longer), ..earlier }
    }

    /// How likely it is that so much more comes of no change at all.
    fn chance(now: &Number, before: &Number) -> Option<f64> {
        match (now.counts, before.counts) {
            (Some((events, n)), Some((earlier, m))) => {
                poisson::p_above(Rate { events, exposure: n }, Rate { events: earlier, exposure: m }, 1.0)
            }
            _ => {
                let se = now.se?.hypot(before.se?);
                let far = now.value - before.value;
                Some(if se > 0.0 { 1.0 - normal_cdf(far / se) } else { f64::from(u8::from(far <= 0.0)) })
            }
        }
    }
}

impl Rule for Times {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        match self.against {
            Against::Before => self.over + self.baseline,
            Against::LastWeek => self.over + WEEK,
        }
    }

    fn says(&self) -> String {
        let against = match self.against {
            Against::Before => format!("the {} before", words(self.baseline)),
            Against::LastWeek => "a week before".to_owned(),
        };
        format!("{} over {} at least {} times that of {against}", self.measure, words(self.over), few(self.times))
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        if let Some(why) = ask.part_known(&self.measure, self.begin(ask.at)) {
            return Judgement::Unknown(format!("nothing to hold it against: {why}"));
        }
        let now = match ask.last(&self.measure, self.over).of_at_least(ask.least) {
            Ok(now) => now,
            Err(why) => return Judgement::Unknown(why),
        };
        let before = match self.earlier(ask).of_at_least(ask.least) {
            Ok(before) => self.alike(before),
            Err(why) => return Judgement::Unknown(format!("nothing to hold it against: {why}")),
        };
        let (value, earlier) = (now.value, before.value);
        let text = format!("{} was {} over {}, against {}", self.measure, few(value), words(self.over), few(earlier));
        // A multiple of nothing is nothing: only the chance can tell.
        if value < self.times * earlier || value <= 0.0 {
            return Judgement::Quiet(text);
        }
        if now.counts.is_some_and(|(events, _)| events + 1e-9 < self.min_events) {
            return Judgement::Quiet(format!("{text}, too rarely to count"));
        }
        match Self::chance(&now, &before) {
            Some(p) if p < self.alpha => {
                Judgement::Fires(format!("{text}: at least {} times, p {}", few(self.times), few(p)))
            }
            Some(p) => Judgement::Quiet(format!("{text}, which may be chance (p {})", few(p))),
            None => Judgement::Unknown("how far the numbers may be off is not known".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{AT, Fake, HOUR, built, faults};

    #[test]
    fn a_total_is_held_against_no_time_that_is_part_known() {
        let fake = |since| {
            Fake::numbers(|from, to| if to - from <= HOUR { (300.0, Some(1.0)) } else { (240.0, Some(1.0)) })
                .known_since(since)
        };
        let rule = built("ratio", "metric = \"tokens\"\nstat = \"sum\"\n");
        assert!(matches!(fake(AT - 25 * HOUR).judge(&rule), Judgement::Fires(_)));
        let Judgement::Unknown(why) = fake(AT - 3 * HOUR).judge(&rule) else { panic!("22 hours are missing") };
        assert!(why.contains("the first 22h are not known"), "{why}");
        // A mean does not grow with the time.
        let mean = built("ratio", "metric = \"tokens\"\nstat = \"mean\"\ntimes = 1.2\n");
        assert!(matches!(fake(AT - 3 * HOUR).judge(&mean), Judgement::Fires(_)));
    }

    /// 12 of 1,000 against 20 of 5,000 is exactly three times, p .0038.
    #[test]
    fn fires_at_exactly_so_many_times_when_it_is_no_chance() {
        let counts = |now: (f64, u64), before: (f64, u64)| {
            Fake::over(move |from, to| Some(if to - from <= HOUR { now } else { before }))
        };
        let rule = built("ratio", "of = \"good\"\n");
        assert!(matches!(counts((12.0, 1000), (20.0, 5000)).judge(&rule), Judgement::Fires(_)));
        assert!(matches!(counts((11.0, 1000), (20.0, 5000)).judge(&rule), Judgement::Quiet(_)), "not three times");
        assert!(matches!(counts((4.0, 100), (1.0, 1000)).judge(&rule), Judgement::Quiet(_)), "4 events");
        assert!(matches!(counts((6.0, 1000), (3.0, 2000)).judge(&rule), Judgement::Quiet(_)), "chance");
        assert!(matches!(counts((9.0, 1000), (0.0, 9000)).judge(&rule), Judgement::Fires(_)), "there was none before");
        assert!(matches!(counts((12.0, 1000), (0.0, 3)).judge(&rule), Judgement::Unknown(_)), "too few before");
    }

    #[test]
    fn a_mean_needs_to_know_how_far_it_may_be_off() {
        let rule = built("ratio", "metric = \"tokens\"\nstat = \"mean\"\n");
        let of = |now: f64, se: Option<f64>| {
            let fake = Fake::numbers(move |from, to| if to - from <= HOUR { (now, se) } else { (100.0, Some(10.0)) });
            fake.judge(&rule)
        };
        assert!(matches!(of(350.0, Some(20.0)), Judgement::Fires(_)));
        assert!(matches!(of(350.0, Some(200.0)), Judgement::Quiet(_)));
        assert!(matches!(of(350.0, None), Judgement::Unknown(_)));
    }

    #[test]
    fn a_sum_is_held_against_as_long_a_time() {
        let rule = built("ratio", "metric = \"tokens\"\nstat = \"sum\"\n");
        let fake = Fake::numbers(|from, to| if to - from <= HOUR { (350.0, Some(1.0)) } else { (2400.0, Some(1.0)) });
        assert!(matches!(fake.judge(&rule), Judgement::Fires(_)), "100 an hour");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(faults("ratio", "of = \"good\"\ntimes = 1\n")[0].contains("above 1"));
        assert!(faults("ratio", "metric = \"ttft_ms\"\nstat = \"p95\"\n")[0].contains("not known"));
        assert!(faults("ratio", "of = \"good\"\nalpha = 0.9\n")[0].contains("below 0.5"));
    }
}
