//! How a search is run: each of its statements under `explain (analyze, buffers)`, with the row
//! filter that it carries. What is told of the plan names tables, indexes and figures; conditions
//! hold values, and are left out.

use super::{INCLUDED, Query, Reads, Store, refuse_large_sort};
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::search::{Plan, Total};
use crate::storage::failure::of_sqlx;
use crate::storage::statement::Statement;
use crate::storage::store::Connection;
use serde_json::Value;
use std::time::Instant;

/// A search that was run to be explained.
#[derive(Debug)]
pub struct Explained {
    /// What selects the rows: which index leads.
    pub shape: &'static str,
    /// True where the database plans once for all values; the plan told is the one for these.
    pub is_planned_once: bool,
    /// Milliseconds that the ids of coded values and references took.
    pub ids_ms: f64,
    pub statements: Vec<ExplainedStatement>,
}

/// One statement, with what the database says of it.
#[derive(Debug)]
pub struct ExplainedStatement {
    /// `page`, `total` or `estimate`.
    pub purpose: &'static str,
    /// With placeholders for all values.
    pub sql: String,
    pub estimated_rows: f64,
    pub rows: f64,
    pub planning_ms: f64,
    pub execution_ms: f64,
    /// Pages of the database found in memory, and read.
    pub hit: f64,
    pub read: f64,
    /// A line for each node, indented.
    pub plan: String,
}

impl Store {
    /// Runs the statements of a search of its first page for their figures; its rows are thrown
    /// away. Errors as those of [`Store::search`].
    pub async fn explain(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        plan: &Plan,
    ) -> Result<Explained> {
        let begun = Instant::now();
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let ids_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let query = Query::of(plan, &found, permit);
        let mut statements = Vec::new();
        let limit = i64::from(plan.count) + 1;
        if plan.count > 0 {
            for statement in query.page_plans(limit) {
                refuse_large_sort(connection, statement, plan.most_sorted).await?;
            }
            let statement = match plan.includes.is_empty() {
                true => query.page(limit),
                false => query.page_with_includes(limit, INCLUDED as i64),
            };
            statements.push(run(connection, "page", statement).await?);
        }
        // A first page that is not full is the whole result.
        let is_whole = statements.iter().any(|page| page.rows < limit as f64);
        match plan.total {
            Total::Accurate if !is_whole || !plan.includes.is_empty() => {
                statements.push(run(connection, "total", query.count()).await?);
            }
            Total::Estimate if !is_whole => {
                statements.push(planned(connection, query.estimate()).await?);
            }
            _ => {}
        }
        let is_planned_once = plan.is_settled();
        Ok(Explained { shape: query.shape(), is_planned_once, ids_ms, statements })
    }
}

async fn run(
    connection: &mut Connection,
    purpose: &'static str,
    statement: Statement,
) -> Result<ExplainedStatement> {
    let (sql, arguments) = statement.into_parts().map_err(FhirError::internal)?;
    let text = format!("explain (analyze, buffers, format json) {sql}");
    let answer = ask(connection, text, arguments).await?;
    Ok(of_answer(purpose, sql, &answer))
}

/// An estimate is asked of the planner, and never run.
async fn planned(connection: &mut Connection, statement: Statement) -> Result<ExplainedStatement> {
    let (sql, arguments) = statement.into_parts().map_err(FhirError::internal)?;
    let answer = ask(connection, sql.clone(), arguments).await?;
    Ok(of_answer("estimate", sql, &answer))
}

async fn ask(
    connection: &mut Connection,
    text: String,
    arguments: sqlx::postgres::PgArguments,
) -> Result<Value> {
    let query = sqlx::query_scalar_with(sqlx::AssertSqlSafe(text), arguments);
    let answer: Value = query.persistent(false).fetch_one(connection).await.map_err(of_sqlx)?;
    Ok(answer.get(0).cloned().unwrap_or_default())
}

fn of_answer(purpose: &'static str, sql: String, answer: &Value) -> ExplainedStatement {
    let root = &answer["Plan"];
    let mut plan = String::new();
    push_node(&mut plan, root, 0);
    ExplainedStatement {
        purpose,
        sql,
        estimated_rows: figure(root, "Plan Rows"),
        rows: figure(root, "Actual Rows"),
        planning_ms: figure(answer, "Planning Time"),
        execution_ms: figure(answer, "Execution Time"),
        hit: figure(root, "Shared Hit Blocks"),
        read: figure(root, "Shared Read Blocks"),
        plan,
    }
}

fn figure(node: &Value, name: &str) -> f64 {
    node.get(name).and_then(Value::as_f64).unwrap_or_default()
}

/// Depth of a plan that is told.
const DEPTH: usize = 40;

/// Rows are those of each loop, as the database counts them.
fn push_node(text: &mut String, node: &Value, depth: usize) {
    let name = |name: &str| node.get(name).and_then(Value::as_str);
    text.push_str(&"  ".repeat(depth));
    text.push_str(name("Node Type").unwrap_or_default());
    for part in ["Index Name", "Relation Name", "CTE Name"].iter().filter_map(|one| name(one)) {
        text.push(' ');
        text.push_str(part);
    }
    let (expected, rows) = (figure(node, "Plan Rows"), figure(node, "Actual Rows"));
    let (loops, ms) = (figure(node, "Actual Loops"), figure(node, "Actual Total Time"));
    let pages = figure(node, "Shared Hit Blocks") + figure(node, "Shared Read Blocks");
    text.push_str(&format!(
        ": {rows} rows, {expected} expected, {loops} loops, {ms:.3} ms, {pages} pages\n"
    ));
    let below = node.get("Plans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if depth < DEPTH {
        below.iter().for_each(|node| push_node(text, node, depth + 1));
    }
}
