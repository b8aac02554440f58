//! One file for each search parameter type: the writing of its index rows and the reading of
//! its search values side by side (<https://hl7.org/fhir/R4/search.html#ptypes>).

pub mod composite;
pub mod concept;
pub mod date;
pub mod decimal;
pub mod letters;
pub mod position;
pub mod prefix;
pub mod quantity;
pub mod reference;
pub mod string;
pub mod text;
pub mod token;
pub mod uri;

pub use token::TokenStore;

use crate::config::LinkDays;
use chrono::FixedOffset;
use serde_json::Value;

/// What a FHIRPath expression of a search parameter found in a resource.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub value: &'a Value,
    /// The element's type, such as `CodeableConcept` or `dateTime`; empty where unknown.
    pub type_name: &'static str,
}

impl<'a> Node<'a> {
    /// A property of the value that is a text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        text_of(self.value, name)
    }
}

/// Settings that index rows and search values depend on.
#[derive(Clone, Debug)]
pub struct IndexSettings {
    /// For dates and times without a zone.
    pub zone: FixedOffset,
    /// The public FHIR base without a trailing slash: absolute references to it are local.
    pub base_url: String,
    /// Whether all texts of a resource are indexed, for `_content`.
    pub indexes_content: bool,
    /// How long care links outlive their sources.
    pub link_days: LinkDays,
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
