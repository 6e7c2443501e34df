//! Strings with MiniJinja templates in them: parsed, and rendered to values.
//!
//! A string that is exactly one `{{ expression }}` keeps the expression's type; any other string with a template in it
//! renders to a string. A name that is not defined is an error, never empty text.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Expression};
use serde_json::{Map, Value};

use super::strict;

/// Deepest value that a template may produce.
const MAX_DEPTH: usize = 64;

/// Where expressions live: MiniJinja's built-in filters and functions, undefined names are errors.
static EXPRESSIONS: LazyLock<Environment<'static>> = LazyLock::new(environment);

fn environment() -> Environment<'static> {
    let mut env = strict::environment();
    if let Ok(syntax) = minijinja::syntax::SyntaxConfig::builder().keep_trailing_newline(true).build() {
        env.set_syntax(syntax);
    }
    env
}

/// A string with a template in it, parsed.
pub struct Template {
    source: String,
    form: Form,
    /// The names it starts from, MiniJinja's own functions among them.
    reads: BTreeSet<String>,
    /// `x[...]` occurs in it.
    subscripts: bool,
}

enum Form {
    Expression(Expression<'static, 'static>),
    /// An environment that holds the one template [`NAME`].
    Text(Box<Environment<'static>>),
}

const NAME: &str = "template";

/// What is wrong with a template, and where in its string when that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Byte range in the string.
    pub range: Option<Range<usize>>,
}

impl Template {
    /// Whether a string has a template in it.
    pub fn is_in(text: &str) -> bool {
        ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
    }

    /// Parses a string with a template in it.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if let Some(inner) = single_expression(source)
            && let Ok(expression) = EXPRESSIONS.compile_expression_owned(inner.to_owned())
        {
            return Ok(Self::new(source, Form::Expression(expression)));
        }
        let mut env = environment();
        match env.add_template_owned(NAME, source.to_owned()) {
            Ok(()) => Ok(Self::new(source, Form::Text(Box::new(env)))),
            Err(error) => Err(TemplateError { message: message_of(&error), range: error.range() }),
        }
    }

    fn new(source: &str, form: Form) -> Self {
        let mut template =
            Self { source: source.to_owned(), form, reads: BTreeSet::new(), subscripts: strict::has_subscript(source) };
        template.reads = template.names(false);
        template
    }

    /// The string it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it starts from, such as `case`; MiniJinja's own functions are not among them.
    pub fn roots(&self) -> BTreeSet<String> {
        let functions: BTreeSet<&str> = EXPRESSIONS.globals().map(|(name, _)| name).collect();
        self.reads.iter().filter(|name| !functions.contains(name.as_str())).cloned().collect()
    }

    /// The names it uses, with plain attributes, such as `case.n`.
    pub fn names(&self, nested: bool) -> BTreeSet<String> {
        let names = match &self.form {
            Form::Expression(expression) => expression.undeclared_variables(nested),
            Form::Text(env) => match env.get_template(NAME) {
                Ok(template) => template.undeclared_variables(nested),
                Err(_) => Default::default(),
            },
        };
        names.into_iter().collect()
    }

    /// Renders it; what is not there is an error, also where MiniJinja would say nothing. The message does not repeat
    /// the template.
    pub fn render(&self, context: &minijinja::Value) -> Result<Value, String> {
        strict::evaluate(context, &self.reads, self.subscripts, |context| match &self.form {
            Form::Expression(expression) => {
                let value = expression.eval(context).map_err(|e| message_of(&e))?;
                if value.is_undefined() {
                    return Err("undefined value".to_owned());
                }
                to_json(&value, 0)
            }
            Form::Text(env) => env
                .get_template(NAME)
                .and_then(|template| template.render(context))
                .map(Value::String)
                .map_err(|e| message_of(&e)),
        })
    }
}

/// The expression of a string that is one `{{ ... }}` and nothing else, were it an expression.
fn single_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

