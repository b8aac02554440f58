//! What the R4 (4.0.1) definitions say, as data that everything reads: the element table of
//! every type, required value sets, compartments and search parameters.
//!
//! The rows are compiled from HL7's own package by `build.rs` and linked into tables once, at
//! the first use. Nothing outside this room matches on resource type names.

mod compartment;
mod element;
mod table;
mod value_set;

pub use compartment::Compartment;
pub use element::{Binding, Child, Element, ElementType, Strength, TypeDef, TypeId};
pub use table::{Kind, SearchParameterRow};
pub use value_set::ValueSet;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// One of the 146 resource types that have instances. Ordered and numbered by name, from 1.
/// The number is stored in the database as `type`; R4 is closed, so it never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType(u16);

impl ResourceType {
    /// The type of that exact name, or None: names are case-sensitive (http.html#general).
    pub fn parse(name: &str) -> Option<Self> {
        Definitions::r4().resource_types.get(name).copied()
    }

    /// Every resource type, in order of name.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=Definitions::r4().resource_names.len()).map(|number| ResourceType(number as u16))
    }

    pub fn name(self) -> &'static str {
        Definitions::r4().resource_names[usize::from(self.0) - 1].0
    }

    /// The type's row in the element table.
    pub fn definition(self) -> &'static TypeDef {
        let definitions = Definitions::r4();
        definitions.type_def(definitions.resource_names[usize::from(self.0) - 1].1)
    }

    /// The number stored as `type` in the database.
    pub fn number(self) -> i16 {
        self.0 as i16
    }

    /// The type with that database number, or None where no type has it.
    pub fn from_number(number: i16) -> Option<Self> {
        let known = Definitions::r4().resource_names.len();
        let number = usize::try_from(number).ok().filter(|n| (1..=known).contains(n))?;
        Some(ResourceType(number as u16))
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The tables of R4, linked.
pub struct Definitions {
    types: Vec<TypeDef>,
    type_ids: HashMap<&'static str, TypeId>,
    resource_types: HashMap<&'static str, ResourceType>,
    resource_names: Vec<(&'static str, TypeId)>,
    value_sets: Vec<ValueSet>,
    compartments: Vec<Compartment>,
    search_parameters: Vec<SearchParameterRow>,
}

static COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/definitions.json"));

impl Definitions {
    /// The definitions of R4; loaded at the first call, a few milliseconds.
    pub fn r4() -> &'static Definitions {
        static R4: OnceLock<Definitions> = OnceLock::new();
        R4.get_or_init(|| {
            let rows: table::Tables =
                serde_json::from_slice(COMPILED).expect("build.rs wrote the tables");
            Definitions::link(rows)
        })
    }

    fn link(rows: table::Tables) -> Self {
        let value_sets: Vec<_> = rows.value_sets.into_iter().map(ValueSet::new).collect();
        let types = element::link(rows.types, &value_sets);
        let mut type_ids = HashMap::with_capacity(types.len());
        let mut resource_types = HashMap::new();
        let mut resource_names = Vec::new();
        for (index, definition) in types.iter().enumerate() {
            let id = TypeId::new(index);
            type_ids.insert(definition.name, id);
            if definition.kind == Kind::Resource {
                resource_names.push((definition.name, id));
                let number = ResourceType(resource_names.len() as u16);
                resource_types.insert(definition.name, number);
            }
        }
        let compartments = rows
            .compartments
            .into_iter()
            .map(|row| Compartment::new(row, &resource_types))
            .collect();
        Definitions {
            types,
            type_ids,
            resource_types,
            resource_names,
            value_sets,
            compartments,
            search_parameters: rows.search_parameters,
        }
    }

    /// The type of that name: a resource, a data type, or a backbone such as `Patient.contact`.
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.type_ids.get(name).copied()
    }

    pub fn type_def(&self, id: TypeId) -> &TypeDef {
        &self.types[id.index()]
    }

    /// True where `id` is `ancestor` or specialises it, directly or not.
    pub fn is_a(&self, id: TypeId, ancestor: TypeId) -> bool {
        let mut current = Some(id);
        while let Some(id) = current {
            if id == ancestor {
                return true;
            }
            current = self.type_def(id).base;
        }
        false
    }

    pub fn value_set(&self, binding: &Binding) -> Option<&ValueSet> {
        binding.expansion.map(|index| &self.value_sets[index])
    }

    /// The compartment of that code (`Patient`, `Encounter`, ...), compartmentdefinition.html.
    pub fn compartment(&self, code: &str) -> Option<&Compartment> {
        self.compartments.iter().find(|compartment| compartment.code == code)
    }

    pub fn compartments(&self) -> &[Compartment] {
        &self.compartments
    }

    /// HL7's 1,375 search parameters, ordered by canonical URL.
    pub fn search_parameters(&self) -> &[SearchParameterRow] {
        &self.search_parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_type_of_r4_is_known() {
        assert_eq!(ResourceType::all().count(), 146);
        assert_eq!(ResourceType::parse("Patient").map(ResourceType::name), Some("Patient"));
        assert_eq!(ResourceType::parse("patient"), None);
        assert_eq!(ResourceType::parse("Resource"), None);
    }

    #[test]
    fn a_choice_element_is_found_by_its_typed_name() {
        let observation = ResourceType::parse("Observation").unwrap().definition();
        let child = observation.child("valueQuantity").unwrap();
        assert_eq!(child.element.name, "value");
        assert_eq!(Definitions::r4().type_def(child.element_type.id).name, "Quantity");
        assert!(observation.child("value").is_none());
        assert!(observation.child("valueNonsense").is_none());
    }

    #[test]
    fn content_references_lead_to_the_element_they_name() {
        let item = Definitions::r4().type_id("Questionnaire.item").unwrap();
        let child = Definitions::r4().type_def(item).child("item").unwrap();
        assert_eq!(child.element_type.id, item);
    }

    #[test]
    fn required_bindings_of_shipped_code_systems_are_expanded() {
        let patient = ResourceType::parse("Patient").unwrap().definition();
        let binding = patient.child("gender").unwrap().element.binding.as_ref().unwrap();
        let value_set = Definitions::r4().value_set(binding).unwrap();
        assert!(value_set.has_code("female"));
        assert!(!value_set.has_code("foo"));
    }

    #[test]
    fn specialisation_is_followed_to_the_root() {
        let r4 = Definitions::r4();
        let is_a = |a: &str, b: &str| r4.is_a(r4.type_id(a).unwrap(), r4.type_id(b).unwrap());
        assert!(is_a("Patient", "DomainResource"));
        assert!(is_a("Age", "Quantity"));
        assert!(is_a("Patient.contact", "BackboneElement"));
        assert!(!is_a("Bundle", "DomainResource"));
    }
}
