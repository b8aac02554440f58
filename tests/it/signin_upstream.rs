//! Sign-in by providers of identities elsewhere (SECURITY 3.5).

use crate::harness::people::{APP, Browser};
use crate::harness::provider::{KID, Provider, key};
use crate::harness::{Reply, TestServer};
use bhn_fhir::access::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const AMINA: &str = "amina@home.example";
const SCOPE: &str = "openid fhirUser offline_access user/*.rs";

async fn start(changes: Value) -> (Provider, TestServer) {
    let provider = Provider::start().await;
    let server = TestServer::start_with_pages(provider.settings(&changes)).await;
    server.register_app(APP, false).await;
    (provider, server)
}

/// Goes to the provider and back; where that leads.
async fn through(provider: &Provider, browser: &mut Browser, path: &str) -> (String, Reply) {
    let reply = browser.get(path).await.expect(303);
    let back = provider.visit(reply.header("location")).await;
    browser.open(back.as_str()).await
}

async fn count(server: &TestServer, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut server.database.connect().await).await.unwrap()
}

/// A value of the one account.
async fn role_of(server: &TestServer, email: &str) -> String {
    let sql = "select role from account where email = $1";
    let query = sqlx::query_scalar(sql).bind(email);
    query.fetch_one(&mut server.database.connect().await).await.unwrap()
}

/// Tokens of who is let in through the provider.
async fn tokens(server: &TestServer, provider: &Provider, browser: &mut Browser) -> Value {
    let path = server.authorize_path(&[("scope", SCOPE)]);
    let (login, page) = browser.open(&path).await;
    let request = login.split("request=").nth(1).expect(&login);
    let path = format!("/login/with/idp?request={request}");
    assert!(page.text().contains(&format!("href=\"{path}\"")), "{}", page.text());
    let (consent, _) = through(provider, browser, &path).await;
    assert!(consent.starts_with("/consent"), "{consent}");
    let url = browser.allow(&consent).await;
    server.redeemed(&url).await
}

async fn refresh(server: &TestServer, token: &Value) -> Reply {
    let token = token["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", APP), ("refresh_token", token)];
    server.form("/oauth/token", &form).await
}

#[tokio::test]
async fn as_50_who_signs_in_by_a_provider_gets_an_account_and_no_record() {
    let (provider, server) = start(json!({})).await;
    let mut browser = server.browser();
    let given = tokens(&server, &provider, &mut browser).await;
    assert!(given["id_token"].is_string() && given["refresh_token"].is_string(), "{given}");
    assert_eq!(role_of(&server, AMINA).await, "patient");
    assert_eq!(count(&server, "select count(*) from account_person").await, 0);
    assert_eq!(count(&server, "select count(*) from upstream_request").await, 0);
    let page = browser.get("/account").await.expect(200);
    assert!(page.text().contains("Amina Khatun"), "{}", page.text());
    let mut again = server.browser();
    let (at, _) = through(&provider, &mut again, "/login/with/idp").await;
    assert_eq!(at, "/account");
    assert_eq!(count(&server, "select count(*) from account").await, 1);
    provider.is(json!({"sub": "s-2", "email": "other@home.example"}));
    through(&provider, &mut server.browser(), "/login/with/idp").await.1.expect(200);
    assert_eq!(count(&server, "select count(*) from account").await, 2);
    let sealed = "select count(*) from upstream_sign_in where refresh_token like '%refresh%'";
    assert_eq!(count(&server, sealed).await, 0);
}

