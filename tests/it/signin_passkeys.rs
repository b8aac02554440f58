//! Passkeys: made, shown alone and after the password, and every answer that is not good
//! (SECURITY AS-44; WebAuthn 2, 7.1 and 7.2).

use crate::harness::people::{Browser, form_token};
use crate::harness::{Authenticator, TestServer, folder, options};
use bhn_fhir::access::Role;
use serde_json::{Value, json};

const AMINA: &str = "amina@home.example";
const DOCTOR: &str = "doctor@hospital.example";
const ALONE: &str = "/login/passkey";

async fn run(server: &TestServer, sql: &str) {
    let mut connection = server.database.connect().await;
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// A doctor whose only factor is a passkey.
async fn doctor(server: &TestServer) -> (Browser, Authenticator) {
    server.account(DOCTOR, Role::Doctor).await;
    let mut device = Authenticator::at(server.issuer());
    let mut browser = server.browser();
    browser.give_password("/login", DOCTOR).await.expect(303);
    let made = browser.add_passkey("/account/passkeys", &mut device).await.expect(200);
    assert_eq!(made.text().matches("<li><code>").count(), 10, "recovery codes");
    (browser, device)
}

#[tokio::test]
async fn as_44_staff_may_have_a_passkey_for_a_second_factor() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, mut device) = doctor(&server).await;
    let page = browser.get("/account").await.expect(200);
    assert!(page.text().contains("Blue phone"), "{}", page.text());
    let mut other = server.browser();
    let reply = other.give_password("/login", DOCTOR).await.expect(303);
    assert_eq!(reply.header("location"), "/login/mfa");
    for path in ["/account", "/account/mfa", "/account/passkeys"] {
        let reply = other.get(path).await.expect(303);
        assert!(reply.header("location").starts_with("/login/mfa"), "{path}");
    }
    let reply = other.show_passkey("/login/mfa", &mut device).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    other.get("/account").await.expect(200);
    assert!(other.cookies.contains_key("bhn-device"));
}

#[tokio::test]
async fn as_44_a_passkey_alone_signs_in_and_is_two_factors() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (_, mut device) = doctor(&server).await;
    let mut browser = server.browser();
    let login = browser.get("/login").await.expect(200);
    assert!(login.text().contains("href=\"/login/passkey\""), "{}", login.text());
    let reply = browser.show_passkey(ALONE, &mut device).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    browser.get("/account").await.expect(200);
    let mut connection = server.database.connect().await;
    let sql = "select methods from login_session order by created desc limit 1";
    let methods: Vec<String> = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(methods, ["pop", "user", "mfa"]);
}

#[tokio::test]
async fn a_passkey_signs_in_for_an_application() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    server.register_app(crate::harness::people::APP, false).await;
    server.link_account(&server.account(AMINA, Role::Patient).await, "Patient/amina").await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    let mut device = Authenticator::at(server.issuer());
    browser.add_passkey("/account/passkeys", &mut device).await.expect(200);
    let mut browser = server.browser();
    let (at, page) = browser.open(&server.authorize_path(&[])).await;
    assert!(at.starts_with("/login?request="), "{at}");
    let alone = at.replace("/login?", "/login/passkey?");
    assert!(page.text().contains(&format!("href=\"{alone}\"")), "{}", page.text());
    let reply = browser.show_passkey(&alone, &mut device).await;
    let (at, _) = browser.follow(reply).await;
    assert!(at.starts_with("/consent"), "{at}");
}

#[tokio::test]
async fn as_44_an_answer_is_good_once_here_and_for_what_it_was_asked_for() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (_, mut device) = doctor(&server).await;
    let mut browser = server.browser();
    let page = browser.get(ALONE).await.expect(200);
    let credential = device.get(&options(&page));
    browser.send_passkey((ALONE, &page), &credential).await.expect(303);
    browser.submit("/oauth/logout", &[]).await.expect(200);
    let fresh = browser.get(ALONE).await.expect(200);
    browser.send_passkey((ALONE, &fresh), &credential).await.expect(422);
    // Of another browser.
    let mut other = server.browser();
    let page = browser.get(ALONE).await.expect(200);
    let credential = device.get(&options(&page));
    let own = other.get(ALONE).await.expect(200);
    other.send_passkey((ALONE, &own), &credential).await.expect(422);
    browser.send_passkey((ALONE, &page), &credential).await.expect(422);
    // Later than five minutes.
    let page = browser.get(ALONE).await.expect(200);
    run(&server, "update passkey_challenge set expires = expires - interval '5 minutes'").await;
    let credential = device.get(&options(&page));
    browser.send_passkey((ALONE, &page), &credential).await.expect(422);
    // Asked for at sign-in, shown as a second factor.
    let page = browser.get(ALONE).await.expect(200);
    let credential = device.get(&options(&page));
    browser.give_password("/login", DOCTOR).await.expect(303);
    let second = browser.get("/login/mfa").await.expect(200);
    browser.send_passkey(("/login/mfa", &second), &credential).await.expect(422);
    browser.show_passkey("/login/mfa", &mut device).await.expect(303);
}

