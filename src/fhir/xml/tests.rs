use super::*;
use crate::limits::Limits;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;

fn lines(path: &str) -> impl Iterator<Item = String> + use<> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    BufReader::new(GzDecoder::new(file)).lines().map(|line| line.unwrap())
}

fn to_json(xml: &str) -> Value {
    read(xml.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error}\n{xml}"))
}

fn patient(content: &str) -> String {
    format!("<Patient xmlns=\"http://hl7.org/fhir\">{content}</Patient>")
}

/// (expression, diagnostics) of every issue.
fn issues(xml: &str) -> Vec<(String, String)> {
    let error = read(xml.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind.status(), 400);
    error.issues.into_iter().map(|issue| (issue.expression, issue.diagnostics)).collect()
}

/// JSON to XML to JSON, in both layouts.
fn round_trip(line: &str, layout: Layout) -> Result<(), String> {
    let original: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let xml = write(&original, layout).map_err(|error| error.to_string())?;
    let limits = Limits { body_bytes: usize::MAX, nodes: usize::MAX, ..Limits::default() };
    let back = read(xml.as_bytes(), &limits).map_err(|error| error.to_string())?;
    if back == original { Ok(()) } else { Err("differs".to_owned()) }
}

fn identity(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    format!("{}/{}", value["resourceType"], value["id"])
}

/// With BHN_FULL all 5,306 resources; else the examples up to a megabyte (the twelve above are
/// Bundles of the definitions) and every tenth definition.
#[test]
fn hl7s_package_survives_json_to_xml_to_json() {
    let (step, longest) = match std::env::var_os("BHN_FULL") {
        Some(_) => (1, usize::MAX),
        None => (10, 1 << 20),
    };
    let definitions = [
        "profiles-resources",
        "profiles-types",
        "profiles-others",
        "extension-definitions",
        "search-parameters",
        "valuesets",
        "v3-codesystems",
        "v2-tables",
        "conceptmaps",
        "other-definitions",
    ];
    let definitions =
        definitions.iter().flat_map(|name| lines(&format!("fhir-profiles/r4/{name}.ndjson.gz")));
    let examples = lines("tests/data/r4-examples/examples.ndjson.gz");
    let examples = examples.filter(|line| line.len() <= longest);
    let (mut passed, mut failed) = (0, Vec::new());
    for (index, line) in examples.chain(definitions.step_by(step)).enumerate() {
        let layout = if index % 2 == 0 { Layout::Compact } else { Layout::Pretty };
        match round_trip(&line, layout) {
            Ok(()) => passed += 1,
            Err(error) => failed.push(format!("{}: {error}", identity(&line))),
        }
    }
    println!("xml round trip {passed}/{}", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed >= 716 + 400);
}

#[test]
fn primitives_become_json_types_with_their_digits() {
    let xml = patient("<active value=\"true\"/><multipleBirthInteger value=\"2\"/>");
    let expected = json!({"resourceType": "Patient", "active": true, "multipleBirthInteger": 2});
    assert_eq!(to_json(&xml), expected);
    let quantity = "<Observation xmlns=\"http://hl7.org/fhir\"><valueQuantity>\
                    <value value=\"1.10\"/></valueQuantity></Observation>";
    assert_eq!(to_json(quantity)["valueQuantity"]["value"].to_string(), "1.10");
}

#[test]
fn ids_and_extensions_of_primitives_become_companions_padded_with_null() {
    let xml = patient(
        "<name id=\"n1\"><given value=\"A\"/><given id=\"g2\" value=\"B\"/><given>\
         <extension url=\"urn:x\"><valueCode value=\"masked\"/></extension></given></name>\
         <birthDate value=\"1970\"><extension url=\"urn:y\"><valueString value=\"z\"/>\
         </extension></birthDate>",
    );
    let expected = json!({
        "resourceType": "Patient",
        "name": [{
            "id": "n1",
            "given": ["A", "B", null],
            "_given": [
                null,
                {"id": "g2"},
                {"extension": [{"url": "urn:x", "valueCode": "masked"}]},
            ],
        }],
        "birthDate": "1970",
        "_birthDate": {"extension": [{"url": "urn:y", "valueString": "z"}]},
    });
    assert_eq!(to_json(&xml), expected);
    assert_eq!(to_json(&write(&expected, Layout::Pretty).unwrap()), expected);
}

