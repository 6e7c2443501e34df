//! `burn_rate`: the budget of an objective is used up too fast, over a long and a short time at once.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup, words};
use crate::alerts::reading::About;
use crate::alerts::{Ask, Judgement, Measure, Rule, few};
use crate::model::duration;
use crate::stats::burn;

/// The error budget of an objective is used up faster than it lasts.
///
/// An objective of 0.99 over `period` allows that one in a hundred is bad. A rate of 1 uses that up just in time. Each of
/// `burns` says which share of the budget may go within how long; it fires when the rate is above that over the long time
/// and over a twelfth of it, so that it ends soon after what is wrong has ended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnRate {
    /// A ratio, such as `tool_error_rate`.
    metric: Option<String>,
    /// The id of a check: how often it fails.
    of: Option<String>,
    /// The share that has to be good, above 0 and below 1.
    objective: f64,
    /// How long the budget has to last; `"30d"` unless given.
    period: Option<String>,
    /// Which share of the budget within how long; `[{ budget = 0.02, over = "1h" }, { budget = 0.05, over = "6h" },
    /// { budget = 0.1, over = "3d" }]` unless given, as far as the objective allows them to fire.
    burns: Option<Vec<Burn>>,
    /// What sessions are divided by: each group has an alert of its own.
    by: Option<String>,
}

/// A share of the budget within a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burn {
    /// The share of the budget, above 0 and at most 1.
    budget: f64,
    /// Within how long.
    over: String,
}

#[derive(Debug)]
struct Burning {
    measure: Measure,
    objective: f64,
    /// Whether what is measured is what is good.
    good: bool,
    /// The factor, and the long and the short time.
    burns: Vec<(f64, Duration, Duration)>,
}

/// The short time is this part of the long one.
const SHORT: u32 = 12;

impl AlertParams for BurnRate {
    const NAME: &'static str = "burn_rate";
    const EXAMPLE: &'static str = "[[alert]]\nname = \"tool-errors\"\nkind = \"burn_rate\"\nmetric = \"tool_error_rate\"\n\
                                   objective = 0.99\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { metric, of, objective, period, burns, by } = self;
        let before = setup.problems.len();
        let measure = About { metric, of, stat: None, by }.measure(true, setup);
        let largest = burn::largest(objective).filter(|_| objective > 0.0);
        if largest.is_none() {
            setup.problem(&["objective"], "`objective` is a share above 0.0 and below 1.0", "such as 0.99".to_owned());
        }
        let period = match duration::parse(period.as_deref().unwrap_or("30d")) {
            Ok(period) => period.as_secs_f64(),
            Err(why) => {
                setup.problem(&["period"], why, "such as `\"30d\"`".to_owned());
                return None;
            }
        };
        let largest = largest?;
        let given = burns.is_some();
        let burns = burns.unwrap_or_else(|| {
            let usual = [(0.02, "1h"), (0.05, "6h"), (0.1, "3d")];
            usual.into_iter().map(|(budget, over)| Burn { budget, over: over.to_owned() }).collect()
        });
        let mut sound = Vec::new();
        for (i, one) in burns.into_iter().enumerate() {
            let path = ["burns", &i.to_string()];
            let Ok(over) = duration::parse(&one.over) else {
                setup.problem(&path, format!("`{}` is not a duration", one.over), "such as `\"1h\"`".to_owned());
                continue;
            };
            let Some(factor) = burn::factor(one.budget, over.as_secs_f64(), period) else {
                let help = "a share above 0 and at most 1, within a time that is no longer than `period`".to_owned();
                setup.problem(&path, "this is no share of the budget within a part of the period", help);
                continue;
            };
            let short = over / SHORT;
            if over.as_millis() % setup.every.as_millis().max(1) != 0 || over < setup.every {
                let message = format!("`over` is not a whole number of windows, which are {} long", words(setup.every));
                setup.problem(&path, message, "`every` of [watch] says how long windows are".to_owned());
            } else if factor >= largest {
                // What nobody has written is left out; what somebody relies on is told.
                if given {
                    let message = format!(
                        "this can never fire: it asks for a rate above {}, and with everything bad it is {}",
                        few(factor),
                        few(largest)
                    );
                    let help = "ask for less of the budget, for a longer time, or a stricter objective".to_owned();
                    setup.problem(&path, message, help);
                }
            } else {
                sound.push((factor, over, whole(short, setup.every)));
            }
        }
        if sound.is_empty() && setup.problems.len() == before {
            let message = "with this objective none of the usual rates can ever be reached";
            setup.problem(&["objective"], message, "say `burns`, or ask for a threshold".to_owned());
        }
        let good = measure.as_ref().is_some_and(|m| m.metric == "first_contact_resolution");
        let sound_so_far = setup.problems.len() == before;
        let measure = measure.filter(|_| sound_so_far)?;
        Some(Arc::new(Burning { measure, objective, good, burns: sound }))
    }
}

