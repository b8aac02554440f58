//! The walk over a resource: objects, properties, lists, and the `_` siblings of primitives.

use super::contained::Scope;
use super::path::Path;
use super::plan::{Plan, Property, Role, Shape, TypePlan};
use super::{MAX_ISSUES, suggest};
use crate::error::{Issue, IssueCode};
use crate::fhir::json::shown;
use crate::fhir::types::Primitive;
use crate::limits::Limits;
use serde_json::{Map, Value};

/// Whatever the settings say, the walk recurses no deeper.
const MAX_DEPTH: usize = 512;

pub(super) struct Walker<'v> {
    pub plan: &'static Plan,
    pub limits: &'v Limits,
    pub issues: Vec<Issue>,
    pub scope: Scope<'v>,
    max_depth: usize,
}

/// A property as it stands in its object.
#[derive(Clone, Copy)]
struct Entry<'v, 'p> {
    object: &'v Map<String, Value>,
    name: &'v str,
    property: &'static Property,
    /// Of the element, its index not yet in it.
    path: &'p Path<'p>,
}

impl<'v> Walker<'v> {
    pub fn new(limits: &'v Limits) -> Self {
        Walker {
            plan: Plan::r4(),
            limits,
            issues: Vec::new(),
            scope: Scope::default(),
            max_depth: limits.depth.min(MAX_DEPTH),
        }
    }

    pub fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    pub fn issue(&mut self, code: IssueCode, path: &Path, text: impl Into<String>) {
        if !self.is_full() {
            self.issues.push(Issue::error(code, path.expression(), text));
        }
    }

    /// The elements of an object of a known type.
    pub fn object(&mut self, object: &'v Map<String, Value>, plan: &'static TypePlan, path: &Path) {
        if path.depth > self.max_depth {
            let text = format!("Nested deeper than the limit of {} levels", self.max_depth);
            return self.issue(IssueCode::TooCostly, path, text);
        }
        let mut seen = 0_u128;
        for (name, value) in object {
            if self.is_full() {
                return;
            }
            let Some(property) = plan.property(name) else {
                let Some(property) = self.other(object, name, (plan, path)) else { continue };
                if seen & property.bit != 0 {
                    self.second_type(property, path);
                }
                seen |= property.bit;
                continue;
            };
            if seen & property.bit != 0 {
                self.second_type(property, path);
            }
            seen |= property.bit;
            let here = element_path(property, path);
            let entry = Entry { object, name, property, path: &here };
            self.property(value, entry);
        }
        let missing = plan.required & !seen;
        if missing != 0 {
            self.missing(missing, plan, path);
        }
        match plan.role {
            Role::Extension => self.extension(object, path),
            Role::Reference => self.reference_element(object, path),
            _ => {}
        }
    }

    /// A property that is not in the table by its own name: a `_` sibling, `resourceType`, or
    /// unknown. Returns the property that a sibling alone stands for.
    fn other(
        &mut self,
        object: &'v Map<String, Value>,
        name: &'v str,
        (plan, path): (&'static TypePlan, &Path),
    ) -> Option<&'static Property> {
        if name == "resourceType" && plan.is_resource {
            return None;
        }
        let sibling = name.strip_prefix('_');
        let Some((bare, property)) = sibling.and_then(|bare| Some((bare, plan.property(bare)?)))
        else {
            let text = suggest::unknown(name, plan);
            self.issue(IssueCode::Structure, &path.element(name), text);
            return None;
        };
        let here = element_path(property, path);
        let entry = Entry { object, name: bare, property, path: &here };
        self.sibling(object.get(name)?, entry);
        (!object.contains_key(bare)).then_some(property)
    }

    fn second_type(&mut self, property: &'static Property, path: &Path) {
        let name = property.element.name;
        let text = format!("{name}[x] is given more than once; a choice has one type");
        self.issue(IssueCode::Structure, &path.element(name), text);
    }

    fn missing(&mut self, missing: u128, plan: &'static TypePlan, path: &Path) {
        for (index, element) in plan.elements.iter().enumerate() {
            if missing & 1_u128 << index != 0 {
                let (name, choice) = (element.name, if element.is_choice { "[x]" } else { "" });
                let text = format!("{name}{choice} is required in {}, and missing", plan.name);
                self.issue(IssueCode::Required, &path.element(name), text);
            }
        }
    }

    fn property(&mut self, value: &'v Value, entry: Entry<'v, '_>) {
        let path = entry.path;
        match (entry.property.element.is_repeating(), value) {
            (true, Value::Array(items)) => self.items(items, entry),
            (true, _) => {
                let text = format!("{} repeats: expected a JSON array", entry.name);
                self.issue(IssueCode::Structure, path, text);
            }
            (false, Value::Array(_)) => {
                let text = format!("{} does not repeat: expected no JSON array", entry.name);
                self.issue(IssueCode::Structure, path, text);
            }
            (false, value) => self.value(value, entry.property, path),
        }
    }

    fn items(&mut self, items: &'v [Value], entry: Entry<'v, '_>) {
        let element = entry.property.element;
        if items.is_empty() {
            let text = "An array is not empty: leave the property out";
            return self.issue(IssueCode::Structure, entry.path, text);
        }
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if let Some(max) = element.max.filter(|max| count > *max) {
            let text = format!("{} may stand at most {max} times, not {count}", element.name);
            self.issue(IssueCode::Structure, entry.path, text);
        }
        if count < element.min {
            let text = format!("{} stands at least {} times", element.name, element.min);
            self.issue(IssueCode::Required, entry.path, text);
        }
        for (index, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let path = entry.path.item(index);
            if item.is_null() && matches!(entry.property.shape, Shape::Primitive(..)) {
                self.null_item(index, entry);
            } else {
                self.value(item, entry.property, &path);
            }
        }
    }

