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
        &part(&patient(), &Subset::Summary),
        r#"{"resourceType":"Patient","id":"1","meta":{"tag":[TAG]},"active":true,"name":[{"given":["a",null],"_given":[null,{"id":"g"}]}],"_birthDate":{"extension":[{"url":"http://x","valueCode":"a"}]},"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}"#,
    );
    same(
        &part(&observation(), &Subset::Summary),
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
        &part(&document, &Subset::Summary),
        r#"{"resourceType":"DocumentReference","meta":{"tag":[TAG]},"status":"current","content":[{"attachment":{"contentType":"text/plain"}}]}"#,
    );
}

#[test]
fn a_mandatory_element_without_summary_content_is_kept_whole() {
    let document = value(
        r#"{"resourceType":"DocumentReference","status":"current",
        "content":[{"attachment":{"data":"QUJD"}}]}"#,
    );
    let part = part(&document, &Subset::Summary);
    assert_eq!(part["content"], document["content"]);
}

#[test]
fn summary_text_keeps_text_and_mandatory_elements() {
    same(
        &part(&observation(), &Subset::Text),
        r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"},TAG]},"text":{"status":"empty","div":"x"},"_status":{"id":"s"},"status":"final","code":{"text":"x"}}"#,
    );
}

#[test]
fn summary_data_takes_the_text_out() {
    let part = part(&patient(), &Subset::Data);
    assert!(part.get("text").is_none() && part.get("extension").is_some());
    assert!(is_subsetted(&part));
}

#[test]
fn summary_false_changes_nothing() {
    assert_eq!(part(&patient(), &Subset::None), patient());
    assert!(!is_subsetted(&patient()));
}

fn elements(names: &[&str]) -> Subset {
    Subset::Elements(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn elements_keeps_the_named_and_the_mandatory() {
    for names in [&["value"][..], &["valueQuantity", "id"]] {
        same(
            &part(&observation(), &elements(names)),
            r#"{"resourceType":"Observation","meta":{"versionId":"1","tag":[{"code":"t"},TAG]},"_status":{"id":"s"},"status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}"#,
        );
    }
    same(
        &part(&patient(), &elements(&["birthDate"])),
        r#"{"resourceType":"Patient","id":"1","meta":{"tag":[TAG]},"_birthDate":{"extension":[{"url":"http://x","valueCode":"a"}]}}"#,
    );
}

#[test]
fn names_that_are_no_elements_are_found() {
    let names = ["active".to_owned(), "nonsense".to_owned()];
    assert_eq!(unknown_element(&names, ResourceType::parse("Patient")), Some("nonsense"));
    assert_eq!(unknown_element(&names[..1], ResourceType::parse("Patient")), None);
    assert_eq!(unknown_element(&names, None), Some("nonsense"));
}

#[test]
fn a_subset_of_a_subset_has_one_tag() {
    let once = part(&patient(), &Subset::Data);
    let twice = part(&once, &Subset::Summary);
    assert_eq!(twice["meta"]["tag"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_no_resource_is_left_alone() {
    for text in ["null", "[]", "{}", r#"{"resourceType":"Nope"}"#] {
        assert_eq!(part(&value(text), &Subset::Summary), value(text));
        assert!(!is_subsetted(&value(text)));
    }
}
