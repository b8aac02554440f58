//! `_contained` and `_containedType` (search.html#contained).

use super::check::findings;
use super::harness::{Reply, TestServer, found, refused};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

const CODES: &str = "http://codes.example";

pub fn concept(code: &str) -> Value {
    json!({"coding": [{"system": CODES, "code": code}]})
}

pub fn medication(id: &str, code: &str, ingredient: &str) -> Value {
    json!({"resourceType": "Medication", "id": id, "code": concept(code), "status": "active",
        "ingredient": [{"itemCodeableConcept": concept(ingredient)}]})
}

/// A prescription of what it contains.
pub fn request(id: &str, patient: &str, contained: &[Value]) -> Value {
    let mut value = json!({"resourceType": "MedicationRequest", "id": id, "status": "active",
        "intent": "order", "subject": {"reference": format!("Patient/{patient}")},
        "medicationReference": {"reference": "Medication/own"}});
    if let Some(first) = contained.first() {
        value["contained"] = json!(contained);
        let first = first["id"].as_str().unwrap();
        value["medicationReference"] = json!({"reference": format!("#{first}")});
    }
    value
}

/// Contained by `r1` and `r2`; by nothing.
pub async fn prescriptions(server: &TestServer) {
    for id in ["ann", "bob"] {
        server.update(json!({"resourceType": "Patient", "id": id})).await.expect(201);
    }
    let own = medication("own", "syrup", "sugar");
    let mixtures = [medication("m1", "mixture", "abc"), medication("m2", "mixture", "xyz")];
    let others = [medication("m1", "syrup", "abc")];
    for resource in [own, request("r1", "ann", &mixtures), request("r2", "bob", &others), {
        request("r3", "ann", &[])
    }] {
        server.update(resource).await.expect(201);
    }
}

/// What follows the base in the `fullUrl` of each match, in order.
fn urls(server: &TestServer, reply: &Reply) -> Vec<String> {
    let entries = reply.body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    let url = |entry: &Value| {
        let url = entry["fullUrl"].as_str().unwrap();
        url.strip_prefix(server.base()).unwrap().trim_start_matches('/').to_owned()
    };
    matches.map(url).collect()
}

/// The same of a search, ascending.
pub async fn found_urls(server: &TestServer, query: &str) -> String {
    let mut found = urls(server, &server.get(query).await.expect(200));
    found.sort_unstable();
    found.join(" ")
}

/// The same over all pages, in order; backward from the last as well.
async fn paged(server: &TestServer, query: &str) -> Vec<String> {
    let mut page = server.get(query).await.expect(200);
    let mut all = urls(server, &page);
    let mut pages = vec![all.clone()];
    while let Some(next) = page.link("next") {
        page = server.get(next).await.expect(200);
        pages.push(urls(server, &page));
        all.extend(urls(server, &page));
    }
    for expected in pages.iter().rev().skip(1) {
        page = server.get(page.link("previous").unwrap()).await.expect(200);
        assert_eq!(urls(server, &page), *expected, "{query} backward");
    }
    assert!(page.link("previous").is_none(), "{query}");
    all
}

#[tokio::test]
async fn contained_resources_match_where_they_are_asked_for() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    for (query, expected) in [
        ("ingredient-code=abc", ""),
        ("ingredient-code=abc&_contained=false", ""),
        ("ingredient-code=abc&_containedType=contained", ""),
        ("ingredient-code=abc&_contained=true", "MedicationRequest/r1 MedicationRequest/r2"),
        (
            "ingredient-code=abc&_contained=true&_containedType=contained",
            "MedicationRequest/r1#m1 MedicationRequest/r2#m1",
        ),
        ("code=syrup&_contained=true", "MedicationRequest/r2"),
        ("code=syrup&_contained=both", "Medication/own MedicationRequest/r2"),
        (
            "code=syrup&_contained=both&_containedType=contained",
            "Medication/own MedicationRequest/r2#m1",
        ),
        ("code=syrup&_contained=both&_containedType=container", {
            "Medication/own MedicationRequest/r2"
        }),
        ("code=syrup", "Medication/own"),
    ] {
        assert_eq!(found_urls(&server, &format!("Medication?{query}")).await, expected, "{query}");
    }
    // Of every type, and of some.
    let all = "?_contained=true&_containedType=contained&_id=m1";
    assert_eq!(found_urls(&server, all).await, "MedicationRequest/r1#m1 MedicationRequest/r2#m1");
    let none = "?_contained=true&_type=Substance,Patient";
    assert_eq!(found_urls(&server, none).await, "");
}

