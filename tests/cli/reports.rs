//! JUnit, JSON and the terminal: they agree with the exit code and nothing in a session can break out of them.

use std::collections::HashSet;

use crate::project::{GOOD, Project, replies, trial};

/// What a test case ended as and its message; `None` where it passed.
type Outcome = Option<(String, String)>;

/// Test cases of a JUnit report: class, name, and the tag of the outcome with its message.
fn cases(xml: &str) -> Vec<(String, String, Outcome)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found: Vec<(String, String, Outcome)> = Vec::new();
    let attribute = |tag: &quick_xml::events::BytesStart<'_>, name: &str| {
        let found = tag.attributes().filter_map(Result::ok).find(|a| a.key.as_ref() == name);
        found.map(|a| quick_xml::escape::unescape(&a.value).expect("escaped").into_owned())
    };
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "testcase" => found.push((
                    attribute(&tag, "classname").expect("a class"),
                    attribute(&tag, "name").expect("a name"),
                    None,
                )),
                kind @ ("failure" | "error" | "skipped") => {
                    let kind = kind.to_owned();
                    let message = attribute(&tag, "message").unwrap_or_default();
                    found.last_mut().expect("inside a test case").2 = Some((kind, message));
                }
                _ => {}
            },
            Event::Eof => return found,
            _ => {}
        }
    }
}

fn outcome<'c>(cases: &'c [(String, String, Outcome)], name: &str) -> &'c Outcome {
    &cases.iter().find(|c| c.1 == name).unwrap_or_else(|| panic!("no test case {name} in {cases:#?}")).2
}

#[test]
fn junit_has_a_test_case_per_check_and_trial_and_one_per_gate_rule() {
    let project = Project::with(GOOD, &[&trial("a", 0, "good"), &trial("a", 1, "bad")]);
    project.run().code(1);
    let cases = cases(&project.report("junit.xml"));
    assert_eq!(*outcome(&cases, "good [a #0]"), None);
    let (kind, message) = outcome(&cases, "good [a #1]").as_ref().expect("a failure");
    assert_eq!(kind, "failure");
    assert!(message.contains("good"), "{message}");
    assert!(cases.iter().any(|c| c.0 == "s.session"));
    assert_eq!(outcome(&cases, "pass_rate").as_ref().expect("a failure").0, "failure");
    assert!(cases.iter().any(|c| c.0 == "s.gate"));
}

#[test]
fn an_error_of_the_check_itself_stands_in_junit_and_terminal_also_when_the_check_is_optional_or_idle() {
    let never = "[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"delete_acount\"\nmax = 0\noptional = true\n";
    let idle = "[[span]]\nid = \"idle\"\non = { kind = \"tool\", name = \"delete_acount\" }\ncheck = \"status\"\noptional = true\n";
    let calls = r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"delete_account","input":{}}],"reply":"good"}]}"#;
    let project = Project::with(&format!("{GOOD}{never}{idle}"), &[calls]);
    project.run().code(4).says("did you mean `delete_account`?").says("error never").says("error idle");
    let cases = cases(&project.report("junit.xml"));
    for name in ["never", "idle", "tool names of never", "tool names of idle"] {
        let (kind, message) = outcome(&cases, name).as_ref().expect("an error");
        assert_eq!(kind, "error");
        assert!(message.contains("delete_acount"), "{message}");
    }
    assert_eq!(*outcome(&cases, "never [a #a]"), None);
}

