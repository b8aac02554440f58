//! update, update as create and version-aware update:
//! <https://hl7.org/fhir/R4/http.html#update>, #upsert, #concurrency.

use super::harness::{TestServer, observation, patient};
use serde_json::json;

#[tokio::test]
async fn an_update_is_200_with_the_next_version() {
    let server = TestServer::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let reply = server.update(patient().id(&id).family("Other")).await.expect(200);
    assert_eq!(reply.etag_version(), 2);
    assert_eq!(reply.body["meta"]["versionId"], "2");
    assert_eq!(reply.body["name"][0]["family"], "Other");
    assert_eq!(reply.header("location"), "", "a Location belongs to a create");
    assert_eq!(server.get(&format!("Patient/{id}")).await.bytes, reply.bytes);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn an_update_replaces_the_resource_as_a_whole() {
    let server = TestServer::start().await;
    server.update(patient().id("a").mrn("1")).await.expect(201);
    let reply = server.update(patient().id("a").without("gender")).await.expect(200);
    assert_eq!(reply.body["identifier"], json!(null));
    assert_eq!(reply.body["gender"], json!(null));
}

#[tokio::test]
async fn an_update_of_an_unknown_id_creates_it_with_201_and_location() {
    let server = TestServer::start().await;
    let reply = server.update(patient().id("a-B.9")).await.expect(201);
    let expected = format!("{}/Patient/a-B.9/_history/1", server.base());
    assert_eq!(reply.header("location"), expected);
    assert_eq!(reply.etag_version(), 1);
    assert_eq!(reply.id(), "a-B.9");
}

#[tokio::test]
async fn where_clients_may_not_choose_ids_an_update_of_an_unknown_id_is_405() {
    let server = TestServer::start_with(|settings| settings.update_creates = false).await;
    let reply = server.update(patient().id("a")).await.expect_outcome(405, "not-supported");
    let allow = reply.header("allow");
    assert!(!allow.trim_start().starts_with(','), "'{allow}' is a list of methods");
    assert!(allow.contains("GET") && !allow.contains("PUT"), "{allow}");
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_body_whose_id_is_not_that_of_the_url_is_400() {
    let server = TestServer::start().await;
    let reply = server.put("Patient/a", &patient().id("b").into()).await.expect(400);
    assert_eq!(reply.expressions(), ["Patient.id"]);
    let reply = server.put("Patient/a", &patient().into()).await.expect(400);
    assert_eq!(reply.expressions(), ["Patient.id"]);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_body_whose_type_is_not_that_of_the_url_is_400() {
    let server = TestServer::start().await;
    let reply = server.put("Observation/a", &patient().id("a").into()).await.expect(400);
    assert_eq!(reply.expressions(), ["resourceType"]);
}

#[tokio::test]
async fn an_update_with_the_current_version_in_if_match_is_done() {
    let server = TestServer::start().await;
    let etag = server.update(patient().id("a")).await.expect(201).header("etag").to_owned();
    let request = server.request("PUT", "Patient/a").header("If-Match", &etag);
    let reply = request.json(&patient().id("a").family("B").into()).send().await.expect(200);
    assert_eq!(reply.etag_version(), 2);
}

#[tokio::test]
async fn an_update_with_another_version_in_if_match_is_412_and_stores_nothing() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.update(patient().id("a").family("B")).await.expect(200);
    for tag in ["W/\"1\"", "\"1\"", "W/\"3\"", "W/\"x\""] {
        let request = server.request("PUT", "Patient/a").header("If-Match", tag);
        let reply = request.json(&patient().id("a").family("C").into()).send().await;
        reply.expect_outcome(412, "conflict");
    }
    let reply = server.get("Patient/a").await;
    assert_eq!((reply.etag_version(), &reply.body["name"][0]["family"]), (2, &json!("B")));
}

#[tokio::test]
async fn an_update_as_create_with_if_match_is_412() {
    let server = TestServer::start().await;
    for tag in ["W/\"1\"", "*"] {
        let request = server.request("PUT", "Patient/a").header("If-Match", tag);
        request.json(&patient().id("a").into()).send().await.expect_outcome(412, "conflict");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_no_op_update_with_a_stale_if_match_is_412_all_the_same() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let request = server.request("PUT", "Patient/a").header("If-Match", "W/\"9\"");
    request.json(&patient().id("a").into()).send().await.expect(412);
}

#[tokio::test]
async fn if_none_match_star_creates_and_never_replaces() {
    let server = TestServer::start().await;
    let put = |family: &str| {
        let request = server.request("PUT", "Patient/a").header("If-None-Match", "*");
        request.json(&patient().id("a").family(family).into()).send()
    };
    put("One").await.expect(201);
    put("Two").await.expect_outcome(412, "conflict");
    assert_eq!(server.get("Patient/a").await.body["name"][0]["family"], "One");
}

#[tokio::test]
async fn a_malformed_if_match_is_400() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let request = server.request("PUT", "Patient/a").header("If-Match", "1");
    request.json(&patient().id("a").into()).send().await.expect_outcome(400, "value");
}

#[tokio::test]
async fn an_update_that_changes_nothing_makes_no_version() {
    let server = TestServer::start().await;
    let first = server.update(patient().id("a").mrn("1")).await.expect(201);
    let again = server.update(patient().id("a").mrn("1")).await.expect(200);
    assert_eq!(again.etag_version(), 1);
    assert_eq!(again.header("last-modified"), first.header("last-modified"));
    // What was read may be sent back as it is.
    let read = server.get("Patient/a").await;
    let again = server.put("Patient/a", &read.body).await.expect(200);
    assert_eq!(again.etag_version(), 1);
    assert_eq!(again.bytes, read.bytes);
    server.get("Patient/a/_history/2").await.expect(404);
}

#[tokio::test]
async fn other_digits_of_a_decimal_are_a_change() {
    let server = TestServer::start().await;
    let of = |value: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"a","status":"final","code":{{"text":"x"}},
            "valueQuantity":{{"value":{value}}}}}"#
        )
    };
    let put = |value: &str| {
        let request = server.request("PUT", "Observation/a");
        request.body("application/fhir+json", of(value)).send()
    };
    put("1.1").await.expect(201);
    assert_eq!(put("1.1").await.expect(200).etag_version(), 1);
    let reply = put("1.10").await.expect(200);
    assert_eq!(reply.etag_version(), 2, "precision is meaning (datatypes.html#decimal)");
    assert!(reply.text().contains("\"value\":1.10}"), "{}", reply.text());
}

