//! Nobody changes the audit unseen, not even who may do everything in the database. SECURITY.md,
//! AU-10, AU-11 and TE-41.

use super::harness::{Audited, patient};
use sqlx::AssertSqlSafe;

/// A server with reads and writes, some of them sealed twice.
async fn sealed() -> Audited {
    let server = Audited::start().await;
    for _ in 0..2 {
        for _ in 0..3 {
            let id = server.create(patient()).await.expect(201).id().to_owned();
            server.get(&format!("Patient/{id}")).await.expect(200);
        }
        assert_eq!(server.seal().await, 6);
    }
    assert_eq!(server.findings().await, [""; 0]);
    server
}

/// Number and node of the event at this place among those of writes, or of the journal.
async fn event(server: &Audited, condition: &str, place: i64) -> (String, i64) {
    let sql = format!(
        "select node, seq from audit_event where {condition} order by seq offset {place} limit 1"
    );
    let mut connection = server.database.connect().await;
    sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
}

const OF_WRITES: &str = "seq >= 1::bigint << 40";
const OF_JOURNAL: &str = "seq < 1::bigint << 40";

#[tokio::test]
async fn te_41_an_edited_event_is_found() {
    let server = sealed().await;
    for condition in [OF_WRITES, OF_JOURNAL] {
        let (node, seq) = event(&server, condition, 1).await;
        let sql = format!(
            "update audit_event set event = replace(event, 'insecure-no-auth', 'somebody-else') \
             where seq = {seq}"
        );
        server.tamper(&sql).await;
        assert_eq!(server.findings().await, [format!("edited: event {node}.{seq}")]);
        server
            .tamper(&sql.replace(
                "'insecure-no-auth', 'somebody-else'",
                "'somebody-else', 'insecure-no-auth'",
            ))
            .await;
        assert_eq!(server.findings().await, [""; 0]);
    }
}

#[tokio::test]
async fn te_41_an_event_that_is_edited_with_its_hash_is_found() {
    let server = sealed().await;
    let (node, seq) = event(&server, OF_WRITES, 2).await;
    server
        .tamper(&format!(
            "update audit_event set event = replace(event, '\"C\"', '\"R\"'), hash = \
         sha256(int4send(length(node)) || convert_to(node, 'UTF8') || int8send(seq) || \
         convert_to(replace(event, '\"C\"', '\"R\"'), 'UTF8')), action = 'R' where seq = {seq}"
        ))
        .await;
    assert_eq!(server.findings().await, [format!("edited: event {node}.{seq}")]);
}

#[tokio::test]
async fn te_41_what_is_searched_by_cannot_be_edited_alone() {
    let server = sealed().await;
    let (node, seq) = event(&server, OF_JOURNAL, 0).await;
    server.tamper(&format!("update audit_event set patients = '{{}}' where seq = {seq}")).await;
    assert_eq!(server.findings().await, [format!("edited: event {node}.{seq}")]);
}

#[tokio::test]
async fn te_41_a_removed_event_is_found() {
    let server = sealed().await;
    for condition in [OF_WRITES, OF_JOURNAL] {
        let (node, seq) = event(&server, condition, 1).await;
        server
            .tamper(&format!(
                "create table kept as select * from audit_event where seq = {seq};
             delete from audit_event where seq = {seq}"
            ))
            .await;
        assert_eq!(server.findings().await, [format!("removed: event {node}.{seq}")]);
        server.tamper("insert into audit_event select * from kept; drop table kept").await;
        assert_eq!(server.findings().await, [""; 0]);
    }
}

#[tokio::test]
async fn te_41_a_truncated_audit_is_found() {
    let server = sealed().await;
    server.tamper("delete from audit_event where seq >= 5 and seq < 1::bigint << 40").await;
    let (node, _) = event(&server, OF_WRITES, 0).await;
    let expected = [format!("removed: event {node}.5"), format!("removed: event {node}.6")];
    assert_eq!(server.findings().await, expected);
}

#[tokio::test]
async fn te_41_an_inserted_event_is_found() {
    let server = sealed().await;
    let (node, seq) = event(&server, OF_WRITES, 1).await;
    let columns = "recorded, epoch, xid, kind, subtype, action, outcome, agent, person, address, \
                   patients, resources, event, hash";
    // Into the past, with the transaction of another event.
    server
        .tamper(&format!(
            "insert into audit_event (node, seq, {columns}) select node, seq + 1000, {columns} \
         from audit_event where seq = {seq}"
        ))
        .await;
    let expected = [format!("inserted: event {node}.{}", seq + 1000)];
    assert_eq!(server.findings().await, expected);
    // As if it came just now: the node knows what it wrote, and does not seal it.
    let columns = columns.replace(" xid,", "");
    server
        .tamper(&format!(
            "insert into audit_event (node, seq, {columns}) select node, seq + 2000, {columns} \
         from audit_event where seq = {seq};
         update audit_event set hash = sha256(int4send(length(node)) || convert_to(node, 'UTF8') \
         || int8send(seq) || convert_to(event, 'UTF8')) where seq = {seq} + 2000"
        ))
        .await;
    server.create(patient()).await.expect(201);
    assert_eq!(server.seal().await, 1);
    let expected = [expected[0].clone(), format!("inserted: event {node}.{}", seq + 2000)];
    assert_eq!(server.findings().await, expected);
}

