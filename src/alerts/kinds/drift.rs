//! `drift`: a level has shifted, by too little at a time for any bound.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup, words};
use crate::alerts::reading::About;
use crate::alerts::{Ask, Judgement, Measure, Rule, few, millis};
use crate::stats::charts::{Cusum, Ewma};
use crate::stats::sum;

/// A level has shifted from what it was, up or down, by a control chart.
///
/// The number is taken over each `step`. What it was, and how far it goes from there by itself, is learned from the time
/// `learn` before `over`; or `mean` and `sigma` say it. `cusum` adds up what is more than `k` standard deviations from the
/// mean and fires above `h` of them; `ewma` weighs the newest value by `lambda` and fires further than `l` standard
/// deviations of that from the mean. Steps that could not be measured are left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// What is measured, such as `turn_ms`: `seatrial explain metrics`.
    metric: Option<String>,
    /// The id of a check: how often it fails.
    of: Option<String>,
    /// What of the values: `mean`, `p50`, `p95` or `p99`; none for a ratio.
    stat: Option<String>,
    /// Which chart; `cusum` unless given.
    method: Option<Method>,
    /// Over how long each number is taken; `"1h"` unless given.
    step: Option<String>,
    /// How long the chart goes back; `"24h"` unless given.
    over: Option<String>,
    /// How long before that it was as it should be; `"7d"` unless given.
    learn: Option<String>,
    /// What it should be; with `sigma`.
    mean: Option<f64>,
    /// How far it goes from there by itself; with `mean`.
    sigma: Option<f64>,
    /// `cusum`: the drift that is let go, in standard deviations; 0.5 unless given.
    k: Option<f64>,
    /// `cusum`: where it fires, in standard deviations; 8 unless given.
    h: Option<f64>,
    /// `ewma`: what the newest value weighs, above 0 and at most 1; 0.2 unless given.
    lambda: Option<f64>,
    /// `ewma`: where it fires, in its standard deviations; 4 unless given.
    l: Option<f64>,
    /// What sessions are divided by: each group has an alert of its own.
    by: Option<String>,
}

/// A chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// What adds up: small shifts that last.
    #[default]
    Cusum,
    /// A weighted mean: larger shifts, sooner.
    Ewma,
}

#[derive(Debug)]
struct Shift {
    measure: Measure,
    chart: Chart,
    step: Duration,
    over: Duration,
    learn: Duration,
    target: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy)]
enum Chart {
    Cusum { k: f64, h: f64 },
    Ewma { lambda: f64, l: f64 },
}

/// Steps that are needed to know a level and how far it goes from there.
const LEAST: usize = 20;

const HOUR: Duration = Duration::from_secs(3600);

impl AlertParams for Drift {
    const NAME: &'static str = "drift";
    const EXAMPLE: &'static str =
        "[[alert]]\nname = \"slower-and-slower\"\nkind = \"drift\"\nmetric = \"turn_ms\"\nstat = \"mean\"\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { metric, of, stat, method, step, over, learn, mean, sigma, k, h, lambda, l, by } = self;
        let before = setup.problems.len();
        let measure = About { metric, of, stat, by }.measure(false, setup);
        if measure.as_ref().and_then(|m| m.stat.as_deref()) == Some("sum") {
            let help = "`mean`, or a threshold on the sum".to_owned();
            setup.problem(&["stat"], "a sum goes up and down with the hours of the day", help);
        }
        let chart = match method.unwrap_or_default() {
            Method::Cusum => {
                for (key, _) in [("lambda", lambda), ("l", l)].into_iter().filter(|(_, v)| v.is_some()) {
                    setup.problem(&[key], format!("`{key}` is for `method = \"ewma\"`"), None);
                }
                let (k, h) = (k.unwrap_or(0.5), h.unwrap_or(8.0));
                setup.within("k", k, 0.0..10.0, "0.5 is usual");
                setup.within("h", h, 1.0..1000.0, "8 is usual");
                Chart::Cusum { k, h }
            }
            Method::Ewma => {
                for (key, _) in [("k", k), ("h", h)].into_iter().filter(|(_, v)| v.is_some()) {
                    setup.problem(&[key], format!("`{key}` is for `method = \"cusum\"`"), None);
                }
                let (lambda, l) = (lambda.unwrap_or(0.2), l.unwrap_or(4.0));
                if !(lambda > 0.0 && lambda <= 1.0) {
                    setup.problem(&["lambda"], "`lambda` is above 0.0 and at most 1.0", "0.2 is usual".to_owned());
                }
                setup.within("l", l, 1.0..100.0, "4 is usual");
                Chart::Ewma { lambda, l }
            }
        };
        let target = match (mean, sigma) {
            (Some(mean), Some(sigma)) if sigma > 0.0 && sigma.is_finite() && mean.is_finite() => Some((mean, sigma)),
            (None, None) => None,
            (Some(_), Some(_)) => {
                setup.problem(&["sigma"], "`sigma` is a number above 0", None);
                None
            }
            _ => {
                let help = "leave both out to learn them".to_owned();
                setup.problem(&["mean"], "`mean` and `sigma` go together", help);
                None
            }
        };
        let step = setup.span("step", step.as_deref(), HOUR)?;
        let over = setup.span("over", over.as_deref(), 24 * HOUR)?;
        let learn = setup.span("learn", learn.as_deref(), 7 * 24 * HOUR)?;
        let steps = over.as_millis() / step.as_millis().max(1);
        if steps == 0 || over.as_millis() % step.as_millis().max(1) != 0 {
            setup.problem(&["over"], "`over` is not a whole number of steps", format!("a step is {}", words(step)));
        }
        if target.is_none() && learn.as_millis() / step.as_millis().max(1) < LEAST as u128 {
            let message = format!("this can never fire: it learns from at least {LEAST} steps, and `learn` has fewer");
            setup.problem(&["learn"], message, format!("a step is {}; learn for longer", words(step)));
        }
        let sound = setup.problems.len() == before;
        let measure = measure.filter(|_| sound)?;
        Some(Arc::new(Shift { measure, chart, step, over, learn, target }))
    }
}

