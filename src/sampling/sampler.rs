//! Which sessions are looked at, window after window: what the windows before had becomes the chances of the next, and
//! what was spent is counted.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Kept};
use super::plan::{self, Class, Room};
use super::threshold::{Threshold, randomness};
use crate::ledger::Millis;
use crate::suite::watch::sample::{REST, Sample};
use crate::suite::watch::{Budget, Watch};

/// Windows that a forecast is made of.
const WINDOWS: usize = 12;

const HOUR: Millis = 3_600_000;

/// Why a session was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It was not drawn: the share is what is wanted.
    NotDrawn,
    /// It would have been drawn, had the budget allowed for the share that is wanted.
    Budget,
    /// It was drawn, and the budget of the hour or day was spent before it came: more sessions came than were
    /// expected. What is said of such a window is said of the time before.
    Spent,
}

impl Reason {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotDrawn => "not_drawn",
            Self::Budget => "budget",
            Self::Spent => "spent",
        }
    }
}

/// What was decided of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Why it is not looked at; `None` where it is.
    pub reason: Option<Reason>,
    /// How likely it was to be drawn, in (0, 1] where it is.
    pub inclusion: f64,
    /// The threshold that it was held against.
    pub threshold: Threshold,
    /// Why it is kept, where it is.
    pub kept: Option<Kept>,
}

/// What was counted so far. It is all that has to outlive a restart: without it the budget of the day would begin anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The window that is going on.
    window: Option<Millis>,
    /// The sessions of each class in the windows before, the newest last.
    before: Vec<Vec<u64>>,
    /// Those of the window that is going on.
    now: Vec<u64>,
    /// What those that were looked at cost, by class: sessions and US dollars.
    costs: Vec<(u64, f64)>,
    /// When the hour and the day began that are counted.
    hour: Millis,
    day: Millis,
    /// What was spent in both.
    in_hour: Spent,
    in_day: Spent,
}

/// Sessions and US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Spent {
    sessions: f64,
    usd: f64,
}

/// What was spent of a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spending {
    /// `sessions` or `usd`.
    pub what: &'static str,
    /// `hour` or `day`.
    pub per: &'static str,
    /// What was spent since it began.
    pub spent: f64,
    /// What may be.
    pub limit: f64,
}

/// Decides which sessions of a suite are looked at.
#[derive(Debug)]
pub struct Sampler {
    sample: Sample,
    zone: TimeZone,
    every: Millis,
    state: State,
    /// Sessions of each class that were let in, and of which it is not known yet what they cost.
    under_way: Vec<u64>,
    chances: Vec<Threshold>,
    wanted: Vec<Threshold>,
}

impl Sampler {
    /// For a suite, with what was counted before, where that is known.
    pub fn new(watch: &Watch, state: Option<State>) -> Self {
        let classes = 2 * (watch.sample.strata.len() + 1);
        let fits = |state: &State| state.now.len() == classes && state.costs.len() == classes;
        let empty = State { now: vec![0; classes], costs: vec![(0, 0.0); classes], ..State::default() };
        let kept = state.map(|state| match fits(&state) {
            true => state,
            // Other strata: what was spent stands, what was expected does not.
            false => State { before: Vec::new(), now: empty.now.clone(), costs: empty.costs.clone(), ..state },
        });
        let mut sampler = Self {
            sample: watch.sample.clone(),
            zone: watch.timezone.clone(),
            every: Millis::try_from(watch.every.as_millis()).unwrap_or(Millis::MAX).max(1),
            state: kept.unwrap_or(empty),
            under_way: vec![0; classes],
            chances: Vec::new(),
            wanted: Vec::new(),
        };
        sampler.wanted = (0..classes).map(|class| Threshold::of(sampler.wants(class))).collect();
        sampler.chances = sampler.wanted.clone();
        if let Some(window) = sampler.state.window {
            sampler.plan(window);
        }
        sampler
    }

