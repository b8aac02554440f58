//! Dynamic client registration.

use super::harness::{Grantee, Reply, TestServer};
use bhn_fhir::access::Role;
use bhn_fhir::storage::ClientKind;
use serde_json::{Value, json};

/// A server that clients may register on, and a token for that.
async fn start() -> (TestServer, String) {
    let server =
        TestServer::start_signed_in_with(|settings| settings.oauth.registration = true).await;
    let account = server.person(Role::Admin, "Practitioner/a").await;
    let token = server.token(&Grantee::person(&account), "__bhn.clients.rw").await;
    (server, token)
}

fn metadata(change: Value) -> Value {
    let mut metadata = json!({
        "client_name": "Growth charts",
        "redirect_uris": ["https://app.example/back"],
        "scope": "openid launch/patient patient/*.rs",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "logo_uri": "https://app.example/logo.png",
    });
    for (name, value) in change.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata
}

async fn register(server: &TestServer, token: &str, metadata: &Value) -> Reply {
    let url = server.beside("/oauth/register");
    let request = server.with_token(token).request("POST", &url);
    request.body("application/json", metadata.to_string()).send().await
}

#[tokio::test]
async fn a_client_registers_itself_and_is_there() {
    let (server, token) = start().await;
    let smart = server.get("/.well-known/smart-configuration").await.expect(200);
    assert_eq!(smart.body["registration_endpoint"], server.beside("/oauth/register"));
    let reply = register(&server, &token, &metadata(json!({}))).await.expect(201);
    assert_eq!(reply.header("cache-control"), "no-store");
    let id = reply.body["client_id"].as_str().unwrap();
    let client = server.context.store.client(id).await.unwrap().unwrap();
    assert_eq!((client.kind, client.is_first_party), (ClientKind::Public, false));
    assert_eq!(client.origins, ["https://app.example"]);
    assert_eq!(reply.body.get("client_secret"), None);
    assert_eq!(reply.body.get("logo_uri"), None, "it is not kept");
    let secret = json!({"token_endpoint_auth_method": "client_secret_post"});
    let reply = register(&server, &token, &metadata(secret)).await.expect(201);
    let id = reply.body["client_id"].as_str().unwrap();
    let now = server.context.clock.now();
    let secrets = server.context.store.client_secrets(id, now).await.unwrap();
    let own = bhn_fhir::oauth::hash(reply.body["client_secret"].as_str().unwrap());
    assert_eq!(secrets, [own.to_vec()]);
}

#[tokio::test]
async fn rt_147_nobody_registers_without_a_token_for_it_or_with_what_is_not_safe() {
    let (server, token) = start().await;
    register(&server, "a.b.c", &metadata(json!({}))).await.expect(401);
    let account = server.person(Role::Patient, "Patient/p").await;
    let other = server.token(&Grantee::person(&account), "patient/*.rs").await;
    register(&server, &other, &metadata(json!({}))).await.expect(403);
    let key = json!({"kty": "EC", "crv": "P-384", "x": "x", "y": "y", "d": "secret"});
    let method = "token_endpoint_auth_method";
    let signing = |jwks: Value| json!({ method: "private_key_jwt", "jwks": jwks });
    let wrong = [
        (json!({"redirect_uris": ["http://app.example/back"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://app.example/#f"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://u@app.example/"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": []}), "invalid_redirect_uri"),
        (json!({"redirect_uris": vec!["https://a.example/"; 21]}), "invalid_redirect_uri"),
        (signing(json!({"keys": [key]})), "invalid_client_metadata"),
        (signing(json!({"keys": []})), "invalid_client_metadata"),
        (json!({"jwks_uri": "https://app.example/jwks"}), "invalid_client_metadata"),
        (json!({"grant_types": ["client_credentials"]}), "invalid_client_metadata"),
        (json!({"response_types": ["token"]}), "invalid_client_metadata"),
        (json!({"scope": "system/*.rs"}), "invalid_client_metadata"),
        (json!({"scope": "openid __bhn.clients.rw"}), "invalid_client_metadata"),
        (json!({"scope": ""}), "invalid_client_metadata"),
        (json!({"client_name": "a\u{202e}b\u{0}"}), "invalid_client_metadata"),
        (json!({"client_name": 7}), "invalid_client_metadata"),
        (json!({ method: "tls_client_auth" }), "invalid_client_metadata"),
    ];
    for (change, error) in wrong {
        let reply = register(&server, &token, &metadata(change.clone())).await;
        assert_eq!(reply.status(), 400, "{change}: {reply:?}");
        assert_eq!(reply.body["error"], error, "{change}");
    }
    let native = json!({"redirect_uris": ["http://127.0.0.1:7000/back", "com.example.app:/back"]});
    register(&server, &token, &metadata(native)).await.expect(201);
}

#[tokio::test]
async fn registration_is_off_unless_it_is_enabled() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Admin, "Practitioner/a").await;
    let token = server.token(&Grantee::person(&account), "__bhn.clients.rw").await;
    register(&server, &token, &metadata(json!({}))).await.expect(404);
}
