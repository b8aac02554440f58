//! history of an instance, a type and the system: <https://hl7.org/fhir/R4/http.html#history>.
//!
//! Newest first. `next` leads to older versions. `previous` leads to what was committed since,
//! and is always there: a poller who follows it sees every version once, whatever writers run.

use super::audit::trail;
use super::context::Context;
use super::entry::status_line;
use super::outcome::{Content, Outcome};
use super::page::{self, PageLink};
use super::scope_queries;
use crate::access::Permit;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::bundle::{Bundle, Entry, Response};
use crate::fhir::interaction::{Handling, HistoryScope, Parameter, Request};
use crate::fhir::types::instant_range;
use crate::search::unknown_page;
use crate::storage::{
    Connection, From, HistoryPage, HistoryPosition, HistoryQuery, InstanceQuery, Stored, Window,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Pages that are looked at for one that is shown, where queries of scopes hide versions.
const MOST_PAGES: usize = 20;

/// What a page link of a history holds.
#[derive(Serialize, Deserialize)]
struct State {
    path: String,
    since: Option<DateTime<Utc>>,
    at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    count: u32,
    /// True for the link `previous`.
    is_newer: bool,
    epoch: i32,
    xid: String,
    rid: i64,
    version: i64,
}

/// A history as asked for.
struct Asked {
    window: Window,
    count: u32,
    from: From,
    applied: Vec<Parameter>,
}

/// 200 with a Bundle of type history; 404 for a resource that never existed; 400 for unknown
/// parameters and values that cannot be read.
pub async fn history(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    wanted: (&HistoryScope, &[Parameter], &Request),
) -> Result<Outcome> {
    let (scope, parameters, request) = wanted;
    let path = path_of(scope);
    let asked = asked(context, &path, (parameters, permit, request.prefer.handling))?;
    let page = match permit.images().is_empty() {
        true => page_from(context, connection, permit, (scope, &asked, &asked.from)).await?,
        false => shown_page(context, connection, permit, (scope, &asked)).await?,
    };
    bundle(context, permit, page, (scope, asked, request))
}

/// A page that may have versions that the queries of scopes hide.
async fn page_from(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    (scope, asked, from): (&HistoryScope, &Asked, &From),
) -> Result<HistoryPage> {
    let window = asked.window.clone();
    let resource_type = match scope {
        HistoryScope::Instance(key) => {
            let before = match from {
                From::Before(position) => Some(position.version),
                _ => None,
            };
            let query = InstanceQuery { key, window, before, count: asked.count };
            let page = context.store.history_of(connection, permit, &query).await?;
            return page.ok_or_else(|| FhirError::not_found(key));
        }
        HistoryScope::Type(resource_type) => Some(*resource_type),
        HistoryScope::System => None,
    };
    let (from, now) = (from.clone(), context.clock.now());
    let query = HistoryQuery { resource_type, window, from, count: asked.count, now };
    context.store.history(connection, permit, &query).await
}

/// A full page of what the queries of scopes let be shown. 400 where too much is hidden between.
async fn shown_page(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    (scope, asked): (&HistoryScope, &Asked),
) -> Result<HistoryPage> {
    let count = asked.count as usize;
    let is_forward = matches!(asked.from, From::After(_));
    let mut from = asked.from.clone();
    let mut versions: Vec<(Stored, HistoryPosition)> = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = page_from(context, connection, permit, (scope, asked, &from)).await?;
        let furthest = match is_forward {
            true => page.versions.first().map(|(_, position)| From::After(position.clone())),
            false => page.versions.last().map(|(_, position)| From::Before(position.clone())),
        };
        let found = page.versions;
        let mut shown = scope_queries::shown(context, connection, permit, found).await?;
        match is_forward {
            true => versions.splice(0..0, shown).for_each(drop),
            false => versions.append(&mut shown),
        }
        let beyond = versions.len().saturating_sub(count);
        let has_more = page.has_more || beyond > 0;
        match is_forward {
            true => versions.drain(..beyond).for_each(drop),
            false => versions.truncate(count),
        }
        match furthest.filter(|_| page.has_more && versions.len() < count) {
            Some(furthest) => from = furthest,
            None => return Ok(HistoryPage { versions, has_more }),
        }
    }
    let text = "Too many versions are not found by the queries of the scopes: name a narrower \
                history, such as that of an instance";
    Err(FhirError::too_costly(text))
}

fn path_of(scope: &HistoryScope) -> String {
    match scope {
        HistoryScope::System => "_history".to_owned(),
        HistoryScope::Type(resource_type) => format!("{resource_type}/_history"),
        HistoryScope::Instance(key) => format!("{key}/_history"),
    }
}