    /// What was counted so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The name of a stratum.
    pub fn stratum(&self, facts: Facts) -> &str {
        self.sample.strata.get(facts.stratum).map_or(REST, |stratum| &stratum.name)
    }

    /// The rules.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Decides over a session that is over now. A clock that goes back changes no window that has begun.
    pub fn decide(&mut self, session: &str, facts: Facts, now: Millis) -> Decision {
        self.advance(now);
        let class = class_of(facts, self.chances.len());
        self.state.now[class] += 1;
        let (threshold, r) = (self.chances[class], randomness(session));
        let mut decision = Decision { reason: None, inclusion: threshold.chance(), threshold, kept: facts.kept };
        if !threshold.draws(r) {
            let wanted = self.wanted[class].draws(r);
            decision.reason = Some(if wanted { Reason::Budget } else { Reason::NotDrawn });
        } else if self.is_spent(class) {
            decision.reason = Some(Reason::Spent);
        } else {
            self.under_way[class] += 1;
            self.state.in_hour.sessions += 1.0;
            self.state.in_day.sessions += 1.0;
        }
        decision
    }

    /// Says what it cost to look at a session.
    pub fn spent(&mut self, facts: Facts, usd: f64) {
        if !(usd >= 0.0 && usd.is_finite()) {
            return;
        }
        let class = class_of(facts, self.chances.len());
        self.under_way[class] = self.under_way[class].saturating_sub(1);
        let (sessions, sum) = &mut self.state.costs[class];
        *sessions += 1;
        *sum += usd;
        self.state.in_hour.usd += usd;
        self.state.in_day.usd += usd;
    }

    /// The share of the budgets that is spent: of the hour and of the day, of that which is nearer to its end.
    pub fn used(&self) -> Option<f64> {
        self.spending().iter().map(|limit| limit.spent / limit.limit).reduce(f64::max)
    }

    /// What was spent of each budget, and what may be.
    pub fn spending(&self) -> Vec<Spending> {
        let State { in_hour, in_day, .. } = &self.state;
        let Sample { sessions, usd, .. } = &self.sample;
        let of = |what, per, limit: Option<f64>, spent| limit.map(|limit| Spending { what, per, spent, limit });
        let all = [
            of("sessions", "hour", sessions.per_hour, in_hour.sessions),
            of("sessions", "day", sessions.per_day, in_day.sessions),
            of("usd", "hour", usd.per_hour, in_hour.usd),
            of("usd", "day", usd.per_day, in_day.usd),
        ];
        all.into_iter().flatten().collect()
    }

    /// How many sessions may be under way at once, so that what they cost is known before the next are let in: as many as
    /// take a quarter of the money that is left, one while nobody knows what one takes.
    pub fn at_once(&self) -> usize {
        let left = |limit: Spending| (limit.limit - limit.spent).max(0.0);
        let Some(left) = self.spending().into_iter().filter(|limit| limit.what == "usd").map(left).reduce(f64::min)
        else {
            return usize::MAX;
        };
        let costs = (0..self.state.costs.len()).map(|class| self.cost(class));
        match costs.reduce(f64::max) {
            Some(most) if most > 0.0 => (left / 4.0 / most).clamp(1.0, 256.0) as usize,
            // Sessions that cost nothing so far are let in by and by.
            _ => {
                if self.state.costs.iter().any(|(n, _)| *n >= 16) {
                    16
                } else {
                    1
                }
            }
        }
    }

    /// Whether nothing more of a class may be looked at: a limit is reached, or one more would exceed it.
    fn is_spent(&self, class: usize) -> bool {
        let under_way: f64 = self.under_way.iter().enumerate().map(|(class, n)| *n as f64 * self.cost(class)).sum();
        let more = under_way + self.cost(class);
        self.spending().iter().any(|limit| match limit.what {
            // The last session of a budget of whole sessions is one of it.
            "sessions" => limit.spent >= limit.limit,
            _ => limit.spent >= limit.limit || limit.spent + more > limit.limit * (1.0 + 1e-9),
        })
    }

