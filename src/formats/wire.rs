//! Small pieces that several JSON formats share on the wire: ids that may be numbers, message content that may be
//! text or parts, times, and how a decoding error becomes a [`Problem`].

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::place::path_to;
use crate::model::json::Texts;
use crate::model::{LeftOut, Payload, Problem, Text, json};

/// An id or name that recordings write as a string or as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id<'a>(pub(super) Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Id<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Id(Text::borrowed(v)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Id(v.to_owned().into()))
            }
            fn visit_string<E: de::Error>(self, v: String) -> Result<Self::Value, E> {
                Ok(Id(v.into()))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Id(v.to_string().into()))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Id(v.to_string().into()))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Id(v.to_string().into()))
            }
        }
        d.deserialize_any(V)
    }
}

/// What a message says: nothing, a text, or parts.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    /// No content, or `null`.
    #[default]
    Absent,
    /// A plain string.
    Text(Text<'a>),
    /// Typed parts: text, calls, results, images.
    Parts(Vec<Part<'a>>),
}

/// One part of a message.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    /// `text`, `tool_use`, `tool_result`, `image_url`, ...
    pub(super) kind: Option<Text<'a>>,
    /// The text of a text part.
    pub(super) text: Option<Payload<'a>>,
    /// The id of a call.
    pub(super) id: Option<Id<'a>>,
    /// The name of the tool called.
    pub(super) name: Option<Text<'a>>,
    /// The arguments of a call.
    pub(super) input: Option<Payload<'a>>,
    /// The call that a result answers.
    pub(super) tool_use_id: Option<Id<'a>>,
    /// What a result says.
    pub(super) content: Option<Payload<'a>>,
    /// Whether a result is an error.
    pub(super) is_error: Option<bool>,
}

/// The wire form of a part that is an object.
#[derive(Deserialize)]
struct PartObject<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Payload<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Payload<'a>>,
    #[serde(borrow, default)]
    id: Option<Id<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    input: Option<Payload<'a>>,
    #[serde(borrow, default)]
    tool_use_id: Option<Id<'a>>,
    #[serde(borrow, default)]
    content: Option<Payload<'a>>,
    #[serde(default)]
    is_error: Option<bool>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Part<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of a message: an object or a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Part { text: Some(Payload::text(v)), ..Part::default() })
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Part { text: Some(Payload::text(v.to_owned())), ..Part::default() })
            }
            fn visit_string<E: de::Error>(self, v: String) -> Result<Self::Value, E> {
                Ok(Part { text: Some(Payload::text(v)), ..Part::default() })
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let p = PartObject::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Part {
                    kind: p.kind,
                    text: p.text.or(p.refusal),
                    id: p.id,
                    name: p.name,
                    input: p.input,
                    tool_use_id: p.tool_use_id,
                    content: p.content,
                    is_error: p.is_error,
                })
            }
        }
        d.deserialize_any(V)
    }
}

impl<'a> Part<'a> {
    /// Whether the part is text meant for the reader; reasoning is not.
    pub(super) fn is_text(&self) -> bool {
        self.text.is_some()
            && matches!(
                self.kind.as_deref(),
                None | Some("text" | "input_text" | "output_text" | "refusal" | "summary_text")
            )
    }
}

impl<'a> Content<'a> {
    /// The text, parts joined by a line break; `None` when there is none. Reasoning is left out.
    pub(super) fn text(self) -> Option<Text<'a>> {
        match self {
            Content::Absent => None,
            Content::Text(text) => Some(text),
            Content::Parts(parts) => join(parts.into_iter().filter(Part::is_text).filter_map(|p| p.text)),
        }
    }
}

/// Joins texts by line breaks, without a copy when there is only one.
fn join<'a>(mut texts: impl Iterator<Item = Payload<'a>>) -> Option<Text<'a>> {
    let first = texts.next()?.into_text();
    let Some(second) = texts.next() else { return Some(first) };
    let mut all = first.as_str().to_owned();
    for text in std::iter::once(second).chain(texts) {
        all.push('\n');
        all.push_str(text.as_str());
    }
    Some(all.into())
}

/// What a tool result says: a list of text blocks becomes their text, anything else stays as recorded.
pub(super) fn flatten(content: Payload<'_>) -> Payload<'_> {
    if !content.is_json() || !content.as_str().starts_with('[') {
        return content;
    }
    let text = serde_json::from_str::<Content<'_>>(content.as_str()).ok().and_then(|c| match c {
        Content::Parts(parts) if !parts.is_empty() && parts.iter().all(Part::is_text) => {
            Content::Parts(parts).text().map(Text::into_owned)
        }
        _ => None,
    });
    text.map_or(content, Payload::text)
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Content<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("message content: null, a string or a list of parts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Content::Absent)
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Text::borrowed(v)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(v.to_owned().into()))
            }
            fn visit_string<E: de::Error>(self, v: String) -> Result<Self::Value, E> {
                Ok(Content::Text(v.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        d.deserialize_any(V)
    }
}

/// Nanoseconds since the epoch of an ISO 8601 time; one without an offset is UTC. `None` when it is not a time.
pub(super) fn iso_ns(text: &str) -> Option<u64> {
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}

/// Decodes an element.
///
/// # Errors
/// A [`Problem`] that says what is wrong, in which key and at which byte of the element.
pub(super) fn parse<'a, T: Deserialize<'a>>(element: &'a [u8]) -> Result<T, Problem> {
    let text = text(element)?;
    json::read(text).map_err(|e| problem(&e, text, 0))
}

/// As [`parse`], with a place for texts that do not stand in the element as they are.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_in<'a, T: Deserialize<'a>>(element: &'a [u8], texts: &'a Texts) -> Result<T, Problem> {
    let text = text(element)?;
    json::read_in(text, texts).map_err(|e| problem(&e, text, 0))
}