#[tokio::test]
async fn te_41_reordered_events_are_found() {
    let server = sealed().await;
    let (node, first) = event(&server, OF_WRITES, 0).await;
    let (_, second) = event(&server, OF_WRITES, 1).await;
    server
        .tamper(&format!(
            "create table kept as select * from audit_event where seq in ({first}, {second});
         delete from audit_event where seq in ({first}, {second});
         update kept set seq = {first} + {second} - seq;
         insert into audit_event select * from kept"
        ))
        .await;
    let mut expected = [first, second].map(|seq| format!("reordered: event {node}.{seq}"));
    expected.sort();
    let mut found = server.findings().await;
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn te_41_seals_cannot_be_edited_removed_or_signed_by_others() {
    let server = sealed().await;
    let (node, _) = event(&server, OF_WRITES, 0).await;
    server.tamper("update audit_seal set signature = set_byte(signature, 0, 0) where n = 1").await;
    let found = server.findings().await;
    assert_eq!(found, [format!("broken: seal 1 of {node}")]);
    let server = sealed().await;
    let (node, seq) = event(&server, OF_WRITES, 0).await;
    // A leaf with the event that it is about.
    server
        .tamper(&format!(
            "delete from audit_event where seq = {seq};
         update audit_seal set leaves = overlay(leaves placing '' from \
         position(int8send({seq}) in leaves) for 40) where n = 1"
        ))
        .await;
    assert_eq!(server.findings().await, [format!("broken: seal 1 of {node}")]);
    let server = sealed().await;
    let (node, _) = event(&server, OF_WRITES, 0).await;
    server.tamper("delete from audit_seal where n = 1").await;
    let found = server.findings().await;
    assert!(found.contains(&format!("broken: seal 2 of {node}")), "{found:?}");
}

#[tokio::test]
async fn au_10_a_stored_event_that_goes_before_it_is_sealed_is_missed() {
    let server = Audited::start().await;
    server.create(patient()).await.expect(201);
    server.create(patient()).await.expect(201);
    let (node, seq) = event(&server, OF_WRITES, 0).await;
    server.tamper(&format!("delete from audit_event where seq = {seq}")).await;
    server.seal().await;
    server.create(patient()).await.expect(201);
    server.seal().await;
    assert_eq!(server.findings().await, [format!("removed: event {node}.{seq}")]);
}

#[tokio::test]
async fn au_10_a_node_goes_on_with_its_chain_after_a_start() {
    let server = sealed().await;
    let (database, folder) = (server.database.clone(), server.into_folder());
    let server = Audited::on(database, folder, (|_| {}, |_| {})).await;
    server.create(patient()).await.expect(201);
    server.get("Patient/none").await.expect(404);
    assert_eq!(server.seal().await, 2);
    assert_eq!(server.findings().await, [""; 0]);
    let mut connection = server.database.connect().await;
    let seals: Vec<i64> = sqlx::query_scalar("select n from audit_seal order by n")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(seals, [1, 2, 3]);
}

#[tokio::test]
async fn au_11_the_application_role_only_adds_to_the_audit() {
    let server = sealed().await;
    let mut connection = server.database.connect_as_application().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relname like 'audit\\_%' \
         and relkind in ('r', 'p')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() > 6, "{tables:?}");
    for table in tables {
        for sql in ["delete from @", "truncate @", "drop table @", "alter table @ rename to mine"] {
            let sql = sql.replace('@', &table);
            let refused = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await;
            let refused = refused.expect_err(&sql);
            assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501", "{sql}");
        }
    }
    for sql in [
        "update audit_event set event = ''",
        "update audit_seal set leaves = ''",
        "update audit_node set public_key = ''",
        "select audit_event_detach('2010-01-01')",
    ] {
        let done = sqlx::raw_sql(sql).execute(&mut connection).await;
        let is_harmless = sql.starts_with("select");
        assert_eq!(done.is_ok(), is_harmless, "{sql}");
    }
}

#[tokio::test]
async fn au_12_there_is_a_partition_for_this_month_and_the_next_ones() {
    let server = sealed().await;
    let mut connection = server.database.connect().await;
    let months = "select relname::text from pg_class where relname ~ '^audit_event_[0-9]{6}$'";
    let count = |rows: Vec<String>| rows.len();
    let first = count(sqlx::query_scalar(months).fetch_all(&mut connection).await.unwrap());
    assert_eq!(first, 5, "one before, this one, three after");
    let other: i64 = sqlx::query_scalar("select count(*) from audit_event_other")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(other, 0);
    // As the role that serves, after months were lost.
    server.tamper("drop table audit_event_other").await;
    let dropped: String = sqlx::query_scalar(AssertSqlSafe(format!("{months} order by 1 desc")))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    server.tamper(&format!("drop table {dropped}")).await;
    assert_eq!(server.context.store.make_audit_months().await.unwrap(), 1);
    let mut application = server.database.connect_as_application().await;
    let sql = format!("delete from {dropped}");
    assert!(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut application).await.is_err());
    assert_eq!(server.context.store.make_audit_months().await.unwrap(), 0);
}

#[tokio::test]
async fn au_12_only_months_of_seven_years_ago_are_detached() {
    let server = sealed().await;
    let mut connection = server.database.connect().await;
    let too_young = "select * from audit_event_detach((now() - interval '6 years')::date)";
    assert!(sqlx::raw_sql(too_young).execute(&mut connection).await.is_err());
    server
        .tamper(
            "create table audit_event_201001 (like audit_event including defaults);
         alter table audit_event_201001 owner to bhn_fhir;
         alter table audit_event attach partition audit_event_201001
           for values from ('2010-01-01Z') to ('2010-02-01Z')",
        )
        .await;
    let detached: Vec<String> =
        sqlx::query_scalar("select * from audit_event_detach('2010-02-01')")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(detached, ["audit_event_201001"]);
}
