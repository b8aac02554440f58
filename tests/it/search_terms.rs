//! `:in`, `:not-in`, `:below` and `:above` of tokens, by the value sets and code systems that the
//! server holds: <https://hl7.org/fhir/R4/search.html#token>.

use super::harness::{TestServer, found, observation, patient, refused};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

const SYSTEM: &str = "http://codes.example/animals";

fn value_set(id: &str, compose: Value) -> Value {
    json!({"resourceType": "ValueSet", "id": id, "status": "active",
        "url": format!("http://sets.example/{id}"), "compose": compose})
}

fn animals() -> Value {
    json!({"resourceType": "CodeSystem", "id": "animals", "status": "active", "url": SYSTEM,
        "content": "complete", "concept": [
            {"code": "animal", "concept": [
                {"code": "dog", "concept": [{"code": "poodle"}]}, {"code": "fish"}]},
            {"code": "stone"}]})
}

/// Observations of a dog, a poodle, a fish, a stone, of something unknown, and of nothing.
async fn with_animals() -> TestServer {
    let server = TestServer::start().await;
    server.put("CodeSystem/animals", &animals()).await.expect(201);
    for code in ["dog", "poodle", "fish", "stone", "other"] {
        server.update(observation().id(code).code(SYSTEM, code)).await.expect(201);
    }
    let text = json!({"text": "only"});
    server.update(observation().id("text").with("code", text)).await.expect(201);
    server.update(observation().id("elsewhere").code("http://else", "dog")).await.expect(201);
    server
}

async fn put(server: &TestServer, resource: Value) {
    let path = format!("ValueSet/{}", resource["id"].as_str().unwrap());
    let reply = server.put(&path, &resource).await;
    assert!(reply.status() < 300, "{}", reply.text());
}

#[tokio::test]
async fn in_finds_the_codes_of_a_value_set_by_its_url_and_by_its_place() {
    let server = with_animals().await;
    let list = json!([{"code": "dog"}, {"code": "stone"}]);
    put(&server, value_set("some", json!({"include": [{"system": SYSTEM, "concept": list}]})))
        .await;
    for name in ["http://sets.example/some", "ValueSet/some"] {
        assert_eq!(found(&server, &format!("Observation?code:in={name}")).await, "dog stone");
        let not = found(&server, &format!("Observation?code:not-in={name}")).await;
        assert_eq!(not, "elsewhere fish other poodle text", "what has no code is not in it");
    }
    let absolute = format!("Observation?code:in={}/ValueSet/some", server.base());
    assert_eq!(found(&server, &absolute).await, "dog stone");
    let filter = "Observation?_filter=code in http://sets.example/some and status eq final";
    assert_eq!(found(&server, filter).await, "dog stone");
    let filter = "Observation?_filter=code ni ValueSet/some and code pr true";
    assert_eq!(found(&server, filter).await, "elsewhere fish other poodle text");
}

#[tokio::test]
async fn a_value_set_is_defined_by_systems_filters_imports_and_exclusions() {
    let server = with_animals().await;
    let is_a = |code: &str| json!([{"property": "concept", "op": "is-a", "value": code}]);
    put(
        &server,
        value_set("dogs", json!({"include": [{"system": SYSTEM, "filter": is_a("dog")}]})),
    )
    .await;
    put(
        &server,
        value_set(
            "all",
            json!({"include": [{"system": SYSTEM}],
        "exclude": [{"valueSet": ["http://sets.example/dogs"]}]}),
        ),
    )
    .await;
    put(&server, value_set("open", json!({"include": [{"system": "http://else"}]}))).await;
    put(
        &server,
        value_set(
            "both",
            json!({"include": [
        {"valueSet": ["http://sets.example/dogs"]}, {"valueSet": ["http://sets.example/open"]}]}),
        ),
    )
    .await;
    let within = async |id: &str| {
        found(&server, &format!("Observation?code:in=http://sets.example/{id}")).await
    };
    assert_eq!(within("dogs").await, "dog poodle");
    assert_eq!(within("all").await, "fish stone", "a code that the system does not define is out");
    assert_eq!(within("open").await, "elsewhere", "every code of a system that is not held");
    assert_eq!(within("both").await, "dog elsewhere poodle");
    let several = "Observation?code:in=ValueSet/open,ValueSet/all";
    assert_eq!(found(&server, several).await, "elsewhere fish stone");
}

