//! Role confusion (TE-18) in every run: what the operator asks of a small network, strangers of
//! every role ask first. `BHN_STRANGERS=1` has them send the requests of all other tests, too.

use crate::harness::Network;
use serde_json::{Value, json};

#[tokio::test]
async fn te_18_strangers_get_and_change_nothing_whatever_is_asked() {
    let network = Network::start().await;
    let server = network.server.with_strangers();
    let all = server.get("?_type=Patient,Observation,Condition,Encounter,Coverage&_count=100");
    let all = all.await.expect(200);
    let entries: Vec<Value> = all.body["entry"].as_array().unwrap().clone();
    assert!(entries.len() > 12, "{}", entries.len());
    for entry in &entries {
        let (kind, id) = (&entry["resource"]["resourceType"], &entry["resource"]["id"]);
        let path = format!("{}/{}", kind.as_str().unwrap(), id.as_str().unwrap());
        server.get(&path).await.expect(200);
        server.get(&format!("{path}/_history")).await.expect(200);
        server.get(&format!("{path}/_history/1")).await.expect(200);
        server.get(&format!("{path}/$meta")).await.expect(200);
        server.put(&path, &entry["resource"]).await.expect(200);
    }
    for path in [
        "Patient?_revinclude=*",
        "Observation?_include=*&_include:iterate=*",
        "Observation?subject:Patient.name=Smith",
        "Patient?_has:Condition:patient:code=http://l|HIV",
        "Patient/P1/Observation",
        "Practitioner?_revinclude=Observation:performer",
        "DiagnosticReport?_include=DiagnosticReport:result",
        "Composition",
        "List?_include=*",
        "Provenance?_include=*",
        "Observation?_total=accurate",
        "Patient/_history",
        "_history",
        "Slot",
    ] {
        server.get(path).await.expect(200);
    }
    let search = server.request("POST", "Observation/_search");
    search.body("application/x-www-form-urlencoded", "code=718-7").send().await.expect(200);
    let amend = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    server.patch("Observation/o1", &amend).await.expect(200);
    server.patch("Observation?_id=o2", &amend).await.expect(200);
    server.delete("Observation/on1").await.expect(204);
    server.delete("Observation?_id=on2").await.expect(204);
    let gone = server.get("Observation/on1").await;
    gone.expect_outcome(410, "deleted");
}
