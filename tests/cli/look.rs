//! The look of what people read: whole outputs, held as snapshots, so that a change of them is seen.

use std::process::Command;

use crate::project::{Project, Said};

/// Runs the binary in the repository, with the run's files in a folder of their own.
fn here(args: &[&str]) -> Said {
    let elsewhere = Project::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.env("SEATRIAL_OUT", elsewhere.path("reports")).env("SEATRIAL_JOBS", "2");
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
fn every_problem_of_a_suite() {
    let project = Project::with(
        "[[sesion]]\nid = \"a\"\n[[session]]\nid = \"b\"\ncheck = \"contians\"\n[[span]]\nid = \"c\"\ncheck = \"turns\"\nmax = 3\n",
        &[],
    );
    insta::assert_snapshot!(steady(&project.run().code(2).err));
}