    /// What looking at a session of a class costs: the mean of those before; where none of the class was looked at yet, of
    /// all.
    fn cost(&self, class: usize) -> f64 {
        let (sessions, sum) = self.state.costs[class];
        let (all, total) = self.state.costs.iter().fold((0, 0.0), |(n, s), (m, t)| (n + m, s + t));
        match (sessions, all) {
            (0, 0) => 0.0,
            (0, all) => total / all as f64,
            (n, _) => sum / n as f64,
        }
    }

    /// Begins the window of a moment, if it is a later one.
    fn advance(&mut self, now: Millis) {
        let window = now.div_euclid(self.every) * self.every;
        match self.state.window {
            Some(before) if window <= before => return,
            Some(before) => {
                let empty = vec![0; self.state.now.len()];
                let ended = std::mem::replace(&mut self.state.now, empty.clone());
                self.state.before.push(ended);
                // Windows in which nothing came are windows too.
                let missed = usize::try_from((window - before) / self.every - 1).unwrap_or(0).min(WINDOWS);
                self.state.before.extend(std::iter::repeat_n(empty, missed));
                let most = self.state.before.len().saturating_sub(WINDOWS);
                self.state.before.drain(..most);
            }
            None => {}
        }
        self.state.window = Some(window);
        self.plan(window);
    }

    /// The chances of a window.
    fn plan(&mut self, window: Millis) {
        let hour = window.div_euclid(HOUR) * HOUR;
        if hour > self.state.hour {
            (self.state.hour, self.state.in_hour) = (hour, Spent::default());
        }
        let (day, end) = self.day(window);
        if day > self.state.day {
            (self.state.day, self.state.in_day) = (day, Spent::default());
        }
        let (in_hour, in_day) = (self.state.in_hour, self.state.in_day);
        // What is left of the hour and the day, in equal parts for each of the windows that are left of them.
        let part = |left: f64, until: Millis| {
            let windows = ((until - window) as f64 / self.every as f64).max(1.0);
            (left / windows).max(0.0)
        };
        let share = |budget: Budget, of: fn(&Spent) -> f64| {
            let hour = budget.per_hour.map(|limit| part(limit - of(&in_hour), hour + HOUR));
            let day = budget.per_day.map(|limit| part(limit - of(&in_day), end));
            hour.into_iter().chain(day).reduce(f64::min)
        };
        let room = Room {
            sessions: share(self.sample.sessions, |spent| spent.sessions),
            usd: share(self.sample.usd, |spent| spent.usd),
        };
        let classes: Vec<Class> = (0..self.state.now.len()).map(|class| self.class(class)).collect();
        self.chances = plan::chances(&classes, room).into_iter().map(Threshold::of).collect();
    }

    /// When the day of a moment begins and ends.
    fn day(&self, at: Millis) -> (Millis, Millis) {
        let days = || {
            let begin =
                Timestamp::from_millisecond(at).ok()?.to_zoned_datetime(self.zone.clone()).start_of_day().ok()?;
            let end = begin.tomorrow().ok()?;
            Some((begin.timestamp().as_millisecond(), end.timestamp().as_millisecond()))
        };
        let begin = at.div_euclid(24 * HOUR) * 24 * HOUR;
        days().unwrap_or((begin, begin + 24 * HOUR))
    }

    fn wants(&self, class: usize) -> f64 {
        let own = self.sample.strata.get(class / 2).map(|stratum| stratum.rate);
        if class % 2 == 1 { 1.0 } else { own.unwrap_or(self.sample.rate) }
    }

