//! PATCH: the four patch formats, applied to the JSON form of a resource, without effect:
//! <https://hl7.org/fhir/R4/http.html#patch>.
//!
//! A result is not validated here: the caller does that, as for an update. Left out: which
//! media type stands for which format, and preconditions.

mod fault;
mod fhirpath_patch;
mod json_patch;
mod media_type;
mod merge_patch;
mod parameters;
mod place;
mod xml_patch;
mod xml_tree;
mod xpath;

pub use media_type::MEDIA_TYPES;

use crate::error::{FhirError, Issue, IssueCode, Result};
use crate::limits::Limits;
use serde_json::Value;

/// A patch as it came in.
#[derive(Clone, PartialEq, Debug)]
pub enum Patch {
    /// RFC 6902, `application/json-patch+json`.
    Json(Value),
    /// RFC 7396, `application/merge-patch+json`.
    Merge(Value),
    /// A Parameters resource, fhirpatch.html.
    FhirPath(Value),
    /// RFC 5261, `application/xml-patch+xml`.
    Xml(Vec<u8>),
}

/// The resource that the patch makes of `resource`; not validated.
///
/// 400 for a malformed patch or one over a limit; 422 for one that does not fit the resource
/// (a path that leads nowhere, a test that fails) or changes its type or id. The issue's
/// expression names the operation, counted from 0: `operation[2]` of a JSON or XML Patch,
/// `Parameters.parameter[2]` of a FHIRPath Patch.
pub fn apply(patch: &Patch, resource: &Value, limits: &Limits) -> Result<Value> {
    let patched = match patch {
        Patch::Json(operations) => json_patch::apply(operations, resource, limits)?,
        Patch::Merge(merge) => merge_patch::apply(merge, resource, limits)?,
        Patch::FhirPath(parameters) => fhirpath_patch::apply(parameters, resource, limits)?,
        Patch::Xml(diff) => xml_patch::apply(diff, resource, limits)?,
    };
    for name in ["resourceType", "id"] {
        if patched.get(name) != resource.get(name) {
            let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            let text = format!("A patch cannot change '{name}' of a resource");
            let at = format!("{kind}.{name}");
            return Err(FhirError::of_issues(
                crate::error::ErrorKind::Unprocessable,
                vec![Issue::error(IssueCode::BusinessRule, at, text)],
            ));
        }
    }
    Ok(patched)
}

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
