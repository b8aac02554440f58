//! `$meta`, `$meta-add` and `$meta-delete`:
//! <https://hl7.org/fhir/R4/resource-operation-meta.html>, -meta-add and -meta-delete.

use super::harness::{Reply, TestServer, observation, patient};
use serde_json::{Value, json};

const TAGS: &str = "http://tags.example";

fn tag(code: &str) -> Value {
    json!({"system": TAGS, "code": code})
}

fn parameters(meta: Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})
}

async fn post(server: &TestServer, path: &str, meta: Value) -> Reply {
    server.post(path, &parameters(meta)).await
}

/// The out parameter `return`.
#[track_caller]
fn returned(reply: &Reply) -> &Value {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.body["resourceType"], "Parameters", "{}", reply.body);
    assert_eq!(reply.body["parameter"][0]["name"], "return", "{}", reply.body);
    assert_eq!(reply.body["parameter"].as_array().map(Vec::len), Some(1), "{}", reply.body);
    &reply.body["parameter"][0]["valueMeta"]
}

/// A Patient `p` with a profile, a label and a tag.
async fn with_patient() -> TestServer {
    let server = TestServer::start().await;
    let meta = json!({"profile": ["http://profile.example/1"], "tag": [tag("a")],
        "security": [{"system": "http://labels.example", "code": "R"}]});
    server.update(patient().id("p").with("meta", meta)).await.expect(201);
    server
}

#[tokio::test]
async fn meta_of_an_instance_is_that_of_its_current_version() {
    let server = with_patient().await;
    let read = server.get("Patient/p").await.body["meta"].clone();
    assert_eq!(returned(&server.get("Patient/p/$meta").await), &read);
    assert_eq!(
        returned(&server.post("Patient/p/$meta", &json!({"resourceType": "Parameters"})).await),
        &read
    );
    assert_eq!(returned(&server.request("POST", "Patient/p/$meta").send().await), &read);
    let head = server.request("HEAD", "Patient/p/$meta").send().await.expect(200);
    assert!(head.bytes.is_empty());
    let xml = server.get("Patient/p/$meta?_format=xml").await.expect(200);
    assert!(xml.text().contains("<valueMeta>"), "{}", xml.text());
}

