//! The one path language: dotted (`order.items[0].price`), or JSONPath (RFC 9535) when it starts with `$`.

use std::fmt;
use std::panic::catch_unwind;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de};
use serde_json::Value;
use serde_json_path::JsonPath;

/// A way into a JSON value.
///
/// A dotted path names at most one value. Its segments are keys separated by dots; `[2]` is an element of an array and
/// `[-1]` its last; a key with a dot, a bracket or a quote in it is quoted, `a."b.c"` or `a["b.c"]`. A number between
/// dots is a key of an object and an index into an array. A JSONPath may name any number of values.
#[derive(Debug, Clone)]
pub struct Path {
    source: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Dotted(Vec<Segment>),
    Json(JsonPath),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// A key, or an index where the value is an array.
    Name(String),
    /// A key and nothing else: it was quoted.
    Quoted(String),
    /// An element; negative ones count from the end.
    Index(i64),
}

impl Path {
    /// Reads a path. The error says where it stops making sense.
    pub fn parse(source: &str) -> Result<Self, String> {
        let kind = if source.starts_with('$') {
            if nesting(source) > MAX_NESTING {
                return Err(format!("not a JSONPath: brackets nested deeper than {MAX_NESTING} levels"));
            }
            // The library panics where an escape (`\u`) is cut off by the end of the text.
            let parsed = catch_unwind(|| JsonPath::parse(source).map_err(|e| e.to_string()));
            let parsed = parsed.unwrap_or_else(|_| Err("it ends in the middle of an escape".to_owned()));
            Kind::Json(parsed.map_err(|why| format!("not a JSONPath: {why}"))?)
        } else {
            Kind::Dotted(Parser { text: source, at: 0 }.path()?)
        };
        Ok(Self { source: source.to_owned(), kind })
    }

    /// The path of a key of the value itself, which needs no quotes.
    pub fn key(name: &str) -> Self {
        Self { source: name.to_owned(), kind: Kind::Dotted(vec![Segment::Name(name.to_owned())]) }
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it is the whole value (`$`).
    pub fn is_root(&self) -> bool {
        self.source == "$"
    }

    /// The values it names in `value`, in document order; none when there is nothing there.
    pub fn select<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match &self.kind {
            Kind::Dotted(segments) => segments.iter().try_fold(value, step_into).into_iter().collect(),
            Kind::Json(path) => path.query(value).all(),
        }
    }

    /// The same with the JSON pointer (RFC 6901) of each.
    pub fn locate<'v>(&self, value: &'v Value) -> Vec<(String, &'v Value)> {
        match &self.kind {
            Kind::Dotted(segments) => {
                let mut pointer = String::new();
                let found = segments.iter().try_fold(value, |v, segment| {
                    let (key, inner) = step(v, segment)?;
                    push_pointer(&mut pointer, &key);
                    Some(inner)
                });
                found.map(|v| (pointer, v)).into_iter().collect()
            }
            Kind::Json(path) => {
                path.query_located(value).into_iter().map(|n| (n.location().to_json_pointer(), n.node())).collect()
            }
        }
    }
}

/// Deepest nesting of brackets in a JSONPath: the time that its parser takes doubles and more with each level.
const MAX_NESTING: usize = 8;

/// How deep the brackets of a JSONPath are nested, quoted names aside.
fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest, mut quote) = (0usize, 0, None);
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn step_into<'v>(value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    step(value, segment).map(|(_, inner)| inner)
}

fn step<'v>(value: &'v Value, segment: &Segment) -> Option<(String, &'v Value)> {
    match (segment, value) {
        (Segment::Name(key) | Segment::Quoted(key), Value::Object(map)) => Some((key.clone(), map.get(key)?)),
        (Segment::Name(key), Value::Array(items)) => {
            let index: usize = key.parse().ok()?;
            Some((index.to_string(), items.get(index)?))
        }
        (Segment::Index(i), Value::Array(items)) => {
            let back = usize::try_from(i.unsigned_abs()).ok()?;
            let index = if *i < 0 { items.len().checked_sub(back)? } else { back };
            Some((index.to_string(), items.get(index)?))
        }
        _ => None,
    }
}

/// Appends a token to a JSON pointer, escaped.
pub fn push_pointer(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn path(mut self) -> Result<Vec<Segment>, String> {
        if self.text.is_empty() {
            return Err("a path cannot be empty; `$` is the whole value".to_owned());
        }
        let mut segments = Vec::new();
        while self.at < self.text.len() {
            let first = segments.is_empty();
            match self.peek() {
                Some('[') => segments.push(self.bracket()?),
                Some('.') if !first => {
                    self.at += 1;
                    segments.push(self.key()?);
                }
                _ if first => segments.push(self.key()?),
                _ => return Err(self.wrong("expected `.` or `[`")),
            }
        }
        Ok(segments)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn wrong(&self, what: &str) -> String {
        let column = self.text[..self.at].chars().count() + 1;
        format!("not a path: {what} at character {column} of `{}`", self.text)
    }

    fn key(&mut self) -> Result<Segment, String> {
        if self.peek() == Some('"') {
            return self.quoted().map(Segment::Quoted);
        }
        let rest = &self.text[self.at..];
        let end = rest.find(['.', '[', ']', '"']).unwrap_or(rest.len());
        let key = &rest[..end];
        if key.is_empty() {
            return Err(self.wrong("expected a key"));
        }
        if key == "*" {
            return Err(self.wrong("`*` is JSONPath; start the path with `$.`, found `*`"));
        }
        self.at += end;
        Ok(Segment::Name(key.to_owned()))
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut key = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 2;
                    return Ok(key);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => key.push(escaped),
                    _ => return Err(self.wrong("in a quoted key `\\` stands before `\"` or `\\`; bad escape")),
                },
                c => key.push(c),
            }
        }
        Err(self.wrong("a quote is not closed"))
    }

    fn bracket(&mut self) -> Result<Segment, String> {
        self.at += 1;
        let segment = if self.peek() == Some('"') {
            Segment::Quoted(self.quoted()?)
        } else {
            let rest = &self.text[self.at..];
            let end = rest.find(']').ok_or_else(|| self.wrong("a bracket is not closed"))?;
            let index = rest[..end].parse().map_err(|_| self.wrong("expected an index or a quoted key"))?;
            self.at += end;
            Segment::Index(index)
        };
        if self.peek() != Some(']') {
            return Err(self.wrong("expected `]`"));
        }
        self.at += 1;
        Ok(segment)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let source = String::deserialize(d)?;
        Self::parse(&source).map_err(de::Error::custom)
    }
}

