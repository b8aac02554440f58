//! Code systems and value sets in memory (<https://hl7.org/fhir/R4/terminologies.html>): what a
//! value set holds, and what a concept is under. No IO: who asks brings the resources that
//! [`Library::needed`] names.
//!
//! Left out: displays and designations in expansions, supplements, concept maps.

mod code_system;
mod codes;
mod expand;
mod filter;
mod library;
mod value_set;

pub use code_system::{CodeSystem, Hierarchy};
pub use codes::{Codes, Members};
pub use expand::expand;
pub use library::{Library, Needed, newest};
pub use value_set::ValueSet;

use thiserror::Error;

/// Why the codes of a value set or the hierarchy of a concept cannot be told.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum TerminologyError {
    #[error("The value set {0} is not held by this server")]
    UnknownValueSet(String),
    #[error("The code system {0} is not held by this server")]
    UnknownCodeSystem(String),
    #[error("This server holds not all concepts of the code system {0}: its content is {1}")]
    IncompleteCodeSystem(String, String),
    #[error("The value set {0} has neither a definition of its codes nor a whole expansion")]
    Undefined(String),
    #[error("The value set {0} draws upon itself")]
    Cycle(String),
    #[error("A filter of the value set {value_set} cannot be applied: {text}")]
    Filter { value_set: String, text: String },
    #[error("{what} is more than this server works with: {most} codes at most")]
    TooManyCodes { what: String, most: usize },
    #[error("{what} draws upon more than {most} value sets and code systems")]
    TooManyParts { what: String, most: usize },
}

impl TerminologyError {
    /// True where a limit stands in the way.
    pub fn is_too_costly(&self) -> bool {
        use TerminologyError::{TooManyCodes, TooManyParts};
        matches!(self, TooManyCodes { .. } | TooManyParts { .. })
    }
}

/// The items of a list of a resource.
fn items<'a>(value: &'a serde_json::Value, name: &str) -> &'a [serde_json::Value] {
    value.get(name).and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text of a resource; empty where it is missing.
fn text<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn texts(value: &serde_json::Value, name: &str) -> Vec<String> {
    items(value, name).iter().filter_map(|item| item.as_str()).map(str::to_owned).collect()
}
