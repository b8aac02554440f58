//! Values of tokens, strings and references to the letter of
//! <https://hl7.org/fhir/R4/search.html#token>, `#string`, `#reference` and `#errors`.

use super::harness::{TestServer, found, observation, patient, refused};
use serde_json::{Value, json};

async fn with_patients(of: &[(&str, &str, Value)]) -> TestServer {
    let server = TestServer::start().await;
    for (id, element, value) in of {
        server.update(patient().id(id).with(element, value.clone())).await.expect(201);
    }
    server
}

#[tokio::test]
async fn a_system_alone_finds_values_that_have_nothing_but_the_system() {
    let coding = |coding: Value| json!({ "coding": [coding] });
    let server = with_patients(&[
        ("both", "identifier", json!([{"system": "http://s", "value": "1"}])),
        ("system", "identifier", json!([{"system": "http://s"}])),
        ("value", "identifier", json!([{"value": "1"}])),
        ("code", "maritalStatus", coding(json!({"system": "http://s", "code": "M"}))),
        ("coding", "maritalStatus", coding(json!({"system": "http://s"}))),
        ("free", "maritalStatus", coding(json!({"code": "M"}))),
    ])
    .await;
    assert_eq!(found(&server, "Patient?identifier=http://s|").await, "both system");
    assert_eq!(found(&server, "Patient?identifier=|1").await, "value");
    assert_eq!(found(&server, "Patient?identifier=1").await, "both value");
    let status = async |value: &str| {
        let server = &server;
        found(server, &format!("Observation?subject:Patient.name=x&code={value}")).await
    };
    assert_eq!(status("http://s|").await, "");
    let reply = server.get("Patient?_sort=identifier&identifier:missing=false").await;
    assert_eq!(reply.ids("match"), ["both", "value", "system"], "nothing stands last");
}

#[tokio::test]
async fn a_coding_with_a_system_alone_is_found_by_it_and_by_no_code() {
    let server = TestServer::start().await;
    for (id, coding) in [
        ("a", json!({"system": "http://s", "code": "M"})),
        ("b", json!({"system": "http://s", "display": "only"})),
        ("c", json!({"code": "M"})),
    ] {
        let code = json!({ "coding": [coding] });
        server.update(observation().id(id).with("code", code)).await.expect(201);
    }
    assert_eq!(found(&server, "Observation?code=http://s|").await, "a b");
    assert_eq!(found(&server, "Observation?code=|M").await, "c");
    assert_eq!(found(&server, "Observation?code:missing=true").await, "");
    let ids = server.get("Observation?_sort=code,_id").await;
    assert_eq!(ids.ids("match"), ["a", "c", "b"]);
}

#[tokio::test]
async fn codes_have_the_system_that_their_value_set_implies() {
    let server = with_patients(&[
        ("f", "gender", json!("female")),
        ("m", "gender", json!("male")),
        ("use", "address", json!([{"use": "home"}])),
    ])
    .await;
    let system = "http://hl7.org/fhir/administrative-gender";
    assert_eq!(found(&server, &format!("Patient?gender={system}|male")).await, "m");
    assert_eq!(found(&server, "Patient?gender=male").await, "m");
    assert_eq!(found(&server, "Patient?gender=|male").await, "m", "it has no system property");
    assert_eq!(found(&server, "Patient?gender=http://other|male").await, "");
    assert_eq!(found(&server, &format!("Patient?gender={system}|")).await, "f m use");
    assert_eq!(found(&server, &format!("Patient?gender:not={system}|male")).await, "f use");
    let kind = "http://hl7.org/fhir/address-use|home";
    assert_eq!(found(&server, &format!("Patient?address-use={kind}")).await, "use");
    let chain = format!("Observation?subject:Patient.gender={system}|female");
    assert_eq!(found(&server, &chain).await, "");
    assert_eq!(found(&server, &format!("Patient?_filter=gender eq {system}|male")).await, "m");
}

#[tokio::test]
async fn tokens_of_strings_have_no_case_and_others_have() {
    let server = TestServer::start().await;
    let set = json!({"resourceType": "ValueSet", "id": "a", "status": "draft", "version": "Éa.1"});
    server.put("ValueSet/a", &set).await.expect(201);
    for value in ["Éa.1", "éA.1", "ÉA.1"] {
        assert_eq!(found(&server, &format!("ValueSet?version={value}")).await, "a", "{value}");
    }
    for value in ["Ea.1", "Éa", "éa.11"] {
        assert_eq!(found(&server, &format!("ValueSet?version={value}")).await, "", "{value}");
    }
    server.update(patient().id("p").identifier("http://s", "Ab")).await.expect(201);
    assert_eq!(found(&server, "Patient?identifier=Ab").await, "p");
    assert_eq!(found(&server, "Patient?identifier=ab").await, "");
    assert_eq!(found(&server, "Patient?gender=FEMALE").await, "");
}

