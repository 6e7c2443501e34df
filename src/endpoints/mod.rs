//! Floor 1: the ways to ask a model, one file each, and the registry that lists them.
//!
//! A protocol's file renders an [`Ask`] into the body of a request and reads the reply; both are pure. It is then one
//! line in [`PROTOCOLS`]. [`config`] is what `[judge.NAME]` says, [`opened`] one endpoint with its secrets in place, which
//! asks once. How often, how many at once, and what becomes of the answers is not decided here.

pub mod anthropic;
pub mod bedrock;
pub mod config;
pub mod openai;
pub mod opened;

use serde_json::Value;

pub use crate::checks::judge::odds::Token;
pub use config::{Endpoint, Structured};
pub use opened::Opened;

use crate::model::Usage;

/// Every protocol, in the order of the reference.
pub static PROTOCOLS: &[&dyn Protocol] = &[&openai::OpenAi, &anthropic::Anthropic, &bedrock::Bedrock];

/// The protocol called `name`.
pub fn protocol(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|p| p.name() == name)
}

/// What a model is asked.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// How it has to go about it.
    pub system: &'a str,
    /// What was said so far, in turn; the first and the last are said to the model.
    pub turns: Vec<Turn<'a>>,
    /// What its answer has to look like, where that is said.
    pub form: Option<Form<'a>>,
    /// Whether the probabilities of what it says are wanted, where the endpoint gives them.
    pub probabilities: bool,
}

/// Something that was said.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// By the model itself.
    pub own: bool,
    /// In parts. All but the last of them are what other questions begin with, too.
    pub parts: Vec<&'a str>,
}

impl Turn<'_> {
    /// The parts as one text.
    fn text(&self) -> String {
        self.parts.join("\n\n")
    }
}

/// What an answer has to look like.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    /// Its name: letters, digits and `_`.
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: Value,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// The whole reply.
    pub text: String,
    /// The model, as it calls itself; empty where it does not say.
    pub model: String,
    /// What it took; `None` where it is not said.
    pub usage: Option<Usage>,
    /// The tokens of the reply with what might have stood in their place; empty where that is not said.
    pub tokens: Vec<Token>,
}

/// How the secret is sent, where no header of the settings does it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The environment variable that holds it, unless `api_key` says otherwise.
    pub variable: &'static str,
    /// The header.
    pub header: &'static str,
    /// What stands before it.
    pub prefix: &'static str,
}

/// A protocol. Nothing in it reaches outside.
pub trait Protocol: Send + Sync {
    /// The name in `endpoint = "..."`.
    fn name(&self) -> &'static str;
    /// What it is, and what it takes, for people.
    fn doc(&self) -> &'static str;
    /// Where requests go unless `url` says otherwise; `{region}` stands for the region.
    fn url(&self) -> &'static str;
    /// How the secret is sent.
    fn key(&self) -> Key;
    /// Headers that every request has.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// Whether requests without a key are signed with credentials of AWS.
    fn is_signed(&self) -> bool {
        false
    }
    /// Whether what questions have in common is marked, unless `prompt_cache` says otherwise.
    fn marks(&self) -> bool {
        false
    }
    /// Whether endpoints remember what questions have in common without being told to.
    fn remembers(&self) -> bool {
        false
    }
    /// What is behind the base of the address, for a question.
    fn path(&self, endpoint: &Endpoint) -> String;
    /// The body of a request.
    fn body(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Value;
    /// Reads a reply.
    ///
    /// # Errors
    /// What is wrong with it, in words; what it said itself is added by the caller.
    fn read(&self, endpoint: &Endpoint, reply: &[u8]) -> Result<Heard, String>;
    /// How texts are embedded, where they can be.
    fn embeddings(&self) -> Option<&dyn Embeddings> {
        None
    }
}

/// The part of a protocol that says where texts lie among all texts.
pub trait Embeddings: Send + Sync {
    /// What is behind the base of the address.
    fn path(&self) -> &'static str;
    /// The body of a request.
    fn body(&self, endpoint: &Endpoint, text: &str) -> Value;
    /// Reads a reply.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self, reply: &[u8]) -> Result<(Vec<f32>, Heard), String>;
}
