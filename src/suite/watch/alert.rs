//! `[[alert]]`: the keys that every alert has; those of each kind are read by the kind.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::{Budget, Watch};
use crate::alerts::kind::{Kind, named, words};
use crate::alerts::{Alert, KINDS, Rule, Setup, Silence, Urgency, reach};
use crate::model::duration;
use crate::suite::load::bad_id;
use crate::suite::nearest::nearest;
use crate::suite::own::keys_of_schema;
use crate::suite::problems::choice;
use crate::suite::raw::{Missing, Pos, collect_rest, key_pos, read_rest, span_at};
use crate::suite::resolve::{Layer, Resolver};

/// The keys that every alert has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertTable {
    /// Its name; unique in the suite.
    pub name: String,
    /// What it is about: `seatrial explain watch`.
    pub kind: String,
    /// How urgent it is: `critical`, `error`, `warning` or `info`; `warning` unless given.
    pub severity: Option<Urgency>,
    /// How long it has to be so before anybody is told, such as `"10m"`; at once unless given.
    #[serde(rename = "for")]
    pub hold: Option<String>,
    /// How long it has to be otherwise before it is over; as long as `for` unless given.
    pub resolve_after: Option<String>,
    /// How many sessions have to be behind a number for it to count; 20 unless given.
    pub min_count: Option<u64>,
    /// How often it is told again while it lasts, such as `"4h"`; never unless given.
    pub repeat: Option<String>,
    /// Who is told: names of `[notify.NAME]` in seatrial.toml; all of them unless given.
    pub to: Option<Vec<String>>,
    /// What to know of it: where to look, what to do.
    #[serde(default)]
    pub description: String,
    /// Where to read more.
    #[serde(default)]
    pub link: String,
    /// When nobody is told.
    pub silence: Option<Vec<SilenceTable>>,
}

/// A time in which nobody is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceTable {
    /// From when on, RFC 3339.
    pub from: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Of which group; of all unless given.
    pub group: Option<String>,
}

/// The names of the keys that every alert has.
pub fn common_keys() -> Vec<String> {
    keys_of_schema(&AlertTable::json_schema(&mut SchemaGenerator::default()))
}

/// `min_count` unless it is given.
pub const LEAST: u64 = 20;

impl AlertTable {
    /// What it says, without its rule; what is wrong with it is added to the problems.
    fn resolve(self, kind: &'static str, rule: Arc<dyn Rule>, problems: &mut Vec<super::Fault>) -> Alert {
        let mut fault = |path: &[&str], message: String, help: Option<String>| {
            problems.push((path.iter().map(|s| (*s).to_owned()).collect(), message, help));
        };
        if let Some(why) = bad_id(&self.name) {
            fault(&["name"], format!("the name cannot be used: {why}"), None);
        }
        let mut time = |key: &str, text: &Option<String>| match text.as_deref().map(duration::parse) {
            None => None,
            Some(Ok(time)) => Some(time),
            Some(Err(message)) => {
                fault(&[key], message, Some("write it as `\"10m\"` or `\"4h\"`".to_owned()));
                None
            }
        };
        let hold = time("for", &self.hold).unwrap_or_default();
        let resolve_after = time("resolve_after", &self.resolve_after).unwrap_or(hold);
        let repeat = time("repeat", &self.repeat);
        if repeat.is_some_and(|repeat| repeat < Duration::from_secs(60)) {
            fault(&["repeat"], "`repeat` is at least a minute".to_owned(), None);
        }
        if self.min_count == Some(0) {
            fault(&["min_count"], "`min_count` is at least 1".to_owned(), None);
        }
        if self.to.as_ref().is_some_and(Vec::is_empty) {
            fault(&["to"], "`to` is empty: nobody would be told".to_owned(), Some("leave it out for all".to_owned()));
        }
        let mut silences = Vec::new();
        for (i, table) in self.silence.into_iter().flatten().enumerate() {
            let i = i.to_string();
            let mut moment = |key: &str, text: &str| match text.parse::<Timestamp>() {
                Ok(at) => Some(at.as_millisecond()),
                Err(_) => {
                    let help = Some("such as `\"2026-11-27T12:00:00Z\"`".to_owned());
                    fault(&["silence", &i, key], format!("`{text}` is no moment"), help);
                    None
                }
            };
            let Some((from, until)) = moment("from", &table.from).zip(moment("until", &table.until)) else { continue };
            if from >= until {
                fault(&["silence", &i, "until"], "it ends before it begins".to_owned(), None);
            }
            if table.reason.trim().is_empty() {
                fault(&["silence", &i, "reason"], "a silence has a reason".to_owned(), None);
            }
            silences.push(Silence { from, until, reason: table.reason, group: table.group });
        }
        Alert {
            name: self.name,
            kind,
            severity: self.severity.unwrap_or_default(),
            hold,
            resolve_after,
            min_count: self.min_count.unwrap_or(LEAST),
            repeat,
            to: self.to,
            description: self.description,
            link: self.link,
            silences,
            rule,
        }
    }
}

