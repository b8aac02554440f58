//! `_summary` and `_elements`: <https://hl7.org/fhir/R4/search.html#summary>.

/// Which part of a resource the client wants.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Subset {
    #[default]
    None,
    Summary,
    Text,
    Data,
    /// `_summary=count`: of a Bundle only its total.
    Count,
    /// Top-level element names.
    Elements(Vec<String>),
}
