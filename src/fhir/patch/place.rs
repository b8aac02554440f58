//! Elements in JSON, where a primitive and its id and extensions are two properties (`x`,
//! `_x`), and both may be arrays: <https://hl7.org/fhir/R4/json.html#primitive>.

use crate::fhir::definitions::{Definitions, ResourceType, TypeDef};
use crate::fhir::fhirpath::Step;
use serde_json::{Map, Value};

/// One occurrence of an element: its value, and for a primitive its id and extensions; null
/// where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    pub value: Value,
    pub companion: Value,
}

impl Item {
    fn is_nothing(&self) -> bool {
        self.value.is_null() && self.companion.is_null()
    }
}

/// Where an element stands: below which object, under which name, at which index of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub parent: Vec<Step>,
    /// Without the `_` of a companion.
    pub key: String,
    pub index: Option<usize>,
}

impl Place {
    /// None for the root.
    pub fn of(steps: &[Step]) -> Option<Place> {
        let (parent, key, index) = match steps {
            [parent @ .., Step::Key(key), Step::Index(index)] => (parent, key, Some(*index)),
            [parent @ .., Step::Key(key)] => (parent, key, None),
            _ => return None,
        };
        let key = key.strip_prefix('_').unwrap_or(key).to_owned();
        Some(Place { parent: parent.to_vec(), key, index })
    }

    /// The steps to the object of the element: for a primitive, to its companion.
    pub fn object_steps(&self, is_primitive: bool) -> Vec<Step> {
        let prefix = if is_primitive { "_" } else { "" };
        let mut steps = self.parent.clone();
        steps.push(Step::Key(format!("{prefix}{}", self.key)));
        steps.extend(self.index.map(Step::Index));
        steps
    }
}

/// The value at the end of the steps.
pub(super) fn value_mut<'v>(root: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// The type of the element at the end of the steps.
pub(super) fn type_at(root: &Value, steps: &[Step]) -> Option<&'static TypeDef> {
    let mut definition = resource_type(root)?;
    let mut value = Some(root);
    for step in steps {
        match step {
            Step::Index(index) => value = value.and_then(|value| value.get(*index)),
            Step::Key(key) => {
                let name = key.strip_prefix('_').unwrap_or(key);
                let child = definition.child(name)?;
                definition = Definitions::r4().type_def(child.element_type.id);
                value = value.and_then(|value| value.get(key.as_str()));
            }
        }
        if definition.is_resource() {
            definition = value.and_then(resource_type).unwrap_or(definition);
        }
    }
    Some(definition)
}

fn resource_type(value: &Value) -> Option<&'static TypeDef> {
    let name = value.get("resourceType")?.as_str()?;
    ResourceType::parse(name).map(ResourceType::definition)
}

/// Number of occurrences of a repeating element.
pub(super) fn length(object: &Map<String, Value>, key: &str) -> usize {
    let length = |key: &str| object.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    length(key).max(length(&format!("_{key}")))
}

/// Takes the occurrences of a repeating element; [`set_list`] writes them back.
pub(super) fn take_list(object: &mut Map<String, Value>, key: &str) -> Vec<Item> {
    let mut take = |key: &str| match object.get_mut(key) {
        Some(Value::Array(items)) => std::mem::take(items),
        _ => Vec::new(),
    };
    let (mut values, mut companions) = (take(key), take(&format!("_{key}")));
    let length = values.len().max(companions.len());
    values.resize(length, Value::Null);
    companions.resize(length, Value::Null);
    let items = values.into_iter().zip(companions);
    items.map(|(value, companion)| Item { value, companion }).collect()
}

/// Writes the occurrences of a repeating element back; none removes it.
pub(super) fn set_list(object: &mut Map<String, Value>, key: &str, items: Vec<Item>) {
    let (values, companions): (Vec<_>, Vec<_>) =
        items.into_iter().map(|item| (item.value, item.companion)).unzip();
    let array = |items: Vec<Value>| match items.iter().all(Value::is_null) {
        true => Value::Null,
        false => Value::Array(items),
    };
    set(object, key, Item { value: array(values), companion: array(companions) });
}

/// Writes an element that does not repeat; null removes. Other properties keep their order.
pub(super) fn set(object: &mut Map<String, Value>, key: &str, item: Item) {
    for (key, value) in [(key.to_owned(), item.value), (format!("_{key}"), item.companion)] {
        match value {
            Value::Null => drop(object.shift_remove(&key)),
            value => drop(object.insert(key, value)),
        }
    }
}

/// Takes the element out, and what becomes empty above it.
pub(super) fn remove(root: &mut Value, place: &Place) {
    let mut place = place.clone();
    // Of the elements above, a primitive may keep its value.
    let mut is_companion_only = false;
    loop {
        let Some(Value::Object(object)) = value_mut(root, &place.parent) else { return };
        remove_from(object, &place, is_companion_only);
        if !object.is_empty() {
            return;
        }
        is_companion_only = match place.parent.as_slice() {
            [.., Step::Key(key)] | [.., Step::Key(key), Step::Index(_)] => key.starts_with('_'),
            _ => false,
        };
        match Place::of(&place.parent) {
            Some(above) => place = above,
            None => return,
        }
    }
}

fn remove_from(object: &mut Map<String, Value>, place: &Place, is_companion_only: bool) {
    let key = &place.key;
    let Some(index) = place.index else {
        object.shift_remove(&format!("_{key}"));
        if !is_companion_only {
            object.shift_remove(key);
        }
        return;
    };
    let mut items = take_list(object, key);
    if let Some(item) = items.get_mut(index) {
        item.companion = Value::Null;
        if !is_companion_only {
            item.value = Value::Null;
        }
        if item.is_nothing() {
            items.remove(index);
        }
    }
    set_list(object, key, items);
}
