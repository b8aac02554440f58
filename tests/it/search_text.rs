//! `_text` and `_content` (search.html#text).

use super::harness::{TestServer, observation};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use bhn_fhir::jobs::check::{CheckProgress, check};
use bhn_fhir::jobs::reindex::bring_up_to_date;
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;

fn with_narrative(mut value: Value, div: &str) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{div}</div>");
    value["text"] = json!({"status": "generated", "div": div});
    value
}

fn condition(id: &str, patient: &str, div: &str) -> Value {
    let subject = json!({"reference": format!("Patient/{patient}")});
    with_narrative(json!({"resourceType": "Condition", "id": id, "subject": subject}), div)
}

async fn with_conditions() -> TestServer {
    let server = TestServer::start().await;
    fill(&server).await;
    server
}

async fn fill(server: &TestServer) {
    let eve = json!({"resourceType": "Patient", "id": "eve", "name": [{"family": "Rahmán"}]});
    server.update(with_narrative(eve, "<p>Ève, née à Montréal</p>")).await.expect(201);
    server.update(json!({"resourceType": "Patient", "id": "ann"})).await.expect(201);
    for (id, patient, div) in [
        ("a", "eve", "<p>Métastases of the <b>b</b>one</p>"),
        ("b", "eve", "<p title=\"heart\">Metastases</p><p>liver</p>"),
        ("c", "ann", "<p>Broken bone of the left arm, not of the right</p>"),
        ("d", "ann", "nothing &amp; no one"),
    ] {
        server.update(condition(id, patient, div)).await.expect(201);
    }
    let without = json!({
        "resourceType": "Condition", "id": "e", "subject": {"reference": "Patient/ann"},
        "note": [{"text": "bone"}]
    });
    server.update(without).await.expect(201);
}

async fn find(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).sorted_ids("match")
}

#[tokio::test]
async fn words_of_the_narrative_are_found_without_case_accents_and_markup() {
    let server = with_conditions().await;
    for (value, expected) in [
        ("metastases", "a b"),
        ("MÉTASTASES", "a b"),
        ("(bone OR liver) and metastases", "a b"),
        ("bone or liver metastases", "a b c"),
        ("bone metastases", "a"),
        ("metastases not bone", "b"),
        ("not bone", "b d"),
        ("\"left arm\"", "c"),
        ("\"arm left\"", ""),
        ("\"of the right\"", "c"),
        ("bro*", "c"),
        ("brok", ""),
        ("meta", ""),
        ("heart", ""),
        ("title", ""),
        ("amp", ""),
        ("liver,arm", "b c"),
        ("\"metastasesliver\"", ""),
        ("\"no one\" nothing", "d"),
    ] {
        let found = find(&server, &format!("Condition?_text={value}")).await;
        assert_eq!(found, expected, "{value}");
    }
    assert_eq!(find(&server, "Patient?_text=montreal").await, "eve");
}

#[tokio::test]
async fn words_go_with_other_criteria_chains_has_filters_and_types() {
    let server = with_conditions().await;
    for (query, expected) in [
        ("?_text=bone or montreal", "a c eve"),
        ("?_type=Patient,Condition&_text=bone or montreal", "a c eve"),
        ("?_type=Condition&_text=bone or montreal", "a c"),
        ("Condition?_text=bone&subject=Patient/eve", "a"),
        ("Condition?_text=bone,liver&_sort=_id&_count=10", "a b c"),
        ("Condition?patient._text=ève", "a b"),
        ("Patient?_has:Condition:patient:_text=\"left arm\"", "ann"),
        ("Condition?_filter=_text co \"bone\" and not (subject re Patient/eve)", "c"),
        ("Condition?_filter=subject._text co montreal", "a b"),
        ("Patient/eve/Condition?_text=liver", "b"),
        ("Condition?_text=bone&_text=metastases", "a"),
    ] {
        assert_eq!(find(&server, query).await, expected, "{query}");
    }
    let counted = server.get("Condition?_text=bone&_summary=count").await.expect(200);
    assert_eq!(counted.body["total"], 2);
}

#[tokio::test]
async fn words_follow_updates_deletes_and_many_creates_at_once() {
    let server = with_conditions().await;
    server.update(condition("a", "eve", "nothing any more")).await.expect(200);
    server.delete("Condition/c").await.expect(204);
    let again = json!({
        "resourceType": "Condition", "id": "b", "subject": {"reference": "Patient/ann"}
    });
    server.update(again).await.expect(200);
    assert_eq!(find(&server, "Condition?_text=metastases or bone").await, "");
    assert_eq!(find(&server, "Condition?_text=nothing").await, "a d");
    let entry = |number: usize| {
        let words = format!("entry {number} été");
        let resource = condition(&format!("n{number}"), "eve", &words);
        let url = format!("Condition/n{number}");
        json!({"resource": resource, "request": {"method": "PUT", "url": url}})
    };
    let entries: Vec<Value> = (0..70).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
    assert_eq!(find(&server, "Condition?_text=\"entry 69\" ete").await, "n69");
    let counted = server.get("Condition?_text=ete&_summary=count").await.expect(200);
    assert_eq!(counted.body["total"], 70);
    assert_eq!(differences(&server).await, Vec::<String>::new());
}

