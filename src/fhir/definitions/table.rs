//! The rows that `build.rs` compiles HL7's definitions into and that `definitions` loads at
//! start. Shared source: `build.rs` includes this file by path.

use serde::{Deserialize, Serialize};

/// Everything of the R4 definitions that the server reads at run time.
#[derive(Serialize, Deserialize)]
pub struct Tables {
    pub types: Vec<TypeRow>,
    pub value_sets: Vec<ValueSetRow>,
    pub search_parameters: Vec<SearchParameterRow>,
    pub compartments: Vec<CompartmentRow>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A resource type that has instances, such as `Patient`.
    Resource,
    /// A data type with children, abstract ones (`Element`) included.
    Complex,
    /// A data type with a value, such as `date`.
    Primitive,
    /// The anonymous type of an element with children of its own, such as `Patient.contact`.
    Backbone,
    /// `Resource` and `DomainResource`.
    AbstractResource,
}

#[derive(Serialize, Deserialize)]
pub struct TypeRow {
    /// `Patient`, `HumanName`, `date`, `Patient.contact`.
    pub name: String,
    pub kind: Kind,
    /// The type that this one specialises, by name.
    pub base: Option<String>,
    pub elements: Vec<ElementRow>,
}

#[derive(Serialize, Deserialize)]
pub struct ElementRow {
    /// The name without `[x]`.
    pub name: String,
    pub min: u32,
    /// None stands for `*`.
    pub max: Option<u32>,
    /// True for `value[x]`.
    pub choice: bool,
    pub types: Vec<ElementTypeRow>,
    pub is_summary: bool,
    pub is_modifier: bool,
    pub binding: Option<BindingRow>,
}

#[derive(Serialize, Deserialize)]
pub struct ElementTypeRow {
    /// The name of a [`TypeRow`].
    pub code: String,
    /// Resource type names that a Reference or canonical may point at; empty for any.
    pub targets: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct BindingRow {
    /// `required`, `extensible`, `preferred` or `example`.
    pub strength: String,
    /// Canonical of the value set, with `|version` where the definition has one.
    pub value_set: String,
}

/// The expansion of a value set that a required binding names, where it can be computed in
/// full from the code systems that R4 ships.
#[derive(Serialize, Deserialize)]
pub struct ValueSetRow {
    pub url: String,
    pub systems: Vec<ValueSetSystemRow>,
}

#[derive(Serialize, Deserialize)]
pub struct ValueSetSystemRow {
    pub system: String,
    pub codes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct SearchParameterRow {
    pub url: String,
    pub code: String,
    pub base: Vec<String>,
    /// `number`, `date`, `string`, `token`, `reference`, `composite`, `quantity`, `uri`, `special`.
    pub kind: String,
    pub expression: Option<String>,
    pub targets: Vec<String>,
    pub components: Vec<ComponentRow>,
    pub description: String,
}

#[derive(Serialize, Deserialize)]
pub struct ComponentRow {
    /// Canonical of the component's SearchParameter.
    pub definition: String,
    pub expression: String,
}

#[derive(Serialize, Deserialize)]
pub struct CompartmentRow {
    /// `Patient`, `Encounter`, `RelatedPerson`, `Practitioner` or `Device`.
    pub code: String,
    pub resources: Vec<CompartmentResourceRow>,
}

#[derive(Serialize, Deserialize)]
pub struct CompartmentResourceRow {
    pub resource: String,
    /// Codes of the search parameters that make a resource a member; `{def}` as in the source.
    pub parameters: Vec<String>,
}
