//! Resources of which a caller is shown a part: what is left of them, and what he may therefore not
//! search by. Redacted resources say so by a security label
//! (<https://hl7.org/fhir/R4/security-labels.html>).

use super::matrix::{Kept, Matrix, Redaction, Sight};
use super::principal::Principal;
use super::role::Role;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json;
use crate::fhir::resource::ResourceKey;
use bytes::Bytes;
use serde_json::{Value, json};

const LABELS: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// Leaves out what a caller is not shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redactor {
    /// None where everything is shown.
    role: Option<Role>,
    /// The resource that the caller is.
    itself: Option<ResourceKey>,
}

impl Redactor {
    pub(super) fn none() -> Redactor {
        Redactor { role: None, itself: None }
    }

    pub(super) fn of(principal: &Principal) -> Redactor {
        let itself = principal.links.fhir_user.as_ref().map(|link| link.key.clone());
        Redactor { role: Some(principal.role), itself }
    }

    /// The redaction of resources of the type; None where they are shown whole.
    fn of_type(&self, kind: ResourceType) -> Option<(&'static Redaction, Vec<Sight>)> {
        Matrix::get().redaction(self.role?, kind)
    }

    /// The resource as the caller is shown it.
    pub fn shown(&self, key: &ResourceKey, body: Bytes) -> Result<Bytes> {
        let Some((redaction, whole)) = self.of_type(key.resource_type) else { return Ok(body) };
        if whole.contains(&Sight::Own) && self.itself.as_ref() == Some(key) {
            return Ok(body);
        }
        let mut value = json::read_stored(&body)?;
        redact(&mut value, &redaction.kept);
        Ok(json::write(&value).into())
    }

    /// Whether searches and orders by this parameter tell no more than is shown; None is that of
    /// no definition of R4, or of texts.
    pub(super) fn may_search(&self, kind: ResourceType, code: Option<&str>) -> bool {
        match self.of_type(kind) {
            Some((redaction, _)) => code.is_some_and(|code| redaction.searched.contains(&code)),
            None => true,
        }
    }
}

/// Keeps these elements, with what stands beside primitive ones, and labels the rest as redacted.
fn redact(resource: &mut Value, kept: &[Kept]) {
    let Some(object) = resource.as_object_mut() else { return };
    object.retain(|name, _| {
        let name = name.strip_prefix('_').unwrap_or(name);
        name == "resourceType" || kept.iter().any(|one| one.element == name)
    });
    for Kept { element, only } in kept {
        let Some((child, wanted)) = only else { continue };
        // Of a list of complex values nothing stands beside.
        let is_wanted = |item: &Value| item.get(*child).and_then(Value::as_str) == Some(*wanted);
        if let Some(Value::Array(items)) = object.get_mut(*element) {
            items.retain(is_wanted);
            if items.is_empty() {
                object.shift_remove(*element);
            }
        }
    }
    let label = json!({"system": LABELS, "code": "REDACTED", "display": "redacted"});
    let meta = object.entry("meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        let labels = meta.entry("security").or_insert_with(|| json!([]));
        if let Some(labels) = labels.as_array_mut() {
            labels.push(label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::matrix::Matrix;

    #[test]
    fn dir_leaves_a_practitioner_what_is_about_work() {
        let kind = ResourceType::parse("Practitioner").unwrap();
        let (redaction, whole) = Matrix::get().redaction(Role::Doctor, kind).unwrap();
        assert!(whole.contains(&Sight::Own));
        let mut practitioner = json!({
            "resourceType": "Practitioner", "id": "d", "birthDate": "1970-01-01",
            "_birthDate": {"id": "x"}, "active": true, "_active": {"id": "y"},
            "text": {"status": "generated", "div": "<div>born 1970</div>"},
            "photo": [{"url": "http://p"}], "extension": [{"url": "http://e"}],
            "contained": [{"resourceType": "Patient"}],
            "telecom": [{"use": "home", "value": "1"}, {"use": "work", "value": "2"}, {"value": "3"}],
            "address": [{"use": "home", "city": "c"}],
        });
        redact(&mut practitioner, &redaction.kept);
        let expected = json!({
            "resourceType": "Practitioner", "id": "d", "active": true, "_active": {"id": "y"},
            "telecom": [{"use": "work", "value": "2"}],
            "meta": {"security": [{"system": LABELS, "code": "REDACTED", "display": "redacted"}]},
        });
        assert_eq!(practitioner, expected);
    }
}