async fn differences(server: &TestServer) -> Vec<String> {
    let mut found = Vec::new();
    let mut tell = |finding: &bhn_fhir::storage::Finding| found.push(finding.to_string());
    let (progress, stop) = (CheckProgress::default(), AtomicBool::new(false));
    check(&server.context, &progress, &stop, &mut tell).await.unwrap();
    found
}

#[tokio::test]
async fn pages_of_words_show_what_the_first_saw() {
    let server = with_conditions().await;
    let first = server.get("Condition?_text=bone or liver&_sort=_id&_count=1").await.expect(200);
    server.update(condition("b", "eve", "nothing")).await.expect(200);
    server.update(condition("d", "eve", "bone")).await.expect(200);
    server.delete("Condition/c").await.expect(204);
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    assert_eq!(second.sorted_ids("match"), "b");
    let third = server.get(second.link("next").unwrap()).await.expect(200);
    assert_eq!((third.sorted_ids("match").as_str(), third.link("next")), ("c", None));
}

#[tokio::test]
async fn what_is_no_expression_and_what_has_no_words_is_400_and_says_so() {
    let server = TestServer::start().await;
    let many = vec!["x"; 65].join(" ");
    for (query, code, says) in [
        ("Condition?_text=(bone".to_owned(), "value", "parenthesis"),
        ("Condition?_text=bone and".to_owned(), "value", "behind not"),
        ("Condition?_text=bone,".to_owned(), "value", "word"),
        (format!("Condition?_text={many}"), "too-costly", "64 words"),
        (format!("Condition?_text={}a", "not ".repeat(17)), "too-costly", "negations"),
        ("Condition?_text:exact=bone".to_owned(), "not-supported", ":exact"),
        ("Condition?_sort=_text".to_owned(), "not-supported", "_text"),
        ("Bundle?_text=bone".to_owned(), "not-supported", "_text"),
        ("Condition?_filter=_text eq bone".to_owned(), "not-supported", "co"),
        ("Condition?_content=bone".to_owned(), "not-supported", "BHN_CONTENT_SEARCH"),
        ("Condition?patient._content=bone".to_owned(), "not-supported", "BHN_CONTENT_SEARCH"),
    ] {
        let reply = server.get(&query).await.expect(400);
        let issue = &reply.body["issue"][0];
        assert_eq!(issue["code"], code, "{query}: {}", reply.text());
        assert!(issue["diagnostics"].as_str().unwrap().contains(says), "{}", reply.text());
    }
}

#[tokio::test]
async fn content_is_searched_where_the_setting_is_on_from_the_next_start() {
    let server = with_conditions().await;
    let on = TestServer::on(server.database.clone(), |settings| settings.content_search = true);
    let on = on.await;
    assert!(on.context.store.has_older_index(), "a server builds it before it serves");
    bring_up_to_date(&on.context).await.unwrap();
    for (query, expected) in [
        ("Condition?_content=bone", "a c e"),
        ("Condition?_text=bone", "a c"),
        ("Patient?_content=rahman", "eve"),
        ("Condition?patient._content=rahman", "a b"),
        ("Patient?_has:Condition:patient:_content=liver", "eve"),
        ("?_content=rahman or liver", "b eve"),
        ("Condition?_content=xhtml", ""),
        ("Condition?_content=generated", "a b c d"),
        ("Condition?_filter=_content co \"left arm\"", "c"),
    ] {
        assert_eq!(find(&on, query).await, expected, "{query}");
    }
    on.create(observation().code("http://codes.example", "Zx-9")).await.expect(201);
    assert_eq!(on.get("Observation?_content=zx 9").await.expect(200).ids("match").len(), 1);
    assert_eq!(differences(&on).await, Vec::<String>::new());
    let stated = on.get("metadata").await.expect(200);
    assert!(stated.text().contains("\"_content\""));
    let off = TestServer::on(server.database.clone(), |_| {}).await;
    bring_up_to_date(&off.context).await.unwrap();
    off.get("Condition?_content=bone").await.expect(400);
    assert_eq!(find(&off, "Condition?_text=bone").await, "a c");
    assert_eq!(differences(&off).await, Vec::<String>::new());
    let again = TestServer::on(server.database.clone(), |_| {}).await;
    assert!(!again.context.store.has_older_index());
}

#[tokio::test]
async fn words_find_nothing_that_the_caller_may_not_see() {
    let server = with_conditions().await;
    let store = &server.context.store;
    let plan = |kind, query: &str| {
        let kind = SearchScope::Type(ResourceType::parse(kind).unwrap());
        let (name, value) = query.split_once('=').unwrap();
        let parameters = [(name.to_owned(), value.to_owned())];
        server.context.plan(&kind, &parameters, Handling::Strict).unwrap()
    };
    let all = Permit::operator();
    let eve = store.search(&all, &plan("Patient", "_id=eve")).await.unwrap();
    let subjects = vec![eve.matches[0].stored.rid];
    let filter = RowFilter::of_stamps(subjects, Vec::new(), Vec::new());
    let of_eve = all.narrowed(filter);
    for (kind, query, expected) in [
        ("Condition", "_text=bone", "a"),
        ("Condition", "_text=not bone", "b"),
        ("Patient", "_has:Condition:patient:_text=broken", ""),
        ("Patient", "_has:Condition:patient:_text=liver", "eve"),
    ] {
        let page = store.search(&of_eve, &plan(kind, query)).await.unwrap();
        let mut found: Vec<&str> =
            page.matches.iter().map(|found| found.stored.key.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found.join(" "), expected, "{query}");
    }
}
