//! All SQL. Every query takes a [`crate::access::Permit`] or a plan narrowed by one.

mod body;
mod store;

pub use store::{Connection, Store, Stored};
