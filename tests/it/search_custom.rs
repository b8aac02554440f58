//! Custom search parameters: <https://hl7.org/fhir/R4/searchparameter.html>.

use super::check::findings;
use super::harness::{Reply, TestServer, observation, patient};
use bhn_fhir::jobs::search_parameters::build_next;
use serde_json::{Value, json};

const EXTENSION: &str = "http://hospital.example/blood-group";

/// `GET Patient?blood-group=...`, an extension with a code.
fn blood_group() -> Value {
    json!({
        "resourceType": "SearchParameter",
        "id": "blood-group",
        "url": "http://hospital.example/SearchParameter/blood-group",
        "name": "BloodGroup",
        "status": "active",
        "description": "The blood group of a patient",
        "code": "blood-group",
        "base": ["Patient"],
        "type": "token",
        "expression": format!("Patient.extension('{EXTENSION}').value"),
    })
}

fn with(mut resource: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(resource.as_object_mut().unwrap().remove(name)),
            value => resource[name] = value.clone(),
        }
    }
    resource
}

fn of_group(id: &str, group: &str) -> Value {
    patient().id(id).with("extension", json!([{"url": EXTENSION, "valueCode": group}])).into()
}

async fn build(server: &TestServer) {
    while build_next(&server.context, "test").await.unwrap() {}
}

/// The state of the first status of an answer of `$index-status`.
fn part<'r>(reply: &'r Reply, name: &str) -> &'r Value {
    let parts = reply.body["parameter"][0]["part"].as_array().unwrap();
    let found = parts.iter().find(|part| part["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {}", reply.body));
    found.as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap().1
}

