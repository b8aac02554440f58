//! patch: <https://hl7.org/fhir/R4/http.html#patch>, and conditional patch.

use super::create::several_matches;
use super::update::check_guard;
use super::write::draft::{Draft, Found, Step};
use super::write::links::Resolved;
use super::write::prepare::storable;
use crate::config::Settings;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::WriteGuard;
use crate::fhir::json;
use crate::fhir::meta::is_same_content;
use crate::fhir::patch::{self, Patch};
use crate::fhir::resource::Resource;
use crate::fhir::validation;
use crate::storage::{Stored, Visible};
use serde_json::Value;
use std::borrow::Cow;

/// A version with the patch applied, valid as any other; nothing where it changes nothing.
/// `what` names the resource or the criteria in an error; links to entries of the same
/// transaction are replaced in what the patch brings.
pub fn prepare(
    what: &str,
    patch: &Patch,
    found: (Found, &WriteGuard),
    beside: (&Settings, &Resolved),
) -> Result<Step<'static>> {
    let (settings, links) = beside;
    let (found, guard) = found;
    let stored = current(what, found)?;
    check_guard(guard, Some(&stored))?;
    let before: Value = json::read_stored(&stored.body)?;
    let patched = patch::apply(patch, &before, &settings.limits)?;
    let patched = links.rewritten_patch(&before, patched)?;
    validated(stored, &before, patched, settings)
}

/// The one live version that is to be changed; 404, 410 or 412 where there is none.
pub fn current(what: &str, found: Found) -> Result<Stored> {
    match found {
        Found::Key(Visible::Live(stored)) => Ok(stored),
        Found::Key(Visible::Deleted(stored)) => Err(FhirError::gone(stored.key, stored.version)),
        Found::Key(_) | Found::Nothing => Err(FhirError::not_found(what)),
        Found::Matches(mut matches) => match (matches.pop(), matches.len()) {
            (None, _) => {
                let text = format!("No {what} matches the criteria");
                Err(FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text))
            }
            (Some(stored), 0) => Ok(stored),
            (Some(_), _) => Err(several_matches("criteria")),
        },
    }
}

/// The changed resource as a version, valid as any other; nothing where nothing changed.
pub fn validated(
    stored: Stored,
    before: &Value,
    patched: Value,
    settings: &Settings,
) -> Result<Step<'static>> {
    validation::validate(&patched, &settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::Unprocessable, issues))?;
    let resource = Resource::from_value(patched)?;
    let is_same_key = resource.resource_type() == stored.key.resource_type
        && resource.id().as_ref() == Some(&stored.key.id);
    if !is_same_key {
        let text = format!("A patch may not change that this is {}", stored.key);
        return Err(FhirError::unprocessable(IssueCode::BusinessRule, text));
    }
    let resource = storable(resource, &settings.base_url)?.resource;
    match is_same_content(before, resource.value()) {
        true => Ok(Step::Unchanged(stored)),
        false => Ok(Step::Change(Draft::replacing(stored, Cow::Owned(resource)))),
    }
}
