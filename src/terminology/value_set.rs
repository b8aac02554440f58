//! A value set as it is defined: <https://hl7.org/fhir/R4/valueset.html>.

use super::codes::{Codes, Members};
use super::{items, text, texts};
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct ValueSet {
    pub url: String,
    pub(super) definition: Definition,
    /// False where inactive codes are left out (`ValueSet.compose.inactive`).
    pub(super) has_inactive: bool,
}

#[derive(Debug)]
pub(super) enum Definition {
    Compose {
        include: Vec<Part>,
        exclude: Vec<Part>,
    },
    /// The expansion of one that says no more.
    Expansion(Codes),
    /// It says nothing of its codes, or not all of them.
    None,
}

/// `ValueSet.compose.include` and `exclude`.
#[derive(Debug)]
pub(super) struct Part {
    /// Empty where there are only value sets.
    pub system: String,
    pub version: String,
    pub concepts: BTreeSet<String>,
    pub filters: Vec<Filter>,
    pub value_sets: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Filter {
    pub property: String,
    pub operator: String,
    pub value: String,
}

impl ValueSet {
    pub fn read(resource: &Value) -> ValueSet {
        let compose = &resource["compose"];
        let definition = match (compose.is_object(), &resource["expansion"]) {
            (true, _) => Definition::Compose {
                include: items(compose, "include").iter().map(Part::read).collect(),
                exclude: items(compose, "exclude").iter().map(Part::read).collect(),
            },
            (false, expansion) => expanded(expansion),
        };
        ValueSet {
            url: text(resource, "url").to_owned(),
            definition,
            has_inactive: compose["inactive"] != false,
        }
    }

    /// How many concepts it names.
    pub fn len(&self) -> usize {
        match &self.definition {
            Definition::Compose { .. } => self.parts().map(|part| part.concepts.len()).sum(),
            Definition::Expansion(codes) => codes.len(),
            Definition::None => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        let (include, exclude) = match &self.definition {
            Definition::Compose { include, exclude } => (&include[..], &exclude[..]),
            Definition::Expansion(_) | Definition::None => (&[][..], &[][..]),
        };
        include.iter().chain(exclude)
    }
}

impl Part {
    fn read(value: &Value) -> Part {
        let filter = |value: &Value| Filter {
            property: text(value, "property").to_owned(),
            operator: text(value, "op").to_owned(),
            value: text(value, "value").to_owned(),
        };
        Part {
            system: text(value, "system").to_owned(),
            version: text(value, "version").to_owned(),
            concepts: items(value, "concept").iter().map(|c| text(c, "code").to_owned()).collect(),
            filters: items(value, "filter").iter().map(filter).collect(),
            value_sets: texts(value, "valueSet"),
        }
    }

    /// The code system, with the version where one is named.
    pub fn canonical(&self) -> String {
        match self.version.is_empty() {
            true => self.system.clone(),
            false => format!("{}|{}", self.system, self.version),
        }
    }
}

/// An expansion is one page of codes, and may be but a part of them.
fn expanded(expansion: &Value) -> Definition {
    if !expansion.is_object() {
        return Definition::None;
    }
    let mut codes = Codes::default();
    let count = add_contained(items(expansion, "contains"), &mut codes);
    let is_part = expansion["total"].as_u64().is_some_and(|total| total > count)
        || expansion["offset"].as_u64().is_some_and(|offset| offset > 0);
    match is_part {
        true => Definition::None,
        false => Definition::Expansion(codes),
    }
}

/// Abstract entries group others, and are no codes to use.
fn add_contained(contains: &[Value], codes: &mut Codes) -> u64 {
    let mut count = 0;
    for one in contains {
        let (system, code) = (text(one, "system"), text(one, "code"));
        if !code.is_empty() {
            count += 1;
        }
        if !code.is_empty() && one["abstract"] != true {
            codes.add(Codes::of(system, Members::These(BTreeSet::from([code.to_owned()]))));
        }
        count += add_contained(items(one, "contains"), codes);
    }
    count
}
