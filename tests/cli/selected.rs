//! Telemetry, end to end: cases named by spans, numbers over a part of the sessions, and where a session is looked for.

use crate::project::Project;

/// Two sessions of one tool call each; the spans of `s2` name their case, and its call failed.
fn traces(other: &str) -> [String; 2] {
    let span = |session: &str, id: u32, parent: &str, name: &str, status: u32, case: &str| {
        format!(
            r#"{{"traceId":"{id:032x}","spanId":"{id:016x}","parentSpanId":"{parent}","name":"{name}","startTimeUnixNano":"1780000000000000000","endTimeUnixNano":"1780000001000000000","status":{{"code":{status}}},"attributes":[{{"key":"session.id","value":{{"stringValue":"{session}"}}}},{{"key":"eval.case","value":{{"stringValue":"{case}"}}}},{{"key":"gen_ai.operation.name","value":{{"stringValue":"execute_tool"}}}},{{"key":"gen_ai.tool.name","value":{{"stringValue":"find"}}}}]}}"#
        )
    };
    let request = |service: &str, span: &str| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#
        )
    };
    let two = format!("{},{}", span("s2", 2, "", "find", 2, "b"), span("s2", 3, "", "find", 2, other));
    [request("shop", &span("s1", 1, "", "find", 1, "a")), request("bank", &two)]
}

fn project(suite: &str, other: &str) -> Project {
    let [one, two] = traces(other);
    Project::with(suite, &[&one, &two])
}

const CASES: &str = "[recorded]\npaths = [\"sessions.jsonl\"]\ncase = \"eval.case\"\n[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n[[session]]\nid = \"few\"\ncheck = \"calls\"\ntool = \"find\"\nmax = 5\n";

#[test]
fn a_case_is_named_by_an_attribute_on_which_all_spans_agree() {
    project(CASES, "b").run().code(0).says("cases    2: 2 passed");
}

#[test]
fn spans_that_name_several_cases_name_none() {
    let project = project(CASES, "c");
    project.run().code(4).says("operations of the session differ in the attribute `eval.case`");
}

fn rate(on: &str) -> String {
    format!(
        "[[session]]\nid = \"few\"\ncheck = \"turns\"\nmax = 5\n[[system]]\nid = \"rate\"\n{on}check = \"metric\"\nmetric = \"tool_error_rate\"\nmax = 0.5\n[[system]]\nid = \"all\"\nseverity = \"info\"\ncheck = \"metric\"\nmetric = \"tool_error_rate\"\n"
    )
}

#[test]
fn a_system_check_counts_the_sessions_that_it_selects() {
    let healthy = project(&rate("on = { attributes = { \"service.name\" = \"shop\" } }\n"), "b");
    healthy.run().code(0);
    assert_eq!(healthy.check("rate")["value"], 0.0);
    let all = healthy.check("all")["value"].as_f64().expect("a number");
    assert!((all - 2.0 / 3.0).abs() < 1e-9, "{all}");
    project(&rate(""), "b").run().code(1);
    project(&rate("on = { attributes = { \"service.name\" = \"bank\" } }\n"), "b").run().code(1);
}

#[test]
fn a_system_check_that_selects_no_session_is_unexercised() {
    let project = project(&rate("on = { case = \"nothing-*\" }\n"), "b");
    project.run().code(4);
    assert_eq!(project.check("rate")["exercised"], false);
}

#[test]
fn a_check_over_cases_takes_no_selector() {
    let check = "[[session]]\nid = \"few\"\ncheck = \"turns\"\nmax = 5\n[[system]]\nid = \"p\"\ncheck = \"pass_rate\"\nof = \"few\"\nmin = 1.0\non = { case = \"a\" }\n";
    project(check, "b").run().code(2).complains("`pass_rate` is over all cases: it takes no `on`");
}

#[test]
fn a_session_in_several_files_is_looked_for_in_their_folder() {
    let failing =
        "[recorded]\npaths = [\"in\"]\n[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"find\"\nmax = 0\n";
    let project = Project::with(failing, &[]);
    let [one, two] = traces("b");
    project.file("in/1.json", &one);
    project.run().code(1).says("seatrial show in/1.json s1");
    project.file("in/2.json", &two);
    project.run().code(1).says("seatrial show in/ s1").says("seatrial show in/ s2");
}
