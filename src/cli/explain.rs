//! `seatrial explain`: the documentation of checks, formats and a few topics, from the definitions themselves.

mod agents;
mod fleet;
mod gate;
mod promote;
mod redaction;
mod reference;
mod review;
mod routing;
mod topics;
mod watch;
mod watching;

use std::fmt::Write;

pub use reference::reference_markdown;
use topics::TOPICS;

use super::context::{Context, Failure};
use crate::agents::KINDS;
use crate::checks::RULES;
use crate::checks::build::Rule;
use crate::checks::judge::rubric::{self, BUILTINS, Builtin};
use crate::eval::exit;
use crate::formats::FORMATS;
use crate::model::Level;
use crate::report::safe;
use crate::suite::nearest::nearest;
use crate::suite::schema::docs::{ParamDoc, rule_doc, table_docs};

/// Arguments of `seatrial explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial explain                    all checks by level, and the topics
  seatrial explain trajectory         one check, with a session that passes and one that fails
  seatrial explain builtin:grounded   a rubric for judges, to be named or copied
  seatrial explain filter             the language of --filter
  seatrial explain cases              the columns of a file of cases
  seatrial explain exit-codes")]
pub struct Args {
    /// A check, a trace format, a kind of agent, a rubric (`builtin:NAME`), or a topic: `agent`, `cases`,
    /// `exit-codes`, `filter`, `formats`, `gate`, `keys`, `matchers`, `metrics`, `promote`, `promote-hooks`, `redaction`,
    /// `review`, `routing`, `settings`, `suite`, `watch`.
    name: Option<String>,
    /// Print the reference of all checks in Markdown.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

/// Explains.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    context.print(text(args)?.as_bytes(), exit::PASSED)
}

fn text(args: &Args) -> Result<String, Failure> {
    match &args.name {
        _ if args.markdown => Ok(reference_markdown()),
        None => Ok(overview(RULES)),
        Some(name) => explain(name),
    }
}

/// Columns that documentation is set in.
const WIDTH: usize = 100;

/// The documentation of a name.
fn explain(name: &str) -> Result<String, Failure> {
    if let Some(topic) = TOPICS.iter().find(|t| t.name == name) {
        return Ok((topic.text)());
    }
    // A check and a kind of agent may have one name.
    let rule = RULES.iter().find(|r| r.name == name).map(check);
    let kind = KINDS.iter().find(|k| k.name == name).map(agents::kind);
    let found: Vec<String> = rule.into_iter().chain(kind).collect();
    if !found.is_empty() {
        return Ok(found.join("\n\n"));
    }
    if let Some(format) = FORMATS.iter().find(|f| f.name() == name) {
        return Ok(format!("{name} (trace format)\n\n{}\n", wrapped(format.doc(), 0, 0)));
    }
    if name.starts_with("builtin:")
        && let Some(rubric) = rubric::builtin(name)
    {
        return Ok(self::rubric(rubric));
    }
    if is_table_of_suite(name) {
        return Ok(topics::suite());
    }
    let names = || {
        let formats = FORMATS.iter().map(|f| f.name());
        let kinds = KINDS.iter().map(|k| k.name);
        TOPICS.iter().map(|t| t.name).chain(RULES.iter().map(|r| r.name)).chain(formats).chain(kinds)
    };
    let rubrics: Vec<String> = BUILTINS.iter().map(|b| format!("builtin:{}", b.name)).collect();
    let help = match nearest(name, names().chain(rubrics.iter().map(String::as_str))) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`seatrial explain` lists everything there is to explain".to_owned(),
    };
    Err(Failure::usage(format_args!("nothing is called `{}`\nhelp: {help}", safe::line(name))))
}

/// Whether this is a table of the suite language, such as `gate` or `[[case]]`, which the topic `suite` describes.
fn is_table_of_suite(name: &str) -> bool {
    let bare = |name: &str| name.trim_matches(['[', ']']).to_owned();
    table_docs().iter().any(|table| bare(table.name) == bare(name))
}

