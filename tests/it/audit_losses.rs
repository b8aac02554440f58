//! `kill -9` loses no event of an answer that was received, and no write is without its event.
//! SECURITY.md, TE-40.

use super::harness::{ServerProcess, TestDatabase, patient};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KILLS: u64 = 4;
const CLIENTS: usize = 12;

/// Request ids of answers that were received, with their status.
type Received = Arc<Mutex<Vec<(String, u16)>>>;

fn start(database: &TestDatabase, folder: &std::path::Path) -> ServerProcess {
    let folder = folder.to_str().unwrap();
    let arguments = ["--audit", "true", "--audit-folder", folder];
    ServerProcess::start_on_with(database, &arguments)
}

/// Asks in a circle until the server is gone.
async fn ask(
    client: super::harness::FhirClient,
    ids: Vec<String>,
    (received, numbers): (Received, Arc<AtomicU64>),
    is_over: Arc<AtomicBool>,
) {
    while !is_over.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("request-{number:08}");
        let path = match number % 5 {
            0 => "Patient?gender=female&_count=5".to_owned(),
            1 => "Patient/none".to_owned(),
            _ => format!("Patient/{}", ids[number as usize % ids.len()]),
        };
        let request = match number % 7 {
            0 => client.request("POST", "Patient").json(&patient().into()),
            _ => client.request("GET", &path),
        };
        let Ok(reply) = request.header("X-Request-Id", &request_id).try_send().await else {
            return;
        };
        received.lock().unwrap().push((request_id, reply.status()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn te_40_answers_that_were_received_are_in_the_audit_after_kill_9() {
    let database = TestDatabase::clone_template();
    let folder = tempfile::tempdir().unwrap();
    let (received, numbers) = (Received::default(), Arc::new(AtomicU64::new(0)));
    for round in 0..KILLS {
        let mut server = start(&database, folder.path());
        let mut ids = Vec::new();
        for _ in 0..3 {
            let created = server.client.post("Patient", &patient().into()).await.expect(201);
            ids.push(created.id().to_owned());
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let shared = (received.clone(), numbers.clone());
                tokio::spawn(ask(server.client.clone(), ids.clone(), shared, is_over.clone()))
            })
            .collect();
        // Within, between and after batches that go to the database.
        tokio::time::sleep(Duration::from_millis(350 + 170 * round)).await;
        while received.lock().unwrap().len() < 60 * (round as usize + 1) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.kill();
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
    }
    // The last start brings what is left; its end waits for that.
    let mut server = start(&database, folder.path());
    server.client.get("Patient/none").await.expect(404);
    assert!(server.stop().success());
    let received = received.lock().unwrap().clone();
    check(&database, &received).await;
    let (status, said) = ServerProcess::command_on(&database, &["audit", "verify"]);
    assert!(status.success(), "{said}");
}

async fn check(database: &TestDatabase, received: &[(String, u16)]) {
    let mut connection = database.connect().await;
    let texts: Vec<String> = sqlx::query_scalar("select event from audit_event")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut stored: HashMap<String, Vec<u16>> = HashMap::new();
    let mut written: Vec<String> = Vec::new();
    for text in &texts {
        let event: Value = serde_json::from_str(text).unwrap();
        let request_id = event["origin"]["request_id"].as_str().unwrap_or_default().to_owned();
        let status = event["status"].as_u64().unwrap_or_default() as u16;
        stored.entry(request_id).or_default().push(status);
        if event["action"] == "C" && event["outcome"] == "0" {
            written.push(event["seen"][0]["r"].as_str().unwrap().to_owned());
        }
    }
    assert!(received.len() > 200, "{} answers", received.len());
    for (request_id, status) in received {
        let found = stored.get(request_id).cloned().unwrap_or_default();
        assert_eq!(found, [*status], "{request_id}");
    }
    let mut ids: Vec<String> =
        sqlx::query_scalar("select 'Patient/' || id from resource where version > 0")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    ids.sort();
    written.sort();
    assert_eq!(written, ids, "each write has exactly one event");
}
