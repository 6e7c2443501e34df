//! Watching: the run again when what it reads changes, and only then.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::project::{GOOD, Project, again, replies};

/// A watch, and the exit codes that it says.
struct Watch {
    child: Child,
    said: Receiver<String>,
}

impl Watch {
    fn begin(project: &Project) -> Self {
        Self::with(project, &[])
    }

    /// With more arguments.
    fn with(project: &Project, more: &[&str]) -> Self {
        let mut command = project.command(&["run", "suite.toml", "--watch"]);
        command.args(more);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("runs");
        let lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|l| l.contains("; watching ")).try_for_each(|line| sender.send(line))
        });
        Self { child, said }
    }

    /// Waits for the end of a run.
    #[track_caller]
    fn ended(&self, code: u8) {
        let line = self.said.recv_timeout(Duration::from_secs(60)).expect("a run");
        assert!(line.contains(&format!("exit code {code};")), "{line}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_change_of_suite_recording_or_settings_runs_again_and_an_interrupt_ends_orderly() {
    let suite = format!("[recorded]\npaths = [\"recordings/*.jsonl\"]\n{GOOD}");
    let project = Project::with(&suite, &[]);
    project.file("recordings/a.jsonl", replies("a", "good"));
    let mut watch = Watch::begin(&project);
    watch.ended(0);
    project.file("recordings/a.jsonl", replies("a", "bad"));
    watch.ended(1);
    project.file("recordings/a.jsonl", replies("a", "good again"));
    watch.ended(0);
    project.file("recordings/new.jsonl", replies("b", "bad"));
    watch.ended(1);
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", text.replace("value = \"good\"", "valu = \"good\""));
    watch.ended(2);
    project.file("suite.toml", text.replace("value = \"good\"", "value = \"\""));
    watch.ended(2);
    project.file("suite.toml", text.replace("value = \"good\"", "value = \"again\""));
    watch.ended(1);
    project.file("seatrial.toml", "jobs = [\n");
    watch.ended(2);
    project.file("seatrial.toml", "jobs = 2\n");
    watch.ended(1);
    // Neither the run's own reports nor a file that nobody reads.
    project.file("notes.txt", "nothing");
    assert!(watch.said.recv_timeout(Duration::from_secs(1)).is_err());
    let runs = std::fs::read_dir(project.path("reports")).expect("runs").count();
    assert_eq!(runs, 2, "the newest run, and `latest`");
    // What comes next is of the next change: nothing ran meanwhile.
    project.file("seatrial.toml", "jobs = [\n");
    watch.ended(2);
    let pid = watch.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    assert_eq!(watch.child.wait().expect("ends").code(), Some(2), "the exit code of the last run");
}

#[test]
fn a_change_of_the_labels_that_a_pass_rate_is_corrected_by_runs_again() {
    let judge = "[[session]]\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"It is polite.\"\n";
    let gate = "[gate]\nlabels = \"labels.jsonl\"\npass_rate = { min = 0.8, correct = \"ppi\" }\n";
    let stub = crate::judges::stub::Stub::says(&crate::judges::stub::verdict(1.0));
    let project = Project::with(&format!("{judge}{gate}"), &[&replies("a", "good")]);
    let url = &stub.url;
    project.file(
        "seatrial.toml",
        format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"{url}/v1\"\n"),
    );
    let watch = Watch::begin(&project);
    watch.ended(4);
    project.file("labels.jsonl", "");
    watch.ended(4);
}

/// Sixty sessions recorded anew that go well, but for some.
fn sessions(bad: usize) -> String {
    let session = |i: usize| again(&replies(&format!("c{i}"), if i < bad { "bad" } else { "good" })) + "\n";
    (0..60).map(session).collect()
}

/// Leaves a run of the suite, without a baseline, at a place.
fn leave(project: &Project, place: &str, bad: usize) {
    project.file("sessions.jsonl", sessions(bad));
    let out = format!("runs-{place}");
    project.seatrial(&["run", "first.toml", "--out", &out]).code(0);
    let record = std::fs::read(project.path(&out).join("latest/run.jsonl")).expect("a record");
    project.file(&format!("{place}.jsonl"), record);
}

#[test]
fn another_run_in_the_place_of_the_baseline_runs_again() {
    let gate = "[gate]\npass_rate = { min = 0.0 }\n";
    let project = Project::with(&format!("{GOOD}{gate}baseline = {{ run = \"main\", margin = 0.1 }}\n"), &[]);
    project
        .file("first.toml", format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}{gate}"));
    leave(&project, "well", 0);
    leave(&project, "ill", 20);
    project.file("sessions.jsonl", sessions(20));
    let place = |name: &str| std::fs::read(project.path(&format!("{name}.jsonl"))).expect("a record");
    let watch = Watch::begin(&project);
    // It is not there yet.
    watch.ended(4);
    project.file("main/run.jsonl", place("ill"));
    watch.ended(0);
    project.file("main/run.jsonl", place("well"));
    watch.ended(1);
    drop(watch);
    // One that is named, too; and the newest run, which every run of the watch replaces, does not make it run for ever.
    project.file("other/run.jsonl", place("ill"));
    let watch = Watch::with(&project, &["--baseline", "other"]);
    watch.ended(0);
    project.file("main/run.jsonl", place("ill"));
    assert!(watch.said.recv_timeout(Duration::from_secs(1)).is_err());
    project.file("other/run.jsonl", place("well"));
    watch.ended(1);
    drop(watch);
    let watch = Watch::with(&project, &["--baseline", "reports/latest"]);
    watch.ended(4);
    assert!(watch.said.recv_timeout(Duration::from_secs(1)).is_err());
    project.file("suite.toml", "[suite\n");
    watch.ended(2);
}