/// All checks by level, one line each, then topics and formats.
fn overview(rules: &[Rule]) -> String {
    let mut out = String::new();
    let width = rules.iter().map(|r| r.name.len()).max().unwrap_or(0).max(12);
    for level in Level::ALL {
        let _ = writeln!(out, "{} checks", level.name());
        for rule in rules.iter().filter(|r| r.levels.contains(&level)) {
            let _ = writeln!(out, "  {:width$}  {}", rule.name, short(&rule_doc(rule).summary));
        }
        out.push('\n');
    }
    out.push_str("topics\n");
    for topic in TOPICS {
        let _ = writeln!(out, "  {:width$}  {}", topic.name, topic.summary);
    }
    out.push_str("\nrubrics for judges (`rubric = \"builtin:NAME\"`)\n");
    let width = BUILTINS.iter().map(|b| b.name.len()).max().unwrap_or(0);
    for builtin in BUILTINS {
        let _ = writeln!(out, "  {:width$}  {}", builtin.name, builtin.about);
    }
    let formats: Vec<&str> = FORMATS.iter().map(|f| f.name()).collect();
    let _ = write!(out, "\ntrace formats\n  {}\n", formats.join(", "));
    let kinds: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    let _ = write!(out, "\nkinds of agents\n  {}\n", kinds.join(", "));
    out
}

/// The first sentence, cut at a word where it is long.
fn short(summary: &str) -> String {
    const LONGEST: usize = 90;
    let sentence = summary.split_once(". ").map_or(summary, |(first, _)| first).trim_end_matches('.');
    let Some((end, _)) = sentence.char_indices().nth(LONGEST) else { return format!("{sentence}.") };
    let cut = sentence[..end].rfind(' ').unwrap_or(end);
    format!("{} ...", sentence[..cut].trim_end_matches(','))
}

fn levels(rule: &Rule) -> String {
    rule.levels.iter().map(|l| l.name()).collect::<Vec<_>>().join(", ")
}

/// A rubric: the text that a judge is asked by, ready to be copied.
fn rubric(builtin: &Builtin) -> String {
    let levels: Vec<&str> = builtin.levels.iter().map(|l| l.name()).collect();
    let needs =
        if builtin.needs_answer { "Without an expected answer (`reference.answer`) it is an error.\n" } else { "" };
    format!(
        "builtin:{} (rubric for judges; {})\n\n{}\n{needs}\nIts text, to be named as it is or copied and changed:\n\n{}",
        builtin.name,
        levels.join(", "),
        builtin.about,
        builtin.text
    )
}

/// One check: what it does, its parameters, its examples.
fn check(rule: &Rule) -> String {
    let doc = rule_doc(rule);
    let mut out = format!("{} ({})\n\n{}\n", rule.name, levels(rule), wrapped(&doc.summary, 0, 0));
    if !doc.details.is_empty() {
        let _ = writeln!(out, "\n{}", doc.details);
    }
    if doc.params.is_empty() {
        out.push_str("\nIt has no parameters of its own.\n");
    } else {
        out.push_str("\nParameters\n");
        params(&doc.params, &mut out);
    }
    out.push_str("\nBeside them it takes the keys that every check has: `seatrial explain keys`.\n");
    for example in rule.examples {
        let _ = write!(
            out,
            "\nExample\n{}\n  passes with\n{}\n  fails with\n{}",
            indented(example.check, 2),
            indented(example.passes, 4),
            indented(example.fails, 4)
        );
    }
    out
}

/// Parameters as a list.
fn params(params: &[ParamDoc], out: &mut String) {
    let width = params.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for p in params {
        let default = match (&p.default, p.required) {
            (_, true) => ", required".to_owned(),
            (Some(default), false) => format!(", default {default}"),
            (None, false) => String::new(),
        };
        let _ = writeln!(out, "  {:width$}  {}{default}", p.name, p.kind);
        if !p.doc.is_empty() {
            let _ = writeln!(out, "{}", wrapped(&p.doc, width + 4, 0));
        }
        for (value, meaning) in &p.choices {
            let _ = writeln!(out, "{}", wrapped(&format!("{value}: {meaning}"), width + 6, 2));
        }
    }
}

/// A text as lines of at most [`WIDTH`] columns: every line is indented, those after the first by `hang` more.
fn wrapped(text: &str, indent: usize, hang: usize) -> String {
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent + hang)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines.join("\n")
}

fn indented(text: &str, columns: usize) -> String {
    let line = |l: &str| if l.is_empty() { "\n".to_owned() } else { format!("{}{l}\n", " ".repeat(columns)) };
    text.trim().lines().map(line).collect()
}

#[cfg(test)]
mod tests;
