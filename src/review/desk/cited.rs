//! What a check cited of a session: the text around it, with the very words marked.

use crate::model::{Evidence, Field, Session, SubjectRef};

/// Bytes that are shown on either side of what was cited.
const AROUND: usize = 240;
/// The longest citation that is shown, in bytes.
const LONGEST: usize = 1200;

/// One citation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    /// Where it stands, in words.
    pub place: String,
    /// The text before it, the cited words, and the text after it; an ellipsis where more was left out. `None` where what
    /// was cited is no text, or none that is there.
    pub text: Option<[String; 3]>,
}

/// Everything that was cited, each place once.
pub fn cited(evidence: &[Evidence], session: &Session<'_>) -> Vec<Cited> {
    let mut found: Vec<Cited> = Vec::new();
    for one in evidence {
        let cited = Cited { place: place(one, session), text: text(one, session) };
        if !found.contains(&cited) {
            found.push(cited);
        }
    }
    found
}

/// The turns that an item is about, from its subject and what was cited: the first and the last of them. `None` where that
/// is the whole session, or no turn of it.
pub fn turns(subject: SubjectRef, evidence: &[Evidence], session: &Session<'_>) -> Option<(usize, usize)> {
    let about = match subject {
        SubjectRef::Turn(at) => Some(at as usize),
        SubjectRef::Span(at) => turn_of(at as usize, session),
        SubjectRef::Session => None,
    };
    let of = |e: &Evidence| match (e.turn, e.span) {
        (Some(turn), _) => Some(turn as usize),
        (None, Some(span)) => turn_of(span as usize, session),
        (None, None) => None,
    };
    let all: Vec<usize> = about.into_iter().chain(evidence.iter().filter_map(of)).collect();
    let (first, last) = (*all.iter().min()?, *all.iter().max()?);
    (last < session.turns.len()).then_some((first, last))
}

/// The turn that a span belongs to.
fn turn_of(span: usize, session: &Session<'_>) -> Option<usize> {
    (0..session.turns.len()).find(|turn| {
        let first = session.first_span_of_turn(*turn);
        (first..first + session.turns[*turn].spans.len()).contains(&span)
    })
}

/// Where a piece of evidence stands, in words.
fn place(evidence: &Evidence, session: &Session<'_>) -> String {
    let part = match evidence.field {
        Field::Input => "arguments",
        Field::Output => "result",
        Field::Whole => "",
        Field::User => "user's message",
        Field::Reply => "reply",
        Field::State => "final state",
        Field::Attributes => "attributes",
    };
    let whole = match (evidence.span, evidence.turn) {
        (Some(at), _) => {
            let span = session.spans().nth(at as usize);
            let name =
                span.map_or_else(|| format!("operation {}", at + 1), |s| format!("{} {}", s.kind.name(), s.name));
            match turn_of(at as usize, session) {
                Some(turn) => format!("{name}, turn {}", turn + 1),
                None => name,
            }
        }
        (None, Some(turn)) => format!("turn {}", turn + 1),
        (None, None) => "the session".to_owned(),
    };
    let place = if part.is_empty() { whole } else { format!("{part} of {whole}") };
    match &evidence.pointer {
        Some(pointer) if !pointer.is_empty() => format!("{place}, at {pointer}"),
        _ => place,
    }
}

fn text(evidence: &Evidence, session: &Session<'_>) -> Option<[String; 3]> {
    let text = evidence.text_in(session)?;
    let (from, to) = evidence.range.map_or((0, text.len()), |(from, to)| (from as usize, to as usize));
    // What points nowhere is not shown as if it pointed somewhere.
    let within = text.get(from..to)?;
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let (before, after) = (floor(from.saturating_sub(AROUND)), floor(to + AROUND));
    let dots = |cut: bool| if cut { "..." } else { "" };
    let shown = &within[..(0..=within.len().min(LONGEST)).rev().find(|i| within.is_char_boundary(*i)).unwrap_or(0)];
    let long = shown.len() < within.len();
    let rest = if long { "" } else { &text[to..after] };
    Some([
        format!("{}{}", dots(before > 0), &text[before..from]),
        format!("{shown}{}", dots(long)),
        format!("{rest}{}", dots(!long && after < text.len())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = r#"{"id":"s","turns":[{"user":"hi","reply":"hello"},
        {"user":"and?","reply":"It was shipped on Monday.","spans":[{"kind":"tool","name":"find","input":{"id":17}}]}]}"#;

    fn session() -> Session<'static> {
        serde_json::from_str(SESSION).unwrap()
    }

    #[test]
    fn the_words_are_marked_within_their_text() {
        let evidence = [Evidence::turn(1, Field::Reply).within(7..14), Evidence::turn(1, Field::Reply).within(7..14)];
        let found = cited(&evidence, &session());
        let text = ["It was ", "shipped", " on Monday."].map(str::to_owned);
        assert_eq!(found, [Cited { place: "reply of turn 2".into(), text: Some(text) }]);
    }

    #[test]
    fn an_operation_is_named_with_its_turn() {
        let found = cited(&[Evidence::span(0, Field::Input).at("/id")], &session());
        assert_eq!(found[0].place, "arguments of tool find, turn 2, at /id");
        assert_eq!(found[0].text.as_ref().unwrap()[1], r#"{"id":17}"#);
    }

    #[test]
    fn what_points_nowhere_shows_nothing() {
        for evidence in [
            Evidence::turn(1, Field::Reply).within(20..400),
            Evidence::turn(9, Field::Reply),
            Evidence::span(9, Field::Input),
            Evidence::session(Field::State),
        ] {
            assert_eq!(cited(std::slice::from_ref(&evidence), &session())[0].text, None, "{evidence:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_around_what_was_cited_and_within_no_character() {
        let reply = format!("{}needle{}", "ä".repeat(400), "ö".repeat(400));
        let line = serde_json::json!({ "id": "s", "turns": [{ "reply": reply }] }).to_string();
        let session: Session<'_> = serde_json::from_str(&line).unwrap();
        let one = Evidence::turn(0, Field::Reply).within(800..806);
        let [before, words, after] = cited(&[one], &session)[0].text.clone().unwrap();
        assert_eq!(words, "needle");
        assert!(before.starts_with("...ä") && before.len() < 300 && after.ends_with("ö..."), "{before} {after}");
    }

    #[test]
    fn an_item_is_about_the_turns_of_its_subject_and_of_what_was_cited() {
        let s = session();
        assert_eq!(turns(SubjectRef::Span(0), &[], &s), Some((1, 1)));
        assert_eq!(turns(SubjectRef::Turn(1), &[Evidence::turn(0, Field::User)], &s), Some((0, 1)));
        assert_eq!(turns(SubjectRef::Session, &[Evidence::turn(0, Field::User)], &s), Some((0, 0)));
        assert_eq!(turns(SubjectRef::Session, &[], &s), None);
        assert_eq!(turns(SubjectRef::Turn(7), &[], &s), None);
    }
}
