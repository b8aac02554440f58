//! `bhn-fhir reindex`: index data that was lost or is of other rules is built anew.

use super::harness::{ServerProcess, TestServer, observation, patient};
use bhn_fhir::jobs::check::{CheckProgress, check};
use bhn_fhir::jobs::reindex::{End, ReindexProgress, Start, bring_up_to_date, reindex};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::sync::atomic::{AtomicBool, Ordering};

async fn run_sql(server: &TestServer, sql: &str) {
    let mut connection = server.database.connect().await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

pub async fn reindex_all(server: &TestServer) -> u64 {
    let progress = ReindexProgress::default();
    let stop = AtomicBool::new(false);
    let end = reindex(&server.context, Start::GoOn, &progress, &stop).await.unwrap();
    assert_eq!(end, End::Done);
    progress.replaced.load(Ordering::Relaxed)
}

async fn findings(server: &TestServer) -> Vec<String> {
    let (progress, stop) = (CheckProgress::default(), AtomicBool::new(false));
    let mut found = Vec::new();
    let mut tell = |finding: &bhn_fhir::storage::Finding| found.push(finding.to_string());
    check(&server.context, &progress, &stop, &mut tell).await.unwrap();
    found
}

/// Everything that is derived from the bodies, gone or wrong.
const DAMAGE: &str = "
    update resource set keys = '{}', present = '{}', lead = null, patient = 77, date_low = null,
      date_high = null, generation = 0;
    delete from string_value; delete from identifier_value; delete from quantity_value;
    insert into string_value (rid, parameter, normalised, raw)
      select rid, 1, 'stale', 'Stale' from resource;
    update resource_json set resource = '{}'";

#[tokio::test]
async fn everything_is_found_again_and_versions_stay() {
    let server = TestServer::start().await;
    let mother = server.create(patient().mrn("9").family("Réunion")).await.expect(201);
    let subject = format!("Patient/{}", mother.id());
    server.create(observation().subject(&subject)).await.expect(201);
    let gone = server.create(patient().family("Gone")).await.expect(201);
    server.delete(&format!("Patient/{}", gone.id())).await;
    let before = server.get(&subject).await;
    run_sql(&server, DAMAGE).await;
    assert_eq!(server.get("Patient?family=reunion").await.body["entry"], Value::Null);
    assert_eq!(reindex_all(&server).await, 3);
    let queries = [
        "Patient?family=reunion".to_owned(),
        "Patient?identifier=9".to_owned(),
        format!("Observation?patient={subject}"),
        "Observation?code=http://loinc.org|29463-7&date=2025-03-01".to_owned(),
        "Observation?value-quantity=62.5".to_owned(),
    ];
    for query in queries {
        let found = server.get(&query).await.body;
        assert_eq!(found["entry"].as_array().map(Vec::len), Some(1), "{query}: {found}");
    }
    let after = server.get(&subject).await;
    assert_eq!(before.bytes, after.bytes);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

/// As a server of the first generation of index data leaves it.
const OF_FIRST_GENERATION: &str = "
    update resource set generation = 1; update index_generation set generation = 1, complete = 1;
    delete from quantity_value";

#[tokio::test]
async fn what_an_older_server_indexed_is_brought_up_to_date_before_searches_are_answered() {
    let old = TestServer::start().await;
    let stored = old.create(observation()).await.expect(201);
    run_sql(&old, OF_FIRST_GENERATION).await;
    let new = TestServer::on(old.database.clone(), |_| {}).await;
    assert!(new.context.store.has_older_index());
    bring_up_to_date(&new.context).await.unwrap();
    let found = new.get("Observation?value-quantity=62.5").await.body;
    assert_eq!(found["entry"][0]["resource"]["id"].as_str(), Some(stored.id()));
    assert_eq!(findings(&new).await, Vec::<String>::new());
    let next = TestServer::on(old.database.clone(), |_| {}).await;
    assert!(!next.context.store.has_older_index());
}

#[tokio::test]
async fn a_reindex_goes_on_where_it_was_cut_off() {
    let server = TestServer::start().await;
    for _ in 0..3 {
        server.create(patient()).await.expect(201);
    }
    let stop = AtomicBool::new(true);
    let progress = ReindexProgress::default();
    let end = reindex(&server.context, Start::FromTheStart, &progress, &stop).await.unwrap();
    assert_eq!(end, End::Stopped);
    // One batch was all there is: nothing is left to do.
    assert_eq!(reindex_all(&server).await, 0);
    // Its end forgets the position.
    assert_eq!(reindex_all(&server).await, 3);
}

#[tokio::test]
async fn a_write_replaces_all_index_rows_of_another_generation() {
    let server = TestServer::start().await;
    let created = server.create(patient().id("p").family("Before").mrn("1")).await.expect(201);
    let path = format!("Patient/{}", created.id());
    // An older server's rows, which this one would not extract.
    let stale = "insert into string_value (rid, parameter, normalised, raw)
        select rid, parameter, 'stale', 'Stale' from string_value limit 1;
        update resource set generation = 0";
    run_sql(&server, stale).await;
    let after = Value::from(patient().id(created.id()).family("After").mrn("1"));
    server.put(&path, &after).await.expect(200);
    assert_eq!(findings(&server).await, Vec::<String>::new());
    assert_eq!(server.get("Patient?name=stale").await.body["entry"], Value::Null);
    // The same in a transaction, for several rows and for a delete.
    run_sql(&server, stale).await;
    server.delete(&path).await;
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn writers_beside_a_reindex_leave_nothing_stale() {
    let server = TestServer::start().await;
    for number in 0..40 {
        server.update(patient().id(&format!("p{number}")).family("Start")).await.expect(201);
    }
    let writes = async {
        for round in 0..6 {
            for number in 0..40 {
                let resource = patient().id(&format!("p{number}")).family(&format!("R{round}"));
                server.update(resource).await.expect(200);
            }
        }
    };
    let reindexes = async {
        for _ in 0..12 {
            run_sql(
                &server,
                "insert into string_value select rid, parameter, 'stale', 'Stale'
                from string_value where rid % 3 = 0 limit 5;
                update resource set generation = 0 where rid % 3 = 0",
            )
            .await;
            reindex_all(&server).await;
        }
    };
    tokio::join!(writes, reindexes);
    reindex_all(&server).await;
    assert_eq!(findings(&server).await, Vec::<String>::new());
    assert_eq!(server.get("Patient/p7").await.body["meta"]["versionId"], "7");
}

#[tokio::test]
async fn a_server_refuses_index_data_of_a_newer_one() {
    let server = TestServer::start().await;
    run_sql(&server, "update index_generation set generation = 99").await;
    let error = super::harness::open_store(&server.database.database).await.err().unwrap();
    assert!(error.to_string().contains("generation 99"), "{error}");
}

#[tokio::test]
async fn the_command_runs_beside_a_server() {
    let server = TestServer::start().await;
    server.create(patient().family("Beside")).await.expect(201);
    run_sql(&server, "delete from string_value").await;
    let (status, said) = ServerProcess::command_on(&server.database, &["check"]);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("rows of string_value differ"), "{said}");
    let (status, said) = ServerProcess::command_on(&server.database, &["reindex"]);
    assert_eq!(status.code(), Some(0), "{said}");
    let (status, said) = ServerProcess::command_on(&server.database, &["check"]);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("nothing differs"), "{said}");
}
