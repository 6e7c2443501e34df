//! The check reference in Markdown, for the README.

use std::collections::HashMap;
use std::fmt::Write;

use crate::checks::RULES;
use crate::checks::build::Rule;
use crate::model::Level;
use crate::suite::schema::docs::{ParamDoc, common_docs, rule_doc};

/// A meaning longer than this, in bytes, is written once; other checks that have the same point there.
const LONG: usize = 160;

/// The reference of every check: a table of contents by level, the keys that all have, then for each what it does, its
/// parameters, one example. The same text every time.
pub fn reference_markdown() -> String {
    let mut out = contents(RULES);
    out.push_str("\n### Keys of every check\n");
    table(&common_docs(), "", &mut HashMap::new(), &mut out);
    out.push('\n');
    out.push_str(&markdown(RULES));
    out
}

/// One line per level with a link to each check.
fn contents(rules: &[Rule]) -> String {
    let mut out = String::new();
    for level in Level::ALL {
        let here = rules.iter().filter(|r| r.levels.contains(&level));
        let links: Vec<String> = here.map(|r| format!("[`{0}`](#{0})", r.name)).collect();
        let _ = writeln!(out, "- **{}**: {}", level.name(), links.join(", "));
    }
    out
}

pub(super) fn markdown<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> String {
    let mut told = HashMap::new();
    let sections: Vec<String> = rules.into_iter().map(|rule| section(rule, &mut told)).collect();
    sections.join("\n")
}

/// Parameters whose long meaning was written, with the check where it stands.
type Told = HashMap<(String, String), &'static str>;

fn section(rule: &Rule, told: &mut Told) -> String {
    let doc = rule_doc(rule);
    let mut out = format!("### `{}`\n\n*{}.* {}\n", rule.name, super::levels(rule), doc.summary);
    if !doc.details.is_empty() {
        let _ = write!(out, "\n{}\n", doc.details);
    }
    if !doc.params.is_empty() {
        table(&doc.params, rule.name, told, &mut out);
    }
    if let Some(example) = rule.examples.first() {
        let _ = write!(out, "\n```toml\n{}\n```\n", example.check.trim());
    }
    out
}

fn table(params: &[ParamDoc], check: &'static str, told: &mut Told, out: &mut String) {
    out.push_str("\n| parameter | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for p in params {
        let default = match (&p.default, p.required) {
            (_, true) => "required".to_owned(),
            (Some(default), false) => format!("`{default}`"),
            (None, false) => String::new(),
        };
        // The values stand in the meaning where each is explained.
        let kind = if p.choices.is_empty() { p.kind.as_str() } else { "one of" };
        let mut meaning = meaning(p);
        if meaning.len() > LONG {
            match told.get(&(p.name.clone(), meaning.clone())) {
                Some(first) => meaning = format!("As of [`{first}`](#{first})."),
                None => {
                    told.insert((p.name.clone(), meaning.clone()), check);
                }
            }
        }
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", p.name, cell(kind), cell(&default), cell(&meaning));
    }
}

/// What a parameter means, and each of its values.
fn meaning(p: &ParamDoc) -> String {
    let mut text = p.doc.clone();
    for (value, meaning) in &p.choices {
        let _ = write!(text, " `{value}`: {meaning}");
    }
    text
}

/// What stands in a cell of a table must not end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
