//! create: <https://hl7.org/fhir/R4/http.html#create>, and conditional create,
//! <https://hl7.org/fhir/R4/http.html#ccreate>.

use super::write::draft::{Draft, Found, Step};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::resource::{Resource, ResourceKey};
use std::borrow::Cow;

/// A new resource; where the criteria have one match, that one and nothing stored; where they
/// have several, 412.
pub fn prepare<'a>(
    key: ResourceKey,
    resource: Cow<'a, Resource>,
    found: Found,
) -> Result<Step<'a>> {
    match found {
        Found::Matches(mut matches) => match (matches.pop(), matches.len()) {
            (None, _) => Ok(Step::Change(Draft::new(key, resource))),
            (Some(stored), 0) => Ok(Step::Unchanged(stored)),
            (Some(_), _) => Err(several_matches("If-None-Exist")),
        },
        _ => Ok(Step::Change(Draft::new(key, resource))),
    }
}

/// 412: the criteria of a conditional interaction select more than one resource.
pub fn several_matches(expression: &str) -> FhirError {
    let text = "The criteria match several resources, so it is not clear which one is meant";
    let mut error = FhirError::new(ErrorKind::PreconditionFailed, IssueCode::MultipleMatches, text);
    for issue in &mut error.issues {
        issue.expression = format!("http.{expression}");
    }
    error
}
