//! The keys of checks: what is refused, and where it is said.

use super::*;

fn turn(rest: &str) -> Vec<String> {
    faults(&with_head(&format!("[[turn]]\n{rest}")))
}

#[test]
fn a_check_needs_an_id_and_a_rule() {
    assert_eq!(turn(""), ["3: `check` is missing [add `check = \"...\"`]", "3: `id` is missing [add `id = \"...\"`]"]);
    assert_eq!(turn("id = \"\"\ncheck = \"says\"\nvalue = \"x\"\n"), ["4: the id cannot be used: it is empty"]);
    assert_eq!(turn("id = 3\ncheck = \"says\"\nvalue = \"x\"\n"), ["4: expected a string, found integer `3`"]);
}

#[test]
fn ids_are_unique_among_all_checks_of_a_suite() {
    let text = "id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\n[[session]]\nid = \"a\"\ncheck = \"says\"\nvalue = \"x\"\n[[case]]\nid = \"c\"\n[[case.check]]\nlevel = \"turn\"\nid = \"a\"\ncheck = \"says\"\nvalue = \"x\"\n";
    assert_eq!(
        turn(text),
        [
            "8: `a` is already the id of another check [the first is at s.toml:4]",
            "15: `a` is already the id of another check [the first is at s.toml:4]",
        ]
    );
}

#[test]
fn a_rule_at_the_wrong_level_says_where_it_works() {
    assert_eq!(
        turn("id = \"a\"\ncheck = \"measure\"\nmetric = \"x\"\n"),
        ["5: `measure` is not a turn check [it works at: system]"]
    );
}

#[test]
fn a_parameter_of_another_rule_says_whose_it_is() {
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nmetric = \"x\"\n"),
        ["7: unknown key `metric` in `says` [it is a parameter of measure; `says` takes value, values, ignore_case]"]
    );
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nlevel = \"turn\"\n"),
        ["7: unknown key `level` in `says` [the table says the level: [[span]], [[turn]], [[session]] or [[system]]]"]
    );
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nmax_age = \"1d\"\n"),
        ["7: unknown key `max_age` in `says` [`max_age` belongs in [recorded]]"]
    );
}

#[test]
fn what_review_asks_for_has_to_be_able_to_come_true() {
    let with = |level: &str, review: &str| {
        faults(&with_head(&format!(
            "[[{level}]]\nid = \"a\"\ncheck = \"{}\"\n{review}\n",
            match level {
                "system" => "measure\"\nmetric = \"turns",
                _ => "says\"\nvalue = \"b",
            }
        )))
    };
    assert_eq!(with("turn", "review = { always = true }"), Vec::<String>::new());
    assert_eq!(with("turn", "review = { tags = ['refund'] }"), Vec::<String>::new());
    for (review, fault) in [
        ("review = {}", "does not say which verdicts wait"),
        ("review = { below = 1.2 }", "above 0 and at most 1"),
        ("review = { below = 0.0 }", "above 0 and at most 1"),
        ("review = { bellow = 0.5 }", "unknown key `bellow`"),
        ("review = true", "expected"),
    ] {
        let found = with("turn", review);
        assert!(found.iter().any(|f| f.contains(fault)), "{review}: {found:?}");
    }
    let found = with("system", "review = { always = true }");
    assert!(found.iter().any(|f| f.contains("no person decides")), "{found:?}");
}

#[test]
fn require_is_for_span_and_turn_checks() {
    let text = with_head("[[session]]\nid = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nrequire = \"all\"\n");
    assert_eq!(faults(&text), ["7: `require` is for span and turn checks [remove it; a session is one subject]"]);
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nrequire = { at_least = 1.5 }\n"),
        ["7: expected a count (an integer from 0) or a share (a float from 0.0 to 1.0), found floating point `1.5`"]
    );
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nrequire = \"al\"\n"),
        ["7: unknown value `al` [did you mean `all`?]"]
    );
}

