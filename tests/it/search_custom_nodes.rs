//! Custom search parameters over several nodes: no row is missed, whoever writes it.

use super::check::findings;
use super::harness::{TestServer, patient};
use bhn_fhir::jobs::reindex::{ReindexProgress, Start, reindex};
use bhn_fhir::jobs::search_parameters::{build_next, follow, keep_built};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::time::{sleep, timeout};

fn by_family() -> Value {
    json!({
        "resourceType": "SearchParameter",
        "id": "surname",
        "url": "http://hospital.example/surname",
        "name": "Surname",
        "status": "active",
        "description": "As family",
        "code": "surname",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.name.family",
    })
}

async fn build(server: &TestServer) {
    while build_next(&server.context, "test").await.unwrap() {}
}

#[tokio::test]
async fn writes_of_a_node_that_has_not_heard_are_found() {
    let (first, deaf) = TestServer::start_pair().await;
    deaf.update(patient().id("a").family("Rahman")).await.expect(201);
    first.update(by_family()).await.expect(201);
    // The node learns by the first that is refused.
    deaf.update(patient().id("b").family("Rahman")).await.expect(201);
    build(&first).await;
    deaf.update(patient().id("a").family("Karim")).await.expect(200);
    deaf.create(patient().id("c").family("Karim")).await.expect(201);
    let found = first.get("Patient?surname=rahman").await.expect(200);
    assert_eq!(found.ids("match"), ["b"]);
    assert_eq!(first.get("Patient?surname=karim").await.expect(200).ids("match").len(), 2);
    assert_eq!(deaf.get("Patient?surname=karim").await.expect(200).ids("match").len(), 2);
}

#[tokio::test]
async fn every_form_of_write_of_a_node_that_has_not_heard_is_prepared_anew() {
    let (first, deaf) = TestServer::start_pair().await;
    for round in 0..4 {
        let id = format!("x{round}");
        deaf.update(patient().id(&id).family("Before")).await.expect(201);
        first.update(by_family()).await;
        // No walk comes behind the writes.
        build(&first).await;
        match round {
            0 => drop(deaf.create(patient().family("After")).await.expect(201)),
            1 => drop(deaf.update(patient().id(&id).family("After")).await.expect(200)),
            2 => {
                let entry = |number: usize| {
                    let resource = Value::from(patient().family("After"));
                    let url = format!("urn:uuid:00000000-0000-4000-8000-{number:012}");
                    let request = json!({"method": "POST", "url": "Patient"});
                    json!({"fullUrl": url, "resource": resource, "request": request})
                };
                // So many go by COPY.
                let entries: Vec<Value> = (0..60).map(entry).collect();
                let bundle =
                    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
                drop(deaf.post("", &bundle).await.expect(200));
            }
            _ => {
                let patch = json!([{"op": "replace", "path": "/name/0/family", "value": "After"}]);
                drop(deaf.patch(&format!("Patient/{id}"), &patch).await.expect(200));
            }
        }
        let found = first.get("Patient?surname=after&_count=200").await.expect(200);
        let named = first.get("Patient?family=after&_count=200").await.expect(200);
        assert_eq!(found.sorted_ids("match"), named.sorted_ids("match"), "{round}");
        first.delete("SearchParameter/surname").await;
        build(&first).await;
        // The next definition finds a node that has not heard of it either.
    }
}

#[tokio::test]
async fn a_write_that_was_under_way_before_the_definition_is_waited_for() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("Rahman")).await.expect(201);
    let mut other = server.database.connect().await;
    // As a node does it that knows no such parameter; its commit is late.
    let insert = "begin; insert into resource (rid, type, id, version, last_updated, keys, present,
        body, epoch, generation) select rid + 100000, type, 'late', version, last_updated, keys,
        present, body, epoch, generation from resource where id = 'a'";
    sqlx::raw_sql(insert).execute(&mut other).await.unwrap();
    server.update(by_family()).await.expect(201);
    let context = server.context.clone();
    let building = tokio::spawn(async move { build_next(&context, "test").await });
    sleep(Duration::from_millis(400)).await;
    assert!(!building.is_finished());
    server.get("Patient?surname=rahman").await.expect_outcome(400, "transient");
    // Others write on meanwhile.
    let write = server.update(patient().id("b").family("Rahman"));
    timeout(Duration::from_secs(5), write).await.expect("nobody is blocked").expect(201);
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    building.await.unwrap().unwrap();
    let found = server.get("Patient?surname=rahman").await.expect(200);
    assert_eq!(found.ids("match").len(), 3);
}

