//! "Never a false green": each rule of the invariant has a test that would catch its breach.

use crate::project::{GOOD, Project, Said, replies, trial};

#[test]
fn passes_when_everything_was_measured_and_met() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run().code(0).says("PASSED");
    let suite = project.suite();
    assert_eq!(suite["decision"], "passed");
    assert_eq!(suite["cases"]["passed"], 1);
}

// ---- 1: what could not be measured is an error

#[test]
fn a_missing_time_is_an_error_and_never_a_duration_of_zero() {
    let suite = "[[session]]\nid = \"fast\"\ncheck = \"duration\"\nmax_ms = 1000\n";
    let project = Project::with(suite, &[&replies("a", "good")]);
    project.run().code(4).says("UNMEASURED");
    assert_eq!(project.check("fast")["error"], 1);
    assert_eq!(project.check("fast")["value"], serde_json::Value::Null);
}

#[test]
fn missing_tokens_are_an_error_and_never_zero() {
    let suite = "[[session]]\nid = \"lean\"\ncheck = \"tokens\"\nmax = 1000\n";
    let session = r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat"}],"reply":"good"}]}"#;
    Project::with(suite, &[session]).run().code(4);
}

#[test]
fn an_absent_reference_is_an_error_and_an_empty_one_is_an_expectation() {
    let suite = "[[session]]\nid = \"t\"\ncheck = \"trajectory\"\nmode = \"exact\"\n";
    let none = r#"{"id":"a","turns":[{"reply":"good"}]}"#;
    let empty = r#"{"id":"a","reference":{"tools":[]},"turns":[{"reply":"good"}]}"#;
    Project::with(suite, &[none]).run().code(4);
    Project::with(suite, &[empty]).run().code(0);
    let called = r#"{"id":"a","reference":{"tools":[]},"turns":[{"spans":[{"kind":"tool","name":"f","input":{}}]}]}"#;
    Project::with(suite, &[called]).run().code(1);
}

#[test]
fn a_session_that_the_infrastructure_broke_is_an_error_never_a_fail() {
    let broken = r#"{"id":"a","failure":{"kind":"infrastructure_error"},"turns":[{"reply":"bad"}]}"#;
    let project = Project::with(GOOD, &[broken]);
    project.run().code(4).says("infrastructure_error");
    assert_eq!(project.suite()["cases"]["error"], 1);
    assert_eq!(project.suite()["cases"]["failed"], 0);
}

#[test]
fn a_broken_session_adds_no_zero_to_a_metric() {
    let metric = "[[system]]\nid = \"few-calls\"\ncheck = \"metric\"\nmetric = \"tool_calls\"\nstat = \"mean\"\n";
    let suite = format!("{GOOD}{metric}max = 1\n[gate]\npass_rate = {{ min = 0.5 }}\nmax_error_rate = 1.0\n");
    let broken = r#"{"id":"a","failure":{"kind":"infrastructure_error"},"turns":[{"reply":"bad"}]}"#;
    let project = Project::with(&suite, &[broken, &replies("b", "good")]);
    project.run().code(4).says("1 of 2 sessions have no tool_calls");
    let check = project.check("few-calls");
    assert_eq!((&check["error"], &check["value"]), (&1.into(), &serde_json::Value::Null));
    // Where the suite allows it, the number is that of the others.
    let allowed = suite.replace("max = 1\n", "max = 1\nmin_coverage = 0.5\n");
    let project = Project::with(&allowed, &[broken, &replies("b", "good")]);
    project.run().code(0);
    assert_eq!(project.check("few-calls")["value"], 0.0);
}

// ---- 2: a blocking check that matched nothing

#[test]
fn a_blocking_check_that_matched_nothing_leaves_the_suite_unmeasured() {
    let suite = format!("{GOOD}[[span]]\nid = \"idle\"\non = {{ kind = \"tool\" }}\ncheck = \"status\"\n");
    let project = Project::with(&suite, &[&replies("a", "good")]);
    project.run().code(4).says("idle");
    assert_eq!(project.check("idle")["exercised"], false);
}

#[test]
fn optional_excuses_absent_subjects_and_says_so() {
    let suite =
        format!("{GOOD}[[span]]\nid = \"idle\"\non = {{ kind = \"tool\" }}\ncheck = \"status\"\noptional = true\n");
    Project::with(&suite, &[&replies("a", "good")]).run().code(0).says("unexercised (optional): idle");
}

#[test]
fn optional_never_excuses_errors() {
    let suite = "[[session]]\nid = \"fast\"\ncheck = \"duration\"\nmax_ms = 1\noptional = true\n";
    Project::with(&format!("{GOOD}{suite}"), &[&replies("a", "good")]).run().code(4);
}

