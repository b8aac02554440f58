//! Clients that sign, and tokens of systems (SMART Backend Services).

use super::harness::{Reply, TestServer};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bhn_fhir::access::Role;
use bhn_fhir::storage::{Client, ClientKind};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::OnceLock;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SCOPES: &str = "system/Patient.rs system/Observation.rs";

/// A key of a client; one for all tests of a run.
fn key(algorithm: Algorithm) -> &'static EncodingKey {
    static EC: OnceLock<EncodingKey> = OnceLock::new();
    static RSA: OnceLock<EncodingKey> = OnceLock::new();
    match algorithm {
        Algorithm::ES384 => EC.get_or_init(|| {
            let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
            EncodingKey::from_ec_der(key.to_pkcs8v1().unwrap().as_ref())
        }),
        _ => RSA.get_or_init(|| {
            let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: Pkcs8V1Der<'static> = key.as_der().unwrap();
            let body = STANDARD.encode(der.as_ref());
            let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
            EncodingKey::from_rsa_pem(format!("{begin}\n{body}\n{end}\n").as_bytes()).unwrap()
        }),
    }
}

fn jwk(algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key(algorithm), algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    json!(jwk)
}

/// A server with the backend service `ehr`, whose keys are `ec` and `rsa`.
async fn start() -> TestServer {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Client)) -> TestServer {
    let server = TestServer::start_signed_in().await;
    server
        .register("ehr", ClientKind::ConfidentialAsymmetric, |client| {
            client.role = Some(Role::EhrSystem);
            client.scopes = SCOPES.to_owned();
            client.grant_types = vec!["client_credentials".to_owned()];
            let keys = [jwk(Algorithm::ES384, "ec"), jwk(Algorithm::RS384, "rsa")];
            client.jwks = Some(json!({ "keys": keys }));
            change(client);
        })
        .await;
    server
}

fn header(algorithm: Algorithm, kid: &str) -> Header {
    Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) }
}

