//! `[watch.sample]`: which sessions are looked at, how many, and what that may cost.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Fault;
use super::filters::Filter;
use crate::checks::select::{Glob, Selector};
use crate::model::Level;

/// Which sessions are looked at.
///
/// A session is drawn by its id: every watch draws the same ones, and a larger share holds a smaller one. What is kept is
/// looked at whatever its share. The chance of each is written down, and every rate is weighted by it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleTable {
    /// The share of sessions that are looked at, from 0.0 to 1.0; 1.0 unless given.
    pub rate: Option<f64>,
    /// How many sessions of each stratum are looked at in a window at least, if there are so many; 0 unless given.
    pub floor: Option<u64>,
    /// How many sessions may be looked at within an hour.
    pub max_sessions_per_hour: Option<u64>,
    /// How many sessions may be looked at within a day.
    pub max_sessions_per_day: Option<u64>,
    /// How many US dollars models may cost within an hour.
    pub max_usd_per_hour: Option<f64>,
    /// How many US dollars models may cost within a day.
    pub max_usd_per_day: Option<f64>,
    /// Sessions that are looked at whatever their share.
    pub keep: Option<KeepTable>,
    /// Sessions with a share of their own. Of several that a session is in, the first counts.
    pub stratum: Option<Vec<StratumTable>>,
}

/// `keep` as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepTable {
    /// Those in which an operation ended in an error.
    #[serde(default)]
    pub errors: bool,
    /// Those that took longer than so many milliseconds.
    pub slow_ms: Option<f64>,
    /// Those that cost more than so many US dollars. One whose cost is not known is not kept by this.
    pub expensive_usd: Option<f64>,
    /// Those in which a guardrail or policy denied something: a guardrail that ended in an error, or an attribute that
    /// ends in `policy.decision` or `guardrail.action` and says so.
    #[serde(default)]
    pub denied: bool,
    /// Those with one of these tags, or one of these attributes with any value but false.
    pub flagged: Option<Vec<String>>,
}

/// `[[watch.sample.stratum]]` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StratumTable {
    /// Its name, in metrics and reports.
    pub name: String,
    /// The share of its sessions that are looked at, from 0.0 to 1.0.
    pub rate: f64,
    /// How many of its sessions are looked at in a window at least; that of `[watch.sample]` unless given.
    pub floor: Option<u64>,
    /// Which sessions, as `on` of a check has it: `agent`, `user`, `model`, `tags`, `attributes`, operations.
    #[schemars(skip)]
    pub on: Option<Selector>,
    /// The version of the agent, a glob.
    pub version: Option<Glob>,
    /// The sequence of tools, a glob: `"search > book*"`.
    pub flow: Option<Glob>,
    /// Filters over attributes of the session, all of which must hold.
    pub filters: Option<Vec<Filter>>,
}

/// Which sessions are looked at, resolved.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The share of what is in no stratum.
    pub rate: f64,
    /// The floor of what is in no stratum.
    pub floor: u64,
    /// In order: the first that a session is in counts.
    pub strata: Vec<Stratum>,
    /// What is kept whatever its share.
    pub keep: Keep,
    /// How many sessions may be looked at.
    pub sessions: Budget,
    /// What models may cost, in US dollars.
    pub usd: Budget,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            rate: 1.0,
            floor: 0,
            strata: Vec::new(),
            keep: Keep::default(),
            sessions: Budget::default(),
            usd: Budget::default(),
        }
    }
}

/// A limit within an hour and within a day; `None` is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Within the hour.
    pub per_hour: Option<f64>,
    /// Within the day.
    pub per_day: Option<f64>,
}

/// What is looked at whatever its share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keep {
    /// An operation ended in an error.
    pub errors: bool,
    /// It took longer, in milliseconds.
    pub slow_ms: Option<f64>,
    /// It cost more, in US dollars.
    pub expensive_usd: Option<f64>,
    /// A guardrail or policy denied something.
    pub denied: bool,
    /// Tags, and attributes of any value but false.
    pub flagged: Vec<String>,
}

/// Sessions with a share of their own.
#[derive(Debug, Clone)]
pub struct Stratum {
    /// Its name.
    pub name: String,
    /// The share.
    pub rate: f64,
    /// How many in a window at least.
    pub floor: u64,
    /// Which.
    pub on: Selector,
    /// The version of the agent.
    pub version: Option<Glob>,
    /// The sequence of tools.
    pub flow: Option<Glob>,
    /// Over attributes.
    pub filters: Vec<Filter>,
}

/// The name of the stratum of sessions that are in no other.
pub const REST: &str = "(rest)";

