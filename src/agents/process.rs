//! Programs that agents are: started in the suite's folder, heard on their standard error, and ended with all that they
//! started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use minijinja::Value as Jinja;
use process_wrap::tokio::ChildWrapper;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::kind::Setup;
use super::template::{Env, Text};
use crate::net::{Cause, Trouble};
use crate::process::{self, Group};

/// How much of what a program says on its standard error is remembered, in bytes.
const REMEMBERED: usize = 2000;
/// How long a program may take to end once its standard input is closed.
const GRACE: Duration = Duration::from_millis(500);

/// A program with its arguments and variables.
pub struct Program {
    run: Vec<String>,
    dir: PathBuf,
    env: Vec<(String, Text)>,
}

impl Program {
    /// Reads the keys `run` and `env`; problems are reported.
    pub fn new(run: Vec<String>, env: &BTreeMap<String, String>, setup: &mut Setup<'_>) -> Option<Self> {
        let before = setup.problems.len();
        match run.first().filter(|name| !name.is_empty()) {
            None => {
                let help = "such as `run = [\"python3\", \"agent.py\"]`".to_owned();
                setup.problem(&["run"], "no program is named", help);
            }
            Some(name) if name.contains('/') && Path::new(name).is_relative() => {
                if let Err(why) = setup.files.read(Path::new(name)) {
                    setup.problem(&["run"], why, None);
                }
            }
            Some(_) => {}
        }
        let mut texts = Vec::new();
        for (name, value) in env {
            match Text::parse(value) {
                Ok(text) if text.is_fixed() => texts.push((name.clone(), text)),
                Ok(_) => setup.problem(&["env", name], "only `{{ env.NAME }}` may be used here", None),
                Err(why) => setup.problem(&["env", name], why, None),
            }
        }
        (setup.problems.len() == before).then(|| Self { run, dir: setup.dir.to_owned(), env: texts })
    }

    /// The environment variables that its own are made of.
    pub fn variables(&self) -> BTreeSet<String> {
        self.env.iter().flat_map(|(_, text)| text.variables()).collect()
    }

    /// Starts it. `context` is what its variables are rendered over, `more` are variables beside them.
    pub fn start(&self, context: &Jinja, env: &Arc<Env>, more: &[(&str, &str)]) -> Result<(Running, Pipes), Trouble> {
        let failed = |why: std::io::Error| {
            use std::io::ErrorKind::{NotFound, PermissionDenied};
            let cause = match why.kind() {
                NotFound | PermissionDenied => Cause::Misconfigured,
                _ => Cause::Unreachable,
            };
            Trouble::new(cause, format!("the agent's program could not be started: {why}"))
        };
        let mut variables = Vec::new();
        for (name, text) in &self.env {
            variables.push((name.as_str(), text.render(context)?));
        }
        let started = process::start_async(&self.run, &self.dir, |command| {
            command.envs(variables).envs(more.iter().copied());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        let (mut child, group) = started.map_err(failed)?;
        let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let running = Running { child, _group: group, said: Arc::default(), env: env.clone() };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Trouble::new(Cause::Died, "the agent's program has no standard input and output"));
        };
        tokio::spawn(hear(stderr, running.said.clone()));
        Ok((running, Pipes { stdin, stdout }))
    }
}

/// A program's standard input and output.
pub struct Pipes {
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it writes.
    pub stdout: ChildStdout,
}

/// A program that was started. Ended, with all that it started itself, when this is dropped.
pub struct Running {
    child: Box<dyn ChildWrapper>,
    _group: Group,
    said: Arc<Mutex<Vec<u8>>>,
    env: Arc<Env>,
}

impl Running {
    /// It ended, or closed its standard output, instead of answering.
    pub async fn ended(&mut self) -> Trouble {
        let how = match tokio::time::timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => format!("the agent's program ended without an answer ({status})"),
            _ => "the agent's program closed its standard output without an answer".to_owned(),
        };
        // What it said on its way out may still be in the pipe.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.told(Trouble::new(Cause::Died, how))
    }

    /// A trouble, with the last that the program said on its standard error.
    pub fn told(&self, trouble: Trouble) -> Trouble {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said: String =
            String::from_utf8_lossy(&said).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let message = match said.trim() {
            "" => trouble.message,
            said => format!("{}; on its standard error: {said}", trouble.message),
        };
        self.env.scrubbed(Trouble { message, ..trouble })
    }

    /// Ends it orderly: whoever reads to the end of the input ends by itself. The pipes are closed by now.
    pub async fn end(mut self) {
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended has no group any more.
        let _ = self.child.start_kill();
    }
}

/// Remembers the last that is said.
async fn hear(mut output: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = output.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..n]);
        let beyond = said.len().saturating_sub(REMEMBERED);
        said.drain(..beyond);
    }
}
