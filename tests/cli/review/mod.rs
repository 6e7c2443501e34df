//! `seatrial review`: what people in a terminal and scripts see of the queue.

mod desk;
mod exchange;
mod hooks;
mod minute;
mod secrets;
mod words;

use std::path::Path;

use seatrial::ledger::{Asked, Content, ItemId, ItemKey, NewItem, Routed, Why};
use seatrial::model::digest::Digest;
use seatrial::model::{Evidence, Field, Level, Severity, Status, SubjectRef};
use seatrial::redact::Redacted;
use seatrial::store::db::{Store, StoreUrl};

use crate::project::{Project, Said};

/// A verdict that waits: of the session `s1`, `s2` and so on.
pub fn waiting(n: u32) -> NewItem {
    let session = serde_json::json!({
        "id": format!("s{n}"), "case": format!("case-{n}"),
        "turns": [
            { "user": "Where is order 17?", "reply": "It was shipped on Monday.",
              "spans": [{ "kind": "tool", "name": "find_order", "input": { "id": 17 }, "output": { "status": "shipped" } }] },
            { "user": "And my money?", "reply": "I have refunded \u{1b}[2Jeverything." },
        ],
    });
    let key = ItemKey {
        suite: "support".into(),
        check: "goal".into(),
        check_digest: Digest::of(b"check"),
        session: Digest::of(&n.to_le_bytes()),
        subject: SubjectRef::Session,
        case_digest: None,
    };
    NewItem {
        asked: Asked {
            key,
            run: "run-1".into(),
            session_id: format!("s{n}"),
            case: format!("case-{n}"),
            trial: None,
            level: Level::Session,
            severity: Severity::Block,
            tags: vec!["refund".into()],
            routed: Routed { why: vec![Why::Below { threshold: 0.8 }], inclusion: 1.0, holds: true, case_digest: None },
            proposal: Status::Pass,
            score: Some(0.75),
            confidence: 0.5,
            reason: "two of three votes say so".into(),
            evidence: vec![Evidence::turn(1, Field::Reply).within(7..15)],
            judge: Some("careful".into()),
            judge_version: Some("v1".into()),
            rubric: Some("No refund without a receipt.".into()),
            question: "Was the goal reached?".into(),
            against: None,
            reviewers: 1,
            due: None,
            expires: false,
            priority: 1.0 / f64::from(n),
            redact: None,
        },
        content: Some(Content::pack(session.to_string().as_bytes()).expect("packed")),
        baseline: None,
    }
}

/// A project whose queue holds some items, the first the most urgent; their names.
pub fn queue(items: Vec<NewItem>) -> (Project, Vec<ItemId>) {
    let project = Project::new();
    let ids = items.iter().map(|item| item.asked.key.id()).collect();
    fill(&project.path(".seatrial/seatrial.db"), items);
    (project, ids)
}

/// Puts items into a queue, as they were sent two minutes ago.
pub fn fill(file: &Path, items: Vec<NewItem>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let store = Store::open(&StoreUrl::File(file.to_owned())).await.expect("a store").posting();
        let then = jiff::Timestamp::now().as_millisecond() - 120_000;
        store.enqueue(&Redacted::drawn(items), then).await.expect("sent");
        store.close().await;
    });
}

/// Runs a subcommand of `review` as somebody.
pub fn review(project: &Project, who: &str, args: &[&str]) -> Said {
    let mut command = project.command(&["review"]);
    command.args(args).env("SEATRIAL_REVIEWER", who);
    Said::of(command)
}
