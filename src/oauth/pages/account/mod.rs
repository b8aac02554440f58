//! `/account`: sessions, password, second factor, the link to a resource, applications.

mod apps;
mod identities;
mod own;

pub use apps::{apps, revoke};
pub use identities::{change_identities, identities, is_fresh};
pub use own::{account, change_password, choose_language, claim, end_session};
