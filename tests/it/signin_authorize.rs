//! `/oauth/authorize`: what is checked, in which order, and what comes of it (SECURITY 3.1).

use crate::harness::people::{APP, Browser, CHALLENGE, REDIRECT, parameter};
use crate::harness::{TestServer, patient};
use bhn_fhir::access::Role;
use serde_json::Value;
use sqlx::Row;
use url::Url;

const AMINA: &str = "amina@home.example";
const DOCTOR: &str = "doctor@hospital.example";

/// A server with an application, and a patient with an account.
async fn start() -> TestServer {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    server
}

/// What the application is told of a request.
async fn told(server: &TestServer, changes: &[(&str, &str)]) -> Url {
    let mut browser = server.browser();
    let (at, _) = browser.open(&server.authorize_path(changes)).await;
    Url::parse(&at).unwrap_or_else(|_| panic!("{changes:?}: {at}"))
}

/// Signs in for the request and allows all of it.
async fn granted(browser: &mut Browser, path: &str, email: &str) -> Url {
    let (at, _) = browser.open(path).await;
    let (at, page) = browser.sign_in(&at, email).await;
    assert!(at.starts_with("/consent"), "{at}: {}", page.text());
    browser.allow(&at).await
}

#[tokio::test]
async fn a_person_signs_in_consents_and_the_application_gets_a_code_state_and_iss() {
    let server = start().await;
    let mut browser = server.browser();
    let path = server.authorize_path(&[("nonce", "n-1")]);
    let url = granted(&mut browser, &path, AMINA).await;
    assert!(url.as_str().starts_with(&format!("{REDIRECT}?code=")), "{url}");
    assert_eq!(parameter(&url, "state").unwrap(), "the state");
    assert_eq!(parameter(&url, "iss").unwrap(), server.issuer());
    assert_eq!(parameter(&url, "code").unwrap().len(), 43);
    let mut connection = server.database.connect().await;
    let sql = "select g.client, g.scopes, g.launch, g.patient_rid, g.methods, k.redirect_uri, \
               k.code_challenge, k.nonce, \
               extract(epoch from k.expires - k.created)::int as seconds, \
               k.hash = sha256(convert_to($1, 'utf8')) as is_hash \
               from access_grant g join authorization_code k using (access_grant)";
    let code = parameter(&url, "code").unwrap();
    let row = sqlx::query(sql).bind(&code).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<&str, _>("client"), APP);
    let scopes = "openid fhirUser launch/patient patient/Observation.rs offline_access";
    assert_eq!(row.get::<&str, _>("scopes"), scopes);
    let launch: Value = row.get("launch");
    assert_eq!(launch["patient"], "amina");
    assert_eq!(launch["need_patient_banner"], true);
    let link = server.link("Patient/amina").await;
    assert_eq!(row.get::<i64, _>("patient_rid"), link.rid);
    assert_eq!(row.get::<Vec<String>, _>("methods"), ["pwd"]);
    assert_eq!(row.get::<&str, _>("redirect_uri"), REDIRECT);
    assert_eq!(row.get::<&str, _>("code_challenge"), CHALLENGE);
    assert_eq!(row.get::<&str, _>("nonce"), "n-1");
    assert_eq!(row.get::<i32, _>("seconds"), 60);
    assert!(row.get::<bool, _>("is_hash"), "the code itself is not stored");
}

#[tokio::test]
async fn a_request_may_be_sent_as_a_form() {
    let server = start().await;
    let path = server.authorize_path(&[]);
    let query = path.split_once('?').unwrap().1;
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut browser = server.browser();
    let origin = ("Origin", "https://app.example");
    let reply = browser.post_with("/oauth/authorize", &fields, origin).await.expect(303);
    let (at, _) = browser.follow(reply).await;
    assert!(at.starts_with("/login?request="), "{at}");
}

