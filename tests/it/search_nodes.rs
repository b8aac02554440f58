//! Two nodes on one database: what is first stored through one is found through the other at
//! once, also by a search that it has answered before, with nothing.

use super::harness::{TestServer, found};
use serde_json::{Value, json};

/// What no node has heard of before: codes, units, texts, references, identifiers, URLs.
fn unheard_of() -> Vec<Value> {
    vec![
        json!({"resourceType": "Observation", "id": "o", "status": "final",
            "code": {"coding": [{"system": "http://new.example/first", "code": "lead"},
                {"system": "http://new.example/further", "code": "further"}], "text": "Newly"},
            "category": [{"coding": [{"system": "http://new.example/category", "code": "new"}]}],
            "subject": {"reference": "Patient/p"}, "encounter": {"reference": "Encounter/e"},
            "performer": [{"reference": "Practitioner/nobody-stored"}],
            "effectiveDateTime": "2020-01-01",
            "valueQuantity": {"value": 7, "unit": "newtons", "system": "http://u", "code": "nwt"},
            "component": [{"code": {"coding": [{"system": "http://new.example/c", "code": "part"}]},
                "valueQuantity": {"value": 3, "system": "http://u", "code": "prt"}}]}),
        json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
            "content": [{"attachment": {"contentType": "text/x-new;a=b", "url": "http://u"}}]}),
        json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Unheard"}],
            "identifier": [{"system": "urn:new", "value": "77"}],
            "meta": {"tag": [{"system": "urn:tags", "code": "new"}],
                "profile": ["http://new.example/profile"]}}),
        json!({"resourceType": "Encounter", "id": "e", "status": "finished",
            "class": {"system": "http://new.example/class", "code": "new"},
            "subject": {"reference": "Patient/p"}}),
        json!({"resourceType": "ValueSet", "id": "v", "status": "active",
            "url": "http://new.example/set", "compose": {"include": [
                {"system": "http://new.example/first", "concept": [{"code": "lead"}]}]}}),
    ]
}

/// Searches with what each finds.
const SEARCHES: [(&str, &str); 26] = [
    ("Observation?code=http://new.example/first|lead", "o"),
    ("Observation?code=lead", "o"),
    ("Observation?code=http://new.example/first|", "o"),
    ("Observation?code=http://new.example/further|further&_sort=-date", "o"),
    ("Observation?code=further", "o"),
    ("Observation?code=http://new.example/further|", "o"),
    ("Observation?category=http://new.example/category|new", "o"),
    ("Observation?patient=Patient/p&code=http://new.example/further|further", "o"),
    ("Observation?code:text=newly", "o"),
    ("Observation?patient=Patient/p", "o"),
    ("Observation?subject=p", "o"),
    ("Observation?encounter=Encounter/e&code=lead", "o"),
    ("Observation?performer=Practitioner/nobody-stored", "o"),
    ("Observation?value-quantity=7|http://u|nwt", "o"),
    ("Observation?value-quantity=7||newtons", "o"),
    ("Observation?component-code-value-quantity=http://new.example/c|part$3", "o"),
    ("Observation?patient.name=unheard", "o"),
    ("Observation?patient.identifier=urn:new|77", "o"),
    ("Patient?_has:Observation:patient:code=http://new.example/further|further", "p"),
    ("Patient?identifier=urn:new|77", "p"),
    ("Patient?_tag=urn:tags|new", "p"),
    ("Patient?_profile=http://new.example/profile", "p"),
    ("DocumentReference?contenttype:below=text/x-new", "d"),
    ("Encounter?class=new&subject=Patient/p", "e"),
    ("ValueSet?url=http://new.example/set", "v"),
    ("ValueSet?reference=http://new.example/first", "v"),
];

async fn expect_all(server: &TestServer, is_stored: bool) {
    for (search, id) in SEARCHES {
        let wanted = if is_stored { id } else { "" };
        assert_eq!(found(server, search).await, wanted, "{search}");
    }
}

#[tokio::test]
async fn what_one_node_stores_first_another_finds_at_once() {
    let (first, second) = TestServer::start_pair().await;
    for resource in unheard_of() {
        first.update(resource).await.expect(201);
    }
    expect_all(&second, true).await;
    expect_all(&first, true).await;
}

#[tokio::test]
async fn a_search_that_found_nothing_finds_what_another_node_stored_since() {
    let (first, second) = TestServer::start_pair().await;
    for node in [&first, &second, &second] {
        expect_all(node, false).await;
    }
    let entries: Vec<Value> = unheard_of()
        .into_iter()
        .map(|resource| {
            let text = |name: &str| resource[name].as_str().unwrap().to_owned();
            let url = format!("{}/{}", text("resourceType"), text("id"));
            json!({"resource": resource, "request": {"method": "PUT", "url": url}})
        })
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    first.post("", &bundle).await.expect(200);
    expect_all(&second, true).await;
    expect_all(&first, true).await;
}

#[tokio::test]
async fn a_reference_to_what_another_node_stores_later_leads_there() {
    let (first, second) = TestServer::start_pair().await;
    let observation = |id: &str, to: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {"text": "x"}, "subject": {"reference": to}})
    };
    second.update(observation("before", "Patient/later")).await.expect(201);
    assert_eq!(found(&first, "Observation?subject=Patient/later").await, "before");
    assert_eq!(found(&second, "Observation?patient.name=later").await, "");
    let patient = json!({"resourceType": "Patient", "id": "later", "name": [{"family": "Later"}]});
    first.update(patient).await.expect(201);
    first.update(observation("after", "Patient/later")).await.expect(201);
    for node in [&first, &second] {
        assert_eq!(found(node, "Observation?subject=Patient/later").await, "after before");
        assert_eq!(found(node, "Observation?patient.name=later").await, "after before");
        let with = node.get("Observation?_include=Observation:subject").await.expect(200);
        assert_eq!(with.ids("include"), ["later"]);
    }
}

#[tokio::test]
async fn a_value_set_and_a_code_system_of_another_node_count_at_once() {
    let (first, second) = TestServer::start_pair().await;
    for resource in unheard_of() {
        first.update(resource).await.expect(201);
    }
    let (set, kin) = ("Observation?code:in=http://new.example/set", "http://new.example/first");
    assert_eq!(found(&second, set).await, "o");
    let mut narrower = unheard_of().pop().unwrap();
    narrower["compose"]["include"][0]["concept"] = json!([{"code": "other"}]);
    first.update(narrower).await.expect(200);
    assert_eq!(found(&second, set).await, "", "the value set has another definition now");
    let system = |below: &str| {
        json!({"resourceType": "CodeSystem", "id": "s", "status": "active", "url": kin,
            "content": "complete", "concept": [{"code": "root", "concept": [{"code": below}]}]})
    };
    let below = format!("Observation?code:below={kin}|root");
    first.update(system("lead")).await.expect(201);
    assert_eq!(found(&second, &below).await, "o");
    first.update(system("other")).await.expect(200);
    assert_eq!(found(&second, &below).await, "");
}
