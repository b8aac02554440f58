//! Red team, the rest: texts, error bodies, other origins, shared addresses, admins, Bundles and
//! what is not offered.

use crate::harness::{FhirClient, Network, Reply};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn status(reply: &Reply, entry: usize) -> &str {
    reply.body["entry"][entry]["response"]["status"].as_str().unwrap_or_default()
}

fn bundle(kind: &str, requests: &[(&str, &str, Option<Value>)]) -> Value {
    let entry = |(method, url, resource): &(&str, &str, Option<Value>)| {
        let mut entry = json!({"request": {"method": method, "url": url}});
        if let Some(resource) = resource {
            entry["resource"] = resource.clone();
        }
        entry
    };
    let entries: Vec<Value> = requests.iter().map(entry).collect();
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

#[tokio::test]
async fn rt_035_words_find_own_rows_alone() {
    let network = Network::start().await;
    for (id, patient) in [("w1", "P1"), ("w2", "P2")] {
        let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a cancer of the lung</div>";
        network
            .put(&json!({"resourceType": "Condition", "id": id,
                "text": {"status": "generated", "div": div},
                "subject": {"reference": format!("Patient/{patient}")}}))
            .await;
    }
    let patient = network.as_person("p1").await;
    let own = patient.get("Condition?_text=cancer").await.expect(200);
    assert_eq!((own.sorted_ids("match").as_str(), own.body["total"].as_u64()), ("w1", Some(1)));
    // A score of words would be computed from what others have as well.
    assert!(own.body["entry"][0]["search"]["score"].is_null(), "{:?}", own.body);
    let other = network.as_person("d2").await.get("Condition?_text=cancer").await.expect(200);
    assert_eq!(other.sorted_ids("match"), "w2");
    let admin = network.as_person("a1").await.get("Condition?_text=cancer").await.expect(200);
    assert_eq!(admin.sorted_ids("match"), "w1 w2");
}

#[tokio::test]
async fn rt_068_errors_tell_nothing_of_the_server_or_of_others() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    let told = [
        "select ",
        "insert ",
        "sqlx",
        "postgres",
        "/src/",
        ".rs:",
        "panicked",
        "backtrace",
        "axum",
        "hyper",
        "Smith",
        "P2",
        "o2",
        "rid",
        env!("CARGO_PKG_VERSION"),
    ];
    for path in [
        "Patient/hidden",
        "Observation?_sort=nope",
        "Observation?date=lt",
        "Observation?_count=x",
        "Observation?patient:Nope=1",
        "Observation?_filter=)(",
        "Nope",
        "Observation/_history?_since=x",
        "Observation?_page=forged",
        "Practitioner?address=x",
        "AuditEvent/forged",
        "$explain?url=Patient",
    ] {
        let reply = patient.get(path).await;
        assert!((400..500).contains(&reply.status()), "{path}: {}", reply.status());
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{path}");
        let text = reply.text();
        let found: Vec<&&str> = told.iter().filter(|word| text.contains(**word)).collect();
        assert!(found.is_empty(), "{path} tells {found:?}: {text}");
        assert!(reply.header("server").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn rt_070_pages_of_other_origins_read_nothing() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for path in ["Patient/P1", "Patient", "Patient/P2", "_history"] {
        let reply = patient.request("GET", path).header("Origin", "https://evil.example");
        let reply = reply.send().await;
        assert!(reply.header("access-control-allow-credentials").is_empty(), "{path}");
        assert!(reply.header("access-control-allow-origin").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn rt_071_answers_at_one_address_are_never_crossed() {
    let network = Network::start().await;
    let (one, other) = (network.as_person("p1").await, network.as_person("p2").await);
    let asked = |client: FhirClient, own: &'static str, others: &'static str| async move {
        for path in ["Observation", "Patient?_count=5", "Patient/P1", "Patient/P2"] {
            let reply = client.get(path).await;
            let is_others = path.ends_with(others);
            assert_eq!(reply.status(), if is_others { 404 } else { 200 }, "{own} {path}");
            let hidden = format!("Patient/{others}\"");
            assert!(is_others || !reply.text().contains(&hidden), "{own} gets {}", reply.text());
        }
    };
    for _ in 0..25 {
        let rounds =
            (0..5).flat_map(|_| [asked(one.clone(), "P1", "P2"), asked(other.clone(), "P2", "P1")]);
        join_all(rounds).await;
    }
}

#[tokio::test]
async fn rt_082_an_admin_writes_nothing_clinical() {
    let network = Network::start().await;
    let admin = network.as_person("a1").await;
    let subject = json!({"reference": "Patient/P1"});
    let clinical = [
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "c"},
            "subject": subject}),
        json!({"resourceType": "Condition", "subject": subject}),
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "subject": subject, "medicationCodeableConcept": {"text": "m"}}),
    ];
    for resource in clinical {
        let kind = resource["resourceType"].as_str().unwrap().to_owned();
        admin.post(&kind, &resource).await.expect_outcome(403, "forbidden");
    }
    let mut changed = admin.get("Observation/o1").await.expect(200).body;
    changed["status"] = json!("amended");
    admin.put("Observation/o1", &changed).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn rt_100_a_conditional_delete_needs_the_right_to_delete() {
    let network = Network::start().await;
    for who in ["d1", "p1", "h1", "e1"] {
        let client = network.as_person(who).await;
        for criteria in ["patient=P2", "patient=P1", "_id=o2", "_id=nonesuch"] {
            let reply = client.delete(&format!("Observation?{criteria}")).await;
            reply.expect_outcome(403, "forbidden");
        }
    }
    network.server.get("Observation/o1").await.expect(200);
}

#[tokio::test]
async fn rt_105_one_entry_that_is_not_allowed_undoes_the_transaction() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    let mut own = patient.get("Patient/P1").await.expect(200).body;
    own["telecom"] = json!([{"system": "phone", "value": "555-new"}]);
    for id in ["P2", "nonesuch"] {
        let mut other = own.clone();
        other["id"] = json!(id);
        let url = format!("Patient/{id}");
        let writes = [("PUT", "Patient/P1", Some(own.clone())), ("PUT", &*url, Some(other))];
        let reply = patient.post("", &bundle("transaction", &writes)).await;
        assert!(matches!(reply.status(), 403 | 404), "{id}: {}", reply.text());
        assert!(!reply.text().contains("Smith"));
    }
    let now = network.server.get("Patient/P1").await.expect(200);
    assert!(!now.text().contains("555-new"));
}

