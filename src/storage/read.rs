//! Reads by key: the current version, an old one, and the state that a write starts from.

use super::failure::of_sqlx;
use super::gather::{Batch, PATIENCE};
use super::pool::Pool;
use super::statement::Statement;
use super::statement::row_filter::Seen;
use super::store::{Connection, Store, Stored};
use crate::access::{Permit, RowFilter};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;

/// What is there under a key. A missing and a deleted resource are not the same.
#[derive(Clone, Debug)]
pub enum Current {
    Live(Stored),
    Deleted(Stored),
    /// Never existed, or is invisible to the caller: the two look alike.
    Absent,
}

/// What a write finds under a key.
#[derive(Clone, Debug)]
pub enum Visible {
    Live(Stored),
    Deleted(Stored),
    /// Never existed; `stub` is the rid that references to it already use.
    Absent {
        stub: Option<i64>,
    },
    /// Exists and is invisible to the caller.
    Hidden,
}

impl Store {
    /// The current version (http.html#read), read in one statement with those that other
    /// requests want at the same time.
    pub async fn current(&self, permit: &Permit, key: &ResourceKey) -> Result<Current> {
        let wanted = Wanted { key: key.clone(), filter: permit.filter().clone() };
        let row = self.reads.submit(wanted).await?;
        self.current_under(permit, row, key)
    }

    /// The current version, read on a connection that may be inside a transaction.
    pub async fn current_on(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        key: &ResourceKey,
    ) -> Result<Current> {
        let row = fetch_optional(connection, one(key, permit.filter())).await?;
        self.current_under(permit, row, key)
    }

    fn current_under(
        &self,
        permit: &Permit,
        row: Option<PgRow>,
        key: &ResourceKey,
    ) -> Result<Current> {
        match row {
            None => Ok(Current::Absent),
            Some(row) => {
                let stored = self.stored_under(&row, key.clone())?;
                self.bear_out(permit.filter(), &row, &stored)?;
                Ok(match stored.is_deleted {
                    true => Current::Deleted(stored),
                    false => Current::Live(stored),
                })
            }
        }
    }

    /// One version, current or old (http.html#vread). The current row must be visible as well
    /// as the version itself.
    pub async fn version(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        place: (&ResourceKey, i32),
    ) -> Result<Option<Stored>> {
        let (key, version) = place;
        let mut statement = Statement::new(include_str!("sql/version_read.sql"));
        statement.bind(key.id.as_str()).push(" and r.type = ").bind(key.resource_type.number());
        let types = [key.resource_type];
        statement.push(" and ").push_filter(Seen::current("r", &types), permit.filter());
        statement.push(") select * from ");
        statement.push("found where version = ").bind(version);
        statement.push(include_str!("sql/version_read_history.sql")).bind(version);
        statement.push(" and ").push_filter(Seen::judged("h", &types), permit.filter());
        let statement = statement.witnessed(&[(permit.filter(), &types)]);
        let Some(row) = fetch_optional(connection, statement).await? else { return Ok(None) };
        let stored = self.stored_under(&row, key.clone())?;
        self.bear_out(permit.filter(), &row, &stored)?;
        Ok(Some(stored))
    }

    /// Those of these versions that are no longer current, in order of their resources. As with
    /// [`Store::version`], the current row must be visible as well.
    pub async fn old_versions(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        versions: &[(ResourceKey, i64)],
    ) -> Result<Vec<Stored>> {
        let types: Vec<i16> = versions.iter().map(|(key, _)| key.resource_type.number()).collect();
        let ids: Vec<&str> = versions.iter().map(|(key, _)| key.id.as_str()).collect();
        let numbers: Vec<i64> = versions.iter().map(|(_, version)| *version).collect();
        let mut statement = Statement::new(include_str!("sql/versions_read.sql"));
        statement.bind(types).push(", ").bind(ids).push(", ").bind(numbers);
        statement.push(include_str!("sql/versions_read_from.sql"));
        // They go with a page, as what is included does.
        statement.push_filter(Seen::current("r", &[]), permit.included()).push(" and ");
        statement.push_filter(Seen::old("h", &[]), permit.included());
        statement.push(" order by type, rid, version");
        let statement = statement.witnessed(&[(permit.included(), &[])]);
        let rows = fetch_all(connection, statement).await?;
        rows.iter().map(|row| self.stored_seen(permit.included(), row)).collect()
    }