#[test]
fn a_narrative_keeps_every_character() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">\r\n\t<!-- c --> a  &amp;&#160;<b\n\
               class='x' >b</b ><![CDATA[<]]><br/></div>";
    let xml = patient(&format!("<text><status value=\"generated\"/> {div} </text>"));
    let value = to_json(&xml);
    assert_eq!(value["text"]["div"], div);
    for layout in [Layout::Compact, Layout::Pretty] {
        assert_eq!(to_json(&write(&value, layout).unwrap()), value);
    }
}

#[test]
fn a_narrative_with_a_prefix_is_made_to_stand_by_itself() {
    let xml = "<f:Patient xmlns:f=\"http://hl7.org/fhir\" \
               xmlns:h=\"http://www.w3.org/1999/xhtml\"><f:text><f:status value=\"empty\"/>\
               <h:div title=\"a&quot;\"> <h:p>&lt;x</h:p><h:br/></h:div></f:text></f:Patient>";
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\" title=\"a&quot;\"> <p>&lt;x</p>\
               <br></br></div>";
    assert_eq!(to_json(xml)["text"]["div"], div);
}

#[test]
fn resources_nest_in_contained_bundles_and_parameters() {
    let xml = "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"batch\"/><entry><resource>\
               <Parameters><parameter><name value=\"p\"/><resource><Patient><contained>\
               <Organization><id value=\"o\"/></Organization></contained></Patient></resource>\
               </parameter></Parameters></resource></entry></Bundle>";
    let expected = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {
        "resourceType": "Parameters", "parameter": [{"name": "p", "resource": {
            "resourceType": "Patient",
            "contained": [{"resourceType": "Organization", "id": "o"}],
        }}],
    }}]});
    assert_eq!(to_json(xml), expected);
    assert_eq!(to_json(&write(&expected, Layout::Compact).unwrap()), expected);
}

#[test]
fn all_errors_come_at_once_each_with_its_path() {
    let xml = patient(
        "<nonsense/><active value=\"yes\"/><name><given value=\"\"/><given/>\
         <family value=\"a\"/></name><name other=\"1\">text<given value=\"x\"/></name>\
         <id value=\"late\"/><active value=\"true\"/>\
         <birthDate xmlns=\"urn:other\" value=\"1970\"/>\
         <deceasedDateTime><id value=\"x\"/></deceasedDateTime>\
         <contained><Nonsense/></contained>",
    );
    let found = issues(&xml);
    let expected = [
        ("Patient", "nonsense"),
        ("Patient.active", "boolean"),
        ("Patient.name[0].given[0]", "empty"),
        ("Patient.name[0].given[1]", "neither"),
        ("Patient.name[0].family", "before 'given'"),
        ("Patient.name[1]", "other"),
        ("Patient.name[1]", "Text"),
        ("Patient.id", "before 'name'"),
        ("Patient.active", "before 'name'"),
        ("Patient.active", "once"),
        ("Patient", "namespace"),
        ("Patient.deceased", "attribute"),
        ("Patient.deceased", "neither"),
        ("Patient.contained[0]", "before"),
        ("Patient.contained[0]", "Nonsense"),
    ];
    for (expression, text) in expected {
        let is_there = found.iter().any(|(at, what)| at == expression && what.contains(text));
        assert!(is_there, "{expression} {text} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn errors_before_a_break_are_listed_with_it() {
    let found = issues("<Patient xmlns=\"http://hl7.org/fhir\"><x/><name><given></name>");
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].0, "Patient.name[0].given[0]");
}

