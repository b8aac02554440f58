//! Cross-checks the XML codec of `bhn-fhir` against fhirbolt's element model: reads resources
//! as NDJSON from stdin, has each codec read the XML that the other wrote, and prints a score
//! line for each direction. `docs/decisions/0002-xml-codec.md` says why.
//!
//! `gzip -dc tests/data/r4-examples/*.gz fhir-profiles/r4/*.gz | cargo run -p fhirbolt-oracle`
//!
//! fhirbolt trims the text of narratives and drops their comments, so narratives are compared
//! without white space, comments and differences of notation. It wants `resourceType` first, so
//! that is put there for it. The exit code is 1 where anything differs.

use bhn_fhir::fhir::xml::{self, Layout};
use bhn_fhir::limits::Limits;
use fhirbolt::FhirReleases;
use fhirbolt::element::Element;
use serde_json::{Map, Value};
use std::io::BufRead;
use std::panic::catch_unwind;
use std::process::ExitCode;

type Tree = Element<{ FhirReleases::R4 }>;

fn main() -> ExitCode {
    let mut scores = [Score::new("ours, read by fhirbolt"), Score::new("fhirbolt's, read by us")];
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(resource) = serde_json::from_str::<Value>(&line) else {
            eprintln!("not JSON: {}", line.chars().take(80).collect::<String>());
            continue;
        };
        let expected = normalised(&resource);
        scores[0].count(&resource, &expected, written_by_us);
        scores[1].count(&resource, &with_blanks(&expected), written_by_fhirbolt);
    }
    let is_clean = scores.iter().all(|score| score.passed == score.total);
    for score in scores {
        let Score { name, passed, total, panics } = score;
        println!("xml oracle: {name}: {passed}/{total} equal, {panics} panics");
    }
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Score {
    name: &'static str,
    passed: usize,
    total: usize,
    panics: usize,
}

impl Score {
    fn new(name: &'static str) -> Self {
        Score { name, passed: 0, total: 0, panics: 0 }
    }

    fn count(
        &mut self,
        resource: &Value,
        expected: &Value,
        round_trip: fn(&Value) -> Result<Value, String>,
    ) {
        self.total += 1;
        let outcome = catch_unwind(|| round_trip(resource));
        self.panics += usize::from(outcome.is_err());
        let fault = match outcome {
            Err(_) => "panicked".to_owned(),
            Ok(Err(error)) => error,
            Ok(Ok(back)) => match difference(&normalised(&back), expected, String::new()) {
                None => return self.passed += 1,
                Some(place) => format!("differs at {place}"),
            },
        };
        let fault: String = fault.chars().take(200).collect();
        let (kind, id) = (&resource["resourceType"], &resource["id"]);
        eprintln!("{}: {kind} {id}: {fault}", self.name);
    }
}

/// JSON, our XML, fhirbolt's JSON.
fn written_by_us(resource: &Value) -> Result<Value, String> {
    let xml = xml::write(resource, Layout::Compact).map_err(|error| error.to_string())?;
    let tree: Tree = fhirbolt::xml::from_str(&xml, None).map_err(|error| error.to_string())?;
    fhirbolt::json::to_json_value(tree, None).map_err(|error| error.to_string())
}

/// JSON, fhirbolt's XML, our JSON.
fn written_by_fhirbolt(resource: &Value) -> Result<Value, String> {
    let json = with_type_first(resource).to_string();
    let tree: Tree = fhirbolt::json::from_str(&json, None).map_err(|error| error.to_string())?;
    let xml = fhirbolt::xml::to_string(&tree, None).map_err(|error| error.to_string())?;
    let limits = Limits { nodes: usize::MAX, body_bytes: usize::MAX, ..Limits::default() };
    xml::read(xml.as_bytes(), &limits).map_err(|error| error.to_string())
}

fn with_type_first(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_type_first).collect(),
        Value::Object(object) => {
            let mut ordered = Map::new();
            if let Some(name) = object.get("resourceType") {
                ordered.insert("resourceType".to_owned(), name.clone());
            }
            let rest = object.iter().filter(|(name, _)| *name != "resourceType");
            ordered.extend(rest.map(|(name, value)| (name.clone(), with_type_first(value))));
            Value::Object(ordered)
        }
        value => value.clone(),
    }
}

/// The resource with its narratives normalised.
fn normalised(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normalised).collect(),
        Value::Object(object) => {
            let property = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(div) if name == "div" => Value::String(normalised_div(div)),
                    value => normalised(value),
                };
                (name.clone(), value)
            };
            Value::Object(object.iter().map(property).collect())
        }
        value => value.clone(),
    }
}

/// With line ends and tabs in values as blanks: fhirbolt writes them into attributes as they
/// are, where every XML reader takes them for blanks.
fn with_blanks(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_blanks).collect(),
        Value::Object(object) => {
            let properties = object.iter().map(|(name, value)| (name.clone(), with_blanks(value)));
            Value::Object(properties.collect())
        }
        Value::String(text) => text.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ").into(),
        value => value.clone(),
    }
}

/// Without comments and white space, references resolved, empty elements in one notation,
/// quotes alike.
fn normalised_div(div: &str) -> String {
    let mut rest = div;
    let mut text = String::with_capacity(div.len());
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let text: String = resolved(&text).chars().filter(|c| !c.is_whitespace()).collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    // `<a></a>` is `<a/>`.
    while let Some(at) = rest.find("></") {
        let (before, after) = rest.split_at(at);
        let name: String = after[3..].chars().take_while(|c| *c != '>').collect();
        let opened = before.rfind('<').map(|start| &before[start + 1..]).unwrap_or_default();
        let is_empty = opened.starts_with(&name) && !before.ends_with('/') && !name.is_empty();
        out.push_str(before);
        match is_empty {
            true => {
                out.push_str("/>");
                rest = &after[3 + name.len() + 1..];
            }
            false => {
                out.push_str("></");
                rest = &after[3..];
            }
        }
    }
    out.push_str(rest);
    out.replace('\'', "\"")
}

fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';').unwrap_or((after, ""));
        let number = match name.strip_prefix('#') {
            Some(digits) => match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            },
            None => None,
        };
        match (name, number.and_then(char::from_u32)) {
            (_, Some(character)) => out.push(character),
            ("amp", _) => out.push('&'),
            ("lt", _) => out.push('<'),
            ("gt", _) => out.push('>'),
            ("quot", _) => out.push('"'),
            ("apos", _) => out.push('\''),
            (name, _) => out.extend(["&", name, ";"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The first place where the two differ.
fn difference(a: &Value, b: &Value, place: String) -> Option<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.iter().find_map(|(name, a)| {
                difference(a, b.get(name).unwrap_or(&Value::Null), format!("{place}.{name}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| difference(a, b, format!("{place}[{index}]")))
        }
        (a, b) => (a != b).then_some(place),
    }
}
