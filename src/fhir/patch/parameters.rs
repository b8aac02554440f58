//! The operations of a FHIRPath Patch in their Parameters resource, and the values in them:
//! <https://hl7.org/fhir/R4/fhirpatch.html>.

use super::fault::{malformed, unfit};
use super::place::{self, Item};
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::{Child, Definitions, Kind, TypeDef};
use serde_json::{Map, Value};

/// One operation, well-formed.
pub(super) struct Operation<'p> {
    pub action: Action<'p>,
    /// FHIRPath.
    pub path: &'p str,
    /// `Parameters.parameter[2]`
    pub at: String,
}

pub(super) enum Action<'p> {
    Add(Addition<'p>),
    Insert(Insertion<'p>),
    Delete,
    Replace { value: &'p Value },
    Move { source: usize, destination: usize },
}

/// What to add, and under which element name.
#[derive(Clone, Copy)]
pub(super) struct Addition<'p> {
    pub name: &'p str,
    pub value: &'p Value,
}

/// What to insert, and before which item.
#[derive(Clone, Copy)]
pub(super) struct Insertion<'p> {
    pub index: usize,
    pub value: &'p Value,
}

/// The operation in the parameter of that number; 400 where it is malformed.
pub(super) fn operation((number, parameter): (usize, &Value)) -> Result<Operation<'_>> {
    let at = format!("Parameters.parameter[{number}]");
    if parameter.get("name").and_then(Value::as_str) != Some("operation") {
        return Err(malformed(&at, "A parameter of a FHIRPath Patch is named 'operation'"));
    }
    let missing = |name: &str| malformed(&at, format!("Part '{name}' is missing"));
    let part = |name: &str| {
        let mut named = parts(parameter).iter().filter(|part| is_named(part, name));
        match (named.next(), named.next()) {
            (Some(part), None) => Ok(part),
            (None, _) => Err(missing(name)),
            _ => Err(malformed(&at, format!("Part '{name}' is there more than once"))),
        }
    };
    let text = |name: &str, keys: [&str; 2]| {
        let part = part(name)?;
        let text = keys.iter().find_map(|key| part.get(*key)).and_then(Value::as_str);
        text.ok_or_else(|| malformed(&at, format!("Part '{name}' has a {}", keys[0])))
    };
    let number = |name: &str| {
        let part = part(name)?;
        let keys = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"];
        let number = keys.iter().find_map(|key| part.get(*key)).and_then(Value::as_u64);
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| malformed(&at, format!("Part '{name}' has a valueInteger from 0")))
    };
    let action = match text("type", ["valueCode", "valueString"])? {
        "add" => Action::Add(Addition {
            name: text("name", ["valueString", "valueCode"])?,
            value: part("value")?,
        }),
        "insert" => Action::Insert(Insertion { index: number("index")?, value: part("value")? }),
        "delete" => Action::Delete,
        "replace" => Action::Replace { value: part("value")? },
        "move" => Action::Move { source: number("source")?, destination: number("destination")? },
        other => {
            let text = format!("'{other}' is not an operation of FHIRPath Patch");
            return Err(malformed(&at, text));
        }
    };
    let path = text("path", ["valueString", "valueCode"])?;
    Ok(Operation { action, path, at })
}