#[tokio::test]
async fn contains_looks_through_the_whole_of_a_long_string() {
    let server = TestServer::start().await;
    let long = format!("{} Ąkka {} the end", "x".repeat(1_200), "y ".repeat(3_000));
    let short = "x".repeat(900);
    for (id, description) in [("long", &long), ("short", &short)] {
        let set = json!({"resourceType": "ValueSet", "id": id, "status": "draft",
            "description": description});
        server.put(&format!("ValueSet/{id}"), &set).await.expect(201);
    }
    let contains =
        async |text: &str| found(&server, &format!("ValueSet?description:contains={text}")).await;
    assert_eq!(contains("akka").await, "long");
    assert_eq!(contains("THE END").await, "long");
    assert_eq!(contains(&"x".repeat(850)).await, "long short");
    assert_eq!(contains(&"x".repeat(1_000)).await, "long");
    assert_eq!(contains("nowhere").await, "");
    assert_eq!(found(&server, "ValueSet?description:exact=akka").await, "");
    assert_eq!(found(&server, "ValueSet?_filter=description ew \"the end\"").await, "long");
    let sorted = server.get("ValueSet?_sort=description").await;
    assert_eq!(sorted.ids("match").len(), 2);
    let gone = json!({"resourceType": "ValueSet", "id": "long", "status": "draft"});
    server.put("ValueSet/long", &gone).await.expect(200);
    assert_eq!(contains("akka").await, "");
}

#[tokio::test]
async fn the_parts_of_a_family_name_are_searched_independently() {
    let name = |family: &str| json!([{ "family": family, "given": ["Ana Maria"] }]);
    let server = with_patients(&[
        ("1", "name", name("Carreno Quinones")),
        ("2", "name", name("de Silva")),
        ("3", "name", name("Smith-Jones")),
        ("4", "name", name("Silvany")),
    ])
    .await;
    for (value, expected) in [
        ("quinones", "1"),
        ("carreno", "1"),
        ("silva", "2 4"),
        ("de silva", "2"),
        ("jones", "3"),
        ("ilva", ""),
    ] {
        for parameter in ["family", "name"] {
            let query = format!("Patient?{parameter}={value}");
            assert_eq!(found(&server, &query).await, expected, "{query}");
        }
    }
    assert_eq!(found(&server, "Patient?given=maria").await, "", "a family name's alone");
    assert_eq!(found(&server, "Patient?family:exact=Silva").await, "");
    assert_eq!(found(&server, "Patient?family:exact=de Silva").await, "2");
    assert_eq!(found(&server, "Patient?_filter=family eq silva").await, "");
    assert_eq!(found(&server, "Patient?_filter=family ne \"de silva\"").await, "1 3 4");
    let sorted = server.get("Patient?_sort=-family").await;
    assert_eq!(sorted.ids("match"), ["3", "4", "2", "1"]);
}

#[tokio::test]
async fn empty_parameters_are_ignored() {
    let server = with_patients(&[("a", "active", json!(true))]).await;
    for query in ["name=", "name=&gender=", "_sort=", "_count=", "_include=", "_filter="] {
        let reply = server.get(&format!("Patient?{query}")).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), "a", "{query}");
        let own = reply.link("self").unwrap_or_default();
        assert!(own.ends_with("/Patient"), "{own} says what was applied");
    }
    assert_eq!(found(&server, "Patient?name=&gender=male").await, "");
    refused(&server, "Patient?name=a,", "empty").await;
}

#[tokio::test]
async fn criteria_of_a_write_are_never_empty() {
    let server = with_patients(&[("a", "active", json!(true))]).await;
    server.delete("Patient?identifier=").await.expect(412);
    server.delete("Patient?identifier=&active=true").await.expect(400);
    let reply = server.create_if_none_exist(patient(), "identifier=&active=true").await;
    assert_eq!(reply.status(), 400);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn an_id_alone_that_names_several_resources_is_refused() {
    let server =
        with_patients(&[("23", "active", json!(true)), ("24", "active", json!(true))]).await;
    server.update(observation().id("o").subject("Patient/23")).await.expect(201);
    assert_eq!(found(&server, "Observation?subject=23").await, "o");
    let group = json!({"resourceType": "Group", "id": "23", "type": "person", "actual": true});
    server.put("Group/23", &group).await.expect(201);
    assert_eq!(found(&server, "Observation?subject=23").await, "o", "nothing refers to the group");
    server.update(observation().id("g").subject("Group/23")).await.expect(201);
    refused(&server, "Observation?subject=23", "Group/23 or Patient/23").await;
    refused(&server, "Patient?_has:Observation:subject:subject=23", "Group/23").await;
    assert_eq!(found(&server, "Observation?subject=24").await, "");
    assert_eq!(found(&server, "Observation?subject=Patient/23").await, "o");
    assert_eq!(found(&server, "Observation?subject:Patient=23").await, "o");
    server.delete("Group/23").await.expect(204);
    assert_eq!(found(&server, "Observation?subject=23").await, "g o");
}

#[tokio::test]
async fn missing_is_for_every_parameter_but_composites() {
    let server = TestServer::start().await;
    for (kind, code) in [
        ("RiskAssessment", "probability"),
        ("Patient", "birthdate"),
        ("Patient", "name"),
        ("Patient", "gender"),
        ("Patient", "organization"),
        ("Observation", "value-quantity"),
        ("ValueSet", "url"),
    ] {
        assert_eq!(found(&server, &format!("{kind}?{code}:missing=true")).await, "");
    }
    let query = "Observation?code-value-quantity:missing=true";
    refused(&server, query, ":missing is not offered for code-value-quantity").await;
}

#[tokio::test]
async fn not_with_several_values_finds_what_has_none_of_them() {
    let server = with_patients(&[
        ("f", "gender", json!("female")),
        ("m", "gender", json!("male")),
        ("o", "gender", json!("other")),
    ])
    .await;
    server.update(patient().id("none").without("gender")).await.expect(201);
    assert_eq!(found(&server, "Patient?gender:not=male,female").await, "none o");
    assert_eq!(found(&server, "Patient?gender:not=male&gender:not=female").await, "none o");
}
