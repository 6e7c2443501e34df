//! Labels made elsewhere, as they come in: one line at a time, bounded, and everything wrong with it named.
//!
//! A line is one of three things, told apart by their keys: a label by itself (`item`, `reviewer`, `answer`), a line of
//! `review export` with its `labels`, or an output of Amazon A2I (`humanLoopName`, `humanAnswers`).

use serde::Deserialize;
use serde_json::Value;

use super::a2i;
use crate::ledger::line::millis;
use crate::ledger::{Act, Answer, ItemId, ItemKey, LONGEST_NAME, Millis, SkipReason, Token};
use crate::suite::nearest::nearest;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 4 << 20;
/// The longest comment, in bytes.
pub const LONGEST_COMMENT: usize = 20_000;
/// The longest id of a label, in bytes.
const LONGEST_ID: usize = 200;
/// The most labels of one line.
const MOST_LABELS: usize = 10_000;

/// A label to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The line that it is from, from 1.
    pub line: u64,
    /// The item.
    pub item: ItemId,
    /// Its own name: to take it in twice takes it in once.
    pub id: String,
    /// Whether the line gives that name; else it follows from what the label says.
    pub named: bool,
    /// Who says it.
    pub reviewer: String,
    /// What it does.
    pub act: Act,
    /// What else was said.
    pub comment: String,
    /// When it was said; `None` where the line does not say.
    pub at: Option<Millis>,
    /// How long it took, in seconds.
    pub seconds: Option<u32>,
    /// Whether what the check says was seen before; `None` where the line does not say.
    pub shown_proposal: Option<bool>,
}

/// A label as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Written {
    pub id: Option<String>,
    pub reviewer: Option<String>,
    pub act: Option<String>,
    pub answer: Option<String>,
    pub skip_reason: Option<String>,
    pub undoes: Option<String>,
    pub comment: Option<String>,
    pub at: Option<String>,
    pub seconds: Option<f64>,
    pub shown_proposal: Option<bool>,
}

/// The labels of a line; `Err` is everything wrong with it. An empty line holds none, and so does an item that nobody has
/// labelled.
pub fn read(line: u64, text: &[u8]) -> Result<Vec<Incoming>, Vec<String>> {
    if text.len() > LONGEST_LINE {
        return Err(vec![format!("the line has more than {LONGEST_LINE} bytes")]);
    }
    if text.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let value: Value = serde_json::from_slice(text).map_err(|why| vec![format!("this is no JSON: {why}")])?;
    let Some(object) = value.as_object() else { return Err(vec!["this is no JSON object".to_owned()]) };
    let (item, written) = if object.contains_key("humanLoopName") {
        a2i::labels(&value).map_err(|why| vec![why])?
    } else {
        let item = item(&value).map_err(|why| vec![why])?;
        let labels = match object.get("labels") {
            Some(labels) => Vec::<Written>::deserialize(labels),
            None => Written::deserialize(&value).map(|one| vec![one]),
        };
        (item, labels.map_err(|why| vec![format!("this is no label: {why}")])?)
    };
    if written.len() > MOST_LABELS {
        return Err(vec![format!("the line has more than {MOST_LABELS} labels")]);
    }
    let (mut labels, mut problems) = (Vec::new(), Vec::new());
    for one in written {
        labels.extend(checked(line, &item, one, &mut problems));
    }
    if problems.is_empty() { Ok(labels) } else { Err(problems) }
}

/// The item of a line: by its name, or by what its name follows from.
fn item(value: &Value) -> Result<ItemId, String> {
    match value.get("item") {
        Some(Value::String(id)) if is_item(id) => Ok(ItemId(id.clone())),
        Some(other) => Err(format!("`item` is the name of an item, 26 letters and digits, not {}", short(other))),
        None => match ItemKey::deserialize(value) {
            Ok(key) => Ok(key.id()),
            Err(_) => {
                Err("the line names no item: it needs `item`, or `suite`, `check`, `check_digest`, `session` and \
                           `subject`"
                    .to_owned())
            }
        },
    }
}

