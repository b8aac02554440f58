//! `bhn-fhir check`: each thing that may be wrong with a store is made wrong, and named.

use super::harness::{TestServer, observation, patient};
use bhn_fhir::jobs::check::{CheckProgress, check};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::sync::atomic::AtomicBool;

/// A store with a patient of three versions, an observation, and a deleted patient.
async fn store() -> TestServer {
    let server = TestServer::start().await;
    for family in ["One", "Two", "Three"] {
        let resource = patient().id("p").family(family).mrn("1");
        let security = serde_json::json!({"security": [{"system": "urn:s", "code": "R"}],
            "profile": ["http://p.example"]});
        server.update(resource.with("meta", security)).await;
    }
    server.update(observation().id("o").subject("Patient/p")).await.expect(201);
    server.update(patient().id("d")).await.expect(201);
    server.delete("Patient/d").await;
    server.update(observation().id("s").subject("Patient/not-here")).await.expect(201);
    assert_eq!(findings(&server).await, Vec::<String>::new());
    server
}

/// What a check says, a line each.
pub async fn findings(server: &TestServer) -> Vec<String> {
    let (progress, stop) = (CheckProgress::default(), AtomicBool::new(false));
    let mut found = Vec::new();
    let mut tell = |finding: &bhn_fhir::storage::Finding| found.push(finding.to_string());
    check(&server.context, &progress, &stop, &mut tell).await.unwrap();
    found
}

#[tokio::test]
async fn what_was_created_without_an_id_is_indexed_like_all_else() {
    let server = TestServer::start().await;
    let mother = server.create(patient().family("New")).await.expect(201);
    server.create(observation().subject(&format!("Patient/{}", mother.id()))).await.expect(201);
    let entry = |number: usize| {
        let url = format!("urn:uuid:00000000-0000-4000-8000-{number:012}");
        let request = serde_json::json!({"method": "POST", "url": "Patient"});
        let resource: Value = patient().into();
        serde_json::json!({"fullUrl": url, "resource": resource, "request": request})
    };
    for count in [2, 250] {
        let entries: Vec<Value> = (0..count).map(entry).collect();
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "transaction",
            "entry": entries});
        server.post("", &bundle).await.expect(200);
    }
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

/// Damages a sound store and expects findings that begin so, and no others.
#[track_caller]
fn assert_named(found: &[String], expected: &[&str], sql: &str) {
    let all_named = expected.iter().all(|start| found.iter().any(|text| text.starts_with(start)));
    let none_else = found.iter().all(|text| expected.iter().any(|start| text.starts_with(start)));
    assert!(all_named && none_else, "{sql}\nexpected {expected:#?}\nfound {found:#?}");
}

async fn damaged(server: &TestServer, sql: &str, expected: &[&str]) {
    let mut connection = server.database.connect().await;
    let text = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    assert_named(&findings(server).await, expected, sql);
}

#[tokio::test]
async fn columns_and_stamps_that_differ_are_named() {
    let server = store().await;
    let columns = [
        ("patient", "7"),
        ("lead", "7"),
        ("keys", "keys || 7::bigint"),
        ("present", "'{}'"),
        ("subject_rids", "'{}'"),
        ("labels", "'{}'"),
        ("profiles", "'{}'"),
    ];
    for (column, value) in columns {
        let id = if column == "lead" { "o" } else { "p" };
        let key = if column == "lead" { "Observation/o" } else { "Patient/p" };
        let keep = format!("create table kept as select * from resource where id = '{id}'; ");
        let sql = format!("{keep} update resource set {column} = {value} where id = '{id}'");
        let expected = format!("{key}: column {column} differs");
        damaged(&server, &sql, &[&expected]).await;
        let undo = format!(
            "update resource r set {column} = k.{column} from kept k where k.rid = r.rid;
             drop table kept"
        );
        damaged(&server, &undo, &[]).await;
    }
    let sql = "update resource set date_low = date_low - interval '1 day' where id = 'o'";
    damaged(&server, sql, &["Observation/o: column date_low, date_high differs"]).await;
}

#[tokio::test]
async fn index_rows_that_are_missing_doubled_or_left_over_are_named() {
    let server = store().await;
    let sql = "delete from string_value where rid = (select rid from resource where id = 'p')";
    damaged(&server, sql, &["Patient/p: rows of string_value differ"]).await;
    let server = store().await;
    let sql = "insert into identifier_value select * from identifier_value";
    damaged(&server, sql, &["Patient/p: rows of identifier_value differ"]).await;
    let server = store().await;
    let sql = "update quantity_value set low = low + 1
        where rid = (select rid from resource where id = 'o')";
    let expected = ["Observation/o: rows of quantity_value differ"];
    damaged(&server, sql, &expected).await;
    let server = store().await;
    let sql = "insert into uri_value (rid, parameter, value) values (987654, 1, 'urn:x')";
    damaged(&server, sql, &["rid 987654: index rows without a resource"]).await;
    let server = store().await;
    let sql = "update resource set generation = 0 where id = 'o'";
    damaged(&server, sql, &["Observation/o: its index data is of generation 0"]).await;
}

