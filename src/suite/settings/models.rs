//! `[judge.NAME]` and `[embedding.NAME]` in `seatrial.toml`: the models that checks may ask.

mod read;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::Origin;
use super::keys::{KeyDoc, key};
use crate::checks::askable::{Askable, Judge};
use crate::endpoints::{Endpoint, PROTOCOLS};
use crate::model::digest::Builder;

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

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
