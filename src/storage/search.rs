//! Runs search plans: the ids that a plan needs, then one statement for the page and, where
//! asked for, one for the total.

mod explain;
mod keys;
mod pages;
pub mod terms;

pub use explain::{Explained, ExplainedStatement};
pub use pages::Pages;

use super::failure::of_sqlx;
use super::read::{fetch_all, fetch_optional};
use super::search_sql::{Query, value_names};
use super::statement::Statement;
use super::store::{Connection, Store, Stored};
use crate::access::{Permit, RowFilter};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::{Cursor, Plan, Snapshot, SortValue, Total, contained_place, contained_rid};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Column, Postgres, Row, Type};

/// Coded values that `system|` may stand for.
pub(super) const SYSTEM_CODES: i64 = 10_000;

/// For an estimate matches are counted where the planner expects less cost; in its unit, a page
/// read in order.
const COUNTED_COST: f64 = 20_000.0;
/// So many of them, where it was wrong.
const COUNTED_ROWS: i64 = 200_000;

/// Resources that go with one page, at most.
pub const INCLUDED: usize = 1_000;

/// A match, and the sort values of its row: instants, and texts of all others.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The resource, or the container of what matches.
    pub stored: Stored,
    /// The place of the contained resource that matches and is shown.
    pub contained: Option<u16>,
    pub values: Vec<Option<SortValue>>,
}

/// A page of matches in the order asked for.
#[derive(Clone, Default, Debug)]
pub struct Page {
    pub matches: Vec<Placed>,
    /// What goes with the matches.
    pub included: Vec<Stored>,
    /// True where more goes with them than a page takes.
    pub is_cut: bool,
    /// None where it was not asked for and is not known for free.
    pub total: Option<i64>,
    /// True where a search parameter that the plan rests on changed meanwhile: the page may lack
    /// some matches.
    pub is_outdated: bool,
    /// True where more matches follow in the direction of the page.
    pub has_more: bool,
    /// What a first page saw; None where it is empty.
    pub snapshot: Option<Snapshot>,
    /// False where no resource of the types searched was changed since the first page.
    pub may_have_changes: bool,
}

impl Page {
    /// Where the pages after and before this one begin.
    pub fn beside(&self, plan: &Plan) -> (Option<Cursor>, Option<Cursor>) {
        let is_backward = plan.after.as_ref().is_some_and(|cursor| cursor.is_backward);
        let has_next = is_backward || self.has_more;
        let has_previous = if is_backward { self.has_more } else { plan.after.is_some() };
        let next = self.matches.last().filter(|_| has_next).map(|last| last.cursor(false));
        let first = self.matches.first().filter(|_| has_previous);
        (next, first.map(|first| first.cursor(true)))
    }
}

impl Placed {
    /// The place of this row.
    pub fn cursor(&self, is_backward: bool) -> Cursor {
        let text = |value: &Option<SortValue>| value.as_ref().map(SortValue::text);
        Cursor { values: self.values.iter().map(text).collect(), rid: self.rid(), is_backward }
    }

    /// Of what matches and is shown.
    pub fn rid(&self) -> i64 {
        let rid = self.stored.rid;
        self.contained.map_or(rid, |place| contained_rid(rid, place))
    }
}

/// What a connection sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    Committed,
    /// Also what a transaction of its own has written so far.
    UnderWay,
}

impl Store {
    /// One page of the plan's matches. 503 `timeout` where the database was stopped over it.
    ///
    /// As of a horizon these are the matches that nobody changed since; [`Store::changed`] has
    /// the others.
    pub async fn search(&self, permit: &Permit, plan: &Plan) -> Result<Page> {
        if plan.is_brief() {
            return self.brief_page(permit, plan).await;
        }
        let mut connection = self.settled_pool.acquire().await.map_err(of_sqlx)?;
        let found = self.found(&mut connection, (permit, plan), Reads::Committed).await?;
        if !plan.is_settled() {
            connection.release();
            connection = self.search_connection().await?;
        }
        let query = Query::of(plan, &found, permit);
        let page = self.page_and_total(&mut connection, &query).await?;
        connection.release();
        Ok(page)
    }

