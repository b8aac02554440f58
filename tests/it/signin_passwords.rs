//! Signing in: passwords, second factors, sessions, throttles (SECURITY 3.6).

use crate::harness::TestServer;
use crate::harness::people::{Browser, PASSWORD, code_at};
use bhn_fhir::access::Role;
use bhn_fhir::clock::Clock;
use std::time::Instant;

const AMINA: &str = "amina@home.example";
const DOCTOR: &str = "doctor@hospital.example";

async fn wrong(browser: &mut Browser, email: &str) -> u16 {
    let fields = [("email", email), ("password", "not the password")];
    browser.submit("/login", &fields).await.status()
}

#[tokio::test]
async fn as_47_a_patient_signs_in_by_password_and_has_a_session_cookie() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    let (at, _) = browser.open("/account").await;
    assert_eq!(at, "/login");
    let reply = browser.give_password("/login", " Amina@Home.example").await.expect(303);
    assert_eq!(reply.header("location"), "/account");
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("bhn-session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    let token = browser.cookies["bhn-session"].clone();
    assert_eq!(token.len(), 43);
    let mut connection = server.database.connect().await;
    let sql = "select position($1 in encode(hash, 'escape')) from login_session";
    let stored: i32 =
        sqlx::query_scalar(sql).bind(&token).fetch_one(&mut connection).await.unwrap();
    assert_eq!(stored, 0, "the cookie itself is not stored");
    browser.get("/account").await.expect(200);
}

#[tokio::test]
async fn as_44_staff_sets_up_a_second_factor_before_anything_else() {
    let server = TestServer::start_with_pages(|_| {}).await;
    for (email, role) in [
        (DOCTOR, Role::Doctor),
        ("staff@hospital.example", Role::HospitalStaff),
        ("admin@hospital.example", Role::Admin),
    ] {
        server.account(email, role).await;
        let mut browser = server.browser();
        let reply = browser.give_password("/login", email).await.expect(303);
        assert_eq!(reply.header("location"), "/account/mfa");
        for path in ["/account", "/account/apps"] {
            let reply = browser.get(path).await.expect(303);
            assert_eq!(reply.header("location"), "/account/mfa", "{path}");
        }
        let before = browser.cookies["bhn-session"].clone();
        let (_, codes) = browser.set_up("/account/mfa").await;
        assert_eq!(codes.expect(200).text().matches("<li><code>").count(), 10);
        assert_ne!(browser.cookies["bhn-session"], before, "a session of its own");
        browser.get("/account").await.expect(200);
        browser.get("/account/mfa").await.expect(303);
    }
}

#[tokio::test]
async fn rt_142_a_code_is_good_once_and_no_older_one_after_it() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    let (secret, step) = browser.factor.clone().unwrap();
    let mut other = server.browser();
    other.factor = browser.factor.clone();
    other.give_password("/login", DOCTOR).await.expect(303);
    for old in [step, step - 1] {
        let code = code_at(&secret, old);
        other.submit("/login/mfa", &[("code", &code)]).await.expect(422);
    }
    other.get("/account").await.expect(303);
    let code = other.code();
    let reply = other.submit("/login/mfa", &[("code", &code)]).await.expect(303);
    assert_eq!(reply.header("location"), "/account");
}

#[tokio::test]
async fn rt_142_codes_that_are_guessed_are_throttled() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    let mut thief = server.browser();
    thief.give_password("/login", DOCTOR).await.expect(303);
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(thief.submit("/login/mfa", &[("code", "000000")]).await.status());
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
    thief.factor = browser.factor.clone();
    let code = thief.code();
    thief.submit("/login/mfa", &[("code", &code)]).await.expect(429);
}

#[tokio::test]
async fn as_44_a_recovery_code_signs_in_once() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.give_password("/login", DOCTOR).await.expect(303);
    let (_, codes) = browser.set_up("/account/mfa").await;
    let code = codes.text().split("<li><code>").nth(3).unwrap().split('<').next().unwrap();
    for (expected, typed) in [(303, code.to_uppercase()), (422, code.to_owned())] {
        let mut other = server.browser();
        other.give_password("/login", DOCTOR).await.expect(303);
        other.submit("/login/mfa", &[("code", &typed)]).await.expect(expected);
    }
}

