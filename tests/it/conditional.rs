//! Conditional create, update, patch and delete:
//! <https://hl7.org/fhir/R4/http.html#ccreate>, #cond-update, #cdelete, #patch.

use super::harness::{MRN, Reply, TestServer, patient};
use serde_json::{Value, json};

async fn if_none_exist(server: &TestServer, criteria: &str) -> Reply {
    server.create_if_none_exist(patient().mrn("1"), criteria).await
}

async fn put(server: &TestServer, query: &str, family: &str) -> Reply {
    let resource = patient().mrn("1").family(family).into();
    server.put(&format!("Patient?{query}"), &resource).await
}

#[tokio::test]
async fn a_conditional_create_without_a_match_is_201() {
    let server = TestServer::start().await;
    let reply = if_none_exist(&server, "identifier=1").await.expect(201);
    assert!(!reply.header("location").is_empty());
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_conditional_create_with_one_match_is_200_and_stores_nothing() {
    let server = TestServer::start().await;
    let id = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    for criteria in [
        "identifier=1".to_owned(),
        format!("identifier={MRN}|1"),
        "?identifier=1".to_owned(),
        "Patient?identifier=1&gender=female".to_owned(),
    ] {
        let reply = if_none_exist(&server, &criteria).await.expect(200);
        assert_eq!((reply.id(), reply.etag_version()), (id.as_str(), 1), "{criteria}");
    }
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_conditional_create_with_several_matches_is_412() {
    let server = TestServer::start().await;
    server.create(patient().mrn("1")).await.expect(201);
    server.create(patient().mrn("1")).await.expect(201);
    if_none_exist(&server, "identifier=1").await.expect_outcome(412, "multiple-matches");
    assert_eq!(server.count("Patient").await, 2);
}

#[tokio::test]
async fn a_deleted_resource_is_no_match() {
    let server = TestServer::start().await;
    let id = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    server.delete(&format!("Patient/{id}")).await.expect(204);
    if_none_exist(&server, "identifier=1").await.expect(201);
}

#[tokio::test]
async fn criteria_that_select_everything_are_refused() {
    let server = TestServer::start().await;
    server.create(patient()).await.expect(201);
    for criteria in ["", "?", "identifier=", "_sort=_id", "_count=1", "_format=json", "&&"] {
        let reply = if_none_exist(&server, criteria).await;
        assert!(matches!(reply.status(), 400 | 412), "'{criteria}': {reply:?}");
        for reply in [
            put(&server, criteria, "x").await,
            server.delete(&format!("Patient?{criteria}")).await,
            server.patch(&format!("Patient?{criteria}"), &json!([])).await,
        ] {
            assert!(matches!(reply.status(), 400 | 412), "'{criteria}': {reply:?}");
            assert_eq!(reply.body["resourceType"], "OperationOutcome", "{criteria}");
        }
    }
    server.delete("Patient").await.expect(412);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn unknown_parameters_in_criteria_are_refused_even_if_handling_is_lenient() {
    let server = TestServer::start().await;
    server.create(patient().mrn("1")).await.expect(201);
    let request = server.request("DELETE", "Patient?gender=female&identfier=1");
    request.header("Prefer", "handling=lenient").send().await.expect(400);
    let request = server.request("POST", "Patient").header("If-None-Exist", "identfier=1");
    let request = request.header("Prefer", "handling=lenient");
    request.json(&patient().into()).send().await.expect(400);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn if_none_exist_is_for_creates_alone() {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Patient/a").header("If-None-Exist", "identifier=1");
    request.json(&patient().id("a").into()).send().await.expect_outcome(400, "invalid");
}

#[tokio::test]
async fn of_concurrent_conditional_creates_one_creates() {
    let server = TestServer::start().await;
    let create = |n: usize| {
        let criteria = ["identifier=1&gender=female", "gender=female&identifier=1"][n % 2];
        if_none_exist(&server, criteria)
    };
    let replies = futures_util::future::join_all((0..16).map(create)).await;
    let mut statuses: Vec<u16> = replies.iter().map(Reply::status).collect();
    statuses.sort();
    assert_eq!(statuses, [vec![200; 15], vec![201]].concat());
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_conditional_update_without_a_match_creates() {
    let server = TestServer::start().await;
    let reply = put(&server, "identifier=1", "New").await.expect(201);
    assert!(reply.header("location").ends_with("/_history/1"));
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_conditional_update_without_a_match_creates_under_the_id_of_the_body() {
    let server = TestServer::start().await;
    let resource = patient().mrn("1").id("mine").into();
    server.put("Patient?identifier=1", &resource).await.expect(201);
    server.get("Patient/mine").await.expect(200);
}

/// Resources `mine`, and `other` with the identifier 1.
async fn with_two() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("mine").family("Kept")).await.expect(201);
    server.update(patient().id("other").mrn("1").family("Other")).await.expect(201);
    server
}

#[tokio::test]
async fn a_conditional_update_without_a_match_does_not_overwrite_the_id_of_its_body() {
    let server = with_two().await;
    let resource = patient().mrn("2").id("mine").family("New").into();
    let refused = server.put("Patient?identifier=2", &resource).await;
    let refused = refused.expect_outcome(409, "conflict");
    assert_eq!(refused.expressions(), ["Patient.id"]);
    let said = refused.body["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(said.contains("Patient/mine"), "{said}");
    let mine = server.get("Patient/mine").await;
    assert_eq!((mine.etag_version(), &mine.body["name"][0]["family"]), (1, &json!("Kept")));
}

#[tokio::test]
async fn a_conditional_update_without_a_match_brings_the_deleted_id_of_its_body_back() {
    let server = with_two().await;
    server.delete("Patient/mine").await.expect(204);
    let resource = patient().mrn("2").id("mine").into();
    let reply = server.put("Patient?identifier=2", &resource).await.expect(201);
    assert_eq!(reply.etag_version(), 3);
}

#[tokio::test]
async fn entries_of_bundles_obey_the_id_of_a_conditional_update_too() {
    let server = with_two().await;
    let entry = |criteria: &str| {
        json!({"resource": Value::from(patient().mrn("3").id("mine").family("New")),
            "request": {"method": "PUT", "url": format!("Patient?identifier={criteria}")}})
    };
    for (criteria, status, code) in [("2", 409, "conflict"), ("1", 400, "value")] {
        let id = format!("new-{criteria}");
        let bundle = |kind: &str| {
            let other = json!({"resource": Value::from(patient().id(&id)),
                "request": {"method": "PUT", "url": format!("Patient/{id}")}});
            json!({"resourceType": "Bundle", "type": kind, "entry": [other, entry(criteria)]})
        };
        let refused = server.post("", &bundle("transaction")).await.expect_outcome(status, code);
        assert_eq!(refused.expressions(), ["Bundle.entry[1].resource.id"]);
        server.get(&format!("Patient/{id}")).await.expect(404);
        let reply = server.post("", &bundle("batch")).await.expect(200);
        let response = &reply.body["entry"][1]["response"];
        assert!(response["status"].as_str().unwrap().starts_with(&status.to_string()));
        assert_eq!(response["outcome"]["issue"][0]["expression"], json!(["Patient.id"]));
        let mine = server.get("Patient/mine").await;
        assert_eq!((mine.etag_version(), &mine.body["name"][0]["family"]), (1, &json!("Kept")));
    }
}

#[tokio::test]
async fn of_concurrent_conditional_updates_under_one_id_none_conflicts() {
    let server = TestServer::start().await;
    let update = async |number: usize| {
        let family = format!("F{number}");
        let resource = patient().mrn("1").id("mine").family(&family).into();
        server.put("Patient?identifier=1", &resource).await.status()
    };
    let mut statuses = futures_util::future::join_all((0..8).map(update)).await;
    statuses.sort();
    assert_eq!(statuses, [vec![200; 7], vec![201]].concat());
    assert_eq!(server.get("Patient/mine").await.etag_version(), 8);
}

#[tokio::test]
async fn a_conditional_update_with_one_match_updates_it() {
    let server = TestServer::start().await;
    let id = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    let reply = put(&server, "identifier=1", "New").await.expect(200);
    assert_eq!((reply.id(), reply.etag_version()), (id.as_str(), 2));
    let again = put(&server, "identifier=1", "New").await.expect(200);
    assert_eq!(again.etag_version(), 2, "the same content makes no version");
}

#[tokio::test]
async fn a_conditional_update_with_one_match_of_another_id_is_400() {
    let server = TestServer::start().await;
    server.create(patient().mrn("1")).await.expect(201);
    let resource = patient().mrn("1").id("other").into();
    let reply = server.put("Patient?identifier=1", &resource).await.expect(400);
    assert_eq!(reply.expressions(), ["Patient.id"]);
    server.get("Patient/other").await.expect(404);
}

#[tokio::test]
async fn a_conditional_update_with_several_matches_is_412() {
    let server = TestServer::start().await;
    server.create(patient().mrn("1")).await.expect(201);
    server.create(patient().mrn("1")).await.expect(201);
    put(&server, "identifier=1", "x").await.expect_outcome(412, "multiple-matches");
}

#[tokio::test]
async fn of_concurrent_conditional_updates_one_creates() {
    let server = TestServer::start().await;
    let families: Vec<String> = (0..8).map(|n| format!("F{n}")).collect();
    let updates = families.iter().map(|family| put(&server, "identifier=1", family));
    let replies = futures_util::future::join_all(updates).await;
    let created = replies.iter().filter(|reply| reply.status() == 201).count();
    let updated = replies.iter().filter(|reply| reply.status() == 200).count();
    assert_eq!((created, updated), (1, 7));
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_conditional_patch_needs_exactly_one_match() {
    let server = TestServer::start().await;
    let operations = json!([{"op": "replace", "path": "/active", "value": false}]);
    let path = "Patient?identifier=1";
    server.patch(path, &operations).await.expect_outcome(404, "not-found");
    server.create(patient().mrn("1")).await.expect(201);
    let reply = server.patch(path, &operations).await.expect(200);
    assert_eq!((reply.etag_version(), &reply.body["active"]), (2, &json!(false)));
    server.create(patient().mrn("1")).await.expect(201);
    server.patch(path, &operations).await.expect_outcome(412, "multiple-matches");
}

#[tokio::test]
async fn a_conditional_delete_deletes_every_match_and_nothing_else() {
    let server = TestServer::start().await;
    server.delete("Patient?identifier=1").await.expect(204);
    for id in ["a", "b", "c"] {
        server.update(patient().id(id).mrn("1")).await.expect(201);
    }
    server.update(patient().id("d").mrn("2")).await.expect(201);
    server.delete("Patient?identifier=1").await.expect(204);
    for id in ["a", "b", "c"] {
        assert_eq!(server.get(&format!("Patient/{id}")).await.expect(410).etag_version(), 2);
    }
    server.get("Patient/d").await.expect(200);
}

#[tokio::test]
async fn a_conditional_delete_of_more_than_the_limit_deletes_nothing() {
    let change = |settings: &mut bhn_fhir::config::Settings| settings.limits.conditional_delete = 2;
    let server = TestServer::start_with(change).await;
    for id in ["a", "b", "c"] {
        server.update(patient().id(id).mrn("1")).await.expect(201);
    }
    server.delete("Patient?identifier=1").await.expect(412);
    assert_eq!(server.count("Patient").await, 3);
    server.delete("Patient/a").await.expect(204);
    server.delete("Patient?identifier=1").await.expect(204);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_malformed_value_in_criteria_is_400() {
    let server = TestServer::start().await;
    server.delete("Patient?birthdate=yesterday").await.expect(400);
    if_none_exist(&server, "birthdate=yesterday").await.expect(400);
}

#[tokio::test]
async fn a_client_that_gave_criteria_learns_which_resource_it_was() {
    let server = TestServer::start().await;
    let id = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    let place = |version: u32| format!("{}/Patient/{id}/_history/{version}", server.base());
    let minimal =
        |method: &str, path: &str| server.request(method, path).header("Prefer", "return=minimal");
    let create = minimal("POST", "Patient").header("If-None-Exist", "identifier=1");
    let reply = create.json(&patient().mrn("1").into()).send().await.expect(200);
    assert_eq!(reply.header("location"), place(1));
    let update = minimal("PUT", "Patient?identifier=1");
    let reply = update.json(&patient().mrn("1").family("New").into()).send().await.expect(200);
    assert_eq!(reply.header("location"), place(2));
    let operations = json!([{"op": "add", "path": "/active", "value": false}]).to_string();
    let patch = minimal("PATCH", "Patient?identifier=1");
    let patch = patch.body("application/json-patch+json", operations);
    assert_eq!(patch.send().await.expect(200).header("location"), place(3));
}
