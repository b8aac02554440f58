//! Authorization requests that clients push: RFC 9126.

use crate::harness::people::{APP, CHALLENGE, REDIRECT, parameter};
use crate::harness::{ProofKey, Reply, TestServer};
use bhn_fhir::access::Role;
use bhn_fhir::storage::ClientKind;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use url::Url;

const AMINA: &str = "amina@home.example";

async fn start() -> TestServer {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, true).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    server
}

/// A request that is good but for the changes; an empty value leaves a parameter out.
fn request<'a>(server: &'a TestServer, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("client_id", APP),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", "launch/patient patient/Observation.rs"),
        ("state", "the state"),
        ("aud", server.context.settings.base_url.as_str()),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        parameters.retain(|(own, _)| own != name);
        parameters.push((name, value));
    }
    parameters.retain(|(_, value)| !value.is_empty());
    parameters
}

async fn push(server: &TestServer, changes: &[(&str, &str)]) -> Reply {
    server.form("/oauth/par", &request(server, changes)).await
}

fn path_of(reply: &Reply, client: &str) -> String {
    let uri = reply.body["request_uri"].as_str().unwrap_or_else(|| panic!("{reply:?}"));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", client), ("request_uri", uri)])
        .finish();
    format!("/oauth/authorize?{query}")
}

#[tokio::test]
async fn rfc_9126_a_pushed_request_is_good_once() {
    let server = start().await;
    let pushed = push(&server, &[]).await.expect(201);
    assert_eq!(pushed.body["expires_in"], 60);
    assert_eq!(pushed.header("cache-control"), "no-store");
    let uri = pushed.body["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    let mut browser = server.browser();
    // Beside it nothing counts.
    let path = format!("{}&scope=patient/*.rs&state=other", path_of(&pushed, APP));
    let (at, _) = browser.open(&path).await;
    let reply = browser.give_password(&at, AMINA).await;
    let (at, _) = browser.follow(reply).await;
    let url = Url::parse(&at).unwrap_or_else(|_| panic!("{at}"));
    assert_eq!(parameter(&url, "state").unwrap(), "the state");
    let sql = "select scopes from access_grant";
    let mut connection = server.database.connect().await;
    let scopes: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(scopes, "launch/patient patient/Observation.rs");
    let again = server.browser().get(&path_of(&pushed, APP)).await;
    assert_eq!(again.status(), 400);
    assert_eq!(again.header("location"), "");
}

#[tokio::test]
async fn rfc_9126_a_pushed_request_is_its_clients_for_a_minute() {
    let server = start().await;
    server.register_app("other-app", true).await;
    let pushed = push(&server, &[]).await.expect(201);
    let stolen = server.browser().get(&path_of(&pushed, "other-app")).await;
    assert_eq!((stolen.status(), stolen.header("location")), (400, ""));
    let mine = server.browser().get(&path_of(&pushed, APP)).await;
    assert_eq!(mine.status(), 303, "nobody else has ended it");
    let pushed = push(&server, &[]).await.expect(201);
    let sql = "select extract(epoch from expires - created)::int from authorization_request
        order by created desc limit 1";
    let mut connection = server.database.connect().await;
    let seconds: i32 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(seconds, 60);
    let sql = "update authorization_request set expires = now()";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    assert_eq!(server.browser().get(&path_of(&pushed, APP)).await.status(), 400);
    let invented = "urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ainvented";
    let path = format!("/oauth/authorize?client_id={APP}&request_uri={invented}");
    assert_eq!(server.browser().get(&path).await.status(), 400);
}

#[tokio::test]
async fn rfc_9126_what_could_not_be_asked_cannot_be_pushed() {
    let server = start().await;
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("redirect_uri", "https://evil.example/")], "invalid_request"),
        (&[("redirect_uri", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("aud", "https://other.example/fhir")], "invalid_request"),
        (&[("state", "")], "invalid_request"),
        (&[("scope", "system/*.rs")], "invalid_scope"),
        (&[("request_uri", "urn:ietf:params:oauth:request_uri:x")], "invalid_request"),
        (&[("dpop_jkt", "short")], "invalid_request"),
    ];
    for (changes, error) in cases {
        let reply = push(&server, changes).await;
        assert_eq!((reply.status(), &reply.body["error"]), (400, &error.into()), "{changes:?}");
    }
    for unknown in ["", "nobody"] {
        push(&server, &[("client_id", unknown)]).await.expect(401);
    }
    assert_eq!(server.request("GET", &server.beside("/oauth/par")).send().await.status(), 405);
}

#[tokio::test]
async fn rfc_9126_a_client_pushes_as_it_authenticates_and_its_secret_is_not_kept() {
    let server = start().await;
    server
        .register("confidential", ClientKind::ConfidentialSymmetric, |client| {
            client.scopes = "patient/*.rs".to_owned();
            client.grant_types = vec!["authorization_code".to_owned()];
            client.redirect_uris = vec![REDIRECT.to_owned()];
        })
        .await;
    let now = server.context.clock.now();
    let hash = bhn_fhir::oauth::hash("s3cret-canary");
    server.context.store.add_client_secret("confidential", &hash, (now, now)).await.unwrap();
    let client = [("client_id", "confidential"), ("scope", "patient/*.rs")];
    push(&server, &client).await.expect(401);
    push(&server, &[client[0], client[1], ("client_secret", "wrong")]).await.expect(401);
    push(&server, &[client[0], client[1], ("client_secret", "s3cret-canary")]).await.expect(201);
    let sql = "select request::text from authorization_request";
    let mut connection = server.database.connect().await;
    let kept: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(kept.contains(CHALLENGE) && !kept.contains("canary"), "{kept}");
}

#[tokio::test]
async fn rfc_9126_a_client_may_have_to_push() {
    let server = start().await;
    let sql = "update client set requires_pushed = true";
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
    let (at, _) = server.browser().open(&server.authorize_path(&[])).await;
    let url = Url::parse(&at).unwrap_or_else(|_| panic!("{at}"));
    assert_eq!(parameter(&url, "error").unwrap(), "invalid_request");
    assert_eq!(parameter(&url, "code"), None);
    let pushed = push(&server, &[]).await.expect(201);
    let (at, _) = server.browser().open(&path_of(&pushed, APP)).await;
    assert!(at.starts_with("/login"), "{at}");
    let path = server.beside("/.well-known/oauth-authorization-server");
    let document = server.get(&path).await.expect(200).body;
    let endpoint = &document["pushed_authorization_request_endpoint"];
    assert_eq!(*endpoint, Value::from(server.beside("/oauth/par")));
    assert_eq!(document["require_pushed_authorization_requests"], false);
}

#[tokio::test]
async fn as_24_a_pushed_request_names_the_key_that_proves_it() {
    let server = start().await;
    let key = ProofKey::new(Algorithm::ES256);
    let with = async |changes: &[(&str, &str)]| {
        let proof = key.proof("POST", &server.beside("/oauth/par"));
        let parameters = request(&server, changes);
        server.form_as("/oauth/par", &parameters, &[("dpop", &proof)]).await
    };
    let other = ProofKey::new(Algorithm::ES256).thumbprint();
    with(&[("dpop_jkt", &other)]).await.expect(400);
    let pushed = with(&[]).await.expect(201);
    let mut browser = server.browser();
    let (at, _) = browser.open(&path_of(&pushed, APP)).await;
    let reply = browser.give_password(&at, AMINA).await;
    browser.follow(reply).await;
    let sql = "select dpop_jkt from authorization_code";
    let mut connection = server.database.connect().await;
    let bound: Option<String> = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(bound.as_deref(), Some(key.thumbprint().as_str()));
}