#[test]
fn a_suite_without_any_exercised_blocking_check_is_unmeasured() {
    let suite = GOOD.replace("check =", "severity = \"warn\"\ncheck =");
    Project::with(&suite, &[&replies("a", "good")]).run().code(4).says("no blocking check");
    let optional = "[[span]]\nid = \"idle\"\non = { kind = \"tool\" }\ncheck = \"status\"\noptional = true\n";
    Project::with(optional, &[&replies("a", "good")]).run().code(4).says("no blocking check");
}

#[test]
fn a_suite_that_selects_no_session_is_unmeasured() {
    let project = Project::with(GOOD, &[]);
    project.file("sessions.jsonl", "");
    project.run().code(4);
    let project = Project::with(&format!("{GOOD}[gate]\nmax_left_out = 1.0\n"), &["not json"]);
    project.run().code(4);
}

// ---- 3: a case with no session; a path that matches nothing

#[test]
fn a_case_with_no_recorded_session_is_an_error_of_that_case() {
    let suite = format!("[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n{GOOD}");
    let project = Project::with(&suite, &[&replies("a", "good")]);
    project.run().code(4).says("no recorded session: b");
    let cases = &project.suite()["cases"];
    assert_eq!((cases["total"].as_u64(), cases["error"].as_u64()), (Some(2), Some(1)));
}

#[test]
fn every_entry_of_paths_must_match_a_file() {
    let suite = format!("[recorded]\npaths = [\"sessions.jsonl\", \"missing/*.jsonl\"]\n{GOOD}");
    Project::with(&suite, &[&replies("a", "good")]).run().code(2).complains("missing/*.jsonl");
}

// ---- 4: nothing is dropped in silence; what was read adds up

#[test]
fn a_turn_that_the_case_declares_and_the_session_lacks_is_an_error() {
    let suite = "[[case]]\nid = \"a\"\n[[case.turn]]\nuser = \"one\"\n[[case.turn]]\nuser = \"two\"\n\
                 [[turn]]\nid = \"polite\"\ncheck = \"not_contains\"\nvalue = \"damn\"\n";
    let project = Project::with(suite, &[&replies("a", "good")]);
    project.run().code(4).says("turn 2 of the 2 declared");
}

#[test]
fn an_incomplete_session_is_an_error() {
    let cut = r#"{"id":"a","incomplete":true,"turns":[{"reply":"good"}]}"#;
    Project::with(GOOD, &[cut]).run().code(4).says("stops before the end");
}

#[test]
fn what_was_read_evaluated_and_left_out_add_up() {
    let suite = format!("[[case]]\nid = \"a\"\n{GOOD}[gate]\nmax_left_out = 5\n");
    let a = replies("a", "good");
    let project = Project::with(&suite, &[&a, &a, "{broken", &replies("z", "good")]);
    project.run().code(0);
    let sessions = &project.suite()["sessions"];
    assert_eq!(sessions["read"], 4);
    assert_eq!(sessions["evaluated"], 1);
    assert_eq!(sessions["left_out"], serde_json::json!({ "malformed": 1, "duplicate": 1, "unknown_case": 1 }));
}

#[test]
fn something_left_out_makes_the_suite_unmeasured_unless_the_gate_allows_it() {
    let lines = [replies("a", "good"), "{broken".to_owned()];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Project::with(GOOD, &lines).run().code(4).says("max_left_out");
    Project::with(&format!("{GOOD}[gate]\nmax_left_out = 1\n"), &lines).run().code(0);
    Project::with(&format!("{GOOD}[gate]\nmax_left_out = 0.5\n"), &lines).run().code(0);
    Project::with(&format!("{GOOD}[gate]\nmax_left_out = 0.4\n"), &lines).run().code(4);
}

#[test]
fn errors_beyond_what_the_gate_allows_make_it_unmeasured() {
    let suite = "[[session]]\nid = \"paid\"\ncheck = \"reward\"\n[gate]\npass_rate = { min = 0.5 }\n";
    let ok = r#"{"seatrial":1,"id":"a","reward":1.0}"#;
    let unknown = r#"{"seatrial":1,"id":"b"}"#;
    Project::with(suite, &[ok, unknown]).run().code(4).says("could not be measured: b");
    Project::with(&format!("{suite}max_error_rate = 0.5\n"), &[ok, unknown]).run().code(0);
}

