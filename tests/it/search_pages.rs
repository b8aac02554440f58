//! Pages as of the first one (http.html#paging): what is written between two pages changes none
//! of them. A longer run is
//!
//! ```sh
//! BHN_PAGES_ROUNDS=500 BHN_PAGES_SEED=3 cargo test --test it search_pages
//! ```

use super::harness::{Reply, TestServer};
use super::search_oracle::random::Random;
use super::search_oracle::setting;
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use bhn_fhir::search::{Horizon, Plan};
use bhn_fhir::storage::Placed;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SYSTEM: &str = "http://codes.example";
const CODES: [&str; 3] = ["a", "b", "c"];
const STATUSES: [&str; 3] = ["final", "amended", "preliminary"];
const FAMILIES: [&str; 4] = ["Akter", "begum", "Rahmán", "Rahman"];

/// A resource as a page shows it.
type Shown = (String, String);

fn shown(reply: &Reply) -> Vec<Shown> {
    let entries = reply.body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    let of = |entry: &Value| {
        let resource = &entry["resource"];
        (
            format!("{}/{}", resource["resourceType"], resource["id"]).replace('"', ""),
            resource["meta"]["versionId"].as_str().unwrap().to_owned(),
        )
    };
    matches.map(of).collect()
}

fn random_patient(random: &mut Random, id: &str) -> Value {
    let mut value = json!({"resourceType": "Patient", "id": id, "active": random.below(2) == 0});
    if random.below(4) > 0 {
        let family = random.pick(&FAMILIES);
        value["name"] = json!([{"family": family}, {"given": [random.pick(&FAMILIES)]}]);
    }
    if random.below(3) > 0 {
        value["birthDate"] = json!(format!("19{}0-01-0{}", random.below(10), 1 + random.below(3)));
    }
    value
}

fn random_observation(random: &mut Random, id: &str) -> Value {
    let code = json!({"coding": [{"system": SYSTEM, "code": random.pick(&CODES)}]});
    let mut value = json!({
        "resourceType": "Observation", "id": id, "code": code,
        "status": random.pick(&STATUSES),
        "subject": {"reference": format!("Patient/p{}", random.below(6))},
    });
    if random.below(4) > 0 {
        value["effectiveDateTime"] =
            json!(format!("202{}-0{}", random.below(4), 1 + random.below(9)));
    }
    if random.below(3) > 0 {
        value["valueQuantity"] = json!({
            "value": random.below(40), "unit": "mg", "code": "mg",
            "system": "http://unitsofmeasure.org"
        });
    }
    value
}

fn random_resource(random: &mut Random) -> Value {
    match random.below(3) {
        0 => {
            let id = format!("p{}", random.below(12));
            random_patient(random, &id)
        }
        _ => {
            let id = format!("o{}", random.below(40));
            random_observation(random, &id)
        }
    }
}

/// Criteria that are about the resource alone, and orders of each kind.
const QUERIES: [&str; 25] = [
    "Observation?",
    "Observation?_sort=_lastUpdated",
    "Observation?_sort=-_lastUpdated,_id",
    "Observation?_sort=status,-date,_id",
    "Observation?_sort=value-quantity",
    "Observation?_sort=-value-quantity,code",
    "Observation?_sort=-subject,date",
    "Observation?code=http://codes.example|a",
    "Observation?code=b,c&status:not=final",
    "Observation?code=a&_sort=-date",
    "Observation?patient=Patient/p1,Patient/p2",
    "Observation?patient=p3&date=ge2021",
    "Observation?value-quantity=gt0.015|http://unitsofmeasure.org|g&_sort=-date",
    "Observation?code-value-quantity=a$lt20,b$gt10",
    "Observation?combo-code-value-quantity=a$gt10,c$lt30",
    "Observation?date:missing=true",
    "Observation?_lastUpdated=gt2020&_id=o1,o2,o3,o4,o5,o6,o7&_sort=_id",
    "Observation?_filter=code ne a and date po 2021&_sort=-code,date",
    "Observation?_filter=status eq final or (value-quantity gt 10 and not (code eq b))",
    "Patient?_sort=family,-birthdate",
    "Patient?_sort=-given&active=true",
    "Patient?name=rah&_sort=birthdate",
    "Patient/p1/Observation?_sort=status",
    "Patient/p2/*?",
    "?_type=Patient,Observation&_sort=-_lastUpdated",
];

