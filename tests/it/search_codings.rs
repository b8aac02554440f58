//! Searches by what a resource is coded as beside its first main coding.

use super::check::findings;
use super::harness::{Reply, TestServer, found, patient};
use serde_json::{Value, json};

const LOCAL: &str = "http://local.example";
const LOINC: &str = "http://loinc.org";

fn coded(id: &str, codings: &[(&str, &str)], date: Option<&str>) -> Value {
    let codings: Vec<Value> =
        codings.iter().map(|(system, code)| json!({"system": system, "code": code})).collect();
    let mut observation = json!({"resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": codings}, "subject": {"reference": "Patient/p"}});
    if let Some(date) = date {
        observation["effectiveDateTime"] = json!(date);
    }
    observation
}

/// Weights, three of them first coded as something local, and what is no weight.
async fn with_weights() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    let local = (LOCAL, "w");
    for (id, codings, date) in [
        ("a", &[(LOINC, "29463-7")][..], Some("2020-01-01")),
        ("b", &[local, (LOINC, "29463-7")], Some("2021-01-01")),
        ("c", &[(LOINC, "29463-7"), local], Some("2022-01-01")),
        ("d", &[local, ("http://other.example", "x"), (LOINC, "29463-7")], Some("2023-01-01")),
        ("e", &[local, (LOINC, "29463-7")], None),
        ("f", &[local, (LOINC, "8302-2")], Some("2024-01-01")),
    ] {
        server.put(&format!("Observation/{id}"), &coded(id, codings, date)).await.expect(201);
    }
    server
}

async fn in_order(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).ids("match").join(" ")
}

async fn rows(server: &TestServer) -> i64 {
    let mut connection = server.database.connect().await;
    sqlx::query_scalar("select count(*) from lead_value").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn further_codings_are_found_in_the_order_of_dates_with_the_first_ones() {
    let server = with_weights().await;
    let weights = format!("Observation?code={LOINC}|29463-7");
    assert_eq!(in_order(&server, &format!("{weights}&_sort=-date")).await, "d c b a e");
    assert_eq!(in_order(&server, &format!("{weights}&_sort=date")).await, "a b c d e");
    assert_eq!(in_order(&server, &format!("{weights}&_sort=-date,_id")).await, "d c b a e");
    assert_eq!(found(&server, "Observation?code=29463-7").await, "a b c d e");
    let both = format!("Observation?code={LOINC}|29463-7,{LOCAL}|w&_sort=-date");
    assert_eq!(in_order(&server, &both).await, "f d c b a e");
    for (dates, ids) in
        [("ge2021", "d c b"), ("lt2022", "b a"), ("2021", "b"), ("sa2022-06", "d"), ("eb2021", "a")]
    {
        let found = in_order(&server, &format!("{weights}&date={dates}&_sort=-date")).await;
        assert_eq!(found, ids, "{dates}");
    }
}

#[tokio::test]
async fn further_codings_are_counted_linked_and_left_out_as_first_ones_are() {
    let server = with_weights().await;
    let weights = format!("code={LOINC}|29463-7");
    let total = |reply: Reply| reply.body["total"].as_u64();
    let counted = server.get(&format!("Observation?{weights}&_summary=count")).await.expect(200);
    assert_eq!(total(counted), Some(5));
    let counted = format!("Observation?{weights}&_count=2&_total=accurate");
    assert_eq!(total(server.get(&counted).await.expect(200)), Some(5));
    assert_eq!(found(&server, &format!("Observation?patient=p&{weights}")).await, "a b c d e");
    assert_eq!(found(&server, &format!("Observation?patient=p&code={LOINC}|8302-2")).await, "f");
    assert_eq!(found(&server, &format!("Observation?code:not={LOINC}|29463-7")).await, "f");
    for code in ["8302-2", "29463-7"] {
        let linked = format!("Patient?_has:Observation:patient:code={LOINC}|{code}");
        assert_eq!(found(&server, &linked).await, "p", "{code}");
    }
    assert_eq!(found(&server, "Patient?_has:Observation:patient:code=nothing").await, "");
}

#[tokio::test]
async fn pages_by_a_further_coding_go_on_and_back() {
    let server = with_weights().await;
    let first = format!("Observation?code={LOINC}|29463-7&_sort=-date&_count=2");
    let mut page = server.get(&first).await.expect(200);
    let mut seen = vec![page.ids("match").join(" ")];
    while let Some(next) = page.link("next").map(str::to_owned) {
        page = server.get(&next).await.expect(200);
        seen.push(page.ids("match").join(" "));
    }
    assert_eq!(seen, ["d c", "b a", "e"]);
    let before = page.link("previous").unwrap().to_owned();
    assert_eq!(server.get(&before).await.expect(200).ids("match"), ["b", "a"]);
}

#[tokio::test]
async fn a_further_coding_follows_what_is_updated_and_deleted() {
    let server = with_weights().await;
    assert_eq!(rows(&server).await, 6, "of b, c, d twice, e and f; none of a");
    let moved = coded("b", &[(LOCAL, "w"), (LOINC, "29463-7")], Some("2025-01-01"));
    server.put("Observation/b", &moved).await.expect(200);
    let weights = format!("Observation?code={LOINC}|29463-7&_sort=-date");
    assert_eq!(in_order(&server, &weights).await, "b d c a e");
    server.put("Observation/c", &coded("c", &[(LOCAL, "w")], None)).await.expect(200);
    server.delete("Observation/d").await.expect(204);
    assert_eq!(in_order(&server, &weights).await, "b a e");
    assert_eq!(rows(&server).await, 3);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_coding_that_stands_twice_is_found_once() {
    let server = TestServer::start().await;
    let twice = [(LOCAL, "w"), (LOINC, "x"), (LOCAL, "w"), (LOINC, "x")];
    server.put("Observation/o", &coded("o", &twice, None)).await.expect(201);
    for code in [format!("{LOCAL}|w"), format!("{LOINC}|x"), format!("{LOCAL}|w,{LOINC}|x")] {
        let reply = server.get(&format!("Observation?code={code}")).await.expect(200);
        assert_eq!(reply.ids("match"), ["o"], "{code}");
        assert_eq!(reply.body["total"], 1, "{code}");
    }
    assert_eq!(rows(&server).await, 1);
}
