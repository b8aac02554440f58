//! Second factors over their life: who may add and remove them, how their secrets are sealed, what
//! is told of them (SECURITY AS-44).

use crate::harness::people::{Browser, form_token};
use crate::harness::{Authenticator, Reply, ServerProcess, TestServer, folder};
use crate::signin_accounts::letter_about;
use bhn_fhir::access::Role;
use bhn_fhir::clock::Clock;
use bhn_fhir::config::{AuditDurability, AuditSettings};
use bhn_fhir::jobs::audit::ship_all;
use chrono::Duration;

const AMINA: &str = "amina@home.example";
const DOCTOR: &str = "doctor@hospital.example";
const ADMIN: &str = "admin@hospital.example";

async fn run(server: &TestServer, sql: &str) {
    let mut connection = server.database.connect().await;
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

fn recovery_codes(page: &Reply) -> Vec<String> {
    let codes = page.text().split("<li><code>").skip(1);
    codes.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// Signed in, with a passkey and an app; the recovery codes.
async fn with_both(
    server: &TestServer,
    (email, role): (&str, Role),
) -> (Browser, Authenticator, Vec<String>) {
    server.account(email, role).await;
    let mut browser = server.browser();
    browser.give_password("/login", email).await.expect(303);
    let mut device = Authenticator::at(server.issuer());
    let made = browser.add_passkey("/account/passkeys", &mut device).await.expect(200);
    let codes = recovery_codes(&made);
    let (_, reply) = browser.set_up("/account/mfa").await;
    assert_eq!(reply.expect(303).header("location"), "/account", "codes are shown once");
    (browser, device, codes)
}

fn removal(page: &Reply, number: usize) -> String {
    let links = page.text().split("href=\"/account/factors/remove?factor=").skip(1);
    let words: Vec<&str> = links.map(|rest| rest.split('"').next().unwrap()).collect();
    format!("/account/factors/remove?factor={}", words[number])
}

#[tokio::test]
async fn as_44_a_factor_is_added_within_five_minutes_of_a_sign_in() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    browser.get("/account/passkeys").await.expect(200);
    run(&server, "update login_session set created = created - interval '6 minutes'").await;
    for (path, next) in [("/account/mfa", "mfa"), ("/account/passkeys", "passkeys")] {
        let reply = browser.get(path).await.expect(303);
        let login = format!("/login?next={next}");
        assert_eq!(reply.header("location"), login);
        let page = browser.get(&login).await.expect(200);
        assert!(page.text().contains("Please sign in again"), "{}", page.text());
    }
    let reply = browser.give_password("/login?next=passkeys", AMINA).await.expect(303);
    assert_eq!(reply.header("location"), "/account/passkeys");
    let mut device = Authenticator::at(server.issuer());
    browser.add_passkey("/account/passkeys", &mut device).await.expect(200);
    letter_about(mail.path(), AMINA, "was added").await;
    // By the passkey, too.
    run(&server, "update login_session set created = created - interval '6 minutes'").await;
    let reply = browser.get("/account/mfa").await.expect(303);
    let login = reply.header("location").replace("/login", "/login/passkey");
    let reply = browser.show_passkey(&login, &mut device).await.expect(303);
    assert_eq!(reply.header("location"), "/account/mfa");
    browser.set_up("/account/mfa").await.1.expect(303);
    let elsewhere = browser.get("/login?next=https://evil.example").await.expect(303);
    assert_eq!(elsewhere.header("location"), "/account");
}

#[tokio::test]
async fn as_44_a_factor_is_removed_by_another_one_and_a_letter_tells_of_it() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, mut device, codes) = with_both(&server, (DOCTOR, Role::Doctor)).await;
    let account = browser.get("/account").await.expect(200);
    let (app, passkey) = (removal(&account, 0), removal(&account, 1));
    assert!(app.ends_with("=totp"), "{app}");
    // Not by itself.
    let code = browser.code();
    browser.submit(&app, &[("code", &code)]).await.expect(422);
    let page = browser.get(&passkey).await.expect(200);
    assert!(!page.text().contains("data-options"), "there is no other passkey");
    browser.submit(&passkey, &[("code", "000000")]).await.expect(422);
    browser.submit(&passkey, &[]).await.expect(422);
    let reply = browser.show_passkey(&app, &mut device).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    let account = browser.get("/account").await.expect(200);
    assert!(!account.text().contains("Authenticator app"), "{}", account.text());
    letter_about(mail.path(), DOCTOR, "was removed").await;
    // The last one of staff stays, whatever is shown.
    let page = browser.get(&passkey).await.expect(200);
    assert!(page.text().contains("Add another way first"), "{}", page.text());
    let token = form_token(&page);
    let fields = [("form_token", token.as_str()), ("code", codes[0].as_str())];
    browser.post(&passkey, &fields).await.expect(422);
    browser.get("/account").await.expect(200);
    let mut other = server.browser();
    other.give_password("/login", DOCTOR).await.expect(303);
    other.submit("/login/mfa", &[("code", &codes[0])]).await.expect(303);
}

