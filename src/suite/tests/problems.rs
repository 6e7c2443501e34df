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

[agent]
kind = "http"

[[span]]
id = "a"
check = "contians"

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
pass_rate = { min = 1.2, confidence = 0.95 }
max_error_rate = 7.5
baseline = { run = "x" }

[turns]
x = 1
"#;
    insta::assert_snapshot!(Folder::new(&[("bad.toml", text)]).problems(&["bad.toml"]), @"");
}

#[test]
fn every_syntax_error_is_listed_and_does_not_hide_the_rest() {
    let text = "[suite]\nname = \"s\"\ntags = [1, \ntrials = \n[[span]]\nid = x\ncheck = \"agrs\"\n[[span\n";
    insta::assert_snapshot!(Folder::new(&[("s.toml", text)]).problems(&["s.toml"]), @"");
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
            "b.toml:1: `x` stands outside of any table",
            "b.toml:1: there is no [suite] in this file [a suite has a [suite] table; a fragment's first table is [fragment]]",
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
         [[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nvars = { id = 1 }\nreferense = {}\n[[case]]\nuser = [1]\n\
         [case.reference]\nfacts = [\"\", 3, []]\ntools = [{ nam = \"x\" }]\nstate = { a = { \"$matches\" = \"(\" } }\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @"");
}

#[test]
fn a_cases_files_problems_name_its_lines() {
    let toml = "[suite]\nname = \"s\"\ncases = \"c.csv\"\n";
    let csv = "id,weight,wieght\na,1,\nb,heavy,\na,2,\n";
    assert_eq!(
        faults_of(&[("s.toml", toml), ("c.csv", csv)]),
        [
            "c.csv:2: column `wieght` is taken for a variable of templates; did you mean `weight`?",
            "c.csv:3: `weight`: `heavy` is not a number",
            "c.csv:3: column `wieght` is taken for a variable of templates; did you mean `weight`?",
            "c.csv:4: column `wieght` is taken for a variable of templates; did you mean `weight`?",
            "c.csv:4: there is already a case `a`",
        ]
    );
    assert_eq!(faults(toml), ["3: cannot read `c.csv`: there is no such file"]);
    assert_eq!(faults_of(&[("s.toml", toml), ("c.csv", "id\n")]), ["3: `c.csv` holds no case"]);
}

#[test]
fn the_gate_is_checked() {
    let text = with_head(
        "trials = 2\n[gate]\nmax_left_out = -1\nmax_skip_rate = \"some\"\nreliability = { k = 0, min = -0.1 }\n[[gate.group]]\ntag = \"a\"\n[[gate.group]]\ntag = \"a\"\npass_rate = { min = 2, confidence = 0.9 }\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @"");
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
fn what_the_language_knows_and_this_version_does_not_is_told_from_a_typo() {
    let text = with_head(
        "[judge.default]\n[redact]\n[watch]\n[[alert]]\n[[turn]]\nid = \"a\"\ncheck = \"ttft\"\n[[turn]]\nid = \"b\"\ncheck = \"tfft\"\n[defaults.judge]\nvotes = 3\n",
    );
    insta::assert_snapshot!(faults(&text).join("\n"), @"");
}