impl Resolver<'_, '_, '_> {
    /// The alerts of the suite's file.
    pub(super) fn alerts(&mut self, own: &Layer<'_>, watch: &Watch, checks: &[String]) -> Vec<Alert> {
        let Some(DeValue::Array(items)) = own.table.get("alert").map(|v| v.get_ref()) else { return Vec::new() };
        let mut alerts: Vec<Alert> = Vec::new();
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else { continue };
            let Some(alert) = self.alert_of(table, &item.span(), watch, checks) else { continue };
            if alerts.iter().any(|other| other.name == alert.name) {
                let at = span_at(table, &item.span(), &["name".to_owned()]);
                self.sink.error(&at, format!("there is already an alert called `{}`", alert.name), None);
            }
            alerts.push(alert);
            let cells = reach::cells(&alerts, watch.every, watch.max_groups);
            if cells > reach::MOST_CELLS {
                let message = format!(
                    "with this alert {cells} numbers of the past would be kept in memory, and at most {} are",
                    reach::MOST_CELLS
                );
                let help =
                    "longer windows (`every` of [watch]), fewer groups (`max_groups`), no `by`, or a shorter time";
                self.sink.error(&item.span(), message, Some(help.to_owned()));
                alerts.pop();
            }
        }
        alerts
    }

    fn alert_of(&mut self, table: &DeTable<'_>, whole: &Pos, watch: &Watch, checks: &[String]) -> Option<Alert> {
        let written = table.get("kind").and_then(|kind| kind.get_ref().as_str());
        let kind = written.and_then(named);
        if let (Some(text), None) = (written, kind) {
            let help = choice(text, KINDS.iter().map(|k| k.name));
            self.sink.error(&span_at(table, whole, &["kind".to_owned()]), format!("unknown kind `{text}`"), help);
        }
        let (common, rest) = self.split_alert(table, kind);
        let read = read_rest::<AlertTable>(&common, whole, Missing::Reported, self.sink);
        let kind = kind?;
        let budgeted = [watch.sample.sessions, watch.sample.usd].iter().any(|budget| *budget != Budget::default());
        let zone = watch.timezone.clone();
        let mut setup = Setup { every: watch.every, checks, zone, budgeted, problems: Vec::new() };
        let made = collect_rest(&rest, whole, Missing::Reported, self.sink, |part| {
            // Each attempt begins anew: only what the last one has to say counts.
            setup.problems.clear();
            (kind.from_toml)(part, &mut setup)
        });
        let mut by_others = Vec::new();
        for problem in setup.problems {
            by_others.push((problem.path, problem.message, problem.help));
        }
        let rule = made.and_then(|(rule, dropped)| rule.filter(|_| dropped.is_empty()));
        if let Some(rule) = &rule {
            let by = rule.measure().by.as_deref();
            if let Some(by) = by.filter(|by| !watch.by.iter().any(|known| known == by)) {
                let key = if rule.whole() { "kind" } else { "by" };
                let message = format!("windows are not divided by `{by}`: there is nothing to look at");
                by_others.push((vec![key.to_owned()], message, Some(format!("add \"{by}\" to `by` of [watch]"))));
            }
        }
        if let Some(rule) = rule.as_ref().filter(|rule| rule.back(watch.every) > reach::FURTHEST) {
            let message =
                format!("it looks back {}, and sessions are known for 30 days", words(rule.back(watch.every)));
            by_others.push((vec!["kind".to_owned()], message, Some("ask for a shorter time".to_owned())));
        }
        if let Some((known, to)) = self.env.kit.channels.as_ref().zip(read.as_ref().and_then(|read| read.to.as_ref())) {
            for (i, name) in to.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
                let help = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => {
                        format!("add [notify.{name}] to seatrial.toml: `seatrial explain watch`")
                    }
                    None => format!("there are {}", known.join(", ")),
                };
                let message = format!("nobody is called `{name}` in [notify] of seatrial.toml: it would never be told");
                by_others.push((vec!["to".to_owned(), i.to_string()], message, Some(help)));
            }
        }
        let alert = read.zip(rule).map(|(read, rule)| read.resolve(kind.name, rule, &mut by_others));
        for (path, message, help) in by_others {
            let at = match path.first() {
                Some(key) if !table.contains_key(key.as_str()) => key_pos(table, key, whole),
                _ => span_at(table, whole, &path),
            };
            self.sink.error(&at, message, help);
        }
        alert
    }

    /// The keys that every alert has, and those of its kind; others are reported.
    fn split_alert<'t>(&mut self, table: &DeTable<'t>, kind: Option<&'static Kind>) -> (DeTable<'t>, DeTable<'t>) {
        let common = common_keys();
        let own = |kind: &Kind| keys_of_schema(&(kind.schema)(&mut SchemaGenerator::default()));
        let keys = kind.map(own);
        let (mut every, mut rest) = (DeTable::new(), DeTable::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if common.iter().any(|k| k == name) {
                every.insert(key.clone(), value.clone());
                continue;
            }
            // Without a kind nobody can say whether the key is right.
            let Some((keys, kind)) = keys.as_ref().zip(kind) else { continue };
            if keys.iter().any(|k| k == name) {
                rest.insert(key.clone(), value.clone());
                continue;
            }
            let known = keys.iter().chain(&common).map(String::as_str);
            let others: Vec<&str> = KINDS.iter().filter(|k| own(k).iter().any(|k| k == name)).map(|k| k.name).collect();
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if !others.is_empty() => format!("it is a key of the kind {}", others.join(", ")),
                None => format!("`{}` takes {}", kind.name, keys.join(", ")),
            };
            self.sink.error(&key.span(), format!("unknown key `{name}` in an alert of kind `{}`", kind.name), help);
        }
        (every, rest)
    }
}
