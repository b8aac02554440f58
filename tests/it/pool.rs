//! The pool of connections: what is dropped, cancelled or lost does not reach the next request.
//! docs/decisions/0005-connection-pool.md

use super::harness::{TestServer, observation, open_store, patient};
use bhn_fhir::storage::{Connection, Pooled, Store};
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Of the harness: connections for reads by key and writes.
const PLACES: usize = 4;
/// Connections that searches of both kinds hold from the start.
const OF_SEARCHES: i64 = 2;

async fn backend(connection: &mut Connection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(connection).await.unwrap()
}

/// All connections of the pool at once.
async fn all_of(store: &Store) -> Vec<Pooled> {
    let taken = futures_util::future::join_all((0..PLACES).map(|_| store.connection())).await;
    taken.into_iter().map(|connection| connection.unwrap()).collect()
}

/// The backends behind the pool; each connection is given back as it was got.
async fn backends(store: &Store) -> Vec<i32> {
    let mut found = Vec::new();
    for mut connection in all_of(store).await {
        found.push(backend(&mut connection).await);
        connection.release();
    }
    found.sort_unstable();
    found
}

/// Sessions of servers on this database.
async fn sessions(administration: &mut PgConnection, state: &str) -> i64 {
    let sql = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'bhn-fhir' and state like $1";
    sqlx::query_scalar(sql).bind(state).fetch_one(administration).await.unwrap()
}

async fn end_all_sessions(administration: &mut PgConnection) {
    let sql = "select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(sql).execute(administration).await.unwrap();
}

#[tokio::test]
async fn a_connection_dropped_inside_a_transaction_comes_back_rolled_back() {
    let server = TestServer::start().await;
    let store = &server.context.store;
    let before = backends(store).await;
    for mut connection in all_of(store).await {
        connection.begin().await.unwrap();
        let sql = "insert into import_unit (hash, imported)
            values (sha256(pg_backend_pid()::text::bytea), now())";
        sqlx::query(sql).execute(&mut *connection).await.unwrap();
        // One of them inside a transaction that has failed already.
        if backend(&mut connection).await == before[0] {
            sqlx::query("select 1 / 0").execute(&mut *connection).await.unwrap_err();
        }
    }
    assert_eq!(backends(store).await, before, "none had to be replaced");
    let mut administration = server.database.administer().await;
    assert_eq!(sessions(&mut administration, "idle in transaction%").await, 0);
    let sql = "select count(*) from import_unit";
    let stored: i64 = sqlx::query_scalar(sql).fetch_one(&mut administration).await.unwrap();
    assert_eq!(stored, 0);
    for mut connection in all_of(store).await {
        let sql = "select pg_current_xact_id_if_assigned() is null";
        assert!(sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap_or(false));
        connection.release();
    }
}

#[tokio::test]
async fn a_released_connection_with_an_open_transaction_is_rolled_back_too() {
    let server = TestServer::start().await;
    let store = &server.context.store;
    let mut connection = store.connection().await.unwrap();
    connection.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *connection).await.unwrap();
    connection.release();
    drop(all_of(store).await);
    let mut beside = server.database.connect_as_application().await;
    let sql = "select pg_try_advisory_lock(7)";
    assert!(sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut beside).await.unwrap());
}

/// Statements that are cut off while they run, while they fail, and while they answer.
#[tokio::test]
async fn a_cancelled_statement_does_not_poison_its_connection() {
    let server = TestServer::start().await;
    let store = &server.context.store;
    let before = backends(store).await;
    let statements = [
        "select pg_sleep(0.3)::text",
        "select pg_sleep(0.3)::text || (1 / (random() * 0)::integer)::text",
        "select repeat('x', 1000) from generate_series(1, 200000)",
        "select 'never prepared' || $1::text",
    ];
    for sql in statements {
        for (is_in_transaction, patience_ms) in [(false, 0), (false, 30), (true, 0), (true, 30)] {
            let mut connection = store.connection().await.unwrap();
            if is_in_transaction {
                connection.begin().await.unwrap();
            }
            let query = sqlx::query(sql);
            let query = if sql.contains("$1") { query.bind("text") } else { query };
            let statement = query.fetch_all(&mut *connection);
            let _ = timeout(Duration::from_millis(patience_ms), statement).await;
            drop(connection);
        }
        for mut connection in all_of(store).await {
            let answer = sqlx::query_scalar("select $1").bind(7_i32).fetch_one(&mut *connection);
            assert_eq!(answer.await.ok(), Some(7_i32), "after {sql}");
            connection.release();
        }
        assert_eq!(backends(store).await, before, "{sql} costs no connection");
    }
}