/// Whether this is how items are called.
pub fn is_item(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A label, if it is sound.
fn checked(line: u64, item: &ItemId, one: Written, problems: &mut Vec<String>) -> Option<Incoming> {
    let before = problems.len();
    let reviewer = one.reviewer.as_deref().unwrap_or_default().trim().to_owned();
    if reviewer.is_empty() {
        problems.push("the label needs `reviewer`, the name of who gave it".to_owned());
    } else if reviewer.chars().count() > LONGEST_NAME || reviewer.contains(char::is_control) {
        problems.push(format!("`reviewer` is a name of at most {LONGEST_NAME} characters on one line"));
    }
    let comment = one.comment.clone().unwrap_or_default();
    if comment.len() > LONGEST_COMMENT {
        problems.push(format!("`comment` has more than {LONGEST_COMMENT} bytes"));
    }
    let at = one.at.as_deref().map(|text| {
        let at = millis(text);
        if at.is_none() {
            problems.push(format!("`at` is a time such as 2026-11-27T05:40:00Z, not {}", short(&text.into())));
        }
        at
    });
    let seconds = one.seconds.map(|seconds| {
        // Fractions of a second are of no interest.
        let whole = (0.0..=f64::from(u32::MAX)).contains(&seconds).then_some(seconds.round() as u32);
        if whole.is_none() {
            problems.push("`seconds` is a number of seconds".to_owned());
        }
        whole
    });
    if one.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > LONGEST_ID || id.contains(char::is_control)) {
        problems.push(format!("`id` is a text of at most {LONGEST_ID} bytes on one line"));
    }
    let act = act(&one, problems);
    let act = act.filter(|_| problems.len() == before)?;
    let at = at.flatten();
    let named = one.id.is_some();
    let id = one.id.unwrap_or_else(|| made_up(item, &reviewer, &act, one.at.as_deref(), &comment));
    let shown_proposal = one.shown_proposal;
    let (seconds, item) = (seconds.flatten(), item.clone());
    Some(Incoming { line, item, id, named, reviewer, act, comment, at, seconds, shown_proposal })
}

fn act(one: &Written, problems: &mut Vec<String>) -> Option<Act> {
    let act = one.act.as_deref().unwrap_or("label");
    if act == "undo" {
        if one.undoes.is_none() {
            problems.push("an undo needs `undoes`, the id of the label that it takes back".to_owned());
        }
        return one.undoes.clone().map(|label| Act::Undo { label });
    }
    if !matches!(act, "label" | "adjudicate" | "overrule") {
        problems.push(format!("`act` is label, adjudicate, overrule or undo, not {}", short(&act.into())));
        return None;
    }
    let reason = match one.skip_reason.as_deref() {
        None => None,
        Some(name) => match SkipReason::named(name) {
            Some(reason) => Some(reason),
            None => {
                problems.push(unknown("skip_reason", name, &SkipReason::ALL.map(SkipReason::name)));
                return None;
            }
        },
    };
    let answer = match one.answer.as_deref() {
        None => Err("the label needs `answer`: pass, fail or skip".to_owned()),
        Some("skip") if reason.is_none() => {
            let names = SkipReason::ALL.map(SkipReason::name).join(", ");
            Err(format!("a skip needs `skip_reason`: {names}"))
        }
        Some(name @ ("pass" | "fail")) if reason.is_some() => Err(format!("`skip_reason` does not go with {name}")),
        Some(name) => Answer::named(name, reason).ok_or_else(|| unknown("answer", name, &["pass", "fail", "skip"])),
    };
    match answer {
        Ok(answer) => Act::named(act, Some(answer), None),
        Err(why) => {
            problems.push(why);
            None
        }
    }
}

/// A name that follows from what a label says, for one that has none: the same line makes the same name, and one that says
/// anything else another.
fn made_up(item: &ItemId, reviewer: &str, act: &Act, at: Option<&str>, comment: &str) -> String {
    let mut hash = blake3::Hasher::new_derive_key("seatrial imported label 1");
    for part in [item.as_str(), reviewer, &format!("{act:?}"), at.unwrap_or_default(), comment] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    Token::random(*hash.finalize().as_bytes()).into()
}

fn unknown(key: &str, name: &str, names: &[&str]) -> String {
    let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("`{key}` is {}, not {}{near}", names.join(", "), short(&name.into()))
}

