//! Servers with sign-in, and people, clients, grants and tokens on them.

use super::{FhirClient, Reply, SigningIn, TestDatabase, TestServer};
use bhn_fhir::access::Role;
use bhn_fhir::config::{OAuthSettings, Settings};
use bhn_fhir::http::HttpSettings;
use bhn_fhir::interactions::Context;
use bhn_fhir::oauth::AuthorizationServer;
use bhn_fhir::storage::{Client, ClientKind, NewGrant, SigningKeyRow};
use chrono::Duration;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The client of grants that name none.
pub const APP: &str = "test-app";
/// It may have whatever there is.
const APP_SCOPES: &str = "openid fhirUser profile email launch launch/patient launch/encounter \
    offline_access online_access patient/*.cruds user/*.cruds";

/// Keys that all servers of a run share: making an RSA key takes long.
static KEYS: tokio::sync::Mutex<Option<Vec<SigningKeyRow>>> = tokio::sync::Mutex::const_new(None);

/// Of all servers of a run; gone with it.
fn key_file() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let key = [7; 32];
        let folder =
            std::env::temp_dir().join(format!("bhn-fhir-test-keys-{}", std::process::id()));
        let path = folder.join("signing-keys.key");
        let _ = std::fs::remove_file(&path);
        bhn_fhir::oauth::make_key_file(&path, &key).unwrap();
        path
    });
    folder.clone()
}

pub fn settings() -> OAuthSettings {
    OAuthSettings { key_file: key_file(), rsa_bits: 2048, ..OAuthSettings::default() }
}

/// With the keys of the run.
pub async fn open(context: &Arc<Context>) -> Arc<AuthorizationServer> {
    let store = &context.store;
    let mut keys = KEYS.lock().await;
    let is_empty = store.signing_keys().await.unwrap().is_empty();
    if let Some(keys) = keys.as_ref().filter(|_| is_empty) {
        let mut locked = store.lock_keys().await.unwrap();
        for key in keys {
            locked.add(key).await.unwrap();
        }
        locked.commit().await.unwrap();
    }
    let server = AuthorizationServer::open(context.clone()).await.unwrap();
    if keys.is_none() {
        *keys = Some(store.signing_keys().await.unwrap());
    }
    server
}

/// Who is granted something.
#[derive(Clone, Debug)]
pub struct Grantee {
    pub account: Option<String>,
    pub client: String,
    pub launch: Value,
    pub session: Option<Vec<u8>>,
}

impl Grantee {
    /// A person by the client of tests.
    pub fn person(account: &str) -> Grantee {
        Grantee::person_by(account, APP)
    }

    pub fn person_by(account: &str, client: &str) -> Grantee {
        let (account, client) = (Some(account.to_owned()), client.to_owned());
        Grantee { account, client, launch: json!({}), session: None }
    }

    /// With this patient in context.
    pub fn about(mut self, patient: &str) -> Grantee {
        self.launch["patient"] = patient.into();
        self
    }
}

impl TestServer {
    /// Callers are known by their access tokens, and are nobody without.
    pub async fn start_signed_in() -> TestServer {
        TestServer::start_signed_in_with(|_| {}).await
    }

    /// With settings other than the defaults.
    pub async fn start_signed_in_with(change: impl FnOnce(&mut Settings)) -> TestServer {
        TestServer::signed_in_on(Arc::new(TestDatabase::clone_template()), change).await
    }

    /// On a database that is there. Nodes of one deployment have one base URL: see `change`.
    pub async fn signed_in_on(
        database: Arc<TestDatabase>,
        change: impl FnOnce(&mut Settings),
    ) -> TestServer {
        let change = |settings: &mut Settings| {
            settings.oauth = self::settings();
            change(settings);
        };
        TestServer::on_as(database, (SigningIn::On, super::http_settings()), change).await
    }

    /// A server whose connections are others than by default.
    pub async fn start_signed_in_over(
        http: HttpSettings,
        change: impl FnOnce(&mut Settings),
    ) -> TestServer {
        let database = Arc::new(TestDatabase::clone_template());
        let change = |settings: &mut Settings| {
            settings.oauth = self::settings();
            settings.oauth.client_certificates = true;
            change(settings);
        };
        TestServer::on_as(database, (SigningIn::On, http), change).await
    }

    /// An account of that role; `fhir_user` such as `Patient/p`, or "" for nobody.
    pub async fn person(&self, role: Role, fhir_user: &str) -> String {
        let mut connection = self.database.connect().await;
        let sql = "insert into account (account, email, name, role, status, created, changed)
            select id, id::text || '@example.org', 'Test Person', $1, 'active', now(), now()
            from gen_random_uuid() as id returning account::text";
        let account: String =
            sqlx::query_scalar(sql).bind(role.as_str()).fetch_one(&mut connection).await.unwrap();
        if !fhir_user.is_empty() {
            let link = self.link(fhir_user).await;
            let sql = "insert into account_person (account, rid, type, id, linked)
                values ($1::uuid, $2, $3, $4, now())";
            sqlx::query(sql)
                .bind(&account)
                .bind(link.rid)
                .bind(link.key.resource_type.number())
                .bind(link.key.id.as_str())
                .execute(&mut connection)
                .await
                .unwrap();
        }
        account
    }

