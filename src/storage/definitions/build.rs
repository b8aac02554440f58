//! Rows of custom search parameters, made and removed in batches while others read and write.
//!
//! Who writes after the state was committed writes by it, and who wrote before has ended once
//! [`Store::older_writers`] are gone: from there on one walk over the rows misses nothing.

use super::notify;
use crate::error::{FhirError, Result};
use crate::search::{CustomState, ParameterId};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store, Stored};
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A parameter whose rows one process makes or removes, as long as it renews its lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Build {
    pub parameter: ParameterId,
    pub state: CustomState,
    holder: String,
    types: Vec<i16>,
    /// True where no write of before the state is under way any more.
    pub is_settled: bool,
    /// Up to which rid it is done.
    pub position: i64,
}

/// Rows to look at, and how far they go.
pub struct Window {
    pub rows: Vec<Stored>,
    /// None after the last row.
    pub last: Option<i64>,
    /// Rows of the parameter's types, deleted ones included.
    pub seen: i64,
}

/// How far a custom parameter is, for those who ask.
#[derive(Clone, Debug)]
pub struct BuildStatus {
    pub parameter: ParameterId,
    pub resource: String,
    pub state: String,
    pub url: String,
    pub code: String,
    pub seen: i64,
    pub indexed: i64,
    pub total: Option<i64>,
    pub started: DateTime<Utc>,
    pub finished: Option<DateTime<Utc>>,
    pub is_worked_on: bool,
}

impl Store {
    /// A parameter whose rows nobody makes or removes, if there is one; `holder` names the
    /// process.
    pub async fn claim_build(&self, holder: &str) -> Result<Option<Build>> {
        let mut connection = self.search_connection().await?;
        let row = sqlx::query(include_str!("../sql/build_claim.sql"))
            .bind(holder)
            .fetch_optional(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        row.map(|row| build(&row, holder)).transpose()
    }

    /// Keeps the lease. `total` is how many rows there are of the parameter's types. False where
    /// another process took over.
    pub async fn renew_build(&self, build: &Build, total: Option<i64>) -> Result<bool> {
        let renewed = sqlx::query(include_str!("../sql/build_renew.sql"))
            .bind(build.parameter.0)
            .bind(&build.holder)
            .bind(build.state.as_str())
            .bind(total)
            .execute(&mut *self.search_connection().await?)
            .await
            .map_err(of_sqlx)?;
        Ok(renewed.rows_affected() == 1)
    }

    /// How many rows there are of the parameter's types; an error where counting takes too long.
    pub async fn count_for_build(&self, build: &Build) -> Result<i64> {
        sqlx::query_scalar(include_str!("../sql/build_count.sql"))
            .bind(&build.types)
            .fetch_one(&mut *self.search_connection().await?)
            .await
            .map_err(of_sqlx)
    }

    /// Transactions that write resources now. A write that began after this was asked is not
    /// among them, and sees what was committed before.
    pub async fn older_writers(&self) -> Result<Vec<String>> {
        sqlx::query_scalar(include_str!("../sql/build_writers.sql"))
            .fetch_all(&mut *self.search_connection().await?)
            .await
            .map_err(of_sqlx)
    }

    /// The next rows: at most so many are looked at, of all types. Where rows are removed, those
    /// alone that have some.
    pub async fn rows_to_build(&self, build: &Build, count: i64) -> Result<Window> {
        let removed = (build.state == CustomState::Retired).then_some(build.parameter.0);
        let found = sqlx::query(include_str!("../sql/build_read.sql"))
            .bind(&build.types)
            .bind(build.position)
            .bind(count)
            .bind(removed)
            .fetch_all(&mut *self.search_connection().await?)
            .await
            .map_err(of_sqlx)?;
        let mut window = Window { rows: Vec::new(), last: None, seen: 0 };
        for row in &found {
            window.last = row.try_get("last").map_err(FhirError::internal)?;
            window.seen = row.try_get("seen").map_err(FhirError::internal)?;
            if row.try_get::<Option<i64>, _>("rid").map_err(FhirError::internal)?.is_some() {
                window.rows.push(self.stored(row)?);
            }
        }
        Ok(window)
    }

    /// After all rows up to `position` were done. The counts so far: looked at, and of how many.
    /// None where another process took over, or the state changed.
    pub async fn remember_build(
        &self,
        build: &Build,
        position: i64,
        counts: (i64, i64),
    ) -> Result<Option<(i64, i64)>> {
        let (seen, indexed) = counts;
        sqlx::query_as(include_str!("../sql/build_remember.sql"))
            .bind(build.parameter.0)
            .bind(&build.holder)
            .bind(build.state.as_str())
            .bind(position)
            .bind(seen)
            .bind(indexed)
            .fetch_optional(&mut *self.search_connection().await?)
            .await
            .map_err(of_sqlx)
    }

    /// After the last row: what was built is ready, what was retired is gone. Nothing where
    /// another process took over, or the state changed.
    pub async fn finish_build(&self, build: &Build) -> Result<()> {
        let sql = match build.state {
            CustomState::Retired => include_str!("../sql/build_forget.sql"),
            _ => include_str!("../sql/build_finish.sql"),
        };
        let mut unit = self.begin(&[]).await?;
        let connection = unit.connection();
        // The lock of all changes first, as every writer takes it.
        sqlx::query(include_str!("../sql/definitions_touch.sql"))
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        let finished = sqlx::query(sql)
            .bind(build.parameter.0)
            .bind(&build.holder)
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        if finished.rows_affected() == 1 {
            notify(connection).await?;
            let _ = unit.commit().await?;
        }
        Ok(())
    }

    /// Custom parameters in order of their numbers, at most so many; of one SearchParameter, or
    /// all.
    pub async fn build_status(
        &self,
        connection: &mut Connection,
        resource: Option<&str>,
        most: i64,
    ) -> Result<Vec<BuildStatus>> {
        let rows = sqlx::query(include_str!("../sql/build_status.sql"))
            .bind(resource)
            .bind(most)
            .fetch_all(connection)
            .await
            .map_err(of_sqlx)?;
        rows.iter().map(|row| status(row).map_err(FhirError::internal)).collect()
    }
}

fn build(row: &PgRow, holder: &str) -> Result<Build> {
    let read = || -> Result<_, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let parameter = ParameterId(row.try_get("parameter")?);
        let (types, is_settled) = (row.try_get("types")?, row.try_get("is_settled")?);
        let state = CustomState::parse(&state).unwrap_or(CustomState::Ready);
        let position = row.try_get("position")?;
        let holder = holder.to_owned();
        Ok(Build { parameter, state, holder, types, is_settled, position })
    };
    read().map_err(FhirError::internal)
}

fn status(row: &PgRow) -> Result<BuildStatus, sqlx::Error> {
    Ok(BuildStatus {
        parameter: ParameterId(row.try_get("parameter")?),
        resource: row.try_get("resource_id")?,
        state: row.try_get("state")?,
        url: row.try_get("url")?,
        code: row.try_get("code")?,
        seen: row.try_get("seen")?,
        indexed: row.try_get("indexed")?,
        total: row.try_get("total")?,
        started: row.try_get("started")?,
        finished: row.try_get("finished")?,
        is_worked_on: row.try_get::<Option<bool>, _>("is_worked_on")?.unwrap_or_default(),
    })
}
