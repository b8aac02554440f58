//! The occurrences of an element, gathered until their parent ends, then laid out as JSON:
//! <https://hl7.org/fhir/R4/json.html#2.6.2.1>.

use crate::fhir::definitions::{Child, TypeDef};
use serde_json::{Map, Value};

/// One occurrence: the value, and for a primitive its id and extensions.
pub(super) struct Item {
    pub value: Option<Value>,
    pub companion: Option<Value>,
}

/// An element of a choice counts by the type taken, as JSON names it.
struct Slot {
    child: Child<'static>,
    place: usize,
    items: Vec<Item>,
}

/// What the children of one element have been so far.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// The slot of the latest child.
    current: usize,
    /// The latest place in the definition's order, and the name found there.
    furthest: usize,
}

/// How an occurrence stands to those before it.
pub(super) struct Standing {
    /// Number of occurrences before this one.
    pub index: usize,
    /// The element that should have come after this one.
    pub before: Option<&'static str>,
}

impl Slots {
    /// Makes the slot of `child` the current one.
    pub fn enter(&mut self, definition: &'static TypeDef, child: Child<'static>) -> Standing {
        let name = child.element_type.json_name;
        let is_current = self
            .slots
            .get(self.current)
            .is_some_and(|slot| slot.child.element_type.json_name == name);
        if !is_current {
            let known =
                self.slots.iter().position(|slot| slot.child.element_type.json_name == name);
            self.current = known.unwrap_or_else(|| {
                let place = definition.elements.iter();
                let place =
                    place.take_while(|element| !std::ptr::eq(*element, child.element)).count();
                self.slots.push(Slot { child, place, items: Vec::new() });
                self.slots.len() - 1
            });
        }
        let slot = &self.slots[self.current];
        let before = (slot.place < self.furthest)
            .then(|| definition.elements.get(self.furthest).map(|element| element.name))
            .flatten();
        self.furthest = self.furthest.max(slot.place);
        Standing { index: slot.items.len(), before }
    }

    /// Adds to the slot entered last.
    pub fn add(&mut self, item: Item) {
        if let Some(slot) = self.slots.get_mut(self.current) {
            slot.items.push(item);
        }
    }

    /// The properties, in the order of their first occurrence.
    pub fn write_to(self, object: &mut Map<String, Value>) {
        for slot in self.slots {
            let name = slot.child.element_type.json_name;
            let has_value = slot.items.iter().any(|item| item.value.is_some());
            let has_companion = slot.items.iter().any(|item| item.companion.is_some());
            let (values, companions): (Vec<_>, Vec<_>) =
                slot.items.into_iter().map(|item| (item.value, item.companion)).unzip();
            let is_repeating = slot.child.element.is_repeating();
            if has_value {
                object.insert(name.to_owned(), lay_out(values, is_repeating));
            }
            if has_companion {
                object.insert(format!("_{name}"), lay_out(companions, is_repeating));
            }
        }
    }
}

fn lay_out(items: Vec<Option<Value>>, is_repeating: bool) -> Value {
    let mut items = items.into_iter().map(Option::unwrap_or_default);
    match is_repeating {
        true => Value::Array(items.collect()),
        false => items.next().unwrap_or_default(),
    }
}
