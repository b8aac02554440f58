//! Further context of a standalone launch (SMART App Launch 2.2, `fhirContext`; Inferno,
//! `validate_fhir_context_stu2_2`).

use crate::harness::people::{APP, Browser, form_token, parameter};
use crate::harness::{TestServer, observation, patient};
use bhn_fhir::access::Role;
use serde_json::json;
use url::Url;

const AMINA: &str = "amina@home.example";
const ROLE: &str = "https://example.org/role/growth";
const SCOPE: &str = "openid launch/patient launch/observation \
     launch/questionnaire?role=https%3A%2F%2Fexample.org%2Frole%2Fgrowth patient/Observation.rs";

async fn start() -> (TestServer, Browser) {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let sql = "update client set scopes = scopes || ' launch/observation launch/questionnaire'";
    sqlx::query(sql).execute(&mut server.database.connect().await).await.unwrap();
    for id in ["amina", "other"] {
        server.update(patient().id(id)).await.expect(201);
        let subject = format!("Patient/{id}");
        server.update(observation().id(&format!("of-{id}")).subject(&subject)).await.expect(201);
    }
    let questionnaire = json!({"resourceType": "Questionnaire", "id": "growth", "status": "active",
        "title": "Growth"});
    server.update(questionnaire).await.expect(201);
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    (server, browser)
}

/// Sends the form of the page with these fields and those that are hidden in it.
async fn pick(browser: &mut Browser, at: &str, field: (&str, &str)) -> String {
    let page = browser.get(at).await.expect(200);
    let scope = page.text().split("name=\"context\" value=\"").nth(1).unwrap();
    let scope = scope.split('"').next().unwrap().to_owned();
    let token = form_token(&page);
    let fields = [("form_token", token.as_str()), ("context", &scope), field];
    let reply = browser.post(at, &fields).await;
    browser.follow(reply).await.0
}

#[tokio::test]
async fn inferno_fhir_context_has_what_the_person_picked_with_its_role() {
    let (server, mut browser) = start().await;
    let (at, page) = browser.open(&server.authorize_path(&[("scope", SCOPE)])).await;
    assert!(at.starts_with("/pick-context"), "{at}");
    assert!(page.text().contains("of-amina") && !page.text().contains("of-other"));
    // What is not listed is not taken.
    let reply = pick(&mut browser, &at, ("resource", "of-other")).await;
    assert_eq!(reply, "", "the page again");
    let at = pick(&mut browser, &at, ("resource", "of-amina")).await;
    let page = browser.get(&at).await.expect(200);
    assert!(page.text().contains("Growth") && page.text().contains(ROLE), "{}", page.text());
    let at = pick(&mut browser, &at, ("resource", "growth")).await;
    assert!(at.starts_with("/consent"), "{at}");
    let url = browser.allow(&at).await;
    let given = server.redeemed(&url).await;
    let expected = json!([
        {"reference": "Observation/of-amina"},
        {"reference": "Questionnaire/growth", "role": ROLE}
    ]);
    assert_eq!(given["fhirContext"], expected);
    assert_eq!(given["patient"], "amina");
    assert!(given["scope"].as_str().unwrap().contains("launch/observation"), "{given}");
}

#[tokio::test]
async fn what_is_left_out_is_not_granted() {
    let (server, mut browser) = start().await;
    let (at, _) = browser.open(&server.authorize_path(&[("scope", SCOPE)])).await;
    let at = pick(&mut browser, &at, ("without", "yes")).await;
    let at = pick(&mut browser, &at, ("resource", "growth")).await;
    let given = server.redeemed(&browser.allow(&at).await).await;
    assert_eq!(given["fhirContext"].as_array().map(Vec::len), Some(1), "{given}");
    assert!(!given["scope"].as_str().unwrap().contains("launch/observation"), "{given}");
}

#[tokio::test]
async fn a_context_that_the_client_is_not_registered_for_is_not_asked_for() {
    let (server, mut browser) = start().await;
    let scope = "openid launch/patient launch/encounter?role=urn:x launch/device launch/nothing \
                 patient/Observation.rs";
    let (at, _) = browser.open(&server.authorize_path(&[("scope", scope)])).await;
    assert!(at.starts_with("/consent"), "{at}");
    let given = server.redeemed(&browser.allow(&at).await).await;
    assert!(given.get("fhirContext").is_none(), "{given}");
    let asked: Vec<String> =
        "abcdef".chars().map(|role| format!("launch/observation?role=urn:x:{role}")).collect();
    let asked = asked.join(" ");
    let (at, _) = browser.open(&server.authorize_path(&[("scope", &asked)])).await;
    let error = parameter(&Url::parse(&at).unwrap(), "error");
    assert_eq!(error.as_deref(), Some("invalid_scope"), "each is a page");
}
