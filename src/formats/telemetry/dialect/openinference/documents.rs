//! The documents that a retrieval or a reranking brought, flattened into attributes.

use std::collections::BTreeMap;

use super::super::{flat, is_withheld};
use crate::formats::telemetry::Value;
use crate::model::{Payload, Text};

/// The documents of a retrieval.
#[derive(Default)]
pub(super) struct Documents<'s, 'a>(BTreeMap<u64, Vec<(&'static str, &'s Value<'a>)>>);

impl<'s, 'a> Documents<'s, 'a> {
    /// Takes an attribute if it is of a document.
    pub(super) fn take(&mut self, name: &str, value: &'s Value<'a>) {
        let list =
            name.strip_prefix("retrieval.documents.").or_else(|| name.strip_prefix("reranker.output_documents."));
        let Some((index, field)) = list.and_then(flat::numbered) else { return };
        let field = match field {
            "document.id" => "id",
            "document.content" => "content",
            "document.score" => "score",
            "document.metadata" => "metadata",
            _ => return,
        };
        self.0.entry(index).or_default().push((field, value));
    }

    /// A JSON list; `None` when there are none.
    pub(super) fn json(&self, withheld: &mut bool) -> Option<Payload<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let documents = self.0.values().map(|fields| {
            let known = fields.iter().filter(|(_, v)| !v.as_str().is_some_and(is_withheld));
            let known: Vec<_> = known.map(|(name, value)| (Text::borrowed(name), (*value).clone())).collect();
            *withheld |= known.len() < fields.len();
            Value::Map(known)
        });
        Some(Value::Array(documents.collect()).payload())
    }
}