#[tokio::test]
async fn as_44_what_is_no_good_answer_is_refused() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (_, mut device) = doctor(&server).await;
    let issuer = server.issuer().to_owned();
    let mut browser = server.browser();
    type Lie = fn(&mut Authenticator, &Value) -> String;
    let lies: [(&str, Lie); 8] = [
        ("origin", |device, options| {
            device.origin = "https://evil.example".to_owned();
            device.get(options)
        }),
        ("rp id", |device, options| {
            device.rp_id = "evil.example".to_owned();
            device.get(options)
        }),
        ("no verification of the person", |device, options| {
            device.verifies = false;
            device.get(options)
        }),
        ("another key", |device, options| {
            let mut other = Authenticator::at(&device.origin);
            (other.id, other.handle) = (device.id.clone(), device.handle.clone());
            other.counter = 1_000;
            other.get(options)
        }),
        ("an unknown id", |device, options| {
            let id = std::mem::replace(&mut device.id, vec![1; 32]);
            let credential = device.get(options);
            device.id = id;
            credential
        }),
        ("somebody else's handle", |device, options| {
            let own = device.handle.replace("AZ3Xv3mEcAK9pXzLwLc3bA".to_owned());
            let credential = device.get(options);
            device.handle = own;
            credential
        }),
        ("no handle", |device, options| {
            let own = device.handle.take();
            let credential = device.get(options);
            device.handle = own;
            credential
        }),
        ("another challenge", |device, _| device.get(&json!({"challenge": "AAAA"}))),
    ];
    for (what, lie) in lies {
        let page = browser.get(ALONE).await.expect(200);
        let credential = lie(&mut device, &options(&page));
        let status = browser.send_passkey((ALONE, &page), &credential).await.status();
        assert_eq!(status, 422, "{what}");
        run(&server, "delete from throttle").await;
        (device.origin, device.rp_id, device.verifies) =
            (issuer.clone(), "localhost".to_owned(), true);
    }
    for credential in ["", "null", "{}", "[]", "\u{0}", r#"{"rawId":7,"response":[]}"#] {
        let page = browser.get(ALONE).await.expect(200);
        let status = browser.send_passkey((ALONE, &page), credential).await.status();
        assert_eq!(status, 422, "{credential}");
        run(&server, "delete from throttle").await;
    }
    browser.show_passkey(ALONE, &mut device).await.expect(303);
}

#[tokio::test]
async fn as_44_a_counter_that_does_not_grow_is_refused_and_told() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, mut device) = doctor(&server).await;
    browser.submit("/oauth/logout", &[]).await.expect(200);
    device.counter = 40;
    browser.show_passkey(ALONE, &mut device).await.expect(303);
    browser.submit("/oauth/logout", &[]).await.expect(200);
    let page = browser.get(ALONE).await.expect(200);
    let copy = device.get_again(&options(&page));
    browser.send_passkey((ALONE, &page), &copy).await.expect(422);
    crate::signin_accounts::letter_about(mail.path(), DOCTOR, "points to a copy").await;
    // Authenticators that do not count say 0 always.
    run(&server, "update passkey set counter = 0").await;
    device.counter = 0;
    for _ in 0..2 {
        let page = browser.get(ALONE).await.expect(200);
        let credential = device.get_again(&options(&page));
        browser.send_passkey((ALONE, &page), &credential).await.expect(303);
        browser.submit("/oauth/logout", &[]).await.expect(200);
    }
}