#[test]
fn every_value_of_a_wrong_type_is_listed() {
    assert_eq!(
        turn(
            "id = \"a\"\ncheck = \"says\"\nvalues = [\"x\", 1, 2]\nignore_case = \"no\"\ntags = \"t\"\noptional = 1\n"
        ),
        [
            "6: expected a string, found integer `1`",
            "6: expected a string, found integer `2`",
            "7: expected a boolean, found string \"no\"",
            "8: expected a list, found string \"t\"",
            "9: expected a boolean, found integer `1`",
        ]
    );
}

#[test]
fn what_a_rule_objects_to_is_said_at_the_value() {
    assert_eq!(
        turn("id = \"a\"\ncheck = \"within\"\nmax_ms = 3\nmin_ms = 4\n"),
        ["7: `min_ms` is larger than `max_ms`"]
    );
    assert_eq!(turn("id = \"a\"\ncheck = \"says\"\n"), ["3: `says` needs `value` or `values`"]);
}

#[test]
fn a_matchers_problems_point_into_it() {
    let text = with_head(
        "[[span]]\nid = \"a\"\ncheck = \"args\"\nis = { a = { \"$match\" = \"x\" }, b = { \"$matches\" = \"(\" } }\non = 3\n",
    );
    let faults = faults(&text);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].contains("unknown key `$match` [did you mean `$matches`?]"), "{faults:?}");
    assert!(faults[1].contains("bad regular expression"), "{faults:?}");
    assert!(faults[2].starts_with("7: `on` is a table"), "{faults:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_said_at_the_parameter() {
    let text = with_head("[[span]]\nid = \"a\"\ncheck = \"args\"\nschema_file = \"gone.json\"\n");
    assert_eq!(faults(&text), ["6: cannot read `gone.json`: there is no such file"]);
}

#[test]
fn a_selectors_problems_are_said_at_its_keys() {
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\non = { index = 0, nmae = \"x\" }\n"),
        ["7: unknown key `nmae` [did you mean `name`?]"]
    );
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\non = { index = 0 }\n"),
        ["7: there is no turn 0 [turns count from 1; -1 is the last]"]
    );
}

#[test]
fn tools_that_a_selector_names_must_be_known_too() {
    let text =
        with_head("[[span]]\nid = \"a\"\ncheck = \"args\"\ntool = \"t\"\non = { kind = \"tool\", name = \"book\" }\n");
    assert_eq!(suite(&text).checks[0].tool_names, ["t", "book"]);
}

#[test]
fn defaults_are_checked_where_they_are_written() {
    let text = with_head(
        "[defaults.within]\nmax_ms = \"x\"\nseverity = \"warn\"\nmax = 3\n[defaults.wihtin]\nmax_ms = 1\n[[turn]]\nid = \"a\"\ncheck = \"within\"\n[[turn]]\nid = \"b\"\ncheck = \"within\"\n",
    );
    assert_eq!(
        faults(&text),
        [
            "4: expected a whole number, found string \"x\"",
            "5: only a check's own parameters have defaults, not `severity` [`within` takes max_ms, min_ms]",
            "6: unknown key `max` in `within` [did you mean `max_ms`?]",
            "7: unknown check `wihtin` [did you mean `within`?]",
        ]
    );
}

#[test]
fn the_level_of_a_cases_check_is_checked() {
    let check = |level: &str| {
        faults(&with_head(&format!(
            "[[case]]\nid = \"c\"\n[[case.check]]\nid = \"a\"\ncheck = \"says\"\nvalue = \"x\"\n{level}"
        )))
    };
    assert!(check("level = \"turn\"\n").is_empty());
    assert_eq!(check(""), ["5: `level` is missing [add `level = \"span\"`, `\"turn\"` or `\"session\"`]"]);
    assert_eq!(check("level = \"system\"\n"), ["9: a system check looks at all sessions, not at those of one case"]);
    assert_eq!(check("level = \"trun\"\n"), ["9: unknown level `trun` [did you mean `turn`?]"]);
}

