//! Searches from outside: <https://hl7.org/fhir/R4/search.html>, http.html#search, #paging.

use super::harness::{MRN, Reply, TestServer, observation, patient};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ids(reply: &Reply) -> Vec<String> {
    reply.ids("match").into_iter().map(str::to_owned).collect()
}

async fn find(server: &TestServer, query: &str) -> Vec<String> {
    ids(&server.get(query).await.expect(200))
}

async fn with_patients(count: usize) -> TestServer {
    let server = TestServer::start().await;
    for n in 0..count {
        let born = format!("19{:02}-01-01", 50 + n % 7);
        let resource = patient().id(&format!("p{n:02}")).mrn(&n.to_string());
        server.update(resource.with("birthDate", born)).await.expect(201);
    }
    server
}

#[tokio::test]
async fn a_search_is_a_searchset_with_self_link_full_urls_and_modes() {
    let server = with_patients(2).await;
    let reply = server.get("Patient?gender=female").await.expect(200);
    assert_eq!(reply.body["resourceType"], "Bundle");
    assert_eq!(reply.body["type"], "searchset");
    let own = reply.link("self").unwrap();
    assert!(own.starts_with(server.base()) && own.contains("gender=female"), "{own}");
    for entry in reply.body["entry"].as_array().unwrap() {
        let id = entry["resource"]["id"].as_str().unwrap();
        assert_eq!(entry["fullUrl"], json!(format!("{}/Patient/{id}", server.base())));
        assert_eq!(entry["search"]["mode"], "match");
    }
}

#[tokio::test]
async fn a_search_that_finds_nothing_is_200_without_entries() {
    let server = TestServer::start().await;
    let reply = server.get("Patient?identifier=nothing").await.expect(200);
    assert_eq!(reply.body["entry"], Value::Null, "an empty list is no JSON of FHIR");
}

#[tokio::test]
async fn an_unknown_parameter_is_400() {
    let server = TestServer::start().await;
    let reply = server.get("Patient?identfier=1").await.expect(400);
    assert!(reply.text().contains("identfier"), "{}", reply.text());
    let reply = server.get("Patient?_nonsense=1").await.expect(400);
    assert!(reply.text().contains("_nonsense"), "{}", reply.text());
}

#[tokio::test]
async fn lenient_handling_leaves_it_out_and_says_so() {
    let server = with_patients(1).await;
    let request = server.request("GET", "Patient?identfier=1&gender=female");
    let reply = request.header("Prefer", "handling=lenient").send().await.expect(200);
    assert_eq!(ids(&reply), ["p00"]);
    let own = reply.link("self").unwrap();
    assert!(!own.contains("identfier") && own.contains("gender"), "{own}");
    let entries = reply.body["entry"].as_array().unwrap();
    let outcome = entries.iter().find(|entry| entry["search"]["mode"] == "outcome").unwrap();
    assert_eq!(outcome["resource"]["resourceType"], "OperationOutcome");
    assert_eq!(outcome["resource"]["issue"][0]["severity"], "warning");
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps_or_doubles() {
    let server = with_patients(11).await;
    for query in ["_count=3", "_count=4&_sort=birthdate", "_count=1&_sort=-_lastUpdated"] {
        let mut reply = server.get(&format!("Patient?{query}")).await.expect(200);
        let mut seen = ids(&reply);
        let mut pages = 1;
        while let Some(next) = reply.link("next").map(str::to_owned) {
            reply = server.get(&next).await.expect(200);
            assert!(!ids(&reply).is_empty(), "{query}: an empty page");
            seen.extend(ids(&reply));
            pages += 1;
            assert!(pages < 20, "{query}: pages without end");
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (11, 11), "{query}: {seen:?}");
    }
}

#[tokio::test]
async fn previous_leads_back_over_the_same_pages() {
    let server = with_patients(7).await;
    let first = server.get("Patient?_count=3&_sort=_id").await.expect(200);
    assert_eq!(first.link("previous"), None);
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    let Some(previous) = second.link("previous") else {
        return;
    };
    let back = server.get(previous).await.expect(200);
    assert_eq!(ids(&back), ids(&first));
}

#[tokio::test]
async fn a_page_link_that_was_changed_is_refused() {
    let server = with_patients(4).await;
    let first = server.get("Patient?_count=2").await.expect(200);
    let next = first.link("next").unwrap().to_owned();
    let at = next.len() - 3;
    let other = if next.as_bytes()[at] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &next[..at], &next[at + 1..]);
    let reply = server.get(&changed).await;
    assert!((400..500).contains(&reply.status()), "{changed}: {reply:?}");
}

