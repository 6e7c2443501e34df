//! Entities that a call is about: a type, and an id that may be a template over the call.

use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use crate::checks::build::Build;
use crate::checks::context::{span_value, turn_value};
use crate::checks::strict;
use crate::checks::subject::SpanSubject;

/// The names that a template may start from.
const NAMES: &[&str] = &["span", "turn", "session", "case"];

const NAME: &str = "id";

/// An entity: the same for every call, or with an id that is a template.
pub(super) enum Named {
    Fixed(EntityUid),
    Template(Box<Template>),
}

/// A type, and the template of an id.
pub(super) struct Template {
    kind: EntityTypeName,
    /// Holds the one template [`NAME`].
    env: Environment<'static>,
    source: String,
    roots: Vec<String>,
    subscripts: bool,
}

/// The entity of a type by its id. The id is taken as it is, whatever characters are in it.
pub(super) fn named(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = EntityTypeName::from_str(kind).map_err(|e| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

impl Named {
    /// Parses `Type::"id"`, or reports at `key` what is wrong with it.
    pub fn parse(build: &mut Build<'_>, key: &str, text: &str) -> Option<Self> {
        match Self::read(text) {
            Ok(named) => Some(named),
            Err(message) => {
                let help = r#"such as `Order::"{{ span.input.order_id }}"`, in single quotes"#.to_owned();
                build.problem(&[key], message, help);
                None
            }
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return EntityUid::from_str(text).map(Self::Fixed).map_err(|e| format!("not an entity: {e}"));
        }
        let parts = text.split_once("::\"").and_then(|(kind, rest)| Some((kind, rest.strip_suffix('"')?)));
        let Some((kind, source)) = parts else { return Err("not an entity of the form `Type::\"id\"`".to_owned()) };
        let kind = EntityTypeName::from_str(kind).map_err(|e| format!("not the type of an entity: {e}"))?;
        let mut env = strict::environment();
        env.set_formatter(|out, _, value| match value.kind() {
            ValueKind::String | ValueKind::Number | ValueKind::Bool => {
                Ok(std::fmt::Write::write_fmt(out, format_args!("{value}"))?)
            }
            ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
            kind => Err(Error::new(ErrorKind::InvalidOperation, format!("a {kind} is no part of an entity's id"))),
        });
        env.add_template_owned(NAME, source.to_owned()).map_err(|e| format!("bad template: {}", message_of(&e)))?;
        let roots = roots(&env)?;
        if let Some(other) = roots.iter().find(|root| !NAMES.contains(&root.as_str())) {
            return Err(format!("there is no `{other}` here; the names are {}", NAMES.join(", ")));
        }
        let subscripts = strict::has_subscript(source);
        Ok(Self::Template(Box::new(Template { kind, env, source: source.to_owned(), roots, subscripts })))
    }

    /// The entity of a call.
    pub fn of(&self, subject: &SpanSubject<'_>) -> Result<EntityUid, String> {
        match self {
            Self::Fixed(uid) => Ok(uid.clone()),
            Self::Template(template) => template.of(subject),
        }
    }
}

/// The names that the template starts from, MiniJinja's own functions left out.
fn roots(env: &Environment<'_>) -> Result<Vec<String>, String> {
    let template = env.get_template(NAME).map_err(|e| message_of(&e))?;
    let mut roots: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    roots.retain(|root| !env.globals().any(|(name, _)| name == root));
    roots.sort_unstable();
    Ok(roots)
}

impl Template {
    fn of(&self, subject: &SpanSubject<'_>) -> Result<EntityUid, String> {
        let wrong = |why: String| format!("`{}::\"{}\"` has no value here: {why}", self.kind, self.source);
        let context = self.context(subject);
        let render = |context: Value| {
            let template = self.env.get_template(NAME).map_err(|e| message_of(&e))?;
            template.render(context).map_err(|e| message_of(&e))
        };
        let id = strict::evaluate(&context, &self.roots, self.subscripts, render).map_err(wrong)?;
        if id.is_empty() {
            return Err(wrong("the id is empty".to_owned()));
        }
        Ok(EntityUid::from_type_name_and_id(self.kind.clone(), EntityId::new(id)))
    }

    /// What the template reads of the call, and no more.
    fn context(&self, subject: &SpanSubject<'_>) -> Value {
        let value = |root: &String| {
            let value = match root.as_str() {
                "span" => span_value(subject.span),
                "turn" => turn_value(subject.scene.session, subject.turn?),
                other => subject.scene.context().get_attr(other).ok()?,
            };
            Some((root.clone(), value))
        };
        Value::from_pairs(self.roots.iter().filter_map(value))
    }
}

fn message_of(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
