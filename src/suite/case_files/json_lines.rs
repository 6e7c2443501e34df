//! Cases as JSON lines: one case a line, with the keys of a `[[case]]` table.

use serde_json::{Map, Value};

use super::{CaseFile, FileCase, Kind, without_line};
use crate::suite::cases::CaseTable;

pub(super) const KIND: Kind = Kind { endings: &[".jsonl", ".ndjson"], doc: DOC, read };

pub(super) const DOC: &str = "\
JSON lines: one case a line, with the keys of a [[case]] table. Any other key becomes a template variable.

  id             the case's id, which a session's `case` names; required
  user           what the user says, turn by turn: a list of texts
  turn           the same with more on each turn: [{ user, call, reference }]
  reference      what is expected: { tools, answer, facts, state }
  tags           a list; for `on`, [[gate.group]], --filter
  skip           why it is not run
  expected_fail  { until, reason }: it fails for now, and that is known
  trials         sessions wanted of it, where that differs from the suite's
  weight         how much it counts in the pass rate; 1 unless given
  vars           more template variables, whatever their names
";

/// The keys of a case; others are variables.
pub(super) const KEYS: &[&str] =
    &["id", "tags", "user", "turn", "reference", "skip", "trials", "expected_fail", "weight", "vars"];

fn read(_name: &str, text: &str) -> Result<CaseFile, String> {
    let mut file = CaseFile::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let place = start..start + content.len();
        start += line.len();
        if content.is_empty() {
            continue;
        }
        let case = match serde_json::from_str::<Map<String, Value>>(content) {
            Ok(map) => {
                for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
                    file.suspect(&place, key, KEYS);
                }
                from_map(map)
            }
            Err(error) => Err(format!("not a JSON object: {}", without_line(&error))),
        };
        file.cases.push(FileCase { place, case });
    }
    Ok(file)
}

/// A case from a JSON object: keys that a case does not have become variables.
fn from_map(map: Map<String, Value>) -> Result<CaseTable, String> {
    let mut known = Map::new();
    let mut vars = Map::new();
    for (key, value) in map {
        if KEYS.contains(&key.as_str()) {
            known.insert(key, value);
            continue;
        }
        vars.insert(key, value);
    }
    let mut case: CaseTable = serde_json::from_value(Value::Object(known))
        .map_err(|e| crate::suite::words::in_plain_words(&e.to_string()))?;
    case.vars.extend(vars);
    Ok(case)
}
