//! Scopes with search parameters: their queries are planned as searches are, before the gate is
//! asked; versions without index rows are held against them one by one
//! (<https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>).

use super::context::Context;
use super::search::linked::{self, Asking, Version};
use crate::access::{Asker, Caller, Image, Permit, Principal, ScopeQuery};
use crate::error::{ErrorKind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Handling, SearchScope, decode_query};
use crate::fhir::resource::ResourceKey;
use crate::search::{IndexRows, Plan};
use crate::storage::{Connection, Stored};
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::sync::Arc;

/// Queries of one token that count; further ones give nothing.
const MOST_QUERIES: usize = 64;

/// Parameters that select nothing.
const OF_THE_ANSWER: [&str; 7] =
    ["_format", "_pretty", "_summary", "_elements", "_count", "_total", "_type"];

/// The asker with the queries of the scopes planned. A query that this server does not understand
/// stays as it is, and gives nothing.
pub async fn planned<'a>(context: &Context, asker: &'a Asker) -> Result<Cow<'a, Asker>> {
    let Caller::Principal(principal) = &asker.caller else { return Ok(Cow::Borrowed(asker)) };
    let unplanned = principal.scopes.unplanned();
    if unplanned.is_empty() || unplanned.len() > MOST_QUERIES {
        return Ok(Cow::Borrowed(asker));
    }
    let reach = Permit::reach_of(&asker.caller);
    let mut queries = Vec::new();
    for (resource_type, text) in unplanned {
        let Some(plan) = plan_of(context, resource_type, text) else { continue };
        match context.store.found_alone(&reach, &plan).await {
            Ok(found) => {
                let text = text.to_owned();
                queries.push(Arc::new(ScopeQuery { resource_type, text, plan, found }));
            }
            // It is about what may not be asked, or about more than this server looks at.
            Err(error) if error.kind.status() < 500 => {
                tracing::debug!(%error, "the query of a scope gives nothing");
            }
            Err(error) => return Err(error),
        }
    }
    let scopes = principal.scopes.clone().with_queries(queries);
    let principal = Principal { scopes, ..Principal::clone(principal) };
    let caller = Caller::Principal(Arc::new(principal));
    Ok(Cow::Owned(Asker { caller, origin: asker.origin.clone() }))
}

/// None for what is anything but criteria.
fn plan_of(context: &Context, resource_type: ResourceType, text: &str) -> Option<Plan> {
    let parameters = decode_query(text).ok()?;
    let scope = SearchScope::Type(resource_type);
    let plan = context.plan(&scope, &parameters, Handling::Strict).ok()?;
    let is_whole = parameters
        .iter()
        .all(|(name, value)| !value.is_empty() && !OF_THE_ANSWER.contains(&name.as_str()));
    (is_whole && plan.is_criteria_alone()).then_some(plan)
}

/// A version, and whom it is about.
struct Judged<'a> {
    key: &'a ResourceKey,
    rows: &'a IndexRows,
    rid: i64,
    last_updated: DateTime<Utc>,
}

/// Those of these versions that the scopes let be shown, in their order.
pub async fn shown<P>(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    versions: Vec<(Stored, P)>,
) -> Result<Vec<(Stored, P)>> {
    if permit.images().is_empty() {
        return Ok(versions);
    }
    let mut shown = Vec::new();
    for version in versions {
        let one = &version.0;
        let is_shown = match permit.images().of(one.key.resource_type) {
            None => true,
            // What a deletion was of is among the versions before it.
            Some(_) if one.is_deleted => false,
            Some(images) => {
                let rows = context.index_stored(one)?;
                let (key, rid, last_updated) = (&one.key, one.rid, one.last_updated);
                let judged = Judged { key, rows: &rows, rid, last_updated };
                is_one_of(context, connection, permit, (images, judged)).await?
            }
        };
        if is_shown {
            shown.push(version);
        }
    }
    Ok(shown)
}

/// Whether the scopes let a version be stored.
pub async fn may_be_stored(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    (images, key, rows): (&[Image], &ResourceKey, &IndexRows),
) -> Result<bool> {
    // It has no row yet that anything could refer to.
    let judged = Judged { key, rows, rid: 0, last_updated: context.clock.now() };
    is_one_of(context, connection, permit, (images, judged)).await
}

async fn is_one_of(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    (images, version): (&[Image], Judged<'_>),
) -> Result<bool> {
    for Image { about, query } in images {
        let subjects = &version.rows.subjects;
        let is_about = |patient: &ResourceKey| subjects.is_empty() || subjects.contains(patient);
        if !about.as_ref().is_none_or(is_about) {
            continue;
        }
        let is_found = match query {
            None => true,
            Some(query) => finds(context, connection, permit, (query, &version)).await?,
        };
        if is_found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the query finds the version; what cannot be told is not found.
async fn finds(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    (query, judged): (&ScopeQuery, &Judged<'_>),
) -> Result<bool> {
    let version = Version {
        rid: judged.rid,
        key: judged.key,
        rows: judged.rows,
        container: judged.rid,
        last_updated: judged.last_updated,
        contained: &judged.rows.contained,
    };
    let plan = &query.plan;
    let reaching = permit.reaching();
    let asking = Asking { store: &context.store, permit: &reaching, plan };
    let links = plan.links();
    let answers = match links.is_empty() {
        true => Vec::new(),
        false => match linked::answers(asking, connection, (links, vec![version])).await {
            Err(error) if error.kind == ErrorKind::Gone => return Ok(false),
            answers => answers?,
        },
    };
    let links = linked::of_version(&answers, version.rid);
    Ok(plan.has_criteria() && plan.holds(&version.known(&links)) == Some(true))
}
