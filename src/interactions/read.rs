//! read, vread and conditional read: <https://hl7.org/fhir/R4/http.html#read>.

use super::audit::trail;
use super::context::Context;
use super::outcome::{Content, Outcome, ResourceVersion};
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
    let (key, _) = wanted;
    answer_current(context, context.store.current_on(connection, permit, key).await?, wanted)
}

/// The same outside a transaction, together with what other requests read at the same time.
pub async fn read_alone(
    context: &Context,
    permit: &Permit,
    wanted: (&ResourceKey, &Unless),
) -> Result<Outcome> {
    let (key, _) = wanted;
    answer_current(context, context.store.current(permit, key).await?, wanted)
}

fn answer_current(
    context: &Context,
    current: Current,
    wanted: (&ResourceKey, &Unless),
) -> Result<Outcome> {
    let (key, unless) = wanted;
    match current {
        Current::Live(stored) => Ok(answer(context, stored, unless)),
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
    match context.store.version(connection, permit, (key, number)).await? {
        Some(stored) if stored.is_deleted => {
            Err(FhirError::gone(format!("{key} in version {version}"), stored.version))
        }
        Some(stored) => Ok(answer(context, stored, unless)),
        None => Err(absent()),
    }
}

fn answer(context: &Context, stored: Stored, unless: &Unless) -> Outcome {
    let shown = trail::shown(context, [&stored]);
    let is_known = unless.is_known(stored.version, stored.last_updated);
    let version = ResourceVersion {
        key: stored.key,
        version: stored.version,
        last_updated: stored.last_updated,
    };
    match is_known {
        true => {
            Outcome { status: 304, version: Some(version), shown, ..Outcome::ok(Content::None) }
        }
        false => {
            let content = Content::Json(stored.body);
            Outcome { version: Some(version), shown, ..Outcome::ok(content) }
        }
    }
}
