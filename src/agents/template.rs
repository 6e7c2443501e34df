//! What is said to an agent, as the suite writes it: texts and bodies with templates over what is known of the turn.

use std::collections::BTreeSet;

use minijinja::Value as Jinja;
use serde_json::{Value, json};

use super::{Exchange, Say, Start};
use crate::checks::context::json_value;
use crate::checks::jinja::Template;
use crate::checks::matcher::undate;
use crate::checks::nearest::nearest;
use crate::net::scrub::Secrets;
use crate::net::secret::{Vars, unset};
use crate::net::{Cause, Trouble};

/// The names that a template may start from.
pub const NAMES: &[&str] =
    &["message", "messages", "history", "session", "agent_session", "case", "trial", "turn", "env"];

/// A text of the suite.
pub struct Text {
    source: String,
    template: Option<Template>,
}

impl Text {
    /// Parses it; `Err` says what is wrong.
    pub fn parse(source: &str) -> Result<Self, String> {
        let template = Template::is_in(source).then(|| template(source)).transpose()?;
        Ok(Self { source: source.to_owned(), template })
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        &self.source
    }

    /// The names that it starts from.
    pub fn reads(&self) -> BTreeSet<String> {
        self.template.as_ref().map(Template::roots).unwrap_or_default()
    }

    /// The environment variables that it uses.
    pub fn variables(&self) -> BTreeSet<String> {
        self.template.as_ref().map(variables).unwrap_or_default()
    }

    /// Whether it is the same in every turn of every conversation.
    pub fn is_fixed(&self) -> bool {
        self.reads().iter().all(|name| name == "env")
    }

    /// Renders it. The message names the text as it is written.
    pub fn render(&self, context: &Jinja) -> Result<String, Trouble> {
        match &self.template {
            None => Ok(self.source.clone()),
            Some(template) => Ok(plain(render(template, context)?)),
        }
    }
}

/// The body of a request: a text, or JSON in whose texts templates stand.
pub struct Body(Vec<Piece>);

enum Piece {
    Raw(String),
    /// Rendered to a JSON value.
    Json(Template),
    /// Rendered to text that stands as it is.
    Text(Template),
}

impl Body {
    /// Reads it: a text is sent as it renders, anything else as JSON. `Err` says what is wrong and where within it.
    pub fn parse(written: &Value) -> Result<Self, (Vec<String>, String)> {
        let mut pieces = Vec::new();
        match written {
            Value::String(text) if Template::is_in(text) => {
                pieces.push(Piece::Text(template(text).map_err(|why| (Vec::new(), why))?));
            }
            Value::String(text) => pieces.push(Piece::Raw(text.clone())),
            other => add(&undate(other.clone()), &mut pieces, &mut Vec::new())?,
        }
        Ok(Self(pieces))
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Json(template) | Piece::Text(template) => Some(template),
            Piece::Raw(_) => None,
        })
    }

    /// The names that it starts from.
    pub fn reads(&self) -> BTreeSet<String> {
        self.templates().flat_map(Template::roots).collect()
    }

    /// The environment variables that it uses.
    pub fn variables(&self) -> BTreeSet<String> {
        self.templates().flat_map(variables).collect()
    }

    /// Renders it.
    pub fn render(&self, context: &Jinja) -> Result<Vec<u8>, Trouble> {
        let mut out = Vec::with_capacity(256);
        for piece in &self.0 {
            match piece {
                Piece::Raw(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Text(template) => out.extend_from_slice(plain(render(template, context)?).as_bytes()),
                Piece::Json(template) => write_json(&render(template, context)?, &mut out),
            }
        }
        Ok(out)
    }
}

/// Appends a value as JSON.
fn write_json(value: &Value, out: &mut Vec<u8>) {
    // Writing to memory does not fail, and a value has only keys that are texts.
    let _ = serde_json::to_writer(out, value);
}

fn raw(text: &str, pieces: &mut Vec<Piece>) {
    match pieces.last_mut() {
        Some(Piece::Raw(before)) => before.push_str(text),
        _ => pieces.push(Piece::Raw(text.to_owned())),
    }
}

