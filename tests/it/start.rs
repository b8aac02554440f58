//! Opening a store: migrations, agreement on numbers, several servers at once.

use super::harness::{ServerProcess, TestDatabase, TestServer, open_store};
use bhn_fhir::storage::StartError;

#[tokio::test]
async fn a_test_server_lives() {
    let server = TestServer::start().await;
    assert_eq!(server.get_beside("/livez").await.status(), 200);
    assert!(server.context.store.is_reachable().await);
}

#[tokio::test]
async fn several_servers_may_start_on_an_empty_database_at_once() {
    let database = TestDatabase::empty();
    let open = || open_store(&database.database);
    let (a, b, c) = tokio::join!(open(), open(), open());
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert_eq!(a.server_key().len(), 32);
    assert_eq!(a.server_key(), b.server_key());
    assert_eq!(a.server_key(), c.server_key());
}

#[tokio::test]
async fn two_servers_share_one_database() {
    let (first, second) = TestServer::start_pair().await;
    assert_ne!(first.base(), second.base());
    assert_eq!(first.context.store.server_key(), second.context.store.server_key());
}

#[tokio::test]
async fn each_test_has_keys_of_its_own_database() {
    let (first, second) = (TestDatabase::empty(), TestDatabase::empty());
    let first = open_store(&first.database).await.unwrap();
    let second = open_store(&second.database).await.unwrap();
    assert_ne!(first.server_key(), second.server_key());
}

#[tokio::test]
async fn a_database_with_other_numbers_is_refused() {
    let database = TestDatabase::clone_template();
    let mut connection = database.connect().await;
    sqlx::query("update parameter set url = url || '-other' where parameter = 7")
        .execute(&mut connection)
        .await
        .unwrap();
    let error = open_store(&database.database).await.err().unwrap();
    assert!(matches!(error, StartError::Mismatch { table: "parameter", .. }), "{error}");
    sqlx::query("update parameter set url = replace(url, '-other', '') where parameter = 7")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("delete from resource_type where type = 146")
        .execute(&mut connection)
        .await
        .unwrap();
    let error = open_store(&database.database).await.err().unwrap();
    assert!(matches!(error, StartError::Mismatch { table: "resource_type", .. }), "{error}");
}

#[tokio::test]
async fn a_schema_newer_than_the_server_is_served() {
    let database = TestDatabase::clone_template();
    let sql = "insert into _sqlx_migrations
        (version, description, success, checksum, execution_time)
        values (9000, 'of a later server', true, '', 0)";
    sqlx::query(sql).execute(&mut database.connect().await).await.unwrap();
    open_store(&database.database).await.unwrap();
}

#[tokio::test]
async fn the_binary_serves_a_database_given_by_url() {
    let database = TestDatabase::empty();
    let mut process = ServerProcess::start_on(&database);
    assert!(process.is_alive().await);
    assert!(process.stop().success());
}

#[tokio::test]
async fn a_server_that_does_not_serve_yet_stops_when_it_is_asked_to() {
    let database = TestDatabase::clone_template();
    let mut holder = database.connect().await;
    let hold = "begin; lock table resource in access exclusive mode";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let mut process = ServerProcess::begin_on(&database);
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let mut administration = database.administer().await;
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut administration).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(process.stop().success(), "while it waits for the table of resources");
}
