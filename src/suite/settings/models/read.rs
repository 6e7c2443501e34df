//! The tables of models, read: every mistake is reported where it stands, and secrets are never written out.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Behind, COMMON, OF_JUDGES, OwnModel};
use crate::endpoints::opened::{is_address, is_header};
use crate::endpoints::{Endpoint, PROTOCOLS, Structured, protocol};
use crate::model::duration;
use crate::net::secret::{Secretive, is_secret_header, written_out};
use crate::suite::nearest::nearest;
use crate::suite::raw::value_json;
use crate::suite::settings::did_you_mean;
use crate::suite::settings::file::{Reader, found};
use crate::suite::settings::keys::KeyDoc;

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
    pub(in crate::suite::settings) fn judges(&mut self, value: &Spanned<DeValue<'_>>) {
        let judges = self.models(Table::Judge, value);
        self.file.models.judges = judges;
        self.panels(value);
    }

    pub(in crate::suite::settings) fn embeddings(&mut self, value: &Spanned<DeValue<'_>>) {
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