#[tokio::test]
async fn meta_of_a_version_is_what_it_was_then() {
    let server = with_patient().await;
    let first = server.get("Patient/p").await.body["meta"].clone();
    post(&server, "Patient/p/$meta-add", json!({"tag": [tag("b")]})).await.expect(200);
    assert_eq!(returned(&server.get("Patient/p/_history/1/$meta").await), &first);
    let second = server.get("Patient/p/_history/2/$meta").await;
    assert_eq!(returned(&second)["tag"], json!([tag("a"), tag("b")]));
    server.get("Patient/p/_history/3/$meta").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn meta_of_a_type_or_the_system_is_what_live_resources_have() {
    let server = with_patient().await;
    let named = json!({"tag": [{"system": TAGS, "code": "b", "display": "Bee"}, {"code": "c"}],
        "profile": ["http://profile.example/1", "http://profile.example/0"]});
    server.create(observation().with("meta", named)).await.expect(201);
    let gone = json!({"tag": [tag("gone")], "profile": ["http://profile.example/gone"],
        "security": [{"code": "gone"}]});
    server.update(patient().id("q").with("meta", gone)).await.expect(201);
    server.delete("Patient/q").await.expect(204);
    let of_patients = server.get("Patient/$meta").await;
    let expected = json!({"profile": ["http://profile.example/1"],
        "security": [{"system": "http://labels.example", "code": "R"}], "tag": [tag("a")]});
    assert_eq!(returned(&of_patients), &expected);
    let of_all = server.get("$meta").await;
    let expected = json!({"profile": ["http://profile.example/0", "http://profile.example/1"],
        "security": [{"system": "http://labels.example", "code": "R"}],
        "tag": [{"code": "c"}, tag("a"), tag("b")]});
    assert_eq!(returned(&of_all), &expected);
    let none = server.get("Basic/$meta").await;
    assert_eq!(returned(&none)["tag"], Value::Null);
    assert_eq!(returned(&none)["extension"][0]["valueCode"], "not-applicable");
}

#[tokio::test]
async fn meta_add_makes_a_version_with_what_was_not_there() {
    let server = with_patient().await;
    let meta = json!({
        "profile": ["http://profile.example/1", "http://profile.example/2"],
        "security": [{"system": "http://labels.example", "code": "V", "display": "Very"}],
        "tag": [{"system": TAGS, "code": "a", "display": "other", "version": "2"}, tag("b"),
            tag("b")],
        "versionId": "77", "source": "http://elsewhere.example"
    });
    let reply = post(&server, "Patient/p/$meta-add", meta).await;
    let read = server.get("Patient/p").await;
    assert_eq!(read.etag_version(), 2);
    assert_eq!(returned(&reply), &read.body["meta"]);
    let meta = &read.body["meta"];
    let profiles = json!(["http://profile.example/1", "http://profile.example/2"]);
    assert_eq!(meta["profile"], profiles);
    assert_eq!(meta["tag"], json!([tag("a"), tag("b")]));
    assert_eq!(meta["security"][1]["display"], "Very");
    assert_eq!(meta["source"], Value::Null);
    assert_eq!(read.body["name"][0]["given"][0], "Amina", "all else is as it was");
    assert_eq!(server.get(&format!("Patient?_tag={TAGS}|b")).await.body["total"], 1);
}

#[tokio::test]
async fn meta_add_of_what_is_there_makes_no_version() {
    let server = with_patient().await;
    for meta in [json!({"tag": [tag("a")]}), json!({"versionId": "9"})] {
        let reply = post(&server, "Patient/p/$meta-add", meta).await;
        assert_eq!(returned(&reply)["versionId"], "1");
    }
    assert_eq!(server.get("Patient/p").await.etag_version(), 1);
}

#[tokio::test]
async fn meta_delete_makes_a_version_without_what_was_there() {
    let server = with_patient().await;
    let meta = json!({
        "profile": ["http://profile.example/1", "http://profile.example/unknown"],
        "tag": [{"system": TAGS, "code": "a", "display": "not compared", "userSelected": true}]
    });
    let reply = post(&server, "Patient/p/$meta-delete", meta).await;
    let after = returned(&reply);
    assert_eq!((&after["versionId"], &after["tag"]), (&json!("2"), &Value::Null));
    assert_eq!(after["profile"], Value::Null);
    assert_eq!(after["security"][0]["code"], "R");
    assert_eq!(server.get("Patient/p/_history/1").await.body["meta"]["tag"], json!([tag("a")]));
    server.update(patient().id("p")).await.expect(200);
    assert_eq!(server.get("Patient/p").await.body["meta"]["tag"], Value::Null);
}

#[tokio::test]
async fn meta_delete_of_what_is_not_there_is_no_error_and_makes_no_version() {
    let server = with_patient().await;
    let other_system = json!({"tag": [{"system": "http://other.example", "code": "a"},
        {"code": "a"}], "profile": ["http://profile.example/unknown"]});
    let reply = post(&server, "Patient/p/$meta-delete", other_system).await;
    assert_eq!(returned(&reply)["versionId"], "1");
    assert_eq!(server.get("Patient/p").await.etag_version(), 1);
}

#[tokio::test]
async fn extensions_of_profiles_stay_with_their_profiles() {
    let server = TestServer::start().await;
    let extended = |value: &str| {
        json!({"extension": [{"url": "http://x.example",
        "valueString": value}]})
    };
    let meta = json!({"profile": ["http://p.example/1", "http://p.example/2"],
        "_profile": [extended("one"), extended("two")]});
    server.update(patient().id("p").with("meta", meta)).await.expect(201);
    let first = json!({"profile": ["http://p.example/1"]});
    let reply = post(&server, "Patient/p/$meta-delete", first.clone()).await;
    assert_eq!(returned(&reply)["_profile"], json!([extended("two")]));
    let reply = post(&server, "Patient/p/$meta-add", first).await;
    let meta = returned(&reply);
    assert_eq!(meta["profile"], json!(["http://p.example/2", "http://p.example/1"]));
    assert_eq!(meta["_profile"], json!([extended("two"), null]));
}

#[tokio::test]
async fn what_is_not_there_has_no_meta() {
    let server = with_patient().await;
    server.delete("Patient/p").await.expect(204);
    let add = json!({"tag": [tag("b")]});
    server.get("Patient/p/$meta").await.expect_outcome(410, "deleted");
    post(&server, "Patient/p/$meta-add", add.clone()).await.expect_outcome(410, "deleted");
    server.get("Patient/none/$meta").await.expect_outcome(404, "not-found");
    post(&server, "Patient/none/$meta-add", add).await.expect_outcome(404, "not-found");
    server.get("Patient/none").await.expect(404);
}

#[tokio::test]
async fn an_operation_elsewhere_or_by_another_method_is_refused() {
    let server = with_patient().await;
    for path in ["$meta-add", "Patient/$meta-delete", "Patient/p/_history/1/$meta-add"] {
        let refused = post(&server, path, json!({"tag": [tag("b")]})).await;
        let refused = refused.expect_outcome(404, "not-supported");
        let said = refused.body["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(said.ends_with("is offered at [type]/[id]"), "{said}");
    }
    let reply = server.get("Patient/p/$meta-add").await.expect_outcome(405, "not-supported");
    assert_eq!(reply.header("allow"), "POST, OPTIONS");
    let reply = server.put("Patient/p/$meta", &parameters(json!({}))).await;
    assert_eq!(reply.expect(405).header("allow"), "GET, HEAD, POST, OPTIONS");
    let options = server.request("OPTIONS", "Patient/p/$meta-add").send().await.expect(204);
    assert_eq!(options.header("allow"), "POST, OPTIONS");
    server.get("Patient/p/$metadata").await.expect_outcome(404, "not-supported");
    server.get("Nothing/p/$meta").await.expect(404);
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_400() {
    let server = with_patient().await;
    let two = json!({"name": "meta", "valueMeta": {"tag": [tag("b")]}});
    for body in [
        json!({"resourceType": "Parameters"}),
        json!({"resourceType": "Parameters", "parameter": [two, two]}),
        json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueCode": "x"}]}),
        json!({"resourceType": "Parameters", "parameter": [{"name": "tag", "valueCode": "x"}]}),
        parameters(json!({"tag": [{"codes": "x"}]})),
        parameters(json!({"profile": "http://profile.example"})),
        parameters(json!({})),
        Value::from(patient().id("p")),
    ] {
        let reply = server.post("Patient/p/$meta-add", &body).await;
        assert_eq!(reply.status(), 400, "{body}: {}", reply.text());
    }
    server.request("POST", "Patient/p/$meta-add").send().await.expect(400);
    let form = server.request("POST", "Patient/p/$meta-add");
    form.body("application/x-www-form-urlencoded", "meta=x").send().await.expect(415);
    server.get("Patient/p/$meta?nonsense=1").await.expect_outcome(400, "not-supported");
    assert_eq!(server.get("Patient/p").await.etag_version(), 1);
}

#[tokio::test]
async fn a_resource_is_not_marked_as_a_part_by_meta_add() {
    let server = with_patient().await;
    let part = json!({"tag": [{"code": "SUBSETTED",
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}]});
    post(&server, "Patient/p/$meta-add", part).await.expect_outcome(422, "business-rule");
}

#[tokio::test]
async fn meta_add_obeys_if_match_and_takes_a_provenance_and_a_key() {
    let server = with_patient().await;
    let provenance = json!({"resourceType": "Provenance", "recorded": "2025-03-01T10:00:00Z",
        "agent": [{"who": {"display": "Amina"}}]});
    let add = |code: &str, if_match: &str| {
        let request = server.request("POST", "Patient/p/$meta-add").header("If-Match", if_match);
        let request = request.header("X-Provenance", &provenance.to_string());
        let request = request.header("Idempotency-Key", "key-1");
        request.json(&parameters(json!({"tag": [tag(code)]}))).send()
    };
    add("b", "W/\"7\"").await.expect(412);
    let first = add("b", "W/\"1\"").await;
    assert_eq!(returned(&first)["versionId"], "2");
    let provenance = server.get("Provenance").await.body["entry"][0]["resource"].clone();
    assert_eq!(provenance["target"][0]["reference"], "Patient/p/_history/2");
    post(&server, "Patient/p/$meta-delete", json!({"tag": [tag("b")]})).await.expect(200);
    assert_eq!(add("b", "W/\"1\"").await.bytes, first.bytes, "the first answer is kept");
    assert_eq!(server.get("Patient/p").await.etag_version(), 3);
    add("c", "W/\"1\"").await.expect_outcome(422, "duplicate");
}

#[tokio::test]
async fn of_concurrent_meta_adds_none_is_lost() {
    let server = with_patient().await;
    let add = async |number: usize| {
        let meta = json!({"tag": [tag(&format!("n{number}"))]});
        returned(&post(&server, "Patient/p/$meta-add", meta).await).clone()
    };
    futures_util::future::join_all((0..8).map(add)).await;
    let read = server.get("Patient/p").await;
    assert_eq!(read.body["meta"]["tag"].as_array().map(Vec::len), Some(9));
    assert_eq!(read.etag_version(), 9);
}

#[tokio::test]
async fn operations_are_entries_of_batches_and_transactions() {
    let server = with_patient().await;
    for (kind, code, version) in [("batch", "b", "2"), ("transaction", "c", "3")] {
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": parameters(json!({"tag": [tag(code)]})),
                "request": {"method": "POST", "url": "Patient/p/$meta-add"}},
            {"request": {"method": "GET", "url": "Patient/p/_history/1/$meta"}}]});
        let reply = server.post("", &bundle).await.expect(200);
        let first = &reply.body["entry"][0];
        assert_eq!(first["response"]["status"], "200 OK", "{first}");
        let meta = &first["resource"]["parameter"][0]["valueMeta"];
        assert_eq!(meta["versionId"], version, "{first}");
        let second = &reply.body["entry"][1]["resource"]["parameter"][0]["valueMeta"];
        assert_eq!(second["versionId"], "1");
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": parameters(json!({"tag": [tag("d")]})),
            "request": {"method": "POST", "url": "Patient/none/$meta-add"}}]});
    let refused = server.post("", &bundle).await.expect_outcome(404, "not-found");
    assert_eq!(refused.expressions(), ["Bundle.entry[0]"]);
}

#[tokio::test]
async fn the_capability_statement_names_the_operations_where_they_are() {
    let server = TestServer::start().await;
    let reply = server.get("metadata").await;
    let rest = reply.expect(200).body["rest"][0].clone();
    let names = |stated: &Value| -> Vec<String> {
        let operations = stated["operation"].as_array().cloned().unwrap_or_default();
        operations.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&rest), ["meta", "explain"]);
    for resource in rest["resource"].as_array().unwrap() {
        let expected: &[&str] = match resource["type"].as_str().unwrap() {
            "SearchParameter" => &["meta", "meta-add", "meta-delete", "index-status", "explain"],
            _ => &["meta", "meta-add", "meta-delete", "explain"],
        };
        assert_eq!(names(resource), expected, "{}", resource["type"]);
    }
}