impl JsonSchema for Path {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A dotted path (`order.items[0].price`; keys with dots are quoted, `a.\"b.c\"`), or a \
                JSONPath (RFC 9535) when it starts with `$`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn located(path: &str, value: &Value) -> Vec<(String, Value)> {
        let path = Path::parse(path).unwrap();
        let located: Vec<_> = path.locate(value).into_iter().map(|(p, v)| (p, v.clone())).collect();
        assert_eq!(path.select(value), located.iter().map(|(_, v)| v).collect::<Vec<_>>());
        located
    }

    #[test]
    fn brackets_nested_beyond_reason_are_refused_in_good_time() {
        let filters = |n: usize| format!("${}{}", ".items[?$".repeat(n), "]".repeat(n));
        assert!(Path::parse(&filters(3)).is_ok());
        for deep in [filters(40), filters(9), format!("$[?{}", "(".repeat(5000))] {
            assert!(Path::parse(&deep).unwrap_err().contains("nested deeper than 8 levels"));
        }
        assert!(Path::parse(&format!("$['{}']", "[(".repeat(50))).is_ok(), "a name is no bracket");
    }

    #[test]
    fn an_escape_that_is_cut_off_is_refused() {
        for cut in ["$['a\\u", "$['\\u12", "$[\"\\uD83D\\u", "$[?@ == '\\uD8", "$['a\\"] {
            assert!(Path::parse(cut).unwrap_err().starts_with("not a JSONPath: "), "{cut}");
        }
    }

    #[test]
    fn a_dotted_path_names_one_value() {
        let value = json!({"order": {"items": [{"price": 1}, {"price": 2}], "a.b": {"c/d~": 3}, "0": 4}});
        for (path, pointer, expected) in [
            ("order.items[0].price", "/order/items/0/price", json!(1)),
            ("order.items[-1].price", "/order/items/1/price", json!(2)),
            ("order.items.1.price", "/order/items/1/price", json!(2)),
            ("order.\"a.b\".c/d~", "/order/a.b/c~1d~0", json!(3)),
            ("order[\"a.b\"][\"c/d~\"]", "/order/a.b/c~1d~0", json!(3)),
            ("order.0", "/order/0", json!(4)),
        ] {
            assert_eq!(located(path, &value), [(pointer.to_owned(), expected)], "{path}");
        }
    }

    #[test]
    fn a_dotted_path_into_nothing_names_nothing() {
        let value = json!({"items": [1], "name": "x"});
        for path in ["missing", "items[1]", "items[-2]", "name.length", "items.\"0\"", "name[0]"] {
            assert_eq!(located(path, &value), [], "{path}");
        }
    }

    #[test]
    fn a_json_path_names_several_values() {
        let value = json!({"items": [{"price": 1}, {"price": 20}, {"name": "x"}]});
        assert_eq!(
            located("$.items[*].price", &value),
            [("/items/0/price".to_owned(), json!(1)), ("/items/1/price".to_owned(), json!(20))]
        );
        assert_eq!(located("$.items[?@.price > 5].price", &value), [("/items/1/price".to_owned(), json!(20))]);
        assert_eq!(located("$", &value), [(String::new(), value.clone())]);
    }

    #[test]
    fn a_malformed_path_is_refused_with_its_position() {
        for (path, column) in [
            ("a..b", "character 3"),
            ("a[", "character 3"),
            ("a[x]", "character 3"),
            ("a]b", "character 2"),
            (".a", "character 1"),
            ("a.", "character 3"),
            ("a.\"b", "character 3"),
            ("a.*", "start the path with `$.`"),
            ("", "empty"),
            ("$.a[", "not a JSONPath"),
        ] {
            let error = Path::parse(path).unwrap_err();
            assert!(error.contains(column), "{path}: {error}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,20}") {
            let _ = Path::parse(&text);
        }

        #[test]
        fn any_key_can_be_quoted(key in ".{0,8}") {
            let quoted = format!("[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\""));
            let value = json!({ key.as_str(): 7 });
            let path = Path::parse(&quoted).unwrap();
            let found = path.locate(&value);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(value.pointer(&found[0].0), Some(&json!(7)));
        }
    }
}
