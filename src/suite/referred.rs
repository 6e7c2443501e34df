//! Checks that are about other checks: `of` in a system check is the id of a check of the suite.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::common::RunsIn;
use super::order::Entry;
use super::problems::choice;
use super::raw::Sink;
use crate::model::Level;

/// Most ids that are listed when none is near.
const LISTED: usize = 20;

/// Reports every `of` that names no check, or one that has no verdicts of its own in a run.
pub(super) fn check(entries: &[Entry<'_>], place: RunsIn, sink: &mut Sink<'_>) {
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
            Some(other) if !runs_in(other.check.table, place) && runs_in(table, place) => {
                let name = place.name();
                let help = format!("add \"{name}\" to its `runs_in`");
                sink.error(&pos, format!("`{of}` does not run in the {name}"), help);
            }
            Some(_) => {}
        }
    }
}

/// The ids of the checks that are watched and have verdicts of their own.
pub(super) fn watched(entries: &[Entry<'_>]) -> Vec<String> {
    let of_sessions = |entry: &&Entry<'_>| {
        let check = &entry.check;
        check.level.is_some_and(|level| level != Level::System) && check.case.is_none()
    };
    let watched = entries.iter().filter(of_sessions).filter(|entry| runs_in(entry.check.table, RunsIn::Watch));
    watched.filter_map(|entry| Some(entry.check.table.get("id")?.get_ref().as_str()?.to_owned())).collect()
}

/// Whether a check runs somewhere.
fn runs_in(table: &DeTable<'_>, place: RunsIn) -> bool {
    let Some(toml::de::DeValue::Array(places)) = table.get("runs_in").map(|v| v.get_ref()) else { return true };
    places.iter().any(|one| one.get_ref().as_str() == Some(place.name()))
}
