//! The official FHIRPath test suite for R4 (github.com/FHIR/fhir-test-cases, r4/fhirpath), read
//! from beside the repository. `conformance/fhirpath/known-failures.txt` names the tests that
//! fail, with reasons; it may only shrink.

mod invariants;

use super::{Context, Expression, Item, Mode, System, TemporalKind};
use crate::fhir::xml;
use crate::limits::Limits;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

#[derive(Default, Debug)]
struct Test {
    name: String,
    input: Option<String>,
    expression: String,
    is_invalid: bool,
    is_predicate: bool,
    is_unordered: bool,
    /// Type, where given, and text.
    outputs: Vec<(Option<String>, String)>,
}

#[allow(clippy::disallowed_methods)]
fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    std::env::var("BHN_SHARED").map_or_else(|_| beside(), PathBuf::from)
}

#[test]
fn the_official_suite_passes() {
    let folder = shared().join("fhir/fhirpath");
    let Ok(suite) = std::fs::read_to_string(folder.join("tests-fhir-r4.xml")) else {
        println!("fhirpath skipped");
        return;
    };
    let known = known_failures();
    let tests = tests(&suite);
    let mut inputs = HashMap::new();
    let mut failed = BTreeMap::new();
    for test in &tests {
        let resource = match &test.input {
            Some(name) => inputs
                .entry(name.clone())
                .or_insert_with(|| read_input(&folder.join("input").join(name))),
            None => inputs.entry(String::new()).or_insert(Value::Null),
        };
        if let Err(reason) = run(test, resource) {
            failed.insert(test.name.clone(), reason);
        }
    }
    println!("fhirpath {}/{}", tests.len() - failed.len(), tests.len());
    let new: Vec<_> = failed.iter().filter(|(name, _)| !known.contains(*name)).collect();
    let passed: Vec<_> = known.iter().filter(|name| !failed.contains_key(*name)).collect();
    assert!(new.is_empty(), "fail and are not listed: {new:#?}");
    assert!(passed.is_empty(), "are listed and pass: {passed:#?}");
}

/// JSON as it is, XML by the server's own reader.
fn read_input(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap();
    match path.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_slice(&bytes).unwrap(),
        false => {
            let text = extension_first(String::from_utf8(bytes).unwrap());
            xml::read(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| {
                panic!("{}: {error}", path.display());
            })
        }
    }
}

/// One input of the suite has an extension of the resource behind its status, against the order
/// of xml.html, which the server's reader insists on.
fn extension_first(mut text: String) -> String {
    const END: &str = "</extension>";
    let status = text.find("<status value=\"final\"");
    let extension = text.find("\n\t<extension ");
    if let (Some(status), Some(start)) = (status, extension)
        && status < start
    {
        let end = start + text[start..].find(END).unwrap() + END.len();
        let block: String = text.drain(start..end).collect();
        text.insert_str(status, &block);
    }
    text
}

fn known_failures() -> BTreeSet<String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/fhirpath/known-failures.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Compares result and expectation; Err says what came instead.
fn run(test: &Test, resource: &Value) -> Result<(), String> {
    let context = Context { mode: Mode::Strict, ..Context::default() };
    let expression = Expression::parse(&test.expression);
    let result = match &expression {
        Ok(expression) => expression.evaluate(&context, resource),
        Err(error) => Err(error.clone()),
    };
    let items = match (result, test.is_invalid) {
        (Err(_), true) => return Ok(()),
        (Err(error), false) => return Err(format!("{}: {error}", test.expression)),
        (Ok(items), true) => return Err(format!("{}: no error but {items:?}", test.expression)),
        (Ok(items), false) => items,
    };
    let items = match test.is_predicate {
        true => vec![Item::System(System::Boolean(match &items[..] {
            [item] => !matches!(item.system(), Some(System::Boolean(false))),
            items => !items.is_empty(),
        }))],
        false => items,
    };
    let mut open: Vec<&Item<'_>> = items.iter().collect();
    let is_same = test.outputs.len() == items.len()
        && test.outputs.iter().enumerate().all(|(index, output)| {
            let place = match test.is_unordered {
                true => open.iter().position(|item| is_output(output, item)),
                false => is_output(output, &items[index]).then_some(0),
            };
            place.map(|place| open.remove(place)).is_some()
        });
    let found = || items.iter().map(|item| (item.type_name(), text(item))).collect::<Vec<_>>();
    match is_same {
        true => Ok(()),
        false => {
            Err(format!("{}: wanted {:?}, found {:?}", test.expression, test.outputs, found()))
        }
    }
}

fn is_output((kind, wanted): &(Option<String>, String), item: &Item<'_>) -> bool {
    let name = item.type_name().unwrap_or_default();
    let is_kind =
        kind.as_ref().is_none_or(|kind| kind == name || kind == super::item::fhir_name(name));
    let found = text(item);
    let number = |text: &str| super::item::parse_decimal(text);
    is_kind
        && (found == *wanted || number(&found).is_some_and(|found| Some(found) == number(wanted)))
}

/// The item as the suite writes it: dates and times with `@`.
fn text(item: &Item<'_>) -> String {
    match item.system() {
        Some(System::String(text)) => text.into_owned(),
        Some(System::Boolean(truth)) => truth.to_string(),
        Some(System::Integer(number)) => number.to_string(),
        Some(System::Decimal(decimal)) => decimal.to_string(),
        Some(System::Quantity(quantity)) => quantity.to_string(),
        Some(System::Temporal(temporal)) if temporal.kind == TemporalKind::Time => {
            format!("@T{temporal}")
        }
        Some(System::Temporal(temporal)) => format!("@{temporal}"),
        Some(System::Type { name, .. }) => name.to_owned(),
        None => item.to_value().to_string(),
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).unwrap()?;
    Some(quick_xml::escape::unescape(&attribute.value).unwrap().into_owned())
}

fn tests(suite: &str) -> Vec<Test> {
    let mut reader = Reader::from_str(suite);
    let mut tests = Vec::new();
    let mut test = Test::default();
    let mut content = String::new();
    loop {
        let event = reader.read_event().unwrap();
        let is_empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                content.clear();
                match start.name().as_ref() {
                    "test" => {
                        test = Test {
                            name: attribute(&start, "name").unwrap(),
                            input: attribute(&start, "inputfile"),
                            is_predicate: attribute(&start, "predicate").as_deref() == Some("true"),
                            is_unordered: attribute(&start, "ordered").as_deref() == Some("false"),
                            ..Test::default()
                        }
                    }
                    "expression" => test.is_invalid = attribute(&start, "invalid").is_some(),
                    "output" => {
                        test.outputs.push((attribute(&start, "type"), String::new()));
                        assert!(!is_empty);
                    }
                    _ => {}
                }
            }
            Event::Text(text) => content.push_str(&text),
            Event::CData(text) => content.push_str(&text),
            Event::GeneralRef(entity) => {
                let escaped = format!("&{};", &*entity);
                content.push_str(&quick_xml::escape::unescape(&escaped).unwrap());
            }
            Event::End(end) => match end.name().as_ref() {
                "test" => tests.push(std::mem::take(&mut test)),
                "expression" => test.expression = std::mem::take(&mut content),
                "output" => test.outputs.last_mut().unwrap().1 = std::mem::take(&mut content),
                _ => {}
            },
            Event::Eof => return tests,
            _ => {}
        }
    }
}
