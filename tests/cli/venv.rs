//! A python of a test's own, with packages from PyPI. Where they cannot be had, that is said, and the test stops.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A virtual environment, gone when it is dropped.
pub struct Venv {
    _dir: tempfile::TempDir,
    python: PathBuf,
}

impl Venv {
    /// One with these packages; `None` where they cannot be had, which is said.
    pub fn with(packages: &[&str]) -> Option<Self> {
        let made = Self::make(packages);
        if made.is_none() {
            let why = format!("NOT TESTED: no python with {} could be installed from PyPI\n", packages.join(", "));
            // Around the capture of the test harness, which would hide it.
            let _ = std::io::stderr().write_all(why.as_bytes());
        }
        made
    }

    fn make(packages: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let run = |program: &Path, args: &[&str]| {
            let done = Command::new(program).args(args).stdin(Stdio::null()).output();
            done.is_ok_and(|done| done.status.success())
        };
        let venv = dir.path().join("venv");
        let python = venv.join("bin/python");
        let quick = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "0", "--timeout", "10"];
        let there = run(Path::new("python3"), &["-m", "venv", &venv.display().to_string()])
            && run(&python, &[&quick[..], packages].concat());
        there.then_some(Self { _dir: dir, python })
    }

    /// Its interpreter.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A program that a package brings.
    pub fn program(&self, name: &str) -> PathBuf {
        self.python.with_file_name(name)
    }
}