#[test]
fn the_list_of_errors_is_bounded() {
    assert!(issues(&patient(&"<x/>".repeat(5_000))).len() <= 101);
}

#[test]
fn another_namespace_or_type_at_the_root_is_one_error() {
    assert_eq!(issues("<Patient><name/></Patient>").len(), 1);
    assert_eq!(issues("<Patinet xmlns=\"http://hl7.org/fhir\"><a/></Patinet>").len(), 1);
    assert_eq!(issues("<!DOCTYPE x><Patient xmlns=\"http://hl7.org/fhir\"/>").len(), 1);
}

#[test]
fn a_value_keeps_line_ends_quotes_and_markup() {
    let value = json!({"resourceType": "Patient", "name": [{"text": " a\r\n\t\"<&>' é😀 "}]});
    let xml = write(&value, Layout::Compact).unwrap();
    assert!(xml.contains("a&#13;&#10;&#9;&quot;&lt;&amp;&gt;' é😀"));
    assert_eq!(to_json(&xml), value);
}

#[test]
fn writing_follows_the_order_of_the_definition() {
    let value = json!({"birthDate": "1970", "id": "a", "_active": {"id": "x"},
        "resourceType": "Patient", "active": true});
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <Patient xmlns=\"http://hl7.org/fhir\"><id value=\"a\"/>\
        <active id=\"x\" value=\"true\"/><birthDate value=\"1970\"/></Patient>";
    assert_eq!(write(&value, Layout::Compact).unwrap(), expected);
}

#[test]
fn what_has_no_place_in_xml_is_an_error_with_its_path() {
    let value = json!({"resourceType": "Patient", "x": 1, "active": "true", "name": {},
        "gender": "a\u{1}", "telecom": [1], "text": {"div": "<div>"}, "birthDate": null});
    let error = write(&value, Layout::Compact).unwrap_err();
    assert_eq!(error.kind.status(), 422);
    let found: Vec<_> = error.issues.iter().map(|issue| issue.expression.as_str()).collect();
    let expected = [
        "Patient",
        "Patient.text.div",
        "Patient.active",
        "Patient",
        "Patient.telecom[0]",
        "Patient.gender",
        "Patient.birthDate",
    ];
    assert_eq!(found, expected);
    for broken in [json!(1), json!({}), json!({"resourceType": "X"}), json!([])] {
        assert!(write(&broken, Layout::Compact).is_err());
    }
}

mod random {
    use super::super::*;
    use crate::limits::Limits;
    use proptest::prelude::*;

    const SEED: &str = "<?xml version=\"1.0\"?><Patient xmlns=\"http://hl7.org/fhir\">\
        <text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"> a<br/>\
        </div></text><contained><Organization><id value=\"o\"/></Organization></contained>\
        <extension url=\"urn:x\"><valueDecimal value=\"1.10\"/></extension><name id=\"n\">\
        <given value=\"A&amp;&#10;\"/><given id=\"b\"/></name><!-- c --></Patient>";

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, &Limits::default());
        }

        #[test]
        fn a_damaged_resource_never_panics_and_what_is_read_can_be_written(
            edits in proptest::collection::vec((0usize..600, any::<u8>(), 0usize..40), 1..6)
        ) {
            let mut bytes = SEED.as_bytes().to_vec();
            for (at, byte, cut) in edits {
                let at = at % bytes.len();
                match cut {
                    0..10 => bytes[at] = byte,
                    10..20 => bytes.insert(at, b"<>/\"'&; =:"[cut - 10]),
                    _ => { bytes.drain(at..(at + cut - 20).min(bytes.len())); }
                }
                if bytes.is_empty() {
                    break;
                }
            }
            if let Ok(value) = read(&bytes, &Limits::default())
                && let Ok(xml) = write(&value, Layout::Pretty)
            {
                prop_assert_eq!(read(xml.as_bytes(), &Limits::default()).unwrap(), value);
            }
        }
    }
}
