//! Bad resources with the issue that each must have, and good ones that look bad. A line of
//! the table: expression, code, JSON.

use super::{MAX_ISSUES, validate};
use crate::fhir::json;
use crate::limits::Limits;

fn issues(text: &str) -> Vec<String> {
    let value = json::read(text.as_bytes(), &Limits::default()).expect(text);
    let issues = validate(&value, &Limits::default()).err().unwrap_or_default();
    for issue in &issues {
        assert!(!issue.diagnostics.is_empty(), "{text}");
    }
    issues.iter().map(|issue| format!("{} {}", issue.expression, issue.code.as_str())).collect()
}

/// Each case has exactly the one issue of its line.
fn refused(table: &str) {
    let mut failures = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let (expected, text) = line.trim().split_once(" | ").expect(line);
        let found = issues(text);
        if found != [expected] {
            failures.push(format!("{text}\n  expected {expected}\n  found {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn json_has_the_shape_that_the_element_table_says() {
    refused(
        r##"
resourceType structure | {"resourceType":1}
resourceType structure | {"resourceType":"Pateint"}
resourceType structure | {"resourceType":"Resource"}
resourceType structure | {"resourceType":"HumanName"}
Patient.birthdate structure | {"resourceType":"Patient","birthdate":"2020"}
Patient.`a b` structure | {"resourceType":"Patient","a b":"2020"}
Patient.deceased structure | {"resourceType":"Patient","deceased":true}
Patient.deceasedString structure | {"resourceType":"Patient","deceasedString":"x"}
Patient.fhir_comments structure | {"resourceType":"Patient","fhir_comments":["x"]}
Patient.name[0].givn structure | {"resourceType":"Patient","name":[{"givn":["x"]}]}
Patient.name[0].resourceType structure | {"resourceType":"Patient","name":[{"resourceType":"HumanName","text":"x"}]}
Patient.name structure | {"resourceType":"Patient","name":{"text":"x"}}
Patient.name structure | {"resourceType":"Patient","name":[]}
Patient.name structure | {"resourceType":"Patient","name":"x"}
Patient.name[0] structure | {"resourceType":"Patient","name":[{}]}
Patient.name[1] structure | {"resourceType":"Patient","name":[{"text":"x"},"y"]}
Patient.name[0] structure | {"resourceType":"Patient","name":[null]}
Patient.name[0] invariant | {"resourceType":"Patient","name":[{"id":"a"}]}
Patient.name[0].given structure | {"resourceType":"Patient","name":[{"given":"x"}]}
Patient.name[0].given[1] structure | {"resourceType":"Patient","name":[{"given":["x",1]}]}
Patient.name[0].given[1] structure | {"resourceType":"Patient","name":[{"given":["x",null]}]}
Patient.name[0].given[0] structure | {"resourceType":"Patient","name":[{"given":[["x"]]}]}
Patient.gender structure | {"resourceType":"Patient","gender":["male"]}
Patient.gender structure | {"resourceType":"Patient","gender":null}
Patient.gender structure | {"resourceType":"Patient","gender":{"value":"male"}}
Patient.active structure | {"resourceType":"Patient","active":"true"}
Patient.active structure | {"resourceType":"Patient","active":1}
Patient.maritalStatus structure | {"resourceType":"Patient","maritalStatus":[{"text":"x"}]}
Patient.maritalStatus structure | {"resourceType":"Patient","maritalStatus":{}}
Patient.maritalStatus structure | {"resourceType":"Patient","maritalStatus":"M"}
Patient.deceased structure | {"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}
Patient.deceased structure | {"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"extension":[{"url":"http://x","valueCode":"a"}]}}
Patient.multipleBirth.ofType(integer) structure | {"resourceType":"Patient","multipleBirthInteger":"1"}
"##,
    );
}

#[test]
fn what_is_no_object_is_no_resource() {
    for text in ["[]", "null", "1", "\"Patient\""] {
        assert_eq!(issues(text), [" structure"], "{text}");
    }
}

#[test]
fn siblings_of_primitives_hold_ids_and_extensions_in_step() {
    refused(
        r##"
Patient.birthDate structure | {"resourceType":"Patient","_birthDate":[{"id":"a"}]}
Patient.birthDate structure | {"resourceType":"Patient","_birthDate":"x"}
Patient.birthDate structure | {"resourceType":"Patient","_birthDate":null}
Patient.birthDate structure | {"resourceType":"Patient","birthDate":"2020","_birthDate":{}}
Patient.birthDate invariant | {"resourceType":"Patient","_birthDate":{"id":"a"}}
Patient.birthDate.value structure | {"resourceType":"Patient","_birthDate":{"id":"a","value":"x"}}
Patient.birthDate.extension[0].url required | {"resourceType":"Patient","_birthDate":{"extension":[{"valueCode":"a"}]}}
Patient.maritalStatus structure | {"resourceType":"Patient","_maritalStatus":{"id":"a"}}
Patient._nonsense structure | {"resourceType":"Patient","_nonsense":{"id":"a"}}
Patient._resourceType structure | {"resourceType":"Patient","_resourceType":{"id":"a"}}
Patient.name[0].given structure | {"resourceType":"Patient","name":[{"given":["a"],"_given":{"id":"a"}}]}
Patient.name[0].given structure | {"resourceType":"Patient","name":[{"given":["a","b"],"_given":[{"id":"a"}]}]}
Patient.name[0].given structure | {"resourceType":"Patient","name":[{"given":["a"],"_given":[]}]}
Patient.name[0].given[1] structure | {"resourceType":"Patient","name":[{"given":["a",null],"_given":[{"id":"a"},null]}]}
Patient.name[0].given[0] structure | {"resourceType":"Patient","name":[{"_given":[null]}]}
Patient.name[0].given[0] structure | {"resourceType":"Patient","name":[{"given":["a"],"_given":["b"]}]}
Patient.text.div structure | {"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>","_div":{"id":"a"}}}
"##,
    );
}

#[test]
fn elements_stand_as_often_as_they_must_and_may() {
    refused(
        r##"
Observation.status required | {"resourceType":"Observation","code":{"text":"x"}}
Observation.code required | {"resourceType":"Observation","status":"final"}
Observation.component[0].code required | {"resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"valueString":"x"}]}
MedicationRequest.medication required | {"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"}}
Bundle.type required | {"resourceType":"Bundle"}
Bundle.link[0].url required | {"resourceType":"Bundle","type":"collection","link":[{"relation":"self"}]}
Patient.link[0].other required | {"resourceType":"Patient","link":[{"type":"seealso"}]}
Patient.text.status required | {"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}
"##,
    );
}

#[test]
fn primitives_have_their_format() {
    refused(
        r##"
Patient.birthDate value | {"resourceType":"Patient","birthDate":"2020-13-45"}
Patient.birthDate value | {"resourceType":"Patient","birthDate":"2021-02-29"}
Patient.birthDate value | {"resourceType":"Patient","birthDate":""}
Patient.id value | {"resourceType":"Patient","id":"a_b"}
Patient.language value | {"resourceType":"Patient","language":" en"}
Patient.implicitRules value | {"resourceType":"Patient","implicitRules":"http://a b"}
Patient.meta.lastUpdated value | {"resourceType":"Patient","meta":{"lastUpdated":"2020-01-01"}}
Patient.meta.profile[0] value | {"resourceType":"Patient","meta":{"profile":[""]}}
Patient.name[0].family value | {"resourceType":"Patient","name":[{"family":" "}]}
Patient.name[0].family value | {"resourceType":"Patient","name":[{"family":"a\u0001"}]}
Patient.name[0].given[0] value | {"resourceType":"Patient","name":[{"given":[""]}]}
Patient.deceased.ofType(dateTime) value | {"resourceType":"Patient","deceasedDateTime":"2020-01-01T10:00:00"}
Patient.multipleBirth.ofType(integer) value | {"resourceType":"Patient","multipleBirthInteger":1.0}
Patient.multipleBirth.ofType(integer) value | {"resourceType":"Patient","multipleBirthInteger":2147483648}
Patient.photo[0].data value | {"resourceType":"Patient","photo":[{"data":"QQ="}]}
Patient.photo[0].size value | {"resourceType":"Patient","photo":[{"size":-1}]}
Patient.telecom[0].rank value | {"resourceType":"Patient","telecom":[{"rank":0}]}
Observation.value.ofType(Quantity).value structure | {"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":"1.0"}}
Observation.value.ofType(time) value | {"resourceType":"Observation","status":"final","code":{"text":"x"},"valueTime":"25:00:00"}
Patient.text.div value | {"resourceType":"Patient","text":{"status":"generated","div":"<div>x</div>"}}
Patient.text.div value | {"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}
Patient.text.div structure | {"resourceType":"Patient","text":{"status":"generated","div":1}}
"##,
    );
}

#[test]
fn codes_are_of_their_required_value_set() {
    refused(
        r##"
Patient.gender code-invalid | {"resourceType":"Patient","gender":"f"}
Patient.name[0].use code-invalid | {"resourceType":"Patient","name":[{"use":"usuall"}]}
Patient.text.status code-invalid | {"resourceType":"Patient","text":{"status":"x","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}
Bundle.type code-invalid | {"resourceType":"Bundle","type":"bundle"}
Observation.value.ofType(Quantity).comparator code-invalid | {"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"comparator":"="}}
AllergyIntolerance.clinicalStatus code-invalid | {"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"text":"active"}}
AllergyIntolerance.clinicalStatus code-invalid | {"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"code":"active"}]}}
AllergyIntolerance.clinicalStatus code-invalid | {"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://x","code":"active"}]}}
"##,
    );
}

#[test]
fn references_are_written_as_r4_says_and_lead_where_the_element_allows() {
    refused(
        r##"
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"1"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Organisation/1"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"/Organization/1"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Organization/1/"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Organization/a_b"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Organization/1/_history/"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Organization?name=x"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"urn:uuid:1"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"urn:oid:x"}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":""}}
Patient.managingOrganization.reference value | {"resourceType":"Patient","managingOrganization":{"reference":"Patient/1"}}
Patient.managingOrganization.type value | {"resourceType":"Patient","managingOrganization":{"type":"Patient","display":"x"}}
Patient.managingOrganization.type value | {"resourceType":"Patient","managingOrganization":{"reference":"Organization/1","type":"Patient"}}
Patient.managingOrganization.reference invariant | {"resourceType":"Patient","managingOrganization":{"reference":"#o"}}
Patient.managingOrganization.reference invariant | {"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"p","name":"x"}],"managingOrganization":{"reference":"#o"}}
Observation.instantiates structure | {"resourceType":"Observation","status":"final","code":{"text":"x"},"instantiates":"#x"}
Procedure.instantiatesCanonical[0] invariant | {"resourceType":"Procedure","status":"completed","subject":{"reference":"Patient/1"},"instantiatesCanonical":["#x"]}
"##,
    );
}

#[test]
fn contained_and_nested_resources_are_resources() {
    refused(
        r##"
Patient.contained[0].resourceType structure | {"resourceType":"Patient","contained":[{"id":"a"}]}
Patient.contained[0].resourceType structure | {"resourceType":"Patient","contained":[{"resourceType":"X","id":"a"}]}
Patient.contained[0] structure | {"resourceType":"Patient","contained":["x"]}
Patient.contained[0] structure | {"resourceType":"Patient","contained":[null]}
Patient.contained[0].id required | {"resourceType":"Patient","contained":[{"resourceType":"Organization","name":"x"}]}
Patient.contained[0].contained[0] invariant | {"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"b"}]}]}
Patient.contained[0].meta.versionId invariant | {"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}}]}
Patient.contained[0].meta.lastUpdated invariant | {"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}]}
Patient.contained[0].meta.security invariant | {"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","meta":{"security":[{"code":"R"}]}}]}
Patient.contained[0].gender code-invalid | {"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","gender":"x"}]}
Bundle.entry[0].resource.gender code-invalid | {"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":"x"}}]}
Bundle.entry[0].resource.resourceType structure | {"resourceType":"Bundle","type":"collection","entry":[{"resource":{"id":"x"}}]}
Bundle.entry[0].resource.managingOrganization.reference invariant | {"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","managingOrganization":{"reference":"#a"}}}]}
Bundle.entry[0].resource structure | {"resourceType":"Bundle","type":"collection","entry":[{"resource":[]}]}
Parameters.parameter[0].resource.name structure | {"resourceType":"Parameters","parameter":[{"name":"x","resource":{"resourceType":"Patient","name":"x"}}]}
Parameters.parameter[0].value structure | {"resourceType":"Parameters","parameter":[{"name":"x","valueString":"a","valueCode":"a"}]}
Parameters.parameter[0].part[0].name required | {"resourceType":"Parameters","parameter":[{"name":"x","part":[{"valueCode":"a"}]}]}
"##,
    );
}