#[tokio::test]
async fn rt_144_an_id_token_that_is_not_ours_signs_nobody_in() {
    let (provider, server) = start(json!({})).await;
    let (other, _) = key();
    let hmac = EncodingKey::from_secret(b"bhn");
    let own = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::ES256) };
    let hs256 = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::HS256) };
    let at_jwt = Header { typ: Some("at+jwt".to_owned()), ..own.clone() };
    let unknown = Header { kid: Some("key-2".to_owned()), ..own.clone() };
    let none = Header { kid: None, ..own.clone() };
    let signed = provider.manner.lock().unwrap().key.clone();
    let cases = [
        ("another app client", json!({"aud": "other-app"}), &own, &signed),
        ("another azp", json!({"azp": "other-app"}), &own, &signed),
        ("another issuer", json!({"iss": "https://evil.example"}), &own, &signed),
        ("an access token", json!({"token_use": "access"}), &own, &signed),
        ("another nonce", json!({"nonce": "n"}), &own, &signed),
        ("expired", json!({"exp": 1}), &own, &signed),
        ("another access token", json!({"at_hash": "x"}), &own, &signed),
        ("a foreign key", json!({}), &own, &other),
        ("symmetric", json!({}), &hs256, &hmac),
        ("another type", json!({}), &at_jwt, &signed),
        ("an unknown key", json!({}), &unknown, &signed),
        ("no key", json!({}), &none, &signed),
    ];
    for (what, claims, header, key) in cases {
        {
            let mut manner = provider.manner.lock().unwrap();
            (manner.claims, manner.header, manner.key) = (claims, header.clone(), key.clone());
        }
        let (_, reply) = through(&provider, &mut server.browser(), "/login/with/idp").await;
        assert_eq!(reply.status(), 403, "{what}");
    }
    assert_eq!(count(&server, "select count(*) from account").await, 0);
    assert_eq!(count(&server, "select count(*) from login_session").await, 0);
}

#[tokio::test]
async fn rt_144_nobody_is_linked_by_an_address_of_mail() {
    let (provider, server) = start(json!({})).await;
    server.account(AMINA, Role::Doctor).await;
    for claims in [
        json!({"email_verified": true}),
        json!({"email_verified": false}),
        json!({"email_verified": "true"}),
        json!({"email_verified": false, "email": "new@home.example"}),
        json!({"email_verified": null, "email": "new@home.example"}),
        json!({"email": null}),
    ] {
        provider.is(claims.clone());
        let mut browser = server.browser();
        let (_, reply) = through(&provider, &mut browser, "/login/with/idp").await;
        assert_eq!(reply.status(), 403, "{claims}");
        let (at, _) = browser.open("/account").await;
        assert!(at.starts_with("/login"), "{claims}: {at}");
    }
    assert_eq!(count(&server, "select count(*) from account").await, 1);
    assert_eq!(count(&server, "select count(*) from upstream_identity").await, 0);
}

#[tokio::test]
async fn as_51_an_identity_is_linked_after_a_sign_in_here() {
    let (provider, server) = start(json!({"registration": "nobody"})).await;
    let account = server.account(AMINA, Role::Patient).await;
    let (_, reply) = through(&provider, &mut server.browser(), "/login/with/idp").await;
    assert_eq!(reply.status(), 403, "it is linked with nobody");
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    let go = browser.submit("/account/identities", &[("link", "idp")]).await.expect(200);
    let url = go.text().split("class=\"button\" href=\"").nth(1).unwrap();
    let url = url.split('"').next().unwrap().replace("&#38;", "&");
    let back = provider.visit(&url).await;
    // Another browser cannot bring it to its end.
    let (_, reply) = server.browser().open(back.as_str()).await;
    assert_eq!(reply.status(), 400);
    let (at, page) = browser.open(back.as_str()).await;
    assert_eq!(at, "/account/identities");
    assert!(page.text().contains("Connected since"), "{}", page.text());
    let mut again = server.browser();
    let (at, _) = through(&provider, &mut again, "/login/with/idp").await;
    assert_eq!(at, "/account");
    // What a provider says is not enough to link or to remove.
    for field in ["link", "remove"] {
        let reply = again.submit("/account/identities", &[(field, "idp")]).await;
        assert_eq!(reply.status(), 422, "{field}");
    }
    server.account("other@home.example", Role::Patient).await;
    let mut other = server.browser();
    other.sign_in("/login", "other@home.example").await;
    let go = other.submit("/account/identities", &[("link", "idp")]).await.expect(200);
    let url = go.text().split("class=\"button\" href=\"").nth(1).unwrap();
    let url = url.split('"').next().unwrap().replace("&#38;", "&");
    let (_, reply) = other.open(provider.visit(&url).await.as_str()).await;
    assert_eq!(reply.status(), 409, "it is another account's");
    browser.submit("/account/identities", &[("remove", "idp")]).await.expect(303);
    let (at, _) = again.open("/account").await;
    assert!(at.starts_with("/login"), "its sessions have ended: {at}");
    let (_, reply) = through(&provider, &mut again, "/login/with/idp").await;
    assert_eq!(reply.status(), 403);
    let linked = server.context.store.upstream_identities(&account).await.unwrap();
    assert!(linked.is_empty());
}

