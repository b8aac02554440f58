//! Chains into contained resources: chained conditions are evaluated inside these too
//! (search.html#contained).

use super::check::findings;
use super::harness::{TestServer, found};
use super::reindex::reindex_all;
use super::search_contained::{concept, found_urls, medication, request};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

async fn sql(server: &TestServer, text: &str) {
    server.database.connect().await.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

async fn count_of(server: &TestServer, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut server.database.connect().await).await.unwrap()
}

/// A mixture made by a contained maker, of an ingredient that is a resource of the server.
fn mixture(id: &str, code: &str, maker: &str) -> Value {
    let mut value = medication(id, code, "abc");
    value["manufacturer"] = json!({ "reference": maker });
    value
}

fn maker(id: &str, name: &str) -> Value {
    json!({"resourceType": "Organization", "id": id, "name": name,
        "partOf": {"reference": "Organization/group"}})
}

/// `r1` prescribes a mixture of its own, made by who it contains as well; `r2` one of a maker
/// outside; `r3` a Medication of the server; `r4` contains what it does not prescribe.
async fn prescriptions(server: &TestServer) {
    let group = json!({"resourceType": "Organization", "id": "group", "name": "Meghna Group"});
    let outside = json!({"resourceType": "Organization", "id": "outside", "name": "Padma"});
    let ann = json!({"resourceType": "Patient", "id": "ann", "name": [{"family": "Akter"}]});
    let own = mixture("own", "mixture", "Organization/outside");
    let mut unused = request("r4", "ann", &[medication("m1", "mixture", "abc")]);
    unused["medicationReference"] = json!({"reference": "Medication/none"});
    unused["extension"] = json!([{"url": "http://x", "valueReference": {"reference": "#m1"}}]);
    for resource in [
        group,
        outside,
        ann,
        own,
        request("r1", "ann", &[mixture("m1", "mixture", "#maker"), maker("maker", "Jamuna")]),
        request("r2", "ann", &[mixture("m1", "syrup", "Organization/outside")]),
        request("r3", "ann", &[]),
        unused,
    ] {
        server.update(resource).await.expect(201);
    }
}

const FINDS: &[(&str, &str)] = &[
    ("medication.code=mixture", "r1 r3"),
    ("medication:Medication.code=http://codes.example|mixture", "r1 r3"),
    ("medication.code=syrup", "r2"),
    ("medication.code=mixture,syrup", "r1 r2 r3"),
    ("medication.code:not=mixture", "r2"),
    ("medication.ingredient-code=abc", "r1 r2 r3"),
    ("medication._id=m1", "r1 r2"),
    ("medication.form:missing=true", "r1 r2 r3"),
    // Beside what selects better.
    ("medication.code=mixture&patient=Patient/ann", "r1 r3"),
    ("medication.code=syrup&_id=r1,r2", "r2"),
    ("medication.code=mixture&patient.name=akter", "r1 r3"),
    // On to another contained resource, and to one of the server.
    ("medication.manufacturer.name=jamuna", "r1"),
    ("medication.manufacturer.name=padma", "r2 r3"),
    ("medication.manufacturer.partof.name=meghna", "r1"),
    ("medication.manufacturer.name=jamuna&patient=ann", "r1"),
    ("_filter=medication.code eq mixture", "r1 r3"),
    ("_filter=medication[code eq mixture].manufacturer.name sw jam", "r1"),
    ("_filter=not (medication.code eq mixture)", "r2 r4"),
    // A reference is there, whatever it leads to.
    ("medication:missing=true", ""),
    ("medication:missing=false", "r1 r2 r3 r4"),
    ("medication=Medication/own", "r3"),
    ("medication=m1", ""),
];

#[tokio::test]
async fn chains_lead_to_what_the_resource_contains() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    for (query, expected) in FINDS {
        let query = format!("MedicationRequest?{query}");
        assert_eq!(found(&server, &query.replace('|', "%7C")).await, *expected, "{query}");
        let counted = server.get(&format!("{query}&_summary=count")).await.expect(200);
        assert_eq!(counted.body["total"], expected.split_whitespace().count(), "{query}");
    }
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn chains_of_contained_resources_lead_to_what_stands_beside_them() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    let mut outer = request("r5", "ann", &[medication("m1", "mixture", "abc")]);
    let note = json!({"resourceType": "Provenance", "id": "p", "recorded": "2025-01-01T00:00:00Z",
        "target": [{"reference": "#"}], "agent": [{"who": {"reference": "Organization/outside"}}]});
    let mut observation = of_stranger("o", "Akter");
    let mut stranger = observation.as_object_mut().unwrap().shift_remove("contained").unwrap();
    stranger[0]["id"] = json!("who");
    observation["subject"] = json!({"reference": "#who"});
    let contained = outer["contained"].as_array_mut().unwrap();
    contained.extend([note, observation, stranger[0].clone()]);
    outer["extension"] = json!([{"url": "http://x", "valueReference": {"reference": "#p"}},
        {"url": "http://x", "valueReference": {"reference": "#o"}}]);
    server.update(outer).await.expect(201);
    for (query, expected) in [
        ("Medication?manufacturer.name=jamuna", "MedicationRequest/r1#m1"),
        ("Medication?manufacturer.name=padma", "MedicationRequest/r2#m1"),
        ("Medication?manufacturer.partof.name=meghna", "MedicationRequest/r1#m1"),
        ("Observation?patient.name=akter", "MedicationRequest/r5#o"),
        ("Observation?subject:Patient.name=akter&code=weight", "MedicationRequest/r5#o"),
        // `#` is the container.
        ("Provenance?target:MedicationRequest.medication.code=mixture", "MedicationRequest/r5#p"),
        ("Provenance?target=MedicationRequest/r5", "MedicationRequest/r5#p"),
        ("Provenance?target=MedicationRequest/r1", ""),
    ] {
        let query = format!("{query}&_contained=true&_containedType=contained");
        assert_eq!(found_urls(&server, &query).await, expected, "{query}");
    }
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

