//! `:below` and `:above` of references and canonical URLs:
//! <https://hl7.org/fhir/R4/search.html#recursive> and `#versions`.

use super::harness::{TestServer, found, patient, refused};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

fn location(id: &str, part_of: Option<&str>) -> Value {
    let mut location = json!({"resourceType": "Location", "id": id});
    if let Some(part_of) = part_of {
        location["partOf"] = json!({ "reference": format!("Location/{part_of}") });
    }
    location
}

/// A house with a floor with two rooms, each with a procedure of its name; a yard beside it.
async fn with_places() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    let places =
        [("house", None), ("floor", Some("house")), ("r1", Some("floor")), ("r2", Some("floor"))];
    for (id, part_of) in places.into_iter().chain([("yard", None)]) {
        server.put(&format!("Location/{id}"), &location(id, part_of)).await.expect(201);
        let at = json!({"reference": format!("Location/{id}")});
        let procedure = json!({"resourceType": "Procedure", "id": id, "status": "completed",
            "subject": {"reference": "Patient/p"}, "location": at});
        server.put(&format!("Procedure/{id}"), &procedure).await.expect(201);
    }
    server
}

#[tokio::test]
async fn below_finds_what_refers_to_a_resource_or_to_a_part_of_it() {
    let server = with_places().await;
    let below = async |id: &str| found(&server, &format!("Procedure?location:below={id}")).await;
    assert_eq!(below("house").await, "floor house r1 r2");
    assert_eq!(below("Location/floor").await, "floor r1 r2");
    assert_eq!(below("r1").await, "r1");
    assert_eq!(below("r1,yard").await, "r1 yard");
    assert_eq!(below("nowhere").await, "");
    let both = "Procedure?location:below=house&patient=p&_total=accurate";
    assert_eq!(server.get(both).await.expect(200).body["total"], 4);
    assert_eq!(found(&server, "Location?partof:below=house").await, "floor r1 r2");
    // A part that is gone is no way any more.
    server.delete("Location/floor").await.expect(204);
    assert_eq!(below("house").await, "house");
}

#[tokio::test]
async fn above_finds_what_refers_to_a_resource_or_to_what_it_is_part_of() {
    let server = with_places().await;
    let above = async |id: &str| found(&server, &format!("Procedure?location:above={id}")).await;
    assert_eq!(above("r1").await, "floor house r1");
    assert_eq!(above("house").await, "house");
    let has = "Patient?_has:Procedure:patient:location:above=r2";
    assert_eq!(found(&server, has).await, "p");
}

#[tokio::test]
async fn a_circle_of_parts_ends() {
    let server = with_places().await;
    server.put("Location/house", &location("house", Some("r1"))).await.expect(200);
    for modifier in ["below", "above"] {
        let query = format!("Procedure?location:{modifier}=house");
        let expected = if modifier == "below" { "floor house r1 r2" } else { "floor house r1" };
        assert_eq!(found(&server, &query).await, expected);
    }
}

#[tokio::test]
async fn pages_show_what_was_within_a_hierarchy_when_the_first_was_read() {
    let server = with_places().await;
    let path = "Procedure?location:below=house&_sort=_id&_count=1";
    let first = server.get(path).await.expect(200);
    assert_eq!(first.ids("match"), ["floor"]);
    let mut gone = server.get("Procedure/r2").await.expect(200).body;
    gone["location"]["reference"] = json!("Location/yard");
    server.put("Procedure/r2", &gone).await.expect(200);
    let mut seen = Vec::new();
    let mut next = first.link("next").map(str::to_owned);
    while let Some(url) = next {
        let page = server.get(&url).await.expect(200);
        seen.extend(page.ids("match").iter().map(|id| (*id).to_owned()));
        next = page.link("next").map(str::to_owned);
    }
    assert_eq!(seen, ["house", "r1", "r2"]);
}

#[tokio::test]
async fn a_hierarchy_over_the_limit_is_too_costly() {
    let database = with_places().await.database.clone();
    let server = TestServer::on(database, |settings| settings.limits.hierarchy_members = 3).await;
    let reply = server.get("Procedure?location:below=house").await.expect(400);
    assert_eq!(reply.body["issue"][0]["code"], "too-costly");
    assert!(reply.text().contains("more than 3 members"), "{}", reply.text());
    assert_eq!(found(&server, "Procedure?location:below=floor").await, "floor r1 r2");
}

#[tokio::test]
async fn hierarchies_are_of_references_to_what_may_be_part_of_its_own_type() {
    let server = TestServer::start().await;
    refused(&server, "Observation?has-member:below=1", "no type of which one is part of").await;
    refused(&server, "Procedure?location:below=Patient/1", "it is one of Location").await;
    refused(&server, "Patient?name:below=1", ":below is not offered for name").await;
}

/// The way goes through what the caller may see alone.
#[tokio::test]
async fn a_hidden_part_is_no_way() {
    let server = with_places().await;
    let sql = "update resource set author = 77 where id <> 'floor'";
    let mut connection = server.database.connect().await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let filter = RowFilter::of_stamps(vec![], vec![], vec![77]);
    let permit = Permit::operator().narrowed(filter);
    let kind = ResourceType::parse("Procedure").unwrap();
    for (modifier, id, expected) in [("below", "house", 1), ("above", "r1", 1)] {
        let parameters = [(format!("location:{modifier}"), id.to_owned())];
        let scope = SearchScope::Type(kind);
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let store = &server.context.store;
        let page = store.search(&permit, &plan).await.unwrap();
        assert_eq!(page.matches.len(), expected, "{modifier}");
    }
}

#[tokio::test]
async fn below_of_a_canonical_finds_it_in_any_version_that_begins_so() {
    let server = TestServer::start().await;
    for (id, url) in [
        ("a", "http://q|1.0"),
        ("b", "http://q|1.1"),
        ("c", "http://q|2.0"),
        ("d", "http://q"),
        ("e", "http://q|10"),
        ("f", "http://qq"),
    ] {
        let response = json!({"resourceType": "QuestionnaireResponse", "id": id,
            "status": "completed", "questionnaire": url});
        server.put(&format!("QuestionnaireResponse/{id}"), &response).await.expect(201);
    }
    let below = async |url: &str| {
        found(&server, &format!("QuestionnaireResponse?questionnaire:below={url}")).await
    };
    assert_eq!(below("http://q").await, "a b c d e");
    assert_eq!(below("http://q|1").await, "a b");
    assert_eq!(below("http://q|1.1").await, "b");
    let plain = "QuestionnaireResponse?questionnaire=http://q|1.1";
    assert_eq!(found(&server, plain).await, "b");
}
