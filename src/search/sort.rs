//! `_sort` by one key: <https://hl7.org/fhir/R4/search.html#sort>. Rows without the value come
//! last; rows of equal value stand in order of their surrogate keys.

use super::index_rows::ParameterId;
use crate::fhir::definitions::ResourceType;

/// The order of the matches.
#[derive(Clone, PartialEq, Debug)]
pub struct Sort {
    pub key: SortKey,
    pub is_descending: bool,
}

/// What is compared. A resource with several values stands at the smallest, or in descending
/// order at the largest.
#[derive(Clone, PartialEq, Debug)]
pub enum SortKey {
    /// The client gave no order: storage takes one that an index has.
    Unspecified,
    Id,
    LastUpdated,
    /// `main` are the types (of those searched) whose main date this is; `is_main` is true
    /// where that is all of them.
    Date {
        parameter: ParameterId,
        main: Vec<ResourceType>,
        is_main: bool,
    },
    String(ParameterId),
    /// The parameters whose rows hold the values.
    Number(Vec<ParameterId>),
    /// By code. A text is compared as it is.
    Token(ParameterId),
    Identifier(ParameterId),
    Uri(ParameterId),
}