    /// A page whose statement others may share.
    async fn brief_page(&self, permit: &Permit, plan: &Plan) -> Result<Page> {
        let found = self.found_alone(permit, plan).await?;
        let query = Query::of(plan, &found, permit);
        let statement = query.page_apart(i64::from(plan.count) + 1);
        let statement = statement.witnessed(&[(query.filter, query.rows_of())]);
        let rows = self.pages.submit(statement).await?;
        let page = self.page_of(&query, rows)?;
        let total = plan.as_of.as_ref().map_or(page.total, |horizon| horizon.total);
        Ok(Page { total, ..page })
    }

    /// The same, read on a connection that may be inside a transaction.
    pub async fn search_on(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        plan: &Plan,
    ) -> Result<Page> {
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query::of(plan, &found, permit);
        self.page_and_total(connection, &query).await
    }

    async fn page_and_total(&self, connection: &mut Connection, query: &Query<'_>) -> Result<Page> {
        let plan = query.plan;
        let page = match plan.count {
            0 => Page::default(),
            _ => self.page(connection, query).await?,
        };
        let total = match (page.total, plan.total, &plan.as_of) {
            (_, _, Some(horizon)) => horizon.total,
            (Some(total), _, None) => Some(total),
            (None, Total::None, None) => None,
            (None, Total::Accurate, None) => Some(count(connection, query.count()).await?),
            (None, Total::Estimate, None) => Some(estimate(connection, query).await?),
        };
        let is_outdated = !self.is_plan_of_now(connection, plan).await?;
        Ok(Page { total, is_outdated, ..page })
    }

    /// Keys of at most `limit` matches, in order of rid, read on a connection that may be inside a
    /// transaction: its own writes are seen. The plan's order and page are ignored. 503 where a
    /// search parameter changed meanwhile.
    pub async fn matching(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        limit: usize,
    ) -> Result<Vec<ResourceKey>> {
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query::of(plan, &found, permit);
        let rows = fetch_all(connection, query.matching(limit as i64)).await?;
        if !self.is_plan_of_now(connection, plan).await? {
            let text = "The search parameters changed while they were searched by";
            return Err(FhirError::unavailable(text));
        }
        rows.iter().map(matched).collect()
    }

    async fn page(&self, connection: &mut Connection, query: &Query<'_>) -> Result<Page> {
        let plan = query.plan;
        let limit = i64::from(plan.count) + 1;
        // What was let through once is let through to its last page.
        if plan.after.is_none() {
            for statement in query.page_plans(limit) {
                refuse_large_sort(connection, statement, plan.most_sorted).await?;
            }
        }
        let statement = match plan.includes.is_empty() {
            true => query.page(limit).witnessed(&[(query.filter, query.rows_of())]),
            false => {
                let seen = [(query.filter, query.rows_of()), (query.included, &[][..])];
                query.page_with_includes(limit, INCLUDED as i64).witnessed(&seen)
            }
        };
        self.page_of(query, fetch_all(connection, statement).await?)
    }

    /// What the rows of a page's statement say.
    fn page_of(&self, query: &Query<'_>, mut rows: Vec<PgRow>) -> Result<Page> {
        let plan = query.plan;
        let count = plan.count as usize;
        let mut others = match plan.includes.is_empty() {
            true => Vec::new(),
            false => rows.split_off(matches_of(&rows)?),
        };
        let horizon = horizon(&rows)?;
        let has_more = rows.len() > count;
        rows.truncate(count);
        if plan.after.as_ref().is_some_and(|cursor| cursor.is_backward) {
            rows.reverse();
        }
        let keys = query.sorting().keys.len();
        let matches: Vec<Placed> =
            rows.iter().map(|row| self.placed(query, row, keys)).collect::<Result<_>>()?;
        let is_first = plan.after.is_none() && plan.as_of.is_none();
        // A first page that is not full is the whole result.
        let total = (is_first && !has_more).then_some(matches.len() as i64);
        let snapshot = horizon.as_deref().filter(|_| is_first).map(snapshot).transpose()?;
        // A page without rows does not tell.
        let may_have_changes = !is_first && (horizon.is_some() || matches.is_empty());
        let (included, is_cut) = self.included(query.included, &mut others)?;
        let is_outdated = false;
        Ok(Page {
            matches,
            included,
            is_cut,
            total,
            is_outdated,
            has_more,
            snapshot,
            may_have_changes,
        })
    }

