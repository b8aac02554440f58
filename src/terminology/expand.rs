//! The codes of a value set: <https://hl7.org/fhir/R4/valueset.html#compositions>.

use super::TerminologyError;
use super::codes::{Codes, Members};
use super::library::Library;
use super::value_set::{Definition, Part, ValueSet};
use std::collections::{BTreeSet, HashMap};

/// The codes of the value set of this canonical URL. `most` is how many may be named; a code
/// system that is not held counts as none of them where all of it belongs to the value set.
pub fn expand(library: &Library, canonical: &str, most: usize) -> Result<Codes, TerminologyError> {
    let mut expansion = Expansion { library, most, under_way: Vec::new(), done: HashMap::new() };
    expansion.of_value_set(canonical)
}

struct Expansion<'a> {
    library: &'a Library,
    most: usize,
    under_way: Vec<String>,
    done: HashMap<String, Codes>,
}

impl Expansion<'_> {
    fn of_value_set(&mut self, canonical: &str) -> Result<Codes, TerminologyError> {
        if let Some(codes) = self.done.get(canonical) {
            return Ok(codes.clone());
        }
        if self.under_way.iter().any(|other| other == canonical) {
            return Err(TerminologyError::Cycle(canonical.to_owned()));
        }
        let library = self.library;
        let value_set = library
            .value_set(canonical)
            .ok_or_else(|| TerminologyError::UnknownValueSet(canonical.to_owned()))?;
        self.under_way.push(canonical.to_owned());
        let codes = self.defined(value_set, canonical)?;
        self.under_way.pop();
        self.bounded(&codes, canonical)?;
        self.done.insert(canonical.to_owned(), codes.clone());
        Ok(codes)
    }

    fn defined(
        &mut self,
        value_set: &ValueSet,
        canonical: &str,
    ) -> Result<Codes, TerminologyError> {
        let (include, exclude) = match &value_set.definition {
            Definition::Expansion(codes) => return Ok(codes.clone()),
            Definition::None => return Err(TerminologyError::Undefined(canonical.to_owned())),
            Definition::Compose { include, exclude } => (include, exclude),
        };
        let mut codes = Codes::default();
        for part in include {
            codes.add(self.of_part(part, (canonical, value_set.has_inactive))?);
            self.bounded(&codes, canonical)?;
        }
        for part in exclude {
            codes.remove(&self.of_part(part, (canonical, true))?);
        }
        Ok(codes)
    }

    fn bounded(&self, codes: &Codes, what: &str) -> Result<(), TerminologyError> {
        match codes.len() > self.most {
            true => {
                let what = format!("The value set {what}");
                Err(TerminologyError::TooManyCodes { what, most: self.most })
            }
            false => Ok(()),
        }
    }

    /// What is of the system, and in one of the value sets where there are any: "the union of the
    /// contents of all of the referenced value sets" (valueset-definitions.html).
    fn of_part(&mut self, part: &Part, of: (&str, bool)) -> Result<Codes, TerminologyError> {
        let mut imported = Codes::default();
        for canonical in &part.value_sets {
            let codes = self.of_value_set(canonical)?;
            imported.add(codes);
        }
        if part.system.is_empty() {
            return Ok(imported);
        }
        let mut codes = Codes::of(&part.system, self.members(part, of)?);
        if !part.value_sets.is_empty() {
            codes.keep(&imported);
        }
        Ok(codes)
    }

    fn members(
        &self,
        part: &Part,
        (value_set, has_inactive): (&str, bool),
    ) -> Result<Members, TerminologyError> {
        let canonical = part.canonical();
        let held = self.library.code_system(&canonical);
        let is_active = |code: &String| {
            let place = held.and_then(|system| system.place(code).map(|at| &system.concepts[at]));
            has_inactive || place.is_none_or(|concept| !concept.is_inactive)
        };
        if !part.concepts.is_empty() {
            return Ok(Members::These(
                part.concepts.iter().filter(|c| is_active(c)).cloned().collect(),
            ));
        }
        let complete = held.filter(|system| system.is_complete());
        let Some(system) = complete else {
            return match (held, part.filters.is_empty() && has_inactive) {
                (_, true) => Ok(Members::AllBut(BTreeSet::new())),
                (Some(held), false) => {
                    let content = held.content.clone();
                    Err(TerminologyError::IncompleteCodeSystem(canonical, content))
                }
                (None, false) => Err(TerminologyError::UnknownCodeSystem(canonical)),
            };
        };
        if system.len() > self.most && part.filters.is_empty() {
            let what = format!("The code system {canonical}");
            return Err(TerminologyError::TooManyCodes { what, most: self.most });
        }
        let all = || system.concepts.iter().map(|concept| concept.code.clone());
        let mut codes: Option<BTreeSet<String>> = None;
        for filter in &part.filters {
            let passing = system.filtered(filter).map_err(|text| TerminologyError::Filter {
                value_set: value_set.to_owned(),
                text,
            })?;
            codes = Some(match codes {
                None => passing,
                Some(codes) => codes.intersection(&passing).cloned().collect(),
            });
        }
        let mut codes = codes.unwrap_or_else(|| all().collect());
        codes.retain(is_active);
        Ok(Members::These(codes))
    }
}

#[cfg(test)]
mod tests;
