//! Parameters with templates: rendered per subject, compiled per distinct rendering.
//!
//! A string that is exactly one `{{ expression }}` keeps the expression's type; any other string with a template in it
//! renders to a string. A name that is not defined is an error, never empty text.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Deref, Range};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use minijinja::value::ValueKind;
use minijinja::{Environment, Expression, UndefinedBehavior};
use serde_json::{Map, Value};

use super::files::FilesAt;
use crate::checks::Compiled;
use crate::checks::build::{Build, BuildProblem, Rule};
use crate::checks::detect::Detectors;
use crate::checks::select::Selector;
use crate::model::Level;

/// Most distinct renderings that are kept; later ones are compiled each time.
const MOST_KEPT: usize = 10_000;
/// Deepest value that a template may produce.
const MAX_DEPTH: usize = 64;

/// Where expressions live: MiniJinja's built-in filters and functions, undefined names are errors.
static EXPRESSIONS: LazyLock<Environment<'static>> = LazyLock::new(environment);

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = minijinja::syntax::SyntaxConfig::builder().keep_trailing_newline(true).build() {
        env.set_syntax(syntax);
    }
    env
}

/// A string with a template in it, parsed.
pub struct Template {
    source: String,
    form: Form,
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
            return Ok(Self { source: source.to_owned(), form: Form::Expression(expression) });
        }
        let mut env = environment();
        match env.add_template_owned(NAME, source.to_owned()) {
            Ok(()) => Ok(Self { source: source.to_owned(), form: Form::Text(Box::new(env)) }),
            Err(error) => Err(TemplateError { message: message_of(&error), range: error.range() }),
        }
    }

    /// The string it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it starts from, such as `case`; MiniJinja's own functions are not among them.
    pub fn roots(&self) -> BTreeSet<String> {
        let functions: BTreeSet<&str> = EXPRESSIONS.globals().map(|(name, _)| name).collect();
        self.names(false).into_iter().filter(|name| !functions.contains(name.as_str())).collect()
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

    /// Renders it. The message does not repeat the template.
    pub fn render(&self, context: &minijinja::Value) -> Result<Value, String> {
        match &self.form {
            Form::Expression(expression) => {
                let value = expression.eval(context.clone()).map_err(|e| message_of(&e))?;
                if value.is_undefined() {
                    return Err("undefined value".to_owned());
                }
                to_json(&value, 0)
            }
            Form::Text(env) => env
                .get_template(NAME)
                .and_then(|template| template.render(context.clone()))
                .map(Value::String)
                .map_err(|e| message_of(&e)),
        }
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

/// A JSON value as templates see it.
pub fn value_from_json(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), ..) => i.into(),
            (_, Some(u), _) => u.into(),
            (_, _, f) => f.into(),
        },
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => items.iter().map(value_from_json).collect(),
        Value::Object(map) => minijinja::Value::from_pairs(map.iter().map(|(k, v)| (k.as_str(), value_from_json(v)))),
    }
}

/// A table with the templates in it, each at its path.
pub(super) struct Filled {
    table: Value,
    slots: Vec<(Vec<String>, Template)>,
}

/// A template that could not be rendered: which one, and why.
pub(super) struct RenderError {
    pub slot: usize,
    pub message: String,
}

impl Filled {
    pub fn new(table: Value, slots: Vec<(Vec<String>, Template)>) -> Self {
        Self { table, slots }
    }

    pub fn slots(&self) -> &[(Vec<String>, Template)] {
        &self.slots
    }

    /// Every template rendered, in order.
    pub fn render(&self, context: &minijinja::Value) -> Result<Vec<Value>, RenderError> {
        let render = |(slot, (_, t)): (usize, &(Vec<String>, Template))| {
            t.render(context).map_err(|message| RenderError { slot, message })
        };
        self.slots.iter().enumerate().map(render).collect()
    }

    /// The table with rendered values in place of the templates.
    pub fn with(&self, values: Vec<Value>) -> Value {
        let mut table = self.table.clone();
        for ((path, _), value) in self.slots.iter().zip(values) {
            if let Some(place) = place(&mut table, path) {
                *place = value;
            }
        }
        table
    }

    /// A rendering failure in words: which key, which template, why.
    fn explain(&self, error: &RenderError) -> String {
        match self.slots.get(error.slot) {
            Some((path, template)) => {
                format!("`{}` = \"{}\": {}", path.join("."), template.source(), error.message)
            }
            None => error.message.clone(),
        }
    }

    /// Renders, and hands out what was made of an equal rendering before, or makes and keeps it.
    fn resolve<T>(
        &self,
        context: &minijinja::Value,
        kept: &Kept<T>,
        make: impl FnOnce(Value) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let values = self.render(context).map_err(|e| self.explain(&e))?;
        let key = Value::Array(values.clone()).to_string();
        if let Some(known) = kept.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let made = make(self.with(values)).map(Arc::new);
        let mut kept = kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.insert(key, made.clone());
        }
        made
    }
}