#[tokio::test]
async fn jsonb_that_differs_from_the_bytes_is_named() {
    let server = store().await;
    let of_p = "rid = (select rid from resource where id = 'p')";
    let sql =
        format!("update resource_json set resource = resource || '{{\"a\": 1}}' where {of_p}");
    damaged(&server, &sql, &["Patient/p: the JSONB differs"]).await;
    let sql = format!("delete from resource_json where {of_p}");
    damaged(&server, &sql, &["Patient/p: there is no JSONB"]).await;
    let server = store().await;
    let sql = "insert into resource_json (rid, resource)
        select rid, '{}' from resource where id = 'd'";
    damaged(&server, sql, &["Patient/d: there is JSONB of what is deleted"]).await;
}

#[tokio::test]
async fn versions_that_are_missing_or_out_of_order_are_named() {
    let of_p = "rid = (select rid from resource where id = 'p')";
    let server = store().await;
    let sql = format!("delete from resource_history where version = 2 and {of_p}");
    damaged(&server, &sql, &["Patient/p: version 3: it does not follow"]).await;
    let sql = format!("delete from resource_history where version = 1 and {of_p}");
    damaged(&server, &sql, &["Patient/p: version 3: the versions before are missing"]).await;
    let server = store().await;
    let sql = format!(
        "update resource_history set xid = pg_current_xact_id() where version = 1 and {of_p}"
    );
    damaged(&server, &sql, &["Patient/p: version 2: it stands before"]).await;
    let server = store().await;
    let sql = format!("update resource_history set epoch = 5 where version = 2 and {of_p}");
    let expected = ["Patient/p: version 2: its epoch", "Patient/p: version 3: it stands before"];
    damaged(&server, &sql, &expected).await;
    let server = store().await;
    let sql = format!(
        "update resource_history set last_updated = last_updated + interval '1 day'
         where version = 2 and {of_p}"
    );
    let expected = [
        "Patient/p: version 3: lastUpdated is not after",
        "Patient/p: version 2: meta.lastUpdated of the body differs",
    ];
    damaged(&server, &sql, &expected).await;
    let server = store().await;
    let sql = "insert into resource_history select * from resource_history where version = 1
        and rid = (select rid from resource where id = 'p');";
    // The key of the table forbids a version twice; a resource that lost its row does not.
    let error = sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await;
    assert!(error.is_err());
    let sql = format!(
        "delete from resource_json where {of_p}; delete from identifier_value;
        delete from string_value where {of_p}; delete from resource where id = 'p'"
    );
    let found = {
        let mut connection = server.database.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        findings(&server).await
    };
    let expected = "Patient/p: version 2: no current version comes after it";
    assert!(found.iter().any(|text| text == expected), "{found:#?}");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_or_say_another_id_are_named() {
    let server = store().await;
    let sql = "update resource set body = '\\x00' where id = 'o'";
    damaged(&server, sql, &["Observation/o: its body cannot be read"]).await;
    let server = store().await;
    let sql = "update resource_history set body = '\\x28b52ffd' where version = 1
        and rid = (select rid from resource where id = 'p')";
    damaged(&server, sql, &["Patient/p: version 1: its body cannot be read"]).await;
    let server = store().await;
    let sql = "update resource set body = (select body from resource where id = 's')
        where id = 'o'";
    let found = {
        let mut connection = server.database.connect().await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        findings(&server).await
    };
    let expected = "Observation/o: version 1: id of the body differs from its row";
    assert!(found.iter().any(|text| text == expected), "{found:#?}");
}

#[tokio::test]
async fn a_stub_beside_its_resource_is_named() {
    let server = store().await;
    let sql = "insert into reference_stub (id, type, rid) select id, type, 555 from resource
        where id = 'p'";
    damaged(&server, sql, &["Patient/p: a stub of references stands beside"]).await;
    let server = store().await;
    let sql = "update reference_stub set rid = (select rid from resource where id = 'd')";
    let found = {
        let mut connection = server.database.connect().await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        findings(&server).await
    };
    let start = "Patient/not-here: the stub of its references has the rid";
    assert!(found.iter().any(|text| text.starts_with(start)), "{found:#?}");
}

#[tokio::test]
async fn a_check_writes_nothing() {
    let server = store().await;
    let dump = async || -> Vec<String> {
        let sql = "select r::text from resource r order by rid";
        sqlx::query_scalar(sql).fetch_all(&mut server.database.connect().await).await.unwrap()
    };
    let stubs = async || -> i64 {
        let sql = "select count(*) from reference_stub";
        sqlx::query_scalar(sql).fetch_one(&mut server.database.connect().await).await.unwrap()
    };
    let (before, stubs_before) = (dump().await, stubs().await);
    findings(&server).await;
    assert_eq!((dump().await, stubs().await), (before, stubs_before));
    let _: Value = server.get("Patient/p").await.expect(200).body;
}
