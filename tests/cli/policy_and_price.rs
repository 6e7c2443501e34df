//! What policies and prices decide, end to end: found when the suite is loaded, part of the digests, named in reasons.

use crate::project::{Project, json};

const CALL: &str = r#"{"id":"a","agent":"refunds","turns":[{"ttft_ns":1000000,"spans":[{"kind":"tool","name":"refund","input":{"cents":500}},{"kind":"llm","name":"chat","model":"house-model","usage":{"input":1000,"output":100}}]}]}"#;

fn gateway(policies: &str) -> Project {
    let check = "[[span]]\nid = \"gate\"\non = { kind = \"tool\" }\ncheck = \"cedar\"\npolicies = [\"p.cedar\"]\nresource = 'Order::\"{{ span.input.cents }}\"'\n";
    let project = Project::with(check, &[CALL]);
    project.file("p.cedar", policies);
    project
}

fn digest(project: &Project, id: &str) -> serde_json::Value {
    let events = project.events();
    let plan = events.lines().find(|line| line.contains("\"event\":\"plan\"")).expect("the plan");
    let plan: serde_json::Value = serde_json::from_str(plan).expect("JSON");
    let checks = plan["suites"][0]["checks"].as_array().expect("checks");
    let check = checks.iter().find(|c| c["id"] == id).expect("the check");
    check["digest"].clone()
}

#[test]
fn a_denied_call_fails_with_the_policy_and_its_line() {
    let project = gateway(
        "permit(principal, action, resource);\n@id(\"cap\")\nforbid(principal, action, resource) when { context.input.cents > 100 };\n",
    );
    project.run().code(1).says("`cap` (p.cedar:2) forbids").says("Order::\"500\"");
    gateway("permit(principal, action, resource);").run().code(0);
}

#[test]
fn a_policy_that_errs_leaves_the_suite_unmeasured_although_another_permits() {
    let project = gateway(
        "permit(principal, action, resource);\nforbid(principal, action, resource) when { context.input.euro > 1 };\n",
    );
    project.run().code(4).says("could not be evaluated: the policy at p.cedar:2");
}

#[test]
fn a_session_whose_calls_may_be_hidden_is_not_allowed_in_silence() {
    let hidden = r#"{"id":"b","agent":"refunds","turns":[{"spans":[{"id":"x","kind":"llm","name":"chat"}]}]}"#;
    let project = gateway("permit(principal, action, resource);");
    project.file("sessions.jsonl", [CALL, hidden].join("\n"));
    project.run().code(4).says("it may have called tools unseen");
    assert_eq!(project.check("gate")["error"], 1, "{}", project.check("gate"));
    // A check of other sessions has nothing to say of this one.
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", suite.replace("kind = \"tool\" }", "kind = \"tool\", case = \"a\" }"));
    project.run().code(0);
}

#[test]
fn a_broken_policy_file_is_shown_at_the_key_that_names_it_and_nothing_is_run() {
    let project = gateway("permit(principal, action, resource);\nforbid(principal action);\n");
    project.run().code(2).complains("p.cedar:2: ").complains("policies = [\"p.cedar\"]");
    assert!(!project.path("reports").exists());
}

#[test]
fn policies_are_part_of_the_checks_digest() {
    let run = |policies: &str| {
        let project = gateway(policies);
        project.run().code(0);
        digest(&project, "gate")
    };
    let first = run("permit(principal, action, resource);");
    assert_eq!(first, run("permit(principal, action, resource);"));
    assert_ne!(first, run("permit(principal, action, resource); // changed"));
}

fn priced(settings: &str, max: &str) -> Project {
    let check = format!(
        "[[session]]\nid = \"cost\"\ncheck = \"cost\"\nmax_usd = {max}\n[[system]]\nid = \"mean\"\ncheck = \"metric\"\nmetric = \"cost_usd\"\nstat = \"mean\"\n"
    );
    let project = Project::with(&check, &[CALL]);
    project.file("seatrial.toml", settings);
    project
}

const PRICES: &str = "[prices]\n\"house-*\" = { input = 1, output = 5 }\n";

#[test]
fn the_users_own_prices_decide_and_the_reason_says_so() {
    let project = priced(PRICES, "0.001");
    let said = project.run().code(1);
    said.says("the session cost 0.0015 USD, expected at most 0.001 USD (by [prices] in seatrial.toml)");
    assert_eq!(project.check("mean")["value"], 0.0015);
    priced(PRICES, "0.0015").run().code(0);
}

#[test]
fn a_model_without_a_price_is_an_error_that_says_how_to_add_it() {
    let project = priced("", "100");
    project.run().code(4).says("no price is known of the model `house-model`").says("[prices] \"house-model\" = {");
    assert_eq!(project.check("mean")["value"], serde_json::Value::Null);
    let summary = json(&project.path("reports/latest/summary.json"));
    assert_eq!(summary["exit_code"], 4);
}

#[test]
fn prices_are_part_of_the_digest_of_the_checks_that_depend_on_them() {
    let run = |settings: &str| {
        let project = priced(settings, "1");
        project.run().code(0);
        (digest(&project, "cost"), digest(&project, "mean"))
    };
    let (cost, mean) = run(PRICES);
    let other = run("[prices]\n\"house-*\" = { input = 1, output = 6 }\n");
    assert_eq!((cost.clone(), mean.clone()), run(PRICES));
    assert!(cost != other.0 && mean != other.1);
}

#[test]
fn the_check_command_says_which_prices_hold_and_where_they_are_written() {
    let project = priced(PRICES, "1");
    project.seatrial(&["check", "suite.toml"]).code(0).says("prices.house-*").says("seatrial.toml:2").says("as of 20");
    let broken = priced("[prices]\n\"house-*\" = { input = 1 }\n", "1");
    broken.seatrial(&["check", "suite.toml"]).code(2).complains("has no `output`").complains("seatrial.toml:2");
}
