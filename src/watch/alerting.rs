//! Alerts over the windows: as windows are settled, every alert of their suite is judged, and what is to be told is put
//! into the outbox of the store before the state of alerts is kept. So a process that is killed in between tells it
//! again, under the same key, which is once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::window::{self, Check, Name, Part, Windows};
use crate::alerts::{Book, Measure, Notice, Number, Reading, Readings};
use crate::ledger::Millis;

/// The state of the alerts of all suites, and where it is kept.
#[derive(Debug, Default)]
pub struct Alerting {
    /// The state.
    pub book: Book,
    file: Option<PathBuf>,
}

impl Alerting {
    /// With the state that earlier processes kept in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let file = dir.join("alerts.json");
        let book = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Book::default(),
            Err(why) => return Err(why),
        };
        Ok(Self { book, file: Some(file) })
    }

    /// Judges the alerts of the suites of which windows were settled, window after window; what is to be told.
    /// `gone` says which share of its budgets a suite has spent.
    pub fn turn(
        &mut self,
        plan: &Plan,
        windows: &Windows,
        settled: &[Name],
        gone: &dyn Fn(&str) -> Option<f64>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for watching in &plan.suites {
            let (name, watch) = (watching.suite.name.as_str(), &watching.suite.watch);
            let every = windows.shape(name).every;
            let mut ends: Vec<Millis> = settled
                .iter()
                .filter(|(suite, _)| suite == name)
                .map(|(_, start)| start.saturating_add(every))
                .collect();
            ends.sort_unstable();
            let view = View { windows, suite: name, every, gone: gone(name) };
            for at in ends {
                notices.extend(self.book.turn(name, &watch.alerts, at, &view));
            }
        }
        notices
    }

    /// Keeps the state for whoever comes next.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let bytes = serde_json::to_vec(&self.book).map_err(io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(&bytes)?;
        file.persist(path).map(drop).map_err(|why| why.error)
    }
}

/// The settled windows of one suite, as rules see them.
struct View<'w> {
    windows: &'w Windows,
    suite: &'w str,
    every: Millis,
    gone: Option<f64>,
}

