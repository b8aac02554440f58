//! What stands behind the routes.

use crate::access::{Asker, Permit};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::Request;
use crate::fhir::resource::{Id, ResourceKey};
use crate::interactions::{self, Context, Outcome};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Answers interactions. [`Context`] does so from the store; tests of routes from a table.
pub trait Perform: Send + Sync + 'static {
    /// Carries one interaction to its answer.
    fn perform<'a>(&'a self, asker: &'a Asker, request: Request) -> BoxFuture<'a, Result<Outcome>>;

    /// Writes down that a request was refused before it was understood, from whom as far as that
    /// is known; `request` is its method and path. 503 where that cannot be done.
    fn refused<'a>(
        &'a self,
        asker: &'a Asker,
        request: (&'a str, &'a str),
        error: &'a FhirError,
    ) -> BoxFuture<'a, Result<()>>;

    /// True where interactions can be answered now.
    fn is_ready(&self) -> BoxFuture<'_, bool>;
}

impl Perform for Context {
    fn perform<'a>(&'a self, asker: &'a Asker, request: Request) -> BoxFuture<'a, Result<Outcome>> {
        async move { interactions::perform(&self.current(), asker, request).await }.boxed()
    }

    fn refused<'a>(
        &'a self,
        asker: &'a Asker,
        request: (&'a str, &'a str),
        error: &'a FhirError,
    ) -> BoxFuture<'a, Result<()>> {
        interactions::audit::trail::refused(self, asker, request, error).boxed()
    }

    /// A read that finds nothing proves the pool, the database and its schema.
    fn is_ready(&self) -> BoxFuture<'_, bool> {
        async move {
            let key = ResourceType::parse("Basic").zip(Id::parse("readiness"));
            match key.map(|(resource_type, id)| ResourceKey::new(resource_type, id)) {
                Some(key) => self.store.current(&Permit::operator(), &key).await.is_ok(),
                None => false,
            }
        }
        .boxed()
    }
}
