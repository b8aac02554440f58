//! `_list` (search.html#list).

use super::harness::{TestServer, observation, patient};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

async fn find(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).sorted_ids("match")
}

/// An entry for each item; `!` before those that are marked as deleted.
fn list(id: &str, items: &[&str]) -> Value {
    let entry = |item: &&str| match item.strip_prefix('!') {
        Some(item) => json!({"deleted": true, "item": {"reference": item}}),
        None => json!({"item": {"reference": item}}),
    };
    let entries: Vec<Value> = items.iter().map(entry).collect();
    let mut value = json!({"resourceType": "List", "id": id, "status": "current",
        "mode": "changes", "subject": {"reference": "Patient/a"}});
    if !entries.is_empty() {
        value["entry"] = json!(entries);
    }
    value
}

async fn with_lists() -> TestServer {
    let server = TestServer::start().await;
    for id in ["a", "b", "c", "d"] {
        let gender = if id == "a" { "female" } else { "male" };
        server.update(patient().id(id).with("gender", gender)).await.expect(201);
    }
    for (id, about) in [("o1", "Patient/a"), ("o2", "Patient/b")] {
        server.update(observation().id(id).subject(about)).await.expect(201);
    }
    let full = ["Patient/a", "Patient/b", "!Patient/c", "Observation/o1", "Patient/nobody"];
    for list in [
        list("42", &full),
        list("43", &["Patient/d", "!Patient/d", "!Patient/a", "!Patient/a"]),
        list("44", &[]),
    ] {
        server.update(list).await.expect(201);
    }
    server
}

#[tokio::test]
async fn a_list_finds_what_its_entries_refer_to_but_for_those_marked_as_deleted() {
    let server = with_lists().await;
    for (query, expected) in [
        ("Patient?_list=42", "a b"),
        ("Observation?_list=42", "o1"),
        ("Practitioner?_list=42", ""),
        ("Patient?_list=List/42", "a b"),
        // An item is there while one of its entries is.
        ("Patient?_list=43", "d"),
        ("Patient?_list=42,43", "a b d"),
        ("Patient?_list=42&_list=43", ""),
        ("Patient?_list=44", ""),
        ("Patient?_list=45", ""),
        ("?_list=42", "a b o1"),
        ("?_type=Patient&_list=42", "a b"),
        // The search parameter of R4 reads every entry.
        ("List?item=Patient/c", "42"),
        ("Patient?_has:List:item:_id=42", "a b c"),
    ] {
        assert_eq!(find(&server, query).await, expected, "{query}");
        let counted = server.get(&format!("{query}&_summary=count")).await.expect(200);
        assert_eq!(counted.body["total"], expected.split_whitespace().count(), "{query}");
    }
}

#[tokio::test]
async fn a_list_goes_together_with_other_parameters_chains_order_and_pages() {
    let server = with_lists().await;
    for (query, expected) in [
        ("Patient?_list=42&gender=female", "a"),
        ("Patient?_list=42&gender:not=female", "b"),
        ("Patient?_list=42&_id=b,d", "b"),
        ("Observation?patient._list=42", "o1 o2"),
        ("Observation?patient=a&_list=42", "o1"),
        ("Observation?code=29463-7&_list=42", "o1"),
        ("Patient/a/Observation?_list=42", "o1"),
    ] {
        assert_eq!(find(&server, query).await, expected, "{query}");
    }
    let included = server.get("Observation?_list=42&_include=Observation:subject").await;
    assert_eq!(included.expect(200).ids("include"), ["a"]);
    let first = server.get("?_list=42&_sort=-_id&_count=2").await.expect(200);
    assert_eq!(first.sorted_ids("match"), "b o1");
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    assert_eq!(second.sorted_ids("match"), "a");
}

#[tokio::test]
async fn a_list_is_read_as_it_is_now() {
    let server = with_lists().await;
    server.update(list("42", &["!Patient/a", "Patient/b", "Patient/c"])).await.expect(200);
    assert_eq!(find(&server, "Patient?_list=42").await, "b c");
    server.update(list("42", &["Patient/a", "Patient/d"])).await.expect(200);
    assert_eq!(find(&server, "Patient?_list=42").await, "a d");
    server.delete("Patient/d").await.expect(204);
    assert_eq!(find(&server, "Patient?_list=42").await, "a");
    server.delete("List/42").await.expect(204);
    assert_eq!(find(&server, "Patient?_list=42").await, "");
}

#[tokio::test]
async fn functional_lists_modifiers_and_what_is_no_id_are_400() {
    let server = TestServer::start().await;
    for (query, code, says) in [
        ("AllergyIntolerance?_list=$current-allergies", "not-supported", "$current-allergies"),
        ("Patient?_list=42,$current-problems", "not-supported", "$current-problems"),
        ("Patient?_list:not=42", "not-supported", ":not"),
        ("Patient?_list=42,", "value", "_list"),
        ("Patient?_list=Patient/1", "value", "id of a List"),
    ] {
        let reply = server.get(query).await.expect(400);
        let issue = &reply.body["issue"][0];
        assert_eq!(issue["code"], code, "{query}: {}", reply.text());
        assert!(issue["diagnostics"].as_str().unwrap().contains(says), "{}", reply.text());
    }
    // A criterion is never left out for its value: more would be found than was asked for.
    let request = server.request("GET", "Patient?_list=$current-problems");
    request.header("Prefer", "handling=lenient").send().await.expect(400);
}

#[tokio::test]
async fn a_list_that_the_caller_may_not_see_finds_nothing() {
    let server = with_lists().await;
    let store = &server.context.store;
    let patient = ResourceType::parse("Patient").unwrap();
    let parameters = [("_list".to_owned(), "42".to_owned())];
    let plan = server.context.plan(&SearchScope::Type(patient), &parameters, Handling::Strict);
    let plan = plan.unwrap();
    let all = Permit::operator();
    let found = store.search(&all, &plan).await.unwrap();
    let rid_of = |id: &str| {
        found.matches.iter().find(|found| found.stored.key.id.as_str() == id).unwrap().stored.rid
    };
    let seen_by =
        |subjects: Vec<i64>| all.narrowed(RowFilter::of_stamps(subjects, Vec::new(), Vec::new()));
    // The list is about a, so that who sees a alone sees it, and nothing of b.
    for (permit, expected) in [
        (seen_by(vec![rid_of("a")]), vec!["a"]),
        (seen_by(vec![rid_of("a"), rid_of("b")]), vec!["a", "b"]),
        (seen_by(vec![rid_of("b")]), Vec::new()),
    ] {
        let page = store.search(&permit, &plan).await.unwrap();
        let mut found: Vec<&str> = page.matches.iter().map(|m| m.stored.key.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