#[tokio::test]
async fn as_43_five_attempts_at_an_account_are_free_then_each_waits_longer() {
    let (server, second) = pair().await;
    server.account(AMINA, Role::Patient).await;
    let (mut browser, mut other) = (server.browser(), second.browser());
    for _ in 0..3 {
        assert_eq!(wrong(&mut browser, AMINA).await, 422);
    }
    for _ in 0..2 {
        assert_eq!(wrong(&mut other, AMINA).await, 422, "nodes count the same attempts");
    }
    let fields = [("email", AMINA), ("password", PASSWORD)];
    let refused = browser.submit("/login", &fields).await.expect(429);
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    let mut connection = server.database.connect().await;
    let earlier = "update throttle set blocked_until = blocked_until - interval '1 minute', \
                   since = since - interval '1 minute'";
    sqlx::raw_sql(earlier).execute(&mut connection).await.unwrap();
    assert_eq!(wrong(&mut browser, AMINA).await, 422);
    let refused = browser.submit("/login", &fields).await.expect(429);
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((110..=120).contains(&seconds), "{seconds}");
    sqlx::raw_sql("update throttle set blocked_until = now()")
        .execute(&mut connection)
        .await
        .unwrap();
    browser.submit("/login", &fields).await.expect(303);
    let mut anew = server.browser();
    assert_eq!(wrong(&mut anew, AMINA).await, 422, "a success clears the count");
}

#[tokio::test]
async fn as_43_who_fails_in_anothers_name_does_not_keep_his_known_browser_out() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    browser.submit("/oauth/logout", &[]).await.expect(200);
    let mut thief = server.browser();
    for _ in 0..5 {
        assert_eq!(wrong(&mut thief, DOCTOR).await, 422);
    }
    assert_eq!(wrong(&mut thief, DOCTOR).await, 429);
    server.browser().give_password("/login", DOCTOR).await.expect(429);
    browser.give_password("/login", DOCTOR).await.expect(303);
}

async fn pair() -> (TestServer, TestServer) {
    let first = TestServer::start_with_pages(|_| {}).await;
    let database = first.database.clone();
    (first, TestServer::with_pages_on(database, |_| {}).await)
}

#[tokio::test]
async fn as_43_an_address_has_a_hundred_failures_in_a_quarter_of_an_hour() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    assert_eq!(wrong(&mut browser, "nobody@home.example").await, 422);
    let mut connection = server.database.connect().await;
    let many = "update throttle set attempts = 98 where blocked_until is null";
    sqlx::raw_sql(many).execute(&mut connection).await.unwrap();
    assert_eq!(wrong(&mut browser, "other@home.example").await, 422);
    assert_eq!(wrong(&mut browser, "third@home.example").await, 422);
    let fields = [("email", AMINA), ("password", PASSWORD)];
    let refused = browser.submit("/login", &fields).await.expect(429);
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!(seconds > 800, "{seconds}");
}

#[tokio::test]
async fn rt_139_an_unknown_address_is_answered_as_a_wrong_password() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let disabled = server.account("gone@home.example", Role::Patient).await;
    let mut connection = server.database.connect().await;
    let sql = "update account set status = 'disabled' where account = $1::text::uuid";
    sqlx::query(sql).bind(&disabled).execute(&mut connection).await.unwrap();
    let mut bodies = Vec::new();
    let mut times = Vec::new();
    for email in [AMINA, "nobody@home.example", "gone@home.example"] {
        let mut browser = server.browser();
        let token = browser.token("/login").await;
        let right = if email == AMINA { "wrong" } else { PASSWORD };
        let fields = [("form_token", token.as_str()), ("email", email), ("password", right)];
        let started = Instant::now();
        let reply = browser.post("/login", &fields).await.expect(422);
        times.push(started.elapsed());
        bodies.push(reply.text().replace(email, "E").replace(&token, "T"));
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    // The hash is nearly all of it; a short cut would be a hundredth.
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*most < *least * 8, "{times:?}");
}

#[tokio::test]
async fn as_40_a_hash_of_bcrypt_is_made_anew_at_the_next_sign_in() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    server.account_with(AMINA, Role::Patient, &hash).await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    let account = server.context.store.account_of_email(AMINA).await.unwrap().unwrap();
    assert!(account.password.unwrap().starts_with("$argon2id$"));
    server.browser().give_password("/login", AMINA).await.expect(303);
    browser.get("/account").await.expect(200);
}

#[tokio::test]
async fn as_47_sessions_end_by_idleness_sign_out_and_from_elsewhere() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let (mut one, mut two) = (server.browser(), server.browser());
    one.give_password("/login", AMINA).await.expect(303);
    two.give_password("/login", AMINA).await.expect(303);
    let page = one.get("/account").await.expect(200);
    assert_eq!(page.text().matches("name=\"session\"").count(), 2, "the other one, and all others");
    let token = one.token("/account").await;
    let fields = [("form_token", token.as_str()), ("session", "others")];
    one.post("/account/sessions", &fields).await.expect(303);
    two.get("/account").await.expect(303);
    let mut connection = server.database.connect().await;
    let idle = "update login_session set seen = seen - interval '29 minutes'";
    sqlx::raw_sql(idle).execute(&mut connection).await.unwrap();
    one.get("/account").await.expect(200);
    let idle = "update login_session set seen = seen - interval '31 minutes'";
    sqlx::raw_sql(idle).execute(&mut connection).await.unwrap();
    one.get("/account").await.expect(303);
    one.give_password("/login", AMINA).await.expect(303);
    let cookies = one.cookies.clone();
    one.submit("/oauth/logout", &[]).await.expect(200);
    one.cookies = cookies;
    one.get("/account").await.expect(303);
}