    /// Makes an account work for a facility; the first owns what it writes.
    pub async fn works_for(&self, account: &str, organization: &str) {
        let link = self.link(organization).await;
        let sql = "insert into account_facility (account, place, rid, id)
            select $1::uuid, count(*), $2, $3 from account_facility where account = $1::uuid";
        sqlx::query(sql)
            .bind(account)
            .bind(link.rid)
            .bind(link.key.id.as_str())
            .execute(&mut self.database.connect().await)
            .await
            .unwrap();
    }

    /// Registers a client.
    pub async fn register(&self, id: &str, kind: ClientKind, change: impl FnOnce(&mut Client)) {
        let mut client = Client::new(id, kind);
        change(&mut client);
        let now = self.context.clock.now();
        assert!(self.context.store.add_client(&client, now).await.unwrap(), "{id} is there");
    }

    /// A grant for an hour, by a code or by itself; the client of tests is registered with it.
    pub async fn grant(&self, to: &Grantee, scopes: &str) -> i64 {
        if to.client == APP && self.context.store.client(APP).await.unwrap().is_none() {
            self.register(APP, ClientKind::Public, |app| {
                APP_SCOPES.clone_into(&mut app.scopes);
                app.grant_types = ["authorization_code", "refresh_token"].map(str::to_owned).into();
                app.redirect_uris = vec![REDIRECT.to_owned()];
            })
            .await;
        }
        let patient_rid = match to.launch["patient"].as_str() {
            Some(id) => Some(self.link(&format!("Patient/{id}")).await.rid),
            None => None,
        };
        let now = self.context.clock.now();
        let grant = NewGrant {
            client: &to.client,
            account: to.account.as_deref(),
            session: to.session.as_deref(),
            scopes,
            launch: &to.launch,
            patient_rid,
            methods: &["pwd".to_owned()],
            signed_in: to.account.as_ref().map(|_| now),
            expires: now + Duration::hours(1),
        };
        self.context.store.make_grant(&grant, now).await.unwrap().expect("both are active")
    }

    /// An access token of a new grant.
    pub async fn token(&self, to: &Grantee, scopes: &str) -> String {
        let grant = self.grant(to, scopes).await;
        self.token_of(grant).await
    }

    /// Another access token of a grant.
    pub async fn token_of(&self, grant: i64) -> String {
        let now = self.context.clock.now();
        let grant = self.context.store.grant(grant, now).await.unwrap().expect("it is good");
        let token = self.authorization().access_token(&grant, &grant.scopes, Duration::hours(1));
        token.await.unwrap().token
    }

    pub fn authorization(&self) -> &AuthorizationServer {
        self.oauth.as_deref().expect("the server was started signed in")
    }

    /// A FHIR client with that access token.
    pub fn with_token(&self, token: &str) -> FhirClient {
        self.client.with_authorization(format!("Bearer {token}"))
    }
}

/// The redirect URI of the client of tests.
pub const REDIRECT: &str = "https://app.example/back";
/// A verifier of the least length, and its challenge.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

impl TestServer {
    /// The URL of a path beside the FHIR base.
    pub fn beside(&self, path: &str) -> String {
        format!("{}{path}", self.context.settings.issuer())
    }

    /// `POST` of a form to a path beside the FHIR base.
    pub async fn form(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        self.form_as(path, parameters, &[]).await
    }

    /// The same with headers.
    pub async fn form_as(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(parameters);
        let mut request = self.request("POST", &self.beside(path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body("application/x-www-form-urlencoded", body.finish()).send().await
    }

    /// A code of a new grant, as the authorization endpoint leaves it, for [`VERIFIER`].
    pub async fn code(&self, to: &Grantee, scopes: &str) -> String {
        let grant = self.grant(to, scopes).await;
        let code = bhn_fhir::oauth::new_secret().unwrap();
        let sql = "insert into authorization_code
            (hash, access_grant, redirect_uri, code_challenge, nonce, created, expires)
            values ($1, $2, $3, $4, 'n-1', now(), now() + interval '1 minute')";
        sqlx::query(sql)
            .bind(&bhn_fhir::oauth::hash(&code)[..])
            .bind(grant)
            .bind(REDIRECT)
            .bind(CHALLENGE)
            .execute(&mut self.database.connect().await)
            .await
            .unwrap();
        code
    }

    /// Redeems a code of the client of tests.
    pub async fn redeem(&self, code: &str) -> Reply {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("client_id", APP),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.form("/oauth/token", &parameters).await
    }

    /// Uses a refresh token of the client of tests.
    pub async fn refresh(&self, token: &str, scope: Option<&str>) -> Reply {
        let mut parameters =
            vec![("grant_type", "refresh_token"), ("client_id", APP), ("refresh_token", token)];
        parameters.extend(scope.map(|scope| ("scope", scope)));
        self.form("/oauth/token", &parameters).await
    }

    /// 401 of the FHIR base for the token, or whatever else it answers.
    pub async fn status_with(&self, token: &str) -> u16 {
        self.with_token(token).get("Patient").await.status()
    }
}
