//! Who asks: from the credentials of a request to a [`Caller`].

mod bearer;
mod cache;
mod certificate;
mod credentials;
pub mod dpop;
pub mod jwt;

pub use bearer::{Bearer, BearerSettings, Bearers, Identities, Terms};
pub use cache::Verified;
pub use certificate::{ClientCertificate, thumbprint};
pub use credentials::{Challenge, Credentials, Refused, Scheme, access_token};

use super::caller::Caller;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Tells callers apart by what their requests bring.
pub trait Authenticate: Send + Sync + 'static {
    /// Without `Authorization` it is [`Caller::Anonymous`]. 401 for credentials that are not good,
    /// 503 where the database does not say.
    fn caller<'a>(&'a self, credentials: Credentials<'a>)
    -> BoxFuture<'a, Result<Caller, Refused>>;
}

/// One and the same caller, whatever requests bring: for `--insecure-no-auth`.
pub struct Always(pub Caller);

impl Authenticate for Always {
    fn caller<'a>(&'a self, _: Credentials<'a>) -> BoxFuture<'a, Result<Caller, Refused>> {
        async { Ok(self.0.clone()) }.boxed()
    }
}
