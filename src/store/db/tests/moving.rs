//! Everything from one database to the other and back.

use serde_json::{Map, Value, json};

use crate::ledger::{Answer, Content, DecidedBy};
use crate::model::digest::Digest;
use crate::redact::Redacted;
use crate::store::db::migrate::KNOWN;
use crate::store::db::testing::{Testing, id, items, on_both, postgres, said, sqlite};
use crate::store::db::{ItemFilter, LogRow, Role, Store, Unsound, Untaken};

/// Something in every table that is exported.
async fn fill(store: &Store) {
    let sent = items(3, |n, new| {
        new.asked.tags = vec!["pii".into()];
        new.content = Some(Content::pack(format!("{{\"n\":{n}}}\n").as_bytes()).unwrap());
        new.asked.score = (n == 1).then_some(0.1 + 0.2);
    });
    store.enqueue(&sent, 1).await.unwrap();
    let (_, lease) = store.claim_item(&id(1), "ann", 1, 100).await.unwrap().unwrap();
    store.submit(&lease, &said("z", Answer::Pass), 2).await.unwrap().unwrap();
    // Its name comes before that of what it undoes.
    store.undo("z", "ann", false, &said("a", Answer::Pass), 3).await.unwrap().unwrap();
    store.purge(2, false, false, 4).await.unwrap();
    store.add_run(&Redacted::drawn(super::runs::run("r", 7)), 5).await.unwrap();
    store.add_user("ann", "a-password-hash", Role::Admin, 6).await.unwrap().unwrap();
    let seen = crate::store::db::Seen {
        at: 7,
        who: "ann".into(),
        what: "read".into(),
        item: Some(id(1)),
        session: None,
        origin: "::1".into(),
        why: Some("it asked".into()),
    };
    store.seen(&seen).await.unwrap();
    let evidence = [(Digest::of(b"evidence"), "evidence")];
    assert!(store.add_promotions(&[super::promotions::row(1, "submitted")], &evidence).await.unwrap());
}

/// An export in which the first row of a table is another.
fn edited(lines: &str, table: &str, edit: impl Fn(&mut Map<String, Value>)) -> String {
    let mut is_done = false;
    let mut edit_line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if value["table"] == table && !std::mem::replace(&mut is_done, true) {
            edit(value["row"].as_object_mut().unwrap());
        }
        format!("{value}\n")
    };
    let text = lines.lines().map(&mut edit_line).collect();
    assert!(is_done, "there is no row of `{table}`");
    text
}

/// What an export is refused for.
async fn refused(into: &Store, text: &str, chain: fn(Vec<LogRow>) -> Option<String>) -> String {
    let error = into.take_in(&mut text.as_bytes(), chain).await.unwrap().unwrap_err();
    assert_eq!(into.counts(&ItemFilter::default(), 9).await.unwrap().total(), 0, "{error}");
    error.to_string()
}

async fn exported(store: &Store) -> String {
    let mut lines = Vec::new();
    store.export(&mut lines).await.unwrap().unwrap();
    String::from_utf8(lines).unwrap()
}

