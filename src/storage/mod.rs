//! All SQL. Every query takes a [`crate::access::Permit`] or a plan narrowed by one.

mod answers;
mod body;
mod change;
mod check;
mod embedded;
mod failure;
mod history;
mod import;
mod index_rows;
mod intern;
mod open;
mod read;
mod reindex;
mod search;
mod search_sql;
mod statement;
mod store;
mod under_way;
mod write;
mod write_sql;

pub use answers::KeptAnswer;
pub use change::{Before, Change, Content};
pub use check::{Finding, RowsRead};
pub use embedded::{EmbeddedPostgres, EmbeddedSettings, Upgrade, upgrade};
pub use history::{From, HistoryPage, HistoryPosition, HistoryQuery, InstanceQuery, Window};
pub use import::UnitHash;
pub use open::{Database, StartError, StoreSettings, migrate};
pub use read::{Current, Visible};
pub use reindex::{Extracted, Rows};
pub use search::Page;
pub use store::{Connection, Store, Stored};
pub use under_way::{WriteUnderWay, WritesUnderWay};
pub use write::{Applied, Lock, Staged, Unit};
