//! The gate: who asks, what they may do, and the row filter that every query carries.

mod authenticate;
mod caller;
mod difference;
pub mod guard;
mod interim;
mod permit;
mod principal;
mod role;
pub mod smart_scope;
mod write_rules;
mod writer;

pub use authenticate::{Always, Authenticate};
pub use caller::{Asker, Caller, Origin};
pub use guard::{Guard, Guarded, Within};
pub use permit::{Permit, RowFilter};
pub use principal::{Launch, Link, Links, Principal};
pub use role::Role;
pub use smart_scope::Scopes;
pub use writer::Writer;
