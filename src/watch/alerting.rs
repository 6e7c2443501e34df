//! Alerts over the windows: as windows are settled, every alert of their suite is judged, and what is to be told is put
//! into the outbox of the store before the state of alerts is kept. So a process that is killed in between tells it
//! again, under the same key, which is once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::window::{Fold, Name, Windows};
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
    pub fn turn(&mut self, plan: &Plan, windows: &Windows, settled: &[Name]) -> Vec<Notice> {
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
            for at in ends {
                notices.extend(self.book.turn(name, &watch.alerts, at, &View { windows, suite: name, every }));
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
}

impl Readings for View<'_> {
    fn read(&self, measure: &Measure, group: &str, from: Millis, to: Millis) -> Reading {
        let mut all = Fold::default();
        for window in self.windows.between(self.suite, from, to).map(|(_, window)| window) {
            let fold = match measure.by.as_deref().filter(|_| !group.is_empty()) {
                Some(by) => window.groups.get(by).and_then(|groups| groups.get(group)),
                None => Some(&window.total),
            };
            if let Some(fold) = fold {
                all.merge(fold);
            }
        }
        reading(measure, &all)
    }

    fn every(&self) -> Millis {
        self.every
    }

    fn groups(&self, by: Option<&str>, from: Millis, to: Millis) -> Vec<String> {
        let Some(by) = by else { return vec![String::new()] };
        let groups = self.windows.between(self.suite, from, to).filter_map(|(_, window)| window.groups.get(by));
        let mut names: Vec<String> = groups.flat_map(|groups| groups.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What a measure came to.
fn reading(measure: &Measure, fold: &Fold) -> Reading {
    if fold.sessions == 0 {
        return Reading::Nothing;
    }
    let unmeasured = || Reading::Unmeasured(format!("none of {} sessions tells {measure}", fold.sessions));
    let number = |value, n, counts, se| Reading::Measured(Number { value, n, counts, se });
    if let Some(of) = &measure.of {
        let Some(check) = fold.checks.get(of) else { return unmeasured() };
        let Some((fails, worth)) = check.fails() else { return unmeasured() };
        return number(fails / worth, check.pass + check.fail, Some((fails, worth)), None);
    }
    let Some(metric) = fold.metrics.get(&measure.metric) else { return unmeasured() };
    match measure.stat.as_deref() {
        None => match (metric.mean(), metric.counts()) {
            (Some(value), counts) => number(value, metric.n, counts, metric.se()),
            _ => unmeasured(),
        },
        Some("mean") => metric.mean().map_or_else(unmeasured, |value| number(value, metric.n, None, metric.se())),
        Some("sum") => {
            let se = metric.total_se();
            if metric.n == 0 { unmeasured() } else { number(metric.total(), metric.n, None, Some(se)) }
        }
        Some(stat) => {
            let at = super::window::QUANTILES.iter().position(|(name, _)| *name == stat);
            match at.zip(metric.quantiles()) {
                Some((at, quantiles)) => number(quantiles[at], metric.n, None, None),
                None => Reading::Unmeasured(format!("{stat} is known of single windows only")),
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
        View { windows: &windows, suite: "s", every }.read(measure, group, 0, every)
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
        // The textbook error of a mean, but for n - 1.
        assert!((mean.se.unwrap() - (133.25f64 / 40.0).sqrt()).abs() < 1e-6, "{mean:?}");
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
