//! The XML form of resources, both ways, over the element table:
//! <https://hl7.org/fhir/R4/xml.html>, <https://hl7.org/fhir/R4/json.html>.
//!
//! [`read`] makes the JSON form of an XML resource, [`write`] the XML form of a JSON one; what
//! one makes, the other takes back without loss. `tokens` holds the only XML tokenizer of the
//! server. Left out: comments between elements, which JSON has no place for, and the rules
//! that `validation` checks on the JSON form (formats, bindings, cardinality).

mod chars;
mod issues;
mod narrative;
mod path;
mod primitive;
mod read;
mod slot;
pub(crate) mod tokens;
mod write;

pub use read::read;
pub use write::write;

pub(crate) use chars::{escape_attribute, is_set_off, is_xml_character, text_of};

/// White space of what is written (`_pretty`, http.html#pretty).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    Compact,
    Pretty,
}

/// The namespace of resources.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
/// The namespace of narratives.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

#[cfg(test)]
mod tests;