async fn state(server: &TestServer, id: &str) -> String {
    let status = server.get(&format!("SearchParameter/{id}/$index-status")).await.expect(200);
    part(&status, "state").as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_parameter_finds_what_was_stored_before_and_after_it() {
    let server = TestServer::start().await;
    server.update(of_group("before", "A")).await.expect(201);
    server.update(patient().id("without")).await.expect(201);
    server.update(blood_group()).await.expect(201);
    server.update(of_group("after", "A")).await.expect(201);
    server.update(of_group("other", "B")).await.expect(201);
    assert_eq!(state(&server, "blood-group").await, "building");
    build(&server).await;
    assert_eq!(state(&server, "blood-group").await, "ready");
    let found = server.get("Patient?blood-group=A").await.expect(200);
    assert_eq!(found.sorted_ids("match"), "after before");
    let found = server.get("Patient?blood-group:missing=true").await.expect(200);
    assert_eq!(found.sorted_ids("match"), "without");
    let found = server.get("Patient?blood-group:not=A&blood-group:missing=false").await;
    assert_eq!(found.sorted_ids("match"), "other");
    let found = server.get("Patient?_sort=-blood-group,_id").await.expect(200);
    assert_eq!(found.ids("match"), ["other", "after", "before", "without"]);
    let first = server.get("Patient?blood-group=A&_sort=-blood-group,_id&_count=1").await;
    assert_eq!(first.ids("match"), ["after"]);
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    assert_eq!(second.ids("match"), ["before"]);
    server.create(observation().subject("Patient/other")).await.expect(201);
    let found = server.get("Observation?subject:Patient.blood-group=B").await.expect(200);
    assert_eq!(found.ids("match").len(), 1);
    let found = server.get("Patient?_filter=blood-group eq B").await.expect(200);
    assert_eq!(found.ids("match"), ["other"]);
    let before = server.get("Patient/before").await.expect(200);
    assert_eq!(before.body["meta"]["versionId"], "1");
}

#[tokio::test]
async fn a_search_by_a_parameter_that_is_being_built_is_refused_wherever_it_stands() {
    let server = TestServer::start().await;
    server.update(of_group("p", "A")).await.expect(201);
    server.update(blood_group()).await.expect(201);
    let queries = [
        "Patient?blood-group=A",
        "Patient?blood-group:missing=true",
        "Patient?_sort=blood-group",
        "Patient?_filter=blood-group eq A",
        "Observation?subject:Patient.blood-group=A",
        "Observation?subject.blood-group=A",
        "Patient?_has:Observation:subject:subject.blood-group=A",
    ];
    for query in queries {
        let refused = server.get(query).await.expect_outcome(400, "transient");
        assert!(refused.text().contains("is being built"), "{query}: {}", refused.body);
    }
    let doctor = json!({"id": "doctor", "url": "http://hospital.example/doctor", "code": "doctor",
        "type": "reference", "expression": "Patient.generalPractitioner"});
    server.update(with(blood_group(), doctor)).await.expect(201);
    let queries = [
        "Patient?_include=Patient:doctor",
        "Practitioner?_revinclude=Patient:doctor",
        "Practitioner?_has:Patient:doctor:gender=female",
        "Patient?doctor:Practitioner.name=x",
    ];
    for query in queries {
        server.get(query).await.expect_outcome(400, "transient");
    }
    let all = server.get("Patient?_include=*").await.expect(200);
    let warning = &all.body["entry"][1]["resource"]["issue"][0]["diagnostics"];
    assert!(warning.as_str().unwrap().contains("Patient:doctor is left out"), "{}", all.body);
    let request = server.request("GET", "Patient?blood-group=B");
    let lenient = request.header("Prefer", "handling=lenient").send().await.expect(200);
    assert_eq!(lenient.ids("match"), ["p"]);
    let warning = &lenient.body["entry"][1]["resource"]["issue"][0];
    assert_eq!((&warning["severity"], &warning["code"]), (&json!("warning"), &json!("transient")));
    assert!(!lenient.link("self").unwrap().contains("blood-group"));
    let conditional = server.create_if_none_exist(patient(), "blood-group=A").await;
    conditional.expect_outcome(400, "transient");
    let stated = server.get("metadata").await;
    assert!(!String::from_utf8_lossy(&stated.bytes).contains("blood-group"));
    build(&server).await;
    assert_eq!(server.get("Patient?blood-group=B").await.expect(200).ids("match").len(), 0);
    let found = server.create_if_none_exist(patient(), "blood-group=A").await.expect(200);
    assert_eq!(found.id(), "p");
    let stated = server.get("metadata").await;
    assert!(String::from_utf8_lossy(&stated.bytes).contains("blood-group"));
}

#[tokio::test]
async fn an_active_parameter_that_cannot_be_searched_by_is_422_with_the_place() {
    let server = TestServer::start().await;
    let wrong = [
        (json!({"expression": "Patient.extension('x'"}), "SearchParameter.expression"),
        (json!({"expression": "Patient.nothing"}), "SearchParameter.expression"),
        (json!({"expression": "Observation.code"}), "SearchParameter.expression"),
        (json!({"expression": "Patient.birthDate"}), "SearchParameter.expression"),
        (json!({"expression": null}), "SearchParameter.expression"),
        (json!({"expression": null, "xpath": "f:Patient/f:x"}), "SearchParameter.expression"),
        (json!({"xpathUsage": "phonetic"}), "SearchParameter.xpathUsage"),
        (json!({"code": "gender"}), "SearchParameter.code"),
        (json!({"code": "_mine"}), "SearchParameter.code"),
        (json!({"code": "a.b"}), "SearchParameter.code"),
        (json!({"code": "a:b"}), "SearchParameter.code"),
        (json!({"type": "special"}), "SearchParameter.type"),
        (json!({"type": "composite"}), "SearchParameter.component"),
        (
            json!({"url": "http://hl7.org/fhir/SearchParameter/individual-gender"}),
            "SearchParameter.url",
        ),
    ];
    for (change, place) in wrong {
        let resource = with(blood_group(), change.clone());
        let refused = server.update(resource.clone()).await;
        assert_eq!(refused.status(), 422, "{change}: {}", refused.body);
        assert_eq!(refused.expressions()[0], place, "{change}: {}", refused.body);
        let draft = with(resource, json!({"status": "draft", "id": "draft"}));
        let stored = server.update(draft).await;
        assert!(matches!(stored.status(), 200 | 201), "{change}: {}", stored.body);
    }
    server.get("SearchParameter/blood-group").await.expect(404);
    server.update(blood_group()).await.expect(201);
    let other = with(blood_group(), json!({"id": "other"}));
    let refused = server.update(other.clone()).await.expect(422);
    assert_eq!(refused.expressions(), ["SearchParameter.code", "SearchParameter.url"]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "resource": with(other, json!({"url": "http://hospital.example/y"})),
        "request": {"method": "PUT", "url": "SearchParameter/other"}
    }]});
    let refused = server.post("", &bundle).await.expect(422);
    assert_eq!(refused.expressions(), ["Bundle.entry[0].resource.code"]);
}

