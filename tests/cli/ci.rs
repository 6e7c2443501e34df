//! What a CI shows of a run: the step's summary, annotations at the suite's line, JUnit as Jenkins and GitLab take it.

use quick_xml::events::Event;
use serde_json::json;

use crate::project::{GOOD, Project, replies, trial};

/// A suite with a flaky case, a failing one that says hostile things, and a file that cannot be read.
fn mixed() -> Project {
    let evil = json!({ "id": "evil", "turns": [{ "user": "q", "reply": "<script>alert(1)</script> | @everyone [x](https://evil.example)\n::error::fake" }] });
    let project = Project::with(
        "[recorded]\npaths = [\"*.jsonl\"]\n[[turn]]\nid = \"good\"\ncheck = \"equals\"\nvalue = \"good\"\n",
        &[&trial("a", 0, "good"), &trial("a", 1, "bad"), &evil.to_string(), &replies("fine", "good")],
    );
    project.file("broken.jsonl", "{\"id\":\"x\",\"turns\":[\n");
    project
}

#[test]
fn the_summary_of_a_step_says_the_decision_its_reasons_and_what_did_not_pass() {
    let project = mixed();
    project.run().code(1);
    let summary = project.report("summary.md");
    for said in [
        "## seatrial: 0 of 1 suites passed (exit code 1)",
        "### FAILED: s",
        "Flaky (their trials disagree): a",
        "| good | turn | block | 2 | 2 | 0 | 0 | 0 |",
        "- fail case a, trial 1: ",
        "1 flaky",
        "left out (truncated): broken.jsonl",
    ] {
        assert!(summary.contains(said), "no {said:?} in\n{summary}");
    }
    for harm in ["<script", "@everyone", "](https:", "\n::error"] {
        assert!(!summary.contains(harm), "{harm:?} in\n{summary}");
    }
    let again = summary.clone();
    std::fs::remove_file(project.path("reports/latest/summary.md")).expect("it is there");
    project.seatrial(&["report", "reports/latest"]).code(1);
    assert_eq!(project.report("summary.md"), again, "drawn again from the record");
}

#[test]
fn annotations_point_at_the_suites_file_and_line() {
    let project = mixed();
    let said = project.run_with(&["--format", "github"]).code(1);
    let lines: Vec<&str> = said.out.lines().filter(|l| l.starts_with("::")).collect();
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    let table = suite.lines().position(|l| l == "[[turn]]").expect("the check") + 1;
    assert!(lines[0].starts_with("::error file=suite.toml,line=1,title=seatrial%3A s::failed: "), "{lines:#?}");
    let check = format!("::error file=suite.toml,line={table},title=seatrial%3A s / good::2 sessions failed%0A");
    assert!(lines.iter().any(|l| l.starts_with(&check)), "{lines:#?}");
    assert!(lines.iter().any(|l| l.starts_with("::warning ") && l.ends_with("flaky, their trials disagree: a")));
    assert!(!said.out.lines().any(|l| l.trim_start().starts_with("::error::fake")), "what an agent says is no command");
    assert!(said.out.contains("0 of 1 suites passed"), "the report for people comes first");
    let again = project.seatrial(&["report", "reports/latest", "--format=github"]).code(1);
    assert!(lines.iter().all(|line| again.out.contains(line)));
    let plain = project.run().code(1);
    assert!(!plain.out.lines().any(|l| l.trim_start().starts_with("::")), "{}", plain.out);
}

#[test]
fn annotations_lead_from_the_root_of_the_repository() {
    let project = mixed();
    let (below, suite) = (project.path("evals"), std::fs::read_to_string(project.path("suite.toml")).expect("a suite"));
    project.file("evals/suite.toml", suite.replace("*.jsonl", "../sessions.jsonl"));
    let mut command = project.command(&["run", "suite.toml", "--format", "github"]);
    command.current_dir(below);
    let said = crate::project::Said::of(command).code(1);
    assert!(said.out.contains("::error file=evals/suite.toml,line="), "{}", said.out);
}

#[test]
fn a_suite_that_cannot_be_read_is_annotated_where_it_is_wrong() {
    let project = Project::with("[[turn]]\nid = \"x\"\ncheck = \"equal\"\nvalue = \"a\"\n", &[&replies("a", "b")]);
    let said = project.run_with(&["--format", "github"]).code(2);
    let line = said.out.lines().find(|l| l.starts_with("::error file=suite.toml,line=")).expect("an annotation");
    assert!(line.contains("equal"), "{line}");
    assert!(!line.contains("line=1,"), "{line}");
    said.complains("equal");
}

#[test]
fn a_run_that_passed_is_not_annotated() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let said = project.run_with(&["--format", "github"]).code(0);
    assert!(!said.out.contains("::"), "{}", said.out);
    assert!(project.report("summary.md").contains("### PASSED: s"));
    project.run_with(&["--format", "github", "--json"]).code(2);
}

#[test]
fn every_flaky_case_is_named_in_every_report() {
    let project = mixed();
    let said = project.run().code(1);
    assert!(said.out.contains("flaky a"), "{}", said.out);
    assert_eq!(project.suite()["flaky"], json!(["a"]));
    assert!(project.report("junit.xml").contains("name=\"flaky [a]\"><skipped message=\"flaky: its trials disagree\""));
    assert!(project.report("summary.md").contains("Flaky (their trials disagree): a"));
    assert!(project.report("index.html").contains("flaky"));
}