on_both! {
    async fn what_is_exported_is_the_same_wherever_it_was_taken_in(on) {
        fill(&on.store).await;
        let lines = exported(&on.store).await;
        assert!(!lines.contains("a-password-hash"));
        let others: Vec<Testing> = [Some(sqlite().await), postgres().await].into_iter().flatten().collect();
        for other in others {
            let rows = other.store.take_in(&mut lines.as_bytes(), |_| None).await.unwrap().unwrap();
            assert_eq!(rows as usize, lines.lines().count() - 2);
            assert_eq!(exported(&other.store).await, lines);
            assert_eq!(other.store.whole_run("r").await.unwrap(), on.store.whole_run("r").await.unwrap());
            assert_eq!(other.store.item(&id(1), 9).await.unwrap(), on.store.item(&id(1), 9).await.unwrap());
            assert_eq!(other.store.labels(&[id(1)]).await.unwrap(), on.store.labels(&[id(1)]).await.unwrap());
            // And it goes on from there.
            other.store.add_run(&Redacted::drawn(super::super::runs::run("next", 1)), 9).await.unwrap();
            let full = other.store.take_in(&mut lines.as_bytes(), |_| None).await.unwrap();
            assert!(matches!(full, Err(Untaken::NotEmpty)));
        }
    }

    async fn what_is_cut_or_changed_is_not_taken_in_at_all(on) {
        let from = sqlite().await;
        fill(&from.store).await;
        let lines = exported(&from.store).await;
        let all: Vec<&str> = lines.lines().collect();
        let cases = [
            (lines[..lines.len() - 5].to_owned(), "it ends within the line"),
            (all[..all.len() - 1].join("\n") + "\n", "it ends before its last line"),
            (lines.replacen(all[3], "", 1).replacen("\n\n", "\n", 1), "rows, and should be"),
            (lines.replacen("\"table\":\"items\"", "\"table\":\"users\"", 1), "there is no table `users`"),
            (lines.replacen("\"reviewers\":", "\"reviewer_s\":", 1), "has no column `reviewer_s`"),
            (lines.replacen("\"holds\":1", "\"holds\":\"1\"", 1), "`holds` of `items` is of another type"),
            (lines.replacen("\"form\":", "\"form\":9", 1), "written by a later seatrial"),
            (lines.replacen(&format!("\"form\":{KNOWN}"), "\"form\":3", 1), "written by an earlier seatrial (form 3)"),
            (format!("{lines}{}\n", all[1]), "it goes on after its last line"),
            ("{}\n".to_owned(), "not an export of a store"),
            (String::new(), "it ends before its last line"),
        ];
        for (text, expected) in cases {
            let error = on.store.take_in(&mut text.as_bytes(), |_| None).await.unwrap().expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}, not {expected}");
            assert_eq!(on.store.counts(&ItemFilter::default(), 9).await.unwrap().total(), 0);
        }
    }

    async fn a_decision_that_no_label_bears_out_is_not_taken_in(on) {
        let from = sqlite().await;
        fill(&from.store).await;
        let lines = exported(&from.store).await;
        let decided = json!(DecidedBy::Reviewers { who: vec!["maria".into()] }).to_string();
        let forged = edited(&lines, "items", |row| {
            for (key, value) in [("status", json!("resolved")), ("decision", json!("pass")), ("decided", json!(decided))] {
                row.insert(key.into(), value);
            }
            row.extend([("wanted".into(), json!(0)), ("resolved".into(), json!(5))]);
        });
        let why = refused(&on.store, &forged, |_| None).await;
        assert!(why.contains("it is resolved (0 wanted), and its labels make it pending (1 wanted)"), "{why}");
        assert!(why.contains("it says pass, and by its labels it is not decided"), "{why}");
        // Nobody's undo is lost on the way either: the answer that it took back would decide again.
        let kept = lines.lines().filter(|line| !line.contains("\"act\":\"undo\"")).collect::<Vec<_>>().join("\n") + "\n";
        let rows = lines.lines().count() - 2;
        let kept = kept.replace(&format!("{{\"rows\":{rows}}}"), &format!("{{\"rows\":{}}}", rows - 1));
        let why = refused(&on.store, &kept, |_| None).await;
        assert!(why.contains("by its labels it is pass"), "{why}");
    }

    async fn what_no_store_would_hold_is_not_taken_in(on) {
        let from = sqlite().await;
        fill(&from.store).await;
        let lines = exported(&from.store).await;
        let twice = |table: &str| {
            let at = lines.find(&format!("{{\"table\":\"{table}\"")).unwrap();
            let line = lines[at..].lines().next().unwrap();
            lines.replacen(line, &format!("{line}\n{line}"), 1)
        };
        for (table, key, value, part) in [
            ("items", "suite", json!("another"), "by what it is about it is called"),
            ("items", "inclusion", json!(0.0), "`inclusion` is a probability"),
            ("items", "confidence", json!(7.0), "`confidence` is from 0 to 1"),
            ("items", "severity", json!("mild"), "`severity` is `mild`"),
            ("items", "subject", json!("?"), "`subject`"),
            ("labels", "seq", json!(7), "is number 7 of the item, and 1 are before it"),
            ("labels", "act", json!("shout"), "`act` is `shout`"),
            ("labels", "reviewer", json!("a\nb"), "a name, a reviewer or a comment that no label has"),
            ("labels", "item", json!("none"), "the rows of `labels` up to here do not go together"),
            ("verdicts", "status", json!("passed"), "`status` is `passed`"),
            ("item_tags", "item", json!("none"), "1 rows of `item_tags` are of an item that is not there"),
            ("trail", "n", json!(i64::MAX - 1), "have a number that nothing can follow"),
            ("promotion_log", "signatures", json!("{"), "a row of `promotion_log`: `signatures`"),
            ("promotion_evidence", "content", json!("better"), "is not the digest of what is kept under it"),
        ] {
            let text = edited(&lines, table, |row| drop(row.insert(key.into(), value.clone())));
            let why = refused(&on.store, &text, |_| None).await;
            assert!(why.contains(part), "{table} {key}: {why}");
        }
        let why = refused(&on.store, &twice("items"), |_| None).await;
        assert!(why.contains("the rows of `items` up to here do not go together"), "{why}");
        let why = refused(&on.store, &lines, |rows| Some(format!("promotions: {} rows", rows.len()))).await;
        assert!(why.contains("promotions: 1 rows"), "{why}");
        // And as it was it is taken in; what adds up is no damage.
        on.store.take_in(&mut lines.as_bytes(), |_| None).await.unwrap().unwrap();
        assert_eq!(on.store.damage().await.unwrap(), Unsound::default());
    }
}
