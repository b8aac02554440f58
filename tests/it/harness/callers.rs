//! Callers of tests: a header names one that the test has described.

use bhn_fhir::access::{
    Authenticate, Caller, Credentials, Link, Links, Principal, Refused, Role, Scopes,
};
use bhn_fhir::error::{ErrorKind, FhirError, IssueCode};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Requests without `Authorization` are `otherwise`; `Test [name]` is the caller of that name.
pub struct TestCallers {
    otherwise: Caller,
    known: Mutex<HashMap<String, Arc<Principal>>>,
}

impl TestCallers {
    pub fn new(otherwise: Caller) -> Arc<TestCallers> {
        Arc::new(TestCallers { otherwise, known: Mutex::default() })
    }

    /// What `Authorization` has to be for this principal, from now on.
    pub fn admit(&self, principal: Principal) -> String {
        let name = format!("Test {} {}", principal.name, principal.client_id);
        self.known.lock().unwrap().insert(name.clone(), Arc::new(principal));
        name
    }
}

impl Authenticate for TestCallers {
    fn caller<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Caller, Refused>> {
        let caller = match credentials.authorization {
            None => Ok(self.otherwise.clone()),
            Some(name) => match self.known.lock().unwrap().get(name) {
                Some(principal) => Ok(Caller::Principal(principal.clone())),
                None => {
                    let unknown = FhirError::new(ErrorKind::Unauthorized, IssueCode::Login, "?");
                    Err(unknown.into())
                }
            },
        };
        async { caller }.boxed()
    }
}

/// A principal without links, of a client that people use.
pub fn principal(name: &str, role: Role, scopes: &str) -> Principal {
    Principal {
        name: format!("account/{name}"),
        client_id: "test".to_owned(),
        grant: 1,
        token_id: name.to_owned(),
        scopes: Scopes::parse(scopes).unwrap(),
        role,
        links: Links::default(),
        launch: Default::default(),
        methods: vec!["pwd".to_owned(), "otp".to_owned()],
        signed_in: None,
    }
}

impl super::TestServer {
    /// A resource by its key, whether it exists yet or not.
    pub async fn link(&self, key: &str) -> Link {
        let key = bhn_fhir::fhir::resource::ResourceKey::parse(key).unwrap();
        let rids = self.context.store.intern_references([&key]).await.unwrap();
        Link { rid: rids[&key], key }
    }

    /// A client whose requests come from this principal.
    pub fn as_principal(&self, principal: Principal) -> super::FhirClient {
        self.client.with_authorization(self.callers.admit(principal))
    }
}
