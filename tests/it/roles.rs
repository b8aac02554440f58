//! Two roles: the owner changes the schema, the application serves.
//! docs/decisions/0006-database-roles.md

use super::harness::{ServerProcess, TestDatabase, TestServer, observation, open_store, patient};
use bhn_fhir::storage::{Database, StartError};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use std::sync::Arc;

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), String> {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    result.map(drop).map_err(|error| match error.as_database_error() {
        Some(cause) => cause.code().unwrap_or_default().into_owned(),
        None => error.to_string(),
    })
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";

const FORBIDDEN: [&str; 30] = [
    "create table mine (n integer)",
    "create view mine as select 1",
    "create function mine() returns integer language sql return 1",
    "create sequence mine",
    "create type mine as enum ('a')",
    "create schema mine",
    "create index on resource (version)",
    "create trigger mine after insert on resource execute function reference_lock()",
    "create role mine",
    "create database mine",
    "alter table resource add column mine integer",
    "alter table resource disable trigger all",
    "alter table resource owner to current_user",
    "alter function flush_key_index() security invoker",
    "alter sequence rid_block restart",
    "alter role current_user superuser",
    "drop table resource",
    "drop index resource_keys",
    "drop function flush_key_index()",
    "truncate resource",
    "truncate resource_history",
    "set role bhn_fhir",
    "set session authorization bhn_fhir",
    "select grant_application('bhn_fhir_application')",
    "select pg_read_file('/etc/passwd')",
    "select setval('rid_block', 1)",
    "copy resource to program 'true'",
    "insert into _sqlx_migrations select * from _sqlx_migrations",
    "grant select on resource to public with grant option",
    "reindex index resource_keys",
];

#[tokio::test]
async fn the_application_role_cannot_change_the_schema() {
    let database = TestDatabase::clone_template();
    let mut connection = database.connect_as_application().await;
    for sql in FORBIDDEN {
        let refused = run(&mut connection, sql).await.expect_err(sql);
        let is_refused = [INSUFFICIENT_PRIVILEGE, "0LP01"].contains(&refused.as_str());
        assert!(is_refused, "{sql}: {refused}");
    }
    let sql = "select count(*) from pg_class where relowner = current_user::regrole";
    let owned: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(owned, 0);
}

#[tokio::test]
async fn what_is_only_added_to_is_neither_changed_nor_deleted() {
    let database = TestDatabase::clone_template();
    let mut connection = database.connect_as_application().await;
    let kept = [
        ("resource_history", "version"),
        ("token", "code"),
        ("unit", "code"),
        ("parameter", "code"),
        ("resource_type", "name"),
        ("body_dictionary", "content"),
        ("server_key", "key"),
        ("store_epoch", "epoch"),
        ("_sqlx_migrations", "checksum"),
    ];
    for (table, column) in kept {
        for sql in [format!("delete from {table}"), format!("update {table} set {column} = null")] {
            let refused = run(&mut connection, &sql).await.expect_err(&sql);
            assert_eq!(refused, INSUFFICIENT_PRIVILEGE, "{sql}");
        }
    }
}

#[tokio::test]
async fn tables_of_later_migrations_are_covered() {
    let database = TestDatabase::clone_template();
    let later = "create table later (n integer); create sequence later_number;
        create function later_one() returns integer language sql return 1;
        create view later_view as select n from later";
    run(&mut database.connect().await, later).await.unwrap();
    let used = "insert into later select nextval('later_number') + later_one();
        update later set n = 2; delete from later; select * from later_view";
    let mut connection = database.connect_as_application().await;
    run(&mut connection, used).await.expect("by default privileges");
    open_store(&database.database).await.unwrap();
    run(&mut connection, used).await.expect("by the next start");
    let refused = run(&mut connection, "insert into later_view values (1)").await.unwrap_err();
    assert_eq!(refused, INSUFFICIENT_PRIVILEGE);
}

/// What the role may do, and the versions of the rows that say so.
async fn privileges(database: &TestDatabase) -> (Vec<String>, Vec<String>) {
    let sql = "select c.relname || ' ' || a.privilege_type
        from pg_class c, aclexplode(c.relacl) a
        where a.grantee = 'bhn_fhir_application'::regrole order by 1";
    let mut connection = database.connect().await;
    let granted = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    let sql = "select oid::regclass || ' ' || xmin from pg_class
        where relnamespace = 'public'::regnamespace order by 1";
    (granted, sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap())
}

#[tokio::test]
async fn a_start_mends_privileges_and_writes_nothing_where_they_are_right() {
    let database = TestDatabase::clone_template();
    let (right, rows) = privileges(&database).await;
    open_store(&database.database).await.unwrap();
    assert_eq!(privileges(&database).await.1, rows, "nothing was written");
    let sql = "grant truncate, trigger on resource to bhn_fhir_application;
        grant delete on resource_history to bhn_fhir_application;
        revoke all on token, rid_block from bhn_fhir_application;
        revoke execute on function flush_key_index() from bhn_fhir_application";
    run(&mut database.connect().await, sql).await.unwrap();
    assert_ne!(privileges(&database).await.0, right);
    let store = open_store(&database.database).await.unwrap();
    assert_eq!(privileges(&database).await.0, right);
    let mut connection = store.connection().await.unwrap();
    run(&mut connection, "select flush_key_index()").await.unwrap();
}

async fn use_all(server: &TestServer) {
    server.update(patient().id("a").mrn("1")).await.expect(201);
    server.update(patient().id("a").family("Other")).await.expect(200);
    server.create(observation().subject("Patient/later").code("http://c.example", "c")).await;
    let entry = json!({
        "resource": serde_json::Value::from(patient().id("later")),
        "request": {"method": "PUT", "url": "Patient/later"}
    });
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    server.post("", &bundle).await.expect(200);
    server.context.store.flush_keys().await.unwrap();
    let found = server.get("Observation?patient=Patient/later").await.expect(200);
    assert_eq!(found.body["entry"].as_array().map(Vec::len), Some(1));
    server.request("DELETE", "Patient/a").send().await;
    server.get("Patient/a").await.expect(410);
    server.get("Patient/a/_history/1").await.expect(200);
    assert_eq!(history(server).await, 5);
}

#[tokio::test]
async fn a_server_with_two_roles_serves_as_the_application() {
    let server = TestServer::start().await;
    use_all(&server).await;
    let mut connection = server.context.store.connection().await.unwrap();
    let sql = "select current_user || ' ' || session_user";
    let role: String = sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(role, "bhn_fhir_application bhn_fhir_application");
}

#[tokio::test]
async fn a_database_with_a_single_role_works() {
    let database = Arc::new(TestDatabase::empty().with_one_role());
    let server = TestServer::on(database.clone(), |_| {}).await;
    use_all(&server).await;
    for command in ["migrate", "reindex", "check"] {
        let (status, said) = ServerProcess::command_on(&database, &[command]);
        assert!(status.success(), "{command}: {said}");
    }
}

#[tokio::test]
async fn a_database_that_one_role_made_is_served_with_two() {
    let database = TestDatabase::empty();
    let alone = Database::from_url(&database.owner_url()).unwrap();
    open_store(&alone).await.unwrap().close().await;
    let server = TestServer::on(Arc::new(database), |_| {}).await;
    use_all(&server).await;
}

#[tokio::test]
async fn commands_work_with_two_roles() {
    let database = Arc::new(TestDatabase::empty());
    let (status, said) = ServerProcess::command_on(&database, &["migrate"]);
    assert!(status.success(), "{said}");
    let server = TestServer::on(database.clone(), |_| {}).await;
    server.create(patient()).await.expect(201);
    for command in ["migrate", "reindex", "check"] {
        let (status, said) = ServerProcess::command_on(&database, &[command]);
        assert!(status.success(), "{command}: {said}");
    }
}

#[tokio::test]
async fn the_application_role_alone_serves_what_the_owner_has_migrated_and_migrates_nothing() {
    let database = TestDatabase::clone_template();
    let alone = Database::from_url(&database.url()).unwrap();
    open_store(&alone).await.unwrap().close().await;
    let database = TestDatabase::empty();
    let alone = Database::from_url(&database.url()).unwrap();
    let error = open_store(&alone).await.err().unwrap();
    assert!(matches!(error, StartError::NotOwner { .. }), "{error}");
    assert!(error.to_string().contains("BHN_OWNER_DATABASE_URL"), "{error}");
}

#[tokio::test]
async fn an_owner_of_another_database_is_refused() {
    let (database, other) = (TestDatabase::clone_template(), TestDatabase::clone_template());
    let mixed = Database::from_urls(&database.url(), Some(&other.owner_url())).unwrap();
    let error = open_store(&mixed).await.err().unwrap();
    assert!(matches!(error, StartError::TwoDatabases { .. }), "{error}");
}

async fn history(server: &TestServer) -> usize {
    let reply = server.get("_history").await.expect(200);
    reply.body["entry"].as_array().map_or(0, Vec::len)
}

/// The horizon of history is told by sessions of every role, and not held up by other databases.
#[tokio::test]
async fn history_waits_for_transactions_of_both_roles_in_this_database_and_of_no_other() {
    const HOLD: &str = "begin; select pg_current_xact_id()";
    let server = TestServer::start().await;
    let elsewhere = TestDatabase::empty();
    let mut others = [
        elsewhere.connect().await,
        elsewhere.connect_as_application().await,
        elsewhere.administer().await,
    ];
    for other in &mut others {
        run(other, HOLD).await.unwrap();
    }
    server.create(patient()).await.expect(201);
    assert_eq!(history(&server).await, 1, "held up by another database");
    let mut shown = 1;
    for mut holder in [
        server.database.connect().await,
        server.database.connect_as_application().await,
        server.database.administer().await,
    ] {
        run(&mut holder, HOLD).await.unwrap();
        server.create(patient()).await.expect(201);
        assert_eq!(history(&server).await, shown, "a transaction under way could precede it");
        run(&mut holder, "rollback").await.unwrap();
        shown += 1;
        assert_eq!(history(&server).await, shown);
    }
}