#[tokio::test]
async fn value_sets_are_read_as_they_are_now_and_in_the_version_that_is_named() {
    let server = with_animals().await;
    let of = |id: &str, version: &str, code: &str| {
        let mut set = value_set(
            id,
            json!({"include": [
            {"system": SYSTEM, "concept": [{"code": code}]}]}),
        );
        set["url"] = json!("http://sets.example/v");
        set["version"] = json!(version);
        set
    };
    put(&server, of("v9", "1.9", "dog")).await;
    put(&server, of("v10", "1.10", "fish")).await;
    let within = async |name: &str| found(&server, &format!("Observation?code:in={name}")).await;
    assert_eq!(within("http://sets.example/v").await, "fish", "the newest");
    assert_eq!(within("http://sets.example/v|1.9").await, "dog");
    refused(&server, "Observation?code:in=http://sets.example/v|2", "http://sets.example/v|2")
        .await;
    put(&server, of("v10", "1.10", "stone")).await;
    assert_eq!(within("http://sets.example/v").await, "stone");
    server.delete("ValueSet/v10").await.expect(204);
    assert_eq!(within("http://sets.example/v").await, "dog");
}

#[tokio::test]
async fn what_cannot_be_expanded_is_refused_and_never_silent() {
    let server = with_animals().await;
    refused(&server, "Observation?code:in=http://nowhere", "http://nowhere is not held").await;
    refused(&server, "Observation?code:in=ValueSet/nowhere", "ValueSet/nowhere is not held").await;
    refused(&server, "Observation?code:not-in=nowhere", "canonical URL of a value set").await;
    let filter = json!([{"property": "concept", "op": "is-a", "value": "x"}]);
    put(
        &server,
        value_set(
            "far",
            json!({"include": [
        {"system": "http://snomed.info/sct", "filter": filter}]}),
        ),
    )
    .await;
    refused(&server, "Observation?code:in=ValueSet/far", "http://snomed.info/sct is not held")
        .await;
    put(&server, value_set("x", json!({"include": [{"valueSet": ["http://sets.example/y"]}]})))
        .await;
    put(&server, value_set("y", json!({"include": [{"valueSet": ["http://sets.example/x"]}]})))
        .await;
    refused(&server, "Observation?code:in=http://sets.example/x", "draws upon itself").await;
    let nothing = json!({"resourceType": "ValueSet", "id": "nothing", "status": "active"});
    put(&server, nothing).await;
    refused(&server, "Observation?code:in=ValueSet/nothing", "neither a definition").await;
    let part = json!({"resourceType": "CodeSystem", "id": "part", "status": "active",
        "url": "http://part", "content": "fragment", "concept": [{"code": "a"}]});
    server.put("CodeSystem/part", &part).await.expect(201);
    refused(&server, "Observation?code:below=http://part|a", "fragment").await;
    refused(&server, "Observation?code:below=http://far|a", "http://far is not held").await;
}

#[tokio::test]
async fn below_and_above_follow_the_hierarchy_of_the_code_system() {
    let server = with_animals().await;
    let of = async |modifier: &str, code: &str| {
        found(&server, &format!("Observation?code:{modifier}={SYSTEM}|{code}")).await
    };
    assert_eq!(of("below", "animal").await, "dog fish poodle");
    assert_eq!(of("below", "dog").await, "dog poodle", "it includes the coding itself");
    assert_eq!(of("above", "poodle").await, "dog poodle");
    assert_eq!(of("below", "other").await, "other", "a code that the system does not define");
    let filter = |operator: &str| format!("Observation?_filter=code {operator} {SYSTEM}|dog");
    assert_eq!(found(&server, &filter("ss")).await, "dog poodle", "the value subsumes these");
    assert_eq!(found(&server, &filter("sb")).await, "dog");
    refused(&server, "Observation?code:below=dog", "system|code").await;
    // What the code system says now.
    let mut flat = animals();
    flat["concept"] = json!([{"code": "dog"}, {"code": "poodle"}]);
    server.put("CodeSystem/animals", &flat).await.expect(200);
    assert_eq!(of("below", "dog").await, "dog");
}

#[tokio::test]
async fn elements_of_type_code_are_of_the_system_that_they_imply() {
    let server = TestServer::start().await;
    let gender = "http://hl7.org/fhir/administrative-gender";
    let system = json!({"resourceType": "CodeSystem", "id": "g", "status": "active", "url": gender,
        "content": "complete", "concept": [{"code": "known", "concept": [
            {"code": "male"}, {"code": "female"}]}, {"code": "other"}]});
    server.put("CodeSystem/g", &system).await.expect(201);
    for code in ["male", "female", "other"] {
        server.update(patient().id(code).with("gender", code)).await.expect(201);
    }
    assert_eq!(
        found(&server, &format!("Patient?gender:below={gender}|known")).await,
        "female male"
    );
    assert_eq!(found(&server, "Patient?gender:below=known").await, "female male");
    let wrong = json!({"include": [{"system": "http://else", "concept": [{"code": "male"}]},
        {"system": gender, "concept": [{"code": "other"}]}]});
    put(&server, value_set("set", wrong)).await;
    assert_eq!(found(&server, "Patient?gender:in=ValueSet/set").await, "other");
}

