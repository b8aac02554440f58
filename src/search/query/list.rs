//! `_list=id`: <https://hl7.org/fhir/R4/search.html#list>. What is left out: functional literals
//! such as `$current-allergies`, for which somebody would have to say which list is current.

use super::link::Place;
use super::{Refusal, expression, not_supported, wrong_value};
use crate::error::{FhirError, IssueCode};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::plan::{Clause, Link, Predicate};
use crate::search::value::text;

pub(super) const NAME: &str = "_list";

impl Place<'_> {
    /// Members of one of the lists: a List refers to them by an entry that is not marked as
    /// deleted.
    pub fn list(&self, modifier: Option<&str>, value: &str) -> Result<Clause, Refusal> {
        if let Some(modifier) = modifier {
            let modifier = text::beginning(modifier, 60);
            return Err(not_supported(NAME, format!("{NAME} takes no modifier :{modifier}")));
        }
        let missing = || not_supported(NAME, format!("{NAME} is not offered by this server"));
        let (kind, list) = self.planner.registry.list().ok_or_else(missing)?;
        let mut ids = Vec::new();
        for one in text::split(value, ',') {
            ids.push(Predicate::Id(list_id(kind, one)?));
        }
        Ok(Clause::any(vec![Predicate::Has(Box::new(Link {
            parameter: list.parameter,
            except: Some(list.removed),
            is_subject: false,
            types: vec![kind],
            clause: Clause::any(ids),
        }))]))
    }
}

/// Of `42` or `List/42`.
fn list_id(kind: ResourceType, text: &str) -> Result<Id, Refusal> {
    if text.starts_with('$') {
        let name = text::beginning(text, 60);
        let text = format!("{name} is not offered: {NAME} takes the id of a {kind}");
        let error = FhirError::at(IssueCode::NotSupported, expression(NAME), text);
        return Err(Refusal::Value(error));
    }
    let key = ResourceKey::parse(text).filter(|key| key.resource_type == kind);
    let id = key.map(|key| key.id).or_else(|| Id::parse(text));
    id.ok_or_else(|| wrong_value(NAME, text, "it is the id of a List, or several with commas"))
}