fn asked(
    context: &Context,
    path: &str,
    wanted: (&[Parameter], &Permit, Handling),
) -> Result<Asked> {
    let (parameters, permit, handling) = wanted;
    let limits = &context.settings.limits;
    let mut asked = Asked {
        window: Window::default(),
        count: limits.page_default,
        from: From::Newest,
        applied: Vec::new(),
    };
    for (name, value) in parameters {
        let fault = |text: &str| FhirError::invalid_value(format!("http.{name}"), text);
        let range = || {
            instant_range(value, context.settings.default_zone)
                .ok_or_else(|| fault("The value is a date, or a date and time with a zone"))
        };
        let mut applied = value.clone();
        match name.as_str() {
            "_since" => asked.window.since = Some(range()?.low),
            "_at" => {
                let range = range()?;
                asked.window.at = Some((range.low, range.high));
            }
            "_count" => {
                let count: u32 = value.parse().map_err(|_| fault("A whole number from 0"))?;
                asked.count = count.min(limits.page_maximum);
                applied = asked.count.to_string();
            }
            page::PARAMETER => {
                let state: State = page::open(context, permit, value)?;
                return resumed(path, state, (name, value));
            }
            _ if handling == Handling::Lenient => continue,
            _ => {
                let text = "A history takes _since, _at and _count";
                return Err(FhirError::at(IssueCode::NotSupported, format!("http.{name}"), text));
            }
        }
        asked.applied.push((name.clone(), applied));
    }
    Ok(asked)
}

fn resumed(path: &str, state: State, link: (&str, &str)) -> Result<Asked> {
    if state.path != path {
        return Err(unknown_page());
    }
    let State { epoch, xid, rid, version, .. } = state;
    let position = HistoryPosition { epoch, xid, rid, version };
    let from = match state.is_newer {
        true => From::After(position),
        false => From::Before(position),
    };
    let window = Window { since: state.since, at: state.at };
    // The page is named by its own link: without it `self` would be the first page.
    let applied = vec![(link.0.to_owned(), link.1.to_owned())];
    Ok(Asked { window, count: state.count, from, applied })
}

fn bundle(
    context: &Context,
    permit: &Permit,
    page: HistoryPage,
    answered: (&HistoryScope, Asked, &Request),
) -> Result<Outcome> {
    let (scope, asked, request) = answered;
    let base_url = context.settings.base_url.as_str();
    let path = path_of(scope);
    let links = PageLink { context, permit, path: &path, presentation: &request.presentation };
    let state = |position: &HistoryPosition, is_newer| State {
        path: path.clone(),
        since: asked.window.since,
        at: asked.window.at,
        count: asked.count,
        is_newer,
        epoch: position.epoch,
        xid: position.xid.clone(),
        rid: position.rid,
        version: position.version,
    };
    let mut relations = vec![("self", links.of(&asked.applied))];
    let oldest = page.versions.last().map(|(_, position)| position);
    let has_older = page.has_more || matches!(asked.from, From::After(_));
    if let Some(oldest) = oldest.filter(|_| has_older) {
        relations.push(("next", links.sealed(&state(oldest, false))?));
    }
    if !matches!(scope, HistoryScope::Instance(_)) {
        let newest = page.versions.first().map(|(_, position)| position.clone());
        let newest = match (newest, &asked.from) {
            (Some(newest), _) => newest,
            (None, From::After(position)) => position.clone(),
            (None, _) => start(),
        };
        relations.push(("previous", links.sealed(&state(&newest, true))?));
    }
    let shown = trail::shown(context, page.versions.iter().map(|(stored, _)| stored));
    let mut entries = Vec::with_capacity(page.versions.len());
    for (mut stored, _) in page.versions {
        if !stored.is_deleted {
            stored.body = permit.redactor().shown(&stored.key, stored.body)?;
        }
        entries.push(entry(base_url, stored));
    }
    let bundle = Bundle {
        kind: "history",
        last_updated: context.clock.now(),
        total: None,
        links: relations,
        entries,
    };
    Ok(Outcome { shown, ..Outcome::ok(Content::Json(bundle.into_json())) })
}

/// Before everything.
fn start() -> HistoryPosition {
    HistoryPosition { epoch: 0, xid: "0".to_owned(), rid: 0, version: 0 }
}

/// A version with the request that made it (bundle.html#history): POST for the first one,
/// PUT for what came after, DELETE without a resource.
fn entry(base_url: &str, stored: Stored) -> Entry {
    let (method, url, status) = match (stored.is_deleted, stored.version) {
        (true, _) => ("DELETE", stored.key.to_string(), 204),
        (false, 1) => ("POST", stored.key.resource_type.to_string(), 201),
        (false, _) => ("PUT", stored.key.to_string(), 200),
    };
    Entry {
        full_url: Some(format!("{base_url}/{}", stored.key)),
        resource: (!stored.is_deleted).then_some(stored.body),
        request: Some((method, url)),
        response: Some(Response {
            status: status_line(status),
            etag: Some(stored.version),
            last_modified: Some(stored.last_updated),
            ..Response::default()
        }),
        ..Entry::default()
    }
}
