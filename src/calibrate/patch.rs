//! The change of `review.below` in the text of a suite: everything else stays as it is written, comments and order
//! included.

use similar::TextDiff;
use toml_edit::{DocumentMut, InlineTable, Item, TableLike, Value, value};

/// The text of a suite with another threshold for one of its checks.
///
/// # Errors
///
/// When the text is no TOML, or has no such check; in words.
pub fn set_below(text: &str, check: &str, below: f64) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|why: toml_edit::TomlError| why.message().to_owned())?;
    let Some(table) = find(&mut document, check) else {
        return Err(format!("no check `{check}` is written there"));
    };
    match table.get_mut("review") {
        Some(review) => set(review, below)?,
        None => {
            let mut review = InlineTable::new();
            review.insert("below", Value::from(below));
            table.insert("review", value(review));
        }
    }
    let changed = document.to_string();
    // Lines end as they did; the document writes what it adds with a plain newline.
    let windows = text.contains("\r\n");
    Ok(if windows { changed.replace("\r\n", "\n").replace('\n', "\r\n") } else { changed })
}

fn set(review: &mut Item, below: f64) -> Result<(), String> {
    let Some(table) = review.as_table_like_mut() else {
        return Err("its `review` is no table".to_owned());
    };
    match table.get_mut("below").and_then(Item::as_value_mut) {
        // With the space and the comment around the old one.
        Some(old) => {
            let decor = old.decor().clone();
            *old = Value::from(below);
            *old.decor_mut() = decor;
        }
        None => {
            table.insert("below", value(below));
        }
    }
    Ok(())
}

/// The table of a check: of a level, or of a case.
fn find<'d>(document: &'d mut DocumentMut, check: &str) -> Option<&'d mut dyn TableLike> {
    let is_it = |table: &dyn TableLike| table.get("id").and_then(Item::as_str) == Some(check);
    for (name, item) in document.iter_mut() {
        let is_case = name == "case";
        if !is_case && !["span", "turn", "session"].contains(&name.get()) {
            continue;
        }
        for table in tables(item) {
            if !is_case {
                if is_it(table) {
                    return Some(table);
                }
            } else if let Some(checks) = table.get_mut("check")
                && let Some(found) = tables(checks).into_iter().find(|t| is_it(*t))
            {
                return Some(found);
            }
        }
    }
    None
}

/// The tables of a list, written as `[[name]]` or in one line.
fn tables(item: &mut Item) -> Vec<&mut dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => tables.iter_mut().map(|t| t as &mut dyn TableLike).collect(),
        Item::Value(Value::Array(values)) => {
            values.iter_mut().filter_map(Value::as_inline_table_mut).map(|t| t as &mut dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

/// The change as a patch that `git apply` and `patch -p1` take; empty when there is none.
pub fn diff(file: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (a, b) = (format!("a/{file}"), format!("b/{file}"));
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(&a, &b).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "# the suite\n[suite]\nname = \"s\"\n\n[[session]]   # goal\nid = \"goal\"\ncheck = \"judge\"\nrubric = 'x'\n\
                         review = { below = 0.9, audit = 0.05 } # why\n\n[[turn]]\nid = \"tone\"\ncheck = \"judge\"\n";

    fn changed(text: &str, check: &str) -> Vec<String> {
        let after = set_below(text, check, 0.82).unwrap();
        let patch = diff("suites/s.toml", text, &after);
        patch.lines().filter(|l| l.starts_with(['+', '-'])).map(str::to_owned).collect()
    }

    #[test]
    fn only_the_threshold_changes() {
        assert_eq!(
            changed(SUITE, "goal"),
            [
                "--- a/suites/s.toml",
                "+++ b/suites/s.toml",
                "-review = { below = 0.9, audit = 0.05 } # why",
                "+review = { below = 0.82, audit = 0.05 } # why",
            ]
        );
    }

    #[test]
    fn a_check_without_review_gets_one() {
        assert_eq!(changed(SUITE, "tone")[2..], ["+review = { below = 0.82 }"]);
    }

    #[test]
    fn a_table_of_its_own_and_a_check_of_a_case_are_found() {
        let own = "[[span]]\nid = \"a\"\n[span.review]\nalways = true # so far\n";
        assert_eq!(changed(own, "a")[2..], ["+below = 0.82"]);
        let of_case =
            "[[case]]\nid = \"one\"\n[[case.check]]\nlevel = \"session\"\nid = \"b\"\nreview = { below = 0.7 }\n";
        assert_eq!(changed(of_case, "b")[2..], ["-review = { below = 0.7 }", "+review = { below = 0.82 }"]);
        let inline = "session = [{ id = \"c\", review = { below = 0.7 } }]\n";
        assert_eq!(changed(inline, "c")[3], "+session = [{ id = \"c\", review = { below = 0.82 } }]");
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let windows = SUITE.replace('\n', "\r\n");
        let after = set_below(&windows, "goal", 0.82).unwrap();
        assert_eq!(after, set_below(SUITE, "goal", 0.82).unwrap().replace('\n', "\r\n"));
        assert_eq!(changed(&windows, "goal").len(), 4);
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(set_below(SUITE, "other", 0.8).unwrap_err().contains("no check `other`"));
        assert!(set_below("id = ", "other", 0.8).is_err());
        assert!(set_below("[[span]]\nid = \"a\"\nreview = 3\n", "a", 0.8).unwrap_err().contains("no table"));
        assert_eq!(diff("f", "a\n", "a\n"), "");
    }
}