#[tokio::test]
async fn a_draft_is_stored_and_not_searched_by_and_a_retired_one_stops_at_once() {
    let server = TestServer::start().await;
    server.update(of_group("p", "A")).await.expect(201);
    let draft = with(blood_group(), json!({"status": "draft"}));
    server.update(draft.clone()).await.expect(201);
    assert_eq!(state(&server, "blood-group").await, "not-active");
    server.get("Patient?blood-group=A").await.expect_outcome(400, "not-supported");
    server.update(blood_group()).await.expect(200);
    build(&server).await;
    assert_eq!(server.get("Patient?blood-group=A").await.expect(200).ids("match"), ["p"]);
    let patch = json!([{"op": "replace", "path": "/status", "value": "retired"}]);
    server.patch("SearchParameter/blood-group", &patch).await.expect(200);
    server.get("Patient?blood-group=A").await.expect_outcome(400, "not-supported");
    assert_eq!(state(&server, "blood-group").await, "retired");
    assert_eq!(keys(&server).await, 1);
    build(&server).await;
    assert_eq!(state(&server, "blood-group").await, "not-active");
    assert_eq!(keys(&server).await, 0);
    assert_eq!(findings(&server).await, Vec::<String>::new());
    server.update(blood_group()).await.expect(200);
    build(&server).await;
    assert_eq!(server.get("Patient?blood-group=A").await.expect(200).ids("match"), ["p"]);
    server.delete("SearchParameter/blood-group").await;
    server.get("Patient?blood-group=A").await.expect_outcome(400, "not-supported");
    build(&server).await;
    assert_eq!(keys(&server).await, 0);
}

