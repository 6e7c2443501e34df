//! Pages that are drawn on a server: templates, and how a value gets into them. Whatever a template prints is made harmless
//! on the way, markup and characters that reorder or hide text alike; there is no other way in.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::embed;
use crate::net::percent;

/// Templates by their names, ready to be drawn. A name that a template uses and is not given is an error.
pub fn environment(templates: &[(&'static str, &'static str)]) -> Environment<'static> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        pages.set_syntax(syntax);
    }
    pages.set_formatter(|out, _, value| {
        if value.is_none() {
            return Ok(());
        }
        let text = value.to_string();
        let written = if value.is_safe() { out.write_str(&text) } else { out.write_str(&embed::escape(&text)) };
        Ok(written?)
    });
    pages.add_filter("typed", typed);
    pages.add_filter("plural", plural);
    pages.add_filter("percent", percent);
    pages.add_filter("address", address);
    for (name, template) in templates {
        if let Err(why) = pages.add_template(name, template) {
            broken(&why);
        }
    }
    pages
}

/// A template that cannot be read is a bug that the tests find: each page is drawn in them.
pub fn broken(why: &minijinja::Error) {
    debug_assert!(false, "{why:#}");
}

/// What a person typed, as it was typed: it goes back into the field that it came from, and only markup is escaped.
fn typed(text: &str) -> Value {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0' => {}
            c => out.push(c),
        }
    }
    Value::from_safe_string(out)
}

/// A number with what it counts.
fn plural(n: i64, one: &str, many: Option<String>) -> String {
    match many {
        _ if n == 1 => format!("1 {one}"),
        Some(many) => format!("{n} {many}"),
        None => format!("{n} {one}s"),
    }
}

/// A share in percent, with one decimal.
fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A part of an address.
fn address(text: &str) -> Value {
    Value::from_safe_string(percent::encode(text.as_bytes(), b""))
}
