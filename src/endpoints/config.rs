//! What `[judge.NAME]` and `[embedding.NAME]` say of an endpoint.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Protocol;
use crate::model::digest::Digest;
use crate::net::secret::Secretive;

/// How an answer is made to have its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structured {
    /// The endpoint enforces the JSON Schema.
    Schema,
    /// It enforces that the answer is JSON.
    Object,
    /// It enforces nothing: the model is only told.
    None,
}

impl Structured {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Schema, Self::Object, Self::None];

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Object => "object",
            Self::None => "none",
        }
    }
}

/// One endpoint as the settings describe it; secrets are not in it yet.
#[derive(Clone)]
pub struct Endpoint {
    /// How it is spoken with.
    pub protocol: &'static dyn Protocol,
    /// The base of its address, if it is not the protocol's.
    pub url: Option<Secretive>,
    /// The model.
    pub model: String,
    /// The secret, if it is not in the protocol's variable.
    pub api_key: Option<Secretive>,
    /// More headers.
    pub headers: Vec<(String, Secretive)>,
    /// The region of AWS.
    pub region: Option<String>,
    /// How much chance is in its answers; not said where there is none.
    pub temperature: Option<f64>,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// How answers are made to have their form.
    pub structured: Structured,
    /// Whether probabilities are asked for.
    pub logprobs: bool,
    /// Whether what questions have in common is marked.
    pub prompt_cache: bool,
    /// More keys of a request's body; they win.
    pub body: Map<String, Value>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// The most questions at once.
    pub concurrency: usize,
    /// The most questions a minute.
    pub requests_per_minute: Option<NonZeroU32>,
}

impl Endpoint {
    /// An endpoint of which nothing is said but this.
    pub fn new(protocol: &'static dyn Protocol, model: &str) -> Self {
        Self {
            protocol,
            url: None,
            model: model.to_owned(),
            api_key: None,
            headers: Vec::new(),
            region: None,
            temperature: None,
            max_tokens: 1024,
            structured: Structured::Schema,
            logprobs: false,
            prompt_cache: protocol.marks(),
            body: Map::new(),
            timeout: Duration::from_secs(60),
            concurrency: 8,
            requests_per_minute: None,
        }
    }

    /// Everything that an answer depends on, without secrets: addresses are as they are written.
    pub fn identity(&self) -> Value {
        json!({
            "endpoint": self.protocol.name(),
            "url": self.url.as_ref().map(Secretive::written),
            "model": self.model,
            "region": self.region,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "structured": self.structured.name(),
            "logprobs": self.logprobs,
            "body": self.body,
        })
    }

    /// The digest of that.
    pub fn digest(&self) -> Digest {
        Digest::of(self.identity().to_string().as_bytes())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.identity())
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
            && (&self.api_key, &self.headers, self.prompt_cache, self.timeout, self.concurrency)
                == (&other.api_key, &other.headers, other.prompt_cache, other.timeout, other.concurrency)
            && self.requests_per_minute == other.requests_per_minute
    }
}
