//! What is done around sessions: `setup` and `teardown`, and `state`, which asks for the world. Each is a program that is
//! started, or an HTTP request.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use crate::checks::jinja::Template;
use crate::checks::path::Path;
use crate::model::duration;
use crate::net::secret::is_secret_header;
use crate::suite::problems::choice;

/// `[[agent.setup]]`, `[[agent.teardown]]` and `[agent.state]` as they are written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTable {
    /// A program and its arguments, started in the suite's folder. It has to end with 0. Each may be a template over
    /// `case`, `session` (its id), `trial` and `env`; the program also finds them in SEATRIAL_CASE, SEATRIAL_SESSION and
    /// SEATRIAL_TRIAL. What it inherits from the environment is not known as a secret, other than what `{{ env.NAME }}`
    /// gives it.
    pub run: Option<Vec<String>>,
    /// Instead of a program: what is asked by HTTP; any status but a success is a failure. A template, too.
    pub url: Option<String>,
    /// The method; POST where there is a body or nothing is wanted back, else GET.
    pub method: Option<String>,
    /// Headers; templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is sent, as JSON; texts in it may be templates.
    pub body: Option<Value>,
    /// How long it may take, such as `"30s"`, which is the default.
    pub timeout: Option<String>,
    /// `setup` and `teardown`: whether it is done for every `session` (the default), once a `case` (before the first of its
    /// trials and after the last), or once a `run`.
    pub each: Option<Each>,
    /// `state`: which part of the answer is the state, as a path; all of it without.
    pub path: Option<String>,
    /// `state`: it is asked for before the session, too, so that a check can tell what changed.
    pub initial: Option<bool>,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// For every session.
    #[default]
    Session,
    /// Once a case.
    Case,
    /// Once a run.
    Run,
}

/// One table, or a list of them.
#[derive(Debug, Clone, Default)]
pub struct Several(pub Vec<HookTable>);

impl<'de> Deserialize<'de> for Several {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> de::Visitor<'de> for V {
            type Value = Several;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table, or a list of tables")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Several, A::Error> {
                let mut all = Vec::new();
                while let Some(hook) = seq.next_element()? {
                    all.push(hook);
                }
                Ok(Several(all))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Several, A::Error> {
                HookTable::deserialize(de::value::MapAccessDeserializer::new(map)).map(|hook| Several(vec![hook]))
            }
        }
        d.deserialize_any(V)
    }
}

impl JsonSchema for Several {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Several".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<HookTable>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// What is done around sessions.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// Before.
    pub setup: Vec<Hook>,
    /// After.
    pub teardown: Vec<Hook>,
    /// What the world is like.
    pub state: Option<Hook>,
}

/// One thing that is done.
#[derive(Debug, Clone)]
pub struct Hook {
    /// What.
    pub what: What,
    /// How long it may take.
    pub timeout: Duration,
    /// How often.
    pub each: Each,
    /// Which part of the answer is wanted.
    pub path: Option<Path>,
    /// It is asked for before the session, too.
    pub initial: bool,
}

/// A program, or a request; texts are templates where they look like it.
#[derive(Debug, Clone)]
pub enum What {
    /// A program and its arguments.
    Program(Vec<String>),
    /// A request.
    Request {
        /// The method.
        method: String,
        /// Where.
        url: String,
        /// Headers.
        headers: Vec<(String, String)>,
        /// What is sent.
        body: Option<Value>,
    },
}

/// What is wrong, at a path within the table.
pub(super) type Fault = (Vec<String>, String, Option<String>);

/// Names that a template of a hook may start from.
pub const ROOTS: &[&str] = &["case", "session", "trial", "env"];

/// How long it may take unless it is said.
const TIMEOUT: Duration = Duration::from_secs(30);

