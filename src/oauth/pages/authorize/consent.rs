//! `/consent`: what the application asks for, and what the person allows it. The result is exactly
//! what is ticked (SECURITY AS-61; 45 CFR 170.315(g)(10)).

use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::{Visit, with_request};
use super::offered::{self, Offer};
use super::steps::{self, Known, known_at_page, needs_patient, next_context, picked};
use super::{end, form_targets};
use crate::access::Scopes;
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::tell;
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    page: Page<'a>,
    request: &'a str,
    app: &'a str,
    publisher: Option<&'a str>,
    host: String,
    /// What is about data, and what is about the person and the session.
    data: Vec<Offer>,
    others: Vec<Offer>,
    offline: Option<Offer>,
    offline_days: u32,
}

/// Shows what is asked for.
pub async fn consent(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let known = ready(&visit, &fields).await?;
    shown(&visit, &known, &fields, None).await
}

/// The request once everything before the consent is done; else back to where it is.
async fn ready(visit: &Visit, fields: &Fields) -> Result<Known, Problem> {
    let known = known_at_page(visit, fields.request()).await?;
    let launch = known.pending.request.launch.as_ref();
    let launched = |name: &str| launch.is_some_and(|context| context.get(name).is_some());
    let picked = picked(&known);
    let has_patient = launched("patient") || picked.patient.is_some();
    let has_encounter = launched("encounter") || picked.encounter.is_some();
    let is_ready = !known.scopes.is_empty()
        && (has_patient || !needs_patient(&known.scopes))
        && (has_encounter || !known.scopes.has("launch/encounter"))
        && next_context(&known).is_none();
    match is_ready {
        true => Ok(known),
        false => Err(Problem::elsewhere(with_request("/oauth/continue", fields.request()))),
    }
}

async fn offers_of(visit: &Visit, known: &Known) -> Result<Vec<Offer>, Problem> {
    let account = &known.signed_in.account.account;
    let before = visit.server.context.store.consented(account, &known.app.client).await?;
    let before = before.and_then(|scopes| Scopes::parse(&scopes));
    Ok(offered::offers(&known.scopes, before.as_ref(), visit.texts))
}

async fn shown(
    visit: &Visit,
    known: &Known,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let (mut data, mut others, mut offline) = (Vec::new(), Vec::new(), None);
    for offer in offers_of(visit, known).await? {
        match offer.scope.as_str() {
            "offline_access" => offline = Some(offer),
            scope if scope.contains('.') => data.push(offer),
            _ => others.push(offer),
        }
    }
    let status = if problem.is_some() { 422 } else { 200 };
    let template = Consent {
        page: Page::of(visit).with_problem(problem).until(known.pending.ends(), visit.now),
        request: fields.get("request"),
        app: &known.app.name,
        publisher: known.app.publisher.as_deref(),
        host: host(&known.pending.request.redirect_uri),
        data,
        others,
        offline,
        offline_days: if known.app.is_first_party { 30 } else { 365 },
    };
    Ok(render::page_with(visit, &template, (status, &form_targets(Some(&known.pending)))))
}

/// Where the person is sent back to, as people know it.
fn host(redirect_uri: &str) -> String {
    let url = url::Url::parse(redirect_uri).ok();
    let host = url.as_ref().map(|url| url.host_str().unwrap_or(url.scheme()).to_owned());
    host.unwrap_or_default()
}

/// Grants what is ticked, or nothing.
pub async fn decide(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let known = ready(&visit, &fields).await?;
    if fields.find("allow").is_none() {
        let about = steps::about(&known);
        tell(&visit.server, SecurityEvent::ConsentDenied, about, &visit.origin).await?;
        return end(&visit, &known.pending, ("access_denied", "the person has refused")).await;
    }
    let offers = offers_of(&visit, &known).await?;
    let chosen = offered::chosen(&offers, fields.all("scope"));
    if chosen.is_empty() {
        let problem = Some(visit.texts.nothing_ticked.to_owned());
        return shown(&visit, &known, &fields, problem).await;
    }
    let store = &visit.server.context.store;
    let place = (known.signed_in.account.account.as_str(), known.app.client.as_str());
    store.remember_consent(place, &chosen.to_string(), visit.now).await?;
    steps::issue(&visit, &known, (&chosen, steps::Consent::Given)).await
}
