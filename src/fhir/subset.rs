//! Parts of a resource: `_summary` (<https://hl7.org/fhir/R4/search.html#summary>) and
//! `_elements` (<https://hl7.org/fhir/R4/search.html#elements>).
//!
//! A part keeps `id`, `meta` and the mandatory elements, and carries the tag SUBSETTED, by which
//! a later update with it is refused. `_summary=count` is an answer without resources and the
//! matter of the search.

use super::definitions::{Child, Definitions, ResourceType, TypeDef};
use serde_json::{Map, Value, json};

const TAG_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
/// The same code system as it was named before R4.
const OLD_TAG_SYSTEM: &str = "http://hl7.org/fhir/v3/ObservationValue";
const TAG_CODE: &str = "SUBSETTED";

/// Nesting to which a summary is made; below it everything is kept.
const MAX_DEPTH: usize = 64;

/// Which part of a resource the client wants.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Subset {
    #[default]
    None,
    /// Elements that the definition marks as summary.
    Summary,
    /// `text`, `id`, `meta` and mandatory elements.
    Text,
    /// Everything but `text`.
    Data,
    /// `_summary=count`: of a Bundle only its total.
    Count,
    /// Top-level element names, a choice without `[x]` or with its type.
    Elements(Vec<String>),
}

/// The first name that is no top-level element of the type, or of any type where None is given.
pub fn unknown_element(names: &[String], resource_type: Option<ResourceType>) -> Option<&str> {
    let is_known = |name: &&String| match resource_type {
        Some(of) => has_element(of.definition(), name),
        None => ResourceType::all().any(|of| has_element(of.definition(), name)),
    };
    names.iter().find(|name| !is_known(name)).map(String::as_str)
}

fn has_element(definition: &TypeDef, name: &str) -> bool {
    name == "resourceType" || definition.child(name).is_some() || definition.element(name).is_some()
}

/// That part of a resource. A value that is no resource is returned as it is.
pub fn part(resource: &Value, subset: &Subset) -> Value {
    let Some((object, definition)) = resource_parts(resource) else { return resource.clone() };
    let keeps = |name: &str, child: Option<Child>| match subset {
        Subset::Text => name == "text",
        Subset::Data => name != "text",
        Subset::Elements(names) => {
            let is_named = |known: &str| names.iter().any(|asked| asked == known);
            is_named(name) || child.is_some_and(|child| is_named(child.element.name))
        }
        Subset::None | Subset::Summary | Subset::Count => true,
    };
    match subset {
        Subset::None | Subset::Count => resource.clone(),
        Subset::Summary => subsetted(summarised(object, definition, MAX_DEPTH).unwrap_or_default()),
        _ => subsetted(top_level(object, definition, keeps)),
    }
}

/// True where a resource carries the tag SUBSETTED: it is a part, and no update may store it
/// (search.html#summary).
pub fn is_subsetted(resource: &Value) -> bool {
    let tags = resource.get("meta").and_then(|meta| meta.get("tag")).and_then(Value::as_array);
    tags.into_iter().flatten().any(|tag| {
        let text = |name| tag.get(name).and_then(Value::as_str);
        text("code") == Some(TAG_CODE)
            && matches!(text("system"), Some(TAG_SYSTEM | OLD_TAG_SYSTEM))
    })
}

fn resource_parts(resource: &Value) -> Option<(&Map<String, Value>, &'static TypeDef)> {
    let object = resource.as_object()?;
    let name = object.get("resourceType")?.as_str()?;
    Some((object, ResourceType::parse(name)?.definition()))
}

/// Kept whatever is asked for, at the top of a resource.
fn is_always_kept(name: &str) -> bool {
    matches!(name, "resourceType" | "id" | "meta" | "implicitRules")
}

/// The properties that `keeps` wants, and those that must stand. `_name` goes with `name`.
fn top_level(
    object: &Map<String, Value>,
    definition: &TypeDef,
    keeps: impl Fn(&str, Option<Child>) -> bool,
) -> Map<String, Value> {
    let is_kept = |name: &str| {
        let name = name.strip_prefix('_').unwrap_or(name);
        let child = definition.child(name);
        let is_mandatory = child.is_some_and(|child| child.element.min > 0);
        is_always_kept(name) || is_mandatory || keeps(name, child)
    };
    let kept = object.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The summary elements of an object, and those in them; None where nothing is left.
fn summarised(
    object: &Map<String, Value>,
    definition: &TypeDef,
    depth: usize,
) -> Option<Map<String, Value>> {
    let mut part = Map::new();
    for (name, value) in object {
        if definition.is_resource() && is_always_kept(name) {
            part.insert(name.clone(), value.clone());
            continue;
        }
        let Some(child) = definition.child(name.strip_prefix('_').unwrap_or(name)) else {
            continue;
        };
        let is_mandatory = child.element.min > 0;
        if !is_mandatory && !child.element.is_summary {
            continue;
        }
        let kept = match name.starts_with('_') {
            true => Some(value.clone()),
            false => summarised_value(value, child, depth),
        };
        match kept {
            Some(kept) => part.insert(name.clone(), kept),
            None if is_mandatory => part.insert(name.clone(), value.clone()),
            None => None,
        };
    }
    (!part.is_empty()).then_some(part)
}

/// A value within a summary. Resources in it, extensions and primitives are kept whole: their
/// definitions mark nothing.
fn summarised_value(value: &Value, child: Child, depth: usize) -> Option<Value> {
    let definition = Definitions::r4().type_def(child.element_type.id);
    let is_marked = definition.elements.iter().any(|element| element.is_summary);
    let is_whole = definition.is_primitive() || definition.is_resource() || !is_marked;
    let Some(depth) = depth.checked_sub(1).filter(|_| !is_whole) else {
        return Some(value.clone());
    };
    match value {
        Value::Object(object) => summarised(object, definition, depth).map(Value::Object),
        Value::Array(items) => {
            let items = items.iter().filter_map(|item| summarised_value(item, child, depth));
            let items: Vec<Value> = items.collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        other => Some(other.clone()),
    }
}

/// Adds the tag, in a `meta` after `resourceType` and `id` where there was none.
fn subsetted(part: Map<String, Value>) -> Value {
    let mut part = Value::Object(part);
    if is_subsetted(&part) {
        return part;
    }
    let tag = json!({"system": TAG_SYSTEM, "code": TAG_CODE});
    let Some(object) = part.as_object_mut() else { return part };
    if !object.contains_key("meta") {
        let head = object.keys().take_while(|name| matches!(name.as_str(), "resourceType" | "id"));
        let place = head.count();
        object.shift_insert(place, "meta".to_owned(), json!({}));
    }
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        match meta.get_mut("tag").and_then(Value::as_array_mut) {
            Some(tags) => tags.push(tag),
            None => {
                meta.insert("tag".to_owned(), json!([tag]));
            }
        }
    }
    part
}

#[cfg(test)]
#[path = "subset_tests.rs"]
mod tests;
