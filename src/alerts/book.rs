//! What fires, since when, and what has to be told: the state of alerts over the windows.
//!
//! It is all that is kept of alerts. It goes on from one window's end to the next; the same end twice changes nothing. What
//! could not be measured leaves it as it is, and says why.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Alert, Ask, Judgement, Readings, Urgency, millis};
use crate::ledger::Millis;
use crate::model::digest::{Builder, Digest};

/// The most groups of one alert that are looked at; the first by name.
const MOST_GROUPS: usize = 1_000;

/// A group that had no session for so long is gone: what was so of it is over.
const GONE: Millis = 24 * 3_600_000;

/// The state of all alerts of all suites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// By suite, alert and group.
    standing: Vec<Standing>,
    /// The newest window's end, by suite.
    seen: BTreeMap<String, Millis>,
}

/// How an alert stands for a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The suite.
    pub suite: String,
    /// The alert.
    pub alert: String,
    /// The group; empty for all sessions.
    pub group: String,
    /// Since when it is so.
    pub since: Millis,
    /// Whether it was so for long enough.
    pub fires: bool,
    /// Since when it is otherwise, where it fires still.
    pub quiet: Option<Millis>,
    /// When it was told last.
    pub told: Option<Millis>,
    /// What was measured last, in words.
    pub text: String,
    /// Why nobody can say how it is now.
    pub unknown: Option<String>,
    /// Why nobody is told.
    pub silenced: Option<String>,
}

/// What became of an alert for a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It fires.
    Fires,
    /// It fires still, and is told again.
    Repeats,
    /// It is over.
    Resolves,
}

impl Turn {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fires => "fires",
            Self::Repeats => "repeats",
            Self::Resolves => "resolves",
        }
    }
}

/// A group of which something is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The group; empty for all sessions.
    pub group: String,
    /// What became of it.
    pub turn: Turn,
    /// Since when it is, or was, so.
    pub since: Millis,
    /// What was measured, in words.
    pub text: String,
    /// What tells this incident from others, from when it fires until it is over.
    pub incident: String,
}

/// What is told of an alert: all its groups of which something is new, at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What tells it from others, however often it is sent.
    pub key: String,
    /// The suite.
    pub suite: String,
    /// The alert.
    pub alert: String,
    /// Its kind.
    pub kind: String,
    /// How urgent it is.
    pub severity: Urgency,
    /// What to know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// Who is told; all where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// The end of the window, in milliseconds since the epoch.
    pub at: Millis,
    /// What is new.
    pub changes: Vec<Change>,
}