#[tokio::test]
async fn count_zero_is_the_total_alone() {
    let server = with_patients(3).await;
    let reply = server.get("Patient?_count=0").await.expect(200);
    assert_eq!((&reply.body["total"], &reply.body["entry"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn sort_orders_up_and_down() {
    let server = with_patients(7).await;
    let up = find(&server, "Patient?_sort=birthdate").await;
    let mut down = find(&server, "Patient?_sort=-birthdate").await;
    assert_eq!(up, ["p00", "p01", "p02", "p03", "p04", "p05", "p06"]);
    down.reverse();
    assert_eq!(up, down);
    assert_eq!(find(&server, "Patient?_sort=-_id&_count=1").await, ["p06"]);
}

#[tokio::test]
async fn post_search_finds_the_same() {
    let server = with_patients(3).await;
    let form = "application/x-www-form-urlencoded";
    let request = server.request("POST", "Patient/_search?gender=female");
    let reply = request.body(form, "identifier=1&_format=json").send().await.expect(200);
    assert_eq!(ids(&reply), ["p01"]);
    let own = reply.link("self").unwrap();
    assert!(own.contains("identifier=1"), "{own}");
    let reply = server.request("POST", "Patient/_search").send().await.expect(200);
    assert_eq!(ids(&reply).len(), 3);
    let request = server.request("POST", "Patient/_search").json(&json!({"name": "x"}));
    let reply = request.send().await;
    assert!(matches!(reply.status(), 400 | 415), "{reply:?}");
}

#[tokio::test]
async fn each_parameter_type_finds_what_it_names() {
    let server = TestServer::start().await;
    let resource = patient().id("p").mrn("1").family("Brown-Łęski").with("birthDate", "1990-05-17");
    server.update(resource).await.expect(201);
    let resource = observation().id("o").subject("Patient/p");
    server.update(resource).await.expect(201);
    let risk = json!({"resourceType": "RiskAssessment", "id": "r", "status": "final",
        "subject": {"reference": "Patient/p"}, "prediction": [{"probabilityDecimal": 0.8}]});
    server.put("RiskAssessment/r", &risk).await.expect(201);
    let set = json!({"resourceType": "ValueSet", "id": "v", "status": "active",
        "url": "http://valuesets.example/v"});
    server.put("ValueSet/v", &set).await.expect(201);
    for (query, is_found) in [
        ("Patient?family=brown", true),
        ("Patient?family:exact=Brown-Łęski", true),
        ("Patient?family:exact=brown-Łęski", false),
        ("Patient?family:contains=łeski", true),
        (&format!("Patient?identifier={MRN}|1"), true),
        (&format!("Patient?identifier={MRN}|2"), false),
        (&format!("Patient?identifier={MRN}|"), true),
        ("Patient?identifier=|1", false),
        ("Patient?gender=male,female", true),
        ("Patient?gender=female&gender=male", false),
        ("Patient?gender:not=male", true),
        ("Patient?birthdate=1990", true),
        ("Patient?birthdate=gt1990-05-17", false),
        ("Patient?birthdate=ge1990-05-17&birthdate=lt1990-06", true),
        ("Patient?address:missing=true", true),
        ("Patient?active=true", true),
        ("Observation?subject=Patient/p", true),
        ("Observation?patient=p", true),
        ("Observation?subject=Group/p", false),
        ("Observation?code=http://loinc.org|29463-7", true),
        ("Observation?value-quantity=62.5", true),
        ("Observation?value-quantity=62.5|http://unitsofmeasure.org|kg", true),
        ("Observation?value-quantity=gt62.5||kg", false),
        ("Observation?date=2025-03-01", true),
        ("RiskAssessment?probability=gt0.7", true),
        ("RiskAssessment?probability=0.8", true),
        ("RiskAssessment?probability=lt0.8", false),
        ("ValueSet?url=http://valuesets.example/v", true),
        ("ValueSet?url=http://valuesets.example/", false),
        ("Patient?_id=p", true),
        ("Patient?_lastUpdated=gt2020", true),
        ("Patient?_lastUpdated=lt2020", false),
    ] {
        let found = find(&server, query).await;
        assert_eq!(!found.is_empty(), is_found, "{query}: {found:?}");
    }
}

/// search.html#date: an instant has "an effective width of 0", also where it is written to the
/// second; a dateTime of that precision is the whole second.
#[tokio::test]
async fn an_instant_is_a_point_in_time() {
    let server = TestServer::start().await;
    for (id, element) in [("point", "effectiveInstant"), ("second", "effectiveDateTime")] {
        let resource = observation().without("effectiveDateTime").id(id);
        server.update(resource.with(element, "2024-01-01T10:00:00Z")).await.expect(201);
    }
    for (query, expected) in [
        ("date=2024-01-01T10:00:00Z&_sort=_id", vec!["point", "second"]),
        ("date=2024-01-01T10:00:00.000Z", vec!["point"]),
        ("date=gt2024-01-01T10:00:00.000Z", vec!["second"]),
        ("date=sa2024-01-01T09:59:59.999Z&_sort=_id", vec!["point", "second"]),
        ("date=le2024-01-01T10:00:00.000Z", vec!["point"]),
    ] {
        assert_eq!(find(&server, &format!("Observation?{query}")).await, expected, "{query}");
    }
}

/// The range of 100 ends before 100.5; a Range holds its ends (datatypes.html#Range).
#[tokio::test]
async fn a_range_is_equal_to_a_number_only_where_its_end_is_within_the_precision() {
    let server = TestServer::start().await;
    for (id, high) in [("in", "100.4"), ("beyond", "100.5")] {
        let end = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            json!({"value": value, "system": "http://unitsofmeasure.org", "code": "%"})
        };
        let range = json!({"low": end("99.5"), "high": end(high)});
        let risk = json!({"resourceType": "RiskAssessment", "id": id, "status": "final",
            "subject": {"reference": "Patient/p"}, "prediction": [{"probabilityRange": range}]});
        server.put(&format!("RiskAssessment/{id}"), &risk).await.expect(201);
    }
    assert_eq!(find(&server, "RiskAssessment?probability=100").await, ["in"]);
    assert_eq!(find(&server, "RiskAssessment?probability=ne100").await, ["beyond"]);
}

#[tokio::test]
async fn metadata_is_searched_by_tag_profile_security_and_source() {
    let server = TestServer::start().await;
    let meta = json!({"source": "http://s.example/a", "profile": ["http://p.example/x"],
        "security": [{"system": "http://l.example", "code": "R"}],
        "tag": [{"system": "http://t.example", "code": "a"}]});
    server.update(patient().id("p").with("meta", meta)).await.expect(201);
    for query in [
        "_tag=a",
        "_tag=http://t.example|a",
        "_profile=http://p.example/x",
        "_security=http://l.example|R",
        "_source=http://s.example/a",
    ] {
        assert_eq!(find(&server, &format!("Patient?{query}")).await, ["p"], "{query}");
    }
    assert!(find(&server, "Patient?_tag=b").await.is_empty());
}

#[tokio::test]
async fn a_value_that_was_replaced_is_not_found_any_more() {
    let server = TestServer::start().await;
    server.update(patient().id("p").mrn("1")).await.expect(201);
    server.update(patient().id("p").mrn("2")).await.expect(200);
    assert!(find(&server, "Patient?identifier=1").await.is_empty());
    assert_eq!(find(&server, "Patient?identifier=2").await, ["p"]);
}

#[tokio::test]
async fn a_string_is_found_without_case_accents_and_strokes() {
    let server = TestServer::start().await;
    for family in ["Łęski", "Đurić", "Ørsted", "Þórsson", "Œuvrard", "Groß", "Yılmaz", "Ɗanjuma"]
    {
        server.create(patient().family(family)).await.expect(201);
    }
    for query in [
        "family=leski",
        "family=ŁĘSKI",
        "family=lęs",
        "family:contains=uric",
        "family=orsted",
        "family=ØRSTED",
        "family=thorsson",
        "family=oeuvrard",
        "family=gross",
        "family=GROSS",
        "family=yilmaz",
        "family=danjuma",
        "family:exact=Łęski",
    ] {
        let found = server.get(&format!("Patient?{query}")).await.expect(200);
        assert_eq!(found.body["total"], 1, "{query}");
    }
    let found = server.get("Patient?family:exact=Leski").await.expect(200);
    assert_eq!(found.body["total"], 0, ":exact compares letter for letter");
}

#[tokio::test]
async fn an_estimated_total_is_near_the_number_of_matches() {
    let server = TestServer::start().await;
    for number in 0..12 {
        let gender = if number < 5 { "female" } else { "male" };
        server.create(patient().with("gender", gender)).await.expect(201);
    }
    for (query, expected) in [("gender=male", 7), ("gender=female", 5), ("gender=other", 0)] {
        let url = format!("Patient?{query}&_count=1&_total=estimate");
        let reply = server.get(&url).await.expect(200);
        assert_eq!(reply.body["total"], expected, "what is counted at little cost is exact");
    }
}
