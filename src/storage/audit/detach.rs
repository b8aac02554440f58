//! The end of what is kept: months of seven years ago leave the audit, by the owner's hand.

use crate::storage::StartError;
use crate::storage::open::Database;
use chrono::NaiveDate;
use sqlx::{ConnectOptions, Connection};

/// Detaches the months that ended before this day, as the role that owns the tables; the names
/// of the tables that they are from now on. An error where they are not old enough.
pub async fn detach_audit(
    database: &Database,
    before: NaiveDate,
) -> Result<Vec<String>, StartError> {
    let mut owner = database.owner_options().connect().await?;
    let detached = sqlx::query_scalar(include_str!("../sql/audit_detach.sql"))
        .bind(before)
        .fetch_all(&mut owner)
        .await?;
    owner.close().await?;
    Ok(detached)
}
