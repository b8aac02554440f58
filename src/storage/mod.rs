//! All SQL. Every query takes a [`crate::access::Permit`] or a plan narrowed by one.

mod body;
mod database;
mod embedded;
mod migrate;
mod open;
mod start_error;
mod store;

pub use database::Database;
pub use embedded::{EmbeddedPostgres, EmbeddedSettings, Upgrade, upgrade};
pub use migrate::migrate;
pub use open::StoreSettings;
pub use start_error::StartError;
pub use store::{Connection, Store, Stored};
