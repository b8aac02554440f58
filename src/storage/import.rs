//! What imports have stored already, remembered in the transaction that stored it.

use super::failure::of_sqlx;
use super::store::Store;
use super::write::Unit;
use crate::error::Result;
use chrono::{DateTime, Utc};

/// Names one unit of an import by a hash of its content.
pub type UnitHash = [u8; 32];

impl Store {
    /// Which of these units were stored before.
    pub async fn imported(&self, hashes: &[UnitHash]) -> Result<Vec<UnitHash>> {
        let wanted: Vec<&[u8]> = hashes.iter().map(|hash| hash.as_slice()).collect();
        let mut connection = self.connection().await?;
        let found: Vec<Vec<u8>> = sqlx::query_scalar(include_str!("sql/import_read.sql"))
            .bind(wanted)
            .fetch_all(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(hashes.iter().filter(|hash| found.iter().any(|f| f == *hash)).copied().collect())
    }

    /// Remembers the unit by itself.
    pub async fn mark_imported_alone(&self, hash: &UnitHash, now: DateTime<Utc>) -> Result<()> {
        let mut connection = self.connection().await?;
        sqlx::query(include_str!("sql/import_mark.sql"))
            .bind(hash.as_slice())
            .bind(now)
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(())
    }

    /// Remembers the unit with the writes of its transaction. False where it was stored before:
    /// the transaction must not be committed then. Waits for another one that stores it now.
    pub async fn mark_imported(
        &self,
        unit: &mut Unit,
        hash: &UnitHash,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let done = sqlx::query(include_str!("sql/import_mark.sql"))
            .bind(hash.as_slice())
            .bind(now)
            .execute(unit.connection())
            .await
            .map_err(of_sqlx)?;
        Ok(done.rows_affected() == 1)
    }
}
