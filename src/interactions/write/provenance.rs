//! `X-Provenance`: a Provenance that is stored together with the version it is about.
//! <https://hl7.org/fhir/R4/provenance.html#header>

use super::draft::{Draft, Step};
use super::drafts;
use crate::access::{Caller, Permit};
use crate::clock::new_id;
use crate::error::{ErrorKind, FhirError, Result};
use crate::fhir::interaction::Interaction;
use crate::fhir::resource::{Id, Resource, ResourceKey};
use crate::fhir::validation;
use crate::interactions::context::Context;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A Provenance without targets, valid otherwise, and permitted.
pub struct Provenance {
    key: ResourceKey,
    resource: Resource,
    pub permit: Permit,
}

/// 400 where the header holds no Provenance, an invalid one, or one with targets of its own.
pub fn checked(context: &Context, caller: &Caller, resource: Resource) -> Result<Provenance> {
    let fault = |text: &str| FhirError::invalid_value("http.X-Provenance", text);
    if resource.resource_type().name() != "Provenance" {
        return Err(fault("The header holds a Provenance"));
    }
    if resource.object().contains_key("target") {
        return Err(fault("The target of the Provenance is filled in by the server"));
    }
    let create = Interaction::Create { resource: resource.clone(), if_none_exist: None };
    let permit = Permit::authorize(caller, &create)?;
    let complete = with_targets(&resource, vec![json!({"display": "the resource written"})]);
    validation::validate(complete.value(), &context.settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    let id = Id::parse(&new_id()).ok_or_else(|| FhirError::internal("a UUID is an id"))?;
    Ok(Provenance { key: ResourceKey::new(resource.resource_type(), id), resource, permit })
}

impl Provenance {
    /// The step that stores it, about every version that the steps make; None where they make
    /// none.
    pub fn step<'a>(&self, steps: &[Step<'a>]) -> Option<Step<'a>> {
        let target = |draft: &Draft| {
            let version = draft.before.as_ref().map_or(1, |stored| stored.version + 1);
            json!({"reference": format!("{}/_history/{version}", draft.key)})
        };
        let targets: Vec<Value> = drafts(steps).map(target).collect();
        if targets.is_empty() {
            return None;
        }
        let resource = Cow::Owned(with_targets(&self.resource, targets));
        Some(Step::Change(Draft::new(self.key.clone(), resource)))
    }
}

fn with_targets(resource: &Resource, targets: Vec<Value>) -> Resource {
    let mut complete = resource.clone();
    complete.object_mut().insert("target".to_owned(), Value::Array(targets));
    complete
}