#[tokio::test]
async fn as_44_a_patient_removes_the_last_factor_by_a_recovery_code() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    let (_, made) = browser.set_up("/account/mfa").await;
    let codes = recovery_codes(&made);
    let path = "/account/factors/remove?factor=totp";
    let code = browser.code();
    browser.submit(path, &[("code", &code)]).await.expect(422);
    browser.submit(path, &[("code", &codes[1])]).await.expect(303);
    let mut other = server.browser();
    let reply = other.give_password("/login", AMINA).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    let left = server.context.store.account_of_email(AMINA).await.unwrap().unwrap();
    let left = server.context.store.recovery_codes_left(&left.account).await.unwrap();
    assert_eq!(left, 0, "recovery codes go with the last factor");
}

#[tokio::test]
async fn as_44_the_factor_of_an_administrator_goes_a_day_later_and_can_be_kept() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, mut device, _) = with_both(&server, (ADMIN, Role::Admin)).await;
    let app = "/account/factors/remove?factor=totp";
    let page = browser.get(app).await.expect(200);
    assert!(page.text().contains("this takes 24 hours"), "{}", page.text());
    browser.show_passkey(app, &mut device).await.expect(303);
    letter_about(mail.path(), ADMIN, "in 24 hours").await;
    let page = browser.get("/account").await.expect(200);
    assert!(page.text().contains("Will be removed on"), "{}", page.text());
    // Until then it is one still.
    let store = &server.context.store;
    let now = Clock::System.now();
    assert!(store.remove_ended_factors(now + Duration::hours(23)).await.unwrap().is_empty());
    let code = browser.code();
    let mut other = server.browser();
    other.give_password("/login", ADMIN).await.expect(303);
    other.submit("/login/mfa", &[("code", &code)]).await.expect(303);
    // The other one cannot go meanwhile.
    let passkey = removal(&browser.get("/account").await.expect(200), 0);
    let code = browser.code();
    browser.submit(&passkey, &[("code", &code)]).await.expect(422);
    let keep = async |browser: &mut Browser| {
        let token = browser.token("/account").await;
        let fields = [("form_token", token.as_str()), ("factor", "totp")];
        browser.post("/account/factors/keep", &fields).await.expect(303);
    };
    keep(&mut browser).await;
    let later = now + Duration::hours(25);
    assert!(store.remove_ended_factors(later).await.unwrap().is_empty(), "it was kept");
    browser.show_passkey(app, &mut device).await.expect(303);
    let gone = store.remove_ended_factors(later).await.unwrap();
    assert_eq!(gone.len(), 1);
    let account = store.account_of_email(ADMIN).await.unwrap().unwrap();
    assert_eq!((account.has_totp, account.has_passkey), (false, true));
}

#[tokio::test]
async fn az_factors_of_others_are_not_there() {
    let mail = folder();
    let server = TestServer::start_with_passkeys(mail.path()).await;
    let (mut browser, _, _) = with_both(&server, (DOCTOR, Role::Doctor)).await;
    let theirs = removal(&browser.get("/account").await.expect(200), 1);
    let word = theirs.split('=').nth(1).unwrap().to_owned();
    let (mut thief, _, codes) = with_both(&server, (AMINA, Role::Patient)).await;
    thief.get(&theirs).await.expect(404);
    let token = thief.token("/account").await;
    for (path, further) in [
        (theirs.as_str(), ("code", codes[0].as_str())),
        ("/account/passkeys/name", ("name", "Mine")),
        ("/account/factors/remove?factor=%00", ("code", "1")),
        ("/account/factors/remove", ("code", "1")),
    ] {
        let mut fields = vec![("form_token", token.as_str()), further];
        if path.ends_with("/name") {
            fields.push(("factor", &word));
        }
        assert_eq!(thief.post(path, &fields).await.status(), 404, "{path}");
    }
    let account = browser.get("/account").await.expect(200);
    assert!(account.text().contains("Blue phone"), "{}", account.text());
    let token = browser.token("/account").await;
    let fields = [("form_token", token.as_str()), ("factor", &word), ("name", " <b>Red\n phone ")];
    browser.post("/account/passkeys/name", &fields).await.expect(303);
    let account = browser.get("/account").await.expect(200);
    assert!(account.text().contains("&#60;b&#62;Red phone"), "{}", account.text());
}

#[tokio::test]
async fn as_44_secrets_are_sealed_by_the_key_file_and_older_ones_open_still() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let account = server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    let (store, oauth) = (&server.context.store, server.authorization());
    let new = store.totp(&account).await.unwrap().unwrap().sealed;
    assert!(new.by.is_some(), "what is new is sealed by the key file");
    let secret = oauth.people.keys.open(&account, &new).unwrap();
    assert_eq!(secret, browser.factor.clone().unwrap().0);
    let older = sealed_by_the_database(store.server_key(), (&account, &secret));
    let mut connection = server.database.connect().await;
    let sql = "update totp set secret = $1, sealed_by = null";
    sqlx::query(sql).bind(&older).execute(&mut connection).await.unwrap();
    let mut other = server.browser();
    other.give_password("/login", DOCTOR).await.expect(303);
    let code = browser.code();
    other.submit("/login/mfa", &[("code", &code)]).await.expect(303);
    assert_eq!(oauth.keys.reseal(&oauth.people.keys).await.unwrap(), 1);
    let anew = store.totp(&account).await.unwrap().unwrap().sealed;
    assert_eq!(anew.by, new.by);
    assert_eq!(oauth.people.keys.open(&account, &anew).unwrap(), secret);
    assert_eq!(oauth.keys.reseal(&oauth.people.keys).await.unwrap(), 0);
}

