//! A folder with suites and recordings, and the binary run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A temporary project.
pub struct Project {
    dir: tempfile::TempDir,
}

/// What the binary said.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Project {
    /// An empty one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join(".git")).expect("a repository root");
        Self { dir }
    }

    /// One with a suite `suite.toml` over `sessions.jsonl`.
    pub fn with(suite: &str, sessions: &[&str]) -> Self {
        let project = Self::new();
        let recorded = if suite.contains("[recorded]") { "" } else { "[recorded]\npaths = [\"sessions.jsonl\"]\n" };
        let head = if suite.contains("[suite]") { "" } else { "[suite]\nname = \"s\"\n" };
        project.file("suite.toml", format!("{head}{recorded}{suite}"));
        project.file("sessions.jsonl", sessions.join("\n") + "\n");
        project
    }

    /// Adds a file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary, ready to run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
        command.args(args).current_dir(self.dir.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs the binary.
    pub fn seatrial(&self, args: &[&str]) -> Said {
        Said::of(self.command(args))
    }

    /// `seatrial run suite.toml`.
    pub fn run(&self) -> Said {
        self.seatrial(&["run", "suite.toml"])
    }

    /// `seatrial run suite.toml` with more arguments.
    pub fn run_with(&self, more: &[&str]) -> Said {
        let mut args = vec!["run", "suite.toml"];
        args.extend(more);
        self.seatrial(&args)
    }

    /// `seatrial run suite.toml` where no more than so many files may be open at once.
    #[cfg(unix)]
    pub fn run_with_files(&self, most: u32) -> Said {
        let command = self.command(&["run", "suite.toml"]);
        let mut limited = Command::new("sh");
        limited.arg("-c").arg(format!("ulimit -Sn {most} && ulimit -Hn {most} && exec \"$0\" \"$@\""));
        limited.arg(command.get_program()).args(command.get_args()).current_dir(self.dir.path()).stdin(Stdio::null());
        Said::of(limited)
    }

    /// `summary.json` of the last run.
    pub fn summary(&self) -> Value {
        json(&self.path("reports/latest/summary.json"))
    }

    /// The first suite of it.
    pub fn suite(&self) -> Value {
        self.summary()["suites"][0].clone()
    }

    /// The check with this id in the first suite of it.
    pub fn check(&self, id: &str) -> Value {
        let suite = self.suite();
        let checks = suite["checks"].as_array().expect("checks");
        checks.iter().find(|c| c["id"] == id).unwrap_or_else(|| panic!("no check {id} in {suite}")).clone()
    }

    /// A file of the last run.
    pub fn report(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("reports/latest").join(name)).expect("a report")
    }

    /// The deterministic lines of the last run's record.
    pub fn events(&self) -> String {
        let record = self.report("run.jsonl");
        record.lines().filter(|l| l.starts_with("{\"event\"")).map(|l| format!("{l}\n")).collect()
    }
}

impl Said {
    /// Runs a command.
    pub fn of(mut command: Command) -> Self {
        let output = command.output().expect("the binary runs");
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires an exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Requires a text on standard output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} on stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Requires a text on standard error.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} on stderr:\n{}\nstdout:\n{}", self.err, self.out);
        self
    }
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// A session whose one turn has a reply.
pub fn replies(id: &str, reply: &str) -> String {
    serde_json::json!({ "id": id, "turns": [{ "user": "hello", "reply": reply }] }).to_string()
}

/// The same session recorded anew: with the same outcome, and not the very recording.
pub fn again(session: &str) -> String {
    static TAKES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let mut session: Value = serde_json::from_str(session).expect("a session");
    let take = TAKES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    session["attributes"]["take"] = take.into();
    session.to_string()
}

/// A trial of a case with a reply.
pub fn trial(case: &str, trial: u32, reply: &str) -> String {
    serde_json::json!({
        "id": format!("{case}-{trial}"), "case": case, "trial": trial.to_string(),
        "turns": [{ "user": "hello", "reply": reply }],
    })
    .to_string()
}

/// A check that passes when the final reply says `good`.
pub const GOOD: &str = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\n";
