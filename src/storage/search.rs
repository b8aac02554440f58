//! Runs search plans: the ids that a plan needs, then one statement for the page and, where
//! asked for, one for the total.

mod keys;
pub mod terms;

use super::failure::of_sqlx;
use super::read::{fetch_all, fetch_optional};
use super::search_sql::Query;
use super::statement::Statement;
use super::store::{Connection, Store, Stored};
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::{Cursor, Plan, Total};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Coded values that `system|` may stand for.
pub(super) const SYSTEM_CODES: i64 = 10_000;

/// Resources that go with one page, at most.
const INCLUDED: usize = 1_000;

/// A page of matches in the order asked for.
#[derive(Clone, Default, Debug)]
pub struct Page {
    pub matches: Vec<Stored>,
    /// What goes with the matches.
    pub included: Vec<Stored>,
    /// True where more goes with them than a page takes.
    pub is_cut: bool,
    /// None where it was not asked for and is not known for free.
    pub total: Option<i64>,
    pub next: Option<Cursor>,
    pub previous: Option<Cursor>,
}

/// What a connection sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Committed,
    /// Also what a transaction of its own has written so far.
    UnderWay,
}

impl Store {
    /// One page of the plan's matches. 503 `timeout` where the database was stopped over it.
    pub async fn search(&self, permit: &Permit, plan: &Plan) -> Result<Page> {
        let mut connection = self.settled_pool.acquire().await.map_err(of_sqlx)?;
        let found = self.found(&mut connection, (permit, plan), Reads::Committed).await?;
        if !plan.is_settled() {
            connection.release();
            connection = self.search_connection().await?;
        }
        let query = Query { plan, found: &found, filter: permit.filter() };
        let page = self.page_and_total(&mut connection, &query).await?;
        connection.release();
        Ok(page)
    }

    /// The same, read on a connection that may be inside a transaction.
    pub async fn search_on(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        plan: &Plan,
    ) -> Result<Page> {
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query { plan, found: &found, filter: permit.filter() };
        self.page_and_total(connection, &query).await
    }

    async fn page_and_total(&self, connection: &mut Connection, query: &Query<'_>) -> Result<Page> {
        let plan = query.plan;
        let page = match plan.count {
            0 => Page::default(),
            _ => self.page(connection, query).await?,
        };
        let total = match (page.total, plan.total) {
            (Some(total), _) => Some(total),
            (None, Total::None) => None,
            (None, Total::Accurate) => Some(count(connection, query).await?),
            (None, Total::Estimate) => Some(estimate(connection, query).await?),
        };
        Ok(Page { total, ..page })
    }

    /// Keys of at most `limit` matches, in order of rid, read on a connection that may be inside a
    /// transaction: its own writes are seen. The plan's order and page are ignored.
    pub async fn matching(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        limit: usize,
    ) -> Result<Vec<ResourceKey>> {
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query { plan, found: &found, filter: permit.filter() };
        let rows = fetch_all(connection, query.matching(limit as i64)).await?;
        rows.iter().map(matched).collect()
    }

    async fn page(&self, connection: &mut Connection, query: &Query<'_>) -> Result<Page> {
        let plan = query.plan;
        let count = plan.count as usize;
        let limit = i64::from(plan.count) + 1;
        // What was let through once is let through to its last page.
        if plan.after.is_none()
            && let Some(statement) = query.page_plan(limit)
        {
            refuse_large_sort(connection, statement, plan.most_sorted).await?;
        }
        let statement = match plan.includes.is_empty() {
            true => query.page(limit),
            false => query.page_with_includes(limit, INCLUDED as i64),
        };
        let mut rows = fetch_all(connection, statement).await?;
        let mut others = match plan.includes.is_empty() {
            true => Vec::new(),
            false => rows.split_off(matches_of(&rows)?),
        };
        let has_more = rows.len() > count;
        rows.truncate(count);
        let is_backward = plan.after.as_ref().is_some_and(|cursor| cursor.is_backward);
        if is_backward {
            rows.reverse();
        }
        let is_first = plan.after.is_none();
        let has_next = is_backward || has_more;
        let has_previous = if is_backward { has_more } else { !is_first };
        let next = rows.last().filter(|_| has_next).map(|row| cursor(row, false)).transpose()?;
        let previous =
            rows.first().filter(|_| has_previous).map(|row| cursor(row, true)).transpose()?;
        let matches = rows.iter().map(|row| self.stored(row)).collect::<Result<Vec<_>>>()?;
        // A first page that is not full is the whole result.
        let total = (is_first && !has_more).then_some(matches.len() as i64);
        let is_cut = others.len() > INCLUDED;
        others.truncate(INCLUDED);
        let included = others.iter().map(|row| self.stored(row)).collect::<Result<Vec<_>>>()?;
        Ok(Page { matches, included, is_cut, total, next, previous })
    }
}

/// How many rows, the first ones, are matches.
fn matches_of(rows: &[PgRow]) -> Result<usize> {
    for (index, row) in rows.iter().enumerate() {
        let number: Option<i64> = row.try_get("n").map_err(FhirError::internal)?;
        if number.is_none() {
            return Ok(index);
        }
    }
    Ok(rows.len())
}

