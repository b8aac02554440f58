//! Where a node stands in its resource: for issues and for FHIRPath Patch.

use super::node::Node;
use serde_json::Value;
use std::fmt;

/// One step from a JSON value to one within it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// The way from the root of a resource to a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// Keys of the JSON as they are (`valueQuantity`), and indexes into its arrays. Of a
    /// primitive that has only extensions, the way to its `_element`.
    pub steps: Vec<Step>,
    /// As FHIRPath: `Patient.name[0].given[1]`; a choice by its element name.
    pub path: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// The place of `node` in the resource it was found in; None where it is not of that resource:
/// computed, or what `resolve()` stands for.
pub fn locate(root: &Value, node: &Node<'_>) -> Option<Location> {
    let wanted = node.value().or(node.element())?;
    let start = Node::of_resource(root);
    let mut found =
        Location { steps: Vec::new(), path: start.type_name().unwrap_or("Resource").to_owned() };
    descend(start, wanted, &mut found).then_some(found)
}

/// Extends `found` to `wanted` where that is at or below `node`. The depth is the resource's.
fn descend(node: Node<'_>, wanted: &Value, found: &mut Location) -> bool {
    let is_here = |value: Option<&Value>| value.is_some_and(|value| std::ptr::eq(value, wanted));
    if is_here(node.value()) || is_here(node.element()) {
        return true;
    }
    let Some(object) = node.object() else { return false };
    for (key, value) in object {
        let name = key.strip_prefix('_').unwrap_or(key);
        let child = node.type_def().and_then(|definition| definition.child(name));
        let type_id = child.map(|child| child.element_type.id);
        let element_name = child.map_or(name, |child| child.element.name);
        let length = (found.steps.len(), found.path.len());
        found.steps.push(Step::Key(key.clone()));
        found.path.push('.');
        found.path.push_str(element_name);
        let is_found = match value {
            Value::Array(items) => {
                let length = (found.steps.len(), found.path.len());
                items.iter().enumerate().any(|(index, item)| {
                    found.steps.push(Step::Index(index));
                    found.path.push_str(&format!("[{index}]"));
                    descend(typed(item, type_id), wanted, found) || found.cut(length)
                })
            }
            value => descend(typed(value, type_id), wanted, found),
        };
        if is_found || found.cut(length) {
            return true;
        }
    }
    false
}

fn typed(value: &Value, type_id: Option<crate::fhir::definitions::TypeId>) -> Node<'_> {
    let type_id = super::node::resource_type_id(value).or(type_id);
    Node::new(Some(value), None, type_id)
}

impl Location {
    /// Back to an earlier length; false, so that the search goes on.
    fn cut(&mut self, (steps, path): (usize, usize)) -> bool {
        self.steps.truncate(steps);
        self.path.truncate(path);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Expression, Item};
    use super::*;
    use serde_json::json;

    fn located(resource: &Value, source: &str) -> Vec<(String, String)> {
        let expression = Expression::parse(source).unwrap();
        let context = Context::default();
        let items = expression.evaluate(&context, resource).unwrap();
        let located = items.iter().filter_map(Item::as_node).filter_map(|node| {
            let location = locate(resource, &node)?;
            let steps = location.steps.iter().map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            });
            Some((location.path.clone(), steps.collect::<Vec<_>>().join("/")))
        });
        located.collect()
    }

    #[test]
    fn a_result_knows_its_way_from_the_root() {
        let patient = json!({"resourceType": "Patient", "deceasedBoolean": true,
            "name": [{"given": ["A", "A"]}, {"given": ["B", null], "_given": [null, {"id": "x"}]}],
            "contained": [{"resourceType": "Organization", "name": "O"}]});
        let of = |source| located(&patient, source);
        let pair = |path: &str, steps: &str| vec![(path.to_owned(), steps.to_owned())];
        assert_eq!(
            of("Patient.name[0].given[1]"),
            pair("Patient.name[0].given[1]", "name/0/given/1")
        );
        assert_eq!(of("Patient.deceased"), pair("Patient.deceased", "deceasedBoolean"));
        assert_eq!(of("name.last().given[1]"), pair("Patient.name[1].given[1]", "name/1/_given/1"));
        assert_eq!(of("contained.name"), pair("Patient.contained[0].name", "contained/0/name"));
        assert_eq!(of("1 + 1"), vec![]);
    }
}
