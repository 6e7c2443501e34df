//! A JSON value laid out flat, for whoever only looks at it: a schema, to which nearly all values conform, arguments that
//! are compared with those expected, or a reason that shows them. To build a value with a hash table and a copy of every
//! text takes several times as long.

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::front;

/// The most members of an object: they are looked for one by one.
const MAX_MEMBERS: usize = 32;

/// A value, its parts one behind the other: a list or an object before what is in it, a name before what it names.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    parts: Vec<Part>,
    /// Texts that do not stand in the JSON as they are.
    texts: String,
}

#[derive(Debug, Clone)]
enum Part {
    Null,
    Bool(bool),
    Number(Number),
    /// It stands in the JSON from here to there.
    Plain(u32, u32),
    /// It stands among the texts of the tape.
    Unescaped(u32, u32),
    /// So many elements; where the first part behind them is.
    Array(u32, u32),
    /// So many members.
    Object(u32, u32),
}

impl Tape {
    /// The value of a text; `None` where it is not valid JSON, or nothing for this: an object with many members, or several
    /// of one name.
    pub fn read(text: &str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let mut tape = Self { parts: Vec::with_capacity(4 + text.len() / 8), texts: String::new() };
        if front::read_seed(text, Lay { tape: &mut tape, text }).is_none() {
            tape.parts.clear();
            tape.texts.clear();
            let mut json = serde_json::Deserializer::from_str(text);
            Lay { tape: &mut tape, text }.deserialize(&mut json).ok()?;
            json.end().ok()?;
        }
        Some(tape)
    }

    /// The value. `text` must be the one that it was read from.
    pub fn root<'t>(&'t self, text: &'t str) -> Node<'t> {
        Node { tape: self, text, at: 0 }
    }

    /// Makes it that of a text by itself, which is its own JSON.
    pub fn hold<'t>(&'t mut self, text: &'t str) -> Node<'t> {
        self.parts.clear();
        self.parts.push(Part::Plain(0, text.len().min(u32::MAX as usize) as u32));
        self.root(text)
    }

    /// The position behind the value at a position.
    fn behind(&self, at: usize) -> usize {
        match self.parts.get(at) {
            Some(Part::Array(_, end) | Part::Object(_, end)) => *end as usize,
            _ => at + 1,
        }
    }
}

/// Lays out what comes next.
struct Lay<'t> {
    tape: &'t mut Tape,
    text: &'t str,
}

impl Lay<'_> {
    fn push<E>(self, part: Part) -> Result<(), E> {
        self.tape.parts.push(part);
        Ok(())
    }

    /// Whether the last of `count` members from `first` on, of which there is only the name yet, has the name of another.
    fn is_repeated(&self, first: usize, count: usize, last: usize) -> bool {
        let root = self.tape.root(self.text);
        let name = root.with(last).as_str();
        let mut at = first;
        (0..count).any(|_| {
            let same = root.with(at).as_str() == name;
            at = self.tape.behind(at + 1);
            same
        })
    }
}

