//! References: <https://hl7.org/fhir/R4/references.html>. Whether a target exists is not asked
//! here, except for a contained one.

use super::path::Path;
use super::plan::Property;
use super::walk::Walker;
use crate::error::IssueCode;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::shown;
use crate::fhir::resource::{Id, ResourceKey};
use crate::fhir::types::{has_scheme, is_oid_uri, is_uuid_uri};
use serde_json::{Map, Value};

const DEFINITIONS: &str = "http://hl7.org/fhir/StructureDefinition/";

const SYNTAX: &str = "expected Type/id, Type/id/_history/version, an absolute URL, urn:uuid:, \
                      urn:oid: or #id of a contained resource";

impl Walker<'_> {
    /// The syntax of `Reference.reference`, and that `#id` is contained.
    pub(super) fn reference_element(&mut self, reference: &Map<String, Value>, path: &Path) {
        let Some(text) = reference.get("reference").and_then(Value::as_str) else { return };
        if text.starts_with('#') {
            return self.local_reference(text, &path.element("reference"));
        }
        if !text.is_empty() && !self.is_reference(text) {
            let text = format!("Not a reference: {SYNTAX}");
            self.issue(IssueCode::Value, &path.element("reference"), text);
        }
    }

    /// The type of the target, where the reference tells it, is one the element allows and the
    /// one that `Reference.type` says.
    pub(super) fn reference_target(
        &mut self,
        reference: &Map<String, Value>,
        property: &'static Property,
        path: &Path,
    ) {
        let text = |name| reference.get(name).and_then(Value::as_str);
        let pointed = text("reference").and_then(relative_type);
        let stated = text("type").map(|stated| stated.strip_prefix(DEFINITIONS).unwrap_or(stated));
        if let (Some(pointed), Some(stated)) = (pointed, stated)
            && pointed.name() != stated
        {
            let text = format!("The reference is to a {pointed}, the type says otherwise");
            self.issue(IssueCode::Value, &path.element("type"), text);
        }
        let targets = property.targets;
        if targets.is_empty() {
            return;
        }
        let refused = |name: &str| !targets.contains(&name);
        let allowed = || targets.join(", ");
        match (pointed.map(ResourceType::name), stated.and_then(ResourceType::parse)) {
            (Some(name), _) if refused(name) => {
                let text = format!("A reference to {name} stands here; allowed: {}", allowed());
                self.issue(IssueCode::Value, &path.element("reference"), text);
            }
            (None, Some(stated)) if refused(stated.name()) => {
                let text = format!("A reference to {stated} stands here; allowed: {}", allowed());
                self.issue(IssueCode::Value, &path.element("type"), text);
            }
            _ => {}
        }
    }

    /// dom-3, ref-1: `#id` leads to a contained resource, `#` to the container.
    pub(super) fn local_reference(&mut self, text: &str, path: &Path) {
        let Some(id) = text.strip_prefix('#') else { return };
        if !id.is_empty() && !self.scope.contains(id) {
            let text = format!("No contained resource has the id '{}' (ref-1)", shown(id));
            self.issue(IssueCode::Invariant, path, text);
        }
    }

    fn is_reference(&self, text: &str) -> bool {
        if text.starts_with("urn:uuid:") {
            return is_uuid_uri(text);
        }
        if text.starts_with("urn:oid:") {
            return is_oid_uri(text);
        }
        has_scheme(text) || relative_type(text).is_some() || self.is_conditional(text)
    }

    /// `Type?query`: only within a Bundle, for its transaction to resolve (http.html#trules).
    fn is_conditional(&self, text: &str) -> bool {
        self.scope.is_nested
            && text.split_once('?').is_some_and(|(name, query)| {
                ResourceType::parse(name).is_some() && !query.is_empty()
            })
    }
}

/// The type of `Type/id` or `Type/id/_history/version`.
fn relative_type(text: &str) -> Option<ResourceType> {
    let key = match text.split_once("/_history/") {
        Some((key, version)) => Id::parse(version).map(|_| key)?,
        None => text,
    };
    ResourceKey::parse(key).map(|key| key.resource_type)
}
