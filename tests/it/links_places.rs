//! Links to facilities, of proxies, of roles and to registries (SECURITY.md 2.2, F, P and R), and
//! how links are made of what was there before.

use crate::harness::{TestServer, encounter, patient};
use crate::reindex::reindex_all;
use serde_json::{Value, json};

const FACILITY: (&str, (&str, &str)) = ("facility_link", ("organization", "patient"));
const PROXY: (&str, (&str, &str)) = ("proxy_link", ("person", "patient"));
const VERIFIED: &str =
    "https://birthhealthnetwork.org/fhir/StructureDefinition/verified-legal-relationship";

#[tokio::test]
async fn f_a_patient_is_linked_to_who_manages_serves_and_owns_the_record() {
    let server = TestServer::start().await;
    let managed = json!({"reference": "Organization/manages"});
    server.update(patient().id("p").with("managingOrganization", managed)).await.expect(201);
    let mut source = encounter("e", "p", "d");
    source["serviceProvider"] = json!({"reference": "Organization/serves"});
    server.update(source.clone()).await.expect(201);
    assert_eq!(server.links(FACILITY.0, FACILITY.1).await, "manages p, serves p");
    let staff = server.staff("owns").await;
    let own = staff.post("Patient", &patient().into()).await.expect(201);
    let expected = format!("manages p, owns {}, serves p", own.id());
    assert_eq!(server.links(FACILITY.0, FACILITY.1).await, expected);
    // What is owned stays linked, whoever updates it; what was said goes.
    let mut body = own.body.clone();
    body["gender"] = "male".into();
    server.put(&format!("Patient/{}", own.id()), &body).await.expect(200);
    source["status"] = "cancelled".into();
    server.update(source).await.expect(200);
    server.update(patient().id("p")).await.expect(200);
    let expected = format!("owns {}", own.id());
    assert_eq!(server.links(FACILITY.0, FACILITY.1).await, expected);
}

fn related(id: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut related = json!({"resourceType": "RelatedPerson", "id": id, "active": true,
        "patient": {"reference": "Patient/child"},
        "extension": [{"url": VERIFIED, "valueReference": {"reference": "Patient/mother"}}]});
    change(&mut related);
    related
}

