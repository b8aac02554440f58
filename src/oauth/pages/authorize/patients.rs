//! `/pick-patient` and `/pick-encounter`: the context of a standalone launch. What can be picked
//! is what a search of the person finds: the gate decides, here as everywhere.

use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::{Visit, with_request};
use super::steps::{Known, known_at_page, picked};
use super::{end, form_targets, keep};
use crate::access::{Asker, Caller, Launch, Link, Links, Principal, Role, Scopes};
use crate::error::{ErrorKind, FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Interaction, Parameter, Prefer, Request, SearchScope, Unless};
use crate::fhir::resource::{Id, ResourceKey};
use crate::fhir::subset::Subset;
use crate::interactions::{self, Content};
use crate::storage::Account;
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use serde_json::Value;
use std::sync::Arc;

/// Choices on one page.
const MOST: &str = "20";
/// What may be searched by.
const CRITERIA: [&str; 3] = ["name", "birthdate", "identifier"];
const MOST_CRITERION_BYTES: usize = 200;
const OPEN: &str = "planned,arrived,triaged,in-progress,onleave";

/// One resource that can be picked.
pub struct Choice {
    pub id: String,
    pub title: String,
    pub detail: String,
}

#[derive(Template)]
#[template(path = "pick_patient.html")]
struct PickPatient<'a> {
    page: Page<'a>,
    app: &'a str,
    request: &'a str,
    choices: Vec<Choice>,
    has_search: bool,
    was_searched: bool,
    criteria: [&'a str; 3],
}

#[derive(Template)]
#[template(path = "pick_encounter.html")]
struct PickEncounter<'a> {
    page: Page<'a>,
    app: &'a str,
    request: &'a str,
    choices: Vec<Choice>,
}

/// The patients that an account is, or is a proxy of.
pub fn own(account: &Account) -> Vec<Link> {
    account.patients.clone()
}

/// Who an account is to the gate, for what the pages look up.
pub fn principal_of(visit: &Visit, account: &Account, scopes: Scopes) -> Principal {
    let session = visit.signed_in.as_ref().map(|one| &one.session);
    Principal {
        name: format!("account/{}", account.account),
        client_id: "bhn-fhir".to_owned(),
        grant: 0,
        token_id: String::new(),
        scopes,
        role: account.role,
        links: Links {
            fhir_user: account.person.clone(),
            patients: own(account),
            organizations: account.facilities.clone(),
            jurisdictions: account.jurisdictions.clone(),
            id_prefix: None,
        },
        launch: Launch::default(),
        methods: session.map(|session| session.methods.clone()).unwrap_or_default(),
        signed_in: session.map(|session| session.created),
    }
}

/// What is looked up, of which type, and about which patient: to a patient's own scopes nothing is
/// visible without one.
pub type Looked<'a> = (&'static str, Option<&'a Link>);

fn asker(visit: &Visit, account: &Account, (name, about): Looked<'_>) -> Asker {
    let level = if account.role == Role::Patient { "patient" } else { "user" };
    let scopes = format!("{level}/Patient.rs {level}/{name}.rs");
    let scopes = Scopes::parse(&scopes).unwrap_or_default();
    let launch = Launch { patient: about.cloned(), encounter: None };
    let principal = Principal { launch, ..principal_of(visit, account, scopes) };
    Asker { caller: Caller::Principal(Arc::new(principal)), origin: visit.origin.clone() }
}

/// The resources that a search of this person finds; none where the role may not search at all.
pub async fn found(
    visit: &Visit,
    account: &Account,
    looked: Looked<'_>,
    parameters: Vec<Parameter>,
) -> Result<Vec<Value>> {
    let name = looked.0;
    let Some(resource_type) = ResourceType::parse(name) else { return Ok(Vec::new()) };
    let scope = SearchScope::Type(resource_type);
    let outcome =
        perform((visit, account, looked), Interaction::Search { scope, parameters }).await;
    let content = match outcome {
        Ok(outcome) => outcome.content,
        // Also for an account that is no Practitioner yet.
        Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthorized) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let bundle = value(content)?;
    let entries = bundle.get("entry").and_then(Value::as_array).cloned().unwrap_or_default();
    let resources =
        entries.into_iter().filter_map(|mut entry| entry.get_mut("resource").map(Value::take));
    Ok(resources.filter(|resource| resource["resourceType"] == name).collect())
}

