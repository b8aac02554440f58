//! From the journal to the database. What was brought there and not yet known to be is brought
//! again, and found there; an event of the same number that is another one is an error.

use super::Recording;
use super::rows::{AuditRow, push_insert};
use crate::error::{FhirError, Result};
use crate::storage::failure::of_sqlx;
use crate::storage::gather::Batch;
use crate::storage::pool::Pool;
use crate::storage::statement::Statement;
use crate::storage::store::{Connection, Store};
use std::time::Duration;

/// Events of one statement.
pub const TOGETHER: usize = 500;
/// Bytes of the journal that one statement brings.
const BYTES: usize = 1 << 20;

/// How far the journal is stored.
#[derive(Default)]
pub struct Shipped(std::sync::Mutex<Option<super::journal::Position>>);

impl Store {
    /// Brings the next events of the journal to the database; how many. 0 where it has them all.
    pub async fn ship_audit(&self) -> Result<usize> {
        let Some(audit) = &self.audit else { return Ok(0) };
        let Recording::Journal { journal, .. } = &audit.recording else { return Ok(0) };
        let _alone = audit.sealing.shipping.lock().await;
        let from = audit.sealing.shipped.get().unwrap_or_else(|| journal.start());
        let (frames, to) = journal.read(from, BYTES)?;
        let rows = frames
            .into_iter()
            .map(|frame| AuditRow::of_text(&audit.node, frame.seq, frame.text))
            .collect::<Result<Vec<AuditRow>>>()?;
        let mut connection = self.connection().await?;
        for rows in rows.chunks(TOGETHER) {
            let rows: Vec<&AuditRow> = rows.iter().collect();
            let stored = insert(&mut connection, &rows, self.place.epoch).await.map_err(of_sqlx)?;
            if stored < rows.len() as u64 {
                check_same(&mut connection, &rows).await?;
            }
        }
        connection.release();
        if to != from {
            journal.stored(from, to);
            audit.sealing.count(rows.len());
            audit.sealing.shipped.set(to);
        }
        Ok(rows.len())
    }
}

impl Shipped {
    fn get(&self) -> Option<super::journal::Position> {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn set(&self, position: super::journal::Position) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(position);
    }
}

/// How many of the rows were not there.
pub async fn insert(
    connection: &mut Connection,
    rows: &[&AuditRow],
    epoch: i32,
) -> Result<u64, sqlx::Error> {
    let mut statement = Statement::default();
    push_insert(&mut statement, rows, epoch);
    statement.push(" on conflict (node, seq, recorded) do nothing");
    let (text, arguments) = statement.into_parts()?;
    let query = sqlx::query_with(sqlx::AssertSqlSafe(text), arguments);
    Ok(query.execute(connection).await?.rows_affected())
}

/// An error where one of the rows is there with other content.
async fn check_same(connection: &mut Connection, rows: &[&AuditRow]) -> Result<()> {
    let Some(node) = rows.first().map(|row| row.node.clone()) else { return Ok(()) };
    let differing: Option<i64> = sqlx::query_scalar(include_str!("../sql/audit_differing.sql"))
        .bind(node.as_ref())
        .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.event.recorded).collect::<Vec<_>>())
        .fetch_optional(connection)
        .await
        .map_err(of_sqlx)?;
    match differing {
        None => Ok(()),
        Some(seq) => {
            let text = format!("the database has another event {seq} of the node {node}");
            Err(FhirError::internal(text))
        }
    }
}

/// Events of several requests in one statement and one commit.
pub struct Inserts {
    pub pool: Pool,
    pub epoch: i32,
}

impl Batch for Inserts {
    type Item = AuditRow;
    type Answer = ();

    /// What was begun for one is stored, whoever still waits.
    const IS_GIVEN_UP: bool = false;
    /// They share a commit, and wait for it.
    const PATIENCE: Option<Duration> = None;

    fn is_alike(_: &AuditRow, _: &AuditRow) -> bool {
        true
    }

    async fn run(&self, items: Vec<AuditRow>) -> Vec<Result<()>> {
        let rows: Vec<&AuditRow> = items.iter().collect();
        let stored = async {
            let mut connection = self.pool.acquire().await?;
            insert(&mut connection, &rows, self.epoch).await?;
            connection.release();
            Ok::<(), sqlx::Error>(())
        };
        match stored.await.map_err(of_sqlx) {
            Ok(()) => items.iter().map(|_| Ok(())).collect(),
            Err(error) => items.iter().map(|_| Err(error.without_source())).collect(),
        }
    }
}
