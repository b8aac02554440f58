//! Contained resources: what is indexed of them, and which of them a search finds
//! (<https://hl7.org/fhir/R4/search.html#contained>).

use super::extraction::Indexed;
use super::index_rows::{FragmentRow, IndexRows, ReferenceRow};
use super::plan::{Plan, Predicate};
use super::registry::Registry;
use super::value::IndexSettings;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::resource::{Resource, ResourceKey};
use serde_json::Value;

/// `_contained` where it is `true` or `both`, and `_containedType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contained {
    /// Resources that are not contained match as well: `both`.
    pub has_others: bool,
    pub entry: ContainedEntry,
}

/// What an entry shows of a contained resource that matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainedEntry {
    /// The resource that contains it, once for all of them.
    Container,
    Contained,
}

/// What is indexed of a contained resource.
#[derive(Clone, PartialEq, Debug)]
pub struct ContainedRows {
    /// In the list `contained`, from 0.
    pub place: u16,
    /// Its type, and its id within the container.
    pub key: ResourceKey,
    pub rows: IndexRows,
}

/// Bits of a surrogate key for the place.
const PLACE_BITS: u32 = 16;

/// The surrogate key of a contained resource: below 0, so that it is no resource's.
pub fn contained_rid(container: i64, place: u16) -> i64 {
    -((container << PLACE_BITS) | i64::from(place))
}

/// Bits of a surrogate key in the key of a reference.
const KEY_BITS: u32 = 48;

/// The lower bits of the key of a reference to a contained resource: its surrogate key without the
/// bits above, which is more than any resource has. None beyond 2^31 containers, where it would
/// not be.
pub fn contained_key(container: i64, place: u16) -> Option<i64> {
    let rid = contained_rid(container, place);
    (rid > LEAST_KEYED).then_some(rid & ((1 << KEY_BITS) - 1))
}

/// Contained resources with surrogate keys above this one have keys of references.
const LEAST_KEYED: i64 = -(1 << (KEY_BITS - 1));

/// The container of a surrogate key and the place in it; None for the key of a resource.
pub fn contained_place(rid: i64) -> Option<(i64, u16)> {
    (rid < 0).then(|| ((-rid) >> PLACE_BITS, (-rid & i64::from(u16::MAX)) as u16))
}

impl Registry {
    /// Of each resource that is contained. What has no type or id of R4 is left out; the validator
    /// names it.
    pub(super) fn index_contained(
        &self,
        (container_key, container): (&ResourceKey, &Resource),
        settings: &IndexSettings,
    ) -> Vec<ContainedRows> {
        let list = container.object().get("contained").and_then(Value::as_array);
        let rows = |(place, value): (usize, &Value)| {
            let resource = Resource::from_value(value.clone()).ok()?;
            let key = ResourceKey::new(resource.resource_type(), resource.id()?);
            let of = Indexed { key: None, resource: &resource, container };
            let rows = self.index_itself(of, settings);
            // Access goes by the stamps of the container.
            let mut rows = IndexRows { labels: Vec::new(), profiles: Vec::new(), ..rows };
            refer_to_container(container_key, &mut rows);
            Some(ContainedRows { place: u16::try_from(place).ok()?, key, rows })
        };
        list.into_iter().flatten().enumerate().filter_map(rows).collect()
    }

    /// Tells of references to contained resources, those of one to another too, where these are.
    pub(super) fn find_fragments(&self, resource_type: ResourceType, rows: &mut IndexRows) {
        let places: Vec<(ResourceKey, u16)> =
            rows.contained.iter().map(|one| (one.key.clone(), one.place)).collect();
        if places.is_empty() {
            return;
        }
        find_places(&places, rows);
        rows.contained.iter_mut().for_each(|one| find_places(&places, &mut one.rows));
        if rows.subjects.is_empty() {
            rows.contained_subject = self.contained_subject((resource_type, &places), rows);
        }
    }

    /// The one contained Patient that the subject parameters name.
    fn contained_subject(
        &self,
        (resource_type, places): (ResourceType, &[(ResourceKey, u16)]),
        rows: &IndexRows,
    ) -> Option<u16> {
        let patient = Definitions::r4().compartment("Patient")?.code;
        let is_patient = |place: u16| {
            let mut of = places.iter().filter(|(_, at)| *at == place);
            of.any(|(key, _)| key.resource_type.name() == patient)
        };
        let mut subjects = self.of(resource_type).subjects().flat_map(|parameter| {
            let by = rows.fragments.iter().filter(|row| row.parameter == parameter.id);
            by.filter_map(|row| row.place).filter(|place| is_patient(*place))
        });
        let first = subjects.next()?;
        subjects.all(|place| place == first).then_some(first)
    }
}

/// `#` alone is the container (references.html#contained).
fn refer_to_container(container: &ResourceKey, rows: &mut IndexRows) {
    let (to_container, others) = rows.fragments.drain(..).partition(|row| row.id.is_empty());
    rows.fragments = others;
    let to_container: Vec<FragmentRow> = to_container;
    rows.references.extend(to_container.into_iter().map(|row| ReferenceRow {
        parameter: row.parameter,
        target: container.clone(),
        version: None,
    }));
}

fn find_places(places: &[(ResourceKey, u16)], rows: &mut IndexRows) {
    for row in &mut rows.fragments {
        let found = places.iter().find(|(key, _)| key.id.as_str() == row.id);
        row.place = found.map(|(_, place)| *place);
    }
}

impl Plan {
    /// True where resources that are not contained match.
    pub fn finds_resources(&self) -> bool {
        self.contained.is_none_or(|contained| contained.has_others)
    }

    /// True where entries show the containers of what matches.
    pub fn shows_containers(&self) -> bool {
        self.contained.is_some_and(|contained| contained.entry == ContainedEntry::Container)
    }

    /// 400 where contained resources are searched by what only resources of their own have.
    pub(super) fn check_contained(&self) -> Result<()> {
        if self.contained.is_none() {
            return Ok(());
        }
        let refused = |with: &str, why: &str| {
            let text = format!("_contained does not go with {with}: {why}");
            Err(FhirError::at(IssueCode::NotSupported, "http._contained", text))
        };
        if let Some(include) = self.includes.first() {
            let with = if include.is_reverse { "_revinclude" } else { "_include" };
            return refused(with, "what goes with a contained resource is in its container");
        }
        if self.links().iter().any(|link| matches!(link, Predicate::Has(_))) {
            let why = "nothing but its container refers to a contained resource";
            return refused("_has or _list", why);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogate_keys_of_contained_resources_tell_where_they_are() {
        for (container, place) in [(1, 0), (1, 1), (1000, u16::MAX), ((1 << 47) - 1, u16::MAX)] {
            let rid = contained_rid(container, place);
            assert!(rid < 0);
            assert_eq!(contained_place(rid), Some((container, place)));
        }
        assert_eq!(contained_place(1000), None);
        // One after the other, those of a container together.
        assert!(contained_rid(7, 0) > contained_rid(7, u16::MAX));
        assert!(contained_rid(7, u16::MAX) > contained_rid(8, 0));
    }
}