impl Readings for View<'_> {
    fn read(&self, measure: &Measure, group: &str, from: Millis, to: Millis) -> Reading {
        let mut all = Sum::default();
        for (_, window) in self.windows.between(self.suite, from, to) {
            if let Some((sessions, part)) = window.read(measure, group) {
                all.add(sessions, part);
            }
        }
        all.reading(measure)
    }

    fn since(&self) -> Millis {
        self.windows.since(self.suite).unwrap_or(Millis::MAX)
    }

    fn budget_gone(&self) -> Option<f64> {
        self.gone
    }

    fn every(&self) -> Millis {
        self.every
    }

    fn groups(&self, by: Option<&str>, from: Millis, to: Millis) -> Vec<String> {
        let Some(by) = by else { return vec![String::new()] };
        let windows = self.windows.between(self.suite, from, to);
        let mut names: Vec<String> = windows.flat_map(|(_, window)| window.names(by)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What one measure came to over windows.
#[derive(Default)]
struct Sum {
    sessions: u64,
    check: Option<Check>,
    metric: Option<window::Measure>,
}

impl Sum {
    fn add(&mut self, sessions: u64, part: Part<'_>) {
        self.sessions += sessions;
        match part {
            Part::Check(check) => self.check.get_or_insert_default().merge(check),
            Part::Metric(metric) => self.metric.get_or_insert_default().merge(metric),
            Part::Untold => {}
        }
    }

    /// As rules see it.
    fn reading(&self, measure: &Measure) -> Reading {
        if self.sessions == 0 {
            return Reading::Nothing;
        }
        let unmeasured = || Reading::Unmeasured(format!("none of {} sessions tells {measure}", self.sessions));
        let number = |value, n, counts, se| Reading::Measured(Number { value, n, counts, se });
        if measure.of.is_some() {
            let Some(check) = &self.check else { return unmeasured() };
            let Some((fails, worth)) = check.fails() else { return unmeasured() };
            return number(fails / worth, check.pass + check.fail, Some((fails, worth)), None);
        }
        let Some(metric) = &self.metric else { return unmeasured() };
        match measure.stat.as_deref() {
            None => match (metric.mean(), metric.counts()) {
                (Some(value), counts) => number(value, metric.n, counts, metric.se()),
                _ => unmeasured(),
            },
            Some("mean") => metric.mean().map_or_else(unmeasured, |value| number(value, metric.n, None, metric.se())),
            Some("sum") => metric.total().map_or_else(unmeasured, |sum| number(sum, metric.n, None, metric.total_se())),
            Some(stat) => {
                let at = window::QUANTILES.iter().position(|(name, _)| *name == stat);
                match at.zip(metric.quantiles()) {
                    Some((at, quantiles)) => number(quantiles[at], metric.n, None, None),
                    None => Reading::Unmeasured(format!("{stat} of values that lie too far apart is not known")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{Body, Said};
    use super::*;
    use crate::model::Status;

    fn body(status: Status, ms: f64) -> Body {
        let said = Said { status, score: None, reason: String::new(), place: None };
        Body {
            groups: [("agent".to_owned(), vec!["a".to_owned()])].into(),
            checks: [("good".to_owned(), said)].into(),
            values: [("turn_ms".to_owned(), vec![ms]), ("tool_error_rate".to_owned(), vec![1.0, 4.0])].into(),
            ..Body::default()
        }
    }

    fn measure(metric: &str, of: Option<&str>, stat: Option<&str>) -> Measure {
        let text = |text: &str| text.to_owned();
        Measure { metric: text(metric), of: of.map(text), stat: stat.map(text), by: Some(text("agent")) }
    }

    fn read(measure: &Measure, group: &str, sessions: &[(f64, Body)]) -> Reading {
        let mut windows = Windows::default();
        sessions.iter().for_each(|(inclusion, body)| windows.add("s", 0, *inclusion, None, body));
        let (every, lag) = (windows.shape("s").every, windows.shape("s").lag);
        windows.advance(every + lag);
        View { windows: &windows, suite: "s", every, gone: None }.read(measure, group, 0, every)
    }

    #[test]
    fn windows_answer_rates_means_and_quantiles_of_groups() {
        let sessions: Vec<_> =
            (0..40).map(|i| (0.5, body(if i % 4 == 0 { Status::Fail } else { Status::Pass }, f64::from(i)))).collect();
        let Reading::Measured(rate) = read(&measure("detection_rate", Some("good"), None), "a", &sessions) else {
            panic!("a rate")
        };
        assert_eq!((rate.value, rate.n, rate.counts), (0.25, 40, Some((10.0, 40.0))));
        let Reading::Measured(mean) = read(&measure("turn_ms", None, Some("mean")), "a", &sessions) else {
            panic!("a mean")
        };
        assert!((mean.value - 19.5).abs() < 1e-9);
        // The textbook error of a mean.
        assert!((mean.se.unwrap() - (133.25f64 / 39.0).sqrt()).abs() < 1e-6, "{mean:?}");
        let Reading::Measured(ratio) = read(&measure("tool_error_rate", None, None), "a", &sessions) else {
            panic!("a ratio")
        };
        assert_eq!((ratio.value, ratio.counts.map(|c| c.1)), (0.25, Some(40.0)), "sessions that all have one ratio");
        assert!(matches!(read(&measure("turn_ms", None, Some("p95")), "a", &sessions), Reading::Measured(_)));
    }

    #[test]
    fn no_session_is_nothing_and_none_that_tells_is_not_zero() {
        let one = [(1.0, body(Status::Error, 1.0))];
        assert_eq!(read(&measure("turn_ms", None, Some("mean")), "b", &one), Reading::Nothing);
        assert!(matches!(read(&measure("detection_rate", Some("good"), None), "a", &one), Reading::Unmeasured(_)));
        assert!(matches!(read(&measure("csat", None, Some("mean")), "a", &one), Reading::Unmeasured(_)));
    }

    #[test]
    fn what_was_kept_is_taken_up() {
        let dir = tempfile::tempdir().unwrap();
        let alerting = Alerting::open(dir.path()).unwrap();
        alerting.keep().unwrap();
        assert_eq!(Alerting::open(dir.path()).unwrap().book, alerting.book);
        fs::write(dir.path().join("alerts.json"), "{").unwrap();
        assert!(Alerting::open(dir.path()).is_err(), "what is damaged is not taken for nothing");
    }
}
