use super::*;

const TAG: &str =
    r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn same(part: &Value, expected: &str) {
    assert_eq!(part.to_string(), expected.replace("TAG", TAG));
    assert!(is_subsetted(part));
}

fn patient() -> Value {
    value(
        r#"{"resourceType":"Patient","id":"1","text":{"status":"empty","div":"x"},
        "extension":[{"url":"http://x","valueCode":"a"}],"active":true,
        "name":[{"id":"n","given":["a",null],"_given":[null,{"id":"g"}]}],
        "_birthDate":{"extension":[{"url":"http://x","valueCode":"a"}]},
        "maritalStatus":{"text":"x"},"contact":[{"gender":"male"}],
        "link":[{"id":"l","other":{"reference":"Patient/2"},"type":"seealso"}]}"#,
    )
}

fn observation() -> Value {
    value(
        r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"}]},
        "text":{"status":"empty","div":"x"},"_status":{"id":"s"},"status":"final",
        "code":{"text":"x"},"note":[{"text":"x"}],"valueQuantity":{"value":1.10}}"#,
    )
}

#[test]
fn summary_true_keeps_what_the_definitions_mark() {
    same(
        &summary(&patient(), Summary::True),
        r#"{"resourceType":"Patient","id":"1","meta":{"tag":[TAG]},"active":true,"name":[{"given":["a",null],"_given":[null,{"id":"g"}]}],"_birthDate":{"extension":[{"url":"http://x","valueCode":"a"}]},"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}"#,
    );
    same(
        &summary(&observation(), Summary::True),
        r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"},TAG]},"_status":{"id":"s"},"status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}"#,
    );
}

#[test]
fn summary_true_leaves_attached_data_out() {
    let document = value(
        r#"{"resourceType":"DocumentReference","status":"current",
        "content":[{"attachment":{"contentType":"text/plain","data":"QUJD"}}]}"#,
    );
    same(
        &summary(&document, Summary::True),
        r#"{"resourceType":"DocumentReference","meta":{"tag":[TAG]},"status":"current","content":[{"attachment":{"contentType":"text/plain"}}]}"#,
    );
}

#[test]
fn a_mandatory_element_without_summary_content_is_kept_whole() {
    let document = value(
        r#"{"resourceType":"DocumentReference","status":"current",
        "content":[{"attachment":{"data":"QUJD"}}]}"#,
    );
    let part = summary(&document, Summary::True);
    assert_eq!(part["content"], document["content"]);
}

#[test]
fn summary_text_keeps_text_and_mandatory_elements() {
    same(
        &summary(&observation(), Summary::Text),
        r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"},TAG]},"text":{"status":"empty","div":"x"},"_status":{"id":"s"},"status":"final","code":{"text":"x"}}"#,
    );
}

#[test]
fn summary_data_takes_the_text_out() {
    let part = summary(&patient(), Summary::Data);
    assert!(part.get("text").is_none() && part.get("extension").is_some());
    assert!(is_subsetted(&part));
}

#[test]
fn summary_false_changes_nothing() {
    assert_eq!(summary(&patient(), Summary::False), patient());
    assert!(!is_subsetted(&patient()));
    assert!(Summary::parse("yes").is_err());
    assert_eq!(Summary::parse("text").ok(), Some(Summary::Text));
}

#[test]
fn elements_keeps_the_named_and_the_mandatory() {
    let base = ResourceType::parse("Observation");
    for text in ["value", "valueQuantity", "value[x]", " Observation.value , id"] {
        same(
            &elements(&observation(), &Elements::parse(text, base).unwrap()),
            r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"},TAG]},"_status":{"id":"s"},"status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}"#,
        );
    }
    same(
        &elements(&patient(), &Elements::parse("birthDate", None).unwrap()),
        r#"{"resourceType":"Patient","id":"1","meta":{"tag":[TAG]},"_birthDate":{"extension":[{"url":"http://x","valueCode":"a"}]}}"#,
    );
}

#[test]
fn elements_of_one_type_leave_other_types_whole() {
    let observation_only = Elements::parse("status", ResourceType::parse("Observation")).unwrap();
    assert_eq!(elements(&patient(), &observation_only), patient());
    let both =
        Elements::parse("status,Patient.active", ResourceType::parse("Observation")).unwrap();
    same(
        &elements(&patient(), &both),
        r#"{"resourceType":"Patient","id":"1","meta":{"tag":[TAG]},"active":true}"#,
    );
}

#[test]
fn elements_that_are_none_are_refused() {
    let patient = ResourceType::parse("Patient");
    for text in ["nonsense", "status", "Patient.status", "Nope.name", "", ",", "name.given", "Name"]
    {
        let error = Elements::parse(text, patient).unwrap_err();
        assert_eq!(error.kind.status(), 400, "{text}");
    }
    assert!(Elements::parse("nonsense", None).is_err());
}

#[test]
fn a_subset_of_a_subset_has_one_tag() {
    let once = summary(&patient(), Summary::Data);
    let twice = summary(&once, Summary::True);
    assert_eq!(twice["meta"]["tag"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_no_resource_is_left_alone() {
    for text in ["null", "[]", "{}", r#"{"resourceType":"Nope"}"#] {
        assert_eq!(summary(&value(text), Summary::True), value(text));
        assert!(!is_subsetted(&value(text)));
    }
}
