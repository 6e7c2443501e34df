//! Everything from one database to the other and back.

use crate::ledger::{Answer, Content};
use crate::redact::Redacted;
use crate::store::db::testing::{Testing, id, items, on_both, postgres, said, sqlite};
use crate::store::db::{ItemFilter, Role, Store, Untaken};

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
    };
    store.seen(&seen).await.unwrap();
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
            let rows = other.store.take_in(&mut lines.as_bytes()).await.unwrap().unwrap();
            assert_eq!(rows as usize, lines.lines().count() - 2);
            assert_eq!(exported(&other.store).await, lines);
            assert_eq!(other.store.whole_run("r").await.unwrap(), on.store.whole_run("r").await.unwrap());
            assert_eq!(other.store.item(&id(1), 9).await.unwrap(), on.store.item(&id(1), 9).await.unwrap());
            assert_eq!(other.store.labels(&[id(1)]).await.unwrap(), on.store.labels(&[id(1)]).await.unwrap());
            // And it goes on from there.
            other.store.add_run(&Redacted::drawn(super::super::runs::run("next", 1)), 9).await.unwrap();
            let full = other.store.take_in(&mut lines.as_bytes()).await.unwrap();
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
            ("{}\n".to_owned(), "not an export of a store"),
            (String::new(), "it ends before its last line"),
        ];
        for (text, expected) in cases {
            let error = on.store.take_in(&mut text.as_bytes()).await.unwrap().expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}, not {expected}");
            assert_eq!(on.store.counts(&ItemFilter::default(), 9).await.unwrap().total(), 0);
        }
    }
}
