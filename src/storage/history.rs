//! Versions in the order of their commits: <https://hl7.org/fhir/R4/http.html#history>.
//!
//! The order is (epoch, transaction id, rid). A page shows only versions of transactions older
//! than every one that still runs in this database (others of the cluster do not hold it up), so
//! that a poller who goes on from a position never misses a
//! late commit. A window by time shows only versions older than every write under way here, so
//! that a poller who goes on from the newest `lastUpdated` he saw misses none either.

use super::failure::of_sqlx;
use super::read::{Visible, fetch_all};
use super::statement::Statement;
use super::statement::row_filter::Seen;
use super::store::{Connection, Store, Stored};
use crate::access::{Permit, RowFilter};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A place in the commit order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPosition {
    pub epoch: i32,
    /// Decimal text of an `xid8`.
    pub xid: String,
    pub rid: i64,
    pub version: i64,
}

/// From which side of a position the page goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum From {
    Newest,
    /// Newest first, from what was committed just before.
    Before(HistoryPosition),
    /// Oldest first, from what was committed just after: where a poller goes on.
    After(HistoryPosition),
}

/// `_since` and `_at`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Window {
    pub since: Option<DateTime<Utc>>,
    /// Versions current at some moment of this half-open period.
    pub at: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// None for the whole system.
    pub resource_type: Option<ResourceType>,
    pub window: Window,
    pub from: From,
    pub count: u32,
    pub now: DateTime<Utc>,
}

/// Versions, newest first.
#[derive(Debug)]
pub struct HistoryPage {
    pub versions: Vec<(Stored, HistoryPosition)>,
    /// True where the page is full and more follow in its direction.
    pub has_more: bool,
}

impl Store {
    /// A page of the history of a type or of the whole system. What is on it has to be asked the
    /// images of the permit.
    pub async fn history(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        query: &HistoryQuery,
    ) -> Result<HistoryPage> {
        let bound = query.window.since.map(|_| self.writes_under_way.visible_before(query.now));
        let mut statement = Statement::new(include_str!("sql/history_head.sql"));
        statement.push("(");
        push_branch(&mut statement, (permit, query), bound, "r");
        statement.push(") union all (");
        push_branch(&mut statement, (permit, query), bound, "h");
        statement.push(")) as v ");
        push_order(&mut statement, query, "v");
        let seen = (permit.filter(), query.resource_type.as_slice());
        let rows = fetch_all(connection, statement.witnessed(&[seen])).await?;
        let mut versions = self.positioned(seen.0, &rows)?;
        let has_more = versions.len() > query.count as usize;
        versions.truncate(query.count as usize);
        if matches!(query.from, From::After(_)) {
            versions.reverse();
        }
        Ok(HistoryPage { versions, has_more })
    }

    /// A page of one resource's versions, newest first, from the version below `before`. The
    /// resource must be visible. `Ok(None)` where it does not exist. As with [`Store::history`].
    pub async fn history_of(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        query: &InstanceQuery<'_>,
    ) -> Result<Option<HistoryPage>> {
        let keys = std::slice::from_ref(query.key);
        let rid = match self.visible(connection, permit, keys).await?.pop() {
            Some(Visible::Live(stored) | Visible::Deleted(stored)) => stored.rid,
            _ => return Ok(None),
        };
        let mut statement = Statement::new("select * from (");
        for (alias, table) in [("r", " resource r"), ("h", " resource_history h")] {
            statement.push(include_str!("sql/history_instance.sql")).push(table);
            statement.push(" where ").push(alias).push(".rid = ").bind(rid);
            let row = Seen::judged(alias, std::slice::from_ref(&query.key.resource_type));
            statement.push(" and ").push_filter(row, permit.filter());
            if let Some(before) = query.before {
                statement.push(" and ").push(alias).push(".version < ").bind(before as i32);
            }
            push_window(&mut statement, alias, &query.window);
            statement.push(if alias == "r" { " union all " } else { "" });
        }
        statement.push(") as v order by version desc limit ");
        statement.bind(i64::from(query.count) + 1);
        let seen = (permit.filter(), std::slice::from_ref(&query.key.resource_type));
        let rows = fetch_all(connection, statement.witnessed(&[seen])).await?;
        let mut versions = self.positioned(seen.0, &rows)?;
        let has_more = versions.len() > query.count as usize;
        versions.truncate(query.count as usize);
        Ok(Some(HistoryPage { versions, has_more }))
    }

