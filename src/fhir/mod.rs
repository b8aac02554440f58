//! What the FHIR R4 specification says: types, paths, formats, rules. No IO, no async.

pub mod bundle;
pub mod contained;
pub mod definitions;
pub mod fhirpath;
pub mod interaction;
pub mod json;
pub mod links;
pub mod meta;
pub mod outcome;
pub mod patch;
pub mod resource;
pub mod subset;
pub mod types;
pub mod validation;
pub mod xml;
