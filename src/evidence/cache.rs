//! Answers of models that are kept for later runs, in one SQLite file that several runs may use at once.
//!
//! Nothing in the file is trusted: it must say that it is a cache of this version, and every answer carries a digest of
//! itself and of its key; one that does not fit is asked for again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::answered::Answered;
use super::question::Key;
use crate::store::db::is_busy;

/// Says that a SQLite file is a cache ("stcc").
const APPLICATION: i64 = 0x7374_6363;
/// The form of its table.
const VERSION: i64 = 1;
/// How long another process may be waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answers of earlier runs.
#[derive(Clone)]
pub struct Cache {
    pool: SqlitePool,
}

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the cache {} cannot be used: {why}", path.display())]
pub struct CacheError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl Cache {
    /// Opens a cache, or makes one where there is none.
    ///
    /// # Errors
    /// It is no cache, one of a newer version, or damaged.
    pub async fn open(path: &Path) -> Result<Self, CacheError> {
        let wrong = |why: String| CacheError { path: path.to_owned(), why };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| wrong(e.to_string()))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(PATIENCE);
        let sql = |e: sqlx::Error| match e {
            sqlx::Error::Database(e) => wrong(e.message().to_owned()),
            other => wrong(other.to_string()),
        };
        let began = Instant::now();
        let pool = loop {
            // Going over to WAL does not wait for others that do the same, so it is tried again.
            match SqlitePoolOptions::new().max_connections(2).connect_with(options.clone()).await {
                Err(sqlx::Error::Database(why)) if is_busy(&*why) && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(PATIENCE / 1000).await;
                }
                opened => break opened.map_err(sql)?,
            }
        };
        // Two runs may make it at once: the second finds it made.
        let mut begun = pool.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
        let number = |row: sqlx::sqlite::SqliteRow| row.try_get::<i64, _>(0);
        let application =
            sqlx::query("PRAGMA application_id").fetch_one(&mut *begun).await.and_then(number).map_err(sql)?;
        let version = sqlx::query("PRAGMA user_version").fetch_one(&mut *begun).await.and_then(number).map_err(sql)?;
        let tables = sqlx::query("SELECT count(*) FROM sqlite_schema");
        let tables = tables.fetch_one(&mut *begun).await.and_then(number).map_err(sql)?;
        match (application, version, tables) {
            (0, 0, 0) => {
                for statement in [
                    "PRAGMA application_id = 0x73746363",
                    "PRAGMA user_version = 1",
                    "CREATE TABLE answers (key BLOB PRIMARY KEY, answer TEXT NOT NULL, digest BLOB NOT NULL) \
                     WITHOUT ROWID",
                ] {
                    sqlx::query(statement).execute(&mut *begun).await.map_err(sql)?;
                }
            }
            (APPLICATION, VERSION, _) => {}
            (APPLICATION, newer, _) => {
                return Err(wrong(format!("it is of version {newer}, and this seatrial reads {VERSION}")));
            }
            _ => return Err(wrong("it is a database of something else".to_owned())),
        }
        begun.commit().await.map_err(sql)?;
        // Fails where the table is not as it should be.
        sqlx::query("SELECT key, answer, digest FROM answers LIMIT 1").fetch_optional(&pool).await.map_err(sql)?;
        Ok(Self { pool })
    }

    /// The answer under a key; `None` where there is none, or none that can be trusted.
    pub async fn get(&self, key: &Key) -> Option<Answered> {
        let query = sqlx::query("SELECT answer, digest FROM answers WHERE key = ?").bind(&key.0[..]);
        let row = query.fetch_optional(&self.pool).await.ok()??;
        let (text, sum): (String, Vec<u8>) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
        (sum == digest(key, &text)).then(|| serde_json::from_str(&text).ok()).flatten()
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// Why it could not be written.
    pub async fn put(&self, key: &Key, answered: &Answered) -> Result<(), String> {
        let text = serde_json::to_string(answered).map_err(|e| e.to_string())?;
        let query = sqlx::query("INSERT OR REPLACE INTO answers (key, answer, digest) VALUES (?, ?, ?)");
        let query = query.bind(&key.0[..]).bind(&text).bind(digest(key, &text));
        query.execute(&self.pool).await.map(|_| ()).map_err(|e| e.to_string())
    }

    /// Forgets an answer: it was of no use.
    ///
    /// # Errors
    /// Why it could not be written.
    pub async fn forget(&self, key: &Key) -> Result<(), String> {
        let query = sqlx::query("DELETE FROM answers WHERE key = ?").bind(&key.0[..]);
        query.execute(&self.pool).await.map(|_| ()).map_err(|e| e.to_string())
    }

    /// Lets go of the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The digest that an answer carries.
fn digest(key: &Key, text: &str) -> Vec<u8> {
    let mut hash = blake3::Hasher::new_derive_key("seatrial cache 1");
    hash.update(&key.0);
    hash.update(text.as_bytes());
    hash.finalize().as_bytes()[..16].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Reply, Said};

    const KEY: Key = Key([7; 32]);

    fn answered(text: &str) -> Answered {
        Answered { reply: Reply::Said(Said { text: text.into(), ..Said::default() }), usage: None, cost: None }
    }

    #[tokio::test]
    async fn what_is_kept_is_there_in_the_next_run_and_beside_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/cache.db");
        let (one, other) = (Cache::open(&path).await.unwrap(), Cache::open(&path).await.unwrap());
        assert_eq!(one.get(&KEY).await, None);
        one.put(&KEY, &answered("yes")).await.unwrap();
        assert_eq!(other.get(&KEY).await, Some(answered("yes")));
        one.close().await;
        other.close().await;
        let again = Cache::open(&path).await.unwrap();
        assert_eq!(again.get(&KEY).await, Some(answered("yes")));
        again.forget(&KEY).await.unwrap();
        assert_eq!(again.get(&KEY).await, None);
    }

    #[tokio::test]
    async fn an_answer_that_was_changed_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("c.db")).await.unwrap();
        cache.put(&KEY, &answered("fail")).await.unwrap();
        sqlx::query("UPDATE answers SET answer = replace(answer, 'fail', 'pass')").execute(&cache.pool).await.unwrap();
        assert_eq!(cache.get(&KEY).await, None);
    }

    #[tokio::test]
    async fn what_is_no_cache_of_this_version_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        let told = |path: PathBuf| async move { Cache::open(&path).await.err().map(|e| e.why).unwrap_or_default() };
        std::fs::write(&path, "not a database, but long enough to be looked at as if it were one").unwrap();
        assert!(told(path.clone()).await.contains("not a database"), "{}", told(path.clone()).await);
        let newer = dir.path().join("n.db");
        let cache = Cache::open(&newer).await.unwrap();
        sqlx::query("PRAGMA user_version = 9").execute(&cache.pool).await.unwrap();
        cache.close().await;
        assert_eq!(told(newer).await, "it is of version 9, and this seatrial reads 1");
        let foreign = dir.path().join("f.db");
        let options = SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("CREATE TABLE t (x)").execute(&pool).await.unwrap();
        pool.close().await;
        assert_eq!(told(foreign).await, "it is a database of something else");
    }
}
