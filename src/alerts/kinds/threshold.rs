//! `threshold`: a number is above or below a bound.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup, words};
use crate::alerts::reading::About;
use crate::alerts::{Ask, Judgement, Measure, Number, Rule, few, millis};
use crate::stats::proportion;
use crate::stats::special::normal_cdf;

/// A number is above `max` or below `min`.
///
/// With `confidence` the number itself is not enough: its limit at this confidence has to be beyond the bound, so that a
/// few sessions that went wrong by chance wake nobody.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// What is measured, such as `ttft_ms` or `tool_error_rate`: `seatrial explain metrics`.
    metric: Option<String>,
    /// The id of a check: how often it fails, as a share.
    of: Option<String>,
    /// What of the values: `mean`, `sum`, `p50`, `p95` or `p99`; none for a ratio.
    stat: Option<String>,
    /// Fires above this.
    max: Option<f64>,
    /// Fires below this.
    min: Option<f64>,
    /// How sure, from 0.5 to below 1; for shares and means.
    confidence: Option<f64>,
    /// Over how long, in whole windows; one window without it.
    over: Option<String>,
    /// What sessions are divided by: each group has an alert of its own.
    by: Option<String>,
}

#[derive(Debug)]
struct Bound {
    measure: Measure,
    max: Option<f64>,
    min: Option<f64>,
    confidence: Option<f64>,
    over: Duration,
}

impl AlertParams for Threshold {
    const NAME: &'static str = "threshold";
    const EXAMPLE: &'static str = "[[alert]]\nname = \"slow-first-token\"\nkind = \"threshold\"\nmetric = \"ttft_ms\"\n\
                                   stat = \"p95\"\nmax = 500\nfor = \"10m\"\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { metric, of, stat, max, min, confidence, over, by } = self;
        let before = setup.problems.len();
        let measure = About { metric, of, stat, by }.measure(false, setup);
        if max.is_none() && min.is_none() {
            setup.problem(&[], "a bound is missing", "add `max` or `min`".to_owned());
        }
        if max.zip(min).is_some_and(|(max, min)| min >= max) {
            setup.problem(&["min"], "`min` is not below `max`: it would always fire", None);
        }
        let share = measure.as_ref().is_some_and(|m| m.stat.is_none());
        if share {
            let never = "a share is from 0 to 1: this can never fire";
            let percent =
                |bound: f64| (1.0 < bound).then(|| format!("write a percentage as a share: {}", bound / 100.0));
            if let Some(max) = max.filter(|max| *max >= 1.0) {
                setup.problem(&["max"], never, percent(max));
            }
            if min.is_some_and(|min| min <= 0.0) {
                setup.problem(&["min"], never, None);
            }
            if let Some(min) = min.filter(|min| *min > 1.0) {
                setup.problem(&["min"], "a share is from 0 to 1: this would always fire", percent(min));
            }
        } else if max.is_some_and(|max| !max.is_finite()) || min.is_some_and(|min| !min.is_finite()) {
            setup.problem(&[], "a bound is a number", None);
        }
        if let Some(confidence) = confidence {
            setup.within("confidence", confidence, 0.5..1.0, "0.95 is usual");
            if measure.as_ref().and_then(|m| m.stat.as_deref()).is_some_and(|stat| stat != "mean" && stat != "sum") {
                let help = "leave it out, or ask for `for = \"10m\"`".to_owned();
                setup.problem(&["confidence"], "`confidence` is for shares, means and sums", help);
            }
        }
        let every = setup.every;
        let over = setup.span("over", over.as_deref(), every)?;
        let sound = setup.problems.len() == before;
        let measure = measure.filter(|_| sound)?;
        Some(Arc::new(Bound { measure, max, min, confidence, over }))
    }
}