/// An element as text: once over the whole is faster than string by string.
fn text(element: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(element).map_err(|e| {
        let kind = if e.error_len().is_none() { LeftOut::Truncated } else { LeftOut::Malformed };
        Problem::new(kind, format!("not UTF-8 (byte {} of the session)", e.valid_up_to()))
    })
}

/// Decodes a part of an element, which lies in its bytes.
///
/// # Errors
/// As [`parse`]; the byte is counted in the element, and the key in the part.
pub(super) fn parse_part<'a, T: Deserialize<'a>>(element: &[u8], part: &'a str) -> Result<T, Problem> {
    let before = (part.as_ptr() as usize).saturating_sub(element.as_ptr() as usize);
    json::read(part).map_err(|e| problem(&e, part, before))
}

/// What a decoding error says about an element, or about a part of one that has `before` bytes before it.
fn problem(error: &serde_json::Error, element: &str, before: usize) -> Problem {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = full.strip_suffix(&place).unwrap_or(&full);
    let kind = match message {
        "recursion limit exceeded" => LeftOut::TooDeep,
        _ if error.is_eof() => LeftOut::Truncated,
        _ => LeftOut::Malformed,
    };
    let line_start = match error.line() {
        0 => None,
        1 => Some(0),
        n => memchr::memchr_iter(b'\n', element.as_bytes()).nth(n - 2).map(|at| at + 1),
    };
    let Some(start) = line_start else { return Problem::new(kind, message) };
    let byte = start + error.column();
    let whose = match path_to(element, byte) {
        path if path.is_empty() => String::new(),
        path => format!("`{path}`: "),
    };
    Problem::new(kind, format!("{whose}{message} (byte {} of the session)", before + byte))
}

/// A message of somebody that the format does not know.
pub(super) fn unknown_role(role: &str) -> Problem {
    let role: String = role.chars().take(40).collect();
    Problem::new(LeftOut::Malformed, format!("a message of the unknown role `{role}`"))
}

/// The name for sessions that carry no id: the file's, and from the second element on its position as well.
pub(super) fn default_id(source: &str, index: u64) -> String {
    if index == 0 { source.to_owned() } else { format!("{source}#{}", index + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_an_offset_is_utc() {
        assert_eq!(iso_ns("1970-01-01T00:00:01.5"), Some(1_500_000_000));
        assert_eq!(iso_ns("1970-01-01T01:00:01+01:00"), Some(1_000_000_000));
        assert_eq!(iso_ns("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        assert_eq!(iso_ns("1969-12-31T00:00:00Z"), None);
        assert_eq!(iso_ns("yesterday"), None);
    }

    #[test]
    fn content_joins_text_parts_and_leaves_reasoning_out() {
        let content = r#"[{"type":"thinking","thinking":"hm","text":"hm"},{"type":"text","text":"a\n"},"b",{"type":"image_url","image_url":{"url":"x"}}]"#;
        let content: Content<'_> = serde_json::from_str(content).unwrap();
        assert_eq!(content.text().unwrap(), "a\n\nb");
        assert!(serde_json::from_str::<Content<'_>>("null").unwrap().text().is_none());
        assert!(serde_json::from_str::<Content<'_>>("7").is_err());
    }

    #[test]
    fn a_result_of_text_blocks_is_text_and_any_other_list_stays_json() {
        let text = flatten(Payload::raw_json(r#"[{"type":"text","text":"a"}]"#));
        assert_eq!((text.as_str(), text.is_json()), ("a", false));
        let list = flatten(Payload::raw_json("[1,2]"));
        assert_eq!((list.as_str(), list.is_json()), ("[1,2]", true));
        let none = flatten(Payload::raw_json("[]"));
        assert_eq!((none.as_str(), none.is_json()), ("[]", true));
    }

    #[test]
    fn an_element_that_cannot_be_decoded_says_why_and_where() {
        let refuse = |bytes: &[u8]| parse::<Vec<Vec<u8>>>(bytes).unwrap_err();
        assert_eq!(refuse(br#"[[1],"#).kind, LeftOut::Truncated);
        assert_eq!(refuse(b"[[1],\xc3").kind, LeftOut::Truncated);
        assert_eq!(refuse(b"[\xff]"), Problem::new(LeftOut::Malformed, "not UTF-8 (byte 1 of the session)"));
        let message = "`[0][0]`: invalid type: boolean `true`, expected u8 (byte 8 of the session)";
        assert_eq!(refuse(b"[\n [true]]"), Problem::new(LeftOut::Malformed, message));
        let deep = "[".repeat(200);
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().kind, LeftOut::TooDeep);
    }
}