#[tokio::test]
async fn below_of_a_media_type_finds_it_with_any_parameters() {
    let server = TestServer::start().await;
    for (id, kind) in [("a", "text/xml"), ("b", "text/xml; charset=UTF-8"), ("c", "text/xmlx")] {
        let document = json!({"resourceType": "DocumentReference", "id": id, "status": "current",
            "content": [{"attachment": {"contentType": kind}}]});
        server.put(&format!("DocumentReference/{id}"), &document).await.expect(201);
    }
    assert_eq!(found(&server, "DocumentReference?contenttype=text/xml").await, "a");
    assert_eq!(found(&server, "DocumentReference?contenttype:below=text/xml").await, "a b");
    refused(&server, "DocumentReference?contenttype:below=xml", "media type").await;
}

#[tokio::test]
async fn modifiers_of_terminology_are_for_coded_values_alone() {
    let server = TestServer::start().await;
    for parameter in ["identifier", "telecom", "active"] {
        for modifier in ["in", "not-in", "below", "above"] {
            let query = format!("Patient?{parameter}:{modifier}=http://a|b");
            refused(&server, &query, "is not offered for").await;
        }
    }
}

#[tokio::test]
async fn limits_of_terminology_are_named() {
    let server = TestServer::start_with(|settings| {
        settings.limits.value_set_codes = 3;
        settings.limits.value_set_parts = 2;
    })
    .await;
    server.put("CodeSystem/animals", &animals()).await.expect(201);
    put(&server, value_set("all", json!({"include": [{"system": SYSTEM}]}))).await;
    refused(&server, "Observation?code:in=ValueSet/all", "3 codes at most").await;
    let below = format!("Observation?code:below={SYSTEM}|animal");
    refused(&server, &below, "3 codes at most").await;
    put(
        &server,
        value_set(
            "many",
            json!({"include": [
        {"valueSet": ["http://sets.example/all"]}, {"valueSet": ["http://sets.example/b"]}]}),
        ),
    )
    .await;
    let outcome = server.get("Observation?code:in=ValueSet/many").await.expect(400).body;
    assert_eq!(outcome["issue"][0]["code"], "too-costly", "{outcome}");
}

#[tokio::test]
async fn a_value_set_of_ten_thousands_of_codes_is_one_statement() {
    let server = TestServer::start().await;
    let codes: Vec<Value> = (0..30_000).map(|n| json!({ "code": format!("c{n}") })).collect();
    put(
        &server,
        value_set("large", json!({"include": [{"system": "http://l", "concept": codes}]})),
    )
    .await;
    server.update(observation().id("in").code("http://l", "c29999")).await.expect(201);
    server.update(observation().id("out").code("http://l", "c30000")).await.expect(201);
    assert_eq!(found(&server, "Observation?code:in=ValueSet/large").await, "in");
    assert_eq!(found(&server, "Observation?code:not-in=ValueSet/large").await, "out");
}

#[tokio::test]
async fn pages_show_what_met_the_terminology_when_the_first_was_read() {
    let server = with_animals().await;
    let path = format!("Observation?code:below={SYSTEM}|animal&_sort=_id&_count=1");
    let first = server.get(&path).await.expect(200);
    assert_eq!(first.ids("match"), ["dog"]);
    server.update(observation().id("fish").code(SYSTEM, "stone")).await.expect(200);
    server.update(observation().id("stone").code(SYSTEM, "dog")).await.expect(200);
    let mut seen = Vec::new();
    let mut next = first.link("next").map(str::to_owned);
    while let Some(url) = next {
        let page = server.get(&url).await.expect(200);
        seen.extend(page.ids("match").iter().map(|id| (*id).to_owned()));
        next = page.link("next").map(str::to_owned);
    }
    assert_eq!(seen, ["fish", "poodle"]);
}

/// A value set that the caller may not see is as one that is not there.
#[tokio::test]
async fn hidden_terminology_is_not_revealed() {
    let server = with_animals().await;
    let list = json!([{"code": "dog"}]);
    put(&server, value_set("some", json!({"include": [{"system": SYSTEM, "concept": list}]})))
        .await;
    let nobody = RowFilter::of_stamps(vec![1], vec![2], vec![3]);
    let permit = Permit::operator().narrowed(nobody);
    let answer = async |value: &str| {
        let kind = bhn_fhir::fhir::definitions::ResourceType::parse("Observation").unwrap();
        let (name, value) = value.split_once('=').unwrap();
        let parameters = [(name.to_owned(), value.to_owned())];
        let scope = SearchScope::Type(kind);
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let store = &server.context.store;
        store.search(&permit, &plan).await.map(|_| ()).unwrap_err().to_string()
    };
    for (hidden, absent) in [
        ("code:in=ValueSet/some", "code:in=ValueSet/none"),
        ("code:in=http://sets.example/some", "code:in=http://sets.example/none"),
    ] {
        let (hidden, absent) = (answer(hidden).await, answer(absent).await);
        assert_eq!(hidden.replace("some", "none"), absent);
    }
}