    fn class(&self, class: usize) -> Class {
        let floor = self.sample.strata.get(class / 2).map_or(self.sample.floor, |stratum| stratum.floor) as f64;
        let kept = class % 2 == 1;
        let usd = self.cost(class);
        // What is kept counts for the floor.
        let expected = |class: usize| self.forecast(class).unwrap_or(0.0);
        let floor = if kept { 0.0 } else { (floor - expected(class + 1)).max(0.0) };
        Class { wanted: self.wants(class), floor, kept, forecast: self.forecast(class), usd }
    }

    /// How many sessions a window will have: the mean of those before, or the last of them where that is more, so that
    /// traffic that grows does not spend more than it may.
    fn forecast(&self, class: usize) -> Option<f64> {
        let last = *self.state.before.last()?.get(class)? as f64;
        let sum: u64 = self.state.before.iter().filter_map(|window| window.get(class)).sum();
        Some(last.max(sum as f64 / self.state.before.len() as f64))
    }
}

fn class_of(facts: Facts, classes: usize) -> usize {
    (2 * facts.stratum + usize::from(facts.kept.is_some())).min(classes.saturating_sub(1))
}

#[cfg(test)]
pub(super) mod testing {
    use crate::suite::watch::SampleTable;
    use crate::suite::watch::sample::Sample;