/// What was made of each distinct rendering.
type Kept<T> = RwLock<HashMap<String, Result<Arc<T>, String>>>;

fn place<'v>(table: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(table, |value, step| match value {
        Value::Object(map) => map.get_mut(step.as_str()),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A check's table with templates in it.
pub struct Templated {
    filled: Filled,
    rule: &'static Rule,
    level: Level,
    files: FilesAt,
    detectors: Arc<Detectors>,
    kept: Kept<Compiled>,
}

/// Why a rendering does not compile.
pub(super) enum CompileError {
    /// It is not what the rule's parameters look like.
    Shape(String),
    /// The rule objects.
    Problems(Vec<BuildProblem>),
}

impl Templated {
    pub(super) fn new(
        filled: Filled,
        rule: &'static Rule,
        level: Level,
        files: FilesAt,
        detectors: Arc<Detectors>,
    ) -> Self {
        Self { filled, rule, level, files, detectors, kept: Kept::default() }
    }

    pub(super) fn filled(&self) -> &Filled {
        &self.filled
    }

    pub(super) fn files(&self) -> &FilesAt {
        &self.files
    }

    /// The check for a subject's context (`case`, `session`, and `turn` or `span`), compiled at most once per distinct
    /// rendering. The message says which key failed and why.
    pub fn resolve(&self, context: &minijinja::Value) -> Result<Arc<Compiled>, String> {
        self.filled.resolve(context, &self.kept, |table| match self.compile(table) {
            Ok((compiled, _)) => Ok(compiled),
            Err(CompileError::Shape(message)) => Err(message),
            Err(CompileError::Problems(problems)) => {
                let texts = problems.iter().filter(|p| !p.warning).map(|p| match p.path.is_empty() {
                    true => p.message.clone(),
                    false => format!("`{}`: {}", p.path.join("."), p.message),
                });
                Err(texts.collect::<Vec<_>>().join("; "))
            }
        })
    }

    /// Compiles a rendered table, and says which tools the check is about.
    pub(super) fn compile(&self, table: Value) -> Result<(Compiled, Vec<String>), CompileError> {
        let mut build =
            Build { level: self.level, files: &self.files, detectors: &self.detectors, problems: Vec::new() };
        match (self.rule.from_json)(table, &mut build) {
            Ok(Some(built)) => Ok(built),
            Ok(None) => Err(CompileError::Problems(build.problems)),
            Err(error) => Err(CompileError::Shape(super::words::in_plain_words(&error.to_string()))),
        }
    }
}

/// Which subjects a check is applied to.
pub enum On {
    /// Literal.
    Fixed(Box<Selector>),
    /// With templates over `case` and `session`.
    Templated(Box<TemplatedOn>),
}

/// A selector's table with templates in it.
pub struct TemplatedOn {
    filled: Filled,
    kept: Kept<Selector>,
}

/// A selector, borrowed or shared.
pub enum Selected<'s> {
    /// Borrowed from the suite.
    Borrowed(&'s Selector),
    /// Made from templates.
    Shared(Arc<Selector>),
}

impl Deref for Selected<'_> {
    type Target = Selector;

    fn deref(&self) -> &Selector {
        match self {
            Self::Borrowed(selector) => selector,
            Self::Shared(selector) => selector,
        }
    }
}

impl On {
    /// The selector for a session. `context` (`case` and `session`) is asked for only when there are templates; the
    /// message says which key failed and why.
    pub fn resolve(&self, context: impl FnOnce() -> minijinja::Value) -> Result<Selected<'_>, String> {
        match self {
            Self::Fixed(selector) => Ok(Selected::Borrowed(selector)),
            Self::Templated(on) => on
                .filled
                .resolve(&context(), &on.kept, |table| on.selector(table))
                .map(Selected::Shared)
                .map_err(|why| format!("`on`: {why}")),
        }
    }

    /// The selector, when it has no templates.
    pub fn fixed(&self) -> Option<&Selector> {
        match self {
            Self::Fixed(selector) => Some(selector),
            Self::Templated(_) => None,
        }
    }
}

impl TemplatedOn {
    pub(super) fn new(filled: Filled) -> Self {
        Self { filled, kept: Kept::default() }
    }

    pub(super) fn filled(&self) -> &Filled {
        &self.filled
    }

    pub(super) fn selector(&self, table: Value) -> Result<Selector, String> {
        serde_json::from_value(table).map_err(|e| super::words::in_plain_words(&e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str, context: Value) -> Result<Value, String> {
        Template::parse(source).map_err(|e| e.message)?.render(&value_from_json(&context))
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
