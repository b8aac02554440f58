//! A node of a resource: a JSON value together with its `_element` sibling and its type.

use crate::fhir::definitions::{Definitions, Kind, TypeDef, TypeId};
use serde_json::{Map, Value};

/// A primitive and its `_element` sibling (json.html#primitive) are one node, so that
/// `given[0].extension`, `hasValue()` and `count()` see what XML would show. A node with
/// neither is what `resolve()` makes of a reference to another resource: a type, no content.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: Option<&'a Value>,
    element: Option<&'a Value>,
    type_id: Option<TypeId>,
}

type Object = Map<String, Value>;

impl<'a> Node<'a> {
    /// `element` is the `_element` sibling of a primitive; a JSON null counts as absent.
    pub fn new(
        value: Option<&'a Value>,
        element: Option<&'a Value>,
        type_id: Option<TypeId>,
    ) -> Self {
        let present = |value: Option<&'a Value>| value.filter(|value| !value.is_null());
        Node { value: present(value), element: present(element), type_id }
    }

    /// The root node of a resource; its type is that of `resourceType`.
    pub fn of_resource(resource: &'a Value) -> Self {
        Node::new(Some(resource), None, resource_type_id(resource))
    }

    /// The JSON value, except of a primitive that has only extensions.
    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// The `_element` sibling: `id` and `extension` of a primitive.
    pub fn element(&self) -> Option<&'a Value> {
        self.element
    }

    /// The row of the element table; None below an element that R4 does not know.
    pub fn type_id(&self) -> Option<TypeId> {
        self.type_id
    }

    /// `Patient`, `HumanName`, `date`, `Patient.contact`.
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_def().map(|definition| definition.name)
    }

    pub(super) fn type_def(&self) -> Option<&'static TypeDef> {
        self.type_id.map(|id| Definitions::r4().type_def(id))
    }

    /// True where a primitive has a value, not only extensions.
    pub fn has_value(&self) -> bool {
        self.value.is_some_and(|value| !value.is_object() && !value.is_array())
    }

    /// The object that holds this node's children: of a primitive, its `_element`.
    pub(super) fn object(&self) -> Option<&'a Object> {
        match self.value {
            Some(Value::Object(object)) => Some(object),
            _ => self.element.and_then(Value::as_object),
        }
    }

    /// True for the same place in the same resource.
    pub(super) fn is_same(&self, other: &Node<'_>) -> bool {
        let same = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            _ => false,
        };
        same(self.value, other.value)
            || (self.value.is_none() && other.value.is_none() && same(self.element, other.element))
    }

    /// Visits the children of that element name; the choice `value[x]` is named `value`.
    /// False where the node's type has no such element.
    pub(super) fn members(&self, name: &str, visit: &mut dyn FnMut(Node<'a>)) -> bool {
        let Some(definition) = self.type_def() else {
            self.member(name, None, visit);
            return true;
        };
        match definition.child(name) {
            Some(child) if !child.element.is_choice => {
                self.member(name, Some(child.element_type.id), visit);
                true
            }
            Some(_) => false,
            None => {
                let choice = definition.element(name).filter(|element| element.is_choice);
                for element_type in choice.iter().flat_map(|element| &element.types) {
                    self.member(element_type.json_name, Some(element_type.id), visit);
                }
                choice.is_some()
            }
        }
    }

    fn member(&self, key: &str, type_id: Option<TypeId>, visit: &mut dyn FnMut(Node<'a>)) {
        let Some(object) = self.object() else { return };
        let is_primitive =
            type_id.is_none_or(|id| Definitions::r4().type_def(id).kind == Kind::Primitive);
        let sibling = match is_primitive {
            true => sibling(object, key),
            false => None,
        };
        spread(object.get(key), sibling, type_id, visit);
    }

    /// Visits all children, in the order of the JSON.
    pub(super) fn children(&self, visit: &mut dyn FnMut(Node<'a>)) {
        let Some(object) = self.object() else { return };
        let definition = self.type_def();
        for (key, value) in object {
            let (name, value, sibling) = match key.strip_prefix('_') {
                Some(name) if object.contains_key(name) => continue,
                Some(name) => (name, None, Some(value)),
                None if key == "resourceType" => continue,
                None => (key.as_str(), Some(value), sibling(object, key)),
            };
            let child = definition.and_then(|definition| definition.child(name));
            spread(value, sibling, child.map(|child| child.element_type.id), visit);
        }
    }
}

/// `_key`; few objects have any such property.
fn sibling<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    let is_sibling = |name: &str| name.strip_prefix('_') == Some(key);
    object.iter().find(|(name, _)| is_sibling(name)).map(|(_, value)| value)
}

/// The type named by `resourceType`.
pub(super) fn resource_type_id(resource: &Value) -> Option<TypeId> {
    let name = resource.get("resourceType")?.as_str()?;
    let definitions = Definitions::r4();
    let id = definitions.type_id(name)?;
    definitions.type_def(id).is_resource().then_some(id)
}

/// The nodes of a property: one, or one per item of an array and its `_element` array.
pub(super) fn spread<'a>(
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    type_id: Option<TypeId>,
    visit: &mut dyn FnMut(Node<'a>),
) {
    let (values, siblings) = (items(value), items(sibling));
    for index in 0..values.len().max(siblings.len()) {
        let mut node = Node::new(values.get(index), siblings.get(index), type_id);
        if node.value.is_none() && node.element.is_none() {
            continue;
        }
        if is_abstract_resource(type_id) {
            node.type_id = node.value.and_then(resource_type_id).or(type_id);
        }
        visit(node);
    }
}

fn is_abstract_resource(type_id: Option<TypeId>) -> bool {
    type_id.is_some_and(|id| Definitions::r4().type_def(id).kind == Kind::AbstractResource)
}

fn items(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}