#[test]
fn an_extension_has_a_url_and_a_value_or_extensions() {
    refused(
        r##"
Patient.extension[0].url required | {"resourceType":"Patient","extension":[{"valueCode":"a"}]}
Patient.extension[0].url extension | {"resourceType":"Patient","extension":[{"url":"birthPlace","valueCode":"a"}]}
Patient.extension[0] invariant | {"resourceType":"Patient","extension":[{"url":"http://x"}]}
Patient.extension[0] invariant | {"resourceType":"Patient","extension":[{"url":"http://x","valueCode":"a","extension":[{"url":"b","valueCode":"a"}]}]}
Patient.extension[0].valueNonsense structure | {"resourceType":"Patient","extension":[{"url":"http://x","valueNonsense":"a"}]}
Patient.extension[0].extension[0] invariant | {"resourceType":"Patient","extension":[{"url":"http://x","extension":[{"url":"b"}]}]}
Patient.extension[0].value.ofType(Reference).reference value | {"resourceType":"Patient","extension":[{"url":"http://x","valueReference":{"reference":"x"}}]}
"##,
    );
}

#[test]
fn what_r4_allows_is_taken() {
    for text in [
        r##"{"resourceType":"Patient"}"##,
        r##"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"unknown"}]}}"##,
        r##"{"resourceType":"Patient","_birthDate":{"id":"a"},"birthDate":"2020"}"##,
        r##"{"resourceType":"Observation","_status":{"extension":[{"url":"http://x","valueCode":"unknown"}]},"code":{"text":"x"}}"##,
        r##"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://x","valueCode":"a"}]}]}]}"##,
        r##"{"resourceType":"Patient","name":[{"_given":[{"extension":[{"url":"http://x","valueCode":"a"}]}]}]}"##,
        r##"{"resourceType":"Patient","extension":[{"url":"http://x","extension":[{"url":"part","valueCode":"a"}]}]}"##,
        r##"{"resourceType":"Patient","extension":[{"url":"http://x","_valueCode":{"extension":[{"url":"http://y","valueCode":"a"}]}}]}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"x","partOf":{"reference":"#p"}},{"resourceType":"Organization","id":"p","name":"x"}],"managingOrganization":{"reference":"#o"}}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Provenance","id":"o","target":[{"reference":"#"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}]}"##,
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"http://other/fhir/Patient/1"}}"##,
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1/_history/2","type":"Organization"}}"##,
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"urn:oid:1.2.3"}}"##,
        r##"{"resourceType":"Patient","managingOrganization":{"identifier":{"value":"x"}}}"##,
        r##"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Patient","managingOrganization":{"reference":"Organization?name=x"}},"request":{"method":"POST","url":"Patient"}}]}"##,
        r##"{"resourceType":"Parameters","parameter":[{"name":"x","resource":{"resourceType":"Patient"}}]}"##,
        r##"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10e2}}"##,
    ] {
        assert_eq!(issues(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn all_errors_are_told_at_once_up_to_a_bound() {
    let found = issues(r##"{"resourceType":"Observation","x":1,"status":"y","issued":"2020"}"##);
    assert_eq!(
        found,
        [
            "Observation.x structure",
            "Observation.status code-invalid",
            "Observation.issued value",
            "Observation.code required"
        ]
    );
    let names = vec!["{\"x\":1}"; 1000].join(",");
    let found = issues(&format!("{{\"resourceType\":\"Patient\",\"name\":[{names}]}}"));
    assert_eq!(found.len(), MAX_ISSUES);
}

#[test]
fn very_deep_values_are_refused_and_do_not_overflow_the_stack() {
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    let item = |inner: String| {
        format!(
            r#"{{"linkId":"a","type":"group"{}}}"#,
            match inner.is_empty() {
                true => inner,
                false => format!(r#","item":[{inner}]"#),
            }
        )
    };
    let items = (0..250).fold(String::new(), |inner, _| item(inner));
    let text = format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{items}]}}"#);
    let value = json::read(text.as_bytes(), &limits).unwrap();
    assert!(validate(&value, &limits).is_ok());
    let issues = validate(&value, &Limits::default()).unwrap_err();
    assert_eq!(issues[0].code.as_str(), "too-costly");
}

#[test]
fn a_long_string_is_refused_except_for_base64_binary() {
    let limits = Limits { string_bytes: 10, ..Limits::default() };
    let check = |text: &str| {
        let value = json::read(text.as_bytes(), &Limits::default()).unwrap();
        validate(&value, &limits).err().map(|issues| issues[0].code.as_str())
    };
    let long = r#"{"resourceType":"Patient","name":[{"family":"aaaaaaaaaaa"}]}"#;
    assert_eq!(check(long), Some("too-long"));
    let data = r#"{"resourceType":"Patient","photo":[{"data":"QUJDQUJDQUJDQUJD"}]}"#;
    assert_eq!(check(data), None);
}
