//! Files of cases: JSON lines and CSV. [`DOC`] says what is in them.

use std::ops::Range;

use serde::de;
use serde_json::{Map, Value};

use super::cases::{CaseTable, FactValue, OneOrMany, ReferenceTable};
use super::nearest::nearest;
use crate::checks::matcher::Matcher;

/// What a file of cases holds, for `seatrial explain cases` and the README.
pub const DOC: &str = "\
`cases` in [suite] names a file of cases, relative to the suite: JSON lines (.jsonl, .ndjson) or CSV (.csv).

JSON lines: one case a line, with the keys of a [[case]] table. Any other key becomes a template variable.

  id             the case's id, which a session's `case` names; required
  user           what the user says, turn by turn: a list of texts
  turn           the same with a reference for each turn: [{ user, reference }]
  reference      what is expected: { tools, answer, facts, state }
  tags           a list; for `on`, [[gate.group]], --filter
  skip           why it is not run
  expected_fail  { until, reason }: it fails for now, and that is known
  weight         how much it counts in the pass rate; 1 unless given
  vars           more template variables, whatever their names

CSV: a header, then one case a row. Any other column becomes a template variable, as text.

  id             required
  user           one request
  tags, facts    separated by `;`
  answer         the expected answer
  tools, state   JSON, as in `reference`; to expect no call at all, write []
  skip, weight   as above

An empty cell is absent, which is not the same as empty. A variable `arrives` is used in a suite as
\"{{ case.arrives }}\".
";

/// The keys of a case in a JSON file; others are variables.
const KEYS: &[&str] = &["id", "tags", "user", "turn", "reference", "skip", "expected_fail", "weight", "vars"];
/// Columns of a CSV file that have a meaning.
const COLUMNS: &[&str] = &["id", "user", "tags", "answer", "facts", "tools", "state", "skip", "weight"];

/// A case of a file, or what is wrong with it, with the bytes where it stands.
pub(super) struct FileCase {
    pub place: Range<usize>,
    pub case: Result<CaseTable, String>,
}

/// What a file of cases holds.
#[derive(Default)]
pub(super) struct CaseFile {
    pub cases: Vec<FileCase>,
    /// What is probably not meant, each name once, with the bytes where it stands first.
    pub warnings: Vec<(Range<usize>, String)>,
}

impl CaseFile {
    /// Warns about a variable that looks like a misspelled name, unless it was met before.
    fn suspect(&mut self, place: &Range<usize>, name: &str, known: &[&str]) {
        let known = known.iter().copied().filter(|k| *k != "id");
        let Some(near) = nearest(name, known) else { return };
        let message = format!("`{name}` is taken for a variable of templates; did you mean `{near}`?");
        if !self.warnings.iter().any(|(_, other)| *other == message) {
            self.warnings.push((place.clone(), message));
        }
    }
}

/// The cases of a file: CSV when its name says so, JSON lines otherwise.
pub(super) fn read_file(name: &str, text: &str) -> Result<CaseFile, String> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let is = |extension: &str| name.to_ascii_lowercase().ends_with(extension);
    let mut file = if is(".csv") {
        read_csv(body)?
    } else if is(".jsonl") || is(".ndjson") {
        read_json_lines(body)
    } else {
        return Err("a cases file is .jsonl, .ndjson or .csv".to_owned());
    };
    let places = file.cases.iter_mut().map(|c| &mut c.place).chain(file.warnings.iter_mut().map(|w| &mut w.0));
    for place in places {
        *place = place.start + offset..place.end + offset;
    }
    Ok(file)
}

fn read_json_lines(text: &str) -> CaseFile {
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
    file
}

/// serde_json's message with the column but not the line, which is always 1 here.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
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
    let mut case: CaseTable =
        serde_json::from_value(Value::Object(known)).map_err(|e| super::words::in_plain_words(&e.to_string()))?;
    case.vars.extend(vars);
    Ok(case)
}