#[test]
fn skipped_cases_count_against_max_skip_rate() {
    let suite = format!("[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nskip = \"not ready\"\n{GOOD}");
    let lines = [replies("a", "good"), replies("b", "bad")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Project::with(&suite, &lines).run().code(4).says("skipped by the suite");
    Project::with(&format!("{suite}[gate]\nmax_skip_rate = 0.5\n"), &lines).run().code(0);
}

// ---- 5: nothing is printed that the exit code denies

#[test]
fn a_closed_pipe_never_turns_a_failure_into_success() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    let mut command = project.command(&["run", "suite.toml"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(1));
}

#[cfg(unix)]
#[test]
fn a_report_that_could_not_be_written_is_never_exit_0() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let said = project.run_with(&["--junit", "/dev/full"]).code(5);
    assert!(!said.out.contains("PASSED"), "{}", said.out);
    project.file("taken", "a file where the folder should be");
    project.run_with(&["--out", "taken"]).code(5).complains("could not be written");
}

#[cfg(unix)]
#[test]
fn a_result_that_could_not_be_printed_is_never_exit_0() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let mut command = project.command(&["run", "suite.toml"]);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full"));
    Said::of(command).code(5);
}

#[test]
fn the_json_line_says_what_the_exit_code_says() {
    for (reply, code, decision) in [("good", 0, "passed"), ("bad", 1, "failed")] {
        let project = Project::with(GOOD, &[&replies("a", reply)]);
        let said = project.run_with(&["--json"]).code(code);
        let line: serde_json::Value = serde_json::from_str(&said.out).expect("one line of JSON");
        assert_eq!(said.out.lines().count(), 1);
        assert_eq!(
            (line["exit_code"].as_i64(), line["suites"][0]["decision"].as_str()),
            (Some(code.into()), Some(decision))
        );
    }
    let project = Project::with("[[session]]\nid = 1\n", &[]);
    let said = project.run_with(&["--json"]).code(2);
    let line: serde_json::Value = serde_json::from_str(&said.out).expect("one line of JSON");
    assert_eq!(line["exit_code"], 2);
    assert!(line["problems"].as_array().is_some_and(|p| !p.is_empty()));
}

// ---- 6: what was evaluated is what is claimed