#[tokio::test]
async fn rt_106_entries_of_a_batch_are_requests_of_this_server_and_of_the_caller() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    let elsewhere = "http://127.0.0.1:1/fhir/Patient/P1";
    let absolute = format!("{}/Patient/P2", network.server.base());
    let urls = [
        "Patient/P2?_format=json",
        elsewhere,
        &absolute,
        "../admin",
        "/metrics",
        "//127.0.0.1:1/x",
        "Patient/../Patient/P2",
    ];
    let gets: Vec<_> = urls.iter().map(|url| ("GET", *url, None)).collect();
    let reply = patient.post("", &bundle("batch", &gets)).await.expect(200);
    for (n, url) in urls.iter().enumerate() {
        let code = status(&reply, n);
        assert!(code.starts_with("400") || code.starts_with("404"), "{url}: {code}");
        assert!(reply.body["entry"][n]["resource"].is_null(), "{url}");
    }
    let nested = bundle("batch", &[("GET", "Patient/P2", None)]);
    let reply = patient.post("", &bundle("batch", &[("POST", "", Some(nested))])).await;
    let said = reply.text();
    assert!(!said.contains("Smith") && !said.contains("200 OK"), "{said}");
}

/// `$everything`, `$validate` and `$match` are not offered: what is asked of them is refused for
/// all alike, whoever is meant.
#[tokio::test]
async fn rt_108_and_109_and_111_and_112_what_is_not_offered_tells_nothing() {
    let network = Network::start().await;
    let about = |patient: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "c"},
            "subject": {"reference": format!("Patient/{patient}")}})
    };
    for who in ["p1", "d1", "h1", "e1", "a1"] {
        let client = network.as_person(who).await;
        let mut told = Vec::new();
        for id in ["P1", "P2", "nonesuch"] {
            let paths = [format!("Patient/{id}/$everything"), "Patient/$everything".to_owned()];
            for path in paths {
                let reply = client.get(&path).await;
                told.push((reply.status(), reply.text().replace(id, "[id]")));
            }
            for path in ["Observation/$validate", "Patient/$match"] {
                let reply = client.post(path, &about(id)).await;
                told.push((reply.status(), reply.text().replace(id, "[id]")));
            }
        }
        assert!(told.iter().all(|(status, _)| (400..500).contains(status)), "{who}: {told:?}");
        assert_eq!(told[..4], told[4..8], "{who}");
        assert_eq!(told[..4], told[8..], "{who}");
    }
}
