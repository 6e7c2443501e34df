//! `[judge.NAME]` and `[embedding.NAME]` in `seatrial.toml`: the models that checks may ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, found};
use super::keys::{KeyDoc, key};
use super::{Origin, did_you_mean};
use crate::checks::askable::{Askable, Judge};
use crate::endpoints::opened::{is_address, is_header};
use crate::endpoints::{Endpoint, PROTOCOLS, Structured, protocol};
use crate::model::digest::Builder;
use crate::model::duration;
use crate::net::secret::{Secretive, is_secret_header, written_out};
use crate::suite::nearest::nearest;
use crate::suite::raw::value_json;

/// A model or a panel of the user's own.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnModel {
    /// What stands behind the name.
    pub behind: Behind,
    /// In words, for the table of settings.
    pub written: String,
    /// Where it is written.
    pub origin: Origin,
}

/// What stands behind the name of a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Behind {
    /// An endpoint.
    Endpoint(Arc<Endpoint>),
    /// Several judges, by name.
    Panel(Vec<String>),
}

/// The models of a settings file, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnModels {
    /// `[judge.NAME]`.
    pub judges: BTreeMap<String, OwnModel>,
    /// `[embedding.NAME]`.
    pub embeddings: BTreeMap<String, OwnModel>,
}

impl OwnModels {
    /// The models as checks see them.
    pub fn askable(&self) -> Askable {
        let mut askable = Askable::default();
        for (name, own) in &self.judges {
            let judge = match &own.behind {
                Behind::Endpoint(endpoint) => Judge::one(name, endpoint.digest()),
                Behind::Panel(members) => {
                    let mut digest = Builder::new("seatrial panel 1");
                    for (member, endpoint) in members.iter().filter_map(|m| Some((m, self.judge(m)?))) {
                        digest.part(member, endpoint.identity().to_string().as_bytes());
                    }
                    let members = members.iter().map(|m| m.as_str().into()).collect();
                    Judge { members, digest: digest.finish() }
                }
            };
            askable.add_judge(name, judge);
        }
        for (name, endpoint) in self.embeddings.keys().filter_map(|name| Some((name, self.embedding(name)?))) {
            askable.add_embedding(name, endpoint.digest());
        }
        askable
    }

    /// The endpoint of a judge.
    pub fn judge(&self, name: &str) -> Option<&Arc<Endpoint>> {
        endpoint(self.judges.get(name)?)
    }

    /// The endpoint of embeddings.
    pub fn embedding(&self, name: &str) -> Option<&Arc<Endpoint>> {
        endpoint(self.embeddings.get(name)?)
    }

    /// Rows of the table of settings.
    pub(super) fn rows(&self) -> Vec<(String, String, String)> {
        let row = |table: &str, (name, own): (&String, &OwnModel)| {
            (format!("{table}.{name}"), own.written.clone(), own.origin.to_string())
        };
        let judges = self.judges.iter().map(|own| row("judge", own));
        judges.chain(self.embeddings.iter().map(|own| row("embedding", own))).collect()
    }
}

fn endpoint(own: &OwnModel) -> Option<&Arc<Endpoint>> {
    match &own.behind {
        Behind::Endpoint(endpoint) => Some(endpoint),
        Behind::Panel(_) => None,
    }
}

/// Keys of endpoints of both kinds.
static COMMON: &[KeyDoc] = &[
    key("endpoint", "the name of a protocol", "required", "How the endpoint is spoken with."),
    key("model", "a string", "required", "The model."),
    key("url", "an address, which may hold `{{ env.NAME }}`", "the provider's", "The base of the address."),
    key(
        "api_key",
        "a string such as `{{ env.NAME }}`",
        "the provider's variable, without `url`",
        "The secret, sent as the provider wants it.",
    ),
    key("headers", "a table of strings, which may hold `{{ env.NAME }}`", "none", "More headers."),
    key("body", "a table", "none", "More keys of every request, which win: `body = { seed = 1 }`."),
    key("timeout", "a duration such as `\"60s\"`", "\"60s\"", "How long one answer may take."),
    key("concurrency", "a number from 1 to 1000", "8", "The most questions at once; fewer where it is told to wait."),
    key("requests_per_minute", "a number of at least 1", "no limit", "The most questions a minute."),
];