fn claims(server: &TestServer, change: Value) -> Value {
    let now = server.context.clock.now().timestamp();
    let mut claims = json!({
        "iss": "ehr",
        "sub": "ehr",
        "aud": server.beside("/oauth/token"),
        "exp": now + 300,
        "jti": bhn_fhir::oauth::new_secret().unwrap(),
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn signed(header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, key(header.alg)).unwrap()
}

async fn ask(server: &TestServer, assertion: &str, scope: &str) -> Reply {
    let parameters = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    server.form("/oauth/token", &parameters).await
}

async fn ask_for(server: &TestServer, scope: &str) -> Reply {
    let assertion = signed(&header(Algorithm::ES384, "ec"), &claims(server, json!({})));
    ask(server, &assertion, scope).await
}

#[track_caller]
fn refused(reply: &Reply, what: &str) {
    assert_eq!(reply.body["error"], "invalid_client", "{what}: {reply:?}");
    assert_eq!(reply.status(), 401, "{what}");
    assert!(reply.body["error_description"].is_string(), "{what}");
}

#[tokio::test]
async fn inferno_a_backend_service_gets_a_token_for_five_minutes() {
    let server = start().await;
    for (algorithm, kid) in [(Algorithm::ES384, "ec"), (Algorithm::RS384, "rsa")] {
        let assertion = signed(&header(algorithm, kid), &claims(&server, json!({})));
        let reply = ask(&server, &assertion, SCOPES).await.expect(200);
        assert_eq!(reply.body["token_type"], "Bearer");
        assert_eq!(reply.body["expires_in"], 300);
        assert_eq!(reply.body["scope"], SCOPES);
        assert_eq!(reply.header("cache-control"), "no-store");
        for none in ["refresh_token", "id_token"] {
            assert_eq!(reply.body.get(none), None);
        }
        let token = reply.body["access_token"].as_str().unwrap();
        let bearer = server.authorization().bearers.principal(token).await.unwrap();
        assert_eq!((bearer.name.as_str(), bearer.role), ("client/ehr", Role::EhrSystem));
    }
}

#[tokio::test]
async fn inferno_wrong_grant_types_assertion_types_and_jwts_are_refused() {
    let server = start().await;
    let assertion = signed(&header(Algorithm::ES384, "ec"), &claims(&server, json!({})));
    let good = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPES),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let cases = [
        ("grant_type", "not_a_grant_type", 400),
        ("client_assertion_type", "not_an_assertion_type", 401),
        ("client_assertion", "not.a.jwt", 401),
        ("client_assertion", "", 401),
        ("scope", "", 400),
    ];
    for (name, value, status) in cases {
        let changed = good.map(|(own, kept)| (own, if own == name { value } else { kept }));
        let reply = server.form("/oauth/token", &changed).await;
        assert_eq!(reply.status(), status, "{name}={value}: {reply:?}");
    }
}

#[tokio::test]
async fn as_11_an_assertion_is_the_clients_for_this_server_and_for_five_minutes() {
    let server = start().await;
    let now = server.context.clock.now().timestamp();
    let token_url = server.beside("/oauth/token");
    let issuer = server.authorization().issuer().to_owned();
    let good = [
        json!({"exp": now + 355}),
        json!({ "aud": issuer }),
        json!({"aud": [token_url, issuer]}),
        json!({"iat": now, "nbf": now - 5}),
    ];
    let ec = header(Algorithm::ES384, "ec");
    for change in good {
        let assertion = signed(&ec, &claims(&server, change.clone()));
        assert_eq!(ask(&server, &assertion, SCOPES).await.status(), 200, "{change}");
    }
    let wrong = [
        json!({"exp": now + 400}),
        json!({"exp": now - 1}),
        json!({"exp": null}),
        json!({"exp": 1e18}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": "x".repeat(600)}),
        json!({"sub": "other"}),
        json!({"sub": null}),
        json!({"iss": "other"}),
        json!({"aud": null}),
        json!({"aud": "https://other.example/token"}),
        json!({"aud": [token_url, "https://other.example"]}),
        json!({"aud": []}),
        json!({"nbf": now + 120}),
        json!({"iat": now + 120}),
    ];
    for change in wrong {
        let assertion = signed(&ec, &claims(&server, change.clone()));
        refused(&ask(&server, &assertion, SCOPES).await, &change.to_string());
    }
}

#[tokio::test]
async fn as_11_the_header_names_a_key_and_an_algorithm_of_the_client() {
    let server = start_with(|client| client.algorithms = vec!["ES384".to_owned()]).await;
    let ec = || header(Algorithm::ES384, "ec");
    let wrong = [
        ("an algorithm it is not registered with", header(Algorithm::RS384, "rsa")),
        ("no typ", Header { typ: None, ..ec() }),
        ("another typ", Header { typ: Some("at+jwt".to_owned()), ..ec() }),
        ("no kid", Header { kid: None, ..ec() }),
        ("an unknown kid", header(Algorithm::ES384, "other")),
        ("a key of another kind", header(Algorithm::ES384, "rsa")),
        ("jku", Header { jku: Some("https://evil.example/jwks".to_owned()), ..ec() }),
        ("x5u", Header { x5u: Some("https://evil.example/x5u".to_owned()), ..ec() }),
    ];
    for (what, header) in wrong {
        let assertion = signed(&header, &claims(&server, json!({})));
        refused(&ask(&server, &assertion, SCOPES).await, what);
    }
    let hmac = jsonwebtoken::encode(
        &header(Algorithm::HS256, "ec"),
        &claims(&server, json!({})),
        &EncodingKey::from_secret(b"secret"),
    );
    refused(&ask(&server, &hmac.unwrap(), SCOPES).await, "HS256");
    let good = signed(&ec(), &claims(&server, json!({})));
    let (rest, _) = good.rsplit_once('.').unwrap();
    refused(&ask(&server, &format!("{rest}.AAAA"), SCOPES).await, "another signature");
    refused(&ask(&server, &format!("{rest}."), SCOPES).await, "no signature");
}

#[tokio::test]
async fn as_12_an_assertion_is_used_once_on_all_nodes() {
    let server = start().await;
    let other = {
        let base_url = server.context.settings.base_url.clone();
        let change = |settings: &mut bhn_fhir::config::Settings| settings.base_url = base_url;
        TestServer::signed_in_on(server.database.clone(), change).await
    };
    let assertion = signed(&header(Algorithm::ES384, "ec"), &claims(&server, json!({})));
    ask(&server, &assertion, SCOPES).await.expect(200);
    refused(&ask(&server, &assertion, SCOPES).await, "again");
    let form = [("client_assertion", assertion.as_str())];
    assert_eq!(other.context.settings.issuer(), server.context.settings.issuer());
    let now = server.context.clock.now();
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(form[0].1).unwrap();
    let jti = bhn_fhir::oauth::hash(claims["jti"].as_str().unwrap());
    assert!(!other.context.store.use_jti("ehr", &jti, now).await.unwrap());
}

#[tokio::test]
async fn as_12_of_two_uses_at_once_one_is_refused() {
    let server = start().await;
    let assertion = signed(&header(Algorithm::ES384, "ec"), &claims(&server, json!({})));
    let (a, b) = tokio::join!(ask(&server, &assertion, SCOPES), ask(&server, &assertion, SCOPES));
    let mut statuses = [a.status(), b.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn as_13_a_kid_names_one_key_that_fits_the_algorithm() {
    let twice = start_with(|client| {
        let keys = [jwk(Algorithm::ES384, "ec"), jwk(Algorithm::ES384, "ec")];
        client.jwks = Some(json!({ "keys": keys }));
    })
    .await;
    refused(&ask_for(&twice, SCOPES).await, "two keys of one kid");
    let of_two_kinds = start_with(|client| {
        let unknown = json!({"kty": "unheard-of", "kid": "ec"});
        let keys = [jwk(Algorithm::ES384, "ec"), jwk(Algorithm::RS384, "ec"), unknown];
        client.jwks = Some(json!({ "keys": keys }));
    })
    .await;
    ask_for(&of_two_kinds, SCOPES).await.expect(200);
    let none = start_with(|client| client.jwks = Some(json!({"keys": "none"}))).await;
    refused(&ask_for(&none, SCOPES).await, "no keys");
}

#[tokio::test]
async fn rt_132_keys_inside_of_the_network_are_not_fetched() {
    for url in [
        "https://169.254.169.254/latest",
        "https://127.0.0.1/jwks.json",
        "https://localhost/jwks.json",
        "http://example.org/jwks.json",
    ] {
        let server = start_with(|client| {
            client.jwks = None;
            client.jwks_uri = Some(url.to_owned());
        })
        .await;
        let started = std::time::Instant::now();
        refused(&ask_for(&server, SCOPES).await, url);
        assert!(started.elapsed().as_secs() < 6, "{url}");
    }
}

#[tokio::test]
async fn as_16_what_is_granted_is_asked_and_registered() {
    let server = start().await;
    let granted = [
        ("system/Patient.rs", "system/Patient.rs"),
        ("system/*.rs", SCOPES),
        ("system/Patient.cruds system/Immunization.rs", "system/Patient.rs"),
        ("system/Patient.read", "system/Patient.read"),
        ("system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory"),
    ];
    for (asked, expected) in granted {
        let reply = ask_for(&server, asked).await.expect(200);
        assert_eq!(reply.body["scope"], expected, "{asked}");
    }
    let long = "system/Patient.rs ".repeat(2_300);
    let refused = [
        "system/Immunization.rs",
        "patient/Patient.rs",
        "user/Patient.rs",
        "openid fhirUser",
        "system/Patient.d",
        "system/Foo.rs",
        "System/Patient.rs",
        "system/Patient.sr",
        "system/Patient.read.write",
        "system/Observation.rs?unheard-of=1",
        "system/Observation.rs?category=",
        "system/Patient.rs\n",
        "__bhn.settings.rw",
        &long,
    ];
    for asked in refused {
        let reply = ask_for(&server, asked).await.expect(400);
        assert_eq!(reply.body["error"], "invalid_scope", "{asked}");
    }
}

#[tokio::test]
async fn as_16_a_system_is_granted_no_more_than_its_role_has() {
    let wide = |client: &mut Client, role: Role| {
        client.role = Some(role);
        client.scopes = "system/*.cruds patient/*.rs user/*.rs __bhn.introspect".to_owned();
        client.terms.allows_bearer = role == Role::Registry;
    };
    let ehr = start_with(|client| wide(client, Role::EhrSystem)).await;
    let registry = start_with(|client| wide(client, Role::Registry)).await;
    let granted = async |server: &TestServer, asked: &str| {
        let reply = ask_for(server, asked).await;
        reply.body["scope"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(granted(&ehr, "system/Patient.cruds patient/*.rs").await, "system/Patient.crus");
    assert_eq!(granted(&ehr, "system/Consent.d system/*.rs").await, "system/*.rs");
    assert_eq!(granted(&registry, "system/Patient.cruds").await, "system/Patient.rs");
    assert_eq!(granted(&registry, "system/Appointment.rs system/*.rs").await, "");
    assert_eq!(granted(&registry, "__bhn.introspect").await, "__bhn.introspect");
}

#[tokio::test]
async fn rt_136_a_patient_in_a_query_narrows_and_never_widens() {
    let server = start().await;
    let asked = "system/Observation.rs?patient=P2";
    assert_eq!(ask_for(&server, asked).await.expect(200).body["scope"], asked);
}

#[tokio::test]
async fn rt_136_what_is_no_scope_is_dropped_or_refused_and_never_widened() {
    let server = start_with(|client| client.scopes = "system/*.cruds".to_owned()).await;
    let long = "system/Patient.rs ".repeat(2_300);
    for none in [
        "system/Observation.dus",
        "system/Observation.ss",
        "system/Observation.",
        "system/Patient.read.write",
        "system/*.cruds?",
        "system/Foo.rs",
        "System/Patient.rs",
        "system/patient.rs",
        "system/*.rs*",
        "system/Patient",
        "system/Patient.rs\n",
        "system/Patient.rs\tsystem/*.rs",
        "system/Patient.rs\u{0}",
        "*/*.*",
        "system/*.rs?_id=1",
    ] {
        let error = ask_for(&server, none).await.expect(400).body["error"].clone();
        assert!(error == "invalid_scope" || error == "invalid_request", "{none:?}: {error}");
        // Nor do they take a good one with them.
        let reply = ask_for(&server, &format!("{none} system/Patient.r")).await;
        let granted = reply.body["scope"].as_str().unwrap_or("system/Patient.r");
        assert_eq!(granted, "system/Patient.r", "{none:?}");
    }
    let reply = ask_for(&server, &long).await;
    assert!([200, 400, 413].contains(&reply.status()), "{}", reply.status());
    assert!(reply.body["scope"].as_str().is_none_or(|scope| scope == "system/Patient.rs"));
}

#[tokio::test]
async fn only_systems_sign_in_by_themselves() {
    let not_registered = start_with(|client| client.grant_types = Vec::new()).await;
    let reply = ask_for(&not_registered, SCOPES).await.expect(400);
    assert_eq!(reply.body["error"], "unauthorized_client");
    let no_role = start_with(|client| client.role = None).await;
    let reply = ask_for(&no_role, SCOPES).await.expect(400);
    assert_eq!(reply.body["error"], "unauthorized_client");
    let secret = start().await;
    let kind = ClientKind::ConfidentialSymmetric;
    secret
        .register("web", kind, |client| {
            client.grant_types = vec!["client_credentials".to_owned()];
            client.role = Some(Role::EhrSystem);
            client.scopes = SCOPES.to_owned();
        })
        .await;
    let now = secret.context.clock.now();
    let hash = bhn_fhir::oauth::hash("s");
    secret.context.store.add_client_secret("web", &hash, (now, now)).await.unwrap();
    let parameters = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPES),
        ("client_id", "web"),
        ("client_secret", "s"),
    ];
    let reply = secret.form("/oauth/token", &parameters).await.expect(400);
    assert_eq!(reply.body["error"], "unauthorized_client");
}

#[tokio::test]
async fn a_client_that_is_disabled_gets_no_tokens_and_has_none() {
    let server = start().await;
    let reply = ask_for(&server, SCOPES).await.expect(200);
    let token = reply.body["access_token"].as_str().unwrap().to_owned();
    let (store, now) = (&server.context.store, server.context.clock.now());
    assert!(store.set_client_active("ehr", false, now).await.unwrap());
    refused(&ask_for(&server, SCOPES).await, "disabled");
    assert_eq!(server.status_with(&token).await, 401);
    assert!(store.set_client_active("ehr", true, now).await.unwrap());
    ask_for(&server, SCOPES).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(server.status_with(&token).await, 401, "of before");
}
