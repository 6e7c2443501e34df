//! Fragments: what is inherited, replaced and refused.

use super::*;

const COMMON: &str = "[fragment]\n[defaults.within]\nmax_ms = 7\n[gate]\npass_rate = { min = 0.5 }\nmax_left_out = 2\n[[gate.group]]\ntag = \"a\"\npass_rate = { min = 0.5 }\n[[span]]\nid = \"one\"\ncheck = \"args\"\n[[turn]]\nid = \"two\"\ncheck = \"within\"\n";

fn head(extends: &str, rest: &str) -> String {
    format!("[suite]\nname = \"s\"\nextends = [{extends}]\n{rest}")
}

#[test]
fn checks_defaults_and_gate_are_inherited_key_by_key() {
    let rest = "[[turn]]\nid = \"three\"\ncheck = \"within\"\n[gate]\nmax_left_out = 5\n[[gate.group]]\ntag = \"b\"\npass_rate = { min = 1.0 }\n[[gate.group]]\ntag = \"a\"\npass_rate = { min = 0.9 }\n";
    let suite = suite_of(&[("c/common.toml", COMMON), ("s.toml", &head("\"c/common.toml\"", rest))]);
    let ids: Vec<_> = suite.checks.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["one", "two", "three"]);
    assert_eq!(suite.gate.pass_rate.min, 0.5);
    assert_eq!(suite.gate.max_left_out, crate::suite::Limit::Count(5));
    let groups: Vec<_> = suite.gate.groups.iter().map(|g| (g.tag.as_str(), g.pass_rate.unwrap().min)).collect();
    assert_eq!(groups, [("a", 0.9), ("b", 1.0)]);
}

#[test]
fn an_override_takes_the_place_of_the_inherited_check() {
    let rest = "[[turn]]\nid = \"one\"\noverride = true\ncheck = \"says\"\nvalue = \"x\"\n";
    let suite = suite_of(&[("common.toml", COMMON), ("s.toml", &head("\"common.toml\"", rest))]);
    let rules: Vec<_> = suite.checks.iter().map(|c| (c.id.as_str(), c.rule)).collect();
    assert_eq!(rules, [("one", "says"), ("two", "within")]);
}

#[test]
fn replacing_without_override_and_overriding_nothing_are_errors() {
    let rest = "[[span]]\nid = \"one\"\ncheck = \"args\"\n[[span]]\nid = \"twoo\"\noverride = true\ncheck = \"args\"\n[[case]]\nid = \"c\"\n[[case.check]]\nid = \"two\"\nlevel = \"turn\"\ncheck = \"says\"\nvalue = \"x\"\n";
    assert_eq!(
        faults_of(&[("common.toml", COMMON), ("s.toml", &head("\"common.toml\"", rest))]),
        [
            "5: `one` is already the id of an inherited check [to replace the check at common.toml:11, add `override = true`]",
            "9: there is no inherited check `twoo` to override [did you mean `two`?]",
            "14: a case's check cannot replace the inherited check `two` [choose another id; the inherited check is at common.toml:14]",
        ]
    );
}

#[test]
fn a_fragment_reached_twice_counts_once() {
    let files = [
        ("base.toml", "[fragment]\n[[span]]\nid = \"base\"\ncheck = \"args\"\n"),
        ("a.toml", "[fragment]\nextends = [\"base.toml\"]\n"),
        (
            "b.toml",
            "[fragment]\nextends = [\"base.toml\"]\n[[span]]\nid = \"base\"\noverride = true\ncheck = \"args\"\ntool = \"b\"\n",
        ),
        ("s.toml", &head("\"a.toml\", \"b.toml\"", "")),
    ];
    let suite = suite_of(&files);
    assert_eq!(suite.checks.len(), 1);
    assert_eq!(suite.checks[0].tool_names, ["b"]);
}

#[test]
fn circles_and_dangling_fragments_are_named_with_their_chain() {
    let files = [
        ("a.toml", "[fragment]\nextends = [\"b.toml\"]\n"),
        ("b.toml", "[fragment]\nextends = [\"a.toml\", \"gone.toml\"]\n"),
        ("s.toml", &head("\"a.toml\", \"t.toml\"", "")),
        ("t.toml", "[suite]\nname = \"t\"\n"),
    ];
    assert_eq!(
        faults_of(&files),
        [
            "b.toml:2: `extends` goes in a circle: `a.toml` extends `b.toml` extends `a.toml`",
            "b.toml:2: cannot extend `gone.toml`: there is no such file",
            "3: `t.toml` is not a fragment [what several suites share goes into a file whose first table is [fragment]]",
        ]
    );
}

#[test]
fn a_misspelled_fragment_is_told_the_one_beside_it() {
    let files = [("common.toml", "[fragment]\n"), ("s.toml", &*head("\"comon.toml\"", ""))];
    assert_eq!(
        faults_of(&files),
        ["3: cannot extend `comon.toml`: there is no such file [did you mean `common.toml`?]"]
    );
}

#[test]
fn a_suite_or_fragment_that_extends_itself_is_a_circle() {
    let text = "[fragment]\nextends = [\"a.toml\"]\n";
    let faults = faults_of(&[("a.toml", text), ("s.toml", &head("\"a.toml\"", ""))]);
    assert_eq!(faults, ["a.toml:2: `extends` goes in a circle: `a.toml` extends `a.toml`"]);
}

#[test]
fn what_belongs_in_a_suite_is_refused_in_a_fragment() {
    let text = "[fragment]\n[[case]]\nid = \"x\"\n[recorded]\npaths = []\n";
    assert_eq!(
        faults_of(&[("a.toml", text), ("s.toml", &head("\"a.toml\"", ""))]),
        [
            "a.toml:2: `case` belongs in a suite, not in a fragment",
            "a.toml:4: `recorded` belongs in a suite, not in a fragment",
        ]
    );
}

#[test]
fn a_fragments_problems_are_reported_once_however_many_suites_extend_it() {
    let files = [
        ("a.toml", "[fragment]\n[[span]]\nid = \"x\"\ncheck = \"arg\"\n"),
        ("s.toml", &head("\"a.toml\"", "")),
        ("t.toml", "[suite]\nname = \"t\"\nextends = [\"a.toml\"]\n"),
    ];
    assert_eq!(faults_of(&files), ["a.toml:4: unknown check `arg` [did you mean `args`?]"]);
}

#[test]
fn a_fragment_named_by_its_path_is_not_a_suite() {
    let folder = Folder::new(&[("f.toml", "[fragment]\n")]);
    let problems = folder.load(&["f.toml"]).err().unwrap();
    assert_eq!(
        described(&folder, &problems),
        ["f.toml:1: a fragment is not a suite [run the suites that extend it, or the folder they are in]"]
    );
}

#[test]
fn files_resolve_against_the_file_they_are_written_in() {
    let fragment = "[fragment]\n[defaults.args]\nschema_file = \"d.json\"\n[[span]]\nid = \"own\"\ncheck = \"args\"\nschema_file = \"o.json\"\n";
    let suite = suite_of(&[
        ("common/f.toml", fragment),
        ("common/d.json", "{}"),
        ("common/o.json", "{}"),
        ("suites/s.toml", &head("\"../common/f.toml\"", "[[span]]\nid = \"here\"\ncheck = \"args\"\n")),
    ]);
    let names: Vec<_> = suite.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["../common/d.json", "../common/f.toml", "../common/o.json", "s.toml"]);
}
