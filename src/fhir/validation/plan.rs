//! The element table as validation walks it: each JSON property of a type with its shape,
//! looked up once per property and without a second step. Made at the first use.

use crate::fhir::definitions::{
    Child, Definitions, Element, Kind, ResourceType, Strength, TypeDef, TypeId, ValueSet,
};
use crate::fhir::types::Primitive;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

pub(super) struct Plan {
    types: Vec<TypePlan>,
    resources: Names<usize>,
}

type Names<T> = HashMap<&'static str, T, BuildHasherDefault<NameHasher>>;

pub(super) struct TypePlan {
    pub name: &'static str,
    pub is_resource: bool,
    pub role: Role,
    /// A bit for each element with a minimum cardinality above 0, by its index.
    pub required: u128,
    pub elements: &'static [Element],
    properties: Names<Property>,
}

/// What a type has of rules beyond its elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Extension,
    Reference,
    Coding,
    CodeableConcept,
}

pub(super) struct Property {
    /// The bit of the element in [`TypePlan::required`].
    pub bit: u128,
    pub element: &'static Element,
    pub type_name: &'static str,
    pub shape: Shape,
    pub targets: &'static [&'static str],
    /// The value set of a required binding, where R4 ships it whole.
    pub required_set: Option<&'static ValueSet>,
}

/// What JSON holds; the number is the index of the type's plan.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Primitive(Primitive, usize),
    Complex(usize),
    /// Any resource, named by its `resourceType`.
    Resource,
}

impl Plan {
    pub fn r4() -> &'static Plan {
        static R4: OnceLock<Plan> = OnceLock::new();
        R4.get_or_init(|| Builder::default().build())
    }

    pub fn type_plan(&self, index: usize) -> &TypePlan {
        &self.types[index]
    }

    /// The plan of a resource type that has instances.
    pub fn resource(&self, name: &str) -> Option<&TypePlan> {
        self.resources.get(name).map(|&index| &self.types[index])
    }

    pub fn resource_names(&self) -> impl Iterator<Item = &'static str> {
        self.resources.keys().copied()
    }
}

impl TypePlan {
    /// The property of that JSON name.
    pub fn property(&self, json_name: &str) -> Option<&Property> {
        self.properties.get(json_name)
    }

    pub fn property_names(&self) -> impl Iterator<Item = &'static str> {
        self.properties.keys().copied()
    }
}

#[derive(Default)]
struct Builder {
    types: Vec<Option<TypePlan>>,
    indexes: HashMap<TypeId, usize>,
}

impl Builder {
    fn build(mut self) -> Plan {
        let r4 = Definitions::r4();
        let mut resources = Names::default();
        for resource_type in ResourceType::all() {
            let name = resource_type.name();
            if let Some(id) = r4.type_id(name) {
                resources.insert(name, self.add(id));
            }
        }
        Plan { types: self.types.into_iter().flatten().collect(), resources }
    }

    /// The index of a type's plan, made with all it leads to where it is new. Every index that
    /// is given out is filled before `build` ends, so none shifts when the list is flattened.
    fn add(&mut self, id: TypeId) -> usize {
        if let Some(&index) = self.indexes.get(&id) {
            return index;
        }
        let index = self.types.len();
        self.types.push(None);
        self.indexes.insert(id, index);
        let plan = self.type_plan(Definitions::r4().type_def(id));
        self.types[index] = Some(plan);
        index
    }

    fn type_plan(&mut self, definition: &'static TypeDef) -> TypePlan {
        let mut properties = Names::default();
        let mut required = 0;
        for (index, element) in definition.elements.iter().enumerate() {
            let bit = 1_u128 << index;
            if element.min > 0 {
                required |= bit;
            }
            for element_type in &element.types {
                let name = element_type.json_name;
                let property = self.property(Child { element, element_type }, bit);
                properties.entry(name).or_insert(property);
            }
        }
        TypePlan {
            name: definition.name,
            is_resource: definition.is_resource(),
            role: match definition.name {
                "Extension" => Role::Extension,
                "Reference" => Role::Reference,
                "Coding" => Role::Coding,
                "CodeableConcept" => Role::CodeableConcept,
                _ => Role::Plain,
            },
            required,
            elements: &definition.elements,
            properties,
        }
    }

    fn property(&mut self, child: Child<'static>, bit: u128) -> Property {
        let r4 = Definitions::r4();
        let definition = r4.type_def(child.element_type.id);
        let shape = match (definition.kind, Primitive::parse(definition.name)) {
            (Kind::AbstractResource | Kind::Resource, _) => Shape::Resource,
            (Kind::Primitive, Some(known)) => {
                Shape::Primitive(known, self.add(child.element_type.id))
            }
            _ => Shape::Complex(self.add(child.element_type.id)),
        };
        let binding = child.element.binding.as_ref();
        let required = binding.filter(|binding| binding.strength == Strength::Required);
        Property {
            bit,
            element: child.element,
            type_name: definition.name,
            shape,
            targets: &child.element_type.targets,
            required_set: required.and_then(|binding| r4.value_set(binding)),
        }
    }
}

/// FNV-1a over eight bytes at a time. The tables are fixed and their keys ours, so names from
/// outside cannot make them slow and need no keyed hash.
#[derive(Default)]
pub(super) struct NameHasher(u64);

impl NameHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
        }
        self.mix(chunks.remainder().iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
    }

    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_fewer_elements_than_a_mask_has_bits() {
        for plan in &Plan::r4().types {
            assert!(plan.elements.len() <= 128, "{}", plan.name);
        }
    }

    #[test]
    fn every_primitive_of_the_table_is_known_to_types() {
        let r4 = Definitions::r4();
        for plan in &Plan::r4().types {
            let definition = r4.type_def(r4.type_id(plan.name).unwrap());
            assert_eq!(definition.is_primitive(), Primitive::parse(plan.name).is_some());
        }
        assert_eq!(Plan::r4().resources.len(), 146);
    }

    #[test]
    fn a_property_leads_to_the_plan_of_its_type() {
        let plan = Plan::r4();
        let observation = plan.resource("Observation").unwrap();
        let value = observation.property("valueQuantity").unwrap();
        let Shape::Complex(index) = value.shape else { panic!("a Quantity is complex") };
        assert_eq!(plan.type_plan(index).name, "Quantity");
        assert!(observation.property("value").is_none());
        assert!(plan.resource("DomainResource").is_none());
    }
}
