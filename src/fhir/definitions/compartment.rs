//! Compartments: <https://hl7.org/fhir/R4/compartmentdefinition.html>.

use super::ResourceType;
use super::element::leak;
use super::table::CompartmentRow;
use std::collections::{BTreeMap, HashMap};

pub struct Compartment {
    /// The type whose instances span the compartment: `Patient`, `Encounter`, ...
    pub code: &'static str,
    /// By resource type, the codes of the search parameters that make one a member. `{def}`
    /// stands for the compartment's own resource.
    parameters: BTreeMap<ResourceType, Vec<&'static str>>,
}

impl Compartment {
    pub(super) fn new(row: CompartmentRow, types: &HashMap<&'static str, ResourceType>) -> Self {
        let parameters = row
            .resources
            .into_iter()
            .filter_map(|member| {
                let kind = types.get(member.resource.as_str())?;
                Some((*kind, member.parameters.into_iter().map(leak).collect()))
            })
            .collect();
        Compartment { code: leak(row.code), parameters }
    }

    /// Codes of the search parameters that make a resource of this type a member; empty where
    /// the type is not in the compartment.
    pub fn parameters_of(&self, resource_type: ResourceType) -> &[&'static str] {
        self.parameters.get(&resource_type).map(Vec::as_slice).unwrap_or_default()
    }

    /// The types that may be members.
    pub fn resource_types(&self) -> impl Iterator<Item = ResourceType> + '_ {
        self.parameters.keys().copied()
    }
}
