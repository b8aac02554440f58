//! `$index-status` of SearchParameter, an operation of this server: how far the rows of custom
//! search parameters are. Of all, or of one.

use super::super::context::Context;
use super::super::outcome::{Content, Outcome};
use super::meta::input;
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Operation, OperationScope};
use crate::fhir::json;
use crate::fhir::resource::{Id, ResourceKey};
use crate::fhir::types::format_instant;
use crate::search::is_of_r4;
use crate::storage::{BuildStatus, Connection, Current, Visible};
use serde_json::{Value, json};

/// Parameters of one answer.
const MOST: i64 = 1_000;

/// A Parameters with one `status` for each custom parameter whose SearchParameter the caller may
/// see. 404 for one that is not there.
pub async fn read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    operation: &Operation,
) -> Result<Outcome> {
    input(context, operation, &[])?;
    let store = &context.store;
    let parts = match &operation.scope {
        OperationScope::Instance(key) => {
            let current = store.current_on(connection, permit, key).await?;
            let other = match current {
                Current::Absent => return Err(FhirError::not_found(key)),
                Current::Deleted(_) => "deleted",
                Current::Live(stored) => match json::read_stored(&stored.body)? {
                    body if is_of_r4(&body) == Some(true) => "ready",
                    _ => "not-active",
                },
            };
            let found = store.build_status(connection, Some(key.id.as_str()), MOST).await?;
            match found.is_empty() {
                true => vec![json!([
                    {"name": "resource", "valueReference": {"reference": key.to_string()}},
                    {"name": "state", "valueCode": other},
                ])],
                false => found.iter().map(|status| parts(key, status)).collect(),
            }
        }
        _ => {
            let found = store.build_status(connection, None, MOST).await?;
            visible(context, connection, permit, &found).await?
        }
    };
    let status = |parts: Value| json!({"name": "status", "part": parts});
    let parameters: Vec<Value> = parts.into_iter().map(status).collect();
    let mut answer = json!({"resourceType": "Parameters"});
    if !parameters.is_empty() {
        answer["parameter"] = parameters.into();
    }
    Ok(Outcome::ok(Content::Value(answer)).of_read())
}

/// The parts of those whose SearchParameter the caller may see.
async fn visible(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    found: &[BuildStatus],
) -> Result<Vec<Value>> {
    let resource_type = ResourceType::parse("SearchParameter");
    let key = |status: &BuildStatus| {
        let names = resource_type.zip(Id::parse(&status.resource));
        names.map(|(resource_type, id)| ResourceKey::new(resource_type, id))
    };
    let keys: Vec<ResourceKey> = found.iter().filter_map(key).collect();
    let seen = context.store.visible(connection, permit, &keys).await?;
    let all = found.iter().zip(keys.iter().zip(seen));
    let may_see = all.filter(|(_, (_, visible))| !matches!(visible, Visible::Hidden));
    Ok(may_see.map(|(status, (key, _))| parts(key, status)).collect())
}

fn parts(key: &ResourceKey, status: &BuildStatus) -> Value {
    let mut parts = vec![
        json!({"name": "resource", "valueReference": {"reference": key.to_string()}}),
        json!({"name": "url", "valueUri": status.url}),
        json!({"name": "code", "valueCode": status.code}),
        json!({"name": "state", "valueCode": status.state}),
        json!({"name": "seen", "valueDecimal": status.seen}),
        json!({"name": "indexed", "valueDecimal": status.indexed}),
        json!({"name": "started", "valueInstant": format_instant(status.started)}),
        json!({"name": "isWorkedOn", "valueBoolean": status.is_worked_on}),
    ];
    if let Some(total) = status.total {
        parts.push(json!({"name": "total", "valueDecimal": total.max(status.seen)}));
    }
    if let Some(finished) = status.finished {
        parts.push(json!({"name": "finished", "valueInstant": format_instant(finished)}));
    }
    parts.into()
}