impl Rule for Bound {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        self.over
    }

    fn says(&self) -> String {
        let bound = |way: &str, bound: Option<f64>| bound.map(|bound| format!("{way} {}", few(bound)));
        let bounds: Vec<String> = [bound("above", self.max), bound("below", self.min)].into_iter().flatten().collect();
        let sure = self.confidence.map(|c| format!(", {}% sure", few(c * 100.0))).unwrap_or_default();
        format!("{} {} over {}{sure}", self.measure, bounds.join(" or "), words(self.over))
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let number = match ask.last(&self.measure, self.over).of_at_least(ask.least) {
            Ok(number) => number,
            Err(why) => return Judgement::Unknown(why),
        };
        let said = |way: &str, bound: f64| {
            let sure = self.confidence.map(|c| format!(", {}% sure", few(c * 100.0))).unwrap_or_default();
            let (value, n) = (few(number.value), number.n);
            format!("{} was {value} over {}, {way} {}{sure} ({n} sessions)", self.measure, words(self.over), few(bound))
        };
        for (bound, above) in [(self.max, true), (self.min, false)] {
            let Some(bound) = bound else { continue };
            let beyond = if above { number.value > bound } else { number.value < bound };
            let way = if above { "above" } else { "below" };
            if !beyond {
                continue;
            }
            // Too little of what is part known is no news.
            let begin = ask.at.saturating_sub(millis(self.over));
            if let Some(why) = ask.part_known(&self.measure, begin).filter(|_| !above) {
                return Judgement::Unknown(why);
            }
            match self.confidence {
                None => return Judgement::Fires(said(way, bound)),
                Some(confidence) => match chance(&number, bound, above) {
                    Some(chance) if chance <= 1.0 - confidence => return Judgement::Fires(said(way, bound)),
                    Some(_) => {}
                    None => return Judgement::Unknown("how far the number may be off is not known".to_owned()),
                },
            }
        }
        Judgement::Quiet(format!("{} was {} over {}", self.measure, few(number.value), words(self.over)))
    }
}

/// How likely so large (or small) a number is where the truth is the bound.
fn chance(number: &Number, bound: f64, above: bool) -> Option<f64> {
    if let Some((events, n)) = number.counts {
        // The exact test and the limit of Clopper and Pearson are one: found by halving.
        let side = |events: f64, bound: f64| {
            let beyond =
                |confidence: f64| proportion::fractional_lower(events, n, confidence).is_some_and(|low| low > bound);
            let (mut low, mut high) = (0.0, 1.0);
            (0..40).for_each(|_| {
                let middle = f64::midpoint(low, high);
                if beyond(middle) { low = middle } else { high = middle }
            });
            1.0 - low
        };
        return Some(if above { side(events, bound) } else { side(n - events, 1.0 - bound) });
    }
    let se = number.se?;
    let far = if above { number.value - bound } else { bound - number.value };
    Some(if se > 0.0 { 1.0 - normal_cdf(far / se) } else { f64::from(u8::from(far <= 0.0)) })
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{Fake, built, faults};

    const SLOW: &str = "metric = \"ttft_ms\"\nstat = \"p95\"\nmax = 500\n";

    #[test]
    fn fires_above_the_bound_and_not_at_it() {
        let rule = built("threshold", SLOW);
        assert!(matches!(Fake::of(501.0, 30).judge(&rule), Judgement::Fires(why) if why.contains("above 500")));
        assert!(matches!(Fake::of(500.0, 30).judge(&rule), Judgement::Quiet(_)));
    }

    #[test]
    fn what_was_not_measured_or_is_too_little_says_nothing() {
        let rule = built("threshold", SLOW);
        for fake in [Fake::of(900.0, 3), Fake::unmeasured(), Fake::empty()] {
            assert!(matches!(fake.judge(&rule), Judgement::Unknown(_)));
        }
    }

    #[test]
    fn with_confidence_a_few_are_not_enough() {
        let rule = built("threshold", "of = \"good\"\nmax = 0.05\nconfidence = 0.95\n");
        assert!(matches!(Fake::rate(3.0, 30).judge(&rule), Judgement::Quiet(_)), "3 of 30 may be 1 in 20");
        assert!(matches!(Fake::rate(8.0, 30).judge(&rule), Judgement::Fires(_)));
    }

    #[test]
    fn what_can_never_fire_is_refused() {
        let of = |keys: &str| faults("threshold", keys);
        assert!(of("of = \"good\"\nmax = 1.0\n")[0].contains("can never fire"));
        assert!(of("of = \"good\"\nmin = 0.0\n")[0].contains("can never fire"));
        assert!(of("of = \"good\"\nmax = 5\n")[0].contains("0.05"));
        assert!(of("of = \"good\"\n")[0].contains("a bound is missing"));
        assert!(of("metric = \"ttft_ms\"\nmax = 1\n")[0].contains("say which `stat`"));
        assert!(of("of = \"godo\"\nmax = 0.1\n")[0].contains("did you mean `good`?"));
        assert!(of(&format!("{SLOW}over = \"7m\"\n"))[0].contains("whole number of windows"));
        assert!(of(&format!("{SLOW}confidence = 0.9\n"))[0].contains("shares, means"));
    }
}
