//! The database away or busy: 503 with Retry-After, and recovery without hands:
//! <https://hl7.org/fhir/R4/http.html#Status-Codes>.

use super::harness::{ServerProcess, TestServer, folder, patient};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_pool_without_a_free_connection_is_503_with_retry_after() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(server.context.store.connection().await.unwrap());
    }
    let reply = server.get("Patient/a").await.expect_outcome(503, "transient");
    assert!(!reply.header("retry-after").is_empty());
    let reply = server.create(patient()).await.expect_outcome(503, "transient");
    assert!(!reply.header("retry-after").is_empty());
    server.get("metadata").await.expect(200);
    drop(held);
    server.get("Patient/a").await.expect(200);
    assert_eq!(server.count("Patient").await, 1, "what was refused was not done");
}

#[tokio::test]
async fn busy_searches_do_not_stop_reads() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(server.context.store.search_connection().await.unwrap());
    }
    server.get("Patient/a").await.expect(200);
    let reply = server.get("Patient?_lastUpdated=ge2000").await.expect_outcome(503, "transient");
    assert!(!reply.header("retry-after").is_empty());
    drop(held);
    server.get("Patient?_lastUpdated=ge2000").await.expect(200);
}

#[tokio::test]
async fn connections_that_the_database_ended_are_replaced() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(sql).execute(&mut server.database.administer().await).await.unwrap();
    let started = Instant::now();
    loop {
        let reply = server.get("Patient/a").await;
        match reply.status() {
            200 => break,
            503 => assert!(!reply.header("retry-after").is_empty()),
            _ => panic!("{reply:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    server.update(patient().id("a").family("After")).await.expect(200);
}

#[tokio::test]
async fn a_database_that_dies_is_503_and_comes_back_with_every_acknowledged_write() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut process = ServerProcess::start_in(&data);
    let client = process.client.clone();
    let body = serde_json::Value::from(patient().id("a"));
    client.put("Patient/a", &body).await.expect(201);
    process.kill_postmaster();
    let (mut refused, started) = (0, Instant::now());
    loop {
        let reply = client.get("Patient/a").await;
        match reply.status() {
            200 if refused > 0 || started.elapsed() > Duration::from_secs(3) => break,
            200 => {}
            503 => {
                refused += 1;
                assert!(!reply.header("retry-after").is_empty(), "{reply:?}");
                assert_eq!(reply.body["resourceType"], "OperationOutcome", "{reply:?}");
            }
            _ => panic!("{reply:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the database does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let body = serde_json::Value::from(patient().id("a").family("After"));
    assert_eq!(client.put("Patient/a", &body).await.expect(200).etag_version(), 2);
    assert!(process.stop().success());
}

#[tokio::test]
async fn health_tells_whether_the_database_answers() {
    let server = TestServer::start().await;
    assert_eq!(server.get_beside("/readyz").await.status(), 200);
    let held = futures_util::future::join_all((0..4).map(|_| server.context.store.connection()));
    let held = held.await;
    assert_eq!(server.get_beside("/livez").await.status(), 200);
    assert_eq!(server.get_beside("/readyz").await.status(), 503);
    drop(held);
    assert_eq!(server.get_beside("/readyz").await.status(), 200);
}
