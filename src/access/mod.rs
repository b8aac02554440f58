//! The gate: who asks, what they may do, and the row filter that every query carries.

mod authenticate;
mod authorize;
mod caller;
mod ceiling;
mod difference;
pub mod guard;
pub mod matrix;
mod principal;
mod role;
mod rows;
pub mod smart_scope;
pub mod witness;
mod write_rules;
mod writer;

pub use authenticate::{
    Always, Authenticate, Bearer, BearerSettings, Bearers, Challenge, ClientCertificate,
    Credentials, Identities, Refused, Scheme, Terms, Verified, access_token, dpop, jwt, thumbprint,
};
pub use authorize::permit::{Answers, Permit};
pub use authorize::redact::Redactor;
pub use authorize::signed_out;
pub use caller::{Asker, Caller, Origin};
pub use ceiling::{Holder, ceiling};
pub use guard::{Guard, Guarded, Within};
pub use matrix::type_set::TypeSet;
pub use principal::{Launch, Link, Links, Principal};
pub use role::Role;
pub use rows::filter::{AllProof, Attached, Listings, RowFilter, RowGroup, RowTest, Test};
pub use rows::granular::{Image, Images, Only, ScopeQuery};
pub use smart_scope::Scopes;
pub use smart_scope::launch_context::LaunchContext;
pub use writer::Writer;
