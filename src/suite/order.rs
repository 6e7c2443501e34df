//! The checks of a suite in order, inherited ones replaced where they are overridden.

use std::collections::HashMap;

use toml::de::DeValue;

use super::check::CheckTable;
use super::problems::did_you_mean;
use super::raw::{Pos, span_at};
use super::resolve::{Layer, Resolver};
use crate::model::Level;

/// A check's table with the layer it is from.
pub(super) struct Entry<'t> {
    layer: usize,
    id: Option<(String, Pos)>,
    overrides: bool,
    pub check: CheckTable<'t>,
}

/// Entries in order, with the place of each id.
#[derive(Default)]
struct Placed<'t> {
    entries: Vec<Entry<'t>>,
    by_id: HashMap<String, usize>,
}

impl<'t> Resolver<'_, 't, '_> {
    /// Every check table in order: those of fragments, replaced where the suite overrides them, then the suite's own,
    /// then those of its cases.
    pub(super) fn entries(&mut self, case_checks: Vec<(usize, CheckTable<'t>)>) -> Vec<Entry<'t>> {
        let mut out = Placed::default();
        for (layer, Layer { table, .. }) in self.layers.iter().enumerate() {
            let mut checks: Vec<CheckTable<'t>> = Vec::new();
            for level in Level::ALL {
                let Some(DeValue::Array(items)) = table.get(level.name()).map(|v| v.get_ref()) else { continue };
                for item in items.iter() {
                    if let DeValue::Table(table) = item.get_ref() {
                        checks.push(CheckTable { level: Some(level), table, whole: item.span(), case: None });
                    }
                }
            }
            checks.sort_by_key(|c| c.whole.start);
            for check in checks {
                self.place(Entry::new(layer, check), &mut out);
            }
        }
        let last = self.layers.len() - 1;
        for (_, check) in case_checks {
            self.place(Entry::new(last, check), &mut out);
        }
        out.entries
    }

    /// Adds an entry, or puts it in the place of the inherited one it overrides.
    fn place(&mut self, entry: Entry<'t>, out: &mut Placed<'t>) {
        let Some((id, pos)) = &entry.id else { return out.entries.push(entry) };
        let override_pos = span_at(entry.check.table, &entry.check.whole, &["override".to_owned()]);
        let Some(&index) = out.by_id.get(id) else {
            if entry.overrides {
                let inherited = out.entries.iter().filter(|e| e.layer < entry.layer);
                let ids = inherited.filter_map(|e| e.id.as_ref().map(|i| i.0.as_str()));
                let help = did_you_mean(id, ids).unwrap_or_else(|| "remove `override`".to_owned());
                self.sink.error(&override_pos, format!("there is no inherited check `{id}` to override"), help);
            }
            out.by_id.insert(id.clone(), out.entries.len());
            return out.entries.push(entry);
        };
        let first = &out.entries[index];
        let place = first.id.as_ref().map(|(_, p)| self.sink.location(p)).unwrap_or_default();
        if first.layer == entry.layer {
            self.sink.error(
                pos,
                format!("`{id}` is already the id of another check"),
                format!("the first is at {place}"),
            );
        } else if entry.check.case.is_some() {
            let help = format!("choose another id; the inherited check is at {place}");
            self.sink.error(pos, format!("a case's check cannot replace the inherited check `{id}`"), help);
        } else if !entry.overrides {
            let help = format!("to replace the check at {place}, add `override = true`");
            self.sink.error(pos, format!("`{id}` is already the id of an inherited check"), help);
        } else {
            out.entries[index] = entry;
            return;
        }
        // It is looked at all the same: there may be more to say about it.
        out.entries.push(Entry { id: None, ..entry });
    }
}

impl<'t> Entry<'t> {
    fn new(layer: usize, check: CheckTable<'t>) -> Self {
        let id = check.table.get("id").and_then(|v| Some((v.get_ref().as_str()?.to_owned(), v.span())));
        let overrides = check.table.get("override").and_then(|v| v.get_ref().as_bool()) == Some(true);
        Self { layer, id, overrides, check }
    }
}