/// Keys of judges alone.
static OF_JUDGES: &[KeyDoc] = &[
    key("temperature", "a number from 0 to 2", "not sent", "How much chance is in the answers."),
    key("max_tokens", "a number from 16 to 1000000", "1024", "The most tokens of an answer."),
    key(
        "structured",
        "`schema`, `object` or `none`",
        "\"schema\"",
        "What the endpoint can enforce of an answer's form; it is checked all the same.",
    ),
    key("logprobs", "true or false", "false", "Whether the probabilities of the verdict are asked for (`openai`)."),
    key(
        "prompt_cache",
        "true or false",
        "true for `anthropic`",
        "Whether what several questions about one subject have in common is marked, to be read once.",
    ),
    key("region", "a string", "AWS_REGION", "The region of `bedrock`."),
];

/// What the reference says of models; `wrap` breaks a text into lines that begin with four blanks.
pub fn doc(wrap: &dyn Fn(&str) -> String) -> String {
    let mut out = String::from(
        r#"[judge.NAME] says how the judge NAME is asked, which checks name by `judge` (`default` unless they do):

  [judge.default]
  endpoint = "openai"
  model    = "gpt-4o-mini"

  [judge.local]
  endpoint = "openai"
  url      = "http://localhost:11434/v1"
  model    = "llama3.1"

  [judge.both]
  panel = ["default", "local"]                 # every judge of a panel is asked

[embedding.NAME] says the same of embeddings, which `semantic` compares texts by. Secrets are never written here, only
where they are: `{{ env.NAME }}` stands for a variable, or, where NAME is not set, for what the file holds that NAME_FILE
names. A judge may also play the user of a case (`user = { goal = ... }`). What tokens cost is said by [prices]. The keys:
"#,
    );
    for key in COMMON.iter().chain(OF_JUDGES) {
        let only = if OF_JUDGES.iter().any(|k| k.name == key.name) { " Of judges only." } else { "" };
        let default = match key.default {
            "required" => ", and required".to_owned(),
            default => format!("; default {default}"),
        };
        let text = format!("{} It is {}{default}.{only}", key.doc, key.takes);
        let _ = write!(out, "\n  {}\n{}\n", key.name, wrap(&text));
    }
    out.push_str("\nThe protocols:\n");
    for protocol in PROTOCOLS {
        let _ = write!(out, "\n  {}\n{}\n", protocol.name(), wrap(protocol.doc()));
    }
    out
}

/// Which of the two tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Judge,
    Embedding,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Embedding => "embedding",
        }
    }

    fn keys(self) -> Vec<&'static str> {
        let own: &[KeyDoc] = if self == Self::Judge { OF_JUDGES } else { &[] };
        let panel = (self == Self::Judge).then_some("panel");
        COMMON.iter().chain(own).map(|k| k.name).chain(panel).collect()
    }
}

/// The tables of one endpoint while it is read.
struct Keys<'k, 'r, 't, 'i> {
    reader: &'k mut Reader<'r>,
    table: &'t DeTable<'i>,
    sound: bool,
}

