//! What the authorization server says of itself, and who may read it.

use super::harness::TestServer;
use bhn_fhir::storage::ClientKind;
use serde_json::{Value, json};

const SMART: &str = "/fhir/.well-known/smart-configuration";
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const JWKS: &str = "/.well-known/jwks.json";

fn has(document: &Value, member: &str, wanted: &str) -> bool {
    document[member].as_array().is_some_and(|all| all.iter().any(|one| one == wanted))
}

#[tokio::test]
async fn inferno_the_smart_configuration_has_all_required_fields() {
    let server = TestServer::start_signed_in().await;
    let request = server.request("GET", &server.beside(SMART));
    let reply = request.header("accept", "text/html").send().await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    let document = reply.body;
    for member in ["authorization_endpoint", "token_endpoint", "issuer", "jwks_uri"] {
        let url = document[member].as_str().unwrap();
        assert!(url.starts_with(server.authorization().issuer()), "{member}: {url}");
    }
    assert!(has(&document, "grant_types_supported", "authorization_code"));
    assert!(has(&document, "grant_types_supported", "client_credentials"));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    let capabilities = document["capabilities"].as_array().unwrap();
    assert!(capabilities.iter().all(Value::is_string));
    assert!(document["scopes_supported"].as_array().is_some_and(|scopes| !scopes.is_empty()));
}

#[tokio::test]
async fn as_01_every_capability_of_the_certification_is_listed() {
    let server = TestServer::start_signed_in().await;
    let document = server.get(&server.beside(SMART)).await.expect(200).body;
    let wanted = "launch-ehr launch-standalone authorize-post client-public \
        client-confidential-symmetric client-confidential-asymmetric sso-openid-connect \
        context-banner context-style context-ehr-patient context-ehr-encounter \
        context-standalone-patient context-standalone-encounter permission-offline \
        permission-online permission-patient permission-user permission-v1 permission-v2 \
        smart-app-state";
    for capability in wanted.split_whitespace() {
        assert!(has(&document, "capabilities", capability), "{capability}");
    }
    for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
        assert!(has(&document, "token_endpoint_auth_methods_supported", method), "{method}");
    }
    for algorithm in ["RS384", "ES384"] {
        let member = "token_endpoint_auth_signing_alg_values_supported";
        assert!(has(&document, member, algorithm), "{algorithm}");
    }
    for member in ["introspection_endpoint", "revocation_endpoint", "management_endpoint"] {
        assert!(document[member].is_string(), "{member}");
    }
    assert_eq!(document.get("registration_endpoint"), None, "it is off");
}

#[tokio::test]
async fn inferno_the_openid_configuration_has_all_required_fields() {
    let server = TestServer::start_signed_in().await;
    let document = server.get(&server.beside(OPENID)).await.expect(200).body;
    let required = "issuer authorization_endpoint token_endpoint jwks_uri \
        response_types_supported subject_types_supported id_token_signing_alg_values_supported";
    for member in required.split_whitespace() {
        assert!(document.get(member).is_some(), "{member}");
    }
    assert!(has(&document, "id_token_signing_alg_values_supported", "RS256"));
    let smart = server.get(&server.beside(SMART)).await.expect(200).body;
    assert_eq!(document["issuer"], smart["issuer"]);
    let oauth = server.get(&server.beside(OAUTH)).await.expect(200).body;
    assert_eq!(oauth["authorization_response_iss_parameter_supported"], true);
    for (member, value) in oauth.as_object().unwrap() {
        assert_eq!(&document[member], value, "{member}");
    }
}

#[tokio::test]
async fn inferno_the_key_set_has_public_rsa_keys_with_ids_of_their_own() {
    let server = TestServer::start_signed_in().await;
    let reply = server.get(&server.beside(JWKS)).await.expect(200);
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    let keys = reply.body["keys"].as_array().unwrap();
    let is_of = |kind: &str| keys.iter().filter(|key| key["kty"] == kind).count();
    assert_eq!((is_of("RSA"), is_of("EC"), keys.len()), (1, 1, 2));
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None, "{private}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string() && key["kid"].is_string());
    }
}

/// What a page of this origin is let do there: the header of a preflight and of the request.
async fn allowed(server: &TestServer, path: &str, origin: &str) -> (String, String) {
    let url = server.beside(path);
    let preflight = server.request("OPTIONS", &url).header("origin", origin);
    let preflight = preflight.header("access-control-request-method", "GET").send().await;
    let reply = server.request("GET", &url).header("origin", origin).send().await;
    for answer in [&preflight, &reply] {
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert!(answer.header("vary").contains("Origin"));
    }
    let name = "access-control-allow-origin";
    (preflight.header(name).to_owned(), reply.header(name).to_owned())
}

#[tokio::test]
async fn inferno_cors_lets_every_page_read_discovery_and_metadata() {
    let server = TestServer::start_signed_in().await;
    for path in [SMART, OPENID, OAUTH, JWKS, "/fhir/metadata"] {
        let star = ("*".to_owned(), "*".to_owned());
        assert_eq!(allowed(&server, path, "https://inferno.example").await, star, "{path}");
    }
}

#[tokio::test]
async fn in_45_only_registered_origins_read_fhir_and_tokens() {
    let server = TestServer::start_signed_in().await;
    let own = "https://app.example";
    server
        .register("browser", ClientKind::Public, |client| client.origins = vec![own.to_owned()])
        .await;
    let nothing = (String::new(), String::new());
    for path in ["/fhir/Patient", "/fhir", "/oauth/token", "/oauth/userinfo"] {
        let both = (own.to_owned(), own.to_owned());
        assert_eq!(allowed(&server, path, own).await, both, "{path}");
        for other in ["https://evil.example", "null", "https://app.example.evil.example"] {
            assert_eq!(allowed(&server, path, other).await, nothing, "{path} {other}");
        }
    }
    for path in ["/oauth/introspect", "/oauth/authorize", "/livez", "/fhirs"] {
        assert_eq!(allowed(&server, path, own).await, nothing, "{path}");
    }
}

#[tokio::test]
async fn a_server_without_sign_in_has_no_authorization_server() {
    let server = TestServer::start().await;
    server.get_beside(OPENID).await.expect(404);
    server.get_beside(SMART).await.expect(404);
}
