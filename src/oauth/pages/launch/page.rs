//! The page on which a member of staff opens an application with a patient's record.

use super::super::authorize::{Choice, form_target, searched};
use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::Visit;
use super::handle::{Launched, begin, of_session};
use crate::storage::LaunchableApp;
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use url::Url;

#[derive(Template)]
#[template(path = "launch.html")]
struct LaunchPage<'a> {
    page: Page<'a>,
    apps: &'a [LaunchableApp],
    choices: Vec<Choice>,
    was_searched: bool,
    criteria: [&'a str; 3],
    patient: &'a str,
    client: &'a str,
}

/// Searches patients, and lists applications.
pub async fn page(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    shown(&visit, &fields, None).await
}

async fn shown(
    visit: &Visit,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let signed_in = visit.complete(None)?;
    of_session(visit).ok_or_else(|| Problem::new(403, |texts| texts.not_yours))?;
    let apps = visit.server.context.store.launchable_apps().await?;
    let (found, problem) = match searched(visit, &signed_in.account, fields).await? {
        Ok(found) => (found, problem),
        Err(text) => (Some(Vec::new()), Some(text.to_owned())),
    };
    let status = if problem.is_some() { 422 } else { 200 };
    let template = LaunchPage {
        page: Page::of(visit).with_problem(problem),
        apps: &apps,
        was_searched: found.is_some(),
        choices: found.unwrap_or_default(),
        criteria: ["name", "birthdate", "identifier"].map(|name| fields.get(name)),
        patient: fields.get("patient"),
        client: fields.get("client"),
    };
    // The form leads to the application, which may send the person on.
    let uris = apps.iter().flat_map(|app| app.redirect_uris.iter().chain([&app.launch_uri]));
    let mut targets: Vec<String> = uris.filter_map(|uri| form_target(uri)).collect();
    targets.sort();
    targets.dedup();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    Ok(render::page_with(visit, &template, (status, &targets)))
}

/// Sends the person to the application, with a launch of his own.
pub async fn start(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    visit.complete(None)?;
    let launcher = of_session(&visit).ok_or_else(|| Problem::new(403, |texts| texts.not_yours))?;
    let apps = visit.server.context.store.launchable_apps().await?;
    let app = apps.iter().find(|app| app.client == fields.get("client"));
    let app = app.and_then(|app| Some((app, Url::parse(&app.launch_uri).ok()?)));
    let Some((app, mut url)) = app else {
        return shown(&visit, &fields, Some(visit.texts.pick_one.to_owned())).await;
    };
    let launched = Launched::of(&app.client, fields.find("patient"));
    let handle = match begin(&visit, &launcher, &launched).await {
        Ok(handle) => handle,
        // A patient who is not there, or not his.
        Err(error) if error.kind.status() == 400 => {
            return shown(&visit, &fields, Some(visit.texts.pick_one.to_owned())).await;
        }
        Err(error) => return Err(error.into()),
    };
    let issuer = &visit.server.context.settings.base_url;
    url.query_pairs_mut().append_pair("iss", issuer).append_pair("launch", &handle);
    Ok(render::see_other(&visit, url.as_str()))
}