/// Appends a value leaf by leaf. `path` is where it stands.
fn add(value: &Value, pieces: &mut Vec<Piece>, path: &mut Vec<String>) -> Result<(), (Vec<String>, String)> {
    match value {
        Value::String(text) if Template::is_in(text) => {
            pieces.push(Piece::Json(template(text).map_err(|why| (path.clone(), why))?));
        }
        Value::Object(fields) => {
            raw("{", pieces);
            for (i, (key, inner)) in fields.iter().enumerate() {
                raw(if i == 0 { "" } else { "," }, pieces);
                raw(&Value::from(key.as_str()).to_string(), pieces);
                raw(":", pieces);
                path.push(key.clone());
                add(inner, pieces, path)?;
                path.pop();
            }
            raw("}", pieces);
        }
        Value::Array(items) => {
            raw("[", pieces);
            for (i, inner) in items.iter().enumerate() {
                raw(if i == 0 { "" } else { "," }, pieces);
                path.push(i.to_string());
                add(inner, pieces, path)?;
                path.pop();
            }
            raw("]", pieces);
        }
        other => raw(&other.to_string(), pieces),
    }
    Ok(())
}

/// A template that starts from known names only.
fn template(source: &str) -> Result<Template, String> {
    let template = Template::parse(source).map_err(|error| format!("bad template: {}", error.message))?;
    match template.roots().iter().find(|root| !NAMES.contains(&root.as_str())) {
        None => Ok(template),
        Some(root) => {
            let help = match nearest(root, NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", NAMES.join(", ")),
            };
            Err(format!("unknown name `{root}` in a template; {help}"))
        }
    }
}

fn variables(template: &Template) -> BTreeSet<String> {
    template.names(true).iter().filter_map(|name| name.strip_prefix("env.")).map(str::to_owned).collect()
}

fn render(template: &Template, context: &Jinja) -> Result<Value, Trouble> {
    template
        .render(context)
        .map_err(|why| Trouble::new(Cause::Misconfigured, format!("the template `{}`: {why}", template.source())))
}

/// A value as text: a text is itself.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The variables of an agent, looked up once.
pub struct Env {
    value: Jinja,
    secrets: Secrets,
}

impl Env {
    /// Looks variables up; one that is not set is a trouble.
    pub fn new(names: &BTreeSet<String>, vars: Vars<'_>) -> Result<Self, Trouble> {
        let missing: Vec<&String> = names.iter().filter(|name| vars(name).is_none()).collect();
        if let Some(first) = missing.first() {
            let message = match missing.len() {
                1 => unset(first, vars),
                n => format!("{}; {} more are not set", unset(first, vars), n - 1),
            };
            return Err(Trouble::new(Cause::Misconfigured, message));
        }
        let pairs: Vec<(String, String)> = names.iter().filter_map(|n| Some((n.clone(), vars(n)?))).collect();
        let secrets = Secrets::default();
        pairs.iter().for_each(|(_, value)| secrets.add(value));
        Ok(Self { value: json_value(&pairs.into_iter().map(|(k, v)| (k, Value::from(v))).collect()), secrets })
    }

    /// A text of somebody else without the secrets that we sent there.
    pub fn scrub(&self, text: &str) -> String {
        self.secrets.scrub(text).into_owned()
    }

    /// A trouble whose message is scrubbed.
    pub fn scrubbed(&self, trouble: Trouble) -> Trouble {
        Trouble { message: self.scrub(&trouble.message), ..trouble }
    }
}

/// What templates see of a conversation: only what they read is made.
pub struct Known {
    reads: BTreeSet<String>,
    fixed: Vec<(&'static str, Jinja)>,
}

impl Known {
    /// What a conversation begins with, for templates that start from `reads`.
    pub fn new(reads: &BTreeSet<String>, start: &Start<'_>, env: &Env) -> Self {
        let mut fixed = vec![
            ("session", Jinja::from(start.session)),
            ("trial", Jinja::from(start.trial)),
            ("env", env.value.clone()),
        ];
        if reads.contains("case") {
            fixed.push(("case", json_value(start.case)));
        }
        Self { reads: reads.clone(), fixed }
    }

