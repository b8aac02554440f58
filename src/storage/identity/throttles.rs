//! Attempts, counted in the database so that every node counts the same ones.

use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use chrono::{DateTime, Duration, Utc};
use sqlx::Row;

/// How many attempts there may be, and what becomes of more.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    /// Attempts without a wait.
    pub free: i32,
    /// After so long counting begins anew.
    pub window: Duration,
    /// How long the one after them has to wait; each further one waits twice as long.
    pub first: Duration,
    /// And so long at most.
    pub longest: Duration,
}

impl Store {
    /// Counts an attempt. None where it may go on; else until when nothing goes on. Whoever
    /// succeeds clears the count.
    pub async fn attempt(
        &self,
        key: &[u8],
        throttle: &Throttle,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let query = sqlx::query(include_str!("../sql/throttle_take.sql"))
            .bind(key)
            .bind(now)
            .bind(now - throttle.window)
            .bind(throttle.free)
            .bind(throttle.first.num_seconds() as f64)
            .bind(throttle.longest.num_seconds() as f64);
        if self.first_row(query).await?.is_some() {
            return Ok(None);
        }
        let query = sqlx::query(include_str!("../sql/throttle_read.sql")).bind(key);
        let Some(row) = self.first_row(query).await? else { return Ok(None) };
        let until: Option<DateTime<Utc>> = row.try_get(0).map_err(FhirError::internal)?;
        Ok(Some(until.unwrap_or(now)))
    }

    /// Uncounts an attempt that turned out good, where others share the count.
    pub async fn give_attempt_back(&self, key: &[u8]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/throttle_give_back.sql")).bind(key);
        self.run(query).await.map(drop)
    }

    pub async fn clear_attempts(&self, key: &[u8]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/throttle_clear.sql")).bind(key);
        self.run(query).await.map(drop)
    }
}