fn read_csv(text: &str) -> Result<CaseFile, String> {
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
            "user" => case.user = Some(OneOrMany(vec![cell.to_owned()])),
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
    serde_json::from_str(cell).map_err(|e| format!("`{column}`: {}", super::words::in_plain_words(&without_line(&e))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::Case;

    fn ok(name: &str, text: &str) -> Vec<CaseTable> {
        read_file(name, text).unwrap().cases.into_iter().map(|c| c.case.unwrap()).collect()
    }

    fn wrong(name: &str, text: &str) -> Vec<(String, String)> {
        let faults = read_file(name, text).unwrap().cases.into_iter();
        faults.filter_map(|c| Some((text[c.place.clone()].to_owned(), c.case.err()?))).collect()
    }

    #[test]
    fn every_key_and_column_is_documented() {
        let (json, csv) = DOC.split_once("CSV: a header").expect("both forms");
        let heads = |text: &str| -> Vec<String> {
            let names = text.lines().filter_map(|l| l.strip_prefix("  "));
            let heads = names.map(|l| l.split("  ").next().unwrap_or_default());
            heads.flat_map(|h| h.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let known = |names: &[&str]| sorted(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(sorted(heads(json)), known(KEYS));
        assert_eq!(sorted(heads(csv)), known(COLUMNS));
    }

    #[test]
    fn json_lines_hold_cases_and_variables() {
        let cases = ok(
            "c.jsonl",
            "\u{feff}{\"id\":\"a\",\"user\":\"hi\",\"n\":3,\"reference\":{\"tools\":[],\"facts\":[[\"x\",\"y\"],{\"$matches\":\"z\"}]}}\n\n{\"id\":\"b\"}",
        );
        assert_eq!(cases.len(), 2);
        let a = cases[0].clone().resolve();
        assert_eq!(a.vars["n"], 3);
        assert_eq!(a.vars["user"], json!(["hi"]));
        assert_eq!(a.expected.tools.as_ref().map(|t| t.len()), Some(0));
        assert_eq!(a.expected.facts.as_ref().map(|f| f[0].0.len()), Some(2));
        assert!(a.expected.answer.is_none());
        assert!(cases[1].clone().resolve().expected.is_empty());
    }

    #[test]
    fn csv_columns_are_read_and_others_become_variables() {
        let text = "id,user,tags,answer,facts,tools,state,skip,weight,city\r\n\
            a,\"one, two\",x; y,,f1;f2,\"[{\"\"name\"\":\"\"t\"\"}]\",\"{\"\"a.b\"\":1}\",,2.5,\"Oslo\nNorway\"\r\n\
            b,,,yes,,[],,later,,\r\n";
        let cases: Vec<Case> = ok("c.CSV", text).into_iter().map(CaseTable::resolve).collect();
        assert_eq!(cases[0].tags, ["x", "y"]);
        assert_eq!(cases[0].weight, 2.5);
        assert_eq!(cases[0].vars["city"], "Oslo\nNorway");
        assert_eq!(cases[0].vars["user"], json!(["one, two"]));
        assert_eq!(
            cases[0].vars["reference"],
            json!({"facts": ["f1", "f2"], "tools": [{"name": "t"}], "state": {"a.b": 1}})
        );
        assert_eq!(cases[1].skip.as_deref(), Some("later"));
        assert!(cases[1].expected.tools.as_ref().is_some_and(|t| t.is_empty()), "`[]` is an expectation");
        assert!(cases[1].expected.facts.is_none(), "an empty cell is none");
        assert_eq!(cases[1].vars["city"], "");
    }

    #[test]
    fn what_is_wrong_points_at_the_row() {
        assert_eq!(
            wrong("c.csv", "id,weight\na,1\n\nb,x\nc\n,2\n"),
            [
                ("b,x".to_owned(), "`weight`: `x` is not a number".to_owned()),
                ("c".to_owned(), "the row has 1 cells, the header 2".to_owned()),
                (",2".to_owned(), "`id` is missing".to_owned()),
            ]
        );
        let text = "{\"id\":\"a\"}\nnonsense\n{\"id\":3}\n{\"id\":\"a\",\"reference\":{\"tool\":[]}}\n";
        let faults = wrong("c.jsonl", text);
        assert_eq!(faults.len(), 3);
        assert_eq!(faults[0].0, "nonsense");
        assert!(faults[1].1.contains("expected a string"), "{faults:?}");
        assert!(faults[2].1.contains("unknown field `tool`"), "{faults:?}");
    }

    #[test]
    fn a_header_without_id_or_with_a_column_twice_is_refused() {
        assert!(read_file("c.csv", "name\na\n").is_err());
        assert!(read_file("c.csv", "id,x,x\na,b,c\n").is_err());
        assert!(read_file("c.txt", "{}").is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let text = format!("{{\"id\":\"a\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(wrong("c.jsonl", &text).len(), 1);
    }

    #[test]
    fn a_probable_misspelling_is_warned_about() {
        let cases = read_file("c.jsonl", "{\"id\":\"a\",\"referense\":{}}").unwrap();
        assert_eq!(cases.warnings.len(), 1);
    }

    #[test]
    fn the_suite_wins_per_key_over_the_cases_file() {
        let file = ok(
            "c.jsonl",
            "{\"id\":\"a\",\"tags\":[\"f\"],\"reference\":{\"answer\":\"file\",\"facts\":[\"f\"]},\"n\":1,\"m\":1}",
        );
        let suite = ok("c.jsonl", "{\"id\":\"a\",\"reference\":{\"answer\":\"suite\"},\"n\":2}");
        let case = suite[0].clone().over(file[0].clone()).resolve();
        assert_eq!(case.tags, ["f"]);
        assert_eq!(case.vars["reference"], json!({"answer": "suite", "facts": ["f"]}));
        assert_eq!((&case.vars["n"], &case.vars["m"]), (&json!(2), &json!(1)));
    }

    #[test]
    fn empty_and_impossible_facts_are_refused() {
        for facts in ["[\"\"]", "[[]]", "[3]", "[[\"a\", \" \"]]", "[{\"plain\": 1}]"] {
            let text = format!("{{\"id\":\"a\",\"reference\":{{\"facts\":{facts}}}}}");
            assert_eq!(wrong("c.jsonl", &text).len(), 1, "{facts}");
        }
    }
}
