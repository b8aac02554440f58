//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what a key stands for, and for
//! how long.

use super::harness::{Reply, TestServer, patient};
use bhn_fhir::jobs::{self, kept_answers};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::time::Duration;

/// A create with a key and further headers.
async fn create(server: &TestServer, headers: &[(&str, &str)]) -> Reply {
    let mut request = server.request("POST", "Patient").header("Idempotency-Key", "key-1");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.json(&patient().mrn("1").into()).send().await
}

fn provenance(who: &str) -> String {
    let resource = json!({"resourceType": "Provenance", "recorded": "2025-03-01T10:00:00Z",
        "agent": [{"who": {"display": who}}]});
    resource.to_string()
}

async fn run_sql(server: &TestServer, sql: &str) -> u64 {
    let mut connection = server.database.connect().await;
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
    done.unwrap().rows_affected()
}

async fn kept(server: &TestServer) -> i64 {
    let mut connection = server.database.connect().await;
    let count = sqlx::query_scalar("select count(*) from idempotency_key");
    count.fetch_one(&mut connection).await.unwrap()
}

/// Keeps answers of requests that came so many hours ago.
async fn keep_old(server: &TestServer, hours: i64, count: i64) {
    let sql = format!(
        "insert into idempotency_key (principal, key, request_hash, created, status, body)
         select 'p', '{hours} ' || n, '', now() - interval '{hours} hours', 201, ''
         from generate_series(1, {count}) n"
    );
    run_sql(server, &sql).await;
}

#[tokio::test]
async fn a_key_with_another_provenance_is_422() {
    let server = TestServer::start().await;
    let amina = provenance("Amina");
    create(&server, &[("X-Provenance", &amina)]).await.expect(201);
    create(&server, &[("X-Provenance", &amina)]).await.expect(201);
    let other = create(&server, &[("X-Provenance", &provenance("Grace"))]).await;
    other.expect_outcome(422, "duplicate");
    create(&server, &[]).await.expect_outcome(422, "duplicate");
    assert_eq!((server.count("Patient").await, server.count("Provenance").await), (1, 1));
}

#[tokio::test]
async fn a_key_with_other_criteria_is_422() {
    let server = TestServer::start().await;
    create(&server, &[("If-None-Exist", "identifier=1")]).await.expect(201);
    let other = create(&server, &[("If-None-Exist", "identifier=2")]).await;
    other.expect_outcome(422, "duplicate");
    create(&server, &[]).await.expect_outcome(422, "duplicate");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_key_at_another_path_is_422() {
    let server = TestServer::start().await;
    let id = create(&server, &[]).await.expect(201).id().to_owned();
    let post = |path: String, body: Value| {
        let request = server.request("POST", &path).header("Idempotency-Key", "key-1");
        request.json(&body).send()
    };
    let basic = json!({"resourceType": "Basic", "code": {"text": "x"}});
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": Value::from(patient().mrn("1")),
            "request": {"method": "POST", "url": "Patient"}}]});
    let tag = json!({"resourceType": "Parameters", "parameter": [
        {"name": "meta", "valueMeta": {"tag": [{"code": "a"}]}}]});
    for (path, body) in [
        ("Basic".to_owned(), basic),
        (String::new(), transaction),
        (format!("Patient/{id}/$meta-add"), tag),
    ] {
        post(path.clone(), body).await.expect_outcome(422, "duplicate");
    }
    assert_eq!((server.count("Patient").await, server.count("Basic").await), (1, 0));
}

#[tokio::test]
async fn the_form_of_the_answer_is_no_part_of_what_a_key_stands_for() {
    let server = TestServer::start().await;
    let first = create(&server, &[]).await.expect(201);
    let again = create(&server, &[("Prefer", "return=minimal")]).await.expect(201);
    assert_eq!(again.header("location"), first.header("location"));
    let xml = create(&server, &[("Accept", "application/fhir+xml")]).await.expect(201);
    assert!(xml.text().contains("<Patient xmlns="), "{}", xml.text());
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn entries_of_a_batch_have_keys_of_their_own() {
    let server = TestServer::start().await;
    let batch = |family: &str| {
        let entry = |family: &str| {
            json!({"resource": Value::from(patient().family(family)),
                "request": {"method": "POST", "url": "Patient"}})
        };
        let bundle = json!({"resourceType": "Bundle", "type": "batch",
            "entry": [entry("Same"), entry(family)]});
        let request = server.request("POST", "").header("Idempotency-Key", "key-1");
        request.json(&bundle).send()
    };
    let statuses = |reply: Reply| -> Vec<String> {
        let entries = reply.expect(200).body["entry"].as_array().cloned().unwrap();
        entries.iter().map(|e| e["response"]["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(batch("One").await), ["201 Created", "201 Created"]);
    assert_eq!(statuses(batch("One").await), ["201 Created", "201 Created"]);
    assert_eq!(statuses(batch("Two").await), ["201 Created", "422 Unprocessable Entity"]);
    assert_eq!(server.count("Patient").await, 2);
}

#[tokio::test]
async fn answers_of_more_than_a_day_ago_are_forgotten_and_their_keys_are_free() {
    let server = TestServer::start().await;
    create(&server, &[]).await.expect(201);
    keep_old(&server, 25, 12).await;
    keep_old(&server, 23, 3).await;
    assert_eq!(kept_answers::forget(&server.context).await.unwrap(), 12);
    assert_eq!(kept(&server).await, 4);
    create(&server, &[]).await.expect(201);
    assert_eq!(server.count("Patient").await, 1);
    run_sql(&server, "update idempotency_key set created = created - interval '2 days'").await;
    assert_eq!(kept_answers::forget(&server.context).await.unwrap(), 4);
    create(&server, &[]).await.expect(201);
    assert_eq!(server.count("Patient").await, 2);
}

#[tokio::test]
async fn several_nodes_forget_old_answers_at_once_and_a_held_one_is_passed_by() {
    let (first, second) = TestServer::start_pair().await;
    keep_old(&first, 30, 12_000).await;
    let mut holder = first.database.connect().await;
    let held = "begin; select 1 from idempotency_key where key = '30 7' for update";
    sqlx::raw_sql(held).execute(&mut holder).await.unwrap();
    let both = futures_util::future::join(
        kept_answers::forget(&first.context),
        kept_answers::forget(&second.context),
    );
    let (first_count, second_count) = both.await;
    assert_eq!(first_count.unwrap() + second_count.unwrap(), 11_999);
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    assert_eq!(kept_answers::forget(&second.context).await.unwrap(), 1);
}

#[tokio::test]
async fn the_jobs_of_a_server_forget_old_answers_and_end_with_it() {
    let server = TestServer::start().await;
    keep_old(&server, 25, 1).await;
    let mut jobs = jobs::start(&server.context);
    let forgotten = async {
        while kept(&server).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.expect("it is forgotten");
    jobs.abort_all();
    let ended = async { while jobs.join_next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the jobs end");
}
