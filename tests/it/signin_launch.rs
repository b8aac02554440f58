//! EHR launch (SMART App Launch 2.2; SECURITY 3.4).

use crate::harness::people::{APP, Browser, parameter};
use crate::harness::{TestServer, encounter, patient, principal};
use bhn_fhir::access::Role;
use bhn_fhir::clock::Clock;
use chrono::Duration;
use serde_json::{Value, json};
use url::Url;

const DOCTOR: &str = "doctor@hospital.example";

async fn start() -> (TestServer, String, Browser) {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let account = server.account(DOCTOR, Role::Doctor).await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    (server, account, browser)
}

/// A launch of patient and encounter, good for so many seconds.
async fn launched(server: &TestServer, client: &str, (by, seconds): (Option<&str>, i64)) -> String {
    let handle = bhn_fhir::oauth::new_secret().unwrap();
    let patient = server.link("Patient/amina").await;
    let context = json!({
        "patient": "amina", "patient_rid": patient.rid, "encounter": "e1", "intent": "order",
        "need_patient_banner": false, "fhirContext": [{"reference": "ImagingStudy/1"}],
        "smart_style_url": "https://ehr.example/style.json", "tenant": "north"
    });
    let now = Clock::System.now();
    let times = (now, now + Duration::seconds(seconds));
    let store = &server.context.store;
    store
        .create_launch(&bhn_fhir::oauth::hash(&handle), (client, by, &context), times)
        .await
        .unwrap();
    handle
}

fn of_launch(server: &TestServer, handle: &str) -> String {
    let scope = "launch openid patient/Observation.rs";
    server.authorize_path(&[("scope", scope), ("launch", handle)])
}

#[tokio::test]
async fn the_context_of_a_launch_is_that_of_the_grant_and_nothing_is_picked() {
    let (server, account, mut browser) = start().await;
    let handle = launched(&server, APP, (Some(&account), 300)).await;
    let (at, _) = browser.open(&of_launch(&server, &handle)).await;
    assert!(at.starts_with("/consent"), "{at}");
    let url = browser.allow(&at).await;
    assert!(parameter(&url, "code").is_some());
    let mut connection = server.database.connect().await;
    let sql = "select launch, patient_rid from access_grant";
    let (launch, rid): (Value, i64) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(rid, server.link("Patient/amina").await.rid);
    let expected = json!({
        "patient": "amina", "encounter": "e1", "intent": "order", "need_patient_banner": false,
        "fhirContext": [{"reference": "ImagingStudy/1"}],
        "smart_style_url": "https://ehr.example/style.json", "tenant": "north"
    });
    assert_eq!(launch, expected);
}

#[tokio::test]
async fn rt_135_a_launch_is_of_one_use_one_client_and_five_minutes() {
    let (server, account, mut browser) = start().await;
    server.register_app("other-app", false).await;
    let by = Some(account.as_str());
    let used = launched(&server, APP, (by, 300)).await;
    browser.open(&of_launch(&server, &used)).await;
    let others = launched(&server, "other-app", (by, 300)).await;
    let expired = launched(&server, APP, (by, -1)).await;
    for (what, handle) in [
        ("used", used),
        ("of another client", others),
        ("expired", expired),
        ("forged", "x".into()),
    ] {
        let (at, _) = browser.open(&of_launch(&server, &handle)).await;
        let url = Url::parse(&at).unwrap_or_else(|_| panic!("{what}: {at}"));
        assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{what}");
    }
}

#[tokio::test]
async fn rt_135_a_launch_is_of_the_person_who_launched() {
    let (server, account, _) = start().await;
    server.account("other@hospital.example", Role::Doctor).await;
    let patient = server.account("amina@home.example", Role::Patient).await;
    server.link_account(&patient, "Patient/somebody-else").await;
    let mut other = server.browser();
    other.sign_in("/login", "other@hospital.example").await;
    let handle = launched(&server, APP, (Some(&account), 300)).await;
    let (at, _) = other.open(&of_launch(&server, &handle)).await;
    assert_eq!(parameter(&Url::parse(&at).unwrap(), "error").unwrap(), "access_denied");
    let mut amina = server.browser();
    amina.sign_in("/login", "amina@home.example").await;
    let handle = launched(&server, APP, (None, 300)).await;
    let (at, _) = amina.open(&of_launch(&server, &handle)).await;
    assert_eq!(parameter(&Url::parse(&at).unwrap(), "error").unwrap(), "access_denied");
}