#[tokio::test]
async fn a_search_of_a_node_that_has_not_heard_of_the_end_is_not_short() {
    let (first, deaf) = TestServer::start_pair().await;
    first.update(patient().id("a").family("Rahman")).await.expect(201);
    first.update(by_family()).await.expect(201);
    build(&first).await;
    deaf.context.refreshed().await.unwrap();
    assert_eq!(deaf.get("Patient?surname=rahman").await.expect(200).ids("match"), ["a"]);
    first.delete("SearchParameter/surname").await;
    build(&first).await;
    // Its rows are gone; the node finds that out rather than find nothing.
    deaf.get("Patient?surname=rahman").await.expect_outcome(400, "not-supported");
}

#[tokio::test]
async fn nodes_hear_of_a_definition_at_once_and_one_of_them_builds_it() {
    let (first, second) = TestServer::start_pair().await;
    for server in [&first, &second] {
        tokio::spawn(follow(server.context.clone()));
        tokio::spawn(keep_built(server.context.clone()));
    }
    for number in 0..30 {
        first.update(patient().id(&format!("p{number}")).family("Rahman")).await.expect(201);
    }
    first.update(by_family()).await.expect(201);
    let is_ready = async {
        while second.get("Patient?surname=rahman").await.status() != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), is_ready).await.expect("the parameter is ready");
    let found = second.get("Patient?surname=rahman").await;
    assert_eq!(found.ids("match").len(), 30);
    let found = first.get("Patient?surname=rahman").await.expect(200);
    assert_eq!(found.ids("match").len(), 30);
}

#[tokio::test]
async fn writers_of_two_nodes_beside_a_build_are_all_found() {
    let (first, deaf) = TestServer::start_pair().await;
    for number in 0..60 {
        first.update(patient().id(&format!("p{number}")).family("Before")).await.expect(201);
    }
    let writes = |server: TestServer, from: usize| async move {
        for round in 0..3 {
            for number in (from..60).step_by(2) {
                let family = format!("Round{round}");
                server.update(patient().id(&format!("p{number}")).family(&family)).await;
                let family = format!("New{round}");
                server.create(patient().family(&family)).await.expect(201);
            }
        }
        server
    };
    let definitions = TestServer::on(first.database.clone(), |_| {}).await;
    let defining = async {
        for _ in 0..3 {
            sleep(Duration::from_millis(100)).await;
            definitions.update(by_family()).await;
            build(&definitions).await;
            definitions.delete("SearchParameter/surname").await;
            build(&definitions).await;
        }
        definitions.update(by_family()).await;
        build(&definitions).await;
    };
    let (first, _deaf, ()) = tokio::join!(writes(first, 0), writes(deaf, 1), defining);
    build(&first).await;
    let all = first.get("Patient?surname=round,new,before&_summary=count").await.expect(200);
    assert_eq!(all.body["total"], first.get("Patient?_summary=count").await.body["total"]);
    for family in ["Round0", "Round1", "Round2", "New0", "New1", "New2", "Before"] {
        let count = async |name: &str| {
            let reply = first.get(&format!("Patient?{name}={family}&_summary=count")).await;
            reply.expect(200).body["total"].clone()
        };
        assert_eq!(count("surname").await, count("family").await, "{family}");
    }
}

#[tokio::test]
async fn a_reindex_by_a_node_that_has_not_heard_keeps_the_rows() {
    let (first, deaf) = TestServer::start_pair().await;
    first.update(patient().id("a").family("Rahman")).await.expect(201);
    first.update(by_family()).await.expect(201);
    build(&first).await;
    let mut connection = first.database.connect().await;
    let damage = "delete from string_value; update resource set present = '{}', generation = 0";
    sqlx::raw_sql(damage).execute(&mut connection).await.unwrap();
    let (progress, stop) = (ReindexProgress::default(), AtomicBool::new(false));
    reindex(&deaf.context, Start::FromTheStart, &progress, &stop).await.unwrap();
    assert_eq!(first.get("Patient?surname=rahman").await.expect(200).ids("match"), ["a"]);
    assert_eq!(findings(&deaf).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_build_that_was_cut_off_goes_on_and_a_start_knows_the_parameters() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("Rahman")).await.expect(201);
    server.update(by_family()).await.expect(201);
    // A process that died holds the lease for a while.
    let claim = "update custom_parameter set holder = 'gone', is_settled = true,
        leased_until = clock_timestamp() + interval '1 hour'";
    let mut connection = server.database.connect().await;
    sqlx::raw_sql(claim).execute(&mut connection).await.unwrap();
    assert!(!build_next(&server.context, "test").await.unwrap());
    let end = "update custom_parameter set leased_until = clock_timestamp() - interval '1 second'";
    sqlx::raw_sql(end).execute(&mut connection).await.unwrap();
    build(&server).await;
    let next = TestServer::on(server.database.clone(), |_| {}).await;
    assert_eq!(next.get("Patient?surname=rahman").await.expect(200).ids("match"), ["a"]);
}
