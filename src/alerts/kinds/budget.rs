//! `budget`: what may be spent within an hour, a day or a week is nearly gone.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, ToSpan, Unit, ZonedDateTimeRound};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup};
use crate::alerts::{Ask, Judgement, Measure, Reading, Rule, few};
use crate::ledger::Millis;

/// What the agents spend within an hour, a day or a week comes to the share `at` of what they may.
///
/// Days and weeks begin at midnight (of Monday) in `timezone` of `[watch]`. What was not sampled is counted by what was: so the
/// total is an estimate where not all sessions are looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// How many US dollars may be spent.
    max_usd: Option<f64>,
    /// How many tokens may be spent.
    max_tokens: Option<f64>,
    /// Within which time; `day` unless given.
    per: Option<Per>,
    /// The share at which it fires, above 0 and at most 1; 1.0 unless given.
    at: Option<f64>,
    /// What sessions are divided by: each group has the budget to itself.
    by: Option<String>,
}

/// A time that has a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// From the full hour.
    Hour,
    /// From midnight.
    #[default]
    Day,
    /// From Monday.
    Week,
}

impl Per {
    const fn words(self) -> &'static str {
        match self {
            Self::Hour => "an hour",
            Self::Day => "a day",
            Self::Week => "a week",
        }
    }
}

#[derive(Debug)]
struct Spend {
    measure: Measure,
    most: f64,
    at: f64,
    per: Per,
    zone: TimeZone,
}

impl AlertParams for Budget {
    const NAME: &'static str = "budget";
    const EXAMPLE: &'static str = "[[alert]]\nname = \"daily-spend\"\nkind = \"budget\"\nmax_usd = 50.0\nper = \"day\"\nat = 0.8\nby = \"agent\"\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { max_usd, max_tokens, per, at, by } = self;
        let before = setup.problems.len();
        let (metric, key, most) = match (max_usd, max_tokens) {
            (Some(usd), None) => ("cost_usd", "max_usd", usd),
            (None, Some(tokens)) => ("tokens", "max_tokens", tokens),
            (None, None) => {
                setup.problem(&[], "a budget is missing", "add `max_usd` or `max_tokens`".to_owned());
                return None;
            }
            (Some(_), Some(_)) => {
                setup.problem(&["max_tokens"], "one alert has one budget", "write another alert".to_owned());
                return None;
            }
        };
        if !(most > 0.0 && most.is_finite()) {
            setup.problem(&[key], format!("`{key}` is a number above 0"), None);
        }
        let at = at.unwrap_or(1.0);
        if !(at > 0.0 && at <= 1.0) {
            setup.problem(&["at"], "`at` is a share above 0.0 and at most 1.0", "such as 0.8".to_owned());
        }
        let about = crate::alerts::reading::About {
            metric: Some(metric.to_owned()),
            stat: Some("sum".to_owned()),
            by,
            ..Default::default()
        };
        let measure = about.measure(false, setup);
        let sound = setup.problems.len() == before;
        let zone = setup.zone.clone();
        let measure = measure.filter(|_| sound)?;
        Some(Arc::new(Spend { measure, most, at, per: per.unwrap_or_default(), zone }))
    }
}

impl Spend {
    /// When the time began in which the last window lies.
    fn begin(&self, at: Millis) -> Option<Millis> {
        // The end of a window is the first moment of the next.
        let now = Timestamp::from_millisecond(at - 1).ok()?.to_zoned_datetime(self.zone.clone());
        let begin = match self.per {
            Per::Hour => now.round(ZonedDateTimeRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc)).ok()?,
            Per::Day => now.start_of_day().ok()?,
            Per::Week => {
                let days = i64::from(now.weekday().to_monday_zero_offset());
                now.checked_sub(days.days()).ok()?.start_of_day().ok()?
            }
        };
        Some(begin.timestamp().as_millisecond())
    }
}

impl Rule for Spend {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        // An hour more: of the day on which clocks are put back.
        match self.per {
            Per::Hour => Duration::from_secs(3600),
            Per::Day => Duration::from_secs(25 * 3600),
            Per::Week => Duration::from_secs((7 * 24 + 1) * 3600),
        }
    }

    fn says(&self) -> String {
        let unit = if self.measure.metric == "tokens" { "tokens" } else { "USD" };
        format!("{}% of {} {unit} {} are spent", few(self.at * 100.0), few(self.most), self.per.words())
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let Some(begin) = self.begin(ask.at) else {
            return Judgement::Unknown("the day of this window is not known".to_owned());
        };
        let spent = match ask.between(&self.measure, begin, ask.at) {
            // Of money that is gone no more is asked than that it is known.
            Reading::Measured(number) => number.value,
            Reading::Nothing => 0.0,
            Reading::Unmeasured(why) => return Judgement::Unknown(why),
        };
        let unit = if self.measure.metric == "tokens" { "tokens" } else { "USD" };
        let per = match self.per {
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Week => "week",
        };
        let text =
            format!("{} {unit} of {} this {per} ({}%)", few(spent), few(self.most), few(spent / self.most * 100.0));
        if spent >= self.at * self.most { Judgement::Fires(text) } else { Judgement::Quiet(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::testing::{AT, Fake, HOUR, built, faults};

    #[test]
    fn the_day_begins_at_midnight_and_what_was_before_does_not_count() {
        let rule = built("budget", "max_usd = 24\nat = 0.5\n");
        // One dollar an hour; AT is at 12:00.
        let fake = Fake::numbers(|from, to| ((to - from) as f64 / HOUR as f64, None));
        let Judgement::Fires(text) = fake.judge(&rule) else { panic!("{:?}", fake.judge(&rule)) };
        assert!(text.contains("12 USD of 24 this day (50%)"), "{text}");
        let rule = built("budget", "max_usd = 24.5\nat = 0.5\n");
        assert!(matches!(fake.judge(&rule), Judgement::Quiet(_)));
    }

    #[test]
    fn days_and_weeks_are_those_of_the_timezone() {
        let begin = |zone: &str, per| {
            let zone = TimeZone::get(zone).unwrap();
            let measure = Measure { metric: "cost_usd".into(), of: None, stat: None, by: None };
            Spend { measure, most: 1.0, at: 1.0, per, zone }.begin(AT).unwrap()
        };
        assert_eq!(begin("UTC", Per::Day), AT - 12 * HOUR);
        assert_eq!(begin("Europe/Berlin", Per::Day), AT - 13 * HOUR);
        assert_eq!(begin("UTC", Per::Hour), AT - HOUR);
        // AT is a Friday.
        assert_eq!(begin("UTC", Per::Week), AT - (4 * 24 + 12) * HOUR);
    }

    #[test]
    fn nothing_spent_is_nothing_and_what_is_not_known_is_not_nothing() {
        let rule = built("budget", "max_tokens = 1000\n");
        assert!(matches!(Fake::empty().judge(&rule), Judgement::Quiet(text) if text.contains("0 tokens")));
        assert!(matches!(Fake::unmeasured().judge(&rule), Judgement::Unknown(_)));
    }

    #[test]
    fn one_budget_that_is_one() {
        assert!(faults("budget", "")[0].contains("a budget is missing"));
        assert!(faults("budget", "max_usd = 1\nmax_tokens = 2\n")[0].contains("one budget"));
        assert!(faults("budget", "max_usd = 0\n")[0].contains("above 0"));
        assert!(faults("budget", "max_usd = 1\nat = 80\n")[0].contains("at most 1.0"));
    }
}
