//! `/account`: sessions, password, second factor, the link to a resource, applications.

mod apps;
mod own;

pub use apps::{apps, revoke};
pub use own::{account, change_password, choose_language, claim, end_session};
