//! The private PostgreSQL: what it survives and what it refuses.

use super::harness::{ServerProcess, folder, open_store, patient, search_path};
use bhn_fhir::storage::{Database, EmbeddedPostgres, EmbeddedSettings};
use sqlx::{ConnectOptions, PgConnection};
use std::path::Path;
use std::time::{Duration, Instant};

fn settings(data: &Path) -> EmbeddedSettings {
    EmbeddedSettings { data: data.to_owned(), search_path: search_path() }
}

async fn count_marks(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from mark").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_folder_in_use_is_refused_to_a_second_server() {
    let folder = folder();
    let data = folder.path().join("data");
    let process = ServerProcess::start_in(&data);
    let (status, said) = ServerProcess::refused_in(&data);
    assert_eq!(status.code(), Some(1));
    assert!(
        said.contains(&format!("in use by another server (process {})", process.id())),
        "{said}"
    );
    assert!(process.is_alive().await);
}

#[tokio::test]
async fn a_start_after_kill_9_of_the_server_or_of_both_keeps_what_was_committed() {
    let folder = folder();
    let data = folder.path().join("data");
    let options = {
        let embedded = EmbeddedPostgres::start(&settings(&data)).unwrap();
        embedded.database().owner_options().clone()
    };
    let mut process = ServerProcess::start_in(&data);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("create table mark (n int); insert into mark values (1)")
        .execute(&mut connection)
        .await
        .unwrap();
    process.kill();
    let mut process = ServerProcess::start_in(&data);
    assert!(process.is_alive().await);
    let mut connection = options.connect().await.unwrap();
    assert_eq!(count_marks(&mut connection).await, 1);
    sqlx::query("insert into mark values (2)").execute(&mut connection).await.unwrap();
    process.kill();
    process.kill_postmaster();
    let mut process = ServerProcess::start_in(&data);
    assert_eq!(count_marks(&mut options.connect().await.unwrap()).await, 2);
    assert!(process.stop().success());
    assert!(!data.join("postgres/postmaster.pid").exists(), "the cluster stops with the server");
}

#[tokio::test]
async fn a_postmaster_that_dies_is_started_again_while_the_server_runs() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut process = ServerProcess::start_in(&data);
    assert_eq!(process.client.get_beside("/readyz").await.status(), 200);
    process.kill_postmaster();
    assert!(process.is_alive().await);
    let started = Instant::now();
    let mut answers = 0;
    while answers < 5 {
        let is_ready = process.client.get_beside("/readyz").await.status() == 200;
        answers = if is_ready { answers + 1 } else { 0 };
        assert!(started.elapsed() < Duration::from_secs(60), "the postmaster is not started again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(process.stop().success());
}

#[tokio::test]
async fn the_store_recovers_without_hands_after_the_postmaster_dies() {
    let folder = folder();
    let data = folder.path().join("data");
    let embedded = EmbeddedPostgres::start(&settings(&data)).unwrap();
    let store = open_store(&embedded.database()).await.unwrap();
    assert!(store.is_reachable().await);
    super::harness::kill_postmaster(&data);
    let started = Instant::now();
    let mut answers = 0;
    while answers < 5 {
        answers = if store.is_reachable().await { answers + 1 } else { 0 };
        assert!(started.elapsed() < Duration::from_secs(30), "the store does not recover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_cluster_of_before_two_roles_gets_the_one_that_serves() {
    let folder = folder();
    let data = folder.path().join("data");
    {
        let embedded = EmbeddedPostgres::start(&settings(&data)).unwrap();
        let owner = embedded.database().owner_options().clone();
        let alone = format!(
            "postgres://{}@{}/{}",
            owner.get_username(),
            owner.get_socket().unwrap().to_str().unwrap().replace('/', "%2F"),
            owner.get_database().unwrap(),
        );
        let store = open_store(&Database::from_url(&alone).unwrap()).await.unwrap();
        store.close().await;
        let mut administration = embedded.administration().options().connect().await.unwrap();
        let sql = "drop role bhn_fhir_application";
        sqlx::raw_sql(sql).execute(&mut administration).await.unwrap();
    }
    for _ in 0..2 {
        let process = ServerProcess::start_in(&data);
        process.client.post("Patient", &serde_json::Value::from(patient())).await.expect(201);
    }
}

#[tokio::test]
async fn a_cluster_starts_again_where_a_stale_lock_names_a_living_process() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(EmbeddedPostgres::start(&settings(&data)).unwrap());
    let stale = format!("{}\n/elsewhere\n1\n5432\n/tmp\n\n 1 2\nready\n", std::process::id());
    std::fs::write(data.join("postgres/postmaster.pid"), &stale).unwrap();
    std::fs::write(data.join("socket/.s.PGSQL.5432.lock"), &stale).unwrap();
    let embedded = EmbeddedPostgres::start(&settings(&data)).unwrap();
    embedded.database().options().connect().await.unwrap();
}

#[tokio::test]
async fn fsync_stays_on_whatever_the_operators_file_says() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(EmbeddedPostgres::start(&settings(&data)).unwrap());
    std::fs::write(data.join("postgres/local.conf"), "fsync = off\nwork_mem = 7MB\n").unwrap();
    let embedded = EmbeddedPostgres::start(&settings(&data)).unwrap();
    let mut connection = embedded.database().options().connect().await.unwrap();
    let mut show = async |name: &'static str| -> String {
        let sql = sqlx::query_scalar("select current_setting($1)").bind(name);
        sql.fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(show("fsync").await, "on");
    assert_eq!(show("full_page_writes").await, "on");
    assert_eq!(show("work_mem").await, "7MB");
    assert_eq!(show("data_checksums").await, "on");
    assert_eq!(show("server_encoding").await, "UTF8");
    assert_eq!(show("lc_collate").await, "C");
    assert_eq!(show("listen_addresses").await, "");
}

#[tokio::test]
async fn a_cluster_of_a_version_that_is_not_installed_is_refused_with_the_command() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(EmbeddedPostgres::start(&settings(&data)).unwrap());
    std::fs::write(data.join("postgres/PG_VERSION"), "14\n").unwrap();
    let error = EmbeddedPostgres::start(&settings(&data)).err().unwrap().to_string();
    assert!(error.contains("PostgreSQL 14 cluster"), "{error}");
    assert!(error.contains("bhn-fhir upgrade-cluster --data"), "{error}");
}
