//! Filters on the concepts of a code system:
//! <https://hl7.org/fhir/R4/valueset-filter-operator.html>.

use super::code_system::{CodeSystem, Concept, Hierarchy};
use super::value_set::Filter;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeSet;

/// Bytes of a compiled regular expression.
const REGEX_BYTES: usize = 1 << 20;

/// What of a concept a filter is about.
enum Property<'a> {
    Code,
    Display,
    Inactive,
    Parent,
    Child,
    Own(&'a str),
}

impl CodeSystem {
    /// The codes that pass. The text of an error says what of the filter cannot be applied.
    pub(super) fn filtered(&self, filter: &Filter) -> Result<BTreeSet<String>, String> {
        let Filter { property, operator, value } = filter;
        let hierarchical = |codes: fn(&CodeSystem, &str, Hierarchy) -> BTreeSet<String>| {
            if self.place(value).is_none() {
                return Err(format!("{} does not define the code {value}", self.url));
            }
            Ok(codes(self, value, Hierarchy::IsA))
        };
        match operator.as_str() {
            "is-a" => hierarchical(CodeSystem::below),
            "descendent-of" => {
                let mut codes = hierarchical(CodeSystem::below)?;
                codes.remove(value);
                Ok(codes)
            }
            "is-not-a" => {
                let below = hierarchical(CodeSystem::below)?;
                Ok(self.codes_of(|concept| !below.contains(&concept.code)))
            }
            "generalizes" => hierarchical(CodeSystem::above),
            _ => {
                let property = self.property(property)?;
                let passes = test(operator, value)?;
                Ok(self.codes_of(|concept| passes(&self.values(concept, &property))))
            }
        }
    }

    fn codes_of(&self, passes: impl Fn(&Concept) -> bool) -> BTreeSet<String> {
        let found = self.concepts.iter().filter(|concept| passes(concept));
        found.map(|concept| concept.code.clone()).collect()
    }

    fn property<'a>(&self, name: &'a str) -> Result<Property<'a>, String> {
        let is_own = |concept: &Concept| concept.properties.iter().any(|(own, _)| own == name);
        match name {
            "code" | "concept" => Ok(Property::Code),
            "display" => Ok(Property::Display),
            "inactive" => Ok(Property::Inactive),
            "parent" => Ok(Property::Parent),
            "child" => Ok(Property::Child),
            _ if self.properties.contains(name) || self.concepts.iter().any(is_own) => {
                Ok(Property::Own(name))
            }
            _ => Err(format!("{} has no property {name}", self.url)),
        }
    }

    fn values<'a>(&'a self, concept: &'a Concept, property: &Property<'_>) -> Vec<&'a str> {
        let codes = |places: &'a [usize]| -> Vec<&'a str> {
            places.iter().map(|place| self.concepts[*place].code.as_str()).collect()
        };
        match property {
            Property::Code => vec![&concept.code],
            Property::Display => vec![&concept.display],
            Property::Inactive => vec![if concept.is_inactive { "true" } else { "false" }],
            Property::Parent => codes(&concept.parents),
            Property::Child => codes(&concept.children),
            Property::Own(name) => {
                let own = concept.properties.iter().filter(|(own, _)| own == name);
                own.map(|(_, value)| value.as_str()).collect()
            }
        }
    }
}

type ValuesTest = Box<dyn Fn(&[&str]) -> bool>;

fn test(operator: &str, value: &str) -> Result<ValuesTest, String> {
    let wanted = value.to_owned();
    let list: Vec<String> = value.split(',').map(|one| one.trim().to_owned()).collect();
    Ok(match operator {
        "=" => Box::new(move |values| values.contains(&wanted.as_str())),
        "in" => Box::new(move |values| values.iter().any(|one| list.iter().any(|w| w == one))),
        "not-in" => Box::new(move |values| !values.iter().any(|one| list.iter().any(|w| w == one))),
        "exists" if matches!(value, "true" | "false") => {
            Box::new(move |values| values.is_empty() != (wanted == "true"))
        }
        "regex" => {
            let regex = whole(value)?;
            Box::new(move |values| values.iter().any(|one| regex.is_match(one)))
        }
        _ => return Err(format!("the operator {operator} with the value '{value}' is not known")),
    })
}

/// The expression is about the whole of a value.
fn whole(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(REGEX_BYTES)
        .build()
        .map_err(|_| format!("'{expression}' is no regular expression of this server"))
}
