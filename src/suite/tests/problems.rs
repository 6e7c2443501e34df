//! Bad suites: everything that is wrong is listed, each where it is.

use super::*;

#[test]
fn every_problem_of_a_bad_suite_is_listed_where_it_is() {
    let text = r#"
[suite]
name = "bad"
pass_rate = { min = 0.9 }
trials = "four"

[recorded]
path = ["x"]
format = "tau_bench"
max_age = "1 fortnight"

[watch]
every = "7m"

[[span]]
id = "a"
check = "sasy"

[[span]]
id = "a"
check = "within"
max_ms = 5

[[turn]]
id = "b"
check = "within"
max_ms = "fast"
min_ms = -1
severity = "blocker"

[[turn]]
id = "c"
check = "says"
valu = "x"
max_ms = 3

[[session]]
check = "says"
value = ""
require = "any"

[[session]]
id = "e"
check = "judge"
rubric = "polite"

[[session]]
id = "f"
check = "says"
review = { below = 0.8 }

[gate]
pass_rate = { min = 1.2, confidence = 1.0 }
max_error_rate = 7.5
baseline = { run = "x", margin = 2, alpha = 0, marign = 1 }

[turns]
x = 1
"#;
    insta::assert_snapshot!(Folder::new(&[("bad.toml", text)]).problems(&["bad.toml"]), @r#"
    error: unknown key `pass_rate`
     --> bad.toml:4:1
      |
    4 | pass_rate = { min = 0.9 }
      | ^^^^^^^^^
      |
      = help: `pass_rate` belongs in [gate]

    error: expected a whole number, found string "four"
     --> bad.toml:5:10
      |
    5 | trials = "four"
      |          ^^^^^^

    error: unknown key `path`
     --> bad.toml:8:1
      |
    8 | path = ["x"]
      | ^^^^
      |
      = help: did you mean `paths`?

    error: unknown format `tau_bench`
     --> bad.toml:9:10
      |
    9 | format = "tau_bench"
      |          ^^^^^^^^^^^
      |
      = help: did you mean `tau-bench`?

    error: `1 fortnight` is not a duration
      --> bad.toml:10:11
       |
    10 | max_age = "1 fortnight"
       |           ^^^^^^^^^^^^^
       |
       = help: write it as `"30s"`, `"15m"`, `"24h"` or `"7d"`

    error: `every` divides a day: so many windows make one
      --> bad.toml:13:9
       |
    13 | every = "7m"
       |         ^^^^
       |
       = help: such as `"5m"` or `"1h"`

    error: unknown check `sasy`
      --> bad.toml:17:9
       |
    17 | check = "sasy"
       |         ^^^^^^
       |
       = help: did you mean `says`?

    error: `a` is already the id of another check
      --> bad.toml:20:6
       |
    20 | id = "a"
       |      ^^^
       |
       = help: the first is at bad.toml:16

    error: `within` is not a span check
      --> bad.toml:21:9
       |
    21 | check = "within"
       |         ^^^^^^^^
       |
       = help: it works at: turn, session

    error: expected a whole number, found string "fast"
      --> bad.toml:27:10
       |
    27 | max_ms = "fast"
       |          ^^^^^^

    error: expected a whole number, found integer `-1`
      --> bad.toml:28:10
       |
    28 | min_ms = -1
       |          ^^

    error: unknown value `blocker`
      --> bad.toml:29:12
       |
    29 | severity = "blocker"
       |            ^^^^^^^^^
       |
       = help: did you mean `block`?

    error: unknown key `valu` in `says`
      --> bad.toml:34:1
       |
    34 | valu = "x"
       | ^^^^
       |
       = help: did you mean `value`?

    error: unknown key `max_ms` in `says`
      --> bad.toml:35:1
       |
    35 | max_ms = 3
       | ^^^^^^
       |
       = help: it is a parameter of within; `says` takes value, values, ignore_case

    error: `id` is missing
      --> bad.toml:37:1
       |
    37 | [[session]]
       | ^^^^^^^^^^^
       |
       = help: add `id = "..."`

    error: an empty text is in every text
      --> bad.toml:39:9
       |
    39 | value = ""
       |         ^^

    error: `require` is for span and turn checks
      --> bad.toml:40:1
       |
    40 | require = "any"
       | ^^^^^^^
       |
       = help: remove it; a session is one subject

    error: unknown check `judge`
      --> bad.toml:44:9
       |
    44 | check = "judge"
       |         ^^^^^^^
       |
       = help: one of: says, within, args, measure

    error: `says` needs `value` or `values`
      --> bad.toml:47:1
       |
    47 | [[session]]
       | ^^^^^^^^^^^

    error: `min` is a share, from 0.0 to 1.0
      --> bad.toml:53:21
       |
    53 | pass_rate = { min = 1.2, confidence = 1.0 }
       |                     ^^^

    error: `confidence` is a share from 0.5 to below 1.0
      --> bad.toml:53:39
       |
    53 | pass_rate = { min = 1.2, confidence = 1.0 }
       |                                       ^^^
       |
       = help: 0.95 is usual: one gate in twenty passes an agent that is only just not good enough

    error: expected a count (an integer from 0) or a share (a float from 0.0 to 1.0), found floating point `7.5`
      --> bad.toml:54:18
       |
    54 | max_error_rate = 7.5
       |                  ^^^

    error: `margin` is a share above 0.0 and below 1.0
      --> bad.toml:55:34
       |
    55 | baseline = { run = "x", margin = 2, alpha = 0, marign = 1 }
       |                                  ^
       |
       = help: 0.05 lets the share of passing cases be lower by 5 of 100

    error: `alpha` is a chance above 0.0 and below 0.5
      --> bad.toml:55:45
       |
    55 | baseline = { run = "x", margin = 2, alpha = 0, marign = 1 }
       |                                             ^
       |
       = help: 0.05 is usual: one run in twenty that is worse by the margin passes

    error: unknown key `marign`
      --> bad.toml:55:48
       |
    55 | baseline = { run = "x", margin = 2, alpha = 0, marign = 1 }
       |                                                ^^^^^^
       |
       = help: did you mean `margin`?

    error: unknown table `turns`
      --> bad.toml:57:2
       |
    57 | [turns]
       |  ^^^^^
       |
       = help: did you mean `turn`?
    "#);
}

#[test]
fn every_syntax_error_is_listed_and_does_not_hide_the_rest() {
    let text = "[suite]\nname = \"s\"\ntags = [1]\ntrials = \n[[span]]\nid = x\ncheck = \"agrs\"\n[[span\n";
    insta::assert_snapshot!(Folder::new(&[("s.toml", text)]).problems(&["s.toml"]), @r#"
    error: expected a string, found integer `1`
     --> s.toml:3:9
      |
    3 | tags = [1]
      |         ^

    error: string values must be quoted, expected literal string
     --> s.toml:4:10
      |
    4 | trials = 
      |          ^

    error: string values must be quoted, expected literal string
     --> s.toml:6:6
      |
    6 | id = x
      |      ^

    error: unknown check `agrs`
     --> s.toml:7:9
      |
    7 | check = "agrs"
      |         ^^^^^^
      |
      = help: did you mean `args`?

    error: unclosed array table, expected `]]`
     --> s.toml:8:7
      |
    8 | [[span
      |       ^
    "#);
}

#[test]
fn all_files_are_reported_at_once() {
    let files = [
        ("a.toml", "[suite]\nname = \"\"\n"),
        ("b.toml", "x = 1\n"),
        ("c.toml", "[suite]\nname = \"same\"\n"),
        ("d/d.toml", "[suite]\nname = \"same\"\n"),
        ("e.toml", ""),
    ];
    assert_eq!(
        faults_of(&files),
        [
            "a.toml:2: the suite's name cannot be used: it is empty",
            "b.toml:1: there is no [suite] in this file [a suite has a [suite] table; a fragment's first table is [fragment]]",
            "b.toml:1: `x` stands outside of any table",
            "d/d.toml:2: there is already a suite called `same` [the first is at c.toml:2]",
            "e.toml:1: there is no [suite] in this file [a suite has a [suite] table; a fragment's first table is [fragment]]",
        ]
    );
}

#[test]
fn no_suite_at_all_is_an_error() {
    let folder = Folder::new(&[("f.toml", "[fragment]\n"), ("x/notes.txt", "")]);
    let described = |name: &str| described(&folder, &folder.load(&[name]).err().unwrap()).join("\n");
    assert!(
        described("x").ends_with("no suite here [a suite is a .toml file with a [suite] table]"),
        "{}",
        described("x")
    );
    assert!(described(".").ends_with("no suite here [only fragments were found]"), "{}", described("."));
    assert!(described("gone").ends_with("there is no such file or folder"), "{}", described("gone"));
    assert!(folder.load(&[]).is_err());
}

#[test]
fn bytes_that_are_no_text_are_a_problem_of_the_file() {
    let folder = Folder::new(&[("s.toml", "")]);
    std::fs::write(folder.path("s.toml"), b"[suite]\nname = \"\xff\"\n").unwrap();
    let problems = folder.load(&["s.toml"]).err().unwrap();
    assert_eq!(described(&folder, &problems), [": cannot be read: not UTF-8 at byte 16"]);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_in_a_circle_is_named_and_ends() {
    let folder = Folder::new(&[("x/s.toml", &with_head(""))]);
    std::os::unix::fs::symlink(folder.path("x"), folder.path("x/again")).unwrap();
    let problems = folder.load(&["x"]).err().unwrap();
    assert_eq!(described(&folder, &problems), ["x/again:: a symbolic link that leads back to a folder above it"]);
}

#[test]
fn nesting_is_bounded() {
    let depth = 100_000;
    for text in [
        format!("x = {}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("x = {}1{}", "{a=".repeat(depth), "}".repeat(depth)),
        format!("{}a = 1", "a.".repeat(depth)),
        format!("[{}a]", "a.".repeat(depth)),
        format!("x = {}", "[".repeat(depth)),
    ] {
        assert!(!faults(&with_head(&format!("[[span]]\n{text}\n"))).is_empty());
    }
}

#[test]
fn a_key_in_the_wrong_table_is_sent_where_it_belongs() {
    let text =
        with_head("paths = [\"x\"]\nagent = \"a\"\n[gate]\ntrials = 3\n[subject]\nagent = \"x\"\nversoin = \"1\"\n");
    assert_eq!(
        faults(&text),
        [
            "3: unknown key `paths` [`paths` belongs in [recorded]]",
            "4: unknown key `agent` [`agent` belongs in [subject]]",
            "6: unknown key `trials` [`trials` belongs in [suite]]",
            "9: unknown key `versoin` [did you mean `version`?]",
        ]
    );
}

#[test]
fn tables_of_the_wrong_kind_say_how_they_are_written() {
    let text = "[[suite]]\nname = \"s\"\n[span]\nid = \"x\"\n[[gate]]\nk = 1\n";
    assert_eq!(
        faults(text),
        ["1: `suite` is written [suite]", "3: `span` is written [[span]]", "5: `gate` is written [gate]"]
    );
}

#[test]
fn cases_are_checked() {
    let text = with_head(
        "[[case]]\nid = \"a\"\nuser = [\"x\"]\nskip = \" \"\nweight = 0\nexpected_fail = { until = \"31.1.2027\", reason = \"\" }\nturn = [{ user = \"y\" }]\n\
         [[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nvars = { n = 1 }\nreferense = {}\n[[case]]\nuser = [1]\n\
         [case.reference]\nfacts = [\"\", 3, []]\ntools = [{ nam = \"x\" }]\nstate = { a = { \"$matches\" = \"(\" } }\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @r#"
    5: a case has `user` or `turn`, not both [put `user` into each [[case.turn]]]
    6: `skip` needs a reason
    7: `weight` is a number above 0 [to leave a case out, write `skip = "reason"`]
    8: `31.1.2027` is not a date [write it as `2027-01-31`]
    8: `expected_fail` needs a reason
    11: there is already a case `a` [the first is at s.toml:4]
    15: unknown key `referense` [did you mean `reference`?]
    16: `id` is missing [add `id = ...`]
    17: expected a string, found integer `1`
    19: an empty fact is stated by every answer
    19: expected a fact (a string, a matcher, or a list of alternatives), found integer `3`
    19: a fact needs at least one alternative
    20: unknown key `nam` [did you mean `name`?]
    21: bad regular expression: unclosed group
    "#);
}

#[test]
fn a_path_into_the_state_that_is_none_is_refused() {
    let text = with_head("[[case]]\nid = \"a\"\n[case.reference]\nstate = { \"$.a[\" = 1, \"\" = 2 }\n");
    let faults = faults(&text);
    assert!(faults[0].starts_with("6: `$.a[` is not a path: "), "{faults:?}");
}

#[test]
fn a_variable_cannot_take_the_name_of_what_every_case_has() {
    let text = with_head("[[case]]\nid = \"a\"\nvars = { reference = 1 }\n");
    assert_eq!(faults(&text), ["5: `case.reference` already means something [choose another name]"]);
}

#[test]
fn a_cases_files_problems_name_its_lines() {
    let toml = "[suite]\nname = \"s\"\ncases = \"c.csv\"\n";
    let csv = "id,weight,wieght\na,1,\nb,heavy,\na,2,\n";
    assert_eq!(
        faults_of(&[("s.toml", toml), ("c.csv", csv)]),
        [
            "c.csv:1: `wieght` is taken for a variable of templates; did you mean `weight`?",
            "c.csv:3: `weight`: `heavy` is not a number",
            "c.csv:4: there is already a case `a`",
        ]
    );
    assert_eq!(faults(toml), ["3: cannot read `c.csv`: there is no such file"]);
    assert_eq!(faults_of(&[("s.toml", toml), ("c.csv", "id\n")]), ["3: `c.csv` holds no case"]);
}

#[test]
fn the_gate_is_checked() {
    let text = with_head(
        "trials = 2\n[gate]\nmax_left_out = -1\nmax_skip_rate = \"some\"\nreliability = { k = 0, min = -0.1 }\n[[gate.group]]\ntag = \"a\"\n[[gate.group]]\ntag = \"a\"\npass_rate = { min = 2, confidence = 0.3 }\nmargin = 1.5\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @r#"
    5: expected a count (an integer from 0) or a share (a float from 0.0 to 1.0), found integer `-1`
    6: expected a count (an integer from 0) or a share (a float from 0.0 to 1.0), found string "some"
    7: `k` is at least 1
    7: `min` is a share, from 0.0 to 1.0
    9: a group needs a bar [add `pass_rate`, `reliability` or `margin`]
    11: there is already a group for the tag `a`
    12: `min` is a share, from 0.0 to 1.0
    12: `confidence` is a share from 0.5 to below 1.0 [0.95 is usual: one gate in twenty passes an agent that is only just not good enough]
    13: `margin` is a share above 0.0 and below 1.0
    "#);
}

#[test]
fn more_trials_asked_of_the_gate_than_of_the_cases_is_a_warning() {
    let folder = Folder::new(&[("s.toml", "[suite]\nname = \"s\"\ntrials = 2\n[gate]\nreliability = { k = 3 }\n")]);
    let loaded = folder.load(&["s.toml"]).ok().unwrap();
    assert_eq!(
        described(&folder, &loaded.warnings),
        ["5: every case is an error: `k` is 3, but only 2 trials are wanted [raise `trials` in [suite] or lower `k`]"]
    );
}

#[test]
fn what_belongs_elsewhere_is_told_from_a_typo() {
    let text = with_head(
        "[judge.default]\n[watch]\n[[alert]]\n[[turn]]\nid = \"a\"\ncheck = \"judge\"\n[[turn]]\nid = \"b\"\ncheck = \"tfft\"\n[defaults.judge]\nvotes = 3\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @r#"
    3: [judge] is of the settings [write it in seatrial.toml]
    5: `name` is missing [add `name = ...`]
    8: unknown check `judge` [one of: says, within, args, measure]
    11: unknown check `tfft` [one of: says, within, args, measure]
    12: unknown check `judge` [one of: says, within, args, measure]
    "#);
}

#[test]
fn what_a_broken_header_leaves_behind_is_not_an_unknown_table() {
    let text = "[suite]\nname = \"s\"\n[[turn\nid = \"a\"\ncheck = \"says\"\nvalue = \"b\"\n[sute]\nx = 1\n";
    let faults = faults(text);
    assert!(faults.iter().any(|f| f.starts_with("3: ") && f.contains("unclosed")), "{faults:?}");
    assert!(!faults.iter().any(|f| f.contains("`value`") || f.contains("`check`")), "{faults:?}");
    assert!(faults.iter().any(|f| f.contains("unknown table `sute`")), "{faults:?}");
}