    /// The rules of these keys.
    pub(in crate::sampling) fn sample(toml: &str) -> Sample {
        let table: SampleTable = toml::from_str(toml).unwrap();
        let mut problems = Vec::new();
        let sample = table.resolve(&mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::testing::sample;
    use super::*;

    const MINUTE: Millis = 60_000;
    /// 2026-11-27T00:00:00Z.
    const MIDNIGHT: Millis = 1_795_737_600_000;

    fn sampler(toml: &str) -> Sampler {
        Sampler::new(&Watch { sample: sample(toml), ..Watch::default() }, None)
    }

    const PLAIN: Facts = Facts { stratum: 0, kept: None };
    const KEPT: Facts = Facts { stratum: 0, kept: Some(Kept::Errors) };

    /// How many of `n` sessions in a window are looked at, and by reason how many are not.
    fn window(sampler: &mut Sampler, n: usize, facts: Facts, at: Millis) -> (usize, [usize; 3]) {
        let (mut looked, mut not) = (0, [0; 3]);
        for i in 0..n {
            match sampler.decide(&format!("{at}-{i}"), facts, at).reason {
                None => looked += 1,
                Some(reason) => not[reason as usize] += 1,
            }
        }
        (looked, not)
    }

    #[test]
    fn a_share_is_drawn_and_what_is_kept_is_kept() {
        let mut sampler = sampler("rate = 0.1\nkeep = { errors = true }\n");
        let (looked, not) = window(&mut sampler, 10_000, PLAIN, MIDNIGHT);
        assert!(looked.abs_diff(1000) < 150 && not == [10_000 - looked, 0, 0], "{looked} {not:?}");
        let decision = sampler.decide("one", KEPT, MIDNIGHT);
        assert_eq!((decision.reason, decision.inclusion), (None, 1.0));
        assert_eq!(window(&mut sampler, 500, KEPT, MIDNIGHT).0, 500);
    }

    #[test]
    fn several_watches_agree() {
        let (mut a, mut b) = (sampler("rate = 0.3\n"), sampler("rate = 0.3\n"));
        for i in 0..500 {
            let name = format!("s{i}");
            assert_eq!(a.decide(&name, PLAIN, MIDNIGHT), b.decide(&name, PLAIN, MIDNIGHT + MINUTE));
        }
    }

    #[test]
    fn a_budget_becomes_a_chance_before_the_window() {
        let mut sampler = sampler("rate = 1.0\nmax_sessions_per_hour = 1200\n");
        // Nothing is known yet: the limit of the hour alone holds.
        let (first, _) = window(&mut sampler, 400, PLAIN, MIDNIGHT);
        assert_eq!(first, 400);
        let mut all = first;
        for i in 1..12 {
            let at = MIDNIGHT + 5 * i * MINUTE;
            let (looked, not) = window(&mut sampler, 400, PLAIN, at);
            let chance = sampler.decide("x", PLAIN, at).inclusion;
            assert!(chance < 0.35, "{i}: {chance}");
            assert_eq!(not[Reason::NotDrawn as usize], 0, "what is wanted is everything");
            all += looked;
        }
        assert!((1000..=1200).contains(&all), "{all}");
    }

    #[test]
    fn a_budget_is_never_exceeded_whatever_comes() {
        let mut sampler = sampler("max_sessions_per_hour = 100\nkeep = { errors = true }\n");
        let mut all = 0;
        for (i, n) in [10, 5000, 0, 90, 3000].into_iter().enumerate() {
            let at = MIDNIGHT + 5 * i as Millis * MINUTE;
            all += window(&mut sampler, n, if i % 2 == 0 { PLAIN } else { KEPT }, at).0;
        }
        assert_eq!(all, 100);
        let late = sampler.decide("late", KEPT, MIDNIGHT + 59 * MINUTE).reason;
        assert!(matches!(late, Some(Reason::Spent | Reason::Budget)), "{late:?}");
        assert_eq!(sampler.used(), Some(1.0));
        // The next hour has a budget of its own.
        assert!(window(&mut sampler, 5000, PLAIN, MIDNIGHT + 60 * MINUTE).0 > 0);
    }

    #[test]
    fn money_counts_by_what_was_spent() {
        let mut sampler = sampler("max_usd_per_day = 2.88\n");
        // A cent each: one a window, 288 windows a day.
        let mut all = 0;
        for i in 0..288 {
            let at = MIDNIGHT + 5 * i * MINUTE;
            for n in 0..20 {
                if sampler.decide(&format!("{i}-{n}"), PLAIN, at).reason.is_none() {
                    sampler.spent(PLAIN, 0.01);
                    all += 1;
                }
            }
        }
        assert!((200..=288).contains(&all), "{all}");
    }

    #[test]
    fn a_floor_looks_at_enough_of_a_small_stratum() {
        let toml = "rate = 0.01\n[[stratum]]\nname = \"rare\"\nrate = 0.01\nfloor = 20\non = { user = \"a\" }\n";
        let mut sampler = sampler(toml);
        assert_eq!(window(&mut sampler, 60, PLAIN, MIDNIGHT).0, 60, "nothing is known yet");
        let counts: Vec<usize> =
            (1..30).map(|i| window(&mut sampler, 60, PLAIN, MIDNIGHT + 5 * i * MINUTE).0).collect();
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        assert!((mean - 20.0).abs() < 4.0, "{counts:?}");
    }

    #[test]
    fn a_restart_does_not_begin_the_budget_anew_and_a_clock_that_goes_back_changes_nothing() {
        let toml = "max_sessions_per_day = 50\n";
        let mut sampler = sampler(toml);
        assert_eq!(window(&mut sampler, 80, PLAIN, MIDNIGHT).0, 50);
        assert_eq!(window(&mut sampler, 80, PLAIN, MIDNIGHT - 24 * 60 * MINUTE).0, 0);
        let kept = serde_json::to_string(sampler.state()).unwrap();
        let watch = Watch { sample: sample(toml), ..Watch::default() };
        let mut again = Sampler::new(&watch, serde_json::from_str(&kept).ok());
        assert_eq!(window(&mut again, 80, PLAIN, MIDNIGHT + MINUTE).0, 0);
        let more = format!("{toml}[[stratum]]\nname = \"a\"\nrate = 1.0\non = {{ user = \"a\" }}\n");
        let changed = Watch { sample: sample(&more), ..Watch::default() };
        let mut changed = Sampler::new(&changed, serde_json::from_str(&kept).ok());
        assert_eq!(window(&mut changed, 80, PLAIN, MIDNIGHT + MINUTE).0, 0, "other strata, the same day");
    }
}
