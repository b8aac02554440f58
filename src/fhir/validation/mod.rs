//! Structural validation: whether a JSON value is a resource of R4 as the element table says
//! (<https://hl7.org/fhir/R4/validation.html>: structure, cardinality, value domains, and the
//! required bindings whose value set R4 ships whole), and the invariants that hold a resource
//! together: contained resources, references within, extensions, narratives.
//!
//! All errors of a resource are found, not the first. A path is only written out for an issue.
//! Left out: the other invariants, profiles, and anything about other resources.

mod binding;
mod contained;
mod path;
mod plan;
mod primitive;
mod reference;
mod suggest;
mod walk;

use crate::error::Issue;
use crate::limits::Limits;
use serde_json::Value;

/// Issues that one resource is told of.
pub const MAX_ISSUES: usize = 100;

/// Checks a whole resource. Each issue has the FHIRPath of the element, such as
/// `Patient.name[0].given[1]` or `Observation.value.ofType(Quantity).code`, and says the rule
/// and what would be right; at most [`MAX_ISSUES`] are given. Codes: `structure` (no such
/// element, wrong JSON type, empty), `required` (missing), `value` (format), `code-invalid`
/// (required binding), `invariant`, `extension`, and `too-costly` or `too-long` for limits.
pub fn validate(resource: &Value, limits: &Limits) -> Result<(), Vec<Issue>> {
    let mut walker = walk::Walker::new(limits);
    walker.root(resource);
    match walker.issues.is_empty() {
        true => Ok(()),
        false => Err(walker.issues),
    }
}

#[cfg(test)]
#[path = "cases_tests.rs"]
mod cases_tests;
#[cfg(test)]
#[path = "corpus_tests.rs"]
mod corpus_tests;
