//! Templates in checks: tried at load where they can be, rendered per subject otherwise.

use serde_json::{Value, json};

use super::*;
use crate::checks::context::json_value;
use crate::suite::Program;
use crate::suite::template::On;

fn span(rest: &str) -> String {
    with_head(&format!(
        "[[case]]\nid = \"one\"\n[case.vars]\nn = 3\ntext = \"x\"\n[[case]]\nid = \"two\"\nvars = {{ n = 4 }}\n[[span]]\nid = \"a\"\n{rest}"
    ))
}

fn turn(rest: &str) -> String {
    span(rest).replace("[[span]]", "[[turn]]")
}

fn resolve(suite: &Suite, context: Value) -> Result<(), String> {
    match &suite.checks[0].program {
        Program::Templated(templated) => templated.resolve(&json_value(&context)).map(|_| ()),
        Program::Fixed(_) => panic!("there is a template"),
    }
}

#[test]
fn a_template_is_compiled_per_distinct_rendering() {
    let suite = suite(&turn("check = \"within\"\nmax_ms = \"{{ case.n * 100 }}\"\n"));
    let Program::Templated(templated) = &suite.checks[0].program else { panic!("there is a template") };
    let get = |n: i64| templated.resolve(&json_value(&json!({"case": {"n": n}}))).ok().unwrap();
    assert!(std::sync::Arc::ptr_eq(&get(1), &get(1)));
    assert!(!std::sync::Arc::ptr_eq(&get(1), &get(2)));
}

#[test]
fn a_rendering_that_does_not_compile_says_why() {
    let suite = suite(&span("check = \"says\"\nvalue = \"{{ span.text }}\"\n"));
    assert_eq!(resolve(&suite, json!({"span": {"text": "fine"}})), Ok(()));
    assert_eq!(resolve(&suite, json!({"span": {"text": ""}})).unwrap_err(), "`value`: an empty text is in every text");
    let why = resolve(&suite, json!({"span": {}})).unwrap_err();
    assert_eq!(why, "`value` = \"{{ span.text }}\": undefined value: there is no `text`");
    let why = resolve(&suite, json!({"span": {"text": 3}})).unwrap_err();
    assert_eq!(why, "expected a string, found integer `3`");
}

#[test]
fn templates_inside_matchers_and_selectors_are_found() {
    let text = span(
        "check = \"args\"\nis = { a = [{ \"$one_of\" = [\"{{ span.x }}\"] }] }\non = { name = \"{{ session.tool }}\" }\n",
    );
    let suite = suite(&text);
    assert_eq!(resolve(&suite, json!({"span": {"x": 1}})), Ok(()));
    assert!(matches!(suite.checks[0].on, On::Templated(_)));
    let session = |value| json_value(&json!({"session": value}));
    assert!(suite.checks[0].on.resolve(|| session(json!({"tool": "t"}))).is_ok());
    let why = suite.checks[0].on.resolve(|| session(json!({}))).err().unwrap();
    assert_eq!(why, "`on`: `name` = \"{{ session.tool }}\": undefined value: there is no `tool`");
}