impl HookTable {
    /// The hook, or what is wrong with it. `state` says that an answer is wanted.
    pub(super) fn resolve(&self, state: bool) -> Result<Hook, Vec<Fault>> {
        let mut faults: Vec<Fault> = Vec::new();
        let mut fault = |path: &[&str], message: String, help: Option<String>| {
            faults.push((path.iter().map(|p| (*p).to_owned()).collect(), message, help));
        };
        let misplaced: [(&str, bool, &str); 3] = [
            (
                "each",
                state && self.each.is_some(),
                "it is for `setup` and `teardown`; the state is asked for every session",
            ),
            ("path", !state && self.path.is_some(), "it is for `state`"),
            ("initial", !state && self.initial.is_some(), "it is for `state`"),
        ];
        for (key, _, help) in misplaced.iter().filter(|(_, wrong, _)| *wrong) {
            fault(&[key], format!("`{key}` means nothing here"), Some((*help).to_owned()));
        }
        let timeout = match self.timeout.as_deref().map(duration::parse).transpose() {
            Ok(timeout) => timeout.unwrap_or(TIMEOUT),
            Err(why) => {
                fault(&["timeout"], why, None);
                TIMEOUT
            }
        };
        let path = match self.path.as_deref().map(Path::parse).transpose() {
            Ok(path) => path,
            Err(why) => {
                fault(&["path"], why.to_string(), None);
                None
            }
        };
        let of_request =
            [("method", self.method.is_some()), ("headers", !self.headers.is_empty()), ("body", self.body.is_some())];
        let what = match (&self.run, &self.url) {
            (Some(run), None) => {
                for (key, _) in of_request.iter().filter(|(_, there)| *there) {
                    fault(&[key], format!("`{key}` goes with `url`"), None);
                }
                if run.first().is_none_or(|name| name.trim().is_empty()) {
                    fault(&["run"], "`run` names no program".to_owned(), None);
                }
                What::Program(run.clone())
            }
            (None, Some(url)) => {
                let method = self
                    .method
                    .clone()
                    .unwrap_or_else(|| if state && self.body.is_none() { "GET" } else { "POST" }.to_owned());
                if reqwest::Method::from_bytes(method.as_bytes()).is_err() {
                    fault(&["method"], format!("`{method}` is no method of HTTP"), None);
                }
                let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                What::Request { method, url: url.clone(), headers, body: self.body.clone() }
            }
            _ => {
                let message = "it takes either `run` or `url`".to_owned();
                fault(&[], message, Some("`run = [\"program\", \"argument\"]` or `url = \"http://...\"`".to_owned()));
                What::Program(Vec::new())
            }
        };
        for text in what.texts() {
            match Template::parse(text) {
                Err(error) => fault(&[], format!("in `{text}`: {}", error.message), None),
                Ok(template) => {
                    for other in template.roots().iter().filter(|root| !ROOTS.contains(&root.as_str())) {
                        let help = choice(other, ROOTS.iter().copied());
                        fault(&[], format!("in `{text}`: `{other}` is not known here"), Some(help));
                    }
                }
            }
        }
        let (each, initial) = (self.each.unwrap_or_default(), self.initial.unwrap_or(false));
        if faults.is_empty() { Ok(Hook { what, timeout, each, path, initial }) } else { Err(faults) }
    }
}

impl Hooks {
    /// The headers of requests that look as if a secret stood in the suite.
    pub(super) fn secrets_written_out(&self) -> impl Iterator<Item = &str> {
        let hooks = self.setup.iter().chain(&self.teardown).chain(&self.state);
        let headers = hooks.flat_map(|hook| match &hook.what {
            What::Request { headers, .. } => headers.as_slice(),
            What::Program(_) => &[],
        });
        let literal = |(name, value): &&(String, String)| is_secret_header(name) && !Template::is_in(value);
        headers.filter(literal).map(|(name, _)| name.as_str())
    }
}

impl What {
    /// The texts with templates in them.
    fn texts(&self) -> Vec<&str> {
        let mut out = Vec::new();
        match self {
            Self::Program(run) => out.extend(run.iter().map(String::as_str)),
            Self::Request { url, headers, body, .. } => {
                out.push(url.as_str());
                out.extend(headers.iter().map(|(_, value)| value.as_str()));
                body.iter().for_each(|body| super::script::templates_in(body, &mut out));
            }
        }
        out.retain(|text| Template::is_in(text));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(toml: &str, state: bool) -> Vec<String> {
        let table: HookTable = toml::from_str(toml).unwrap();
        table
            .resolve(state)
            .err()
            .into_iter()
            .flatten()
            .map(|(path, message, _)| format!("{}: {message}", path.join(".")))
            .collect()
    }

    #[test]
    fn it_is_a_program_or_a_request() {
        for good in [
            "run = [\"./seed\", \"{{ case.id }}\"]",
            "url = \"http://x/{{ session }}\"\nheaders = { a = \"{{ env.K }}\" }",
        ] {
            assert!(faults(good, false).is_empty(), "{good}");
        }
        assert_eq!(faults("", false), [": it takes either `run` or `url`"]);
        assert_eq!(faults("run = []", false), ["run: `run` names no program"]);
        assert_eq!(faults("run = [\"a\"]\nbody = 1", false), ["body: `body` goes with `url`"]);
        assert_eq!(faults("url = \"{{ turns }}\"", true), [": in `{{ turns }}`: `turns` is not known here"]);
        assert_eq!(faults("url = \"x\"\ninitial = true", false), ["initial: `initial` means nothing here"]);
    }

    #[test]
    fn one_table_or_several() {
        #[derive(Deserialize)]
        struct Holder {
            setup: Several,
        }
        let one: Holder = toml::from_str("[setup]\nurl = \"x\"").unwrap();
        let two: Holder = toml::from_str("[[setup]]\nurl = \"x\"\n[[setup]]\nrun = [\"y\"]").unwrap();
        assert_eq!((one.setup.0.len(), two.setup.0.len()), (1, 2));
    }
}