    /// A row with as many sort values as there are keys.
    fn placed(&self, query: &Query<'_>, row: &PgRow, keys: usize) -> Result<Placed> {
        let values = value_names().take(keys).map(|name| sort_value(row, name)).collect();
        let values: Result<Vec<_>, sqlx::Error> = values;
        let mut stored = self.stored_seen(query.filter, row)?;
        let contained = contained_place(stored.rid).map(|(container, place)| {
            stored.rid = container;
            place
        });
        Ok(Placed { stored, contained, values: values.map_err(FhirError::internal)? })
    }

    /// What goes with a page, as far as it takes it, and whether there is more.
    pub(super) fn included(
        &self,
        filter: &RowFilter,
        rows: &mut Vec<PgRow>,
    ) -> Result<(Vec<Stored>, bool)> {
        let is_cut = rows.len() > INCLUDED;
        rows.truncate(INCLUDED);
        let seen = rows.iter().map(|row| self.stored_seen(filter, row));
        let included = seen.collect::<Result<Vec<_>>>()?;
        Ok((included, is_cut))
    }
}

/// One of the columns that `Order::push_values` names.
fn sort_value(row: &PgRow, name: &str) -> Result<Option<SortValue>, sqlx::Error> {
    let column = row.try_column(name)?;
    Ok(match *column.type_info() == <DateTime<Utc> as Type<Postgres>>::type_info() {
        true => row.try_get::<Option<_>, _>(column.ordinal())?.map(SortValue::Instant),
        false => row.try_get::<Option<_>, _>(column.ordinal())?.map(SortValue::Text),
    })
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

async fn count(connection: &mut Connection, statement: Statement) -> Result<i64> {
    let row = fetch_optional(connection, statement).await?;
    let row = row.ok_or_else(|| FhirError::internal("count(*) gave no row"))?;
    row.try_get(0).map_err(FhirError::internal)
}

/// The rows that the planner expects; where they are counted at little cost, their number. The
/// planner takes a type, a code and a date as independent of each other, which they are not.
async fn estimate(connection: &mut Connection, query: &Query<'_>) -> Result<i64> {
    let plan = explained(connection, query.estimate()).await?;
    let number = |name: &str| {
        let number = plan.get(name).and_then(Value::as_f64);
        number.ok_or_else(|| FhirError::internal(format!("explain without {name}")))
    };
    let expected = number("Plan Rows")? as i64;
    if number("Total Cost")? > COUNTED_COST {
        return Ok(expected);
    }
    let counted = count(connection, query.count_up_to(COUNTED_ROWS)).await?;
    Ok(if counted < COUNTED_ROWS { counted } else { counted.max(expected) })
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
             keys, or by what is contained in them, this server sorts at most {most} \
             (BHN_SORT_MATCHES): add criteria that find fewer, or sort by one key"
        ))),
        false => Ok(()),
    }
}

/// Rows that a plan sorts as a whole, in the nodes above its joins and scans. An incremental
/// sort takes rows in the order of an index, and stops where the page is full.
fn sorted_rows(node: &Value) -> f64 {
    const PASSED: [&str; 9] = [
        "Limit",
        "Sort",
        "Gather",
        "Gather Merge",
        "Append",
        "Merge Append",
        "Subquery Scan",
        "Result",
        "Unique",
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

/// The column `horizon` of a page's rows.
fn horizon(rows: &[PgRow]) -> Result<Option<String>> {
    let Some(row) = rows.first() else { return Ok(None) };
    row.try_get("horizon").map_err(FhirError::internal)
}

fn snapshot(text: &str) -> Result<Snapshot> {
    let (text, own) = match text.split_once('/') {
        Some((text, own)) => (text, Some(own)),
        None => (text, None),
    };
    let snapshot = Snapshot::parse(text, own);
    snapshot.ok_or_else(|| FhirError::internal(format!("{text} is no snapshot")))
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