async fn perform(
    (visit, account, looked): (&Visit, &Account, Looked<'_>),
    interaction: Interaction,
) -> Result<interactions::Outcome> {
    let request = Request {
        interaction,
        subset: Subset::None,
        prefer: Prefer::default(),
        presentation: Vec::new(),
        idempotency_key: None,
        provenance: None,
    };
    let context = visit.server.context.current();
    interactions::perform(&context, &asker(visit, account, looked), request).await
}

fn value(content: Content) -> Result<Value> {
    match content {
        Content::Json(json) => serde_json::from_slice(&json).map_err(FhirError::internal),
        Content::Value(value) => Ok(value),
        Content::None => Ok(Value::Null),
    }
}

/// Whether the person may read it. Whoever may not gets the answer of what is not there.
async fn is_visible(visit: &Visit, account: &Account, key: &ResourceKey) -> Result<bool> {
    let interaction = Interaction::Read { key: key.clone(), unless: Unless::default() };
    let name = key.resource_type.name();
    match perform((visit, account, (name, None)), interaction).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind.status() < 500 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lists the own patients of a patient; asks staff whom to look for.
pub async fn patients(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let known = known_at_page(&visit, fields.request()).await?;
    patients_page(&visit, &known, &fields, None).await
}

async fn patients_page(
    visit: &Visit,
    known: &Known,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let account = &known.signed_in.account;
    let has_search = account.role != Role::Patient;
    let criteria = CRITERIA.map(|name| fields.get(name));
    let (choices, was_searched, problem) = match has_search {
        true => match searched(visit, account, fields).await? {
            Ok(found) => {
                let was_searched = found.is_some();
                (found.unwrap_or_default(), was_searched, problem)
            }
            Err(text) => (Vec::new(), true, Some(text.to_owned())),
        },
        false => (own_choices(visit, account).await?, false, problem),
    };
    let template = PickPatient {
        page: Page::of(visit).with_problem(problem).until(known.pending.ends(), visit.now),
        app: &known.app.name,
        request: fields.get("request"),
        choices,
        has_search,
        was_searched,
        criteria,
    };
    Ok(render::page(visit, &template, &form_targets(Some(&known.pending))))
}

/// The patients that the person's search by the criteria finds; None where none is given. Err has
/// what the person has to change.
pub async fn searched(
    visit: &Visit,
    account: &Account,
    fields: &Fields,
) -> Result<Result<Option<Vec<Choice>>, &'static str>> {
    let mut parameters: Vec<Parameter> = CRITERIA
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fields.find(name)?.to_owned())))
        .collect();
    let too_long = parameters.iter().any(|(_, value)| value.len() > MOST_CRITERION_BYTES);
    if parameters.is_empty() || too_long {
        return Ok(Ok(None));
    }
    parameters.push(("_count".to_owned(), MOST.to_owned()));
    match found(visit, account, ("Patient", None), parameters).await {
        Ok(resources) => Ok(Ok(Some(resources.iter().filter_map(patient).collect()))),
        Err(error) if error.kind.status() < 500 => Ok(Err(visit.texts.search_not_understood)),
        Err(error) => Err(error),
    }
}

/// With names as far as the record tells them.
async fn own_choices(visit: &Visit, account: &Account) -> Result<Vec<Choice>> {
    let mut choices = Vec::new();
    for link in own(account) {
        let id = link.key.id.as_str();
        let parameters = vec![("_id".to_owned(), id.to_owned())];
        let resources = found(visit, account, ("Patient", Some(&link)), parameters).await?;
        let named = resources.iter().find_map(patient);
        let unnamed = || Choice { id: id.to_owned(), title: id.to_owned(), detail: String::new() };
        choices.push(named.unwrap_or_else(unnamed));
    }
    Ok(choices)
}

