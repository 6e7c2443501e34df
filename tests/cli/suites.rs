//! Suites with mistakes: exit 2, nothing run, every problem with file, line, caret and help.

use crate::project::{GOOD, Project, Said, replies};

/// Runs a suite that should be refused, and requires each of these texts on standard error.
#[track_caller]
fn refused(suite: &str, texts: &[&str]) -> Said {
    let project = Project::with(suite, &[&replies("a", "good")]);
    let mut said = project.run().code(2);
    for text in texts {
        said = said.complains(text);
    }
    assert!(!project.path("reports").exists(), "nothing may be run");
    said
}

#[test]
fn a_misspelled_key_names_the_nearest() {
    refused("[[session]]\nid = \"x\"\ncheck = \"contains\"\nvalu = \"x\"\n", &["suite.toml:", "valu", "value"]);
    refused(&format!("{GOOD}severty = \"warn\"\n"), &["severty", "severity"]);
    refused(&format!("[[sesion]]\n{GOOD}"), &["sesion", "session"]);
}

#[test]
fn an_unknown_check_names_the_nearest() {
    refused("[[session]]\nid = \"x\"\ncheck = \"contians\"\nvalue = \"x\"\n", &["contians", "contains"]);
}

#[test]
fn a_check_at_the_wrong_level_says_where_it_works() {
    refused("[[span]]\nid = \"x\"\ncheck = \"rating\"\nmin = 1\n", &["rating", "session"]);
}

#[test]
fn a_wrong_type_is_shown_at_the_value() {
    refused("[[session]]\nid = \"x\"\ncheck = \"turns\"\nmax = \"three\"\n", &["three"]);
}

#[test]
fn a_key_in_the_wrong_table_says_where_it_belongs() {
    refused(&format!("[suite]\nname = \"s\"\npass_rate = {{ min = 0.5 }}\n{GOOD}"), &["pass_rate", "[gate]"]);
}

#[test]
fn a_bad_regex_an_invalid_schema_and_an_undefined_name_are_all_listed() {
    let said = refused(
        "[[session]]\nid = \"re\"\ncheck = \"matches\"\nvalue = \"(\"\n\
         [[span]]\nid = \"sc\"\ncheck = \"schema\"\nschema = { type = \"objekt\" }\n\
         [[session]]\nid = \"te\"\ncheck = \"contains\"\nvalue = \"{{ cas.x }}\"\n\
         [[session]]\nid = \"ex\"\ncheck = \"expr\"\nexpr = \"1 +\"\n",
        &["regular expression", "objekt", "cas", "1 +"],
    );
    assert!(said.err.matches("suite.toml:").count() >= 4, "{}", said.err);
}

#[test]
fn several_syntax_errors_are_all_listed() {
    let said = refused("[suite]\nname = \nx = [1,\n[[session]]\nid = 'a\n", &["suite.toml:"]);
    assert!(said.err.matches("error").count() >= 2, "{}", said.err);
}

#[test]
fn a_dangling_or_circular_extends_is_named() {
    refused(&format!("[suite]\nname = \"s\"\nextends = [\"gone.toml\"]\n{GOOD}"), &["gone.toml"]);
    let project =
        Project::with(&format!("[suite]\nname = \"s\"\nextends = [\"a.toml\"]\n{GOOD}"), &[&replies("a", "good")]);
    project.file("a.toml", "[fragment]\nextends = [\"b.toml\"]\n");
    project.file("b.toml", "[fragment]\nextends = [\"a.toml\"]\n");
    project.run().code(2).complains("a.toml").complains("b.toml");
}

#[test]
fn an_inherited_check_is_replaced_only_with_override() {
    let suite = |more: &str| format!("[suite]\nname = \"s\"\nextends = [\"common.toml\"]\n{}{more}", GOOD);
    let fragment = "[fragment]\n[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"bad\"\n";
    let project = Project::with(&suite(""), &[&replies("a", "good")]);
    project.file("common.toml", fragment);
    project.run().code(2).complains("override");
    let project = Project::with(&suite("override = true\n"), &[&replies("a", "good")]);
    project.file("common.toml", fragment);
    project.run().code(0);
    refused(&format!("{GOOD}override = true\n"), &["override"]);
}

