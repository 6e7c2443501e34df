//! Cases as CSV: a header, then one case a row.

use std::ops::Range;

use serde::de;

use super::{CaseFile, FileCase, Kind, without_line};
use crate::checks::matcher::Matcher;
use crate::suite::agent::Said;
use crate::suite::cases::CaseTable;
use crate::suite::reference::{FactValue, ReferenceTable};

pub(super) const KIND: Kind = Kind { endings: &[".csv"], doc: DOC, read };

pub(super) const DOC: &str = "\
CSV: a header, then one case a row. Any other column becomes a template variable, as text.

  id             required
  user           one request
  tags, facts    separated by `;`
  answer         the expected answer
  tools, state   JSON, as in `reference`; to expect no call at all, write []
  skip, weight   as above

An empty cell is absent, which is not the same as empty.
";

/// Columns that have a meaning.
pub(super) const COLUMNS: &[&str] = &["id", "user", "tags", "answer", "facts", "tools", "state", "skip", "weight"];

fn read(_name: &str, text: &str) -> Result<CaseFile, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| format!("bad CSV header: {e}"))?.clone();
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    if !names.contains(&"id") {
        return Err("the CSV header has no column `id`".to_owned());
    }
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(format!("the CSV header has the column `{}` twice", twice.1));
    }
    let mut out = CaseFile::default();
    let first_line = 0..text.find(['\r', '\n']).unwrap_or(text.len());
    for name in names.iter().filter(|name| !COLUMNS.contains(name)) {
        out.suspect(&first_line, name, COLUMNS);
    }
    let mut record = csv::StringRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let read = reader.read_record(&mut record);
        if matches!(read, Ok(false)) {
            return Ok(out);
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let place = trimmed(text, start..end);
        let case = match read {
            Ok(_) => from_row(&names, &record),
            Err(error) => Err(csv_message(&error)),
        };
        out.cases.push(FileCase { place, case });
    }
}

/// A record's own bytes: blank lines before it and line ends after it are not part of it.
fn trimmed(text: &str, place: Range<usize>) -> Range<usize> {
    let Some(record) = text.get(place.clone()) else { return place };
    let start = place.start + (record.len() - record.trim_start_matches(['\r', '\n']).len());
    let end = place.start + record.trim_end_matches(['\r', '\n']).len();
    start..end.max(start)
}

fn csv_message(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} cells, the header {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// A case from a row of CSV.
fn from_row(names: &[&str], row: &csv::StringRecord) -> Result<CaseTable, String> {
    let mut case = CaseTable::default();
    let mut reference = ReferenceTable::default();
    let list = |cell: &str| cell.split(';').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect::<Vec<_>>();
    for (&name, cell) in names.iter().zip(row) {
        if !COLUMNS.contains(&name) {
            case.vars.insert(name.to_owned(), cell.into());
            continue;
        }
        if cell.trim().is_empty() {
            continue;
        }
        match name {
            "id" => case.id = cell.to_owned(),
            "user" => case.user = Some(Said::Lines(vec![cell.to_owned()])),
            "tags" => case.tags = Some(list(cell)),
            "answer" => reference.answer = Some(cell.to_owned()),
            "facts" => {
                let facts = list(cell).into_iter().map(|f| FactValue(vec![Matcher::Equals(f.into())]));
                reference.facts = Some(facts.collect());
            }
            "tools" => reference.tools = Some(json_cell("tools", cell)?),
            "state" => reference.state = Some(json_cell("state", cell)?),
            "skip" => case.skip = Some(cell.to_owned()),
            _ => {
                let weight = cell.trim().parse().map_err(|_| format!("`weight`: `{cell}` is not a number"))?;
                case.weight = Some(weight);
            }
        }
    }
    case.reference = Some(reference);
    if case.id.is_empty() { Err("`id` is missing".to_owned()) } else { Ok(case) }
}

fn json_cell<T: de::DeserializeOwned>(column: &str, cell: &str) -> Result<T, String> {
    serde_json::from_str(cell)
        .map_err(|e| format!("`{column}`: {}", crate::suite::words::in_plain_words(&without_line(&e))))
}