/// The most strata.
const MOST: usize = 100;

impl SampleTable {
    /// What it says; what is wrong with it is added to the problems, at paths within the table.
    pub(crate) fn resolve(self, problems: &mut Vec<Fault>) -> Sample {
        let mut fault = |path: &[&str], message: String, help: Option<&str>| {
            let path = path.iter().map(|s| (*s).to_owned()).collect();
            problems.push((path, message, help.map(str::to_owned)));
        };
        const SHARE: &str = "a share: 0.1 is one of ten";
        let is_share = |rate: f64| (0.0..=1.0).contains(&rate);
        let rate = self.rate.unwrap_or(1.0);
        if !is_share(rate) {
            fault(&["rate"], "`rate` is from 0.0 to 1.0".to_owned(), Some(SHARE));
        }
        let above = |value: Option<f64>| value.is_some_and(|v| !(v > 0.0 && v.is_finite()));
        for (key, value) in [("max_usd_per_hour", self.max_usd_per_hour), ("max_usd_per_day", self.max_usd_per_day)] {
            if above(value) {
                let help = "to ask no model, leave the checks that do out: `runs_in = [\"gate\"]`";
                fault(&[key], format!("`{key}` is a number above 0"), Some(help));
            }
        }
        for (key, value) in
            [("max_sessions_per_hour", self.max_sessions_per_hour), ("max_sessions_per_day", self.max_sessions_per_day)]
        {
            if value == Some(0) {
                fault(&[key], format!("`{key}` is at least 1: nothing would be looked at"), None);
            }
        }
        let keep = self.keep.unwrap_or_default();
        for (key, value) in [("slow_ms", keep.slow_ms), ("expensive_usd", keep.expensive_usd)] {
            if value.is_some_and(|v| !(v >= 0.0 && v.is_finite())) {
                fault(&["keep", key], format!("`{key}` is a number from 0"), None);
            }
        }
        let floor = self.floor.unwrap_or(0);
        let tables = self.stratum.unwrap_or_default();
        if tables.len() > MOST {
            fault(&["stratum"], format!("at most {MOST} strata"), Some("gather some of them by a glob"));
        }
        let mut strata: Vec<Stratum> = Vec::new();
        for (i, table) in tables.into_iter().enumerate() {
            let i = i.to_string();
            let at = |key: &'static str| ["stratum", i.as_str(), key];
            if table.name.trim().is_empty() || table.name.starts_with('(') {
                fault(&at("name"), "a stratum has a name that begins with no bracket".to_owned(), None);
            } else if strata.iter().any(|s| s.name == table.name) {
                fault(&at("name"), format!("there is already a stratum `{}`", table.name), None);
            }
            if !is_share(table.rate) {
                fault(&at("rate"), "`rate` is from 0.0 to 1.0".to_owned(), Some(SHARE));
            }
            let on = table.on.unwrap_or_default();
            for problem in on.problems(Level::Session) {
                let key = problem.key;
                fault(&["stratum", &i, "on", key], problem.message, Some(&problem.help));
            }
            if on.case.is_some() {
                let help = "sessions of production belong to no case; `attributes` tell them apart";
                fault(&["stratum", &i, "on", "case"], "there are no cases here".to_owned(), Some(help));
            }
            let filters = table.filters.unwrap_or_default();
            for (n, filter) in filters.iter().enumerate() {
                if let Some((key, message)) = filter.fault() {
                    fault(&["stratum", &i, "filters", &n.to_string(), key], message, None);
                }
            }
            if on.is_empty() && table.version.is_none() && table.flow.is_none() && filters.is_empty() {
                let help = "add `on`, `version`, `flow` or `filters`; `rate` of [watch.sample] is for all others";
                fault(&["stratum", &i], "a stratum says which sessions are in it".to_owned(), Some(help));
            }
            let (version, flow, floor) = (table.version, table.flow, table.floor.unwrap_or(floor));
            strata.push(Stratum { name: table.name, rate: table.rate, floor, on, version, flow, filters });
        }
        let KeepTable { errors, slow_ms, expensive_usd, denied, flagged } = keep;
        let whole = |n: Option<u64>| n.map(|n| n as f64);
        Sample {
            rate,
            floor,
            strata,
            keep: Keep { errors, slow_ms, expensive_usd, denied, flagged: flagged.unwrap_or_default() },
            sessions: Budget { per_hour: whole(self.max_sessions_per_hour), per_day: whole(self.max_sessions_per_day) },
            usd: Budget { per_hour: self.max_usd_per_hour, per_day: self.max_usd_per_day },
        }
    }
}