/// Somebody writes between the pages: updates, deletes, creates again and anew.
async fn write(server: &TestServer, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let resource = random_resource(random);
        let path = format!("{}/{}", resource["resourceType"], resource["id"]).replace('"', "");
        match random.below(32) {
            3..11 => drop(server.delete(&path).await),
            0 => {
                let mut new = random_observation(random, "");
                new.as_object_mut().unwrap().remove("id");
                server.create(new).await.expect(201);
            }
            _ => drop(server.update(resource).await),
        }
    }
}

#[tokio::test]
async fn all_pages_show_what_the_first_saw_whatever_is_written_between_them() {
    let (server, other) = TestServer::start_pair().await;
    let seed = setting("BHN_PAGES_SEED", 7);
    let rounds = setting("BHN_PAGES_ROUNDS", 15);
    let random = &mut Random::new(seed);
    for number in 0..12 {
        server.update(random_patient(random, &format!("p{number}"))).await.expect(201);
    }
    for number in 0..40 {
        server.update(random_observation(random, &format!("o{number}"))).await.expect(201);
    }
    for round in 0..rounds {
        let query = random.pick(&QUERIES);
        let and = if query.ends_with('?') { "" } else { "&" };
        let whole =
            server.get(&format!("{query}{and}_count=1000&_total=accurate")).await.expect(200);
        let expected = shown(&whole);
        let count = 1 + random.below(7);
        let first =
            server.get(&format!("{query}{and}_count={count}&_total=accurate")).await.expect(200);
        let mut seen = shown(&first);
        let mut page = first.clone();
        let said =
            |what: &str| format!("seed {seed}, round {round}, {query}, {count} a page: {what}");
        while let Some(next) = page.link("next").map(str::to_owned) {
            write(&other, random).await;
            // A link is good on every node.
            let node = random.pick(&[&server, &other]);
            page = node.get(&next.replace(server.base(), node.base())).await.expect(200);
            assert_eq!(page.body["total"], first.body["total"], "{}", said("total"));
            let of_page = shown(&page);
            // And back.
            if random.below(4) == 0 {
                let previous = page.link("previous").expect("a page before").to_owned();
                let previous = previous.replace(server.base(), node.base());
                let before = shown(&node.get(&previous).await.expect(200));
                assert_eq!(before, seen[seen.len() - before.len()..], "{}", said("previous"));
                assert_eq!(before.len(), count, "{}", said("length of previous"));
            }
            seen.extend(of_page);
        }
        let missed: Vec<_> = expected.iter().filter(|one| !seen.contains(one)).collect();
        let added: Vec<_> = seen.iter().filter(|one| !expected.contains(one)).collect();
        assert!(seen == expected, "{} missed {missed:?} added {added:?}", said("whole result"));
        if let Some(link) = page.link("first").map(str::to_owned) {
            write(&other, random).await;
            let node = server.base();
            let again = server.get(&link.replace(other.base(), node)).await.expect(200);
            assert_eq!(shown(&again), expected[..count.min(expected.len())], "{}", said("first"));
        }
    }
}