#[test]
fn a_tool_that_reads_only_junit_agrees_with_the_exit_code() {
    let tolerant = format!("{GOOD}[gate]\npass_rate = {{ min = 0.5 }}\n");
    let broken = "{broken".to_owned();
    for (suite, sessions, code) in [
        (GOOD.to_owned(), vec![replies("a", "good")], 0),
        (GOOD.to_owned(), vec![replies("a", "bad")], 1),
        (tolerant.clone(), vec![replies("a", "good"), replies("b", "bad")], 0),
        (GOOD.to_owned(), vec![replies("a", "good"), broken.clone()], 4),
        (format!("{GOOD}[gate]\nmax_left_out = 1\n"), vec![replies("a", "good"), broken], 0),
        (format!("[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n{GOOD}"), vec![replies("a", "good")], 4),
        (
            format!("{GOOD}[[span]]\nid = \"idle\"\non = {{ kind = \"tool\" }}\ncheck = \"status\"\n"),
            vec![replies("a", "good")],
            4,
        ),
        (GOOD.replace("check =", "severity = \"critical\"\ncheck ="), vec![replies("a", "bad")], 1),
        (
            format!("{GOOD}[[session]]\nid = \"w\"\nseverity = \"warn\"\ncheck = \"contains\"\nvalue = \"x\"\n"),
            vec![replies("a", "good")],
            0,
        ),
        (
            "[[session]]\nid = \"paid\"\ncheck = \"reward\"\n[gate]\npass_rate = { min = 0.5 }\nmax_error_rate = 0.5\n"
                .to_owned(),
            vec![r#"{"seatrial":1,"id":"a","reward":1.0}"#.to_owned(), r#"{"seatrial":1,"id":"b"}"#.to_owned()],
            0,
        ),
    ] {
        let lines: Vec<&str> = sessions.iter().map(String::as_str).collect();
        let project = Project::with(&suite, &lines);
        project.run().code(code);
        let cases = cases(&project.report("junit.xml"));
        let bad = cases.iter().any(|c| matches!(&c.2, Some((kind, _)) if kind == "failure" || kind == "error"));
        assert_eq!(bad, code != 0, "JUnit and exit code {code} disagree for\n{suite}\n{cases:#?}");
    }
}

#[test]
fn what_is_tolerated_is_skipped_and_says_so() {
    let suite = format!("{GOOD}[[session]]\nid = \"w\"\nseverity = \"warn\"\ncheck = \"contains\"\nvalue = \"x\"\n");
    let project = Project::with(&suite, &[&trial("a", 0, "good")]);
    project.run().code(0);
    let cases = cases(&project.report("junit.xml"));
    let (kind, message) = outcome(&cases, "w [a #0]").as_ref().expect("an outcome");
    assert_eq!(kind, "skipped");
    assert!(message.starts_with("tolerated: "), "{message}");
}

#[test]
fn names_of_test_cases_are_unique() {
    let suite = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\n[[turn]]\nid = \"t\"\ncheck = \"length\"\nmin = 1\n";
    let sessions = [
        trial("a", 0, "good"),
        trial("a", 1, "good"),
        replies("a", "good!"),
        replies("x", "good"),
        replies("x", "goods"),
    ];
    let lines: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(suite, &lines);
    project.run().code(4);
    let cases = cases(&project.report("junit.xml"));
    let names: HashSet<_> = cases.iter().map(|c| (&c.0, &c.1)).collect();
    assert_eq!(names.len(), cases.len(), "{cases:#?}");
}

#[test]
fn the_library_that_knows_junit_reads_what_we_write() {
    let project = Project::with(GOOD, &[&trial("a", 0, "good"), &trial("a", 1, "bad & <worse>"), "{broken"]);
    project.run().code(1);
    let report = quick_junit::Report::deserialize_from_str(&project.report("junit.xml")).expect("JUnit");
    assert_eq!(report.test_suites.len(), 1);
    let suite = &report.test_suites[0];
    assert_eq!(suite.name.as_str(), "s");
    assert_eq!(report.tests, suite.test_cases.len());
    let failed = |case: &&quick_junit::TestCase| {
        matches!(
            &case.status,
            quick_junit::TestCaseStatus::NonSuccess { kind: quick_junit::NonSuccessKind::Failure, .. }
        )
    };
    assert_eq!(report.failures, suite.test_cases.iter().filter(failed).count());
    let names: Vec<&str> = suite.test_cases.iter().filter(failed).map(|c| c.name.as_str()).collect();
    assert!(names.contains(&"good [a #1]"), "{names:?}");
}

#[test]
fn counts_in_junit_are_those_of_its_test_cases() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "bad"), "{broken"]);
    project.run().code(1);
    let xml = project.report("junit.xml");
    let cases = cases(&xml);
    let count = |kind: &str| cases.iter().filter(|c| c.2.as_ref().is_some_and(|o| o.0 == kind)).count();
    let expected = format!(
        "tests=\"{}\" skipped=\"{}\" failures=\"{}\" errors=\"{}\"",
        cases.len(),
        count("skipped"),
        count("failure"),
        count("error")
    );
    assert_eq!(xml.matches(&expected).count(), 1, "{expected} in {xml}");
    // Jenkins' schema knows no `skipped` of the whole.
    let whole = expected.replace(&format!(" skipped=\"{}\"", count("skipped")), "");
    assert!(xml.contains(&format!("<testsuites name=\"seatrial\" {whole}>")), "{whole} in {xml}");
}

