//! From an interaction that writes to a [`Write`]: the resource is valid, its links to this
//! server are relative, its criteria are planned.

use super::draft::{Act, Criteria, Target, Write};
use super::guards;
use crate::access::Permit;
use crate::clock::new_id;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{
    Handling, Interaction, SearchScope, TypeCriteria, WriteGuard, decode_query,
};
use crate::fhir::links;
use crate::fhir::resource::{Id, Resource, ResourceKey};
use crate::fhir::subset;
use crate::fhir::validation;
use crate::interactions::context::Context;
use crate::interactions::operations;
use crate::search::Plan;

/// Whether the resource was validated already, as part of its Bundle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Validated {
    Yes,
    No,
}

/// The write that an interaction asks for; None for one that only reads. 400 for an invalid
/// resource, with every issue.
pub fn write(
    context: &Context,
    permit: Permit,
    interaction: Interaction,
    validated: Validated,
) -> Result<Option<Write>> {
    let mut conditional = Vec::new();
    let mut checked = |resource| {
        let storable = checked(context, resource, validated)?;
        conditional = storable.conditional;
        Ok::<Resource, FhirError>(storable.resource)
    };
    let (target, act, guard) = match interaction {
        Interaction::Create { resource, if_none_exist } => {
            let resource = checked(resource)?;
            let key = new_key(resource.resource_type())?;
            let target = match if_none_exist {
                None => Target::New(key),
                Some(query) => {
                    let resource_type = resource.resource_type();
                    criteria(context, &TypeCriteria { resource_type, query }, key)?
                }
            };
            (target, Act::Create(resource), WriteGuard::default())
        }
        Interaction::Update { key, resource, guard } => {
            let resource = checked(resource)?;
            (Target::Key(key), Act::Update(resource), guard)
        }
        Interaction::ConditionalUpdate { criteria: by, resource, guard } => {
            let resource = checked(resource)?;
            let key = new_key(by.resource_type)?;
            (criteria(context, &by, key)?, Act::Update(resource), guard)
        }
        Interaction::Patch { key, patch, guard } => (Target::Key(key), Act::Patch(patch), guard),
        Interaction::ConditionalPatch { criteria: by, patch, guard } => {
            let key = new_key(by.resource_type)?;
            (criteria(context, &by, key)?, Act::Patch(patch), guard)
        }
        Interaction::Delete { key, guard } => (Target::Key(key), Act::Delete, guard),
        Interaction::ConditionalDelete { criteria: by, guard } => {
            let key = new_key(by.resource_type)?;
            (criteria(context, &by, key)?, Act::Delete, guard)
        }
        Interaction::Operation(operation) if operation.row.affects_state => {
            let (key, act) = operations::act(context, &operation)?;
            (Target::Key(key), act, operation.guard)
        }
        _ => return Ok(None),
    };
    guards::check_kept(&permit, &target, &act)?;
    let (full_url, expression) = (None, String::new());
    Ok(Some(Write { permit, target, act, guard, full_url, conditional, expression }))
}

/// The key of a resource whose id the server assigns.
fn new_key(resource_type: ResourceType) -> Result<ResourceKey> {
    let id = Id::parse(&new_id()).ok_or_else(|| FhirError::internal("a UUID is an id"))?;
    Ok(ResourceKey::new(resource_type, id))
}

fn criteria(context: &Context, by: &TypeCriteria, assigned: ResourceKey) -> Result<Target> {
    let plan = plan(context, by)?;
    let normalised = plan.normalised();
    Ok(Target::Criteria(Box::new(Criteria { plan, normalised, assigned })))
}

/// The plan of the criteria of a conditional interaction. Unknown and empty parameters are
/// refused whatever the client prefers: ignoring one would match more than was meant. 412 where the
/// criteria select nothing in particular.
pub fn plan(context: &Context, by: &TypeCriteria) -> Result<Plan> {
    let parameters = decode_query(&by.query)?;
    if let Some((name, _)) = parameters.iter().find(|(_, value)| value.is_empty()) {
        return Err(FhirError::invalid_value(format!("http.{name}"), "A criterion has a value"));
    }
    let scope = SearchScope::Type(by.resource_type);
    let plan = context.plan(&scope, &parameters, Handling::Strict)?;
    if plan.contained.is_some() {
        let text = "A contained resource is not written by itself: criteria do not find it";
        return Err(FhirError::at(IssueCode::NotSupported, "http._contained", text));
    }
    match plan.has_criteria() {
        true => Ok(plan),
        false => Err(FhirError::precondition_failed("The criteria select every resource")),
    }
}

/// The resource, valid and in the form that is stored.
fn checked(context: &Context, resource: Resource, validated: Validated) -> Result<Storable> {
    if validated == Validated::No {
        validation::validate(resource.value(), &context.settings.limits)
            .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    }
    storable(resource, &context.settings.base_url)
}

/// A resource in the form that is stored.
pub struct Storable {
    pub resource: Resource,
    /// Its distinct conditional references.
    pub conditional: Vec<String>,
}

/// The resource with links to this server relative. 422 where it was cut short.
pub fn storable(mut resource: Resource, base: &str) -> Result<Storable> {
    if subset::is_subsetted(resource.value()) {
        let text = "The resource is marked SUBSETTED: storing it would lose what was left out";
        return Err(FhirError::unprocessable(IssueCode::BusinessRule, text));
    }
    let mut conditional: Vec<String> = Vec::new();
    let is_sought = |text: &str| links::begins(text, base) || is_conditional(text);
    links::rewrite(&mut resource, is_sought, &mut |place, link| {
        if place != links::Place::Reference {
            return None;
        }
        if is_conditional(link) && !conditional.iter().any(|known| known == link) {
            conditional.push(link.to_owned());
        }
        links::relative(link, base)
    });
    Ok(Storable { resource, conditional })
}

/// `Type?query`
fn is_conditional(reference: &str) -> bool {
    reference.as_bytes().contains(&b'?')
        && reference.split_once('?').is_some_and(|(kind, _)| ResourceType::parse(kind).is_some())
}