impl Keys<'_, '_, '_, '_> {
    fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.sound = false;
        self.reader.problem(span, message, help);
    }

    fn wrong(&mut self, key: &str, value: &Spanned<DeValue<'_>>) {
        let takes = COMMON.iter().chain(OF_JUDGES).find(|k| k.name == key).map_or("something else", |k| k.takes);
        let found = match value.get_ref() {
            DeValue::String(s) => crate::checks::text::quote(s),
            DeValue::Integer(i) => i.as_str().to_owned(),
            DeValue::Float(f) => f.as_str().to_owned(),
            _ => found(value),
        };
        self.problem(value.span(), format!("`{key}` is {takes}, not {found}"), None);
    }

    /// The value of a key, read; a problem where it cannot be.
    fn read<T>(&mut self, key: &str, read: impl FnOnce(&DeValue<'_>) -> Option<T>) -> Option<(T, Range<usize>)> {
        let value = self.table.get(key)?;
        match read(value.get_ref()) {
            Some(read) => Some((read, value.span())),
            None => {
                self.wrong(key, value);
                None
            }
        }
    }

    fn text(&mut self, key: &str) -> Option<(String, Range<usize>)> {
        self.read(key, |v| v.as_str().filter(|s| !s.trim().is_empty()).map(str::to_owned))
    }

    fn whole(&mut self, key: &str, min: u64, max: u64) -> Option<u64> {
        let number = |v: &DeValue<'_>| u64::try_from(integer(v)?).ok().filter(|n| (min..=max).contains(n));
        self.read(key, number).map(|(n, _)| n)
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, |v| v.as_bool()).map(|(b, _)| b)
    }

    fn secretive(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<Secretive> {
        match Secretive::parse(text) {
            Ok(secretive) => Some(secretive),
            Err(why) => {
                self.problem(span, format!("`{key}`: {why}"), None);
                None
            }
        }
    }

    /// A secret has to be somewhere else.
    fn secret(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<Secretive> {
        let read = self.secretive(key, text, span.clone())?;
        if !read.has_variables() {
            let help = "such as `api_key = \"{{ env.OPENAI_API_KEY }}\"`".to_owned();
            self.sound = false;
            self.reader.secret(
                span,
                (format!("`{key}` is written out: a secret comes from the environment"), help),
                true,
            );
        }
        Some(read)
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok(),
        _ => None,
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => integer(value).map(|i| i as f64),
    }
}

impl Reader<'_> {
    pub(super) fn judges(&mut self, value: &Spanned<DeValue<'_>>) {
        let judges = self.models(Table::Judge, value);
        self.file.models.judges = judges;
        self.panels(value);
    }

    pub(super) fn embeddings(&mut self, value: &Spanned<DeValue<'_>>) {
        let embeddings = self.models(Table::Embedding, value);
        self.file.models.embeddings = embeddings;
    }

    fn models(&mut self, kind: Table, value: &Spanned<DeValue<'_>>) -> BTreeMap<String, OwnModel> {
        let mut models = BTreeMap::new();
        for (name, value) in self.table(kind.name(), value).into_iter().flatten() {
            let text = name.get_ref().as_ref();
            let origin = self.origin(&name.span(), None);
            let Some(table) = self.table(&format!("{}.{text}", kind.name()), value) else { continue };
            let mut keys = Keys { reader: self, table, sound: true };
            let behind = keys.behind(kind, text, name.span());
            if let Some(behind) = behind.filter(|_| keys.sound) {
                let written = match &behind {
                    Behind::Endpoint(e) => format!("{} {}", e.protocol.name(), e.model),
                    Behind::Panel(members) => format!("panel of {}", members.join(", ")),
                };
                models.insert(text.to_owned(), OwnModel { behind, written, origin });
            }
        }
        models
    }

    /// The members of a panel must be there, and no panels themselves.
    fn panels(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else { return };
        let names: Vec<&str> = table.iter().map(|(name, _)| name.get_ref().as_ref()).collect();
        let is_panel = |name: &str| {
            let judge = table.get(name).and_then(|v| v.get_ref().as_table());
            judge.is_some_and(|t| t.contains_key("panel"))
        };
        for (name, judge) in table {
            let panel = judge.get_ref().as_table().and_then(|t| t.get("panel"));
            let Some(DeValue::Array(members)) = panel.map(Spanned::get_ref) else { continue };
            for member in members.iter() {
                let Some(text) = member.get_ref().as_str() else { continue };
                if !names.contains(&text) {
                    let help = nearest(text, names.iter().copied()).map(did_you_mean);
                    self.problem(member.span(), format!("there is no judge `{text}`"), help);
                } else if is_panel(text) {
                    let message = format!("`{text}` is a panel: the members of `{}` are judges", name.get_ref());
                    self.problem(member.span(), message, None);
                }
            }
        }
    }
}

