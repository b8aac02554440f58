use super::*;
use crate::error::Result;
use proptest::prelude::*;
use serde_json::json;

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "p",
        "text": {
            "status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"> a&#160;<b>b</b>\n</div>",
        },
        "active": true,
        "name": [{"family": "A", "given": ["B", "C"], "_given": [null, {"id": "c"}]}],
        "birthDate": "1970-01-01",
    })
}

fn patch(patch: Patch) -> Result<Value> {
    apply(&patch, &patient(), &Limits::default())
}

fn xml(operations: &str) -> Result<Value> {
    let diff = format!("<diff xmlns=\"http://hl7.org/fhir\">{operations}</diff>");
    patch(Patch::Xml(diff.into_bytes()))
}

#[test]
fn no_patch_changes_the_type_or_the_id() {
    let patches = [
        Patch::Json(json!([{"op": "replace", "path": "/id", "value": "q"}])),
        Patch::Json(json!([{"op": "remove", "path": "/id"}])),
        Patch::Json(json!([{"op": "replace", "path": "/resourceType", "value": "Group"}])),
        Patch::Json(json!([{"op": "replace", "path": "", "value": 1}])),
        Patch::Merge(json!({"id": null})),
        Patch::Merge(json!({"resourceType": "Group"})),
        Patch::Xml(b"<diff><replace sel=\"f:Patient/f:id/@value\">q</replace></diff>".to_vec()),
    ];
    for it in patches {
        let error = patch(it.clone()).unwrap_err();
        assert_eq!(error.kind.status(), 422, "{it:?}");
        assert!(error.issues[0].expression.starts_with("Patient."), "{it:?}: {error}");
    }
}

#[test]
fn xml_patch_changes_a_resource_and_keeps_the_narrative() {
    let patched = xml("<replace sel=\"f:Patient/f:active/@value\">false</replace>\
                       <remove sel=\"f:Patient/f:name/f:given[2]\"/>\
                       <add sel=\"f:Patient/f:birthDate\" pos=\"before\"><gender value=\"male\"/>\
                       </add>")
    .unwrap();
    let mut expected = patient();
    expected["active"] = json!(false);
    expected["name"] = json!([{"family": "A", "given": ["B"]}]);
    expected["gender"] = json!("male");
    assert_eq!(patched, expected);
}

#[test]
fn xml_patch_takes_a_narrative_as_it_is() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"> x&#160;<br ></br><!-- c --></div>";
    let patched = xml(&format!("<replace sel=\"f:Patient/f:text/h:div\">{div}</replace>"));
    assert_eq!(patched.unwrap()["text"]["div"], div);
}

#[test]
fn xml_patch_tells_what_is_wrong_and_where() {
    let fault = |operation: &str| {
        let add = "<add sel=\"f:Patient/f:active\" type=\"@id\">x</add>";
        let error = xml(&format!("{add}{operation}")).unwrap_err();
        (error.kind.status(), error.issues[0].expression.clone())
    };
    let second = "operation[1]".to_owned();
    for operation in [
        "<remove sel=\"f:Patient/f:gender\"/>",
        "<remove sel=\"f:Patient/f:name/f:given\"/>",
        "<remove sel=\"f:Patient\"/>",
        "<add sel=\"f:Patient/f:active\" type=\"@id\">y</add>",
        "<add sel=\"f:Patient/f:active/@value\">y</add>",
    ] {
        assert_eq!(fault(operation), (422, second.clone()), "{operation}");
    }
    for operation in [
        "<spam sel=\"f:Patient\"/>",
        "<remove/>",
        "<remove sel=\"//f:Patient\"/>",
        "<add sel=\"f:Patient\" pos=\"middle\"/>",
        "<add sel=\"f:Patient\" type=\"value\"/>",
        "<add sel=\"f:Patient\" type=\"@x y\"/>",
        "<replace sel=\"f:Patient/f:active\"/>",
    ] {
        assert_eq!(fault(operation), (400, second.clone()), "{operation}");
    }
    let invalid = "<replace sel=\"f:Patient/f:active/@value\">maybe</replace>";
    assert_eq!(fault(invalid), (422, "Patient.active".to_owned()));
    assert_eq!(xml("").unwrap_err().kind.status(), 400);
    assert_eq!(patch(Patch::Xml(b"<!DOCTYPE a><diff/>".to_vec())).unwrap_err().kind.status(), 400);
}