#[tokio::test]
async fn as_52_an_answer_is_of_this_browser_this_provider_and_once() {
    let (provider, server) = start(json!({})).await;
    let begun = async |browser: &mut Browser| {
        let reply = browser.get("/login/with/idp").await.expect(303);
        provider.visit(reply.header("location")).await.to_string()
    };
    let mut browser = server.browser();
    let back = begun(&mut browser).await;
    let other = back.replace("/with/idp/", "/with/other/");
    for (what, url) in [
        ("another provider", other.clone()),
        ("no state", back.split("&state").next().unwrap().to_owned()),
        ("another state", format!("{back}x")),
        ("twice", format!("{back}&code=x")),
    ] {
        let reply = browser.get(&url).await;
        assert_eq!(reply.status(), 400, "{what}");
    }
    assert_eq!(server.browser().get(&back).await.status(), 400, "another browser");
    let reply = browser.get(&back).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    assert_eq!(browser.get(&back).await.status(), 400, "it was taken");
    // Mix-up: the answer names another provider (RFC 9207).
    for (iss, status) in [("https://evil.example", 403), (provider.issuer.as_str(), 303)] {
        provider.manner.lock().unwrap().iss = Some(iss.to_owned());
        let mut browser = server.browser();
        let back = begun(&mut browser).await;
        assert_eq!(browser.get(&back).await.status(), status, "{iss}");
    }
    let mut browser = server.browser();
    let back = begun(&mut browser).await;
    let denied = back.replace("code=", "error=access_denied&x=");
    assert_eq!(browser.get(&denied).await.status(), 403);
    assert_eq!(browser.get(&back).await.status(), 400, "an error takes it, too");
}

#[tokio::test]
async fn as_53_roles_come_through_the_allowlist_alone_and_go_with_it() {
    let (provider, server) = start(json!({})).await;
    let person = |email: &str, groups: Value| {
        let mut claims = json!({"sub": email, "email": email});
        claims["cognito:groups"] = groups;
        claims
    };
    for (email, groups, role) in [
        ("a@x.example", json!(["admin"]), "patient"),
        ("b@x.example", json!("admin"), "patient"),
        ("c@x.example", json!(["other", "doctors"]), "doctor"),
        ("d@x.example", json!({"doctors": true}), "patient"),
    ] {
        provider.is(person(email, groups));
        let (at, _) = through(&provider, &mut server.browser(), "/login/with/idp").await;
        assert_eq!(role_of(&server, email).await, role);
        // A doctor has to show a second factor here.
        let expected = if role == "doctor" { "/account/mfa" } else { "/account" };
        assert_eq!(at, expected, "{email}");
    }
    provider.is(person("c@x.example", json!([])));
    let (_, reply) = through(&provider, &mut server.browser(), "/login/with/idp").await;
    assert_eq!(reply.status(), 403, "no longer a doctor, and never a patient");
    // What the operator made of an account stays.
    let sql = "update account set role = 'hospital_staff' where email = 'c@x.example'";
    sqlx::query(sql).execute(&mut server.database.connect().await).await.unwrap();
    let (at, _) = through(&provider, &mut server.browser(), "/login/with/idp").await;
    assert_eq!(at, "/account/mfa");
    assert_eq!(role_of(&server, "c@x.example").await, "hospital_staff");
}

#[tokio::test]
async fn as_53_a_second_factor_elsewhere_counts_where_configured_and_never_for_admins() {
    let with = json!({"sub": "d", "email": "d@x.example", "cognito:groups": ["doctors"],
        "amr": ["pwd", "mfa"]});
    for (configured, expected) in [
        (json!("never"), "/account/mfa"),
        (json!({"amr": ["otp"]}), "/account/mfa"),
        (json!({"amr": ["mfa"]}), "/account"),
        (json!("always"), "/account"),
    ] {
        let (provider, server) = start(json!({ "second_factor": configured })).await;
        provider.is(with.clone());
        let mut browser = server.browser();
        let (at, _) = through(&provider, &mut browser, "/login/with/idp").await;
        assert_eq!(at, expected, "{configured}");
        for role in ["admin", "registrar"] {
            let sql = "update account set role = $1";
            let query = sqlx::query(sql).bind(role);
            query.execute(&mut server.database.connect().await).await.unwrap();
            let (at, _) = through(&provider, &mut server.browser(), "/login/with/idp").await;
            assert_eq!(at, "/account/mfa", "{role} {configured}");
        }
    }
}

