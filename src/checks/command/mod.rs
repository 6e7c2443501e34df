//! `command`: a program of the user's own judges the subject.
//!
//! [`mod@line`] is what it is sent, [`verdict`] what it answers.

mod line;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Compiled;
use super::asking::{Answer, AskingCheck, Need, Program, Subject};
use super::build::{Build, Example, Params};
use crate::model::{Finding, Level, duration};

/// A program of your own judges the subject, in any language.
///
/// It is started once per worker and lives as long as the run. For each subject it reads one line of JSON from its
/// standard input and answers with one line of JSON on its standard output:
///
/// - it reads `{"level", "case", "session", "turn", "turn_index", "span", "span_index"}`: the whole session at session
///   level; at turn level the turn, at span level the span, and of the session `id`, `agent`, `version`, `user`, `tags`.
///   Sessions, turns and spans are in seatrial's own format, indices count from 0;
/// - it answers `{"status": "pass" | "fail" | "error", "reason", "score", "confidence", "evidence"}`, of which only
///   `status` has to be there. `score` and `confidence` are from 0 to 1. `evidence` is a list of places such as
///   `{"turn": 0, "field": "reply", "range": [4, 9]}`.
///
/// It must write out each answer at once (flush). Anything that is no such answer, an end, or no answer within `timeout`
/// is an error of that subject with what the program said on its standard error; it is then started anew.
///
/// The program sees the session as it was recorded, also where `[redact]` hides parts of it from reports.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments, such as `["python3", "polite.py"]`. No shell is involved. It is started in the
    /// folder of the suite; a program with a `/` in its name is looked for there, others on the PATH. Files among the
    /// arguments are part of the check's digest.
    run: Vec<String>,
    /// How long it may take for one subject, such as `"30s"`.
    #[serde(default = "ten_seconds")]
    timeout: String,
}

fn ten_seconds() -> String {
    "10s".to_owned()
}

impl Params for Command {
    const NAME: &'static str = "command";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id    = "polite"
check = "command"
run   = ["sh", "-c", '''
while read -r line; do
  case $line in
    *[Pp]lease*) echo '{"status": "pass"}' ;;
    *) echo '{"status": "fail", "reason": "no please"}' ;;
  esac
done
''']
"#,
        passes: r#"{"id":"a","turns":[{"user":"hi","reply":"Please wait."}]}"#,
        fails: r#"{"id":"b","turns":[{"user":"hi","reply":"Wait."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Some(name) = self.run.first().filter(|name| !name.is_empty()) else {
            build.problem(&["run"], "no program is named", "such as `run = [\"python3\", \"polite.py\"]`".to_owned());
            return None;
        };
        if name.contains('/') && Path::new(name).is_relative() {
            build.read("run", name)?;
        }
        for argument in self.run.iter().skip(1).filter(|a| is_name(a)) {
            // One that is no file is an argument like any other.
            let _ = build.files.read(Path::new(argument));
        }
        let timeout = match duration::parse(&self.timeout) {
            Ok(timeout) if timeout > Duration::ZERO => timeout,
            Ok(_) => {
                build.problem(&["timeout"], "no time at all", "such as `timeout = \"30s\"`".to_owned());
                return None;
            }
            Err(why) => {
                build.problem(&["timeout"], why, "such as `timeout = \"30s\"`".to_owned());
                return None;
            }
        };
        let dir = build.files.locate(&PathBuf::new());
        Some(Compiled::Asking(Box::new(Asks { program: Arc::new(Program { run: self.run, dir, timeout }) })))
    }
}

/// Whether an argument may be the name of a file beside the suite.
fn is_name(argument: &str) -> bool {
    const LONGEST: usize = 1024;
    !argument.is_empty() && argument.len() <= LONGEST && !argument.starts_with('-') && !argument.contains('\n')
}

struct Asks {
    program: Arc<Program>,
}

impl AskingCheck for Asks {
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need> {
        let line = if have.is_empty() { line::of(subject).ok() } else { None };
        line.map(|line| Need::Line { program: self.program.clone(), line }).into_iter().collect()
    }

    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding {
        let name = self.program.run.first().map_or("", String::as_str);
        match have.first().map(|answer| answer.as_ref().map_err(String::clone).and_then(|reply| reply.line())) {
            Some(Ok(answer)) => verdict::read(answer, subject)
                .unwrap_or_else(|why| Finding::error(format!("`{name}` did not answer with a verdict: {why}"))),
            Some(Err(why)) => Finding::error(format!("`{name}`: {why}")),
            None => {
                let why = line::of(subject).err().unwrap_or_default();
                Finding::error(format!("`{name}` was not asked: {why}"))
            }
        }
    }
}