/// Rows that hold a custom parameter in any way.
async fn keys(server: &TestServer) -> i64 {
    let sql = "select count(*) from resource r where 4096 < any(r.present)
        or exists (select from unnest(r.keys) k where k >> 48 > 4096)
        or exists (select from string_value v where v.rid = r.rid and v.parameter > 4096)";
    let mut connection = server.database.connect().await;
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// By the text of a string extension, whose rows stand in a table beside the resource.
fn nickname(expression: &str) -> Value {
    with(
        blood_group(),
        json!({
            "id": "nickname", "url": "http://hospital.example/nickname", "code": "nickname",
            "type": "string", "expression": expression
        }),
    )
}

#[tokio::test]
async fn another_expression_is_built_anew_and_other_restrictions_are_not() {
    let server = TestServer::start().await;
    let named = |id: &str, family: &str| patient().id(id).family(family).with("gender", "male");
    server.update(named("p", "Rahman")).await.expect(201);
    server.update(nickname("Patient.name.given")).await.expect(201);
    build(&server).await;
    assert_eq!(server.get("Patient?nickname=rah").await.expect(200).ids("match").len(), 0);
    server.update(nickname("Patient.name.family")).await.expect(200);
    server.get("Patient?nickname=rah").await.expect_outcome(400, "transient");
    // Written while the rows of one are made and those of the other removed.
    server.update(named("p", "Rahim")).await.expect(200);
    assert_eq!(findings(&server).await, Vec::<String>::new());
    build(&server).await;
    assert_eq!(server.get("Patient?nickname=rahi").await.expect(200).ids("match"), ["p"]);
    assert_eq!(findings(&server).await, Vec::<String>::new());
    let restricted = with(nickname("Patient.name.family"), json!({"modifier": ["exact"]}));
    server.update(restricted).await.expect(200);
    assert_eq!(server.get("Patient?nickname:exact=Rahim").await.expect(200).ids("match"), ["p"]);
    server.get("Patient?nickname:contains=ah").await.expect_outcome(400, "not-supported");
    server.update(named("p", "Karim")).await.expect(200);
    assert_eq!(server.get("Patient?nickname=rahi").await.expect(200).ids("match").len(), 0);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_definition_restricts_modifiers_prefixes_values_and_chains() {
    let server = TestServer::start().await;
    let parameter = |id: &str, changes: Value| {
        let url = format!("http://hospital.example/{id}");
        with(with(blood_group(), json!({"id": id, "url": url, "code": id})), changes)
    };
    let born = json!({"type": "date", "expression": "Patient.birthDate", "comparator": ["ge", "lt"],
        "multipleOr": false, "multipleAnd": false});
    server.update(parameter("born", born)).await.expect(201);
    let doctor = json!({"type": "reference", "expression": "Patient.generalPractitioner",
        "modifier": ["missing", "type"], "chain": ["name"]});
    server.update(parameter("doctor", doctor)).await.expect(201);
    build(&server).await;
    for allowed in [
        "Patient?born=1990",
        "Patient?born=ge1990",
        "Patient?born:missing=true",
        "Patient?doctor:Practitioner=1",
        "Patient?doctor:Practitioner.name=a",
        "Patient?doctor:missing=true",
        "Patient?_include=Patient:doctor:Practitioner",
        "Practitioner?_revinclude=Patient:doctor",
        "Practitioner?_has:Patient:doctor:gender=male",
    ] {
        server.get(allowed).await.expect(200);
    }
    for refused in [
        "Patient?born=le1990",
        "Patient?born=eq1990",
        "Patient?born=1990,1991",
        "Patient?born=1990&born=ge1991",
        "Patient?doctor:identifier=1",
        "Patient?doctor:Practitioner.gender=male",
    ] {
        let reply = server.get(refused).await;
        assert_eq!(reply.status(), 400, "{refused}: {}", reply.body);
    }
}

#[tokio::test]
async fn every_type_of_parameter_finds_its_values() {
    let server = TestServer::start().await;
    let group = json!({
        "resourceType": "Observation", "id": "o", "status": "final",
        "code": {"coding": [{"system": "s", "code": "c"}]},
        "subject": {"reference": "Patient/p"},
        "focus": [{"reference": "Patient/f"}],
        "issued": "2025-03-01T10:00:00Z",
        "instantiatesX": null,
        "component": [
            {"code": {"coding": [{"code": "sys"}]}, "valueQuantity": {"value": 120}},
            {"code": {"coding": [{"code": "dia"}]}, "valueQuantity": {"value": 80}}
        ],
        "referenceRange": [{"text": "Normal", "low": {"value": 5, "unit": "mg",
            "system": "http://unitsofmeasure.org", "code": "mg"}}],
        "extension": [
            {"url": "http://x/number", "valueDecimal": 0.25},
            {"url": "http://x/uri", "valueUri": "http://a/b"}
        ]
    });
    server.update(with(group, json!({"instantiatesX": null}))).await.expect(201);
    let parameters = [
        ("about", "reference", "Observation.focus", "Patient/f"),
        ("published", "date", "Observation.issued", "2025-03-01"),
        ("normal", "string", "Observation.referenceRange.text", "norm"),
        ("low", "quantity", "Observation.referenceRange.low", "0.005|http://unitsofmeasure.org|g"),
        ("ratio", "number", "Observation.extension('http://x/number').value", "0.25"),
        ("link", "uri", "Observation.extension('http://x/uri').value", "http://a/b"),
        ("loose", "token", "Observation.component.where(value is Quantity).code", "sys"),
        ("pair", "composite", "Observation.component", "sys$120"),
    ];
    for (code, kind, expression, _) in parameters {
        let components = json!([
            {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code",
                "expression": "code"},
            {"definition": "http://hl7.org/fhir/SearchParameter/Observation-value-quantity",
                "expression": "value.as(Quantity)"}
        ]);
        let component = if kind == "composite" { components } else { Value::Null };
        let url = format!("http://x/{code}");
        let resource = with(
            blood_group(),
            json!({"id": code, "url": url, "code": code, "type": kind, "base": ["Observation"],
                "expression": expression, "component": component}),
        );
        server.update(resource).await.expect(201);
    }
    build(&server).await;
    for (code, kind, _, value) in parameters {
        let found = server.get(&format!("Observation?{code}={value}")).await.expect(200);
        assert_eq!(found.ids("match"), ["o"], "{code}");
        let missing = format!("Observation?_filter={code} pr false");
        let missing = server.get(&missing).await.expect(200);
        assert_eq!(missing.ids("match").len(), 0, "{code}");
        if kind != "composite" {
            let sorted = server.get(&format!("Observation?_sort=-{code},_id")).await.expect(200);
            assert_eq!(sorted.ids("match"), ["o"], "{code}");
        }
    }
    let none = server.get("Observation?pair=sys$80").await.expect(200);
    assert_eq!(none.ids("match").len(), 0);
    server.update(patient().id("f")).await.expect(201);
    let found = server.get("Observation?_include=Observation:about").await.expect(200);
    assert_eq!(found.ids("include"), ["f"]);
    assert_eq!(findings(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_parameter_of_all_types_is_one_of_each() {
    let server = TestServer::start().await;
    let resource = with(
        blood_group(),
        json!({"id": "lang", "url": "http://x/lang", "code": "lang", "base": ["Resource"],
            "expression": "Resource.language"}),
    );
    server.update(patient().id("p").with("language", "bn")).await.expect(201);
    server.update(observation().id("o").with("language", "bn")).await.expect(201);
    server.update(resource).await.expect(201);
    build(&server).await;
    assert_eq!(server.get("?lang=bn").await.expect(200).sorted_ids("match"), "o p");
    assert_eq!(server.get("Patient?lang=bn").await.expect(200).sorted_ids("match"), "p");
}

#[tokio::test]
async fn a_definition_of_r4_is_stored_and_its_parameter_stays_as_it_is() {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    let of_r4 = with(
        blood_group(),
        json!({
            "id": "death-date", "url": "http://hl7.org/fhir/SearchParameter/Patient-death-date",
            "code": "death-date", "type": "date",
            "expression": "(Patient.deceased as dateTime)"
        }),
    );
    server.update(of_r4).await.expect(201);
    assert_eq!(state(&server, "death-date").await, "ready");
    assert_eq!(server.get("Patient?death-date:missing=true").await.expect(200).ids("match"), ["p"]);
}

#[tokio::test]
async fn there_are_so_many_parameters_and_no_more() {
    let server = TestServer::start_with(|settings| settings.limits.custom_parameters = 1).await;
    let created = server.create(with(blood_group(), json!({"id": null}))).await.expect(201);
    let refused = server.create(nickname("Patient.name.given")).await;
    assert!(refused.expect_outcome(400, "too-costly").text().contains("at most 1"));
    let path = format!("SearchParameter/{}", created.id());
    server.delete(&path).await.expect(204);
    server.create(nickname("Patient.name.given")).await.expect(201);
    build(&server).await;
    let all = server.get("SearchParameter/$index-status").await.expect(200);
    assert_eq!(all.body["parameter"].as_array().map(Vec::len), Some(1), "{}", all.body);
    assert_eq!(part(&all, "code"), "nickname");
    assert_eq!(part(&all, "state"), "ready");
    server.get("SearchParameter/none/$index-status").await.expect_outcome(404, "not-found");
    server.get("Patient/$index-status").await.expect_outcome(404, "not-supported");
}
