//! Many writers at once, in one server and in two: nothing is lost, doubled or forked.

use crate::harness::{FhirClient, TestServer, observation, patient};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;

const MRN: &str = "http://hospital.example/mrn";

/// Runs `work` for every number at once and returns the statuses, sorted.
async fn at_once<F>(count: usize, work: impl Fn(usize) -> F) -> Vec<u16>
where
    F: Future<Output = u16> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(work(number))).collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    statuses
}

async fn create_if_none_exist(client: FhirClient, criteria: String) -> u16 {
    let request = client.request("POST", "Patient").header("If-None-Exist", &criteria);
    let resource: Value = patient().mrn("1").family("Once").into();
    request.json(&resource).send().await.status()
}

fn one_created(count: usize) -> Vec<u16> {
    let mut expected = vec![200; count - 1];
    expected.push(201);
    expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_conditional_creates_exactly_one_creates_over_two_servers() {
    let (first, second) = TestServer::start_pair().await;
    let statuses = at_once(24, |number| {
        let client = if number % 2 == 0 { &first.client } else { &second.client };
        // The same criteria in another order and spelling.
        let criteria = match number % 3 {
            0 => format!("identifier={MRN}|1&family=Once"),
            1 => format!("family=Once&identifier={MRN}|1"),
            _ => format!("family=once&identifier={MRN}%7C1"),
        };
        create_if_none_exist(client.clone(), criteria)
    })
    .await;
    assert_eq!(statuses, one_created(24));
    assert_eq!(first.count("Patient").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conditional_creates_inside_transactions_create_once() {
    let server = TestServer::start().await;
    let statuses = at_once(12, |_| {
        let client = server.client.clone();
        async move {
            let resource: Value = patient().mrn("1").into();
            let entry = json!({"resource": resource, "request": {"method": "POST",
                "url": "Patient", "ifNoneExist": format!("identifier={MRN}|1")}});
            let other = json!({"resource": Value::from(observation()),
                "request": {"method": "POST", "url": "Observation"}});
            let bundle = json!({"resourceType": "Bundle", "type": "transaction",
                "entry": [other, entry]});
            let reply = client.post("", &bundle).await.expect(200);
            let status = reply.body["entry"][1]["response"]["status"].as_str().unwrap();
            status[..3].parse().unwrap()
        }
    })
    .await;
    assert_eq!(statuses, one_created(12));
    assert_eq!(server.count("Patient").await, 1);
    assert_eq!(server.count("Observation").await, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_declared_unique_identifier_holds_against_plain_posts_and_conditional_ones() {
    let server = TestServer::start_with(|settings| {
        settings.unique_identifiers = vec![bhn_fhir::config::UniqueIdentifier {
            resource_type: bhn_fhir::fhir::definitions::ResourceType::parse("Patient").unwrap(),
            system: MRN.to_owned(),
        }];
    })
    .await;
    let statuses = at_once(16, |number| {
        let client = server.client.clone();
        async move {
            if number % 2 == 0 {
                return client.post("Patient", &patient().mrn("1").into()).await.status();
            }
            create_if_none_exist(client, format!("identifier={MRN}|1")).await
        }
    })
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 201, 409].contains(status)), "{statuses:?}");
    assert_eq!(server.count("Patient").await, 1);
    let refused = server.create(patient().mrn("1")).await.expect(409);
    assert_eq!(refused.body["issue"][0]["code"], "duplicate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_updates_make_one_version_each_and_never_fork() {
    let (first, second) = TestServer::start_pair().await;
    first.update(patient().id("a")).await.expect(201);
    let statuses = at_once(20, |number| {
        let client = if number % 2 == 0 { &first.client } else { &second.client };
        let client = client.clone();
        async move {
            let resource = patient().id("a").family(&format!("Writer {number}"));
            client.put("Patient/a", &resource.into()).await.status()
        }
    })
    .await;
    assert_eq!(statuses, vec![200; 20]);
    let history = first.get("Patient/a/_history?_count=100").await.expect(200);
    let entries = history.body["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 21);
    let families: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry["resource"]["name"][0]["family"].as_str().unwrap())
        .collect();
    assert_eq!(families.len(), 21);
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entry["resource"]["meta"]["versionId"], (21 - index).to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_updates_with_one_if_match_exactly_one_succeeds() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let statuses = at_once(10, |number| {
        let client = server.client.clone();
        async move {
            let resource: Value = patient().id("a").family(&format!("Writer {number}")).into();
            let request = client.request("PUT", "Patient/a").header("If-Match", "W/\"1\"");
            request.json(&resource).send().await.status()
        }
    })
    .await;
    let mut expected = vec![200];
    expected.extend([412; 9]);
    assert_eq!(statuses, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_creates_under_one_client_id_exactly_one_creates() {
    let (first, second) = TestServer::start_pair().await;
    let statuses = at_once(16, |number| {
        let client = if number % 2 == 0 { &first.client } else { &second.client };
        let client = client.clone();
        async move {
            if number % 4 == 3 {
                let about = observation().subject("Patient/new");
                return client.post("Observation", &about.into()).await.status() - 1;
            }
            client.put("Patient/new", &patient().id("new").into()).await.status()
        }
    })
    .await;
    // Twelve writers of the Patient and four of an Observation about it.
    assert_eq!(statuses, one_created(16));
    assert_eq!(first.count("Patient").await, 1);
    let found = first.get("Observation?subject=Patient/new").await.expect(200);
    assert_eq!(found.body["total"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_over_the_same_resources_in_opposite_order_all_succeed() {
    let server = TestServer::start().await;
    let ids: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let statuses = at_once(12, |number| {
        let client = server.client.clone();
        let mut ids = ids.clone();
        if number % 2 == 0 {
            ids.reverse();
        }
        async move {
            let put = |id: &String| {
                let resource: Value = patient().id(id).family(&format!("Writer {number}")).into();
                json!({"resource": resource,
                    "request": {"method": "PUT", "url": format!("Patient/{id}")}})
            };
            let bundle = json!({"resourceType": "Bundle", "type": "transaction",
                "entry": ids.iter().map(put).collect::<Vec<_>>()});
            client.post("", &bundle).await.status()
        }
    })
    .await;
    assert_eq!(statuses, vec![200; 12]);
    for id in &ids {
        let current = server.get(&format!("Patient/{id}")).await.expect(200);
        assert_eq!(current.body["meta"]["versionId"], "12");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_idempotency_key_stores_once_however_often_it_is_sent() {
    let (first, second) = TestServer::start_pair().await;
    let statuses = at_once(12, |number| {
        let client = if number % 2 == 0 { &first.client } else { &second.client };
        let client = client.clone();
        async move {
            let resource: Value = patient().mrn("1").into();
            let request = client.request("POST", "Patient").header("Idempotency-Key", "key-1");
            request.json(&resource).send().await.status()
        }
    })
    .await;
    assert_eq!(statuses, vec![201; 12]);
    assert_eq!(first.count("Patient").await, 1);
    let other: Value = patient().mrn("2").into();
    let request = first.request("POST", "Patient").header("Idempotency-Key", "key-1");
    request.json(&other).send().await.expect(422);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": other, "request": {"method": "POST", "url": "Patient"}}]});
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = first.request("POST", "").header("Idempotency-Key", "key-2");
        answers.push(request.json(&bundle).send().await.expect(200).body);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(first.count("Patient").await, 2);
}
