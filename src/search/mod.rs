//! Search planning and index rows, no SQL: <https://hl7.org/fhir/R4/search.html>.

mod elements;
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
pub mod value;

pub use index_rows::{
    CodeTextRow, CompositeRow, DateRow, IdentifierRow, IndexRows, ParameterId, QuantityRow,
    ReferenceRow, StringRow, Token, TokenRow, UnitOfMeasure, UriRow,
};
pub use page::{KEY_BYTES, Sealer, unknown_page};
pub use plan::{
    Clause, Cursor, Direction, Include, Link, Plan, Predicate, Second, TermBounds, Total,
    identifier_lock_key,
};
pub use query::Planner;
pub use registry::{Registry, SearchParameter};
pub use sort::{Sort, SortKey};
pub use value::IndexSettings;
