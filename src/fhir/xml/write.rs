//! JSON to XML: <https://hl7.org/fhir/R4/xml.html>, in the order of the element table.

use super::chars::{escape_attribute, illegal_character};
use super::issues::Issues;
use super::path::Path;
use super::{FHIR_NAMESPACE, Layout, narrative, primitive};
use crate::error::{ErrorKind, IssueCode, Result};
use crate::fhir::definitions::{Child, Definitions, ResourceType, TypeDef};
use crate::limits::Limits;
use serde_json::{Map, Value};

/// Nesting at which writing stops: resources come from readers that stop earlier.
const DEPTH: usize = 200;

/// The XML form of a JSON resource. A narrative is written as it is.
///
/// 422 with every property that has no place in XML: unknown, of another JSON type, with
/// characters that XML has not, or a narrative that is not well-formed.
pub fn write(value: &Value, layout: Layout) -> Result<String> {
    let mut writer = Writer {
        out: String::with_capacity(1024),
        layout,
        path: Path::new(""),
        issues: Issues::default(),
        limits: Limits { nodes: usize::MAX, ..Limits::default() },
        depth: 0,
    };
    writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if layout == Layout::Compact {
        writer.out.push('\n');
    }
    writer.resource(value);
    match writer.issues.is_empty() {
        true => Ok(writer.out),
        false => Err(writer.issues.into_error(ErrorKind::Unprocessable)),
    }
}

struct Writer {
    out: String,
    layout: Layout,
    path: Path,
    issues: Issues,
    limits: Limits,
    /// Open elements.
    depth: usize,
}

/// An element's properties: `name` and `_name` as one.
struct Property<'v> {
    place: usize,
    child: Child<'static>,
    value: Option<&'v Value>,
    companion: Option<&'v Value>,
}

impl Writer {
    fn resource(&mut self, value: &Value) {
        let name = value.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let (Some(object), Some(kind)) = (value.as_object(), ResourceType::parse(name)) else {
            return self.fault("A resource is an object with the name of its type");
        };
        if self.path.depth() == 0 {
            self.path.set_root(kind.name());
        }
        self.start(kind.name());
        if self.depth == 0 {
            self.attribute("xmlns", FHIR_NAMESPACE);
        }
        self.children(object, kind.definition(), kind.name());
    }

