//! `_sort`: <https://hl7.org/fhir/R4/search.html#sort>. Resources without the value of a key come
//! last in both directions; those that are equal by all keys stand in order of their surrogate
//! keys, in the direction of the last key.
//!
//! R4 leaves open what order the values of a type have. Here: texts by their letters without
//! case and accents, coded values by code, quantities by number in whatever unit, periods and
//! ranges by where they begin, references as `[type]/[id]` or by URL, places by their distance from
//! those that are searched for. R4 says that values SHOULD
//! only count where they meet the criteria of the search; here they all do.

mod sort_value;

pub use sort_value::{SortValue, Standing};

use super::index_rows::ParameterId;
use super::value::position::NearTest;
use crate::fhir::definitions::ResourceType;

/// One key of the order of the matches.
#[derive(Clone, PartialEq, Debug)]
pub struct Sort {
    pub key: SortKey,
    pub is_descending: bool,
}

/// The whole order of a result.
#[derive(Clone, PartialEq, Debug)]
pub struct Sorting {
    /// By precedence.
    pub keys: Vec<Sort>,
    /// Of the surrogate keys, where all others are equal.
    pub is_descending: bool,
}

impl Sorting {
    /// The order by these keys.
    pub fn by(keys: Vec<Sort>) -> Sorting {
        let is_descending = keys.last().is_some_and(|last| last.is_descending);
        Sorting { keys, is_descending }
    }

    /// The greatest first, by one key.
    pub fn descending(key: SortKey) -> Sorting {
        Sorting::by(vec![Sort { key, is_descending: true }])
    }

    /// By the surrogate keys alone.
    pub fn of_rows(is_descending: bool) -> Sorting {
        Sorting { keys: Vec::new(), is_descending }
    }
}

/// What is compared. A resource with several values stands at the smallest, or in descending
/// order at the largest.
#[derive(Clone, PartialEq, Debug)]
pub enum SortKey {
    Id,
    LastUpdated,
    /// Of the row, whatever parameter it is of.
    MainDate,
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
    /// `is_url`: the canonical URL of a resource, which is one; its rows hold it with the version
    /// as well, behind it.
    Uri {
        parameter: ParameterId,
        is_url: bool,
    },
    Reference(ParameterId),
    /// By the distance from the nearest of these places. Only resources that meet one of the
    /// tests are ordered by it.
    Near {
        parameter: ParameterId,
        tests: Vec<NearTest>,
    },
}

impl SortKey {
    /// True for what stands at its least value in descending order, too.
    pub fn is_by_least(&self) -> bool {
        matches!(self, SortKey::Uri { is_url: true, .. } | SortKey::Near { .. })
    }
}