#[tokio::test]
async fn as_54_whom_the_provider_no_longer_knows_is_out_at_the_next_refresh_of_the_day() {
    let (provider, server) = start(json!({})).await;
    let mut browser = server.browser();
    let given = tokens(&server, &provider, &mut browser).await;
    let given = refresh(&server, &given).await.expect(200).body;
    assert!(provider.manner.lock().unwrap().refreshed.is_empty(), "asked a moment ago");
    let a_day_ago = async || {
        let sql = "update upstream_sign_in set checked = now() - interval '25 hours'";
        sqlx::query(sql).execute(&mut server.database.connect().await).await.unwrap();
    };
    a_day_ago().await;
    provider.manner.lock().unwrap().is_down = true;
    assert_eq!(refresh(&server, &given).await.status(), 503);
    provider.manner.lock().unwrap().is_down = false;
    let given = refresh(&server, &given).await.expect(200).body;
    let given = refresh(&server, &given).await.expect(200).body;
    assert_eq!(provider.manner.lock().unwrap().refreshed.len(), 1, "once for the day");
    a_day_ago().await;
    let given = refresh(&server, &given).await.expect(200).body;
    let last = provider.manner.lock().unwrap().refreshed.last().cloned();
    assert_eq!(last.as_deref(), Some("refresh-1"), "the newest one is shown");
    a_day_ago().await;
    provider.manner.lock().unwrap().refuses = true;
    let refused = refresh(&server, &given).await.expect(400);
    assert_eq!(refused.body["error"], "invalid_grant");
    assert_eq!(count(&server, "select count(*) from login_session").await, 0);
    let live = "select count(*) from access_grant where revoked is null";
    assert_eq!(count(&server, live).await, 0);
    provider.manner.lock().unwrap().refuses = false;
    assert_eq!(refresh(&server, &given).await.status(), 400, "it has ended");
}

#[tokio::test]
async fn as_54_a_role_that_the_provider_takes_back_ends_the_grant() {
    let (provider, server) = start(json!({"second_factor": "always"})).await;
    let doctor = json!({"cognito:groups": ["doctors"]});
    provider.is(doctor);
    let given = tokens(&server, &provider, &mut server.browser()).await;
    provider.is(json!({"cognito:groups": []}));
    let sql = "update upstream_sign_in set checked = now() - interval '25 hours'";
    sqlx::query(sql).execute(&mut server.database.connect().await).await.unwrap();
    assert_eq!(refresh(&server, &given).await.expect(400).body["error"], "invalid_grant");
}

#[tokio::test]
async fn as_54_a_second_factor_here_keeps_the_tie_to_the_provider() {
    let (provider, server) = start(json!({})).await;
    provider.is(json!({"cognito:groups": ["doctors"]}));
    let mut browser = server.browser();
    let (at, _) = through(&provider, &mut browser, "/login/with/idp").await;
    browser.set_up(&at).await.1.expect(200);
    let sql = "select count(*) from upstream_sign_in u join login_session s on s.hash = u.session
        where 'otp' = any (s.methods)";
    assert_eq!(count(&server, sql).await, 1);
}

#[tokio::test]
async fn as_55_without_providers_nothing_is_offered() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let page = server.browser().get("/login").await.expect(200);
    assert!(!page.text().contains("/login/with"), "{}", page.text());
    server.browser().get("/login/with/idp").await.expect(404);
    server.browser().get("/login/with/idp/callback?code=a&state=b").await.expect(404);
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be() {
    let (provider, server) = start(json!({})).await;
    server.browser().get("/login/with/other").await.expect(503);
    server.browser().get("/login/with/unknown").await.expect(404);
    provider.manner.lock().unwrap().is_down = true;
    let (_, reply) = through(&provider, &mut server.browser(), "/login/with/idp").await;
    assert_eq!(reply.status(), 503);
}
