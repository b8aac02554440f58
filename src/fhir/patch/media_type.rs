//! Which patch a media type stands for: <https://hl7.org/fhir/R4/http.html#patch>.

use super::Patch;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::json;
use crate::limits::Limits;

/// The media types of patches other than FHIRPath Patch, which is a Parameters resource in a
/// media type of FHIR.
pub const MEDIA_TYPES: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/xml-patch+xml"];

impl Patch {
    /// Reads the document. `media_type` without parameters. 415 for another media type, 400
    /// for a document that cannot be read.
    pub fn parse(media_type: &str, bytes: &[u8], limits: &Limits) -> Result<Patch> {
        match media_type {
            "application/json-patch+json" => Ok(Patch::Json(json::read(bytes, limits)?)),
            "application/merge-patch+json" => Ok(Patch::Merge(json::read(bytes, limits)?)),
            "application/xml-patch+xml" => Ok(Patch::Xml(bytes.to_vec())),
            other => {
                let text = format!("'{other}' is no patch; {} are", MEDIA_TYPES.join(", "));
                let kind = ErrorKind::UnsupportedMediaType;
                Err(FhirError::new(kind, IssueCode::NotSupported, text))
            }
        }
    }
}
