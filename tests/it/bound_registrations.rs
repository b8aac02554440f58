//! What clients that registered themselves may change: RFC 7592.

use super::harness::{FhirClient, Grantee, Reply, Role, TestServer};
use bhn_fhir::access::{Holder, Scopes, ceiling};
use serde_json::{Value, json};

/// A server with a client that has registered itself, and what it was told.
async fn start() -> (TestServer, Value) {
    let server = TestServer::start_signed_in_with(|settings| {
        settings.oauth.registration = true;
        settings.oauth.principal_ms = 0;
    });
    let server = server.await;
    let account = server.person(Role::Admin, "Practitioner/a").await;
    let token = server.token(&Grantee::person(&account), "__bhn.clients.rw").await;
    let request = server.with_token(&token).request("POST", &server.beside("/oauth/register"));
    let request = request.body("application/json", metadata(json!({})).to_string());
    let registered = request.send().await.expect(201).body;
    (server, registered)
}

fn metadata(change: Value) -> Value {
    let mut metadata = json!({
        "client_name": "Growth charts",
        "redirect_uris": ["https://app.example/back"],
        "scope": "launch/patient patient/Observation.rs patient/Patient.rs",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    for (name, value) in change.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn with_token(server: &TestServer, registered: &Value) -> FhirClient {
    server.with_token(text(registered, "registration_access_token"))
}

async fn put(server: &TestServer, registered: &Value, change: Value) -> Reply {
    let mut body = metadata(change);
    if body.get("client_id").is_none() {
        body["client_id"] = registered["client_id"].clone();
    }
    let uri = text(registered, "registration_client_uri");
    let request = with_token(server, registered).request("PUT", uri);
    request.body("application/json", body.to_string()).send().await
}

#[tokio::test]
async fn rfc_7592_a_client_reads_changes_and_ends_its_registration() {
    let (server, registered) = start().await;
    let uri = text(&registered, "registration_client_uri").to_owned();
    let id = text(&registered, "client_id").to_owned();
    assert_eq!(uri, server.beside(&format!("/oauth/register/{id}")));
    let shown = with_token(&server, &registered).get(&uri).await.expect(200);
    assert_eq!(shown.header("cache-control"), "no-store");
    assert_eq!(shown.body, registered);
    let change = json!({"client_name": "Growth", "redirect_uris": ["https://app.example/two"]});
    let changed = put(&server, &registered, change).await.expect(200).body;
    assert_eq!(changed["redirect_uris"], json!(["https://app.example/two"]));
    let client = server.context.store.client(&id).await.unwrap().unwrap();
    assert_eq!((client.name.as_str(), client.redirect_uris.len()), ("Growth", 1));
    // The token turns with each change.
    assert_ne!(changed["registration_access_token"], registered["registration_access_token"]);
    with_token(&server, &registered).get(&uri).await.expect(401);
    with_token(&server, &changed).get(&uri).await.expect(200);
    with_token(&server, &changed).delete(&uri).await.expect(204);
    let client = server.context.store.client(&id).await.unwrap().unwrap();
    assert!(!client.is_active);
    with_token(&server, &changed).get(&uri).await.expect(401);
}

#[tokio::test]
async fn rfc_7592_a_registration_is_changed_by_its_own_token_alone() {
    let (server, registered) = start().await;
    let uri = text(&registered, "registration_client_uri").to_owned();
    let account = server.person(Role::Admin, "Practitioner/b").await;
    let admin = server.token(&Grantee::person(&account), "__bhn.clients.rw").await;
    server.register("mine", bhn_fhir::storage::ClientKind::Public, |_| {}).await;
    for (token, path) in [
        ("unknown", uri.as_str()),
        (&admin, &uri),
        (text(&registered, "registration_access_token"), &server.beside("/oauth/register/mine")),
        (text(&registered, "registration_access_token"), &server.beside("/oauth/register/%00")),
    ] {
        let client = server.with_token(token);
        for method in ["GET", "PUT", "DELETE"] {
            let request = client.request(method, path);
            let request = request.body("application/json", metadata(json!({})).to_string());
            assert_eq!(request.send().await.status(), 401, "{method} {path}");
        }
    }
    server.get(&uri).await.expect(401);
}

#[tokio::test]
async fn rt_147_a_client_never_gives_itself_more_than_it_was_let_have() {
    let (server, registered) = start().await;
    let method = "token_endpoint_auth_method";
    let private = json!({"kty": "EC", "crv": "P-384", "x": "x", "y": "y", "d": "secret"});
    let inside = "http://169.254.169.254/jwks";
    let wrong = [
        json!({"scope": "launch/patient patient/*.rs"}),
        json!({"scope": "launch/patient patient/Observation.cruds"}),
        json!({"scope": "user/*.rs"}),
        json!({"scope": "system/Patient.rs"}),
        json!({"scope": "openid __bhn.clients.rw"}),
        json!({"grant_types": ["client_credentials"]}),
        json!({"redirect_uris": ["http://app.example/back"]}),
        json!({ method: "client_secret_basic" }),
        json!({ method: "private_key_jwt", "jwks": {"keys": [private]} }),
        json!({ method: "private_key_jwt", "jwks_uri": inside }),
        json!({"client_id": "another"}),
        json!({"client_id": null}),
        json!({"client_secret": "s"}),
        json!({"registration_access_token": "t"}),
        json!({"registration_client_uri": "https://evil.example"}),
        json!({"client_id_issued_at": 0}),
        json!({"client_secret_expires_at": 0}),
    ];
    for change in wrong {
        let reply = put(&server, &registered, change.clone()).await;
        assert_eq!(reply.status(), 400, "{change}: {reply:?}");
    }
    let uri = text(&registered, "registration_client_uri");
    let shown = with_token(&server, &registered).get(uri).await.expect(200);
    assert_eq!(shown.body, registered, "nothing has changed");
    let narrower = json!({"scope": "patient/Observation.rs"});
    put(&server, &registered, narrower).await.expect(200);
}

#[tokio::test]
async fn rfc_7592_what_was_granted_ends_with_a_change() {
    let (server, registered) = start().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let grantee = Grantee::person_by(&account, text(&registered, "client_id")).about("p");
    let token = server.token(&grantee, "patient/Observation.rs").await;
    let read = async || server.with_token(&token).get("Observation").await.status();
    assert_eq!(read().await, 200);
    let bound = json!({"dpop_bound_access_tokens": true,
        "require_pushed_authorization_requests": true});
    let changed = put(&server, &registered, bound).await.expect(200).body;
    assert_eq!(changed["dpop_bound_access_tokens"], true);
    assert_eq!(read().await, 401);
    // What binds is not taken back by whoever has the registration token.
    put(&server, &changed, json!({})).await.expect(400);
}

#[test]
fn rt_147_only_administrators_let_clients_register() {
    let asked = Scopes::parse("__bhn.clients.rw").unwrap();
    for role in [Role::Patient, Role::Doctor, Role::HospitalStaff] {
        assert!(ceiling((role, Holder::Person), &asked).is_empty(), "{role}");
    }
    assert!(!ceiling((Role::Admin, Holder::Person), &asked).is_empty());
}
