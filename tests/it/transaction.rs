//! batch and transaction: <https://hl7.org/fhir/R4/http.html#transaction>.

use crate::harness::{Reply, TestServer, observation, patient};
use serde_json::{Value, json};

const MRN: &str = "http://hospital.example/mrn";

fn entry(method: &str, url: &str, resource: impl Into<Value>) -> Value {
    json!({"request": {"method": method, "url": url}, "resource": resource.into()})
}

fn without_body(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn with_url(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

async fn transaction(server: &TestServer, entries: Vec<Value>) -> Reply {
    server.post("", &bundle("transaction", entries)).await
}

async fn batch(server: &TestServer, entries: Vec<Value>) -> Reply {
    server.post("", &bundle("batch", entries)).await
}

fn status(reply: &Reply, index: usize) -> &str {
    reply.body["entry"][index]["response"]["status"].as_str().unwrap_or("none")
}

/// `Type/id` of an entry's location.
fn location(reply: &Reply, index: usize) -> String {
    let location = reply.body["entry"][index]["response"]["location"].as_str().unwrap();
    let path = location.split("/fhir/").nth(1).unwrap();
    path.split("/_history").next().unwrap().to_owned()
}

#[tokio::test]
async fn a_transaction_answers_every_entry_in_its_place() {
    let server = TestServer::start().await;
    server.update(patient().id("old")).await.expect(201);
    server.update(patient().id("gone")).await.expect(201);
    let reply = transaction(
        &server,
        vec![
            without_body("GET", "Patient/old"),
            entry("PUT", "Patient/old", patient().id("old").family("New")),
            entry("POST", "Patient", patient()),
            without_body("DELETE", "Patient/gone"),
            without_body("GET", "Patient?family=New"),
        ],
    )
    .await
    .expect(200);
    assert_eq!(reply.body["type"], "transaction-response");
    let statuses: Vec<&str> = (0..5).map(|index| status(&reply, index)).collect();
    assert_eq!(statuses, ["200 OK", "200 OK", "201 Created", "204 No Content", "200 OK"]);
    // Reads see the writes of their own transaction.
    assert_eq!(reply.body["entry"][0]["resource"]["name"][0]["family"], "New");
    assert_eq!(reply.body["entry"][4]["resource"]["total"], 1);
    assert_eq!(reply.body["entry"][1]["response"]["etag"], "W/\"2\"");
    server.get("Patient/gone").await.expect(410);
}

#[tokio::test]
async fn references_by_full_url_are_replaced_everywhere() {
    let server = TestServer::start().await;
    let urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    let xhtml = "http://www.w3.org/1999/xhtml";
    let div = format!("<div xmlns=\"{xhtml}\"><a href=\"{urn}\">who</a></div>");
    let about =
        observation().subject(urn).with("text", json!({"status": "generated", "div": div})).with(
            "extension",
            json!([
            {"url": "http://example.org/r", "valueReference": {"reference": urn}},
            {"url": "http://example.org/u", "valueUri": urn}]),
        );
    let reply = transaction(
        &server,
        vec![
            entry("POST", "Observation", about),
            with_url(urn, entry("POST", "Patient", patient())),
        ],
    )
    .await
    .expect(200);
    let who = location(&reply, 1);
    let stored = server.get(&location(&reply, 0)).await.expect(200);
    assert_eq!(stored.body["subject"]["reference"], who);
    assert_eq!(stored.body["extension"][0]["valueReference"]["reference"], who);
    assert_eq!(stored.body["extension"][1]["valueUri"], who);
    assert!(stored.body["text"]["div"].as_str().unwrap().contains(&format!("href=\"{who}\"")));
    let found = server.get(&format!("Observation?subject={who}")).await.expect(200);
    assert_eq!(found.body["total"], 1);
}

#[tokio::test]
async fn relative_references_are_read_from_the_base_of_the_full_url() {
    let server = TestServer::start().await;
    let there = "http://elsewhere.example/fhir";
    let reply = transaction(
        &server,
        vec![
            with_url(&format!("{there}/Patient/7"), entry("POST", "Patient", patient().id("7"))),
            with_url(
                &format!("{there}/Observation/8"),
                entry("POST", "Observation", observation().subject("Patient/7")),
            ),
        ],
    )
    .await
    .expect(200);
    let stored = server.get(&location(&reply, 1)).await.expect(200);
    assert_eq!(stored.body["subject"]["reference"], location(&reply, 0));
}

#[tokio::test]
async fn conditional_references_are_resolved_or_the_transaction_fails() {
    let server = TestServer::start().await;
    let existing = server.create(patient().mrn("1")).await.expect(201);
    let by = |value: &str| observation().subject(&format!("Patient?identifier={MRN}|{value}"));
    let reply = transaction(&server, vec![entry("POST", "Observation", by("1"))]).await;
    let stored = server.get(&location(&reply.expect(200), 0)).await.expect(200);
    assert_eq!(stored.body["subject"]["reference"], format!("Patient/{}", existing.id()));
    transaction(&server, vec![entry("POST", "Observation", by("2"))]).await.expect(412);
    server.create(patient().mrn("1")).await.expect(201);
    transaction(&server, vec![entry("POST", "Observation", by("1"))]).await.expect(412);
    assert_eq!(server.count("Observation").await, 1);
}

#[tokio::test]
async fn one_failing_entry_undoes_the_whole_transaction_and_is_named() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let mut guarded = entry("PUT", "Patient/a", patient().id("a").family("Changed"));
    guarded["request"]["ifMatch"] = json!("W/\"7\"");
    let reply =
        transaction(&server, vec![entry("POST", "Patient", patient()), guarded]).await.expect(412);
    assert_eq!(reply.body["issue"][0]["expression"][0], "Bundle.entry[1]");
    let invalid = patient().with("gender", "foo");
    let reply = transaction(
        &server,
        vec![entry("POST", "Patient", patient()), entry("POST", "Patient", invalid)],
    )
    .await
    .expect(400);
    let expression = reply.body["issue"][0]["expression"][0].as_str().unwrap();
    assert!(expression.starts_with("Bundle.entry[1].resource"), "{expression}");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_resource_may_be_written_once_in_a_transaction() {
    let server = TestServer::start().await;
    let twice =
        vec![entry("PUT", "Patient/a", patient().id("a")), without_body("DELETE", "Patient/a")];
    server.update(patient().id("a")).await.expect(201);
    transaction(&server, twice).await.expect(400);
    let same_url = vec![
        with_url(
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            entry("POST", "Patient", patient()),
        ),
        with_url(
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            entry("POST", "Patient", patient()),
        ),
    ];
    transaction(&server, same_url).await.expect(400);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn conditional_entries_find_or_make_one_resource() {
    let server = TestServer::start().await;
    let mut create = entry("POST", "Patient", patient().mrn("9"));
    create["request"]["ifNoneExist"] = json!(format!("identifier={MRN}|9"));
    let first = transaction(&server, vec![create.clone()]).await.expect(200);
    assert_eq!(status(&first, 0), "201 Created");
    let second = transaction(&server, vec![create.clone()]).await.expect(200);
    assert_eq!(status(&second, 0), "200 OK");
    assert_eq!(location(&first, 0), location(&second, 0));
    transaction(&server, vec![create.clone(), create]).await.expect(412);
    let update =
        entry("PUT", &format!("Patient?identifier={MRN}|9"), patient().mrn("9").family("B"));
    let third = transaction(&server, vec![update]).await.expect(200);
    assert_eq!(location(&third, 0), location(&first, 0));
    let delete = without_body("DELETE", &format!("Patient?identifier={MRN}|9"));
    transaction(&server, vec![delete]).await.expect(200);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_patch_in_a_bundle_is_parameters_or_a_binary() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.update(patient().id("b")).await.expect(201);
    let json_patch = r#"[{"op":"replace","path":"/gender","value":"male"}]"#;
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD.encode(json_patch);
    let binary = json!({"resourceType": "Binary",
        "contentType": "application/json-patch+json", "data": data});
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "operation",
        "part": [{"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Patient.gender"},
            {"name": "value", "valueCode": "other"}]}]});
    transaction(
        &server,
        vec![entry("PATCH", "Patient/a", binary), entry("PATCH", "Patient/b", parameters)],
    )
    .await
    .expect(200);
    assert_eq!(server.get("Patient/a").await.body["gender"], "male");
    assert_eq!(server.get("Patient/b").await.body["gender"], "other");
}

