//! A look at the first JSON value of a file's head, which may be cut off anywhere: enough of its shape to tell one
//! trace format from another, and nothing of its content.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Head;

/// How deep shapes are recorded; anything deeper is skipped.
const DEPTH: usize = 5;
/// How many keys of one object are recorded.
const KEYS: usize = 256;
/// How many characters of a string are kept.
const TEXT: usize = 64;
/// In how many lines a value is looked for when the first ones are damaged.
const LINES: usize = 4;

/// The shape of a JSON value, as far as the head shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A null, boolean or number, or something that is not shown.
    Other,
    /// A string, by its first characters.
    Text(String),
    /// An array, by its first element.
    Array(Option<Box<Shape>>),
    /// An object, by its keys in order.
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// The shape of a key's value, when this is an object that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Shape> {
        match self {
            Shape::Object(keys) => keys.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Whether this is an object that has the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The string of a key, when this is an object where it is one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Shape::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a key holds an array.
    pub(super) fn has_array(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Shape::Array(_)))
    }

    /// The first element, when this is an array that shows one.
    pub(super) fn first(&self) -> Option<&Shape> {
        match self {
            Shape::Array(Some(first)) => Some(first),
            _ => None,
        }
    }

    /// The keys, when this is an object.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = match self {
            Shape::Object(keys) => keys.as_slice(),
            _ => &[],
        };
        keys.iter().map(|(k, _)| k.as_str())
    }

    /// The shape of what is one element of the file: of the array's first element, else of the value itself.
    pub(super) fn element(&self) -> &Shape {
        self.first().unwrap_or(self)
    }
}

/// The shape of the first object or array in the head. A damaged first line of JSON lines is passed over.
pub(super) fn shape(head: &Head<'_>) -> Shape {
    let mut rest = head.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes);
    for _ in 0..LINES {
        let mut shape = Shape::Other;
        let mut json = serde_json::Deserializer::from_slice(rest);
        // A cut-off value ends in an error; what was seen before it is in `shape`.
        let read = Seed { out: &mut shape, depth: DEPTH }.deserialize(&mut json);
        if read.is_ok() || !matches!(shape, Shape::Other) {
            return shape;
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => rest = &rest[end + 1..],
            None => break,
        }
    }
    Shape::Other
}

struct Seed<'s> {
    out: &'s mut Shape,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        if self.depth == 0 {
            return d.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        *self.out = Shape::Text(text.chars().take(TEXT).collect());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut first = Box::new(Shape::Other);
        let read = seq.next_element_seed(Seed { out: &mut first, depth: self.depth - 1 });
        let empty = matches!(read, Ok(None));
        *self.out = Shape::Array((!empty).then_some(first));
        read?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.out = Shape::Object(Vec::new());
        let Shape::Object(keys) = self.out else { return Ok(()) };
        while let Some(key) = map.next_key::<String>()? {
            if keys.len() == KEYS {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let mut value = Shape::Other;
            let read = map.next_value_seed(Seed { out: &mut value, depth: self.depth - 1 });
            keys.push((key, value));
            read?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(bytes: &[u8]) -> Shape {
        shape(&Head { path: Path::new("f.json"), bytes, whole: false })
    }

    #[test]
    fn a_cut_head_shows_what_came_before_the_cut() {
        let shape = of(br#"[ {"task_id": 1, "info": {"task": {"user_id": "a", "act"#);
        let element = shape.element();
        assert!(element.has("task_id"));
        assert_eq!(element.get("info").and_then(|i| i.get("task")).and_then(|t| t.text("user_id")), Some("a"));
        assert!(!element.has("traj"));
    }

    #[test]
    fn a_damaged_first_line_is_passed_over() {
        assert!(of(b"\x00\xff garbage\n{\"messages\": []}\n").has_array("messages"));
        assert_eq!(of(b"plain text\nmore\n"), Shape::Other);
        assert_eq!(of(b""), Shape::Other);
    }

    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let deep = "[".repeat(60_000);
        assert!(matches!(of(deep.as_bytes()), Shape::Array(_)));
    }

    #[test]
    fn an_empty_array_has_no_first_element() {
        assert_eq!(of(b"[]").first(), None);
    }
}