/// All pages of a first one.
async fn pages_from(server: &TestServer, first: &Reply, query: &str) -> Vec<Shown> {
    let mut seen = shown(first);
    let mut next = first.link("next").map(str::to_owned);
    while let Some(link) = next {
        let page = server.get(&link).await.expect(200);
        seen.extend(shown(&page));
        next = page.link("next").map(str::to_owned);
    }
    let mut keys: Vec<&String> = seen.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), seen.len(), "each once: {query}");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_read_while_others_write_are_those_read_when_all_is_quiet_again() {
    let (server, other) = TestServer::start_pair().await;
    let random = &mut Random::new(5);
    for number in 0..40 {
        server.update(random_observation(random, &format!("o{number}"))).await.expect(201);
        let id = format!("p{}", number % 12);
        server.update(random_patient(random, &id)).await;
    }
    let (server, other) = (Arc::new(server), Arc::new(other));
    let is_over = Arc::new(AtomicBool::new(false));
    let writers = (0..3).map(|number| {
        let (is_over, node) = (is_over.clone(), if number == 0 { &server } else { &other }.clone());
        tokio::spawn(async move {
            let random = &mut Random::new(100 + number);
            while !is_over.load(Ordering::Relaxed) {
                write(&node, random).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut results = Vec::new();
    for query in QUERIES {
        let and = if query.ends_with('?') { "" } else { "&" };
        let first = server.get(&format!("{query}{and}_count=5")).await.expect(200);
        let seen = pages_from(&server, &first, query).await;
        results.push((query, first, seen));
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    for (query, first, seen) in results {
        assert_eq!(pages_from(&server, &first, query).await, seen, "{query}");
    }
}

fn code(code: &str) -> Value {
    json!({"coding": [{"system": SYSTEM, "code": code}]})
}

/// An observation of a patient, without a date.
fn of_patient(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final", "code": code("a"),
        "subject": {"reference": format!("Patient/{patient}")}
    })
}

/// Another version of it.
fn amended(id: &str, patient: &str) -> Value {
    let mut value = of_patient(id, patient);
    value["status"] = json!("amended");
    value
}

async fn with_observations(ids: &[&str]) -> TestServer {
    let server = TestServer::start().await;
    fill(&server, ids).await;
    server
}

async fn fill(server: &TestServer, ids: &[&str]) {
    for (id, family) in [("x", "Akter"), ("y", "Begum")] {
        let name = json!([{"family": family}]);
        let patient = json!({"resourceType": "Patient", "id": id, "name": name});
        server.update(patient).await.expect(201);
    }
    for id in ids {
        server.update(of_patient(id, "x")).await.expect(201);
    }
}

/// The pages after this one, in order.
async fn rest(server: &TestServer, mut page: Reply) -> Vec<Reply> {
    let mut pages = Vec::new();
    while let Some(next) = page.link("next").map(str::to_owned) {
        page = server.get(&next).await.expect(200);
        pages.push(page.clone());
    }
    pages
}

/// Ids with versions of the matches, as `a1 b2`.
fn told(pages: &[Reply]) -> String {
    let of = |(key, version): Shown| key.split_once('/').unwrap().1.to_owned() + &version;
    let all: Vec<String> = pages.iter().flat_map(shown).map(of).collect();
    all.join(" ")
}

#[tokio::test]
async fn a_resource_that_is_changed_deleted_or_made_anew_stays_where_it_was() {
    let server = with_observations(&["a", "b", "c", "d", "e"]).await;
    server.delete("Observation/e").await.expect(204);
    let query = "Observation?_sort=_lastUpdated&_count=1&subject=Patient/x";
    let first = server.get(query).await.expect(200);
    assert_eq!(told(std::slice::from_ref(&first)), "a1");
    // What was shown moves to the end, what was not has no subject any more or is gone.
    server.update(amended("a", "x")).await.expect(200);
    server.update(amended("b", "y")).await.expect(200);
    server.update(amended("c", "x")).await.expect(200);
    server.delete("Observation/c").await.expect(204);
    server.update(of_patient("e", "x")).await.expect(201);
    server.update(of_patient("f", "x")).await.expect(201);
    let pages = rest(&server, first).await;
    assert_eq!(told(&pages), "b1 c1 d1");
    assert_eq!(server.get(query).await.link("self").unwrap().matches("_page").count(), 0);
    let now = server.get("Observation?_sort=_lastUpdated&subject=Patient/x").await;
    assert_eq!(told(&[now]), "d1 a2 e3 f1");
    // Back to the first one, which has a place of its own.
    let first = pages[2].link("first").unwrap();
    assert_eq!(told(&[server.get(first).await.expect(200)]), "a1");
}

#[tokio::test]
async fn what_was_not_committed_at_the_first_page_is_not_shown_by_the_others() {
    let server = with_observations(&["a", "b", "c"]).await;
    let mut writer = server.database.connect().await;
    let mut transaction = writer.begin().await.unwrap();
    for sql in [
        "insert into resource_history (rid, last_updated, xid, version, epoch, type, deleted, id, \
         body) select rid, last_updated, xid, version, epoch, type, deleted, id, body \
         from resource where id = 'b'",
        "update resource set version = 2, xid = pg_current_xact_id(), deleted = true \
         where id = 'b'",
    ] {
        transaction.execute(sql).await.unwrap();
    }
    // A later transaction comes to its end earlier.
    server.update(of_patient("d", "x")).await.expect(201);
    let first = server.get("Observation?_sort=_id&_count=1").await.expect(200);
    transaction.commit().await.unwrap();
    assert_eq!(told(&rest(&server, first).await), "b1 c1 d1");
    assert_eq!(told(&[server.get("Observation?_sort=_id").await]), "a1 c1 d1");
}

#[tokio::test]
async fn a_search_in_a_transaction_pages_over_what_the_transaction_wrote() {
    let server = with_observations(&["a", "b"]).await;
    let put = |id: &str| {
        let url = format!("Observation/{id}");
        json!({"resource": amended(id, "x"), "request": {"method": "PUT", "url": url}})
    };
    let search = json!({"request": {"method": "GET", "url": "Observation?_sort=_id&_count=1"}});
    let entries = json!([put("b"), put("c"), search]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let reply = server.post("", &bundle).await.expect(200);
    let page = &reply.body["entry"][2]["resource"];
    let link = page["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next");
    let second = server.get(link.unwrap()["url"].as_str().unwrap()).await.expect(200);
    let third = rest(&server, second.clone()).await;
    assert_eq!(told(&[second, third[0].clone()]), "b2 c1");
}

#[tokio::test]
async fn criteria_about_other_resources_are_decided_by_what_those_are_now() {
    let server = with_observations(&["a", "b", "c", "d"]).await;
    let entry = |id| json!({"item": {"reference": format!("Observation/{id}")}});
    let list = json!({
        "resourceType": "List", "id": "l", "status": "current", "mode": "working",
        "entry": [entry("a"), entry("c"), entry("b")]
    });
    server.update(list).await.expect(201);
    let queries = [
        ("patient.name=akter", "b1 c1 d1"),
        ("subject:Patient.name=akter&code=a", "b1 c1 d1"),
        ("_list=l", "b1 c1"),
        ("_filter=subject.name eq akter and not (status eq amended)", "b1 c1 d1"),
        ("_filter=not (subject.name eq begum)", "b1 c1 d1"),
        ("patient._has:Observation:patient:_id=d", "b1 c1 d1"),
    ];
    let mut first = Vec::new();
    for (query, _) in queries {
        first
            .push(server.get(&format!("Observation?{query}&_sort=_id&_count=1")).await.expect(200));
    }
    server.update(amended("b", "y")).await.expect(200);
    server.delete("Observation/c").await.expect(204);
    for ((query, expected), first) in queries.into_iter().zip(first) {
        assert_eq!(told(&rest(&server, first).await), expected, "{query}");
    }
    // The patient that they lead to has another name now.
    let first = server.get("Observation?patient.name=akter&_sort=_id&_count=1").await.expect(200);
    let name = json!([{"family": "Sultana"}]);
    server.update(json!({"resourceType": "Patient", "id": "x", "name": name})).await.expect(200);
    assert_eq!(told(&rest(&server, first).await), "");
}

#[tokio::test]
async fn what_goes_with_a_page_is_what_the_shown_version_refers_to() {
    let server = with_observations(&["a", "b", "c"]).await;
    let query = "Observation?_sort=_id&_count=1&_include=Observation:subject\
                 &_revinclude=Provenance:target";
    let first = server.get(query).await.expect(200);
    assert_eq!(first.sorted_ids("include"), "x");
    server.update(amended("b", "y")).await.expect(200);
    server.delete("Observation/c").await.expect(204);
    let provenance = json!({
        "resourceType": "Provenance", "id": "p", "recorded": "2024-01-01T00:00:00Z",
        "target": [{"reference": "Observation/b"}],
        "agent": [{"who": {"reference": "Practitioner/1"}}]
    });
    server.update(provenance).await.expect(201);
    let pages = rest(&server, first).await;
    assert_eq!(told(&pages), "b1 c1");
    assert_eq!(pages[0].sorted_ids("include"), "p x");
    assert_eq!(pages[1].sorted_ids("include"), "x");
    let response = json!({
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "http://a/q|1"
    });
    for id in ["1", "2"] {
        let mut with_id = response.clone();
        with_id["id"] = json!(id);
        server.update(with_id).await.expect(201);
    }
    for version in ["1", "2"] {
        let questionnaire = json!({
            "resourceType": "Questionnaire", "id": format!("q{version}"), "status": "active",
            "url": "http://a/q", "version": version
        });
        server.update(questionnaire).await.expect(201);
    }
    let query = "QuestionnaireResponse?_sort=_id&_count=1\
                 &_include=QuestionnaireResponse:questionnaire";
    let first = server.get(query).await.expect(200);
    server.delete("QuestionnaireResponse/2").await.expect(204);
    let pages = rest(&server, first).await;
    assert_eq!((told(&pages).as_str(), pages[0].sorted_ids("include").as_str()), ("21", "q1"));
}

#[tokio::test]
async fn a_page_over_more_changes_than_the_limit_is_410_and_says_so() {
    let server = TestServer::start_with(|settings| settings.limits.page_changes = 3).await;
    fill(&server, &["a", "b", "c", "d", "e"]).await;
    let first = server.get("Observation?_sort=_id&_count=2").await.expect(200);
    let of_one = server.get("Observation?_sort=_id&_count=1&patient=y").await.expect(200);
    assert_eq!(of_one.link("next"), None);
    let next = first.link("next").unwrap();
    // New ones are no changes.
    for id in ["f", "g", "h", "i"] {
        server.update(of_patient(id, "x")).await.expect(201);
    }
    for id in ["a", "b", "c"] {
        server.update(amended(id, "x")).await.expect(200);
    }
    assert_eq!(told(&[server.get(next).await.expect(200)]), "c1 d1");
    server.delete("Observation/d").await.expect(204);
    let reply = server.get(next).await.expect(410);
    assert_eq!(reply.body["issue"][0]["code"], "too-costly");
    let text = reply.body["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(text.contains("More than 3") && text.contains("BHN_PAGE_CHANGES"), "{text}");
    // Other types are not in the way.
    let patients = server.get("Patient?_sort=_id&_count=1").await.expect(200);
    assert_eq!(told(&rest(&server, patients).await), "y1");
}

#[tokio::test]
async fn a_link_from_before_a_restore_is_404() {
    let server = with_observations(&["a", "b"]).await;
    let first = server.get("Observation?_count=1").await.expect(200);
    let next = first.link("next").unwrap().to_owned();
    let mut connection = server.database.connect().await;
    connection.execute("update store_epoch set epoch = epoch + 1").await.unwrap();
    let restored = TestServer::on(server.database.clone(), |_| {}).await;
    restored.get(&next.replace(server.base(), restored.base())).await.expect(404);
    // Those that come later reach over what was there before.
    restored.update(of_patient("c", "x")).await.expect(201);
    let first = restored.get("Observation?_count=1&_sort=_id").await.expect(200);
    restored.update(amended("b", "x")).await.expect(200);
    assert_eq!(told(&rest(&restored, first).await), "b1 c1");
}

#[tokio::test]
async fn a_former_version_is_shown_to_who_may_see_it_and_what_became_of_it() {
    let server = with_observations(&["a", "b", "c"]).await;
    let store = &server.context.store;
    let kind = |name| SearchScope::Type(ResourceType::parse(name).unwrap());
    let plan = |name| server.context.plan(&kind(name), &[], Handling::Strict).unwrap();
    let mut connection = store.search_connection().await.unwrap();
    let all = Permit::operator();
    let patients = store.search(&all, &plan("Patient")).await.unwrap();
    let rid_of = |id: &str| {
        let is = |found: &&Placed| found.stored.key.id.as_str() == id;
        patients.matches.iter().find(is).unwrap().stored.rid
    };
    let page = store.search(&all, &plan("Observation")).await.unwrap();
    let snapshot = page.snapshot.clone().unwrap();
    let now = server.context.clock.now();
    let horizon = Horizon { epoch: store.epoch(), snapshot, total: None, now };
    let mut plan: Plan = plan("Observation");
    plan.as_of = Some(horizon);
    server.update(amended("a", "y")).await.expect(200);
    server.update(amended("b", "x")).await.expect(200);
    server.delete("Observation/c").await.expect(204);
    let seen_by =
        |subjects: Vec<i64>| all.narrowed(RowFilter::of_stamps(subjects, Vec::new(), Vec::new()));
    for (permit, expected) in [
        (seen_by(vec![rid_of("x"), rid_of("y")]), "a b c"),
        (seen_by(vec![rid_of("x")]), "b c"),
        (seen_by(vec![rid_of("y")]), ""),
    ] {
        let versions = store.changed(&mut connection, (&permit, &plan), 10).await.unwrap();
        let mut ids: Vec<&str> = versions.iter().map(|one| one.key.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids.join(" "), expected);
    }
}
