//! `seatrial init`: a suite that works, settings and a file for the CI, to begin with.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use crate::eval::exit;
use crate::report::safe;
use crate::suite::schema::suite_schema;

/// Arguments of `seatrial init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial init                 in this folder
  seatrial init evals           in a folder, which is made if need be
  seatrial init --ci gitlab     with a job for GitLab
  seatrial init --demo          a suite that drives the demo agent
  seatrial init --review        a suite whose verdicts wait for a person

A file that is there already is left as it is.")]
pub struct Args {
    /// The folder to set up.
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// For whose CI a file is written; without it, GitLab's where there is a `.gitlab-ci.yml`, else GitHub's.
    #[arg(long, value_name = "CI")]
    ci: Option<Ci>,
    /// Set up a suite that drives the demo agent (`seatrial demo-agent`) instead, without a file for a CI.
    #[arg(long, conflicts_with = "ci")]
    demo: bool,
    /// Set up a suite whose verdicts wait for a person (`seatrial review`) instead, without a file for a CI.
    #[arg(long, conflicts_with_all = ["ci", "demo"])]
    review: bool,
}

/// Whose CI runs the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ci {
    /// A workflow of GitHub Actions.
    Github,
    /// A job of GitLab CI.
    Gitlab,
    /// No file.
    None,
}

/// Writes what is missing, and says what to do next.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let dir = context.cwd.join(&args.dir);
    let ci = args.ci.unwrap_or_else(|| if dir.join(".gitlab-ci.yml").exists() { Ci::Gitlab } else { Ci::Github });
    let mut said = String::new();
    for (name, content) in chosen(args, ci) {
        let shown = safe::line(&args.dir.join(name).to_string_lossy()).into_owned();
        let shown = shown.strip_prefix("./").unwrap_or(&shown);
        match write_new(&dir.join(name), &content) {
            Ok(true) => said.push_str(&format!("wrote {shown}\n")),
            Ok(false) => said.push_str(&format!("left  {shown} as it is\n")),
            Err(why) => return Err(Failure::write(shown, &why)),
        }
    }
    let enter = if args.dir == Path::new(".") {
        String::new()
    } else {
        format!("  cd {}\n", safe::line(&args.dir.to_string_lossy()))
    };
    if args.demo {
        said.push_str(&format!(
            "\nnext:\n{enter}  seatrial demo-agent &             an agent without any model\n  seatrial run suites/              two cases, \
             driven twice\n  seatrial demo-agent --fault loop  what it looks like when it goes wrong\n"
        ));
        return context.print(said.as_bytes(), exit::PASSED);
    }
    if args.review {
        said.push_str(&format!(
            "\nnext:\n{enter}  seatrial run suites/             exit code 3: held, two refusals wait for a person\n  \
             seatrial review                  answer them: p pass, f fail, ? for the other keys\n  \
             seatrial gate reports/latest     decide again with what you said\n"
        ));
        return context.print(said.as_bytes(), exit::PASSED);
    }
    said.push_str(&format!(
        "\nnext:\n{enter}  seatrial run suites/             two sessions against one suite\n  seatrial show recordings/        what was recorded\n  \
         seatrial explain formats         what else can be read in the place of recordings/first.jsonl\n"
    ));
    if ci == Ci::Gitlab {
        said.push_str("and name .gitlab/seatrial.yml under `include:` in .gitlab-ci.yml\n");
    }
    context.print(said.as_bytes(), exit::PASSED)
}

/// The files of every folder that is set up.
fn common() -> Vec<(&'static str, String)> {
    vec![
        ("seatrial.toml", include_str!("init/seatrial.toml").to_owned()),
        (".seatrial/suite.schema.json", format!("{:#}\n", suite_schema())),
        // Runs are no part of a repository; the rule stands where it applies.
        ("reports/.gitignore", "*\n".to_owned()),
    ]
}

/// The files that are asked for.
fn chosen(args: &Args, ci: Ci) -> Vec<(&'static str, String)> {
    match (args.demo, args.review) {
        (true, _) => demo_files(),
        (_, true) => review_files(),
        _ => files(ci),
    }
}

/// Those of a folder with verdicts that wait for a person.
fn review_files() -> Vec<(&'static str, String)> {
    let mut files = common();
    files.insert(1, ("suites/reviewed.toml", include_str!("init/reviewed.toml").to_owned()));
    files.insert(2, ("recordings/reviewed.jsonl", include_str!("init/reviewed.jsonl").to_owned()));
    // The queue is no part of a repository, and answers are.
    files.push((".seatrial/.gitignore", "*.db*\n".to_owned()));
    files
}

/// Those of a folder in which the demo agent is driven.
fn demo_files() -> Vec<(&'static str, String)> {
    let mut files = common();
    files.insert(1, ("suites/demo.toml", include_str!("init/demo.toml").to_owned()));
    files
}

/// The files with their content.
fn files(ci: Ci) -> Vec<(&'static str, String)> {
    let mut files = common();
    files.insert(1, ("suites/first.toml", include_str!("init/first.toml").to_owned()));
    files.insert(2, ("recordings/first.jsonl", include_str!("init/first.jsonl").to_owned()));
    match ci {
        Ci::Github => files.push((".github/workflows/seatrial.yml", include_str!("init/github.yml").to_owned())),
        Ci::Gitlab => files.push((".gitlab/seatrial.yml", include_str!("init/gitlab.yml").to_owned())),
        Ci::None => {}
    }
    files
}

/// Writes a file with its folders unless there is something at its place; whether it was written.
fn write_new(path: &Path, content: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(content.as_bytes()).map(|()| true),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(why) => Err(why),
    }
}
