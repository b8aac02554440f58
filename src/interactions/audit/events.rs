//! AuditEvent, answered from the audit: read and search, by those who may. Nobody changes or
//! deletes one: <https://hl7.org/fhir/R4/auditevent.html>, "AuditEvent resources are not updated".
//!
//! Who reviews the audit sees all; a patient sees the events about himself, with people by their
//! role and facility. Everybody else is refused.

use super::query;
use crate::access::matrix::{Acts, Matrix, Rule, Sight};
use crate::access::smart_scope::Letters;
use crate::access::{Asker, Caller, Permit, Role};
use crate::audit::{AuditId, Event, View, render};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Interaction, Parameter, Request, SearchScope};
use crate::fhir::resource::{Id, ResourceKey};
use crate::fhir::subset::Subset;
use crate::interactions::context::Context;
use crate::interactions::outcome::{Content, Outcome, ResourceVersion};
use crate::interactions::page::{self, PageLink};
use crate::search::unknown_page;
use crate::storage::{AuditAfter, AuditPage};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Of an interaction with AuditEvents, where there is an audit.
pub fn is_about(context: &Context, interaction: &Interaction) -> bool {
    let is_named = interaction.resource_type().is_some_and(is_audit_event);
    context.store.is_audited() && is_named && !matches!(interaction, Interaction::Operation(_))
}

/// 422 for an interaction with AuditEvents, inside of a transaction.
pub fn check_outside(context: &Context, interaction: &Interaction) -> Result<()> {
    match is_about(context, interaction) {
        true => {
            let text = "AuditEvents are no part of transactions";
            Err(FhirError::unprocessable(IssueCode::NotSupported, text))
        }
        false => Ok(()),
    }
}

/// AuditEvent itself.
pub fn is_audit_event(resource_type: ResourceType) -> bool {
    resource_type.name() == "AuditEvent"
}

/// Leaves in `CapabilityStatement.rest.resource` what there is for AuditEvents.
pub fn restrict(stated: &mut Value) {
    let codes = ["read", "search-type", "create"].map(|code| json!({ "code": code }));
    stated["interaction"] = codes.as_slice().into();
    stated["versioning"] = "no-version".into();
    stated["readHistory"] = false.into();
    let Some(stated) = stated.as_object_mut() else { return };
    for name in ["conditionalRead", "conditionalDelete", "searchInclude", "searchRevInclude"] {
        stated.remove(name);
    }
    for name in ["updateCreate", "conditionalCreate", "conditionalUpdate"] {
        stated.insert(name.to_owned(), false.into());
    }
    let parameters = stated.get_mut("searchParam").and_then(Value::as_array_mut);
    let is_known = |parameter: &Value| {
        let name = parameter["name"].as_str().unwrap_or_default();
        query::PARAMETERS.contains(&name)
    };
    parameters.into_iter().for_each(|parameters| parameters.retain(is_known));
}

/// Read, search and, for an external feed, create. 401 for strangers, 403 for who may not, 405 for
/// what nobody may.
pub async fn perform(context: &Context, asker: &Asker, request: Request) -> Result<Outcome> {
    match &request.interaction {
        Interaction::Read { key, .. } => {
            let view = view(&asker.caller, Letters::READ)?;
            let outcome = read(context, key, &view).await?;
            outcome.subsetted(&request.subset)
        }
        Interaction::Search { scope, parameters } => {
            let view = view(&asker.caller, Letters::READ.with(Letters::SEARCH))?;
            let outcome = search(context, asker, (scope, parameters, &request), view).await?;
            outcome.subsetted(&request.subset)
        }
        Interaction::Create { resource, if_none_exist: None } => {
            may_send(&asker.caller)?;
            let resource = resource.value().clone();
            feed(context, asker, resource).await
        }
        interaction => {
            known(&asker.caller)?;
            let text = format!(
                "AuditEvents are read, searched and, by systems with system/AuditEvent.c, \
                 created; {} is not for them",
                interaction.code()
            );
            Err(FhirError::method_not_allowed(&text, &["GET", "HEAD", "POST"]))
        }
    }
}

/// 401 for a stranger.
fn known(caller: &Caller) -> Result<()> {
    match caller {
        Caller::Anonymous => {
            let text = "This server answers signed-in callers only";
            Err(FhirError::new(ErrorKind::Unauthorized, IssueCode::Login, text))
        }
        _ => Ok(()),
    }
}

fn forbidden(text: &str) -> FhirError {
    FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text)
}

/// What the caller sees of the audit, by the access matrix; a scope has to say so, too.
fn view(caller: &Caller, letters: Letters) -> Result<View> {
    known(caller)?;
    let Caller::Principal(principal) = caller else { return Ok(View::All) };
    let in_scope = |needed: Letters| {
        let kind = ResourceType::parse("AuditEvent");
        let of_audit = principal
            .scopes
            .resources()
            .filter(|scope| kind.is_some_and(|kind| scope.is_of(kind)) && scope.query.is_none());
        of_audit.fold(Letters::NONE, |all, scope| all.with(scope.letters)).has(needed)
    };
    if !in_scope(letters) {
        return Err(forbidden("No scope of this token is about AuditEvents"));
    }
    let refused = || forbidden("The audit is for those who review it, and for patients about them");
    let kind = ResourceType::parse("AuditEvent").ok_or_else(refused)?;
    let rules = Matrix::get().rules(principal.role, kind).iter();
    let is_open = |rule: &&Rule| {
        let has_factor = !rule.asks_for_second_factor() || principal.has_second_factor();
        rule.acts.meets(Acts::READ) && has_factor
    };
    match rules.filter(is_open).flat_map(|rule| &rule.sights).next() {
        Some(Sight::All) => Ok(View::All),
        Some(Sight::Patient) => {
            let launched = principal.launch.patient.as_ref();
            let own = principal.links.patients.iter();
            let own = own.filter(|link| launched.is_none_or(|patient| patient.rid == link.rid));
            Ok(View::Patients(own.map(|link| link.key.id.as_str().to_owned()).collect()))
        }
        _ => Err(refused()),
    }
}

