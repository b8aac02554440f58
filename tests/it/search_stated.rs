//! The CapabilityStatement and the searches that are answered say the same
//! (<https://hl7.org/fhir/R4/http.html#capabilities>).

use super::harness::TestServer;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::BTreeSet;

/// Requests under way at the same time: the test's own store has two connections.
const AT_ONCE: usize = 4;

/// Asks all, and names those with another status.
async fn all_answer(server: &TestServer, paths: Vec<String>, status: u16) {
    let asked = stream::iter(paths).map(|path| async move {
        let reply = server.get(&path).await;
        (reply.status() != status).then(|| format!("{path}: {}", reply.text()))
    });
    let wrong: Vec<String> =
        asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn stated(server: &TestServer) -> Vec<Value> {
    let statement = server.get("metadata").await.expect(200);
    statement.body["rest"][0]["resource"].as_array().unwrap().clone()
}

fn names(resource: &Value) -> BTreeSet<String> {
    let parameters = resource["searchParam"].as_array().unwrap().iter();
    parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_parameter_that_a_type_states_is_searched_by_and_no_other() {
    let server = TestServer::start().await;
    let resources = stated(&server).await;
    assert_eq!(resources.len(), 146);
    let of = |resource: &Value| resource["type"].as_str().unwrap().to_owned();
    let mut answered = Vec::new();
    let mut refused = Vec::new();
    for (index, resource) in resources.iter().enumerate() {
        let (kind, own) = (of(resource), names(resource));
        answered.extend(own.iter().map(|name| match name.as_str() {
            "_filter" => format!("{kind}?_filter=_id eq x"),
            // Words have no modifiers.
            "_text" | "_content" => format!("{kind}?{name}=word"),
            // No operator is for parameters of type special.
            "near" => format!("{kind}?{name}:missing=false&_count=1"),
            name => format!("{kind}?_filter={name} pr true&_count=1"),
        }));
        let next = names(&resources[(index + 1) % resources.len()]);
        refused.extend(next.difference(&own).map(|name| format!("{kind}?{name}:missing=false")));
    }
    assert!(answered.len() > 1_375 && refused.len() > 500, "{} {}", answered.len(), refused.len());
    all_answer(&server, answered, 200).await;
    all_answer(&server, refused, 400).await;
}

#[tokio::test]
async fn every_include_that_a_type_states_is_followed() {
    let server = TestServer::start().await;
    let mut paths = Vec::new();
    for resource in stated(&server).await {
        let kind = resource["type"].as_str().unwrap();
        let values = |name: &str| resource[name].as_array().cloned().unwrap_or_default();
        let value = |value: &Value| value.as_str().unwrap().to_owned();
        for include in values("searchInclude").iter().map(value) {
            paths.push(format!("{kind}?_include={include}&_count=1"));
        }
        // Most refer to every type: a few of each are enough.
        for include in values("searchRevInclude").iter().map(value).step_by(23) {
            paths.push(format!("{kind}?_revinclude={include}&_count=1"));
        }
    }
    all_answer(&server, paths, 200).await;
}

#[tokio::test]
async fn what_is_not_offered_is_refused_by_name() {
    let server = TestServer::start().await;
    for name in ["_query", "_graph"] {
        let refused = server.get(&format!("Patient?{name}=x")).await;
        let refused = refused.expect_outcome(400, "not-supported");
        assert_eq!(refused.expressions(), [format!("http.{name}")]);
        assert!(refused.text().contains(name));
    }
}
