//! Files of cases, one kind of file each: [`json_lines`], [`table`], and [`adk`]'s eval sets. [`doc`] says what is in
//! them.

mod adk;
mod json_lines;
mod table;

use std::ops::Range;

use serde_json::{Map, Value};

use super::cases::CaseTable;
use super::nearest::nearest;

/// A kind of file that holds cases.
struct Kind {
    /// How the names of its files end.
    endings: &'static [&'static str],
    /// What is in it.
    doc: &'static str,
    /// The cases in a text. The name is the file's, without folders and ending, for cases that carry none.
    read: fn(name: &str, text: &str) -> Result<CaseFile, String>,
}

/// Every kind. Adding one is a file and a line here.
static KINDS: &[Kind] = &[json_lines::KIND, table::KIND, adk::KIND];

/// What a file of cases holds, for `seatrial explain cases` and the README.
pub fn doc() -> String {
    let mut out = String::from(
        "`cases` in [suite] names a file of cases, relative to the suite: JSON lines (.jsonl, .ndjson), CSV (.csv), or an\n\
         eval set of Google's ADK (.json).\n",
    );
    for kind in KINDS {
        out.push('\n');
        out.push_str(kind.doc);
    }
    out.push_str("\nA variable `arrives` is used in a suite as \"{{ case.arrives }}\".\n");
    out
}

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

/// The cases of a file, of the kind that its name says.
pub(super) fn read_file(name: &str, text: &str) -> Result<CaseFile, String> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let base = name.rsplit('/').next().unwrap_or(name);
    let kind = KINDS.iter().find_map(|kind| Some((kind, kind.endings.iter().find_map(|e| without(base, e))?)));
    let Some((kind, stem)) = kind else {
        let endings: Vec<&str> = KINDS.iter().flat_map(|k| k.endings).copied().collect();
        let (last, others) = endings.split_last().unwrap_or((&"", &[]));
        return Err(format!("a cases file is {} or {last}", others.join(", ")));
    };
    let mut file = (kind.read)(stem, body)?;
    let places = file.cases.iter_mut().map(|c| &mut c.place).chain(file.warnings.iter_mut().map(|w| &mut w.0));
    for place in places {
        *place = place.start + offset..place.end + offset;
    }
    Ok(file)
}

/// What a file of cases expects of a case, by the keys of `[[case]]`: `turn`, `reference` and `vars`, as far as it says
/// them. `None` where it has no such case.
///
/// # Errors
/// It is no file of cases, or the case is none.
pub fn expected(name: &str, text: &str, id: &str) -> Result<Option<Map<String, Value>>, String> {
    for found in read_file(name, text)?.cases {
        match found.case {
            Ok(case) if case.id == id => return Ok(Some(case.expected())),
            // It may be the one that is looked for.
            Err(why) if text[found.place.clone()].contains(id) => return Err(why),
            _ => {}
        }
    }
    Ok(None)
}

/// A name without its ending, whatever the ending's case.
fn without<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(stem)
}

/// serde_json's message with the column but not the line, where that is always 1.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
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
        assert_eq!(sorted(heads(json_lines::DOC)), known(json_lines::KEYS));
        assert_eq!(sorted(heads(table::DOC)), known(table::COLUMNS));
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
