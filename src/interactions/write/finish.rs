//! From steps to changes and answers: ids, versions, instants and JSON are set here.

use super::draft::{Draft, Step};
use crate::error::{FhirError, Result};
use crate::fhir::json;
use crate::fhir::meta::stamped_json;
use crate::fhir::resource::Resource;
use crate::interactions::context::Context;
use crate::interactions::outcome::{Content, Outcome, ResourceVersion};
use crate::search::IndexRows;
use crate::storage::{Before, Change, Content as NewContent, Stored};
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};

/// What the changes of one set share.
struct Place {
    rids: std::vec::IntoIter<i64>,
    instant: DateTime<Utc>,
    /// Each JSON is written here, and kept at its size.
    json: Vec<u8>,
}

/// Changes to apply, and the answer to each step in case they are.
pub async fn finish(
    context: &Context,
    steps: Vec<Step<'_>>,
    instant: DateTime<Utc>,
) -> Result<(Vec<Change>, Vec<Outcome>)> {
    let needs_rid = |draft: &Draft| draft.before.is_none() && draft.stub.is_none();
    let new = super::drafts(&steps).filter(|draft| needs_rid(draft)).count();
    let rids = context.store.allocate_rids(new).await?.into_iter();
    let mut changes = Vec::with_capacity(steps.len());
    let mut outcomes = Vec::with_capacity(steps.len());
    let mut place = Place { rids, instant, json: Vec::with_capacity(4096) };
    for step in steps {
        outcomes.push(match step {
            Step::Unchanged(stored) => unchanged(stored),
            Step::Nothing => Outcome::no_content(None),
            Step::Change(draft) => {
                let (change, outcome) = change(context, draft, &mut place)?;
                changes.push(change);
                outcome
            }
            Step::Deletes(drafts) => {
                for draft in drafts {
                    changes.push(change(context, draft, &mut place)?.0);
                }
                Outcome::no_content(None)
            }
        });
    }
    Ok((changes, outcomes))
}

fn unchanged(stored: Stored) -> Outcome {
    let version = ResourceVersion {
        key: stored.key,
        version: stored.version,
        last_updated: stored.last_updated,
    };
    let content = Content::Json(stored.body);
    Outcome { version: Some(version), ..Outcome::ok(content) }
}

fn change(context: &Context, draft: Draft<'_>, place: &mut Place) -> Result<(Change, Outcome)> {
    let rid = match (&draft.before, draft.stub) {
        (Some(stored), _) => stored.rid,
        (None, Some(stub)) => stub,
        (None, None) => place.rids.next().ok_or_else(|| FhirError::internal("too few rids"))?,
    };
    let version = draft.before.as_ref().map_or(1, |stored| stored.version + 1);
    // lastUpdated of one resource only grows, whatever the clocks of the nodes say.
    let last_updated = match &draft.before {
        Some(stored) => place.instant.max(stored.last_updated + Duration::milliseconds(1)),
        None => place.instant,
    };
    let before = draft.before.as_ref().map(|stored| indexed_before(context, stored)).transpose()?;
    let is_live = draft.before.as_ref().is_some_and(|stored| !stored.is_deleted);
    let resource_version = ResourceVersion { key: draft.key.clone(), version, last_updated };
    let (content, outcome) = match &draft.resource {
        None => (None, Outcome::no_content(Some(resource_version))),
        Some(resource) => {
            stamped_json(&mut place.json, resource, &draft.key.id, (version, last_updated));
            let json = Bytes::copy_from_slice(&place.json);
            let outcome = Outcome {
                status: if is_live { 200 } else { 201 },
                version: Some(resource_version),
                is_created: !is_live,
                ..Outcome::ok(Content::Json(json.clone()))
            };
            let rows = context.index(&draft.key, resource);
            (Some(NewContent { json, rows }), outcome)
        }
    };
    let adopts_stub = draft.stub.is_some() && draft.before.is_none();
    let key = draft.key;
    let change = Change {
        rid,
        key,
        version,
        last_updated,
        adopts_stub,
        before,
        content,
        definitions: context.registry.number(),
        writer: draft.writer.unwrap_or_default(),
    };
    Ok((change, outcome))
}

/// What is indexed of the version that is replaced.
fn indexed_before(context: &Context, stored: &Stored) -> Result<Before> {
    let unknown = || FhirError::internal("a version to be replaced was read without generation");
    let generation = stored.generation.ok_or_else(unknown)?;
    if stored.is_deleted {
        return Ok(Before { rows: IndexRows::default(), generation, is_unsettled: false });
    }
    let value = json::read_stored(&stored.body)?;
    let rows = context.index(&stored.key, &Resource::from_value(value)?);
    let contained = rows.contained.iter().map(|one| one.key.resource_type);
    let mut types = contained.chain([stored.key.resource_type]);
    let is_unsettled = types.any(|kind| context.registry.is_unsettled(kind));
    Ok(Before { rows, generation, is_unsettled })
}
