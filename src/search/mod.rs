//! Search planning and index rows, no SQL: <https://hl7.org/fhir/R4/search.html>.

mod extraction;
mod holds;
mod index_rows;
mod main_values;
mod names;
mod page;
mod plan;
mod query;
pub mod registry;
mod sort;
mod uses;
pub mod value;

pub use index_rows::{
    CompositeRow, DateRow, IdentifierRow, IndexRows, ParameterId, QuantityRow, ReferenceRow,
    StringRow, Token, TokenRow, UnitOfMeasure, UriRow,
};
pub use page::{KEY_BYTES, Sealer, unknown_page};
pub use plan::{
    Clause, Cursor, Include, Link, Plan, Predicate, Second, Total, identifier_lock_key,
};
pub use query::Planner;
pub use registry::{Custom, CustomState, Definition, Registry, SearchParameter, is_of_r4};
pub use sort::{Sort, SortKey};
pub use value::IndexSettings;
