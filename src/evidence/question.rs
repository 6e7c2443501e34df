//! A question to a model: what is put to it, and the key that its answer is kept under.
//!
//! The key is a digest of everything that the answer depends on: the endpoint as it is written (secrets left out), what
//! is put to it, which of several opinions it is, and what was wrong with the first. The same key is the same question,
//! in this run and in every later one.

use std::fmt;
use std::sync::Arc;

use crate::checks::asking::{Need, Prompt};
use crate::endpoints::{Ask, Endpoint, Form, Turn};

/// What an answer is kept under.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Key {
    /// Reads a key as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

/// The kinds of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `[judge.NAME]`.
    Judge,
    /// `[embedding.NAME]`.
    Embedding,
}

/// The name of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Of which kind.
    pub kind: Kind,
    /// Its name among these.
    pub name: Arc<str>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Judge => "judge",
            Kind::Embedding => "embedding",
        };
        write!(f, "{kind}.{}", self.name)
    }
}

impl Name {
    /// The model that is needed; `None` where none is.
    pub fn of(need: &Need) -> Option<Self> {
        match need {
            Need::Line { .. } => None,
            Need::Vote { judge, .. } => Some(Self { kind: Kind::Judge, name: judge.clone() }),
            Need::Embedding { endpoint, .. } => Some(Self { kind: Kind::Embedding, name: endpoint.clone() }),
        }
    }
}

/// The key of what is needed of an endpoint with this identity; `None` where no model is needed.
pub fn key(need: &Need, identity: &str) -> Option<Key> {
    let mut digest = Digest(blake3::Hasher::new());
    digest.part("seatrial question 1");
    digest.part(identity);
    match need {
        Need::Line { .. } => return None,
        Need::Vote { prompt, vote, wrong, .. } => {
            let Prompt { system, material, question, shape } = &**prompt;
            digest.part("vote");
            for part in [system, material.as_str(), question, shape.name] {
                digest.part(part);
            }
            digest.part(&(shape.schema)().to_string());
            digest.part(&vote.to_string());
            digest.part(wrong.as_deref().map_or("first", |_| "again"));
            digest.part(wrong.as_deref().unwrap_or_default());
        }
        Need::Embedding { text, .. } => {
            digest.part("embedding");
            digest.part(text);
        }
    }
    Some(Key(*digest.0.finalize().as_bytes()))
}

/// A digest of parts that cannot run into each other.
struct Digest(blake3::Hasher);

impl Digest {
    fn part(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }
}

/// What is asked last: the question, and what was wrong with the first answer to it.
pub fn question(prompt: &Prompt, wrong: Option<&str>) -> String {
    match wrong {
        None => prompt.question.clone(),
        Some(wrong) => format!(
            "{}\n# Once more\nYour first answer could not be used: {wrong}\nAnswer with one JSON object of the stated \
             shape, and nothing else.\n",
            prompt.question
        ),
    }
}

/// A prompt as it is put to a model. The material comes first, so that several questions about it begin alike.
pub fn ask<'a>(prompt: &'a Prompt, question: &'a str) -> Ask<'a> {
    Ask {
        system: &prompt.system,
        turns: vec![Turn { own: false, parts: vec![&prompt.material, question] }],
        form: Some(Form { name: prompt.shape.name, schema: (prompt.shape.schema)() }),
        probabilities: prompt.shape.label.is_some(),
    }
}

/// How many bytes a need puts to an endpoint, at least as many as it takes tokens.
pub fn bytes(need: &Need, endpoint: &Endpoint) -> u64 {
    let protocol = endpoint.protocol;
    let body = match need {
        Need::Line { .. } => return 0,
        Need::Vote { prompt, wrong, .. } => {
            let question = question(prompt, wrong.as_deref());
            protocol.body(endpoint, &ask(prompt, &question))
        }
        Need::Embedding { text, .. } => protocol.embeddings().map(|e| e.body(endpoint, text)).unwrap_or_default(),
    };
    body.to_string().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::Shape;

    static SHAPE: Shape = Shape { name: "s", schema: || serde_json::json!({}), label: None };

    fn vote(system: &'static str, question: &str, vote: u32, wrong: Option<&str>) -> Need {
        let prompt = Prompt { system: system.into(), material: "m".into(), question: question.into(), shape: &SHAPE };
        Need::Vote { judge: "j".into(), prompt: Arc::new(prompt), vote, wrong: wrong.map(str::to_owned) }
    }

    #[test]
    fn whatever_an_answer_depends_on_makes_another_key() {
        let needs = [
            vote("a", "b", 0, None),
            vote("a", "b", 1, None),
            vote("a", "b", 0, Some("")),
            vote("a", "b", 0, Some("no JSON")),
            vote("a", "bb", 0, None),
            vote("am", "b", 0, None),
            Need::Embedding { endpoint: "j".into(), text: "a".into() },
        ];
        let mut keys: Vec<Key> = needs.iter().map(|need| key(need, "e").unwrap()).collect();
        keys.push(key(&needs[0], "f").unwrap());
        assert_eq!(key(&needs[0], "e"), Some(keys[0]));
        assert_eq!(Key::parse(&keys[0].to_string()), Some(keys[0]));
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