async fn count(connection: &mut Connection, query: &Query<'_>) -> Result<i64> {
    let row = fetch_optional(connection, query.count()).await?;
    let row = row.ok_or_else(|| FhirError::internal("count(*) gave no row"))?;
    row.try_get(0).map_err(FhirError::internal)
}

/// The rows that the planner expects.
async fn estimate(connection: &mut Connection, query: &Query<'_>) -> Result<i64> {
    let plan = explained(connection, query.estimate()).await?;
    let rows = plan.get("Plan Rows").and_then(Value::as_f64);
    rows.map(|rows| rows as i64).ok_or_else(|| FhirError::internal("explain without Plan Rows"))
}

/// The root of the planner's plan.
async fn explained(connection: &mut Connection, explain: Statement) -> Result<Value> {
    let row = fetch_optional(connection, explain).await?;
    let row = row.ok_or_else(|| FhirError::internal("explain gave no row"))?;
    let mut plan: Value = row.try_get(0).map_err(FhirError::internal)?;
    let root = plan.pointer_mut("/0/Plan").map(Value::take);
    root.ok_or_else(|| FhirError::internal("explain without Plan"))
}

/// 400 `too-costly` where the planner expects to sort more than so many matches for one page.
async fn refuse_large_sort(
    connection: &mut Connection,
    explain: Statement,
    most: u64,
) -> Result<()> {
    let sorted = sorted_rows(&explained(connection, explain).await?);
    match sorted > most as f64 {
        true => Err(FhirError::too_costly(format!(
            "This order needs about {sorted:.0} matches to be sorted for each page; by several \
             keys this server sorts at most {most} (BHN_SORT_MATCHES): add criteria that find \
             fewer, or sort by one key"
        ))),
        false => Ok(()),
    }
}

/// Rows that a plan sorts as a whole, in the nodes above its joins and scans. An incremental
/// sort takes rows in the order of an index, and stops where the page is full.
fn sorted_rows(node: &Value) -> f64 {
    const PASSED: [&str; 8] = [
        "Limit",
        "Sort",
        "Gather",
        "Gather Merge",
        "Append",
        "Merge Append",
        "Subquery Scan",
        "Result",
    ];
    let kind = node.get("Node Type").and_then(Value::as_str).unwrap_or_default();
    if !PASSED.contains(&kind) {
        return 0.0;
    }
    let rows = node.get("Plan Rows").and_then(Value::as_f64).unwrap_or_default();
    let below = node.get("Plans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let below = below.iter().map(sorted_rows).fold(0.0, f64::max);
    match kind {
        "Sort" => below.max(rows),
        // Each of the workers sorts a share of them.
        "Gather Merge" if below > 0.0 => below.max(rows),
        _ => below,
    }
}

fn cursor(row: &PgRow, is_backward: bool) -> Result<Cursor> {
    let read = || -> Result<Cursor, sqlx::Error> {
        let (values, rid) = (row.try_get("sort_values")?, row.try_get("rid")?);
        Ok(Cursor { values, rid, is_backward })
    };
    read().map_err(FhirError::internal)
}

fn matched(row: &PgRow) -> Result<ResourceKey> {
    let read = || -> Result<(i16, String), sqlx::Error> { Ok((row.try_get(1)?, row.try_get(2)?)) };
    let (number, id) = read().map_err(FhirError::internal)?;
    ResourceType::from_number(number)
        .zip(Id::parse(&id))
        .map(|(resource_type, id)| ResourceKey::new(resource_type, id))
        .ok_or_else(|| FhirError::internal(format!("type {number} id {id} is no key")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(kind: &str, rows: u32, below: &[Value]) -> Value {
        json!({"Node Type": kind, "Plan Rows": rows, "Plans": below})
    }

    #[test]
    fn rows_count_as_sorted_where_no_index_gives_them_in_order() {
        let scan = |rows| node("Index Scan", rows, &[]);
        let sort = |rows| node("Sort", rows, &[scan(rows)]);
        assert_eq!(sorted_rows(&node("Limit", 50, &[sort(9_000)])), 9_000.0);
        let incremental = node("Incremental Sort", 9_000, &[scan(9_000)]);
        assert_eq!(sorted_rows(&node("Limit", 50, &[incremental])), 0.0);
        let shared = node("Gather Merge", 9_000, &[sort(3_000)]);
        assert_eq!(sorted_rows(&node("Limit", 50, &[shared])), 9_000.0);
        let branches = [node("Limit", 50, &[sort(7_000)]), node("Limit", 2, &[sort(2)])];
        assert_eq!(sorted_rows(&node("Sort", 52, &[node("Append", 52, &branches)])), 7_000.0);
        let join = node("Merge Join", 3, &[sort(9_000), scan(3)]);
        assert_eq!(sorted_rows(&node("Limit", 50, &[node("Sort", 3, &[join])])), 3.0);
    }
}