    /// What is there under each of these keys, in their order. One statement.
    pub async fn visible(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        keys: &[ResourceKey],
    ) -> Result<Vec<Visible>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let types: Vec<i16> = keys.iter().map(|key| key.resource_type.number()).collect();
        let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        let mut kinds: Vec<ResourceType> = keys.iter().map(|key| key.resource_type).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut statement = Statement::new(include_str!("sql/visible_read.sql"));
        statement.push("(").push_filter(Seen::current("r", &kinds), permit.filter());
        statement.push(") is true as visible from unnest(");
        statement.bind(types).push(", ").bind(ids);
        statement.push(include_str!("sql/visible_read_from.sql"));
        let statement = statement.witnessed(&[(permit.filter(), &kinds)]);
        let rows = fetch_all(connection, statement).await?;
        rows.iter().zip(keys).map(|(row, key)| self.visible_under(permit, row, key)).collect()
    }

    fn visible_under(&self, permit: &Permit, row: &PgRow, key: &ResourceKey) -> Result<Visible> {
        let rid: Option<i64> = row.try_get("rid").map_err(FhirError::internal)?;
        if rid.is_none() {
            let stub = row.try_get("stub").map_err(FhirError::internal)?;
            return Ok(Visible::Absent { stub });
        }
        if !row.try_get::<bool, _>("visible").map_err(FhirError::internal)? {
            return Ok(Visible::Hidden);
        }
        let generation = row.try_get("generation").map_err(FhirError::internal)?;
        let stored = Stored { generation, ..self.stored_under(row, key.clone())? };
        self.bear_out(permit.filter(), row, &stored)?;
        Ok(match stored.is_deleted {
            true => Visible::Deleted(stored),
            false => Visible::Live(stored),
        })
    }

    /// A row with columns rid, version, last_updated, deleted, body.
    fn stored_under(&self, row: &PgRow, key: ResourceKey) -> Result<Stored> {
        let read = || -> Result<_, sqlx::Error> {
            let version: i32 = row.try_get("version")?;
            let last_updated: DateTime<Utc> = row.try_get("last_updated")?;
            Ok((row.try_get("rid")?, version, last_updated, row.try_get("deleted")?))
        };
        let (rid, version, last_updated, is_deleted) = read().map_err(FhirError::internal)?;
        let body: &[u8] = row.try_get("body").map_err(FhirError::internal)?;
        let body = self.codec.decompress(body)?;
        let version = i64::from(version);
        Ok(Stored { rid, key, version, last_updated, is_deleted, generation: None, body })
    }

    /// A row that also has columns type and id.
    pub(super) fn stored(&self, row: &PgRow) -> Result<Stored> {
        let number: i16 = row.try_get("type").map_err(FhirError::internal)?;
        let id: &str = row.try_get("id").map_err(FhirError::internal)?;
        let key = ResourceType::from_number(number)
            .zip(Id::parse(id))
            .map(|(resource_type, id)| ResourceKey::new(resource_type, id))
            .ok_or_else(|| FhirError::internal(format!("type {number} id {id} is no key")))?;
        self.stored_under(row, key)
    }

    /// The same of a row that was found under the filter, and is held against it once more.
    pub(super) fn stored_seen(&self, filter: &RowFilter, row: &PgRow) -> Result<Stored> {
        let stored = self.stored(row)?;
        self.bear_out(filter, row, &stored)?;
        Ok(stored)
    }
}

/// Reads by key that go together in one statement.
pub struct Reads {
    pub(super) pool: Pool,
}

/// One read by key.
pub struct Wanted {
    key: ResourceKey,
    filter: RowFilter,
}

impl Batch for Reads {
    type Item = Wanted;
    type Answer = Option<PgRow>;

