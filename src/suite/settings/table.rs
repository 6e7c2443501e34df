//! The table of settings that `seatrial check` prints.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::{Origin, Settings};
use crate::checks::prices::Prices;

impl Settings {
    /// Every setting as text: its key, its value, and where the value came from.
    pub fn rows(&self) -> Vec<(String, String, String)> {
        let mut rows = Vec::new();
        rows.extend(
            self.channels.iter().map(|(name, c)| (format!("notify.{name}"), c.written(), c.origin.to_string())),
        );
        let mut row = |name: &str, value: String, origin: &Origin| {
            rows.push((name.to_owned(), value, origin.to_string()));
        };
        if let Some(profile) = &self.profile {
            row("profile", profile.value.clone(), &profile.origin);
        }
        let shown =
            |path: &Option<PathBuf>| path.as_ref().map_or_else(|| "none".to_owned(), |p| p.display().to_string());
        row("jobs", self.jobs.value.to_string(), &self.jobs.origin);
        row("out", self.out.value.display().to_string(), &self.out.origin);
        row("keep", self.keep.value.name().to_owned(), &self.keep.origin);
        row("keep_limit", self.keep_limit.value.to_string(), &self.keep_limit.origin);
        row("keep_sample", self.keep_sample.value.to_string(), &self.keep_sample.origin);
        row("fail_fast", self.fail_fast.value.to_string(), &self.fail_fast.origin);
        row("reports", self.reports.value.name().to_owned(), &self.reports.origin);
        row("junit", shown(&self.junit.value), &self.junit.origin);
        row("html", shown(&self.html.value), &self.html.origin);
        row("progress", self.progress.value.name().to_owned(), &self.progress.origin);
        row("color", self.color.value.name().to_owned(), &self.color.origin);
        row("max_session_bytes", size_text(self.max_session_bytes.value), &self.max_session_bytes.origin);
        row("max_depth", self.max_depth.value.to_string(), &self.max_depth.origin);
        row("max_expansion", self.max_expansion.value.to_string(), &self.max_expansion.origin);
        let spill_dir = self
            .spill_dir
            .value
            .as_ref()
            .map_or_else(|| "the temporary folder".to_owned(), |p| p.display().to_string());
        row("spill_dir", spill_dir, &self.spill_dir.origin);
        row("spill_after", size_text(self.spill_after.value), &self.spill_after.origin);
        let cache = self.cache.value.as_ref().map_or_else(|| "off".to_owned(), |p| p.display().to_string());
        row("cache", cache, &self.cache.origin);
        let kept = self.keep_content.value.map_or_else(|| "forever".to_owned(), duration_text);
        row("store", self.store.value.to_string(), &self.store.origin);
        row("keep_content", kept, &self.keep_content.origin);
        let limit = |n: Option<String>| n.unwrap_or_else(|| "no limit".to_owned());
        row("max_cost_usd", limit(self.max_cost_usd.value.map(|c| c.usd().to_string())), &self.max_cost_usd.origin);
        row("max_tokens", limit(self.max_tokens.value.map(|n| n.to_string())), &self.max_tokens.origin);
        let reviewer = self.reviewer.value.clone().unwrap_or_else(|| "git's user.name".to_owned());
        row("reviewer", reviewer, &self.reviewer.origin);
        row("prices", format!("as of {}", Prices::as_of()), &Origin::Default);
        for own in &self.prices {
            row(&format!("prices.{}", own.model.as_str()), own.written.clone(), &own.origin);
        }
        for (name, detector) in &self.detectors {
            row(&format!("detectors.{name}"), detector.pattern.as_str().to_owned(), &detector.origin);
        }
        rows.extend(self.models.rows());
        rows.extend(
            self.targets.iter().map(|(name, t)| (format!("promote.{name}"), t.written(), t.origin.to_string())),
        );
        let mut row = |name: &str, value: String, origin: &Origin| {
            rows.push((name.to_owned(), value, origin.to_string()));
        };
        let rules = &self.redact.value;
        let kinds = rules.pseudonyms.iter().map(|p| p.name().to_owned()).collect();
        let lists =
            [("detectors", &rules.detectors), ("keys", &rules.keys), ("paths", &rules.paths), ("pseudonyms", &kinds)];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            row(&format!("redact.{key}"), list.join(", "), &self.redact.origin);
        }
        for webhook in &self.review.value.webhooks {
            row("review.webhooks", webhook.written(), &webhook.origin);
        }
        rows
    }

    /// Writes the table of settings that `seatrial check` prints.
    pub fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.rows();
        let width = |column: fn(&(String, String, String)) -> &str| {
            rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
        };
        let (keys, values) = (width(|r| &r.0), width(|r| &r.1).min(40));
        for (key, value, origin) in &rows {
            writeln!(out, "{key:keys$}  {value:values$}  {origin}")?;
        }
        Ok(())
    }
}

/// A duration in the largest unit in which it is whole.
fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}

fn size_text(bytes: usize) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}