impl<'de> DeserializeSeed<'de> for Lay<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lay<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.push(Part::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.push(Part::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.push(Part::Number(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(Part::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a number"))?;
        self.push(Part::Number(number))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        let start = (text.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        match self.text.get(start..start.saturating_add(text.len())) {
            Some(there) if std::ptr::eq(there, text) => {
                self.push(Part::Plain(start as u32, (start + text.len()) as u32))
            }
            _ => self.visit_str(text),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let start = self.tape.texts.len();
        self.tape.texts.push_str(text);
        let end = self.tape.texts.len();
        self.push(Part::Unescaped(start as u32, end as u32))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { tape, text } = self;
        let (at, mut count) = (tape.parts.len(), 0);
        tape.parts.push(Part::Null);
        while seq.next_element_seed(Lay { tape, text })?.is_some() {
            count += 1;
        }
        tape.parts[at] = Part::Array(count, tape.parts.len() as u32);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { tape, text } = self;
        let (at, mut count) = (tape.parts.len(), 0);
        tape.parts.push(Part::Null);
        loop {
            let name = tape.parts.len();
            if map.next_key_seed(Lay { tape, text })?.is_none() {
                break;
            }
            if count == MAX_MEMBERS || (Lay { tape, text }).is_repeated(at + 1, count, name) {
                return Err(de::Error::custom("too many members, or several of one name"));
            }
            map.next_value_seed(Lay { tape, text })?;
            count += 1;
        }
        tape.parts[at] = Part::Object(count as u32, tape.parts.len() as u32);
        Ok(())
    }
}

/// A value on a tape.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    tape: &'t Tape,
    text: &'t str,
    at: usize,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(&'t Number),
    /// A text.
    Text(&'t str),
    /// A list.
    Array(Elements<'t>),
    /// An object.
    Object(Members<'t>),
}

impl<'t> Node<'t> {
    fn with(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// What it is.
    pub fn kind(self) -> Kind<'t> {
        match self.tape.parts.get(self.at) {
            None | Some(Part::Null) => Kind::Null,
            Some(Part::Bool(value)) => Kind::Bool(*value),
            Some(Part::Number(number)) => Kind::Number(number),
            Some(Part::Plain(from, to)) => Kind::Text(self.text.get(*from as usize..*to as usize).unwrap_or_default()),
            Some(Part::Unescaped(from, to)) => {
                Kind::Text(self.tape.texts.get(*from as usize..*to as usize).unwrap_or_default())
            }
            Some(Part::Array(count, _)) => {
                Kind::Array(Elements { left: *count as usize, next: self.with(self.at + 1) })
            }
            Some(Part::Object(count, _)) => {
                Kind::Object(Members { left: *count as usize, next: self.with(self.at + 1) })
            }
        }
    }

    /// The text that it is.
    pub fn as_str(self) -> Option<&'t str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of an object that has this name.
    pub fn member(self, name: &str) -> Option<Self> {
        match self.kind() {
            Kind::Object(mut members) => members.find(|(known, _)| *known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Its place in memory, which no other value has.
    pub fn address(self) -> usize {
        self.tape.parts.get(self.at).map_or(0, |part| std::ptr::from_ref(part) as usize)
    }

    /// Whether two values are equal, as [`super::equal`] says it of values.
    pub fn equals(self, other: Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(x), Kind::Bool(y)) => x == y,
            (Kind::Number(x), Kind::Number(y)) => super::numbers_equal(x, y),
            (Kind::Text(x), Kind::Text(y)) => x == y,
            (Kind::Array(x), Kind::Array(y)) => x.len() == y.len() && x.zip(y).all(|(a, b)| a.equals(b)),
            (Kind::Object(x), Kind::Object(y)) => {
                // Nearly always the members stand in the same order, and nobody has to look for them.
                x.len() == y.len()
                    && x.zip(y).all(|((name, value), (at, here))| {
                        let found = if name == at { Some(here) } else { other.member(name) };
                        found.is_some_and(|other| value.equals(other))
                    })
            }
            _ => false,
        }
    }
}

/// The elements of a list, one by one.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'t> {
    left: usize,
    next: Node<'t>,
}

impl<'t> Iterator for Elements<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        self.left = self.left.checked_sub(1)?;
        let node = self.next;
        self.next.at = node.tape.behind(node.at);
        Some(node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The members of an object, one by one, each name once.
#[derive(Debug, Clone, Copy)]
pub struct Members<'t> {
    left: usize,
    next: Node<'t>,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Node<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (name, value) = (self.next, self.next.with(self.next.at + 1));
        self.next.at = value.tape.behind(value.at);
        Some((name.as_str().unwrap_or_default(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members<'_> {}

impl Serialize for Node<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.kind() {
            Kind::Null => s.serialize_unit(),
            Kind::Bool(value) => s.serialize_bool(value),
            Kind::Number(number) => number.serialize(s),
            Kind::Text(text) => s.serialize_str(text),
            Kind::Array(elements) => s.collect_seq(elements),
            Kind::Object(members) => s.collect_map(members),
        }
    }
}

/// As JSON without white space, like `serde_json::Value`.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = super::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&written).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_needs_more_than_a_look_is_left_to_others() {
        let object = |n: usize| (0..n).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert!(Tape::read(&format!("{{{}}}", object(MAX_MEMBERS))).is_some());
        assert!(Tape::read(&format!("[{{{}}}]", object(MAX_MEMBERS + 1))).is_none());
        assert!(Tape::read(r#"{"a":1,"b":2,"\u0061":3}"#).is_none());
        assert!(Tape::read(r#"{"a":{"a":1},"b":[{"b":2}]}"#).is_some());
        assert!(Tape::read("[1").is_none() && Tape::read("1e999").is_none() && Tape::read("1 2").is_none());
    }

    #[test]
    fn a_text_by_itself_is_a_text() {
        let mut tape = Tape::default();
        assert_eq!(tape.hold("a\"b").as_str(), Some("a\"b"));
        assert_eq!(tape.hold("").to_string(), "\"\"");
    }

    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "null",
            "true",
            "1",
            "1.0",
            "-0.0",
            "0",
            "1e2",
            "18446744073709551615",
            "\"1\"",
            "\"a\"",
            "\"\\u0061\"",
            "9007199254740993",
            "9007199254740992.0",
            "\"a\\n\"",
            "\"\"",
            "\"\u{e9}\"",
        ]);
        let leaf = leaf.prop_map(str::to_owned);
        leaf.prop_recursive(3, 16, 4, |inner| {
            let member = (prop::sample::select(vec!["a", "b", "c", "\\u0064"]), inner.clone());
            let member = member.prop_map(|(name, value)| format!("\"{name}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
                prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tape_says_what_the_value_says(a in texts(), b in texts()) {
            let (value, other): (Value, Value) = (serde_json::from_str(&a).unwrap(), serde_json::from_str(&b).unwrap());
            if let (Some(tape), Some(beside)) = (Tape::read(&a), Tape::read(&b)) {
                let (node, beside) = (tape.root(&a), beside.root(&b));
                prop_assert_eq!(node.to_string(), value.to_string());
                prop_assert_eq!(node.equals(beside), super::super::equal(&value, &other));
                prop_assert!(node.equals(node));
                for name in ["a", "d", "e"] {
                    prop_assert_eq!(node.member(name).map(|n| n.to_string()), value.get(name).map(|v| v.to_string()));
                }
            }
        }
    }
}