#[tokio::test]
async fn entries_of_a_batch_stand_for_themselves() {
    let server = TestServer::start().await;
    let reply = batch(
        &server,
        vec![
            entry("POST", "Patient", patient()),
            entry("POST", "Patient", patient().with("gender", "foo")),
            without_body("GET", "Patient/unknown"),
            without_body("GET", "Patient?_summary=count"),
        ],
    )
    .await
    .expect(200);
    assert_eq!(reply.body["type"], "batch-response");
    assert_eq!(status(&reply, 0), "201 Created");
    assert_eq!(status(&reply, 1), "400 Bad Request");
    assert_eq!(
        reply.body["entry"][1]["response"]["outcome"]["issue"][0]["expression"][0],
        "Patient.gender"
    );
    assert_eq!(status(&reply, 2), "404 Not Found");
    assert_eq!(status(&reply, 3), "200 OK");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn an_entry_without_a_request_is_refused() {
    let server = TestServer::start().await;
    let entry = json!({"resource": Value::from(patient())});
    let reply = transaction(&server, vec![entry]).await.expect(400);
    assert_eq!(reply.body["issue"][0]["expression"][0], "Bundle.entry[0].request");
    let unknown = json!({"request": {"method": "POST", "url": "Patient", "uri": "x"},
        "resource": Value::from(patient())});
    batch(&server, vec![unknown]).await.expect(400);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn prefer_representation_returns_the_resources_of_a_transaction() {
    let server = TestServer::start().await;
    let body = bundle("transaction", vec![entry("POST", "Patient", patient().family("Shown"))]);
    let ask = |prefer: &'static str| {
        let request = server.request("POST", "").header("Prefer", prefer);
        let body = body.clone();
        async move { request.json(&body).send().await.expect(200) }
    };
    let shown = ask("return=representation").await;
    assert_eq!(shown.body["entry"][0]["resource"]["name"][0]["family"], "Shown");
    let told = ask("return=OperationOutcome").await;
    assert_eq!(told.body["entry"][0]["response"]["outcome"]["resourceType"], "OperationOutcome");
    let minimal = ask("return=minimal").await;
    assert!(minimal.body["entry"][0].get("resource").is_none());
}

#[tokio::test]
async fn a_bundle_over_the_limit_of_entries_is_refused_whole() {
    let server = TestServer::start_with(|settings| settings.limits.bundle_entries = 2).await;
    let entries = || (0..3).map(|_| entry("POST", "Patient", patient())).collect::<Vec<_>>();
    transaction(&server, entries()).await.expect(413);
    batch(&server, entries()).await.expect(413);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_transaction_of_a_thousand_entries_is_stored_and_found() {
    let server = TestServer::start().await;
    let urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    let mut entries = vec![with_url(urn, entry("POST", "Patient", patient()))];
    entries.extend((0..999).map(|_| entry("POST", "Observation", observation().subject(urn))));
    let reply = transaction(&server, entries).await.expect(200);
    let who = location(&reply, 0);
    let found = server.get(&format!("Observation?patient={who}&_summary=count")).await;
    assert_eq!(found.body["total"], 999);
}

#[tokio::test]
async fn a_client_id_adopts_the_references_that_came_before_it() {
    let server = TestServer::start().await;
    server.create(observation().subject("Patient/later")).await.expect(201);
    server.update(patient().id("later").family("Late")).await.expect(201);
    let found = server.get("Observation?subject=Patient/later").await.expect(200);
    assert_eq!(found.body["total"], 1);
    // The same inside one transaction, whatever the order of the entries.
    transaction(
        &server,
        vec![
            entry("POST", "Observation", observation().subject("Patient/both")),
            entry("PUT", "Patient/both", patient().id("both")),
        ],
    )
    .await
    .expect(200);
    let found = server.get("Observation?subject=Patient/both").await.expect(200);
    assert_eq!(found.body["total"], 1);
}
