//! AZ-15: what is found is held against the row filter once more, in memory. Here the database
//! lies: `&&` says that all arrays overlap, so that every row is about everybody.

use crate::harness::{Network, TestServer};

/// Another server of the network, whose database lies from now on.
async fn lied_to(honest: &Network) -> Network {
    let mut owner = honest.server.database.connect().await;
    sqlx::raw_sql(
        "create function overlap_always(bigint[], bigint[]) returns boolean
           language sql immutable return true;
         create operator && (
           function = overlap_always, leftarg = bigint[], rightarg = bigint[]
         )",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let mut server = TestServer::on(honest.server.database.clone(), |_| {}).await;
    server.expect_divergence();
    Network { server }
}

#[tokio::test]
async fn az_15_what_a_lying_filter_finds_is_not_answered() {
    let honest = Network::start().await;
    let paths = [
        "Observation/o2",
        "Observation/o2/_history/1",
        "Observation/o2/_history",
        "Observation",
        "Observation?_sort=-_lastUpdated",
        "Observation?code=718-7",
        "Observation?_id=o2",
        "Observation/_history",
        "_history",
        "Observation?_id=o1&_revinclude=DiagnosticReport:result",
        "List?_include=List:item",
        "Patient?_type=Patient",
        "Coverage?_include=*",
        "Patient/P2/Observation",
        "Patient?_revinclude=*",
    ];
    for path in paths {
        let status = honest.as_person("p1").await.get(path).await.status();
        assert!(matches!(status, 200 | 404), "{path}: {status}");
    }
    let network = lied_to(&honest).await;
    let mut caught = 0;
    for path in paths {
        let reply = network.as_person("p1").await.get(path).await;
        let outcome = reply.expect_outcome(500, "exception");
        let said = outcome.text().to_owned();
        let names = ["P2", "o2", "Smith", "Observation", "authz"];
        assert!(names.iter().all(|name| !said.contains(name)), "{path}: {said}");
        let count = network.server.context.store.divergences();
        assert!(count > caught, "{path} is not counted");
        caught = count;
    }
}

#[tokio::test]
async fn az_15_a_batch_answers_the_other_entries() {
    let network = lied_to(&Network::start().await).await;
    let get = |url: &str| serde_json::json!({"request": {"method": "GET", "url": url}});
    let batch = serde_json::json!({"resourceType": "Bundle", "type": "batch",
        "entry": [get("Observation/o1"), get("Observation/o2")]});
    let reply = network.as_person("p1").await.post("", &batch).await.expect(200);
    let status = |n: usize| reply.body["entry"][n]["response"]["status"].as_str().unwrap_or("");
    assert!(status(0).starts_with("200"), "{reply:?}");
    assert!(status(1).starts_with("500"), "{reply:?}");
    assert!(!reply.text().contains("o2"), "{reply:?}");
}
