//! Content that AWS's exporter takes off a span and writes into a log record beside it: `{input: {messages}, output:
//! {messages}}`, each `{role, content}`. What is on the span comes first.

use super::flat::Flat;
use super::{At, Message, Role, is_withheld, message};
use crate::formats::telemetry::{Value, find};

/// One side of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What went in.
    Input,
    /// What came out.
    Output,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Input => Role::User,
            Self::Output => Role::Assistant,
        }
    }
}

/// Role and content of what was taken off the span.
fn contents<'s, 'a>(at: &At<'s, 'a>, side: Side) -> impl Iterator<Item = (Role, &'s Value<'a>)> {
    let lists = at.logs.iter().filter_map(move |log| {
        let Some(Value::Map(body)) = &log.body else { return None };
        let Some(Value::Map(half)) = find(body, side.name()) else { return None };
        let Some(Value::Array(list)) = find(half, "messages") else { return None };
        Some(list)
    });
    lists.flatten().filter_map(move |item| {
        let Value::Map(item) = item else { return None };
        let role = find(item, "role").and_then(Value::as_str).map_or(side.role(), Role::named);
        Some((role, find(item, "content")?))
    })
}

/// The value that was taken off a span that had one on this side: a tool's, a chain's.
pub(super) fn value<'s, 'a>(at: &At<'s, 'a>, side: Side) -> Option<&'s Value<'a>> {
    contents(at, side).last().map(|(_, content)| content)
}

/// Messages with the words that were taken off them; `flat` is what the span still says of them. With `dumps`, the
/// dialect also records the whole input and output as JSON, which is then among the words and is no message.
pub(super) fn words<'a>(at: &At<'_, 'a>, side: Side, flat: Option<Flat<'a>>, dumps: bool) -> Option<Flat<'a>> {
    let speaks = |m: &Message<'_>| m.text.is_some() || m.results.iter().any(|r| r.content.is_some());
    if at.logs.is_empty() || flat.as_ref().is_some_and(|f| f.withheld || f.messages.iter().any(speaks)) {
        return flat;
    }
    let mut all = flat.unwrap_or_default();
    for (role, content) in contents(at, side) {
        let Some(text) = content.text() else {
            all.messages.extend(message::content(content, role));
            continue;
        };
        all.withheld |= is_withheld(&text);
        let is_dump = dumps && role != Role::Tool && ["{", "[{", "[["].iter().any(|open| text.starts_with(open));
        if !is_dump {
            all.messages.extend(message::said(text, role));
        }
    }
    (!all.messages.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{log, map, text};
    use crate::formats::telemetry::{Origin, SpanRecord};
    use crate::model::Text;

    fn side(messages: &[(&'static str, &'static str)]) -> Value<'static> {
        let one =
            |(role, content): &(&'static str, &'static str)| map(&[("role", text(role)), ("content", text(content))]);
        map(&[("messages", Value::Array(messages.iter().map(one).collect()))])
    }

    fn with<T>(body: Value<'static>, f: impl Fn(&At<'_, 'static>) -> T) -> T {
        let (span, origin, logs) = (SpanRecord::default(), Origin::default(), [log("x", Some(body), &[])]);
        f(&At { span: &span, origin: &origin, logs: &logs })
    }

    fn texts(flat: Option<Flat<'_>>) -> Vec<Option<String>> {
        flat.unwrap_or_default().messages.into_iter().map(|m| m.text.map(|t| t.to_string())).collect()
    }

    #[test]
    fn words_come_back_to_a_span_that_kept_only_its_calls() {
        let body = map(&[
            ("input", side(&[("system", "Be brief."), ("user", "Hi"), ("user", r#"{"messages": []}"#)])),
            ("output", side(&[("assistant", "Hello"), ("assistant", "__REDACTED__")])),
        ]);
        with(body, |at| {
            let asked = words(at, Side::Input, None, true);
            assert_eq!(texts(asked), [Some("Be brief.".to_owned()), Some("Hi".to_owned())]);
            let said = words(at, Side::Output, None, true).unwrap();
            assert!(said.withheld);
            assert_eq!(texts(Some(said)), [Some("Hello".to_owned())]);
            assert_eq!(value(at, Side::Input), Some(&text(r#"{"messages": []}"#)));
            let spoken =
                Message { role: Role::User, text: Some(Text::borrowed("x")), calls: Vec::new(), results: Vec::new() };
            let kept = Flat { messages: vec![spoken], withheld: false };
            assert_eq!(texts(words(at, Side::Input, Some(kept), true)), [Some("x".to_owned())]);
        });
    }

    #[test]
    fn bodies_of_another_shape_say_nothing() {
        for body in [text("plain"), map(&[("input", text("x"))]), map(&[("output", map(&[("messages", text("x"))]))])] {
            with(body, |at| {
                assert!(words(at, Side::Output, None, false).is_none());
                assert!(value(at, Side::Input).is_none());
            });
        }
    }
}