/// A digest, short enough for a key.
fn short(digest: &Digest) -> String {
    digest.bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Notice {
    fn of(suite: &str, alert: &Alert, at: Millis, changes: Vec<Change>) -> Self {
        let mut key = Builder::new("seatrial notice 1");
        key.part("suite", suite.as_bytes());
        key.part("alert", alert.name.as_bytes());
        key.part("at", &at.to_le_bytes());
        for change in &changes {
            key.part(change.turn.name(), change.group.as_bytes());
        }
        Self {
            key: short(&key.finish()),
            suite: suite.to_owned(),
            alert: alert.name.clone(),
            kind: alert.kind.to_owned(),
            severity: alert.severity,
            description: alert.description.clone(),
            link: alert.link.clone(),
            to: alert.to.clone(),
            at,
            changes,
        }
    }
}

impl Standing {
    fn change(&self, turn: Turn, text: &str) -> Change {
        let mut key = Builder::new("seatrial incident 1");
        for (name, part) in [("suite", &self.suite), ("alert", &self.alert), ("group", &self.group)] {
            key.part(name, part.as_bytes());
        }
        key.part("since", &self.since.to_le_bytes());
        let incident = short(&key.finish());
        Change { group: self.group.clone(), turn, since: self.since, text: text.to_owned(), incident }
    }
}

impl Book {
    /// Everything that is, or may soon be, so.
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// The newest window's end to which it went on, of a suite.
    pub fn until(&self, suite: &str) -> Option<Millis> {
        self.seen.get(suite).copied()
    }

    /// Goes on to a window's end: what is to be told of a suite's alerts. An end that is not after the last changes
    /// nothing.
    pub fn turn(&mut self, suite: &str, alerts: &[Alert], at: Millis, windows: &dyn Readings) -> Vec<Notice> {
        if self.seen.get(suite).is_some_and(|seen| at <= *seen) {
            return Vec::new();
        }
        self.seen.insert(suite.to_owned(), at);
        let mut notices = Vec::new();
        for alert in alerts {
            let mut changes: Vec<Change> = self
                .groups(suite, alert, at, windows)
                .iter()
                .filter_map(|group| self.group(suite, alert, group, at, windows))
                .collect();
            changes.extend(self.gone(suite, alert, at, windows));
            if !changes.is_empty() {
                notices.push(Notice::of(suite, alert, at, changes));
            }
        }
        self.standing.retain(|s| s.suite != suite || alerts.iter().any(|alert| alert.name == s.alert));
        notices
    }

    /// The groups that are looked at: those that have sessions, and those of which something is known.
    fn groups(&self, suite: &str, alert: &Alert, at: Millis, windows: &dyn Readings) -> Vec<String> {
        let by = alert.rule.measure().by.as_deref().filter(|_| !alert.rule.whole());
        let Some(by) = by else { return vec![String::new()] };
        let from = at.saturating_sub(windows.every());
        let known = self.standing.iter().filter(|s| s.suite == suite && s.alert == alert.name);
        let mut groups: BTreeSet<String> = known.map(|s| s.group.clone()).collect();
        let more = MOST_GROUPS.saturating_sub(groups.len());
        let new: Vec<String> = windows.groups(Some(by), from, at).into_iter().filter(|g| !groups.contains(g)).collect();
        groups.extend(new.into_iter().take(more));
        groups.into_iter().collect()
    }

    /// Lets go of groups that are not there any more: names that come and go must not add up for ever.
    fn gone(&mut self, suite: &str, alert: &Alert, at: Millis, windows: &dyn Readings) -> Vec<Change> {
        let is = |s: &Standing| s.suite == suite && s.alert == alert.name && !s.group.is_empty() && s.unknown.is_some();
        let Some(by) = alert.rule.measure().by.as_deref().filter(|_| self.standing.iter().any(is)) else {
            return Vec::new();
        };
        let from = at.saturating_sub(GONE);
        let there: BTreeSet<String> = windows.groups(Some(by), from, at).into_iter().collect();
        let mut changes = Vec::new();
        self.standing.retain(|s| {
            let gone = is(s) && s.since < from && !there.contains(&s.group);
            // What nobody was told of, nobody is told the end of.
            if gone && s.told.is_some() {
                changes.push(s.change(Turn::Resolves, "no session of it within a day"));
            }
            !gone
        });
        changes
    }

    fn group(&mut self, suite: &str, alert: &Alert, group: &str, at: Millis, windows: &dyn Readings) -> Option<Change> {
        let position = self.standing.iter().position(|s| s.suite == suite && s.alert == alert.name && s.group == group);
        match alert.rule.judge(&Ask { at, group, least: alert.min_count, windows }) {
            Judgement::Fires(text) => {
                let position = position.unwrap_or_else(|| {
                    self.standing.push(Standing {
                        suite: suite.to_owned(),
                        alert: alert.name.clone(),
                        group: group.to_owned(),
                        since: at,
                        fires: false,
                        quiet: None,
                        told: None,
                        text: String::new(),
                        unknown: None,
                        silenced: None,
                    });
                    self.standing.len() - 1
                });
                let standing = self.standing.get_mut(position)?;
                (standing.text, standing.quiet, standing.unknown) = (text, None, None);
                standing.fires |= at.saturating_sub(standing.since) >= millis(alert.hold);
                tell(standing, alert, at)
            }
            Judgement::Quiet(text) => {
                let standing = self.standing.get_mut(position?)?;
                standing.unknown = None;
                let quiet = *standing.quiet.get_or_insert(at);
                if standing.fires && at.saturating_sub(quiet) < millis(alert.resolve_after) {
                    // Nobody is told now that it is otherwise.
                    return None;
                }
                let standing = self.standing.remove(position?);
                // What nobody was told of, nobody is told the end of.
                standing.told.map(|_| standing.change(Turn::Resolves, &text))
            }
            Judgement::Unknown(why) => {
                let standing = self.standing.get_mut(position?)?;
                standing.unknown = Some(why);
                tell(standing, alert, at)
            }
        }
    }
}

/// What is told of an alert that fires, if it is time for it.
fn tell(standing: &mut Standing, alert: &Alert, at: Millis) -> Option<Change> {
    standing.silenced = alert.silenced(&standing.group, at).map(str::to_owned);
    if !standing.fires || standing.silenced.is_some() {
        return None;
    }
    let turn = match (standing.told, alert.repeat) {
        (None, _) => Turn::Fires,
        (Some(told), Some(repeat)) if at.saturating_sub(told) >= millis(repeat) => Turn::Repeats,
        _ => return None,
    };
    standing.told = Some(at);
    let text = match &standing.unknown {
        Some(why) => format!("{} (not known since: {why})", standing.text),
        None => standing.text.clone(),
    };
    Some(standing.change(turn, &text))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::super::testing::{AT, Fake, MINUTE, built};
    use super::super::{Measure, Reading, Silence};
    use super::*;

    const EVERY: Millis = 5 * MINUTE;

    /// What each window's end finds: a number, or nothing.
    struct Story {
        now: RefCell<Fake>,
        groups: Vec<String>,
    }

    impl Readings for Story {
        fn read(&self, measure: &Measure, group: &str, from: Millis, to: Millis) -> Reading {
            self.now.borrow().read(measure, group, from, to)
        }

        fn since(&self) -> Millis {
            Millis::MIN
        }

        fn every(&self) -> Millis {
            EVERY
        }

        fn groups(&self, by: Option<&str>, _: Millis, _: Millis) -> Vec<String> {
            if by.is_some() { self.groups.clone() } else { vec![String::new()] }
        }
    }

    fn alert(by: &str) -> Alert {
        Alert {
            name: "bad".to_owned(),
            kind: "threshold",
            severity: Urgency::Error,
            hold: Duration::from_secs(600),
            resolve_after: Duration::from_secs(600),
            min_count: 20,
            repeat: None,
            to: None,
            description: String::new(),
            link: String::new(),
            silences: Vec::new(),
            rule: built("threshold", &format!("of = \"good\"\nmax = 0.1\n{by}")),
        }
    }

    fn high() -> Fake {
        Fake::rate(9.0, 30)
    }

    fn low() -> Fake {
        Fake::rate(0.0, 30)
    }

    /// Plays windows; the turns that were told, with the window's number.
    fn play(book: &mut Book, alert: &Alert, from: i64, windows: Vec<Fake>) -> Vec<(i64, Turn)> {
        let story = Story { now: RefCell::new(low()), groups: vec!["a".to_owned(), "b".to_owned()] };
        let mut told = Vec::new();
        for (i, window) in (from..).zip(windows) {
            story.now.replace(window);
            let notices = book.turn("s", std::slice::from_ref(alert), AT + i * EVERY, &story);
            told.extend(notices.iter().flat_map(|n| n.changes.iter().map(move |change| (i, change.turn))));
        }
        told
    }

    #[test]
    fn fires_when_it_was_so_for_long_enough_and_resolves_when_it_was_otherwise_for_as_long() {
        let mut book = Book::default();
        let windows = vec![low(), high(), high(), high(), low(), high(), low(), low(), low(), low()];
        let told = play(&mut book, &alert(""), 0, windows);
        assert_eq!(told, [(3, Turn::Fires), (8, Turn::Resolves)]);
        assert!(book.standing().is_empty());
    }

    #[test]
    fn what_passes_before_the_time_is_never_told() {
        let mut book = Book::default();
        assert_eq!(play(&mut book, &alert(""), 0, vec![high(), high(), low(), high(), high(), low()]), []);
    }

    #[test]
    fn what_could_not_be_measured_neither_fires_nor_resolves_and_is_said() {
        let mut book = Book::default();
        let windows = vec![high(), high(), high(), Fake::unmeasured(), Fake::empty(), Fake::rate(0.0, 3)];
        assert_eq!(play(&mut book, &alert(""), 0, windows), [(2, Turn::Fires)]);
        let standing = &book.standing()[0];
        assert!(
            standing.fires && standing.unknown.as_deref().is_some_and(|why| why.contains("3 sessions")),
            "{standing:?}"
        );
        let mut book = Book::default();
        let unknown: Vec<Fake> = (0..9).map(|_| Fake::unmeasured()).collect();
        assert_eq!(play(&mut book, &alert(""), 0, unknown), []);
    }

    #[test]
    fn nobody_is_told_while_it_is_silenced_and_all_are_after() {
        let (from, until) = (AT, AT + 4 * EVERY);
        let silence = Silence { from, until, reason: "moving".to_owned(), group: None };
        let alert = Alert { silences: vec![silence], ..alert("") };
        let mut book = Book::default();
        assert_eq!(play(&mut book, &alert, 0, vec![high(), high(), high(), high()]), []);
        assert_eq!(book.standing()[0].silenced.as_deref(), Some("moving"));
        assert_eq!(play(&mut book, &alert, 4, vec![high(), high()]), [(4, Turn::Fires)]);
        let mut book = Book::default();
        let over = vec![high(), high(), high(), low(), low(), low()];
        assert_eq!(play(&mut book, &alert, 0, over), [], "what nobody was told of has no end");
    }

    #[test]
    fn groups_are_told_together_and_each_has_an_incident_of_its_own() {
        let alert = Alert { hold: Duration::ZERO, ..alert("by = \"agent\"\n") };
        let story = Story { now: RefCell::new(high()), groups: vec!["a".to_owned(), "b".to_owned()] };
        let mut book = Book::default();
        let notices = book.turn("s", std::slice::from_ref(&alert), AT, &story);
        assert_eq!(notices.len(), 1);
        let [a, b] = &notices[0].changes[..] else { panic!("{notices:?}") };
        assert_eq!((a.group.as_str(), b.group.as_str()), ("a", "b"));
        assert_ne!(a.incident, b.incident);
        // The end of an incident has its name.
        story.now.replace(low());
        let ends: Vec<Notice> =
            (1..4).flat_map(|i| book.turn("s", std::slice::from_ref(&alert), AT + i * EVERY, &story)).collect();
        assert_eq!(ends[0].changes[0].incident, a.incident);
        assert_ne!(ends[0].key, notices[0].key);
    }

    #[test]
    fn it_is_told_again_as_often_as_is_said() {
        let alert = Alert { hold: Duration::ZERO, repeat: Some(Duration::from_secs(900)), ..alert("") };
        let mut book = Book::default();
        let windows: Vec<Fake> = (0..7).map(|_| high()).collect();
        let told = play(&mut book, &alert, 0, windows);
        assert_eq!(told, [(0, Turn::Fires), (3, Turn::Repeats), (6, Turn::Repeats)]);
    }

    #[test]
    fn the_same_window_twice_and_a_restart_change_nothing() {
        let alert = Alert { hold: Duration::ZERO, ..alert("") };
        let mut book = Book::default();
        assert_eq!(play(&mut book, &alert, 0, vec![high()]), [(0, Turn::Fires)]);
        assert_eq!(play(&mut book, &alert, 0, vec![high()]), []);
        let text = serde_json::to_string(&book).unwrap();
        let mut again: Book = serde_json::from_str(&text).unwrap();
        assert_eq!(again, book);
        assert_eq!(play(&mut again, &alert, 1, vec![high()]), []);
    }

    #[test]
    fn an_alert_that_is_gone_stands_no_longer() {
        let alert = Alert { hold: Duration::ZERO, ..alert("") };
        let mut book = Book::default();
        play(&mut book, &alert, 0, vec![high()]);
        let story = Story { now: RefCell::new(high()), groups: Vec::new() };
        assert!(book.turn("s", &[], AT + EVERY, &story).is_empty());
        assert!(book.standing().is_empty());
    }

    #[test]
    fn groups_that_come_and_go_do_not_add_up_and_what_was_told_of_them_is_over_in_a_day() {
        struct Passing;
        impl Readings for Passing {
            fn read(&self, _: &Measure, group: &str, from: Millis, to: Millis) -> Reading {
                match group.parse::<i64>() {
                    Ok(n) if from < AT + n * EVERY && AT + n * EVERY <= to => Reading::Measured(super::super::Number {
                        value: 0.9,
                        n: 30,
                        counts: Some((27.0, 30.0)),
                        se: None,
                    }),
                    _ => Reading::Nothing,
                }
            }

            fn since(&self) -> Millis {
                Millis::MIN
            }

            fn every(&self) -> Millis {
                EVERY
            }

            fn groups(&self, _: Option<&str>, from: Millis, to: Millis) -> Vec<String> {
                let ends = (from - AT).div_euclid(EVERY) + 1..=(to - AT).div_euclid(EVERY);
                ends.map(|n| n.to_string()).collect()
            }
        }
        let alert = Alert { hold: Duration::ZERO, ..alert("by = \"agent\"") };
        let mut book = Book::default();
        let (mut fires, mut resolves) = (0, 0);
        for n in 0..1_000 {
            for notice in book.turn("s", std::slice::from_ref(&alert), AT + n * EVERY, &Passing) {
                fires += notice.changes.iter().filter(|c| c.turn == Turn::Fires).count();
                resolves += notice.changes.iter().filter(|c| c.turn == Turn::Resolves).count();
            }
        }
        assert_eq!(fires, 1_000);
        let left = book.standing().len();
        assert!(left <= 290 && resolves == fires - left, "{left} {resolves}");
    }
}
