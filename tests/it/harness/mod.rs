//! What tests start and talk to.

mod audited;
mod authenticator;
mod builders;
mod callers;
mod cast;
mod client;
mod cluster;
mod network;
mod outcome;
pub mod people;
mod process;
mod proofs;
pub mod provider;
mod sign_in;
mod strangers;

pub use audited::Audited;
pub use authenticator::{Authenticator, options};
pub use bhn_fhir::access::Role;
pub use builders::{MRN, observation, patient};
pub use callers::{TestCallers, principal};
pub use cast::{appointment, encounter};
pub use client::{FhirClient, Reply};
pub use cluster::{TestDatabase, folder, search_path};
pub use network::Network;
pub use outcome::send_raw;
pub use process::ServerProcess;
pub use proofs::{ProofKey, proof_claims};
pub use sign_in::{APP, CHALLENGE, Grantee, REDIRECT, VERIFIER};

use bhn_fhir::access::{Authenticate, Caller, Permit, RowFilter};
use bhn_fhir::clock::Clock;
use bhn_fhir::config::Settings;
use bhn_fhir::fhir::resource::ResourceKey;
use bhn_fhir::http::{HttpSettings, Rate, RateSettings, SignIn};
use bhn_fhir::interactions::Context;
use bhn_fhir::oauth::AuthorizationServer;
use bhn_fhir::search::Registry;
use bhn_fhir::storage::{Database, StartError, Store, StoreSettings};
use serde_json::Value;
use std::ops::Deref;
use std::sync::Arc;
use strangers::Strangers;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server in this process, on a port and a database of its own. Stopped when dropped.
pub struct TestServer {
    pub client: FhirClient,
    pub context: Arc<Context>,
    pub database: Arc<TestDatabase>,
    pub callers: Arc<TestCallers>,
    /// Of a server that was started signed in.
    pub oauth: Option<Arc<AuthorizationServer>>,
    _stop: oneshot::Sender<()>,
    agreement: Agreement,
}

/// That the second check let everything be seen that was found (AZ-15): looked at when the server
/// is dropped.
pub struct Agreement(Option<Arc<Context>>);

impl Drop for Agreement {
    fn drop(&mut self) {
        let found = self.0.as_ref().map_or(0, |context| context.store.divergences());
        assert!(found == 0 || std::thread::panicking(), "authz_divergence: {found}");
    }
}

impl TestServer {
    pub async fn start() -> TestServer {
        TestServer::start_with(|_| {}).await
    }

