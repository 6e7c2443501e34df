//! What a rule asks of the windows of a watch, and what they answer.

use super::kind::Setup;
use crate::checks::nearest::nearest;
use crate::checks::system::columns::{self, Shape};
use crate::ledger::Millis;

/// What is measured, as a suite names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure {
    /// A metric, such as `ttft_ms` or `detection_rate`.
    pub metric: String,
    /// The check that it is of, for `detection_rate`.
    pub of: Option<String>,
    /// What of its values: `mean`, `p95`, `sum`; none for a ratio, which is a number already.
    pub stat: Option<String>,
    /// What the windows are divided by: each group has an alert of its own. None takes a window as a whole.
    pub by: Option<String>,
}

/// A number that windows came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// The number; a rate as a share.
    pub value: f64,
    /// Sessions behind it that were evaluated.
    pub n: u64,
    /// Of a rate: how many events there were, of how many, as many as the sample is worth (Kish).
    pub counts: Option<(f64, f64)>,
    /// The standard error of a mean or sum.
    pub se: Option<f64>,
}

/// What windows answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A number.
    Measured(Number),
    /// There was no session.
    Nothing,
    /// There were sessions, and none told it; why.
    Unmeasured(String),
}

impl Reading {
    /// The number, where at least `least` sessions are behind it; else why there is none.
    ///
    /// # Errors
    /// Why nobody can say.
    pub fn of_at_least(&self, least: u64) -> Result<Number, String> {
        match self {
            Self::Measured(number) if number.n >= least => Ok(*number),
            Self::Measured(number) => Err(format!("{} sessions, and at least {least} are asked for", number.n)),
            Self::Nothing => Err("no session".to_owned()),
            Self::Unmeasured(why) => Err(why.clone()),
        }
    }
}

/// The windows of one suite, as rules see them.
pub trait Readings {
    /// What a measure came to in a group (empty: all sessions), in the windows that begin at or after `from` and before
    /// `to`.
    fn read(&self, measure: &Measure, group: &str, from: Millis, to: Millis) -> Reading;

    /// Since when sessions are known at all: what was before nobody can say, not even that it was nothing.
    fn since(&self) -> Millis;

    /// Which share of what may be looked at, or spent on judges, is gone; `None` where nobody knows.
    fn budget_gone(&self) -> Option<f64> {
        None
    }

    /// The length of a window, in milliseconds.
    fn every(&self) -> Millis;

    /// The groups that have a session in the windows that begin at or after `from` and before `to`, sorted; one that is
    /// empty without `by`.
    fn groups(&self, by: Option<&str>, from: Millis, to: Millis) -> Vec<String>;
}

/// What an alert is about as it is written, the same for all kinds.
#[derive(Debug, Default)]
pub struct About {
    /// `metric`.
    pub metric: Option<String>,
    /// `of`.
    pub of: Option<String>,
    /// `stat`.
    pub stat: Option<String>,
    /// `by`.
    pub by: Option<String>,
}

/// Stats that windows keep of values.
pub const STATS: [&str; 5] = ["mean", "sum", "p50", "p95", "p99"];

impl About {
    /// The measure; what is wrong with it is reported. A rule that needs counts asks for `rate`.
    pub fn measure(self, rate: bool, setup: &mut Setup<'_>) -> Option<Measure> {
        let Self { metric, of, stat, by } = self;
        let before = setup.problems.len();
        let metric = match (metric, &of) {
            (Some(metric), _) => metric,
            (None, Some(_)) => "detection_rate".to_owned(),
            (None, None) => {
                let help = "`of = \"ID\"` of a check for how often it fails, or `metric = \"ttft_ms\"`".to_owned();
                setup.problem(&[], "an alert is about something: `of` or `metric` is missing", help);
                return None;
            }
        };
        let shape = match columns::shape(&metric) {
            Ok(shape) => shape,
            Err((message, help)) => {
                setup.problem(&["metric"], message, help);
                return None;
            }
        };
        match &of {
            Some(of) if metric == "detection_rate" && setup.checks.contains(of) => {}
            Some(of) if metric == "detection_rate" => {
                let near = nearest(of, setup.checks.iter().map(String::as_str));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let help = help.or_else(|| Some("`of` is the id of a span, turn or session check".to_owned()));
                setup.problem(&["of"], format!("no check of this suite that is watched is called `{of}`"), help);
            }
            Some(_) => {
                let help = "`of` goes with `metric = \"detection_rate\"`, or without `metric`".to_owned();
                setup.problem(&["of"], format!("`{metric}` is not of a check"), help);
            }
            None if metric == "detection_rate" => {
                setup.problem(&["metric"], "`detection_rate` is of a check", "add `of = \"ID\"`".to_owned());
            }
            None => {}
        }
        match (&stat, shape) {
            (Some(_), Shape::Ratio) => {
                setup.problem(&["stat"], format!("`{metric}` is a ratio of sums: it takes no `stat`"), None);
            }
            (None, Shape::Turn | Shape::Session) if !rate => {
                let help = format!("`stat` is one of {}", STATS.join(", "));
                setup.problem(
                    &["metric"],
                    format!("`{metric}` has a value per session or turn: say which `stat`"),
                    help,
                );
            }
            (Some(stat), _) if !STATS.contains(&stat.as_str()) => {
                setup.problem(&["stat"], format!("unknown stat `{stat}`"), format!("one of {}", STATS.join(", ")));
            }
            _ => {}
        }
        if rate && shape != Shape::Ratio {
            let help = "`of = \"ID\"` of a check, `tool_error_rate`, `escalation_rate` or `first_contact_resolution`";
            setup.problem(&["metric"], format!("`{metric}` is not a rate"), help.to_owned());
        }
        if let Some(by) = &by
            && let Err((message, help)) = columns::group(by)
        {
            setup.problem(&["by"], message, help);
        }
        (setup.problems.len() == before).then_some(Measure { metric, of, stat, by })
    }
}

impl std::fmt::Display for Measure {
    /// In words: `p95 of ttft_ms`, `how often good fails`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.of, &self.stat) {
            (Some(of), _) => write!(f, "how often `{of}` fails"),
            (None, Some(stat)) => write!(f, "{stat} of {}", self.metric),
            (None, None) => f.write_str(&self.metric),
        }
    }
}
