//! What names and attributes are compared with in a selector: globs, matchers, lists of them.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, IntoDeserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::checks::matcher::Matcher;

/// A glob over a name; without any of `*?[{\` in it, the name itself.
#[derive(Debug, Clone)]
pub struct Glob {
    source: String,
    matcher: Option<globset::GlobMatcher>,
}

impl Glob {
    /// Compiles a glob in which `*` crosses `/`.
    pub fn new(source: &str) -> Result<Self, String> {
        let matcher = if source.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            let glob = globset::GlobBuilder::new(source).literal_separator(false).backslash_escape(true).build();
            Some(glob.map_err(|e| format!("not a glob: {}", e.kind()))?.compile_matcher())
        } else {
            None
        };
        Ok(Self { source: source.to_owned(), matcher })
    }

    /// Whether a name matches.
    pub fn is_match(&self, name: &str) -> bool {
        // `*` is what most selectors without a wish say; a matcher would look at the name.
        self.source == "*" || self.matcher.as_ref().map_or_else(|| self.source == name, |m| m.is_match(name))
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The name, when it is a plain one.
    pub fn literal(&self) -> Option<&str> {
        self.matcher.is_none().then_some(self.source.as_str())
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let source = String::deserialize(d)?;
        Self::new(&source).map_err(de::Error::custom)
    }
}

impl JsonSchema for Glob {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Glob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "description": "A glob in which `*` crosses `/`." })
    }
}

/// What a name or attribute is compared with: a glob, an argument matcher, or a list of which any may match. Within
/// `$not` and `$one_of` a plain string is a glob as well; `$eq` is for the letter.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// A plain string.
    Glob(Glob),
    /// Any other matcher.
    Matcher(Matcher),
    /// A list, or `$one_of`.
    AnyOf(Vec<Pattern>),
    /// `$not`: recorded, and does not match.
    Not(Box<Pattern>),
}

impl Pattern {
    /// Whether a name matches; one that is not recorded matches `$absent` only.
    pub fn text(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Glob(glob), Some(text)) => glob.is_match(text),
            (Self::AnyOf(patterns), _) => patterns.iter().any(|p| p.text(text)),
            (Self::Not(pattern), text) => text.is_some() && !pattern.text(text),
            (Self::Matcher(matcher), Some(text)) => matcher.matches(Some(&Value::String(text.to_owned()))),
            (Self::Matcher(matcher), None) => matcher.matches(None),
            (Self::Glob(_), None) => false,
        }
    }

    /// Whether a value matches; a glob matches strings only.
    pub fn value(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Glob(glob) => value.and_then(Value::as_str).is_some_and(|s| glob.is_match(s)),
            Self::AnyOf(patterns) => patterns.iter().any(|p| p.value(value)),
            Self::Not(pattern) => value.is_some() && !pattern.value(value),
            Self::Matcher(matcher) => matcher.matches(value),
        }
    }

    /// The names it stands for, when it is nothing but plain names; empty otherwise.
    pub fn literals(&self) -> Vec<&str> {
        match self {
            Self::Glob(glob) => glob.literal().into_iter().collect(),
            Self::AnyOf(patterns) => patterns.iter().flat_map(Self::literals).collect(),
            Self::Matcher(matcher) => matcher.as_plain_str().into_iter().collect(),
            Self::Not(_) => Vec::new(),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Glob(glob) => glob.serialize(s),
            Self::AnyOf(patterns) => patterns.serialize(s),
            Self::Not(pattern) => s.collect_map([("$not", pattern)]),
            // Written as `$eq`: a plain string would be read back as a glob, a list as one of which any may match.
            Self::Matcher(Matcher::Equals(value)) if !value.is_number() && !value.is_boolean() => {
                s.collect_map([("$eq", value)])
            }
            Self::Matcher(m) => m.to_value().serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(PatternVisitor)
    }
}

struct PatternVisitor;

impl<'de> de::Visitor<'de> for PatternVisitor {
    type Value = Pattern;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a glob, a matcher such as { \"$matches\" = \"regex\" }, or a list of them")
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Pattern, E> {
        Glob::new(v).map(Pattern::Glob).map_err(E::custom)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Pattern, E> {
        Ok(Pattern::Matcher(Matcher::Equals(v.into())))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Pattern, E> {
        Ok(Pattern::Matcher(Matcher::Equals(v.into())))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Pattern, E> {
        Ok(Pattern::Matcher(Matcher::Equals(v.into())))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Pattern, E> {
        Ok(Pattern::Matcher(Matcher::Equals(v.into())))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Pattern, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = seq.next_element()? {
            patterns.push(pattern);
        }
        if patterns.is_empty() {
            return Err(de::Error::custom("an empty list matches nothing"));
        }
        Ok(Pattern::AnyOf(patterns))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Pattern, A::Error> {
        let key: Option<String> = map.next_key()?;
        let pattern = match key.as_deref() {
            Some("$not") => Pattern::Not(Box::new(map.next_value()?)),
            Some("$one_of") => match map.next_value()? {
                Pattern::AnyOf(patterns) => Pattern::AnyOf(patterns),
                _ => return Err(de::Error::custom("`$one_of` takes a list")),
            },
            _ => return Matcher::deserialize(MapAccessDeserializer::new(Again { key, map })).map(Pattern::Matcher),
        };
        match map.next_key::<String>()? {
            Some(more) => Err(de::Error::custom(format!(
                "a matcher has one key; this has `{}` and `{more}`",
                key.unwrap_or_default()
            ))),
            None => Ok(pattern),
        }
    }
}

/// A map whose first key was taken from it.
struct Again<A> {
    key: Option<String>,
    map: A,
}

impl<'de, A: de::MapAccess<'de>> de::MapAccess<'de> for Again<A> {
    type Error = A::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.key.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A glob in which `*` crosses `/`, a matcher such as `{ \"$matches\" = \"regex\" }`, or a \
                list of which any may match. A plain string is a glob within `$not` and `$one_of` too; \
                `{ \"$eq\" = \"a*\" }` takes it to the letter."
        })
    }
}

/// Attribute names with what their values are compared with, in order of declaration.
#[derive(Debug, Clone, Default)]
pub struct AttributePatterns(pub Vec<(String, Pattern)>);

impl Serialize for AttributePatterns {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

impl<'de> Deserialize<'de> for AttributePatterns {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AttributePatterns;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of attribute names and what they match")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    out.push(entry);
                }
                Ok(AttributePatterns(out))
            }
        }
        d.deserialize_map(Visitor)
    }
}

impl JsonSchema for AttributePatterns {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AttributePatterns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pattern = generator.subschema_for::<Pattern>();
        schemars::json_schema!({ "type": "object", "additionalProperties": pattern })
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(s),
            many => many.serialize(s),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}

struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of values")
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
        let one: StrDeserializer<'_, E> = v.into_deserializer();
        T::deserialize(one).map(|v| OneOrMany(vec![v]))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Self::Value, E> {
        T::deserialize(v.into_deserializer()).map(|v| OneOrMany(vec![v]))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
        T::deserialize(v.into_deserializer()).map(|v| OneOrMany(vec![v]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(value) = seq.next_element()? {
            out.push(value);
        }
        if out.is_empty() {
            return Err(de::Error::custom("an empty list says nothing: leave the key out, or give a value"));
        }
        Ok(OneOrMany(out))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one.clone(), { "type": "array", "items": one, "minItems": 1 }] })
    }
}