#[tokio::test]
async fn rt_129_what_is_not_the_registered_redirect_uri_is_a_page_and_no_redirect() {
    let server = start().await;
    let mut browser = server.browser();
    for uri in [
        "https://app.example/callback/",
        "https://app.example/callback?next=https://evil.example",
        "https://app.example/callback#x",
        "https://APP.example/callback",
        "https://app.example/Callback",
        "https://sub.app.example/callback",
        "https://user@app.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/?u=https://app.example/callback",
        "http://app.example/callback",
        "javascript:alert(1)",
        "",
    ] {
        let reply = browser.get(&server.authorize_path(&[("redirect_uri", uri)])).await.expect(400);
        assert_eq!(reply.header("location"), "", "{uri}");
        assert!(reply.header("content-type").starts_with("text/html"), "{uri}");
    }
    for client in ["", "unknown", "a\0b"] {
        let path = server.authorize_path(&[("client_id", client)]);
        assert_eq!(browser.get(&path).await.expect(400).header("location"), "");
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", server.authorize_path(&[]));
    assert_eq!(browser.get(&twice).await.expect(400).header("location"), "");
    for good in ["org.example.app:/callback", "http://127.0.0.1:49152/callback"] {
        browser.get(&server.authorize_path(&[("redirect_uri", good)])).await.expect(303);
    }
}

#[tokio::test]
async fn errors_of_a_good_client_are_told_to_it_with_state_and_iss() {
    let server = start().await;
    let plain = ("code_challenge_method", "plain");
    let cases: [(&[(&str, &str)], &str); 19] = [
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[plain], "invalid_request"),
        (&[("aud", "")], "invalid_request"),
        (&[("aud", "https://other.example/fhir")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "system/*.rs unknown")], "invalid_scope"),
        (&[("scope", "patient/Observation.dus")], "invalid_scope"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "dance")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("request", "eyJ")], "request_not_supported"),
        (&[("request_uri", "https://app.example/r")], "request_uri_not_supported"),
        (&[("launch", "forged")], "invalid_request"),
    ];
    for (changes, error) in cases {
        let url = told(&server, changes).await;
        assert_eq!(parameter(&url, "error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(parameter(&url, "state").as_deref(), Some("the state"), "{changes:?}");
        assert_eq!(parameter(&url, "iss").as_deref(), Some(server.issuer()), "{changes:?}");
        assert!(parameter(&url, "code").is_none());
    }
    let url = told(&server, &[("state", "")]).await;
    assert_eq!(parameter(&url, "error").unwrap(), "invalid_request");
    let mut browser = server.browser();
    let (at, _) = browser.open(&format!("{}&scope=openid", server.authorize_path(&[]))).await;
    let url = Url::parse(&at).unwrap();
    assert_eq!(parameter(&url, "error").unwrap(), "invalid_request", "a parameter twice");
}

#[tokio::test]
async fn prompt_none_asks_nobody_anything() {
    let server = start().await;
    server.register_app("first-party", true).await;
    let none = ("prompt", "none");
    assert_eq!(parameter(&told(&server, &[none]).await, "error").unwrap(), "login_required");
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    let (at, _) = browser.open(&server.authorize_path(&[none])).await;
    let url = Url::parse(&at).unwrap();
    assert_eq!(parameter(&url, "error").unwrap(), "consent_required");
    let first_party = ("client_id", "first-party");
    let (at, _) = browser.open(&server.authorize_path(&[none, first_party])).await;
    assert!(parameter(&Url::parse(&at).unwrap(), "code").is_some(), "{at}");
}

#[tokio::test]
async fn prompt_login_and_max_age_ask_for_the_password_again() {
    let server = start().await;
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    assert!(at.starts_with("/consent"), "{at}");
    let mut connection = server.database.connect().await;
    let older = "update login_session set created = created - interval '10 minutes'";
    sqlx::raw_sql(older).execute(&mut connection).await.unwrap();
    for changes in [("prompt", "login"), ("max_age", "300"), ("max_age", "0")] {
        let (at, page) = browser.open(&server.authorize_path(&[changes])).await;
        assert!(at.starts_with("/login?request="), "{changes:?}: {at}");
        assert!(page.text().contains("Growth Chart"));
    }
    let (at, _) = browser.open(&server.authorize_path(&[("max_age", "3600")])).await;
    assert!(at.starts_with("/consent"), "{at}");
    let (at, _) = browser.open(&server.authorize_path(&[("prompt", "login")])).await;
    let (at, _) = browser.sign_in(&at, AMINA).await;
    assert!(at.starts_with("/consent"), "{at}");
    let hint = server.authorize_path(&[("prompt", "login"), ("login_hint", "amina@x.example")]);
    let (_, page) = browser.open(&hint).await;
    assert!(page.text().contains("value=\"amina@x.example\""));
}

#[tokio::test]
async fn as_16_what_the_role_may_not_grant_is_not_granted() {
    let server = start().await;
    let mut browser = server.browser();
    let scope = "openid user/Observation.cruds patient/Observation.rs launch/patient";
    let url = granted(&mut browser, &server.authorize_path(&[("scope", scope)]), AMINA).await;
    assert!(parameter(&url, "code").is_some());
    let mut connection = server.database.connect().await;
    let scopes: String = sqlx::query_scalar("select scopes from access_grant")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(scopes, "openid patient/Observation.rs launch/patient");
    let only = [("scope", "user/Observation.cruds")];
    let (at, _) = browser.open(&server.authorize_path(&only)).await;
    let url = Url::parse(&at).unwrap();
    assert_eq!(parameter(&url, "error").unwrap(), "invalid_scope");
}

#[tokio::test]
async fn as_26_a_scope_narrowed_by_what_is_no_search_parameter_is_dropped() {
    let server = start().await;
    let mut browser = server.browser();
    let scope = "patient/Observation.rs?category=laboratory patient/Observation.rs?colour=red \
                 patient/Condition.rs?category= patient/*.rs?category=x";
    granted(&mut browser, &server.authorize_path(&[("scope", scope)]), AMINA).await;
    let mut connection = server.database.connect().await;
    let scopes: String = sqlx::query_scalar("select scopes from access_grant")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(scopes, "patient/Observation.rs?category=laboratory");
}

#[tokio::test]
async fn requests_that_are_never_finished_are_bounded_and_forgotten() {
    let server = start().await;
    let mut browser = server.browser();
    browser.get(&server.authorize_path(&[])).await.expect(303);
    let mut connection = server.database.connect().await;
    let sql = "update throttle set attempts = 2999; \
               update authorization_request set expires = now() - interval '1 minute'; \
               update one_time_code set expires = now() - interval '1 minute'";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    browser.get(&server.authorize_path(&[])).await.expect(303);
    browser.get(&server.authorize_path(&[])).await.expect(429);
    server.context.store.forget_sign_ins(server.context.clock.now()).await.unwrap();
    let kept: i64 = sqlx::query_scalar("select count(*) from authorization_request")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_doctor_grants_after_the_second_factor_which_the_grant_remembers() {
    let server = start().await;
    server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    let scope = "openid fhirUser user/Observation.cruds";
    let path = server.authorize_path(&[("scope", scope)]);
    granted(&mut browser, &path, DOCTOR).await;
    let mut connection = server.database.connect().await;
    let sql = "select methods, scopes, session is not null as has_session from access_grant";
    let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<Vec<String>, _>("methods"), ["pwd", "otp"]);
    assert_eq!(row.get::<&str, _>("scopes"), "openid fhirUser user/Observation.crus");
    assert!(row.get::<bool, _>("has_session"), "it ends with the session");
}

#[tokio::test]
async fn as_27_a_patient_scope_needs_a_patient_in_context() {
    let server = start().await;
    server.account("new@home.example", Role::Patient).await;
    let mut browser = server.browser();
    let scope = ("scope", "patient/Observation.rs");
    let (at, _) = browser.open(&server.authorize_path(&[scope])).await;
    let (at, page) = browser.sign_in(&at, "new@home.example").await;
    assert!(at.starts_with("/pick-patient"), "{at}");
    assert!(page.text().contains("not linked"), "{}", page.text());
    let forged = [("patient", "amina")];
    browser.submit(&at, &forged).await.expect(200);
    let consent = at.replace("/pick-patient", "/consent");
    let reply = browser.get(&consent).await.expect(303);
    assert!(reply.header("location").starts_with("/oauth/continue"));
    let reply = browser.submit(&at, &[("cancel", "yes")]).await.expect(303);
    let url = Url::parse(reply.header("location")).unwrap();
    assert_eq!(parameter(&url, "error").unwrap(), "access_denied");
    browser.get(&at).await.expect(400);
}

#[tokio::test]
async fn online_access_ends_with_the_session_it_came_with() {
    let server = start().await;
    let mut browser = server.browser();
    let scope = ("scope", "openid online_access patient/Observation.rs");
    granted(&mut browser, &server.authorize_path(&[scope]), AMINA).await;
    browser.submit("/oauth/logout", &[]).await.expect(200);
    let mut connection = server.database.connect().await;
    let revoked: bool = sqlx::query_scalar("select revoked is not null from access_grant")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(revoked);
}

/// The verifier of the challenge that every request here has.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[tokio::test]
async fn rt_126_the_code_is_redeemed_once_for_what_was_allowed() {
    let server = start().await;
    let mut browser = server.browser();
    let url = granted(&mut browser, &server.authorize_path(&[]), AMINA).await;
    let code = parameter(&url, "code").unwrap();
    let parameters = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("client_id", APP),
        ("code_verifier", VERIFIER),
    ];
    let tokens = server.form("/oauth/token", &parameters).await.expect(200).body;
    let scopes = "openid fhirUser launch/patient patient/Observation.rs offline_access";
    assert_eq!(tokens["scope"], scopes);
    assert_eq!(tokens["patient"], "amina");
    assert_eq!(tokens["need_patient_banner"], true);
    assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string());
    assert!(browser.get("/account/apps").await.expect(200).text().contains("Growth Chart"));
    server.form("/oauth/token", &parameters).await.expect(400);
    let mut connection = server.database.connect().await;
    let revoked: bool = sqlx::query_scalar("select revoked is not null from access_grant")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(revoked, "what came of a replayed code has ended");
}

