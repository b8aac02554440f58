//! Resources, and resources in them: contained ones, Bundle entries, Parameters
//! (<https://hl7.org/fhir/R4/references.html#contained>).

use super::path::Path;
use super::plan::{Property, TypePlan};
use super::suggest;
use super::walk::Walker;
use crate::error::IssueCode;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The resource that `#id` is looked up in.
#[derive(Default)]
pub(super) struct Scope<'v> {
    container: Option<&'v Map<String, Value>>,
    /// Filled at the first `#id`.
    contained_ids: Option<HashSet<&'v str>>,
    is_contained: bool,
    /// Within a resource that holds whole resources, such as a Bundle.
    pub is_nested: bool,
}

impl<'v> Scope<'v> {
    pub fn contains(&mut self, id: &str) -> bool {
        let container = self.container;
        let ids = self.contained_ids.get_or_insert_with(|| {
            let list = container.and_then(|object| object.get("contained")?.as_array());
            list.into_iter()
                .flatten()
                .filter_map(|contained| contained.get("id")?.as_str())
                .collect()
        });
        ids.contains(id)
    }
}

impl<'v> Walker<'v> {
    /// The resource that validation was asked for.
    pub fn root(&mut self, resource: &'v Value) {
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let plan = self.plan.resource(name);
        self.resource(resource, &Path::root(plan.map_or("", |plan| plan.name)));
    }

    /// `contained`, `Bundle.entry.resource`, `Parameters.parameter.resource` and their like.
    pub(super) fn nested_resource(
        &mut self,
        value: &'v Value,
        property: &'static Property,
        path: &Path,
    ) {
        if property.element.name == "contained" {
            if self.scope.is_contained {
                let text = "A contained resource contains none itself (dom-2)";
                return self.issue(IssueCode::Invariant, path, text);
            }
            self.scope.is_contained = true;
            self.contained(value, path);
            self.with_type(value, path);
            self.scope.is_contained = false;
        } else {
            let outer = std::mem::take(&mut self.scope);
            self.scope.is_nested = true;
            self.resource(value, path);
            self.scope = outer;
        }
    }

    fn resource(&mut self, value: &'v Value, path: &Path) {
        self.scope.container = value.as_object();
        self.with_type(value, path);
    }

    fn with_type(&mut self, value: &'v Value, path: &Path) {
        if let Some((object, plan)) = self.resource_type(value, path) {
            self.object(object, plan, path);
        }
    }

    fn resource_type(
        &mut self,
        value: &'v Value,
        path: &Path,
    ) -> Option<(&'v Map<String, Value>, &'static TypePlan)> {
        let Some(object) = value.as_object() else {
            self.issue(IssueCode::Structure, path, "A resource is a JSON object");
            return None;
        };
        let text = match object.get("resourceType") {
            Some(Value::String(name)) => match self.plan.resource(name) {
                Some(plan) => return Some((object, plan)),
                None => suggest::unknown_resource(name, self.plan),
            },
            Some(_) => "resourceType is a JSON string, the name of the type".to_owned(),
            None => "A resource has a resourceType, the name of its type".to_owned(),
        };
        self.issue(IssueCode::Structure, &path.element("resourceType"), text);
        None
    }

    /// dom-4, dom-5, and the id by which the container refers to the resource.
    fn contained(&mut self, value: &Value, path: &Path) {
        if value.is_object() && value.get("id").is_none() {
            let text = "A contained resource has an id, to be referred to as #id";
            self.issue(IssueCode::Required, &path.element("id"), text);
        }
        let Some(meta) = value.get("meta") else { return };
        for (name, rule) in
            [("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")]
        {
            if meta.get(name).is_some() {
                let text = format!("A contained resource has no meta.{name} ({rule})");
                let meta = path.element("meta");
                self.issue(IssueCode::Invariant, &meta.element(name), text);
            }
        }
    }
}
