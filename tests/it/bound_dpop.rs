//! Tokens that are bound to a key: DPoP, RFC 9449.

use super::harness::{APP, Grantee, ProofKey, Reply, Role, TestServer, proof_claims};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bhn_fhir::storage::ClientKind;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use std::sync::Arc;

const SCOPES: &str = "openid offline_access patient/*.rs";

/// A server, and a patient on it.
async fn start() -> (TestServer, Grantee) {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    (server, Grantee::person(&account).about("p"))
}

fn text<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {reply:?}"))
}

fn token(reply: &Reply) -> String {
    text(reply, "access_token").to_owned()
}

fn patients(server: &TestServer) -> String {
    format!("{}/Patient", server.base())
}

async fn refresh(server: &TestServer, token: &str, key: &ProofKey) -> Reply {
    let parameters =
        [("grant_type", "refresh_token"), ("client_id", APP), ("refresh_token", token)];
    let proof = key.proof("POST", &server.beside("/oauth/token"));
    server.token_with(&parameters, &proof).await
}

#[track_caller]
fn refused(reply: &Reply, error: &str) {
    assert_eq!((reply.status(), &reply.body["error"]), (400, &json!(error)), "{reply:?}");
}

#[tokio::test]
async fn as_28_a_proof_binds_tokens_to_its_key() {
    let (server, grantee) = start().await;
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256] {
        let key = ProofKey::new(algorithm);
        let code = server.code(&grantee, SCOPES).await;
        let reply = server.redeem_with(&code, &key).await.expect(200);
        assert_eq!(reply.body["token_type"], "DPoP");
        let token = token(&reply);
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(&token).unwrap();
        assert_eq!(claims["cnf"], json!({"jkt": key.thumbprint()}));
        let url = patients(&server);
        server.get_with("Patient", &token, &key.proof_with("GET", &url, &token)).await.expect(200);
        let proof = key.proof_with("GET", &url, &token);
        server.get_with("Patient?_count=1", &token, &proof).await.expect(200);
    }
}

