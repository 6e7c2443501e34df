//! Redacted sessions judged again: a detector finds its marker, and whoever else reads a flagged field cannot know.

use crate::project::Project;

const SESSION: &str = r#"{"id":"s1","case":"c1","turns":[{"user":"mail me","spans":[{"kind":"tool","name":"send","input":{"to":"a@example.com","n":1},"output":"sent","status":"ok"}],"reply":"Sent to a@example.com."}]}"#;

const CHECKS: &str = r#"
[[turn]]
id = "no-mail"
check = "not_contains"
detect = ["email"]
[[turn]]
id = "gives-a-mail"
check = "contains"
detect = ["email"]
[[turn]]
id = "no-card"
check = "not_contains"
detect = ["credit_card"]
[[turn]]
id = "polite"
check = "not_contains"
value = "stupid"
[[turn]]
id = "user"
check = "contains"
value = "mail"
of = "user"
[[span]]
id = "output"
check = "equals"
value = "sent"
[[span]]
id = "input"
check = "value"
of = "input"
path = "n"
is = 1
[[span]]
id = "status"
check = "status"
[[session]]
id = "calls"
check = "calls"
tool = "send"
[[session]]
id = "turns"
check = "turns"
max = 1
[[session]]
id = "said"
check = "expr"
expr = "session.turns|length == 1"
"#;

/// Verdicts of every check, by id.
fn verdicts(project: &Project) -> Vec<(String, &'static str)> {
    let suite = project.suite();
    let checks = suite["checks"].as_array().expect("checks").iter();
    let status = |check: &serde_json::Value| {
        ["pass", "fail", "error"].into_iter().find(|status| check[*status] == 1).unwrap_or("none")
    };
    checks.map(|c| (c["id"].as_str().expect("an id").to_owned(), status(c))).collect()
}

#[test]
fn a_redacted_session_is_judged_again_only_by_what_is_still_there() {
    let project = Project::with(CHECKS, &[SESSION]);
    project.file("seatrial.toml", "[redact]\ndetectors = [\"email\"]\n");
    project.run_with(&["--keep", "all"]).code(1);
    let before = verdicts(&project);
    assert!(before.iter().all(|(id, status)| (*status == "fail") == (id == "no-mail")), "{before:?}");
    let kept = project.path("reports/latest/sessions.jsonl.gz");
    std::fs::copy(kept, project.path("kept.jsonl.gz")).expect("kept sessions");
    project.seatrial(&["import", "sessions.jsonl", "-o", "imported.jsonl"]).code(0);
    for sessions in ["kept.jsonl.gz", "imported.jsonl"] {
        let said = project.run_with(&["--sessions", sessions]).code(1);
        assert!(said.out.contains("/turns/0/reply` was redacted (email)"), "{}", said.out);
        let errors = ["no-card", "polite", "input", "calls", "said"];
        let expected: Vec<(String, &str)> = before
            .iter()
            .map(|(id, status)| (id.clone(), if errors.contains(&id.as_str()) { "error" } else { *status }))
            .collect();
        assert_eq!(verdicts(&project), expected, "{sessions}");
    }
}

#[test]
fn a_suite_that_reads_only_what_was_taken_out_is_unmeasured() {
    let polite = "[[turn]]\nid = \"polite\"\ncheck = \"not_contains\"\nvalue = \"stupid\"\n";
    let project = Project::with(polite, &[SESSION]);
    project.file("seatrial.toml", "[redact]\ndetectors = [\"email\"]\n");
    project.seatrial(&["import", "sessions.jsonl", "-o", "imported.jsonl"]).code(0);
    project.run_with(&["--sessions", "imported.jsonl"]).code(4).says("take the field out of [redact]");
}

#[test]
fn a_selector_that_reads_what_was_taken_out_selects_nothing_in_silence() {
    let polite = "[[turn]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"Sent\"\non = { user = \"alice\" }\noptional = true\n";
    let project = Project::with(polite, &[&SESSION.replace("\"case\"", "\"user\":\"alice\",\"case\"")]);
    project.file("seatrial.toml", "[redact]\npseudonyms = [\"user\"]\n");
    project.run().code(0);
    project.seatrial(&["import", "sessions.jsonl", "-o", "imported.jsonl"]).code(0);
    project.run_with(&["--sessions", "imported.jsonl"]).code(4).says("`/user` was redacted (user)");
}

#[test]
fn evidence_of_a_redacted_session_points_at_what_became_of_it() {
    let check = "[[turn]]\nid = \"polite\"\ncheck = \"not_contains\"\nvalue = \" too\"\n";
    let project =
        Project::with(check, &[r#"{"id":"s1","turns":[{"reply":"To a@example.com, and to b@example.com too"}]}"#]);
    project.file("seatrial.toml", "[redact]\ndetectors = [\"email\"]\n");
    project.run().code(1);
    let text = "To [redacted:email], and to [redacted:email] too";
    let at = text.find(" too").expect("the end");
    assert!(project.events().contains(&format!("\"range\":[{at},{}]", text.len())), "{}", project.events());
}