/// An observation of somebody who has no record.
fn of_stranger(id: &str, family: &str) -> Value {
    let stranger = json!({"resourceType": "Patient", "id": "p", "name": [{"family": family}],
        "identifier": [{"system": "urn:mrn", "value": family}],
        "generalPractitioner": [{"reference": "Practitioner/doc"}]});
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": concept("weight"),
        "contained": [stranger], "subject": {"reference": "#p"}, "effectiveDateTime": "2025-03-01"})
}

async fn strangers() -> TestServer {
    let server = TestServer::start().await;
    let doctor = json!({"resourceType": "Practitioner", "id": "doc", "name": [{"family": "Das"}]});
    let known = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Akter"}]});
    let mut of_known = of_stranger("known", "x");
    of_known.as_object_mut().unwrap().shift_remove("contained");
    of_known["subject"] = json!({"reference": "Patient/p"});
    for resource in
        [doctor, known, of_known, of_stranger("s1", "Akter"), of_stranger("s2", "Begum")]
    {
        server.update(resource).await.expect(201);
    }
    server
}

#[tokio::test]
async fn a_contained_patient_is_a_subject_that_chains_lead_to() {
    let server = strangers().await;
    for (query, expected) in [
        ("patient.name=akter", "known s1"),
        ("patient.name=begum", "s2"),
        ("subject:Patient.name=akter&code=weight", "known s1"),
        ("subject.name=akter&_sort=-date", "known s1"),
        ("patient.identifier=urn:mrn|Akter&code=weight", "s1"),
        ("patient.general-practitioner.name=das", "s1 s2"),
        ("patient.name=akter&_id=s1,s2", "s1"),
        ("subject:missing=false", "known s1 s2"),
        ("_filter=not (patient.name eq akter)", "s2"),
    ] {
        let query = format!("Observation?{query}").replace('|', "%7C");
        assert_eq!(found(&server, &query).await, expected, "{query}");
    }
    server.update(of_stranger("s1", "Zaman")).await.expect(200);
    assert_eq!(found(&server, "Observation?patient.name=akter").await, "known");
    assert_eq!(found(&server, "Observation?patient.name=zaman").await, "s1");
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_contained_patient_is_nobodys_record() {
    let server = strangers().await;
    let stamped = "select count(*) from resource where id in ('s1', 's2') and
        subject_rids is not null";
    assert_eq!(count_of(&server, stamped).await, 0);
    for (query, expected) in [
        ("Observation?patient=p", "known"),
        ("Observation?subject=Patient/p", "known"),
        ("Patient?_has:Observation:patient:code=weight", "p"),
        ("Patient?_has:Observation:patient:_id=s1", ""),
        ("Patient?_id=p&_revinclude=Observation:patient", "known p"),
        ("Observation?_id=s1&_include=Observation:subject", "s1"),
        ("Observation?_id=s1&_include=*", "s1"),
        ("Patient/p/Observation", "known"),
        // Nothing but its container refers to a contained resource.
        ("Observation?patient._has:Observation:patient:code=weight", "known"),
        ("Observation?subject:Patient._has:Observation:subject:_id=s1", ""),
    ] {
        let reply = server.get(query).await.expect(200);
        let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<&str> =
            entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids.join(" "), expected, "{query}");
    }
    let sorted = server.get("Observation?_sort=subject,_id").await.expect(200);
    assert_eq!(sorted.ids("match"), ["known", "s1", "s2"]);
}

