//! Search planning and index rows, no SQL: <https://hl7.org/fhir/R4/search.html>.

mod index_rows;

pub use index_rows::{
    CompositeRow, DateRow, IdentifierRow, IndexRows, ParameterId, QuantityRow, ReferenceRow,
    StringRow, Token, TokenRow, UriRow,
};
