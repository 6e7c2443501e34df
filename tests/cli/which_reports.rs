//! Which reports a run draws, and that a large one is as whole as a small one.

use crate::project::{GOOD, Project, replies};

fn files(project: &Project) -> Vec<String> {
    let dir = std::fs::read_dir(project.path("reports/latest")).expect("a run");
    let mut names: Vec<String> = dir.map(|e| e.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_wants_no_reports_leaves_its_record_and_summaries_and_they_can_be_drawn_later() {
    let bad: Vec<String> = (0..5).map(|i| replies(&format!("b{i}"), "bad")).collect();
    let lines: Vec<&str> = bad.iter().map(String::as_str).collect();
    let project = Project::with(GOOD, &lines);
    let said = project.run_with(&["--reports", "none", "--keep", "none"]).code(1).says("is in run.jsonl\n");
    assert!(!said.out.contains("junit.xml"), "{}", said.out);
    assert_eq!(files(&project), ["run.jsonl", "summary.json", "summary.md"]);
    let summary = project.summary();
    project.seatrial(&["report", "reports/latest"]).code(1).says("is in run.jsonl and junit.xml\n");
    assert_eq!(files(&project), ["index.html", "junit.xml", "run.jsonl", "summary.json", "summary.md"]);
    assert_eq!(project.summary(), summary);
}

#[test]
fn a_report_of_which_a_copy_is_wanted_is_drawn() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.file("seatrial.toml", "reports = \"none\"\n");
    project.run_with(&["--junit", "copy.xml"]).code(0);
    assert!(project.path("copy.xml").exists());
    assert_eq!(files(&project).into_iter().filter(|f| f.ends_with("ml")).collect::<Vec<_>>(), ["junit.xml"]);
}

#[test]
fn a_run_that_is_continued_leaves_no_report_that_says_something_else() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run().code(0);
    let run = std::fs::canonicalize(project.path("reports/latest")).expect("a run");
    let record = std::fs::read_to_string(run.join("run.jsonl")).expect("a record");
    let killed: String =
        record.lines().filter(|l| !l.starts_with("{\"volatile\":\"finished\"")).map(|l| format!("{l}\n")).collect();
    std::fs::write(run.join("run.jsonl"), killed).expect("written");
    project.run_with(&["--resume", "--reports", "html"]).code(0);
    assert!(run.join("index.html").exists() && !run.join("junit.xml").exists());
}

#[test]
fn a_junit_report_that_is_not_held_in_memory_is_whole() {
    let sessions: Vec<String> = (0..3000).map(|i| replies(&format!("s{i}"), ["good", "bad"][i % 2])).collect();
    let lines: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(GOOD, &lines);
    let second = "[suite]\nname = \"t & u\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n";
    project.file("second.toml", format!("{second}{GOOD}"));
    project.seatrial(&["run", "suite.toml", "second.toml"]).code(1);
    let drawn = project.report("junit.xml");
    assert!(drawn.len() > 512 << 10, "{}", drawn.len());
    let report = quick_junit::Report::deserialize_from_str(&drawn).expect("JUnit");
    let names: Vec<&str> = report.test_suites.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["s", "t & u"]);
    for suite in &report.test_suites {
        assert_eq!((suite.tests, suite.test_cases.len()), (suite.test_cases.len(), suite.tests));
        assert!(suite.tests > 3000 && suite.failures == 1501, "{} {}", suite.tests, suite.failures);
    }
    assert_eq!((report.tests, report.failures), (report.test_suites.iter().map(|s| s.tests).sum(), 3002));
    project.seatrial(&["report", "reports/latest"]).code(1);
    assert!(drawn == project.report("junit.xml"), "drawn again it is the same");
    assert!(files(&project).iter().all(|name| !name.ends_with(".unfinished")));
}
