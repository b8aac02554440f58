use super::*;
use crate::fhir::definitions::SearchParameterRow;
use serde_json::json;

/// The resource types that a parameter is for; abstract ones mean all.
pub(super) fn bases(row: &SearchParameterRow) -> Vec<ResourceType> {
    let definitions = Definitions::r4();
    let is_base = |resource_type: &ResourceType| {
        row.base.iter().any(|base| {
            let (actual, wanted) =
                (definitions.type_id(resource_type.name()), definitions.type_id(base));
            actual.zip(wanted).is_some_and(|(actual, wanted)| definitions.is_a(actual, wanted))
        })
    };
    ResourceType::all().filter(is_base).collect()
}

fn run(source: &str, resource: &Value) -> Vec<Value> {
    let name = resource["resourceType"].as_str().unwrap();
    let program = Program::compile(source, ResourceType::parse(name).unwrap()).unwrap();
    let mut found = Vec::new();
    program
        .run(resource, &mut |node| found.push(node.value().cloned().unwrap_or_default()))
        .unwrap();
    found
}

#[test]
fn every_search_parameter_of_r4_compiles_to_straight_lines_for_each_of_its_types() {
    let mut expressions = 0;
    for row in Definitions::r4().search_parameters() {
        let Some(source) = &row.expression else { continue };
        expressions += 1;
        for resource_type in bases(row) {
            let program = Program::compile(source, resource_type);
            let program = program.unwrap_or_else(|error| panic!("{}: {error}", row.url));
            assert!(program.is_straight_line(), "{} {resource_type}", row.url);
            assert!(!program.is_empty(), "{} {resource_type}", row.url);
            for component in &row.components {
                let types = program.types();
                let part = Program::compile_component(&component.expression, resource_type, &types);
                let part = part.unwrap_or_else(|error| panic!("{}: {error}", row.url));
                assert!(part.is_straight_line() && !part.is_empty(), "{}", row.url);
            }
        }
    }
    println!("search parameters {expressions}/1372");
    assert_eq!(expressions, 1372);
}

#[test]
fn alternatives_of_other_types_are_dropped() {
    let patient = json!({"resourceType": "Patient", "name": [{"family": "A"}]});
    assert_eq!(run("Practitioner.name | Patient.name.family", &patient), [json!("A")]);
    let patient_type = ResourceType::parse("Patient").unwrap();
    assert!(Program::compile("Practitioner.name", patient_type).unwrap().is_empty());
}

#[test]
fn elements_of_the_abstract_types_are_found_on_every_resource() {
    let patient = json!({"resourceType": "Patient", "id": "1", "meta": {"versionId": "2"},
        "extension": [{"url": "u", "valueString": "v"}, {"url": "w", "valueString": "x"}]});
    assert_eq!(run("Resource.id", &patient), [json!("1")]);
    assert_eq!(run("Resource.meta.versionId", &patient), [json!("2")]);
    assert_eq!(run("DomainResource.extension('u').value", &patient), [json!("v")]);
    let where_url = "Patient.extension.where(url = 'w').value as string";
    assert_eq!(run(&format!("({where_url})"), &patient), [json!("x")]);
}

#[test]
fn a_target_is_filtered_by_the_type_that_the_reference_names() {
    let observation = json!({"resourceType": "Observation",
        "contained": [{"resourceType": "Patient", "id": "p"}],
        "performer": [{"reference": "Patient/1"}, {"reference": "Practitioner/1"},
            {"reference": "http://a/Patient/2/_history/1"}, {"reference": "#p"},
            {"type": "Patient", "identifier": {"value": "x"}}, {"reference": "urn:uuid:1"}]});
    let found = run("Observation.performer.where(resolve() is Patient)", &observation);
    assert_eq!(found.len(), 4);
}

#[test]
fn deceased_is_true_and_false() {
    let source = "Patient.deceased.exists() and Patient.deceased != false";
    let is_deceased = |mut patient: Value| {
        patient["resourceType"] = json!("Patient");
        run(source, &patient)
    };
    assert_eq!(is_deceased(json!({})), [json!(false)]);
    assert_eq!(is_deceased(json!({"deceasedBoolean": false})), [json!(false)]);
    assert_eq!(is_deceased(json!({"deceasedBoolean": true})), [json!(true)]);
    assert_eq!(is_deceased(json!({"deceasedDateTime": "2020"})), [json!(true)]);
}

#[test]
fn as_filters_a_choice_and_a_type_of_an_entry() {
    let observation = json!({"resourceType": "Observation", "valueQuantity": {"value": 1}});
    assert_eq!(run("(Observation.value as Quantity)", &observation).len(), 1);
    assert!(run("(Observation.value as CodeableConcept)", &observation).is_empty());
    let bundle = json!({"resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "MessageHeader", "id": "m"}},
            {"resource": {"resourceType": "Patient", "id": "p"}}]});
    assert_eq!(run("Bundle.entry[0].resource", &bundle)[0]["id"], "m");
    assert_eq!(run("Bundle.entry.resource.as(Patient).id", &bundle), [json!("p")]);
}

#[test]
fn what_is_outside_the_subset_runs_in_the_general_engine() {
    let patient = json!({"resourceType": "Patient",
        "name": [{"given": ["Ann", "Bea"]}, {"family": "C"}]});
    assert_eq!(run("Patient.name.given.select($this.upper())", &patient), ["ANN", "BEA"]);
    assert_eq!(run("Patient.name.count() > 1", &patient), [json!(true)]);
}

#[test]
fn an_unknown_element_is_an_error() {
    let patient = ResourceType::parse("Patient").unwrap();
    assert!(Program::compile("Patient.nme", patient).is_err());
    assert!(Program::compile("Patient.name.where(usee = 'x')", patient).is_err());
}

#[test]
fn a_primitive_comes_with_its_element() {
    let patient = json!({"resourceType": "Patient", "_birthDate": {"extension": []},
        "name": [{"given": [null, "B"], "_given": [{"id": "x"}, null]}]});
    let program = Program::compile(
        "Patient.birthDate | Patient.name.given",
        ResourceType::parse("Patient").unwrap(),
    )
    .unwrap();
    let mut found = Vec::new();
    let mut visit = |node: Node<'_>| found.push((node.value().is_some(), node.element().is_some()));
    program.run(&patient, &mut visit).unwrap();
    assert_eq!(found, [(false, true), (false, true), (true, false)]);
}