#[tokio::test]
async fn what_a_hidden_resource_contains_is_no_way_of_a_chain() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    let with = async |author: i64, query: &str| {
        let filter = RowFilter::of_stamps(vec![], vec![], vec![author]);
        let scope = SearchScope::Type(ResourceType::parse("MedicationRequest").unwrap());
        let (name, value) = query.split_once('=').unwrap();
        let parameters = [(name.to_owned(), value.to_owned())];
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let permit = Permit::operator().narrowed(filter);
        let page = server.context.store.search(&permit, &plan).await.unwrap();
        let ids = page.matches.iter().map(|one| one.stored.key.id.as_str().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort_unstable();
        ids.join(" ")
    };
    sql(&server, "update resource set author = 77 where id in ('r2', 'own')").await;
    sql(&server, "update resource set author = 78 where id in ('r1', 'r3')").await;
    assert_eq!(with(77, "medication.ingredient-code=abc").await, "r2");
    // The Medication of `r3` is another's.
    assert_eq!(with(78, "medication.ingredient-code=abc").await, "r1");
    assert_eq!(with(78, "medication.manufacturer.name=jamuna").await, "r1");
    assert_eq!(with(77, "medication.manufacturer.name=padma").await, "");
}

#[tokio::test]
async fn pages_lead_to_what_the_version_contained_that_the_first_one_saw() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    for id in ["a", "b", "c"] {
        let contained = [mixture("m1", "mixture", "#maker"), maker("maker", "Jamuna")];
        server.update(request(id, "ann", &contained)).await.expect(201);
    }
    for query in [
        "medication.code=mixture&_id=a,b,c",
        "medication.manufacturer.name=jamuna&_id=a,b,c",
        "medication.manufacturer.partof.name=meghna&_id=a,b,c",
        "_filter=not (medication.code eq syrup) and medication.manufacturer.name eq jamuna",
    ] {
        let query = format!("MedicationRequest?{query}&_sort=_id&_count=1");
        let mut page = server.get(&query).await.expect(200);
        let changed = [medication("m1", "other", "abc")];
        server.update(request("b", "ann", &changed)).await.expect(200);
        server.delete("MedicationRequest/c").await.expect(204);
        let mut ids: Vec<String> = Vec::new();
        loop {
            ids.extend(page.ids("match").iter().map(|id| (*id).to_owned()));
            let Some(next) = page.link("next") else { break };
            page = server.get(next).await.expect(200);
        }
        assert_eq!(ids[..3], ["a", "b", "c"], "{query}");
        for id in ["b", "c"] {
            let contained = [mixture("m1", "mixture", "#maker"), maker("maker", "Jamuna")];
            let reply = server.update(request(id, "ann", &contained)).await;
            assert!(matches!(reply.status(), 200 | 201));
        }
    }
}

#[tokio::test]
async fn pages_of_contained_resources_lead_to_what_stood_beside_them() {
    let server = TestServer::start().await;
    for id in ["a", "b", "c"] {
        let contained = [mixture("m1", "mixture", "#maker"), maker("maker", "Jamuna")];
        server.update(request(id, "ann", &contained)).await.expect(201);
    }
    let query = "Medication?_contained=true&manufacturer.name=jamuna&_sort=_lastUpdated&_count=1";
    let mut page = server.get(query).await.expect(200);
    let changed = [mixture("m1", "mixture", "#maker"), maker("maker", "Padma")];
    server.update(request("b", "ann", &changed)).await.expect(200);
    server.delete("MedicationRequest/c").await.expect(204);
    let mut ids: Vec<String> = Vec::new();
    loop {
        ids.extend(page.ids("match").iter().map(|id| (*id).to_owned()));
        let Some(next) = page.link("next") else { break };
        page = server.get(next).await.expect(200);
    }
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(found(&server, query).await, "a");
}

#[tokio::test]
async fn keys_of_what_is_contained_are_checked_and_made_anew() {
    let server = strangers().await;
    prescriptions(&server).await;
    for (damage, said) in [
        ("update resource set patient = null where id = 's1'", "column patient"),
        ("update resource set keys = '{}' where id = 'r1'", "column keys"),
        ("update contained_resource set keys = '{}' where id = 'm1'", "column keys"),
    ] {
        sql(&server, damage).await;
        let findings_now = findings(&server).await;
        assert!(findings_now.iter().any(|one| one.contains(said)), "{said}: {findings_now:?}");
        reindex_all(&server).await;
        assert_eq!(findings(&server).await, Vec::<String>::new(), "{damage}");
    }
    assert_eq!(found(&server, "Observation?patient.name=akter").await, "known s1");
    let query = "MedicationRequest?medication.manufacturer.name=jamuna";
    assert_eq!(found(&server, query).await, "r1");
}

#[tokio::test]
async fn many_creates_together_have_chains_into_what_they_contain() {
    let server = TestServer::start().await;
    let entry = |at: usize| {
        let code = if at == 7 { "rare" } else { "mixture" };
        let resource = request(&format!("r{at}"), "ann", &[medication("m", code, "abc")]);
        json!({"resource": resource, "request": {"method": "POST", "url": "MedicationRequest"}})
    };
    let entries: Vec<Value> = (0..400).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
    for (code, total) in [("rare", 1), ("mixture", 399)] {
        let query = format!("MedicationRequest?medication.code={code}&_summary=count");
        assert_eq!(server.get(&query).await.expect(200).body["total"], total, "{code}");
    }
    assert_eq!(findings(&server).await, Vec::<String>::new());
}
