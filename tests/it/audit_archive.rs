//! Months that left the audit, and copies of its seals. SECURITY.md, AU-10 and AU-12.

use super::harness::{Audited, ServerProcess, patient};
use bhn_fhir::jobs::audit::verified_lately;

const OLD: &str = "2018-01-15T12:00:00Z";

/// A server with an event of a write and one of the journal that were sealed in 2018, as far as
/// anybody can tell, and others that are sealed now.
async fn aged() -> Audited {
    let server = Audited::start().await;
    server.create(patient()).await.expect(201);
    server.get("Patient/none").await.expect(404);
    server.ship().await;
    let long_ago = OLD.parse().unwrap();
    settled(&server).await;
    assert_eq!(server.context.store.seal_audit(long_ago).await.unwrap(), 2);
    server.create(patient()).await.expect(201);
    server.get("Patient/none").await.expect(404);
    assert_eq!(server.seal().await, 2);
    assert_eq!(server.findings().await, [""; 0]);
    server
}

/// Waits until no transaction of another test runs that began before the last event was stored.
async fn settled(server: &Audited) {
    let mut connection = server.database.connect().await;
    let sql = "select coalesce(max(xid), 0) \
               < pg_snapshot_xmin(pg_current_snapshot())::text::bigint from audit_event";
    while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut connection).await.unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Moves what the first seal has into a month of 2018.
const INTO_THE_PAST: &str = "
    create table audit_event_201801 (like audit_event including defaults);
    alter table audit_event_201801 owner to bhn_fhir;
    alter table audit_event attach partition audit_event_201801
      for values from ('2018-01-01Z') to ('2018-02-01Z');
    update audit_event set recorded = '2018-01-15T12:00:00Z'
    where position(int8send(seq) in (select leaves from audit_seal where n = 1)) > 0";

async fn detach(server: &Audited) {
    let arguments = ["audit", "detach", "--before", "2018-02-01"];
    let (status, said) = ServerProcess::command_on(&server.database, &arguments);
    assert!(status.success() && said.contains("audit_event_201801"), "{said}");
}

#[tokio::test]
async fn au_12_verify_goes_on_after_a_month_was_detached() {
    let server = aged().await;
    server.tamper(INTO_THE_PAST).await;
    detach(&server).await;
    assert_eq!(server.findings().await, [""; 0]);
    let (status, said) = ServerProcess::command_on(&server.database, &["audit", "verify"]);
    assert!(status.success() && said.contains("2 detached"), "{said}");
    // Back from the archive, as the documentation has it, all of it is verified again.
    server
        .tamper(
            "alter table audit_event attach partition audit_event_201801
             for values from ('2018-01-01Z') to ('2018-02-01Z');
             update audit_event set recorded = (event::jsonb ->> 'recorded')::timestamptz
             where recorded < '2019-01-01'",
        )
        .await;
    let (_, said) = ServerProcess::command_on(&server.database, &["audit", "verify"]);
    assert!(said.contains("4 events in 2 seals") && said.contains("0 detached"), "{said}");
}

#[tokio::test]
async fn te_41_a_young_event_does_not_pass_for_detached() {
    let server = aged().await;
    server.tamper(INTO_THE_PAST).await;
    detach(&server).await;
    // Whoever may do everything says that all was detached.
    server
        .tamper(
            "update audit_detached set first = 1, last = 1::bigint << 39, events = 100
             where last < 1::bigint << 40;
             delete from audit_event where seq = 2",
        )
        .await;
    let findings = server.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("removed: event node-"), "{findings:?}");
    assert!(findings[0].ends_with(".2"), "{findings:?}");
}

#[tokio::test]
async fn te_41_old_events_that_are_gone_without_being_detached_are_missed() {
    let server = aged().await;
    server.tamper(INTO_THE_PAST).await;
    server.tamper("delete from audit_event where recorded < '2019-01-01'").await;
    assert_eq!(server.findings().await.len(), 2, "no month was detached");
    server
        .tamper(
            "insert into audit_detached select 'audit_event_201801', node, 1, 1 << 30, 0, '' \
             from audit_node",
        )
        .await;
    let findings = server.findings().await;
    assert!(
        findings.iter().any(|finding| finding.contains("more than were detached")),
        "{findings:?}"
    );
}

#[tokio::test]
async fn te_41_the_time_of_a_seal_is_signed() {
    let server = aged().await;
    server.tamper("update audit_seal set sealed = sealed - interval '8 years' where n = 2").await;
    let findings = server.findings().await;
    assert!(findings.iter().any(|finding| finding.starts_with("broken: seal 2")), "{findings:?}");
}

#[tokio::test]
async fn au_10_seals_are_copied_and_an_end_that_was_cut_off_is_found() {
    let copies = tempfile::tempdir().unwrap();
    let seals = copies.path().join("seals");
    let server = Audited::start_with(|audit| audit.seals = Some(seals.clone()), |_| {}).await;
    for _ in 0..3 {
        server.create(patient()).await.expect(201);
        server.seal().await;
    }
    assert_eq!(server.context.store.copy_seals().await.unwrap(), 3);
    assert_eq!(server.context.store.copy_seals().await.unwrap(), 0);
    assert_eq!(std::fs::read_dir(&seals).unwrap().count(), 3);
    assert_eq!(server.findings_by(Some(&seals)).await, [""; 0]);
    assert_eq!(verified_lately(&server.context).await.unwrap(), 0);
    // The last event with its seal: the chain that is left is whole.
    server
        .tamper(
            "delete from audit_event where seq = (select max(seq) from audit_event);
             delete from audit_seal where n = 3",
        )
        .await;
    assert_eq!(server.findings().await, [""; 0]);
    let findings = server.findings_by(Some(&seals)).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("broken: seal 3 of node-"), "{findings:?}");
    assert_eq!(verified_lately(&server.context).await.unwrap(), 1);
    let arguments = ["audit", "verify", "--seals", seals.to_str().unwrap()];
    let (status, said) = ServerProcess::command_on(&server.database, &arguments);
    assert_eq!(status.code(), Some(1), "{said}");
}

#[tokio::test]
async fn au_10_a_seal_that_differs_from_its_copy_is_found() {
    let copies = tempfile::tempdir().unwrap();
    let seals = copies.path().to_owned();
    let server = Audited::start_with(|audit| audit.seals = Some(seals.clone()), |_| {}).await;
    server.create(patient()).await.expect(201);
    server.seal().await;
    server.context.store.copy_seals().await.unwrap();
    let file = std::fs::read_dir(&seals).unwrap().next().unwrap().unwrap().path();
    let copy = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, copy.replace("\"n\":1", "\"n\":1,\"x\":1")).unwrap();
    let findings = server.findings_by(Some(&seals)).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
}