    /// With settings other than the defaults.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> TestServer {
        TestServer::on(Arc::new(TestDatabase::clone_template()), change).await
    }

    /// Two servers on one database.
    pub async fn start_pair() -> (TestServer, TestServer) {
        let database = Arc::new(TestDatabase::clone_template());
        let first = TestServer::on(database.clone(), |_| {}).await;
        (first, TestServer::on(database, |_| {}).await)
    }

    /// Another server on a database that is there.
    pub async fn on(database: Arc<TestDatabase>, change: impl FnOnce(&mut Settings)) -> TestServer {
        TestServer::on_as(database, (SigningIn::Off, http_settings()), change).await
    }

    /// Where requests may be bounded by their rate.
    pub async fn start_rated(change: impl FnOnce(&mut HttpSettings)) -> TestServer {
        TestServer::start_rated_on(Arc::new(TestDatabase::clone_template()), change).await
    }

    /// The same on a database that is there.
    pub async fn start_rated_on(
        database: Arc<TestDatabase>,
        change: impl FnOnce(&mut HttpSettings),
    ) -> TestServer {
        let mut http = http_settings();
        change(&mut http);
        TestServer::on_as(database, (SigningIn::Off, http), |_| {}).await
    }

    async fn on_as(
        database: Arc<TestDatabase>,
        (signing_in, http): (SigningIn, HttpSettings),
        change: impl FnOnce(&mut Settings),
    ) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/fhir", listener.local_addr().unwrap());
        let insecure_no_auth = signing_in == SigningIn::Off;
        let mut settings = Settings { base_url, insecure_no_auth, ..Settings::default() };
        change(&mut settings);
        let registry = Registry::r4().unwrap();
        let store = StoreSettings {
            keeps_jsonb: settings.keeps_jsonb,
            indexes_content: settings.content_search,
            ..store_settings()
        };
        let mut store = Store::open(&database.database, &registry, &store).await.unwrap();
        if let Some(audit) = &settings.audit {
            store.begin_audit(audit, &[audited::KEY], Clock::System.precise()).await.unwrap();
        }
        let client = FhirClient::new(&settings.base_url);
        let callers = TestCallers::new(match settings.insecure_no_auth {
            true => Caller::InsecureNoAuth,
            false => Caller::Anonymous,
        });
        let context = Context::open(store, registry, Clock::System, settings).await.unwrap();
        let context = Arc::new(context);
        let client = client.with_strangers(Strangers::of(&callers));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = (context.clone(), http);
        let oauth = match signing_in {
            SigningIn::Off => None,
            SigningIn::On => Some(sign_in::open(&context).await),
        };
        let authenticate: Arc<dyn Authenticate> = match &oauth {
            Some(oauth) => oauth.bearers.clone(),
            None => callers.clone(),
        };
        let sign_in = SignIn { authenticate, oauth: oauth.clone() };
        tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            bhn_fhir::http::serve_with(listener, served, sign_in, stopped).await
        });
        let agreement = Agreement(Some(context.clone()));
        TestServer { client, context, database, callers, oauth, _stop: stop, agreement }
    }

    /// The same, where strangers send each request first, whatever the environment says.
    pub fn with_strangers(mut self) -> TestServer {
        let strangers = Some(Strangers::admitted(&self.callers));
        self.client = self.client.with_strangers(strangers);
        self
    }

    /// From here on rows are found that are not to be seen: the test means it.
    pub fn expect_divergence(&mut self) {
        self.agreement.0 = None;
    }

    /// `POST [type]`.
    pub async fn create(&self, resource: impl Into<Value>) -> Reply {
        let resource = resource.into();
        self.post(&type_of(&resource), &resource).await
    }

    /// `POST [type]` with `If-None-Exist`.
    pub async fn create_if_none_exist(&self, resource: impl Into<Value>, criteria: &str) -> Reply {
        let resource = resource.into();
        let request = self.request("POST", &type_of(&resource));
        request.header("If-None-Exist", criteria).json(&resource).send().await
    }

    /// `PUT [type]/[id]` with the id of the resource.
    pub async fn update(&self, resource: impl Into<Value>) -> Reply {
        let resource = resource.into();
        let id = resource["id"].as_str().expect("an update needs an id");
        self.put(&format!("{}/{id}", type_of(&resource)), &resource).await
    }

    /// A permit that sees what is about this patient alone.
    pub async fn permit_about(&self, patient: &str) -> Permit {
        let key = ResourceKey::parse(patient).unwrap();
        let rids = self.context.store.intern_references([&key]).await.unwrap();
        let (subjects, owners) = (vec![rids[&key]], vec![]);
        Permit::operator().narrowed(RowFilter::of_stamps(subjects, owners, vec![]))
    }

    /// How many resources of the type a search finds.
    pub async fn count(&self, resource_type: &str) -> u64 {
        let reply = self.get(&format!("{resource_type}?_summary=count")).await;
        reply.body["total"].as_u64().unwrap_or_else(|| panic!("no total in {reply:?}"))
    }
}

/// How callers of a test server are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SigningIn {
    /// As with `--insecure-no-auth`, and by [`TestCallers`].
    Off,
    /// By access tokens.
    On,
}

/// A test server is a client of itself.
impl Deref for TestServer {
    type Target = FhirClient;

    fn deref(&self) -> &FhirClient {
        &self.client
    }
}

/// Tests ask faster than people and systems do.
fn http_settings() -> HttpSettings {
    let unbounded = Rate { per_second: 0, burst: 0 };
    let rates = RateSettings { user: unbounded, system: unbounded, ..RateSettings::default() };
    HttpSettings { rates, connections_of_address: 4_096, ..HttpSettings::default() }
}

/// A store with small pools.
pub async fn open_store(database: &Database) -> Result<Store, StartError> {
    Store::open(database, &Registry::r4().unwrap(), &store_settings()).await
}

/// Small pools: many servers share the cluster.
pub fn store_settings() -> StoreSettings {
    StoreSettings {
        pool: 4,
        search_pool: 2,
        statement_seconds: 10,
        keeps_jsonb: true,
        indexes_content: false,
    }
}

/// Ends the private cluster of a data folder as a loss of power would.
pub fn kill_postmaster(data: &std::path::Path) {
    process::signal(cluster::postmaster_pid(data), "KILL");
}

/// The ids of the matches of a search, ascending.
pub async fn found(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).sorted_ids("match")
}

/// A search is 400, and says this.
pub async fn refused(server: &TestServer, query: &str, text: &str) {
    let outcome = server.get(query).await.expect(400).body;
    let said = outcome["issue"][0]["diagnostics"].as_str().unwrap_or_default();
    assert!(said.contains(text), "{query}: {outcome}");
}

fn type_of(resource: &Value) -> String {
    resource["resourceType"].as_str().expect("a resource names its type").to_owned()
}
