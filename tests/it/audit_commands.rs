//! `bhn-fhir audit` and what else the operator does on the command line. SECURITY.md, AU-01,
//! AU-10, AU-12.

use super::harness::{Audited, ServerProcess, patient};
use serde_json::Value;

#[tokio::test]
async fn verify_ends_with_1_and_names_what_differs() {
    let server = Audited::start().await;
    server.create(patient()).await.expect(201);
    server.get("Patient/none").await.expect(404);
    assert_eq!(server.seal().await, 2);
    let (status, said) = ServerProcess::command_on(&server.database, &["audit", "verify"]);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("2 events in 1 seals verified"), "{said}");
    server.tamper("update audit_event set agent = 'nobody' where seq = 1").await;
    let (status, said) = ServerProcess::command_on(&server.database, &["audit", "verify"]);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("edited: event node-"), "{said}");
    let later = ["audit", "verify", "--from", "2999-01-01"];
    let (status, said) = ServerProcess::command_on(&server.database, &later);
    assert_eq!(status.code(), Some(0), "{said}");
}

#[tokio::test]
async fn verify_with_a_key_takes_no_other_one() {
    let server = Audited::start().await;
    server.create(patient()).await.expect(201);
    server.seal().await;
    let mut connection = server.database.connect().await;
    let key: String = sqlx::query_scalar("select encode(public_key, 'hex') from audit_node")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let verify = |key: &str| {
        let arguments = ["audit", "verify", "--key", key];
        ServerProcess::command_on(&server.database, &arguments).0.code()
    };
    assert_eq!((verify(&key), verify(&"00".repeat(32)), verify("0x")), (Some(0), Some(1), Some(2)));
}

#[tokio::test]
async fn export_writes_every_audit_event() {
    let server = Audited::start().await;
    for _ in 0..3 {
        server.create(patient()).await.expect(201);
    }
    server.get("Patient").await.expect(200);
    server.ship().await;
    let (status, said) = ServerProcess::command_on(&server.database, &["audit", "export"]);
    assert!(status.success(), "{said}");
    let events: Vec<Value> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(events.len(), 3 + 3);
    assert!(events.iter().all(|event| event["resourceType"] == "AuditEvent"));
}

#[tokio::test]
async fn au_06_an_import_has_an_event_for_each_unit_and_is_sealed() {
    let server = Audited::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patients.ndjson");
    let line = Value::from(patient()).to_string();
    std::fs::write(&file, format!("{line}\n").repeat(70)).unwrap();
    let rejects = folder.path().join("rejects");
    let arguments = ["import", file.to_str().unwrap(), "--rejects", rejects.to_str().unwrap()];
    let (status, said) = ServerProcess::command_on(&server.database, &arguments);
    assert!(status.success(), "{said}");
    let events = server.events().await;
    assert!(!events.is_empty() && events.len() < 10, "{}", events.len());
    assert!(events.iter().all(|event| event.agent.name == "operator"), "{events:?}");
    assert_eq!(events.iter().map(|event| event.seen.len()).sum::<usize>(), 70);
    assert_eq!(server.findings().await, [""; 0]);
}
