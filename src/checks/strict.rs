//! MiniJinja where what is not there is always an error, for expressions and templates alike.
//!
//! MiniJinja's strict mode objects to printing, comparing or iterating an undefined value, and lets others through:
//! `x is none`, `x|map(attribute="y")`, `{% set y = x %}`. Here every look-up that found nothing counts, unless
//! whoever asked was prepared for it (`is defined`, `|default(...)`, `"key" in x`).

use minijinja::value::{Rest, Value};
use minijinja::{Environment, UndefinedBehavior};

use super::context::{Miss, forgive_miss, noticing, watch_misses};

/// An environment in which undefined values are errors wherever MiniJinja can say so, and `is defined` and `default`
/// take back the miss they were prepared for.
pub fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.add_test("defined", |value: &Value| !forgiven(value));
    env.add_test("undefined", |value: &Value| forgiven(value));
    for name in ["default", "d"] {
        env.add_filter(name, |value: &Value, other: Rest<Value>| {
            if forgiven(value) { other.first().cloned().unwrap_or_else(|| Value::from("")) } else { value.clone() }
        });
    }
    env
}

/// Whether a value is undefined; the miss behind it is then taken back.
fn forgiven(value: &Value) -> bool {
    if value.is_undefined() {
        forgive_miss();
    }
    value.is_undefined()
}

/// The first miss that counts. A look-up by item that found nothing is either `"key" in x`, which is legitimate, or
/// `x["key"]`, which is not. Where the source has `subscripts`, it is taken for the latter: an error is safe, a pass
/// would not be.
pub fn missed(misses: &[Miss], subscripts: bool) -> Option<&Miss> {
    misses.iter().find(|miss| !miss.by_item || subscripts)
}

/// Evaluates something over a context, of which it reads `roots`; a look-up that found nothing is an error.
///
/// # Errors
/// What `evaluate` says, or what is not there.
pub fn evaluate<T>(
    context: &Value,
    roots: impl IntoIterator<Item = impl AsRef<str>>,
    subscripts: bool,
    evaluate: impl FnOnce(Value) -> Result<T, String>,
) -> Result<T, String> {
    let root = |name: &str| context.get_attr(name).ok().filter(|value| !value.is_undefined());
    let roots = roots.into_iter().filter_map(|name| Some((name.as_ref().to_owned(), noticing(root(name.as_ref())?))));
    let context = Value::from_pairs(roots);
    let (result, misses) = watch_misses(|| evaluate(context));
    // MiniJinja's own words name what is not there in debug builds only.
    let unnamed = result.as_ref().err().is_none_or(|why| why.starts_with("undefined value"));
    match missed(&misses, subscripts) {
        Some(miss) if unnamed => Err(format!("undefined value: there is no `{}`", miss.key)),
        _ => result,
    }
}

/// Whether an expression takes an element by `[...]`, as opposed to writing a list.
pub fn has_subscript(source: &str) -> bool {
    const OPERATORS: &[&str] = &["in", "and", "or", "not", "if", "else", "is"];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut chars = source.chars();
    // The last character that is no white space, and the word it ends, if any.
    let (mut last, mut word, mut spaced) = (' ', String::new(), false);
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => skip_string(&mut chars, c),
            '[' if is_word(last) && !OPERATORS.contains(&word.as_str()) => return true,
            '[' if matches!(last, ')' | ']' | '}' | '"' | '\'') => return true,
            c if c.is_whitespace() => {
                spaced = true;
                continue;
            }
            c if is_word(c) => {
                if spaced || !is_word(last) {
                    word.clear();
                }
                word.push(c);
            }
            _ => {}
        }
        (last, spaced) = (c, false);
    }
    false
}

/// Leaves a string literal behind.
fn skip_string(chars: &mut std::str::Chars<'_>, quote: char) {
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscripts_are_told_from_lists() {
        for yes in ["a[0]", "a.b['c']", "f(x)[0]", "a[0][1]", "'x'[0]", "a [0]"] {
            assert!(has_subscript(yes), "{yes}");
        }
        for no in ["a in ['x']", "[1, 2] == b", "a == '[0]'", "not [1]", "f([1])", "'a[0]' in b", "x and [1]"] {
            assert!(!has_subscript(no), "{no}");
        }
    }
}
