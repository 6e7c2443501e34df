//! Opening what is there, what is not, and what cannot be.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::ledger::{Answer, ItemStatus};
use crate::store::db::migrate::KNOWN;
use crate::store::db::sql::Sql;
use crate::store::db::testing::{id, items, on_both, postgres, postgres as server, said, sqlite};
use crate::store::db::{ItemFilter, Page, Store, StoreError, StoreUrl, Trouble};

async fn refused(path: &Path) -> StoreError {
    Store::open_with(&StoreUrl::File(path.to_owned()), Duration::from_millis(50)).await.expect_err("it is refused")
}

async fn statement(path: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

on_both! {
    async fn what_was_written_is_there_for_the_next(on) {
        on.store.enqueue(&items(2, |_, _| ()), 0).await.unwrap();
        on.store.close().await;
        let again = Store::open(&on.at).await.unwrap();
        assert_eq!(again.counts(&ItemFilter::default(), 0).await.unwrap().total(), 2);
    }

    async fn many_may_open_a_new_one_at_once(on) {
        // Made anew, under the eyes of all.
        let fresh = match &on.at {
            StoreUrl::File(path) => StoreUrl::File(path.with_extension("new")),
            StoreUrl::Postgres(_) => match postgres().await { Some(other) => other.at.clone(), None => return },
        };
        let opened: Vec<_> = (0..8).map(|_| { let at = fresh.clone(); tokio::spawn(async move { Store::open(&at).await }) }).collect();
        for store in opened {
            let store = store.await.unwrap().unwrap();
            assert_eq!(store.info().await.unwrap().form, KNOWN);
        }
    }

    async fn a_newer_form_is_refused_with_what_to_do(on) {
        on.store.run(&Sql::new("INSERT INTO seatrial_schema (version) VALUES (99)")).await.unwrap();
        on.store.close().await;
        let error = Store::open(&on.at).await.expect_err("it is newer");
        assert_eq!(error.trouble, Trouble::Newer { found: 99, known: KNOWN });
        let told = error.to_string();
        assert!(told.contains("form 99") && told.contains("use the seatrial that wrote it"), "{told}");
    }
}

#[tokio::test]
async fn what_is_no_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be looked at as if it were one".repeat(20)).unwrap();
    let before = std::fs::read(&text).unwrap();
    assert!(matches!(refused(&text).await.trouble, Trouble::Foreign { .. }));
    assert_eq!(std::fs::read(&text).unwrap(), before);
    let foreign = dir.path().join("foreign.db");
    statement(&foreign, "CREATE TABLE t (x)").await;
    assert!(refused(&foreign).await.to_string().contains("is not a store: it is a database of something else"));
    let folder = dir.path().join("folder.db");
    std::fs::create_dir(&folder).unwrap();
    let told = refused(&folder).await.to_string();
    assert!(told.contains("does not let us in"), "{told}");
    let cache = dir.path().join("cache.db");
    crate::evidence::cache::Cache::open(&cache).await.unwrap().close().await;
    assert!(matches!(refused(&cache).await.trouble, Trouble::Foreign { .. }));
}

