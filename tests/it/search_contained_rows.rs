//! Rows of contained resources: they come and go with their containers.

use super::check::findings;
use super::harness::{TestServer, found};
use super::reindex::reindex_all;
use super::search_contained::{found_urls, medication, prescriptions, report, request};
use bhn_fhir::jobs::reindex::bring_up_to_date;
use bhn_fhir::jobs::search_parameters::build_next;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

async fn sql(server: &TestServer, text: &str) {
    server.database.connect().await.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

async fn count_of(server: &TestServer, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut server.database.connect().await).await.unwrap()
}

#[tokio::test]
async fn rows_follow_their_container() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    let query = "Medication?_contained=true&_containedType=contained&ingredient-code";
    assert_eq!(found_urls(&server, &format!("{query}=xyz")).await, "MedicationRequest/r1#m2");
    // One goes, one stays, one is new at another place.
    let now = [medication("m2", "mixture", "new"), medication("m9", "mixture", "xyz")];
    server.update(request("r1", "ann", &now)).await.expect(200);
    assert_eq!(found_urls(&server, &format!("{query}=xyz")).await, "MedicationRequest/r1#m9");
    assert_eq!(found_urls(&server, &format!("{query}=new")).await, "MedicationRequest/r1#m2");
    assert_eq!(found_urls(&server, &format!("{query}=abc")).await, "MedicationRequest/r2#m1");
    // Another element alone.
    let mut again = request("r1", "ann", &now);
    again["status"] = json!("completed");
    server.update(again).await.expect(200);
    assert_eq!(found_urls(&server, &format!("{query}=xyz")).await, "MedicationRequest/r1#m9");
    assert_eq!(findings(&server).await, Vec::<String>::new());
    // None is left, by an update and by a delete.
    server.update(request("r1", "ann", &[])).await.expect(200);
    assert_eq!(found_urls(&server, &format!("{query}=xyz,new")).await, "");
    server.delete("MedicationRequest/r2").await.expect(204);
    assert_eq!(found_urls(&server, &format!("{query}=abc")).await, "");
    assert_eq!(count_of(&server, "select count(*) from contained_resource").await, 0);
    // It comes back with its container.
    server.update(request("r2", "bob", &now)).await.expect(201);
    assert_eq!(found_urls(&server, &format!("{query}=xyz")).await, "MedicationRequest/r2#m9");
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn values_of_contained_resources_go_with_them() {
    let server = TestServer::start_with(|settings| settings.content_search = true).await;
    server.update(report()).await.expect(201);
    let rows = "select (select count(*) from identifier_value where rid < 0)
        + (select count(*) from string_value where rid < 0)
        + (select count(*) from date_value where rid < 0)
        + (select count(*) from quantity_value where rid < 0)
        + (select count(*) from uri_value where rid < 0)
        + (select count(*) from composite_value where rid < 0)
        + (select count(*) from text_value where rid < 0)";
    let all = count_of(&server, rows).await;
    assert!(all > 8, "{all}");
    let mut changed = report();
    changed["contained"][0]["valueQuantity"]["value"] = json!(70);
    server.update(changed).await.expect(200);
    assert_eq!(count_of(&server, rows).await, all);
    let query = "Observation?_contained=true&value-quantity";
    assert_eq!(found(&server, &format!("{query}=62.5")).await, "");
    assert_eq!(found(&server, &format!("{query}=70")).await, "all");
    server.delete("Basic/all").await.expect(204);
    assert_eq!(count_of(&server, rows).await, 0);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn many_creates_together_index_what_is_contained() {
    let server = TestServer::start().await;
    let entry = |at: usize| {
        let contained = [medication("m", if at == 7 { "rare" } else { "mixture" }, "abc")];
        let contained = if at.is_multiple_of(2) { &[][..] } else { &contained };
        let resource = request(&format!("r{at}"), "ann", contained);
        json!({"resource": resource, "request": {"method": "POST", "url": "MedicationRequest"}})
    };
    let entries: Vec<Value> = (0..60).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
    let count = async |query: &str| {
        let reply = server.get(&format!("Medication?{query}&_summary=count")).await.expect(200);
        reply.body["total"].as_u64().unwrap()
    };
    assert_eq!(count("_contained=true").await, 30);
    assert_eq!(count("_contained=true&code=rare").await, 1);
    assert_eq!(count("_contained=true&ingredient-code=abc&_containedType=contained").await, 30);
    assert_eq!(count("_contained=false").await, 0);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn check_names_and_reindex_mends_what_is_wrong_with_rows_of_contained_resources() {
    let server = TestServer::start().await;
    prescriptions(&server).await;
    server.update(report()).await.expect(201);
    for (damage, said) in [
        ("delete from contained_resource where id = 'm2'", "#m2: it has 0 rows"),
        ("update contained_resource set keys = '{}' where id = 'm2'", "#m2: column keys"),
        ("update contained_resource set version = 9 where id = 'm2'", "#m2: its row has another"),
        ("delete from quantity_value where rid < 0", "#in: rows of quantity_value"),
        (
            "insert into contained_resource select rid - 5, null, null, null, version, type,
               id, keys, present from contained_resource where id = 'm2'",
            "index rows of contained[6]",
        ),
        ("insert into string_value select -6488064, parameter, 'x', 'x' from parameter limit 1", {
            "rid -6488064: index rows without a resource"
        }),
    ] {
        sql(&server, damage).await;
        let findings_now = findings(&server).await;
        assert!(findings_now.iter().any(|one| one.contains(said)), "{said}: {findings_now:?}");
        if said.contains("-6488064") {
            break;
        }
        reindex_all(&server).await;
        assert_eq!(findings(&server).await, Vec::<String>::new(), "{said}");
    }
}

#[tokio::test]
async fn what_a_server_without_these_rows_left_is_made_and_never_shown_as_it_was() {
    let old = TestServer::start().await;
    prescriptions(&old).await;
    // As a node of the version before updates a container: its rows are of another version.
    sql(&old, "update resource set version = version + 1 where id = 'r1'").await;
    let query = "Medication?_contained=true&ingredient-code=abc";
    assert_eq!(found(&old, query).await, "r2");
    sql(&old, "update resource set version = version - 1 where id = 'r1'").await;
    let none = "delete from contained_resource; update resource set generation = 5;
        update index_generation set generation = 5, complete = 5";
    sql(&old, none).await;
    let new = TestServer::on(old.database.clone(), |_| {}).await;
    assert!(new.context.store.has_older_index());
    bring_up_to_date(&new.context).await.unwrap();
    assert_eq!(found(&new, query).await, "r1 r2");
    assert_eq!(findings(&new).await, Vec::<String>::new());
}

#[tokio::test]
async fn parameters_of_ones_own_are_built_for_contained_resources_too() {
    let server = TestServer::start().await;
    let mut colour = medication("m1", "mixture", "abc");
    colour["extension"] = json!([{"url": "http://x.example/colour", "valueCode": "red"}]);
    server.update(request("before", "ann", std::slice::from_ref(&colour))).await.expect(201);
    let definition = json!({"resourceType": "SearchParameter", "id": "colour", "status": "active",
        "url": "http://x.example/SearchParameter/colour", "name": "Colour", "code": "colour",
        "description": "Colour", "base": ["Medication"], "type": "token",
        "expression": "Medication.extension('http://x.example/colour').value"});
    server.update(definition).await.expect(201);
    while build_next(&server.context, "test").await.unwrap() {}
    server.update(request("after", "ann", &[colour])).await.expect(201);
    let query = "Medication?colour=red&_contained=true";
    assert_eq!(found(&server, query).await, "after before");
    assert_eq!(found(&server, "Medication?colour=red").await, "");
    server.delete("SearchParameter/colour").await.expect(204);
    while build_next(&server.context, "test").await.unwrap() {}
    let query = "Medication?code=mixture&_contained=true";
    assert_eq!(found(&server, query).await, "after before");
    assert_eq!(findings(&server).await, Vec::<String>::new());
}
