//! The look of what people read: whole outputs, held as snapshots, so that a change of them is seen.

use std::process::Command;

use crate::project::{Project, Said};

/// Runs the binary in the repository, with the run's files in a folder of their own.
fn here(args: &[&str]) -> Said {
    let elsewhere = Project::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.env("SEATRIAL_JOBS", "2");
    if args.first() == Some(&"run") {
        command.env("SEATRIAL_OUT", elsewhere.path("reports"));
    }
    Said::of(command)
}

/// An output without what changes from run to run.
fn steady(text: &str) -> String {
    let lines =
        text.lines().map(|line| if line.starts_with("reports in") { "reports in ..." } else { line.trim_end() });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_that_fails_in_every_way() {
    let said = here(&["run", "tests/suites/fails.toml"]).code(1);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_session_as_a_transcript() {
    let said = here(&["show", "fixtures/ferry/results.json", "2/1"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_session_with_times_and_its_waterfall() {
    let said = here(&["show", "fixtures/support/sessions.jsonl", "rf-1"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_session_of_anthropic_messages() {
    let said = here(&["show", "fixtures/coding/fix-off-by-one.json"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_session_put_together_from_telemetry() {
    let said = here(&["show", "fixtures/telemetry/strands", "multi-turn-2742b3fe", "--width", "80"]).code(0);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_trace_of_two_agents_whose_clocks_differ() {
    let said = here(&["show", "fixtures/telemetry/handover.jsonl", "lamps-large-refund", "--width", "80"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_failure_that_went_through_every_operation_is_told_once() {
    let said = here(&["show", "fixtures/telemetry/strands", "llm-error-ec1823fd", "--width", "80"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn the_sessions_of_a_folder_of_telemetry() {
    let said = here(&["show", "fixtures/telemetry/strands"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn the_sessions_of_a_file() {
    let said = here(&["show", "fixtures/ferry/results.json"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn a_run_that_passes_with_something_to_look_at() {
    let said = here(&["run", "suites/"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn the_plan_of_suites() {
    let said = here(&["check", "suites/"]).code(0);
    insta::assert_snapshot!(steady(&said.out));
}

#[test]
fn the_explanation_of_a_check() {
    insta::assert_snapshot!(steady(&here(&["explain", "trajectory"]).code(0).out));
}

#[test]
fn a_missing_recording_is_told_the_one_beside_it() {
    let project = Project::with("[recorded]\npaths = [\"session.jsonl\"]\n", &["{}"]);
    insta::assert_snapshot!(steady(&project.run().code(2).err), @r#"
    error: suite `s`: no file matches `session.jsonl`
     --> suite.toml:4:10
      |
    4 | paths = ["session.jsonl"]
      |          ^^^^^^^^^^^^^^^
      |
      = help: did you mean `sessions.jsonl`?
    "#);
    // Entries of --sessions stand in no file.
    let said = project.run_with(&["--sessions", "session.jsonl"]).code(2).complains("did you mean `sessions.jsonl`?");
    assert!(!said.err.contains("suite.toml:"), "{}", said.err);
}

#[test]
fn a_recording_in_place_of_a_suite_is_said_to_be_one() {
    let project = Project::with("", &["{}", "{}"]);
    insta::assert_snapshot!(steady(&project.seatrial(&["run", "sessions.jsonl"]).code(2).err), @r"
    error: this is a recording by its name, not a suite
    --> sessions.jsonl
     = help: name a suite (TOML), and the recording in its `[recorded] paths` or by `--sessions`
    ");
}

#[test]
fn a_run_that_is_not_there() {
    let said = Project::new().seatrial(&["report", "reports/nope"]).code(2);
    insta::assert_snapshot!(steady(&said.err), @r"
    seatrial: there is no run at `reports/nope`
    help: `seatrial run` writes one; the newest is `reports/latest`
    ");
}

#[test]
fn every_problem_of_a_suite() {
    let project = Project::with(
        "[[sesion]]\nid = \"a\"\n[[session]]\nid = \"b\"\ncheck = \"contians\"\n[[span]]\nid = \"c\"\ncheck = \"turns\"\nmax = 3\n",
        &[],
    );
    insta::assert_snapshot!(steady(&project.run().code(2).err));
}
