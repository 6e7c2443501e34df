//! Watching: the run again when what it reads changes, and only then.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::project::{GOOD, Project, replies};

/// A watch, and the exit codes that it says.
struct Watch {
    child: Child,
    said: Receiver<String>,
}

impl Watch {
    fn begin(project: &Project) -> Self {
        let mut command = project.command(&["run", "suite.toml", "--watch"]);
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
    let pid = watch.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    assert_eq!(watch.child.wait().expect("ends").code(), Some(1), "the exit code of the last run");
}
