//! Checks that are about other checks: `of` in a system check is the id of a check of the suite.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::order::Entry;
use super::problems::choice;
use super::raw::Sink;
use crate::model::Level;

/// Most ids that are listed when none is near.
const LISTED: usize = 20;

/// Reports every `of` that names no check, or one that has no verdicts of its own in a run.
pub(super) fn check(entries: &[Entry<'_>], sink: &mut Sink<'_>) {
    let text = |table: &DeTable<'_>, key: &str| Some(table.get(key)?.get_ref().as_str()?.to_owned());
    let by_id: BTreeMap<String, &Entry<'_>> =
        entries.iter().filter_map(|entry| Some((text(entry.check.table, "id")?, entry))).collect();
    let of_sessions = by_id.iter().filter(|(_, entry)| entry.check.level != Some(Level::System));
    let candidates: Vec<&str> = of_sessions.map(|(id, _)| id.as_str()).collect();
    for entry in entries.iter().filter(|entry| entry.check.level == Some(Level::System)) {
        let table = entry.check.table;
        let Some((of, pos)) = text(table, "of").zip(table.get("of").map(|value| value.span())) else { continue };
        match by_id.get(&of) {
            None if candidates.is_empty() => {
                let help = "declare the check that is meant as [[span]], [[turn]] or [[session]]".to_owned();
                sink.error(&pos, format!("there is no check `{of}` in this suite"), help);
            }
            None => {
                let listed = candidates.iter().copied().take(LISTED);
                let help = super::problems::did_you_mean(&of, candidates.iter().copied());
                let help = help.unwrap_or_else(|| choice(&of, listed));
                sink.error(&pos, format!("there is no check `{of}` in this suite"), help);
            }
            Some(other) if other.check.level == Some(Level::System) => {
                let help = "`of` is the id of a span, turn or session check".to_owned();
                sink.error(&pos, format!("`{of}` is a system check, which has no verdict of its own per case"), help);
            }
            Some(other) if only_watches(other.check.table) && !only_watches(table) => {
                let help = "add \"gate\" to its `runs_in`".to_owned();
                sink.error(&pos, format!("`{of}` does not run in the gate"), help);
            }
            Some(_) => {}
        }
    }
}

/// Whether a check is left out of a run.
fn only_watches(table: &DeTable<'_>) -> bool {
    let Some(toml::de::DeValue::Array(places)) = table.get("runs_in").map(|v| v.get_ref()) else { return false };
    !places.iter().any(|place| place.get_ref().as_str() == Some("gate"))
}
