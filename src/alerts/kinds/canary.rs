//! `canary`: a candidate does worse than the champion, told as soon as it can be and without looking too often.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup};
use crate::alerts::reading::About;
use crate::alerts::{Ask, Judgement, Measure, Number, Reading, Rule, few, millis};
use crate::ledger::Millis;
use crate::stats::anytime::{CONFIDENCE_SEQUENCE, R, Side, TWO_SAMPLE, TwoSample, radius};

/// The candidate is worse than the champion, by a test that holds at any time: it may be looked at after every window
/// since `since`, and the canary stopped as soon as it fires.
///
/// A share is compared by betting (an e-process over the windows), a mean by a sequence of intervals that all hold together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// What is measured, such as `tool_error_rate` or `turn_ms`: `seatrial explain metrics`.
    metric: Option<String>,
    /// The id of a check: how often it fails.
    of: Option<String>,
    /// `mean`, for what has a value per session or turn; none for a ratio.
    stat: Option<String>,
    /// The version that is tried.
    candidate: String,
    /// The version that it is held against.
    champion: String,
    /// When the comparison begins, RFC 3339. It is part of the test and must not be moved once it runs.
    since: String,
    /// For how long it goes on, at most; `"7d"` unless given.
    lasts: Option<String>,
    /// The chance of firing at any time where the candidate is no worse, above 0 and below 0.5; 0.05 unless given.
    alpha: Option<f64>,
    /// Which way is worse; `up` unless given, and `down` for `first_contact_resolution` and `csat`.
    worse: Option<Way>,
}

/// Which way a number gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// More is worse.
    Up,
    /// Less is worse.
    Down,
}

#[derive(Debug)]
struct Compared {
    measure: Measure,
    candidate: String,
    champion: String,
    since: Millis,
    until: Millis,
    lasts: Duration,
    alpha: f64,
    worse: Way,
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl AlertParams for Canary {
    const NAME: &'static str = "canary";
    const EXAMPLE: &'static str = "[[alert]]\nname = \"canary\"\nkind = \"canary\"\nof = \"goal\"\ncandidate = \"1.5.0\"\n\
                                   champion = \"1.4.2\"\nsince = \"2026-11-27T12:00:00Z\"\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let Self { metric, of, stat, candidate, champion, since, lasts, alpha, worse } = self;
        let before = setup.problems.len();
        let measure = About { metric, of, stat, by: Some("version".to_owned()) }.measure(false, setup);
        if let Some(stat) = measure.as_ref().and_then(|m| m.stat.as_deref()).filter(|stat| *stat != "mean") {
            let help = "`stat = \"mean\"`, or a share".to_owned();
            setup.problem(&["stat"], format!("there is no test of {stat} that holds at any time"), help);
        }
        for (key, version) in [("candidate", &candidate), ("champion", &champion)] {
            if version.trim().is_empty() {
                setup.problem(&[key], format!("`{key}` is a version"), None);
            }
        }
        if candidate == champion {
            setup.problem(&["champion"], "this can never fire: both are the same version", None);
        }
        let alpha = alpha.unwrap_or(0.05);
        if !(alpha > 0.0 && alpha < 0.5) {
            setup.problem(&["alpha"], "`alpha` is above 0.0 and below 0.5", "0.05 is usual".to_owned());
        }
        let since = match since.parse::<Timestamp>() {
            Ok(since) => Some(since.as_millisecond()),
            Err(_) => {
                let help = "such as `\"2026-11-27T12:00:00Z\"`".to_owned();
                setup.problem(&["since"], format!("`{since}` is no moment"), help);
                None
            }
        };
        let lasts = setup.span("lasts", lasts.as_deref(), WEEK)?;
        let good = measure.as_ref().is_some_and(|m| matches!(m.metric.as_str(), "first_contact_resolution" | "csat"));
        let worse = worse.unwrap_or(if good { Way::Down } else { Way::Up });
        let sound = setup.problems.len() == before;
        let (measure, since) = measure.zip(since).filter(|_| sound)?;
        let every = millis(setup.every).max(1);
        // Windows are whole.
        let since = since.div_euclid(every) * every + if since % every == 0 { 0 } else { every };
        let until = since.saturating_add(millis(lasts));
        Some(Arc::new(Compared { measure, candidate, champion, since, until, lasts, alpha, worse }))
    }
}

impl Compared {
    fn read(&self, ask: &Ask<'_>, version: &str, from: Millis, to: Millis) -> Reading {
        ask.windows.read(&self.measure, version, from, to)
    }

