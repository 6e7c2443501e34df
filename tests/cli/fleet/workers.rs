//! Workers that run, and end with the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use crate::project::Project;

/// A worker that works.
pub struct Worker {
    child: Child,
    err: BufReader<ChildStderr>,
    /// Where it can be looked at.
    pub status: String,
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
        Self { child, err, status }
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
        let mut said = String::new();
        self.err.read_to_string(&mut said).expect("text");
        (self.child.wait().expect("an end").code(), said)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}
