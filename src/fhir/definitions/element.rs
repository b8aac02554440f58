//! The element table: for every type its elements in order, reached by their JSON names.

use super::table::{ElementRow, Kind, TypeRow};
use super::value_set::ValueSet;
use std::collections::HashMap;

/// Index of a [`TypeDef`] in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TypeId(u16);

impl TypeId {
    pub(super) fn new(index: usize) -> Self {
        TypeId(index as u16)
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A resource type, a data type, or the anonymous type of an element with children.
pub struct TypeDef {
    pub name: &'static str,
    pub kind: Kind,
    pub base: Option<TypeId>,
    /// In the order of the definition, which is the order of XML.
    pub elements: Vec<Element>,
    children: HashMap<&'static str, (u16, u16)>,
}

/// An element as defined, before a type of a choice is taken.
pub struct Element {
    /// Without `[x]`.
    pub name: &'static str,
    pub min: u32,
    /// None stands for `*`.
    pub max: Option<u32>,
    /// True for `value[x]`: the JSON name is the name and the type's, `valueQuantity`.
    pub is_choice: bool,
    pub types: Vec<ElementType>,
    pub is_summary: bool,
    pub is_modifier: bool,
    pub binding: Option<Binding>,
}

impl Element {
    /// True where JSON has an array (json.html#2.6.2.1).
    pub fn is_repeating(&self) -> bool {
        self.max != Some(1)
    }
}

/// One of the types that an element may have.
pub struct ElementType {
    pub id: TypeId,
    /// The property name in JSON: `valueQuantity`, or the element's own name.
    pub json_name: &'static str,
    /// Resource types that a Reference or canonical may point at; empty for any.
    pub targets: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strength {
    Required,
    Extensible,
    Preferred,
    Example,
}

/// terminologies.html#strength.
pub struct Binding {
    pub strength: Strength,
    pub value_set: &'static str,
    pub(super) expansion: Option<usize>,
}

/// What a JSON property of a type stands for.
#[derive(Clone, Copy)]
pub struct Child<'a> {
    pub element: &'a Element,
    pub element_type: &'a ElementType,
}

impl TypeDef {
    /// The element that a JSON property name stands for, `_` prefix stripped by the caller;
    /// None for an unknown one and for the bare name of a choice.
    pub fn child(&self, json_name: &str) -> Option<Child<'_>> {
        let &(element, kind) = self.children.get(json_name)?;
        let element = &self.elements[usize::from(element)];
        Some(Child { element, element_type: &element.types[usize::from(kind)] })
    }

    /// The element by its name without `[x]`.
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    pub fn is_primitive(&self) -> bool {
        self.kind == Kind::Primitive
    }

    /// A resource or one of the two abstract resource types.
    pub fn is_resource(&self) -> bool {
        matches!(self.kind, Kind::Resource | Kind::AbstractResource)
    }
}

/// Names live as long as the process: the tables are loaded once and never dropped.
pub(super) fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Links rows by index. `rows` are ordered by name.
pub(super) fn link(rows: Vec<TypeRow>, value_sets: &[ValueSet]) -> Vec<TypeDef> {
    let ids: HashMap<String, TypeId> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| (row.name.clone(), TypeId::new(index)))
        .collect();
    let expansions: HashMap<&str, usize> =
        value_sets.iter().enumerate().map(|(index, set)| (set.url, index)).collect();
    rows.into_iter().map(|row| type_def(row, &ids, &expansions)).collect()
}

fn type_def(
    row: TypeRow,
    ids: &HashMap<String, TypeId>,
    expansions: &HashMap<&str, usize>,
) -> TypeDef {
    let elements: Vec<Element> =
        row.elements.into_iter().map(|row| element(row, ids, expansions)).collect();
    let mut children = HashMap::new();
    for (element_index, element) in elements.iter().enumerate() {
        for (type_index, element_type) in element.types.iter().enumerate() {
            let place = (element_index as u16, type_index as u16);
            children.entry(element_type.json_name).or_insert(place);
        }
    }
    let base = row.base.and_then(|name| ids.get(&name).copied());
    TypeDef { name: leak(row.name), kind: row.kind, base, elements, children }
}

fn element(
    row: ElementRow,
    ids: &HashMap<String, TypeId>,
    expansions: &HashMap<&str, usize>,
) -> Element {
    let name = leak(row.name);
    let is_choice = row.choice;
    let element_type = |row: super::table::ElementTypeRow| {
        let json_name = match is_choice {
            true => leak(format!("{name}{}", capitalised(&row.code))),
            false => name,
        };
        let id = *ids.get(&row.code).unwrap_or_else(|| panic!("type {} has a row", row.code));
        ElementType { id, json_name, targets: row.targets.into_iter().map(leak).collect() }
    };
    let binding = row.binding.map(|binding| Binding {
        strength: match binding.strength.as_str() {
            "required" => Strength::Required,
            "extensible" => Strength::Extensible,
            "preferred" => Strength::Preferred,
            _ => Strength::Example,
        },
        expansion: binding.value_set.split('|').next().and_then(|url| expansions.get(url).copied()),
        value_set: leak(binding.value_set),
    });
    Element {
        name,
        min: row.min,
        max: row.max,
        is_choice,
        types: row.types.into_iter().map(element_type).collect(),
        is_summary: row.is_summary,
        is_modifier: row.is_modifier,
        binding,
    }
}

fn capitalised(code: &str) -> String {
    let mut letters = code.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
