//! `$explain`, an operation of this server for those who run it: how a search is understood and
//! run. Its parameters are those of the search.

use super::super::context::Context;
use super::super::outcome::{Content, Outcome};
use super::super::search;
use crate::access::Permit;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::interaction::{Handling, Operation, OperationScope, SearchScope};
use crate::storage::{Connection, ExplainedStatement};
use serde_json::{Value, json};

/// A Parameters about the first page of the search, which is run with the caller's own row
/// filter. Errors are those of the search.
pub async fn read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    operation: &Operation,
) -> Result<Outcome> {
    if operation.body.is_some() {
        let text = "$explain takes the parameters of a search in its URL, and no body";
        return Err(FhirError::at(IssueCode::NotSupported, "", text));
    }
    let scope = match &operation.scope {
        OperationScope::Type(resource_type) => SearchScope::Type(*resource_type),
        _ => SearchScope::System,
    };
    let plan = context.plan(&scope, &operation.parameters, Handling::Strict)?;
    let explained = context.store.explain(connection, permit, &plan).await?;
    if !context.store.is_plan_of_now(connection, &plan).await? {
        return Err(search::changed());
    }
    let applied: Vec<String> =
        plan.applied().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let types: Vec<&str> = plan.types.iter().map(|kind| kind.name()).collect();
    let asked = format!("{}?{}", types.join(","), applied.join("&"));
    let mut parameters = vec![
        json!({"name": "search", "valueString": asked}),
        json!({"name": "shape", "valueString": explained.shape}),
        json!({"name": "plannedOnce", "valueBoolean": explained.is_planned_once}),
        json!({"name": "idsMs", "valueDecimal": rounded(explained.ids_ms)}),
    ];
    parameters.extend(explained.statements.iter().map(statement));
    let answer = json!({"resourceType": "Parameters", "parameter": parameters});
    Ok(Outcome::ok(Content::Value(answer)).of_read())
}

fn statement(of: &ExplainedStatement) -> Value {
    json!({"name": "statement", "part": [
        {"name": "purpose", "valueCode": of.purpose},
        {"name": "sql", "valueString": of.sql},
        {"name": "estimatedRows", "valueDecimal": rounded(of.estimated_rows)},
        {"name": "rows", "valueDecimal": rounded(of.rows)},
        {"name": "planningMs", "valueDecimal": rounded(of.planning_ms)},
        {"name": "executionMs", "valueDecimal": rounded(of.execution_ms)},
        {"name": "pagesHit", "valueDecimal": rounded(of.hit)},
        {"name": "pagesRead", "valueDecimal": rounded(of.read)},
        {"name": "plan", "valueString": of.plan},
    ]})
}

/// To three digits.
fn rounded(value: f64) -> Value {
    let value = (value * 1000.0).round() / 1000.0;
    match value.fract() == 0.0 {
        true => json!(value as i64),
        false => json!(value),
    }
}
