//! read, vread and conditional read: <https://hl7.org/fhir/R4/http.html#read>.

use super::audit::trail;
use super::context::Context;
use super::outcome::{Content, Outcome, ResourceVersion};
use super::scope_queries;
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::interaction::Unless;
use crate::fhir::resource::{Id, ResourceKey};
use crate::storage::{Connection, Current, Stored};

/// 200 with the current version, 304 where the client has it, 404, or 410 with its ETag where
/// it was deleted.
pub async fn read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    wanted: (&ResourceKey, &Unless),
) -> Result<Outcome> {
    let current = context.store.current_on(connection, permit, wanted.0).await?;
    answer_current(context, current, (permit, wanted))
}

/// The same outside a transaction, together with what other requests read at the same time.
pub async fn read_alone(
    context: &Context,
    permit: &Permit,
    wanted: (&ResourceKey, &Unless),
) -> Result<Outcome> {
    let current = context.store.current(permit, wanted.0).await?;
    answer_current(context, current, (permit, wanted))
}

fn answer_current(
    context: &Context,
    current: Current,
    (permit, (key, unless)): (&Permit, (&ResourceKey, &Unless)),
) -> Result<Outcome> {
    match current {
        Current::Live(stored) => answer(context, stored, (permit, unless)),
        Current::Deleted(stored) => Err(FhirError::gone(key, stored.version)),
        Current::Absent => Err(FhirError::not_found(key)),
    }
}

/// The same for one version.
pub async fn vread(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    wanted: (&ResourceKey, &Id, &Unless),
) -> Result<Outcome> {
    let (key, version, unless) = wanted;
    let absent = || FhirError::not_found(format!("{key}/_history/{version}"));
    // Version ids are numbers from 1, written in one way.
    let number: i32 = version.as_str().parse().map_err(|_| absent())?;
    if number.to_string() != version.as_str() {
        return Err(absent());
    }
    let found = context.store.version(connection, permit, (key, number)).await?;
    let found = found.into_iter().map(|stored| (stored, ())).collect();
    let shown = scope_queries::shown(context, connection, permit, found).await?.pop();
    match shown.map(|(stored, ())| stored) {
        Some(stored) if stored.is_deleted => {
            Err(FhirError::gone(format!("{key} in version {version}"), stored.version))
        }
        Some(stored) => answer(context, stored, (permit, unless)),
        None => Err(absent()),
    }
}

fn answer(
    context: &Context,
    stored: Stored,
    (permit, unless): (&Permit, &Unless),
) -> Result<Outcome> {
    let shown = trail::shown(context, [&stored]);
    let is_known = unless.is_known(stored.version, stored.last_updated);
    let version = ResourceVersion {
        key: stored.key,
        version: stored.version,
        last_updated: stored.last_updated,
    };
    if is_known {
        let outcome = Outcome::ok(Content::None);
        return Ok(Outcome { status: 304, version: Some(version), shown, ..outcome });
    }
    let body = permit.redactor().shown(&version.key, stored.body)?;
    Ok(Outcome { version: Some(version), shown, ..Outcome::ok(Content::Json(body)) })
}
