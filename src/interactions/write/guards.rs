//! What the guards of `access` ask about a set of writes: behind which references there is
//! something that the writer sees, and which rows he may change. A statement for the references
//! of all writes that are permitted alike, and one for the rows where more is seen than may be
//! changed.

use super::WriteSet;
use super::draft::{Act, Draft, Step, Target as TargetOfWrite, Write};
use super::drafts;
use crate::access::Permit;
use crate::access::guard::{self, Guard, Guarded, Question, Target, Version};
use crate::error::{FhirError, Result};
use crate::fhir::json;
use crate::fhir::links;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::interactions::context::Context;
use crate::interactions::scope_queries;
use crate::storage::{Connection, Visible};
use serde_json::Value;
use std::collections::HashMap;

type Targets = HashMap<ResourceKey, Target>;

/// 403 or 422 for the first write that its guard refuses. Nothing is asked of the database where
/// no guard holds the writer.
pub async fn check(context: &Context, set: &WriteSet, steps: &[Step<'_>]) -> Result<()> {
    let judged = judged(context, set, steps)?;
    if judged.is_empty() {
        return Ok(());
    }
    let written: Vec<&ResourceKey> =
        drafts(steps).filter(|draft| draft.resource.is_some()).map(|draft| &draft.key).collect();
    let mut connection = context.store.connection().await?;
    let mut permits: Vec<(&Permit, Known)> = Vec::new();
    for one in &judged {
        if permits.iter().any(|(permit, _)| *permit == one.permit) {
            continue;
        }
        let of = judged.iter().filter(|other| other.permit == one.permit);
        let brought = of.flat_map(|judged| judged.brought.iter().cloned());
        let targets = targets(context, &mut connection, (one.permit, &written), brought).await?;
        let keys = judged.iter().filter(|other| other.permit == one.permit);
        let keys = keys.filter(|judged| judged.before.is_some()).map(|judged| judged.key.clone());
        let refused = refused(context, &mut connection, (one.permit, keys.collect())).await?;
        let carers = match one.guarded.guard {
            Guard::CareTeam => {
                let patients = &one.permit.writer().patients;
                context.store.carers(&mut connection, patients).await?
            }
            _ => Vec::new(),
        };
        permits.push((one.permit, Known { targets, refused, carers }));
    }
    check_images(context, &mut connection, &judged).await?;
    connection.release();
    for one in &judged {
        if let Some((_, known)) = permits.iter().find(|(permit, _)| *permit == one.permit) {
            one.check(context, known).map_err(|error| one.placed(error))?;
        }
    }
    Ok(())
}

/// What a guard holds the writer of, with the Provenance of a header.
fn judged<'a>(context: &Context, set: &'a WriteSet, steps: &[Step<'_>]) -> Result<Vec<Judged<'a>>> {
    let of_writes = set.writes.iter().map(|write| (&write.permit, Some(write)));
    let of_header = set.provenance.iter().map(|provenance| (&provenance.permit, None));
    let mut judged = Vec::new();
    for ((permit, write), step) in of_writes.chain(of_header).zip(steps) {
        let Some(guarded) = permit.guarded() else { continue };
        for draft in drafts(std::slice::from_ref(step)) {
            judged.push(Judged { write, ..Judged::of(context, (permit, guarded), draft)? });
        }
    }
    Ok(judged)
}

/// 403 for the first version that the scopes do not let be stored: one about another patient than
/// that in context, or that their queries do not find.
async fn check_images(
    context: &Context,
    connection: &mut Connection,
    judged: &[Judged<'_>],
) -> Result<()> {
    for one in judged {
        let images = match one.before {
            None => one.permit.images_of_new(),
            Some(_) => one.permit.images(),
        };
        let (Some(images), Some(after)) = (images.of(one.key.resource_type), &one.after) else {
            continue;
        };
        let rows = context.index(&one.key, &Resource::from_value(after.clone())?);
        let version = (images, &one.key, &rows);
        if !scope_queries::may_be_stored(context, connection, one.permit, version).await? {
            let text = "The scopes of the token do not let such a resource be written";
            let refused = FhirError::insufficient_scope(text);
            return Err(one.placed(refused));
        }
    }
    Ok(())
}

/// What was looked up for the bearer of a permit.
struct Known {
    targets: Targets,
    /// What may be seen and not be changed.
    refused: Vec<ResourceKey>,
    carers: Vec<ResourceKey>,
}

/// A draft as a guard sees it.
struct Judged<'a> {
    permit: &'a Permit,
    guarded: Guarded,
    /// None for the Provenance of a header.
    write: Option<&'a Write>,
    key: ResourceKey,
    before: Option<Value>,
    subjects_before: Vec<ResourceKey>,
    after: Option<Value>,
    subjects: Vec<ResourceKey>,
    /// Resources of this server that the write newly names.
    brought: Vec<ResourceKey>,
}

impl<'a> Judged<'a> {
    fn of(
        context: &Context,
        (permit, guarded): (&'a Permit, Guarded),
        draft: &Draft<'_>,
    ) -> Result<Judged<'a>> {
        let subjects = |resource: &Resource| {
            let settings = &context.index_settings;
            context.registry.subjects_of(&draft.key, resource, settings)
        };
        let stored = draft.before.as_ref().filter(|stored| !stored.is_deleted);
        let before = stored.map(|stored| json::read_stored(&stored.body)).transpose()?;
        let before = before.map(Resource::from_value).transpose()?;
        let after = draft.resource.as_deref();
        let known = before.as_ref().map(targets_of).unwrap_or_default();
        let mut brought = after.map(targets_of).unwrap_or_default();
        brought.retain(|key| !known.contains(key) && *key != draft.key);
        Ok(Judged {
            permit,
            guarded,
            write: None,
            key: draft.key.clone(),
            subjects_before: before.as_ref().map(subjects).unwrap_or_default(),
            before: before.map(Resource::into_value),
            subjects: after.map(subjects).unwrap_or_default(),
            after: after.map(|resource| resource.value().clone()),
            brought,
        })
    }

    /// The error with the place of what is judged.
    fn placed(&self, error: FhirError) -> FhirError {
        match self.write {
            Some(write) => write.placed(error),
            None => error.within("http.X-Provenance"),
        }
    }

    fn check(&self, context: &Context, known: &Known) -> Result<()> {
        let writer = self.permit.writer();
        let of = |key: &ResourceKey| Some((key.clone(), known.targets.get(key)?.clone()));
        let targets: Targets = self.brought.iter().filter_map(of).collect();
        let version = |(value, subjects)| Version { value, subjects };
        let question = Question {
            writer,
            guarded: self.guarded,
            key: &self.key,
            before: self.before.as_ref().map(|value| version((value, &self.subjects_before))),
            after: self.after.as_ref().map(|value| version((value, &self.subjects))),
            is_changeable: !known.refused.contains(&self.key),
            targets: &targets,
            carers: &known.carers,
            patient_reported: &context.settings.patient_reported,
        };
        guard::check(&question)
    }
}

/// What a resource refers to, and what is attached to it.
fn targets_of(resource: &Resource) -> Vec<ResourceKey> {
    let mut targets = links::local_targets(resource);
    targets.extend(links::attached(resource));
    targets.sort();
    targets.dedup();
    targets
}

/// Those of the rows that the bearer of the permit sees and may not change.
async fn refused(
    context: &Context,
    connection: &mut Connection,
    (permit, mut keys): (&Permit, Vec<ResourceKey>),
) -> Result<Vec<ResourceKey>> {
    let changing = permit.changing();
    if changing.filter() == permit.filter() {
        return Ok(Vec::new());
    }
    let found = context.store.visible(connection, &changing, &keys).await?;
    let mut found = found.iter();
    keys.retain(|_| !matches!(found.next(), Some(Visible::Live(_))));
    Ok(keys)
}

/// What is behind these references for the bearer of the permit.
async fn targets(
    context: &Context,
    connection: &mut Connection,
    (permit, written): (&Permit, &[&ResourceKey]),
    brought: impl Iterator<Item = ResourceKey>,
) -> Result<Targets> {
    let mut targets = Targets::new();
    let mut sought: Vec<ResourceKey> = Vec::new();
    for key in brought {
        match written.contains(&&key) {
            true => drop(targets.insert(key, Target::Written)),
            false => sought.push(key),
        }
    }
    sought.sort();
    sought.dedup();
    let found = context.store.visible(connection, &permit.reaching(), &sought).await?;
    for (key, visible) in sought.into_iter().zip(found) {
        let target = match visible {
            Visible::Live(stored) => Target::Live(json::read_stored(&stored.body)?),
            Visible::Deleted(_) | Visible::Absent { .. } | Visible::Hidden => Target::Absent,
        };
        targets.insert(key, target);
    }
    Ok(targets)
}

/// 403 for a change or delete of what is kept as it is, before any data is read.
pub fn check_kept(permit: &Permit, target: &TargetOfWrite, act: &Act) -> Result<()> {
    let resource_type = match target {
        TargetOfWrite::New(key) | TargetOfWrite::Key(key) => key.resource_type,
        TargetOfWrite::Criteria(criteria) => criteria.assigned.resource_type,
    };
    match (permit.guarded(), act) {
        (None, _) | (_, Act::Create(_)) => Ok(()),
        (Some(_), _) => guard::check_kept(resource_type.name()),
    }
}