#[test]
fn with_a_subject_named_a_session_of_another_or_no_version_is_an_error() {
    let suite = format!("[subject]\nagent = \"a\"\nversion = \"1.4.2\"\n{GOOD}");
    let session = |agent: &str| format!(r#"{{"id":"x",{agent}"turns":[{{"reply":"good"}}]}}"#);
    let right = session(r#""agent":"a","version":"1.4.2","#);
    Project::with(&suite, &[&right]).run().code(0);
    for wrong in [
        session(r#""agent":"a","version":"1.4.1","#),
        session(r#""agent":"a","#),
        session(r#""agent":"b","version":"1.4.2","#),
        session(r#""version":"1.4.2","#),
    ] {
        Project::with(&suite, &[&wrong]).run().code(4);
    }
    let overridden = Project::with(&suite, &[&right]);
    overridden.run_with(&["--subject", "a@2.0.0"]).code(4).says("2.0.0");
}

#[test]
fn the_record_holds_the_digests_of_suite_files_and_sessions() {
    let suite = format!("[suite]\nname = \"s\"\ncases = \"cases.jsonl\"\n{GOOD}");
    let project = Project::with(&suite, &[&replies("a", "good")]);
    project.file("cases.jsonl", "{\"id\":\"a\"}\n");
    project.run().code(0);
    let events = project.events();
    let plan = events.lines().find(|l| l.contains("\"plan\"")).expect("a plan");
    let plan: serde_json::Value = serde_json::from_str(plan).expect("JSON");
    let suite = &plan["suites"][0];
    assert!(suite["digest"].as_str().expect("a digest").starts_with("sha256:"));
    let files: Vec<&String> = suite["files"].as_object().expect("files").keys().collect();
    assert_eq!(files, ["cases.jsonl", "suite.toml"]);
    assert!(suite["checks"][0]["digest"].as_str().expect("a digest").starts_with("sha256:"));
    assert!(events.contains("\"id\":\"a\",\"case\":\"a\",\"digest\":\"blake3:"));
    let before = suite["digest"].clone();
    project.file("cases.jsonl", "{\"id\":\"a\",\"tags\":[\"x\"]}\n");
    project.run().code(0);
    assert!(
        !project.events().contains(before.as_str().expect("text")),
        "a changed cases file changes the suite's digest"
    );
}

#[test]
fn max_age_refuses_old_sessions_and_those_without_a_time() {
    let suite = format!("[recorded]\npaths = [\"sessions.jsonl\"]\nmax_age = \"24h\"\n{GOOD}");
    let old = r#"{"id":"a","end_ns":1000000000000000000,"turns":[{"reply":"good"}]}"#;
    Project::with(&suite, &[old]).run().code(4).says("stale");
    Project::with(&suite, &[&replies("a", "good")]).run().code(4).says("says no time");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let fresh = format!(r#"{{"id":"a","end_ns":{now},"turns":[{{"reply":"good"}}]}}"#);
    Project::with(&suite, &[&fresh]).run().code(0);
}

#[test]
fn max_age_refuses_a_session_from_the_future_but_not_a_clock_that_is_a_little_ahead() {
    let suite = format!("[recorded]\npaths = [\"sessions.jsonl\"]\nmax_age = \"24h\"\n{GOOD}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let session = |ahead: u128| format!(r#"{{"id":"a","end_ns":{},"turns":[{{"reply":"good"}}]}}"#, now + ahead);
    let minute = 60_000_000_000;
    Project::with(&suite, &[&session(30 * minute)]).run().code(0);
    let run = Project::with(&suite, &[&session(150 * minute)]).run();
    run.code(4).says("left out stale").says("2 hours from now").says("the clock that recorded it is ahead");
    Project::with(&suite, &[r#"{"id":"a","end_ns":18446744073709551615,"turns":[{"reply":"good"}]}"#]).run().code(4);
}

#[test]
fn a_named_case_attribute_that_is_absent_is_an_error() {
    let suite = format!("[recorded]\npaths = [\"sessions.jsonl\"]\ncase = \"task\"\n{GOOD}");
    let with = r#"{"id":"a","turns":[{"reply":"good"}],"attributes":{"task":"t1"}}"#;
    Project::with(&suite, &[with]).run().code(0);
    Project::with(&suite, &[&replies("a", "good")]).run().code(4).says("no attribute `task`");
}

// ---- 7: a name that can never match

#[test]
fn a_tool_name_that_no_session_calls_and_the_suite_does_not_know_is_an_error() {
    let never = "[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"delete_acount\"\nmax = 0\n";
    let session = r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"find","input":{}}],"reply":"good"}]}"#;
    Project::with(never, &[session]).run().code(4).says("delete_acount");
    let known = format!("[suite]\nname = \"s\"\ntools = [\"delete_acount\"]\n{never}");
    Project::with(&known, &[session]).run().code(0);
    let optional = never.replace("check =", "optional = true\ncheck =");
    let project = Project::with(&optional, &[session]);
    project.run().code(4).says("delete_acount");
    let check = project.check("never");
    // No subject was an error: the check itself is.
    assert_eq!((check["pass"].as_u64(), check["error"].as_u64()), (Some(1), Some(0)));
    assert!(check["invalid"].as_str().expect("why").contains("`delete_acount`"));
    let seen = session.replace("find", "delete_acount");
    Project::with(never, &[&seen]).run().code(1);
}

#[test]
fn a_glob_or_selector_that_can_match_no_tool_is_an_error_too() {
    let session = r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"find","input":{}}],"reply":"good"}]}"#;
    let seen = session.replace("find", "delete_account");
    let glob = "[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"delete_*\"\nmax = 0\n";
    Project::with(glob, &[session]).run().code(4).says("delete_*");
    Project::with(&format!("[suite]\nname = \"s\"\ntools = [\"delete_account\"]\n{glob}"), &[session]).run().code(0);
    Project::with(glob, &[&seen]).run().code(1);
    let on = "[[span]]\nid = \"ok\"\non = { kind = \"tool\", name = \"delete_acount\" }\ncheck = \"status\"\n";
    let good = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\n";
    Project::with(&format!("{good}{on}"), &[&seen]).run().code(4).says("delete_acount");
}

#[test]
fn a_group_that_does_not_occur_is_an_error_of_its_check() {
    let suite = format!(
        "{GOOD}[[system]]\nid = \"by-agent\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\nmax = 9\nby = \"agent\"\ngroups = [\"a\", \"b\"]\n"
    );
    let session = r#"{"id":"x","agent":"a","turns":[{"reply":"good"}]}"#;
    let project = Project::with(&suite, &[session]);
    project.run().code(4);
    assert_eq!(project.check("by-agent")["error"], 1);
}

// ---- identity of sessions

#[test]
fn the_same_session_twice_counts_once_and_is_reported() {
    let a = replies("a", "good");
    let project = Project::with(GOOD, &[&a, &a]);
    project.run().code(0).says("duplicate");
    assert_eq!(project.suite()["sessions"]["left_out"]["duplicate"], 1);
}

#[test]
fn the_same_session_id_with_different_content_is_an_error_unless_they_are_trials() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("a", "good, too")]);
    project.run().code(4).says("already used by another session");
    let one = r#"{"id":"a","case":"c","trial":"0","turns":[{"reply":"good"}]}"#;
    let two = r#"{"id":"a","case":"c","trial":"1","turns":[{"reply":"good!"}]}"#;
    Project::with(GOOD, &[one, two]).run().code(0);
    Project::with(
        GOOD,
        &[&trial("c", 0, "good"), r#"{"id":"other","case":"c","trial":"0","turns":[{"reply":"good"}]}"#],
    )
    .run()
    .code(4)
    .says("already read from another session");
}
