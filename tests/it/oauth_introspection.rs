//! Introspection, revocation and userinfo.

use super::harness::{APP, Grantee, Reply, TestServer};
use bhn_fhir::access::Role;
use bhn_fhir::storage::ClientKind;
use serde_json::{Value, json};

const SCOPES: &str = "openid fhirUser offline_access patient/*.rs";
const INSPECTOR: [(&str, &str); 2] = [("client_id", "gateway"), ("client_secret", "s3cret")];

/// A server with a client that may look into all tokens, and the tokens of a patient.
async fn start() -> (TestServer, Reply) {
    let server = TestServer::start_signed_in().await;
    for (id, scopes) in [("gateway", "__bhn.introspect"), ("curious", "system/*.rs")] {
        let kind = ClientKind::ConfidentialSymmetric;
        server.register(id, kind, |client| client.scopes = scopes.to_owned()).await;
        let now = server.context.clock.now();
        let secret = if id == "gateway" { "s3cret" } else { "other" };
        let hash = bhn_fhir::oauth::hash(secret);
        server.context.store.add_client_secret(id, &hash, (now, now)).await.unwrap();
    }
    let account = server.person(Role::Patient, "Patient/p").await;
    let mut grantee = Grantee::person(&account).about("p");
    grantee.launch["encounter"] = json!("e");
    grantee.launch["intent"] = json!("order-review");
    let tokens = server.redeem(&server.code(&grantee, SCOPES).await).await.expect(200);
    (server, tokens)
}

fn text<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {reply:?}"))
}

async fn seen(server: &TestServer, by: [(&str, &str); 2], token: &str) -> Value {
    let parameters = [by[0], by[1], ("token", token)];
    let reply = server.form("/oauth/introspect", &parameters).await.expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    reply.body
}

#[tokio::test]
async fn inferno_introspection_of_an_active_token_says_what_it_was_issued_with() {
    let (server, tokens) = start().await;
    let body = seen(&server, INSPECTOR, text(&tokens, "access_token")).await;
    assert_eq!(body["active"], true);
    assert_eq!(body["client_id"], APP);
    assert_eq!(body["scope"], tokens.body["scope"]);
    assert!(body["exp"].as_i64().unwrap() > server.context.clock.now().timestamp());
    let holds = body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap();
    assert_eq!(tokens.body["expires_in"], holds);
    assert_eq!((&body["patient"], &body["encounter"]), (&json!("p"), &json!("e")));
    assert_eq!(body["intent"], "order-review");
    assert_eq!(body["iss"], server.authorization().issuer());
    assert_eq!(body["fhirUser"], format!("{}/Patient/p", server.base()));
    let id_token = text(&tokens, "id_token");
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(id_token).unwrap();
    assert_eq!(body["sub"], claims["sub"]);
    let refresh = seen(&server, INSPECTOR, text(&tokens, "refresh_token")).await;
    assert_eq!((&refresh["active"], &refresh["client_id"]), (&json!(true), &json!(APP)));
}

#[tokio::test]
async fn inferno_introspection_of_anything_else_says_inactive_and_nothing_more() {
    let (server, tokens) = start().await;
    let inactive = json!({"active": false});
    for token in ["invalid", "a.b.c", text(&tokens, "id_token")] {
        assert_eq!(seen(&server, INSPECTOR, token).await, inactive, "{token}");
    }
    let curious = [("client_id", "curious"), ("client_secret", "other")];
    for token in ["access_token", "refresh_token"] {
        assert_eq!(seen(&server, curious, text(&tokens, token)).await, inactive, "{token}");
    }
    let used = text(&tokens, "refresh_token");
    server.refresh(used, None).await.expect(200);
    assert_eq!(seen(&server, INSPECTOR, used).await, inactive, "used");
}

#[tokio::test]
async fn introspection_wants_a_client_with_a_secret_or_a_token_for_it() {
    let (server, tokens) = start().await;
    let access = text(&tokens, "access_token");
    let token = ("token", access);
    server.form("/oauth/introspect", &[token]).await.expect(401);
    server.form("/oauth/introspect", &[("client_id", APP), token]).await.expect(401);
    let wrong = [("client_id", "gateway"), ("client_secret", "wrong"), token];
    server.form("/oauth/introspect", &wrong).await.expect(401);
    server.form("/oauth/introspect", &INSPECTOR).await.expect(400);
    let with = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        server.form_as("/oauth/introspect", &[("token", access)], &headers).await
    };
    let reply = with(access).await.expect(403);
    assert!(reply.header("www-authenticate").contains("insufficient_scope"));
    with("a.b.c").await.expect(401);
    let account = server.person(Role::Admin, "Practitioner/a").await;
    let grantee = Grantee::person(&account);
    let introspecting = server.token(&grantee, "__bhn.introspect").await;
    assert_eq!(with(&introspecting).await.expect(200).body["active"], true);
}

#[tokio::test]
async fn revoking_a_token_of_either_kind_ends_the_grant() {
    for kind in ["refresh_token", "access_token"] {
        let (server, tokens) = start().await;
        let access = text(&tokens, "access_token");
        assert_ne!(server.status_with(access).await, 401);
        let token = ("token", text(&tokens, kind));
        let reply = server.form("/oauth/revoke", &[("client_id", APP), token]).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        let refreshed = server.refresh(text(&tokens, "refresh_token"), None).await;
        assert_eq!(refreshed.expect(400).body["error"], "invalid_grant");
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        assert_eq!(server.status_with(access).await, 401, "{kind}");
        server.form("/oauth/revoke", &[("client_id", APP), token]).await.expect(200);
    }
}

#[tokio::test]
async fn rfc_7009_unknown_tokens_are_200_and_those_of_others_are_left_alone() {
    let (server, tokens) = start().await;
    for token in ["unknown", "a.b.c"] {
        let parameters = [("client_id", APP), ("token", token)];
        server.form("/oauth/revoke", &parameters).await.expect(200);
    }
    let refresh = text(&tokens, "refresh_token");
    let others = [INSPECTOR[0], INSPECTOR[1], ("token", refresh)];
    server.form("/oauth/revoke", &others).await.expect(400);
    server.form("/oauth/revoke", &[("token", refresh)]).await.expect(401);
    server.refresh(refresh, None).await.expect(200);
}

#[tokio::test]
async fn userinfo_says_what_was_granted_of_the_person() {
    let (server, tokens) = start().await;
    let url = server.beside("/oauth/userinfo");
    let of = async |token: &str| server.with_token(token).get(&url).await;
    let body = of(text(&tokens, "access_token")).await.expect(200).body;
    assert_eq!(body["fhirUser"], format!("{}/Patient/p", server.base()));
    assert_eq!((body.get("name"), body.get("email")), (None, None));
    let account = server.person(Role::Doctor, "Practitioner/d").await;
    let token = server.token(&Grantee::person(&account), "openid profile email").await;
    let body = of(&token).await.expect(200).body;
    assert_eq!((&body["sub"], &body["name"]), (&json!(account), &json!("Test Person")));
    assert_eq!(body["email"], format!("{account}@example.org"));
    assert_eq!(body.get("fhirUser"), None);
    let token = server.token(&Grantee::person(&account), "user/*.rs").await;
    of(&token).await.expect(403);
    of("a.b.c").await.expect(401);
    server.get(&url).await.expect(401);
}