/// A time in whole windows, at least one.
fn whole(time: Duration, every: Duration) -> Duration {
    let windows = time.as_millis().div_ceil(every.as_millis().max(1)).max(1);
    every * u32::try_from(windows).unwrap_or(u32::MAX)
}

impl Burning {
    /// The burn rate over a time.
    fn rate(&self, ask: &Ask<'_>, over: Duration, least: u64) -> Result<f64, String> {
        let number = ask.last(&self.measure, over).of_at_least(least)?;
        let bad = if self.good { 1.0 - number.value } else { number.value };
        burn::rate(bad, self.objective).ok_or_else(|| "it is no share".to_owned())
    }
}

impl Rule for Burning {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        self.burns.iter().map(|(_, long, _)| *long).max().unwrap_or_default()
    }

    fn says(&self) -> String {
        let burns = self.burns.iter().map(|(factor, long, _)| format!("{} times over {}", few(*factor), words(*long)));
        let burns: Vec<String> = burns.collect();
        format!("{} uses up its budget {}", self.measure, burns.join(", or "))
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let mut unknown = None;
        let mut quiet = Vec::new();
        for (factor, long, short) in &self.burns {
            // The short time only says that it still goes on: there a single session is enough.
            match (self.rate(ask, *long, ask.least), self.rate(ask, *short, 1)) {
                (Ok(rate), Ok(now)) if rate > *factor && now > *factor => {
                    let (rate, now, factor) = (few(rate), few(now), few(*factor));
                    return Judgement::Fires(format!(
                        "{} uses up the budget of {} at {rate} times over {} and {now} times over {}; {factor} is too fast",
                        self.measure,
                        few(1.0 - self.objective),
                        words(*long),
                        words(*short)
                    ));
                }
                (Ok(rate), Ok(_)) => quiet.push(format!("{} over {}", few(rate), words(*long))),
                (Ok(rate), Err(_)) if rate <= *factor => quiet.push(format!("{} over {}", few(rate), words(*long))),
                (Err(why), _) | (_, Err(why)) => unknown = Some(why),
            }
        }
        match unknown {
            Some(why) => Judgement::Unknown(why),
            None => Judgement::Quiet(format!("burn rate {}", quiet.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{Fake, HOUR, MINUTE, built, faults};

    #[test]
    fn fires_when_both_times_burn_too_fast() {
        let rule = built("burn_rate", "metric = \"tool_error_rate\"\nobjective = 0.99\n");
        let both = Fake::over(|from, to| (to - from <= HOUR).then_some((200.0, 1000)).or(Some((200.0, 10_000))));
        assert!(matches!(both.judge(&rule), Judgement::Fires(why) if why.contains("20 times over 1h")));
        let hour = "burns = [{ budget = 0.02, over = \"1h\" }]\n";
        let rule = built("burn_rate", &format!("metric = \"tool_error_rate\"\nobjective = 0.99\n{hour}"));
        let ended = Fake::over(|from, to| Some(if to - from <= 5 * MINUTE { (0.0, 100) } else { (200.0, 1000) }));
        let Judgement::Quiet(_) = ended.judge(&rule) else { panic!("{:?}", ended.judge(&rule)) };
    }

    #[test]
    fn a_rule_that_can_never_fire_is_refused() {
        let burns = "burns = [{ budget = 0.02, over = \"1h\" }]\n";
        let wrong = faults("burn_rate", &format!("of = \"good\"\nobjective = 0.9\n{burns}"));
        assert!(wrong[0].contains("can never fire") && wrong[0].contains("14.4"), "{wrong:?}");
        assert!(faults("burn_rate", "of = \"good\"\nobjective = 0.9\n").is_empty(), "the slower ones can");
        assert!(faults("burn_rate", "of = \"good\"\nobjective = 1.0\n")[0].contains("below 1.0"));
        assert!(faults("burn_rate", "metric = \"ttft_ms\"\nobjective = 0.9\n")[0].contains("not a rate"));
    }

    #[test]
    fn too_few_sessions_say_nothing() {
        let rule = built("burn_rate", "of = \"good\"\nobjective = 0.99\n");
        assert!(matches!(Fake::rate(2.0, 4).judge(&rule), Judgement::Unknown(_)));
    }
}