async fn post(server: &TestServer, authorization: Option<&str>, body: &Value) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/launch", server.issuer());
    let request = http.post(url).header("Content-Type", "application/json").body(body.to_string());
    let request = match authorization {
        Some(authorization) => request.header("Authorization", authorization),
        None => request,
    };
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let body = reply.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_system_with_the_scope_launches_and_nobody_without() {
    let (server, ..) = start().await;
    let body = json!({"client_id": APP, "intent": "order", "need_patient_banner": false});
    assert_eq!(post(&server, None, &body).await.0, 401);
    let without = principal("ehr", Role::EhrSystem, "system/*.rs");
    let without = server.callers.admit(without);
    assert_eq!(post(&server, Some(&without), &body).await.0, 401);
    let ehr = server.callers.admit(principal("ehr-2", Role::EhrSystem, "__bhn.launch.c"));
    let (status, made) = post(&server, Some(&ehr), &body).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["launch"].as_str().map(str::len), Some(43));
    for (wrong, said) in [
        (json!({"client_id": "unknown"}), "client_id"),
        (json!({"client_id": APP, "user": "nobody"}), "user"),
        (json!({"client_id": APP, "patient": "../x"}), "Patient/../x"),
        (json!({"client_id": APP, "patient": "not-there"}), "Patient/not-there"),
        (json!({"client_id": APP, "unknown": 1}), "unknown"),
        (json!({"client_id": APP, "smart_style_url": "javascript:1"}), "smart_style_url"),
        (json!({"client_id": APP, "fhirContext": [{"reference": "Patient/1"}]}), "fhirContext"),
        (json!({"client_id": APP, "fhirContext": [{"role": "launch"}]}), "fhirContext"),
        (json!({"client_id": APP, "fhirContext": [{"reference": 1}]}), "fhirContext"),
        (json!({"client_id": APP, "fhirContext": [{"reference": "https://x/y"}]}), "fhirContext"),
        (json!({"client_id": APP, "fhirContext": [{"identifier": "a"}]}), "fhirContext"),
        (json!({"client_id": APP, "fhirContext": [{"canonical": "a", "role": ""}]}), "fhirContext"),
        (
            json!({"client_id": APP, "fhirContext": [{"canonical": "a", "role": "x"}]}),
            "fhirContext",
        ),
        (
            json!({"client_id": APP, "fhirContext": [{"canonical": "a", "type": "X"}]}),
            "fhirContext",
        ),
        (
            json!({"client_id": APP, "fhirContext": [{"type": "Patient", "identifier": {}}]}),
            "fhirContext",
        ),
    ] {
        let (status, told) = post(&server, Some(&ehr), &wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert_eq!(told["error"], "invalid_request");
        assert!(told["error_description"].as_str().unwrap().contains(said), "{told}");
    }
    let handle = made["launch"].as_str().unwrap();
    let mut browser = server.browser();
    let path = server.authorize_path(&[("scope", "launch openid"), ("launch", handle)]);
    let (at, _) = browser.open(&path).await;
    assert!(at.starts_with("/login"), "{at}");
}

#[tokio::test]
async fn staff_open_an_application_with_a_patient_on_a_page() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, true).await;
    server.register_app("no-launch", true).await;
    let sql = "update client set launch_uri = 'https://app.example/launch?a=b' where client = $1";
    let query = sqlx::query(sql).bind(APP);
    query.execute(&mut server.database.connect().await).await.unwrap();
    let (amina, other) = (patient().id("amina"), patient().id("other").family("Other"));
    server.update(amina).await.expect(201);
    server.update(other).await.expect(201);
    server.update(encounter("e1", "amina", "begum")).await.expect(201);
    let account = server.account(DOCTOR, Role::Doctor).await;
    server.link_account(&account, "Practitioner/begum").await;
    let mut browser = server.browser();
    browser.sign_in("/login", DOCTOR).await;
    let page = browser.get("/launch?identifier=nobody").await.expect(200);
    assert!(page.text().contains("Growth Chart") && !page.text().contains("value=\"no-launch\""));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(" https://app.example"), "{policy}");
    for fields in [
        vec![("client", "no-launch"), ("patient", "amina")],
        vec![("patient", "amina")],
        vec![("client", APP), ("patient", "other")],
        vec![("client", APP), ("patient", "not-there")],
    ] {
        let token = browser.token("/launch").await;
        let mut all = vec![("form_token", token.as_str())];
        all.extend(&fields);
        assert_eq!(browser.post("/launch/start", &all).await.status(), 422, "{fields:?}");
    }
    let token = browser.token("/launch").await;
    let fields = [("form_token", token.as_str()), ("client", APP), ("patient", "amina")];
    let reply = browser.post("/launch/start", &fields).await.expect(303);
    let url = Url::parse(reply.header("location")).unwrap();
    assert_eq!(&url[..url::Position::AfterPath], "https://app.example/launch");
    assert_eq!(parameter(&url, "iss"), Some(server.context.settings.base_url.clone()));
    assert_eq!(parameter(&url, "a").as_deref(), Some("b"));
    let handle = parameter(&url, "launch").unwrap();
    let (at, _) = browser.open(&of_launch(&server, &handle)).await;
    assert!(parameter(&Url::parse(&at).unwrap(), "code").is_some(), "{at}");
    let sql = "select launch->>'patient' from access_grant";
    let query = sqlx::query_scalar(sql);
    let launched: Option<String> =
        query.fetch_one(&mut server.database.connect().await).await.unwrap();
    assert_eq!(launched.as_deref(), Some("amina"));
    server.account("p@home.example", Role::Patient).await;
    let mut patient = server.browser();
    patient.sign_in("/login", "p@home.example").await;
    patient.get("/launch").await.expect(403);
    assert_eq!(server.browser().get("/launch").await.status(), 303);
    let token = patient.token("/account").await;
    let fields = [("form_token", token.as_str()), ("client", APP)];
    patient.post("/launch/start", &fields).await.expect(403);
}