#[tokio::test]
async fn rt_133_a_bound_token_is_no_bearer_token() {
    let (server, grantee) = start().await;
    let key = ProofKey::new(Algorithm::ES256);
    let reply = server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await.expect(200);
    let token = token(&reply);
    let proof = key.proof_with("GET", &patients(&server), &token);
    let bearer = server.with_token(&token).request("GET", "Patient");
    let reply = bearer.header("dpop", &proof).send().await.expect(401);
    let challenge = "DPoP error=\"invalid_token\", algs=\"ES256 EdDSA RS256\"";
    assert_eq!(reply.header("www-authenticate"), challenge);
    // Nor is one that is not bound brought with a proof.
    let unbound = server.token(&grantee, "patient/*.rs").await;
    let proof = key.proof_with("GET", &patients(&server), &unbound);
    let reply = server.get_with("Patient", &unbound, &proof).await.expect(401);
    assert_eq!(reply.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn who_brings_nothing_is_told_of_both_ways() {
    let (server, _) = start().await;
    let reply = server.get("Patient").await.expect(401);
    let asked: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(asked, ["Bearer", "DPoP algs=\"ES256 EdDSA RS256\""]);
}

#[tokio::test]
async fn rt_133_a_proof_is_good_once_on_all_nodes() {
    let (server, grantee) = start().await;
    let base_url = server.context.settings.base_url.clone();
    let second = TestServer::signed_in_on(Arc::clone(&server.database), |settings| {
        settings.base_url = base_url;
    })
    .await;
    let key = ProofKey::new(Algorithm::ES256);
    let token = token(&server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await);
    let proof = key.proof_with("GET", &patients(&server), &token);
    server.get_with("Patient", &token, &proof).await.expect(200);
    for node in [&server, &second] {
        let reply = node.get_with("Patient", &token, &proof).await.expect(401);
        assert!(reply.header("www-authenticate").contains("invalid_dpop_proof"), "{reply:?}");
    }
    let proof = key.proof("POST", &server.beside("/oauth/token"));
    let ask = [("grant_type", "authorization_code"), ("client_id", APP), ("code", "unknown")];
    refused(&server.token_with(&ask, &proof).await, "invalid_grant");
    refused(&second.token_with(&ask, &proof).await, "invalid_dpop_proof");
}

/// Proofs of a request that are wrong in one thing each.
fn wrong_proofs(key: &ProofKey, method: &str, url: &str, token: Option<&str>) -> Vec<String> {
    let good = proof_claims(method, url, token);
    let now = good["iat"].as_i64().unwrap();
    let mut changes = vec![
        ("htm", json!("DELETE")),
        ("htm", json!(method.to_lowercase())),
        ("htm", Value::Null),
        ("htu", json!(format!("{url}/1"))),
        ("htu", json!(url.replace("http://127.0.0.1", "http://evil.example"))),
        ("htu", json!(url.replace("http://", "https://"))),
        ("htu", Value::Null),
        ("iat", json!(now - 62)),
        ("iat", json!(now + 62)),
        ("iat", json!(i64::MIN)),
        ("iat", json!("now")),
        ("jti", json!("")),
        ("jti", json!("j".repeat(513))),
        ("jti", Value::Null),
        ("nonce", json!("not-one-of-this-server")),
    ];
    if token.is_some() {
        changes.extend([("ath", Value::Null), ("ath", json!("AAAA"))]);
    }
    let changed = changes.into_iter().map(|(name, value)| {
        let mut claims = good.clone();
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        key.signed(&key.header(), &claims)
    });
    let typed = |typ: Option<&str>| Header { typ: typ.map(str::to_owned), ..key.header() };
    let mut wrong: Vec<String> = changed.collect();
    wrong.extend([typed(None), typed(Some("JWT"))].map(|header| key.signed(&header, &good)));
    wrong.push(key.signed(&Header { jwk: None, ..key.header() }, &good));
    // Somebody else's key in the header.
    let other = ProofKey::new(Algorithm::ES256);
    wrong.push(key.signed(&other.header(), &good));
    wrong.push(key.signed(&Header { crit: Some(vec!["b64".to_owned()]), ..key.header() }, &good));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for algorithm in ["none", "HS256"] {
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": json!(key.jwk)});
        wrong.push(format!("{}.{}.AAAA", part(&header), part(&good)));
    }
    wrong.extend(["", "a.b.c", "no proof"].map(str::to_owned));
    wrong
}

#[tokio::test]
async fn rt_133_a_proof_is_for_one_request_now() {
    let (server, grantee) = start().await;
    let key = ProofKey::new(Algorithm::ES256);
    let token = token(&server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await);
    let url = patients(&server);
    // The token is known to be good, which must not stand in for the proof.
    let good = key.proof_with("GET", &url, &token);
    server.get_with("Patient", &token, &good).await.expect(200);
    for proof in wrong_proofs(&key, "GET", &url, Some(&token)) {
        let reply = server.get_with("Patient", &token, &proof).await;
        assert_eq!(reply.status(), 401, "{proof}: {reply:?}");
        assert!(reply.header("www-authenticate").starts_with("DPoP error=\""), "{reply:?}");
    }
    let other = ProofKey::new(Algorithm::ES256).proof_with("GET", &url, &token);
    server.get_with("Patient", &token, &other).await.expect(401);
    let client = server.client.with_authorization(format!("DPoP {token}"));
    client.get("Patient").await.expect(401);
    let [first, second] = [(); 2].map(|()| key.proof_with("GET", &url, &token));
    let twice = client.request("GET", "Patient").header("dpop", &first).header("dpop", &second);
    twice.send().await.expect(401);
    let in_window = {
        let mut claims = proof_claims("GET", &url, Some(&token));
        claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 55);
        key.signed(&key.header(), &claims)
    };
    server.get_with("Patient", &token, &in_window).await.expect(200);
}

#[tokio::test]
async fn as_28_the_token_endpoint_takes_proofs_that_are_good_alone() {
    let (server, _) = start().await;
    server
        .register(APP, ClientKind::Public, |app| {
            app.grant_types = vec!["authorization_code".to_owned()];
        })
        .await;
    let key = ProofKey::new(Algorithm::ES256);
    let ask = [("grant_type", "authorization_code"), ("client_id", APP), ("code", "unknown")];
    for proof in wrong_proofs(&key, "POST", &server.beside("/oauth/token"), None) {
        let reply = server.token_with(&ask, &proof).await;
        assert_eq!(reply.status(), 400, "{proof}: {reply:?}");
        let error = text(&reply, "error");
        let is_told = ["invalid_dpop_proof", "use_dpop_nonce"].contains(&error);
        assert!(is_told, "{proof}: {reply:?}");
        assert_eq!(reply.header("dpop-nonce").is_empty(), error != "use_dpop_nonce");
    }
    let with_private = {
        let mut header = json!(key.header());
        header["jwk"]["d"] = json!("AAAA");
        let good = key.proof("POST", &server.beside("/oauth/token"));
        let (_, rest) = good.split_once('.').unwrap();
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    refused(&server.token_with(&ask, &with_private).await, "invalid_dpop_proof");
    let ath = key.proof_with("POST", &server.beside("/oauth/token"), "token");
    refused(&server.token_with(&ask, &ath).await, "invalid_grant");
}

#[tokio::test]
async fn as_28_refresh_tokens_of_public_clients_are_bound_to_the_key() {
    let (server, grantee) = start().await;
    let (key, other) = (ProofKey::new(Algorithm::ES256), ProofKey::new(Algorithm::ES256));
    let first = server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await.expect(200);
    let old = text(&first, "refresh_token").to_owned();
    refused(&server.refresh(&old, None).await, "invalid_grant");
    refused(&refresh(&server, &old, &other).await, "invalid_grant");
    let second = refresh(&server, &old, &key).await.expect(200);
    assert_eq!(second.body["token_type"], "DPoP");
    let newest = text(&second, "refresh_token");
    refused(&refresh(&server, newest, &other).await, "invalid_grant");
    refresh(&server, newest, &key).await.expect(200);
    // One that was bound to nothing is bound by its first use with a key.
    let code = server.code(&grantee, SCOPES).await;
    let first = server.redeem(&code).await.expect(200);
    let second = refresh(&server, text(&first, "refresh_token"), &key).await.expect(200);
    refused(&server.refresh(text(&second, "refresh_token"), None).await, "invalid_grant");
}

#[tokio::test]
async fn as_24_a_code_is_bound_to_the_key_that_the_request_named() {
    let (server, grantee) = start().await;
    let (key, other) = (ProofKey::new(Algorithm::ES256), ProofKey::new(Algorithm::ES256));
    let code = server.code(&grantee, SCOPES).await;
    let sql = "update authorization_code set dpop_jkt = $1";
    let mut connection = server.database.connect().await;
    sqlx::query(sql).bind(key.thumbprint()).execute(&mut connection).await.unwrap();
    refused(&server.redeem(&code).await, "invalid_grant");
    refused(&server.redeem_with(&code, &other).await, "invalid_grant");
    server.redeem_with(&code, &key).await.expect(200);
}

#[tokio::test]
async fn as_28_a_client_registered_so_gets_bound_tokens_alone() {
    let (server, grantee) = start().await;
    let code = server.code(&grantee, SCOPES).await;
    let sql = "update client set is_dpop_bound = true";
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
    refused(&server.redeem(&code).await, "invalid_dpop_proof");
    let key = ProofKey::new(Algorithm::ES256);
    server.redeem_with(&code, &key).await.expect(200);
    // Tokens of before are not taken any more.
    let unbound = server.token(&grantee, "patient/*.rs").await;
    assert_eq!(server.status_with(&unbound).await, 401);
}

#[tokio::test]
async fn as_28_the_server_asks_for_its_nonce() {
    let server = TestServer::start_signed_in_with(|settings| settings.oauth.dpop_nonce = true);
    let server = server.await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let grantee = Grantee::person(&account).about("p");
    let key = ProofKey::new(Algorithm::ES256);
    let code = server.code(&grantee, SCOPES).await;
    let reply = server.redeem_with(&code, &key).await;
    refused(&reply, "use_dpop_nonce");
    let with = |nonce: &str, target: (&str, &str), token: Option<&str>| {
        let mut claims = proof_claims(target.0, target.1, token);
        claims["nonce"] = json!(nonce);
        key.signed(&key.header(), &claims)
    };
    let endpoint = server.beside("/oauth/token");
    let nonce = reply.header("dpop-nonce").to_owned();
    let proof = with(&nonce, ("POST", &endpoint), None);
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", APP),
        ("code", code.as_str()),
        ("redirect_uri", super::harness::REDIRECT),
        ("code_verifier", super::harness::VERIFIER),
    ];
    let token = token(&server.token_with(&parameters, &proof).await.expect(200));
    let url = patients(&server);
    let proof = key.proof_with("GET", &url, &token);
    let reply = server.get_with("Patient", &token, &proof).await.expect(401);
    assert!(reply.header("www-authenticate").contains("use_dpop_nonce"));
    let nonce = reply.header("dpop-nonce").to_owned();
    let proof = with(&nonce, ("GET", &url), Some(&token));
    server.get_with("Patient", &token, &proof).await.expect(200);
    let forged = with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ("GET", &url), Some(&token));
    server.get_with("Patient", &token, &forged).await.expect(401);
}

