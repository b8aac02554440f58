//! A resource and its names: <https://hl7.org/fhir/R4/resource.html>.

use super::definitions::ResourceType;
use crate::error::{FhirError, IssueCode, Result};
use serde_json::{Map, Value};
use std::fmt;

/// A logical id: 1 to 64 of `A-Z a-z 0-9 - .` (datatypes.html#id), and not `.` or `..`, which
/// a URL cannot carry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Id(Box<str>);

impl Id {
    /// None where the text is not an id.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            && text.bytes().any(|b| b != b'.');
        is_id.then(|| Id(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `Patient/123`: names one resource on this server.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ResourceKey {
    pub resource_type: ResourceType,
    pub id: Id,
}

impl ResourceKey {
    pub fn new(resource_type: ResourceType, id: Id) -> Self {
        ResourceKey { resource_type, id }
    }

    /// `Type/id` and nothing more; None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        Some(ResourceKey { resource_type: ResourceType::parse(kind)?, id: Id::parse(id)? })
    }

    /// `Type/id` or `Type/id/_history/version`; the version is dropped.
    pub fn parse_versioned(text: &str) -> Option<Self> {
        let key = text.split_once("/_history/").map_or(text, |(key, _)| key);
        ResourceKey::parse(key)
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

/// A JSON object with a `resourceType` that R4 has. Numbers keep their digits, properties
/// their order (`serde_json` with `arbitrary_precision` and `preserve_order`).
#[derive(Clone, PartialEq, Debug)]
pub struct Resource {
    resource_type: ResourceType,
    value: Value,
}

impl Resource {
    /// Takes a JSON value for a resource; its content is not checked here but by
    /// [`super::validation`]. 400 where it is no object or has no known `resourceType`.
    pub fn from_value(value: Value) -> Result<Self> {
        let Some(object) = value.as_object() else {
            return Err(FhirError::at(IssueCode::Structure, "", "A resource is a JSON object"));
        };
        let name = object.get("resourceType").and_then(Value::as_str).ok_or_else(|| {
            let text = "A resource has a property 'resourceType' with the name of its type";
            FhirError::at(IssueCode::Structure, "resourceType", text)
        })?;
        let resource_type = ResourceType::parse(name).ok_or_else(|| {
            let text = format!("'{name}' is not a resource type of R4");
            FhirError::at(IssueCode::Structure, "resourceType", text)
        })?;
        Ok(Resource { resource_type, value })
    }

    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    pub fn into_value(self) -> Value {
        self.value
    }

    /// The object's properties.
    pub fn object(&self) -> &Map<String, Value> {
        self.value.as_object().expect("checked by from_value")
    }

    pub fn object_mut(&mut self) -> &mut Map<String, Value> {
        self.value.as_object_mut().expect("checked by from_value")
    }

    /// The `id` element, where it holds an id.
    pub fn id(&self) -> Option<Id> {
        self.object().get("id").and_then(Value::as_str).and_then(Id::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_specification_and_are_never_only_dots() {
        for id in ["a", "A-1.b", &"x".repeat(64)] {
            assert!(Id::parse(id).is_some(), "{id}");
        }
        for id in ["", ".", "..", "a b", "ä", "a/b", "a_b", &"x".repeat(65)] {
            assert!(Id::parse(id).is_none(), "{id}");
        }
    }

    #[test]
    fn a_key_is_a_type_and_an_id() {
        assert_eq!(ResourceKey::parse("Patient/1").unwrap().to_string(), "Patient/1");
        assert!(ResourceKey::parse("Patient/1/_history/2").is_none());
        assert!(ResourceKey::parse_versioned("Patient/1/_history/2").is_some());
        assert!(ResourceKey::parse("Nope/1").is_none());
        assert!(ResourceKey::parse("http://x/Patient/1").is_none());
    }
}