fn parts(parameter: &Value) -> &[Value] {
    parameter.get("part").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is_named(part: &Value, name: &str) -> bool {
    part.get("name").and_then(Value::as_str) == Some(name)
}

/// The property that the value becomes under an element name, and the value itself. A choice
/// may be named with its type or without; the type of the value decides.
pub(super) fn property(
    definition: &'static TypeDef,
    name: &str,
    part: &Value,
    at: &str,
) -> Result<(Child<'static>, Item)> {
    let unknown = || {
        let text = format!("{} has no element '{name}'", definition.name);
        unfit(IssueCode::Structure, at, text)
    };
    if let Some(child) = definition.child(name) {
        return Ok((child, item(child, part, at)?));
    }
    let element = definition.element(name).filter(|element| element.is_choice);
    let element = element.ok_or_else(unknown)?;
    let given = given(part).map(|(key, _)| key).unwrap_or_default();
    let type_name = given.strip_prefix("value").unwrap_or_default();
    let child = definition.child(&format!("{}{type_name}", element.name)).ok_or_else(|| {
        let text = format!("'{name}' of {} cannot have a {given}", definition.name);
        unfit(IssueCode::Structure, at, text)
    })?;
    Ok((child, item(child, part, at)?))
}

/// The part's `value[x]`, by the name without `_`.
fn given(part: &Value) -> Option<(&str, Option<&Value>)> {
    let keys = part.as_object()?.keys();
    let key = keys
        .map(|key| key.strip_prefix('_').unwrap_or(key))
        .find(|key| key.len() > "value".len() && key.starts_with("value"))?;
    Some((key, part.get(key)))
}

/// The part's value for an element of that type; 422 where the types do not fit.
pub(super) fn item(child: Child<'static>, part: &Value, at: &str) -> Result<Item> {
    let definition = Definitions::r4().type_def(child.element_type.id);
    let name = child.element.name;
    let given = given(part);
    if let Some(resource) = part.get("resource") {
        return match definition.is_resource() {
            true => Ok(Item { value: resource.clone(), companion: Value::Null }),
            false => Err(mismatch(name, definition, "resource", at)),
        };
    }
    let Some((key, value)) = given else {
        let is_built = matches!(definition.kind, Kind::Backbone | Kind::Complex);
        return match (parts(part), is_built) {
            ([], _) => Err(malformed(at, format!("There is no value for '{name}'"))),
            (_, false) => Err(mismatch(name, definition, "list of parts", at)),
            (parts, true) => {
                let value = Value::Object(built(definition, parts, at)?);
                Ok(Item { value, companion: Value::Null })
            }
        };
    };
    if !is_fit(definition, key) {
        return Err(mismatch(name, definition, key, at));
    }
    let companion = part.get(format!("_{key}")).cloned().unwrap_or_default();
    let value = value.cloned().unwrap_or_default();
    match definition.is_primitive() || companion.is_null() {
        true => Ok(Item { value, companion }),
        false => Err(mismatch(name, definition, key, at)),
    }
}

/// An anonymous type has no name to be given by: its elements come as parts.
fn built(definition: &'static TypeDef, parts: &[Value], at: &str) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    for part in parts {
        let name = part.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| malformed(at, "A part has a name"))?;
        let (child, item) = property(definition, name, part, at)?;
        let key = child.element_type.json_name;
        if child.element.is_repeating() {
            let mut items = place::take_list(&mut object, key);
            items.push(item);
            place::set_list(&mut object, key, items);
        } else if object.contains_key(key) || object.contains_key(&format!("_{key}")) {
            return Err(malformed(at, format!("'{name}' may be there only once")));
        } else {
            place::set(&mut object, key, item);
        }
    }
    Ok(object)
}

/// True where a value of that property (`valueDate`) may become an element of that type. Among
/// primitives the form in JSON decides: an author's valueString may stand for a code.
fn is_fit(definition: &'static TypeDef, key: &str) -> bool {
    let r4 = Definitions::r4();
    let parameter = r4.type_id("Parameters.parameter").map(|id| r4.type_def(id));
    let Some(child) = parameter.and_then(|parameter| parameter.child(key)) else { return false };
    let given = r4.type_def(child.element_type.id);
    match (definition.is_primitive(), given.is_primitive()) {
        (true, true) => json_form(definition.name) == json_form(given.name),
        (false, false) => {
            let wanted = r4.type_id(definition.name);
            wanted.is_some_and(|wanted| r4.is_a(child.element_type.id, wanted))
        }
        _ => false,
    }
}

fn json_form(primitive: &str) -> &'static str {
    match primitive {
        "boolean" => "boolean",
        "integer" | "positiveInt" | "unsignedInt" => "integer",
        "decimal" => "decimal",
        _ => "string",
    }
}

fn mismatch(name: &str, definition: &TypeDef, given: &str, at: &str) -> FhirError {
    let text = format!("'{name}' is a {}, not a {given}", definition.name);
    unfit(IssueCode::Structure, at, text)
}
