//! `is`, `as`, `ofType` and `type()` (FHIRPath 6.3; fhirpath.html#types).

use super::super::error::{FhirPathError, Result};
use super::super::expression::TypeSpecifier;
use super::super::item::{Item, System, is_kept_by_as};
use super::super::node::Node;
use super::{Items, Mode, single};
use crate::fhir::definitions::{Definitions, TypeId};
use std::borrow::Cow;

const SYSTEM_TYPES: [&str; 10] = [
    "Any", "Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time",
    "Quantity",
];

/// What a specifier can stand for: a FHIR type, a system type, or either (`Quantity`).
struct Wanted<'t> {
    fhir: Option<TypeId>,
    system: Option<&'t str>,
}

fn wanted(specifier: &TypeSpecifier) -> Result<Wanted<'_>> {
    let name = &*specifier.name;
    let fhir = || Definitions::r4().type_id(name);
    let system = || SYSTEM_TYPES.contains(&name).then_some(name);
    match specifier.namespace.as_deref() {
        Some("System") => Ok(Wanted { fhir: None, system: system() }),
        Some("FHIR") if fhir().is_some() => Ok(Wanted { fhir: fhir(), system: None }),
        None if fhir().is_some() || system().is_some() => {
            Ok(Wanted { fhir: fhir(), system: system() })
        }
        _ => Err(FhirPathError::execution(format!("Unknown type '{name}'"))),
    }
}

/// Whether the single item is of the type or of one that specialises it. A lenient `Boolean`
/// is FHIR's too: R4's invariant que-7 says so of an answer.
pub(super) fn is(
    items: &[Item<'_>],
    specifier: &TypeSpecifier,
    mode: Mode,
) -> Result<Option<bool>> {
    let wanted = wanted(specifier)?;
    let Some(item) = single(items, "is")? else { return Ok(None) };
    Ok(Some(match item {
        Item::Node(node) if wanted.fhir.is_none() && mode == Mode::Lenient => {
            let is_open = specifier.namespace.is_none() && node.has_value();
            let system = item.system().filter(|_| is_open);
            system.is_some_and(|system| wanted.system == Some(system.type_name()))
        }
        Item::Node(node) => match (node.type_id(), wanted.fhir) {
            (Some(actual), Some(wanted)) => Definitions::r4().is_a(actual, wanted),
            _ => false,
        },
        Item::System(system) => {
            wanted.system.is_some_and(|name| name == "Any" || name == system.type_name())
        }
    }))
}

pub(super) fn as_type<'a>(
    items: Items<'a>,
    specifier: &TypeSpecifier,
    mode: Mode,
) -> Result<Items<'a>> {
    if mode == Mode::Strict {
        single(&items, "as")?;
    }
    of_type(items, specifier)
}

pub(super) fn of_type<'a>(items: Items<'a>, specifier: &TypeSpecifier) -> Result<Items<'a>> {
    let wanted = wanted(specifier)?;
    let is_kept = |item: &Item<'_>| match item {
        Item::Node(node) => {
            node.type_id().zip(wanted.fhir).is_some_and(|(id, wanted)| is_kept_by_as(id, wanted))
        }
        Item::System(system) => wanted.system == Some(system.type_name()),
    };
    Ok(items.into_iter().filter(is_kept).collect())
}

/// Whether the node is of the type of that name, or one that specialises it.
pub(super) fn is_named(node: &Node<'_>, name: &str) -> bool {
    let definitions = Definitions::r4();
    let wanted = definitions.type_id(name);
    node.type_id().zip(wanted).is_some_and(|(actual, wanted)| definitions.is_a(actual, wanted))
}

/// `type()` of one item; the type of an element with children is that of its base.
pub(super) fn type_of(item: &Item<'_>) -> Option<System<'static>> {
    match item {
        Item::Node(node) => {
            let definitions = Definitions::r4();
            let mut definition = node.type_def()?;
            while definition.name.contains('.') {
                definition = definitions.type_def(definition.base?);
            }
            Some(System::Type { namespace: "FHIR", name: definition.name })
        }
        Item::System(system) => {
            Some(System::Type { namespace: "System", name: system.type_name() })
        }
    }
}

/// The elements that computed values have: those of a type, and of a quantity.
pub(super) fn system_member<'a>(system: &System<'a>, name: &str) -> Option<Item<'a>> {
    let text = |text: &'static str| System::String(Cow::Borrowed(text));
    Some(Item::System(match (system, name) {
        (System::Type { namespace, .. }, "namespace") => text(namespace),
        (System::Type { name, .. }, "name") => text(name),
        (System::Quantity(quantity), "value") => System::Decimal(quantity.value),
        (System::Quantity(quantity), "unit") => System::String(Cow::Owned(quantity.unit.clone())),
        _ => return None,
    }))
}
