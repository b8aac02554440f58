//! `$explain`: how a search is understood and run, for those who run the server.

use super::harness::{Reply, TestServer, observation, patient};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::Value;

/// The value of a part by name, whatever its type.
fn value<'v>(parts: &'v Value, name: &str) -> &'v Value {
    let found = parts.as_array().unwrap().iter().find(|part| part["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {parts}"));
    found.as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap().1
}

fn statements(reply: &Reply) -> Vec<Value> {
    let parameters = reply.body["parameter"].as_array().unwrap();
    let of_statement = parameters.iter().filter(|one| one["name"] == "statement");
    of_statement.map(|one| one["part"].clone()).collect()
}

#[tokio::test]
async fn a_search_is_explained_with_its_statements_rows_and_pages() {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    for _ in 0..3 {
        server.create(observation().subject("Patient/p")).await.expect(201);
    }
    let search = "code=http://loinc.org|29463-7&_count=2&_total=accurate&_sort=-date";
    let reply = server.get(&format!("Observation/$explain?{search}")).await.expect(200);
    let parameters = &reply.body["parameter"];
    assert_eq!(value(parameters, "search"), &format!("Observation?{search}"));
    assert!(value(parameters, "shape").as_str().unwrap().contains("main code"));
    let statements = statements(&reply);
    let purposes: Vec<&Value> = statements.iter().map(|one| value(one, "purpose")).collect();
    assert_eq!(purposes, ["page", "total"]);
    assert_eq!(value(&statements[0], "rows"), 3);
    assert_eq!(value(&statements[1], "rows"), 1);
    for statement in &statements {
        assert!(value(statement, "executionMs").as_f64().unwrap() > 0.0);
        assert!(value(statement, "pagesHit").as_f64().unwrap() > 0.0);
        assert!(value(statement, "plan").as_str().unwrap().contains("resource"));
        assert!(value(statement, "sql").as_str().unwrap().contains("$1"));
    }
}

#[tokio::test]
async fn an_explanation_holds_no_value_but_those_of_the_query() {
    let server = TestServer::start().await;
    server.update(patient().id("p").family("Rahman").mrn("secret-number")).await.expect(201);
    let reply = server.get("Patient/$explain?family=rah&identifier=secret-number").await;
    let reply = reply.expect(200);
    let text: String = statements(&reply).iter().map(Value::to_string).collect();
    for value in ["rah", "secret", "Rahman"] {
        assert!(!text.to_lowercase().contains(&value.to_lowercase()), "{value}: {text}");
    }
}

#[tokio::test]
async fn an_explained_search_carries_the_row_filter_of_the_caller() {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    let context = server.context.current();
    let scope = SearchScope::Type(ResourceType::parse("Patient").unwrap());
    let parameters = [("gender".to_owned(), "female".to_owned())];
    let plan = context.plan(&scope, &parameters, Handling::Strict).unwrap();
    let nothing = RowFilter::of_stamps(Vec::new(), Vec::new(), Vec::new());
    let mut rows = Vec::new();
    for permit in [Permit::operator(), Permit::operator().narrowed(nothing)] {
        let mut connection = context.store.search_connection().await.unwrap();
        let explained = context.store.explain(&mut connection, &permit, &plan).await.unwrap();
        rows.push(explained.statements[0].rows);
        let is_filtered = explained.statements[0].sql.contains("subject_rids");
        assert_eq!(is_filtered, permit != Permit::operator());
    }
    assert_eq!(rows, [1.0, 0.0]);
}

#[tokio::test]
async fn what_a_search_refuses_its_explanation_refuses_too() {
    let server = TestServer::start().await;
    server.get("Patient/$explain?nothing=1").await.expect_outcome(400, "not-supported");
    server.get("Patient/$explain?birthdate=x").await.expect_outcome(400, "value");
    server.get("Patient/p/$explain").await.expect_outcome(404, "not-supported");
    let everything = server.get("$explain?_type=Patient,Observation&_count=0").await.expect(200);
    assert_eq!(value(&statements(&everything)[0], "purpose"), "total");
    let strangers = TestServer::start_with(|settings| settings.insecure_no_auth = false).await;
    strangers.get("Patient/$explain").await.expect_outcome(401, "login");
}