    /// Ends the start tag, then writes children and end tag.
    fn children(
        &mut self,
        object: &Map<String, Value>,
        definition: &'static TypeDef,
        name: &'static str,
    ) {
        let properties = self.properties(object, definition);
        if properties.is_empty() {
            return self.out.push_str("/>");
        }
        self.out.push('>');
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fault("Nested too deep");
        }
        for property in &properties {
            self.property(property);
        }
        self.depth -= 1;
        self.end(name);
    }

    /// The properties that are elements in XML, in the order of the definition.
    fn properties<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        definition: &'static TypeDef,
    ) -> Vec<Property<'v>> {
        let mut found: Vec<Property<'v>> = Vec::with_capacity(object.len());
        for (key, value) in object {
            let is_attribute = match definition.is_resource() {
                true => key == "resourceType",
                false => key == "id" || (key == "url" && definition.name == "Extension"),
            };
            if is_attribute {
                continue;
            }
            let name = key.strip_prefix('_').unwrap_or(key);
            let is_companion = name.len() < key.len();
            let child = definition
                .child(name)
                .filter(|child| !is_companion || type_of(*child).is_primitive());
            let Some(child) = child else {
                self.fault(&format!("Property '{key}' is unknown here"));
                if self.issues.is_full() {
                    break;
                }
                continue;
            };
            let elements = definition.elements.iter();
            let place = elements.take_while(|it| !std::ptr::eq(*it, child.element)).count();
            let (value, companion) = match is_companion {
                true => (None, Some(value)),
                false => (Some(value), None),
            };
            found.push(Property { place, child, value, companion });
        }
        found.sort_by_key(|property| (property.place, property.child.element_type.json_name));
        found.dedup_by(|later, earlier| {
            let name = |property: &Property<'_>| property.child.element_type.json_name;
            let is_same = name(later) == name(earlier);
            if is_same {
                earlier.value = earlier.value.or(later.value);
                earlier.companion = earlier.companion.or(later.companion);
            }
            is_same
        });
        found
    }

    fn property(&mut self, property: &Property<'_>) {
        let child = property.child;
        if !child.element.is_repeating() {
            self.path.push(child, 0);
            self.item(child, property.value, property.companion);
            self.path.pop();
            return;
        }
        let length = |value: Option<&Value>| match value {
            None => Some(0),
            Some(Value::Array(items)) => Some(items.len()),
            Some(_) => None,
        };
        let (Some(values), Some(companions)) = (length(property.value), length(property.companion))
        else {
            let text = format!("'{}' is an array in JSON", child.element_type.json_name);
            return self.fault(&text);
        };
        for index in 0..values.max(companions) {
            self.path.push(child, index);
            let value = property.value.and_then(|list| list.get(index));
            let companion = property.companion.and_then(|list| list.get(index));
            self.item(child, value, companion);
            self.path.pop();
        }
    }

    /// One element. A JSON null stands for nothing, beside a value or companion that is there.
    fn item(&mut self, child: Child<'static>, value: Option<&Value>, companion: Option<&Value>) {
        let value = value.filter(|value| !value.is_null());
        let companion = companion.filter(|companion| !companion.is_null());
        let definition = type_of(child);
        let name = child.element_type.json_name;
        if definition.name == "xhtml" {
            return self.narrative(value);
        }
        if definition.is_resource() {
            return self.nested(name, value);
        }
        if definition.is_primitive() {
            return self.primitive(child, value, companion);
        }
        let Some(Value::Object(object)) = value else {
            return self.fault(&format!("'{name}' is an object in JSON"));
        };
        self.start(name);
        self.own_attributes(object, definition);
        self.children(object, definition, name);
    }

    fn primitive(
        &mut self,
        child: Child<'static>,
        value: Option<&Value>,
        companion: Option<&Value>,
    ) {
        let (definition, name) = (type_of(child), child.element_type.json_name);
        let nothing = Map::new();
        let object = match companion {
            None => &nothing,
            Some(Value::Object(object)) => object,
            Some(_) => return self.fault(&format!("'_{name}' is an object in JSON")),
        };
        if value.is_none() && object.is_empty() {
            return self.fault(&format!("'{name}' has neither a value nor extensions"));
        }
        self.start(name);
        self.own_attributes(object, definition);
        if let Some(value) = value {
            match primitive::to_text(definition.name, value) {
                Some(text) => self.attribute("value", &text),
                None => self.fault(&format!("Not the JSON form of a {}", definition.name)),
            }
        }
        self.children(object, definition, name);
    }

    /// `id` of elements and `url` of extensions are attributes (xml.html).
    fn own_attributes(&mut self, object: &Map<String, Value>, definition: &TypeDef) {
        let names: &[&str] = if definition.name == "Extension" { &["id", "url"] } else { &["id"] };
        for name in names {
            match object.get(*name) {
                None => {}
                Some(Value::String(text)) => self.attribute(name, text),
                Some(_) => self.fault(&format!("'{name}' is a string in JSON")),
            }
        }
    }

    fn narrative(&mut self, value: Option<&Value>) {
        let Some(Value::String(text)) = value else {
            return self.fault("'div' is a string in JSON");
        };
        match narrative::fault(text, &self.limits) {
            Some(issue) => self.fault(&issue.diagnostics),
            None => {
                self.line();
                self.out.push_str(text);
            }
        }
    }

    fn nested(&mut self, name: &'static str, value: Option<&Value>) {
        let Some(value) = value else {
            return self.fault(&format!("'{name}' is a resource"));
        };
        self.start(name);
        self.out.push('>');
        self.depth += 1;
        self.resource(value);
        self.depth -= 1;
        self.end(name);
    }

    fn start(&mut self, name: &str) {
        self.line();
        self.out.extend(["<", name]);
    }

    fn end(&mut self, name: &str) {
        self.line();
        self.out.extend(["</", name, ">"]);
    }

    fn line(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        if let Some((_, character)) = illegal_character(value) {
            let code = u32::from(character);
            self.fault(&format!("XML has no character U+{code:04X}"));
        }
        self.out.extend([" ", name, "=\""]);
        escape_attribute(value, &mut self.out);
        self.out.push('"');
    }

    fn fault(&mut self, text: &str) {
        self.issues.add(IssueCode::Structure, &self.path, text);
    }
}

fn type_of(child: Child<'static>) -> &'static TypeDef {
    Definitions::r4().type_def(child.element_type.id)
}
