//! What a collection holds: nodes of the resource and values that were computed.

use super::node::Node;
use super::quantity::Quantity;
use super::temporal::{Temporal, TemporalKind};
use crate::fhir::definitions::{Definitions, TypeId};
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// One item of a result.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    Node(Node<'a>),
    System(System<'a>),
}

/// A value of FHIRPath's own types.
#[derive(Clone, Debug, PartialEq)]
pub enum System<'a> {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(Cow<'a, str>),
    Temporal(Temporal),
    Quantity(Quantity),
    /// What `type()` answers.
    Type {
        namespace: &'static str,
        name: &'static str,
    },
}

impl System<'_> {
    /// `Boolean`, `DateTime`, ...
    pub fn type_name(&self) -> &'static str {
        match self {
            System::Boolean(_) => "Boolean",
            System::Integer(_) => "Integer",
            System::Decimal(_) => "Decimal",
            System::String(_) => "String",
            System::Temporal(temporal) => match temporal.kind {
                TemporalKind::Date => "Date",
                TemporalKind::DateTime => "DateTime",
                TemporalKind::Time => "Time",
            },
            System::Quantity(_) => "Quantity",
            System::Type { .. } => "SimpleTypeInfo",
        }
    }

    /// As JSON: numbers keep their digits, quantities become a Quantity.
    pub fn to_value(&self) -> Value {
        match self {
            System::Boolean(truth) => Value::Bool(*truth),
            System::Integer(number) => Value::Number((*number).into()),
            System::Decimal(decimal) => decimal_value(*decimal),
            System::String(text) => Value::String(text.to_string()),
            System::Temporal(temporal) => Value::String(temporal.to_string()),
            System::Quantity(quantity) => quantity_value(quantity),
            System::Type { namespace, name } => Value::String(format!("{namespace}.{name}")),
        }
    }
}

impl<'a> Item<'a> {
    /// The FHIR type of a node (`HumanName`, `date`), or the system type of a computed value.
    pub fn type_name(&self) -> Option<&'static str> {
        match self {
            Item::Node(node) => node.type_name(),
            Item::System(system) => Some(system.type_name()),
        }
    }

    pub fn as_node(&self) -> Option<Node<'a>> {
        match self {
            Item::Node(node) => Some(*node),
            Item::System(_) => None,
        }
    }

    /// The item as JSON; Null of a primitive that has only extensions.
    pub fn to_value(&self) -> Value {
        match self {
            Item::Node(node) => node.value().cloned().unwrap_or_default(),
            Item::System(system) => system.to_value(),
        }
    }

    /// The value of FHIRPath's own types that the item is or converts to without being asked
    /// (fhirpath.html#types); None of other complex types and of primitives without value.
    pub fn system(&self) -> Option<System<'a>> {
        match self {
            Item::Node(node) => system_of(*node),
            Item::System(system) => Some(system.clone()),
        }
    }

    /// Hands the item on as a node; a computed value as that of its FHIR type.
    pub(super) fn with_node(&self, visit: &mut dyn FnMut(Node<'_>)) {
        match self {
            Item::Node(node) => visit(*node),
            Item::System(system) => {
                let type_id = Definitions::r4().type_id(fhir_name(system.type_name()));
                visit(Node::new(Some(&system.to_value()), None, type_id));
            }
        }
    }
}

fn system_of(node: Node<'_>) -> Option<System<'_>> {
    match (node.value()?, node.type_name()) {
        (Value::Bool(truth), _) => Some(System::Boolean(*truth)),
        (Value::Number(number), Some("decimal")) => {
            parse_decimal(number.as_str()).map(System::Decimal)
        }
        (Value::Number(number), _) => match number.as_i64() {
            Some(integer) => Some(System::Integer(integer)),
            None => parse_decimal(number.as_str()).map(System::Decimal),
        },
        (Value::String(text), type_name) => {
            let temporal = match type_name {
                Some("date") => Temporal::parse_date(text),
                Some("dateTime" | "instant") => Temporal::parse_date_time(text),
                Some("time") => Temporal::parse_time(text),
                _ => None,
            };
            let string = || System::String(Cow::Borrowed(text.as_str()));
            Some(temporal.map_or_else(string, System::Temporal))
        }
        (Value::Object(object), _) if is_quantity(node) => {
            quantity_of(object).map(System::Quantity)
        }
        _ => None,
    }
}

fn is_quantity(node: Node<'_>) -> bool {
    let definitions = Definitions::r4();
    let quantity = definitions.type_id("Quantity");
    node.type_id().zip(quantity).is_some_and(|(actual, wanted)| definitions.is_a(actual, wanted))
}

/// A Quantity with a comparator is a range, not a value.
fn quantity_of(object: &Map<String, Value>) -> Option<Quantity> {
    if object.contains_key("comparator") {
        return None;
    }
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let Value::Number(number) = object.get("value")? else { return None };
    let value = parse_decimal(number.as_str())?;
    let unit = text("code").or(text("unit")).unwrap_or("1");
    Some(Quantity::new(value, unit, false))
}

fn quantity_value(quantity: &Quantity) -> Value {
    let mut object = Map::new();
    object.insert("value".to_owned(), decimal_value(quantity.value));
    object.insert("unit".to_owned(), Value::String(quantity.unit.clone()));
    if !quantity.is_calendar {
        object.insert("system".to_owned(), Value::String("http://unitsofmeasure.org".to_owned()));
        object.insert("code".to_owned(), Value::String(quantity.unit.clone()));
    }
    Value::Object(object)
}

fn decimal_value(decimal: Decimal) -> Value {
    decimal.to_string().parse::<Number>().map(Value::Number).unwrap_or_default()
}

/// Digits with sign, fraction and exponent; None beyond 28 digits.
pub(super) fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.contains('_') {
        return None;
    }
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok(),
        false if text.ends_with('.') => None,
        false => text.parse().ok(),
    }
}

/// The FHIR type that holds values of a system type.
pub(super) fn fhir_name(system_name: &str) -> &str {
    match system_name {
        "Boolean" => "boolean",
        "Integer" => "integer",
        "Decimal" => "decimal",
        "Date" => "date",
        "DateTime" => "dateTime",
        "Time" => "time",
        "String" | "SimpleTypeInfo" => "string",
        other => other,
    }
}

/// Whether `as` and `ofType` keep a node of type `actual` where `wanted` is asked for: a
/// primitive must have that very type (a `code` is no `string` there, though it `is` one), a
/// complex one may specialise it.
pub(super) fn is_kept_by_as(actual: TypeId, wanted: TypeId) -> bool {
    let definitions = Definitions::r4();
    match definitions.type_def(actual).is_primitive() {
        true => actual == wanted,
        false => definitions.is_a(actual, wanted),
    }
}