/// As secrets were sealed before there were keys of the key file for them.
fn sealed_by_the_database(key: &[u8], (account, secret): (&str, &[u8])) -> Vec<u8> {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
    use aws_lc_rs::hmac;
    let root = hmac::Key::new(hmac::HMAC_SHA256, key);
    let derived = hmac::sign(&root, b"bhn-fhir secrets of second factors");
    let key = RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).unwrap();
    let mut sealed = secret.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(account), &mut sealed).unwrap();
    [nonce.as_ref().as_slice(), &sealed].concat()
}

#[tokio::test]
async fn as_70_another_key_before_those_of_the_file_seals_everything_anew() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let keys = folder();
    let path = keys.path().join("sealing.key");
    let line = |byte: u8| STANDARD.encode([byte; 32]);
    let write = |lines: &[String]| {
        std::fs::write(&path, lines.join("\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
    };
    let server = TestServer::start_with_pages(|_| {}).await;
    let account = server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    let of_file = |settings: &mut bhn_fhir::config::Settings| {
        settings.oauth.key_file = path.clone();
    };
    write(&[line(8), line(7)]);
    let second = TestServer::with_pages_on(server.database.clone(), of_file).await;
    let oauth = second.authorization();
    let code = browser.code();
    let mut other = second.browser();
    other.give_password("/login", DOCTOR).await.expect(303);
    other.submit("/login/mfa", &[("code", &code)]).await.expect(303);
    let file = path.to_str().unwrap();
    let command = ["keys", "--key-file", file, "reseal"];
    let (status, said) = ServerProcess::command_on(&server.database, &command);
    assert!(status.success(), "{said}");
    assert!(said.contains("secrets are sealed anew") && !said.starts_with('0'), "{said}");
    assert_eq!(oauth.keys.reseal(&oauth.people.keys).await.unwrap(), 0);
    // The earlier key is not needed any more.
    write(&[line(8)]);
    let third = TestServer::with_pages_on(server.database.clone(), of_file).await;
    let sealed = third.context.store.totp(&account).await.unwrap().unwrap().sealed;
    let opened = third.authorization().people.keys.open(&account, &sealed).unwrap();
    assert_eq!(opened, browser.factor.clone().unwrap().0);
    assert!(server.authorization().people.keys.open(&account, &sealed).is_err());
}

#[tokio::test]
async fn au_01_what_happens_to_factors_is_written_down() {
    let (mail, journal) = (folder(), folder());
    let server = TestServer::start_with_pages(|settings| {
        settings.base_url = settings.base_url.replace("127.0.0.1", "localhost");
        settings.mail.folder = mail.path().to_owned();
        settings.audit = Some(AuditSettings {
            folder: Some(journal.path().to_owned()),
            durability: AuditDurability::Journal,
            ..AuditSettings::default()
        });
    })
    .await;
    let (mut browser, mut device, _) = with_both(&server, (ADMIN, Role::Admin)).await;
    let app = "/account/factors/remove?factor=totp";
    browser.submit(app, &[("code", "000000")]).await.expect(422);
    browser.show_passkey(app, &mut device).await.expect(303);
    let token = browser.token("/account").await;
    let word = removal(&browser.get("/account").await.expect(200), 0);
    let word = word.split('=').nth(1).unwrap();
    let fields = [("form_token", token.as_str()), ("factor", "totp")];
    browser.post("/account/factors/keep", &fields).await.expect(303);
    let fields = [("form_token", token.as_str()), ("factor", word), ("name", "Red phone")];
    browser.post("/account/passkeys/name", &fields).await.expect(303);
    let mut alone = server.browser();
    let page = alone.get("/login/passkey").await.expect(200);
    let copy = device.get_again(&crate::harness::options(&page));
    alone.send_passkey(("/login/passkey", &page), &copy).await.expect(422);
    alone.show_passkey("/login/passkey", &mut device).await.expect(303);
    ship_all(&server.context).await.unwrap();
    let mut connection = server.database.connect().await;
    let sql = "select string_agg(event, ' ') from audit_event";
    let events: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    for (name, times) in [
        ("factor-added", 2),
        ("factor-removal-asked", 1),
        ("factor-kept", 1),
        ("passkey-named", 1),
        ("passkey-copied", 1),
        ("sign-in-refused", 1),
        ("signed-in", 2),
    ] {
        assert_eq!(events.matches(&format!("\"{name}\"")).count(), times, "{name}: {events}");
    }
    let account = server.context.store.account_of_email(ADMIN).await.unwrap().unwrap().account;
    assert!(events.contains(&format!("account/{account}")), "{events}");
}
