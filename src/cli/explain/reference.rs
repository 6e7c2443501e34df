//! The check reference in Markdown, for the README.

use std::fmt::Write;

use crate::checks::RULES;
use crate::checks::build::Rule;
use crate::suite::schema::docs::{ParamDoc, rule_doc};

/// The reference of every check: what it does, its parameters, one example. The same text every time.
pub fn reference_markdown() -> String {
    markdown(RULES)
}

pub(super) fn markdown<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> String {
    let sections: Vec<String> = rules.into_iter().map(section).collect();
    sections.join("\n")
}

fn section(rule: &Rule) -> String {
    let doc = rule_doc(rule);
    let mut out = format!("### `{}`\n\n*{}.* {}\n", rule.name, super::levels(rule), doc.summary);
    if !doc.details.is_empty() {
        let _ = write!(out, "\n{}\n", doc.details);
    }
    if !doc.params.is_empty() {
        out.push_str("\n| parameter | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for p in &doc.params {
            let default = match (&p.default, p.required) {
                (_, true) => "required".to_owned(),
                (Some(default), false) => format!("`{default}`"),
                (None, false) => String::new(),
            };
            let _ = writeln!(out, "| `{}` | {} | {} | {} |", p.name, cell(&p.kind), cell(&default), cell(&meaning(p)));
        }
    }
    if let Some(example) = rule.examples.first() {
        let _ = write!(out, "\n```toml\n{}\n```\n", example.check.trim());
    }
    out
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