#[tokio::test]
async fn staff_picks_a_patient_and_an_encounter_that_a_search_of_theirs_finds() {
    let server = start().await;
    server.update(patient().id("p1").family("Gutierrez").mrn("4711")).await.expect(201);
    let encounter = serde_json::json!({
        "resourceType": "Encounter", "id": "e1", "status": "in-progress",
        "class": {"code": "IMP", "display": "inpatient"},
        "subject": {"reference": "Patient/p1"}
    });
    server.update(encounter).await.expect(201);
    let admin = server.account("admin@hospital.example", Role::Admin).await;
    server.link_account(&admin, "Practitioner/admin").await;
    let doctor = server.account(DOCTOR, Role::Doctor).await;
    server.link_account(&doctor, "Practitioner/doctor").await;
    let scope = ("scope", "openid launch/patient launch/encounter user/*.rs");
    let mut doctor = server.browser();
    let (at, _) = doctor.open(&server.authorize_path(&[scope])).await;
    let (at, _) = doctor.sign_in(&at, DOCTOR).await;
    let page = doctor.get(&format!("{at}&name=gutierrez")).await.expect(200);
    assert!(page.text().contains("Nobody was found"), "{}", page.text());
    doctor.submit(&at, &[("patient", "p1")]).await.expect(200);
    let mut admin = server.browser();
    let (at, _) = admin.open(&server.authorize_path(&[scope])).await;
    let (at, page) = admin.sign_in(&at, "admin@hospital.example").await;
    assert!(at.starts_with("/pick-patient") && page.text().contains("role=\"search\""), "{at}");
    for query in ["name=gutierrez", "birthdate=1990-05-17", "identifier=4711"] {
        let page = admin.get(&format!("{at}&{query}")).await.expect(200);
        assert!(page.text().contains("value=\"p1\""), "{query}: {}", page.text());
    }
    let page = admin.get(&format!("{at}&birthdate=yesterday")).await.expect(200);
    assert!(page.text().contains("not understood"), "{}", page.text());
    admin.submit(&at, &[("patient", "not-there")]).await.expect(200);
    let reply = admin.submit(&at, &[("patient", "p1")]).await.expect(303);
    let (at, page) = admin.follow(reply).await;
    assert!(at.starts_with("/pick-encounter") && page.text().contains("inpatient"), "{at}");
    admin.submit(&at, &[("encounter", "e2")]).await.expect(200);
    let reply = admin.submit(&at, &[("encounter", "e1")]).await.expect(303);
    let (at, _) = admin.follow(reply).await;
    admin.allow(&at).await;
    let mut connection = server.database.connect().await;
    let launch: Value = sqlx::query_scalar("select launch from access_grant")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!((&launch["patient"], &launch["encounter"]), (&"p1".into(), &"e1".into()));
}