#[tokio::test]
async fn as_44_what_is_no_new_passkey_is_refused() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    let path = "/account/passkeys";
    let asked = options(&browser.get(path).await.expect(200));
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!(asked["attestation"], "none");
    let wanted = &asked["authenticatorSelection"];
    assert_eq!(wanted["userVerification"], "required");
    assert_eq!(wanted["residentKey"], "required");
    type Lie = fn(&mut Authenticator);
    let lies: [(&str, Lie); 3] = [
        ("origin", |device| device.origin = "https://evil.example".to_owned()),
        ("rp id", |device| device.rp_id = "evil.example".to_owned()),
        ("no verification of the person", |device| device.verifies = false),
    ];
    for (what, lie) in lies {
        let mut device = Authenticator::at(server.issuer());
        lie(&mut device);
        let status = browser.add_passkey(path, &mut device).await.status();
        assert_eq!(status, 422, "{what}");
    }
    browser.submit(path, &[("credential", "{}")]).await.expect(422);
    let mut device = Authenticator::at(server.issuer());
    browser.add_passkey(path, &mut device).await.expect(200);
    let asked = options(&browser.get(path).await.expect(200));
    assert_eq!(asked["excludeCredentials"].as_array().map(Vec::len), Some(1));
    browser.add_passkey(path, &mut device).await.expect(422);
    // Nor may anybody else have it.
    server.account("second@home.example", Role::Patient).await;
    let mut second = server.browser();
    second.give_password("/login", "second@home.example").await.expect(303);
    second.add_passkey(path, &mut device).await.expect(422);
    let account = server.context.store.account_of_email("second@home.example").await.unwrap();
    assert!(!account.unwrap().has_passkey);
}

#[tokio::test]
async fn as_43_guessing_at_a_passkey_is_throttled_as_codes_are() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (_, mut device) = doctor(&server).await;
    let mut thief = server.browser();
    thief.give_password("/login", DOCTOR).await.expect(303);
    let mut statuses = Vec::new();
    device.verifies = false;
    for path in ["/login/mfa", ALONE] {
        for _ in 0..6 {
            statuses.push(thief.show_passkey(path, &mut device).await.status());
        }
        run(&server, "update throttle set attempts = 0 where attempts > 5").await;
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 422, 422, 422, 422, 422, 429]);
    device.verifies = true;
    thief.show_passkey("/login/mfa", &mut device).await.expect(429);
}

#[tokio::test]
async fn rt_139_the_passkey_of_a_disabled_account_is_answered_as_an_unknown_one() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (_, mut device) = doctor(&server).await;
    let mut unknown = Authenticator::at(server.issuer());
    unknown.handle = device.handle.clone();
    run(&server, "update account set status = 'disabled'").await;
    let mut texts = Vec::new();
    for device in [&mut device, &mut unknown] {
        let mut browser = server.browser();
        let reply = browser.show_passkey(ALONE, device).await.expect(422);
        let (token, challenge) = (form_token(&reply), options(&reply)["challenge"].clone());
        let text = reply.text().replace(&token, "T");
        texts.push(text.replace(challenge.as_str().unwrap(), "C"));
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
async fn as_60_pages_with_passkeys_have_one_script_of_ours_and_do_without() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, _) = doctor(&server).await;
    let script = browser.get("/assets/passkeys.js").await.expect(200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let mut half = server.browser();
    half.give_password("/login", DOCTOR).await.expect(303);
    let of = [(&mut browser, "/account/passkeys"), (&mut half, "/login/mfa")];
    let alone = (&mut server.browser(), ALONE);
    for (browser, path) in of.into_iter().chain([alone]) {
        for language in ["en", "fr"] {
            let joint = format!("{path}?ui_locales={language}");
            let page = browser.get(&joint).await.expect(200);
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
            assert!(policy.contains("; script-src 'self'; "), "{path}: {policy}");
            let text = page.text();
            assert_eq!(text.matches("<script").count(), 1, "{text}");
            assert!(text.contains("<script src=\"/assets/passkeys.js\" defer></script>"));
            assert!(text.contains("<noscript>"), "{text}");
            assert_eq!(text.matches("<h1").count(), 1, "{text}");
        }
    }
    for path in ["/account", "/login?next=mfa"] {
        let page = browser.get(path).await.expect(200);
        assert!(!page.header("content-security-policy").contains("script"), "{path}");
        assert!(!page.text().contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn passkeys_are_not_offered_where_the_server_has_no_name() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    let login = browser.get("/login").await.expect(200);
    assert!(!login.text().contains("passkey"), "{}", login.text());
    browser.get(ALONE).await.expect(404);
    browser.give_password("/login", AMINA).await.expect(303);
    let account = browser.get("/account").await.expect(200);
    assert!(!account.text().contains("passkey"), "{}", account.text());
    browser.get("/account/passkeys").await.expect(404);
}