#[test]
fn a_check_that_is_about_another_names_one_that_a_run_has() {
    let about = |of: &str| {
        let watched = "[[turn]]\nid = \"later\"\ncheck = \"says\"\nvalue = \"x\"\nruns_in = [\"watch\"]\n";
        let good = "[[turn]]\nid = \"polite\"\ncheck = \"says\"\nvalue = \"x\"\n";
        faults(&with_head(&format!(
            "{watched}{good}[[system]]\nid = \"share\"\ncheck = \"measure\"\nmetric = \"m\"\nof = \"{of}\"\n"
        )))
    };
    assert_eq!(about("polite"), [""; 0]);
    assert_eq!(about("polit"), ["16: there is no check `polit` in this suite [did you mean `polite`?]"]);
    assert_eq!(about("x"), ["16: there is no check `x` in this suite [one of: later, polite]"]);
    assert_eq!(
        about("share"),
        [
            "16: `share` is a system check, which has no verdict of its own per case [`of` is the id of a span, turn or session check]"
        ]
    );
    assert_eq!(about("later"), ["16: `later` does not run in the gate [add \"gate\" to its `runs_in`]"]);
}

#[test]
fn a_place_that_is_unknown_is_not_an_empty_list_of_places() {
    let faults = |places: &str| turn(&format!("id = \"a\"\ncheck = \"says\"\nvalue = \"x\"\nruns_in = [{places}]\n"));
    assert_eq!(faults("\"gates\"").len(), 1);
    assert_eq!(faults("").len(), 1);
    assert_eq!(faults("\"gate\""), [""; 0]);
}

#[test]
fn a_wrong_type_is_listed_beside_a_check_that_nobody_knows() {
    assert_eq!(
        turn(
            "id = \"a\"\ncheck = \"sais\"\nvalue = 1\nseverity = 7\noptional = \"yes\"\non = 3\n[[turn]]\nid = \"b\"\ncheck = \"says\"\nvalue = 1\n"
        ),
        [
            "5: unknown check `sais` [did you mean `says`?]",
            "7: expected a string",
            "8: expected a boolean, found string \"yes\"",
            "9: `on` is a table [such as `on = { kind = \"tool\", name = \"book_*\" }`]",
            "13: expected a string, found integer `1`",
        ]
    );
}

#[test]
fn what_a_rule_objects_to_is_listed_beside_a_wrong_type() {
    assert_eq!(
        turn("id = \"a\"\ncheck = \"says\"\nvalue = \"\"\nignore_case = \"no\"\n"),
        ["6: an empty text is in every text", "7: expected a boolean, found string \"no\""]
    );
    // What only follows from the value that could not be read is not.
    assert_eq!(turn("id = \"a\"\ncheck = \"says\"\nvalue = 1\n"), ["6: expected a string, found integer `1`"]);
    assert_eq!(
        turn("id = \"a\"\ncheck = \"within\"\nmax_ms = \"x\"\nmin_ms = 4\n"),
        ["6: expected a whole number, found string \"x\""]
    );
}

#[test]
fn the_rest_of_a_cases_check_is_looked_at_whatever_its_level() {
    let check = |level: &str| {
        faults(&with_head(&format!(
            "[[case]]\nid = \"c\"\n[[case.check]]\n{level}id = \"a\"\ncheck = \"says\"\nvalue = 1\noptional = 1\n[[case.check]]\n{level}id = \"b\"\ncheck = \"sais\"\n"
        )))
    };
    assert_eq!(
        check("level = \"trun\"\n"),
        [
            "6: unknown level `trun` [did you mean `turn`?]",
            "9: expected a string, found integer `1`",
            "10: expected a boolean, found integer `1`",
            "12: unknown level `trun` [did you mean `turn`?]",
            "14: unknown check `sais` [did you mean `says`?]",
        ]
    );
    assert_eq!(check("").len(), 5);
    assert_eq!(check("level = \"system\"\n").len(), 5);
}
