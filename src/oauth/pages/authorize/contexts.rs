//! `/pick-context`: further resources that a standalone launch is about (SMART App Launch 2.2,
//! `launch/[type]` and `fhirContext`). What can be picked is what a search of the person finds.

use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::{Visit, with_request};
use super::patients::{Choice, found, patient_in_context};
use super::steps::{Known, known_at_page, next_context, picked};
use super::words::type_words;
use super::{form_targets, keep};
use crate::access::LaunchContext;
use crate::error::Result;
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use serde_json::Value;

const MOST: &str = "20";

#[derive(Template)]
#[template(path = "pick_context.html")]
struct PickContext<'a> {
    page: Page<'a>,
    app: &'a str,
    request: &'a str,
    scope: &'a str,
    kind: String,
    role: Option<&'a str>,
    choices: Vec<Choice>,
}

/// Lists resources of the type, about the patient in context where it is about patients.
pub async fn contexts(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let known = known_at_page(&visit, fields.request()).await?;
    shown(&visit, &known, &fields, None).await
}

async fn shown(
    visit: &Visit,
    known: &Known,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let onward = || Problem::elsewhere(with_request("/oauth/continue", fields.request()));
    let (scope, context) = next_context(known).ok_or_else(onward)?;
    let status = if problem.is_some() { 422 } else { 200 };
    let template = PickContext {
        page: Page::of(visit).with_problem(problem),
        app: &known.app.name,
        request: fields.get("request"),
        scope: &scope,
        kind: type_words(context.resource_type, visit.texts),
        role: context.role.as_deref(),
        choices: choices(visit, known, &context).await?,
    };
    Ok(render::page_with(visit, &template, (status, &form_targets(Some(&known.pending)))))
}

async fn choices(visit: &Visit, known: &Known, context: &LaunchContext) -> Result<Vec<Choice>> {
    let resource_type = context.resource_type;
    let mut parameters = vec![
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
        ("_count".to_owned(), MOST.to_owned()),
    ];
    let registry = &visit.server.context.current().registry;
    let is_about = registry.parameter(resource_type, "patient").is_some();
    let patient = patient_in_context(known);
    if let Some(patient) = patient.as_ref().filter(|_| is_about) {
        parameters.push(("patient".to_owned(), patient.key.to_string()));
    }
    let account = &known.signed_in.account;
    let looked = (resource_type.name(), patient.as_ref());
    let resources = found(visit, account, looked, parameters).await?;
    Ok(resources.iter().filter_map(choice).collect())
}

/// By what resources of most types are called by.
fn choice(resource: &Value) -> Option<Choice> {
    let id = resource["id"].as_str()?.to_owned();
    let code = &resource["code"];
    let titles = [
        &resource["title"],
        &resource["name"],
        &resource["description"],
        &code["text"],
        &code["coding"][0]["display"],
        &resource["type"]["text"],
    ];
    let title = titles.into_iter().find_map(Value::as_str).unwrap_or(&id);
    let title = title.chars().take(200).collect();
    let dates = ["started", "date", "authoredOn", "effectiveDateTime", "issued", "recordedDate"];
    let date = dates.into_iter().find_map(|name| resource[name].as_str());
    let details = [date, resource["status"].as_str()];
    let detail = details.into_iter().flatten().collect::<Vec<&str>>().join(" · ");
    Some(Choice { id, title, detail })
}

/// Takes one of those that are listed, or none: then the scope is not granted.
pub async fn pick_context(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let mut known = known_at_page(&visit, fields.request()).await?;
    let onward = with_request("/oauth/continue", fields.request());
    let asked = next_context(&known).filter(|(scope, _)| scope == fields.get("context"));
    let Some((scope, context)) = asked else { return Ok(render::see_other(&visit, &onward)) };
    let reference = match fields.find("without") {
        Some(_) => None,
        None => {
            let wanted = fields.get("resource");
            let listed = choices(&visit, &known, &context).await?;
            if !listed.iter().any(|choice| choice.id == wanted) {
                let problem = Some(visit.texts.pick_one.to_owned());
                return shown(&visit, &known, &fields, problem).await;
            }
            Some(format!("{}/{wanted}", context.resource_type))
        }
    };
    let mut choice = picked(&known);
    choice.contexts.push((scope, reference));
    known.pending.request.picked = Some(choice);
    keep(&visit, &known.pending).await?;
    Ok(render::see_other(&visit, &onward))
}