#[test]
fn nothing_in_a_session_breaks_out_of_a_report() {
    let nasty = "</failure>]]>\u{1b}[31mred\u{1b}[0m\u{7}\u{0}\u{202e}evil\u{2066}\u{fffe} & <script> \"'";
    let session = serde_json::json!({
        "id": format!("id{nasty}"), "case": format!("case{nasty}"), "tags": [nasty],
        "turns": [{ "user": nasty, "reply": nasty, "spans": [{ "kind": "tool", "name": nasty, "input": nasty, "output": nasty }] }],
    });
    let suite = format!(
        "{GOOD}[[session]]\nid = \"same\"\ncheck = \"equals\"\nvalue = \"x\"\n[[span]]\nid = \"sp\"\ncheck = \"matches\"\nvalue = \"^$\"\n"
    );
    let project = Project::with(&suite, &[&session.to_string()]);
    let said = project.run_with(&["--color", "never"]).code(1);
    let forbidden = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!said.out.contains(forbidden), "{:?}", said.out);
    assert!(!said.err.contains(forbidden), "{:?}", said.err);
    let xml = project.report("junit.xml");
    assert!(!xml.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}' || c == '\u{fffe}'));
    assert_eq!(cases(&xml).iter().filter(|c| c.2.as_ref().is_some_and(|o| o.0 == "failure")).count(), 4);
    for line in project.report("run.jsonl").lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON");
    }
    let shown = project.seatrial(&["show", "sessions.jsonl", "--color", "never"]).code(0);
    assert!(!shown.out.contains(forbidden), "{:?}", shown.out);
}

#[test]
fn the_terminal_says_what_failed_why_and_where_to_look() {
    let project = Project::with(GOOD, &[&trial("refund", 2, "nothing of the kind")]);
    let said = project.run().code(1);
    for part in [
        "FAILED s suite.toml",
        "suite.toml:",
        "case refund, trial 2",
        "good",
        "seatrial show sessions.jsonl refund-2",
        "exit code 1",
    ] {
        assert!(said.out.contains(part), "{part:?} in\n{}", said.out);
    }
    let shown = project.seatrial(&["show", "sessions.jsonl", "refund-2"]).code(0);
    assert!(shown.out.contains("nothing of the kind"));
}

#[test]
fn there_are_no_control_characters_without_a_terminal() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    let said = project.run().code(1);
    assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'));
    let coloured = project.run_with(&["--color", "always"]).code(1);
    assert!(coloured.out.contains('\u{1b}'));
}

#[test]
fn a_copy_of_the_junit_is_put_where_a_ci_wants_it() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run_with(&["--junit", "build/out/junit.xml"]).code(0);
    let copy = std::fs::read_to_string(project.path("build/out/junit.xml")).expect("a copy");
    assert_eq!(copy, project.report("junit.xml"));
}
