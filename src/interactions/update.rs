//! update: <https://hl7.org/fhir/R4/http.html#update>, update as create (#upsert) and
//! conditional update (#cond-update).

use super::create::several_matches;
use super::write::draft::{Draft, Found, Step};
use crate::access::{Permit, Role};
use crate::config::Settings;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::interaction::WriteGuard;
use crate::fhir::json;
use crate::fhir::meta::{carry_over, is_same_content};
use crate::fhir::resource::{Resource, ResourceKey};
use crate::storage::{Stored, Visible};
use serde_json::Value;
use std::borrow::Cow;

/// Whether PUT may create a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Upsert<'a> {
    Allowed,
    /// By nobody.
    Refused,
    /// Under ids of this prefix.
    WithPrefix(&'a str),
    /// Not by this caller: to him a missing resource is as an invisible one.
    Never,
    /// Nor under an id of the server's: he may create no resource of the type.
    NoCreate,
}

impl<'a> Upsert<'a> {
    /// Users do not choose ids, and systems do within the prefix that they are registered with
    /// (SECURITY.md 2.5).
    pub fn of(settings: &Settings, permit: &'a Permit) -> Upsert<'a> {
        if permit.guarded().is_some_and(|guarded| !guarded.may_create) {
            return Upsert::NoCreate;
        }
        let writer = permit.writer();
        match (settings.update_creates, writer.role) {
            (false, None) => Upsert::Refused,
            (true, None | Some(Role::Admin | Role::Registrar)) => Upsert::Allowed,
            (true, Some(Role::EhrSystem)) => match writer.id_prefix.as_deref() {
                Some(prefix) if !prefix.is_empty() => Upsert::WithPrefix(prefix),
                _ => Upsert::Never,
            },
            _ => Upsert::Never,
        }
    }
}

/// A new version; nothing where the content is the same; a new resource where there is none.
pub fn prepare<'a>(
    key: ResourceKey,
    resource: Cow<'a, Resource>,
    found: (Found, &WriteGuard),
    upsert: Upsert<'_>,
) -> Result<Step<'a>> {
    let (found, guard) = found;
    match found {
        Found::Nothing => Ok(Step::Change(Draft::new(key, resource))),
        Found::Key(visible) => of_key(key, resource, (visible, guard), upsert),
        Found::Matches(mut matches) => match (matches.pop(), matches.len()) {
            (None, _) => of_key(key, resource, (Visible::Absent { stub: None }, guard), upsert),
            (Some(stored), 0) => {
                if resource.id().is_some_and(|id| id != stored.key.id) {
                    let text = format!("The criteria match {}, another id", stored.key);
                    return Err(FhirError::invalid_value(
                        format!("{}.id", key.resource_type),
                        text,
                    ));
                }
                replace(stored, resource, guard)
            }
            (Some(_), _) => Err(several_matches("criteria")),
        },
    }
}

fn of_key<'a>(
    key: ResourceKey,
    resource: Cow<'a, Resource>,
    found: (Visible, &WriteGuard),
    upsert: Upsert<'_>,
) -> Result<Step<'a>> {
    let (visible, guard) = found;
    let has_client_id = resource.id().is_some();
    let upsert = match upsert {
        Upsert::NoCreate => Upsert::NoCreate,
        _ if !has_client_id => Upsert::Allowed,
        Upsert::WithPrefix(prefix) if key.id.as_str().starts_with(prefix) => Upsert::Allowed,
        other => other,
    };
    match visible {
        Visible::Live(stored) => replace(stored, resource, guard),
        Visible::Deleted(stored) if [Upsert::Never, Upsert::NoCreate].contains(&upsert) => {
            Err(FhirError::gone(stored.key, stored.version))
        }
        // An update brings a deleted resource back (http.html#delete).
        Visible::Deleted(stored) => {
            check_guard(guard, None)?;
            Ok(Step::Change(Draft::replacing(stored, resource)))
        }
        Visible::Absent { stub } if upsert == Upsert::Allowed => {
            check_guard(guard, None)?;
            Ok(Step::Change(Draft { has_client_id, stub, ..Draft::new(key, resource) }))
        }
        // Whether such a resource exists is none of the caller's business.
        Visible::Absent { .. } | Visible::Hidden if let Upsert::WithPrefix(prefix) = upsert => {
            let text = format!("Ids that you may choose begin with {prefix}");
            let issue =
                Issue::error(IssueCode::BusinessRule, format!("{}.id", key.resource_type), text);
            Err(FhirError::of_issues(ErrorKind::Unprocessable, vec![issue]))
        }
        Visible::Absent { .. } if upsert == Upsert::NoCreate && !has_client_id => {
            let text = "Nothing matches the criteria that you may change";
            Err(FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text))
        }
        Visible::Absent { .. } if [Upsert::Never, Upsert::NoCreate].contains(&upsert) => {
            Err(FhirError::not_found(key))
        }
        Visible::Absent { .. } => {
            let text = format!("{key} does not exist, and clients may not choose ids here");
            let kind = ErrorKind::MethodNotAllowed;
            let error = FhirError::new(kind, IssueCode::NotSupported, text);
            Err(FhirError { allow: &["GET", "HEAD", "PATCH", "DELETE"], ..error })
        }
        Visible::Hidden => Err(FhirError::not_found(key)),
    }
}

/// 409 for a conditional update whose criteria match nothing while the id of its body is of a
/// resource that is there: R4 has it create that id (http.html#cond-update), and to overwrite
/// what the client did not select would lose it. R5 says 409 in so many words.
pub fn id_is_taken(key: &ResourceKey) -> FhirError {
    let text = format!("The criteria match nothing, and {key} exists: it is not overwritten");
    let expression = format!("{}.id", key.resource_type);
    let issue = Issue::error(IssueCode::Conflict, expression, text);
    FhirError::of_issues(ErrorKind::Conflict, vec![issue])
}

/// A version after a live one; nothing where it says the same.
pub fn replace<'a>(
    stored: Stored,
    resource: Cow<'a, Resource>,
    guard: &WriteGuard,
) -> Result<Step<'a>> {
    check_guard(guard, Some(&stored))?;
    let before: Value = json::read_stored(&stored.body)?;
    let mut resource = resource;
    if !before["meta"]["tag"].is_null() || !before["meta"]["security"].is_null() {
        carry_over(resource.to_mut(), &before);
    }
    match is_same_content(&before, resource.value()) {
        true => Ok(Step::Unchanged(stored)),
        false => Ok(Step::Change(Draft::replacing(stored, resource))),
    }
}

/// 412 where `If-Match` names no version that is there, or `If-None-Match: *` finds one.
pub fn check_guard(guard: &WriteGuard, stored: Option<&Stored>) -> Result<()> {
    if guard.if_none_match_any
        && let Some(stored) = stored
    {
        let text = format!("{} exists already, and If-None-Match is *", stored.key);
        return Err(FhirError::precondition_failed(text));
    }
    let is_met = match (&guard.if_match, stored) {
        _ if guard.if_match_any => stored.is_some(),
        (None, _) => true,
        (Some(if_match), Some(stored)) => if_match.admits(stored.version),
        (Some(_), None) => false,
    };
    match (is_met, stored) {
        (true, _) => Ok(()),
        (false, Some(stored)) => {
            let text = format!("The current version of {} is {}", stored.key, stored.version);
            Err(FhirError::precondition_failed(text))
        }
        (false, None) => {
            Err(FhirError::precondition_failed("There is no current version to match"))
        }
    }
}
