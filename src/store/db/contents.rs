//! Sessions to read: each kept once, under the digest of its line, until retention takes it.

use std::collections::BTreeMap;

use sqlx::Row;

use super::sql::{Arg, Sql, strange};
use super::{Store, StoreError, Tx};
use crate::ledger::{Content, Millis};

/// The largest session that is unpacked, in bytes: a damaged one must not ask for more memory.
const MAX_BYTES: usize = 512 << 20;

/// Keeps sessions. One that was purged and comes again is there again.
pub(super) async fn put(tx: &mut Tx, contents: &[&Content], now: Millis) -> Result<(), StoreError> {
    for content in contents {
        // One by one: sessions are large, and a statement with many of them would be, too.
        let mut sql = Sql::new("INSERT INTO contents (digest, bytes, size, stored) VALUES ");
        let Content { digest, bytes } = content;
        sql.list([Arg::from(digest), bytes.clone().into(), (bytes.len() as i64).into(), now.into()]);
        sql.add(
            " ON CONFLICT (digest) DO UPDATE SET bytes = COALESCE(contents.bytes, excluded.bytes), stored = \
             CASE WHEN contents.bytes IS NULL THEN excluded.stored ELSE contents.stored END, purged = NULL",
        );
        tx.run(&sql).await?;
    }
    Ok(())
}

impl Store {
    /// The line of a session in seatrial's own format, unpacked. `None` where it was purged, or never kept.
    ///
    /// # Errors
    /// The store cannot be read, or what is there is not what its digest says.
    pub async fn content(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut sql = Sql::new("SELECT bytes FROM contents WHERE digest = ");
        sql.arg(digest);
        let packed = self.one(&sql, |row| row.try_get::<Option<Vec<u8>>, _>("bytes")).await?.flatten();
        let Some(packed) = packed else { return Ok(None) };
        let line = unpack(&packed).map_err(|e| self.told(strange(format!("session {digest}: {e}"))))?;
        if format!("blake3:{}", blake3::hash(&line).to_hex()) != digest {
            return Err(self.told(strange(format!("session {digest} is not what its digest says"))));
        }
        Ok(Some(line))
    }
}

impl Store {
    /// When each of these sessions was taken out; those that can be read, or were never kept, are not there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn purged(&self, digests: &[&str]) -> Result<BTreeMap<String, Millis>, StoreError> {
        let mut found = BTreeMap::new();
        for some in digests.chunks(10_000) {
            let mut sql = Sql::new(
                "SELECT digest, purged FROM contents WHERE bytes IS NULL AND purged IS NOT NULL AND digest IN ",
            );
            sql.list(some.iter().copied());
            found.extend(self.all(&sql, |row| Ok((row.try_get("digest")?, row.try_get("purged")?))).await?);
        }
        Ok(found)
    }
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut line = Vec::new();
    let mut reader = zstd::Decoder::new(packed)?.take(MAX_BYTES as u64 + 1);
    reader.read_to_end(&mut line)?;
    if line.len() > MAX_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
    }
    Ok(line)
}
