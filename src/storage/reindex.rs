//! Index data built anew from the stored bodies, while others read and write.
//!
//! A batch is two transactions. The first takes the generation off its rows, so that a writer
//! who read them before loses his race, and one who reads them now replaces all of their index
//! rows. The second replaces the index data of every row that still has the version that was
//! read. `lastUpdated`, version and commit order stay as they are.

use super::definitions;
use super::failure::of_sqlx;
use super::statement::Statement;
use super::store::{Connection, Store, Stored};
use super::write::index_rows::Resolved;
use super::write::sql::{self, GENERATION, array_literal, stamps};
use super::write::{Staged, Unit};
use crate::error::{FhirError, Result};
use crate::search::IndexRows;
use chrono::{DateTime, Utc};
use sqlx::Row;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// Which rows a batch is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// All, from after this rid on.
    After(i64),
    /// Those of another generation than this server's.
    OfOtherGenerations,
}

/// A resource with what this server indexes of it; None for a deleted one.
pub struct Extracted {
    pub stored: Stored,
    pub rows: Option<IndexRows>,
}

impl Store {
    /// How many rows there are, and the highest rid.
    pub async fn row_count(&self) -> Result<(i64, i64)> {
        let row = sqlx::query(include_str!("sql/resource_estimate.sql"))
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(of_sqlx)?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?));
        read().map_err(|error: sqlx::Error| FhirError::internal(error))
    }

    /// The next rows in ascending order of their rids, deleted ones included.
    pub async fn rows_to_index(&self, rows: Rows, count: i64) -> Result<Vec<Stored>> {
        let query = match rows {
            Rows::After(rid) => sqlx::query(include_str!("sql/reindex_read.sql")).bind(rid),
            Rows::OfOtherGenerations => {
                sqlx::query(include_str!("sql/reindex_read_other.sql")).bind(GENERATION)
            }
        };
        let rows =
            query.bind(count).fetch_all(&mut *self.connection().await?).await.map_err(of_sqlx)?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    /// Replaces the index data of these resources where they still have these versions.
    /// Returns how many it replaced; of the others a writer did so meanwhile. None where the
    /// search parameters are no longer those of `number`, by which they were extracted.
    pub async fn replace_index(
        &self,
        extracted: Vec<Extracted>,
        number: i64,
    ) -> Result<Option<u64>> {
        let indexed: Vec<&IndexRows> = extracted.iter().filter_map(|e| e.rows.as_ref()).collect();
        let known = extracted.iter().map(|e| (&e.stored.key, e.stored.rid)).collect();
        let ids = self.intern(&indexed, known).await?;
        let rids: Vec<i64> = extracted.iter().map(|e| e.stored.rid).collect();
        sqlx::query(include_str!("sql/reindex_open.sql"))
            .bind(&rids)
            .bind(GENERATION)
            .execute(&mut *self.connection().await?)
            .await
            .map_err(of_sqlx)?;
        let of = |e: &Extracted| {
            let rows = e.rows.as_ref();
            rows.map(|rows| ids.resolve(e.stored.rid, rows)).unwrap_or_default()
        };
        let resolved: Vec<Resolved> = extracted.iter().map(of).collect();
        let resolved: Vec<(Extracted, Resolved)> = extracted.into_iter().zip(resolved).collect();
        let mut unit = self.begin(&[]).await?;
        let replaced = replace_rows(unit.connection(), &resolved).await?;
        // The rows are locked, and with them `resource`: see `write::sql::push_definitions`.
        if definitions::number(unit.connection()).await.map_err(of_sqlx)? != number {
            return Ok(None);
        }
        let resolved = resolved.into_iter().filter(|(e, _)| replaced.contains(&e.stored.rid));
        let resolved: Vec<_> = resolved.collect();
        self.replace_side(&mut unit, resolved).await?;
        let _ = unit.commit().await?;
        Ok(Some(replaced.len() as u64))
    }

    async fn replace_side(
        &self,
        unit: &mut Unit,
        resolved: Vec<(Extracted, Resolved)>,
    ) -> Result<()> {
        if resolved.is_empty() {
            return Ok(());
        }
        if self.place.keeps_jsonb {
            replace_json(unit.connection(), &resolved).await?;
        }
        let staged: Vec<Staged> = resolved
            .into_iter()
            .map(|(e, resolved)| Staged::of_index(e.stored, resolved))
            .collect();
        let mut statement = Statement::new("with nothing as (select)");
        sql::push_side_rows(&mut statement, &staged.iter().collect::<Vec<_>>());
        statement.push(" select from nothing");
        let (text, arguments) = statement.into_parts().map_err(FhirError::internal)?;
        sqlx::query_with(sqlx::AssertSqlSafe(text), arguments)
            .execute(unit.connection())
            .await
            .map_err(of_sqlx)?;
        Ok(())
    }

    /// Up to which rid a reindex for this generation came that was cut off.
    pub async fn reindex_position(&self) -> Result<Option<i64>> {
        sqlx::query_scalar(include_str!("sql/reindex_position.sql"))
            .bind(GENERATION)
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(of_sqlx)
    }

    pub async fn remember_reindex(&self, rid: i64, now: DateTime<Utc>) -> Result<()> {
        sqlx::query(include_str!("sql/reindex_remember.sql"))
            .bind(GENERATION)
            .bind(rid)
            .bind(now)
            .execute(&mut *self.connection().await?)
            .await
            .map_err(of_sqlx)?;
        Ok(())
    }

    /// Whether there may be rows whose index data an older server wrote: searches would miss
    /// some of them.
    pub fn has_older_index(&self) -> bool {
        self.has_older_index.load(Ordering::Relaxed)
    }

    /// After every row was brought to this server's generation.
    pub async fn mark_index_complete(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        sqlx::query(include_str!("sql/generation_completed.sql"))
            .bind(GENERATION)
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        self.has_older_index.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// After the end of a reindex.
    pub async fn forget_reindex(&self) -> Result<()> {
        let query = sqlx::query(include_str!("sql/reindex_forget.sql"));
        query.execute(&mut *self.connection().await?).await.map_err(of_sqlx)?;
        Ok(())
    }
}

/// Returns the rids whose rows still had the version.
async fn replace_rows(
    connection: &mut Connection,
    resolved: &[(Extracted, Resolved)],
) -> Result<HashSet<i64>> {
    macro_rules! column {
        ($value:expr) => {
            resolved.iter().map($value).collect::<Vec<_>>()
        };
    }
    let rids: Vec<i64> = sqlx::query_scalar(include_str!("sql/reindex_apply.sql"))
        .bind(column!(|(e, _)| e.stored.rid))
        .bind(column!(|(e, _)| e.stored.version as i32))
        .bind(column!(|(_, r)| r.row.patient))
        .bind(column!(|(_, r)| r.row.date.map(|date| date.0)))
        .bind(column!(|(_, r)| r.row.date.map(|date| date.1)))
        .bind(column!(|(_, r)| r.row.lead))
        .bind(column!(|(_, r)| array_literal(&r.row.keys)))
        .bind(column!(|(_, r)| array_literal(&r.row.present)))
        .bind(column!(|(_, r)| stamps(&r.row.subject_rids).map(array_literal)))
        .bind(column!(|(_, r)| stamps(&r.row.labels).map(array_literal)))
        .bind(column!(|(_, r)| stamps(&r.row.profiles).map(array_literal)))
        .bind(GENERATION)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)?;
    Ok(rids.into_iter().collect())
}

async fn replace_json(
    connection: &mut Connection,
    resolved: &[(Extracted, Resolved)],
) -> Result<()> {
    let live = || resolved.iter().map(|(e, _)| &e.stored).filter(|stored| !stored.is_deleted);
    let texts: Vec<_> = live().map(|stored| String::from_utf8_lossy(&stored.body)).collect();
    sqlx::query(include_str!("sql/reindex_json.sql"))
        .bind(live().map(|stored| stored.rid).collect::<Vec<_>>())
        .bind(texts.iter().map(|text| text.as_ref()).collect::<Vec<&str>>())
        .execute(&mut *connection)
        .await
        .map_err(of_sqlx)?;
    let deleted = resolved.iter().map(|(e, _)| &e.stored).filter(|stored| stored.is_deleted);
    sqlx::query(include_str!("sql/reindex_json_remove.sql"))
        .bind(deleted.map(|stored| stored.rid).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map_err(of_sqlx)?;
    Ok(())
}