    /// By betting on each window.
    fn shares(&self, ask: &Ask<'_>, to: Millis) -> Judgement {
        let every = ask.windows.every().max(1);
        let mut test = TwoSample::default();
        let mut fired = 0.0_f64;
        let mut from = self.since;
        while from < to {
            let side = |version: &str| match self.read(ask, version, from, from + every) {
                Reading::Measured(Number { counts: Some((events, n)), .. }) => match self.worse {
                    Way::Up => Side { events, n },
                    Way::Down => Side { events: n - events, n },
                },
                _ => Side::default(),
            };
            test.step(side(&self.candidate), side(&self.champion));
            fired = fired.max(test.evidence());
            from += every;
        }
        let (candidate, champion) = test.sides();
        if candidate.n < ask.least as f64 || champion.n < ask.least as f64 {
            return Judgement::Unknown(format!(
                "{} and {} sessions of both versions, and at least {} are asked for",
                few(candidate.n),
                few(champion.n),
                ask.least
            ));
        }
        let rate = |side: Side| {
            let share = side.events / side.n;
            few(if self.worse == Way::Up { share } else { 1.0 - share })
        };
        let text = format!(
            "{} is {} with {} and {} with {} (evidence {}, {TWO_SAMPLE})",
            self.measure,
            rate(candidate),
            self.candidate,
            rate(champion),
            self.champion,
            few(fired)
        );
        // Evidence that was once there holds: that is what it means to hold at any time.
        if fired >= 1.0 / self.alpha { Judgement::Fires(text) } else { Judgement::Quiet(text) }
    }

    /// By intervals of both means.
    fn means(&self, ask: &Ask<'_>, to: Millis) -> Judgement {
        let side = |version: &str| {
            let number = self.read(ask, version, self.since, to).of_at_least(ask.least)?;
            let se = number.se.ok_or_else(|| "how far the mean may be off is not known".to_owned())?;
            let t = number.n as f64;
            // Each of both may miss half as often.
            let radius = radius(t, se * t.sqrt(), R, self.alpha / 2.0).ok_or_else(|| "no such interval".to_owned())?;
            Ok::<_, String>((number.value, radius))
        };
        match (side(&self.candidate), side(&self.champion)) {
            (Ok((candidate, a)), Ok((champion, b))) => {
                let more = if self.worse == Way::Up { candidate - champion } else { champion - candidate };
                let text = format!(
                    "{} is {} with {} and {} with {} ({CONFIDENCE_SEQUENCE}, give or take {})",
                    self.measure,
                    few(candidate),
                    self.candidate,
                    few(champion),
                    self.champion,
                    few(a + b)
                );
                if more > a + b { Judgement::Fires(text) } else { Judgement::Quiet(text) }
            }
            (Err(why), _) | (_, Err(why)) => Judgement::Unknown(why),
        }
    }
}

impl Rule for Compared {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, _: Duration) -> Duration {
        self.lasts
    }

    fn whole(&self) -> bool {
        true
    }

    fn says(&self) -> String {
        format!("{} is worse with {} than with {}", self.measure, self.candidate, self.champion)
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        if ask.at <= self.since {
            return Judgement::Unknown("the comparison has not begun".to_owned());
        }
        if ask.at > self.until {
            return Judgement::Quiet("the comparison is over".to_owned());
        }
        match self.measure.stat {
            None => self.shares(ask, ask.at),
            Some(_) => self.means(ask, ask.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{AT, Fake, HOUR, built, faults};

    const SINCE: &str = "candidate = \"2\"\nchampion = \"1\"\nsince = \"2026-11-27T06:00:00Z\"\n";

    #[test]
    fn fires_on_a_candidate_that_is_worse_and_only_on_that() {
        let rule = built("canary", &format!("of = \"good\"\n{SINCE}"));
        // 40 sessions a window, of which so many fail.
        let of = |candidate: f64, champion: f64| {
            Fake::by_group(move |version| Some((if version == "2" { candidate } else { champion }, 40))).judge(&rule)
        };
        assert!(matches!(of(8.0, 2.0), Judgement::Fires(text) if text.contains("0.2 with 2 and 0.05 with 1")));
        assert!(matches!(of(2.0, 2.0), Judgement::Quiet(_)));
        assert!(matches!(of(2.0, 8.0), Judgement::Quiet(_)));
    }

    #[test]
    fn a_mean_has_to_be_further_away_than_both_may_be() {
        let rule = built("canary", &format!("metric = \"turn_ms\"\nstat = \"mean\"\n{SINCE}"));
        let of = |candidate: f64| {
            Fake::grouped(move |version| (if version == "2" { candidate } else { 100.0 }, Some(1.0))).judge(&rule)
        };
        assert!(matches!(of(120.0), Judgement::Fires(_)));
        assert!(matches!(of(101.0), Judgement::Quiet(_)));
    }

    #[test]
    fn before_and_after_it_says_nothing() {
        let late = "of = \"good\"\ncandidate = \"2\"\nchampion = \"1\"\nsince = \"2026-11-27T13:00:00Z\"\n";
        assert!(matches!(Fake::rate(9.0, 40).judge(&built("canary", late)), Judgement::Unknown(_)));
        let over = format!("of = \"good\"\n{SINCE}lasts = \"2h\"\n");
        assert!(matches!(Fake::rate(9.0, 40).judge(&built("canary", &over)), Judgement::Quiet(_)));
        assert_eq!(AT % HOUR, 0);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let of = |keys: &str| faults("canary", keys);
        assert!(of(&format!("metric = \"ttft_ms\"\nstat = \"p95\"\n{SINCE}"))[0].contains("holds at any time"));
        let same = "of = \"good\"\ncandidate = \"1\"\nchampion = \"1\"\nsince = \"2026-11-27T06:00:00Z\"\n";
        assert!(of(same)[0].contains("can never fire"));
        assert!(of("of = \"good\"\ncandidate = \"2\"\nchampion = \"1\"\nsince = \"now\"\n")[0].contains("no moment"));
    }
}
