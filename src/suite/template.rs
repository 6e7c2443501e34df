//! Parameters with templates: rendered per subject, compiled per distinct rendering.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::files::FilesAt;
use crate::checks::Compiled;
use crate::checks::build::{Build, BuildProblem, Kit, Rule};
use crate::checks::jinja::Template;
use crate::checks::select::Selector;
use crate::checks::withheld::Parts;
use crate::model::Level;

/// Most distinct renderings that are kept; later ones are compiled each time.
const MOST_KEPT: usize = 10_000;

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

    /// What the templates read of a session.
    fn reads(&self) -> Parts {
        let has = |words: &[&str]| self.slots.iter().any(|(_, t)| words.iter().any(|word| t.source().contains(word)));
        if has(&["session", "turn", "span"]) {
            return Parts::ALL;
        }
        // `case` is declared, but for what the recording expects and, of a case that is not, its name and tags.
        let names = if has(&["id", "tags"]) { Parts::CASE | Parts::TAGS } else { Parts::NONE };
        if self.slots.is_empty() { Parts::NONE } else { Parts::REFERENCE | names }
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
    kit: Arc<Kit>,
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
    pub(super) fn new(filled: Filled, rule: &'static Rule, level: Level, files: FilesAt, kit: Arc<Kit>) -> Self {
        Self { filled, rule, level, files, kit, kept: Kept::default() }
    }

    pub(super) fn filled(&self) -> &Filled {
        &self.filled
    }

    /// What its templates read of a session.
    pub fn reads(&self) -> Parts {
        self.filled.reads()
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
        let mut build = Build { level: self.level, files: &self.files, kit: &self.kit, problems: Vec::new() };
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

    /// What it reads of a session, to select its subjects.
    pub fn reads(&self) -> Parts {
        match self {
            Self::Fixed(selector) => selector.reads(),
            // Which keys it has is known, what they say is not.
            Self::Templated(on) => on.filled.reads() | Parts::CASE | Parts::TAGS | Parts::USER | Parts::NAME,
        }
    }

    /// Whether it selects everything, whatever the session.
    pub fn is_everything(&self) -> bool {
        self.fixed().is_some_and(Selector::is_empty)
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
