//! What a reference says about its target without reading it (references.html#literal).

use crate::fhir::definitions::{Definitions, ResourceType, TypeId};
use serde_json::Value;

use super::node::resource_type_id;

/// The type that a literal reference names: `Patient/1`, `http://a/fhir/Patient/1/_history/2`,
/// or the conditional `Patient?identifier=1`; None for `urn:uuid:...`, `#1` and anything else.
pub fn referenced_type(reference: &str) -> Option<ResourceType> {
    if reference.starts_with('#') || reference.starts_with("urn:") {
        return None;
    }
    if let Some((path, _)) = reference.split_once('?') {
        return ResourceType::parse(path.rsplit('/').next()?);
    }
    let path = match reference.rsplit_once("/_history/") {
        Some((path, _)) => path,
        None => reference,
    };
    let mut segments = path.rsplit('/');
    let _id = segments.next().filter(|id| !id.is_empty())?;
    ResourceType::parse(segments.next()?)
}

/// The type of what a Reference, or a uri or canonical, points at: the literal reference's, that
/// of the contained resource, else what `Reference.type` says.
pub(super) fn target_type(reference: &Value, root: &Value) -> Option<TypeId> {
    let definitions = Definitions::r4();
    let text = match reference {
        Value::String(text) => Some(text.as_str()),
        _ => reference.get("reference").and_then(Value::as_str),
    };
    if let Some(text) = text {
        if let Some(id) = text.strip_prefix('#') {
            return contained(root, id).and_then(resource_type_id);
        }
        if let Some(resource_type) = referenced_type(text) {
            return definitions.type_id(resource_type.name());
        }
    }
    let named = reference.get("type")?.as_str()?;
    definitions.type_id(ResourceType::parse(named)?.name())
}

/// The contained resource of that id; `#` alone is the container (references.html#contained).
pub(super) fn contained<'a>(root: &'a Value, id: &str) -> Option<&'a Value> {
    if id.is_empty() {
        return Some(root);
    }
    let contained = root.get("contained")?.as_array()?;
    contained.iter().find(|resource| resource.get("id").and_then(Value::as_str) == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_reference_names_its_type() {
        let name = |text| referenced_type(text).map(ResourceType::name);
        assert_eq!(name("Patient/1"), Some("Patient"));
        assert_eq!(name("Patient/1/_history/2"), Some("Patient"));
        assert_eq!(name("https://a.b/fhir/Group/1"), Some("Group"));
        assert_eq!(name("Patient?identifier=http://a/b|1"), Some("Patient"));
        assert_eq!(name("http://hl7.org/fhir/ValueSet/x|1.0"), Some("ValueSet"));
        for other in ["Patient", "Patient/", "#a", "", "/", "patient/1", "Nonsense/1"] {
            assert_eq!(name(other), None, "{other}");
        }
        assert_eq!(name("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"), None);
    }
}