#[test]
fn syntax_errors_and_unknown_names_point_at_the_template() {
    let text = with_head(
        "[[session]]\nid = \"a\"\ncheck = \"says\"\nvalues = [\"{{ case. }}\", \"{{ cas.id }}\", \"{{ turn.reply }}\", \"{{ env.HOME }}\"]\n\
         [[system]]\nid = \"b\"\ncheck = \"measure\"\nmetric = \"{{ case.id }}\"\n\
         [[span]]\nid = \"{{ case.id }}\"\ncheck = \"says\"\nvalue = \"{% raw %}{{ x }}{% endraw %}\"\n",
    );
    insta::assert_snapshot!(Folder::new(&[("s.toml", &text)]).problems(&["s.toml"]), @r#"
    error: bad template: syntax error: unexpected end of variable block, expected identifier or integer
     --> s.toml:6:21
      |
    6 | values = ["{{ case. }}", "{{ cas.id }}", "{{ turn.reply }}", "{{ env.HOME }}"]
      |                     ^^
      |
      = help: to write braces literally, put them between {% raw %} and {% endraw %}

    error: unknown name `cas` in a template
     --> s.toml:6:26
      |
    6 | values = ["{{ case. }}", "{{ cas.id }}", "{{ turn.reply }}", "{{ env.HOME }}"]
      |                          ^^^^^^^^^^^^^^
      |
      = help: did you mean `case`?

    error: `turn` is not known here
     --> s.toml:6:42
      |
    6 | values = ["{{ case. }}", "{{ cas.id }}", "{{ turn.reply }}", "{{ env.HOME }}"]
      |                                          ^^^^^^^^^^^^^^^^^^
      |
      = help: a template starts from one of: case, session

    error: environment variables cannot be used here
     --> s.toml:6:62
      |
    6 | values = ["{{ case. }}", "{{ cas.id }}", "{{ turn.reply }}", "{{ env.HOME }}"]
      |                                                              ^^^^^^^^^^^^^^^^
      |
      = help: `{{ env.NAME }}` may be used in paths only: [recorded] paths, cases, extends, schema_file

    error: a system check has no case or session to fill templates from
      --> s.toml:10:10
       |
    10 | metric = "{{ case.id }}"
       |          ^^^^^^^^^^^^^^^
       |
       = help: to write braces literally, put them between {% raw %} and {% endraw %}

    error: an id is never a template
      --> s.toml:12:6
       |
    12 | id = "{{ case.id }}"
       |      ^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn raw_text_is_a_literal_at_every_level() {
    let text = with_head(
        "[[system]]\nid = \"a\"\ncheck = \"measure\"\nmetric = \"{% raw %}{{ x }}{% endraw %}\"\n\
         [[turn]]\nid = \"b\"\ncheck = \"says\"\nvalues = [\"{% raw %}{{ x }}{% endraw %}\"]\n",
    );
    let suite = suite(&text);
    assert!(suite.checks.iter().all(|c| matches!(c.program, Program::Fixed(_))));
}

#[test]
fn literal_keys_beside_a_template_are_still_checked() {
    let text = turn("check = \"within\"\nmax_ms = \"{{ turn.limit }}\"\nmin_ms = \"soon\"\n");
    assert_eq!(faults(&text), ["15: expected a whole number, found string \"soon\""]);
}

#[test]
fn templates_over_the_case_are_tried_with_every_case() {
    let text = turn("check = \"says\"\nvalue = \"{{ case.text }}\"\n");
    assert_eq!(faults(&text), ["14: undefined value: there is no `text` (for case `two`)"]);
    let text = turn("check = \"says\"\nvalue = \"so {{ case.text }}\"\n");
    assert_eq!(faults(&text), ["14: undefined value: there is no `text` (for case `two`)"]);
    let text = turn("check = \"within\"\nmax_ms = 3\nmin_ms = \"{{ case.n }}\"\n");
    assert_eq!(faults(&text), ["15: `min_ms` is larger than `max_ms` (for case `two`)"]);
    let text = turn("check = \"within\"\nmax_ms = \"{{ case.id }}\"\n");
    assert_eq!(
        faults(&text),
        [
            "14: expected a whole number, found string \"one\" (for case `one`)",
            "14: expected a whole number, found string \"two\" (for case `two`)",
        ]
    );
    let text = turn("check = \"says\"\nvalue = \"{{ case.nope }}\"\n");
    assert_eq!(faults(&text), ["14: undefined value: there is no `nope` (for case `one` and one more)"]);
}

#[test]
fn only_cases_that_the_check_looks_at_are_tried() {
    let check = |on: &str| turn(&format!("check = \"says\"\nvalue = \"{{{{ case.text }}}}\"\non = {on}\n"));
    assert!(faults(&check("{ case = \"o*\" }")).is_empty());
    assert!(faults(&check("{ tags = \"x\" }")).is_empty());
    assert!(faults(&check("{ case = \"{{ session.case }}\" }")).is_empty());
    assert_eq!(faults(&check("{ case = \"t*\" }")), ["14: undefined value: there is no `text` (for case `two`)"]);
}

#[test]
fn a_cases_own_check_is_tried_with_that_case_only() {
    let rest = "[[case]]\nid = \"one\"\nvars = { x = \"v\" }\n[[case.check]]\nlevel = \"turn\"\nid = \"a\"\ncheck = \"says\"\nvalue = \"{{ case.x }}\"\n[[case]]\nid = \"two\"\n";
    assert_eq!(suite(&with_head(rest)).checks.len(), 1);
}

#[test]
fn a_reference_that_a_recording_may_carry_is_left_to_the_run() {
    let rest =
        "[[case]]\nid = \"one\"\n[[turn]]\nid = \"a\"\ncheck = \"says\"\nvalue = \"{{ case.reference.answer }}\"\n";
    let suite = suite(&with_head(rest));
    assert!(resolve(&suite, json!({"case": {"reference": {}}})).is_err());
    assert_eq!(resolve(&suite, json!({"case": {"reference": {"answer": "y"}}})), Ok(()));
}

#[test]
fn the_tools_of_a_template_are_those_of_every_case() {
    let suite = suite(&span("check = \"args\"\ntool = \"t{{ case.n }}\"\n"));
    assert_eq!(suite.checks[0].tool_names, ["t3", "t4"]);
}

#[test]
fn the_environment_is_for_paths_only() {
    let file = span("check = \"args\"\nschema_file = \"{{ env.SEA }}/x.json\"\n");
    let suite = suite_of(&[("s.toml", &file), ("deep/x.json", "{}")]);
    assert!(suite.files.keys().any(|n| n == "{{ env.SEA }}/x.json"), "{:?}", suite.files);
    let unset = span("check = \"args\"\nschema_file = \"{{ env.LAND }}/x.json\"\n");
    assert_eq!(
        faults(&unset),
        ["14: the environment variable `LAND` is not set [set LAND, or write the path without it]"]
    );
    let case = span("check = \"args\"\nschema_file = \"{{ case.n }}.json\"\n");
    assert_eq!(
        faults(&case),
        [
            "14: `case` cannot be used in a path [a path is the same for every case; only `{{ env.NAME }}` may be used in it]"
        ]
    );
}