fn patient(resource: &Value) -> Option<Choice> {
    let id = resource["id"].as_str()?.to_owned();
    let name = &resource["name"][0];
    let given = name["given"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words = given.iter().chain([&name["family"]]).filter_map(Value::as_str);
    let spoken = words.collect::<Vec<&str>>().join(" ");
    let title = match (spoken.is_empty(), name["text"].as_str()) {
        (false, _) => spoken,
        (true, Some(text)) => text.to_owned(),
        (true, None) => id.clone(),
    };
    let identifier = resource["identifier"][0]["value"].as_str();
    let details = [resource["birthDate"].as_str(), identifier];
    let detail = details.into_iter().flatten().collect::<Vec<&str>>().join(" · ");
    Some(Choice { id, title, detail })
}

fn encounter(resource: &Value) -> Option<Choice> {
    let id = resource["id"].as_str()?.to_owned();
    let kind = &resource["type"][0];
    let texts = [&kind["text"], &kind["coding"][0]["display"], &resource["class"]["display"]];
    let title = texts.into_iter().find_map(Value::as_str).unwrap_or(&id).to_owned();
    let details = [resource["period"]["start"].as_str(), resource["status"].as_str()];
    let detail = details.into_iter().flatten().collect::<Vec<&str>>().join(" · ");
    Some(Choice { id, title, detail })
}

/// Takes the patient, if the person may see it.
pub async fn pick_patient(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let mut known = known_at_page(&visit, fields.request()).await?;
    if fields.find("cancel").is_some() {
        return end(&visit, &known.pending, ("access_denied", "the person picked nobody")).await;
    }
    let account = &known.signed_in.account;
    let link = match (account.role, key("Patient", fields.get("patient"))) {
        (_, None) => None,
        (Role::Patient, Some(key)) => own(account).into_iter().find(|link| link.key == key),
        (_, Some(key)) => match is_visible(&visit, account, &key).await? {
            true => {
                let rids = visit.server.context.store.intern_references([&key]).await?;
                rids.get(&key).copied().map(|rid| Link { rid, key: key.clone() })
            }
            false => None,
        },
    };
    let Some(link) = link else {
        let problem = Some(visit.texts.pick_one.to_owned());
        return patients_page(&visit, &known, &fields, problem).await;
    };
    let mut choice = picked(&known);
    choice.patient = Some((link.key.id.as_str().to_owned(), link.rid));
    choice.encounter = None;
    choice.contexts.clear();
    known.pending.request.picked = Some(choice);
    keep(&visit, &known.pending).await?;
    Ok(render::see_other(&visit, &with_request("/oauth/continue", fields.request())))
}

fn key(name: &str, id: &str) -> Option<ResourceKey> {
    ResourceType::parse(name).zip(Id::parse(id)).map(|(kind, id)| ResourceKey::new(kind, id))
}

/// The patient in context.
pub fn patient_in_context(known: &Known) -> Option<Link> {
    let launch = known.pending.request.launch.as_ref();
    let launched = launch.and_then(|context| {
        Some((context.get("patient")?.as_str()?.to_owned(), context.get("patient_rid")?.as_i64()?))
    });
    let (id, rid) = launched.or_else(|| picked(known).patient)?;
    key("Patient", &id).map(|key| Link { rid, key })
}

/// Lists the open encounters of the patient in context.
pub async fn encounters(
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let known = known_at_page(&visit, fields.request()).await?;
    encounters_page(&visit, &known, &fields, None).await
}

async fn open_encounters(visit: &Visit, known: &Known) -> Result<Vec<Choice>> {
    let Some(patient) = patient_in_context(known) else { return Ok(Vec::new()) };
    let parameters = [
        ("patient", patient.key.to_string()),
        ("status", OPEN.to_owned()),
        ("_sort", "-date".to_owned()),
        ("_count", MOST.to_owned()),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let account = &known.signed_in.account;
    let resources = found(visit, account, ("Encounter", Some(&patient)), parameters).await?;
    Ok(resources.iter().filter_map(encounter).collect())
}

async fn encounters_page(
    visit: &Visit,
    known: &Known,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let template = PickEncounter {
        page: Page::of(visit).with_problem(problem).until(known.pending.ends(), visit.now),
        app: &known.app.name,
        request: fields.get("request"),
        choices: open_encounters(visit, known).await?,
    };
    Ok(render::page(visit, &template, &form_targets(Some(&known.pending))))
}

/// Takes one of the open encounters.
pub async fn pick_encounter(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let mut known = known_at_page(&visit, fields.request()).await?;
    if fields.find("cancel").is_some() {
        return end(&visit, &known.pending, ("access_denied", "the person picked nothing")).await;
    }
    let wanted = fields.get("encounter");
    let open = open_encounters(&visit, &known).await?;
    if !open.iter().any(|choice| choice.id == wanted) {
        let problem = Some(visit.texts.pick_one.to_owned());
        return encounters_page(&visit, &known, &fields, problem).await;
    }
    let mut choice = picked(&known);
    choice.encounter = Some(wanted.to_owned());
    known.pending.request.picked = Some(choice);
    keep(&visit, &known.pending).await?;
    Ok(render::see_other(&visit, &with_request("/oauth/continue", fields.request())))
}