#[tokio::test]
async fn after_all_sessions_were_ended_the_next_request_works() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let mut administration = server.database.administer().await;
    for _ in 0..3 {
        drop(all_of(&server.context.store).await);
        server.get("Patient?_id=a").await.expect(200);
        sleep(Duration::from_millis(150)).await;
        end_all_sessions(&mut administration).await;
        server.get("Patient/a").await.expect(200);
        server.get("Patient?_id=a").await.expect(200);
        sleep(Duration::from_millis(150)).await;
        end_all_sessions(&mut administration).await;
        server.create(observation()).await.expect(201);
    }
    // In the middle of work it is noticed by the requests under way, each once.
    all_of(&server.context.store).await.into_iter().for_each(Pooled::release);
    end_all_sessions(&mut administration).await;
    let mut refused = 0;
    while server.get("Patient/a").await.status() != 200 {
        refused += 1;
        assert!(refused <= PLACES);
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_transaction_whose_session_is_ended_does_not_commit() {
    let server = TestServer::start().await;
    let store = &server.context.store;
    let mut connection = store.connection().await.unwrap();
    connection.begin().await.unwrap();
    end_all_sessions(&mut server.database.administer().await).await;
    assert!(connection.commit().await.is_err());
    sleep(Duration::from_millis(150)).await;
    server.create(patient()).await.expect(201);
}

#[tokio::test]
async fn the_pool_never_exceeds_its_bound() {
    let server = TestServer::start().await;
    let context = &server.context;
    let mut administration = server.database.administer().await;
    let work = (0..60_u64).map(|number| {
        let context = context.clone();
        tokio::spawn(async move {
            let mut connection = context.store.connection().await.unwrap();
            if number % 5 == 0 {
                connection.begin().await.unwrap();
            }
            let statement = sqlx::query("select pg_sleep(0.05)").execute(&mut *connection);
            let patience = Duration::from_millis(if number % 3 == 0 { 10 } else { 1_000 });
            match timeout(patience, statement).await {
                Ok(Ok(_)) if number % 2 == 0 => connection.release(),
                _ => drop(connection),
            }
        })
    });
    let mut work: Vec<_> = work.collect();
    let mut most = 0;
    while !work.iter().all(|task| task.is_finished()) {
        most = most.max(sessions(&mut administration, "%").await);
        sleep(Duration::from_millis(5)).await;
    }
    for task in work.drain(..) {
        task.await.unwrap();
    }
    assert_eq!(most, PLACES as i64 + OF_SEARCHES);
}

/// Clients who leave must not pile up statements in the database.
#[tokio::test]
async fn a_long_statement_that_nobody_waits_for_keeps_its_place() {
    let server = TestServer::start().await;
    let store = &server.context.store;
    let mut administration = server.database.administer().await;
    for mut connection in all_of(store).await {
        let statement = sqlx::query("select pg_sleep(7)").execute(&mut *connection);
        timeout(Duration::from_millis(50), statement).await.unwrap_err();
    }
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(7_500) {
        let _ = timeout(Duration::from_millis(100), store.connection()).await;
        assert!(sessions(&mut administration, "%").await <= PLACES as i64 + OF_SEARCHES);
    }
    server.create(patient()).await.expect(201);
}

#[tokio::test]
async fn close_waits_for_connections_in_use_and_ends_all() {
    let server = TestServer::start().await;
    let database = &server.database;
    let mut administration = database.administer().await;
    let before = sessions(&mut administration, "%").await;
    let store = Arc::new(open_store(&database.database).await.unwrap());
    drop(all_of(&store).await);
    let mut held = store.connection().await.unwrap();
    held.begin().await.unwrap();
    let closed = tokio::spawn({
        let store = store.clone();
        async move { store.close().await }
    });
    sleep(Duration::from_millis(200)).await;
    assert!(!closed.is_finished());
    assert!(store.connection().await.is_err(), "nothing new is begun");
    let sql = "insert into import_unit (hash, imported) values (sha256('a'), now())";
    sqlx::query(sql).execute(&mut *held).await.unwrap();
    held.commit().await.unwrap();
    timeout(Duration::from_secs(5), closed).await.unwrap().unwrap();
    let sql = "select count(*) from import_unit";
    let stored: i64 = sqlx::query_scalar(sql).fetch_one(&mut administration).await.unwrap();
    assert_eq!(stored, 1, "what was under way was finished");
    let started = Instant::now();
    while sessions(&mut administration, "%").await > before {
        assert!(started.elapsed() < Duration::from_secs(5), "sessions are left");
        sleep(Duration::from_millis(10)).await;
    }
    timeout(Duration::from_secs(1), store.close()).await.expect("closing twice is nothing");
}