    fn positioned(
        &self,
        filter: &RowFilter,
        rows: &[PgRow],
    ) -> Result<Vec<(Stored, HistoryPosition)>> {
        let positioned = |row: &PgRow| {
            let stored = self.stored_seen(filter, row)?;
            let position = HistoryPosition {
                epoch: row.try_get("epoch").map_err(of_sqlx)?,
                xid: row.try_get("xid").map_err(of_sqlx)?,
                rid: stored.rid,
                version: stored.version,
            };
            Ok::<_, FhirError>((stored, position))
        };
        rows.iter().map(positioned).collect()
    }
}

/// The part of a statement over current (`r`) or old (`h`) versions.
fn push_branch(
    statement: &mut Statement,
    (permit, query): (&Permit, &HistoryQuery),
    bound: Option<DateTime<Utc>>,
    alias: &'static str,
) {
    let is_current = alias == "r";
    if query.resource_type.is_none() {
        // One scan in commit order for each type, merged.
        statement.push("select ").push(alias).push(".* from resource_type t cross join ");
        statement.push("lateral (");
    }
    statement.push("select ").push(alias).push(".* from ").push(match is_current {
        true => include_str!("sql/history_current.sql"),
        false => include_str!("sql/history_old.sql"),
    });
    statement.push(" and ").push(alias).push(".type = ");
    match query.resource_type {
        Some(resource_type) => statement.bind(resource_type.number()),
        None => statement.push("t.type"),
    };
    if !permit.filter().is_all() {
        let types = query.resource_type.as_slice();
        // By stamps alone, as old versions: there is no history of what is seen otherwise.
        statement.push(" and ").push_filter(Seen::judged(alias, types), permit.filter());
        if !is_current {
            statement.push(" and exists (select from resource r where r.rid = h.rid and ");
            statement.push_filter(Seen::current("r", types), permit.filter()).push(")");
        }
    }
    match &query.from {
        From::Newest => {}
        From::Before(position) => push_position(statement, alias, " < ", position),
        From::After(position) => push_position(statement, alias, " > ", position),
    }
    push_window(statement, alias, &query.window);
    push_time(statement, bound, alias);
    push_order(statement, query, alias);
    if query.resource_type.is_none() {
        statement.push(") ").push(alias);
        push_order(statement, query, alias);
    }
}

/// The history of one resource.
pub struct InstanceQuery<'a> {
    pub key: &'a ResourceKey,
    pub window: Window,
    pub before: Option<i64>,
    pub count: u32,
}

fn push_position(
    statement: &mut Statement,
    alias: &'static str,
    operator: &'static str,
    position: &HistoryPosition,
) {
    statement.push(" and (").push(alias).push(".epoch, ").push(alias).push(".xid, ");
    statement.push(alias).push(".rid)").push(operator).push("(").bind(position.epoch);
    statement.push(", ").bind(position.xid.clone()).push("::xid8, ").bind(position.rid).push(")");
}

fn push_window(statement: &mut Statement, alias: &'static str, window: &Window) {
    if let Some(since) = window.since {
        statement.push(" and ").push(alias).push(".last_updated >= ").bind(since);
    }
    if let Some((low, high)) = window.at {
        statement.push(" and ").push(alias).push(".last_updated < ").bind(high);
        if alias == "h" {
            statement.push(include_str!("sql/history_superseded.sql")).bind(low);
        }
    }
}

fn push_time(statement: &mut Statement, bound: Option<DateTime<Utc>>, alias: &'static str) {
    if let Some(bound) = bound {
        statement.push(" and ").push(alias).push(".last_updated < ").bind(bound);
    }
}

fn push_order(statement: &mut Statement, query: &HistoryQuery, alias: &'static str) {
    let direction = match query.from {
        From::After(_) => " asc",
        _ => " desc",
    };
    statement.push(" order by ");
    for (index, column) in [".epoch", ".xid", ".rid"].into_iter().enumerate() {
        statement.push(if index == 0 { "" } else { ", " });
        statement.push(alias).push(column).push(direction);
    }
    statement.push(" limit ").bind(i64::from(query.count) + 1);
}