#[tokio::test]
async fn p_a_verified_relation_lets_a_parent_act_for_a_child_while_it_holds() {
    let server = TestServer::start().await;
    server.update(related("r", |_| {})).await.expect(201);
    let both = "mother child, r child";
    assert_eq!(server.links(PROXY.0, PROXY.1).await, both);
    let unverified = |one: &mut Value| drop(one.as_object_mut().unwrap().shift_remove("extension"));
    server.update(related("r", unverified)).await.expect(200);
    assert_eq!(server.links(PROXY.0, PROXY.1).await, "");
    for (element, value) in [
        ("active", json!(false)),
        ("period", json!({"end": "2020-01-01"})),
        (
            "meta",
            json!({"security": [{"code": "V",
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"}]}),
        ),
    ] {
        server
            .update(related(&format!("of-{element}"), |one| one[element] = value))
            .await
            .expect(201);
        assert_eq!(server.links(PROXY.0, PROXY.1).await, "", "{element}");
    }
}

#[tokio::test]
async fn organizations_are_found_with_all_that_is_part_of_them() {
    let server = TestServer::start().await;
    let part = |id: &str, of: &str| {
        json!({"resourceType": "Organization", "id": id, "name": id,
            "partOf": {"reference": format!("Organization/{of}")}})
    };
    server.update(part("ward", "hospital")).await.expect(201);
    server.update(part("room", "ward")).await.expect(201);
    // A circle ends.
    server.update(part("hospital", "room")).await.expect(201);
    let ward = server.link("Organization/ward").await;
    let mut connection = server.database.connect().await;
    let sql = "select array(select r.id from unnest(organizations_under(array[$1])) \
               with ordinality as u(rid, n) join resource r using (rid) order by n)";
    let query = sqlx::query_scalar::<_, Vec<String>>(sql).bind(ward.rid);
    let found = query.fetch_one(&mut connection).await.unwrap();
    assert_eq!(found, ["ward", "room", "hospital"]);
}

#[tokio::test]
async fn r_a_registered_birth_is_released_with_what_it_refers_to_and_a_sealed_one_is_not() {
    let server = TestServer::start().await;
    let extension = |name: &str, value: Value| {
        let mut extension = value;
        extension["url"] =
            format!("https://birthhealthnetwork.org/fhir/StructureDefinition/{name}").into();
        extension
    };
    let registration = |state: &str, security: Value| {
        json!({"resourceType": "Composition", "id": "br", "status": "final", "title": "Birth",
            "meta": {"security": security}, "date": "2026-01-01", "author": [{"display": "x"}],
            "type": {"coding": [{"system": "http://loinc.org", "code": "92011-6"}]},
            "subject": {"reference": "Patient/child"},
            "extension": [
                extension("birth-registration-state", json!({"valueCode": state})),
                extension("birth-jurisdiction", json!({"valueCoding": {"code": "CA-ON"}}))]})
    };
    let released = || async {
        let sql = "select coalesce(string_agg(jurisdiction || ' ' || s.id, ', ' order by s.id), '')
            from release_link l join (select rid, id from resource union all
            select rid, id from reference_stub) s on s.rid = l.rid";
        let mut connection = server.database.connect().await;
        sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.unwrap()
    };
    server.update(registration("submitted", json!([]))).await;
    let draft = |state| registration(state, json!([{"code": "N"}]));
    server.update(draft("submitted")).await.expect(201);
    assert_eq!(released().await, "");
    server.update(draft("registered")).await.expect(200);
    assert_eq!(released().await, "CA-ON br, CA-ON child");
    server.update(registration("registered", json!([{"code": "V"}]))).await.expect(200);
    assert_eq!(released().await, "");
}

#[tokio::test]
async fn what_was_stored_before_there_were_links_gets_them_by_a_reindex() {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    let doctor = server.doctor("f").await;
    server.update(encounter("f", "p", "f")).await.expect(201);
    doctor.post("Encounter", &encounter("x", "p", "f")).await.expect(201);
    let mut connection = server.database.connect().await;
    let older = "delete from care_link where source_rid in
        (select rid from resource where id = 'e'); update resource set generation = 6";
    sqlx::raw_sql(older).execute(&mut connection).await.unwrap();
    assert_eq!(server.care().await, "f p");
    reindex_all(&server).await;
    assert_eq!(server.care().await, "d p, f p");
    // What was no grant then is none now.
    server.delete("Encounter/f").await.expect(204);
    assert_eq!(server.care().await, "d p");
}

#[tokio::test]
async fn a_transaction_of_many_creates_makes_the_links_of_each() {
    let server = TestServer::start().await;
    let entries: Vec<Value> = (0..60)
        .map(|number| {
            let resource = encounter("", &format!("p{number:02}"), "d");
            json!({"resource": resource, "request": {"method": "POST", "url": "Encounter"}})
        })
        .map(|mut entry| {
            entry["resource"].as_object_mut().unwrap().shift_remove("id");
            entry
        })
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
    assert_eq!(server.care().await.split(", ").count(), 60);
}

#[tokio::test]
async fn stamps_are_the_writers_own_and_stay() {
    let server = TestServer::start().await;
    let staff = server.staff("o").await;
    let made = staff.post("Patient", &patient().into()).await.expect(201);
    let path = format!("Patient/{}", made.id());
    let mut body = made.body.clone();
    body["gender"] = "male".into();
    server.put(&path, &body).await.expect(200);
    server.delete(&path).await.expect(204);
    let sql = "select v.version::text || ' ' || o.id || ' ' || a.id
        from (select rid, version, owner, author, id from resource union all
          select rid, version, owner, author, id from resource_history) v
        join reference_stub o on o.rid = v.owner join reference_stub a on a.rid = v.author
        where v.id = $1 order by v.version";
    let mut connection = server.database.connect().await;
    let query = sqlx::query_scalar::<_, String>(sql).bind(made.id());
    let stamps = query.fetch_all(&mut connection).await.unwrap();
    assert_eq!(stamps, ["1 o staff-of-o", "2 o staff-of-o", "3 o staff-of-o"]);
}

#[tokio::test]
async fn az_14_whether_a_link_lives_and_whose_are_live_is_read_from_an_index_alone() {
    let server = TestServer::start().await;
    server.update(encounter("e", "p", "d")).await.expect(201);
    let mut connection = server.database.connect().await;
    let live = "valid_from <= now() and valid_to > now()";
    for (table, conditions) in [
        ("care_link", "practitioner = 1 and patient = 2"),
        ("care_link", "practitioner = 1"),
        ("facility_link", "organization = any('{1,2}') and patient = 2"),
        ("proxy_link", "person = 1"),
    ] {
        let plain = "set enable_seqscan = off; set enable_bitmapscan = off";
        sqlx::raw_sql(plain).execute(&mut connection).await.unwrap();
        let column = if table == "facility_link" { "organization" } else { "patient" };
        let sql = format!("explain select {column} from {table} where {conditions} and {live}");
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        assert!(plan[0].contains("Index Only Scan"), "{table}: {plan:?}");
    }
}
