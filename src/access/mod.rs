//! The gate: who asks, what they may do, and the row filter that every query carries.

mod authenticate;
mod caller;
pub mod jwt;
mod permit;
mod principal;
mod role;
mod scope_bounds;
pub mod smart_scope;

pub use authenticate::{
    Always, Authenticate, Bearer, BearerSettings, Bearers, Identities, Verified, bearer_token,
};
pub use caller::{Asker, Caller, Origin};
pub use permit::{Permit, RowFilter};
pub use principal::{Launch, Link, Links, Principal};
pub use role::Role;
pub use smart_scope::Scopes;
