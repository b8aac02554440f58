//! The gate: who asks, what they may do, and the row filter that every query carries.

mod authenticate;
mod authorize;
mod caller;
mod difference;
mod granular;
pub mod guard;
pub mod matrix;
mod narrow;
mod permit;
mod principal;
mod redact;
mod role;
mod row_filter;
mod rows;
pub mod smart_scope;
mod type_set;
mod write_rules;
mod writer;

pub use authenticate::{Always, Authenticate};
pub use caller::{Asker, Caller, Origin};
pub use granular::{AnyCode, Coded};
pub use guard::{Guard, Guarded, Within};
pub use permit::{Answers, Permit};
pub use principal::{Launch, Link, Links, Principal};
pub use redact::Redactor;
pub use role::Role;
pub use row_filter::{AllProof, Listings, RowFilter, RowGroup, RowTest, Test};
pub use smart_scope::Scopes;
pub use type_set::TypeSet;
pub use writer::Writer;
