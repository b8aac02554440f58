//! Search planning and index rows, no SQL: <https://hl7.org/fhir/R4/search.html>.

mod contained;
mod elements;
mod extraction;
pub mod full_text;
mod holds;
mod horizon;
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

pub use contained::{
    Contained, ContainedEntry, ContainedRows, contained_key, contained_place, contained_rid,
};
pub use extraction::SubjectPaths;
pub use holds::Known;
pub use horizon::{Horizon, Snapshot};
pub use index_rows::{
    ATTACHED, CodeTextRow, CompositeRow, DateRow, FragmentRow, IdentifierRow, IndexRows, LinkKind,
    LinkRow, ParameterId, PositionRow, QuantityRow, ReferenceRow, SECURITY_CONTEXT, StringRow,
    TextRow, Token, TokenRow, UnitOfMeasure, Until, UriRow,
};
pub use page::{KEY_BYTES, Sealer, unknown_page};
pub use plan::{
    Clause, Concepts, Cursor, Direction, Found, Include, Link, Plan, Predicate, Second, TermBounds,
    TextIds, Total, identifier_lock_key,
};
pub use query::Planner;
pub use registry::r4::{r4_code, r4_lead, r4_parameter, r4_targets};
pub use registry::{Custom, CustomState, Definition, Registry, SearchParameter, is_of_r4};
pub use sort::{Sort, SortKey, SortValue, Sorting, Standing};
pub use uses::{Asks, Use};
pub use value::IndexSettings;