async fn read(context: &Context, key: &ResourceKey, view: &View) -> Result<Outcome> {
    let absent = || FhirError::not_found(key);
    let id = AuditId::parse(key.id.as_str()).ok_or_else(absent)?;
    let event = context.store.audit_event(&id, view).await?.ok_or_else(absent)?;
    let version = ResourceVersion { key: key.clone(), version: 1, last_updated: event.recorded };
    let content = Content::Value(render(&id, &event, &context.settings.base_url, view));
    Ok(Outcome { version: Some(version), ..Outcome::ok(content) }.of_read())
}

/// What a page link holds.
#[derive(Serialize, Deserialize)]
struct State {
    path: String,
    parameters: Vec<Parameter>,
    after: AuditAfter,
}

async fn search(
    context: &Context,
    asker: &Asker,
    (scope, parameters, request): (&SearchScope, &[Parameter], &Request),
    view: View,
) -> Result<Outcome> {
    let principal = asker.caller.principal();
    let path = match scope {
        SearchScope::Compartment(key, _) => format!("{key}/AuditEvent"),
        _ => "AuditEvent".to_owned(),
    };
    let sealed = parameters.iter().find(|(name, _)| name == page::PARAMETER);
    let (parameters, after) = match sealed {
        None => (parameters.to_vec(), None),
        Some(_) if parameters.len() > 1 => {
            let text = "A page link takes no further search parameters";
            return Err(FhirError::bad_request(text));
        }
        Some((_, token)) => {
            let now = context.clock.now();
            let state: State = context.sealer.open_page(token, principal, now)?;
            if state.path != path {
                return Err(unknown_page());
            }
            (state.parameters, Some(state.after))
        }
    };
    let mut asked = query::parse(context, (scope, &parameters), &request.prefer, view)?;
    asked.query.after = after;
    let is_counting = request.subset == Subset::Count || asked.query.count == 0;
    let total = match is_counting || asked.wants_total {
        true => Some(context.store.count_audit(&asked.query).await?),
        false => None,
    };
    let page = match is_counting {
        true => AuditPage { events: Vec::new(), has_more: false },
        false => context.store.search_audit(&asked.query).await?,
    };
    let presentation = &request.presentation;
    // Links that this makes are of what was applied; those that are sealed name the caller.
    let links = PageLink { context, permit: &Permit::operator(), path: &path, presentation };
    let mut relations = vec![("self", links.of(&asked.applied))];
    if let Some(after) = next(&page).filter(|_| page.has_more) {
        let state = State { path: path.clone(), parameters, after };
        let token = context.sealer.seal_page(&state, principal, context.clock.now())?;
        relations.push(("next", links.of(&[(page::PARAMETER.to_owned(), token)])));
    }
    let view = &asked.query.view;
    let entries = page.events.iter().map(|(id, event)| entry(context, id, event, view));
    let bundle = Bundle {
        kind: "searchset",
        last_updated: context.clock.now(),
        total,
        links: relations,
        entries: entries.collect(),
    };
    Ok(Outcome::ok(Content::Json(bundle.into_json())).of_read())
}

fn next(page: &AuditPage) -> Option<AuditAfter> {
    let (id, event) = page.events.last()?;
    let AuditId { node, seq, nth } = id.clone();
    Some(AuditAfter { recorded: event.recorded, node, seq, nth })
}

fn entry(context: &Context, id: &AuditId, event: &Event, view: &View) -> Entry {
    let base_url = &context.settings.base_url;
    let resource = render(id, event, base_url, view).to_string();
    Entry {
        full_url: Some(format!("{base_url}/AuditEvent/{id}")),
        resource: Some(Bytes::from(resource)),
        search_mode: Some("match"),
        ..Entry::default()
    }
}

/// 403 unless the caller is a system that may send AuditEvents.
fn may_send(caller: &Caller) -> Result<()> {
    known(caller)?;
    let Caller::Principal(principal) = caller else {
        return Err(forbidden("AuditEvents are sent by systems that signed in"));
    };
    let kind = ResourceType::parse("AuditEvent");
    let is_granted = principal.scopes.resources().any(|scope| {
        scope.level == crate::access::smart_scope::Level::System
            && kind.is_some_and(|kind| scope.is_of(kind))
            && scope.letters.has(Letters::CREATE)
    });
    match principal.role == Role::EhrSystem && is_granted {
        true => Ok(()),
        false => Err(forbidden("AuditEvents are sent by systems with system/AuditEvent.c")),
    }
}

/// Takes an AuditEvent of another system into the audit (ATNA, ITI-20).
async fn feed(context: &Context, asker: &Asker, sent: Value) -> Result<Outcome> {
    crate::fhir::validation::validate(&sent, &context.settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    let event = crate::audit::external(asker, sent, context.clock.precise());
    let id = context.store.note_external(event).await?;
    let id = Id::parse(&id.to_string()).ok_or_else(|| FhirError::internal("no id"))?;
    let kind = ResourceType::parse("AuditEvent");
    let kind = kind.ok_or_else(|| FhirError::internal("R4 has AuditEvents"))?;
    let (key, last_updated) = (ResourceKey::new(kind, id), context.clock.now());
    let version = ResourceVersion { key, version: 1, last_updated };
    Ok(Outcome {
        status: 201,
        version: Some(version),
        is_created: true,
        ..Outcome::ok(Content::None)
    })
}
