//! The suite's inputs: JSON as it is, XML (xml.html) by the element table.

use crate::fhir::definitions::{Definitions, Kind, TypeDef, TypeId};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};
use std::path::Path;

#[derive(Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    /// The element as written, for narratives.
    source: String,
}

pub(super) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    match path.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(&text).unwrap(),
        false => resource(&parse(&text)),
    }
}

fn parse(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<(Element, usize)> = vec![(Element::default(), 0)];
    loop {
        let start = reader.buffer_position() as usize;
        match reader.read_event().unwrap() {
            Event::Start(tag) => open.push((element(&tag), start)),
            Event::Empty(tag) => open.last_mut().unwrap().0.children.push(element(&tag)),
            Event::End(_) => {
                let (mut element, start) = open.pop().unwrap();
                element.source = text[start..reader.buffer_position() as usize].to_owned();
                open.last_mut().unwrap().0.children.push(element);
            }
            Event::Eof => return open.pop().unwrap().0.children.pop().unwrap(),
            _ => {}
        }
    }
}

fn element(tag: &BytesStart<'_>) -> Element {
    let attributes = tag.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let value = quick_xml::escape::unescape(&attribute.value).unwrap();
        (attribute.key.as_ref().to_owned(), value.into_owned())
    });
    let attributes = attributes.collect();
    Element { name: tag.name().as_ref().to_owned(), attributes, ..Element::default() }
}

fn resource(element: &Element) -> Value {
    let mut object = Map::new();
    object.insert("resourceType".to_owned(), Value::String(element.name.clone()));
    let definitions = Definitions::r4();
    let definition = definitions.type_def(definitions.type_id(&element.name).unwrap());
    content(element, definition, &mut object);
    Value::Object(object)
}

fn content(element: &Element, definition: &TypeDef, object: &mut Map<String, Value>) {
    for (name, value) in &element.attributes {
        if name == "id" || (name == "url" && definition.name == "Extension") {
            object.insert(name.clone(), Value::String(value.clone()));
        }
    }
    for child in &element.children {
        let found = definition.child(&child.name).unwrap();
        let (value, sibling) = property(child, found.element_type.id);
        let is_repeating = found.element.is_repeating();
        let sibling_key = format!("_{}", child.name);
        match is_repeating {
            true => {
                let list = |object: &mut Map<String, Value>, key: &str, value: Value| {
                    let list = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                    list.as_array_mut().unwrap().push(value);
                };
                if definition.child(&child.name).is_some_and(|found| {
                    Definitions::r4().type_def(found.element_type.id).is_primitive()
                }) {
                    list(object, &sibling_key, sibling.unwrap_or_default());
                }
                list(object, &child.name, value.unwrap_or_default());
            }
            false => {
                object.extend(value.map(|value| (child.name.clone(), value)));
                object.extend(sibling.map(|sibling| (sibling_key, sibling)));
            }
        }
    }
}

/// The value of a property and its `_element`.
fn property(element: &Element, type_id: TypeId) -> (Option<Value>, Option<Value>) {
    let definition = Definitions::r4().type_def(type_id);
    let attribute = |wanted: &str| {
        let found = element.attributes.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    match (definition.kind, definition.name) {
        (Kind::AbstractResource, _) => (element.children.first().map(resource), None),
        (Kind::Primitive, "xhtml") => (Some(Value::String(element.source.clone())), None),
        (Kind::Primitive, name) => {
            let value = attribute("value").map(|text| match name {
                "boolean" => Value::Bool(text == "true"),
                "integer" | "decimal" | "positiveInt" | "unsignedInt" => {
                    serde_json::from_str(&text).unwrap()
                }
                _ => Value::String(text),
            });
            let mut sibling = Map::new();
            content(element, definition, &mut sibling);
            (value, (!sibling.is_empty()).then_some(Value::Object(sibling)))
        }
        _ => {
            let mut object = Map::new();
            content(element, definition, &mut object);
            (Some(Value::Object(object)), None)
        }
    }
}
