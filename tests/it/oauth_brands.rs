//! User-access Brands (SMART App Launch 2.2; requirements 387 to 432).

use super::harness::{Reply, TestServer, folder};
use serde_json::{Value, json};

fn brands() -> Value {
    json!([
        {
            "id": "padma", "name": "Padma Hospital", "website": "https://www.padma.example/en",
            "alias": ["Padma"], "logo": "https://padma.example/logo.svg", "category": ["hospital"],
            "address": [{"city": "Dhaka", "country": "BD"}],
            "portal": {"name": "My Padma", "url": "https://my.padma.example",
                "description": "For mothers and children"}
        },
        {
            "id": "clinic", "name": "Padma Clinic", "website": "https://clinic.padma.example",
            "part_of": "padma"
        }
    ])
}

async fn start(brands: &Value) -> (TestServer, tempfile::TempDir) {
    let folder = folder();
    let path = folder.path().join("brands.json");
    std::fs::write(&path, brands.to_string()).unwrap();
    let server = TestServer::start_signed_in_with(|settings| settings.oauth.brands = Some(path));
    (server.await, folder)
}

async fn get(server: &TestServer, tag: &str) -> Reply {
    let request = server.request("GET", &server.beside("/brands"));
    let request = match tag {
        "" => request,
        tag => request.header("If-None-Match", tag),
    };
    request.header("Origin", "https://app.example").send().await
}

#[tokio::test]
async fn smart_387_brands_are_a_bundle_of_organizations_and_endpoints() {
    let (server, _folder) = start(&brands()).await;
    let bundle = get(&server, "").await.expect(200).body;
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&json!("Bundle"), &json!("collection"))
    );
    assert!(bundle["timestamp"].as_str().unwrap().ends_with('Z'));
    let entries = bundle["entry"].as_array().unwrap();
    let named = |key: &str| {
        let (kind, id) = key.split_once('/').unwrap();
        let of = |entry: &&Value| {
            entry["resource"]["resourceType"] == kind && entry["resource"]["id"] == id
        };
        &entries.iter().find(of).unwrap_or_else(|| panic!("{key}"))["resource"]
    };
    for entry in entries {
        let resource = &entry["resource"];
        let kind = resource["resourceType"].as_str().unwrap();
        let end = format!("/{kind}/{}", resource["id"].as_str().unwrap());
        assert!(entry["fullUrl"].as_str().unwrap().ends_with(&end), "{entry}");
    }
    let endpoint = named("Endpoint/fhir");
    assert_eq!(endpoint["address"], server.context.settings.base_url);
    assert_eq!(endpoint["extension"][0]["valueCode"], "4.0.1");
    assert_eq!(endpoint["contact"][0]["system"], "url");
    let padma = named("Organization/padma");
    assert_eq!(padma["identifier"][0]["value"], "https://padma.example");
    assert_eq!(padma["endpoint"][0]["reference"], "Endpoint/fhir");
    assert_eq!(padma["telecom"][0]["value"], "https://www.padma.example/en");
    let clinic = named("Organization/clinic");
    assert_eq!(clinic["partOf"]["reference"], "Organization/padma");
    assert!(clinic.get("endpoint").is_none() && clinic.get("extension").is_none(), "{clinic}");
}

#[tokio::test]
async fn smart_brands_are_for_every_origin_and_have_a_weak_etag() {
    let (server, _folder) = start(&brands()).await;
    let first = get(&server, "").await.expect(200);
    assert_eq!(first.header("access-control-allow-origin"), "*");
    assert!(first.header("access-control-expose-headers").contains("ETag"));
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    for known in [tag.clone(), tag.trim_start_matches("W/").to_owned(), format!("\"x\", {tag}")] {
        let again = get(&server, &known).await.expect(304);
        assert_eq!((again.header("etag"), again.text()), (tag.as_str(), ""));
    }
    get(&server, "W/\"x\"").await.expect(200);
    let smart = server.get(".well-known/smart-configuration").await.expect(200).body;
    assert_eq!(smart["user_access_brand_bundle"], server.beside("/brands"));
    let identifier = json!({"system": "urn:ietf:rfc:3986", "value": "https://padma.example"});
    assert_eq!(smart["user_access_brand_identifier"], identifier);
    let has_it = |entry: &&serde_json::Value| {
        let own = entry["resource"]["identifier"].as_array();
        own.is_some_and(|own| own.iter().any(|one| one["value"] == identifier["value"]))
    };
    assert_eq!(first.body["entry"].as_array().unwrap().iter().filter(has_it).count(), 1);
}

#[tokio::test]
async fn without_brands_nothing_is_said_of_them() {
    let server = TestServer::start_signed_in().await;
    get(&server, "").await.expect(404);
    let smart = server.get(".well-known/smart-configuration").await.expect(200).body;
    assert!(smart.get("user_access_brand_bundle").is_none());
}
