//! Workers that run, and end with the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use crate::project::Project;
use crate::receive::recorder::run;

/// A worker that works.
pub struct Worker {
    child: Child,
    /// What it says after it works: read on, or it would wait for a reader some day.
    says: Option<JoinHandle<String>>,
    /// Where it can be looked at.
    status: String,
}

impl Worker {
    /// Starts one with one hand, and waits until it works.
    pub fn start(project: &Project, url: &str) -> Self {
        let args = ["worker", url, "--jobs", "1", "--status", "0"];
        let mut child = project.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut err = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut said, mut status) = (String::new(), String::new());
        while !said.contains("working for") {
            let mut line = String::new();
            assert!(err.read_line(&mut line).expect("text") > 0, "it ended: {said}");
            status = line.trim().strip_prefix("to be looked at: ").map_or(status, str::to_owned);
            said.push_str(&line);
        }
        let says = std::thread::spawn(move || {
            let mut said = String::new();
            err.read_to_string(&mut said).expect("text");
            said
        });
        Self { child, says: Some(says), status }
    }

    /// All that its metrics say.
    pub fn metrics(&self) -> String {
        run(async {
            let client = seatrial::net::client::client().expect("a client");
            client.get(&self.status).send().await.expect("an answer").text().await.expect("text")
        })
    }

    /// What one of them says.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("no `{name}`: {text}"))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end; its exit code and what else it said.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let status = std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
        let said = self.says.take().expect("once").join().expect("text");
        (self.child.wait().expect("an end").code(), said)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}