#[tokio::test]
async fn a_file_that_is_damaged_is_told_and_a_query_over_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let store = Store::open(&StoreUrl::File(path.clone())).await.unwrap();
    store.enqueue(&items(300, |_, _| ()), 0).await.unwrap();
    assert!(store.damage().await.unwrap().is_none());
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[length / 2..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open(&StoreUrl::File(path)).await;
    let error = match store {
        Err(error) => error,
        Ok(store) => match store.damage().await {
            Ok(found) => {
                assert!(!found.is_none() && !found.told.is_empty());
                store.items(&ItemFilter::default(), Page::ALL, 0).await.expect_err("half of it is gone")
            }
            Err(error) => error,
        },
    };
    assert!(matches!(error.trouble, Trouble::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("put back a backup"), "{error}");
}

#[tokio::test]
async fn a_file_that_another_holds_for_long_is_locked_and_nothing_is_lost() {
    let on = sqlite().await;
    let StoreUrl::File(path) = &on.at else { panic!("a file") };
    let hasty = Store::open_with(&on.at, Duration::from_millis(100)).await.unwrap();
    on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let error = hasty.enqueue(&items(2, |_, _| ()), 0).await.expect_err("it is held");
    assert_eq!(error.trouble, Trouble::Locked);
    assert!(error.to_string().contains("another process has been writing to it"), "{error}");
    // Who reads is not kept waiting.
    assert_eq!(hasty.counts(&ItemFilter::default(), 0).await.unwrap().total(), 1);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    hasty.enqueue(&items(2, |_, _| ()), 0).await.unwrap();
    assert_eq!(on.store.counts(&ItemFilter::default(), 0).await.unwrap().total(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_moved_taken_away_or_replaced_while_it_is_in_use_takes_no_answer() {
    let on = sqlite().await;
    on.store.enqueue(&items(2, |_, _| ()), 0).await.unwrap();
    on.store.import(&id(1), "ann", &said("a", Answer::Pass), 1).await.unwrap().unwrap();
    let StoreUrl::File(path) = &on.at else { panic!("a file") };
    let aside = path.with_file_name("aside.db");
    let refused = async || {
        let error =
            on.store.import(&id(2), "ann", &said("b", Answer::Pass), 2).await.expect_err("nobody would find it");
        assert_eq!(error.trouble, Trouble::Moved);
        assert!(error.to_string().contains("put it back, or start again"), "{error}");
    };
    std::fs::rename(path, &aside).unwrap();
    refused().await;
    // Another one in its place, as a backup that is put back, is not the one that is open.
    std::fs::copy(&aside, path).unwrap();
    refused().await;
    std::fs::remove_file(path).unwrap();
    refused().await;
    // Put back, it goes on, with all that was told to be written.
    std::fs::rename(&aside, path).unwrap();
    on.store.import(&id(2), "ann", &said("b", Answer::Pass), 2).await.unwrap().unwrap();
    let again = Store::open(&on.at).await.unwrap();
    assert_eq!(again.labels(&[id(1), id(2)]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_store_that_is_full_says_so_and_keeps_what_it_has() {
    let on = sqlite().await;
    on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
    on.store.close().await;
    let StoreUrl::File(path) = &on.at else { panic!("a file") };
    // One connection, which is told that there is no more room.
    let store = Store::open(&on.at).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.all(&Sql::new("PRAGMA max_page_count = 1"), |_| Ok(())).await.unwrap();
    let mut error = None;
    for n in 0..200i64 {
        let text = "x".repeat(4096);
        let sql = Sql::of(
            "INSERT INTO drafts (item, reviewer, body, at) VALUES ('i', $1, $2, 0)",
            [n.to_string().into(), text.into()],
        );
        if let Err(full) = tx.run(&sql).await {
            error = Some(full);
            break;
        }
    }
    let error = error.expect("there is no more room");
    assert_eq!(error.trouble, Trouble::Full);
    assert!(error.to_string().contains("make room"), "{error}");
    drop(tx);
    let again = Store::open(&StoreUrl::File(path.clone())).await.unwrap();
    assert_eq!(again.counts(&ItemFilter::default(), 0).await.unwrap().total(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let on = sqlite().await;
    on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
    let StoreUrl::File(path) = &on.at else { panic!("a file") };
    for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_backup_is_a_store_with_the_same_in_it_and_never_replaces_a_file() {
    let on = sqlite().await;
    on.store.enqueue(&items(3, |_, _| ()), 0).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("it's a copy.db");
    on.store.backup(&copy).await.unwrap();
    assert!(on.store.backup(&copy).await.is_err());
    let copy = Store::open(&StoreUrl::File(copy)).await.unwrap();
    assert_eq!(copy.counts(&ItemFilter::default(), 0).await.unwrap().total(), 3);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_without_its_password() {
    let at = StoreUrl::postgres("postgres://me:s3cret@127.0.0.1:1/db");
    let error = Store::open(&at).await.expect_err("nobody listens there");
    assert!(matches!(error.trouble, Trouble::Gone { .. }), "{error:?}");
    let told = format!("{error} {error:?} {at:?}");
    assert!(told.contains("postgres://me@127.0.0.1:1/db") && !told.contains("s3cret"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_in_the_middle_is_told_and_what_was_written_is_there_when_it_is_back() {
    let own = tokio::task::spawn_blocking(server::own).await.unwrap();
    let Some(own) = own else { return };
    let store = Store::open(&StoreUrl::postgres(&own.address())).await.unwrap();
    store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
    let (_, lease) = store.claim_item(&id(1), "ann", 0, 100).await.unwrap().unwrap();
    own.stop();
    let error = store.submit(&lease, &said("1", Answer::Pass), 1).await.expect_err("the server is gone");
    assert!(matches!(error.trouble, Trouble::Gone { .. }), "{error:?}");
    assert!(error.to_string().contains("start the server and try again"), "{error}");
    own.start_again();
    // The same handle goes on, and the same answer sent again is taken once.
    let (_, standing) = store.submit(&lease, &said("1", Answer::Pass), 2).await.unwrap().unwrap();
    assert_eq!(standing.status, ItemStatus::Resolved);
    own.stop();
}
