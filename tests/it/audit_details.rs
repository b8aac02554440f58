//! What an event says in words is sealed, and shown to who may see it; what a request is for; what
//! went wrong beside interactions. SECURITY.md, AU-01, AU-02, AU-05 and RT-157.

use super::harness::{Audited, Role, ServerProcess, TestDatabase, folder, patient, principal};
use bhn_fhir::config::AuditDurability;
use serde_json::{Value, json};

const NAME: &str = "Lovelace-Kanarienvogel";

/// Everything that the table of events holds, as text.
async fn table(server: &Audited) -> String {
    let mut connection = server.database.connect().await;
    let sql = "select string_agg(e::text, E'\\n') from audit_event e";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

fn journal(folder: &std::path::Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|name| name == "journal"));
    let bytes: Vec<u8> = journals.flat_map(|path| std::fs::read(path).unwrap()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn au_05_queries_and_reasons_are_in_the_clear_nowhere() {
    for durability in [AuditDurability::Journal, AuditDurability::Database] {
        let server = Audited::start_with(|audit| audit.durability = durability, |_| {}).await;
        server.get(&format!("Patient?family={NAME}")).await.expect(200);
        server.get(&format!("Patient?{NAME}=1")).await.expect(400);
        let named = patient().mrn(NAME).with("name", json!([{ "family": NAME }]));
        let criteria = format!("identifier={NAME}");
        server.create_if_none_exist(named, &criteria).await.expect(201);
        assert!(!journal(server.folder.path()).contains(NAME));
        server.ship().await;
        let table = table(&server).await;
        assert!(table.contains("detail") && !table.contains(NAME), "{table}");
        let queries: Vec<String> =
            server.events().await.into_iter().filter_map(|event| event.query).collect();
        assert_eq!(queries.iter().filter(|query| query.contains(NAME)).count(), 3, "{queries:?}");
    }
}

#[tokio::test]
async fn au_05_reviewers_read_the_query_and_patients_do_not() {
    let server = Audited::start().await;
    let named = patient().with("name", json!([{ "family": NAME }]));
    let id = server.create(named).await.expect(201).id().to_owned();
    server.get(&format!("Patient?family={NAME}")).await.expect(200);
    server.ship().await;
    let admin = server.as_principal(principal("admin", Role::Admin, "user/*.rs"));
    let path = format!("AuditEvent?patient={id}&subtype=search-type");
    let shown = admin.get(&path).await.expect(200).text().to_owned();
    assert!(shown.contains(&format!("Patient?family={NAME}")), "{shown}");
    let mut own = principal("own", Role::Patient, "patient/*.rs");
    let link = server.link(&format!("Patient/{id}")).await;
    (own.links.fhir_user, own.links.patients) = (Some(link.clone()), vec![link]);
    let shown = server.as_principal(own).get(&path).await.expect(200);
    assert_eq!(shown.ids("match").len(), 1, "{shown:?}");
    assert!(!shown.text().contains(NAME), "{shown:?}");
}

/// Whoever has the database and not the key file verifies, and reads no words.
#[tokio::test]
async fn au_05_verification_needs_no_key() {
    let server = Audited::start().await;
    server.get(&format!("Patient?family={NAME}")).await.expect(200);
    assert_eq!(server.seal().await, 1);
    let (status, said) = ServerProcess::command_on(&server.database, &["audit", "verify"]);
    assert!(status.success(), "{said}");
    let folder = folder();
    let (with, without) = (folder.path().join("key"), folder.path().join("none"));
    bhn_fhir::oauth::make_key_file(&with, &[7; 32]).unwrap();
    let export = |path: &std::path::Path| {
        let arguments = ["audit", "export", "--key-file", path.to_str().unwrap()];
        let (status, said) = ServerProcess::command_on(&server.database, &arguments);
        assert!(status.success(), "{said}");
        said
    };
    assert!(export(&with).contains(NAME));
    assert!(!export(&without).contains(NAME));
}

#[tokio::test]
async fn au_05_a_lost_key_file_costs_words_and_not_the_audit() {
    let server = Audited::start().await;
    server.get(&format!("Patient?family={NAME}")).await.expect(200);
    server.ship().await;
    let store = &server.context.store;
    let lost = store.audit_keys(&[[9; 32]]).await.unwrap();
    let always = (chrono::DateTime::UNIX_EPOCH, chrono::DateTime::<chrono::Utc>::MAX_UTC);
    let events = store.export_audit(always, (None, 10), Some(&lost)).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(events[0].1.query.is_none() && events[0].1.detail.is_some());
}

/// After another key was put before that of the key file, the earlier one can be taken out of it.
#[tokio::test]
async fn au_05_details_stay_readable_when_the_key_of_the_key_file_changes() {
    let server = Audited::start().await;
    server.get(&format!("Patient?family={NAME}")).await.expect(200);
    server.ship().await;
    let store = &server.context.store;
    let (new, both) = ([9; 32], [[9; 32], [7; 32]]);
    assert!(store.reseal_audit_keys(&both).await.unwrap() > 0);
    assert_eq!(store.reseal_audit_keys(&both).await.unwrap(), 0);
    let keys = store.audit_keys(&[new]).await.unwrap();
    let always = (chrono::DateTime::UNIX_EPOCH, chrono::DateTime::<chrono::Utc>::MAX_UTC);
    let events = store.export_audit(always, (None, 10), Some(&keys)).await.unwrap();
    assert!(events[0].1.query.as_deref().is_some_and(|query| query.contains(NAME)));
}

#[tokio::test]
async fn au_02_what_a_request_is_for_is_written_down_as_its_caller_says() {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let mut admin = principal("admin", Role::Admin, "user/*.rs");
    admin.links.fhir_user = Some(server.link("Practitioner/admin").await);
    let admin = server.as_principal(admin);
    let ask = |purpose: &str| {
        let request = admin.request("GET", &format!("Patient/{id}"));
        request.header("Purpose-Of-Use", purpose).send()
    };
    let (_, event) = server.event_of(async { ask("PATRQT, TREAT").await.expect(200) }).await;
    assert_eq!(event.agent.purposes, ["PATRQT", "TREAT"]);
    let (reply, event) = server.event_of(async { ask("CURIOSITY").await.expect(400) }).await;
    assert!(reply.text().contains("Purpose-Of-Use"), "{reply:?}");
    assert_eq!((event.status, event.agent.purposes.len()), (400, 0));
    let found = admin.get(&format!("AuditEvent?patient={id}&action=R")).await.expect(200);
    let agents = found.body["entry"][0]["resource"]["agent"].as_array().cloned().unwrap();
    let purposes: Vec<&Value> = agents.iter().filter_map(|a| a.get("purposeOfUse")).collect();
    assert_eq!(purposes.len(), 1, "{found:?}");
    assert_eq!(purposes[0][0]["coding"][0]["code"], "PATRQT");
}

#[tokio::test]
async fn au_01_heads_that_are_too_large_are_written_down() {
    let server = Audited::start().await;
    let long = format!("Patient?name={}", "a".repeat(9_000));
    let (_, event) = server.event_of(async { server.get(&long).await.expect(414) }).await;
    assert_eq!((event.status, event.agent.name.as_str()), (414, "anonymous"));
    assert!(event.query.unwrap().ends_with("/fhir/Patient"), "without its query");
}

#[tokio::test]
async fn au_01_what_is_over_its_rate_is_written_down_within_a_bound() {
    let database = TestDatabase::clone_template();
    let arguments = ["--rate-address", "1", "--rate-address-burst", "3"];
    let process = ServerProcess::start_signed_in(&database, &arguments);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(process.client.get_beside("/oauth/authorize").await.status());
    }
    let refused = statuses.iter().filter(|status| **status == 429).count() as i64;
    assert!(refused > 0, "{statuses:?}");
    let mut connection = database.connect().await;
    let sql = "select count(*) from audit_event where (event::jsonb ->> 'status')::int = 429";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, refused);
}

/// What was asked for is nowhere but in the store and under seal: not in the journal either.
#[tokio::test]
async fn rt_157_the_journal_holds_nothing_that_was_searched_for_or_sent() {
    let (database, audit) = (TestDatabase::clone_template(), folder());
    let path = audit.path().to_str().unwrap();
    let mut process =
        ServerProcess::start_on_with(&database, &["--audit", "true", "--audit-folder", path]);
    let client = &process.client;
    let named = patient().mrn(NAME).with("name", json!([{ "family": NAME }]));
    client.post("Patient", &named.into()).await.expect(201);
    for query in ["family", "identifier", "name:exact", "_filter", "nothing"] {
        client.get(&format!("Patient?{query}={NAME}")).await;
    }
    let form = client.request("POST", "Patient/_search");
    form.body("application/x-www-form-urlencoded", format!("family={NAME}")).send().await;
    client.request("POST", "Patient").body("application/fhir+json", NAME).send().await;
    // Killed, so that it is all there.
    process.kill();
    let journal = journal(audit.path());
    assert!(journal.contains("\"detail\""), "{journal}");
    assert!(!journal.contains(NAME), "{journal}");
}