#[tokio::test]
async fn rt_145_a_disabled_account_is_signed_out_at_once() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let account = server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.give_password("/login", AMINA).await.expect(303);
    browser.get("/account").await.expect(200);
    let change = bhn_fhir::storage::AccountChange {
        status: Some(bhn_fhir::storage::Status::Disabled),
        ends_grants: true,
        ..Default::default()
    };
    server.context.store.change_account(&account, change, Clock::System.now()).await.unwrap();
    browser.get("/account").await.expect(303);
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let (mut one, mut two) = (server.browser(), server.browser());
    one.give_password("/login", AMINA).await.expect(303);
    two.give_password("/login", AMINA).await.expect(303);
    for (old, new, status) in [
        ("not the password", "eight blue umbrellas", 422),
        (PASSWORD, "short", 422),
        (PASSWORD, "Password1234", 422),
        (PASSWORD, "eight blue umbrellas", 200),
    ] {
        let token = one.token("/account").await;
        let fields = [("form_token", token.as_str()), ("password", old), ("new_password", new)];
        one.post("/account/password", &fields).await.expect(status);
    }
    one.get("/account").await.expect(200);
    two.get("/account").await.expect(303);
    server.browser().give_password("/login", AMINA).await.expect(422);
}

#[tokio::test]
async fn as_43_a_network_and_everybody_together_have_bounds_of_their_own() {
    use bhn_fhir::oauth::accounts::secrets::hash_of;
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    assert_eq!(wrong(&mut browser, AMINA).await, 422);
    for (kind, name, most) in [("network", "[127, 0, 0]", 1_000), ("all", "", 20_000)] {
        let mut connection = server.database.connect().await;
        let sql = "update throttle set attempts = $2 where key = $1";
        let query = sqlx::query(sql).bind(hash_of(kind, name)).bind(most - 1);
        let changed = query.execute(&mut connection).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{kind}");
        assert_eq!(wrong(&mut browser, AMINA).await, 422, "{kind}");
        let fields = [("email", AMINA), ("password", PASSWORD)];
        browser.submit("/login", &fields).await.expect(429);
        sqlx::raw_sql("delete from throttle").execute(&mut connection).await.unwrap();
        assert_eq!(wrong(&mut browser, AMINA).await, 422);
    }
}

#[tokio::test]
async fn as_47_one_session_is_ended_from_the_list_at_the_account() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let (mut one, mut two, mut three) = (server.browser(), server.browser(), server.browser());
    for browser in [&mut one, &mut two, &mut three] {
        browser.give_password("/login", AMINA).await.expect(303);
    }
    let page = one.get("/account").await.expect(200);
    let ids = page.text().split("name=\"session\" value=\"").skip(1);
    let ids: Vec<&str> = ids.map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 3, "two others, and all others: {ids:?}");
    let token = one.token("/account").await;
    let fields = [("form_token", token.as_str()), ("session", ids[0])];
    one.post("/account/sessions", &fields).await.expect(303);
    one.get("/account").await.expect(200);
    let statuses = [two.get("/account").await.status(), three.get("/account").await.status()];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    // Not that of somebody else.
    server.account("second@home.example", Role::Patient).await;
    let mut second = server.browser();
    second.give_password("/login", "second@home.example").await.expect(303);
    let token = second.token("/account").await;
    for id in &ids[..2] {
        let fields = [("form_token", token.as_str()), ("session", id)];
        second.post("/account/sessions", &fields).await.expect(303);
    }
    let after = [two.get("/account").await.status(), three.get("/account").await.status()];
    assert_eq!(after, statuses);
}

#[tokio::test]
async fn as_47_a_session_is_of_the_browser_that_signed_in() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.account(AMINA, Role::Patient).await;
    let mut browser = server.browser();
    browser.agent = Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned());
    browser.give_password("/login", AMINA).await.expect(303);
    browser.agent = Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0".to_owned());
    browser.get("/account").await.expect(200);
    let mut thief = server.browser();
    thief.cookies = browser.cookies.clone();
    thief.agent = Some("curl/8.5.0".to_owned());
    thief.get("/account").await.expect(303);
    browser.get("/account").await.expect(303);
}
