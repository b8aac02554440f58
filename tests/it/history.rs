//! history: <https://hl7.org/fhir/R4/http.html#history>.

use crate::harness::{Reply, TestServer, patient};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// `Type/id/version` of the entries, in order.
fn versions(reply: &Reply) -> Vec<String> {
    let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
    let version = |entry: &serde_json::Value| {
        let url = entry["fullUrl"].as_str().unwrap().split("/fhir/").nth(1).unwrap().to_owned();
        let etag = entry["response"]["etag"].as_str().unwrap();
        format!("{url}/{}", etag.trim_start_matches("W/\"").trim_end_matches('"'))
    };
    entries.iter().map(version).collect()
}

fn link(reply: &Reply, relation: &str) -> Option<String> {
    let links = reply.body["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == relation)?;
    Some(link["url"].as_str()?.split("/fhir/").nth(1)?.to_owned())
}

#[tokio::test]
async fn the_history_of_a_resource_has_every_version_newest_first() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("One")).await.expect(201);
    server.update(patient().id("a").family("Two")).await.expect(200);
    server.delete("Patient/a").await.expect(204);
    server.update(patient().id("a").family("Four")).await.expect(201);
    let reply = server.get("Patient/a/_history").await.expect(200);
    assert_eq!(reply.body["type"], "history");
    assert_eq!(versions(&reply), ["Patient/a/4", "Patient/a/3", "Patient/a/2", "Patient/a/1"]);
    let deleted = &reply.body["entry"][1];
    assert_eq!(deleted["request"]["method"], "DELETE");
    assert!(deleted.get("resource").is_none());
    assert_eq!(reply.body["entry"][3]["resource"]["name"][0]["family"], "One");
    server.get("Patient/b/_history").await.expect(404);
    server.get("Patient/a/_history/3").await.expect(410);
    server.get("Patient/a/_history/9").await.expect(404);
    assert_eq!(
        server.get("Patient/a/_history/2").await.expect(200).body["name"][0]["family"],
        "Two"
    );
}

#[tokio::test]
async fn type_and_system_history_hold_what_their_scope_says() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.update(crate::harness::observation().id("o")).await.expect(201);
    assert_eq!(versions(&server.get("Patient/_history").await), ["Patient/a/1"]);
    assert_eq!(versions(&server.get("_history").await), ["Observation/o/1", "Patient/a/1"]);
    server.get("_history?nonsense=1").await.expect(400);
    server.get("Patient/_history?_since=yesterday").await.expect(400);
}