#[tokio::test]
async fn as_28_introspection_says_what_a_token_is_bound_to() {
    let (server, grantee) = start().await;
    let key = ProofKey::new(Algorithm::ES256);
    let token = token(&server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await);
    let account = server.person(Role::Admin, "Practitioner/a").await;
    let inspector = server.token(&Grantee::person(&account), "__bhn.introspect").await;
    let bearer = format!("Bearer {inspector}");
    let headers = [("authorization", bearer.as_str())];
    let reply = server.form_as("/oauth/introspect", &[("token", &token)], &headers).await;
    let body = reply.expect(200).body;
    assert_eq!(body["token_type"], "DPoP");
    assert_eq!(body["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn as_28_the_endpoints_of_tokens_want_the_proof_as_well() {
    let (server, grantee) = start().await;
    let key = ProofKey::new(Algorithm::ES256);
    let token = token(&server.redeem_with(&server.code(&grantee, SCOPES).await, &key).await);
    let url = server.beside("/oauth/userinfo");
    let reply = server.with_token(&token).get(&url).await.expect(401);
    assert!(reply.header("www-authenticate").starts_with("DPoP "));
    let elsewhere = key.proof_with("GET", &patients(&server), &token);
    server.get_with(&url, &token, &elsewhere).await.expect(401);
    let proof = key.proof_with("GET", &url, &token);
    server.get_with(&url, &token, &proof).await.expect(200);
    server.get_with(&url, &token, &proof).await.expect(401);
}

#[tokio::test]
async fn as_28_discovery_and_cors_tell_of_proofs() {
    let (server, _) = start().await;
    for path in ["/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration"] {
        let document = server.get(&server.beside(path)).await.expect(200).body;
        let algorithms = &document["dpop_signing_alg_values_supported"];
        assert_eq!(*algorithms, json!(["ES256", "EdDSA", "RS256"]), "{path}");
    }
    server
        .register("browser", ClientKind::Public, |client| {
            client.origins = vec!["https://app.example".to_owned()];
        })
        .await;
    for path in ["/oauth/token", "/oauth/par", "/fhir/Patient"] {
        let preflight = server.request("OPTIONS", &server.beside(path));
        let preflight = preflight.header("origin", "https://app.example");
        let preflight = preflight.header("access-control-request-method", "POST").send().await;
        let allowed = preflight.header("access-control-allow-headers");
        assert!(allowed.split(", ").any(|name| name == "DPoP"), "{path}: {allowed}");
    }
    let request = server.request("GET", "Patient").header("origin", "https://app.example");
    let reply = request.send().await;
    assert!(reply.header("access-control-expose-headers").contains("DPoP-Nonce"));
}