impl Shift {
    /// The numbers of the steps of a time that ends at `to`.
    fn numbers(&self, ask: &Ask<'_>, to: i64, over: Duration) -> Vec<f64> {
        let step = millis(self.step).max(1);
        let steps = millis(over) / step;
        let from = |i: i64| to - (steps - i) * step;
        let read = |i| ask.between(&self.measure, from(i), from(i) + step).of_at_least(ask.least).ok();
        (0..steps).filter_map(read).map(|number| number.value).collect()
    }

    fn target(&self, ask: &Ask<'_>) -> Result<(f64, f64), String> {
        if let Some(target) = self.target {
            return Ok(target);
        }
        let values = self.numbers(ask, ask.at - millis(self.over), self.learn);
        if values.len() < LEAST {
            return Err(format!("{} steps to learn from, of at least {LEAST}", values.len()));
        }
        let target = sum::mean(&values).zip(sum::stddev(&values));
        target
            .filter(|(_, sigma)| *sigma > 0.0)
            .ok_or_else(|| "it was always the same: nothing tells how far it goes by itself".to_owned())
    }
}

impl Rule for Shift {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        if self.target.is_some() { self.over } else { self.over + self.learn }
    }

    fn at_once(&self, _: Duration) -> Duration {
        self.step
    }

    fn says(&self) -> String {
        format!("{} drifts over {}, by steps of {}", self.measure, words(self.over), words(self.step))
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let (mean, sigma) = match self.target(ask) {
            Ok(target) => target,
            Err(why) => return Judgement::Unknown(why),
        };
        let values = self.numbers(ask, ask.at, self.over);
        // What was is no news: without the newest step nothing can be said of now.
        let newest = ask.last(&self.measure, self.step).of_at_least(ask.least);
        let newest = match newest {
            Ok(number) => number.value,
            Err(why) => return Judgement::Unknown(why),
        };
        let way = match self.chart {
            Chart::Cusum { k, h } => {
                let (mut up, mut down) = (Cusum::new(k, h), Cusum::new(k, h));
                let mut last = (false, false);
                for value in &values {
                    let x = (value - mean) / sigma;
                    last = (up.step(x), down.step(-x));
                }
                if last.0 { Some("up") } else { last.1.then_some("down") }
            }
            Chart::Ewma { lambda, l } => {
                let mut chart = Ewma::new(lambda, l, mean, sigma);
                let mut limit = f64::INFINITY;
                values.iter().for_each(|value| limit = chart.step(*value));
                let far = chart.mean - mean;
                if far > limit { Some("up") } else { (-far > limit).then_some("down") }
            }
        };
        let text = format!("{} is {}, against {} (sigma {})", self.measure, few(newest), few(mean), few(sigma));
        match way {
            Some(way) => Judgement::Fires(format!("{text}: it has drifted {way} over {}", words(self.over))),
            None => Judgement::Quiet(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{AT, Fake, HOUR, built, faults};

    const TURN: &str = "metric = \"turn_ms\"\nstat = \"mean\"\n";

    /// 10 give or take .5, and something more in the last `hours`.
    fn shifted(by: f64, hours: i64) -> Fake {
        Fake::numbers(move |from, _| {
            let wave = if (from / HOUR) % 2 == 0 { 0.5 } else { -0.5 };
            let more = if from >= AT - hours * HOUR { by } else { 0.0 };
            (10.0 + wave + more, Some(0.1))
        })
    }

    #[test]
    fn both_charts_fire_on_a_shift_that_lasts_and_not_without_one() {
        for method in ["cusum", "ewma"] {
            let rule = built("drift", &format!("{TURN}method = \"{method}\"\n"));
            assert!(matches!(shifted(0.0, 0).judge(&rule), Judgement::Quiet(_)), "{method}");
            let Judgement::Fires(up) = shifted(1.0, 12).judge(&rule) else { panic!("{method}") };
            assert!(up.contains("drifted up"), "{up}");
            let Judgement::Fires(down) = shifted(-1.0, 12).judge(&rule) else { panic!("{method}") };
            assert!(down.contains("drifted down"), "{down}");
        }
    }

    #[test]
    fn without_enough_to_learn_from_nobody_can_say() {
        let rule = built("drift", TURN);
        let young = Fake::some(|from, _| (from > AT - 30 * HOUR).then_some((10.0, None)));
        assert!(matches!(young.judge(&rule), Judgement::Unknown(why) if why.contains("learn")));
        let same = Fake::numbers(|_, _| (10.0, None));
        assert!(matches!(same.judge(&rule), Judgement::Unknown(_)));
    }

    #[test]
    fn what_can_never_fire_or_be_meant_is_refused() {
        let of = |keys: &str| faults("drift", &format!("{TURN}{keys}"));
        assert!(of("learn = \"12h\"\n")[0].contains("can never fire"));
        assert!(of("lambda = 0.1\n")[0].contains("ewma"));
        assert!(of("mean = 3\n")[0].contains("go together"));
        assert!(of("over = \"90m\"\n")[0].contains("whole number of steps"));
        assert!(faults("drift", "metric = \"tokens\"\nstat = \"sum\"\n")[0].contains("hours of the day"));
    }
}
