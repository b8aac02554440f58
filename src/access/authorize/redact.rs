//! Resources of which a caller is shown a part: what is left of them, and what he may therefore not
//! search by. Redacted resources say so by a security label
//! (<https://hl7.org/fhir/R4/security-labels.html>).

use crate::access::matrix::{Kept, Matrix, Redaction, Sight};
use crate::access::principal::Principal;
use crate::access::role::Role;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json;
use crate::fhir::links::local_key;
use crate::fhir::resource::ResourceKey;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

const LABELS: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// Leaves out what a caller is not shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redactor {
    /// None where everything is shown.
    role: Option<Role>,
    /// The resource that the caller is.
    itself: Option<ResourceKey>,
    /// The patients for whom the caller asks: the one in context.
    patients: Vec<ResourceKey>,
    /// Systems of the identifiers that registrars give.
    registrar_systems: Arc<[String]>,
}

impl Redactor {
    pub(in crate::access) fn none() -> Redactor {
        Redactor {
            role: None,
            itself: None,
            patients: Vec::new(),
            registrar_systems: Arc::default(),
        }
    }

    pub(in crate::access) fn of(principal: &Principal) -> Redactor {
        let itself = principal.links.fhir_user.as_ref().map(|link| link.key.clone());
        let patients = match &principal.launch.patient {
            Some(link) => vec![link.key.clone()],
            None => principal.links.patients.iter().map(|link| link.key.clone()).collect(),
        };
        let registrar_systems = Arc::default();
        Redactor { role: Some(principal.role), itself, patients, registrar_systems }
    }

    /// The same where registrars give identifiers of these systems.
    pub(in crate::access) fn with_registrar_systems(self, systems: &Arc<[String]>) -> Redactor {
        match self.role {
            Some(Role::Registry) => Redactor { registrar_systems: systems.clone(), ..self },
            _ => self,
        }
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
        match self.redact(&mut value, redaction) {
            true => Ok(json::write(&value).into()),
            false => Ok(body),
        }
    }

    /// Whether something of others is left out of the resource.
    pub fn hides_others(&self, key: &ResourceKey, body: &Bytes) -> Result<bool> {
        match self.of_type(key.resource_type) {
            Some((redaction, _)) if redaction.own.is_some() => {
                Ok(self.shown(key, body.clone())? != *body)
            }
            _ => Ok(false),
        }
    }

    /// True where anything was left out, or may have been.
    fn redact(&self, resource: &mut Value, redaction: &Redaction) -> bool {
        match redaction.own {
            Some((list, child)) => {
                let is_cut = self.keep_own(resource, (list, child));
                if is_cut {
                    label(resource);
                }
                is_cut
            }
            None => {
                self.keep(resource, &redaction.kept);
                label(resource);
                true
            }
        }
    }

    /// Leaves out the items of a list that are about other patients. Texts that may name them go
    /// too, and what is contained.
    fn keep_own(&self, resource: &mut Value, (list, child): (&str, &str)) -> bool {
        let is_other = |item: &Value| {
            let named = item.get(child);
            let reference = named.and_then(|named| named.get("reference")).and_then(Value::as_str);
            match reference {
                Some(reference) => match local_key(reference) {
                    Some(key) if key.resource_type.name() == PATIENT => {
                        !self.patients.contains(&key)
                    }
                    Some(_) => false,
                    // Contained, or elsewhere: whoever it is.
                    None => true,
                },
                None => named.and_then(|named| named.get("type")).is_some_and(|of| of == PATIENT),
            }
        };
        let Some(object) = resource.as_object_mut() else { return false };
        let Some(Value::Array(items)) = object.get_mut(list) else { return false };
        let before = items.len();
        items.retain(|item| !is_other(item));
        let is_cut = items.len() < before;
        if is_cut {
            object.retain(|name, _| name != "text" && name != "contained");
        }
        is_cut
    }

    /// Keeps these elements, with what stands beside primitive ones.
    fn keep(&self, resource: &mut Value, kept: &[Kept]) {
        let Some(object) = resource.as_object_mut() else { return };
        object.retain(|name, _| {
            let name = name.strip_prefix('_').unwrap_or(name);
            name == "resourceType" || kept.iter().any(|one| one.element == name)
        });
        for Kept { element, only } in kept {
            let Some((child, wanted)) = only else { continue };
            // Of a list of complex values nothing stands beside.
            let is_wanted = |item: &Value| {
                let text = item.get(*child).and_then(Value::as_str);
                text.is_some_and(|text| match *wanted {
                    REGISTRAR => self.registrar_systems.iter().any(|system| system == text),
                    wanted => wanted == text,
                })
            };
            if let Some(Value::Array(items)) = object.get_mut(*element) {
                items.retain(is_wanted);
                if items.is_empty() {
                    object.shift_remove(*element);
                }
            }
        }
    }

    /// Whether searches and orders by this parameter tell no more than is shown; None is that of
    /// no definition of R4, or of texts. `targets` are what a reference is searched for.
    pub(in crate::access) fn may_search(
        &self,
        kind: ResourceType,
        (code, targets): (Option<&str>, Option<&[ResourceKey]>),
    ) -> bool {
        let (Some((redaction, _)), Some(code)) = (self.of_type(kind), code) else {
            return self.of_type(kind).is_none();
        };
        let is_shown =
            |key: &ResourceKey| key.resource_type.name() != PATIENT || self.patients.contains(key);
        redaction.searched.contains(&code)
            || (redaction.searched_own.contains(&code)
                && targets.is_some_and(|targets| targets.iter().all(is_shown)))
    }

    /// Whether includes by this parameter of the type lead nowhere that is not shown.
    pub(in crate::access) fn may_include(&self, kind: ResourceType, code: &str) -> bool {
        self.of_type(kind).is_none_or(|(redaction, _)| {
            redaction.searched.contains(&code) || redaction.searched_own.contains(&code)
        })
    }
}

/// Stands in the matrix for any of the systems of registrars.
const REGISTRAR: &str = "@registrar";
const PATIENT: &str = "Patient";

/// Says that something was left out.
fn label(resource: &mut Value) {
    let Some(object) = resource.as_object_mut() else { return };
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
        let redactor = Redactor { role: Some(Role::Doctor), ..Redactor::none() };
        assert!(redactor.redact(&mut practitioner, redaction));
        let expected = json!({
            "resourceType": "Practitioner", "id": "d", "active": true, "_active": {"id": "y"},
            "telecom": [{"use": "work", "value": "2"}],
            "meta": {"security": [{"system": LABELS, "code": "REDACTED", "display": "redacted"}]},
        });
        assert_eq!(practitioner, expected);
    }
}
