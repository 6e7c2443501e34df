//! Items by the beginning of their names, as people type them.

use sqlx::Row;

use super::sql::Sql;
use super::{Store, StoreError};
use crate::ledger::ItemId;

impl Store {
    /// The names that begin with a text, at most `most` of them. What is in no name begins none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn named(&self, beginning: &str, most: u32) -> Result<Vec<ItemId>, StoreError> {
        // Nothing that means something to LIKE is in a name.
        if !beginning.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT id FROM items WHERE id LIKE ");
        sql.arg(format!("{beginning}%")).add(" ORDER BY id LIMIT ").arg(most);
        self.all(&sql, |row| row.try_get("id").map(ItemId)).await
    }
}
