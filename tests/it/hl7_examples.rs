//! Every example that HL7 ships with R4 is stored and returned as it is, in both formats:
//! <https://hl7.org/fhir/R4/downloads.html>.

use super::harness::{FhirClient, TestServer};
use flate2::read::GzDecoder;
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;

/// Examples under work at once: fewer than the server has connections to its database.
const PARALLEL: usize = 3;

pub fn examples() -> Vec<Value> {
    let packed = include_bytes!("../data/r4-examples/examples.ndjson.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `Type/id` of the examples that break a rule of the specification.
fn known_invalid() -> BTreeSet<String> {
    let text = include_str!("../data/r4-examples/known-invalid.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn without_server_set(resource: &Value) -> Value {
    let mut resource = resource.clone();
    let object = resource.as_object_mut().unwrap();
    object.remove("id");
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
    resource
}

/// What went wrong with one example; None where nothing did.
async fn round_trip(client: &FhirClient, example: Value) -> Option<String> {
    let kind = example["resourceType"].as_str().unwrap().to_owned();
    let name = format!("{kind}/{}", example["id"].as_str().unwrap_or("-"));
    let created = match example["id"].as_str() {
        Some(id) => client.put(&format!("{kind}/{id}"), &example).await,
        None => client.post(&kind, &example).await,
    };
    if created.status() != 201 {
        return Some(format!("{name}: {} {}", created.status(), created.text()));
    }
    let path = format!("{kind}/{}", created.id());
    let read = client.get(&format!("{path}?_format=json")).await;
    if without_server_set(&read.body) != without_server_set(&example) {
        return Some(format!("{name}: JSON is not what was sent"));
    }
    let xml = client.get(&format!("{path}?_format=xml")).await;
    if xml.status() != 200 {
        return Some(format!("{name}: XML {} {}", xml.status(), xml.text()));
    }
    let request = client.request("PUT", &path).header("Accept", "application/fhir+json");
    let again = request.body("application/fhir+xml", xml.bytes).send().await;
    if again.status() != 200 || again.header("etag") != "W/\"1\"" {
        let (status, etag) = (again.status(), again.header("etag").to_owned());
        return Some(format!("{name}: its XML sent back is {status} {etag} {}", again.text()));
    }
    None
}

#[tokio::test]
async fn every_example_of_hl7_goes_in_and_out_in_json_and_xml() {
    // Two Bundles of definitions are larger than what is taken by default.
    let change = |settings: &mut bhn_fhir::config::Settings| {
        settings.limits.body_bytes = 64 << 20;
        settings.limits.nodes = 4_000_000;
    };
    let server = TestServer::start_with(change).await;
    let invalid = known_invalid();
    let name = |example: &Value| {
        let text = |name: &str| example[name].as_str().unwrap_or("-").to_owned();
        format!("{}/{}", text("resourceType"), text("id"))
    };
    let examples = examples();
    assert_eq!(examples.len(), 728);
    let failures: Vec<String> = futures_util::stream::iter(examples)
        .filter(|example| std::future::ready(!invalid.contains(&name(example))))
        .map(|example| round_trip(&server.client, example))
        .buffer_unordered(PARALLEL)
        .filter_map(std::future::ready)
        .map(|failure| failure.chars().take(600).collect())
        .collect()
        .await;
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn the_examples_that_break_a_rule_are_refused() {
    let server = TestServer::start().await;
    let invalid = known_invalid();
    for example in examples() {
        let kind = example["resourceType"].as_str().unwrap().to_owned();
        let name = format!("{kind}/{}", example["id"].as_str().unwrap_or("-"));
        if invalid.contains(&name) {
            let reply = server.post(&kind, &example).await;
            assert_eq!(reply.status(), 400, "{name}: {reply:?}");
        }
    }
}