    /// Reads by key are short.
    const IS_GIVEN_UP: bool = false;
    const PATIENCE: Option<Duration> = Some(PATIENCE);

    fn is_alike(one: &Wanted, other: &Wanted) -> bool {
        one.filter == other.filter
    }

    async fn run(&self, items: Vec<Wanted>) -> Vec<Result<Option<PgRow>>> {
        match self.rows(&items).await {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => {
                let others = items[1..].iter().map(|_| error.without_source()).collect::<Vec<_>>();
                std::iter::once(error).chain(others).map(Err).collect()
            }
        }
    }
}

impl Reads {
    /// One statement for all, which are under one filter.
    async fn rows(&self, items: &[Wanted]) -> Result<Vec<Option<PgRow>>> {
        let mut connection = self.pool.acquire().await.map_err(of_sqlx)?;
        let mut rows: Vec<Option<PgRow>> = items.iter().map(|_| None).collect();
        match items {
            [] => {}
            [item] => {
                rows[0] = fetch_optional(&mut connection, one(&item.key, &item.filter)).await?;
            }
            [first, ..] => {
                let keys: Vec<&ResourceKey> = items.iter().map(|item| &item.key).collect();
                for row in fetch_all(&mut connection, several(&keys, &first.filter)).await? {
                    let n: i64 = row.try_get("n").map_err(FhirError::internal)?;
                    if let Some(place) = rows.get_mut(n as usize - 1) {
                        *place = Some(row);
                    }
                }
            }
        }
        connection.release();
        Ok(rows)
    }
}

fn one(key: &ResourceKey, filter: &RowFilter) -> Statement {
    let types = [key.resource_type];
    let mut statement = Statement::new(match filter.is_all() {
        true => include_str!("sql/resource_read.sql"),
        false => include_str!("sql/resource_read_stamped.sql"),
    });
    statement.bind(key.id.as_str()).push(" and r.type = ").bind(key.resource_type.number());
    if filter.is_all() {
        return statement;
    }
    statement.push(" and ").push_filter(Seen::current("r", &types), filter);
    let begin = include_str!("sql/resource_read_stamped_begin.sql");
    statement.witnessed_itself(begin, &[(filter, &types)])
}

fn several(keys: &[&ResourceKey], filter: &RowFilter) -> Statement {
    let (select, from) = match filter.is_all() {
        true => (
            include_str!("sql/resource_read_many.sql"),
            include_str!("sql/resource_read_many_from.sql"),
        ),
        false => (
            include_str!("sql/resource_read_stamped_many.sql"),
            include_str!("sql/resource_read_stamped_from.sql"),
        ),
    };
    let mut statement = Statement::new(select);
    statement.bind(keys.iter().map(|key| key.resource_type.number()).collect::<Vec<_>>());
    statement.push(", ").bind(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>());
    statement.push(from);
    if !filter.is_all() {
        statement.push(" and ").push_filter(Seen::current("r", &[]), filter);
    }
    // A fence: each key is looked up in the index, whatever the planner thinks of the table.
    statement.push(" offset 0) r");
    if filter.is_all() {
        return statement;
    }
    let begin = include_str!("sql/resource_read_stamped_many_begin.sql");
    statement.witnessed_itself(begin, &[(filter, &[])])
}

/// Runs a composed statement for at most one row.
pub(super) async fn fetch_optional(
    connection: &mut Connection,
    statement: Statement,
) -> Result<Option<PgRow>> {
    let (text, arguments) = statement.into_parts().map_err(FhirError::internal)?;
    sqlx::query_with(sqlx::AssertSqlSafe(text), arguments)
        .fetch_optional(connection)
        .await
        .map_err(of_sqlx)
}

/// Runs a composed statement for all its rows.
pub(super) async fn fetch_all(
    connection: &mut Connection,
    statement: Statement,
) -> Result<Vec<PgRow>> {
    let (text, arguments) = statement.into_parts().map_err(FhirError::internal)?;
    sqlx::query_with(sqlx::AssertSqlSafe(text), arguments)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)
}