fn message_of(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// A MiniJinja value as JSON.
fn to_json(value: &minijinja::Value, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("the value is nested deeper than {MAX_DEPTH}"));
    }
    let why = |e: minijinja::Error| message_of(&e);
    Ok(match value.kind() {
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::String => Value::String(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => number(value)?,
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(why)?;
            Value::Array(items.map(|item| to_json(&item, depth + 1)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(why)? {
                let item = value.get_item(&key).map_err(why)?;
                map.insert(key.to_string(), to_json(&item, depth + 1)?);
            }
            Value::Object(map)
        }
        ValueKind::Undefined => return Err("undefined value".to_owned()),
        other => return Err(format!("a {other} is not a value of TOML or JSON")),
    })
}

fn number(value: &minijinja::Value) -> Result<Value, String> {
    if value.is_integer() {
        if let Ok(integer) = i64::try_from(value.clone()) {
            return Ok(integer.into());
        }
        if let Ok(integer) = u64::try_from(value.clone()) {
            return Ok(integer.into());
        }
        return Err("the number is too large".to_owned());
    }
    let float = f64::try_from(value.clone()).map_err(|e| message_of(&e))?;
    serde_json::Number::from_f64(float).map(Value::Number).ok_or_else(|| "the number is not finite".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::context::json_value;
    use serde_json::json;

    fn render(source: &str, context: Value) -> Result<Value, String> {
        Template::parse(source).map_err(|e| e.message)?.render(&json_value(&context))
    }

    #[test]
    fn a_single_expression_keeps_its_type() {
        let context = || json!({"case": {"n": 3, "f": 1.5, "list": ["a", {"b": null}], "on": true, "s": "x"}});
        assert_eq!(render("{{ case.n }}", context()), Ok(json!(3)));
        assert_eq!(render("{{- case.n + 1 -}}", context()), Ok(json!(4)));
        assert_eq!(render("{{ case.f }}", context()), Ok(json!(1.5)));
        assert_eq!(render("{{ case.list }}", context()), Ok(json!(["a", {"b": null}])));
        assert_eq!(render("{{ case.on }}", context()), Ok(json!(true)));
        assert_eq!(render("{{ '}}' ~ case.s }}", context()), Ok(json!("}}x")));
    }

    #[test]
    fn anything_else_renders_to_a_string() {
        let context = || json!({"case": {"n": 3, "s": "x"}});
        assert_eq!(render("{{ case.n }}{{ case.s }}", context()), Ok(json!("3x")));
        assert_eq!(render("n={{ case.n }}\n", context()), Ok(json!("n=3\n")));
        assert_eq!(render("{% raw %}{{ case.n }}{% endraw %}", context()), Ok(json!("{{ case.n }}")));
        assert_eq!(render("{% if case.n > 2 %}many{% endif %}", context()), Ok(json!("many")));
    }

    #[test]
    fn an_undefined_name_is_an_error_never_empty_text() {
        let context = || json!({"case": {"n": 3}});
        for source in ["{{ case.nope }}", "a {{ case.nope }}", "{{ case.nope.more }}", "{{ nope }}", "{{ case.n[0] }}"]
        {
            assert!(render(source, context()).is_err(), "{source}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_also_where_nothing_is_done_with_it() {
        for (source, expected) in [
            ("{{ 'x' if case.nope is none else 'y' }}", None),
            ("{% if case.nope is eq(3) %}x{% endif %}", None),
            ("{% if case.nope is string %}x{% endif %}", None),
            ("{% set y = case.nope %}x", None),
            ("{{ case.list|map(attribute='nope')|join }}", None),
            ("{{ [case.nope]|length }}", None),
            ("{{ (case.nope, 1) != (2, 1) }}", None),
            ("{{ case['nope'] is none }}", None),
            ("{{ case.list[7] is none }}", None),
            ("{{ case.nope is defined }}", Some(json!(false))),
            ("{{ case.nope|default('x') }}", Some(json!("x"))),
            ("{{ case.nope|d('x') ~ case.n }}", Some(json!("x3"))),
            ("{% if 'nope' in case %}x{% else %}y{% endif %}", Some(json!("y"))),
            ("{% for i in case.list %}{{ i.a }}{{ loop.index }}{% endfor %}", Some(json!("11"))),
        ] {
            let context = json!({"case": {"n": 3, "list": [{"a": 1}]}});
            // As at load, and as a run makes them.
            let foreign = minijinja::Value::from(minijinja::value::Serde(&context));
            assert_eq!(Template::parse(source).unwrap().render(&foreign).ok(), expected, "{source}");
            assert_eq!(render(source, context).ok(), expected, "{source}");
        }
    }

    #[test]
    fn large_and_odd_numbers_are_exact_or_an_error() {
        assert_eq!(render("{{ n }}", json!({"n": u64::MAX})), Ok(json!(u64::MAX)));
        assert_eq!(render("{{ n }}", json!({"n": i64::MIN})), Ok(json!(i64::MIN)));
        assert!(render("{{ n * 10 }}", json!({"n": u64::MAX})).is_err());
    }

    #[test]
    fn roots_leave_out_functions_and_loop_variables() {
        let template =
            Template::parse("{% for t in case.tags %}{{ t }}{{ range(2) }}{{ span.name }}{% endfor %}").unwrap();
        assert_eq!(template.roots(), BTreeSet::from(["case".to_owned(), "span".to_owned()]));
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = Template::parse("x {{ a + }} b").err().unwrap();
        assert_eq!(error.range, Some(9..11));
    }
}
