//! JSON exactly as it was sent: <https://hl7.org/fhir/R4/json.html>.
//!
//! Decimals keep their digits, properties their order, arrays their nulls. What a JSON reader
//! may understand in two ways (duplicate names, lone surrogates, a byte order mark) or a store
//! cannot keep (NUL characters) is refused, and everything that can grow has a limit. Whether
//! the content is FHIR is the matter of [`super::validation`].

mod number;
mod path;
mod reader;
mod text;

pub(crate) use path::{push_identifier, shown};
pub use reader::read;

use crate::error::{FhirError, Result};
use crate::limits::Limits;
use serde_json::Value;

/// Reads JSON that this server stored: exact as [`read`], with no limit but the stack's. An
/// internal error where it is none.
pub fn read_stored(bytes: &[u8]) -> Result<Value> {
    let limits = Limits {
        depth: usize::MAX,
        nodes: usize::MAX,
        string_bytes: usize::MAX,
        array_items: usize::MAX,
        ..Limits::default()
    };
    read(bytes, &limits).map_err(FhirError::internal)
}

/// Compact JSON: no white space between tokens.
pub fn write(value: &Value) -> Vec<u8> {
    // A Value has string keys and a Vec takes every byte, so this never fails.
    serde_json::to_vec(value).unwrap_or_default()
}

/// JSON for people (`_pretty`): one property a line, indented by two spaces.
pub fn write_pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}
