//! The Patients that a stored resource is about, read from its JSON without building its index
//! rows: for the audit of reads. The same Patients as those of the access stamp.

use crate::error::Result;
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::main_values::MainValuesTable;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

/// Where each resource type names its subjects: paths of elements, such as
/// `participant.actor`.
pub struct SubjectPaths(HashMap<ResourceType, Vec<Vec<&'static str>>>);

impl SubjectPaths {
    /// From the subject-class search parameters of R4.
    pub fn r4() -> Result<SubjectPaths> {
        let table = MainValuesTable::load()?;
        let rows = Definitions::r4().search_parameters();
        let paths = ResourceType::all().map(|resource_type| {
            let codes = table.subject_codes(resource_type);
            let named = rows.iter().filter(|row| {
                codes.contains(&row.code.as_str())
                    && row.base.iter().any(|base| base == resource_type.name())
            });
            let expressions = named.filter_map(|row| row.expression.as_deref());
            let mut paths: Vec<Vec<&'static str>> =
                expressions.flat_map(|text| paths_of(text, resource_type)).collect();
            paths.sort_unstable();
            paths.dedup();
            (resource_type, paths)
        });
        Ok(SubjectPaths(paths.collect()))
    }

    /// Ids of the Patients that the resource is about, itself among them where it is one; each
    /// once, in order. What is not JSON is about nobody.
    pub fn read(&self, key: &ResourceKey, body: &[u8]) -> Vec<Id> {
        let mut found = Found::default();
        let paths = self.0.get(&key.resource_type).map(Vec::as_slice).unwrap_or_default();
        if !paths.is_empty() {
            let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
            let mut json = serde_json::Deserializer::from_slice(body);
            // What cannot be read was not stored by this server.
            let _ = Walk { paths, found: &mut found }.deserialize(&mut json);
        }
        let mut subjects = found.0;
        if key.resource_type.name() == "Patient" {
            subjects.push(key.id.clone());
        }
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }
}

/// The paths on this type in a search parameter's expression. `(A.b as Reference)`,
/// `A.b.where(resolve() is Patient)` and `A.b.c` are the forms that there are.
fn paths_of(expression: &'static str, resource_type: ResourceType) -> Vec<Vec<&'static str>> {
    let terms = expression.split('|').map(|term| term.trim().trim_start_matches('('));
    terms
        .filter_map(|term| {
            let path = term.strip_prefix(resource_type.name())?.strip_prefix('.')?;
            let end = path.find([' ', ')']).unwrap_or(path.len());
            let path = &path[..path.find(".where(").unwrap_or(end).min(end)];
            Some(path.split('.').collect())
        })
        .collect()
}

#[derive(Default)]
struct Found(Vec<Id>);

/// Follows paths through JSON; everything beside them is passed by.
struct Walk<'p, 'f> {
    /// What is left of each path; one that is empty ends at a Reference.
    paths: Vec<&'p [&'static str]>,
    found: &'f mut Found,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let is_reference = self.paths.iter().any(|path| path.is_empty());
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if is_reference && name == "reference" {
                let text = map.next_value::<std::borrow::Cow<'de, str>>()?;
                let key = ResourceKey::parse_versioned(&text);
                let patient = key.filter(|key| key.resource_type.name() == "Patient");
                self.found.0.extend(patient.map(|key| key.id));
                continue;
            }
            let inner: Vec<&[&str]> = self
                .paths
                .iter()
                .filter_map(|path| path.split_first().filter(|(head, _)| **head == name))
                .map(|(_, rest)| rest)
                .collect();
            match inner.is_empty() {
                true => drop(map.next_value::<IgnoredAny>()?),
                false => map.next_value_seed(Walk { paths: inner, found: &mut *self.found })?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let paths = self.paths;
        while seq
            .next_element_seed(Walk { paths: paths.clone(), found: &mut *self.found })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(key: &str, body: &str) -> String {
        let paths = SubjectPaths::r4().unwrap();
        let found = paths.read(&ResourceKey::parse(key).unwrap(), body.as_bytes());
        found.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn subjects_are_read_and_performers_are_not() {
        let body = r#"{"resourceType":"Observation","text":{"div":"\"subject\""},
            "performer":[{"reference":"Patient/mother"}],"valueQuantity":{"value":1.50},
            "subject":{"reference":"Patient\/child/_history/2","display":"x"}}"#;
        assert_eq!(subjects("Observation/1", body), "child");
        let body = r#"{"participant":[{"actor":{"reference":"Patient/b"}},
            {"actor":{"reference":"Practitioner/p"}},{"actor":{"reference":"Patient/a"}}]}"#;
        assert_eq!(subjects("Appointment/1", body), "a b");
        assert_eq!(
            subjects("Patient/me", r#"{"link":[{"other":{"reference":"Patient/x"}}]}"#),
            "me"
        );
        assert_eq!(subjects("Organization/o", "{}"), "");
        assert_eq!(subjects("Observation/1", "{\"subject\":"), "");
    }
}
