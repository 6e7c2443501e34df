//! Rows and items made up for tests.

use proptest::prelude::*;

use super::{Act, Answer, Asked, ItemId, ItemKey, Label, NewItem, Routed, SkipReason, Source, Why};
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status, SubjectRef};

/// The key of a made-up item.
pub fn key(n: u32) -> ItemKey {
    ItemKey {
        suite: "support".into(),
        check: "goal".into(),
        check_digest: Digest::of(b"check"),
        session: Digest::of(&n.to_le_bytes()),
        subject: SubjectRef::Session,
        case_digest: None,
    }
}

/// A made-up item for one reviewer.
pub fn item(n: u32) -> NewItem {
    NewItem {
        asked: Asked {
            key: key(n),
            run: "run-1".into(),
            session_id: format!("s{n}"),
            case: format!("case-{n}"),
            trial: None,
            level: Level::Session,
            severity: Severity::Block,
            tags: Vec::new(),
            routed: Routed { why: vec![Why::Below { threshold: 0.8 }], inclusion: 1.0, holds: true, case_digest: None },
            proposal: Status::Pass,
            score: Some(0.75),
            confidence: 0.5,
            reason: "two of three say so".into(),
            evidence: Vec::new(),
            judge: Some("judge".into()),
            judge_version: Some("v1".into()),
            rubric: None,
            question: "Was the goal reached?".into(),
            against: None,
            reviewers: 1,
            due: None,
            expires: false,
            priority: 0.5,
            redact: None,
        },
        content: None,
        baseline: None,
    }
}

fn act(n: i64, reviewer: &str, act: Act) -> Label {
    Label {
        id: format!("l{n}"),
        seq: n,
        item: ItemId("item".into()),
        reviewer: reviewer.into(),
        act,
        comment: String::new(),
        at: n,
        seconds: None,
        source: Source::Web,
        shown_proposal: Some(false),
    }
}

/// A reviewer's answer.
pub fn row(n: i64, reviewer: &str, answer: Answer) -> Label {
    act(n, reviewer, Act::Label(answer))
}

/// An adjudicator's.
pub fn adjudicate(n: i64, who: &str, answer: Answer) -> Label {
    act(n, who, Act::Adjudicate(answer))
}

/// That the row `undone` does not count.
pub fn undo(n: i64, who: &str, undone: i64) -> Label {
    act(n, who, Act::Undo { label: format!("l{undone}") })
}

/// Any answer.
pub fn answer() -> impl Strategy<Value = Answer> {
    let skip = Answer::Skip { reason: SkipReason::NotMyField };
    prop_oneof![Just(Answer::Pass), Just(Answer::Fail), Just(skip)]
}

/// Any rows of one item, by four people: labels, adjudications, and undos of earlier and of later rows.
pub fn rows() -> impl Strategy<Value = Vec<Label>> {
    let one = (0..8u8, 0..4u8, answer(), 1..8i64);
    proptest::collection::vec(one, 0..8).prop_map(|rows| {
        let make = |(n, (kind, who, answer, other)): (i64, (u8, u8, Answer, i64))| {
            let who = ["ann", "bob", "cat", "dan"][usize::from(who)];
            match kind {
                0 => adjudicate(n, who, answer),
                1 | 2 => undo(n, who, other),
                _ => row(n, who, answer),
            }
        };
        (1..).zip(rows).map(make).collect()
    })
}