    /// What is known before anything is said.
    pub fn fixed(&self) -> Jinja {
        Jinja::from_pairs(self.fixed.clone())
    }

    /// What is known when something is said. `agent_session` is the session's id at the agent, once it said so.
    pub fn context(&self, say: &Say<'_>, agent_session: Option<&str>) -> Jinja {
        let mut pairs = self.fixed.clone();
        pairs.push(("message", Jinja::from(say.text)));
        pairs.push(("turn", Jinja::from(say.turn)));
        pairs.extend(agent_session.map(|id| ("agent_session", Jinja::from(id))));
        if self.reads.contains("history") {
            pairs.push(("history", json_value(&history(say.history))));
        }
        if self.reads.contains("messages") {
            pairs.push(("messages", json_value(&messages(say))));
        }
        Jinja::from_pairs(pairs)
    }
}

fn history(before: &[Exchange]) -> Value {
    before.iter().map(|e| json!({"user": e.user, "reply": e.reply})).collect()
}

/// The conversation as chat messages, what is said now included.
fn messages(say: &Say<'_>) -> Value {
    let mut all = Vec::with_capacity(2 * say.history.len() + 1);
    for exchange in say.history {
        all.push(json!({"role": "user", "content": exchange.user}));
        all.extend(exchange.reply.as_ref().map(|reply| json!({"role": "assistant", "content": reply})));
    }
    all.push(json!({"role": "user", "content": say.text}));
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Jinja {
        json_value(&json!({"message": "say \"hi\"\n", "turn": 2, "session": "s-1", "env": {"KEY": "s3cret"}}))
    }

    fn body(written: Value) -> Result<String, String> {
        let body = Body::parse(&written).map_err(|(path, why)| format!("{}: {why}", path.join(".")))?;
        Ok(String::from_utf8(body.render(&context()).map_err(|t| t.message)?).unwrap())
    }

    #[test]
    fn a_table_is_rendered_leaf_by_leaf_and_is_always_json() {
        let written = json!({"m": "{{ message }}", "n": ["{{ turn }}", "t{{ turn }}"], "x": 1.5, "a\"b": null});
        let sent: Value = serde_json::from_str(&body(written).unwrap()).unwrap();
        assert_eq!(sent, json!({"m": "say \"hi\"\n", "n": [2, "t2"], "x": 1.5, "a\"b": null}));
    }

    #[test]
    fn a_text_is_sent_as_it_renders() {
        assert_eq!(body(json!("q={{ message|tojson }}&s={{ session }}")).unwrap(), r#"q="say \"hi\"\n"&s=s-1"#);
    }

    #[test]
    fn unknown_names_are_found_before_anything_is_sent_and_missing_values_when_it_is() {
        assert_eq!(
            body(json!({"a": {"b": ["{{ mesage }}"]}})).unwrap_err(),
            "a.b.0: unknown name `mesage` in a template; did you mean `message`?"
        );
        let why = body(json!("{{ agent_session }}")).unwrap_err();
        assert!(why.contains("`{{ agent_session }}`") && why.contains("undefined"), "{why}");
    }

    #[test]
    fn variables_are_named_and_what_they_hold_is_not() {
        let text = Text::parse("Bearer {{ env.KEY }}").unwrap();
        assert!(text.is_fixed() && !Text::parse("{{ env.KEY }}{{ turn }}").unwrap().is_fixed());
        let names = text.variables();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["KEY"]);
        let missing = Env::new(&names, &|_| None).err().unwrap();
        assert_eq!(
            (missing.cause, missing.message.as_str()),
            (Cause::Misconfigured, "the environment variable `KEY` is not set")
        );
        let env = Env::new(&names, &|_| Some("s3cret".to_owned())).ok().unwrap();
        assert_eq!(env.scrub("you sent s3cret"), "you sent [secret]");
    }
}
