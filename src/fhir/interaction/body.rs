//! Which body an interaction takes, and whether it agrees with the URL.

use super::{Body, Method};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::patch::Patch;
use crate::fhir::resource::{Resource, ResourceKey};
use serde_json::Value;

impl Body {
    /// For reads and deletes.
    pub(super) fn none(self, method: Method) -> Result<()> {
        match self {
            Body::None => Ok(()),
            _ => Err(FhirError::bad_request(format!("{} takes no body", method.as_str()))),
        }
    }

    /// For a create or an update of that type: 400 where URL and body disagree
    /// (http.html#create, #update).
    pub(super) fn resource_of(self, resource_type: ResourceType) -> Result<Resource> {
        let resource = self.resource()?;
        let found = resource.resource_type();
        if found != resource_type {
            let why = format!("The URL names {resource_type}, the body is a {found}");
            return Err(FhirError::at(IssueCode::Invalid, "resourceType", why));
        }
        Ok(resource)
    }

    /// For an update: the body has the id of the URL (http.html#update).
    pub(super) fn resource_at(self, key: &ResourceKey) -> Result<Resource> {
        let resource = self.resource_of(key.resource_type)?;
        let element = format!("{}.id", key.resource_type);
        let why = match resource.object().get("id") {
            Some(Value::String(id)) if id == key.id.as_str() => return Ok(resource),
            Some(Value::String(id)) => format!("The URL has the id '{}', the body '{id}'", key.id),
            Some(_) => format!("The URL has the id '{}', the body none that is text", key.id),
            None => format!("The URL has the id '{}', the body has none", key.id),
        };
        Err(FhirError::invalid_value(element, why))
    }

    pub(super) fn resource(self) -> Result<Resource> {
        match self {
            Body::Resource(resource) => Ok(resource),
            Body::None => Err(FhirError::bad_request("A resource is needed in the body")),
            Body::Patch(_) | Body::Form(_) => Err(unsupported("The body has to be a resource")),
        }
    }

    /// For `$operations`: any resource, or none.
    pub(super) fn resource_if_any(self) -> Result<Option<Resource>> {
        match self {
            Body::None => Ok(None),
            body => body.resource().map(Some),
        }
    }

    /// For PATCH.
    pub(super) fn patch(self) -> Result<Patch> {
        match self {
            Body::Patch(patch) => Ok(patch),
            Body::None => Err(FhirError::bad_request("A patch is needed in the body")),
            Body::Form(_) | Body::Resource(_) => Err(unsupported("The body has to be a patch")),
        }
    }
}

fn unsupported(why: &str) -> FhirError {
    FhirError::new(ErrorKind::UnsupportedMediaType, IssueCode::NotSupported, why)
}
