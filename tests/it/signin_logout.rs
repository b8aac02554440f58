//! Sign-out that an application asks for (OpenID Connect RP-Initiated Logout 1.0).

use crate::harness::TestServer;
use crate::harness::people::{APP, Browser, form_token, parameter};
use bhn_fhir::access::Role;
use bhn_fhir::oauth::Purpose;
use serde_json::json;
use url::Url;

const AMINA: &str = "amina@home.example";
const BACK: &str = "https://app.example/signed-out";

async fn start() -> (TestServer, String, Browser) {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let uris = [BACK.to_owned()];
    server.context.store.set_post_logout_redirect_uris(APP, &uris).await.unwrap();
    let account = server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    (server, account, browser)
}

/// An id_token of that account for the application, which has expired.
async fn id_token(server: &TestServer, account: &str, purpose: Purpose) -> String {
    let claims = json!({"iss": server.issuer(), "sub": account, "aud": APP, "iat": 1, "exp": 2});
    server.authorization().keys.sign(purpose, "JWT", &claims).await.unwrap()
}

fn path(fields: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/oauth/logout?{}", query.extend_pairs(fields).finish())
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status() == 200
}

#[tokio::test]
async fn the_id_token_of_who_is_signed_in_ends_the_session_and_leads_back() {
    let (server, account, mut browser) = start().await;
    let hint = id_token(&server, &account, Purpose::IdToken).await;
    let fields =
        [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK), ("state", "a b&c")];
    let reply = browser.get(&path(&fields)).await.expect(303);
    let to = Url::parse(reply.header("location")).unwrap();
    assert_eq!(&to[..url::Position::AfterPath], BACK);
    assert_eq!(parameter(&to, "state").as_deref(), Some("a b&c"));
    assert!(!is_signed_in(&mut browser).await);
    let again = browser.get(&path(&fields)).await.expect(303);
    assert_eq!(again.header("location"), to.as_str(), "nobody is left to sign out");
}

#[tokio::test]
async fn without_a_hint_the_person_is_asked_and_then_sent_back() {
    let (server, _, mut browser) = start().await;
    let fields = [("client_id", APP), ("post_logout_redirect_uri", BACK), ("state", "s")];
    let page = browser.get(&path(&fields)).await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    assert!(is_signed_in(&mut browser).await, "a link alone ends nothing");
    let token = form_token(&page);
    let mut sent = vec![("form_token", token.as_str())];
    sent.extend(fields);
    let reply = browser.post("/oauth/logout", &sent).await.expect(303);
    assert_eq!(reply.header("location"), format!("{BACK}?state=s"));
    assert!(!is_signed_in(&mut browser).await);
    // The hint of another person asks, too.
    let other = server.account("other@home.example", Role::Patient).await;
    let hint = id_token(&server, &other, Purpose::IdToken).await;
    browser.sign_in("/login", AMINA).await;
    browser.get(&path(&[("id_token_hint", &hint)])).await.expect(200);
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn an_application_may_ask_by_post() {
    let (_server, _, mut browser) = start().await;
    let fields = [("client_id", APP), ("post_logout_redirect_uri", BACK)];
    let foreign = ("Sec-Fetch-Site", "cross-site");
    let reply = browser.post_with("/oauth/logout", &fields, foreign).await.expect(303);
    let (at, _) = browser.follow(reply).await;
    assert_eq!(at, path(&fields));
    assert!(is_signed_in(&mut browser).await, "it is asked for");
    let forged = [("form_token", "x"), ("client_id", APP)];
    browser.post_with("/oauth/logout", &forged, foreign).await.expect(403);
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn nobody_is_sent_to_what_is_not_registered() {
    let (server, account, mut browser) = start().await;
    let hint = id_token(&server, &account, Purpose::IdToken).await;
    let access = id_token(&server, &account, Purpose::AccessToken).await;
    let tampered = format!("{hint}x");
    server.register_app("other-app", false).await;
    let evil = "https://evil.example/";
    for fields in [
        vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", evil)],
        vec![("client_id", APP), ("post_logout_redirect_uri", "https://app.example/signed-out/")],
        vec![("client_id", APP), ("post_logout_redirect_uri", "https://APP.example/signed-out")],
        vec![("client_id", "other-app"), ("post_logout_redirect_uri", BACK)],
        vec![("client_id", "unknown"), ("post_logout_redirect_uri", BACK)],
        vec![("post_logout_redirect_uri", BACK)],
        vec![("id_token_hint", hint.as_str()), ("client_id", "other-app")],
        vec![("id_token_hint", tampered.as_str())],
        vec![("id_token_hint", access.as_str())],
        vec![("id_token_hint", "x")],
        vec![("client_id", APP), ("client_id", APP)],
    ] {
        let reply = browser.get(&path(&fields)).await;
        assert_eq!(reply.status(), 400, "{fields:?}");
    }
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn discovery_names_the_end_of_sessions() {
    let (server, _, mut browser) = start().await;
    let reply = browser.get("/.well-known/openid-configuration").await.expect(200);
    assert_eq!(reply.body["end_session_endpoint"], format!("{}/oauth/logout", server.issuer()));
}