#[tokio::test]
async fn a_container_is_shown_whole_and_a_contained_resource_as_it_is_written() {
    let server = TestServer::start().await;
    let text = r##"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},
        "contained":[{"resourceType":"Observation","status":"final","id":"in","code":{"text":"y"},
        "valueQuantity":{"value":1.50,"unit":"mg"}}],"hasMember":[{"reference":"#in"}]}"##;
    let put = server.request("PUT", "Observation/o").body("application/fhir+json", text);
    put.send().await.expect(201);
    let query = "Observation?value-quantity=1.5&_contained=true";
    let container = server.get(query).await.expect(200);
    let entry = &container.body["entry"][0];
    assert_eq!(entry["fullUrl"], format!("{}/Observation/o", server.base()));
    assert_eq!(entry["resource"]["contained"][0]["id"], "in");
    assert_eq!(entry["search"]["mode"], "match");
    let contained = server.get(&format!("{query}&_containedType=contained")).await.expect(200);
    assert_eq!(contained.body["total"], 1);
    assert_eq!(
        contained.body["entry"][0]["fullUrl"],
        format!("{}/Observation/o#in", server.base())
    );
    let exact = r#""resource":{"resourceType":"Observation","status":"final","id":"in","#;
    assert!(contained.text().contains(exact), "{}", contained.text());
    assert!(contained.text().contains(r#""value":1.50"#), "{}", contained.text());
    let own = contained.link("self").unwrap();
    assert!(own.contains("_contained=true&_containedType=contained"), "{own}");
    let subset = server.get(&format!("{query}&_containedType=contained&_elements=code")).await;
    let resource = &subset.expect(200).body["entry"][0]["resource"];
    assert_eq!(resource["code"]["text"], "y");
    assert_eq!(resource["valueQuantity"], Value::Null);
}

#[tokio::test]
async fn a_container_stands_once_at_the_place_of_its_first_match() {
    let server = TestServer::start().await;
    for (id, codes) in
        [("r1", &["d", "b"][..]), ("r2", &["c"]), ("r3", &["a", "e"]), ("r4", &["d"])]
    {
        let of = |(at, code): (usize, &&str)| medication(&format!("m{at}"), code, "abc");
        let contained: Vec<Value> = codes.iter().enumerate().map(of).collect();
        server.update(request(id, "ann", &contained)).await.expect(201);
    }
    let short = |found: Vec<String>| {
        let ends = found.iter().map(|url| url.rsplit('/').next().unwrap());
        ends.collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("_sort=code", "r3 r1 r2 r4"),
        ("_sort=-code", "r3 r4 r1 r2"),
        ("_sort=-code,_lastUpdated", "r3 r1 r4 r2"),
        ("_sort=_lastUpdated", "r1 r2 r3 r4"),
        ("code=b,c,d&_sort=code", "r1 r2 r4"),
        ("_containedType=contained&_sort=code,_lastUpdated", "r3#m0 r1#m1 r2#m0 r1#m0 r4#m0 r3#m1"),
        ("_containedType=contained&_sort=_id,code", "r3#m0 r2#m0 r4#m0 r1#m0 r1#m1 r3#m1"),
    ] {
        for count in [1, 2, 50] {
            let query = format!("Medication?_contained=true&{query}&_count={count}");
            let found = short(paged(&server, &query).await);
            match query.contains("_id,code") {
                // Those that are equal by both keys stand in any order that stays.
                true => assert_eq!(found.len(), expected.len(), "{query}"),
                false => assert_eq!(found, expected, "{query}"),
            }
        }
    }
    for (query, total) in [
        ("_contained=true", 4),
        ("_contained=true&_containedType=contained", 6),
        ("_contained=true&code=d", 2),
        ("_contained=both&_containedType=contained&code=d", 2),
        ("_contained=both", 4),
    ] {
        for count in ["_count=1&_total=accurate", "_summary=count", "_count=0"] {
            let reply = server.get(&format!("Medication?{query}&{count}")).await.expect(200);
            assert_eq!(reply.body["total"], total, "{query}&{count}");
        }
        let estimate = server.get(&format!("Medication?{query}&_count=1&_total=estimate")).await;
        assert!(estimate.expect(200).body["total"].is_u64(), "{query}");
    }
}

#[tokio::test]
async fn numbers_of_contained_and_other_resources_are_one_order() {
    let server = TestServer::start().await;
    let observation = |id: &str, value: &str| {
        let value: Value = serde_json::from_str(value).unwrap();
        json!({"resourceType": "Observation", "id": id, "status": "final", "code": concept("x"),
            "valueQuantity": {"value": value, "unit": "mg"}})
    };
    for (id, value) in [("a", "9"), ("b", "100.50"), ("c", "10"), ("d", "-2")] {
        server.update(observation(id, value)).await.expect(201);
    }
    for (id, values) in [("r1", ["11", "1e3"]), ("r2", ["9.5", "95"])] {
        let contained = ["in", "on"].into_iter().zip(values);
        let contained: Vec<Value> = contained.map(|(id, value)| observation(id, value)).collect();
        server.update(request(id, "ann", &contained)).await.expect(201);
    }
    for (query, expected) in [
        ("both&_sort=value-quantity", "d a r2 c r1 b"),
        ("both&_sort=-value-quantity", "r1 b r2 c a d"),
        ("true&_sort=value-quantity", "r2 r1"),
        ("true&_sort=-value-quantity,_id", "r1 r2"),
        ("both&_containedType=contained&_sort=value-quantity", "d a r2#in c r1#in r2#on b r1#on"),
    ] {
        for count in [1, 2, 50] {
            let query = format!("Observation?_contained={query}&_count={count}");
            let found = paged(&server, &query).await;
            let ends: Vec<&str> = found.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
            assert_eq!(ends.join(" "), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn a_container_that_matches_by_itself_stands_once_too() {
    let server = TestServer::start().await;
    for (id, own, within) in [("a", "x", "x"), ("b", "y", "x"), ("c", "x", "y"), ("d", "y", "y")] {
        let mut resource = medication(id, own, "abc");
        let contained = medication("in", within, "abc");
        resource["contained"] = json!([contained]);
        resource["ingredient"] = json!([{"itemReference": {"reference": "#in"}}]);
        server.update(resource).await.expect(201);
    }
    for (query, expected) in [
        ("code=x", "a c"),
        ("code=x&_contained=true", "a b"),
        ("code=x&_contained=both", "a b c"),
        ("_contained=both", "a b c d"),
        ("code=x&code=y&_contained=both", ""),
        ("_filter=code eq x and ingredient-code pr true&_contained=both", "a b"),
    ] {
        assert_eq!(found(&server, &format!("Medication?{query}")).await, expected, "{query}");
        let count = server.get(&format!("Medication?{query}&_summary=count")).await.expect(200);
        let expected = expected.split_whitespace().count();
        assert_eq!(count.body["total"], expected, "{query}");
        let sorted = format!("Medication?{query}&_sort=-_lastUpdated&_count=1");
        assert_eq!(paged(&server, &sorted).await.len(), expected, "{query}");
    }
    let both = "Medication?code=x&_contained=both&_containedType=contained";
    let expected = "Medication/a Medication/a#in Medication/b#in Medication/c";
    assert_eq!(found_urls(&server, both).await, expected);
    let sorted = format!("{both}&_sort=_id,_lastUpdated&_count=1");
    let expected = ["Medication/a", "Medication/c", "Medication/a#in", "Medication/b#in"];
    assert_eq!(paged(&server, &sorted).await, expected);
}

/// An observation with everything, in a report.
pub fn report() -> Value {
    let observation = json!({
        "resourceType": "Observation", "id": "in", "status": "final", "code": concept("weight"),
        "meta": {"tag": [{"system": "urn:t", "code": "t"}], "profile": ["http://p.example"]},
        "category": [{"coding": [{"code": "vital", "display": "Vital signs"}]}],
        "identifier": [{"system": "urn:i", "value": "7"}],
        "subject": {"reference": "Patient/ann"},
        "performer": [{"reference": "Practitioner/doc"}],
        "effectiveDateTime": "2025-03-01",
        "valueQuantity": {"value": 62.5, "unit": "kg", "system": "http://unitsofmeasure.org",
            "code": "kg"},
        "component": [{"code": concept("arm"), "valueQuantity": {"value": 3, "unit": "cm"}}],
        "note": [{"text": "rested"}]
    });
    let location = json!({"resourceType": "Location", "id": "place", "name": "Gómez Hall",
        "position": {"latitude": 23.81, "longitude": 90.41}});
    let value_set = json!({"resourceType": "ValueSet", "id": "vs", "status": "draft",
        "url": "http://a/vs", "version": "2", "date": "2024-01-01"});
    json!({"resourceType": "Basic", "id": "all", "code": concept("report"),
        "contained": [observation, location, value_set],
        "extension": [
            {"url": "http://x/1", "valueReference": {"reference": "#in"}},
            {"url": "http://x/2", "valueReference": {"reference": "#place"}},
            {"url": "http://x/3", "valueReference": {"reference": "#vs"}}]})
}

/// A server with the report, and with what that refers to.
async fn reported() -> TestServer {
    let server = TestServer::start_with(|settings| settings.content_search = true).await;
    let ann = json!({"resourceType": "Patient", "id": "ann", "name": [{"family": "Ashe"}]});
    let doctor = json!({"resourceType": "Practitioner", "id": "doc",
        "name": [{"family": "Boyd"}]});
    for resource in [ann, doctor, report()] {
        server.update(resource).await.expect(201);
    }
    server
}

/// What the observation of the report meets.
const MET: [&str; 40] = [
    "code=weight",
    "code=http://codes.example|weight&date=2025",
    "code=weight&patient=Patient/ann",
    "patient=Patient/ann",
    "patient=Patient/ann&_sort=-date",
    "code:not=height",
    "category=vital",
    "category:text=vital",
    "category=x,vital&code=weight",
    "code=weight&category=vital&date=ge2025-03&date=lt2026",
    "status=final",
    "identifier=urn:i|7",
    "identifier=7&code=weight",
    "date=2025-03-01",
    "date=ge2025-01",
    "date=le2025-03-01",
    "date:missing=false",
    "encounter:missing=true",
    "value-quantity=62.5|http://unitsofmeasure.org|kg",
    "value-quantity=62500|http://unitsofmeasure.org|g",
    "value-quantity=gt60&code=weight",
    "value-quantity=gt60&value-quantity=lt70&code=weight",
    "component-code-value-quantity=http://codes.example|arm$3",
    "code-value-quantity=http://codes.example|weight$gt60",
    "performer=Practitioner/doc",
    "subject=Patient/ann&performer=Practitioner/doc",
    "performer:Practitioner.name=boyd",
    "patient.name=ashe",
    "patient.name=ashe&code=weight&_sort=date,code",
    "_id=in",
    "_id=other,in",
    "_lastUpdated=ge2020",
    "_tag=urn:t|t",
    "_profile=http://p.example",
    "_content=rested",
    "_filter=code eq weight and (value-quantity gt 60 or status ne final)",
    "_filter=not (code eq height)",
    "_filter=status ne amended or patient.name co \"ash\"",
    "_filter=(code eq weight and date ge 2025) or identifier eq 8",
    "_sort=patient,performer,-value-quantity,category",
];

#[tokio::test]
async fn every_criterion_is_about_the_contained_resource() {
    let server = reported().await;
    for query in MET {
        for (kind, expected) in [("container", "all"), ("contained", "in")] {
            let rest = format!("_contained=true&_containedType={kind}");
            let query = format!("Observation?{query}&{rest}&_total=accurate");
            assert_eq!(found(&server, &query).await, expected, "{query}");
            let both = query.replace("_contained=true", "_contained=both");
            assert_eq!(found(&server, &both).await, expected, "{both}");
        }
        if !query.contains("_sort") {
            // Nothing of it is the container's, or another resource's.
            assert_eq!(found(&server, &format!("Observation?{query}")).await, "", "{query}");
        }
    }
}

#[tokio::test]
async fn what_the_contained_resource_does_not_meet_is_not_found() {
    let server = reported().await;
    for (query, expected) in [
        ("Observation?code=height", ""),
        ("Observation?code:not=weight", ""),
        ("Observation?date:missing=true", ""),
        ("Observation?patient.name=boyd", ""),
        ("Observation?value-quantity=64", ""),
        ("Observation?_filter=not (code eq weight)", ""),
        ("Observation?_lastUpdated=lt2020", ""),
        ("Location?name=gomez", "all"),
        ("Location?name:contains=hall", "all"),
        ("Location?near=23.81|90.41|1", "all"),
        ("Location?near=23.81|90.41|1&_sort=-near", "all"),
        ("Location?near=24.81|90.41|1", ""),
        ("ValueSet?url=http://a/vs|2", "all"),
        ("ValueSet?url:below=http://a&version=2", "all"),
        ("ValueSet?date=lt2025&_sort=url", "all"),
        ("Patient/ann/Observation?code=weight", "all"),
        ("Patient/ann/*?_type=Observation", "all"),
        ("Patient/bob/Observation?code=weight", ""),
        ("Basic?code=report", ""),
    ] {
        let query = format!("{query}&_contained=true");
        assert_eq!(found(&server, &query).await, expected, "{query}");
    }
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn other_searches_find_nothing_of_what_is_contained() {
    let server = TestServer::start_with(|settings| settings.content_search = true).await;
    let own = json!({"resourceType": "Observation", "id": "own", "status": "final",
        "code": concept("height"), "subject": {"reference": "Patient/ann"}});
    let ann = json!({"resourceType": "Patient", "id": "ann", "name": [{"family": "Ashe"}]});
    for resource in [ann, own, report()] {
        server.update(resource).await.expect(201);
    }
    for (query, expected) in [
        ("Observation?patient=Patient/ann", "own"),
        ("Observation?value-quantity:missing=true", "own"),
        ("Observation?_sort=value-quantity,-date,identifier,category", "own"),
        ("Observation?_filter=code ne nothing", "own"),
        ("Observation?_filter=status eq final or value-quantity gt 1", "own"),
        ("Observation?_id=own,in", "own"),
        ("Patient?_has:Observation:patient:code=weight", ""),
        ("Patient?_has:Observation:patient:value-quantity=gt1", ""),
        ("Patient?_has:Observation:patient:identifier=7", ""),
        ("Patient?_has:Observation:patient:code=height", "ann"),
        ("Encounter?location.name=gomez", ""),
        ("?_content=Gómez&_type=Location", ""),
        ("Location?near=23.81|90.41", ""),
        ("QuestionnaireResponse?questionnaire=http://a/vs", ""),
        ("Patient/ann/Observation", "own"),
    ] {
        assert_eq!(found(&server, query).await, expected, "{query}");
        let separator = if query.contains('?') { "&" } else { "?" };
        let count = server.get(&format!("{query}{separator}_summary=count")).await.expect(200);
        assert_eq!(count.body["total"], expected.split_whitespace().count(), "{query}");
    }
    let included = server.get("Patient?_id=ann&_revinclude=Observation:patient").await.expect(200);
    assert_eq!(included.sorted_ids("include"), "own");
    let everything = server.get("?_summary=count").await.expect(200);
    assert_eq!(everything.body["total"], 3);
}

#[tokio::test]
async fn contained_resources_are_seen_by_who_sees_their_container() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    // It names another patient than its container.
    let mut foreign = request("r4", "bob", &[]);
    foreign["contained"] = json!([{"resourceType": "Observation", "id": "o", "status": "final",
        "code": concept("weight"), "subject": {"reference": "Patient/ann"}}]);
    foreign["reasonReference"] = json!([{"reference": "#o"}]);
    server.update(foreign).await.expect(201);
    let permit = server.permit_about("Patient/ann").await;
    for (kind, query, expected) in [
        ("Medication", "ingredient-code=abc", 1),
        ("Medication", "code=mixture", 1),
        ("Medication", "code=syrup", 0),
        ("Medication", "_id=m1", 1),
        ("Medication", "_sort=code,_id", 1),
        ("Medication", "_filter=code eq syrup or code eq mixture", 1),
        ("Medication", "_filter=not (code eq syrup)", 1),
        ("Observation", "code=weight", 0),
        ("Observation", "patient=Patient/ann", 0),
        ("Observation", "patient=Patient/ann&code=weight", 0),
        ("Observation", "patient._id=ann", 0),
    ] {
        for contained in ["true", "both"] {
            for shown in ["container", "contained"] {
                let scope = SearchScope::Type(ResourceType::parse(kind).unwrap());
                let (name, value) = query.split_once('=').unwrap();
                let (value, rest) = value.split_once('&').unwrap_or((value, ""));
                let mut parameters = vec![
                    (name.to_owned(), value.to_owned()),
                    ("_contained".to_owned(), contained.to_owned()),
                    ("_containedType".to_owned(), shown.to_owned()),
                    ("_total".to_owned(), "accurate".to_owned()),
                    ("_count".to_owned(), "1".to_owned()),
                ];
                parameters.extend(rest.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())));
                let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
                let page = server.context.store.search(&permit, &plan).await.unwrap();
                let is_both_mixtures = shown == "contained" && !query.contains("abc");
                let is_two = is_both_mixtures && expected == 1 && !query.contains("_id=m1");
                let expected = if is_two { 2 } else { expected };
                let said = format!("{kind}?{query} {contained} {shown}");
                assert_eq!(page.total, Some(expected), "{said}");
                assert_eq!(page.matches.len() as i64, expected.min(1), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn pages_show_contained_resources_as_the_first_one_saw_them() {
    for (shown, expected) in [
        ("container", ["r0", "r1", "r2", "r3", "r4", "r5"].map(str::to_owned).to_vec()),
        ("contained", (0..12).map(|at| format!("r{}#m{}", at / 2, at % 2)).collect()),
    ] {
        let server = TestServer::start().await;
        let contained = |at: usize| {
            let of = |place: usize| {
                let code = format!("c{at}{place}");
                medication(&format!("m{place}"), &code, "abc")
            };
            [of(0), of(1)]
        };
        for at in 0..6 {
            let resource = request(&format!("r{at}"), "ann", &contained(at));
            server.update(resource).await.expect(201);
        }
        let query = format!(
            "Medication?ingredient-code=abc&_contained=both&_containedType={shown}&_sort=code\
             &_count=2"
        );
        let first = server.get(&query).await.expect(200);
        // Two pages on: another order, nothing, another match, one more.
        let turned = [medication("m0", "z", "abc"), medication("m1", "y", "abc")];
        server.update(request("r3", "ann", &turned)).await.expect(200);
        server.delete("MedicationRequest/r4").await.expect(204);
        server.update(request("r5", "ann", &[])).await.expect(200);
        server.update(request("r9", "ann", &contained(0))).await.expect(201);
        server.update(medication("late", "c30", "abc")).await.expect(201);
        let mut found = urls(&server, &first);
        let mut page = first.clone();
        while let Some(next) = page.link("next") {
            page = server.get(next).await.expect(200);
            found.extend(urls(&server, &page));
        }
        let found: Vec<&str> = found.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
        assert_eq!(found, expected, "{shown}");
        let mut back = Vec::new();
        while let Some(previous) = page.link("previous") {
            page = server.get(previous).await.expect(200);
            back.splice(0..0, urls(&server, &page));
        }
        let back: Vec<&str> = back.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
        assert_eq!(back, expected[..expected.len() - 2], "{shown}");
    }
}

#[tokio::test]
async fn a_container_that_was_changed_is_shown_once_as_it_was() {
    let server = TestServer::start().await;
    // `a` matches by itself and by what it contains, `b` by what it contains alone.
    let with = |id: &str, own: &str, within: &str| {
        let mut resource = medication(id, own, "abc");
        resource["contained"] = json!([medication("in", within, "abc")]);
        resource["ingredient"] = json!([{"itemReference": {"reference": "#in"}}]);
        resource
    };
    for (id, own) in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")] {
        server.update(with(id, own, "x")).await.expect(201);
    }
    let query = "Medication?code=x&_contained=both&_sort=_lastUpdated&_count=1&_total=accurate";
    let first = server.get(query).await.expect(200);
    assert_eq!(first.body["total"], 4);
    for id in ["a", "b", "c"] {
        server.update(with(id, "y", "y")).await.expect(200);
    }
    let mut found = first.ids("match").iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let mut page = first.clone();
    while let Some(next) = page.link("next") {
        page = server.get(next).await.expect(200);
        found.extend(page.ids("match").iter().map(|id| (*id).to_owned()));
    }
    assert_eq!(found, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn what_contained_resources_cannot_be_asked_is_refused_by_name() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    for (query, text) in [
        ("Medication?_contained=yes", "false, true or both"),
        ("Medication?_contained=true&_contained=true", "given once"),
        ("Medication?_contained=true&_containedType=all", "container or contained"),
        ("Medication?_containedType=contained&_containedType=container", "given once"),
        ("Medication?_contained=true&_include=Medication:manufacturer", "_include"),
        ("Medication?_contained=both&_revinclude=MedicationRequest:medication", "_revinclude"),
        ("Patient?_contained=both&_has:Observation:patient:code=a", "_has or _list"),
        ("Patient?_contained=true&_list=42", "_has or _list"),
        ("Patient?_contained=true&_filter=_has:Observation:patient:code eq a", "_has or _list"),
        ("Medication?_contained=true&nothing=1", "nothing"),
    ] {
        refused(&server, query, text).await;
    }
    // At the other end of a chain it is about resources.
    let chained = "Observation?_contained=true&patient._has:Group:member:_id=7";
    server.get(chained).await.expect(200);
    let reply = server.create_if_none_exist(medication("x", "a", "b"), "code=a&_contained=both");
    let outcome = reply.await.expect(400).body;
    assert_eq!(outcome["issue"][0]["expression"], json!(["http._contained"]), "{outcome}");
}

#[tokio::test]
async fn a_search_of_contained_resources_is_explained_as_it_is_run() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    for kind in ["container", "contained"] {
        let query = format!("code=mixture&_contained=both&_containedType={kind}&_sort=code,_id");
        let reply = server.get(&format!("Medication/$explain?{query}")).await.expect(200);
        assert!(reply.text().contains("contained_match"), "{}", reply.text());
    }
}
