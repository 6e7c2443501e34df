//! What a suite makes of production, for `seatrial check`: when a session is over, which are looked at, what is told to whom.

use std::io::{self, Write};

use crate::alerts::Alert;
use crate::alerts::kind::words;
use crate::report::safe;
use crate::suite::Suite;
use crate::suite::watch::Watch;
use crate::suite::watch::quarantine::Quarantine;
use crate::suite::watch::sample::{Budget, Keep, REST};

/// Prints the plan of watching with a suite.
pub(super) fn print(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    let watch = &suite.watch;
    for (name, text) in
        [("watch", over(watch)), ("windows", windows(watch)), ("sampled", sampled(watch)), ("skipped", skipped(suite))]
    {
        if !text.is_empty() {
            line(name, &text, out)?;
        }
    }
    if watch.quarantine.is_any() {
        line("quarantine", &quarantined(&watch.quarantine), out)?;
    }
    for alert in &watch.alerts {
        line("alert", &told(alert), out)?;
    }
    Ok(())
}

fn line(name: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {name:<11} {}", safe::terminal(text))
}

/// When a session is over.
fn over(watch: &Watch) -> String {
    let ends: String = watch.ends.iter().map(|name| format!("at `{name}`, ")).collect();
    format!(
        "a session is over {ends}when it is quiet for {}, and cut off after {}, {} records or {} MiB",
        words(watch.idle),
        words(watch.max_age),
        watch.max_spans,
        watch.max_bytes >> 20
    )
}

fn windows(watch: &Watch) -> String {
    let by = watch.by.join(", ");
    let by = if by.is_empty() { String::new() } else { format!("; by {by}, {} groups each", watch.max_groups) };
    let over = watch.over.filter(|over| *over != watch.every);
    let over = over.map(|over| format!("; system checks look over {}", words(over))).unwrap_or_default();
    format!("{} each, settled {} after their end{by}{over}", words(watch.every), words(watch.late))
}

fn share(rate: f64) -> String {
    if rate >= 1.0 { "all".to_owned() } else { format!("{}%", (rate * 1e6).round() / 1e4) }
}

/// Which sessions are looked at.
fn sampled(watch: &Watch) -> String {
    let sample = &watch.sample;
    let floor = |n: u64| if n > 0 { format!(" (at least {n} a window)") } else { String::new() };
    let strata = sample.strata.iter().map(|s| format!("{} of `{}`{}", share(s.rate), s.name, floor(s.floor)));
    let rest = if sample.strata.is_empty() { String::new() } else { format!(" of {REST}") };
    let mut parts: Vec<String> = strata.collect();
    parts.push(format!("{}{rest}{}", share(sample.rate), floor(sample.floor)));
    let kept = kept(&sample.keep);
    if !kept.is_empty() {
        parts.push(format!("and whatever {}", kept.join(", or ")));
    }
    parts.extend(limits(sample.sessions, "sessions"));
    parts.extend(limits(sample.usd, "USD for models"));
    parts.join("; ")
}

fn kept(keep: &Keep) -> Vec<String> {
    let mut kept = Vec::new();
    if keep.errors {
        kept.push("ended in an error".to_owned());
    }
    kept.extend(keep.slow_ms.map(|ms| format!("took longer than {ms} ms")));
    kept.extend(keep.expensive_usd.map(|usd| format!("cost more than {usd} USD")));
    if keep.denied {
        kept.push("was denied something".to_owned());
    }
    if !keep.flagged.is_empty() {
        kept.push(format!("is flagged {}", keep.flagged.join(", ")));
    }
    kept
}

fn limits(budget: Budget, what: &str) -> Vec<String> {
    let of = |limit: Option<f64>, per: &str| limit.map(|limit| format!("at most {limit} {what} {per}"));
    [of(budget.per_hour, "an hour"), of(budget.per_day, "a day")].into_iter().flatten().collect()
}

/// The checks that are skipped where nothing is expected of a session, and what they want.
pub(super) fn wanting(suite: &Suite) -> impl Iterator<Item = (&str, &'static str)> {
    let wanting = suite.checks.iter().filter(|check| check.case.is_none());
    wanting.filter_map(|check| Some((check.id.as_str(), check.wants?.name())))
}

fn skipped(suite: &Suite) -> String {
    let wanting: Vec<String> = wanting(suite).map(|(check, wants)| format!("{check} ({wants})")).collect();
    if wanting.is_empty() { String::new() } else { format!("where nothing is expected: {}", wanting.join(", ")) }
}

/// Which sessions are of high risk, and who is told of each.
fn quarantined(quarantine: &Quarantine) -> String {
    let checks = quarantine.checks.iter().map(|check| format!("{check} fails"));
    let tags = quarantine.tags.iter().map(|tag| format!("a check tagged `{tag}` fails"));
    let why: Vec<String> = checks.chain(tags).collect();
    format!("a session in which {}: for adjudicators alone; told: {}", why.join(", or "), who(quarantine.to.as_deref()))
}

/// Who is told.
fn who(to: Option<&[String]>) -> String {
    match to {
        None => "everybody in [notify]".to_owned(),
        Some([]) => "nobody".to_owned(),
        Some(names) => names.join(", "),
    }
}

/// What an alert is about, and who is told.
fn told(alert: &Alert) -> String {
    let measure = alert.rule.measure();
    let by = measure.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let hold = if alert.hold.is_zero() { String::new() } else { format!(" for {}", words(alert.hold)) };
    let to = who(alert.to.as_deref());
    format!(
        "{} ({}, {}): {}{by}{hold}; from {} sessions on; told: {to}",
        alert.name,
        alert.kind,
        alert.severity.name(),
        alert.rule.says(),
        alert.min_count
    )
}