#[tokio::test]
async fn history_pages_show_every_version_once() {
    let server = TestServer::start().await;
    for number in 0..7 {
        server.update(patient().id(&format!("p{number}"))).await.expect(201);
        server.update(patient().id(&format!("p{number}")).family("Two")).await.expect(200);
    }
    for start in ["_history?_count=4", "Patient/_history?_count=4"] {
        let mut seen = Vec::new();
        let mut next = Some(start.to_owned());
        while let Some(path) = next {
            let reply = server.get(&path).await.expect(200);
            assert!(versions(&reply).len() <= 4);
            seen.extend(versions(&reply));
            next = link(&reply, "next");
        }
        assert_eq!(seen.len(), 14, "{start}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 14);
        assert_eq!(seen[0], "Patient/p6/2");
    }
    let first = server.get("Patient/p0/_history?_count=1").await.expect(200);
    assert_eq!(versions(&first), ["Patient/p0/2"]);
    let second = server.get(&link(&first, "next").unwrap()).await.expect(200);
    assert_eq!(versions(&second), ["Patient/p0/1"]);
    assert_eq!(link(&second, "next"), None);
}

#[tokio::test]
async fn since_and_at_select_versions_by_time() {
    let server = TestServer::start().await;
    let first = server.update(patient().id("a").family("One")).await.expect(201);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = server.update(patient().id("a").family("Two")).await.expect(200);
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.update(patient().id("b")).await.expect(201);
    let at = |reply: &Reply| reply.body["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    for scope in ["_history", "Patient/_history"] {
        let since = server.get(&format!("{scope}?_since={}", at(&second))).await.expect(200);
        assert_eq!(versions(&since), ["Patient/b/1", "Patient/a/2"], "{scope}");
    }
    let since = server.get(&format!("Patient/a/_history?_since={}", at(&second))).await;
    assert_eq!(versions(&since), ["Patient/a/2"]);
    let then = server.get(&format!("Patient/a/_history?_at={}", at(&first))).await.expect(200);
    assert_eq!(versions(&then), ["Patient/a/1"]);
    let whole_day = server.get(&format!("Patient/a/_history?_at={}", &at(&first)[..10])).await;
    assert_eq!(versions(&whole_day), ["Patient/a/2", "Patient/a/1"]);
}

/// Writers on two servers; returns once they are done, and the versions that they made.
async fn write_concurrently(servers: &[&TestServer], rounds: usize) -> BTreeSet<String> {
    let mut tasks = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        for lane in 0..3 {
            let client = server.client.clone();
            tasks.push(tokio::spawn(async move {
                let mut made = Vec::new();
                for round in 0..rounds {
                    let id = format!("w{number}-{lane}");
                    let resource = patient().id(&id).family(&format!("Round {round}"));
                    let reply = client.put(&format!("Patient/{id}"), &resource.into()).await;
                    assert!(reply.status() < 300, "{reply:?}");
                    made.push(format!("Patient/{id}/{}", round + 1));
                }
                made
            }));
        }
    }
    let mut made = BTreeSet::new();
    for task in tasks {
        made.extend(task.await.unwrap());
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_who_follows_the_previous_link_misses_nothing_and_sees_nothing_twice() {
    let (first, second) = TestServer::start_pair().await;
    let start = first.get("_history").await.expect(200);
    let is_done = Arc::new(AtomicBool::new(false));
    let poller = {
        let (client, is_done) = (first.client.clone(), is_done.clone());
        let mut position = link(&start, "previous").unwrap();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let was_done = is_done.load(Ordering::SeqCst);
                let reply = client.get(&position).await.expect(200);
                let page = versions(&reply);
                let is_empty = page.is_empty();
                seen.extend(page);
                position = link(&reply, "previous").unwrap();
                if was_done && is_empty {
                    return seen;
                }
            }
        })
    };
    let made = write_concurrently(&[&first, &second], 25).await;
    is_done.store(true, Ordering::SeqCst);
    let seen = poller.await.unwrap();
    assert_eq!(seen.len(), made.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_who_asks_since_the_newest_instant_he_saw_misses_nothing() {
    let server = TestServer::start().await;
    let is_done = Arc::new(AtomicBool::new(false));
    let poller = {
        let (client, is_done) = (server.client.clone(), is_done.clone());
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            let mut since = "2020-01-01T00:00:00.000Z".to_owned();
            loop {
                let was_done = is_done.load(Ordering::SeqCst);
                let before = seen.len();
                let mut next = Some(format!("_history?_since={since}&_count=20"));
                while let Some(path) = next {
                    let reply = client.get(&path).await.expect(200);
                    seen.extend(versions(&reply));
                    for entry in reply.body["entry"].as_array().into_iter().flatten() {
                        let instant = entry["response"]["lastModified"].as_str().unwrap();
                        since = since.max(instant.to_owned());
                    }
                    next = link(&reply, "next");
                }
                if was_done && seen.len() == before {
                    return seen;
                }
            }
        })
    };
    let made = write_concurrently(&[&server], 40).await;
    is_done.store(true, Ordering::SeqCst);
    assert_eq!(poller.await.unwrap(), made);
}

#[tokio::test]
async fn the_self_link_of_a_page_leads_to_that_page() {
    let server = TestServer::start().await;
    for family in ["One", "Two", "Three"] {
        server.update(patient().id("a").family(family)).await;
    }
    for path in ["Patient/a/_history", "Patient/_history", "_history"] {
        let first = server.get(&format!("{path}?_count=1")).await.expect(200);
        let second = server.get(&link(&first, "next").unwrap()).await.expect(200);
        let again = server.get(&link(&second, "self").unwrap()).await.expect(200);
        assert_eq!(versions(&second), ["Patient/a/2"], "{path}");
        assert_eq!(versions(&again), versions(&second), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_of_a_history_is_refused_unless_handling_is_lenient() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let path = "Patient/a/_history?colour=red&_count=1";
    server.get(path).await.expect_outcome(400, "not-supported");
    let lenient = server.request("GET", path).header("Prefer", "handling=lenient");
    let reply = lenient.send().await.expect(200);
    assert_eq!(link(&reply, "self").unwrap(), "Patient/a/_history?_count=1");
}
