//! Referential integrity, where the operator wants it: a written reference leads to a live
//! resource, and a resource that others refer to is not deleted.

use super::draft::Draft;
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, Issue, Result};
use crate::fhir::links;
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::storage::{Staged, Unit, Visible};

/// The resources of this server that a draft refers to, each with the type that refers.
pub fn targets(draft: &Draft) -> Vec<(String, ResourceKey)> {
    let Some(resource) = &draft.resource else { return Vec::new() };
    let own = draft.key.resource_type.name();
    links::local_targets(resource).into_iter().map(|key| (own.to_owned(), key)).collect()
}

/// Under the locks of the targets: 422 naming every one that cannot be resolved. A deleted,
/// a missing and an invisible one are the same.
pub async fn check(
    context: &Context,
    unit: &mut Unit,
    wanted: (&Permit, &[(String, ResourceKey)]),
) -> Result<()> {
    let (permit, targets) = wanted;
    let keys: Vec<ResourceKey> = targets.iter().map(|(_, key)| key.clone()).collect();
    let found = context.store.visible(unit.connection(), permit, &keys).await?;
    let missing: Vec<&(String, ResourceKey)> = targets
        .iter()
        .zip(found)
        .filter(|(_, visible)| !matches!(visible, Visible::Live(_)))
        .map(|(target, _)| target)
        .collect();
    let errors = missing.iter().map(|(own, key)| FhirError::unresolved(own, [key]));
    let issues: Vec<Issue> = errors.flat_map(|error| error.issues).collect();
    match issues.is_empty() {
        true => Ok(()),
        false => Err(FhirError::of_issues(ErrorKind::Unprocessable, issues)),
    }
}

/// 409 where a live resource outside the set refers to one that is to be deleted.
pub async fn check_deletes(
    context: &Context,
    unit: &mut Unit,
    (permit, staged): (&Permit, &[Staged]),
) -> Result<()> {
    let is_delete = |staged: &&Staged| staged.change.content.is_none();
    let deleted: Vec<i64> = staged.iter().filter(is_delete).map(|s| s.change.rid).collect();
    if deleted.is_empty() {
        return Ok(());
    }
    // What the same set writes is judged by what it becomes, not by what it was.
    let written: Vec<i64> = staged.iter().map(|staged| staged.change.rid).collect();
    let parameters = context.reference_parameters();
    let keys = (deleted.as_slice(), parameters.as_slice());
    let referrer = context.store.referrer(unit.connection(), keys, &written).await?;
    match referrer {
        None => Ok(()),
        Some((_, target)) if permit.guarded().is_some() => {
            // The caller may not see who does.
            let text = format!("Another resource refers to {target}: it cannot be deleted");
            Err(FhirError::conflict(text))
        }
        Some((key, target)) => {
            let text = format!("{key} refers to {target}, which can therefore not be deleted");
            Err(FhirError::conflict(text))
        }
    }
}
