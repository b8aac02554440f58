//! What the guards of writes go by, as data (`fhir-profiles/bhn-write-rules.json`): lists of
//! elements (SECURITY.md 2.3, E1 to E4), elements that name who said something, sets of codes.

use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

type ByType = HashMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteRules {
    /// Elements that may change, by the name of the list.
    elements: ByType,
    /// Elements that name who said, recorded or asked for it, by type.
    authors: ByType,
    /// Elements that name the organization that keeps it, by type.
    custodians: ByType,
    /// URLs of extensions that staff alone may set, by type.
    staff_extensions: ByType,
    /// Types whose resources are never changed nor deleted.
    append_only: Vec<String>,
    /// Elements that name whom a message or task is for, by type.
    addressees: ByType,
    /// By type the elements with a code, and the codes that are about births, each `system|code`.
    births: HashMap<String, ByType>,
}

static FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fhir-profiles/bhn-write-rules.json"));

static RULES: LazyLock<WriteRules> =
    LazyLock::new(|| serde_json::from_str(FILE).expect("the file is part of the program"));

impl WriteRules {
    pub fn get() -> &'static WriteRules {
        &RULES
    }

    /// The elements of a list; none of an unknown one.
    pub fn elements(&self, list: &str) -> &[String] {
        of(&self.elements, list)
    }

    pub fn authors(&self, type_name: &str) -> &[String] {
        of(&self.authors, type_name)
    }

    pub fn custodians(&self, type_name: &str) -> &[String] {
        of(&self.custodians, type_name)
    }

    pub fn staff_extensions(&self, type_name: &str) -> &[String] {
        of(&self.staff_extensions, type_name)
    }

    pub fn is_append_only(&self, type_name: &str) -> bool {
        self.append_only.iter().any(|known| known == type_name)
    }

    pub fn addressees(&self, type_name: &str) -> &[String] {
        of(&self.addressees, type_name)
    }

    /// Elements of the type with the codes that are about births; none where every code is.
    pub fn births(&self, type_name: &str) -> impl Iterator<Item = (&str, &[String])> {
        let elements = self.births.get(type_name).into_iter().flatten();
        elements.map(|(element, codes)| (element.as_str(), codes.as_slice()))
    }
}

fn of<'r>(lists: &'r ByType, name: &str) -> &'r [String] {
    lists.get(name).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::ResourceType;

    #[test]
    fn the_file_names_types_and_elements_of_r4() {
        let rules: WriteRules = serde_json::from_str(FILE).unwrap();
        let by_type = [&rules.authors, &rules.custodians, &rules.addressees];
        for (name, elements) in by_type.into_iter().flatten() {
            let definition = ResourceType::parse(name).unwrap().definition();
            for element in elements {
                assert!(definition.child(element).is_some(), "{name}.{element}");
            }
        }
        for (name, elements) in &rules.births {
            let definition = ResourceType::parse(name).unwrap().definition();
            assert!(elements.keys().all(|element| definition.child(element).is_some()));
            assert!(elements.values().all(|codes| !codes.is_empty()));
        }
        for name in rules.append_only.iter().chain(rules.staff_extensions.keys()) {
            assert!(ResourceType::parse(name).is_some(), "{name}");
        }
        for list in ["E1", "E2", "E3", "E4", "cancel"] {
            assert!(!rules.elements(list).is_empty(), "{list}");
        }
    }
}
