//! A session counts once, whatever is sent again and whoever was killed in between.

use crate::redact::Redacted;
use crate::store::db::testing::on_both;
use crate::store::db::{Entered, Place, Watched};

fn row(session: &str, digest: &str, at: i64) -> Watched {
    Watched {
        suite: "s".to_owned(),
        session: session.to_owned(),
        replaces: Vec::new(),
        at,
        digest: digest.to_owned(),
        reason: None,
        inclusion: 1.0,
        body: "{}".to_owned(),
    }
}

fn new(version: u32, superseded: &[i64]) -> Entered {
    Entered::New { version, superseded: superseded.to_vec() }
}

on_both! {
    async fn a_session_counts_once_and_a_later_version_supersedes_it(on) {
        let enter = async |rows: Vec<Watched>| on.store.enter_watched(&Redacted::drawn(rows), &[], 7).await.unwrap();
        assert_eq!(enter(vec![row("a", "1", 10), row("b", "1", 20)]).await, [new(1, &[]), new(1, &[])]);
        assert_eq!(enter(vec![row("a", "1", 10)]).await, [Entered::Same], "sent again it is the same");
        assert_eq!(enter(vec![row("a", "2", 30)]).await, [new(2, &[10])]);
        assert_eq!(enter(vec![row("a", "2", 30), row("a", "3", 31)]).await, [Entered::Same, new(3, &[30])]);
        let all = on.store.watched_between("s", (0, 100), (i64::MIN, 0), 10).await.unwrap();
        let told: Vec<_> = all.iter().map(|r| (r.watched.session.as_str(), r.version, r.watched.at)).collect();
        assert_eq!(told, [("b", 1, 20), ("a", 3, 31)]);
        assert_eq!(on.store.watched_behind(0, 10).await.unwrap().len(), 4, "every version is kept");
    }

    async fn a_session_that_gets_a_name_supersedes_what_was_known_of_its_trace(on) {
        let enter = async |rows: Vec<Watched>| on.store.enter_watched(&Redacted::drawn(rows), &[], 7).await.unwrap();
        enter(vec![row("trace", "1", 10)]).await;
        let named = Watched { replaces: vec!["trace".to_owned()], ..row("session", "2", 12) };
        assert_eq!(enter(vec![named]).await, [new(1, &[10])]);
        let all = on.store.watched_between("s", (0, 100), (i64::MIN, 0), 10).await.unwrap();
        assert_eq!(all.iter().map(|r| r.watched.session.as_str()).collect::<Vec<_>>(), ["session"]);
    }

    async fn rows_come_portion_by_portion_and_old_ones_go(on) {
        let rows = (0..25).map(|n| row(&format!("s{n}"), "1", n / 5)).collect();
        on.store.enter_watched(&Redacted::drawn(rows), &[], 7).await.unwrap();
        let (mut after, mut seen) = ((i64::MIN, 0), 0);
        loop {
            let some = on.store.watched_between("s", (1, 4), after, 4).await.unwrap();
            let Some(last) = some.last() else { break };
            after = (last.watched.at, last.n);
            seen += some.len();
        }
        assert_eq!(seen, 15);
        assert_eq!(on.store.forget_watched(7, 20).await.unwrap(), 5, "beyond the number that is kept");
        assert_eq!(on.store.forget_watched(8, 20).await.unwrap(), 20, "older than is kept");
    }

    async fn how_far_a_file_was_read_is_known_again(on) {
        let place = |place| Place { source: "folder".to_owned(), file: "f".to_owned(), place };
        for at in [5, 9] {
            on.store.enter_watched(&Redacted::drawn(Vec::new()), &[place(at)], 1).await.unwrap();
        }
        assert_eq!(on.store.places("folder").await.unwrap(), [place(9)]);
        assert!(on.store.places("other").await.unwrap().is_empty());
    }
}
