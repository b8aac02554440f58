//! `_sort`: <https://hl7.org/fhir/R4/search.html#sort>. Resources without the value of a key come
//! last in both directions; those that are equal by all keys stand in order of their surrogate
//! keys, in the direction of the last key.
//!
//! R4 leaves open what order the values of a type have. Here: texts by their letters without
//! case and accents, coded values by code, quantities by number in whatever unit, periods and
//! ranges by where they begin, references as `[type]/[id]` or by URL. R4 says that values SHOULD
//! only count where they meet the criteria of the search; here they all do.

use super::index_rows::ParameterId;
use crate::fhir::definitions::ResourceType;

/// One key of the order of the matches.
#[derive(Clone, PartialEq, Debug)]
pub struct Sort {
    pub key: SortKey,
    pub is_descending: bool,
}

/// What is compared. A resource with several values stands at the smallest, or in descending
/// order at the largest.
#[derive(Clone, PartialEq, Debug)]
pub enum SortKey {
    Id,
    LastUpdated,
    /// `main` are the types (of those searched) whose main date this is; `is_in_row` is true
    /// where the rows of the resources themselves hold the value that counts.
    Date {
        parameter: ParameterId,
        main: Vec<ResourceType>,
        is_in_row: bool,
    },
    String(ParameterId),
    /// The parameters whose rows hold the values.
    Number(Vec<ParameterId>),
    /// By code. A text is compared as it is. `leads` are the types (of those searched) in whose
    /// rows the first value is the lead.
    Token {
        parameter: ParameterId,
        leads: Vec<ResourceType>,
        has_codes: bool,
        has_texts: bool,
    },
    Uri(ParameterId),
    Reference(ParameterId),
}
