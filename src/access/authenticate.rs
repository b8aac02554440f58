//! Who asks: from the credentials of a request to a [`Caller`].

mod bearer;
mod cache;

pub use bearer::{Bearer, BearerSettings, Bearers, Identities, bearer_token};
pub use cache::Verified;

use super::caller::Caller;
use crate::error::Result;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Tells callers apart by what their requests bring.
pub trait Authenticate: Send + Sync + 'static {
    /// `authorization` is the value of the header, None where there is none: that is
    /// [`Caller::Anonymous`]. 401 for credentials that are not good, 503 where the database does
    /// not say.
    fn caller<'a>(&'a self, authorization: Option<&'a str>) -> BoxFuture<'a, Result<Caller>>;
}

/// One and the same caller, whatever requests bring: for `--insecure-no-auth`.
pub struct Always(pub Caller);

impl Authenticate for Always {
    fn caller<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Caller>> {
        async { Ok(self.0.clone()) }.boxed()
    }
}
