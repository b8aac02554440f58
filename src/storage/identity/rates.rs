//! What callers spent at each process, of those whose rates are counted together. Unlogged: it is
//! worth nothing after a minute.

use crate::error::Result;
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;

impl Store {
    /// Adds to what callers spent at this process.
    pub async fn tell_spent(&self, node: &str, spent: &[(String, i64)]) -> Result<()> {
        let (callers, weights): (Vec<&str>, Vec<i64>) =
            spent.iter().map(|(caller, weight)| (caller.as_str(), *weight)).unzip();
        let mut connection = self.connection().await?;
        sqlx::query(include_str!("../sql/rate_spent_write.sql"))
            .bind(node)
            .bind(callers)
            .bind(weights)
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(())
    }

    /// What callers spent in all at the other processes, those that came in the last minute:
    /// process, caller, total.
    pub async fn spent_elsewhere(&self, node: &str) -> Result<Vec<(String, String, i64)>> {
        let mut connection = self.connection().await?;
        let rows = sqlx::query_as(include_str!("../sql/rate_spent_read.sql"))
            .bind(node)
            .fetch_all(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(rows)
    }

    /// Removes what is of no more use.
    pub async fn sweep_spent(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        sqlx::query(include_str!("../sql/rate_spent_sweep.sql"))
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(())
    }
}
