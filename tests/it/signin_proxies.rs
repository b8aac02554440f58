//! Who acts for others picks whose record it is about, and loses it with the relation (SECURITY
//! 2.1, `patient` context; 2.2, Proxy).

use crate::harness::people::{APP, REDIRECT, parameter, ticked};
use crate::harness::{TestServer, VERIFIER, patient};
use bhn_fhir::access::Role;
use serde_json::{Value, json};

const MOTHER: &str = "mother@home.example";
const VERIFIED: &str =
    "https://birthhealthnetwork.org/fhir/StructureDefinition/verified-legal-relationship";

/// The mother is proxy of the newborn, as the hospital says.
fn relation(id: &str, child: &str, is_active: bool) -> Value {
    json!({"resourceType": "RelatedPerson", "id": id, "active": is_active,
        "patient": {"reference": format!("Patient/{child}")},
        "extension": [{"url": VERIFIED, "valueReference": {"reference": "Patient/mother"}}]})
}

async fn family() -> TestServer {
    let server = TestServer::start_with_pages(|_| {}).await;
    for id in ["mother", "newborn", "stranger"] {
        let name = json!([{"given": [id], "family": "Example"}]);
        let one = patient().id(id).with("name", name).without("birthDate");
        server.update(one).await.expect(201);
    }
    server.update(relation("r", "newborn", true)).await.expect(201);
    server.register_app(APP, false).await;
    let account = server.account(MOTHER, Role::Patient).await;
    server.link_account(&account, "Patient/mother").await;
    server
}

#[tokio::test]
async fn a_proxy_picks_the_own_record_or_that_of_the_newborn_and_no_other() {
    let server = family().await;
    let mut browser = server.browser();
    let (login, _) = browser.open(&server.authorize_path(&[])).await;
    let (at, page) = browser.sign_in(&login, MOTHER).await;
    assert!(at.starts_with("/pick-patient"), "{at}");
    for (id, is_there) in [("mother", true), ("newborn", true), ("stranger", false)] {
        let choice = format!("name=\"patient\" value=\"{id}\"");
        assert_eq!(page.text().contains(&choice), is_there, "{id}: {}", page.text());
        let name = format!("{id} Example");
        assert_eq!(page.text().contains(&name), is_there, "{id}: {}", page.text());
    }
    browser.submit(&at, &[("patient", "stranger")]).await.expect(200);
    let reply = browser.submit(&at, &[("patient", "newborn")]).await;
    let (at, _) = browser.follow(reply).await;
    let url = browser.allow(&at).await;
    let answer = token(&server, &parameter(&url, "code").unwrap()).await;
    assert_eq!(answer["patient"], "newborn", "{answer}");
}

#[tokio::test]
async fn a_relation_that_ends_ends_the_context_at_the_next_request() {
    let server = family().await;
    let mut browser = server.browser();
    let (login, _) = browser.open(&server.authorize_path(&[])).await;
    let (at, _) = browser.sign_in(&login, MOTHER).await;
    browser.submit(&at, &[("patient", "newborn")]).await.expect(303);
    let consent = at.replace("/pick-patient", "/consent");
    let page = browser.get(&consent).await.expect(200);
    server.update(relation("r", "newborn", false)).await.expect(200);
    // What was picked before does not come back.
    let ticked = ticked(page.text());
    let token_of_form = crate::harness::people::form_token(&page);
    let mut fields = vec![("form_token", token_of_form.as_str()), ("allow", "yes")];
    fields.extend(ticked.iter().map(|scope| ("scope", scope.as_str())));
    let reply = browser.post(&consent, &fields).await;
    let (at, page) = browser.follow(reply).await;
    assert!(at.starts_with("/consent"), "only the own record is left, and is taken: {at}");
    assert_eq!(page.status(), 200);
    let url = browser.allow(&at).await;
    let answer = token(&server, &parameter(&url, "code").unwrap()).await;
    assert_eq!(answer["patient"], "mother", "{answer}");
}

/// The code of the person, redeemed.
async fn token(server: &TestServer, code: &str) -> Value {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("client_id", APP),
        ("code_verifier", VERIFIER),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/oauth/token", server.issuer())).body(body);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let reply = request.send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}
