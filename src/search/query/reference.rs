//! Values of reference parameters: <https://hl7.org/fhir/R4/search.html#reference>.

use super::criterion::{Read, Reader};
use super::{is_patient, not_supported};
use crate::fhir::definitions::ResourceType;
use crate::search::index_rows::ParameterId;
use crate::search::plan::{Direction, Predicate};
use crate::search::value::reference::ReferenceTest;
use crate::search::value::uri::UriTest;

impl Reader<'_> {
    /// `targets` are the types that an id alone may be of.
    pub fn reference(&self, one: &str, targets: &[ResourceType]) -> Read<Vec<Predicate>> {
        let parameter = self.parameter.id;
        let base_url = &self.planner.settings.base_url;
        let test = ReferenceTest::parse(one, targets, base_url);
        match test.map_err(|text| self.wrong(one, text))? {
            ReferenceTest::Local(targets) => {
                let are_patients = targets.iter().all(|target| is_patient(target.resource_type));
                let is_subject =
                    are_patients && self.planner.is_single_subject(self.types, self.parameter);
                let mut found = vec![Predicate::Reference { parameter, targets, is_subject }];
                // A canonical or uri that names a resource of this server by its URL.
                if one.contains(':') {
                    found.push(Predicate::Uri { parameter, test: UriTest::is(one) });
                }
                Ok(found)
            }
            ReferenceTest::Elsewhere(value) => {
                Ok(vec![Predicate::Uri { parameter, test: UriTest::Is(vec![value]) }])
            }
        }
    }

    /// `:below` and `:above` along what resources of one type are part of
    /// (search.html#recursive).
    pub fn along(&self, one: &str, direction: Direction) -> Read<Vec<Predicate>> {
        let parents = self.parents();
        if parents.is_empty() {
            let text = format!("{} leads to no type of which one is part of another", self.name);
            return Err(not_supported(self.name, text));
        }
        let kinds: Vec<ResourceType> = parents.iter().map(|(kind, _)| *kind).collect();
        let test = ReferenceTest::parse(one, &kinds, &self.planner.settings.base_url);
        let ReferenceTest::Local(keys) = test.map_err(|text| self.wrong(one, text))? else {
            return Err(self.wrong(one, "with this modifier it is a resource of this server"));
        };
        let mut found = Vec::new();
        for (kind, parent) in &parents {
            let targets: Vec<_> =
                keys.iter().filter(|key| key.resource_type == *kind).cloned().collect();
            if !targets.is_empty() {
                let (parameter, parent) = (self.parameter.id, *parent);
                let most = self.planner.limits.hierarchy_members;
                found.push(Predicate::Along { parameter, targets, parent, direction, most });
            }
        }
        match found.is_empty() {
            true => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let text = format!("with this modifier it is one of {}", names.join(", "));
                Err(self.wrong(one, &text))
            }
            false => Ok(found),
        }
    }

    /// The types that the parameter leads to of which one is part of another, each with the
    /// parameter that says so.
    fn parents(&self) -> Vec<(ResourceType, ParameterId)> {
        let targets = match self.parameter.targets.is_empty() {
            true => ResourceType::all().collect(),
            false => self.parameter.targets.clone(),
        };
        let registry = self.planner.registry;
        let parent = |kind: ResourceType| {
            let found = registry.references_of(kind).find(|parameter| {
                let is_own = parameter.targets.is_empty() || parameter.targets.contains(&kind);
                parameter.reads.is_parent && is_own
            })?;
            Some((kind, found.id))
        };
        targets.into_iter().filter_map(parent).collect()
    }

    /// `:below` of canonical URLs: with any version that begins so (search.html#versions).
    pub fn below_canonical(&self, one: &str) -> Read<Vec<Predicate>> {
        let test = UriTest::below_version(one).map_err(|text| self.wrong(one, text))?;
        Ok(vec![Predicate::Uri { parameter: self.parameter.id, test }])
    }
}
