//! Sessions of Google's ADK, judged by its own eval sets.

use crate::project::Project;

const SESSION: &str = include_str!("../samples/adk.session.json");
const EVAL_SET: &str = include_str!("../samples/adk.evalset.json");

/// A suite over the session with the eval set's cases, and these checks.
fn project(checks: &str) -> Project {
    let project = Project::new();
    project.file("evals/desk.evalset.json", EVAL_SET);
    project.file("recorded/1.session.json", SESSION);
    project.file(
        "suite.toml",
        format!(
            "[suite]\nname = \"harbour\"\ncases = \"evals/desk.evalset.json\"\n\
             [subject]\nagent = \"harbour\"\n\
             [recorded]\npaths = [\"recorded/*.session.json\"]\ncase = \"state.eval_id\"\n{checks}"
        ),
    );
    project
}

const EXPECTED: &str = r#"
[[turn]]
id    = "calls"
check = "trajectory"
mode  = "exact"

[[session]]
id    = "all-calls"
check = "trajectory"
mode  = "exact"

[[session]]
id    = "answer"
check = "equals"
value = "{{ case.reference.answer }}"

[[session]]
id    = "booked"
check = "state"

[[span]]
id    = "in-the-harbour"
on    = { name = "free_berths", agent = "berths" }
check = "value"
of    = "input"
path  = "length_m"
is    = "{{ 11 }}"

[[system]]
id     = "tool-errors"
check  = "metric"
metric = "tool_error_rate"
max    = 0.25

[[system]]
id     = "tokens"
check  = "metric"
metric = "tokens"
stat   = "max"
max    = 2290
"#;

#[test]
fn a_session_that_does_what_its_eval_set_expects_passes() {
    let project = project(EXPECTED);
    project.run().code(0);
    assert_eq!(project.check("calls")["pass"], 2);
    assert_eq!(project.check("in-the-harbour")["pass"], 2);
    assert_eq!(project.check("tool-errors")["value"], 0.25, "one of four: pier B is closed");
    assert_eq!(project.check("tokens")["value"], 2290.0, "thoughts are output");
}

#[test]
fn each_difference_fails_the_check_that_sees_it() {
    for (from, to, check) in [
        (r#""args": { "berth": 4, "nights": 1 }"#, r#""args": { "berth": 9, "nights": 1 }"#, "calls"),
        (r#""text": "Berth 4 is yours"#, r#""text": "It is yours"#, "answer"),
        (r#""app:berths": 12, "#, r#""app:berths": 11, "#, "booked"),
        (r#""success", "berths""#, r#""error", "berths""#, "tool-errors"),
    ] {
        let project = project(EXPECTED);
        let changed = SESSION.replacen(from, to, 1);
        assert_ne!(changed, SESSION, "{from}");
        project.file("recorded/1.session.json", changed);
        project.run().code(1);
        let found = project.check(check);
        assert!(found["fail"].as_u64().is_some_and(|n| n > 0), "{check}: {found}");
    }
}

#[test]
fn what_adk_does_not_time_is_not_measured() {
    let project = project("[[turn]]\nid = \"quick\"\ncheck = \"duration\"\nmax_ms = 60000\n");
    project.run().code(4);
    assert_eq!(project.check("quick")["error"], 2);
}

#[test]
fn an_eval_set_among_the_recordings_is_refused_and_never_an_idle_agent() {
    let project = project("[[session]]\nid = \"idle\"\ncheck = \"trajectory\"\nmode = \"subset\"\n");
    project.file("recorded/2.session.json", EVAL_SET);
    project.run().code(4).says("`cases = \"FILE\"`");
    assert_eq!(project.suite()["sessions"]["left_out"]["malformed"], 1);
    assert_eq!(project.check("idle")["pass"], 1, "of the session alone");
}

#[test]
fn a_mistake_in_an_eval_set_is_shown_where_it_stands() {
    let project = project(EXPECTED);
    project.file("evals/desk.evalset.json", EVAL_SET.replacen("\"name\": \"book_berth\"", "\"named\": \"x\"", 1));
    project.run().code(2).complains("desk.evalset.json:6").complains("missing field `name`");
    project.file("evals/desk.evalset.json", "{\"criteria\": {}}");
    project.run().code(2).complains("not an eval set of ADK");
}

#[test]
fn the_results_of_adk_eval_name_their_cases() {
    let project = project(EXPECTED);
    let session = SESSION.replace("\"eval_id\": \"berth-for-the-night\", ", "");
    let result = format!(
        "{{\"eval_set_result_id\": \"r\", \"eval_set_id\": \"harbour_desk\", \"eval_case_results\": [\
         {{\"eval_id\": \"berth-for-the-night\", \"final_eval_status\": 1, \"session_id\": \"5f0c6a\", \"session_details\": {session}}}]}}"
    );
    project.file("recorded/1.session.json", result);
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", suite.replace("case = \"state.eval_id\"\n", ""));
    project.run().code(0);
    assert_eq!(project.check("calls")["pass"], 2);
}
