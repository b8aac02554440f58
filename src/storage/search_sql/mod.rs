//! A plan as one statement, composed of fixed text and binds (docs/decisions/0001): the shapes
//! are in `tests/golden/search-sql/`.
//!
//! - One patient's rows come from the index that leads with the patient.
//! - A main coding comes from two branches: rows that it leads, and rows that hold it among
//!   their keys. Each is ordered and cut on its own.
//! - Where another condition selects better, keys are fenced with `is true`, so that the GIN
//!   index does not read the long list of a common key.
//!
//! The row filter of the permit is in every branch, before any limit.

mod condition;
mod contained;
mod hierarchy;
mod horizon;
mod include;
mod keys;
mod link;
mod near;
mod order;
mod quantity;
mod settled;
mod shape;
mod span;
mod test_sql;

pub use condition::push_scope_query;
pub use horizon::Referring;
pub use keys::Wanted;
pub use order::value_names;
pub use shape::Query;

#[cfg(test)]
mod tests;
