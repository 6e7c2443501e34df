//! Databases for tests: the same test runs on both.

use super::{Store, StoreUrl};
use crate::ledger::testing::item;
use crate::ledger::{Answer, ItemId, NewItem, Source, Submission};
use crate::redact::Redacted;

#[path = "../../../tests/cli/postgres.rs"]
#[allow(dead_code, reason = "the other half is used by tests of the command line")]
pub mod postgres;

/// A database of a test, and what must live as long as it.
pub struct Testing {
    pub store: Store,
    pub at: StoreUrl,
    _dir: Option<tempfile::TempDir>,
}

/// A new SQLite database.
pub async fn sqlite() -> Testing {
    let dir = tempfile::tempdir().unwrap();
    let at = StoreUrl::File(dir.path().join("deep er/s%t?o#re.db"));
    Testing { store: Store::open(&at).await.unwrap(), at, _dir: Some(dir) }
}

/// A new PostgreSQL database; `None` where there is none to be had.
pub async fn postgres() -> Option<Testing> {
    let address = tokio::task::spawn_blocking(postgres::database).await.unwrap()?;
    let at = StoreUrl::postgres(&address);
    Some(Testing { store: Store::open(&at).await.unwrap(), at, _dir: None })
}

/// The same test on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($testing:ident) $body:block)*) => {
        $(mod $name {
            #[allow(unused_imports, reason = "a test may need nothing from where it stands")]
            use super::*;

            async fn test($testing: $crate::store::db::testing::Testing) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                test($crate::store::db::testing::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                if let Some(testing) = $crate::store::db::testing::postgres().await {
                    test(testing).await;
                }
            }
        })*
    };
}
pub(crate) use on_both;

/// Items from number 1 on, as a run sends them.
pub fn items(count: u32, change: impl Fn(u32, &mut NewItem)) -> Redacted<Vec<NewItem>> {
    let make = |n| {
        let mut new = item(n);
        change(n, &mut new);
        new
    };
    Redacted::drawn((1..=count).map(make).collect())
}

/// The name of an item by its number.
pub fn id(n: u32) -> ItemId {
    crate::ledger::testing::key(n).id()
}

/// An answer.
pub fn said(id: &str, answer: Answer) -> Submission {
    Submission {
        id: id.to_owned(),
        answer,
        comment: String::new(),
        seconds: Some(12),
        source: Source::Web,
        shown_proposal: Some(false),
    }
}
