use super::*;
use crate::fhir::resource::Id;
use crate::search::index_rows::UriRow;
use chrono::FixedOffset;
use serde_json::json;
use std::io::BufRead;
use std::sync::OnceLock;

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let start = std::time::Instant::now();
        let registry = Registry::r4().unwrap();
        println!("registry in {:?}", start.elapsed());
        registry
    })
}

fn settings() -> IndexSettings {
    let base_url = "http://localhost/fhir".to_owned();
    IndexSettings {
        zone: FixedOffset::east_opt(0).unwrap(),
        base_url,
        indexes_content: true,
        link_days: Default::default(),
    }
}

fn key_of(resource: &Resource) -> ResourceKey {
    let id = resource.id().or_else(|| Id::parse("new")).unwrap();
    ResourceKey::new(resource.resource_type(), id)
}

fn index(value: Value) -> (IndexRows, impl Fn(&str) -> ParameterId) {
    let resource = Resource::from_value(value).unwrap();
    let kind = resource.resource_type();
    let id = move |code: &str| registry().parameter(kind, code).expect("a parameter").id;
    (registry().index(&key_of(&resource), &resource, &settings()), id)
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "bp", "status": "final",
        "meta": {"lastUpdated": "2024-01-01T00:00:00Z", "profile": ["http://a/bp"],
            "security": [{"system": "http://s", "code": "R"}], "tag": [{"code": "t"}],
            "source": "urn:src"},
        "category": [{"coding": [{"system": "http://c", "code": "vital-signs"}]}],
        "code": {"coding": [
            {"system": "http://loinc.org", "code": "85354-9"},
            {"system": "http://x", "code": "bp"}]},
        "subject": {"reference": "Patient/p1"},
        "performer": [{"reference": "Patient/p2"}],
        "effectiveDateTime": "2024-01-01",
        "component": [
            {"code": {"coding": [{"code": "8480-6"}]},
                "valueQuantity": {"value": 107, "unit": "mmHg"}},
            {"code": {"coding": [{"code": "8462-4"}]},
                "valueQuantity": {"value": 60, "unit": "mmHg"}}]
    })
}

#[test]
fn an_observation_is_indexed_by_its_code_date_subject_and_components() {
    let (rows, id) = index(observation());
    let lead = &rows.tokens[rows.lead.unwrap().token];
    assert_eq!((lead.parameter, lead.token.code.as_str()), (id("code"), "85354-9"));
    assert!(rows.tokens.iter().any(|r| r.parameter == id("code") && r.token.code == "bp"));
    assert!(rows.dates.is_empty());
    let (low, high) = rows.main_date.unwrap();
    assert_eq!((high - low).num_days(), 1);
    assert_eq!(rows.subjects, [ResourceKey::parse("Patient/p1").unwrap()]);
    assert_eq!(rows.labels[0].code, "R");
    assert_eq!(rows.profiles[0].code, "http://a/bp");
    let source = UriRow { parameter: id("_source"), value: "urn:src".to_owned() };
    assert!(rows.uris.contains(&source));
    for code in ["code", "date", "subject", "patient", "performer", "_tag", "combo-code"] {
        assert!(rows.present.contains(&id(code)), "{code}");
    }
    assert!(!rows.present.contains(&id("_id")) && !rows.present.contains(&id("value-quantity")));
    assert!(rows.present.is_sorted());
}

#[test]
fn a_composite_never_takes_its_parts_from_two_components() {
    let (rows, id) = index(observation());
    let found: Vec<_> = rows
        .composites
        .iter()
        .filter(|row| row.parameter == Some(id("component-code-value-quantity")))
        .filter(|row| row.second.is_none())
        .map(|row| (row.first.as_ref().unwrap().code.as_str(), row.low.unwrap().to_string()))
        .collect();
    assert_eq!(found, [("8480-6", "107".to_owned()), ("8462-4", "60".to_owned())]);
    // On the resource itself a composite is its two parameters together.
    assert!(!rows.composites.iter().any(|row| row.parameter == Some(id("code-value-quantity"))));
}

#[test]
fn a_patient_is_its_own_subject_and_nobody_becomes_one_by_a_link() {
    let (rows, id) = index(json!({"resourceType": "Patient", "id": "p1", "gender": "female",
        "birthDate": "2024-01-01", "deceasedBoolean": false, "active": true,
        "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
        "telecom": [{"system": "phone", "value": "555"}],
        "identifier": [{"system": "urn:mrn", "value": "7"}]}));
    assert_eq!(rows.subjects, [ResourceKey::parse("Patient/p1").unwrap()]);
    let of = |code| rows.identifiers.iter().filter(move |row| row.parameter == code).count();
    assert_eq!(
        (of(id("phone")), of(id("telecom")), of(id("email")), of(id("identifier"))),
        (1, 1, 0, 1)
    );
    let deceased = rows.tokens.iter().find(|row| row.parameter == id("deceased")).unwrap();
    assert_eq!(deceased.token.code, "false");
}

#[test]
fn only_types_with_one_subject_element_hold_their_one_patient() {
    let of = |name| {
        let kind = crate::fhir::definitions::ResourceType::parse(name).unwrap();
        registry().of(kind).has_single_subject
    };
    for name in ["Observation", "Condition", "Encounter", "MedicationRequest", "Immunization"] {
        assert!(of(name), "{name}");
    }
    for name in ["Appointment", "Group", "Person", "Account", "Provenance"] {
        assert!(!of(name), "{name}");
    }
}

#[test]
fn main_dates_of_single_elements_need_no_rows() {
    let of = |name| {
        let kind = crate::fhir::definitions::ResourceType::parse(name).unwrap();
        registry().of(kind).has_single_main_date
    };
    for name in ["Observation", "Condition", "Encounter", "MedicationRequest", "Patient"] {
        assert!(of(name), "{name}");
    }
    assert!(!of("Group"), "has no date");
}

#[test]
fn main_values_name_parameters_of_the_right_type() {
    for kind in crate::fhir::definitions::ResourceType::all() {
        let parameters = registry().of(kind);
        if parameters.main.lead.is_some() {
            assert_eq!(parameters.lead().map(|found| found.kind), Some(Kind::Token), "{kind}");
        }
        if parameters.main.date.is_some() {
            assert_eq!(parameters.main_date().map(|found| found.kind), Some(Kind::Date), "{kind}");
        }
    }
}

#[test]
fn every_example_of_the_specification_is_indexed_within_bounds() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/r4-examples/examples.ndjson.gz");
    let Ok(file) = std::fs::File::open(file) else { return println!("skipped") };
    let lines = std::io::BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    let (mut count, mut rows_in_all) = (0, 0);
    let mut spent = std::time::Duration::ZERO;
    for line in lines.map_while(Result::ok).filter(|line| (1..200_000).contains(&line.len())) {
        let resource = Resource::from_value(serde_json::from_str(&line).unwrap()).unwrap();
        let registry = registry();
        let key = key_of(&resource);
        let start = std::time::Instant::now();
        let rows = registry.index(&key, &resource, &settings());
        spent += start.elapsed();
        assert!(rows.strings.iter().all(|row| row.normalised.len() <= 800));
        assert!(rows.dates.iter().all(|row| row.low < row.high));
        assert!(rows.quantities.iter().all(|row| row.low <= row.high));
        count += 1;
        rows_in_all += size(&rows);
    }
    println!("{count} resources, {rows_in_all} rows in {spent:?}");
    assert!(count > 100 && rows_in_all > 5 * count, "{count} resources, {rows_in_all} rows");
}