#[test]
fn a_duplicate_id_or_suite_name_is_refused() {
    refused(&format!("{GOOD}{GOOD}"), &["good"]);
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.file("other.toml", format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}"));
    project.seatrial(&["run", "."]).code(2).complains("suite.toml").complains("other.toml");
}

#[test]
fn a_judge_that_nobody_set_up_is_refused() {
    refused("[[session]]\nid = \"j\"\ncheck = \"judge\"\nrubric = \"nice\"\n", &["no judge is called", "default"]);
}

#[test]
fn a_file_without_suite_is_an_error_and_fragments_and_settings_are_not_taken() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.file("common.toml", "[fragment]\n");
    project.file("seatrial.toml", "jobs = 1\n");
    project.file(".hidden.toml", "nonsense\n");
    project.seatrial(&["run", "."]).code(0);
    project.file("stray.toml", "[package]\nname = \"x\"\n");
    project.seatrial(&["run", "."]).code(2).complains("stray.toml");
    project.seatrial(&["run", "common.toml"]).code(2).complains("fragment");
    project.seatrial(&["run", "nowhere"]).code(2).complains("nowhere");
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let project = Project::with("[[session]]\nid = \"x\"\ncheck = \"contians\"\n", &[&replies("a", "good")]);
    project.file("other.toml", "[suite]\nname = \"o\"\n[[session]]\nid = \"y\"\ncheck = \"equalz\"\n");
    project.seatrial(&["run", "."]).code(2).complains("contians").complains("equalz");
}

#[test]
fn settings_say_where_they_come_from() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.file("seatrial.toml", "jobs = 2\n[profile.ci]\nkeep = \"all\"\n");
    let mut command = project.command(&["check", "suite.toml", "--profile", "ci"]);
    command.env("SEATRIAL_KEEP_LIMIT", "7");
    let said = Said::of(command).code(0);
    for text in ["seatrial.toml:1", "profile.ci", "SEATRIAL_KEEP_LIMIT", "default"] {
        assert!(said.out.contains(text), "{text} in\n{}", said.out);
    }
    project.file("seatrial.toml", "jobz = 2\n");
    project.run().code(2).complains("jobz").complains("jobs");
}

#[test]
fn check_shows_the_plan_and_runs_nothing() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    project.seatrial(&["check", "suite.toml"]).code(0).says("good").says("contains");
    assert!(!project.path("reports").exists());
}

#[test]
fn detectors_of_the_users_own_come_from_the_settings() {
    let suite = "[[session]]\nid = \"no-codes\"\ncheck = \"not_contains\"\ndetect = [\"custom.code\"]\n";
    let project = Project::with(suite, &[&replies("a", "the code is ZX-1234")]);
    project.run().code(2).complains("custom.code");
    project.file("seatrial.toml", "[detectors.code]\npattern = 'ZX-\\d{4}'\n");
    project.run().code(1);
}

#[test]
fn the_schema_accepts_every_suite_here_and_refuses_a_typo() {
    let schema = Project::new().seatrial(&["schema"]).code(0).out;
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for dir in ["suites", "tests/suites", "tests/bench"] {
        for entry in std::fs::read_dir(root.join(dir)).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|e| e != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a suite");
            let suite: toml::Value = toml::from_str(&text).expect("TOML");
            let suite = serde_json::to_value(suite).expect("JSON");
            let errors: Vec<String> =
                validator.iter_errors(&suite).map(|e| format!("{e} at {}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} suites were found");
    assert!(!validator.is_valid(&serde_json::json!({ "suite": { "name": "s", "nam": 1 } })));
}

#[test]
fn a_suite_without_a_check_is_told_so_and_its_run_is_unmeasured() {
    let project = Project::with("", &[&replies("a", "good")]);
    project.seatrial(&["check", "suite.toml"]).code(0).says("checks      none, so a run of it measures nothing");
    project.run().code(4).says("no blocking check was applied to anything");
}
