//! What a path names, whatever the method: the URL column of
//! <https://hl7.org/fhir/R4/http.html#summary>.

use super::{HistoryScope, Method, OperationRow, OperationScope, SearchScope, parameters};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::resource::{Id, ResourceKey};

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    Base,
    Metadata,
    Type(ResourceType),
    Instance(ResourceKey),
    Version(ResourceKey, Id),
    Compartment(ResourceKey, Option<ResourceType>),
    /// `_search`, for POST.
    Search(SearchScope),
    History(HistoryScope),
    Operation(OperationScope, &'static OperationRow),
}

/// The methods that a path after the base takes, for `Allow`. Errors are those of the path when
/// it is asked with `method`: 404 where nothing is there, 400 where a write could never be.
pub fn allowed_methods(path: &str, method: Method) -> Result<&'static [&'static str]> {
    Ok(Target::parse(path, method)?.allowed_methods())
}

impl Target {
    /// The thing at a percent-encoded path after the base. 404 where nothing can be there; 400
    /// for broken encoding, and for an impossible id where the method would write to it.
    pub(super) fn parse(path: &str, method: Method) -> Result<Target> {
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            [] => Ok(Target::Base),
            [name] => at_system(name),
            [kind, name] => at_type(resource_type(kind)?, name, method),
            [kind, id, rest @ ..] => {
                let resource_type = resource_type(kind)?;
                at_instance(ResourceKey::new(resource_type, logical_id(id, method)?), rest)
            }
        }
    }

    pub(super) fn allowed_methods(&self) -> &'static [&'static str] {
        match self {
            Target::Base => &["GET", "HEAD", "POST"],
            Target::Type(_) => &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            Target::Instance(_) => &["GET", "HEAD", "PUT", "PATCH", "DELETE"],
            Target::Search(_) => &["POST"],
            Target::Operation(_, row) => row.allowed_methods(),
            Target::Metadata
            | Target::Version(..)
            | Target::Compartment(..)
            | Target::History(_) => &["GET", "HEAD"],
        }
    }
}

fn at_system(name: &str) -> Result<Target> {
    match name {
        "metadata" => Ok(Target::Metadata),
        "_search" => Ok(Target::Search(SearchScope::System)),
        "_history" => Ok(Target::History(HistoryScope::System)),
        _ => match name.strip_prefix('$') {
            Some(name) => operation(OperationScope::System, name),
            None => Ok(Target::Type(resource_type(name)?)),
        },
    }
}

fn at_type(resource_type: ResourceType, name: &str, method: Method) -> Result<Target> {
    match name {
        "_search" => Ok(Target::Search(SearchScope::Type(resource_type))),
        "_history" => Ok(Target::History(HistoryScope::Type(resource_type))),
        _ => match name.strip_prefix('$') {
            Some(name) => operation(OperationScope::Type(resource_type), name),
            None => {
                let id = logical_id(name, method)?;
                Ok(Target::Instance(ResourceKey::new(resource_type, id)))
            }
        },
    }
}

fn at_instance(key: ResourceKey, rest: &[&str]) -> Result<Target> {
    match rest {
        ["_history"] => Ok(Target::History(HistoryScope::Instance(key))),
        ["_history", version] => match Id::parse(version) {
            Some(version) => Ok(Target::Version(key, version)),
            None => Err(FhirError::not_found(format_args!("{key}/_history/{version}"))),
        },
        ["_history", version, name] if name.starts_with('$') => match Id::parse(version) {
            Some(version) => operation(OperationScope::Version(key, version), &name[1..]),
            None => Err(FhirError::not_found(format_args!("{key}/_history/{version}"))),
        },
        ["_search"] => compartment(key, "*").map(|(key, of)| search_in(key, of)),
        [member, "_search"] => compartment(key, member).map(|(key, of)| search_in(key, of)),
        [name] => match name.strip_prefix('$') {
            Some(name) => operation(OperationScope::Instance(key), name),
            None => compartment(key, name).map(|(key, of)| Target::Compartment(key, of)),
        },
        _ => Err(FhirError::not_found(format_args!("{key}/{}", rest.join("/")))),
    }
}

fn search_in(key: ResourceKey, member: Option<ResourceType>) -> Target {
    Target::Search(SearchScope::Compartment(key, member))
}

/// compartmentdefinition.html: five types span compartments, and each says who is a member.
fn compartment(key: ResourceKey, member: &str) -> Result<(ResourceKey, Option<ResourceType>)> {
    let Some(compartment) = Definitions::r4().compartment(key.resource_type.name()) else {
        let text = format!("{} has no compartment, so {key}/{member}", key.resource_type);
        return Err(FhirError::not_found(text));
    };
    if member == "*" {
        return Ok((key, None));
    }
    let member = resource_type(member)?;
    let is_own = member == key.resource_type;
    if compartment.parameters_of(member).is_empty() && !is_own {
        let text = format!("{member} as a member of the {} compartment", key.resource_type);
        return Err(FhirError::not_found(text));
    }
    Ok((key, Some(member)))
}

fn operation(scope: OperationScope, name: &str) -> Result<Target> {
    let row = OperationRow::at(&scope, name)?;
    Ok(Target::Operation(scope, row))
}

/// 404 for an unknown type; type names are case-sensitive (http.html#general), so the client
/// that only missed the case is told.
fn resource_type(name: &str) -> Result<ResourceType> {
    if let Some(resource_type) = ResourceType::parse(name) {
        return Ok(resource_type);
    }
    let near = ResourceType::all().find(|kind| kind.name().eq_ignore_ascii_case(name));
    let text = match near {
        Some(near) => {
            format!("'{name}' is not a resource type of R4; names are case-sensitive: '{near}'")
        }
        None => format!("'{name}' is not a resource type of R4"),
    };
    Err(FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text))
}

/// Nothing can be found under an impossible id (404), and nothing can be stored there (400).
fn logical_id(text: &str, method: Method) -> Result<Id> {
    Id::parse(text).ok_or_else(|| {
        let why = format!("'{text}' is not an id: 1 to 64 of A-Z a-z 0-9 - and . are, not . alone");
        match method.is_safe() {
            true => FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, why),
            false => FhirError::invalid_value("", why),
        }
    })
}

/// Decoded segments; one slash at either end does not count.
fn segments(path: &str) -> Result<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(parameters::decode_path).collect()
}
