//! What a message says: what happened to which item, and why it is there. What the check says of an item that is not
//! decided is never in it, because reviewers may read it; nor is anything of the session.

use serde_json::{Value, json};

use crate::ledger::line::rfc3339;
use crate::ledger::{Act, Event, Item, Label};

/// What is put before the name of an event in the outbox.
const IN_OUTBOX: &str = "item.";

/// The event of a name in the outbox; `None` where it is something else.
pub fn event(name: &str) -> Option<Event> {
    name.strip_prefix(IN_OUTBOX).and_then(Event::named)
}

/// The name of an event in the outbox.
pub fn in_outbox(event: Event) -> String {
    format!("{IN_OUTBOX}{}", event.name())
}

/// The id of a message: letters, digits and `_` alone, because a full stop ends it where it is signed.
pub fn id(post: &str) -> String {
    let sound = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("review_{}", post.chars().map(sound).collect::<String>())
}

/// The message of an event at `at`, in milliseconds. `data` is what the outbox holds of it.
pub fn body(event: Event, at: i64, mut data: Value, more: Option<(&Item, &[Label])>) -> Value {
    if let Some(data) = data.as_object_mut() {
        if event != Event::Resolved {
            data.remove("proposal");
            // How the judges voted says what the check says.
            let why = data.get_mut("why").and_then(Value::as_array_mut).into_iter().flatten();
            why.filter_map(Value::as_object_mut).for_each(|why| drop(why.remove("votes")));
        }
        if let Some(at) = data.get("decided").and_then(|decided| decided["at"].as_i64()) {
            data["decided"]["at"] = rfc3339(at).into();
        }
        if let Some(due) = data.get("due").and_then(Value::as_i64) {
            data.insert("due".to_owned(), rfc3339(due).into());
        }
        if let Some((item, labels)) = more {
            data.insert("question".to_owned(), item.question.clone().into());
            data.insert("rubric".to_owned(), json!(item.rubric));
            data.insert("comments".to_owned(), comments(event, labels));
        }
    }
    json!({ "type": format!("review.{}", event.name()), "timestamp": rfc3339(at), "data": data })
}

/// What people wrote; only of an item that is decided, for others still have to make up their minds.
fn comments(event: Event, labels: &[Label]) -> Value {
    let shown = labels.iter().filter(|l| event == Event::Resolved && !l.comment.is_empty());
    let comment = |l: &Label| {
        let answer = match &l.act {
            Act::Label(answer) | Act::Adjudicate(answer) | Act::Overrule(answer) => Some(answer.name()),
            Act::Undo { .. } => None,
        };
        json!({ "reviewer": l.reviewer, "answer": answer, "comment": l.comment, "at": rfc3339(l.at) })
    };
    shown.map(comment).collect()
}

/// What the outbox holds of an item that is overdue.
pub fn overdue(item: &Item) -> Value {
    json!({
        "item": item.id, "suite": item.key.suite, "check": item.key.check, "case": item.case, "trial": item.trial,
        "session": item.key.session, "run": item.run, "severity": item.severity, "tags": item.tags,
        "why": item.routed.why, "holds": item.routed.holds, "due": item.due,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_an_undecided_item_does_not_say_what_the_check_says() {
        let data = json!({ "item": "x", "proposal": "pass", "due": 1_700_000_000_000_i64 });
        let new = body(Event::New, 1_700_000_000_123, data.clone(), None);
        assert_eq!(new["type"], "review.new");
        assert_eq!(new["timestamp"], "2023-11-14T22:13:20.123Z");
        assert_eq!(new["data"], json!({ "item": "x", "due": "2023-11-14T22:13:20.000Z" }));
        let split = json!({ "why": [{ "why": "disagreement", "votes": "2 pass, 1 fail" }, { "why": "always" }] });
        let message = |event| body(event, 0, split.clone(), None)["data"]["why"].clone();
        assert_eq!(message(Event::New), json!([{ "why": "disagreement" }, { "why": "always" }]));
        assert_eq!(message(Event::Overdue), message(Event::New));
        assert_eq!(message(Event::Resolved), split["why"]);
        let mut decided = data;
        decided["decided"] = json!({ "decision": "fail", "at": 1_700_000_000_000_i64 });
        let resolved = body(Event::Resolved, 0, decided, None);
        assert_eq!(resolved["data"]["proposal"], "pass");
        assert_eq!(resolved["data"]["decided"]["at"], "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn an_id_holds_nothing_that_ends_it() {
        assert_eq!(id("resolved:ab.c"), "review_resolved_ab_c");
        assert_eq!(event("item.new"), Some(Event::New));
        assert_eq!((event("new"), event("send")), (None, None));
        assert_eq!(event(&in_outbox(Event::Overdue)), Some(Event::Overdue));
    }
}