#[test]
fn junit_is_what_jenkins_schema_asks_for() {
    let project = mixed();
    project.run().code(1);
    let mut reports = vec![project.report("junit.xml")];
    let never = "[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"x\"\nmax = 0\n[[system]]\nid = \"n\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"p95\"\nmax = 0\n";
    let project = Project::with(never, &[&replies("a", "b")]);
    project.run();
    reports.push(project.report("junit.xml"));
    project.seatrial(&["run", "suite.toml", "--filter", "suite(zzz)"]);
    reports.push(project.report("junit.xml"));
    for report in reports {
        assert_eq!(JENKINS.flaws(&report), Vec::<String>::new(), "{report}");
    }
    let wrong =
        "<testsuites skipped=\"1\"><testsuite name=\"a\" tests=\"1\" errors=\"0\"><skipped/></testsuite></testsuites>";
    assert_eq!(
        JENKINS.flaws(wrong),
        ["testsuites: no attribute `skipped`", "testsuite: `failures` is missing", "testsuite: no `skipped` in it"]
    );
}

/// GitLab publishes no schema. What its parser (`Gitlab::Ci::Parsers::Test::Junit`) does: it turns the document into a
/// hash; walks one `testsuites` and the `testsuite` in it; of each `testcase` there reads `classname`, `name`, `file` and
/// `time`; takes the first of `failure`, `error` and `skipped` that is in it for how it ended, and what that key holds for
/// what is shown. An element with a text is that text in such a hash and its attributes are lost; one without is a hash
/// of its attributes, and shown as such. A `type` asks for a conversion there, and some of them are refused. Of several
/// test cases that ended alike with the same suite, class and name only one is kept.
#[test]
fn gitlab_shows_every_test_case_and_all_that_is_said_of_it() {
    let long = format!("good {}", "and then some ".repeat(40));
    let suite = format!("{GOOD}[[session]]\nid = \"same\"\ncheck = \"equals\"\nvalue = \"{long}\"\n");
    let project = Project::with(&suite, &[&trial("a", 0, "good"), &trial("a", 1, "<bad> & \"worse\""), "{broken"]);
    project.run();
    let report = quick_junit::Report::deserialize_from_str(&project.report("junit.xml")).expect("JUnit");
    let (mut seen, mut shown) = (std::collections::HashSet::new(), Vec::new());
    for suite in &report.test_suites {
        for case in &suite.test_cases {
            let class = case.classname.as_ref().expect("a class");
            assert!(seen.insert((suite.name.as_str(), class.as_str(), case.name.as_str())), "{case:?}");
            if let quick_junit::TestCaseStatus::NonSuccess { message, ty, description, .. } = &case.status {
                assert_eq!(*ty, None);
                let (title, text) = (message.as_deref().expect("a title"), description.as_deref().expect("a text"));
                assert!(text.starts_with(title), "{title}: {text}");
                shown.push(text.to_string());
            }
        }
    }
    assert!(shown.iter().any(|text| text.contains("got \"<bad> & \\\"worse\\\"\"")), "{shown:#?}");
    assert!(shown.iter().any(|text| text.len() > 250), "{shown:#?}");
}

/// What an element may hold: its name, attributes that must be there, others that may, and elements in it.
type Element = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// The structure that Jenkins' xUnit plugin documents as `junit-10.xsd`. It has neither an order nor counts that our reports
/// could break.
const JENKINS: Schema = Schema(&[
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
    ),
    (
        "testcase",
        &["name"],
        &["time", "classname", "group"],
        &[
            "skipped",
            "error",
            "failure",
            "rerunFailure",
            "rerunError",
            "flakyFailure",
            "flakyError",
            "system-out",
            "system-err",
        ],
    ),
    ("skipped", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("failure", &[], &["type", "message"], &[]),
]);

struct Schema(&'static [Element]);

impl Schema {
    /// Where a document is not what the schema says.
    fn flaws(&self, xml: &str) -> Vec<String> {
        let (mut flaws, mut path) = (Vec::new(), Vec::<String>::new());
        let mut reader = quick_xml::Reader::from_str(xml);
        loop {
            let event = reader.read_event().expect("well-formed XML");
            match &event {
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = tag.name().as_ref().to_owned();
                    let find = |name: &String| self.0.iter().find(|e| e.0 == name);
                    match path.last().map(|parent| (parent, find(parent))) {
                        Some((parent, known)) if known.is_none_or(|e| !e.3.contains(&name.as_str())) => {
                            flaws.push(format!("{parent}: no `{name}` in it"));
                        }
                        _ => {}
                    }
                    let (_, required, optional, _) = find(&name).copied().unwrap_or_default();
                    let given: Vec<String> =
                        tag.attributes().map(|a| a.expect("an attribute").key.as_ref().to_owned()).collect();
                    for attribute in required.iter().filter(|a| !given.iter().any(|g| g == *a)) {
                        flaws.push(format!("{name}: `{attribute}` is missing"));
                    }
                    for attribute in given.iter().filter(|g| !required.iter().chain(optional).any(|a| a == g)) {
                        flaws.push(format!("{name}: no attribute `{attribute}`"));
                    }
                    if matches!(event, Event::Start(_)) {
                        path.push(name);
                    }
                }
                Event::End(_) => {
                    path.pop();
                }
                Event::Eof => return flaws,
                _ => {}
            }
        }
    }
}