    /// A null in a list of primitives holds the place of an item that only has extensions.
    fn null_item(&mut self, index: usize, entry: Entry<'v, '_>) {
        let sibling = entry.object.get(&format!("_{}", entry.name));
        if !sibling.and_then(|list| list.get(index)).is_some_and(Value::is_object) {
            let text = format!("null needs extensions at the same place in '_{}'", entry.name);
            self.issue(IssueCode::Structure, &entry.path.item(index), text);
        }
    }

    fn value(&mut self, value: &'v Value, property: &'static Property, path: &Path) {
        match (property.shape, value) {
            (_, Value::Null) => {
                let text = "null is no value: leave the property out";
                self.issue(IssueCode::Structure, path, text);
            }
            (Shape::Primitive(primitive, _), value) => {
                self.primitive(value, (primitive, property), path);
            }
            (Shape::Complex(index), Value::Object(object)) => {
                let plan = self.plan.type_plan(index);
                self.no_empty_object(object, path);
                self.object(object, plan, path);
                match (plan.role, property.required_set) {
                    (Role::Coding, Some(set)) => self.coding_binding(object, set, path),
                    (Role::CodeableConcept, Some(set)) => self.concept_binding(object, set, path),
                    (Role::Reference, _) => self.reference_target(object, property, path),
                    _ => {}
                }
            }
            (Shape::Complex(_), _) => {
                let text = format!("Expected a JSON object, a {}", property.type_name);
                self.issue(IssueCode::Structure, path, text);
            }
            (Shape::Resource, value) => self.nested_resource(value, property, path),
        }
    }

    /// ele-1: an element has a value or children, and an `id` alone is none.
    fn no_empty_object(&mut self, object: &Map<String, Value>, path: &Path) {
        let is_only_id = || object.len() == 1 && object.contains_key("id");
        if object.is_empty() {
            let text = "An object is not empty: leave the property out";
            self.issue(IssueCode::Structure, path, text);
        } else if is_only_id() {
            let text = "An element has a value or children besides its id (ele-1)";
            self.issue(IssueCode::Invariant, path, text);
        }
    }

    /// `_name`: id and extensions of a primitive (json.html#primitive).
    fn sibling(&mut self, value: &'v Value, entry: Entry<'v, '_>) {
        let Shape::Primitive(kind, plan) = entry.property.shape else {
            let name = entry.name;
            let text = format!("'_{name}' is for primitives; extensions of {name} stand in it");
            return self.issue(IssueCode::Structure, entry.path, text);
        };
        let plan = self.plan.type_plan(plan);
        let values = entry.object.get(entry.name);
        match (entry.property.element.is_repeating(), value) {
            (false, Value::Object(object)) => {
                match values {
                    Some(_) if !object.is_empty() => {}
                    _ => self.no_empty_object(object, entry.path),
                }
                if kind == Primitive::Xhtml {
                    let text = "The div of a narrative has no extensions";
                    self.issue(IssueCode::Structure, entry.path, text);
                }
                self.object(object, plan, entry.path);
            }
            (true, Value::Array(items)) => self.sibling_items(items, entry, plan),
            (is_list, _) => {
                let kind = if is_list { "array" } else { "object" };
                let text = format!("Expected a JSON {kind} at '_{}'", entry.name);
                self.issue(IssueCode::Structure, entry.path, text);
            }
        }
    }

    fn sibling_items(&mut self, items: &'v [Value], entry: Entry<'v, '_>, plan: &'static TypePlan) {
        let name = entry.name;
        let values = entry.object.get(name).and_then(Value::as_array);
        if items.is_empty() || values.is_some_and(|values| values.len() != items.len()) {
            let text = format!("'_{name}' has as many items as '{name}', null where there is none");
            self.issue(IssueCode::Structure, entry.path, text);
        }
        for (index, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let path = entry.path.item(index);
            let has_value = values.and_then(|list| list.get(index)).is_some_and(|v| !v.is_null());
            match item {
                Value::Object(object) => {
                    if !has_value || object.is_empty() {
                        self.no_empty_object(object, &path);
                    }
                    self.object(object, plan, &path);
                }
                // Where both lists have null, the list of values tells.
                Value::Null if has_value || values.is_some() => {}
                _ => {
                    let text = format!("Expected an object with extensions in '_{name}'");
                    self.issue(IssueCode::Structure, &path, text);
                }
            }
        }
    }

    /// ext-1, and a URL that names the extension (extensibility.html#extension).
    fn extension(&mut self, object: &'v Map<String, Value>, path: &Path) {
        let has_value =
            object.keys().any(|name| name.starts_with("value") || name.starts_with("_value"));
        if has_value == object.contains_key("extension") {
            let text = "An extension has either a value[x] or extensions (ext-1)";
            self.issue(IssueCode::Invariant, path, text);
        }
        let url = object.get("url").and_then(Value::as_str).unwrap_or_default();
        if !url.is_empty() && !crate::fhir::types::has_scheme(url) && !path.is_within_extension() {
            let text = format!("The URL of an extension is absolute, not '{}'", shown(url));
            self.issue(IssueCode::Extension, &path.element("url"), text);
        }
    }
}

fn element_path<'p>(property: &'static Property, path: &'p Path<'p>) -> Path<'p> {
    match property.element.is_choice {
        true => path.choice(property.element.name, property.type_name),
        false => path.element(property.element.name),
    }
}