impl Keys<'_, '_, '_, '_> {
    fn behind(&mut self, kind: Table, name: &str, at: Range<usize>) -> Option<Behind> {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) || name.is_empty() {
            let help = "use letters, digits, `_`, `-` and `.`".to_owned();
            self.problem(at.clone(), format!("`{name}` is not a name for a model"), Some(help));
        }
        self.unknown(kind);
        if kind == Table::Judge && self.table.contains_key("panel") {
            return self.panel();
        }
        self.endpoint(kind, name, at).map(Arc::new).map(Behind::Endpoint)
    }

    fn unknown(&mut self, kind: Table) {
        let known = kind.keys();
        let is_panel = self.table.contains_key("panel");
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let help = nearest(name, known.iter().copied()).map(did_you_mean);
                let help = help.unwrap_or_else(|| format!("[{}.NAME] has {}", kind.name(), known.join(", ")));
                self.problem(key.span(), format!("unknown key `{name}` in [{}.NAME]", kind.name()), Some(help));
            } else if is_panel && name != "panel" {
                let help = "each member has its own table".to_owned();
                self.problem(key.span(), format!("a panel has no `{name}`"), Some(help));
            }
        }
    }

    fn panel(&mut self) -> Option<Behind> {
        let value = self.table.get("panel")?;
        let names = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|i| i.get_ref().as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let names: Option<Vec<String>> = names;
        match names {
            Some(names) if names.len() >= 2 => {
                let twice = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)).map(|(_, n)| n.clone());
                if let Some(name) = twice {
                    let help = "more opinions of one judge are `votes` of the check".to_owned();
                    self.problem(value.span(), format!("`{name}` is in the panel twice"), Some(help));
                }
                Some(Behind::Panel(names))
            }
            _ => {
                let help = "such as `panel = [\"default\", \"other\"]`".to_owned();
                self.problem(value.span(), "`panel` is a list of two or more judges", Some(help));
                None
            }
        }
    }

    fn endpoint(&mut self, kind: Table, name: &str, at: Range<usize>) -> Option<Endpoint> {
        for required in ["endpoint", "model"] {
            if !self.table.contains_key(required) {
                let help = format!("add `{required} = \"...\"` (`seatrial explain settings`)");
                self.problem(at.clone(), format!("[{}.{name}] has no `{required}`", kind.name()), Some(help));
            }
        }
        let protocol = self.text("endpoint").and_then(|(text, span)| {
            let fits = |p: &&'static dyn crate::endpoints::Protocol| kind == Table::Judge || p.embeddings().is_some();
            let found = protocol(&text).filter(fits);
            if found.is_none() {
                let names: Vec<&str> = PROTOCOLS.iter().filter(|p| fits(p)).map(|p| p.name()).collect();
                let help = nearest(&text, names.iter().copied()).map(did_you_mean);
                let help = help.unwrap_or_else(|| format!("there are {}", names.join(", ")));
                self.problem(span, format!("no endpoint of a {} is called `{text}`", kind.name()), Some(help));
            }
            found
        });
        let model = self.text("model").map(|(text, _)| text);
        // What is wrong with the rest is told even where these are.
        let mut endpoint = Endpoint::new(protocol.unwrap_or(PROTOCOLS[0]), model.as_deref().unwrap_or_default());
        if let Some((text, span)) = self.text("url") {
            endpoint.url = self.secretive("url", &text, span.clone());
            if endpoint.url.as_ref().is_some_and(|url| !is_address(url)) {
                self.problem(span, "`url` begins with http:// or https://", None);
            }
        }
        if let Some((text, span)) = self.text("api_key") {
            endpoint.api_key = self.secret("api_key", &text, span);
        }
        endpoint.headers = self.headers();
        if let Some((body, _)) = self.read("body", |v| v.as_table().map(|_| value_json(v)))
            && let Value::Object(body) = body
        {
            endpoint.body = body;
        }
        if let Some((text, span)) = self.text("timeout") {
            match duration::parse(&text) {
                Ok(timeout) if timeout > Duration::ZERO => endpoint.timeout = timeout,
                Ok(_) => self.problem(span, "`timeout` is no time at all", None),
                Err(why) => self.problem(span, why, Some("such as `timeout = \"60s\"`".to_owned())),
            }
        }
        if let Some(n) = self.whole("concurrency", 1, 1000) {
            endpoint.concurrency = n as usize;
        }
        if let Some(n) = self.whole("requests_per_minute", 1, u64::from(u32::MAX)) {
            endpoint.requests_per_minute = NonZeroU32::new(n as u32);
        }
        let temperature = |v: &DeValue<'_>| number(v).filter(|t| (0.0..=2.0).contains(t));
        endpoint.temperature = self.read("temperature", temperature).map(|(t, _)| t);
        if let Some(n) = self.whole("max_tokens", 16, 1_000_000) {
            endpoint.max_tokens = n as u32;
        }
        let word = |v: &DeValue<'_>| Structured::ALL.into_iter().find(|s| v.as_str() == Some(s.name()));
        if let Some((structured, _)) = self.read("structured", word) {
            endpoint.structured = structured;
        }
        endpoint.logprobs = self.flag("logprobs").unwrap_or(false);
        if let Some(marks) = self.flag("prompt_cache") {
            endpoint.prompt_cache = marks;
        }
        endpoint.region = self.text("region").map(|(text, _)| text);
        Some(endpoint)
    }

    fn headers(&mut self) -> Vec<(String, Secretive)> {
        let Some(value) = self.table.get("headers") else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong("headers", value);
            return Vec::new();
        };
        let mut headers = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !is_header(name) {
                self.problem(key.span(), format!("`{name}` is no name of a header"), None);
                continue;
            }
            let Some(text) = value.get_ref().as_str() else {
                self.wrong("headers", value);
                continue;
            };
            let Some(read) = self.secretive(name, text, value.span()) else { continue };
            if is_secret_header(name) && !read.has_variables() {
                self.reader.secret(value.span(), written_out(name), false);
            }
            headers.push((name.to_owned(), read));
        }
        headers
    }
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