/// A value in a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "sbgvszv7zwzsdyobthwf2rcnem";

    fn one(text: &str) -> Incoming {
        let mut all = read(1, text.as_bytes()).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn a_label_by_itself_needs_an_item_a_reviewer_and_an_answer() {
        let label = one(&format!(r#"{{"item":"{ITEM}","reviewer":" ann ","answer":"fail","seconds":40.543}}"#));
        assert_eq!((label.reviewer.as_str(), label.act, label.seconds), ("ann", Act::Label(Answer::Fail), Some(41)));
        let skip = one(&format!(r#"{{"item":"{ITEM}","reviewer":"a","answer":"skip","skip_reason":"ambiguous"}}"#));
        assert_eq!(skip.act, Act::Label(Answer::Skip { reason: SkipReason::Ambiguous }));
        assert_eq!(read(1, b" \n").unwrap(), []);
    }

    #[test]
    fn whether_a_label_is_blind_is_as_the_line_says_and_else_not_known() {
        let shown =
            |rest: &str| one(&format!(r#"{{"item":"{ITEM}","reviewer":"a","answer":"pass"{rest}}}"#)).shown_proposal;
        assert_eq!(shown(""), None);
        assert_eq!(shown(r#","shown_proposal":null"#), None);
        assert_eq!(shown(r#","shown_proposal":false"#), Some(false));
        assert_eq!(shown(r#","shown_proposal":true"#), Some(true));
    }

    #[test]
    fn a_label_without_an_id_gets_one_that_follows_from_what_it_says() {
        let text = |answer: &str| format!(r#"{{"item":"{ITEM}","reviewer":"ann","answer":"{answer}"}}"#);
        assert_eq!(one(&text("pass")).id, one(&text("pass")).id);
        assert_ne!(one(&text("pass")).id, one(&text("fail")).id);
        let with = format!(r#"{{"item":"{ITEM}","reviewer":"ann","answer":"pass","comment":"x"}}"#);
        assert_ne!(one(&text("pass")).id, one(&with).id, "what is said besides would be lost");
        let named = one(&with.replace("{\"item", "{\"id\":\"l1\",\"item"));
        assert_eq!((named.id.as_str(), named.named, one(&with).named), ("l1", true, false));
    }

    #[test]
    fn an_item_may_be_named_by_its_key() {
        use crate::ledger::testing::key;
        let mut value = serde_json::to_value(key(1)).unwrap();
        value["reviewer"] = "ann".into();
        value["answer"] = "pass".into();
        assert_eq!(one(&value.to_string()).item, key(1).id());
    }

    #[test]
    fn what_was_exported_comes_in_with_all_its_rows() {
        let rows = r#"[{"id":"l1","reviewer":"ann","act":"label","answer":"pass","at":"2026-11-27T05:40:00Z"},
            {"id":"l2","reviewer":"ann","act":"undo","undoes":"l1","at":"2026-11-27T05:41:00Z"},
            {"id":"l3","reviewer":"cat","act":"adjudicate","answer":"fail","at":"2026-11-27T05:42:00Z"}]"#;
        let all = read(7, format!(r#"{{"item":"{ITEM}","labels":{rows}}}"#).as_bytes()).unwrap();
        let acts: Vec<&Act> = all.iter().map(|l| &l.act).collect();
        let undo = Act::Undo { label: "l1".into() };
        assert_eq!(acts, [&Act::Label(Answer::Pass), &undo, &Act::Adjudicate(Answer::Fail)]);
        assert!(all.iter().all(|l| l.line == 7 && l.at.is_some()));
    }

    #[test]
    fn everything_wrong_with_a_line_is_said_at_once() {
        let text = format!(r#"{{"item":"{ITEM}","reviewer":"","answer":"psas","at":"soon","seconds":-1,"id":""}}"#);
        let problems = read(1, text.as_bytes()).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems.iter().any(|p| p.contains("did you mean `pass`?")), "{problems:#?}");
    }

    #[test]
    fn what_is_no_label_is_refused_and_says_what_is_missing() {
        let label = |rest: &str| format!(r#"{{"item":"{ITEM}","reviewer":"a",{rest}}}"#);
        for (text, part) in [
            ("[1]".to_owned(), "no JSON object"),
            ("{".to_owned(), "no JSON"),
            (r#"{"reviewer":"a","answer":"pass"}"#.to_owned(), "names no item"),
            (r#"{"item":"nope","answer":"pass"}"#.to_owned(), "26 letters"),
            (label(r#""x":1"#), "needs `answer`"),
            (label(r#""answer":"skip""#), "needs `skip_reason`"),
            (label(r#""answer":"pass","skip_reason":"ambiguous""#), "does not go with pass"),
            (label(r#""answer":"skip","skip_reason":"tired""#), "`skip_reason` is"),
            (label(r#""act":"undo""#), "needs `undoes`"),
            (label(r#""act":"shout","answer":"pass""#), "`act` is"),
            (label(r#""answer":1"#), "no label"),
        ] {
            let problems = read(1, text.as_bytes()).unwrap_err();
            assert!(problems.iter().any(|p| p.contains(part)), "{text}: {problems:?}");
        }
        let long = label(&format!(r#""answer":"pass","comment":"{}""#, "x".repeat(LONGEST_COMMENT + 1)));
        assert!(read(1, long.as_bytes()).is_err());
        assert!(read(1, &vec![b' '; LONGEST_LINE + 1]).is_err());
    }
}
