//! The elements that the expression of a search parameter reads in one type, by its paths.

use crate::fhir::definitions::{Definitions, Element, ResourceType, Strength, TypeId};

const MEDIA_TYPES: &str = "http://hl7.org/fhir/ValueSet/mimetypes";

/// The paths of the expression in the type, without its name and without functions.
pub fn paths(expression: &str, resource_type: ResourceType) -> Vec<&str> {
    expression
        .split('|')
        .map(|path| path.trim().trim_start_matches('('))
        .filter_map(|path| path.strip_prefix(resource_type.name())?.strip_prefix('.'))
        .map(|path| {
            let ends = [".where(", ".as(", ".ofType(", " as ", ")"];
            let end = ends.iter().filter_map(|end| path.find(end)).min();
            &path[..end.unwrap_or(path.len())]
        })
        .collect()
}

/// The elements from the type down to the end of a path; None where the type has no such path.
fn elements(resource_type: ResourceType, path: &str) -> Option<Vec<&'static Element>> {
    let mut definition = resource_type.definition();
    let mut found = Vec::new();
    for name in path.split('.') {
        let element = definition.element(name)?;
        if let [only] = &element.types[..] {
            definition = Definitions::r4().type_def(only.id);
        }
        found.push(element);
    }
    Some(found)
}

/// True where no element on the path repeats.
pub fn is_single(resource_type: ResourceType, path: &str) -> bool {
    elements(resource_type, path)
        .is_some_and(|found| found.iter().all(|element| !element.is_repeating()))
}

/// The system that values of a parameter have without naming it: all that it reads are elements
/// of type `code`, whose required value sets draw upon this one system (search.html#token).
pub fn code_system(expression: &str, resource_type: ResourceType) -> Option<&'static str> {
    let mut systems = paths(expression, resource_type).into_iter().map(|path| {
        let element = *elements(resource_type, path)?.last()?;
        let [only] = &element.types[..] else { return None };
        let binding = element.binding.as_ref()?;
        let is_code = Definitions::r4().type_def(only.id).name == "code";
        let is_bound = is_code && binding.strength == Strength::Required;
        Definitions::r4().value_set(binding).filter(|_| is_bound)?.system()
    });
    let first = systems.next()??;
    systems.all(|system| system == Some(first)).then_some(first)
}

/// True where all that is read are media types.
pub fn are_media_types(expression: &str, resource_type: ResourceType) -> bool {
    let paths = paths(expression, resource_type);
    let is_media_type = |path: &&str| {
        let element = elements(resource_type, path).and_then(|found| found.last().copied());
        let binding = element.and_then(|element| element.binding.as_ref());
        binding.is_some_and(|binding| binding.value_set.split('|').next() == Some(MEDIA_TYPES))
    };
    !paths.is_empty() && paths.iter().all(is_media_type)
}

/// True where all that is read are family names.
pub fn are_families(expression: &str, resource_type: ResourceType) -> bool {
    let paths = paths(expression, resource_type);
    !paths.is_empty() && paths.iter().all(|path| path.split('.').next_back() == Some("family"))
}

/// True where the parameter reads the one element that says what a resource is part of.
pub fn is_parent(expression: &str, resource_type: ResourceType) -> bool {
    matches!(paths(expression, resource_type)[..], ["partOf" | "parent"])
}

/// What the elements are that a parameter reads in one type.
#[derive(Clone, Default, Debug)]
pub struct Reads {
    /// The system that codes have without naming it.
    pub code_system: Option<&'static str>,
    /// Strings, whose case does not count among tokens.
    pub has_strings: bool,
    /// Codings or CodeableConcepts.
    pub has_codings: bool,
    /// Elements of type code.
    pub has_codes: bool,
    pub has_media_types: bool,
    /// Nothing but family names.
    pub is_family: bool,
    /// Family names, among others.
    pub has_families: bool,
    /// A reference to what the resource is part of, of its own type.
    pub is_parent: bool,
}

impl Reads {
    /// Of an expression whose values are of these types; empty where they are not known.
    pub fn of(expression: &str, resource_type: ResourceType, types: &[TypeId]) -> Reads {
        let names: Vec<&str> =
            types.iter().map(|id| Definitions::r4().type_def(*id).name).collect();
        let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(name));
        let is_family = are_families(expression, resource_type);
        Reads {
            code_system: code_system(expression, resource_type),
            has_strings: has(&["string"]),
            has_codings: has(&["Coding", "CodeableConcept"]),
            has_codes: has(&["code"]),
            has_media_types: are_media_types(expression, resource_type),
            is_family,
            has_families: is_family || has(&["HumanName"]),
            is_parent: is_parent(expression, resource_type),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> ResourceType {
        ResourceType::parse(name).unwrap()
    }

    #[test]
    fn codes_have_the_system_of_their_required_value_set() {
        let gender = "Patient.gender | Person.gender";
        let system = Some("http://hl7.org/fhir/administrative-gender");
        assert_eq!(code_system(gender, kind("Patient")), system);
        assert_eq!(code_system("Patient.maritalStatus", kind("Patient")), None, "a concept");
        assert_eq!(code_system("Patient.active", kind("Patient")), None);
        assert_eq!(code_system("Patient.address.use", kind("Patient")), {
            Some("http://hl7.org/fhir/address-use")
        });
    }

    #[test]
    fn paths_are_those_of_the_type_without_functions() {
        let expression = "(Patient.deceased as dateTime) | Person.x | Patient.name.where(use='a')";
        assert_eq!(paths(expression, kind("Patient")), ["deceased", "name"]);
        assert!(is_single(kind("Patient"), "birthDate") && !is_single(kind("Patient"), "name"));
        assert!(are_families("Patient.name.family | Practitioner.name.family", kind("Patient")));
        assert!(is_parent("Location.partOf", kind("Location")));
    }
}
