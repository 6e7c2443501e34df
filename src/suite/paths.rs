//! Paths in suites: relative to the file they are written in, and the one place where `{{ env.X }}` may be used.

use std::collections::BTreeMap;

use crate::checks::build::Rule;
use crate::checks::jinja::Template;

/// Environment variables.
pub(super) type Vars<'v> = &'v dyn Fn(&str) -> Option<String>;

/// What is wrong with a path, and what to do about it.
pub(super) type PathError = (String, Option<String>);

/// A path as it is written, parsed.
pub(super) enum PathText {
    /// No template in it.
    Plain(String),
    /// `{{ env.X }}` in it, with the variables it needs.
    Env(Box<Template>, Vec<String>),
}

impl PathText {
    /// Parses a path. Names other than `env` are refused.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if !Template::is_in(text) {
            return Ok(Self::Plain(text.to_owned()));
        }
        let template = Template::parse(text).map_err(|e| (e.message, None))?;
        if let Some(other) = template.roots().iter().find(|root| *root != "env") {
            let help = "a path is the same for every case; only `{{ env.NAME }}` may be used in it".to_owned();
            return Err((format!("`{other}` cannot be used in a path"), Some(help)));
        }
        let names = template.names(true);
        let vars: Option<Vec<String>> = names
            .iter()
            .filter(|n| *n == "env" || n.starts_with("env."))
            .map(|n| Some(n.strip_prefix("env.")?.to_owned()))
            .collect();
        match vars {
            Some(vars) => Ok(Self::Env(Box::new(template), vars)),
            None => Err(("`env` is used without a name".to_owned(), Some("write `{{ env.NAME }}`".to_owned()))),
        }
    }

    /// The path with environment variables in place. A variable that is not set is an error.
    pub fn fill(&self, vars: Vars<'_>) -> Result<String, PathError> {
        let (template, names) = match self {
            Self::Plain(text) => return Ok(text.clone()),
            Self::Env(template, names) => (template, names),
        };
        let mut values = BTreeMap::new();
        for name in names {
            let Some(value) = vars(name) else {
                let help = format!("set {name}, or write the path without it");
                return Err((format!("the environment variable `{name}` is not set"), Some(help)));
            };
            values.insert(name.as_str(), minijinja::Value::from(value));
        }
        let env = minijinja::Value::from_pairs(values);
        match template.render(&minijinja::Value::from_pairs([("env", env)])) {
            Ok(serde_json::Value::String(path)) => Ok(path),
            Ok(other) => Err((format!("the path renders to {other}, which is not a string"), None)),
            Err(message) => Err((message, None)),
        }
    }
}

/// Whether a parameter of a check names a file.
pub(super) fn is_path_key(rule: &Rule, key: &str) -> bool {
    key.ends_with("_file") || rule.files.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let vars = |name: &str| (name == "HOME").then(|| "/home/x".to_owned());
        PathText::new(text).and_then(|p| p.fill(&vars)).map_err(|(message, _)| message)
    }

    #[test]
    fn the_environment_may_be_used_and_nothing_else() {
        assert_eq!(fill("{{ env.HOME }}/a"), Ok("/home/x/a".to_owned()));
        assert_eq!(fill("{{ env.HOME }}"), Ok("/home/x".to_owned()));
        assert_eq!(fill("plain/*.jsonl"), Ok("plain/*.jsonl".to_owned()));
        assert_eq!(fill("{{ env.NOPE }}/a"), Err("the environment variable `NOPE` is not set".to_owned()));
        assert_eq!(fill("{{ case.id }}/a"), Err("`case` cannot be used in a path".to_owned()));
        assert!(fill("{{ env }}").is_err());
        assert!(fill("{{ env.").is_err());
    }
}