#[tokio::test]
async fn concurrent_updates_make_one_version_each() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let updates = (0..12).map(|n| server.update(patient().id("a").family(&format!("F{n}"))));
    let replies = futures_util::future::join_all(updates).await;
    let mut versions: Vec<u32> =
        replies.into_iter().map(|reply| reply.expect(200).etag_version()).collect();
    versions.sort();
    assert_eq!(versions, (2..=13).collect::<Vec<u32>>());
}

#[tokio::test]
async fn of_concurrent_updates_with_one_if_match_one_wins() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let updates = (0..12).map(|n| {
        let request = server.request("PUT", "Patient/a").header("If-Match", "W/\"1\"");
        request.json(&patient().id("a").family(&format!("F{n}")).into()).send()
    });
    let replies = futures_util::future::join_all(updates).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status()).collect();
    statuses.sort();
    assert_eq!(statuses, [vec![200], vec![412; 11]].concat());
}

#[tokio::test]
async fn last_updated_only_grows() {
    let server = TestServer::start().await;
    let mut last = String::new();
    for n in 0..5 {
        let reply = server.update(patient().id("a").family(&format!("F{n}"))).await;
        let updated = reply.body["meta"]["lastUpdated"].as_str().unwrap().to_owned();
        assert!(updated > last, "{updated} after {last}");
        last = updated;
    }
}

#[tokio::test]
async fn of_concurrent_updates_of_an_unknown_id_one_creates() {
    let server = TestServer::start().await;
    let updates = (0..12).map(|n| server.update(patient().id("a").family(&format!("F{n}"))));
    let replies = futures_util::future::join_all(updates).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status()).collect();
    statuses.sort();
    assert_eq!(statuses, [vec![200; 11], vec![201]].concat());
    assert_eq!(server.get("Patient/a").await.etag_version(), 12);
}

#[tokio::test]
async fn what_is_only_referred_to_is_not_there() {
    let server = TestServer::start().await;
    server.create(observation().subject("Patient/a")).await.expect(201);
    server.get("Patient/a").await.expect_outcome(404, "not-found");
    server.get("Patient/a/_history").await.expect_outcome(404, "not-found");
    server.delete("Patient/a").await.expect(204);
    server.get("Patient/a").await.expect_outcome(404, "not-found");
    server.patch("Patient/a", &json!([])).await.expect_outcome(404, "not-found");
    assert_eq!(server.count("Patient").await, 0);
    assert_eq!(server.update(patient().id("a")).await.expect(201).etag_version(), 1);
    let found = server.get("Observation?subject=Patient/a&_summary=count").await;
    assert_eq!(found.expect(200).body["total"], 1);
}

#[tokio::test]
async fn a_resource_may_refer_to_itself_and_to_thousands() {
    let server = TestServer::start().await;
    let member = |n: usize| json!({"entity": {"reference": format!("Patient/m{n}")}});
    let members: Vec<_> = (0..3_000).map(member).collect();
    let group = json!({"resourceType": "Group", "id": "g", "type": "person", "actual": true,
        "member": members,
        "extension": [{"url": "http://e.example", "valueReference": {"reference": "Group/g"}}]});
    server.put("Group/g", &group).await.expect(201);
    assert_eq!(server.put("Group/g", &group).await.expect(200).etag_version(), 1);
    let found = server.get("Group?member=Patient/m2999&_summary=count").await.expect(200);
    assert_eq!(found.body["total"], 1);
    let own = patient().id("p").with(
        "link",
        json!([{"other": {"reference": "Patient/p"},
        "type": "seealso"}]),
    );
    server.update(own).await.expect(201);
    assert_eq!(server.count("Patient").await, 1);
}
