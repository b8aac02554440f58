//! PATCH documents: <https://hl7.org/fhir/R4/http.html#patch>.

use serde_json::Value;

/// A patch in one of the four forms that the server takes.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7396.
    Merge(Value),
    /// A Parameters resource, fhirpatch.html.
    FhirPath(Value),
    /// RFC 5261, on the XML form.
    Xml(Vec<u8>),
}