#[test]
fn merge_patch_changes_and_removes_properties() {
    let patched = patch(Patch::Merge(json!({"active": null, "gender": "male"}))).unwrap();
    assert_eq!(patched.get("active"), None);
    assert_eq!(patched["gender"], "male");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z/~0-9.\\[\\]]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{0,5}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("name"),
        Just("0"),
        Just("1"),
        Just("-"),
        Just("given"),
        Just("_given"),
        Just("id"),
        Just("active"),
        Just(""),
        Just("~0"),
        Just("00"),
    ];
    proptest::collection::vec(token, 0..5)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn json_operation() -> impl Strategy<Value = Value> {
    let op = prop_oneof![
        Just("add"),
        Just("remove"),
        Just("replace"),
        Just("move"),
        Just("copy"),
        Just("test"),
    ];
    (op, pointer(), pointer(), any_json()).prop_map(
        |(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}),
    )
}

fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        Just("name"),
        Just("given"),
        Just("birthDate"),
        Just("extension"),
        Just("first()"),
        Just("id"),
        Just("text"),
        Just("div"),
        Just("active"),
        Just("where(true)"),
    ];
    proptest::collection::vec((step, proptest::option::of(0..3)), 0..4).prop_map(|steps| {
        let step = |(step, index): &(&str, Option<i32>)| match index {
            Some(index) => format!(".{step}[{index}]"),
            None => format!(".{step}"),
        };
        format!("Patient{}", steps.iter().map(step).collect::<String>())
    })
}

fn fhirpath_operation() -> impl Strategy<Value = Value> {
    let kind =
        prop_oneof![Just("add"), Just("insert"), Just("delete"), Just("replace"), Just("move"),];
    let value = prop_oneof![
        Just(json!({"valueString": "x"})),
        Just(json!({"valueDate": "1980", "_valueDate": {"id": "d"}})),
        Just(json!({"_valueString": {"extension": [{"url": "u", "valueCode": "c"}]}})),
        Just(json!({"valueHumanName": {"text": "n"}})),
        Just(json!({"valueExtension": {"url": "u", "valueCode": "c"}})),
        Just(json!({"part": [{"name": "gender", "valueCode": "male"}]})),
    ];
    let name = prop_oneof![
        Just("name"),
        Just("given"),
        Just("extension"),
        Just("contact"),
        Just("deceased"),
        Just("birthDate"),
        Just("id"),
        Just("nonsense"),
    ];
    (kind, path(), name, value, 0..4, 0..4).prop_map(|(kind, path, name, mut value, a, b)| {
        value["name"] = json!("value");
        json!({"name": "operation", "part": [
            {"name": "type", "valueCode": kind},
            {"name": "path", "valueString": path},
            {"name": "name", "valueString": name},
            {"name": "index", "valueInteger": a},
            {"name": "source", "valueInteger": a},
            {"name": "destination", "valueInteger": b},
            value,
        ]})
    })
}

proptest! {
    #[test]
    fn random_json_never_panics(value in any_json()) {
        let _ = patch(Patch::Json(value.clone()));
        let _ = patch(Patch::Merge(value.clone()));
        let _ = patch(Patch::FhirPath(value.clone()));
        let _ = patch(Patch::FhirPath(json!({"resourceType": "Parameters", "parameter": value})));
    }

    #[test]
    fn random_json_patches_never_panic(
        operations in proptest::collection::vec(json_operation(), 1..8)
    ) {
        let _ = patch(Patch::Json(Value::Array(operations)));
    }

    #[test]
    fn random_fhirpath_patches_never_panic(
        operations in proptest::collection::vec(fhirpath_operation(), 1..8)
    ) {
        let parameters = json!({"resourceType": "Parameters", "parameter": operations});
        let _ = patch(Patch::FhirPath(parameters));
    }

    #[test]
    fn random_xml_patches_never_panic(
        selector in "[f:/@*a-zA-Z\\[\\]0-9='.()]{0,30}",
        operation in prop_oneof![Just("add"), Just("replace"), Just("remove")],
        attribute in prop_oneof![
            Just(""), Just(" pos='before'"), Just(" pos='after'"), Just(" type='@id'"),
            Just(" type='namespace::p'"), Just(" ws='both'"),
        ],
        known in 0usize..8,
        content in prop_oneof![
            Just(""), Just("x"), Just("<gender value='male'/>"), Just("<!--c-->"),
        ],
    ) {
        let selector = ["f:Patient", "f:Patient/f:name", "f:Patient/f:name/f:given[1]/@value",
            "f:Patient/f:text/h:div", "f:Patient/f:text/h:div/text()[1]", "*/*[2]"]
            .get(known).map_or(selector.replace('\'', "&apos;"), |known| (*known).to_owned());
        let _ = xml(&format!("<{operation} sel='{selector}'{attribute}>{content}</{operation}>"));
    }

    #[test]
    fn random_bytes_as_xml_patch_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        let _ = patch(Patch::Xml(bytes));
    }
}
